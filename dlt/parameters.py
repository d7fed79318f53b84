"""Parameters on disk: numpy arrays and a description of them, nothing else.

A file says what it holds: the names, shapes and dtypes of the arrays and, if given, the
settings of the run they come from. No graph, no compiled function and no class is
stored, so a file can be read years later, by any engine or by numpy alone.

Two forms, chosen by the file's ending:

- ``.npz`` : numpy's own archive, one member for each parameter, and ``__dlt__``,
  the description as JSON text;
- ``.pkl`` : the page's form, one pickled array after another, then the description.
  Files without a description (written as the page shows) are read too.

Source: page "Getting Started", section "Loading and Saving Models".
"""

import json
import os

import numpy as np

from dlt.errors import DataError, SettingsError
from dlt.files import write_atomically
from dlt.npz import is_plain_name, read_npz, write_npz
from dlt.pickles import dumps_portable, load_pickles

_DESCRIPTION = "__dlt__"
_FORMAT = 1
_LONGEST = 1 << 20  # characters of a description
_MAX_DIGITS = 300  # of a whole number in it; int() takes quadratic time over long ones


def get_values(params):
    """Copy the parameters' present values, the page's ``copy.deepcopy(params)``.

    Parameters
    ----------
    params : sequence of shared variables
        Each with a name of its own.

    Returns
    -------
    dict of str to ndarray
        In the order of `params`; later training does not change them.

    Raises
    ------
    SettingsError
        A parameter has no name, or two have the same.

    Examples
    --------
    >>> from dlt.engine import theano
    >>> get_values([theano.shared(np.zeros(2), name="b")])
    {'b': array([0., 0.])}
    """
    names = [param.name for param in params]
    if None in names or len(set(names)) != len(names):
        raise SettingsError(
            "params: found the names {}; expected a different name for each parameter; give "
            "it as theano.shared(value, name=...)".format(names)
        )
    return {param.name: np.array(param.get_value(borrow=True)) for param in params}


def set_values(params, values):
    """Put values back into parameters, after checking that all of them fit.

    Parameters
    ----------
    params : sequence of shared variables
    values : dict of str to ndarray
        As `get_values` gives them.

    Raises
    ------
    DataError
        A name, shape or dtype differs; every difference is listed, nothing is changed.
    """
    check_fit("values", params, values)
    for param in params:
        param.set_value(np.array(values[param.name]), borrow=True)


def save_params(path, params, settings=None):
    """Save parameters, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.npz`` or ``.pkl``; without an ending, ``.npz`` is added. An existing
        file is replaced.
    params : sequence of shared variables, or dict of str to ndarray
    settings : dict, optional
        What JSON can hold: how the parameters came about.

    Raises
    ------
    SettingsError
        Another ending; unnamed parameters; the file cannot be written.

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
    path, ending = _with_ending(path)
    _write(path, {".npz": _write_npz, ".pkl": _write_pkl}[ending], arrays, settings or {})


def read_params(path):
    """Read a file of parameters without a model.

    Parameters
    ----------
    path : str or os.PathLike
        A ``.npz`` or ``.pkl`` file. It may come from a stranger: nothing in it is run.

    Returns
    -------
    arrays : dict of str to ndarray
        In the order they were saved. In a ``.pkl`` without description they are called
        ``param_0``, ``param_1``, ...
    settings : dict
        What `save_params` was given, empty if nothing.

    Raises
    ------
    DataError
        The file is missing, broken, or holds something else than it says.
    """
    path, ending = _with_ending(path)
    read = {".npz": _read_npz, ".pkl": _read_pkl}[ending]
    arrays, description = read(path)
    if description is None:
        return arrays, {}
    return _checked(path, arrays, description)


def load_params(path, params):
    """Load a file into a model's parameters.

    Parameters
    ----------
    path : str or os.PathLike
        A file written by `save_params`, or as the page shows (then order counts, not names).
    params : sequence of shared variables

    Returns
    -------
    dict
        The settings stored with them.

    Raises
    ------
    DataError
        The file cannot be read, or a name, shape or dtype differs from the model's;
        every difference is listed and no parameter is changed.

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
    if list(arrays) == ["param_{}".format(i) for i in range(len(params))]:
        arrays = dict(zip((param.name for param in params), arrays.values()))
    check_fit(path, params, arrays)
    set_values(params, arrays)
    return settings


