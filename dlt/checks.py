"""Checks of arguments that several modules share.

`name` is the name of the value in messages. Bad settings raise a SettingsError, bad data a
DataError.
"""

from __future__ import annotations

import itertools
import numbers
import warnings
from typing import Any, Collection, Sequence

import numpy as np

from dlt.errors import DataError, SettingsError

Shape = Sequence[int]


def whole_number(name: str, value: Any, low: int, high: int | None = None, what: str = "") -> int:
    """Return a whole number from `low` to `high` (such as ``3.0``, or numpy's) as an int.

    `what` explains `high` in the message.

    Examples
    --------
    >>> whole_number("n_epochs", np.int64(3), low=1)
    3
    >>> whole_number("batch_size", 0, low=1, high=10, what="the number of examples")
    Traceback (most recent call last):
        ...
    dlt.errors.SettingsError: batch_size: found 0; expected a whole number from 1 to 10, the \
number of examples
    """
    is_real, most = isinstance(value, numbers.Real), np.inf if high is None else high
    if is_real and low <= value <= most and value != np.inf and int(value) == value:
        return int(value)
    span = f", {low} or more" if high is None else f" from {low} to {high}"
    raise SettingsError(name, value, f"a whole number{span}{', ' if what else ''}{what}")


def positive_in(name: str, value: Any, dtype: str, zero: bool = False, example: str = "") -> None:
    """Check that a number is finite and above 0 in a float dtype (1e-50 is 0 in float32).

    A symbolic scalar passes unchecked; 0 passes if `zero` is true. `example` ends the message.

    Examples
    --------
    >>> positive_in("learning_rate", 0.13, "float32")
    >>> positive_in("learning_rate", 1e39, "float32", example=", such as 0.13")
    Traceback (most recent call last):
        ...
    dlt.errors.SettingsError: learning_rate: found 1e+39; expected a finite number above 0 in \
float32, such as 0.13
    """
    if hasattr(value, "owner"):
        return
    expected = f"a finite number{', 0 or more,' if zero else ' above 0'} in {dtype}{example}"
    if not isinstance(value, numbers.Real) and not _is_number(value):
        raise SettingsError(name, f"a value of type {type(value).__name__}", expected)
    with np.errstate(all="ignore"):
        try:
            rounded = np.asarray(value).astype(dtype)
        except OverflowError:  # an int of more than 300 digits
            rounded = np.asarray(np.inf)
    if not np.isfinite(rounded) or not (rounded > 0 or (zero and value == 0)):
        raise SettingsError(name, value, expected)


def _is_number(value):
    """Return whether a value is an array that holds one real number and has no dimensions."""
    is_one = isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "biuf"
    return is_one and not np.ma.is_masked(value)


def one_of(name: str, value: Any, allowed: Collection[str]) -> None:
    """Check that a setting is one of the allowed values.

    Examples
    --------
    >>> one_of("linker", "cuda", ["jax", "c"])
    Traceback (most recent call last):
        ...
    dlt.errors.SettingsError: linker: found 'cuda'; expected one of jax, c
    """
    if value not in allowed:
        raise SettingsError(name, repr(value), "one of " + ", ".join(allowed))


def text(name: str, value: Any) -> str:
    """Return a setting that must be text."""
    if not isinstance(value, str):
        raise SettingsError(name, type(value).__name__, "text")
    return value


def sequence(name: str, values: Any, most: int | None = None) -> list:
    """Return the values of a setting as a list."""
    try:
        found = list(itertools.islice(values, most and most + 1))
    except TypeError:
        raise SettingsError(name, repr(values), "a sequence") from None
    if most is not None and len(found) > most:
        raise SettingsError(name, f"more than {most} values", "fewer")
    return found


