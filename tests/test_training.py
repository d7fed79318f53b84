"""The loop against the page's loop; best parameters, divergence, files."""

import contextlib
import itertools
import json
import os
import random
import sys

import numpy as np
import pytest
import reference
from checkpoints import assert_same
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt import training
from dlt.checkpoint import read_checkpoint
from dlt.early_stopping import Patience
from dlt.engine import T, set_floatX, theano
from dlt.errors import DataError, SettingsError
from dlt.evaluation import Score
from dlt.history import read_history
from dlt.losses import negative_log_likelihood
from dlt.models import LogisticRegression
from dlt.parameters import read_params
from dlt.training import early_stopping_loop, train


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    data=st.data(),
    n_train_batches=st.integers(1, 9),
    n_epochs=st.integers(1, 10),
    patience=st.integers(2, 30),
    increase=st.sampled_from([1, 1.5, 2]),
    limit=st.sampled_from([0.0, 1e9]),
)
def test_same_updates_and_validations_as_the_page_s_loop(
    data, n_train_batches, n_epochs, patience, increase, limit
):
    n = n_epochs * n_train_batches
    counts = data.draw(st.lists(st.integers(0, 50), min_size=n, max_size=n))
    made, validated, best_iteration, final_patience = reference.page_loop(
        [count / 50 for count in counts], n_train_batches, n_epochs, patience, increase
    )
    rule, scores, updates = Patience(patience, increase), iter(counts), []

    def run_stretch(first, count):
        updates.extend(range(first, first + count))
        return np.zeros(count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_STRETCH_SECONDS", limit)  # 0: as short as they get
        stretches = list(
            early_stopping_loop(
                run_stretch, lambda: Score(next(scores), 50), n_train_batches, n_epochs, rule
            )
        )
    assert updates == made
    assert [s.iteration - 1 for s in stretches if s.score is not None] == validated
    assert (rule.best_iteration, rule.patience) == (best_iteration, final_patience)
    assert all(len(s.losses) <= 3 for s in stretches if limit == 0.0)
    # no cut leaves a single minibatch: one alone is all there is between two stopping points
    stops = {0, n, made[-1] + 1, *(iteration + 1 for iteration in validated)}
    for s in stretches:
        assert len(s.losses) > 1 or {s.iteration - 1, s.iteration} <= stops


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    data=st.data(),
    n_train_batches=st.integers(1, 9),
    n_epochs=st.integers(1, 10),
    patience=st.integers(2, 30),
    limit=st.sampled_from([0.0, 1e9]),
)
def test_a_loop_that_begins_in_the_middle_goes_on_as_the_first_would_have(
    data, n_train_batches, n_epochs, patience, limit
):
    n = n_epochs * n_train_batches
    counts = data.draw(st.lists(st.integers(0, 50), min_size=n, max_size=n))
    made, validated, best_iteration, final_patience = reference.page_loop(
        [count / 50 for count in counts], n_train_batches, n_epochs, patience, 2
    )
    scores, updates, found, cuts = iter(counts), [], [], []
    rule, done = Patience(patience), 0

    def run_stretch(first, count):
        updates.extend(range(first, first + count))
        return np.zeros(count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_STRETCH_SECONDS", limit)
        while done < len(made):
            loop = early_stopping_loop(
                run_stretch, lambda: Score(next(scores), 50), n_train_batches, n_epochs, rule, done
            )
            # the loop is left after a few stretches, as a stopped run leaves it
            for _, stretch in zip(range(data.draw(st.integers(1, 5))), loop):
                done = stretch.iteration
                cuts.append((done, len(stretch.losses)))
                if stretch.score is not None:
                    found.append(done - 1)
            rule = Patience(patience).restored(json.loads(json.dumps(rule.state())))
    assert (updates, found) == (made, validated)
    assert (rule.best_iteration, rule.patience) == (best_iteration, final_patience)
    stops = {0, n, made[-1] + 1, *(iteration + 1 for iteration in validated)}
    assert all(count > 1 or {end - 1, end} <= stops for end, count in cuts)
    again = early_stopping_loop(run_stretch, None, n_train_batches, n_epochs, rule, done)
    assert list(again) == []


def classifier():
    x, y = T.matrix("x"), T.ivector("y")
    model = LogisticRegression(x, 2, 3)
    return model, y, negative_log_likelihood(model.p_y_given_x, y, reduction="mean")


def run(blobs, **kwargs):
    model, y, loss = classifier()
    kwargs = dict({"batch_size": 10, "learning_rate": 2.0, "n_epochs": 30}, **kwargs)
    return model, train(model, y, loss, blobs, **kwargs)


def test_history_agrees_with_numpy(float64, blobs):
    _, result = run(blobs, n_epochs=4)
    (x, y), (x_valid, y_valid), _ = blobs
    losses = reference.train_logreg(x, y, 3, 2.0, 10, 40)[2]
    for epoch, row in enumerate(result.history, start=1):
        W, b, _ = reference.train_logreg(x, y, 3, 2.0, 10, 10 * epoch)
        wrong = ((x_valid @ W + b).argmax(axis=1) != y_valid).sum()
        assert (row.iteration, row.epoch) == (10 * epoch, epoch)
        assert row.validation_error == wrong / 50
        assert row.train_loss == pytest.approx(losses[10 * epoch - 10 : 10 * epoch].mean())
    assert [row.seconds for row in result.history] == sorted(row.seconds for row in result.history)


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


def test_best_params_are_copies(blobs):
    model, result = run(blobs, n_epochs=2)
    kept = result.best_params["W"].copy()
    model.W.set_value(np.full_like(kept, 9.0))
    np.testing.assert_array_equal(result.best_params["W"], kept)
    assert all(type(value) is np.ndarray for value in result.best_params.values())


def test_the_test_set_is_scored_once_for_the_best_model(monkeypatch, blobs):
    calls = []
    real = training.error_counter

    def counting(x, y, p, data, batch_size, drop_last):
        count = real(x, y, p, data, batch_size, drop_last)

        def counted():
            score = count()
            calls.append(score.n_examples)
            return score

        return counted

    monkeypatch.setattr(training, "error_counter", counting)
    _, result = run(blobs, n_epochs=5)
    assert calls == [50] * 5 + [41]
    assert result.test.n_examples == 41


def test_evaluation_covers_every_example_unless_told_otherwise(blobs):
    _, every = run(blobs, n_epochs=1, batch_size=20)
    _, whole = run(blobs, n_epochs=1, batch_size=20, drop_last=True)
    assert (every.best_validation.n_examples, every.test.n_examples) == (50, 41)
    assert (whole.best_validation.n_examples, whole.test.n_examples) == (40, 40)


def test_patience_cuts_the_last_epoch_short(blobs):
    _, result = run(blobs, patience=Patience(25, patience_increase=1), n_epochs=100)
    # The page's loop stops when iter (from 0) reaches 25: 26 updates, in the third epoch.
    assert (result.n_iterations, result.n_epochs, result.stopped_by) == (26, 3, "patience")
    assert [row.iteration for row in result.history] == [10, 20]


def test_n_epochs_ends_it_otherwise(blobs):
    _, result = run(blobs, n_epochs=3)
    assert (result.n_iterations, result.n_epochs, result.stopped_by) == (30, 3, "n_epochs")


def test_a_loss_that_turns_nan_stops_the_run_and_keeps_the_best(tmp_path, blobs):
    model, y, loss = classifier()
    fuse = theano.shared(np.asarray(1.0, dtype=theano.config.floatX), name="fuse")
    model.params = [*model.params, fuse]
    # fuse burns down by 0.05 an update at rate 1; below 0 its logarithm is NaN
    loss = loss + 0.05 * fuse + 1e-30 * T.log(fuse)
    result = train(
        model, y, loss, blobs, learning_rate=1.0, batch_size=10, n_epochs=30,
        output_dir=tmp_path / "run",
    )  # fmt: skip
    assert result.stopped_by == "divergence"
    # After 20 updates fuse is 0, give or take a rounding error.
    assert result.diverged_at in (21, 22)
    assert [row.iteration for row in result.history] == [10, 20]
    assert all(np.isfinite(value).all() for value in result.best_params.values())
    arrays, _ = read_params(tmp_path / "run" / "best_params.npz")
    np.testing.assert_array_equal(arrays["W"], result.best_params["W"])


def test_divergence_before_any_validation_leaves_no_model(tmp_path, blobs):
    model, y, loss = classifier()
    loss = loss + T.log(T.sum(model.b) - 1)  # NaN at once
    result = train(model, y, loss, blobs, batch_size=10, output_dir=tmp_path / "run")
    assert (result.stopped_by, result.diverged_at) == ("divergence", 1)
    assert result.best_params is None and result.test is None and result.history == []
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_the_run_folder_tells_the_whole_story(tmp_path, blobs):
    _, result = run(blobs, n_epochs=3, output_dir=tmp_path / "run", settings={"dataset": "blobs"})
    arrays, stored = read_params(tmp_path / "run" / "best_params.npz")
    for name, value in result.best_params.items():
        np.testing.assert_array_equal(arrays[name], value)
    assert read_history(tmp_path / "run" / "history.csv") == result.history
    written = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert written == stored
    assert written["dataset"] == "blobs" and written["batch_size"] == 10
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        ".lock",
        "best_params.npz",
        "checkpoint.npz",
        "checkpoint.previous.npz",
        "history.csv",
        "settings.json",
    ]


