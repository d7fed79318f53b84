"""Described files: named numpy arrays with a description of them.

- ``.npz`` : an archive with a member for each array, and ``__dlt__``, the description in JSON;
- ``.pkl`` : the page's form, one pickled array after another, with the description last. Files
  without a description, as the page's code writes them, are read too.

Source: page "Getting Started", section "Loading and Saving Models".
"""

from __future__ import annotations

import json
import os
from typing import Any, Mapping

import numpy as np

from dlt.checks import real_numbers
from dlt.errors import DataError, SettingsError
from dlt.files.npz import MAX_MEMBERS, is_plain_name, read_npz, write_npz
from dlt.files.pickles import dumps_portable, load_pickles
from dlt.files.reading import MAX_BYTES, NUMBERS, check_format, check_shape
from dlt.files.writing import write_atomically

_DESCRIPTION = "__dlt__"
_FORMAT = 1
_LONGEST = 1 << 20  # characters of a description
_MAX_DEPTH = 100  # levels of settings
_MAX_DIGITS = 300  # of a whole number: int() takes quadratic time


def with_ending(path: str | os.PathLike) -> tuple[str, str]:
    """Return a path and its ending, .npz or .pkl. Add .npz to a path without an ending.

    Raises
    ------
    SettingsError
        The ending is a different one.
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
    """Write named arrays and a description of them, atomically.

    Parameters
    ----------
    path : str or os.PathLike
    arrays : dict of str to ndarray
    settings : dict
        How the arrays were made; see `plain_settings`.
    previous : str or os.PathLike, optional
        See `dlt.files.writing.write_atomically`.
    ending : {".npz", ".pkl"}
        The form of the file, whatever its name.

    Raises
    ------
    SettingsError
        The file cannot be written.
    DataError, SettingsError
        See `check_saveable`.
    """
    plain, description = check_saveable(arrays, settings)

    def write(file):
        if ending == ".npz":
            write_npz(file, {**plain, _DESCRIPTION: np.array(description)})
        else:
            file.writelines(map(dumps_portable, [*plain.values(), description]))
        if file.tell() > MAX_BYTES:  # a pickle may take two bytes for each byte of an array
            raise _too_large(path, f"{file.tell()} bytes")

    write_atomically(path, write, previous)


def read_described(
    path: str | os.PathLike, ending: str = ".npz"
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write_described` wrote.

    Parameters
    ----------
    path : str or os.PathLike
        Need not be trusted: no code in it is run.
    ending : {".npz", ".pkl"}

    Returns
    -------
    arrays : dict of str to ndarray
        In the order of writing. Those of a ``.pkl`` without a description are called
        ``param_0``, ``param_1``, ...
    settings : dict

    Raises
    ------
    DataError
        The file is missing or damaged, or its arrays do not match its description.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "named")
    >>> write_described(path, {"b": np.zeros(1)}, {"seed": 3})
    >>> read_described(path)
    ({'b': array([0.])}, {'seed': 3})
    """
    if ending == ".npz":
        arrays = read_npz(path, MAX_BYTES)
        if _DESCRIPTION not in arrays:
            found = f"the arrays {', '.join(list(arrays)[:20]) or '(none)'}"
            expected = f"parameters saved by dlt, with their description {_DESCRIPTION}"
            raise DataError(path, found, expected)
        kinds, settings = _parse(path, arrays.pop(_DESCRIPTION).tolist())
    else:
        values = load_pickles(path, MAX_BYTES)
        description = values.pop() if isinstance(values[-1], str) else None
        for value in values:
            if not isinstance(value, np.ndarray):
                found = f"a pickled {type(value).__name__}"
                raise DataError(path, found, "pickled numpy arrays only")
        if description is None:
            return {f"param_{i}": value for i, value in enumerate(values)}, {}
        kinds, settings = _parse(path, description)
        # Numbers for arrays that are not described: they are refused below.
        arrays = dict(zip([*(name for name, _, _ in kinds), *range(len(values))], values))
    if json.dumps(kinds) != json.dumps(_kinds(arrays)):  # in JSON, 2, 2.0 and true differ
        found = ", ".join(f"{name} {a.dtype} {a.shape}" for name, a in arrays.items())
        expected = f"what the file itself describes, {str(kinds)[:200]}"
        raise DataError(path, found[:200], expected, "the file is damaged: use another copy")
    return arrays, settings


