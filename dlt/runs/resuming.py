"""Resuming: what has to be the same for a run to go on, and what may differ.

A resumed run gives the very bits of one that never stopped. That takes the same data, settings,
loss, updates, order and engine, so an error lists whatever differs.
"""

from __future__ import annotations

import json

import dlt
from dlt.engine import versions
from dlt.errors import one_line
from dlt.runs.checkpoint import Checkpoint
from dlt.runs.folder import DATASET, DESCRIPTION

_LONGEST = 80  # characters of a name or a value from the checkpoint


def differences(checkpoint: Checkpoint, now: Checkpoint) -> list[str]:
    """Return every difference between a checkpoint and a run that keeps the run from going on.

    The name of the data set may differ if the data does not, and the number of epochs may be
    larger.
    """
    before, after = dict(checkpoint.settings), dict(now.settings)
    epochs = [settings.pop("n_epochs", None) for settings in (before, after)]
    names = [settings.pop(DATASET, None) for settings in (before, after)]  # see the data below
    for settings in (before, after):
        settings.pop(DESCRIPTION, None)
        settings.pop("floatX", None)
        settings.pop("engine", None)  # both are part of the engine below
    found = _unequal(before, after)
    if not isinstance(epochs[0], int) or epochs[0] > epochs[1]:
        found.append(_difference("n_epochs", *epochs) + " (it may only be raised)")
    found += _unequal(checkpoint.engine, now.engine)
    same_dtype = checkpoint.engine.get("floatX") == now.engine.get("floatX")
    if checkpoint.data != now.data and same_dtype:  # else the bytes differ in any case
        hashes = ["sha256 " + " ".join(d[:16] for d in run.data) for run in (checkpoint, now)]
        named = [f"{n} ({h})" if isinstance(n, str) else h for n, h in zip(names, hashes)]
        found.append(_difference("data", *named))
    # A setting that differs shows in the graphs too, and says it more plainly.
    return found or _graphs(checkpoint.program, now.program)


def engine_versions() -> dict[str, str]:
    """Return names and versions of all that computes, and so may round differently.

    Examples
    --------
    >>> sorted(engine_versions())  # doctest: +ELLIPSIS
    ['device', 'dlt', 'engine', 'floatX', ...'linker'...]
    """
    return dict(versions(), dlt=dlt.__version__)


def _graphs(before, after):
    """Return the expressions that differ: by a constant if that is all, or as another one."""
    found = []
    for name in sorted(set(before) | set(after)):
        (was, were), (now, are) = (part.get(name, ["", []]) for part in (before, after))
        if was != now or len(were) != len(are):
            found.append(f"{one_line(name, _LONGEST)}: the checkpoint has another expression")
        else:
            pairs = [_difference(name, *pair) for pair in zip(were, are) if pair[0] != pair[1]]
            found += pairs[:1]
    return found


def _unequal(before, after):
    names = sorted(set(before) | set(after))
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    # by their text too: NaN is not equal to itself
    return [_difference(*p) for p in pairs if p[1] != p[2] and json.dumps(p[1]) != json.dumps(p[2])]


def _difference(name, before, after):
    values = ["none" if value is None else value for value in (before, after)]
    texts = [v if isinstance(v, str) else json.dumps(v) for v in values]
    shown = [one_line(text, _LONGEST) for text in (name, *texts)]
    return "{}: the checkpoint has {}, this run {}".format(*shown)
