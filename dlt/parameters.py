"""Parameters: a model's arrays, copied, put back, and saved to a file.

The forms of the files are told in `dlt.files.described`.

Source: page "Getting Started", section "Loading and Saving Models".
"""

import itertools

import numpy as np

from dlt.errors import DataError
from dlt.files.described import read_described, with_ending, write_described


def names_of(variables):
    """Return a name for each variable: its own, made unique where stacked layers share one.

    Parameters
    ----------
    variables : sequence of shared variables

    Returns
    -------
    list of str

    Examples
    --------
    >>> from dlt.engine import theano
    >>> layers = [theano.shared(np.zeros(2), name=name) for name in ("W", "b", "W", "b", None)]
    >>> names_of(layers)
    ['W', 'b', 'W_2', 'b_2', 'param_4']
    """
    names = []
    for place, variable in enumerate(variables):
        name = variable.name or f"param_{place}"
        others = itertools.chain([name], map((name + "_{}").format, itertools.count(2)))
        names.append(next(other for other in others if other not in names))
    return names


def get_values(params):
    """Copy the parameters' present values, the page's ``copy.deepcopy(params)``.

    Parameters
    ----------
    params : sequence of shared variables

    Returns
    -------
    dict of str to ndarray
        In the order of `params`, under the names of `names_of`; later training does not change
        them.

    Examples
    --------
    >>> from dlt.engine import theano
    >>> get_values([theano.shared(np.zeros(2), name="b")])
    {'b': array([0., 0.])}
    """
    values = (np.array(param.get_value(borrow=True)) for param in params)
    return dict(zip(names_of(params), values))


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
    for name, param in zip(names_of(params), params):
        param.set_value(np.array(values[name]), borrow=True)


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
        Another ending; the file cannot be written.

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
    write_described(path, arrays, settings or {}, ending=ending)


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
    return read_described(*with_ending(path))


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
    if list(arrays) == [f"param_{i}" for i in range(len(params))]:
        arrays = dict(zip(names_of(params), arrays.values()))
    check_fit(path, params, arrays)
    set_values(params, arrays)
    return settings


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
    check_values(path, get_values(params), arrays)


def check_values(path, values, arrays):
    """Refuse arrays whose names, shapes or dtypes are not those of some values.

    Parameters
    ----------
    path : str or os.PathLike
        Where the arrays come from, for the message.
    values, arrays : dict of str to ndarray

    Raises
    ------
    DataError
        As `check_fit`.
    """
    wanted, found = (
        {name: (array.shape, array.dtype.name) for name, array in group.items()}
        for group in (values, arrays)
    )
    names = list(wanted) + [name for name in found if name not in wanted]
    differ = [name for name in names if wanted.get(name) != found.get(name)]
    if differ:
        raise DataError(
            path,
            ", ".join(_kind(name, found.get(name)) for name in differ),
            ", ".join(_kind(name, wanted.get(name)) for name in differ) + ", as the model has",
            "use the model and the floatX the file was saved with",
        )


def _kind(name, kind):
    return f"no {name}" if kind is None else f"{name} {kind[1]} {kind[0]}"
