"""History: one row for each validation, in memory and in a CSV file.

Source: page "Getting Started", section "Plotting Intermediate Results".
"""

from __future__ import annotations

import array
import collections.abc
import itertools
import os
import re
from typing import Any, Iterable, NamedTuple

import numpy as np

from dlt.errors import DataError, SettingsError
from dlt.files.reading import open_capped
from dlt.files.writing import write_atomically


class HistoryRow(NamedTuple):
    """One validation.

    Fields
    ------
    iteration : int
        Minibatch updates made so far.
    epoch : int
        The current epoch, or the one that just ended, from 1.
    train_loss : float
        Mean of the minibatch losses since the row before, each computed before its update.
    validation_error : float
        Fraction of the validation examples that were misclassified, 0..1, or the mean of
        measured errors; NaN without a validation set.
    patience : float
        Iteration at which patience runs out, as of this validation (see `dlt.Patience`).
    seconds : float
        Time in the loop so far.
    machine : int
        Number of machines that the run has had: 1, unless it was resumed on another one. They are
        listed in ``settings.json``.
    """

    iteration: int
    epoch: int
    train_loss: float
    validation_error: float
    patience: float
    seconds: float
    machine: int = 1


#: Most rows of a history, in memory and in files. So reading one takes at most 96 MiB of memory,
#: whatever the file holds.
MAX_ROWS = 1 << 20

_TYPES = (int, int, float, float, float, float, int)
_LONGEST = 256  # bytes of a line, more than any needs
_LONGEST_NUMBER = 40  # characters; int() takes quadratic time
_NUMBER = {
    int: re.compile(r"-?[0-9]{1,18}"),
    float: re.compile(r"-?([0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?|inf)|nan"),
}


class History(collections.abc.Sequence):
    """The rows of a history: an immutable value like a tuple, but adding a row is cheap.

    Parameters
    ----------
    rows : iterable of HistoryRow

    Examples
    --------
    >>> first = History([HistoryRow(83, 1, 0.75, 0.125, 5000.0, 1.5)])
    >>> longer = first.with_row(HistoryRow(166, 2, 0.5, 0.25, 5000.0, 3.0))
    >>> len(first), len(longer), longer[-1].epoch, longer.best.epoch
    (1, 2, 2, 1)
    """

    __slots__ = ("_best", "_n", "_values")

    # A history and those made from it with `with_row` share their numbers: each uses `_n` rows.
    def __init__(self, rows: Iterable[HistoryRow] = ()) -> None:
        self._values = array.array("d")
        for row in itertools.starmap(HistoryRow, rows):  # adds columns that are missing
            self._values.extend(row)
        self._n = len(self._values) // len(_TYPES)
        self._best = 0
        if self._n:  # without a validation set all errors are NaN, and argmin is 0
            column = HistoryRow._fields.index("validation_error")
            self._best = int(np.frombuffer(self._values)[column :: len(_TYPES)].argmin())

    def with_row(self, row: HistoryRow) -> History:
        """Return the history with one more row."""
        longer, size = History(), self._n * len(_TYPES)
        # a copy, if another row was added to this history before
        longer._values = self._values if len(self._values) == size else self._values[:size]
        longer._values.extend(row)
        longer._n = self._n + 1
        best = self.best
        is_better = best is None or row.validation_error < best.validation_error
        longer._best = self._n if is_better else self._best
        return longer

    @property
    def best(self) -> HistoryRow | None:
        """The row with the lowest validation error, the first of several; None without rows."""
        return self[self._best] if self._n else None

    def as_array(self) -> np.ndarray:
        """Return a copy as float64, shape (n, columns)."""
        found = np.array(self._values, np.float64).reshape(-1, len(_TYPES))
        return found[: self._n]

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(self._n)))
        first = range(self._n)[index] * len(_TYPES)
        values = self._values[first : first + len(_TYPES)]
        return HistoryRow(*(kind(value) for kind, value in zip(_TYPES, values)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, History):  # without a validation set, the errors are NaN
            return np.array_equal(self.as_array(), other.as_array(), equal_nan=True)
        if isinstance(other, (tuple, list)):
            return list(self) == list(other)
        return NotImplemented

    def __repr__(self) -> str:
        return f"History({list(self)})"


def write_history(path: str | os.PathLike, history: Iterable[HistoryRow]) -> None:
    """Write a history to a CSV file, whole or not at all.

    Raises
    ------
    SettingsError
        The history has more than `MAX_ROWS` rows, or a number that `read_history` refuses.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "history.csv")
    >>> write_history(path, [HistoryRow(83, 1, 0.75, 0.125, 5000.0, 1.5)])
    >>> read_history(path)[0].validation_error
    0.125
    """

    def write(file):
        try:
            for cells in itertools.chain([HistoryRow._fields], map(_cells, _limited(history))):
                file.write((",".join(cells) + "\n").encode())
        except (TypeError, ValueError, OverflowError) as error:
            raise SettingsError("history", error, "rows that read_history can read") from None

    write_atomically(path, write)


def read_history(path: str | os.PathLike) -> History:
    """Read a history from a CSV file.

    Raises
    ------
    DataError
        The file is missing, not a history, or has more than `MAX_ROWS` rows.
    """
    expected = f"lines of {','.join(HistoryRow._fields)}"
    with open_capped(path, (MAX_ROWS + 1) * _LONGEST, "a history (CSV)") as file:
        try:
            lines = _lines(file)
            first = tuple(next(lines, ()))
            if first != HistoryRow._fields:
                raise ValueError(f"a first line {','.join(first)[:60]!r}")
            return History(_limited(map(_row, lines)))
        except ValueError as error:
            raise DataError(path, error, expected, "train again") from None


def lowest_error(history: Iterable[HistoryRow]) -> float | None:
    """Return the lowest validation error from 0 to 1, or None if there is none.

    Examples
    --------
    >>> row = HistoryRow(83, 1, 0.75, 0.125, 5000.0, 1.5)
    >>> lowest_error([row._replace(validation_error=float("nan")), row])
    0.125
    """
    errors = (row.validation_error for row in history)
    return min((error for error in errors if 0 <= error <= 1), default=None)


def _lines(file):
    """Yield the values in each line, as text."""
    while line := file.readline(_LONGEST + 1):
        if len(line) > _LONGEST:
            raise ValueError(f"a line of more than {_LONGEST} bytes")
        yield line.decode("utf-8", "replace").rstrip("\r\n").split(",")


def _limited(rows):
    """Yield rows, and raise a ValueError if there are too many."""
    for n, row in enumerate(rows):
        if n == MAX_ROWS:
            raise ValueError(f"more than {MAX_ROWS} rows")
        yield row


def _cells(row):
    """Return a row's numbers as text, and check that this can be read."""
    # repr() of a float is the shortest text that reads back as the same number
    cells = [repr(kind(value)) for kind, value in zip(_TYPES, row)]
    _row(cells)
    return cells


def _row(line):
    """Return the row in a line of the file."""
    if len(line) != len(_TYPES):
        raise ValueError(f"a line of {len(line)} values")
    for kind, text in zip(_TYPES, line):
        if len(text) > _LONGEST_NUMBER or not _NUMBER[kind].fullmatch(text):
            raise ValueError(f"{text[:_LONGEST_NUMBER]!r} where a number should be")
    return HistoryRow(*(kind(text) for kind, text in zip(_TYPES, line)))
