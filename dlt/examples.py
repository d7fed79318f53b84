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

    scale: int | None = None
    height: int | None = None
    width: int | None = None
    labels: tuple[str, ...] | None = None
    split: str | None = None

    @classmethod
    def of_rows(
        cls, shape: tuple[int, ...], scale: int | None = None, split: str | None = None
    ) -> Description:
        """Return the description of rows of a shape: pictures where it has two sides."""
        height, width = shape if len(shape) == 2 else (None, None)
        return cls(scale, height, width, None, split)


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

    @property
    def n_examples(self):
        """Number of examples, N."""
        return len(self.x)

    @property
    def row_shape(self):
        """Shape of one example."""
        return self.x.shape[1:]

    @property
    def targets(self):
        """The labels, shape (N,)."""
        return self.y

    @property
    def n_labels(self):
        """Number of labels, the largest one and 1 more."""
        return int(self.y.max()) + 1

    def rows(self, first, stop):
        """Return x and y of some consecutive examples."""
        return self.x[first:stop], self.y[first:stop]

    def __getnewargs__(self):
        return (*self, self.description)
