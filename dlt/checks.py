"""Checks that several modules share: what was found, what was expected."""

import numbers

import numpy as np

from dlt.errors import DataError, SettingsError


def whole_number(name, value, low, high=None, what=None):
    """Give a setting as an int, or say why it is none.

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
    span = "{} or more".format(low) if high is None else "from {} to {}".format(low, high)
    expected = "a whole number{} {}".format("," if high is None else "", span)
    raise SettingsError(
        "{}: found {}; expected {}{}".format(
            name, value, expected, ", " + what if what is not None else ""
        )
    )


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
    >>> positive_in("learning_rate", 1e39, "float32", example="such as 0.13")
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
        "{}: found {}; expected a finite number{} in {}{}".format(
            name, value, ", 0 or more," if zero else " above 0", dtype, example and ", " + example
        )
    )


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
        found = "NaN or infinite values (first in row {})".format(row)
        raise DataError(name, found, "finite numbers", "leave out such rows")
