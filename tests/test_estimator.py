"""The estimator: scikit-learn's own checks, the trainer's numbers, and nothing besides."""

import concurrent.futures
import doctest
import functools
import gc
import os
import signal
import sys
import threading
import weakref

import numpy as np
import pytest
from conftest import run_python
from scipy.special import softmax

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import dlt
from dlt import estimator
from dlt.arrays import aligned_copy
from dlt.engine import T, theano
from dlt.estimator import SoftmaxRegression
from dlt.order import Shuffled
from dlt.prediction import Predictor


@pytest.mark.slow
@parametrize_with_checks([SoftmaxRegression()])
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


def test_the_example_of_the_docstring():
    assert doctest.testmod(estimator) == (0, 4)


@pytest.fixture
def points(blobs):
    """Three classes of points, called by letters."""
    X, y = blobs[0]
    return X, np.array(["a", "b", "c"])[y]


def by_hand(X, y, n_classes, valid_set, batch_size, n_epochs, patience, seed):
    """Train as `dlt.Trainer` is used otherwise; return the model and the result."""
    x, symbolic_y = T.matrix("x"), T.ivector("y")
    model = dlt.LogisticRegression(x, X.shape[1], n_classes)
    loss = dlt.negative_log_likelihood(model.p_y_given_x, symbolic_y, reduction="mean")
    updates = dlt.gradient_updates(loss, model.params, 0.5)
    trainer = dlt.Trainer(model, symbolic_y, loss, (X, y), valid_set, batch_size, updates)
    result = trainer.run(n_epochs, dlt.Patience(patience), Shuffled(seed))
    dlt.set_values(model.params, result.best_params)
    return model, result


@pytest.mark.parametrize("n_classes, early_stopping", [(2, True), (3, False)])
def test_it_is_the_trainer_to_the_bit(floatX, blobs, n_classes, early_stopping):
    X, y = (values[blobs[0][1] < n_classes] for values in blobs[0])
    options = {"early_stopping": early_stopping, "validation_fraction": 0.25, "patience": 60}
    model = SoftmaxRegression(0.5, 7, max_iter=30, random_state=5, **options).fit(X, y)
    draws, valid_set = np.random.RandomState(5), None
    train_X, train_y = X, y
    if early_stopping:
        train_X, valid_X, train_y, valid_y = train_test_split(
            X, y, test_size=0.25, random_state=draws, stratify=y
        )
        valid_set = valid_X, valid_y
    seed = draws.randint(2**31 - 1)
    other, result = by_hand(train_X, train_y, n_classes, valid_set, 7, 30, 60, seed)
    W, b = result.best_params.values()
    if n_classes == 2:
        W, b = W[:, 1:] - W[:, :1], b[1:] - b[:1]
    np.testing.assert_array_equal(model.coef_, W.T)
    np.testing.assert_array_equal(model.intercept_, b)
    assert model.coef_.dtype == model.intercept_.dtype == floatX
    assert model.n_iter_ == result.n_epochs and (early_stopping == (result.n_epochs < 30))
    assert model.loss_curve_ == [row.train_loss for row in result.history]
    rtol = 1e-12 if floatX == "float64" else 1e-5
    expected = Predictor(other).probabilities(X)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol)
    np.testing.assert_array_equal(model.predict(X), expected.argmax(axis=1))


def test_penalties_are_those_of_the_regularized_loss(float64, points):
    X, y = points
    rate, l1, l2 = 0.5, 0.01, 0.02
    model = SoftmaxRegression(rate, len(X), max_iter=4, l1=l1, l2=l2).fit(X, y)
    is_class, W, b, losses = y[:, None] == model.classes_, np.zeros((2, 3)), np.zeros(3), []
    for _ in range(4):
        p = softmax(X @ W + b, axis=1)
        penalty = l1 * np.abs(W).sum() + l2 * (W**2).sum()
        losses.append(-np.log(p[is_class]).mean() + penalty)
        slope = (p - is_class) / len(X)
        W = W - rate * (X.T @ slope + l1 * np.sign(W) + l2 * 2 * W)
        b = b - rate * slope.sum(axis=0)
    np.testing.assert_allclose(model.coef_, W.T, 1e-12)
    np.testing.assert_allclose(model.intercept_, b, 1e-12)
    assert model.loss_curve_ == pytest.approx(losses)


