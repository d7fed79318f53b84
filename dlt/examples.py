"""Examples: inputs and labels as arrays, with a description of what they are.

Source: page "Getting Started", section "Datasets".
"""

from __future__ import annotations

import collections
import math
from typing import Any, NamedTuple

import numpy as np

# Rows of n numbers are taken for square pictures if their side is this or more, in pixels.
_SMALLEST = 8


class Description(NamedTuple):
    """Facts about a data set besides its numbers; saved with a model. None means unknown.

    Attributes
    ----------
    scale : int or None
        256 for bytes that were divided by 256; 1 for values from 0 to 1, which stay as they are.
    height, width : int or None
        Size of the pictures in the rows, in pixels.
    labels : tuple of str or None
        Names of the labels 0, 1, ...
    split : str or None
        Where the validation set comes from.
    ground : {"dark", "light"} or None
        Background of the pictures.
    centred : bool or None
        Whether the pictures are scaled and centred within a margin, as in MNIST.
    """

    scale: int | None = None
    height: int | None = None
    width: int | None = None
    labels: tuple[str, ...] | None = None
    split: str | None = None
    ground: str | None = None
    centred: bool | None = None

    @classmethod
    def of_rows(cls, shape: tuple[int, ...]) -> Description:
        """Return the description of rows of this shape.

        The rows are pictures if they have two dimensions, apart from those of length 1, or if
        their length is the square of 8 or more.
        """
        sides = [n for n in shape if n > 1]
        if len(sides) == 1 and math.isqrt(sides[0]) ** 2 == sides[0] >= _SMALLEST**2:
            sides = [math.isqrt(sides[0])] * 2
        height, width = sides if len(sides) == 2 else (None, None)
        return cls(height=height, width=width)

    def name_of(self, label: int) -> str:
        """Return the name of a label, or its number if it has no name.

        Examples
        --------
        >>> Description(labels=("ham", "spam")).name_of(1), Description().name_of(1)
        ('spam', '1')
        """
        names = self.labels or ()
        return names[label] if label < len(names) else str(label)


class Examples(collections.namedtuple("Examples", "x y")):
    """A data set as arrays; it unpacks as a pair, as on the page.

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
        """Number of labels: of the names, or else the largest label plus 1."""
        named = self.description and self.description.labels
        return len(named) if named else int(self.y.max()) + 1

    def rows(self, first, stop):
        """Return x and y of some consecutive examples."""
        return self.x[first:stop], self.y[first:stop]

    def __getnewargs__(self):
        return (*self, self.description)


class OpenSet(NamedTuple):
    """A data set whose rows stay where a reader found them, in a file or in memory.

    Attributes
    ----------
    x : ndarray, or object with ``shape``, ``dtype`` and slices
        Bytes are not yet divided by ``description.scale``.
    y : ndarray, or such an object, shape (N,)
        Labels 0..L-1.
    description : Description
    digests : (str, str) or None
        The `dlt.fingerprint.digest` of x and y, if it is known.
    """

    x: Any
    y: Any
    description: Description
    digests: tuple[str, str] | None = None
