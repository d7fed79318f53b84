"""Pictures to rows: your own picture, prepared like a model's training pictures.

A model trained on MNIST knows only digits of one size, centred, bright on black, so a photograph or
a drawing has to become such a digit first (`dlt.pictures.normalizing`).
"""

from __future__ import annotations

import os

import numpy as np

from dlt.errors import DataError
from dlt.examples import Description
from dlt.files.grey import ENDINGS, read_grey

#: What MNIST's pictures are like.
MNIST = Description(scale=256, height=28, width=28, ground="dark", centred=True)


def read_picture(
    path: str | os.PathLike, description: Description = MNIST
) -> tuple[np.ndarray, str]:
    """Read one picture as the row that a model expects.

    It becomes grey, and is inverted if it is on a dark ground and the model's pictures are on a
    light one, or the other way round.

    If the model's pictures are centred in a margin, as MNIST's are, the background, its grain and
    specks of dust are removed. The ink is cropped, scaled in proportion until its longer side is
    20/28 of the field's side, and placed with its centre of mass at the centre of the field, or as
    close as the edges allow. A picture that already has the field's size and ground is left as it
    is. For any other model, the whole picture is scaled to the size of the model's pictures.

    Transparent parts count as white. Of an animation, the first frame counts. A camera's
    orientation mark is obeyed.

    Parameters
    ----------
    path : str or os.PathLike
        A PNG, JPEG, BMP, GIF or WebP file; see `dlt.files.grey`.
    description : Description
        Of the model's training data, such as that of a `dlt.Predictor`.

    Returns
    -------
    row : ndarray, float32, shape (height * width,)
        Grey values, black is 0, divided by 256 as in MNIST, or by 255 if the model's scale is 1.
    note : str
        What was done, in one phrase.

    Raises
    ------
    DataError
        The file is missing, not a picture, damaged, too large or blank, or the model's data are
        not pictures.

    Notes
    -----
    A speck is a piece that touches no other ink and is smaller than a square of half the pen's
    width, so dots and broken strokes stay. Everything larger counts as ink: the shadow of a hand on
    the paper, the table around it, a frame, the lines of ruled paper, dark corners from the lens.
    So crop a photograph to the paper around the digit, and light it evenly.

    Examples
    --------
    A dark bar on white paper, 10 pixels wide and 40 high:

    >>> import tempfile
    >>> from PIL import Image
    >>> paper = Image.new("L", (100, 80), 255)
    >>> paper.paste(0, (30, 20, 40, 60))
    >>> path = os.path.join(tempfile.mkdtemp(), "one.png")
    >>> paper.save(path)
    >>> row, note = read_picture(path)
    >>> note
    'inverted, cropped, scaled to 5 x 20, centred'
    >>> row.shape, float(row.max()), int((row > 0).sum())
    ((784,), 0.99609375, 100)
    """
    from dlt.pictures.normalizing import Blank, prepared  # slow to import

    check_pictures("description", description)
    try:
        field, note = prepared(read_grey(path), description)
    except Blank:
        expected = "one that differs clearly from its background"
        remedy = "note that transparent parts count as white"
        raise DataError(path, "a blank picture (no ink)", expected, remedy) from None
    return field.reshape(-1).astype(np.float32) / np.float32(white_of(description)), note


def white_of(description: Description) -> int:
    """Return what to divide grey values by, for the scale of the training data."""
    return 255 if description.scale == 1 else 256


def check_pictures(what: str | os.PathLike, description: Description) -> None:
    """Check that a model's inputs are pictures.

    Examples
    --------
    >>> check_pictures("iris.npz", Description())
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: iris.npz: found a model whose inputs are not pictures; expected one \
trained on pictures; for rows of numbers, use predict.py --dataset
    """
    if description.height is None:
        remedy = "for rows of numbers, use predict.py --dataset"
        found = "a model whose inputs are not pictures"
        raise DataError(what, found, "one trained on pictures", remedy)


def pictures_in(path: str | os.PathLike) -> list[str]:
    """Return the pictures in a folder and its subfolders, by name; return a file as it is.

    Raises
    ------
    DataError
        The folder has no pictures.
    """
    path = os.fspath(path)
    if not os.path.isdir(path):
        return [path]
    found = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(path)
        for name in names
        if name.lower().endswith(ENDINGS) and not name.startswith(".")
    ]
    if not found:
        expected = f"files that end in {', '.join(ENDINGS)}"
        raise DataError(path, "a folder without pictures", expected)
    return sorted(found)


def box_of(side):
    """Return the side of the box for a digit, in pixels, in a field of `side` pixels.

    Examples
    --------
    >>> box_of(28)
    20
    """
    return max(1, round(side * 20 / 28))
