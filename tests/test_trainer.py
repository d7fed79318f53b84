"""The trainer: best parameters, what runs share, divergence, stopping, resuming to the bit."""

import functools
import itertools
import json
import pickle
import threading

import numpy as np
import pytest
import reference
from checkpoints import bits
from conftest import interrupting_at_line
from scipy.stats import binomtest
from test_engine import random_variables

from dlt import evaluation, training
from dlt.chunks import ChunkedDataSet
from dlt.early_stopping import Patience
from dlt.engine import T, linker, machine, set_floatX, theano
from dlt.errors import DataError, SettingsError
from dlt.examples import Description
from dlt.losses import negative_log_likelihood
from dlt.models import LogisticRegression
from dlt.order import Shuffled
from dlt.parameters import read_params, set_values
from dlt.regularization import l2_sqr
from dlt.runs.checkpoint import read_checkpoint
from dlt.runs.folder import RunFolder, list_snapshots
from dlt.runs.history import read_history
from dlt.sgd import gradient_updates
from dlt.shared import shared_datasets
from dlt.trainer import Trainer, train


class Perceptron:
    """A two-layer perceptron as a user writes it: every layer calls its parameters W and b."""

    def __init__(self, input, n_in, n_hidden, n_out):
        rng = np.random.default_rng(3)
        W = rng.normal(0, 0.5, (n_in, n_hidden)).astype(theano.config.floatX)
        self.W, self.b = theano.shared(W, "W"), theano.shared(W[0] * 0, "b")
        top = LogisticRegression(T.tanh(T.dot(input, self.W) + self.b), n_hidden, n_out)
        self.input, self.n_out, self.p_y_given_x = input, n_out, top.p_y_given_x
        self.params = [self.W, self.b, *top.params]


def regression():
    """Give logistic regression, its symbols and its loss."""
    x, y = T.matrix("x"), T.ivector("y")
    model = LogisticRegression(x, 2, 3)
    return model, y, negative_log_likelihood(model.p_y_given_x, y, reduction="mean")


def perceptron():
    x, y = T.matrix("x"), T.ivector("y")
    model = Perceptron(x, 2, 4, 3)
    return model, y, negative_log_likelihood(model.p_y_given_x, y, reduction="mean")


def sgd(model, loss):
    return gradient_updates(loss, model.params, 2.0)


def momentum(model, loss):
    """Velocities without names, and a counter of integers that lowers the rate."""
    count, pairs = theano.shared(0, name="count"), []
    rate = T.cast(1.0 / (1 + count / 100.0), theano.config.floatX)
    for param, gradient in zip(model.params, T.grad(loss, model.params)):
        velocity = theano.shared(np.zeros_like(param.get_value()))
        after = 0.9 * velocity - rate * gradient
        pairs += [(velocity, after), (param, param + after)]
    return [*pairs, (count, count + 1)]


def adagrad(model, loss):
    updates = {}
    for param, gradient in zip(model.params, T.grad(loss, model.params)):
        total = theano.shared(np.zeros_like(param.get_value()), name="total_" + param.name)
        updates[total] = total + gradient**2
        updates[param] = param - 0.5 * gradient / T.sqrt(updates[total] + 1e-6)
    return updates


@functools.lru_cache(maxsize=None)
def trainer_of(blobs, make_model, make_updates, floatX, linker_name):
    """Make a trainer once for all tests that run it."""
    model, y, loss = make_model()
    return Trainer(model, y, loss, *blobs.pairs[:2], 10, make_updates(model, loss))


class Blobs:
    """The points of the fixture, to be hashed by their identity."""

    def __init__(self, pairs):
        self.pairs = pairs


@pytest.fixture(scope="module")
def points():
    return Blobs(reference.blobs(103, 50, 41))


@pytest.fixture
def trainer(points):
    """Logistic regression with plain SGD."""
    return trainer_of(points, regression, sgd, theano.config.floatX, linker())


def after_asking(n):
    """Say yes when asked for the nth time and later, as somebody with Ctrl-C would."""
    asked = itertools.count(1)
    return lambda: next(asked) >= n


def told(result):
    """Give what a run found, to the bit, without the seconds."""
    history = tuple(row._replace(seconds=0) for row in result.history)
    return result._replace(history=history, best_params=bits(result.best_params), seconds=0)


def left_in(path):
    """Give all that a run leaves in its folder, to the bit, without the seconds."""
    checkpoint = read_checkpoint(path / "checkpoint.npz")
    state = checkpoint.state._replace(seconds=0, history=())
    history = [row._replace(seconds=0) for row in read_history(path / "history.csv")]
    files = [path / "best_params.npz", path / "settings.json"]
    files += sorted((path / "snapshots").glob("*"))
    groups = [bits(getattr(state, name)) for name in ("params", "update_state", "best_params")]
    others = checkpoint._replace(state=None)
    return groups, bits(state.losses), others, history, [(p.name, p.read_bytes()) for p in files]


