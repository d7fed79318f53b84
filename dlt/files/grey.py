"""Pictures in files, made grey: PNG, JPEG, BMP, GIF and WebP, from anyone."""

from __future__ import annotations

import io
import os
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dlt.errors import DataError
from dlt.files.reading import open_regular

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
#: How the names of such files end.
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
MAX_PIXELS = 50000000  # a large camera picture; more is a mistake or an attack
MAX_FILE_BYTES = 1 << 28  # pixels that are not compressed, and whatever else is in the file
_WHAT = "a picture (PNG, JPEG, BMP, GIF or WebP)"


def read_grey(path: str | os.PathLike) -> Image.Image:
    """Read a picture as a Pillow image of mode "L".

    Transparent parts count as white; of an animation the first frame is taken; a camera's
    orientation mark is obeyed.

    Parameters
    ----------
    path : str or os.PathLike
        A file of at most `MAX_PIXELS` pixels and `MAX_FILE_BYTES` bytes.

    Raises
    ------
    DataError
        The file is missing, not a picture, damaged or too large.
    """
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