def write_described(path, arrays, settings, previous=None):
    """Write named arrays and a description of them to an npz file, whatever the path's ending.

    Parameters
    ----------
    path : str or os.PathLike
    arrays : dict of str to ndarray
    settings : dict
        What JSON can hold.
    previous : str or os.PathLike, optional
        The name that an existing file gets, see `dlt.files.write_atomically`.

    Raises
    ------
    SettingsError
        The file cannot be written.
    """
    _write(path, _write_npz, arrays, settings, previous)


def read_described(path):
    """Read what `write_described` wrote.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    arrays : dict of str to ndarray
    settings : dict

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
    return _checked(path, *_read_npz(path))


def check_fit(path, params, arrays):
    """Refuse arrays that do not fit the parameters, naming every difference.

    Parameters
    ----------
    path : str or os.PathLike
        Where the arrays come from, for the message.
    params : sequence of shared variables
    arrays : dict of str to ndarray

    Raises
    ------
    DataError
        A name, shape or dtype differs.
    """
    wanted = {name: (v.shape, v.dtype.name) for name, v in get_values(params).items()}
    found = {name: (array.shape, array.dtype.name) for name, array in arrays.items()}
    names = list(wanted) + [name for name in found if name not in wanted]
    differ = [name for name in names if wanted.get(name) != found.get(name)]
    if differ:
        raise DataError(
            path,
            ", ".join(_kind(name, found.get(name)) for name in differ),
            ", ".join(_kind(name, wanted.get(name)) for name in differ) + ", as the model has",
            "use the model and the floatX the file was saved with",
        )


def _with_ending(path):
    """Give a path that ends in a known way, and that ending; .npz if there is none."""
    path = os.fspath(path)
    ending = os.path.splitext(path)[1].lower()
    if not ending:
        return path + ".npz", ".npz"
    if ending not in (".npz", ".pkl"):
        raise SettingsError(
            "{}: found the ending {!r}; expected a file of parameters, .npz or .pkl".format(
                path, ending
            )
        )
    return path, ending


def _describe(arrays, settings):
    kinds = [[name, list(array.shape), array.dtype.name] for name, array in arrays.items()]
    return {"format": _FORMAT, "params": kinds, "settings": settings}


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
            raise SettingsError(
                "params: found the name {}; expected letters, digits and _".format(ascii(name)[:80])
            )
    try:
        _parse("settings", json.dumps(_describe(arrays, settings), sort_keys=True))
    except DataError:
        raise SettingsError(
            "settings: found more than {} characters, or a whole number of more than {} digits; "
            "expected less".format(_LONGEST, _MAX_DIGITS)
        ) from None


def _write(path, write, arrays, settings, previous=None):
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    check_saveable(arrays, settings)
    description = json.dumps(_describe(arrays, settings), sort_keys=True)
    write_atomically(path, lambda file: write(file, arrays, description), previous)


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
            "the arrays {}".format(", ".join(list(arrays)[:20]) or "(none)"),
            "parameters saved by dlt, with their description {}".format(_DESCRIPTION),
        )
    return arrays, arrays.pop(_DESCRIPTION).tolist()


def _read_pkl(path):
    values = load_pickles(path)
    description = values.pop() if values and isinstance(values[-1], str) else None
    for value in values:
        if not isinstance(value, np.ndarray):
            raise DataError(
                path, "a pickled {}".format(type(value).__name__), "pickled numpy arrays only"
            )
    names = ["param_{}".format(i) for i in range(len(values))]
    if description is not None:
        names = [name for name, _, _ in _parse(path, description)["params"]]
    if len(names) != len(values):
        raise _mismatch(path, "{} arrays".format(len(values)), names)
    return dict(zip(names, values)), description


def _parse(path, description):
    """Decode the description and check its form."""
    expected = "a description of format {}, as save_params writes it".format(_FORMAT)
    try:
        if not isinstance(description, str) or len(description) > _LONGEST:
            raise ValueError
        parsed = json.loads(description, parse_int=_whole_number, object_pairs_hook=_once_each)
        entries = [_entry(*entry) for entry in parsed["params"]]
        known = type(parsed["format"]) is int and parsed["format"] == _FORMAT
        if not known or not isinstance(parsed["settings"], dict):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise DataError(path, "something else in {}".format(_DESCRIPTION), expected) from None
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
        "what the file itself describes, {}".format(str(expected)[:200]),
        "the file is damaged: use another copy",
    )


def _kind(name, kind):
    return "no {}".format(name) if kind is None else "{} {} {}".format(name, kind[1], kind[0])
