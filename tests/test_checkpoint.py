"""Checkpoints: every bit comes back; whatever else the bytes are, one DataError."""

import json
import math

import numpy as np
import pytest
from checkpoints import MISSING, after, bits, rewritten, unvalidated

from dlt.errors import DataError
from dlt.files.npz import read_npz, write_npz
from dlt.parameters import save_params
from dlt.runs import checkpoint
from dlt.runs.checkpoint import read_checkpoint, write_checkpoint
from dlt.runs.history import History, HistoryRow
from dlt.score import Score

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "n_validations, n_losses, dtype", [(0, 2, "float64"), (1, 0, "float32"), (5, 3, "float32")]
)
def test_what_is_written_is_read_back(tmp_path, n_validations, n_losses, dtype):
    for name in ("one.npz", "two.npz"):
        checkpoint = after(n_validations, n_losses, dtype)
        write_checkpoint(tmp_path / name, checkpoint)
        assert bits(read_checkpoint(tmp_path / name)) == bits(checkpoint)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_no_bit_of_a_number_is_lost(tmp_path):
    score = Score(-1e300 / 3, 10)  # errors may be measured in anything
    row = HistoryRow(10, 1, 5e-324, score.fraction, 5000.0, 0.1 + 0.2)
    checkpoint = after(
        1,
        4,
        params={"W": np.asarray([[-0.0, 5e-324], [1.7976931348623157e308, 0.1]]), "b": np.ones(())},
        best_params={"W": np.zeros((2, 2)), "b": np.ones(())},
        best_score=score,
        update_state={
            "param_2": np.asarray([-0.0, 0.1], "float32"),
            "count": np.asarray(-(2**63) + 1),
            "generator": np.asarray([2**64 - 1, 3], "uint64"),
            "used": np.asarray([True, False]),
        },
        losses=np.asarray([0.1, 1 / 3, 1 + 2**-52, 5e-324]),
        history=History([row]),
        seconds=1e9 / 7,
        settings={"learning_rate": 0.1 + 0.2, "text": "ü\n\u2028", "nested": [[1], {"a": None}]},
    )
    write_checkpoint(tmp_path / "checkpoint.npz", checkpoint)
    assert bits(read_checkpoint(tmp_path / "checkpoint.npz")) == bits(checkpoint)


def test_the_order_in_memory_is_kept(tmp_path):
    # a product may round otherwise where a matrix lies the other way round
    turned = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    params = {"W": turned, "b": np.zeros(3)}
    write_checkpoint(tmp_path / "checkpoint.npz", after(0, 2, params=params))
    assert read_checkpoint(tmp_path / "checkpoint.npz").state.params["W"].flags.f_contiguous


def test_it_is_strict_json_and_plain_arrays(tmp_path):
    write_checkpoint(tmp_path / "checkpoint.npz", unvalidated(after(1)))  # all errors are NaN
    with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as file:
        assert sorted(file.files) == [
            "__dlt__", "best/W", "best/b", "history", "losses", "params/W", "params/b",
            "state/n", "state/param_2",
        ]  # fmt: skip
        text = str(file["__dlt__"])

    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads(text, parse_constant=refuse)["settings"]["best"] is None


def test_a_run_without_validation_set_has_no_errors_at_all(tmp_path):
    checkpoint = unvalidated(after(3, 2))
    write_checkpoint(tmp_path / "checkpoint.npz", checkpoint)
    assert bits(read_checkpoint(tmp_path / "checkpoint.npz")) == bits(checkpoint)


@pytest.mark.parametrize(
    "number, age, remedy",
    [(2, "an older", "use the dlt that wrote it"), (4, "a newer", "install a newer dlt")],
)
def test_another_format_is_refused_by_name(tmp_path, number, age, remedy):
    path = tmp_path / "checkpoint.npz"
    rewritten(path, after(1), checkpoint=number, program=MISSING, patience={}, data="5f" * 32)
    with pytest.raises(DataError) as caught:
        read_checkpoint(path)
    assert str(caught.value) == (
        f"{path}: found a checkpoint of format {number}, of {age} dlt; expected format 3; {remedy}"
    )


def history(row, column, value):
    """Change one number in the history."""

    def change(rows):
        rows[row, HistoryRow._fields.index(column)] = value
        return rows

    return {"history": change}


