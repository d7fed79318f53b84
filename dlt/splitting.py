"""Splitting: which examples are for training, validation and testing.

If a source lacks a validation or a test set, a sixth of its examples goes into each, as for MNIST
on the page. They are drawn at random, a sixth of every label, so it does not matter whether the
source is sorted. The other examples are for training, and stay in order.

Source: page "Getting Started", section "MNIST Dataset".
"""

from __future__ import annotations

import hashlib

import numpy as np

from dlt.errors import DataError

#: Seed of the draw.
SEED = 1

#: The description of a source that has all three sets.
OWN_SETS = "the file's own sets"

# SHA-256 of the labels in MNIST's training set, one byte each.
_MNIST_LABELS = "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"


def split(name: str, y: np.ndarray, n_sets: int) -> tuple[list[np.ndarray], str]:
    """Return the rows of the training set, and of the sets that are split off.

    MNIST's training set, recognised by its labels, loses its last 10 000 examples, as on the page.

    Parameters
    ----------
    name : str
        The name of the source in messages.
    y : ndarray, shape (N,)
        Labels 0..L-1.
    n_sets : {1, 2}
        1: a validation set; 2: a validation and a test set.

    Returns
    -------
    rows : list of ndarray
        Row numbers, ascending.
    how : str
        A phrase that says where the sets come from.

    Raises
    ------
    DataError
        There are fewer than 6 examples.

    Examples
    --------
    >>> (training, validation), how = split("x", np.repeat([0, 1], 6), 1)
    >>> validation.tolist(), how
    ([5, 8], 'a sixth of each label for validation, drawn with seed 1')
    """
    n = len(y)
    if n_sets == 1 and _is_mnist(y):
        rows = np.split(np.arange(n), [n - n // 6])
        return rows, f"the last {n // 6} of MNIST's training set for validation"
    if n < 6:
        raise DataError(name, f"{n} examples", "6 or more, to set a sixth of them aside")
    drawn = np.random.RandomState(SEED).permutation(n)  # numpy promises its stream for ever
    drawn = drawn[np.argsort(y[drawn], kind="stable")]  # label by label
    # If a label has one or two examples, keep one for training.
    n_alike = np.bincount(y)[y[drawn]]
    is_first = np.diff(y[drawn], prepend=-1) > 0
    part = np.arange(n) % 6
    part[is_first & (n_alike < 3)] = 0
    sets = [np.sort(drawn[part == 5 - i]) for i in range(n_sets)]
    training = np.sort(drawn[part < 6 - n_sets])
    what = "for validation" + (" and another for testing" if n_sets == 2 else "")
    return [training, *sets], f"a sixth of each label {what}, drawn with seed {SEED}"


def _is_mnist(y):
    digits = y.astype(np.uint8).tobytes()
    return len(y) == 60000 and hashlib.sha256(digits).hexdigest() == _MNIST_LABELS
