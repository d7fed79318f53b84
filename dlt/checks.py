"""Checks that several modules share: what was found, what was expected."""

import numbers
import warnings

import numpy as np

from dlt.errors import DataError, SettingsError


def whole_number(name, value, low, high=None, what=None):
    """Return a setting as an int, or say why it is none.

    Parameters
    ----------
    name : str
        The setting's name, for the message.
    value : int, or anything that equals one (``3.0``, a numpy integer)
    low : int
        Least value allowed.
    high : int, optional
        Greatest value allowed.
    what : str, optional
        What `high` is.

    Returns
    -------
    int

    Raises
    ------
    SettingsError
        Not a whole number, or out of range.

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
    fits = isinstance(value, numbers.Real) and np.isfinite(value) and int(value) == value
    if fits and low <= value and (high is None or value <= high):
        return int(value)
    span = f"{low} or more" if high is None else f"from {low} to {high}"
    expected = f"a whole number{',' if high is None else ''} {span}"
    raise SettingsError(name, value, expected + (f", {what}" if what else ""))


def positive_in(name, value, dtype, zero=False, example=""):
    """Check that a number is finite and above 0 (or 0, with `zero`) in a float dtype.

    Parameters
    ----------
    name : str
        The setting's name, for the message.
    value : float, or a symbolic scalar, which passes unchecked
    dtype : str
        1e39 is infinite and 1e-50 is 0 in float32.
    zero : bool
        Whether 0 is allowed.
    example : str
        Ends the message.

    Raises
    ------
    SettingsError
        The number does not fit.

    Examples
    --------
    >>> positive_in("learning_rate", 0.13, "float32")
    >>> positive_in("learning_rate", 1e39, "float32", example=", such as 0.13")
    Traceback (most recent call last):
        ...
    dlt.errors.SettingsError: learning_rate: found 1e+39; expected a finite number above 0 in \
