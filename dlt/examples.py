"""Examples: inputs and labels as arrays, with a description of what they are.

Source: page "Getting Started", section "Datasets".
"""

import collections

Description = collections.namedtuple("Description", "scale height width labels split")
Description.__doc__ = """What is known of a data set besides its numbers; saved with a model.

Fields
------
scale : int or None
    What the stored values were divided by: 256 for bytes, 1 for values that are as they were.
height, width : int or None
    Of the pictures that the rows are, in pixels.
labels : tuple of str or None
    What the labels are called.
split : str or None
    Where the validation set comes from.
"""


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

    description = None

    def __new__(cls, x, y, description=None):
        made = super().__new__(cls, x, y)
        made.description = description
        return made

    def __getnewargs__(self):
        return (*self, self.description)