# --- What a run finds -------------------------------------------------------------------------


def test_history_and_score_agree_with_numpy(float64, points, trainer):
    result = trainer.run(n_epochs=4)
    train_set, valid_set, test_set = points.pairs

    def n_errors(n_updates, x, y):
        W, b, _ = reference.train_logreg(*train_set, 3, 2.0, 10, n_updates)
        return ((x @ W + b).argmax(axis=1) != y).sum()

    losses = reference.train_logreg(*train_set, 3, 2.0, 10, 40)[2]
    for epoch, row in enumerate(result.history, start=1):
        assert (row.iteration, row.epoch) == (10 * epoch, epoch)
        assert row.validation_error == n_errors(row.iteration, *valid_set) / 50
        assert row.train_loss == pytest.approx(losses[10 * epoch - 10 : 10 * epoch].mean())
    assert [row.seconds for row in result.history] == sorted(row.seconds for row in result.history)
    score = trainer.score(test_set, result.best_params)
    assert score == (n_errors(result.best_iteration, *test_set), 41)


def test_best_params_are_those_of_a_run_that_ends_there(floatX, trainer):
    # The page states best_params as its postcondition; its mlp script never keeps them.
    result = trainer.run(n_epochs=30)
    errors = [row.validation_error for row in result.history]
    best_epoch = errors.index(min(errors)) + 1
    assert best_epoch < 30, "choose data whose best epoch is not the last one"
    shorter = trainer.run(n_epochs=best_epoch)
    assert result.best_iteration == shorter.best_iteration == best_epoch * 10
    assert bits(result.best_params) == bits(shorter.best_params)
    assert result.best_validation == shorter.best_validation
    assert all(type(value) is np.ndarray for value in result.best_params.values())
    assert pickle.loads(pickle.dumps(result.history)) == result.history


@pytest.mark.parametrize(
    "n_epochs, patience, expected",
    [
        (1 << 21, 5000, "2097152, with 2097152 validations; expected no more than 1048576, which a "
         "history can hold; choose at most 1048576 epochs"),
        (1 << 19, 4, "524288, with 2621440 validations; expected no more than 1048576, which a "
         "history can hold; choose at most 209715 epochs, or a patience of 20"),
    ],
)  # fmt: skip
def test_more_validations_than_can_be_read_back_are_refused(trainer, n_epochs, patience, expected):
    with pytest.raises(SettingsError, match=f"n_epochs: found {expected}$"):
        trainer.run(n_epochs, Patience(patience), should_stop=lambda: True)


@pytest.mark.parametrize(
    "n_epochs, expected",
    [
        # The page's loop stops when iter (from 0) reaches 25: 26 updates, in the third epoch.
        (100, (26, 3, "patience")),
        (2, (20, 2, "n_epochs")),
    ],
)
def test_patience_or_n_epochs_ends_a_run(trainer, n_epochs, expected):
    result = trainer.run(n_epochs, Patience(25, patience_increase=1))
    assert (result.n_iterations, result.n_epochs, result.stopped_by) == expected
    assert [row.iteration for row in result.history] == [10, 20]


def test_what_takes_no_part_is_said_and_no_label_is_left_out(float64):
    model, y, loss = regression()
    data = np.zeros((43, 2)), np.repeat([0, 1, 2, 1], [20, 15, 3, 5])

    def lines(size, order=None):
        found = []
        Trainer(model, y, loss, data, batch_size=size).run(1, order=order, log=found.append)
        return [line for line in found if "take no part" in line or line.startswith("training")]

    whole = "take no part: minibatches are whole"
    plan = "training, 1 epoch of {}, as there is no validation set ..."
    assert lines(40) == [plan.format("1 minibatch"), f"the last 3 of 43 training examples {whole}"]
    assert lines(None) == [plan.format("43 minibatches")]
    expected = f"others in every epoch, 9 of 43 training examples {whole}"
    assert lines(34, Shuffled(1))[1:] == [expected]
    left_out = (
        "batch_size: found 34, which leaves out the last 9 of 43 training examples, and with "
        "them all of label 2; expected every label in a minibatch; choose smaller minibatches"
    )
    with pytest.raises(SettingsError, match=left_out):
        lines(34)


