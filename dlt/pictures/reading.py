"""Pictures to rows: your own picture of a digit, prepared the way MNIST's were.

A model trained on MNIST knows nothing but digits of one size, centred, bright on black
(`dlt.pictures.normalizing`), so a photograph or a drawing has to become such a digit first.
"""

from __future__ import annotations

import io
import math
import os
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dlt.checks import whole_number
from dlt.errors import DataError
from dlt.files.reading import open_regular

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
MAX_PIXELS = 50000000  # a large camera picture; more is a mistake or an attack
MAX_FILE_BYTES = 1 << 28  # pixels that are not compressed, and whatever else is in the file
_WHAT = "a picture of one digit (PNG, JPEG, BMP, GIF or WebP)"


def read_picture(path: str | os.PathLike, side: int = 28) -> tuple[np.ndarray, str]:
    """Read one picture of a digit as the row that a model trained on MNIST expects.

    A picture of exactly `side` x `side` pixels with a dark border is taken as
    it is. Any other is made grey and turned to bright ink on black. The
    background, its grain and specks of dust are removed. The ink is cropped,
    scaled in proportion until its longest side is 20/28 of `side`, and placed
    with its centre of mass at the centre of the field (or as near as the
    field's edges allow). Transparent parts count as white; of an animation the
    first frame is taken; a camera's orientation mark is obeyed.

    Parameters
    ----------
    path : str or os.PathLike
        A PNG, JPEG, BMP, GIF or WebP file of at most `MAX_PIXELS` pixels and
        `MAX_FILE_BYTES` bytes.
    side : int, pixels
        Height and width of the field.

    Returns
    -------
    row : ndarray, float32, shape (side * side,)
        Values k/256 with k = 0..255: 0 is background, bright is ink.
    note : str
        What was done, in one phrase.

    Raises
    ------
    DataError
        The file is missing, not a picture, damaged, too large or blank.

    Notes
    -----
    A speck is a piece that touches no other ink and is smaller than a square of
    half the pen's width, so dots and broken strokes stay. Whatever is larger
    counts as ink: the shadow of a hand over part of the paper, the table around
    it, a frame, the rules of ruled paper, corners that the lens left dark. So
    crop a photograph to the paper around the digit, and light it evenly.

    Examples
    --------
    A dark bar on white paper, 10 pixels wide and 40 high:

    >>> import tempfile
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
    from dlt.pictures.normalizing import Blank, normalized  # slow to import

    side = whole_number("side", side, low=1)
    try:
        field, note = normalized(_read_grey(path), side)
    except Blank:
        expected = "one digit that differs clearly from its background"
        remedy = "note that transparent parts count as white"
        raise DataError(path, "a blank picture (no ink)", expected, remedy) from None
    return field.reshape(side * side).astype(np.float32) / np.float32(256), note


def side_of(n_in: int, name: str = "model") -> int:
    """Return the side of square pictures of `n_in` pixels.

    Raises
    ------
    DataError
        `n_in` is not the square of a whole number.

    Examples
    --------
    >>> side_of(784)
    28
    """
    side = math.isqrt(n_in)
    if side * side != n_in:
        expected = "a square number, one for each pixel of a square picture"
        raise DataError(name, f"{n_in} inputs", expected)
    return side


def box_of(side):
    """Return the side of the box that a digit is scaled to fill, in a field of `side` pixels.

    Examples
    --------
    >>> box_of(28)
    20
    """
    return max(1, round(side * 20 / 28))


def _read_grey(path):
    """Read a picture as a Pillow image of mode "L"."""
    with open_regular(path, _WHAT) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damage and of size: both are errors below
        n_bytes = os.fstat(file.fileno()).st_size
        if n_bytes > MAX_FILE_BYTES:
            found = f"a file of {n_bytes} bytes"
            raise DataError(path, found, f"at most {MAX_FILE_BYTES}", "scale it down")
        try:
            with Image.open(io.BufferedReader(file), formats=FORMATS) as picture:
                _check_size(path, picture.size)  # before anything is decoded
                picture.load()
                return _to_grey(_upright(picture))
        except DataError:
            raise
        except Image.DecompressionBombError as error:
            raise _too_large(path, "a picture with far too many pixels") from error
        except UnidentifiedImageError as error:
            found = "a file that is none of these pictures"
            raise DataError(path, found, _WHAT, "save it as PNG") from error
        except Exception as error:  # Pillow's readers raise all kinds for bad bytes
            found = "a damaged or cut-off picture"
            raise DataError(path, found, _WHAT, "save or copy it again") from error


def _check_size(path, size):
    if 0 in size:
        raise DataError(path, "a picture without pixels", _WHAT, "save it again")
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_large(path, "a picture of {} x {} pixels".format(*size))


def _too_large(path, found):
    return DataError(path, found, f"at most {MAX_PIXELS // 1000000} megapixels", "scale it down")


def _upright(picture):
    """Turn a picture as its camera's orientation mark says; a damaged mark is no mark."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # the pixels have been decoded by now, so only the mark can be bad
        return picture


def _to_grey(picture):
    """Return a picture of any mode as mode "L", on white where it is transparent."""
    if picture.mode == "F" or picture.mode.startswith("I"):  # 16 bits: 65535 is white
        wide = np.asarray(picture).astype(np.float32)
        wide /= 257  # in place, all of it: a large picture takes 200 MB each time
        np.clip(np.rint(wide, out=wide), 0, 255, out=wide)
        return Image.fromarray(wide.astype(np.uint8))
    if "transparency" in picture.info or picture.mode in ("LA", "PA", "RGBA"):
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
    return picture.convert("L")
