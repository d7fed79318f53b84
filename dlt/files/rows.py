"""Rows of an array that stays in its file: raw ``.npy`` and IDX files, read piece by piece.

Nothing is mapped into memory: a map's resident memory grows to the size of the file.
"""

from __future__ import annotations

import math
import os
import threading
import weakref

import numpy as np

from dlt.errors import DataError
from dlt.files.idx import read_idx_header
from dlt.files.npz import read_npy_header
from dlt.files.reading import describe_head, open_regular

# Bytes read at a time: between two pieces, reading can be stopped.
_PIECE = 1 << 22

_EXPECTED = "a .npy file, or an IDX file that is not gzipped"


class RowFile:
    """An array in a file; its slices are read from there.

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
        True: any rows are read fast.

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
        # Kept open: a file that takes this one's name is not mixed with it.
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
        """Read rows from row `first` on into an array, as many as it has.

        Raises
        ------
        DataError
            The file ends too soon, or the disk fails.
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
        if hasattr(os, "preadv"):  # leaves the position alone, which a fork would share
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
    """Some rows of a source, as a source of its own.

    Parameters
    ----------
    source : object
        With ``shape``, ``dtype`` and slicing.
    numbers : ndarray
        Which rows, ascending.
    dtype : numpy.dtype, optional
        What to cast them to.

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

    def __getitem__(self, rows: slice) -> np.ndarray:
        numbers = self._numbers[rows]
        if not len(numbers):
            return np.empty((0, *self.shape[1:]), self.dtype)
        first, stop = int(numbers[0]), int(numbers[-1]) + 1
        if len(numbers) == stop - first:
            return self._source[first:stop].astype(self.dtype, copy=False)
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        step, done = rows_at_once(self._source), 0
        while done < len(numbers):  # what lies between is read too, but not all at once
            first = int(numbers[done])
            end = int(np.searchsorted(numbers, first + step))
            piece = self._source[first : int(numbers[end - 1]) + 1]
            found[done:end] = piece[numbers[done:end] - first]
            done = end
        return found

    def __len__(self) -> int:
        return self.shape[0]


def read_rows(source, out: np.ndarray, first: int) -> None:
    """Fill an array with the rows of a source from row `first` on, cast to its dtype.

    Parameters
    ----------
    source : object
        With ``shape``, ``dtype`` and slicing, such as a `RowFile` or a dataset of h5py.
    out : ndarray, in C order
    first : int

    Raises
    ------
    DataError
        The source gives fewer rows, or rows of another shape.
    """
    if hasattr(source, "read_into") and out.dtype == source.dtype:
        source.read_into(out, first)
        return
    rows = np.asarray(source[first : first + len(out)])
    if rows.shape != out.shape:
        name = getattr(source, "path", None) or type(source).__name__
        raise DataError(name, f"rows of shape {rows.shape}", f"{out.shape} from row {first} on")
    with np.errstate(over="ignore"):  # infinite then, and refused
        out[...] = rows


def row_bytes(dtype, row_shape) -> int:
    """Return how many bytes a row takes."""
    return np.dtype(dtype).itemsize * math.prod(row_shape)


def rows_at_once(source) -> int:
    """Return how many rows of a source make a piece."""
    return max(1, _PIECE // max(1, row_bytes(source.dtype, source.shape[1:])))


def pieces(source):
    """Return an iterator over the rows of a source, some at a time."""
    step = rows_at_once(source)
    return (source[i : i + step] for i in range(0, source.shape[0], step))