def test_without_a_validation_set_all_epochs_are_made_and_that_is_said(float64, points):
    model, y, loss = regression()
    lines = []
    trainer = Trainer(model, y, loss, points.pairs[0], batch_size=10)
    result = trainer.run(n_epochs=3, patience=Patience(2), log=lines.append)
    assert "training, 3 epochs of 10 minibatches, as there is no validation set ..." in lines
    assert (result.stopped_by, result.best_iteration, result.best_validation) == (
        "n_epochs", 30, None)  # fmt: skip
    W, _, losses = reference.train_logreg(*points.pairs[0], 3, 0.13, 10, 30)
    np.testing.assert_allclose(result.best_params["W"], W)
    assert lines[-1] == f"epoch 3, minibatch 10/10, training loss {losses[20:].mean():f}"


def test_train_is_the_trainer_and_one_look_at_the_test_set(tmp_path, monkeypatch, points, trainer):
    looks = []
    real = Trainer.score
    monkeypatch.setattr(Trainer, "score", lambda *args: looks.append(args[1]) or real(*args))
    model, y, loss = regression()
    options = {"learning_rate": 2.0, "batch_size": 10, "n_epochs": 5}
    folder = RunFolder(tmp_path, settings={"l2": 0.0})
    result = train(model, y, loss, points.pairs, folder=folder, **options)
    expected = trainer.run(n_epochs=5)
    assert told(result) == told(expected)._replace(test=result.test)
    assert result.test == real(trainer, points.pairs[2], expected.best_params)
    assert len(looks) == 1
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert (settings["learning_rate"], settings["l2"]) == (2.0, 0.0)
    assert train(model, y, loss, points.pairs[:2], **options).test is None
    stopped = train(model, y, loss, points.pairs, should_stop=lambda: True, **options)
    assert (stopped.test, len(looks)) == (None, 1)


def test_a_test_set_that_does_not_fit_is_refused_before_training(points):
    model, y, loss = regression()
    narrow = (np.zeros((4, 1)), np.zeros(4, int))
    lines = []
    with pytest.raises(DataError, match="test set, x: found rows of 1 values; expected 2, as the"):
        train(model, y, loss, (*points.pairs[:2], narrow), batch_size=10, log=lines.append)
    for datasets in (points.pairs[:1], points.pairs * 2):
        message = f"datasets: found {len(datasets)} of them; expected a training and a"
        with pytest.raises(SettingsError, match=message):
            train(model, y, loss, datasets, batch_size=10, log=lines.append)
    with pytest.raises(SettingsError, match="folder: found 'runs/x'; expected one such as dlt.Run"):
        train(model, y, loss, points.pairs, batch_size=10, folder="runs/x", log=lines.append)
    assert lines == []


def test_a_score_needs_all_parameters(float64, points, trainer):
    message = r"params: found no b; expected b float64 \(3,\), as the model has"
    with pytest.raises(DataError, match=message):
        trainer.score(points.pairs[2], {"W": np.zeros((2, 3))})
    with pytest.raises(
        SettingsError, match="params: found None; expected one such as result.best_"
    ):
        trainer.score(points.pairs[2], None)


def test_a_parameter_that_is_named_twice_is_one(points):
    model, y, loss = regression()
    updates = momentum(model, loss)
    model.params = [*model.params, model.W]
    result = Trainer(model, y, loss, *points.pairs[:2], 10, updates).run(n_epochs=1)
    assert list(result.best_params) == ["W", "b"]


def test_errors_may_be_any_expression(float64, points):
    x, y = T.matrix("x"), T.matrix("y")
    data = tuple((data_x, data_x[:, ::-1]) for data_x, _ in points.pairs)
    model = LogisticRegression(x, 2, 2)
    squared = T.sum((T.dot(x, model.W) + model.b - y) ** 2, axis=1)
    updates = gradient_updates(T.mean(squared), model.params, 0.5)
    trainer = Trainer(model, y, T.mean(squared), *data[:2], 10, updates, errors=squared)
    result = trainer.run(n_epochs=50)
    assert result.best_validation.fraction < 0.01 < result.history[0].validation_error
    np.testing.assert_allclose(result.best_params["W"], [[0, 1], [1, 0]], atol=0.2)
    with pytest.raises(
        SettingsError,
        match="patience: found McNemar's test of errors of rank 1 and "
        "dtype float64; expected an error of 0 or 1 for each",
    ):
        trainer.run(patience=Patience(improvement_test="mcnemar"))


