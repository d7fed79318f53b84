"""Checkpoints: every bit comes back; whatever else the bytes are, one DataError."""

import json
import math

import numpy as np
import pytest
from checkpoints import after, bits

from dlt.errors import DataError
from dlt.files.npz import read_npz, write_npz
from dlt.parameters import save_params
from dlt.runs.checkpoint import read_checkpoint, write_checkpoint
from dlt.runs.history import HistoryRow

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "n_validations, n_losses, dtype", [(0, 2, "float64"), (1, 0, "float32"), (5, 3, "float32")]
)
def test_what_is_written_is_read_back(tmp_path, n_validations, n_losses, dtype):
    for name in ("one.npz", "two.npz"):
        state = after(n_validations, n_losses, dtype)
        write_checkpoint(tmp_path / name, state)
        assert bits(read_checkpoint(tmp_path / name)) == bits(state)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_no_bit_of_a_number_is_lost(tmp_path):
    state = after(1, 4)
    row = state.history[0]._replace(train_loss=5e-324, seconds=0.1 + 0.2)
    state = state._replace(
        params={"W": np.asarray([[-0.0, 5e-324], [1.7976931348623157e308, 0.1]]), "b": np.ones(())},
        best_params={"W": np.zeros((2, 2)), "b": np.ones(())},
        losses=np.asarray([0.1, 1 / 3, 1 + 2**-52, 5e-324]),
        history=(row,),
        seconds=1e9 / 7,
        settings={"learning_rate": 0.1 + 0.2, "text": "ü\n\u2028", "nested": [[1], {"a": None}]},
    )
    write_checkpoint(tmp_path / "checkpoint.npz", state)
    assert bits(read_checkpoint(tmp_path / "checkpoint.npz")) == bits(state)


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


def rewritten(folder, **changes):
    """Write a good checkpoint, change it behind its back, and give its path."""
    path = folder / "checkpoint.npz"
    write_checkpoint(path, after(4, 2, snapshots=(20, 40)))
    arrays = read_npz(path)
    description = json.loads(arrays.pop("__dlt__").tolist())
    for name, change in changes.items():
        is_array = name in arrays or isinstance(change, np.ndarray)
        part = arrays if is_array else description["settings"]
        part[name] = change(part[name]) if callable(change) else change
        if change is MISSING:
            del part[name]
    description["params"] = [[n, list(a.shape), a.dtype.name] for n, a in arrays.items()]
    arrays["__dlt__"] = np.array(json.dumps(description))
    with open(path, "wb") as file:
        write_npz(file, arrays)
    return path


def history(row, column, value):
    """Change one number in the history."""

    def change(rows):
        rows[row, HistoryRow._fields.index(column)] = value
        return rows

    return {"history": change}