def finite(name: str, array: np.ndarray, first: int = 0) -> None:
    """Raise a DataError for NaN and infinity; `first` is the number of the first row."""
    bad = ~np.isfinite(array)
    if bad.any():
        row = first + int(bad.reshape(len(array), -1).any(axis=1).argmax())
        found = f"NaN or infinite values (first in row {row})"
        raise DataError(name, found, "finite numbers", "leave out such rows")


def real_numbers(name: str, values: Any) -> np.ndarray:
    """Return an array, a pandas frame or nested sequences as an array of real numbers.

    Examples
    --------
    >>> real_numbers("y", ["a", "b"])
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: y: found text; expected numbers
    """
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    try:
        unmasked(name, values)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # old numpy only warns about rows of different lengths
            array = np.asanyarray(values)
            unmasked(name, array)  # an object may convert itself to a masked array
            array = np.asarray(array)
            if array.dtype == object and array.size:  # from a frame with columns of several types
                array = np.asarray(array.tolist())
    except DataError:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, Warning):
        raise DataError(name, "rows of different lengths", "rows of one length") from None
    kind = array.dtype.kind
    if kind == "c":
        remedy = "take the part that counts, such as x.real"
        raise DataError(name, "complex numbers", "real ones", remedy)
    if kind not in "biuf":
        raise DataError(name, "text" if kind in "US" else _contents(array), "numbers")
    return array


def unmasked(name: str, values: Any) -> None:
    """Raise a DataError for masked values in an array or in nested sequences."""
    if isinstance(values, (list, tuple)):
        # Look at the types first, because rows of numbers are long.
        if any(issubclass(t, (list, tuple, np.ma.MaskedArray)) for t in set(map(type, values))):
            for value in values:
                unmasked(name, value)
    elif np.ma.is_masked(values):
        raise DataError(name, "masked values", "numbers", "fill them in or leave out such rows")


def _contents(array):
    """Return a phrase for what an array holds instead of numbers."""
    if array.dtype != object:
        return f"an array of {array.dtype}"
    others = (type(v).__name__ for v in array.flat if not isinstance(v, numbers.Real))
    kind = next(others, "numbers too large for 64 bits")
    return {"NoneType": "None"}.get(kind, kind if " " in kind else f"values of the type {kind}")


def inputs(name: str, x: Any, ndim: int = 2, dtype: str | None = None) -> np.ndarray:
    """Return inputs as an array of finite real numbers, one row for each example.

    Parameters
    ----------
    x : array, shape (N, ...)
    ndim : int
        Dimensions of the model's symbolic input. If this is 2, rows with more dimensions, such as
        pictures, become flat.
    dtype : str, optional
        The dtype of the result; the default is that of `x`.

    Examples
    --------
    >>> inputs("x", np.zeros((3, 28, 28))).shape
    (3, 784)
    """
    x = real_numbers(name, x)
    if x.size == 0:
        raise DataError(name, f"no examples (an array of shape {x.shape})", "one or more")
    if x.ndim > ndim == 2:
        grey(name, x.shape[1:])
        x = x.reshape(len(x), -1)
    if x.ndim != ndim:
        expected = "(N, D), one row for each example" if ndim == 2 else f"{ndim} dimensions"
        raise DataError(name, f"an array of shape {x.shape}", expected)
    with np.errstate(over="ignore"):  # the result is infinite, and refused
        x = np.asarray(x, dtype)
    finite(name, x)
    return x


def grey(name: str, row_shape: Shape) -> None:
    """Raise a DataError for pictures in colour or with alpha.

    Examples
    --------
    >>> grey("x", (28, 28, 3))
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: x: found pictures of 28 x 28 pixels with 3 channels; expected grey ones; \
take x[..., :3].mean(axis=-1).astype(x.dtype)
    """
    sides = [n for n in row_shape if n > 1]
    if len(sides) != 3:
        return
    for axis, place in ((2, "[..., :{}].mean(axis=-1)"), (0, "[:, :{}].mean(axis=1)")):
        channels = sides[axis]
        if channels <= 4:
            height, width = sides[:axis] + sides[axis + 1 :]
            found = f"pictures of {height} x {width} pixels with {channels} channels"
            remedy = "x" + place.format(1 if channels == 2 else 3)  # two are grey and alpha
            raise DataError(name, found, "grey ones", f"take {remedy}.astype(x.dtype)")