def test_patience_grows_where_the_best_model_is_beaten_significantly(tmp_path, points, trainer):
    rule = Patience(16, patience_increase=3, improvement_test="mcnemar", alpha=0.3)
    start = {"W": np.array([[-4, 0, 4], [0, 4, -4]], theano.config.floatX)}  # bad at first
    options = {"n_epochs": 9, "patience": rule, "params": start}
    whole = trainer.run(folder=RunFolder(tmp_path / "whole", 1, 100), **options)
    x, y = points.pairs[1]
    best, patience, clear = np.ones(50, bool), 16, []
    for row, (_, path) in zip(whole.history, list_snapshots(tmp_path / "whole")):
        arrays, _ = read_params(path)
        wrong = (x @ arrays["W"] + arrays["b"]).argmax(axis=1) != y
        if wrong.sum() < best.sum():
            n_better, n_worse = int((best & ~wrong).sum()), int((wrong & ~best).sum())
            clear.append(binomtest(n_worse, n_better + n_worse).pvalue <= 0.3)
            patience = max(patience, 3 * (row.iteration - 1)) if clear[-1] else patience
            best = wrong
        assert row.patience == patience
    assert {True, False} == set(clear[1:]), "choose alpha so that both occur"
    parts = RunFolder(tmp_path / "parts", 1, 100)
    for _ in range(20):
        stop = after_asking(4)
        result = trainer.run(folder=parts, resume="auto", should_stop=stop, **options)
    assert told(result) == told(whole)


def test_each_error_is_listed_in_the_order_of_the_data(monkeypatch, points, trainer):
    params = trainer.run(n_epochs=2).best_params
    x, y = points.pairs[2]
    wrong = (x @ params["W"] + params["b"]).argmax(axis=1) != y
    assert 0 < wrong.sum() < 41
    for rows in (10000, 20):  # whole, or in pieces with a rest
        monkeypatch.setattr(evaluation, "_CHUNK", rows)
        for data in ((x, y), ChunkedDataSet(x, y, 200)):
            assert trainer.errors(data, params).tolist() == wrong.tolist()


# --- Compile once, run many -------------------------------------------------------------------


def test_a_second_run_compiles_nothing(monkeypatch, points):
    model, y, loss = perceptron()
    rate, weight = (theano.shared(np.asarray(v, theano.config.floatX), n)
                    for v, n in ((0.5, "rate"), (0.0, "weight")))  # fmt: skip
    loss = loss + weight * l2_sqr([model.W])
    datasets = shared_datasets(points.pairs)
    updates = gradient_updates(loss, model.params, rate)
    trainer = Trainer(model, y, loss, *datasets[:2], 10, updates)
    compiled = []
    real = theano.function
    monkeypatch.setattr(
        theano, "function", lambda *args, **kw: compiled.append(1) or real(*args, **kw)
    )
    if linker() == "jax":
        import jax

        jax.monitoring.register_event_duration_secs_listener(
            lambda event, seconds, **_: compiled.append(event) if "compile" in event else None
        )
    first = trainer.run(n_epochs=3)
    trainer.run(n_epochs=3, order=Shuffled(1))  # compiles rows in any order
    trainer.score(datasets[2], first.best_params)
    assert compiled
    compiled.clear()
    rate.set_value(np.asarray(0.25, rate.dtype))
    slower = trainer.run(n_epochs=4, patience=Patience(7))
    weight.set_value(np.asarray(0.1, weight.dtype))
    trainer.run(n_epochs=2, params=slower.best_params, on_validation=print)
    shuffled = [trainer.run(n_epochs=2, order=Shuffled(seed)) for seed in (2, 3)]
    trainer.score(datasets[2], slower.best_params)
    assert compiled == []
    assert told(first) != told(slower) and told(shuffled[0]) != told(shuffled[1])


def test_a_run_leaves_the_model_and_starts_as_the_trainer_was_made(points):
    model, y, loss = perceptron()
    before = [param.get_value() for param in model.params]
    trainer = Trainer(model, y, loss, *points.pairs[:2], 10, momentum(model, loss))
    first = trainer.run(n_epochs=2)
    for param, value in zip(model.params, before):
        np.testing.assert_array_equal(param.get_value(), value)
        param.set_value(value + 1)  # what the model does afterwards is not seen
    assert told(trainer.run(n_epochs=2)) == told(first)
    on = trainer.run(n_epochs=2, params=first.best_params)
    assert told(on) != told(first)
    set_values(model.params, first.best_params)
    assert list(first.best_params) == ["W", "b", "W_2", "b_2"]


def test_what_no_update_changes_is_read_as_it_is_now(float64, points):
    model, y, loss = perceptron()
    upper = model.params[2:]
    trainer = Trainer(model, y, loss, *points.pairs[:2], 10, gradient_updates(loss, upper, 0.5))
    first = trainer.run(n_epochs=2)
    np.testing.assert_array_equal(first.best_params["W"], model.W.get_value())
    model.W.set_value(2 * model.W.get_value())
    second = trainer.run(n_epochs=2)
    np.testing.assert_array_equal(second.best_params["W"], model.W.get_value())
    assert told(first) != told(second)
    assert trainer.score(points.pairs[1], first.best_params) == first.best_validation


