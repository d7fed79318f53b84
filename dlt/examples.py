"""Examples: inputs and labels as arrays, with a description of what they are.

Source: page "Getting Started", section "Datasets".
"""

from __future__ import annotations

import collections
from typing import NamedTuple

import numpy as np


class Description(NamedTuple):
    """What is known of a data set besides its numbers; saved with a model.

    Attributes
    ----------
    scale : int or None
        What the stored values were divided by: 256 for bytes, 1 for values taken as they were.
    height, width : int or None
        Of the pictures in the rows, in pixels.
    labels : tuple of str or None
        What the labels are called.
    split : str or None
        Where the validation set comes from.
    """

    scale: int | None
    height: int | None
    width: int | None
    labels: tuple[str, ...] | None
    split: str | None


class Examples(collections.namedtuple("Examples", "x y")):
    """One data set as arrays; it unpacks as the page's pair.

    Parameters
    ----------
    x : ndarray, shape (N, D)
    y : ndarray, shape (N,)
    description : Description

    Examples
    --------
    >>> import dlt
    >>> train_set, valid_set, test_set = dlt.load_data("digits")
    >>> x, y = train_set
    >>> train_set.description.split
    "the file's own sets"
    """

    description: Description | None = None

    def __new__(cls, x: np.ndarray, y: np.ndarray, description: Description | None = None):
        made = super().__new__(cls, x, y)
        made.description = description
        return made

    def __getnewargs__(self):
        return (*self, self.description)