MISSING = object()
PATIENCE = {"patience": 5000, "best_loss": 0.3, "best_iteration": 29}
BEST = {"iteration": 30, "n_errors": 3, "n_examples": 10}
# what is found, and the changes that are refused with these words
DAMAGES = {
    "something else in __dlt__": [{"iteration": 10**400}, {"seconds": 10**400}],
    "another format": [{"checkpoint": 2}],
    "the entries [": [{"extra": 1}, {"seconds": MISSING}],
    "no arrays history and losses": [{"history": MISSING}, {"losses": MISSING}],
    'an array "': [{"momentum": np.zeros(3)}, {"worst/W": np.zeros(3)}],
    "no parameters": [{"params/W": MISSING, "params/b": MISSING}],
    "with values that are no finite numbers": [
        {"params/b": np.full(3, np.nan)},
        {"best/b": np.full(3, np.inf)},
        {"params/b": np.zeros(3, "int64")},
        {"params/b": np.array("W")},
        {"losses": np.full(2, np.nan)},
        history(1, "train_loss", np.nan),
    ],
    "best parameters unlike the parameters": [
        {"params/b": MISSING},
        {"best/b": np.zeros(4)},
        {"best/b": np.zeros(3, "float32")},
    ],
    "half a best model": [{"best/W": MISSING, "best/b": MISSING}, {"best": None}],
    "losses of another shape or dtype": [
        {"losses": np.zeros((1, 2))},
        {"losses": np.zeros(2, "float32")},
    ],
    "a history of another shape or dtype": [
        {"history": lambda rows: rows.reshape(-1)},
        {"history": lambda rows: rows[:, :-1]},
        {"history": lambda rows: rows.astype("float32")},
    ],
    "a history with iterations that are no counts": [
        history(0, "iteration", value) for value in (0, 0.5, 1e300)
    ],
    "a history with epochs that are no counts": [history(0, "epoch", 0.5)],
    "a history with impossible errors": [history(0, "validation_error", 1.5)],
    "a history with an impossible patience": [history(0, "patience", 1)],
    "a history with times below 0": [history(0, "seconds", -1)],
    "a history out of order": [
        history(1, "iteration", 10),
        history(1, "epoch", 9),
        history(0, "patience", 6000),
        history(0, "seconds", 0.3),
    ],
    "a history that ends later than the run": [{"seconds": 0.4}],
    " updates, with ": [
        {"iteration": 43},
        {"losses": np.zeros(3)},
        {"history": lambda rows: rows[:-1]},
    ],
    "the iteration ": [{"iteration": value} for value in (True, "42", 42.0, 1 << 54)],
    "the time ": [{"seconds": value} for value in (-1, math.nan, math.inf, 1e300, None)],
    "the end ": [{"ended": value} for value in ("boredom", [])],
    "the snapshots ": [{"snapshots": value} for value in (None, "20", [[20]])],
    "snapshots of no known": [{"snapshots": value} for value in ([20, 20], [40, 20], [25])],
    "settings that are no settings": [{"settings": []}],
    "the engine ": [{"engine": value} for value in ({"linker": 3}, "jax")],
    "the hash of the data ": [{"data": value} for value in ("5f", None, "5F" * 32)],
    "a best model untold": [
        {"best": value} for value in ("W", {"iteration": 30}, dict(BEST, n_errors=True))
    ],
    "a best model that is not the best of the history": [
        history(0, "validation_error", 0.1),
        {"best": dict(BEST, iteration=40)},
        {"best": dict(BEST, iteration=31)},
        {"best": dict(BEST, n_errors=2)},
        {"best": dict(BEST, n_examples=0, n_errors=0)},
    ],
    "the patience ": [{"patience": value} for value in (None, [5000, 0.3, 29], {"patience": 5000})]
    + [{"patience": dict(PATIENCE, patience=value)} for value in (math.nan, 1e300, "5000")],
    "two different patiences": [
        history(3, "patience", 6000),
        {"patience": dict(PATIENCE, patience=6000)},
    ],
    "a patience that has seen another best loss": [
        {"patience": dict(PATIENCE, best_loss=0.25)},
        {"patience": dict(PATIENCE, best_loss=None)},
        {"patience": dict(PATIENCE, best_iteration=30)},
        {"patience": dict(PATIENCE, best_iteration=29.0)},
    ],
}


@pytest.mark.parametrize("found", DAMAGES)
def test_parts_that_do_not_agree_are_refused(tmp_path, found):
    assert read_checkpoint(rewritten(tmp_path, patience=PATIENCE, best=BEST)).iteration == 42
    for damage in DAMAGES[found]:
        path = rewritten(tmp_path, **damage)
        with pytest.raises(DataError) as caught:
            read_checkpoint(path)
        line = str(caught.value)
        assert line.startswith("{}: found ".format(path)) and "\n" not in line
        assert found in line.partition("; expected")[0]


def test_settings_deeper_than_python_goes_are_refused(tmp_path):
    path = rewritten(tmp_path)
    arrays = read_npz(path)
    text = arrays["__dlt__"].tolist()
    for depth in (900, 2000, 100000):
        deep = text.replace('"learning_rate": 0.13', '"deep": ' + "[" * depth + "]" * depth)
        with open(path, "wb") as file:
            write_npz(file, dict(arrays, __dlt__=np.array(deep)))
        try:
            state = read_checkpoint(path)
        except DataError:
            assert depth > 900
        else:  # what can be read can be written
            assert depth < 100000
            write_checkpoint(tmp_path / "again.npz", state)


def test_flipped_bits_are_refused_or_harmless(tmp_path, rng):
    path = tmp_path / "checkpoint.npz"
    state = after(2, 1)
    write_checkpoint(path, state)
    whole = path.read_bytes()
    for bit in rng.integers(0, 8 * len(whole), 300).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            read = read_checkpoint(path)
        except DataError:
            continue
        assert bits(read) == bits(state)  # a bit that means nothing, such as a date


def test_saved_parameters_are_no_checkpoint(tmp_path):
    save_params(tmp_path / "params.npz", {"W": np.zeros(2)}, settings={"seed": 1})
    with pytest.raises(DataError, match="expected a checkpoint of format 1"):
        read_checkpoint(tmp_path / "params.npz")