def test_ctrl_c_keeps_the_best_so_far(tmp_path, blobs):
    def interrupt(line):
        if line.startswith("epoch 3,"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(blobs, n_epochs=30, output_dir=tmp_path / "run", log=interrupt)
    rows = read_history(tmp_path / "run" / "history.csv")
    assert [row.epoch for row in rows] == [1, 2, 3]
    assert (tmp_path / "run" / "best_params.npz").exists()


def test_the_report_has_the_classic_lines(blobs):
    lines = []
    _, result = run(blobs, n_epochs=2, log=lines.append)
    assert lines[0] == "compiling ..."
    assert lines[1] == "training, at most 2 epochs of 10 minibatches ..."
    assert lines[2] == "epoch 1, minibatch 10/10, validation error {:f} %".format(
        100 * result.history[0].validation_error
    )
    assert len(lines) == 4


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"n_epochs": 0}, "n_epochs: found 0; expected a whole number, 1 or more"),
        ({"n_epochs": 1.5}, "n_epochs: found 1.5"),
        ({"n_epochs": float("inf")}, "n_epochs: found inf"),
        ({"learning_rate": 0}, "learning_rate: found 0; expected a finite number above 0"),
        ({"settings": {"rng": object()}}, "settings: found what JSON cannot hold"),
        ({"batch_size": 0}, "batch_size: found 0; expected a whole number from 1 to 103"),
        ({"batch_size": 104}, "batch_size: found 104; expected a whole number from 1 to 103"),
        (
            {"batch_size": 45, "drop_last": True},
            "batch_size: found 45, more than the 41 examples of the test set",
        ),
    ],
)
def test_bad_settings_are_refused_before_anything_is_made(tmp_path, blobs, bad, message):
    with pytest.raises(SettingsError, match=message):
        run(blobs, output_dir=tmp_path / "run", **bad)
    assert not (tmp_path / "run").exists()


