"""A history survives the disk, digit for digit."""

import pytest

from dlt.errors import DataError
from dlt.history import HistoryRow, read_history, write_history

HEADER = "iteration,epoch,train_loss,validation_error,patience,seconds"
ROWS = [
    HistoryRow(83, 1, 0.6123456789012345, 0.12458333333333334, 5000.0, 0.1),
    HistoryRow(166, 2, 1e-300, 0.0, 12118.0, 1 / 3),
]


def test_what_is_written_is_read(tmp_path):
    write_history(tmp_path / "history.csv", ROWS)
    assert read_history(tmp_path / "history.csv") == ROWS
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == HEADER
    assert lines[1] == "83,1,0.6123456789012345,0.12458333333333334,5000.0,0.1"


def test_an_empty_history_is_one(tmp_path):
    write_history(tmp_path / "history.csv", [])
    assert read_history(tmp_path / "history.csv") == []


@pytest.mark.parametrize(
    "text, message",
    [
        ("a,b\n1,2\n", "found a first line 'a,b'; expected lines of iteration,epoch"),
        (HEADER + "\n1,2,3\n", "found a line of 3 values"),
        (HEADER + "\n1,2,x,0,0,0\n", "could not convert string to float: 'x'"),
        (HEADER + "\n1.5,2,0,0,0,0\n", "invalid literal for int"),
        (HEADER + "\n\x00\n", "history.csv: found "),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_history(tmp_path / "history.csv")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"history\.csv: found "):
        read_history(tmp_path / "history.csv")