def check_saveable(
    arrays: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], str]:
    """Check that arrays and settings can be read back; return plain arrays and the description.

    Parameters
    ----------
    arrays : dict of str to array_like
        Booleans, integers or floats of up to 8 bytes.
    settings : dict
        See `plain_settings`.

    Raises
    ------
    DataError
        An array holds something else or has an impossible shape, or all of them are too large.
    SettingsError
        A name is not plain, the settings do not fit into JSON, or the description is too long.

    Examples
    --------
    >>> check_saveable({"../W": np.zeros(1)}, {})
    Traceback (most recent call last):
        ...
    dlt.errors.SettingsError: params: found the name '../W'; expected letters, digits and _
    """
    for name in arrays:
        if not _is_name(name):
            raise SettingsError("params", f"the name {ascii(name)[:80]}", "letters, digits and _")
    plain = {name: _plain_array(name, array) for name, array in arrays.items()}
    n_bytes = sum(array.nbytes for array in plain.values())
    if n_bytes > MAX_BYTES or len(plain) >= MAX_MEMBERS:
        raise _too_large("params", f"{len(plain)} arrays of {n_bytes} bytes")
    described = {"format": _FORMAT, "params": _kinds(plain), "settings": plain_settings(settings)}
    description = json.dumps(described, sort_keys=True)
    if len(description) > _LONGEST:
        found = f"{len(description)} characters with the names of all arrays"
        raise SettingsError("settings", found, f"at most {_LONGEST}")
    return plain, description


def plain_settings(settings: Any) -> dict[str, Any]:
    """Return settings as a file returns them: with lists for tuples, and text for all keys.

    Parameters
    ----------
    settings : dict
        Anything that JSON can hold, and numpy's numbers. Whole numbers have at most 300 digits,
        and nesting has at most 100 levels.

    Raises
    ------
    SettingsError
        The settings are not a dict, or JSON cannot hold them.

    Examples
    --------
    >>> plain_settings({"sizes": (1, np.int64(2))})
    {'sizes': [1, 2]}
    """
    if not isinstance(settings, dict):
        raise SettingsError("settings", f"a {type(settings).__name__}", "a dict")
    try:
        return _loaded(json.dumps(settings, default=_plain_number), _MAX_DEPTH)
    except (TypeError, ValueError, RecursionError) as error:
        found = f"what JSON cannot hold ({error})"
        raise SettingsError("settings", found, "numbers, text, lists and dicts") from error


def _plain_number(value):
    """Convert numpy's numbers to Python's, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a value of type {type(value).__name__}")


def _plain_array(name, values):
    array = real_numbers(name, values)
    array = array.view(array.dtype.str)  # without metadata
    if array.dtype.str[1:] not in NUMBERS:
        found, remedy = f"an array of dtype {array.dtype}", "convert it first, with astype"
        raise DataError(name, found, "booleans, integers or floats of up to 8 bytes", remedy)
    check_shape(name, array.shape, array.dtype)
    return array


def _too_large(what, found):
    expected = f"at most {MAX_BYTES} bytes in {MAX_MEMBERS - 1} arrays"
    return DataError(what, found, expected, "save fewer in one file")


def _is_name(name):
    return type(name) is str and name != _DESCRIPTION and is_plain_name(name)


def _kinds(arrays):
    return [[name, list(array.shape), array.dtype.name] for name, array in arrays.items()]


def _parse(path, description):
    """Return a list of [name, shape, dtype], and the settings, from a description."""
    expected = f"a description of format {_FORMAT}, as save_params writes it"
    try:
        if not isinstance(description, str) or len(description) > _LONGEST:
            raise ValueError
        parsed = _loaded(description, _MAX_DEPTH + 1)  # the settings are one level down
        version, kinds, settings = (parsed[key] for key in ("format", "params", "settings"))
        if type(version) is not int or version < 1 or not isinstance(settings, dict):
            raise ValueError
        if version == _FORMAT and not all(_is_name(name) for name, _, _ in kinds):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise DataError(path, f"something else in {_DESCRIPTION}", expected) from None
    check_format(path, "a file", version, _FORMAT)
    return kinds, settings


def _loaded(text, depth):
    """Read JSON, with limits for its depth and its numbers."""
    found = json.loads(text, parse_int=_whole_number, object_pairs_hook=_once_each)
    if _levels(found) > depth:
        raise ValueError(f"more than {depth} levels")
    return found


def _levels(value):
    if type(value) is dict:
        value = list(value.values())
    return 1 + max(map(_levels, value), default=0) if type(value) is list else 1


def _whole_number(digits):
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a whole number of more than {_MAX_DIGITS} digits")
    return int(digits)


def _once_each(pairs):
    """Return a dict of pairs; refuse duplicate keys."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key that occurs twice")
    return made
