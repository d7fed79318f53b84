"""Shared variables: a whole data set where the engine can read it, minibatch by minibatch.

The page stores each set in two shared variables, the inputs and the labels. A GPU then gets all
data in one transfer, and afterwards only the *index* of a minibatch. Labels are stored as floatX
too (old GPUs held nothing else) and cast to int32 when they are read.

Source: page "Getting Started", section "MNIST Dataset".
"""

from __future__ import annotations

import numpy as np

from dlt.checks import as_many, dimensions, finite, inputs, labels, pair, real_numbers, whole_number
from dlt.describing import describe
from dlt.engine import T, row_window, shared_resident, take_rows, theano
from dlt.errors import DataError
from dlt.examples import Description
from dlt.files.rows import pieces
from dlt.fingerprint import digest, fingerprint
from dlt.order import permuted

#: What messages call the three sets.
SET_NAMES = ("training set", "validation set", "test set")


class DataSet:
    """A data set in memory that the engine can read; it unpacks as the page's ``shared_x, y``.

    Parameters
    ----------
    x : shared variable, shape (N, ...)
    y : shared variable, shape (N, ...), or the cast of one
        The labels or targets.
    description : dlt.examples.Description, optional

    Examples
    --------
    >>> data_set = shared_dataset(([[0.0, 0.5], [0.25, 0.0]], [1, 0]))
    >>> shared_x, y = data_set
    >>> data_set.n_examples, data_set.row_shape, data_set.targets.tolist()
    (2, (2,), [1.0, 0.0])
    """

    def __init__(self, x, y, description: Description | None = None):
        self.x, self.y, self.description = x, y, description
        self._hashed: tuple[list, str] | None = None

    def __iter__(self):
        return iter((self.x, self.y))

    def __eq__(self, other):
        return type(other) is DataSet and other.x is self.x and other.y is self.y

    def __hash__(self):
        return hash((self.x, self.y))

    @property
    def n_examples(self) -> int:
        """Number of examples, N."""
        return self._shape()[0]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self._shape()[1:])

    @property
    def targets(self) -> np.ndarray:
        """The stored labels or targets, ndarray, shape (N, ...)."""
        return self.variables()[1].get_value(borrow=True)

    @property
    def n_labels(self) -> int:
        """The number of labels, which is the largest one plus 1."""
        return int(self.targets.max()) + 1

    def feed(self, size: int, n_rows: int) -> Feed:
        """Return an object through which compiled loops read the data.

        Parameters
        ----------
        size : int
            Examples in a minibatch.
        n_rows : int
            Examples in one pass over the data set.
        """
        return Feed(self)

    def check(self, name: str, x, y, n_out: int | None = None) -> None:
        """Check that the set fits symbolic inputs and targets.

        Parameters
        ----------
        name : str
            What messages call the set.
        x, y : Theano variables
        n_out : int, optional
            Number of labels, where the targets have to be labels.

        Raises
        ------
        DataError
        """
        stored = self.x.get_value(borrow=True), self.targets
        for part, array, symbol in zip((name + ", x", name + ", y"), stored, (x, y)):
            dimensions(part, array, symbol.ndim)
            finite(part, array)
        if n_out is not None:
            labels(name + ", y", self.targets, n_out)

    def fingerprint(self) -> str:
        """Return the fingerprint of the numbers, which is computed once for the same values."""
        stored = [shared.container.value for shared in self.variables()]
        if self._hashed is None or any(a is not b for a, b in zip(self._hashed[0], stored)):
            x, y = (shared.get_value(borrow=True) for shared in self.variables())
            digests = digest(lambda: pieces(x), pixels=True), digest(lambda: pieces(y))
            self._hashed = stored, fingerprint(*digests)
        return self._hashed[1]

    def _shape(self):
        # of the stored array: get_value would copy it from the device first
        return self.x.get_value(borrow=True, return_internal_type=True).shape

    def variables(self) -> list:
        """Return the two shared variables; y may be the cast of one."""
        return [v if hasattr(v, "get_value") else v.owner.inputs[0] for v in self]


class Feed:
    """Lets compiled loops read a `DataSet` in place."""

    def __init__(self, data_set):
        self._data_set, n = data_set, data_set.n_examples
        self._rows = shared_resident(np.arange(n, dtype="int32"), name="rows")

    def givens(self, x, y, start, n, in_turn=True):
        """Return n examples from place `start` on, as values of the symbols x and y.

        Places count in turn, or else in the order that `starts` was last called with.
        """
        if in_turn:
            taken = [row_window(data, start, n) for data in self._data_set]
        else:
            rows = row_window(self._rows, start, n)
            taken = [take_rows(data, rows) for data in self._data_set]
        return {symbol: T.cast(data, symbol.dtype) for symbol, data in zip((x, y), taken)}

    def starts(self, first, stop, size, order=None, epoch=0, should_stop=bool):
        """Put the order of an epoch in place, and yield the places where minibatches start."""
        if order is not None:
            self._rows.set_value(permuted(order, epoch, self._data_set.n_examples), borrow=True)
        yield np.arange(first, stop, size)

    def pause(self):
        """Do nothing: all data is in memory."""