def test_params_may_name_the_state_of_the_updates(float64, points):
    model, y, loss = regression()
    trainer = Trainer(model, y, loss, *points.pairs[:2], 10, momentum(model, loss))
    slow = trainer.run(n_epochs=1, params={"count": np.asarray(10**6)})
    assert told(slow) != told(trainer.run(n_epochs=1))
    for params, message in (
        ({"w": 1}, "params: found the names w; expected some of W, b, param_2, param_3, count"),
        ({"b": np.zeros(2)}, r"params: found b float64 \(2,\); expected b float64 \(3,\)"),
    ):
        with pytest.raises(DataError, match=message):
            trainer.run(params=params)


def test_one_run_at_a_time(trainer):
    refused = []

    def again(row):
        thread = threading.Thread(target=run_again)
        thread.start()
        thread.join()

    def run_again():
        with pytest.raises(
            SettingsError, match="trainer: found a run at work; expected one run at a"
        ):
            trainer.run()
        refused.append(True)

    trainer.run(n_epochs=1, on_validation=again)
    assert refused == [True]
    trainer.run(n_epochs=1)


# --- Stopping, and going on to the bit ---------------------------------------------------------

# patience 16: a validation after 8 and 16 of 10 updates, so that epochs and validations cross
UNEVEN = {"patience": Patience(16, patience_increase=20), "n_epochs": 9}
KINDS = {
    "regression": (regression, sgd, None),
    "momentum": (perceptron, momentum, None),
    "adagrad, shuffled": (perceptron, adagrad, Shuffled(4)),
}


@pytest.mark.parametrize(
    "linker, floatX, kind",
    [
        ("jax", "float64", "regression"),
        ("jax", "float32", "momentum"),  # where JAX makes 32 bits of a counter's 64
        ("jax", "float32", "adagrad, shuffled"),
        pytest.param("numba", "float64", "adagrad, shuffled", marks=pytest.mark.slow),
        pytest.param("c", "float32", "momentum", marks=pytest.mark.slow),
        pytest.param("c", "float64", "adagrad, shuffled", marks=pytest.mark.slow),
    ],
    indirect=["linker", "floatX"],
)
def test_a_run_stopped_again_and_again_ends_the_same(
    tmp_path, points, monkeypatch, linker, floatX, kind
):
    monkeypatch.setattr(training, "_STRETCH_SECONDS", 0)  # many stretches, two or three updates
    make_model, make_updates, order = KINDS[kind]
    trainer = trainer_of(points, make_model, make_updates, floatX, linker)
    options = dict(UNEVEN, order=order)
    whole_folder, parts_folder = (
        RunFolder(tmp_path / name, snapshot_every=2, keep=3) for name in ("whole", "parts")
    )
    whole = trainer.run(folder=whole_folder, **options)
    assert sorted(path.name for path in (tmp_path / "whole" / "snapshots").iterdir()) == [
        "iteration_000048.npz", "iteration_000064.npz", "iteration_000080.npz"
    ]  # fmt: skip
    n_parts, result = 0, None
    while result is None or result.stopped_by == "request":
        stop = after_asking(9)
        result = trainer.run(folder=parts_folder, resume="auto", should_stop=stop, **options)
        n_parts += 1
    assert n_parts > 3
    assert told(result) == told(whole)
    assert left_in(tmp_path / "parts") == left_in(tmp_path / "whole")
    seconds = [row.seconds for row in result.history]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("options", [{"n_epochs": 2}, {"patience": Patience(12, 1)}])
def test_a_finished_run_that_is_resumed_trains_nothing(tmp_path, monkeypatch, trainer, options):
    folder = RunFolder(tmp_path)
    first = trainer.run(folder=folder, **options)
    assert first.stopped_by == min(options)
    monkeypatch.setattr(trainer, "_stretch", None)
    again = trainer.run(folder=folder, resume=True, **options)
    assert told(again) == told(first)
    assert read_checkpoint(tmp_path / "checkpoint.npz").ended == min(options)