def fitted(X, y, **params):
    return SoftmaxRegression(max_iter=20, **params).fit(X, y).coef_.tobytes()


SETTINGS = [{"learning_rate": 0.1, "random_state": 1}, {"l2": 0.1, "random_state": 2}] * 3


def test_threads_take_turns_and_change_no_bit(points):
    alone = [fitted(*points, **settings) for settings in SETTINGS[:2]] * 3
    assert alone[0] != alone[1]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with concurrent.futures.ThreadPoolExecutor(6) as threads:
            found = list(threads.map(lambda settings: fitted(*points, **settings), SETTINGS))
    finally:
        sys.setswitchinterval(before)
    assert found == alone


def test_a_grid_is_compiled_once(monkeypatch, points):
    estimator._compiled.cache_clear()
    compiled, real = [], theano.function
    monkeypatch.setattr(theano, "function", lambda *a, **kw: compiled.append(1) or real(*a, **kw))
    fitted(*points)
    n = len(compiled)
    assert n > 0
    for settings in SETTINGS:
        fitted(*points, **settings)
    fitted(points[0] + 1, points[1])
    assert len(compiled) == n


def test_data_is_not_kept(points):
    X = aligned_copy(np.asarray(points[0], theano.config.floatX))  # which no engine has to copy
    data = weakref.ref(X.base)
    fitted(X, points[1])
    del X
    gc.collect()
    assert data() is None


