"""History: what happened at each validation, as plain rows that outlive the training script.

On disk it is a CSV file with one column for each field of `HistoryRow`.

Source: page "Getting Started", section "Plotting Intermediate Results".
"""

from __future__ import annotations

import csv
import io
import os
import re
from typing import Iterable, NamedTuple

from dlt.errors import DataError
from dlt.files.reading import open_capped
from dlt.files.writing import write_text


class HistoryRow(NamedTuple):
    """One validation.

    Fields
    ------
    iteration : int
        Minibatch updates made so far.
    epoch : int
        The current epoch, or the one that just ended, from 1.
    train_loss : float
        Mean of the minibatch losses since the row before, each from before its update.
    validation_error : float
        Fraction of the validation examples that were misclassified, 0..1, or the mean of
        measured errors; NaN without a validation set.
    patience : float
        Iteration at which patience runs out, after this validation (see `dlt.Patience`).
    seconds : float
        Time since the loop began.
    """

    iteration: int
    epoch: int
    train_loss: float
    validation_error: float
    patience: float
    seconds: float


#: Most bytes of a history, decompressed: half a million validations.
MAX_BYTES = 1 << 25

_TYPES = (int, int, float, float, float, float)
_LONGEST_NUMBER = 40  # int() takes quadratic time over long ones
_NUMBER = {
    int: re.compile(r"-?[0-9]{1,18}"),
    float: re.compile(r"-?([0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?|inf)|nan"),
}


def write_history(path: str | os.PathLike, history: Iterable[HistoryRow]) -> None:
    """Write a history to a CSV file, whole or not at all.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "history.csv")
    >>> write_history(path, [HistoryRow(83, 1, 0.75, 0.125, 5000.0, 1.5)])
    >>> read_history(path)[0].validation_error
    0.125
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HistoryRow._fields)
    # repr() of a float is the shortest text that reads back as the same number
    writer.writerows([repr(kind(v)) for kind, v in zip(_TYPES, row)] for row in history)
    write_text(path, text.getvalue())


def read_history(path: str | os.PathLike) -> list[HistoryRow]:
    """Read a history back.

    Raises
    ------
    DataError
        The file is missing, not a history, or larger than `MAX_BYTES`.
    """
    expected = f"lines of {','.join(HistoryRow._fields)}"
    with open_capped(path, MAX_BYTES, "a history (CSV)") as file:
        data = file.read()
    try:
        lines = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
        first = next(lines, [])
        if tuple(first) != HistoryRow._fields:
            raise ValueError(f"a first line {','.join(first)[:60]!r}")
        return [_row(line) for line in lines]
    except UnicodeDecodeError:
        raise DataError(path, "bytes that are not text", expected, "train again") from None
    except (ValueError, csv.Error) as error:
        raise DataError(path, error, expected, "train again") from None


def lowest_error(history: Iterable[HistoryRow]) -> float | None:
    """Return the lowest validation error that is a fraction, or None if there is none.

    Examples
    --------
    >>> row = HistoryRow(83, 1, 0.75, 0.125, 5000.0, 1.5)
    >>> lowest_error([row._replace(validation_error=float("nan")), row])
    0.125
    """
    errors = (row.validation_error for row in history)
    return min((error for error in errors if 0 <= error <= 1), default=None)


def _row(line):
    """Read a line as `write_history` writes it."""
    if len(line) != len(_TYPES):
        raise ValueError(f"a line of {len(line)} values")
    for kind, text in zip(_TYPES, line):
        if len(text) > _LONGEST_NUMBER or not _NUMBER[kind].fullmatch(text):
            raise ValueError(f"{text[:_LONGEST_NUMBER]!r} where a number should be")
    return HistoryRow(*(kind(text) for kind, text in zip(_TYPES, line)))
