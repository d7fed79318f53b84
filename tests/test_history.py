"""A history survives the disk, digit for digit."""

import gzip
import math
import pickle

import numpy as np
import pytest

from dlt.errors import DataError, SettingsError
from dlt.runs import history
from dlt.runs.history import History, HistoryRow, read_history, write_history

pytestmark = pytest.mark.once

HEADER = "iteration,epoch,train_loss,validation_error,patience,seconds,machine"
ROWS = [
    HistoryRow(83, 1, 0.6123456789012345, 0.12458333333333334, 5000.0, 0.1),
    HistoryRow(166, 2, 1e-300, 0.0, 12118.0, 1 / 3),
    HistoryRow(249, 3, float("inf"), float("-inf"), 1e300, 1e-7),
]


def test_what_is_written_is_read(tmp_path):
    write_history(tmp_path / "history.csv", ROWS)
    assert read_history(tmp_path / "history.csv") == ROWS
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == HEADER
    assert lines[1] == "83,1,0.6123456789012345,0.12458333333333334,5000.0,0.1,1"


def test_errors_of_a_run_without_validation_set_are_not_a_number(tmp_path):
    write_history(tmp_path / "history.csv", [ROWS[0]._replace(validation_error=float("nan"))])
    (row,) = read_history(tmp_path / "history.csv")
    assert repr(row) == repr(ROWS[0]).replace("0.12458333333333334", "nan")


def test_an_empty_history_is_one(tmp_path):
    write_history(tmp_path / "history.csv", [])
    assert read_history(tmp_path / "history.csv") == []


@pytest.mark.parametrize(
    "text, message",
    [
        ("a,b\n1,2\n", "found a first line 'a,b'; expected lines of iteration,epoch"),
        (HEADER + "\n1,2,3\n", "found a line of 3 values"),
        (HEADER + "\n1,2,x,0,0,0,1\n", "found 'x' where a number should be; expected lines of"),
        (HEADER + "\n1.5,2,0,0,0,0,1\n", "found '1.5' where a number should be"),
        (HEADER + "\n1_0,2,0,0,0,0,1\n", "found '1_0' where a number should be"),
        (HEADER + "\n1,2,\u0663.5,0,0,0,1\n", "found '\u0663.5' where a number should be"),
        # int() of so many digits takes minutes in old Pythons and is refused by new ones
        (HEADER + "\n" + "9" * 200 + ",2,0,0,0,0,1\n", "found '9{40}' where a number should be"),
        (HEADER + "\n1,2," + "9" * 200 + ",0,0,0,1\n", "found '9{40}' where a number should be"),
        (HEADER + "\n1,2," + "9" * 300 + ",0,0,0,1\n", "found a line of more than 256 bytes"),
        (HEADER + '\n"' + "\n1" * 70000, "found a line of 1 values"),
        (HEADER + "\n\x00\n", "history.csv: found "),
        (
            HEADER + "\n\udcff,1,0,0,0,0,1\n",
            r"history\.csv: found '\ufffd' where a number should be; expected",
        ),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    (tmp_path / "history.csv").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(DataError, match=message) as caught:
        read_history(tmp_path / "history.csv")
    assert type(caught.value.found) is str and len(str(caught.value)) < 400


def test_what_cannot_be_read_is_not_written(tmp_path):
    path = tmp_path / "history.csv"
    write_history(path, ROWS)
    before = path.read_bytes()
    for row, message in [
        ((10**18, *ROWS[0][1:]), "'1000000000000000000' where a number should be"),
        ((math.nan, *ROWS[0][1:]), "cannot convert float NaN"),
        (ROWS[0][:3], "a line of 3 values"),
        ((None, *ROWS[0][1:]), "must be a string"),
    ]:
        with pytest.raises(SettingsError, match=f"history: found .*{message}"):
            write_history(path, [*ROWS, row])
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_writing_and_reading_have_one_limit(tmp_path, monkeypatch):
    path = tmp_path / "history.csv"
    write_history(path, [*ROWS, ROWS[0]])
    monkeypatch.setattr(history, "MAX_ROWS", 3)
    with pytest.raises(DataError, match="found more than 3 rows; expected lines of iteration"):
        read_history(path)
    with pytest.raises(SettingsError, match="found more than 3 rows; expected rows that read_"):
        write_history(path, [*ROWS, ROWS[0]])
    write_history(path, ROWS)
    assert read_history(path) == ROWS


def test_a_gzipped_history_is_not_read_beyond_the_limit(tmp_path):
    lines = gzip.compress(b"1" * 200 + b"\n") * 3
    (tmp_path / "history.csv").write_bytes(gzip.compress(HEADER.encode() + b"\n") + lines)
    with pytest.raises(DataError, match="found a line of 1 values"):
        read_history(tmp_path / "history.csv")


# --- In memory ---------------------------------------------------------------------------------


def test_a_history_grows_and_stays_a_value():
    first = History(ROWS[:1])
    both = first.with_row(ROWS[1])
    other = first.with_row(ROWS[2])  # after another row was added to the same numbers
    longer = both.with_row(ROWS[2])
    assert (first, both, other) == (ROWS[:1], ROWS[:2], (ROWS[0], ROWS[2]))
    assert longer == History(ROWS) == ROWS and longer != both and longer != 3
    assert pickle.loads(pickle.dumps(both)) == both
    unvalidated = [ROWS[0]._replace(validation_error=math.nan)]
    assert History(unvalidated) == History(unvalidated) != first
    assert History([row[:-1] for row in ROWS]) == ROWS  # as of before there were machines
    with pytest.raises(TypeError):
        History([ROWS[0], ROWS[1][:3]])
    assert (longer[-1], longer[:2], list(longer)) == (ROWS[2], tuple(ROWS[:2]), ROWS)
    assert [list(map(type, row)) for row in longer] == [[int, int, *[float] * 4, int]] * 3
    with pytest.raises(IndexError):
        first[1]
    assert (len(History()), History().best, bool(History())) == (0, None, False)
    np.testing.assert_array_equal(both.as_array(), np.asarray(ROWS[:2]))


@pytest.mark.parametrize(
    "errors, best", [([0.5, 0.3, 0.3, 0.4], 1), ([math.nan] * 3, 0), ([0.1], 0)]
)
def test_the_best_row_is_the_first_with_the_lowest_error(errors, best):
    rows = [HistoryRow(i, 1, 0.5, error, 9.0, 0.5) for i, error in enumerate(errors, start=1)]
    grown = History()
    for row in rows:
        grown = grown.with_row(row)
    assert grown.best[:2] == History(rows).best[:2] == rows[best][:2]
