"""Chunks: a data set that stays in its files, and is read some minibatches at a time.

This is the page's advice for data that does not fit on the device: keep several minibatches in a
shared variable, train through them, then put the next ones into it. A thread reads one chunk ahead.

Source: page "Getting Started", section "MNIST Dataset".
"""

from __future__ import annotations

import collections
import concurrent.futures
import copy
import functools
import math
import os
import threading

import numpy as np

from dlt.arrays import aligned_copy
from dlt.checks import as_many, dimensions, finite, grey, labels, real_numbers, whole_number
from dlt.datasets import NAMES, open_sets
from dlt.describing import describe
from dlt.engine import T, row_window, shared_resident, theano
from dlt.errors import DataError, SettingsError
from dlt.examples import Description
from dlt.files.rows import (
    RowFile,
    Rows,
    numbered_rows,
    pieces,
    read_rows,
    row_bytes,
    rows_at_once,
)
from dlt.fingerprint import digest, fingerprint
from dlt.order import rows_in_order
from dlt.progress import silent

_CHUNK_BYTES = 1 << 25


class ChunkedDataSet:
    """A data set of which two chunks are in memory; it can be used like any other data set.

    All results are those of the same data in memory, bit for bit. To shuffle the examples, use
    blocks, as in ``dlt.Shuffled(seed=1, block=5000)``.

    Parameters
    ----------
    x, y : str, os.PathLike or object
        A raw ``.npy`` or IDX file; or an object with ``shape``, ``dtype`` and slicing, such as a
        dataset of h5py. x : shape (N, ...); y : shape (N,), class numbers, or (N, ...), targets.
        Bytes stay bytes until the compiled function reads them.
    chunk_bytes : int
        Size of a chunk of x. It affects memory and speed only.
    description : Description, optional
        With ``scale=256``, bytes are divided by 256, as `dlt.load_data` does.
    digests : (str, str), optional
        What `dlt.fingerprint.digest` returns for x and y, if that is known.

    Attributes
    ----------
    x, y : object
        The sources of the rows.
    n_examples : int
    row_shape : tuple of int
    description : Description

    Raises
    ------
    DataError
        A file cannot be used, or the numbers of labels and examples differ.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "x.npy")
    >>> np.save(path, np.zeros((5, 784), dtype="uint8"))
    >>> data_set = ChunkedDataSet(path, np.arange(5))
    >>> data_set.n_examples, data_set.row_shape
    (5, (784,))
    """

    def __init__(
        self,
        x,
        y,
        chunk_bytes: int = _CHUNK_BYTES,
        description: Description | None = None,
        digests: tuple[str, str] | None = None,
    ):
        self.x, self.y = _source("x", x), _source("y", y)
        self.n_examples, self.row_shape = self.x.shape[0], tuple(self.x.shape[1:])
        self.chunk_bytes = whole_number("chunk_bytes", chunk_bytes, low=1)
        self.description = description or describe(self.x)
        if self.description.scale not in (None, 1, 256):
            raise SettingsError("description", f"the scale {self.description.scale}", "1 or 256")
        as_many(_name(self.x, "x"), self.n_examples, self.y.shape[0])
        self._digests = digests
        self._fingerprints: dict[str, str] = {}  # by floatX

    @functools.cached_property
    def flat(self) -> ChunkedDataSet:
        """The data set with every example as one row of numbers."""
        grey(_name(self.x, "x"), self.row_shape)
        other = copy.copy(self)
        other.row_shape = (math.prod(self.row_shape),)
        return other

    @property
    def targets(self) -> np.ndarray:
        """The labels or targets, shape (N, ...)."""
        return self.y[0 : self.n_examples]

    @property
    def n_labels(self) -> int:
        """The number of labels that have names, or else the largest label plus 1."""
        if self.description.labels:
            return len(self.description.labels)
        return int(max(piece.max() for piece in pieces(self.y))) + 1

    def rows(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of some consecutive examples; bytes are divided by the scale."""
        x = self.x[first:stop]
        if self._divisor != 1:
            x = np.asarray(x, theano.config.floatX) / self._divisor
        return x.reshape(len(x), *self.row_shape), np.asarray(self.y[first:stop])

    def feed(self, size: int, n_rows: int) -> Chunks:
        """Return what compiled loops read; see `dlt.shared.DataSet.feed`."""
        return Chunks(self, size, n_rows)

    def check(self, name: str, x, y, n_out: int | None = None) -> None:
        """Check that the set fits symbolic inputs and targets; see `dlt.shared.DataSet.check`."""
        dimensions(name + ", x", np.broadcast_to(0, (1, *self.row_shape)), x.ndim)
        dimensions(name + ", y", self.y[0:1], y.ndim)
        labelled, first = n_out is not None or "int" in y.dtype, 0
        for piece in pieces(self.y):
            finite(name + ", y", piece, first)
            if labelled:
                labels(name + ", y", piece, n_out, first)
            first += len(piece)

    def fingerprint(self) -> str:
        """Return the fingerprint of the numbers in floatX. Without digests, all are read."""
        floatX = theano.config.floatX
        if floatX not in self._fingerprints:
            digests = self._digests
            rounds = floatX == "float32" and np.dtype("float64") in (self.x.dtype, self.y.dtype)
            if digests is None or rounds:
                x = digest(lambda: map(_in_floatX, pieces(self.x)), pixels=self._divisor == 1)
                x = x if self._divisor == 1 else x.replace("uint8", "uint8/256")
                digests = x, digest(lambda: map(_in_floatX, pieces(self.y)))
            self._fingerprints[floatX] = fingerprint(*digests)
        return self._fingerprints[floatX]

    @property
    def _divisor(self):
        return self.description.scale if self.x.dtype == np.uint8 and self.description.scale else 1


def open_data(
    path: str | os.PathLike, max_memory: int = 1 << 29, verify: bool = False, log=silent
) -> list[ChunkedDataSet]:
    """Open a data set that stays in its files.

    Parameters
    ----------
    path : str or os.PathLike
        A folder as `dlt.save_data` and scripts/convert.py write it, or one with raw ``.npy`` files
        or MNIST's four IDX files, not gzipped.
    max_memory : int
        Most bytes for all three sets. Each has two chunks of a sixth of it, but 32 MB at most, as
        larger ones are no faster. At least one minibatch is read at a time and, to count errors,
        10,000 examples.
    verify : bool
        Compare the contents with the description, for which everything is read once.
    log : callable, optional
        Takes a line of text before anything slow, such as `print`.

    Returns
    -------
    train_set, valid_set, test_set : ChunkedDataSet

    Raises
    ------
    DataError
        The folder holds something else, or a file in it is broken or does not fit the others.
    SettingsError
        `max_memory` is not a whole number, 1 or more.

    Examples
    --------
    >>> import dlt, tempfile
    >>> folder = os.path.join(tempfile.mkdtemp(), "digits")
    >>> dlt.save_data(folder, dlt.load_data("digits"))
    >>> train_set, valid_set, test_set = open_data(folder, max_memory=1 << 20)
    >>> train_set.n_examples, train_set.row_shape
    (1200, (784,))
    """
    chunk_bytes = min(_CHUNK_BYTES, max(1, whole_number("max_memory", max_memory, low=1) // 6))
    if path in NAMES:
        remedy = "convert it first: scripts/convert.py"
        raise DataError(path, "the name of data that is loaded whole", "a folder", remedy)
    sets = open_or_load(path, log, verify, chunk_bytes)
    if not all(getattr(part.x, "in_place", False) for part in sets):
        raise DataError(
            path,
            "data that has to be read whole",
            "a folder as scripts/convert.py writes it, raw .npy files, or IDX files that are not "
            "gzipped",
            "convert it, or leave out --max-memory",
        )
    return sets


def open_or_load(
    source, log=silent, verify: bool = False, chunk_bytes: int = _CHUNK_BYTES
) -> list[ChunkedDataSet]:
    """Return three data sets in chunks, of anything that `dlt.load_data` takes.

    Parameters
    ----------
    source : str, os.PathLike or object
        As `dlt.load_data` takes it.
    log, verify
        See `open_data`.
    chunk_bytes : int
        See `ChunkedDataSet`.
    """
    sets = open_sets(source, verify, log)
    return [ChunkedDataSet(*part[:2], chunk_bytes, *part[2:]).flat for part in sets]


class Chunks:
    """How compiled loops read a `ChunkedDataSet`.

    Two chunks are in memory: one for the loops, and one that a thread reads ahead.

    Parameters
    ----------
    data_set : ChunkedDataSet
    size : int
        Examples in a minibatch. A chunk holds whole minibatches.
    n_rows : int
        Examples in a pass over the data set.
    """

    def __init__(self, data_set, size, n_rows):
        self._data_set, self._n_rows = data_set, n_rows
        floatX, stored = theano.config.floatX, data_set.x.dtype
        types = stored if stored in (np.uint8, np.float32) else np.dtype(floatX), np.dtype(floatX)
        minibatch_bytes = size * row_bytes(types[0], data_set.row_shape)
        n_minibatches = min(-(-n_rows // size), max(1, data_set.chunk_bytes // minibatch_bytes))
        self._length = size * n_minibatches
        shapes = [(self._length, *shape) for shape in (data_set.row_shape, data_set.y.shape[1:])]
        self._new_buffers = lambda: [aligned_copy(np.zeros(*form)) for form in zip(shapes, types)]
        self._buffers, self._spare = self._new_buffers(), None
        self._shared = [shared_resident(buffer, name="chunk") for buffer in self._buffers]
        self._in_place = None  # the chunk that the loops read, see `_chunk`
        self._ahead = None  # the chunk that a thread reads

    def givens(self, x, y, start, n, in_turn=True):
        """Return what replaces x and y: n rows of the chunk in place, from row `start` on."""
        chunk_x, chunk_y = (row_window(chunk, start, n) for chunk in self._shared)
        divisor = self._data_set._divisor
        if divisor != 1:
            floatX = theano.config.floatX
            chunk_x = T.cast(chunk_x, floatX) * T.constant(np.asarray(1 / divisor, dtype=floatX))
        return {x: T.cast(chunk_x, x.dtype), y: T.cast(chunk_y, y.dtype)}

    def starts(self, first, stop, size, order=None, epoch=0, should_stop=bool):
        """Put one chunk after the other in place, and yield where minibatches begin in it."""
        for number in range(first // self._length, -(-stop // self._length)):
            self._place(order, epoch, number, should_stop)
            begin = number * self._length
            yield np.arange(max(first, begin), min(stop, begin + self._length), size) - begin

    def pause(self):
        """Stop reading ahead until rows are asked for again."""
        ahead, self._ahead = self._ahead, None
        if ahead:
            ahead.stopping.set()
            if concurrent.futures.wait([ahead.done], timeout=0.1).done:
                self._spare = ahead.buffers  # if not, the thread may still write to them

    def _chunk(self, order, epoch, number):
        """Return what identifies a chunk; after the last one, the first of the next epoch."""
        if number * self._length >= self._n_rows:
            epoch, number = epoch + 1, 0
        # orders of different types may be equal
        return type(order), order, 0 if order is None else epoch, number

    def _place(self, order, epoch, number, should_stop):
        """Put a chunk where the loops read, and start reading the next one."""
        chunk = self._chunk(order, epoch, number)
        if chunk != self._in_place:
            if self._ahead is None or chunk != self._ahead.chunk:
                self._read_ahead(chunk)
            ahead = self._ahead
            while not concurrent.futures.wait([ahead.done], timeout=0.1).done:
                if should_stop():
                    raise KeyboardInterrupt
            self._ahead = None
            ahead.done.result()
            # All calls that used the chunk before have returned, so its memory is free.
            self._in_place = None  # in case of an interrupt
            self._buffers, self._spare = ahead.buffers, self._buffers
            for variable, buffer in zip(self._shared, self._buffers):
                variable.set_value(buffer, borrow=True)
            self._in_place = chunk
        following = self._chunk(order, epoch, number + 1)
        if following != chunk and self._ahead is None:
            self._read_ahead(following)

    def _read_ahead(self, chunk):
        self.pause()
        buffers, self._spare = self._spare or self._new_buffers(), None
        ahead = _Ahead(chunk, buffers, concurrent.futures.Future(), threading.Event())

        def read():
            try:
                ahead.done.set_result(self._read(chunk, buffers, ahead.stopping))
            except BaseException as error:
                ahead.done.set_exception(error)

        # A daemon: at exit, Python waits for the threads of an executor, even if a disk hangs.
        threading.Thread(target=read, daemon=True).start()
        self._ahead = ahead

    def _read(self, chunk, buffers, stopping):
        """Fill buffers with a chunk, or give up when told to."""
        _, order, epoch, number = chunk
        data_set, first = self._data_set, number * self._length
        n, numbers = min(self._length, self._n_rows - first), None
        if order is not None:
            numbers = rows_in_order(order, epoch, data_set.n_examples, first, first + n)
        for name, source, buffer in zip("xy", (data_set.x, data_set.y), buffers):
            out = buffer[:n].reshape(n, *source.shape[1:])
            for _ in _fill(out, source, first, numbers):
                if stopping.is_set():
                    return
            if out.dtype.kind == "f":
                finite(_name(source, name), out, first)


# What a thread reads: the chunk, and where to; a future, and an event that asks it to give up.
_Ahead = collections.namedtuple("_Ahead", "chunk buffers done stopping")


def _fill(out, source, first, numbers):
    """Fill an array in steps: with the rows of some numbers, or in turn from row `first` on."""
    if numbers is None:
        step = rows_at_once(source)
        for i in range(0, len(out), step):
            read_rows(source, out[i : i + step], first + i)
            yield
    else:
        places = np.argsort(numbers, kind="stable")
        for place, rows in numbered_rows(source, numbers[places], out.dtype):
            out[places[place]] = rows
            yield


def _source(name, source):
    if isinstance(source, (str, os.PathLike)):
        source = RowFile(source)
    elif not isinstance(source, (RowFile, Rows)):
        source = _Numbers(name, source) if _has_rows(source) else real_numbers(name, source)
    if not source.shape or 0 in source.shape or source.dtype.kind not in "biuf":
        found = f"an array of shape {tuple(source.shape)} and type {source.dtype}"
        raise DataError(_name(source, name), found, "numbers, one row or more")
    return source


def _has_rows(source):
    """Return whether a source has slices by row, but is no array; pandas slices by label."""
    if isinstance(source, np.ndarray) or hasattr(source, "iloc"):
        return False
    return hasattr(source, "shape") and isinstance(getattr(source, "dtype", None), np.dtype)


class _Numbers:
    """A source with checked slices. Those of netCDF4, for example, may be masked."""

    def __init__(self, name, source):
        self._source, self._name = source, _name(source, name)
        self.shape, self.dtype = source.shape, source.dtype
        self.path = getattr(source, "path", None)

    def __getitem__(self, rows):
        return real_numbers(self._name, self._source[rows])


def _in_floatX(piece):
    return piece.astype(theano.config.floatX) if piece.dtype.kind == "f" else piece


def _name(source, otherwise):
    return getattr(source, "path", None) or otherwise