def labels(name: str, y: Any, n_out: int | None = None, first: int = 0) -> np.ndarray:
    """Return a vector of labels as int64; check that they are whole numbers from 0 to `n_out` - 1.

    Examples
    --------
    >>> labels("y", [0.0, 0.5])
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: y: found label 0.5 in row 1; expected whole numbers, 0 or more; number \
the classes from 0
    """
    y = real_numbers(name, y)
    if y.size == 0:
        raise DataError(name, "no labels", "one for each example")
    if y.ndim != 1:
        found = f"an array of shape {y.shape}"
        raise DataError(name, found, "class numbers, shape (N,)", _label_advice(y))
    whole = y if y.dtype.kind in "biu" else np.round(y.astype(np.float64))  # 2**31 has no float16
    bad = ~((whole == y) & (whole >= 0) & (whole < 2**31))  # including NaN
    if bad.any():
        row = int(bad.argmax())
        found = f"label {y[row]} in row {first + row}"
        raise DataError(name, found, "whole numbers, 0 or more", "number the classes from 0")
    if n_out is not None and whole.max() >= n_out:
        row = int((whole >= n_out).argmax())
        found = f"label {whole[row]:g} in row {first + row}"
        raise DataError(name, found, f"labels from 0 to {n_out - 1}, as n_out is {n_out}")
    return whole.astype(np.int64)


def _label_advice(y):
    if y.ndim == 2 and y.shape[1] == 1:
        return "take y.ravel()"
    return "one-hot rows: take y.argmax(axis=1)" if is_one_hot(y) else None


def is_one_hot(y: np.ndarray) -> bool:
    """Return whether each row of a matrix has a single 1 among zeros.

    Examples
    --------
    >>> is_one_hot(np.eye(3)), is_one_hot(np.ones((3, 8)))
    (True, False)
    """
    if y.ndim != 2 or y.size == 0 or y.dtype.kind not in "biuf":
        return False
    return bool(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())


def pair(name: str, data_xy: Any) -> tuple:
    """Return x and y of a data set.

    Examples
    --------
    >>> pair("valid_set", None)
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: valid_set: found NoneType; expected a pair, x and y
    """
    try:
        x, y = data_xy
    except (TypeError, ValueError):
        found = type(data_xy).__name__
        if hasattr(data_xy, "__len__"):
            found += f" of {len(data_xy)}"
        raise DataError(name, found, "a pair, x and y") from None
    return x, y


def as_many(name: str, n_rows: int, n_labels: int) -> None:
    """Check that each row has one label."""
    if n_rows != n_labels:
        found = f"{n_rows} rows of x and {n_labels} of y"
        raise DataError(name, found, "one label for each row")


def dimensions(name: str, array: np.ndarray, ndim: int) -> None:
    """Check that an array has as many dimensions as its symbolic variable."""
    if array.ndim != ndim:
        found = f"an array of shape {array.shape}"
        raise DataError(name, found, f"{ndim} dimensions, as the symbolic one has")


def rows_alike(name: str, row_shape: Shape, expected: Shape, whose: str) -> None:
    """Check the shape of the rows of inputs; `whose` ends the message.

    Examples
    --------
    >>> rows_alike("test set, x", (64,), (784,), "the training set has")
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: test set, x: found rows of 64 values; expected 784, as the training set \
has
    """
    if tuple(row_shape) != tuple(expected):
        found, wanted = (" x ".join(map(str, shape)) for shape in (row_shape, expected))
        raise DataError(name, f"rows of {found} values", f"{wanted}, as {whose}")
