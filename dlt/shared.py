r"""Shared variables: the whole data set where the engine can reach it, read minibatch by minibatch.

The page stores each set in two shared variables, the inputs and the labels, so
that a GPU gets everything in one transfer and afterwards only a minibatch's
*index* has to be sent. Labels are stored as floatX as well (old GPUs held
nothing else) and cast to int32 on the way out.

Source: page "Getting Started", section "MNIST Dataset".
"""

import hashlib

import numpy as np

from dlt.checks import as_many, dimensions, finite, inputs, labels, pair, real_numbers, whole_number
from dlt.engine import T, row_window, shared_resident, take_rows, theano
from dlt.errors import DataError
from dlt.examples import Description

#: What messages call the three sets.
SET_NAMES = ("training set", "validation set", "test set")


class DataSet:
    """One data set that the engine can read; it unpacks as the page's pair ``shared_x, y``.

    Parameters
    ----------
    x : shared variable, shape (N, ...)
        The inputs, one row for each example.
    y : shared variable, shape (N, ...), or the cast of one
        The labels or targets.
    description : dlt.examples.Description, optional
        What is known besides the numbers.

    Attributes
    ----------
    x, y, description
        As given.

    Examples
    --------
    >>> data_set = shared_dataset(([[0.0, 0.5], [0.25, 0.0]], [1, 0]))
    >>> shared_x, y = data_set
    >>> data_set.n_examples, data_set.row_shape, data_set.targets.tolist()
    (2, (2,), [1.0, 0.0])
    """

    def __init__(self, x, y, description=None):
        self.x, self.y, self.description = x, y, description
        self._hashed = None

    def __iter__(self):
        return iter((self.x, self.y))

    @property
    def n_examples(self):
        """Number of examples, N."""
        return self._shape()[0]

    @property
    def row_shape(self):
        """Shape of one example."""
        return tuple(self._shape()[1:])

    @property
    def targets(self):
        """The stored labels or targets, ndarray, shape (N, ...)."""
        return self._variables()[1].get_value(borrow=True)

    def givens(self, x, y, index, batch_size):
        """Return what the symbolic inputs and labels stand for: minibatch number `index`.

        Parameters
        ----------
        x, y : Theano variables
            The symbolic inputs and labels.
        index, batch_size
            See `minibatch`.

        Returns
        -------
        dict
            For ``givens`` of ``theano.function``.

        Examples
        --------
        >>> x, y, index = T.matrix("x"), T.ivector("y"), T.lscalar("index")
        >>> data_set = shared_dataset(([[0.0], [0.1], [0.2], [0.3]], [0, 1, 2, 3]))
        >>> f = theano.function([index], y, givens={y: data_set.givens(x, y, index, 2)[y]})
        >>> f(1).tolist()
        [2, 3]
        """
        return {
            symbol: T.cast(minibatch(data, index, batch_size), symbol.dtype)
            for symbol, data in zip((x, y), self)
        }

    def givens_of_rows(self, x, y, rows):
        """Return what the symbolic inputs and labels stand for: the rows of these numbers.

        Parameters
        ----------
        x, y : Theano variables
        rows : Theano vector, int32
            Numbers of rows, 0..N-1.

        Returns
        -------
        dict
        """
        return {
            symbol: T.cast(take_rows(data, rows), symbol.dtype)
            for symbol, data in zip((x, y), self)
        }

    def fingerprint(self):
        """Return the SHA-256 of the shapes, dtypes and bytes that training reads, in hexadecimal.

        It is computed once for the values that are stored.
        """
        stored = [shared.container.value for shared in self._variables()]
        if self._hashed is None or any(a is not b for a, b in zip(self._hashed[0], stored)):
            self._hashed = stored, self._digest()
        return self._hashed[1]

    def _digest(self):
        digest = hashlib.sha256()
        for shared in self._variables():
            array = np.ascontiguousarray(shared.get_value(borrow=True))
            digest.update(f"{array.shape} {array.dtype.str};".encode("ascii"))
            digest.update(array.reshape(-1).view(np.uint8))
        return digest.hexdigest()

    def _shape(self):
        # of what is stored: a copy from the device would only be measured
        return self.x.get_value(borrow=True, return_internal_type=True).shape

    def _variables(self):
        """Return the two shared variables; labels may be the cast of theirs."""
        return [v if hasattr(v, "get_value") else v.owner.inputs[0] for v in self]


