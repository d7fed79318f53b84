"""Described files: named numpy arrays and a description of them, nothing else.

A file says what it holds: the names, shapes and dtypes of the arrays and, if given, the
settings of the run they come from. No graph, no compiled function and no class is
stored, so a file can be read years later, by any engine or by numpy alone.

Two forms, chosen by the file's ending:

- ``.npz`` : numpy's own archive, one member for each array, and ``__dlt__``,
  the description as JSON text;
- ``.pkl`` : the page's form, one pickled array after another, then the description.
  Files without a description (written as the page shows) are read too.

Source: page "Getting Started", section "Loading and Saving Models".
"""

import json
import os

import numpy as np

from dlt.errors import DataError, SettingsError
from dlt.files.npz import is_plain_name, read_npz, write_npz
from dlt.files.pickles import dumps_portable, load_pickles
from dlt.files.writing import write_atomically

_DESCRIPTION = "__dlt__"
_FORMAT = 1
_LONGEST = 1 << 20  # characters of a description
_MAX_DIGITS = 300  # of a whole number in it; int() takes quadratic time over long ones


def with_ending(path):
    """Return a path that ends in a known way, and that ending; .npz if there is none."""
    path = os.fspath(path)
    ending = os.path.splitext(path)[1].lower()
    if not ending:
        return path + ".npz", ".npz"
    if ending not in (".npz", ".pkl"):
        raise SettingsError(path, f"the ending {ending!r}", "a file of parameters, .npz or .pkl")
    return path, ending


def write_described(path, arrays, settings, previous=None, ending=".npz"):
    """Write named arrays and a description of them, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
    arrays : dict of str to ndarray
    settings : dict
        What JSON can hold.
    previous : str or os.PathLike, optional
        The name that an existing file gets, see `dlt.files.writing.write_atomically`.
    ending : {".npz", ".pkl"}
        The form, whatever the path's own ending is.

    Raises
    ------
    SettingsError
        A name or a setting that could not be read back; the file cannot be written.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    check_saveable(arrays, settings)
    description = json.dumps(_describe(arrays, settings), sort_keys=True)
    write = {".npz": _write_npz, ".pkl": _write_pkl}[ending]
    write_atomically(path, lambda file: write(file, arrays, description), previous)


def read_described(path, ending=".npz"):
    """Read what `write_described` wrote.

    Parameters
    ----------
    path : str or os.PathLike
        It may come from a stranger: nothing in it is run.
    ending : {".npz", ".pkl"}

    Returns
    -------
    arrays : dict of str to ndarray
        In the order they were written. In a ``.pkl`` without description they are called
        ``param_0``, ``param_1``, ...
    settings : dict
        Empty if there were none.

    Raises
    ------
    DataError
        The file is missing, broken, or holds something else than it says.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "named")
    >>> write_described(path, {"b": np.zeros(1)}, {"seed": 3})
    >>> read_described(path)
    ({'b': array([0.])}, {'seed': 3})
    """
    arrays, description = {".npz": _read_npz, ".pkl": _read_pkl}[ending](path)
    return (arrays, {}) if description is None else _checked(path, arrays, description)


def check_saveable(arrays, settings):
    """Refuse names and settings that could be written, but not read back.

    Parameters
    ----------
    arrays : dict of str to ndarray
    settings : dict
        What JSON can hold.

    Raises
    ------
    SettingsError

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
    try:
        _parse("settings", json.dumps(_describe(arrays, settings), sort_keys=True))
    except DataError:
        raise SettingsError(
            "settings",
            f"more than {_LONGEST} characters, or a whole number of more than {_MAX_DIGITS} digits",
            "less",
        ) from None


def _describe(arrays, settings):
    kinds = [[name, list(array.shape), array.dtype.name] for name, array in arrays.items()]
    return {"format": _FORMAT, "params": kinds, "settings": settings}


def _write_npz(file, arrays, description):
    write_npz(file, dict(arrays, **{_DESCRIPTION: np.array(description)}))


def _write_pkl(file, arrays, description):
    for value in [*arrays.values(), description]:
        file.write(dumps_portable(value))


def _read_npz(path):
    arrays = read_npz(path)
    if _DESCRIPTION not in arrays:
        raise DataError(
            path,
            f"the arrays {', '.join(list(arrays)[:20]) or '(none)'}",
            f"parameters saved by dlt, with their description {_DESCRIPTION}",
        )
    return arrays, arrays.pop(_DESCRIPTION).tolist()


def _read_pkl(path):
    values = load_pickles(path)
    description = values.pop() if values and isinstance(values[-1], str) else None
    for value in values:
        if not isinstance(value, np.ndarray):
            raise DataError(path, f"a pickled {type(value).__name__}", "pickled numpy arrays only")
    names = [f"param_{i}" for i in range(len(values))]
    if description is not None:
        names = [name for name, _, _ in _parse(path, description)["params"]]
    if len(names) != len(values):
        raise _mismatch(path, f"{len(values)} arrays", names)
    return dict(zip(names, values)), description


def _parse(path, description):
    """Decode the description and check its form."""
    expected = f"a description of format {_FORMAT}, as save_params writes it"
    try:
        if not isinstance(description, str) or len(description) > _LONGEST:
            raise ValueError
        parsed = json.loads(description, parse_int=_whole_number, object_pairs_hook=_once_each)
        entries = [_entry(*entry) for entry in parsed["params"]]
        known = type(parsed["format"]) is int and parsed["format"] == _FORMAT
        if not known or not isinstance(parsed["settings"], dict):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise DataError(path, f"something else in {_DESCRIPTION}", expected) from None
    if len({name for name, _, _ in entries}) != len(entries):
        raise DataError(path, "a parameter named twice", expected)
    return dict(parsed, params=entries)


def _whole_number(digits):
    if len(digits) > _MAX_DIGITS:
        raise ValueError
    return int(digits)


def _once_each(pairs):
    """Make a dict of pairs, none of which hides another."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def _entry(name, shape, kind):
    """Check one parameter's name, shape and dtype; what is nested here could end a recursion."""
    plain = isinstance(name, str) and isinstance(kind, str) and isinstance(shape, list)
    if not plain or not all(type(n) is int for n in shape):
        raise ValueError
    return name, tuple(shape), kind


def _checked(path, arrays, description):
    """Compare the arrays with what the file says of them."""
    parsed = _parse(path, description)
    found = {name: (array.shape, array.dtype.name) for name, array in arrays.items()}
    if found != {name: (shape, kind) for name, shape, kind in parsed["params"]}:
        raise _mismatch(path, found, parsed["params"])
    return {name: arrays[name] for name, _, _ in parsed["params"]}, parsed["settings"]


def _mismatch(path, found, expected):
    return DataError(
        path,
        str(found)[:200],
        f"what the file itself describes, {str(expected)[:200]}",
        "the file is damaged: use another copy",
    )