def as_data_set(name: str, data_xy, x=None, y=None):
    """Return a data set that compiled functions can read; arrays become shared variables.

    Parameters
    ----------
    name : str
        What messages call it.
    data_xy : DataSet, ChunkedDataSet, (x, y) of arrays, or (shared_x, y)
    x, y : Theano variables, optional
        The symbolic inputs and targets that it is for. If `y` is not of integers, the targets
        need not be labels.

    Raises
    ------
    DataError
        See `shared_dataset`.
    """
    if hasattr(data_xy, "feed"):
        is_picture = x is not None and x.ndim == 2 and len(data_xy.row_shape) > 1
        return data_xy.flat if is_picture and hasattr(data_xy, "flat") else data_xy
    data_x, data_y = pair(name, data_xy)
    if not hasattr(data_x, "get_value"):
        return _stored(name, data_xy, True, 2 if x is None else x.ndim, y)
    if not hasattr(data_y, "get_value") and not getattr(data_y, "owner", None):
        expected = "a shared variable, as x is, or its cast"
        raise DataError(name + ", y", type(data_y).__name__, expected)
    data_set = DataSet(data_x, data_y)
    for part, variable in zip((name + ", x", name + ", y"), data_set.variables()):
        real_numbers(part, np.empty(0, variable.dtype))
    as_many(name, data_set.n_examples, len(data_set.targets))
    return data_set


def shared_dataset(data_xy, borrow: bool = True) -> DataSet:
    r"""Store one data set in shared variables.

    Parameters
    ----------
    data_xy : (x, y)
        x : array, shape (N, D), finite numbers; pictures, shape (N, height, width), become
        rows. y : array, shape (N,), class numbers 0..L-1, exact in floatX: up to 2**24 in
        float32.
    borrow : bool
        True: the shared variable may use the memory of the array, and change with it.

    Returns
    -------
    DataSet
        It unpacks as ``shared_x``, floatX, shape (N, D), and ``y``, int32, shape (N,), the cast
        of the shared variable ``y.owner.inputs[0]``.

    Raises
    ------
    DataError
        x is not an array of finite numbers that floatX can hold, y holds something other than
        whole numbers from 0 on, or the two are empty or of different lengths.

    Examples
    --------
    >>> shared_x, y = shared_dataset(([[0.0, 0.5], [0.25, 0.0]], [1, 0]))
    >>> shared_x.get_value().shape, y.dtype
    ((2, 2), 'int32')
    """
    return _stored("data_xy", data_xy, borrow)


def _stored(name, data_xy, borrow, ndim=2, symbolic_y=None):
    """Store one data set, which messages call `name`."""
    data_x, data_y = pair(name, data_xy)
    data_x, data_y = real_numbers(name + ", x", data_x), real_numbers(name + ", y", data_y)
    rows, data_x = data_x, inputs(name + ", x", data_x, ndim, theano.config.floatX)
    described = getattr(data_xy, "description", None) or describe(rows)
    labelled = symbolic_y is None or "int" in symbolic_y.dtype
    if labelled:
        data_y = labels(name + ", y", data_y)
    else:
        dimensions(name + ", y", data_y, symbolic_y.ndim)
    as_many(name, len(data_x), len(data_y))
    with np.errstate(over="ignore"):  # what overflows is infinite, and refused below
        data_y = np.asarray(data_y, theano.config.floatX)
    finite(name + ", y", data_y)
    shared_x = shared_resident(data_x, name="shared_x", borrow=borrow, compact=True)
    shared_y = shared_resident(data_y, name="shared_y", borrow=borrow)
    return DataSet(shared_x, T.cast(shared_y, "int32") if labelled else shared_y, described)


def shared_datasets(datasets, borrow: bool = True) -> list[DataSet]:
    """Store the training, validation and test sets; see `shared_dataset`.

    Examples
    --------
    >>> pair = ([[0.0, 0.5]], [1])
    >>> (train_x, train_y), (valid_x, valid_y), (test_x, test_y) = shared_datasets([pair] * 3)
    """
    return [_stored(name, data_xy, borrow) for name, data_xy in zip(SET_NAMES, datasets)]


def n_minibatches(n: int, batch_size: int, drop_last: bool = True) -> int:
    """Count the minibatches in `n` examples.

    Parameters
    ----------
    n, batch_size : int
        1 <= batch_size <= n.
    drop_last : bool
        True, the page's way: only whole minibatches count. False: a smaller last one counts too.

    Raises
    ------
    SettingsError

    Examples
    --------
    >>> n_minibatches(50000, 600), n_minibatches(50000, 600, drop_last=False)
    (83, 84)
    """
    batch_size = whole_number("batch_size", batch_size, 1, n, "the number of examples in the set")
    return n // batch_size if drop_last else -(-n // batch_size)


def default_batch_size(n_train: int) -> int:
    """Return the default batch size: 600, or a sixtieth of the training set if that is smaller.

    Examples
    --------
    >>> [default_batch_size(n) for n in (50000, 1200, 50)]
    [600, 20, 1]
    """
    return max(1, min(600, n_train // 60))


def minibatch(data, index, batch_size):
    """Return minibatch number `index` of a shared variable.

    This is the page's ``data[index * batch_size: (index + 1) * batch_size]``, in a form that
    every linker can compile.

    Parameters
    ----------
    data : Theano variable, shape (N, ...)
        A shared variable, or the int32 labels of `shared_dataset`.
    index : Theano integer scalar, or int
        0..n_minibatches - 1, unchecked.
    batch_size : int

    Returns
    -------
    Theano variable, shape (batch_size, ...)

    Examples
    --------
    >>> shared_x, y = shared_dataset(([[0.0], [0.1], [0.2], [0.3]], [0, 1, 2, 3]))
    >>> index = T.lscalar("index")
    >>> f = theano.function([index], minibatch(y, index, 2))
    >>> f(1).tolist()
    [2, 3]
    """
    return row_window(data, index * batch_size, batch_size)
