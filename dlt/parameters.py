"""Parameters: copy a model's arrays, put them back, and save them to a file.

`dlt.files.described` describes the formats of the files.

Source: page "Getting Started", section "Loading and Saving Models".
"""

from __future__ import annotations

import os
from typing import Any, Sequence

import numpy as np

from dlt.checks import real_numbers
from dlt.errors import DataError
from dlt.files.described import read_described, with_ending, write_described


def names_of(variables: Sequence[Any]) -> list[str]:
    """Return a name for each shared variable: its own, with a number if another has the same."""
    names: list[str] = []
    for place, variable in enumerate(variables):
        own = name = variable.name or f"param_{place}"
        n = 1
        while name in names:
            n += 1
            name = f"{own}_{n}"
        names.append(name)
    return names


def get_values(params: Sequence[Any]) -> dict[str, np.ndarray]:
    """Copy the values of shared variables, by name: the page's ``copy.deepcopy(params)``.

    If two variables are called ``W``, the second becomes ``W_2``.

    Examples
    --------
    >>> from dlt.engine import theano
    >>> get_values([theano.shared(np.zeros(2), name="b")])
    {'b': array([0., 0.])}
    """
    values = (np.array(param.get_value(borrow=True)) for param in params)
    return dict(zip(names_of(params), values))


def set_values(params: Sequence[Any], values: dict[str, np.ndarray]) -> None:
    """Put values back into parameters, after checking that all of them fit.

    Raises
    ------
    DataError
        A name, shape or dtype differs. The error lists every difference, and no parameter changes.
    """
    _set_values("values", params, {name: real_numbers(name, v) for name, v in values.items()})


def save_params(
    path: str | os.PathLike,
    params: Sequence[Any] | dict[str, np.ndarray],
    settings: dict[str, Any] | None = None,
) -> None:
    """Save parameters to a file, completely or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.npz`` (the default) or ``.pkl``. An existing file is replaced.
    params : sequence of shared variables, or dict of str to ndarray
    settings : dict, optional
        How the parameters were made: anything that JSON can hold.

    Raises
    ------
    DataError, SettingsError
        `read_params` could not read back an array, a name or a setting (see
        `dlt.files.described.check_saveable`), or the file cannot be written. An existing file
        stays as it is.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "params.npz")
    >>> save_params(path, {"b": np.zeros(3)}, settings={"learning_rate": 0.13})
    >>> arrays, settings = read_params(path)
    >>> arrays["b"].tolist(), settings
    ([0.0, 0.0, 0.0], {'learning_rate': 0.13})
    """
    arrays = params if isinstance(params, dict) else get_values(params)
    path, ending = with_ending(path)
    write_described(path, arrays, {} if settings is None else settings, ending=ending)


def read_params(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file of parameters without a model.

    Parameters
    ----------
    path : str or os.PathLike
        A ``.npz`` or ``.pkl`` file. It may come from a stranger: no code in it is run.

    Returns
    -------
    arrays : dict of str to ndarray
        In the order in which they were saved. Those in a ``.pkl`` file without a description are
        called ``param_0``, ``param_1``, ...
    settings : dict
        As `save_params` received them; empty if there are none.
    """
    return read_described(*with_ending(path))


def load_params(path: str | os.PathLike, params: Sequence[Any]) -> dict[str, Any]:
    """Load a file into a model's parameters, and return the settings stored with them.

    Floats of another dtype are cast, as in `dlt.Predictor`.

    Parameters
    ----------
    path : str or os.PathLike
        A file written by `save_params`, or as the page shows. In the latter the order of the
        arrays counts, as they have no names.
    params : sequence of shared variables

    Raises
    ------
    DataError
        The file cannot be read, holds numbers too large for floatX, or does not fit the model, as
        in `set_values`.

    Examples
    --------
    >>> import os, tempfile
    >>> from dlt.engine import theano
    >>> path = os.path.join(tempfile.mkdtemp(), "params.pkl")
    >>> save_params(path, {"b": np.ones(2)})
    >>> b = theano.shared(np.zeros(2), name="b")
    >>> load_params(path, [b])
    {}
    >>> b.get_value().tolist()
    [1.0, 1.0]
    """
    arrays, settings = read_params(path)
    names = names_of(params)
    if list(arrays) == [f"param_{i}" for i in range(len(params))]:
        arrays = dict(zip(names, arrays.values()))
    for name, param in zip(names, params):
        if name in arrays and arrays[name].dtype.kind == np.dtype(param.dtype).kind == "f":
            arrays[name] = cast_floats(path, arrays[name], param.dtype)
    _set_values(path, params, arrays)
    return settings


def cast_floats(path: str | os.PathLike, array: np.ndarray, dtype: str) -> np.ndarray:
    """Return an array of floats in another float dtype.

    Raises
    ------
    DataError
        A finite number is too large for that dtype.
    """
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if (np.isinf(cast) & np.isfinite(array)).any():
        expected = f"finite numbers that {dtype} can hold"
        raise DataError(path, "numbers too large", expected, f"use floatX={array.dtype}")
    return cast


def check_values(
    what: str | os.PathLike, values: dict[str, np.ndarray], arrays: dict[str, np.ndarray]
) -> None:
    """Check that arrays have the names, shapes and dtypes of a model's values.

    Parameters
    ----------
    what : str or os.PathLike
        Where the arrays come from, for the message.
    values, arrays : dict of str to ndarray
        The values of the model, and the arrays to check.
    """
    wanted, found = (
        {name: (array.shape, array.dtype.name) for name, array in group.items()}
        for group in (values, arrays)
    )
    names = list(wanted) + [name for name in found if name not in wanted]
    differ = [name for name in names if wanted.get(name) != found.get(name)]
    if differ:
        raise DataError(
            what,
            ", ".join(_kind(name, found.get(name)) for name in differ),
            ", ".join(_kind(name, wanted.get(name)) for name in differ) + ", as the model has",
            "use the model and the floatX the file was saved with",
        )


def _set_values(what, params, values):
    present = (param.get_value(borrow=True) for param in params)
    check_values(what, dict(zip(names_of(params), present)), values)
    for name, param in zip(names_of(params), params):
        param.set_value(np.array(values[name]), borrow=True)


def _kind(name, kind):
    return f"no {name}" if kind is None else f"{name} {kind[1]} {kind[0]}"
