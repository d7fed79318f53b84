"""Preparing: turn what a reader found into three described sets.

Source: page "Getting Started", section "MNIST Dataset".
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from dlt.checks import as_many, grey, real_numbers, rows_alike
from dlt.describing import class_labels, describe, numbered, scale_of, survey
from dlt.errors import DataError
from dlt.examples import OpenSet
from dlt.files.reading import MAX_BYTES
from dlt.files.rows import Rows
from dlt.formats import kind_of
from dlt.splitting import OWN_SETS, split

_NAMES = {
    1: [""],
    2: [" (training set)", " (test set)"],
    3: [" (training set)", " (validation set)", " (test set)"],
}


def prepare(where: str, pairs: Sequence[Sequence[Any]]) -> list[OpenSet]:
    """Make a training, a validation and a test set, and check them.

    Parameters
    ----------
    where : str
        The name of the source in messages.
    pairs : sequence of (x, y)
        One pair with all examples, two for a training and a test set, or three sets. x : array, or
        object with ``shape``, ``dtype`` and slices, shape (N, ...); y : array, one label for each
        row.

    Returns
    -------
    list of OpenSet

    Raises
    ------
    DataError
        An x does not consist of numbers, is in colour, or differs from the training set in the
        shape of its rows or in scale. For y, see `dlt.describing.class_labels` and
        `dlt.describing.numbered`.

    Examples
    --------
    >>> x, y = np.zeros((12, 4)), ["ham", "spam"] * 6
    >>> train_set, valid_set, test_set = prepare("data", [(x, y)])
    >>> train_set.y.tolist(), train_set.description.labels
    ([1, 0, 1, 0, 0, 1, 0, 1], ('ham', 'spam'))
    """
    names = [where + name for name in _NAMES[len(pairs)]]
    xs = [_rows(name + ", x", x) for name, (x, _) in zip(names, pairs)]
    ys = [
        class_labels(name + ", y", bounded(name + ", y", y)) for name, (_, y) in zip(names, pairs)
    ]
    for name, x, y in zip(names, xs, ys):
        as_many(name, x.shape[0], len(y))
        rows_alike(name + ", x", x.shape[1:], xs[0].shape[1:], "the training set has")
    surveys = {name + ", x": survey(name + ", x", x) for name, x in zip(names, xs)}
    scale = scale_of(surveys)
    if scale == 256 and max(found.high for found in surveys.values()) > 1:  # not yet divided
        xs = [x if x.dtype == np.uint8 else Rows(x, np.arange(x.shape[0]), np.uint8) for x in xs]
    label_names, ys = numbered(names, ys)
    how = OWN_SETS
    if len(pairs) < 3:
        rows, how = split(names[0], ys[0], 3 - len(pairs))
        xs = [*(Rows(xs[0], numbers) for numbers in rows), *xs[1:]]
        ys = [*(ys[0][numbers] for numbers in rows), *ys[1:]]
    description = describe(xs[0], scale, label_names, how)
    return [OpenSet(x, y, description) for x, y in zip(xs, ys)]


def _rows(name, x):
    """Return inputs as an array of numbers, or as a checked source of them."""
    if not hasattr(x, "path"):
        x = real_numbers(name, bounded(name, x))
    if x.dtype.kind not in "biuf":
        raise DataError(name, f"an array of {x.dtype}", "numbers")
    if 0 in x.shape:
        raise DataError(name, f"no examples (an array of shape {x.shape})", "one or more")
    if len(x.shape) < 2:
        raise DataError(name, f"an array of shape {x.shape}", "(N, D), one row for each example")
    grey(name, x.shape[1:])
    return x


def bounded(name: str, values: Any) -> Any:
    """Return values; raise a DataError for nested lists that numpy would turn into a huge array.

    One long text among many short ones is enough: numpy makes all of them equally long.
    """
    count, todo = 0, [values] if isinstance(values, (tuple, list)) else []
    longest = 1
    while todo:
        value = todo.pop()
        if isinstance(value, (tuple, list)):
            todo.extend(value)
        elif isinstance(value, (str, int, float, np.number, np.ndarray)):
            count += np.size(value)
            longest = max(longest, len(value) if isinstance(value, str) else 0)
        else:
            count = MAX_BYTES
    if 8 * count * longest > 4 * MAX_BYTES:
        raise DataError(name, kind_of(values), "numbers")
    return values
