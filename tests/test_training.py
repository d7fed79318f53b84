"""The loop against the page's loop; best parameters, divergence, files, resuming."""

import functools
import itertools
import json
import types

import numpy as np
import pytest
import reference
from checkpoints import bits
from conftest import interrupting_at_line
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt import training
from dlt.early_stopping import Patience
from dlt.engine import T, linker, set_floatX, theano
from dlt.errors import DataError, SettingsError
from dlt.evaluation import Score
from dlt.losses import negative_log_likelihood
from dlt.models import LogisticRegression
from dlt.parameters import read_params
from dlt.runs.checkpoint import read_checkpoint
from dlt.runs.history import read_history
from dlt.shared import shared_datasets
from dlt.training import early_stopping_loop, train


@pytest.mark.once
@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    data=st.data(),
    n_train_batches=st.integers(1, 9),
    n_epochs=st.integers(1, 10),
    patience=st.integers(2, 30),
    increase=st.sampled_from([1, 1.5, 2]),
    limit=st.sampled_from([0.0, 1e9]),
)
def test_the_loop_is_the_page_s_wherever_it_is_left_and_begun_again(
    data, n_train_batches, n_epochs, patience, increase, limit
):
    n = n_epochs * n_train_batches
    counts = data.draw(st.lists(st.integers(0, 50), min_size=n, max_size=n))
    made, validated, best_iteration, final_patience = reference.page_loop(
        [count / 50 for count in counts], n_train_batches, n_epochs, patience, increase
    )
    scores, updates, found, cuts = iter(counts), [], [], []
    rule, done = Patience(patience, increase), 0

    def run_stretch(first, count):
        updates.extend(range(first, first + count))
        return np.zeros(count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_STRETCH_SECONDS", limit)  # 0: as short as they get
        while done < len(made):
            loop = early_stopping_loop(
                run_stretch, lambda: Score(next(scores), 50), n_train_batches, n_epochs, rule, done
            )
            # left after so many stretches, as a stopped run leaves it; 1000 is to the end
            for _, stretch in zip(range(data.draw(st.sampled_from([1, 2, 3, 5, 1000]))), loop):
                done = stretch.iteration
                cuts.append((done, len(stretch.losses)))
                if stretch.score is not None:
                    found.append(done - 1)
            rule = Patience(patience, increase).restored(json.loads(json.dumps(rule.state())))
    assert (updates, found) == (made, validated)
    assert (rule.best_iteration, rule.patience) == (best_iteration, final_patience)
    assert limit or all(count <= 3 for _, count in cuts)
    again = early_stopping_loop(run_stretch, None, n_train_batches, n_epochs, rule, done)
    assert list(again) == []


@pytest.fixture(scope="module", autouse=True)
def compiled_once():
    """Let `train` compile a function once in this module, however many runs need it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("minibatch_stretch", "error_counter"):
            patch.setattr(training, name, functools.lru_cache(None)(getattr(training, name)))
        yield


PROBLEMS = {}


def problem(blobs):
    """Give a model at its start, its labels, its loss, the data: the same ones at every call."""
    kind = theano.config.floatX, linker()
    if kind not in PROBLEMS:
        PROBLEMS[kind] = (*classifier(), shared_datasets(blobs))
    for param in PROBLEMS[kind][0].params:
        param.set_value(np.zeros_like(param.get_value()))
    return PROBLEMS[kind]


def classifier():
    x, y = T.matrix("x"), T.ivector("y")
    model = LogisticRegression(x, 2, 3)
    model.params = tuple(model.params)  # which, unlike a list, lru_cache takes
    return model, y, negative_log_likelihood(model.p_y_given_x, y, reduction="mean")


def run(blobs, **options):
    model, y, loss, datasets = problem(blobs)
    options = {"batch_size": 10, "learning_rate": 2.0, "n_epochs": 30, **options}
    return model, train(model, y, loss, datasets, **options)


@pytest.mark.parametrize("stored", [False, True])
def test_history_agrees_with_numpy(float64, blobs, stored):
    model, y, loss, datasets = problem(blobs)
    options = {"learning_rate": 2.0, "batch_size": 10, "n_epochs": 4}
    result = train(model, y, loss, datasets if stored else blobs, **options)
    train_set, valid_set, test_set = blobs

    def n_errors(n_updates, x, y):
        W, b, _ = reference.train_logreg(*train_set, 3, 2.0, 10, n_updates)
        return ((x @ W + b).argmax(axis=1) != y).sum()

    losses = reference.train_logreg(*train_set, 3, 2.0, 10, 40)[2]
    for epoch, row in enumerate(result.history, start=1):
        assert (row.iteration, row.epoch) == (10 * epoch, epoch)
        assert row.validation_error == n_errors(row.iteration, *valid_set) / 50
        assert row.train_loss == pytest.approx(losses[10 * epoch - 10 : 10 * epoch].mean())
    assert [row.seconds for row in result.history] == sorted(row.seconds for row in result.history)
    assert result.test == (n_errors(result.best_iteration, *test_set), 41)


def test_stored_values_that_are_not_finite_are_refused(blobs):
    model, y, loss, _ = problem(blobs)
    datasets = shared_datasets(blobs)
    valid_x = datasets[1][0]
    valid_x.set_value(np.full_like(valid_x.get_value(), np.nan))
    with pytest.raises(DataError, match="validation set, x: found NaN or infinite values"):
        train(model, y, loss, datasets, batch_size=10)


def test_best_params_equal_a_fresh_run_stopped_at_the_best_iteration(floatX, blobs):
    # The page states best_params as its postcondition; its mlp script never keeps them.
    model, result = run(blobs, n_epochs=30)
    errors = [row.validation_error for row in result.history]
    best_epoch = errors.index(min(errors)) + 1
    assert best_epoch < 30, "choose data whose best epoch is not the last one"
    assert result.best_iteration == best_epoch * 10
    _, shorter = run(blobs, n_epochs=best_epoch)
    for name in ("W", "b"):
        np.testing.assert_array_equal(result.best_params[name], shorter.best_params[name])
        np.testing.assert_array_equal(result.best_params[name], getattr(model, name).get_value())
    assert result.best_validation == shorter.best_validation
    assert result.test == shorter.test
    # They are copies: what the model does afterwards does not reach them.
    model.W.set_value(np.full_like(model.W.get_value(), 9.0))
    np.testing.assert_array_equal(result.best_params["W"], shorter.best_params["W"])
    assert all(type(value) is np.ndarray for value in result.best_params.values())


def test_the_test_set_is_scored_once_for_the_best_model(monkeypatch, blobs):
    real, scores = training.error_counter, []

    def counting(*args):
        return lambda: scores.append(real(*args)()) or scores[-1]

    monkeypatch.setattr(training, "error_counter", counting)
    _, result = run(blobs, n_epochs=5)
    assert [score.n_examples for score in scores] == [50] * 5 + [41]
    assert result.test == scores[-1]


@pytest.mark.parametrize(
    "n_epochs, expected",
    [
        # The page's loop stops when iter (from 0) reaches 25: 26 updates, in the third epoch.
        (100, (26, 3, "patience")),
        (2, (20, 2, "n_epochs")),
    ],
)
def test_patience_or_n_epochs_ends_a_run(blobs, n_epochs, expected):
    rule = Patience(25, patience_increase=1)
    rule.update(20, 0.0)  # in another run, which does not count
    before = dict(vars(rule))
    _, result = run(blobs, patience=rule, n_epochs=n_epochs)
    assert (result.n_iterations, result.n_epochs, result.stopped_by) == expected
    assert [row.iteration for row in result.history] == [10, 20]
    assert result.best_iteration in (10, 20) and vars(rule) == before


def test_a_run_that_diverges_keeps_the_best_and_does_so_again(tmp_path, blobs):
    model, y, loss, datasets = problem(blobs)
    fuse = theano.shared(np.asarray(1.0, dtype=theano.config.floatX), name="fuse")
    burning = types.SimpleNamespace(**vars(model))
    burning.params = (*model.params, fuse)
    # fuse burns down by 0.05 an update at rate 1; below 0 its logarithm is NaN
    loss = loss + 0.05 * fuse + 1e-30 * T.log(fuse)
    options = {"learning_rate": 1.0, "batch_size": 10, "n_epochs": 30, "output_dir": tmp_path}
    first = train(burning, y, loss, datasets, **options)
    assert first.stopped_by == "divergence"
    # After 20 updates fuse is 0, give or take a rounding error.
    assert first.diverged_at in (21, 22)
    assert [row.iteration for row in first.history] == [10, 20]
    assert all(np.isfinite(value).all() for value in first.best_params.values())
    arrays, _ = read_params(tmp_path / "best_params.npz")
    np.testing.assert_array_equal(arrays["W"], first.best_params["W"])
    problem(blobs)
    fuse.set_value(np.ones_like(fuse.get_value()))
    assert told(train(burning, y, loss, datasets, resume=True, **options)) == told(first)


@pytest.mark.parametrize(
    "spoil, options",
    [
        (lambda model, loss: loss + T.log(T.sum(model.b) - 1), {"batch_size": 10}),  # NaN at once
        # One update an epoch: its loss, from before it, is finite; what it makes is not.
        (lambda model, loss: loss * np.float64(1e150), {"batch_size": 103, "learning_rate": 1e300}),
    ],
    ids=["loss", "parameters"],
)
def test_divergence_before_any_validation_leaves_no_model(tmp_path, float64, blobs, spoil, options):
    model, y, loss, datasets = problem(blobs)
    result = train(model, y, spoil(model, loss), datasets, output_dir=tmp_path, **options)
    assert (result.stopped_by, result.diverged_at) == ("divergence", 1)
    assert result.best_params is None and result.test is None and result.history == []
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert not model.W.get_value().any()  # as it came


def test_parameters_that_overflow_are_not_saved_when_asked_to_stop(tmp_path, monkeypatch, blobs):
    model, *_ = problem(blobs)

    def overflow(first, n):
        model.W.set_value(np.full_like(model.W.get_value(), np.inf))
        return np.full(n, np.nan if first else 0.0)  # the losses are from before the updates

    monkeypatch.setattr(training, "minibatch_stretch", lambda *args: overflow)
    _, result = run(blobs, output_dir=tmp_path, should_stop=after_asking(2))
    assert result.stopped_by == "divergence"
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_ctrl_c_keeps_the_best_so_far_and_the_next_run_tells_of_it(tmp_path, blobs):
    def interrupt(line):
        if line.startswith("epoch 3,"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(blobs, output_dir=tmp_path, log=interrupt)
    assert [row.epoch for row in read_history(tmp_path / "history.csv")] == [1, 2, 3]
    assert (tmp_path / "best_params.npz").exists()
    lines = []
    run(blobs, n_epochs=1, output_dir=tmp_path, log=lines.append)
    assert lines[0].startswith("found an unfinished run of 30 updates in ")


@pytest.mark.once
@pytest.mark.parametrize(
    "bad, message",
    [
        ({"n_epochs": 0}, "n_epochs: found 0; expected a whole number, 1 or more"),
        ({"learning_rate": 0}, "learning_rate: found 0; expected a finite number above 0"),
        ({"batch_size": 104}, "batch_size: found 104; expected a whole number from 1 to 103"),
        ({"batch_size": 45, "drop_last": True}, "found 45, more than the 41 examples of the test"),
        ({"resume": True}, "found no checkpoint; expected one of an earlier"),
        ({"resume": True, "output_dir": None}, "output_dir: found None; expected the run's"),
        ({"snapshot_every": 1, "output_dir": None}, "output_dir: found None"),
        ({"snapshot_every": 0}, "snapshot_every: found 0; expected a whole number"),
        ({"keep": 0}, "keep: found 0; expected a whole number"),
        ({"settings": {"note": object()}}, "settings: found what JSON cannot hold .a value of"),
        ({"settings": {"note": "x" * 2**20}}, "settings: found more than 1048576 characters"),
        ({"settings": {"seed": 10**400}}, "1048576 characters, or a whole number of"),
        ({"settings": {"n_epochs": 3, "floatX": 1}}, "found floatX, n_epochs, which dlt notes"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_made(tmp_path, blobs, bad, message):
    with pytest.raises(SettingsError, match=message):
        run(blobs, **{"output_dir": tmp_path / "run", **bad})
    assert not (tmp_path / "run").exists()


@pytest.mark.once
def test_a_parameter_whose_name_could_not_be_read_back_is_refused_at_once(tmp_path, blobs):
    model, y, loss = classifier()
    model.params[0].name = "a//b"
    with pytest.raises(SettingsError, match="params: found the name 'a//b'; expected letters"):
        train(model, y, loss, blobs, batch_size=10, n_epochs=1, output_dir=tmp_path)


def test_settings_may_be_numpy_s_or_shared(tmp_path, float64, blobs):
    rate = theano.shared(np.asarray(2.0))
    _, result = run(
        blobs, learning_rate=rate, batch_size=np.int64(20), n_epochs=2.0, drop_last=np.bool_(True),
        patience=Patience(np.int64(40), np.float64(2)), output_dir=tmp_path,
        settings={1: np.float32(0.5), "seed": np.uint8(3)},
    )  # fmt: skip
    x, y = blobs[0]
    W = reference.train_logreg(x, y, 3, 2.0, 20, result.best_iteration)[0]
    np.testing.assert_allclose(result.best_params["W"], W)
    assert (result.best_validation.n_examples, result.test.n_examples) == (40, 40)  # of 50, 41
    saved = json.loads((tmp_path / "settings.json").read_text())
    assert (saved["learning_rate"], saved["batch_size"], saved["n_epochs"]) == (2.0, 20, 2)
    assert (saved["patience"], saved["drop_last"], saved["1"], saved["seed"]) == (40, True, 0.5, 3)


def test_the_mean_of_huge_losses_is_their_mean(monkeypatch, blobs):
    huge = 1.5e308  # the sum of two of them is more than a float64 can hold
    monkeypatch.setattr(
        training, "minibatch_stretch", lambda *args: lambda first, n: np.full(n, huge)
    )
    _, result = run(blobs, n_epochs=1)
    assert result.history[0].train_loss == pytest.approx(huge)


def after_asking(n):
    """Say yes when asked for the nth time and later, as somebody with Ctrl-C would."""
    asked = itertools.count(1)
    return lambda: next(asked) >= n


def told(result):
    """Give what a run found, to the bit, without the seconds."""
    history = [row._replace(seconds=0) for row in result.history]
    best_params = bits(result.best_params)
    return result._replace(history=history, best_params=best_params, seconds=0, probabilities=None)


def left_in(folder):
    """Give all that a run leaves in its folder, to the bit, without the seconds."""
    state = read_checkpoint(folder / "checkpoint.npz")._replace(seconds=0, history=())
    history = [row._replace(seconds=0) for row in read_history(folder / "history.csv")]
    files = [folder / "best_params.npz", folder / "settings.json"]
    files += sorted((folder / "snapshots").glob("*"))
    return bits(state), history, [(path.name, path.read_bytes()) for path in files]


# patience 16: a validation after 8 and 16 of 10 updates, so that epochs and validations cross
UNEVEN = {"patience": Patience(16, patience_increase=4), "n_epochs": 9, "snapshot_every": 2}


@pytest.mark.parametrize(
    "linker, floatX",
    [
        ("jax", "float32"),
        pytest.param("numba", "float64", marks=pytest.mark.slow),
        pytest.param("c", "float32", marks=pytest.mark.slow),
    ],
    indirect=True,
)
def test_a_run_stopped_again_and_again_ends_the_same(tmp_path, blobs, monkeypatch, linker, floatX):
    monkeypatch.setattr(training, "_STRETCH_SECONDS", 0)  # many stretches, two or three updates
    options = dict(UNEVEN, keep=3)
    _, whole = run(blobs, output_dir=tmp_path / "whole", **options)
    assert sorted(path.name for path in (tmp_path / "whole" / "snapshots").iterdir()) == [
        "iteration_000048.npz", "iteration_000064.npz", "iteration_000080.npz"
    ]  # fmt: skip
    parts, n_parts, ended = tmp_path / "parts", 0, False
    while not ended:
        model, result = run(
            blobs, output_dir=parts, resume=n_parts > 0, should_stop=after_asking(9), **options
        )
        n_parts += 1
        ended = result.stopped_by != "request"
        assert ended == (result.test is not None)
    assert n_parts > 3
    assert told(result) == told(whole)
    assert left_in(parts) == left_in(tmp_path / "whole")
    seconds = [row.seconds for row in result.history]
    assert seconds == sorted(seconds)
    np.testing.assert_array_equal(model.W.get_value(), whole.best_params["W"])


def test_a_finished_run_is_told_again(tmp_path, blobs):
    options = dict(UNEVEN, output_dir=tmp_path, settings={"dataset": "blobs"})
    _, first = run(blobs, **options)
    # it ends between two validations
    assert (first.n_iterations, first.history[-1].iteration) == (90, 88)
    before = left_in(tmp_path)
    arrays, stored = read_params(tmp_path / "best_params.npz")
    assert bits(arrays) == bits(first.best_params)
    assert read_history(tmp_path / "history.csv") == first.history
    assert stored == json.loads((tmp_path / "settings.json").read_text())
    assert (stored["dataset"], stored["batch_size"]) == ("blobs", 10)
    _, again = run(blobs, resume=True, **options)
    assert told(again) == told(first) and left_in(tmp_path) == before


@pytest.mark.parametrize("patience", [7, 18])
def test_more_epochs_may_be_asked_for_later(tmp_path, blobs, patience):
    options = {"patience": Patience(patience, patience_increase=50)}
    _, whole = run(blobs, n_epochs=4, output_dir=tmp_path / "whole", **options)
    options["output_dir"] = tmp_path / "parts"
    run(blobs, n_epochs=1, **options)
    # the end of the first epoch lies between two validations
    assert read_checkpoint(tmp_path / "parts" / "checkpoint.npz").iteration == 10
    _, result = run(blobs, n_epochs=4, resume=True, **options)
    assert told(result) == told(whole)
    assert left_in(tmp_path / "parts") == left_in(tmp_path / "whole")
    with pytest.raises(SettingsError, match="n_epochs: the checkpoint has 4, this run 3"):
        run(blobs, n_epochs=3, resume=True, **options)


@pytest.mark.once
def test_an_exception_anywhere_leaves_a_state_to_go_on_from(tmp_path, blobs):
    # As in a notebook, where Ctrl-C raises KeyboardInterrupt at whatever line Python is.
    options = dict(UNEVEN, keep=3, n_epochs=20, patience=Patience(16, patience_increase=15))
    _, whole = run(blobs, output_dir=tmp_path / "whole", **options)
    folder, interrupted = tmp_path / "parts", 0
    for n in [*range(400), 10**9]:
        resume = (folder / "checkpoint.npz").exists()
        with interrupting_at_line(n) as start:
            try:
                _, result = run(blobs, output_dir=folder, resume=resume, log=start, **options)
            except KeyboardInterrupt:
                interrupted += 1
    assert interrupted > 390
    assert told(result) == told(whole)
    assert left_in(folder) == left_in(tmp_path / "whole")


def test_other_data_settings_or_engine_are_refused_with_every_difference(tmp_path, blobs, float64):
    options = {"n_epochs": 2, "output_dir": tmp_path, "settings": {"l2": 0.0}}
    run(blobs, **options)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    (x, labels), valid, test = blobs
    changed = x.copy()
    changed[50, 1] = np.nextafter(changed[50, 1], 1)
    model, y, loss, _ = problem(blobs)
    with pytest.raises(SettingsError) as caught:
        train(
            model, y, loss, ((changed, labels), valid, test), learning_rate=1.0, n_epochs=1,
            batch_size=20, patience=Patience(4000), output_dir=tmp_path, settings={"l2": 0.5},
            resume=True,
        )  # fmt: skip
    for part in (
        "batch_size: the checkpoint has 10, this run 20",
        "learning_rate: the checkpoint has 2.0, this run 1.0",
        "patience: the checkpoint has 5000, this run 4000",
        "l2: the checkpoint has 0.0, this run 0.5",
        "n_epochs: the checkpoint has 2, this run 1 (it may only be raised)",
        "data: the checkpoint has sha256 ",
    ):
        assert part in str(caught.value)
    set_floatX("float32")  # the fixture puts it back
    with pytest.raises(SettingsError, match="floatX: the checkpoint has float64"):
        run(blobs, resume=True, **options)
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


def test_a_run_that_is_asked_to_stop_at_once_makes_no_update(tmp_path, blobs):
    model, result = run(blobs, output_dir=tmp_path, should_stop=lambda: True)
    assert (result.n_iterations, result.stopped_by, result.best_params) == (0, "request", None)
    assert not model.W.get_value().any()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