def test_a_patience_can_be_used_for_many_runs(blobs):
    rule = Patience(25, patience_increase=1)
    results = [run(blobs, patience=rule, n_epochs=100)[1] for _ in range(2)]
    assert [result.best_iteration for result in results] == [results[0].best_iteration] * 2
    assert results[0].history[1].validation_error == results[1].history[1].validation_error
    assert rule.best_iteration is None


def test_settings_may_be_numpy_or_shared(tmp_path, blobs):
    rate = theano.shared(np.asarray(2.0, dtype=theano.config.floatX))
    _, symbolic = run(
        blobs, learning_rate=rate, batch_size=np.int64(10), n_epochs=2.0, output_dir=tmp_path
    )
    _, plain = run(blobs, n_epochs=2)
    np.testing.assert_array_equal(symbolic.best_params["W"], plain.best_params["W"])
    written = json.loads((tmp_path / "settings.json").read_text())
    assert (written["learning_rate"], written["batch_size"]) == (2.0, 10)


def test_labels_that_the_model_cannot_give_are_refused(blobs):
    (x, y), valid, test = blobs
    with pytest.raises(SettingsError, match="found label 3; expected labels from 0 to 2"):
        run(((x, y + 1), valid, test))


def test_parameters_that_overflow_before_a_validation_are_no_model(tmp_path, float64, blobs):
    # One update an epoch: its loss, from before it, is finite; what it makes is not.
    model, y, loss = classifier()
    result = train(
        model, y, loss * np.float64(1e150), blobs, learning_rate=1e300, batch_size=103, n_epochs=1,
        output_dir=tmp_path,
    )  # fmt: skip
    assert (result.stopped_by, result.diverged_at) == ("divergence", 1)
    assert result.best_params is None
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert not model.W.get_value().any()  # as it came


