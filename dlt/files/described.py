"""Described files: named numpy arrays and a description of them, nothing else.

- ``.npz`` : an archive with a member for each array and ``__dlt__``, the description in JSON;
- ``.pkl`` : the page's form, one pickled array after another, and the description last. Files
  without one (written as the page shows) are read too.

Source: page "Getting Started", section "Loading and Saving Models".
"""

from __future__ import annotations

import json
import os
from typing import Any, Mapping

import numpy as np

from dlt.errors import DataError, SettingsError
from dlt.files.npz import is_plain_name, read_npz, write_npz
from dlt.files.pickles import dumps_portable, load_pickles
from dlt.files.reading import check_format
from dlt.files.writing import write_atomically

_DESCRIPTION = "__dlt__"
_FORMAT = 1
_LONGEST = 1 << 20  # characters of a description
_MAX_DIGITS = 300  # of a whole number in it; int() takes quadratic time over long ones


def with_ending(path: str | os.PathLike) -> tuple[str, str]:
    """Return a path with its ending, .npz or .pkl, and that ending; add .npz if there is none.

    Raises
    ------
    SettingsError
        The path has another ending.
    """
    path = os.fspath(path)
    ending = os.path.splitext(path)[1].lower()
    if not ending:
        return path + ".npz", ".npz"
    if ending not in (".npz", ".pkl"):
        raise SettingsError(path, f"the ending {ending!r}", "a file of parameters, .npz or .pkl")
    return path, ending


def write_described(
    path: str | os.PathLike,
    arrays: Mapping[str, Any],
    settings: Mapping[str, Any],
    previous: str | os.PathLike | None = None,
    ending: str = ".npz",
) -> None:
    """Write named arrays and a description of them, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
    arrays : dict of str to ndarray
    settings : dict
        What JSON can hold: how the arrays came about.
    previous : str or os.PathLike, optional
        As `dlt.files.writing.write_atomically` takes it.
    ending : {".npz", ".pkl"}
        The form, whatever the path's own ending is.

    Raises
    ------
    SettingsError
        A name or a setting could not be read back, or the file cannot be written.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    description = check_saveable(arrays, settings)

    def write(file):
        if ending == ".npz":
            write_npz(file, {**arrays, _DESCRIPTION: np.array(description)})
        else:
            file.writelines(map(dumps_portable, [*arrays.values(), description]))

    write_atomically(path, write, previous)


def read_described(
    path: str | os.PathLike, ending: str = ".npz"
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write_described` wrote.

    Parameters
    ----------
    path : str or os.PathLike
        May come from a stranger: nothing in it is run.
    ending : {".npz", ".pkl"}

    Returns
    -------
    arrays : dict of str to ndarray
        In the order they were written. In a ``.pkl`` without description they are called
        ``param_0``, ``param_1``, ...
    settings : dict

    Raises
    ------
    DataError
        The file is missing or broken, or does not hold what it describes.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "named")
    >>> write_described(path, {"b": np.zeros(1)}, {"seed": 3})
    >>> read_described(path)
    ({'b': array([0.])}, {'seed': 3})
    """
    if ending == ".npz":
        arrays = read_npz(path)
        if _DESCRIPTION not in arrays:
            found = f"the arrays {', '.join(list(arrays)[:20]) or '(none)'}"
            expected = f"parameters saved by dlt, with their description {_DESCRIPTION}"
            raise DataError(path, found, expected)
        kinds, settings = _parse(path, arrays.pop(_DESCRIPTION).tolist())
    else:
        values = load_pickles(path)
        description = values.pop() if isinstance(values[-1], str) else None
        for value in values:
            if not isinstance(value, np.ndarray):
                found = f"a pickled {type(value).__name__}"
                raise DataError(path, found, "pickled numpy arrays only")
        if description is None:
            return {f"param_{i}": value for i, value in enumerate(values)}, {}
        kinds, settings = _parse(path, description)
        names = [name for name, _, _ in kinds]
        if len(names) != len(values):
            names = list(range(len(values)))  # numbers, which are refused below
        arrays = dict(zip(names, values))
    if kinds != _kinds(arrays):
        found = ", ".join(f"{name} {a.dtype} {a.shape}" for name, a in arrays.items())
        expected = f"what the file itself describes, {str(kinds)[:200]}"
        raise DataError(path, found[:200], expected, "the file is damaged: use another copy")
    return arrays, settings


def check_saveable(arrays: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return the description of arrays and settings, if both could be read back.

    Parameters
    ----------
    arrays : dict of str to ndarray
    settings : dict
        What JSON can hold.

    Raises
    ------
    SettingsError
        The name of an array is not plain, or the description is too long.

    Examples
    --------
    >>> check_saveable({"../W": np.zeros(1)}, {})
    Traceback (most recent call last):
        ...
    dlt.errors.SettingsError: params: found the name '../W'; expected letters, digits and _
    """
    for name in arrays:
        if name == _DESCRIPTION or not is_plain_name(name):
            raise SettingsError("params", f"the name {ascii(name)[:80]}", "letters, digits and _")
    described = {"format": _FORMAT, "params": _kinds(arrays), "settings": settings}
    description = json.dumps(described, sort_keys=True)
    try:
        _parse("settings", description)
    except DataError:
        found = f"more than {_LONGEST} characters, or a whole number of over {_MAX_DIGITS} digits"
        raise SettingsError("settings", found, "less") from None
    return description


def _kinds(arrays):
    return [[name, list(array.shape), array.dtype.name] for name, array in arrays.items()]


def _parse(path, description):
    """Return the names, shapes and dtypes that a description lists, and its settings."""
    expected = f"a description of format {_FORMAT}, as save_params writes it"
    try:
        if not isinstance(description, str) or len(description) > _LONGEST:
            raise ValueError
        parsed = json.loads(description, parse_int=_whole_number, object_pairs_hook=_once_each)
        version, kinds, settings = (parsed[key] for key in ("format", "params", "settings"))
        if type(version) is not int or version < 1 or not isinstance(settings, dict):
            raise ValueError
        if version == _FORMAT and not all(_is_plain(*entry) for entry in kinds):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise DataError(path, f"something else in {_DESCRIPTION}", expected) from None
    check_format(path, "a file", version, _FORMAT)
    if len({name for name, _, _ in kinds}) < len(kinds):
        raise DataError(path, "a parameter named twice", expected)
    return kinds, settings


def _is_plain(name, shape, kind):
    """Return whether a parameter is described by text, whole numbers and text, nothing nested."""
    texts = type(name) is str and type(kind) is str
    return texts and type(shape) is list and all(type(n) is int for n in shape)


def _whole_number(digits):
    if len(digits) > _MAX_DIGITS:
        raise ValueError
    return int(digits)


def _once_each(pairs):
    """Make a dict of pairs, or refuse a key that comes twice."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made
