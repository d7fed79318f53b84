"""Candidates: the settings that a search compares."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import numbers
from typing import Any, Iterable, Mapping, Sequence

import numpy as np

from dlt.checks import sequence
from dlt.errors import SettingsError
from dlt.runs.folder import DATASET

#: Columns of the table of a search. No setting may have one of these names.
COLUMNS = (
    "rank", "validation_error", "low", "high", "n_errors", "n_examples", "n_epochs",
    "best_iteration", "seconds", "stopped_by", "p_value", "run", "error",
)  # fmt: skip

_MOST = 10_000  # candidates of one search


def grid(**values: Iterable[Any]) -> list[dict[str, Any]]:
    """Return all combinations of settings.

    Parameters
    ----------
    **values : iterable
        The values of each setting: numbers, text, truth values or None.

    Returns
    -------
    list of dict of str to object
        The last setting varies fastest.

    Raises
    ------
    SettingsError
        A setting has no values, the same value twice, or a value of another kind.

    Examples
    --------
    >>> grid(learning_rate=[0.03, 0.13], seed=range(2))  # doctest: +NORMALIZE_WHITESPACE
    [{'learning_rate': 0.03, 'seed': 0}, {'learning_rate': 0.03, 'seed': 1},
     {'learning_rate': 0.13, 'seed': 0}, {'learning_rate': 0.13, 'seed': 1}]
    """
    listed = {name: sequence(name, found, _MOST) for name, found in values.items()}
    n = math.prod(map(len, listed.values()))
    if n > _MOST:
        raise SettingsError("candidates", n, f"at most {_MOST}")
    for name, found in listed.items():
        if not found:
            raise SettingsError(name, "no values", "one or more")
    return checked([dict(zip(listed, found)) for found in itertools.product(*listed.values())])


def checked(candidates: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return candidates with the values that JSON would give back.

    Raises
    ------
    SettingsError
        There are none, two are equal, or one has a name or a value that cannot be used.
    """
    plain: list[dict[str, Any]] = []
    for settings in sequence("candidates", candidates):
        if not isinstance(settings, Mapping) or not all(isinstance(n, str) for n in settings):
            raise SettingsError("candidates", repr(settings), "a dict of settings, by name")
        taken = [name for name in settings if name in (*COLUMNS, DATASET)]
        if taken:
            found = f"a setting called {taken[0]}"
            raise SettingsError("candidates", found, "another name: the table has that already")
        plain.append({name: _plain(name, value) for name, value in settings.items()})
    if not plain:
        raise SettingsError("candidates", "none", "one or more")
    for i, settings in enumerate(plain):
        if settings in plain[:i]:
            raise SettingsError("candidates", f"{in_words(settings)} twice", "each once")
    return plain


def digest(settings: Mapping[str, Any]) -> str:
    """Return 12 hexadecimal digits that identify settings, whatever their order.

    Examples
    --------
    >>> digest({"l1": 0, "l2": 0.5}) == digest({"l2": 0.5, "l1": 0})
    True
    """
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def in_words(settings: Mapping[str, Any]) -> str:
    """Return settings as a line of text.

    Examples
    --------
    >>> in_words({"learning_rate": 0.13, "seed": None})
    'learning_rate=0.13 seed=None'
    """
    return " ".join(f"{name}={value}" for name, value in settings.items())


def sort_key(settings: Mapping[str, Any]) -> list:
    """Return a key that sorts settings by their values, numbers before text."""

    def key(value):
        return (0, value, "") if isinstance(value, numbers.Real) else (1, 0, repr(value))

    return [(name, *key(settings[name])) for name in sorted(settings)]


def _plain(name, value):
    """Return a value as JSON would give it back, and 1.0 as the whole number 1."""
    value = value.item() if isinstance(value, np.generic) else value
    kinds = (int, float, str, type(None))
    if not isinstance(value, kinds) or (isinstance(value, float) and not math.isfinite(value)):
        raise SettingsError(name, repr(value), "finite numbers, text, truth values or None")
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53
    return int(value) if is_whole else value