def as_data_set(name, data_xy, x=None, y=None):
    """Return a data set as a `DataSet`: arrays are stored, the page's pair is taken as it is.

    Parameters
    ----------
    name : str
        What messages call it.
    data_xy : DataSet, (x, y) of arrays, or (shared_x, y)
    x, y : Theano variables, optional
        The symbolic inputs and targets that it is for. Where `y` is not of integers, the targets
        need not be labels.

    Returns
    -------
    DataSet

    Raises
    ------
    DataError
        See `shared_dataset`.
    """
    if isinstance(data_xy, DataSet):
        return data_xy
    data_x, data_y = pair(name, data_xy)
    if not hasattr(data_x, "get_value"):
        return _stored(name, data_xy, True, 2 if x is None else x.ndim, y)
    if not hasattr(data_y, "get_value") and not getattr(data_y, "owner", None):
        expected = "a shared variable, as x is, or its cast"
        raise DataError(name + ", y", type(data_y).__name__, expected)
    data_set = DataSet(data_x, data_y)
    as_many(name, data_set.n_examples, len(data_set.targets))
    return data_set


def shared_dataset(data_xy, borrow=True):
    r"""Store one data set in shared variables.

    Parameters
    ----------
    data_xy : (x, y)
        x : array, shape (N, D), finite numbers; pictures, shape (N, height, width), become
        rows. y : array, shape (N,), class numbers 0..L-1, exact in floatX up to 2**24 with
        float32.
    borrow : bool
        True: the shared variable may use the memory of an array that already is
        of dtype floatX, so changing that array later changes the data.

    Returns
    -------
    DataSet
        It unpacks as ``shared_x``, a shared variable of floatX, shape (N, D), and ``y``, a
        vector of int32, shape (N,): the cast of a shared variable of floatX, which is
        ``y.owner.inputs[0]``.

    Raises
    ------
    DataError
        x is no array of finite numbers that floatX can hold, y are not whole numbers from 0 on,
        there are none, or not as many of one as of the other.

    Examples
    --------
    >>> shared_x, y = shared_dataset(([[0.0, 0.5], [0.25, 0.0]], [1, 0]))
    >>> shared_x.get_value().shape, y.dtype
    ((2, 2), 'int32')
    """
    return _stored("data_xy", data_xy, borrow)


def _stored(name, data_xy, borrow, ndim=2, symbolic_y=None):
    """Store one data set; `name` is what messages call it."""
    data_x, data_y = pair(name, data_xy)
    data_x, data_y = real_numbers(name + ", x", data_x), real_numbers(name + ", y", data_y)
    sides = data_x.shape[1:] if data_x.ndim == 3 else (None, None)
    data_x = inputs(name + ", x", data_x, ndim, theano.config.floatX)
    labelled = symbolic_y is None or "int" in symbolic_y.dtype
    if labelled:
        data_y = labels(name + ", y", data_y)
    else:
        dimensions(name + ", y", data_y, symbolic_y.ndim)
    as_many(name, len(data_x), len(data_y))
    with np.errstate(over="ignore"):  # infinite then, and refused
        data_y = np.asarray(data_y, theano.config.floatX)
    finite(name + ", y", data_y)
    shared_x = shared_resident(data_x, name="shared_x", borrow=borrow, compact=True)
    shared_y = shared_resident(data_y, name="shared_y", borrow=borrow)
    description = getattr(data_xy, "description", None) or Description(None, *sides, None, None)
    return DataSet(shared_x, T.cast(shared_y, "int32") if labelled else shared_y, description)


def shared_datasets(datasets, borrow=True):
    """Store the training, validation and test sets: six shared variables in three pairs.

    Parameters
    ----------
    datasets : three (x, y) pairs
        As `dlt.load_data` gives them.
    borrow : bool
        See `shared_dataset`.

    Returns
    -------
    list of three DataSet

    Examples
    --------
    >>> pair = ([[0.0, 0.5]], [1])
    >>> (train_x, train_y), (valid_x, valid_y), (test_x, test_y) = shared_datasets([pair] * 3)
    """
    return [_stored(name, data_xy, borrow) for name, data_xy in zip(SET_NAMES, datasets)]


def n_minibatches(n, batch_size, drop_last=True):
    """Count the minibatches in `n` examples.

    Parameters
    ----------
    n : int
        Number of examples, at least 1.
    batch_size : int
        Examples in a minibatch, 1..n.
    drop_last : bool
        True, the page's way: only whole minibatches count. False: a last,
        smaller one counts too.

    Returns
    -------
    int

    Raises
    ------
    SettingsError
        `batch_size` is not a whole number from 1 to n.

    Examples
    --------
    >>> n_minibatches(50000, 600), n_minibatches(50000, 600, drop_last=False)
    (83, 84)
    """
    batch_size = whole_number("batch_size", batch_size, 1, n, "the number of examples in the set")
    return n // batch_size if drop_last else -(-n // batch_size)


def minibatch(data, index, batch_size):
    """Take minibatch number `index` of a shared variable.

    This is the page's ``data[index * batch_size: (index + 1) * batch_size]``, for
    linkers that need to know every shape beforehand (JAX) as well.

    Parameters
    ----------
    data : Theano variable, shape (N, ...)
        A shared variable, or the int32 labels of `shared_dataset`.
    index : Theano integer scalar, or int
        0..n_minibatches - 1; nothing checks that when the function runs.
    batch_size : int
        Examples in a minibatch.

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
