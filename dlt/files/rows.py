"""Rows: read some rows of an array in a raw ``.npy`` or IDX file, without the rest.

Files are not mapped into memory: the resident memory would grow to the size of the file.
"""

from __future__ import annotations

import math
import os
import threading
import weakref
from typing import Iterator

import numpy as np

from dlt.errors import DataError
from dlt.files.idx import read_idx_header
from dlt.files.npz import read_npy_header
from dlt.files.reading import describe_head, open_regular

_PIECE = 1 << 22  # bytes read at a time; reading can be stopped between two pieces
_GAP = 1 << 16  # rows with fewer bytes between them are read in one go

_EXPECTED = "a .npy file, or an IDX file that is not gzipped"


class RowFile:
    """An array in a file. Its slices are read from there.

    Parameters
    ----------
    path : str or os.PathLike
        A raw ``.npy`` or IDX file, in C order and native byte order.

    Attributes
    ----------
    shape : tuple of int
        (N, ...), one row for each example.
    dtype : numpy.dtype
    path : str
    in_place : bool
        True: rows can be read without reading the whole file.

    Raises
    ------
    DataError
        The file is missing, of another kind, or not as long as its header says.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "x.npy")
    >>> np.save(path, np.arange(6, dtype="uint8").reshape(3, 2))
    >>> rows = RowFile(path)
    >>> rows.shape, rows[1:3].tolist()
    ((3, 2), [[2, 3], [4, 5]])
    """

    in_place = True

    def __init__(self, path: str | os.PathLike):
        self.path = os.fspath(path)
        # It stays open, so another file that takes its name is never read.
        self._file, self._lock = open_regular(self.path, _EXPECTED), threading.Lock()
        weakref.finalize(self, self._file.close)
        dtype, self.shape, fortran_order = self._header()
        self.dtype, self._start = np.dtype(dtype), self._file.tell()
        if fortran_order or not self.dtype.isnative:
            found = f"an array of {self.dtype.str}, {'Fortran' if fortran_order else 'C'} order"
            remedy = "save numpy.ascontiguousarray(x) in native byte order"
            raise DataError(self.path, found, "numbers in C order and native byte order", remedy)
        expected = self._start + self.dtype.itemsize * math.prod(self.shape)
        size = os.fstat(self._file.fileno()).st_size
        if size != expected:
            found, wanted = f"{size} bytes", f"{expected}, for the shape {self.shape}"
            raise DataError(self.path, found, wanted, "get the whole file")

    def _header(self):
        head = self._file.read(64)
        self._file.seek(0)
        if head[:2] == b"\0\0":
            return (*read_idx_header(self.path, self._file), False)
        if not head.startswith(b"\x93NUMPY"):
            raise DataError(self.path, describe_head(head), _EXPECTED)
        dtype, shape, fortran_order = read_npy_header(self.path, self._file)
        if not shape:
            raise DataError(self.path, "one number", "an array with one row for each example")
        return dtype, shape, fortran_order

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, stop, _ = rows.indices(len(self))
        found = np.empty((max(0, stop - first), *self.shape[1:]), self.dtype)
        self.read_into(found, first)
        return found

    def __len__(self) -> int:
        return self.shape[0]

    def read_into(self, out: np.ndarray, first: int) -> None:
        """Fill an array with the rows from row `first` on.

        Raises
        ------
        DataError
            The file is too short, or the disk fails.
        """
        place = self._start + first * self.dtype.itemsize * math.prod(self.shape[1:])
        view = memoryview(out.reshape(-1).view(np.uint8).data)
        while view:
            try:
                n = self._read_at(view, place)
            except OSError as error:
                found = f"an error at byte {place} ({error.strerror or error})"
                raise DataError(self.path, found, remedy="check the disk") from error
            if not n:
                wanted = f"{len(view)} bytes more, as when it was opened"
                found = f"its end at byte {place}"
                raise DataError(self.path, found, wanted, "get the whole file")
            view, place = view[n:], place + n

    def _read_at(self, view, place):
        if hasattr(os, "preadv"):  # does not use the position, which forks share
            return os.preadv(self._file.fileno(), [view], place)
        with self._lock:
            self._file.seek(place)
            return self._file.readinto(view)


