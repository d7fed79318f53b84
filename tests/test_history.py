"""A history survives the disk, digit for digit."""

import gzip

import pytest

from dlt.errors import DataError
from dlt.runs.history import HistoryRow, read_history, write_history

pytestmark = pytest.mark.once

HEADER = "iteration,epoch,train_loss,validation_error,patience,seconds"
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
    assert lines[1] == "83,1,0.6123456789012345,0.12458333333333334,5000.0,0.1"


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
        (HEADER + "\n1,2,x,0,0,0\n", "found 'x' where a number should be; expected lines of"),
        (HEADER + "\n1.5,2,0,0,0,0\n", "found '1.5' where a number should be"),
        (HEADER + "\n1_0,2,0,0,0,0\n", "found '1_0' where a number should be"),
        (HEADER + "\n1,2,\u0663.5,0,0,0\n", "found '\u0663.5' where a number should be"),
        # int() of so many digits takes minutes in old Pythons and is refused by new ones
        (HEADER + "\n" + "9" * 130000 + ",2,0,0,0,0\n", "found '9{40}' where a number should be"),
        (HEADER + "\n1,2," + "9" * 130000 + ",0,0,0\n", "found '9{40}' where a number should be"),
        (HEADER + "\n1,2," + "9" * 140000 + ",0,0,0\n", "found field larger than field limit"),
        (HEADER + "\n\x00\n", "history.csv: found "),
        (HEADER + "\n\udcff,1,0,0,0,0\n", r"history\.csv: found bytes that are not text; expected"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    (tmp_path / "history.csv").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(DataError, match=message) as caught:
        read_history(tmp_path / "history.csv")
    assert type(caught.value.found) is str and len(str(caught.value)) < 400


def test_a_gzipped_history_may_not_open_to_more_than_32_mib(tmp_path):
    lines = gzip.compress(b"1,1,0.5,0.5,0.5,0.5\n" * 3000000, 1)
    (tmp_path / "history.csv").write_bytes(gzip.compress(HEADER.encode() + b"\n") + lines * 2)
    with pytest.raises(DataError, match="found more than 33554432 bytes; expected .* a history"):
        read_history(tmp_path / "history.csv")
