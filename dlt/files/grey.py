"""Untrusted picture files (PNG, JPEG, BMP, GIF, WebP), read as grey pictures."""

from __future__ import annotations

import io
import os
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dlt.errors import DataError
from dlt.files.reading import open_regular

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
#: Endings of their names.
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
MAX_PIXELS = 50000000  # a large camera picture; more is a mistake or an attack
MAX_SIDE = 65535  # JPEG's limit; Pillow needs extra memory for each row
MAX_FILE_BYTES = 1 << 28  # uncompressed pixels, and everything else in the file
#: Most bytes of memory that reading a picture takes: for WebP four copies, and the file.
MEMORY = 1 << 30
_BAND = 1 << 20  # pixels to convert at a time
_WHAT = "a picture (PNG, JPEG, BMP, GIF or WebP)"


def read_grey(path: str | os.PathLike) -> Image.Image:
    """Read a picture as a Pillow image of mode "L".

    Transparent parts become white. Of an animation, the first frame is read. A picture that a
    camera marked as rotated is turned upright.

    Parameters
    ----------
    path : str or os.PathLike
        A file of at most `MAX_PIXELS` pixels, `MAX_SIDE` each way, and `MAX_FILE_BYTES` bytes.
        Reading it takes at most `MEMORY` bytes.

    Raises
    ------
    DataError
        The file is missing, damaged, too large, or not a picture.
    """
    with open_regular(path, _WHAT) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damage and size, which are errors below
        n_bytes = os.fstat(file.fileno()).st_size
        if n_bytes > MAX_FILE_BYTES:
            found = f"a file of {n_bytes} bytes"
            raise DataError(path, found, f"at most {MAX_FILE_BYTES}", "scale it down")
        try:
            with Image.open(io.BufferedReader(file), formats=FORMATS) as picture:
                _check_size(path, picture.size)  # before anything is decoded
                picture.load()
                return _upright(_to_grey(picture))
        except DataError:
            raise
        except Image.DecompressionBombError as error:
            raise _too_large(path, "a picture with far too many pixels") from error
        except UnidentifiedImageError as error:
            found = "a file of another kind"
            raise DataError(path, found, _WHAT, "save it as PNG") from error
        except Exception as error:  # Pillow's readers raise all kinds of errors for bad bytes
            found = "a damaged or cut-off picture"
            raise DataError(path, found, _WHAT, "save or copy it again") from error


def _check_size(path, size):
    if 0 in size:
        raise DataError(path, "a picture without pixels", _WHAT, "save it again")
    if size[0] * size[1] > MAX_PIXELS or max(size) > MAX_SIDE:
        raise _too_large(path, "a picture of {} x {} pixels".format(*size))


def _too_large(path, found):
    expected = f"at most {MAX_PIXELS // 1000000} megapixels, and {MAX_SIDE} pixels each way"
    return DataError(path, found, expected, "scale it down")


def _upright(grey):
    """Turn a picture as its orientation mark says; ignore a damaged mark."""
    try:
        return ImageOps.exif_transpose(grey)
    except Exception:  # the pixels are decoded by now, so only the mark can be bad
        return grey


def _to_grey(picture):
    """Return a picture of any mode as mode "L"; transparent parts become white."""
    grey = Image.new("L", picture.size)
    grey.info = {key: value for key, value in picture.info.items() if key != "transparency"}
    n_rows = max(1, _BAND // picture.width)
    for top in range(0, picture.height, n_rows):
        band = (0, top, picture.width, min(top + n_rows, picture.height))
        grey.paste(_grey_band(picture.crop(band)), band)
    return grey


def _grey_band(picture):
    if picture.mode == "F" or picture.mode.startswith("I"):  # 16 bits: 65535 is white
        wide = np.rint(np.asarray(picture).astype(np.float32) / 257)
        return Image.fromarray(np.clip(wide, 0, 255).astype(np.uint8))
    if "transparency" in picture.info or picture.mode in ("LA", "PA", "RGBA"):
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
    return picture.convert("L")