def test_shared_variables_are_taken_as_they_are(blobs):
    from dlt.shared import shared_datasets

    _, from_arrays = run(blobs, n_epochs=3)
    datasets = shared_datasets(blobs)
    _, from_shared = run(datasets, n_epochs=3)
    np.testing.assert_array_equal(from_arrays.best_params["W"], from_shared.best_params["W"])
    valid_x = datasets[1][0]
    valid_x.set_value(np.full_like(valid_x.get_value(), np.nan))
    with pytest.raises(DataError, match="validation set, x: found NaN or infinite values"):
        run(datasets, n_epochs=3)


def after_asking(n):
    """Say yes when asked for the nth time, as somebody with Ctrl-C would."""
    answers = itertools.chain(itertools.repeat(False, n - 1), itertools.repeat(True))
    return lambda: next(answers)


def assert_same_result(found, expected):
    """Compare two runs bit for bit, the seconds aside."""
    for name in ("best_iteration", "best_validation", "test", "n_iterations", "n_epochs"):
        assert getattr(found, name) == getattr(expected, name), name
    assert (found.stopped_by, found.diverged_at) == (expected.stopped_by, expected.diverged_at)
    assert [row._replace(seconds=0) for row in found.history] == [
        row._replace(seconds=0) for row in expected.history
    ]
    assert [row.seconds for row in found.history] == sorted(row.seconds for row in found.history)
    for name, value in expected.best_params.items():
        assert found.best_params[name].tobytes() == value.tobytes(), name