# what is found, and the changes that are refused with these words
DAMAGES = {
    "something else in __dlt__": [{"iteration": 10**400}, {"seconds": 10**400}],
    "the entries [": [{"extra": 1}, {"seconds": MISSING}, {"checkpoint": MISSING}],
    "checkpoint = ": [{"checkpoint": value} for value in (True, 2.0, "2", 0, -1, None)],
    "iteration = ": [{"iteration": value} for value in (True, "42", 42.0, 1 << 54)],
    "seconds = ": [{"seconds": value} for value in (-1, math.nan, math.inf, 1e300, None)],
    "machines = ": [
        {"machines": value}
        for value in (None, [[1]], [[0, {}]], [[1, {"NPROC": 2}]], [[1, []]], [{"first": 1}])
    ],
    "ended = ": [{"ended": value} for value in ("boredom", [])],
    "snapshots = ": [{"snapshots": value} for value in (None, "20", [[20]], [True])],
    "settings = ": [{"settings": []}],
    "engine = ": [{"engine": value} for value in ({"linker": 3}, "jax")],
    "data = ": [{"data": v} for v in ("5f" * 32, None, ["5F" * 32], [["5f" * 32]], ["5f"])],
    "program = ": [
        *({"program": value} for value in (None, [["loss", []]], "loss")),
        *(
            {"program": {"loss": value}}
            for value in ("ab", ["ab"], ["ab", "c"], [1, []], ["ab", [1]], ["ab", [], []], {})
        ),
    ],
    "best = ": [
        *({"best": value} for value in ("W", [3], {"n_errors": 3, "n_examples": 10})),
        *({"best": value} for value in ([True, 10], [math.nan, 10], [math.inf, 10], [3, 0])),
    ],
    "no arrays history and losses": [{"history": MISSING}, {"losses": MISSING}],
    'an array "': [{"momentum": np.zeros(3)}, {"worst/W": np.zeros(3)}, {"params": np.zeros(3)}],
    "no parameters": [{"params/W": MISSING, "params/b": MISSING}],
    '" with values that are not finite numbers': [
        {"params/b": np.full(3, np.nan)},
        {"best/b": np.full(3, np.inf)},
        {"state/n": np.array(-np.inf)},
    ],
    "best parameters unlike the parameters": [
        {"params/b": MISSING},
        {"params/b": np.zeros(3, "int64")},
        {"best/b": np.zeros(4)},
        {"best/b": np.zeros(3, "float32")},
    ],
    "losses that are not one row of finite float64": [
        {"losses": value}
        for value in (
            np.zeros((1, 2)),
            np.zeros(2, "float32"),
            np.zeros(2, "int64"),
            np.full(2, np.nan),
        )
    ],
    "a history of another shape or dtype": [
        {"history": lambda rows: rows.reshape(-1)},
        {"history": lambda rows: rows[:, :-1]},
        {"history": lambda rows: rows.astype("float32")},
        {"history": lambda rows: rows.astype("int64")},
    ],
    "a history with an impossible iteration": [
        history(0, "iteration", value) for value in (0, 0.5, 1e300, np.nan)
    ],
    "a history with an impossible epoch": [history(0, "epoch", 0.5)],
    "a history with an impossible train_loss": [
        history(1, "train_loss", np.nan),
        # without a validation set too
        {"history": lambda rows: rows * [1, 1, np.nan, np.nan, 1, 1, 1]},
    ],
    "a history with an impossible validation_error": [
        history(row, "validation_error", value) for row, value in ((0, np.nan), (3, np.inf))
    ],
    "a history with an impossible patience": [history(0, "patience", value) for value in (1, 1e22)],
    "a history with an impossible seconds": [history(0, "seconds", v) for v in (-1, np.inf)],
    "a history with an impossible machine": [history(0, "machine", value) for value in (0, 1.5)],
    "machines that are not those of the history": [
        history(3, "machine", 2),
        *({"machines": [[1, {}], [n, {}]]} for n in (1, 30, 44)),
        {"machines": [[2, {}]]},
        {"machines": []},
    ],
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
    "snapshots of no known": [{"snapshots": value} for value in ([20, 20], [40, 20], [25])],
    "a best model that is not the best of the history": [
        history(0, "validation_error", 0.1),
        {"best": [2, 10]},
        {"best": [3.000000000000001, 10]},
        {"best": None},
        {"best/W": MISSING, "best/b": MISSING},
        {"history": lambda rows: rows[:0], "losses": np.zeros(42), "snapshots": []},
        {"history": lambda rows: rows * [1, 1, 1, np.nan, 1, 1, 1]},
    ],
}


@pytest.mark.parametrize("found", DAMAGES)
def test_parts_that_do_not_agree_are_refused(tmp_path, found):
    path, whole = tmp_path / "checkpoint.npz", after(4, 2, snapshots=(20, 40))
    rewritten(path, whole)
    assert bits(read_checkpoint(path)) == bits(whole)
    for damage in DAMAGES[found]:
        rewritten(path, whole, **damage)
        with pytest.raises(DataError) as caught:
            read_checkpoint(path)
        line = str(caught.value)
        assert line.startswith(f"{path}: found ") and "\n" not in line
        assert found in line.partition("; expected")[0]
        assert line.count("; expected a") == 1 and line.endswith(" or start anew") == (
            found != "something else in __dlt__"
        )


def test_a_history_may_not_be_longer_than_one_that_can_be_read(tmp_path, monkeypatch):
    write_checkpoint(tmp_path / "checkpoint.npz", after(4))
    monkeypatch.setattr(checkpoint, "MAX_ROWS", 3)
    with pytest.raises(DataError, match="found a history of more than 3 rows"):
        read_checkpoint(tmp_path / "checkpoint.npz")


def test_deep_settings_are_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, after(4, 2))
    arrays = read_npz(path)
    text = arrays["__dlt__"].tolist()
    for depth in (98, 99, 900, 100000):
        deep = text.replace('"learning_rate": 0.13', '"deep": ' + "[" * depth + "]" * depth)
        with open(path, "wb") as file:
            write_npz(file, dict(arrays, __dlt__=np.array(deep)))
        if depth == 98:  # what can be read can be written
            write_checkpoint(tmp_path / "again.npz", read_checkpoint(path))
            continue
        with pytest.raises(DataError, match="found something else in __dlt__"):
            read_checkpoint(path)


def test_flipped_bits_are_refused_or_harmless(tmp_path, rng):
    path = tmp_path / "checkpoint.npz"
    checkpoint = after(2, 1)
    write_checkpoint(path, checkpoint)
    whole = path.read_bytes()
    for bit in rng.integers(0, 8 * len(whole), 300).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            read = read_checkpoint(path)
        except DataError:
            continue
        assert bits(read) == bits(checkpoint)  # a bit that means nothing, such as a date


def test_saved_parameters_are_no_checkpoint(tmp_path):
    save_params(tmp_path / "params.npz", {"W": np.zeros(2)}, settings={"seed": 1})
    with pytest.raises(DataError, match="expected a checkpoint of format 3"):
        read_checkpoint(tmp_path / "params.npz")
