"""Checkpoints: every bit comes back; whatever else the bytes are, one DataError."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from checkpoints import after, assert_same
from conftest import ROOT

from dlt.checkpoint import read_checkpoint, write_checkpoint
from dlt.errors import DataError, SettingsError
from dlt.history import HistoryRow
from dlt.npz import read_npz, write_npz


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_validations, n_losses", [(0, 2), (1, 0), (5, 3)])
def test_what_is_written_is_read_back(tmp_path, dtype, n_validations, n_losses):
    state = after(n_validations, n_losses, dtype)
    write_checkpoint(tmp_path / "checkpoint.npz", state)
    assert_same(read_checkpoint(tmp_path / "checkpoint.npz"), state)


def test_no_bit_of_a_number_is_lost(tmp_path):
    awkward = [0.1, 1 / 3, math.nextafter(1, 2) if hasattr(math, "nextafter") else 1.0, 5e-324]
    state = after(1, 4)
    row = state.history[0]._replace(train_loss=5e-324, seconds=0.1 + 0.2)
    state = state._replace(
        params={"W": np.asarray([[-0.0, 5e-324], [1.7976931348623157e308, 0.1]]), "b": np.ones(())},
        best_params={"W": np.zeros((2, 2)), "b": np.ones(())},
        losses=np.asarray(awkward),
        history=(row,),
        seconds=1e9 / 7,
        settings={"learning_rate": 0.1 + 0.2, "text": "ü\n\u2028", "nested": [[1], {"a": None}]},
    )
    write_checkpoint(tmp_path / "checkpoint.npz", state)
    read = read_checkpoint(tmp_path / "checkpoint.npz")
    assert_same(read, state)
    assert read.params["W"].tobytes() == state.params["W"].tobytes()  # -0.0 too
    assert read.losses.tobytes() == state.losses.tobytes()


def test_the_order_in_memory_is_kept(tmp_path):
    # a product may round otherwise where a matrix lies the other way round
    turned = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    params = {"W": turned, "b": np.zeros(3)}
    write_checkpoint(tmp_path / "checkpoint.npz", after(0, 2, params=params))
    assert read_checkpoint(tmp_path / "checkpoint.npz").params["W"].flags.f_contiguous


def test_it_is_strict_json_and_plain_arrays(tmp_path):
    write_checkpoint(tmp_path / "checkpoint.npz", after(0, 2))  # best loss: still infinite
    with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as file:
        assert sorted(file.files) == ["__dlt__", "history", "losses", "params/W", "params/b"]
        text = str(file["__dlt__"])

    def refuse(constant):
        raise AssertionError(constant)

    described = json.loads(text, parse_constant=refuse)["settings"]
    assert described["patience"]["best_loss"] is None


def test_equal_states_give_equal_bytes(tmp_path):
    write_checkpoint(tmp_path / "one.npz", after(3, 2))
    write_checkpoint(tmp_path / "two.npz", after(3, 2))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_the_one_before_is_kept(tmp_path):
    newest, previous = tmp_path / "checkpoint.npz", tmp_path / "previous.npz"
    for n in (1, 2, 3):
        write_checkpoint(newest, after(n), previous)
    assert (read_checkpoint(newest).iteration, read_checkpoint(previous).iteration) == (30, 20)


def test_a_refused_write_leaves_both(tmp_path):
    newest, previous = tmp_path / "checkpoint.npz", tmp_path / "previous.npz"
    for n in (1, 2):
        write_checkpoint(newest, after(n), previous)
    with pytest.raises(SettingsError):
        write_checkpoint(tmp_path / "none" / "checkpoint.npz", after(3), previous)
    assert (read_checkpoint(newest).iteration, read_checkpoint(previous).iteration) == (20, 10)


def test_it_needs_no_engine(tmp_path):
    write_checkpoint(tmp_path / "checkpoint.npz", after(2))
    code = (
        "import sys; from dlt.checkpoint import read_checkpoint\n"
        "assert read_checkpoint({!r}).iteration == 20\n"
        "assert 'pytensor' not in sys.modules and 'theano' not in sys.modules\n"
    ).format(str(tmp_path / "checkpoint.npz"))
    subprocess.run([sys.executable, "-c", code], cwd=str(ROOT), check=True)


def rewritten(folder, arrays=(), drop=(), **changes):
    """Write a good checkpoint, change it behind its back, and give its path."""
    path = folder / "checkpoint.npz"
    write_checkpoint(path, after(4, 2, snapshots=(20, 40)))
    found = read_npz(path)
    description = json.loads(found.pop("__dlt__").tolist())
    for name, change in dict(arrays).items():
        found[name] = change(found[name]) if callable(change) else change
    for name in drop:
        found.pop(name, None)
        description["settings"].pop(name, None)
    description["settings"].update(changes)
    description["params"] = [[n, list(a.shape), a.dtype.name] for n, a in found.items()]
    found["__dlt__"] = np.array(json.dumps(description))
    with open(path, "wb") as file:
        write_npz(file, found)
    return path


def with_value(row, column, value):
    def change(history):
        history[row, HistoryRow._fields.index(column)] = value
        return history

    return change


def history(row, column, value):
    return {"arrays": {"history": with_value(row, column, value)}}


PATIENCE = {"patience": 5000, "best_loss": 0.3, "best_iteration": 29}
BEST = {"iteration": 30, "n_errors": 3, "n_examples": 10}
DAMAGE = {
    "another format": {"checkpoint": 2},
    "an entry too many": {"extra": 1},
    "an entry missing": {"drop": ["seconds"]},
    "no history": {"drop": ["history"]},
    "no losses": {"drop": ["losses"]},
    "an array too many": {"arrays": {"momentum": np.zeros(3)}},
    "an array of an unknown group": {"arrays": {"worst/W": np.zeros(3)}},
    "no parameters": {"drop": ["params/W", "params/b"]},
    "a parameter missing": {"drop": ["params/b"]},
    "best missing": {"drop": ["best/W", "best/b"]},
    "best of another shape": {"arrays": {"best/b": np.zeros(4)}},
    "best of another dtype": {"arrays": {"best/b": np.zeros(3, "float32")}},
    "nan": {"arrays": {"params/b": np.full(3, np.nan)}},
    "inf in best": {"arrays": {"best/b": np.full(3, np.inf)}},
    "whole numbers": {"arrays": {"params/b": np.zeros(3, "int64")}},
    "text": {"arrays": {"params/b": np.array("W")}},
    "losses of two dimensions": {"arrays": {"losses": np.zeros((1, 2))}},
    "losses in float32": {"arrays": {"losses": np.zeros(2, "float32")}},
    "a loss too many": {"arrays": {"losses": np.zeros(3)}},
    "a nan loss": {"arrays": {"losses": np.full(2, np.nan)}},
    "history flat": {"arrays": {"history": lambda a: a.reshape(-1)}},
    "history short": {"arrays": {"history": lambda a: a[:-1]}},
    "history narrow": {"arrays": {"history": lambda a: a[:, :-1]}},
    "history in float32": {"arrays": {"history": lambda a: a.astype("float32")}},
    "history nan": history(1, "train_loss", np.nan),
    "history iteration 0.5": history(0, "iteration", 0.5),
    "history iteration 0": history(0, "iteration", 0),
    "history iteration huge": history(3, "iteration", 1e300),
    "history iteration twice": history(1, "iteration", 10),
    "history epoch backwards": history(1, "epoch", 9),
    "history error": history(0, "validation_error", 1.5),
    "history better than best": history(0, "validation_error", 0.1),
    "history patience": history(0, "patience", 1),
    "history patience falls": history(0, "patience", 6000),
    "history patience is another": history(3, "patience", 6000),
    "history seconds below 0": history(0, "seconds", -1),
    "history seconds backwards": history(0, "seconds", 0.3),
    "history after the end": {"seconds": 0.4},
    "iteration": {"iteration": 43},
    "iteration true": {"iteration": True},
    "iteration text": {"iteration": "42"},
    "iteration float": {"iteration": 42.0},
    "iteration huge": {"iteration": 10**400},
    "seconds": {"seconds": -1},
    "seconds nan": {"seconds": math.nan},
    "seconds inf": {"seconds": math.inf},
    "seconds huge": {"seconds": 10**400},
    "seconds none": {"seconds": None},
    "ended": {"ended": "boredom"},
    "ended list": {"ended": []},
    "snapshots none": {"snapshots": None},
    "snapshots text": {"snapshots": "20"},
    "snapshots twice": {"snapshots": [20, 20]},
    "snapshots unordered": {"snapshots": [40, 20]},
    "snapshots unknown": {"snapshots": [25]},
    "snapshots list": {"snapshots": [[20]]},
    "settings": {"settings": []},
    "engine": {"engine": {"linker": 3}},
    "engine text": {"engine": "jax"},
    "data": {"data": "5f"},
    "data none": {"data": None},
    "data capitals": {"data": "5F" * 32},
    "no best": {"best": None},
    "best text": {"best": "W"},
    "best without errors": {"best": {"iteration": 30}},
    "best is another": {"best": dict(BEST, iteration=40)},
    "best nowhere": {"best": dict(BEST, iteration=31)},
    "best errors": {"best": dict(BEST, n_errors=2)},
    "best of no examples": {"best": dict(BEST, n_examples=0, n_errors=0)},
    "best true": {"best": dict(BEST, n_errors=True)},
    "patience none": {"patience": None},
    "patience list": {"patience": [5000, 0.3, 29]},
    "patience incomplete": {"patience": {"patience": 5000}},
    "patience is another": {"patience": dict(PATIENCE, patience=6000)},
    "patience nan": {"patience": dict(PATIENCE, patience=math.nan)},
    "patience huge": {"patience": dict(PATIENCE, patience=10**400)},
    "patience text": {"patience": dict(PATIENCE, patience="5000")},
    "patience best loss": {"patience": dict(PATIENCE, best_loss=0.25)},
    "patience no best loss": {"patience": dict(PATIENCE, best_loss=None)},
    "patience best iteration": {"patience": dict(PATIENCE, best_iteration=30)},
    "patience best iteration float": {"patience": dict(PATIENCE, best_iteration=29.0)},
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_parts_that_do_not_agree_are_refused(tmp_path, damage):
    path = rewritten(tmp_path, **damage)
    with pytest.raises(DataError) as caught:
        read_checkpoint(path)
    assert str(caught.value).startswith("{}: found ".format(path))
    assert "\n" not in str(caught.value)


def test_the_changes_above_are_what_is_refused(tmp_path):
    assert read_checkpoint(rewritten(tmp_path, patience=PATIENCE, best=BEST)).iteration == 42


def test_settings_deeper_than_python_goes_are_refused(tmp_path):
    path = rewritten(tmp_path)
    found = read_npz(path)
    text = found["__dlt__"].tolist()
    for depth in (900, 2000, 100000):
        deep = text.replace('"learning_rate": 0.13', '"deep": ' + "[" * depth + "]" * depth)
        with open(path, "wb") as file:
            write_npz(file, dict(found, __dlt__=np.array(deep)))
        try:
            state = read_checkpoint(path)
        except DataError:
            assert depth > 900
        else:  # what can be read can be written
            assert depth < 100000
            write_checkpoint(tmp_path / "again.npz", state)


def test_every_shorter_file_and_many_flipped_bits_are_refused_or_harmless(tmp_path, rng):
    path = tmp_path / "checkpoint.npz"
    state = after(2, 1)
    write_checkpoint(path, state)
    whole = path.read_bytes()
    for length in rng.integers(0, len(whole), 100).tolist() + [len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(DataError):
            read_checkpoint(path)
    for bit in rng.integers(0, 8 * len(whole), 300).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            read = read_checkpoint(path)
        except DataError:
            continue
        assert_same(read, state)  # a bit that means nothing, such as a date


def test_other_files_are_refused(tmp_path):
    for path in (tmp_path / "none.npz", tmp_path, ROOT / "data" / "digits.pkl.gz", os.devnull):
        with pytest.raises(DataError):
            read_checkpoint(path)
    from dlt.parameters import save_params

    save_params(tmp_path / "params.npz", {"W": np.zeros(2)}, settings={"seed": 1})
    with pytest.raises(DataError, match="expected a checkpoint of format 1"):
        read_checkpoint(tmp_path / "params.npz")
