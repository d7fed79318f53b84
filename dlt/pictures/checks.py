"""Checks of what is to be drawn: what was found, what was expected."""

import numbers
import os
import warnings

import numpy as np

from dlt.checks import positive_in, whole_number
from dlt.errors import SettingsError
from dlt.pictures.reading import side_of

#: Most pictures in one figure, and most labels of a confusion matrix.
MAX_PICTURES = 500


def _numbers(name, values):
    """Return numbers as an array of floats, or say why not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rows of different lengths are told below
            array = np.asarray(values)
    except (ValueError, TypeError):
        raise SettingsError(name, "rows of different lengths", "an array of numbers") from None
    if array.dtype.kind not in "biuf":
        raise SettingsError(name, f"an array of {array.dtype}", "numbers")
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _matrix(name, values):
    """Check a matrix of finite numbers, at least one row and one column."""
    array = _numbers(name, values)
    if array.ndim != 2 or not array.size:
        raise SettingsError(
            name, f"an array of shape {array.shape}", "two dimensions, neither of them 0"
        )
    if not np.isfinite(array).all():
        raise SettingsError(name, "NaN or infinity", "finite numbers")
    return array


def _pictures(name, rows):
    """Return rows of pixels as pictures, shape (N, height, width); square ones if they are flat."""
    array, flat = _numbers(name, rows), _flat(name, rows)
    if len(flat) > MAX_PICTURES:
        raise SettingsError(
            name, f"{len(flat)} pictures", f"at most {MAX_PICTURES}", "choose some of them"
        )
    sides = array.shape[1:] if array.ndim == 3 else (_side(name, flat.shape[1]),) * 2
    return flat.reshape(-1, *sides)


def _flat(name, rows):
    """Check pictures, flat or not, and give them as rows of pixels."""
    array = _numbers(name, rows)
    return _matrix(name, array.reshape(len(array), -1) if array.size and array.ndim == 3 else array)


def _weight_images(name, W):
    """Return weights as one picture for each label."""
    array = _numbers(name, W)
    return _pictures(name, np.moveaxis(array, -1, 0) if array.ndim == 3 else _matrix(name, W).T)


def _side(name, n_in):
    try:
        return side_of(n_in)
    except SettingsError:
        raise SettingsError(name, f"pictures of {n_in} pixels", "a square number of them") from None


def _labels(name, values, n_out):
    """Check labels: whole numbers from 0 to n_out - 1, shape (N,), at least one."""
    array = _numbers(name, values)
    if array.ndim != 1 or not array.size:
        raise SettingsError(name, f"an array of shape {array.shape}", "one dimension, not 0")
    bad = array[~((array >= 0) & (array < n_out) & (array == np.floor(array)))]
    if bad.size:
        raise SettingsError(name, f"the label {bad[0]:g}", f"whole numbers from 0 to {n_out - 1}")
    return array.astype(np.int64)


def _check_probabilities(name, p):
    """Refuse scores; sums of rounded probabilities may be a little above 1."""
    if p.min() < 0 or p.max() > 1 + 1e-6:
        raise SettingsError(
            name,
            f"values from {p.min():g} to {p.max():g}",
            "probabilities, 0 to 1",
            "apply softmax to scores",
        )


def _listed(name, values):
    try:
        return list(values)
    except TypeError:
        raise SettingsError(name, repr(values), "a sequence") from None


def _captions(name, values, n):
    """Return n values as text."""
    values = _listed(name, values)
    _check_length(name, values, n)
    for value in values:
        if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0):
            raise SettingsError(
                name,
                f"a row of {len(value)} values",
                "one number or text for each",
                "of one-hot rows take argmax(axis=1)",
            )
    return [str(value) for value in values]


def _check_length(name, values, n):
    if len(values) != n:
        raise SettingsError(name, f"{len(values)} of them", n)


def _limit(name, values):
    """Return the largest absolute value as the end of a colour scale; 1 if there is none."""
    limit = float(np.abs(values).max())
    if limit > float(np.finfo(np.float32).max):
        raise SettingsError(name, f"weights up to {limit:g}", "such as float32 can hold")
    return limit if limit > float(np.finfo(np.float32).tiny) else 1.0


def _positive(name, value):
    """Check a positive number that the caller chose."""
    if not isinstance(value, numbers.Real):
        raise SettingsError(name, type(value).__name__, "a finite number above 0, such as 1.0")
    positive_in(name, value, "float32", example=", such as 1.0")
    return float(value)


def _text(name, value):
    """Check a text that stands in a figure."""
    if not isinstance(value, str):
        raise SettingsError(name, type(value).__name__, "text")
    return value


def _pair(name, pair):
    try:
        first, second = pair
    except (TypeError, ValueError):
        raise SettingsError(name, repr(pair), "two numbers") from None
    return whole_number(name, first, low=1), whole_number(name, second, low=1)


def _ending(path, allowed):
    """Return the ending of a file's name, if it is one of those allowed."""
    ending = os.path.splitext(os.fspath(path))[1].lower()[1:]
    if ending not in allowed:
        *others, last = ["." + kind for kind in allowed]
        expected = ", ".join(others) + " or " + last if others else last
        raise SettingsError(os.fspath(path), f"the ending {ending!r}", expected)
    return ending
