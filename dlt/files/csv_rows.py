"""CSV files of examples: a line for each example, a column for each value, and one for the label.

One pass checks the whole file. After that, rows are read from the file on demand, so it may be
larger than memory. A gzipped file is unpacked into memory.

Source: RFC 4180, "Common Format and MIME Type for CSV Files".
"""

from __future__ import annotations

import bisect
import contextlib
import csv
import io
import os
import sys
import threading
import warnings
import weakref
from typing import Any, NamedTuple, Sequence

import numpy as np

from dlt.errors import DataError
from dlt.files.reading import open_capped, open_regular

#: Names of the column with the labels, in lower or upper case.
LABEL_COLUMNS = ("label", "labels", "class", "target", "digit", "y")

_NO_VALUES = ("", "id", "index", "unnamed: 0", "imageid")  # columns that number the rows
_LONGEST = 1 << 22  # bytes of a line
_MOST = 1 << 18  # columns: pictures of 512 x 512
_BLOCK = 1 << 20  # bytes of lines to parse together
_EXPECTED = "a CSV file with one line for each example"
_SEPARATORS = (",", ";", "\t")


class _Columns(NamedTuple):
    """What the columns of a file are."""

    separator: str
    n: int
    label: int | None
    not_values: tuple[int, ...]  # the label and the row numbers


def is_csv(head: bytes) -> bool:
    r"""Return whether a file that begins with these bytes may be a CSV file.

    Examples
    --------
    >>> is_csv(b"label,pixel0\n3,0\n"), is_csv(b"\x80\x02]q\0(U,"), is_csv(b"a sentence\n")
    (True, False, False)
    """
    line = head.split(b"\n")[0].rstrip(b"\r")
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = line[: error.start].decode("utf-8-sig") if error.start > len(line) - 4 else ""
    plain = text.replace("\t", " ").isprintable()
    return plain and any(separator in text for separator in _SEPARATORS)


def label_column(what: str, kind: str, names: Sequence[Any], required: bool = True) -> Any:
    """Return the index of the column with the labels, or None if there is none.

    Parameters
    ----------
    what, kind : str
        The name of the table, and a phrase for it, in messages.
    names : sequence
        The names of all columns.
    required : bool
        Whether a column of labels must be there.

    Raises
    ------
    DataError
        A required column is missing, or several columns have such a name.

    Examples
    --------
    >>> label_column("train.csv", "a header", ["p0", "Label", "p1"])
    1
    """
    known = [i for i, name in enumerate(names) if str(name).strip().lower() in LABEL_COLUMNS]
    if len(known) > 1 or (required and not known):
        found = f"{kind} with {len(known) or 'no'} columns for the label"
        expected = f"one called {', '.join(LABEL_COLUMNS[:-1])} or {LABEL_COLUMNS[-1]}"
        raise DataError(what, found, expected, "rename the column")
    return known[0] if known else None


def read_csv(path: str | os.PathLike, labelled: bool = True) -> tuple[CsvRows, list[str] | None]:
    """Read the labels of a CSV file, and open its rows.

    Parameters
    ----------
    path : str or os.PathLike
        Separated by commas, semicolons or tabs; gzipped or not. With a header, the labels are in
        the column that has one of the names `LABEL_COLUMNS`; without a header, in the first
        column. A column ``id`` is left out.
    labelled : bool
        False: a file without a header has no labels.

    Returns
    -------
    x : CsvRows
    y : list of str, or None
        The labels; None if no column has any.

    Raises
    ------
    DataError
        A line has more or fewer columns than the first, or a value is not a number.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "train.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("label,pixel0,pixel1\\na,0,255\\nb,3,4\\n")
    >>> x, y = read_csv(path)
    >>> x[:].tolist(), y
    ([[0, 255], [3, 4]], ['a', 'b'])
    """
    rows = CsvRows(path, labelled)
    return rows, rows.labels