float32, such as 0.13
    """
    if not isinstance(value, numbers.Real):
        return
    with np.errstate(all="ignore"):
        rounded = np.asarray(value).astype(dtype)
    if np.isfinite(rounded) and (rounded > 0 or (zero and value == 0)):
        return
    raise SettingsError(
        name,
        value,
        f"a finite number{', 0 or more,' if zero else ' above 0'} in {dtype}{example}",
    )


def one_of(name, value, allowed):
    """Check that a setting is one of the values allowed.

    Raises
    ------
    SettingsError

    Examples
    --------
    >>> one_of("linker", "cuda", ["jax", "c"])
    Traceback (most recent call last):
        ...
    dlt.errors.SettingsError: linker: found 'cuda'; expected one of jax, c
    """
    if value not in allowed:
        raise SettingsError(name, repr(value), "one of " + ", ".join(allowed))


def text(name, value):
    """Return a setting that is text.

    Raises
    ------
    SettingsError
    """
    if not isinstance(value, str):
        raise SettingsError(name, type(value).__name__, "text")
    return value


def sequence(name, values):
    """Return a setting's values as a list.

    Raises
    ------
    SettingsError
    """
    try:
        return list(values)
    except TypeError:
        raise SettingsError(name, repr(values), "a sequence") from None


def finite(name, array):
    """Refuse NaN and infinity in data: a comparison with either is false, and so counts as label 0.

    Parameters
    ----------
    name : str
        The array's name, for the message.
    array : ndarray, shape (N, ...), floats

    Raises
    ------
    DataError
        A value is not finite.

    Examples
    --------
    >>> finite("x", np.asarray([[0.0], [np.nan]]))
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: x: found NaN or infinite values (first in row 1); expected finite \
numbers; leave out such rows
    """
    bad = ~np.isfinite(array)
    if bad.any():
        row = int(bad.reshape(len(array), -1).any(axis=1).argmax())
        found = f"NaN or infinite values (first in row {row})"
        raise DataError(name, found, "finite numbers", "leave out such rows")


def real_numbers(name, values):
    """Return an array of what may be nested lists, or say why it is no array of real numbers.

    Parameters
    ----------
    name : str
        What messages call it.
    values : array or nested sequences

    Returns
    -------
    ndarray of bool, integers or floats

    Raises
    ------
    DataError

    Examples
    --------
    >>> real_numbers("y", ["a", "b"])
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: y: found text; expected numbers
    """
    if np.ma.isMaskedArray(values):
        if np.ma.is_masked(values):
            raise DataError(
                name, "masked values", "numbers", "fill them in, or leave out such rows"
            )
        values = values.data
    try:
        with warnings.catch_warnings():
            # rows of different lengths: new numpy refuses them, old numpy warns
            warnings.simplefilter("error")
            array = np.asarray(values)
    except (ValueError, TypeError, OverflowError, Warning):
        raise DataError(name, "rows of different lengths", "rows of one length") from None
    if array.dtype.kind not in "biuf":
        raise DataError(name, *_NO_NUMBERS.get(array.dtype.kind, (_kind(array), "numbers")))
    return array


_NO_NUMBERS = {
    "c": ("complex numbers", "real ones", "take the part that counts, such as x.real"),
    "U": ("text", "numbers"),
    "S": ("text", "numbers"),
}


def _kind(array):
    """Name what an array holds that is no number."""
    if array.dtype != object:
        return f"an array of {array.dtype}"
    others = (v for v in array.flat if not isinstance(v, numbers.Real))
    other = next(others, None)
    if array.size and other is None and all(v is not None for v in array.flat):
        return "numbers too large for 64 bits"
    return "None" if other is None else f"values of the type {type(other).__name__}"


def inputs(name, x, ndim=2, dtype=None):
    """Return inputs with one row for each example, or say what is wrong with them.

    Parameters
    ----------
    name : str
        What messages call them.
    x : array, shape (N, ...)
    ndim : int
        Dimensions that the model's symbolic input has. For 2, rows of more dimensions, such as
        pictures, become rows of numbers.
    dtype : str, optional
        What to cast them to; by default they stay as they are.

    Returns
    -------
    ndarray, shape (N, ...)

    Raises
    ------
    DataError
        No real numbers that are finite in `dtype`, no example, or no such dimensions.

    Examples
    --------
    >>> inputs("x", np.zeros((3, 28, 28))).shape
    (3, 784)
    """
    x = real_numbers(name, x)
    if x.size and x.ndim > ndim == 2:
        x = x.reshape(len(x), -1)
    if x.ndim != ndim or x.size == 0:
        found = f"an array of shape {x.shape}"
        rows = "(N, D), one row for each example" if ndim == 2 else f"{ndim} dimensions"
        raise DataError(name, found, rows + ("" if x.size else ", and one or more"))
    with np.errstate(over="ignore"):  # infinite then, and refused
        x = np.asarray(x, dtype)
    finite(name, x)
    return x


def labels(name, y, n_out=None):
    """Return labels as int64, or say why they are none.

    Parameters
    ----------
    name : str
        What messages call them.
    y : array, shape (N,)
        Whole numbers from 0 on, of any dtype.
    n_out : int, optional
        Number of labels that the model has.

    Returns
    -------
    ndarray, int64, shape (N,)

    Raises
    ------
    DataError

    Examples
    --------
    >>> labels("y", [0.0, 0.5])
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: y: found label 0.5 in row 1; expected whole numbers, 0 or more; number \
the classes from 0
    """
    y = real_numbers(name, y)
    if y.ndim != 1 or y.size == 0:
        found = f"an array of shape {y.shape}"
        raise DataError(name, found, "class numbers, shape (N,)", _label_advice(y))
    whole = y if y.dtype.kind in "biu" else np.round(y.astype(np.float64))  # 2**31 has no float16
    bad = ~(whole == y) | (whole < 0) | (whole >= 2**31)  # NaN differs from all
    if bad.any():
        row = int(bad.argmax())
        found = f"label {y[row]} in row {row}"
        raise DataError(name, found, "whole numbers, 0 or more", "number the classes from 0")
    if n_out is not None and whole.max() >= n_out:
        row = int((whole >= n_out).argmax())
        found = f"label {whole[row]:g} in row {row}"
        expected = f"labels from 0 to {n_out - 1}, as the classifier has {n_out} outputs"
        raise DataError(name, found, expected)
    return whole.astype(np.int64)


def _label_advice(y):
    if y.ndim == 2 and y.shape[1] == 1:
        return "take y.ravel()"
    one_hot = y.ndim == 2 and y.size and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
    return "one-hot rows? take y.argmax(axis=1)" if one_hot else None


def pair(name, data_xy):
    """Return x and y of a data set, or say that it is no pair.

    Parameters
    ----------
    name : str
        What messages call it.
    data_xy : iterable of two

    Raises
    ------
    DataError

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
            found = f"{found} of {len(data_xy)}"
        raise DataError(name, found, "a pair, x and y") from None
    return x, y


def as_many(name, n_rows, n_labels):
    """Refuse inputs and labels of different numbers.

    Raises
    ------
    DataError
    """
    if n_rows != n_labels:
        found = f"{n_rows} rows of x and {n_labels} of y"
        raise DataError(name, found, "one label for each row")


def dimensions(name, array, ndim):
    """Refuse an array of other dimensions than the symbolic variable that it is for.

    Raises
    ------
    DataError
    """
    if array.ndim != ndim:
        found = f"an array of shape {array.shape}"
        raise DataError(name, found, f"{ndim} dimensions, as the symbolic one has")


def rows_alike(name, row_shape, expected, whose):
    """Refuse inputs whose rows have another shape than expected.

    Parameters
    ----------
    name : str
        What messages call the inputs.
    row_shape, expected : tuple of int
    whose : str
        Which rows are like that.

    Raises
    ------
    DataError

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
