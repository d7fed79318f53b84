"""Order: the sequence in which training takes the examples.

Without an order they come in turn, as on the page. An order is any object with
``permutation(epoch, n)``; it must be a pure function, so that a resumed run meets the same
examples again and nothing more has to be saved. A resumed run knows an order by its ``repr``.

Source: none on the page; Bottou, "Stochastic Gradient Descent Tricks" (2012), section 3.
"""

import collections

import numpy as np

from dlt.checks import whole_number
from dlt.errors import SettingsError


class Shuffled(collections.namedtuple("Shuffled", "seed")):
    """Every epoch takes the examples in a random order of its own.

    Parameters
    ----------
    seed : int
        0 to 2**32 - 1. The same seed gives the same orders.

    Raises
    ------
    SettingsError
        `seed` is out of range.

    Examples
    --------
    >>> Shuffled(seed=1).permutation(epoch=0, n=5).tolist()
    [1, 4, 0, 3, 2]
    """

    __slots__ = ()

    def __new__(cls, seed):
        return super().__new__(cls, whole_number("seed", seed, low=0, high=2**32 - 1))

    def permutation(self, epoch, n):
        """Return the rows 0..n-1 in the order of an epoch (from 0), shape (n,)."""
        # numpy keeps the stream of RandomState the same in every version
        return np.random.RandomState([self.seed, epoch]).permutation(n)


def permuted(order, epoch, n):
    """Return the rows of an epoch as the engine takes them, int32, and check that they are rows.

    Raises
    ------
    SettingsError
        The order gives something else than a permutation: the engine would not notice.

    Examples
    --------
    >>> permuted(Shuffled(1), epoch=0, n=5).dtype.name
    'int32'
    """
    try:
        rows = np.asarray(order.permutation(epoch, n))
    except TypeError as error:  # such as numpy's generators, whose permutation takes one argument
        raise SettingsError(
            "order",
            f"{order!r}, whose permutation(epoch, n) fails ({error})",
            "an order such as dlt.Shuffled(seed=1)",
        ) from error
    in_range = rows.shape == (n,) and rows.dtype.kind in "iu" and 0 <= rows.min() <= rows.max() < n
    if not in_range or (np.bincount(rows, minlength=n) != 1).any():
        raise SettingsError(
            "order", f"no permutation of {n} rows in epoch {epoch} from {order!r}", "each row once"
        )
    return rows.astype("int32")
