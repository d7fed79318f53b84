"""Order: the sequence in which training takes the examples.

Without an order, training takes them in turn, as on the page. An order is any object with
``permutation(epoch, n)``. That must be a pure function, so that a resumed run takes the same
examples again without saving anything more. A resumed run recognizes an order by its ``repr``.

Source: none on the page; Bottou, "Stochastic Gradient Descent Tricks" (2012), section 3.
"""

from __future__ import annotations

import collections

import numpy as np

from dlt.checks import whole_number
from dlt.errors import SettingsError


class Shuffled(collections.namedtuple("Shuffled", "seed block")):
    """Takes the examples in a new random order in each epoch.

    Parameters
    ----------
    seed : int
        0 to 2**32 - 1. The same seed gives the same orders.
    block : int, optional
        Shuffle blocks of this many consecutive examples, and the examples within each block,
        because single rows of a file are slow to read in random order. A few thousand mix well.
        Default: shuffle all examples alike.

    Raises
    ------
    SettingsError
        `seed` or `block` is out of range.

    Examples
    --------
    >>> Shuffled(seed=1).permutation(epoch=0, n=5).tolist()
    [1, 4, 0, 3, 2]
    >>> Shuffled(seed=1, block=3).permutation(epoch=0, n=9).tolist()
    [7, 8, 6, 2, 1, 0, 3, 5, 4]
    """

    __slots__ = ()

    def __new__(cls, seed: int, block: int | None = None):
        if block is not None:
            block = whole_number("block", block, 1, 2**31 - 1)
        return super().__new__(cls, whole_number("seed", seed, low=0, high=2**32 - 1), block)

    def __repr__(self):
        return f"Shuffled(seed={self.seed}{'' if self.block is None else f', block={self.block}'})"

    def permutation(self, epoch: int, n: int) -> np.ndarray:
        """Return the rows 0..n-1 in the order of an epoch, counted from 0; shape (n,)."""
        return self.rows(epoch, n, 0, n)

    def rows(self, epoch: int, n: int, first: int, stop: int) -> np.ndarray:
        """Return ``permutation(epoch, n)[first:stop]``; with blocks, do not compute the rest."""
        # numpy guarantees that RandomState draws the same numbers in every version
        if self.block is None:
            return np.random.RandomState([self.seed, epoch]).permutation(n)[first:stop]
        n_blocks = -(-n // self.block)
        blocks = np.random.RandomState([self.seed, epoch]).permutation(n_blocks)
        lengths = np.minimum(self.block, n - blocks * self.block)  # the rest may be shorter
        ends = np.cumsum(lengths)
        touched = slice(np.searchsorted(ends, first, "right"), np.searchsorted(ends, stop) + 1)
        found = [
            b * self.block + np.random.RandomState([self.seed, epoch, b]).permutation(length)
            for b, length in zip(blocks[touched], lengths[touched])
        ]
        skipped = first - (ends - lengths)[touched.start]
        return np.concatenate(found)[skipped : skipped + stop - first]


def rows_in_order(order, epoch: int, n: int, first: int, stop: int) -> np.ndarray:
    """Return the rows at the places `first` to `stop` of an epoch.

    Raises
    ------
    SettingsError
        See `permuted`.
    """
    if type(order) is Shuffled:  # any other order is checked as a whole
        return order.rows(epoch, n, first, stop)
    return permuted(order, epoch, n)[first:stop]


def permuted(order, epoch, n):
    """Return the rows of an epoch in an order, int32, shape (n,).

    Raises
    ------
    SettingsError
        The order does not return a permutation, which the engine would not notice.

    Examples
    --------
    >>> permuted(Shuffled(1), epoch=0, n=5).dtype.name
    'int32'
    """
    try:
        rows = np.asarray(order.permutation(epoch, n))
    except TypeError as error:  # such as numpy's generators, whose permutation takes one argument
        found = f"{order!r}, whose permutation(epoch, n) fails ({error})"
        raise SettingsError("order", found, "an order such as dlt.Shuffled(seed=1)") from error
    in_range = rows.shape == (n,) and rows.dtype.kind in "iu" and 0 <= rows.min() <= rows.max() < n
    if not in_range or (np.bincount(rows, minlength=n) != 1).any():
        found = f"no permutation of {n} rows in epoch {epoch} from {order!r}"
        raise SettingsError("order", found, "each row once")
    return rows.astype("int32")