class CsvRows:
    """The values of a CSV file. Slices are read from the file.

    Attributes
    ----------
    shape : (int, int)
    dtype : numpy.dtype
        uint8 if all values are whole numbers from 0 to 255, else float64.
    path : str
    labels : list of str, or None
    in_blocks : bool
        True: reading one row takes as long as reading the block of lines that it is in.
    """

    in_blocks = True

    def __init__(self, path: str | os.PathLike, labelled: bool):
        self.path = os.fspath(path)
        self._file, self._lock = _opened(self.path), threading.Lock()
        weakref.finalize(self, self._file.close)
        self._columns, start = self._read_header(labelled)
        self._firsts, self._places = [0], [start]  # the row and the byte where each block begins
        n_values = self._columns.n - len(self._columns.not_values)
        if not n_values:
            raise DataError(self.path, "no column of values", _EXPECTED)
        all_bytes, labels = True, []
        while lines := self._read_block(self._places[-1]):
            values, more = self._parsed(lines, self._firsts[-1])
            whole = values.dtype.kind == "i"
            all_bytes = all_bytes and whole and values.min() >= 0 and values.max() <= 255
            labels += more
            self._firsts.append(self._firsts[-1] + len(values))
            self._places.append(self._file.tell())
        self.shape = (self._firsts[-1], n_values)
        if not self.shape[0]:
            raise DataError(self.path, "a header and no examples", _EXPECTED)
        self.dtype = np.dtype(np.uint8 if all_bytes else np.float64)
        self.labels = None if self._columns.label is None else labels

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, stop, _ = rows.indices(len(self))
        found = np.empty((max(0, stop - first), self.shape[1]), self.dtype)
        done, block = 0, bisect.bisect_right(self._firsts, first) - 1
        while done < len(found):
            values, _ = self._parsed(self._read_block(self._places[block]), self._firsts[block])
            values = values[first + done - self._firsts[block] :][: len(found) - done]
            if not len(values):
                end = f"the end of the file at row {first + done}"
                raise DataError(self.path, end, f"{len(self)} rows, as when it was opened")
            found[done : done + len(values)] = values
            done, block = done + len(values), block + 1
        return found

    def _read_header(self, labelled):
        """Return the columns, and the byte where the examples begin."""
        line = _text(self.path, self._file.readline(_LONGEST), 0)
        separator = max(_SEPARATORS, key=line.count)
        cells = [cell.strip() for cell in _cells(self.path, line, separator)]
        names = [cell.lower() for cell in cells]
        numbered = names == [str(i) for i in range(len(names))]  # a pandas frame without names
        if not numbered and all(map(_is_number, cells[1:])) and names[0] not in LABEL_COLUMNS:
            label, not_values = (0, (0,)) if labelled else (None, ())
            return _Columns(separator, len(cells), label, not_values), 0
        label = label_column(self.path, "a header", names, labelled)
        not_values = tuple(i for i, name in enumerate(names) if i == label or name in _NO_VALUES)
        return _Columns(separator, len(cells), label, not_values), self._file.tell()

    def _read_block(self, place):
        """Return a block of lines that begins at a byte of the file, without blank ones."""
        lines, size = [], 0
        with self._lock:
            self._file.seek(place)
            while size < _BLOCK and (line := self._file.readline(_LONGEST)):
                if line.strip():
                    lines.append(line)
                    size += len(line)
        return lines

    def _parsed(self, lines, first):
        """Return the values and labels of some lines; `first` is the number of the first row."""
        separator, n, label, not_values = self._columns
        n_apart = not_values[-1] + 1 if not_values else 0  # columns to split off: few, so fast
        texts, labels = [], []
        for row, line in enumerate(lines, first):
            line = _text(self.path, line, row)
            if '"' in line or line.count(separator) != n - 1:
                cells = _cells(self.path, line, separator)
                if len(cells) != n:
                    found = f"{len(cells)} columns in row {row}"
                    raise DataError(self.path, found, f"{n}, as in the first line")
            else:
                cells = line.split(separator, n_apart)
            if label is not None:
                labels.append(sys.intern(cells[label].strip()))
            kept = (cell for i, cell in enumerate(cells) if i not in not_values)
            texts.append(separator.join(kept))
        width = n - len(not_values)
        values = _numbers(separator.join(texts), separator)
        if values.size != len(lines) * width:
            sizes = (_numbers(text, separator).size for text in texts)
            row = next((row for row, size in enumerate(sizes, first) if size != width), first)
            raise DataError(self.path, f"something other than numbers in row {row}", "numbers")
        return values.reshape(len(lines), width), labels


def _opened(path):
    with open_regular(path, _EXPECTED) as file:
        zipped = file.read(2) == b"\x1f\x8b"
    if zipped:
        with open_capped(path, expected=_EXPECTED) as file:
            return io.BytesIO(file.read_buffer())
    return io.BufferedReader(open_regular(path, _EXPECTED))


def _text(path, line, row):
    if len(line) == _LONGEST:
        raise DataError(path, f"a line of more than {_LONGEST} bytes", _EXPECTED)
    try:
        return line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(path, f"text that is not UTF-8 in row {row}", _EXPECTED) from None


def _cells(path, line, separator):
    if line.count(separator) >= _MOST:
        raise DataError(path, f"{line.count(separator) + 1} columns", f"at most {_MOST}")
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error as error:  # such as a bare carriage return within the line
        raise DataError(path, f"a line that is not CSV ({error})", _EXPECTED) from None


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(text, separator):
    """Return the numbers in a text, or none of them if it has anything else."""
    for dtype in (np.int64, np.float64):  # reading whole numbers takes a fifth of the time
        with warnings.catch_warnings(), contextlib.suppress(ValueError, DeprecationWarning):
            warnings.simplefilter("error")  # old numpy only warns about text that it cannot read
            return np.fromstring(text, dtype, sep=separator)
    return np.empty(0)