def assert_same_files(found, expected):
    """Compare two run folders, seconds aside."""
    for name in ("best_params.npz", "settings.json"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name
    rows = [
        [row._replace(seconds=0) for row in read_history(folder / "history.csv")]
        for folder in (found, expected)
    ]
    assert rows[0] == rows[1]
    states = [
        read_checkpoint(folder / "checkpoint.npz")._replace(seconds=0, history=())
        for folder in (found, expected)
    ]
    assert_same(*states)
    models = [sorted((folder / "snapshots").glob("*")) for folder in (found, expected)]
    assert [path.name for path in models[0]] == [path.name for path in models[1]]
    for one, other in zip(*models):
        assert one.read_bytes() == other.read_bytes(), one.name


# patience 16: a validation after 8 and 16 of 10 updates, so that epochs and validations cross
UNEVEN = {"patience": Patience(16, patience_increase=4), "n_epochs": 9, "snapshot_every": 2}


@pytest.mark.parametrize(
    "linker, float_type",
    [("jax", "float32"), ("numba", "float64"), ("c", "float32")],
    indirect=["linker"],
)
def test_a_run_stopped_again_and_again_ends_the_same(
    tmp_path, blobs, monkeypatch, linker, float_type
):
    monkeypatch.setattr(training, "_STRETCH_SECONDS", 0)  # many stretches, two or three updates
    former = theano.config.floatX
    set_floatX(float_type)
    try:
        check_stopping_again_and_again(tmp_path, blobs)
    finally:
        set_floatX(former)


def check_stopping_again_and_again(tmp_path, blobs):
    options = dict(UNEVEN, keep=3)
    _, whole = run(blobs, output_dir=tmp_path / "whole", **options)
    parts, resume = 0, False
    while True:
        model, result = run(
            blobs,
            output_dir=tmp_path / "parts",
            resume=resume,
            should_stop=after_asking(9),
            **options,
        )
        if result.stopped_by != "request":
            break
        assert result.test is None
        parts, resume = parts + 1, True
    assert parts >= 3
    assert_same_result(result, whole)
    assert_same_files(tmp_path / "parts", tmp_path / "whole")
    np.testing.assert_array_equal(model.W.get_value(), whole.best_params["W"])


def test_a_finished_run_is_told_again(tmp_path, blobs):
    options = dict(UNEVEN, output_dir=tmp_path)  # it ends between two validations
    _, first = run(blobs, **options)
    assert (first.n_iterations, first.history[-1].iteration) == (90, 88)
    before = (tmp_path / "best_params.npz").read_bytes()
    _, again = run(blobs, resume=True, **options)
    assert_same_result(again, first)
    assert (tmp_path / "best_params.npz").read_bytes() == before


@pytest.mark.parametrize("patience", [7, 18])
def test_more_epochs_may_be_asked_for_later(tmp_path, blobs, patience):
    # Where the fewer epochs end between two validations, the longer run has no cut, and a
    # lone minibatch there could round otherwise.
    rule = Patience(patience, patience_increase=50)
    _, whole = run(blobs, patience=rule, n_epochs=4, output_dir=tmp_path / "whole")
    for n_epochs in (1, 4):
        _, result = run(
            blobs, patience=rule, n_epochs=n_epochs, output_dir=tmp_path / "parts",
            resume=n_epochs > 1,
        )  # fmt: skip
    assert_same_result(result, whole)
    assert_same_files(tmp_path / "parts", tmp_path / "whole")
    with pytest.raises(SettingsError, match="n_epochs: the checkpoint has 4, this run 3"):
        run(blobs, patience=rule, n_epochs=3, output_dir=tmp_path / "parts", resume=True)


def test_an_exception_anywhere_leaves_a_state_to_go_on_from(tmp_path, blobs):
    # As in a notebook, where Ctrl-C raises KeyboardInterrupt at whatever line Python is.
    options = dict(UNEVEN, keep=3, n_epochs=20, patience=Patience(16, patience_increase=15))
    _, whole = run(blobs, output_dir=tmp_path / "whole", **options)
    generator, interrupted = random.Random(23455), 0
    folder = tmp_path / "parts"
    while True:
        resume = (folder / "checkpoint.npz").exists()
        with interrupting_at_line(generator.randrange(400, 4000)) as start:
            try:
                _, result = run(blobs, output_dir=folder, resume=resume, log=start, **options)
                break
            except KeyboardInterrupt:
                interrupted += 1
    assert interrupted >= 2, interrupted
    assert_same_result(result, whole)
    assert_same_files(folder, tmp_path / "whole")


@contextlib.contextmanager
def interrupting_at_line(n):
    """Raise KeyboardInterrupt at the nth line of dlt that runs once training has begun."""
    left = [n]

    def trace(frame, event, argument):
        if os.path.dirname(frame.f_code.co_filename) != os.path.dirname(training.__file__):
            return None
        if event == "line":
            left[0] -= 1
            if left[0] < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    def start(line):
        if line.startswith("training"):
            sys.settrace(trace)
            frame = sys._getframe(1)
            while frame is not None:  # functions that are under way already
                frame.f_trace = trace
                frame = frame.f_back

    former = sys.gettrace()
    try:
        yield start
    finally:
        sys.settrace(former)


def test_a_run_that_diverges_does_so_again(tmp_path, blobs):
    def burning():
        model, y, loss = classifier()
        fuse = theano.shared(np.asarray(1.0, dtype=theano.config.floatX), name="fuse")
        model.params = [*model.params, fuse]
        return model, y, loss + 0.05 * fuse + 1e-30 * T.log(fuse)

    options = {"learning_rate": 1.0, "batch_size": 10, "n_epochs": 30, "output_dir": tmp_path}
    first = train(*burning(), blobs, **options)
    again = train(*burning(), blobs, resume=True, **options)
    assert first.stopped_by == "divergence" and first.diverged_at in (21, 22)
    assert_same_result(again, first)


def test_other_data_settings_or_engine_are_refused_with_every_difference(tmp_path, blobs):
    run(blobs, n_epochs=2, output_dir=tmp_path, settings={"l2": 0.0})
    before = (tmp_path / "checkpoint.npz").read_bytes()
    (x, y), valid, test = blobs
    changed = x.copy()
    changed[50, 1] = np.nextafter(changed[50, 1], 1, dtype=x.dtype)
    with pytest.raises(SettingsError) as caught:
        run(
            ((changed, y), valid, test), learning_rate=1.0, patience=Patience(4000), n_epochs=1,
            batch_size=20, output_dir=tmp_path, settings={"l2": 0.5}, resume=True,
        )  # fmt: skip
    for part in (
        "batch_size: the checkpoint has 10, this run 20",
        "learning_rate: the checkpoint has 2.0, this run 1.0",
        "patience: the checkpoint has 5000, this run 4000",
        "l2: the checkpoint has 0.0, this run 0.5",
        "n_epochs: the checkpoint has 2, this run 1 (it may only be raised)",
    ):
        assert part in str(caught.value)
    if theano.config.floatX == "float64":  # in which the changed value is another one
        assert "data: the checkpoint has sha256 " in str(caught.value)
    former = theano.config.floatX
    set_floatX("float32" if former == "float64" else "float64")
    try:
        with pytest.raises(SettingsError, match="floatX: the checkpoint has {}".format(former)):
            run(blobs, n_epochs=2, output_dir=tmp_path, settings={"l2": 0.0}, resume=True)
    finally:
        set_floatX(former)
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"seed": 10**400}, "settings: found more than 1048576 characters, or a whole number of"),
        ({"note": "x" * 2**20}, "settings: found more than 1048576 characters"),
        ({"engine": "mine"}, "settings: found engine, which dlt notes itself; expected other"),
        ({"n_epochs": 3, "floatX": 1}, "settings: found floatX, n_epochs, which dlt notes"),
        ({"note": object()}, "settings: found what JSON cannot hold .a value of type object"),
    ],
)
def test_settings_that_could_not_be_read_back_are_refused_at_once(
    tmp_path, blobs, settings, message
):
    with pytest.raises(SettingsError, match=message):
        run(blobs, output_dir=tmp_path / "run", settings=settings)
    assert not (tmp_path / "run").exists()


