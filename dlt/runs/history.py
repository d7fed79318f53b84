"""History: what happened at each validation, as plain rows that outlive the training script.

A history is a list of `HistoryRow`; on disk it is a CSV file with one column for each
field, which a spreadsheet opens and a plotting script reads without the training code.

Source: page "Getting Started", section "Plotting Intermediate Results".
"""

import collections
import csv
import io
import re

from dlt.errors import DataError
from dlt.files.reading import open_capped
from dlt.files.writing import write_atomically

HistoryRow = collections.namedtuple(
    "HistoryRow", "iteration epoch train_loss validation_error patience seconds"
)
HistoryRow.__doc__ = """One validation.

Fields
------
iteration : int
    Minibatch updates made so far.
epoch : int
    The epoch under way or just finished, from 1.
train_loss : float
    Mean of the minibatch losses since the row before, each as it was before its update.
validation_error : float
    Fraction of the validation examples that were misclassified, 0..1, or the mean of errors that
    are measured; NaN where nothing is validated.
patience : float
    Iteration at which patience runs out, after this validation (see `dlt.Patience`).
seconds : float
    Time since the loop began.
"""

#: Most bytes of a history, decompressed: half a million validations.
MAX_BYTES = 1 << 25

_TYPES = dict(zip(HistoryRow._fields, (int, int, float, float, float, float)))
_LONGEST_NUMBER = 40
_NUMBER = {
    int: re.compile(r"-?[0-9]{1,18}"),
    float: re.compile(r"-?([0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?|inf)|nan"),
}


def write_history(path, history):
    """Write a history to a CSV file, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
    history : iterable of HistoryRow

    Raises
    ------
    SettingsError
        The file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> path = os.path.join(folder, "history.csv")
    >>> write_history(path, [HistoryRow(83, 1, 0.75, 0.125, 5000.0, 1.5)])
    >>> read_history(path)[0].validation_error
    0.125
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HistoryRow._fields)
    # repr() of a float is the shortest text that reads back as the same number
    writer.writerows([repr(kind(v)) for kind, v in zip(_TYPES.values(), row)] for row in history)
    write_atomically(path, lambda file: file.write(text.getvalue().encode("ascii")))


def read_history(path):
    """Read a history back.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    list of HistoryRow

    Raises
    ------
    DataError
        The file is missing or not a history, or larger than `MAX_BYTES`.
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
        raise DataError(path, "bytes that are no text", expected, "train again") from None
    except (ValueError, csv.Error) as error:
        raise DataError(path, error, expected, "train again") from None


def lowest_error(history):
    """Return the lowest validation error, leaving out what is no fraction; None if none is one.

    Parameters
    ----------
    history : iterable of HistoryRow

    Returns
    -------
    float or None

    Examples
    --------
    >>> row = HistoryRow(83, 1, 0.75, 0.125, 5000.0, 1.5)
    >>> lowest_error([row._replace(validation_error=float("nan")), row])
    0.125
    """
    errors = (row.validation_error for row in history)
    return min((error for error in errors if 0 <= error <= 1), default=None)


def _row(line):
    if len(line) != len(_TYPES):
        raise ValueError(f"a line of {len(line)} values")
    return HistoryRow(*(_number(kind, text) for kind, text in zip(_TYPES.values(), line)))


def _number(kind, text):
    """Read a number as `write_history` writes it; int() takes quadratic time over long ones."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER[kind].fullmatch(text):
        raise ValueError(f"{text[:_LONGEST_NUMBER]!r} where a number should be")
    return kind(text)