def test_a_finished_run_is_told_again(tmp_path, trainer):
    options = dict(UNEVEN, folder=RunFolder(tmp_path, settings={"dataset": "blobs"}))
    first = trainer.run(**options)
    # it ends between two validations
    assert (first.n_iterations, first.history[-1].iteration) == (90, 88)
    before = left_in(tmp_path)
    arrays, stored = read_params(tmp_path / "best_params.npz")
    assert bits(arrays) == bits(first.best_params)
    assert tuple(read_history(tmp_path / "history.csv")) == first.history
    noted = json.loads((tmp_path / "settings.json").read_text())
    assert noted.pop("machines") == [{"first": 1, "parts": machine()}]
    assert stored == noted
    assert (stored["dataset"], stored["batch_size"]) == ("blobs", 10)
    assert stored["description"] == dict.fromkeys(Description._fields)
    assert stored["model"] == {"class": "LogisticRegression", "n_in": 2, "n_out": 3}
    again = trainer.run(resume=True, **options)
    assert told(again) == told(first) and left_in(tmp_path) == before


@pytest.mark.parametrize("patience", [7, 18])
def test_more_epochs_may_be_asked_for_later(tmp_path, trainer, patience):
    rule = Patience(patience, patience_increase=50)
    whole = trainer.run(4, rule, folder=RunFolder(tmp_path / "whole"))
    parts = RunFolder(tmp_path / "parts")
    trainer.run(1, rule, folder=parts)
    # the end of the first epoch lies between two validations
    assert read_checkpoint(tmp_path / "parts" / "checkpoint.npz").state.iteration == 10
    assert told(trainer.run(4, rule, folder=parts, resume=True)) == told(whole)
    assert left_in(tmp_path / "parts") == left_in(tmp_path / "whole")
    with pytest.raises(SettingsError, match="n_epochs: the checkpoint has 4, this run 3"):
        trainer.run(3, rule, folder=parts, resume=True)


@pytest.mark.once
def test_an_interruption_anywhere_leaves_a_state_to_go_on_from(tmp_path, trainer):
    # As in a notebook, where Ctrl-C raises KeyboardInterrupt at whatever line Python is.
    options = {"n_epochs": 20, "patience": Patience(16, patience_increase=15)}
    whole = trainer.run(folder=RunFolder(tmp_path / "whole", 2, 3), **options)
    folder, interrupted = tmp_path / "parts", 0
    for n in [*range(400), 10**9]:
        result = None
        with interrupting_at_line(n) as start:
            try:
                result = trainer.run(
                    folder=RunFolder(folder, 2, 3), resume="auto", log=start, **options
                )
            except KeyboardInterrupt:
                pass
        interrupted += result is None or result.stopped_by == "request"
    assert interrupted > 250  # once it has ended there is nothing to interrupt
    assert told(result) == told(whole)
    assert left_in(folder) == left_in(tmp_path / "whole")


def test_keyboard_interrupt_ends_a_run_with_what_was_found(tmp_path, trainer):
    def interrupt(row):
        if row.epoch == 3:
            raise KeyboardInterrupt

    result = trainer.run(n_epochs=9, folder=RunFolder(tmp_path), on_validation=interrupt)
    assert (result.stopped_by, result.n_iterations, len(result.history)) == ("request", 30, 3)
    assert str(result).startswith("stopped on request: 3 epochs, 30 updates, ")
    going_on = trainer.run(n_epochs=9, folder=RunFolder(tmp_path), resume=True)
    assert told(going_on) == told(trainer.run(n_epochs=9))


def test_an_exception_in_on_validation_is_raised_after_saving(tmp_path, trainer):
    rows = []

    def fail(row):
        rows.append(row)
        if row.epoch == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trainer.run(n_epochs=9, folder=RunFolder(tmp_path), on_validation=fail)
    assert read_history(tmp_path / "history.csv") == rows and len(rows) == 3
    lines = []
    trainer.run(n_epochs=1, folder=RunFolder(tmp_path), log=lines.append)
    assert lines[0].startswith("found an unfinished run of 30 updates in ")


def test_a_run_that_is_asked_to_stop_at_once_makes_no_update(tmp_path, trainer):
    result = trainer.run(folder=RunFolder(tmp_path), should_stop=lambda: True)
    assert (result.n_iterations, result.stopped_by, result.best_params) == (0, "request", None)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


# --- Divergence -------------------------------------------------------------------------------


def test_a_run_that_diverges_keeps_the_best_and_does_so_again(tmp_path, points):
    model, y, loss = regression()
    fuse = theano.shared(np.asarray(1.0, dtype=theano.config.floatX), name="fuse")
    model.params = [*model.params, fuse]
    # fuse burns down by 0.05 an update at rate 1; below 0 its logarithm is NaN
    loss = loss + 0.05 * fuse + 1e-30 * T.log(fuse)
    updates = gradient_updates(loss, model.params, 1.0)
    trainer = Trainer(model, y, loss, *points.pairs[:2], 10, updates)
    first = trainer.run(n_epochs=30, folder=RunFolder(tmp_path))
    assert first.stopped_by == "divergence"
    # After 20 updates fuse is 0, give or take a rounding error.
    assert first.diverged_at in (21, 22)
    assert [row.iteration for row in first.history] == [10, 20]
    assert all(np.isfinite(value).all() for value in first.best_params.values())
    arrays, _ = read_params(tmp_path / "best_params.npz")
    np.testing.assert_array_equal(arrays["W"], first.best_params["W"])
    again = trainer.run(n_epochs=30, folder=RunFolder(tmp_path), resume=True)
    assert told(again) == told(first)