def test_a_parameter_whose_name_could_not_be_read_back_is_refused_at_once(tmp_path, blobs):
    model, y, loss = classifier()
    model.params[0].name = "a//b"
    with pytest.raises(SettingsError, match="params: found the name 'a//b'; expected letters"):
        train(model, y, loss, blobs, batch_size=10, n_epochs=1, output_dir=tmp_path)


def test_numpy_s_numbers_and_other_names_are_settings_too(tmp_path, blobs):
    patience = Patience(np.int64(40), np.float64(2))
    settings = {1: np.float32(0.5), "seed": np.uint8(3)}
    _, result = run(
        blobs, n_epochs=1, patience=patience, drop_last=np.bool_(True), settings=settings,
        output_dir=tmp_path,
    )  # fmt: skip
    saved = json.loads((tmp_path / "settings.json").read_text())
    assert (saved["patience"], saved["drop_last"], saved["1"], saved["seed"]) == (40, True, 0.5, 3)
    assert result.n_epochs == 1


def test_the_mean_of_huge_losses_is_their_mean(blobs, float64):
    model, y, loss = classifier()
    result = train(
        model, y, loss * np.float64(1e307), blobs, learning_rate=1e-308, batch_size=5, n_epochs=1
    )
    # 20 losses of about log(3): their sum is more than a float64 can hold
    assert result.history[0].train_loss == pytest.approx(1e307 * np.log(3), rel=0.5)


def test_resuming_needs_a_folder_with_a_checkpoint(tmp_path, blobs):
    with pytest.raises(SettingsError, match="output_dir: found None; expected the run's folder"):
        run(blobs, resume=True)
    with pytest.raises(SettingsError, match="output_dir: found None"):
        run(blobs, snapshot_every=1)
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(SettingsError, match="found no checkpoint; expected one of an earlier"):
            run(blobs, output_dir=folder, resume=True)
    assert not (tmp_path / "none").exists()
    with pytest.raises(SettingsError, match="snapshot_every: found 0; expected a whole number"):
        run(blobs, output_dir=tmp_path, snapshot_every=0)
    with pytest.raises(SettingsError, match="keep: found 0; expected a whole number"):
        run(blobs, output_dir=tmp_path, keep=0)
    run(blobs, n_epochs=1, output_dir=tmp_path)  # none of these kept the folder locked


def test_snapshots_are_the_models_of_their_moments(tmp_path, blobs):
    run(blobs, n_epochs=7, output_dir=tmp_path, snapshot_every=2, keep=2)
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == [
        "iteration_000040.npz", "iteration_000060.npz"
    ]  # fmt: skip
    shorter, _ = tmp_path / "shorter", run(blobs, n_epochs=4, output_dir=tmp_path / "shorter")
    arrays, stored = read_params(tmp_path / "snapshots" / "iteration_000040.npz")
    last = read_checkpoint(shorter / "checkpoint.npz").params
    for name, value in last.items():
        np.testing.assert_array_equal(arrays[name], value)
    assert stored["batch_size"] == 10


def test_a_run_that_is_asked_to_stop_at_once_makes_no_update(tmp_path, blobs):
    model, result = run(blobs, output_dir=tmp_path, should_stop=lambda: True)
    assert (result.n_iterations, result.stopped_by, result.best_params) == (0, "request", None)
    assert not model.W.get_value().any()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_an_unfinished_run_is_mentioned_before_a_new_one(tmp_path, blobs):
    lines = []
    run(blobs, output_dir=tmp_path, should_stop=after_asking(8))
    run(blobs, n_epochs=1, output_dir=tmp_path, log=lines.append)
    assert lines[0].startswith("found an unfinished run of ")
    assert lines[0].endswith("starting anew, and keeping it as checkpoint.unfinished.npz")
