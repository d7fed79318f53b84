"""Checks of pictures and of the text above them; all other checks are in `dlt.checks`."""

import math
import numbers

import numpy as np

from dlt.checks import inputs, positive_in, real_numbers, sequence
from dlt.errors import DataError, SettingsError

#: Most pictures in one figure, and most labels of a confusion matrix.
MAX_PICTURES = 500

#: Most pixels in one figure, all pictures together, and most weights of a model to draw.
MAX_PIXELS = 1 << 24

#: Most memory, in bytes, that drawing a model takes besides its data set.
MEMORY = 5 << 28


def examples(name, x):
    """Return pictures in their own shape, (N, n_in) or (N, height, width)."""
    x = real_numbers(name, x)
    return inputs(name, x, ndim=3 if x.ndim > 2 else 2)


def as_pictures(name, x):
    """Return pictures as float64, shape (N, height, width); rows become squares."""
    x = examples(name, x)
    if len(x) > MAX_PICTURES:
        raise DataError(name, f"{len(x)} pictures", f"at most {MAX_PICTURES}", "take fewer")
    check_pixels(name, x.size)
    x = x.astype(np.float64)
    if x.ndim == 2:
        side = side_of(x.shape[1], name)
        x = x.reshape(-1, side, side)
    return x


def check_pixels(name, n):
    """Check that pictures are not too large to draw."""
    if n > MAX_PIXELS:
        found, remedy = f"{n} pixels in all pictures", "take fewer or smaller ones"
        raise DataError(name, found, f"at most {MAX_PIXELS}", remedy)


def side_of(n_in, name):
    """Return the side of square pictures of `n_in` pixels."""
    side = math.isqrt(n_in)
    if side * side != n_in:
        expected = "a square number, one for each pixel of a square picture"
        raise DataError(name, f"{n_in} inputs", expected, "reshape them: (N, height, width)")
    return side


def weight_pictures(name, W):
    """Return weights as float64 pictures, one for each label."""
    W = real_numbers(name, W)
    if W.ndim not in (2, 3):
        expected = "(n_in, n_out) or (height, width, n_out)"
        raise DataError(name, f"an array of shape {W.shape}", expected)
    return as_pictures(name, np.moveaxis(W, -1, 0))


def scale_end(name, weights):
    """Return where a colour scale ends: at the largest absolute value, or 1.0 if all are 0."""
    limit, float32 = float(np.abs(weights).max()), np.finfo(np.float32)
    if limit > float(float32.max):
        raise DataError(name, f"weights up to {limit:g}", "weights that fit into float32")
    return limit if limit > float(float32.tiny) else 1.0


def positive(name, value):
    """Return a number above 0 as a float."""
    if not isinstance(value, numbers.Real):
        raise SettingsError(name, type(value).__name__, "a finite number above 0, such as 1.0")
    positive_in(name, value, "float32", example=", such as 1.0")
    return float(value)


def captions(name, values, n):
    """Return n values as text; None means their numbers."""
    values = range(n) if values is None else sequence(name, values)
    check_length(name, values, n)
    for value in values:
        if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0):
            found, expected = f"a row of {len(value)} values", "one number or text for each"
            raise DataError(name, found, expected, "of one-hot rows take argmax(axis=1)")
    return [str(value) for value in values]


def check_length(name, values, n):
    """Check that there are n values."""
    if len(values) != n:
        raise DataError(name, f"{len(values)} of them", n)