def test_parameters_that_overflow_are_not_saved_when_asked_to_stop(tmp_path, float64, points):
    model, y, loss = regression()
    # The first loss, from before the update, is finite; what it makes is not.
    updates = gradient_updates(loss * np.float64(1e150), model.params, 1e300)
    trainer = Trainer(model, y, loss, *points.pairs[:2], 10, updates)
    result = trainer.run(folder=RunFolder(tmp_path), should_stop=after_asking(2))
    assert (result.stopped_by, result.best_params, result.history) == ("divergence", None, ())
    assert result.diverged_at == 2
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


# --- What is refused --------------------------------------------------------------------------


@pytest.mark.once
@pytest.mark.parametrize(
    "bad, message",
    [
        ({"n_epochs": 0}, "n_epochs: found 0; expected a whole number, 1 or more"),
        ({"resume": True}, "found no checkpoint; expected one of an earlier"),
        (
            {"resume": True, "folder": None},
            "folder: found None; expected one such as dlt.RunF",
        ),
        ({"folder": "runs/first"}, "folder: found 'runs/first'; expected one such as dlt.RunFold"),
        ({"resume": "yes"}, "resume: found 'yes'; expected False, True or 'auto'"),
        ({"patience": 5000}, r"patience: found 5000; expected one such as dlt.Patience\(\)"),
        ({"order": Shuffled}, "order: found <class 'dlt.order.Shuffled'>; expected one such as"),
        ({"order": 1}, r"order: found 1; expected one such as dlt.Shuffled\(seed=1\)"),
        ({"settings": {"note": "x" * 2**20}}, "settings: found 10.* characters with the names"),
        ({"settings": {"n_epochs": 3, "floatX": 1}}, "found floatX, n_epochs, which dlt notes"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_made(tmp_path, trainer, bad, message):
    settings = bad.pop("settings", None) if "settings" in bad else None
    options = {"folder": RunFolder(tmp_path / "run", settings=settings), **bad}
    with pytest.raises(SettingsError, match=message):
        trainer.run(**options)
    assert not (tmp_path / "run").exists()


@pytest.mark.once
@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"batch_size": 104}, SettingsError, "batch_size: found 104; expected a whole number from"),
        (
            {"batch_size": 51, "drop_last": True},
            SettingsError,
            "found 51, more than the 50 examples of the validation set; expected at most that",
        ),
        (
            {"errors": lambda model, updates: T.sum(updates[0][0]) + T.sum(model.b)},
            SettingsError,
            "errors: found param_2, which the updates change and which is no parameter",
        ),
        (
            {"errors": lambda model, updates: T.sum(T.matrix("z"))},
            SettingsError,
            "errors: found the input z; expected classifier.input, y and shared variables only",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(points, options, error, message):
    model, y, loss = regression()
    updates = momentum(model, loss)
    options = dict(options)
    if "errors" in options:
        options["errors"] = options["errors"](model, updates)
    with pytest.raises(error, match=message):
        Trainer(
            model, y, loss, *points.pairs[:2], **{"batch_size": 10, "updates": updates, **options}
        )


def test_labels_that_the_classifier_cannot_give_are_refused_in_every_set(points):
    model, y, loss = regression()
    message = "{} set, y: found label 3 in row 5; expected labels from 0 to 2, as n_out is 3"
    data_x, labels = points.pairs[0]
    wrong = (data_x, np.where(np.arange(len(labels)) == 5, 3, labels))
    with pytest.raises(DataError, match=message.format("training")):
        Trainer(model, y, loss, wrong, batch_size=10)
    with pytest.raises(DataError, match=message.format("validation")):
        Trainer(model, y, loss, points.pairs[0], wrong, batch_size=10)
    trainer = Trainer(model, y, loss, points.pairs[0], batch_size=10)
    with pytest.raises(DataError, match=message.format("test")):
        trainer.score(wrong, {})
    datasets = shared_datasets(points.pairs)
    datasets[1].x.set_value(np.full_like(datasets[1].x.get_value(), np.nan))
    with pytest.raises(DataError, match="validation set, x: found NaN or infinite values"):
        Trainer(model, y, loss, *datasets[:2], batch_size=10)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTensor 3 writes them otherwise
def test_random_variables_are_refused_by_name(points):
    model, y, loss = regression()
    _, (noise, name), _ = random_variables()
    message = f"loss or updates: found the random variable '{name}'; expected none"
    with pytest.raises(SettingsError, match=message):
        Trainer(model, y, loss + T.sum(T.cast(noise, loss.dtype) * model.b), *points.pairs[:2], 10)


@pytest.mark.once
def test_an_order_that_cannot_be_known_again_is_refused_where_a_run_is_kept(tmp_path, trainer):
    class Mine:
        def permutation(self, epoch, n):
            return np.arange(n)

    trainer.run(n_epochs=1, order=Mine())
    with pytest.raises(
        SettingsError, match="order: found <.*Mine object at .*; expected a __repr__"
    ):
        trainer.run(n_epochs=1, order=Mine(), folder=RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.once
@pytest.mark.parametrize("name", ["a//b", "W" * 195])
def test_a_parameter_whose_name_could_not_be_read_back_is_refused_at_once(tmp_path, points, name):
    model, y, loss = regression()
    model.params[0].name = name
    trainer = Trainer(model, y, loss, points.pairs[0], batch_size=10)
    with pytest.raises(SettingsError, match=f"params: found the name 'params/{name[:70]}"):
        trainer.run(folder=RunFolder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_weights_that_changed_places_are_another_loss(tmp_path, points):
    model, y, loss = regression()
    weights = [
        theano.shared(np.asarray(v, theano.config.floatX), n) for v, n in ((0.1, "l"), (0.2, "m"))
    ]

    def run(first, second, **options):
        penalized = loss + first * l2_sqr([model.W]) + second * l2_sqr([model.b])
        updates = sgd(model, loss)
        trainer = Trainer(model, y, penalized, *points.pairs[:2], 10, updates)
        trainer.run(n_epochs=1, folder=RunFolder(tmp_path), **options)

    run(*weights)
    run(*weights, resume=True)
    with pytest.raises(SettingsError, match="run: loss: the checkpoint has another expression; ex"):
        run(*reversed(weights), resume=True)


def test_another_run_is_refused_with_every_difference(tmp_path, points, float64):
    model, y, loss = regression()
    rate = theano.shared(np.asarray(2.0), name="rate")

    def run(loss=loss, data=points.pairs[0], batch_size=10, updates=None, settings=None, **options):
        updates = updates or gradient_updates(loss, model.params, rate)
        trainer = Trainer(model, y, loss, data, points.pairs[1], batch_size, updates)
        folder = RunFolder(tmp_path, settings={"l2": 0.0} if settings is None else settings)
        return trainer.run(folder=folder, **{"n_epochs": 2, **options})

    run()
    before = (tmp_path / "checkpoint.npz").read_bytes()
    data_x, labels = points.pairs[0]
    changed = data_x.copy()
    changed[50, 1] = np.nextafter(changed[50, 1], 1)
    rate.set_value(1.0)
    with pytest.raises(SettingsError) as caught:
        run(
            data=(changed, labels), n_epochs=1, batch_size=20, patience=Patience(4000),
            settings={"l2": 0.5}, order=Shuffled(1), resume=True,
        )  # fmt: skip
    for part in (
        "batch_size: the checkpoint has 10, this run 20",
        'shared: the checkpoint has {"rate": 2.0}, this run {"rate": 1.0}',
        "order: the checkpoint has in turn, this run Shuffled(seed=1)",
        "patience: the checkpoint has 5000, this run 4000",
        "l2: the checkpoint has 0.0, this run 0.5",
        "n_epochs: the checkpoint has 2, this run 1 (it may only be raised)",
        "data: the checkpoint has sha256 ",
    ):
        assert part in str(caught.value)
    rate.set_value(2.0)
    penalized = loss + 0.001 * l2_sqr([model.W])
    for options, message in (
        ({"loss": penalized}, "loss: the checkpoint has another expression; update of W: the ch"),
        (
            {"updates": gradient_updates(loss, model.params, 2 * rate)},
            "update of W: the checkpoint",
        ),
    ):
        with pytest.raises(SettingsError, match=message):
            run(resume=True, **options)
    set_floatX("float32")  # the fixture puts it back
    with pytest.raises(SettingsError, match="floatX: the checkpoint has float64"):
        model, y, loss = regression()
        trainer = Trainer(model, y, loss, *points.pairs[:2], batch_size=10)
        trainer.run(folder=RunFolder(tmp_path), resume=True)
    assert (tmp_path / "checkpoint.npz").read_bytes() == before