def test_nothing_is_printed_or_written_and_no_signal_is_handled(
    tmp_path, monkeypatch, capfd, points
):
    monkeypatch.chdir(tmp_path)
    fitted(*points)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:  # only the main one handles signals
        thread.submit(fitted, *points).result()
    assert capfd.readouterr() == ("", "")
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.once
def test_a_search_in_processes_finds_what_one_process_finds(points):
    grid = {"softmaxregression__learning_rate": [0.01, 0.3], "softmaxregression__l2": [0, 0.1]}
    model = make_pipeline(StandardScaler(), SoftmaxRegression(max_iter=5, random_state=1))
    one, two = (GridSearchCV(model, grid, cv=3, n_jobs=n).fit(*points) for n in (None, 2))
    scores = one.cv_results_["mean_test_score"]
    assert len(set(scores)) > 1
    np.testing.assert_array_equal(scores, two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_
    coefs = (search.best_estimator_[-1].coef_.tobytes() for search in (one, two))
    assert len(set(coefs)) == 1


def test_frames_and_their_names(points):
    pandas = pytest.importorskip("pandas")
    X, y = points
    frame, labels = (
        pandas.DataFrame(X, columns=["width", "height"]),
        pandas.Series(y, dtype="category"),
    )
    model = SoftmaxRegression(max_iter=20).fit(frame, labels)
    assert model.feature_names_in_.tolist() == ["width", "height"]
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.score(frame, labels) > 0.8
    with pytest.raises(ValueError, match="The feature names should match those that were passed"):
        model.predict(frame[["height", "width"]])


@pytest.mark.parametrize(
    "params, error, message",
    [
        ({"learning_rate": "adaptive"}, ValueError, "found a value of type str; expected a finite"),
        ({"learning_rate": 0}, ValueError, "learning_rate: found 0; expected a finite number abov"),
        ({"l2": -1.0}, ValueError, "l2: found -1.0; expected a finite number, 0 or more, in float"),
        ({"max_iter": 0}, ValueError, "max_iter: found 0; expected a whole number, 1 or more"),
        ({"batch_size": 104}, ValueError, "batch_size: found 104; expected a .* from 1 to 103, th"),
        ({"batch_size": [1]}, ValueError, r"batch_size: found \[1\]; expected a whole number from"),
        ({"patience": 1}, ValueError, "patience: found 1; expected from 2 to 1e15 minibatch upda"),
        (
            {"early_stopping": True, "validation_fraction": 1.0},
            ValueError,
            "validation_fraction == 1.0, must be < 1",
        ),
        (
            {"learning_rate": 1e307, "random_state": 1},
            ValueError,
            "learning_rate: found 1e.307, with which training diverged in epoch 1; expected a "
            "finite loss; scale X, for example with StandardScaler, or choose a smaller rate",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_used_is_named(float64, points, params, error, message):
    with pytest.raises(error, match=message):
        SoftmaxRegression(**params).fit(*points)


def test_one_class_is_refused_by_name():
    with pytest.raises(ValueError, match="y has one class only: two or more are needed"):
        SoftmaxRegression().fit([[0.0], [1.0]], ["a", "a"])


def test_a_patience_that_does_not_run_out_is_said(points):
    model = SoftmaxRegression(max_iter=2, early_stopping=True)
    with pytest.raises(ConvergenceWarning, match="patience did not run out within max_iter=2 epo"):
        model.fit(*points)  # pytest makes an error of it


def test_ctrl_c_ends_a_fit(points):
    """The trainer takes it for a request to end with the result so far."""
    model = SoftmaxRegression(max_iter=100000)
    fitted(*points)  # compiles
    ctrl_c = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    ctrl_c.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(*points)
    finally:
        ctrl_c.join()
    assert not hasattr(model, "coef_")


FORKING = """
import multiprocessing, sys, threading
import numpy
from dlt import Trainer, engine
from dlt.estimator import SoftmaxRegression
engine.linker() == sys.argv[1] or engine.set_linker(sys.argv[1])
X, y = numpy.eye(2), [0, 1]
inside, go_on = threading.Event(), threading.Event()
def should_stop():
    inside.set()
    return go_on.wait(300) and False
def fit(queue):
    try:
        queue.put(SoftmaxRegression().fit(X, y).predict(X).tolist())
    except Exception as error:
        queue.put(str(error))
run = Trainer.run
Trainer.run = lambda *args, **options: run(*args, should_stop=should_stop, **options)
thread = threading.Thread(target=SoftmaxRegression().fit, args=(X, y))
thread.start()
inside.wait(300)
Trainer.run = run
context = multiprocessing.get_context("fork")
queue = context.Queue()
fork = context.Process(target=fit, args=(queue,), daemon=True)
fork.start()
try:
    print(queue.get(timeout=300))
finally:
    go_on.set()
    thread.join()
    fork.kill()
"""


@pytest.mark.once
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no forks")
@pytest.mark.parametrize("linker", ["jax", "c"], indirect=True)
def test_a_fork_while_a_thread_fits_does_not_wait_for_it(linker):
    done = run_python("-W", "ignore", "-c", FORKING, linker, timeout=600)
    refused = "jax: found a fork of a process that has computed with it; expected a process of its"
    assert done.stdout.startswith(refused if linker == "jax" else "[0, 1]"), done.stderr


@pytest.mark.parametrize("name", ["X", "y"])
def test_masked_values_are_refused(points, name):
    data = dict(zip("Xy", points), y=points[0].argmax(axis=1))
    hidden = np.zeros(data[name].shape, bool)
    hidden[3] = True
    data[name] = np.ma.array(data[name], mask=hidden)
    refused = functools.partial(pytest.raises, ValueError, match=f"^{name}: found masked values; ")
    with refused():
        SoftmaxRegression().fit(**data)
    if name == "X":
        model = SoftmaxRegression(max_iter=2).fit(*points)
        for use in (model.predict, model.predict_proba, model.decision_function):
            with refused():
                use(data["X"])


def test_it_is_as_accurate_as_scikit_learn_s_on_the_digits():
    X, y = load_digits(return_X_y=True)
    X, test_X, y, test_y = train_test_split(X / 16, y, random_state=2, stratify=y)
    models = (
        SoftmaxRegression(random_state=1),
        LogisticRegression(),
        SGDClassifier(loss="log_loss", random_state=1),
    )
    ours, *theirs = (model.fit(X, y).score(test_X, test_y) for model in models)
    standard_error = np.sqrt(ours * (1 - ours) / len(test_y))
    assert ours > 0.9 and np.abs(np.subtract(theirs, ours)).max() < standard_error