def is_in_rows(path: str | os.PathLike) -> bool:
    """Return whether a ``.npy`` file is in C order and native byte order, as `RowFile` needs it."""
    with open_regular(path, _EXPECTED) as file:
        descr, _, fortran_order = read_npy_header(path, file)
    return np.dtype(descr).isnative and not fortran_order


class Rows:
    """Some rows of a source, as a new source.

    Parameters
    ----------
    source : object
        With ``shape``, ``dtype`` and slicing.
    numbers : ndarray
        Which rows, ascending.
    dtype : numpy.dtype, optional
        The dtype to cast them to.

    Examples
    --------
    >>> rows = Rows(np.arange(10), np.asarray([2, 5, 6]))
    >>> rows.shape, rows[1:3].tolist()
    ((3,), [5, 6])
    """

    def __init__(self, source, numbers: np.ndarray, dtype=None):
        self._source, self._numbers = source, numbers
        self.dtype = np.dtype(dtype or source.dtype)
        self.shape = (len(numbers), *source.shape[1:])
        self.path = getattr(source, "path", None)
        self.in_place = getattr(source, "in_place", False)
        self.in_blocks = getattr(source, "in_blocks", False)

    def __getitem__(self, rows: slice) -> np.ndarray:
        numbers = self._numbers[rows]
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for place, piece in numbered_rows(self._source, numbers, self.dtype):
            found[place] = piece
        return found


def numbered_rows(source, numbers: np.ndarray, dtype) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield some rows of a source, a few megabytes at a time. Rows that lie close are read at once.

    Parameters
    ----------
    source, numbers, dtype
        See `Rows`.

    Yields
    ------
    place : slice
        The places of these rows in `numbers`.
    rows : ndarray
    """
    step = rows_at_once(source)
    between = (np.diff(numbers) - 1) * row_bytes(source.dtype, source.shape[1:])
    far = (between > _GAP) & (not getattr(source, "in_blocks", False))
    ends, begin = np.append(np.flatnonzero(far) + 1, len(numbers)), 0
    while begin < len(numbers):
        first = int(numbers[begin])
        end = min(
            ends[np.searchsorted(ends, begin, "right")], np.searchsorted(numbers, first + step)
        )
        piece = np.empty((int(numbers[end - 1]) + 1 - first, *source.shape[1:]), dtype)
        read_rows(source, piece, first)
        yield slice(begin, end), piece[numbers[begin:end] - first]
        begin = end


def read_rows(source, out: np.ndarray, first: int) -> None:
    """Fill an array with the rows of a source from row `first` on, cast to the array's dtype.

    Parameters
    ----------
    source : object
        With ``shape``, ``dtype`` and slicing, such as a `RowFile` or a dataset of h5py.
    out : ndarray, in C order
    first : int

    Raises
    ------
    DataError
        The source returns fewer rows, or rows of another shape.
    """
    if hasattr(source, "read_into") and out.dtype == source.dtype:
        source.read_into(out, first)
        return
    rows = np.asarray(source[first : first + len(out)])
    if rows.shape != out.shape:
        name = getattr(source, "path", None) or type(source).__name__
        raise DataError(name, f"rows of shape {rows.shape}", f"{out.shape} from row {first} on")
    with np.errstate(over="ignore"):  # infinite values are refused later
        out[...] = rows


def row_bytes(dtype, row_shape) -> int:
    """Return the number of bytes in a row."""
    return np.dtype(dtype).itemsize * math.prod(row_shape)


def rows_at_once(source) -> int:
    """Return how many rows of a source to read at a time."""
    return max(1, _PIECE // max(1, row_bytes(source.dtype, source.shape[1:])))


def pieces(source):
    """Return an iterator over all rows of a source, some at a time."""
    step = rows_at_once(source)
    return (source[i : i + step] for i in range(0, source.shape[0], step))
