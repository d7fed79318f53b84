r"""Checkpoint: everything a training run needs to go on as if it had never stopped.

On disk it is an npz file with a description, in the form of `dlt.parameters`: arrays and JSON
text, nothing that can run.

======================  ==================================================================
array                   what it holds
======================  ==================================================================
``params/<name>``       the parameters, where the next update begins
``state/<name>``        what else the updates change, such as velocities
``best/<name>``         the best parameters; none before the first validation
``history``             float64, one row for each validation, columns as `dlt.HistoryRow`
``losses``              float64, the minibatch losses since the last validation
======================  ==================================================================

Everything else is JSON; a float is written as the shortest text that reads back as the same one.

Source: page "Getting Started", sections "Early-Stopping" and "Loading and Saving Models".
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, NamedTuple

import numpy as np

from dlt.checks import real_numbers
from dlt.errors import DataError
from dlt.files.described import check_saveable, read_described, write_described
from dlt.files.reading import check_format
from dlt.runs.history import MAX_ROWS, History, HistoryRow
from dlt.runs.state import Machine, State
from dlt.score import Score


class Checkpoint(NamedTuple):
    """The state of a training run between two updates, and what it came from.

    Fields
    ------
    state : dlt.runs.state.State
    ended : {None, "patience", "n_epochs", "divergence"}
        What ended the run; None if it can still go on.
    snapshots : tuple of int
        Iterations of the intermediate models that the run keeps.
    settings : dict
        Everything the run was given.
    engine : dict of str to str
        What computed it: names and versions.
    data : list of str
        SHA-256 of the training and the validation set, see `dlt.shared.DataSet.fingerprint`.
    program : dict of str to [str, list of str]
        The loss, the updates and the errors, see `dlt.engine.graphs.describe_graph`.
    """

    state: State
    ended: str | None
    snapshots: tuple[int, ...]
    settings: dict[str, Any]
    engine: dict[str, str]
    data: list[str]
    program: dict[str, Any]


_FORMAT = 3
_EXPECTED = f"a checkpoint of format {_FORMAT}, as dlt writes it"
_REMEDY = "the file is damaged or not a checkpoint: use another copy, or start anew"
_GROUPS = ("params", "state", "best")
_OWN = Checkpoint._fields[1:]  # entries that are fields of the checkpoint, not of its state
_KEYS = {"checkpoint", "iteration", "best", "seconds", "machines", *_OWN}
_ENDS = (None, "patience", "n_epochs", "divergence")
_LARGEST = 1 << 53  # whole numbers up to here are exact in a float64
_MAX = sys.float_info.max  # losses and errors may be measured in anything
_LEAST = HistoryRow(1, 1, -_MAX, -_MAX, 2, 0, 1)
_MOST = HistoryRow(_LARGEST, _LARGEST, _MAX, _MAX, 1e21, _MAX, _LARGEST)  # patience: 1e15 x 1e6
_SHA256 = re.compile("[0-9a-f]{64}")


def write_checkpoint(
    path: str | os.PathLike, checkpoint: Checkpoint, previous: str | os.PathLike | None = None
) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
    checkpoint : Checkpoint
    previous : str or os.PathLike, optional
        The new name of an existing file `path`.
    """
    arrays, described = _parts(checkpoint)
    write_described(path, arrays, described, previous)


def check_run(start: Checkpoint) -> None:
    """Check, before the first update, that the checkpoints of a run can be read back.

    Raises
    ------
    DataError, SettingsError
        See `dlt.files.described.check_saveable`.
    """
    check_saveable(
        *_parts(start._replace(state=start.state._replace(best_params=start.state.params)))
    )


def _parts(checkpoint):
    """Return what the file of a checkpoint holds: arrays, and entries of JSON."""
    state = checkpoint.state
    groups = zip(_GROUPS, (state.params, state.update_state, state.best_params or {}))
    arrays = {
        f"{group}/{name}": value for group, values in groups for name, value in values.items()
    }
    arrays["history"] = state.history.as_array()
    arrays["losses"] = real_numbers("losses", state.losses).astype(np.float64)
    described = {name: getattr(checkpoint, name) for name in _OWN}
    described.update(checkpoint=_FORMAT, best=state.best_score)
    described.update((name, getattr(state, name)) for name in ("iteration", "seconds", "machines"))
    return arrays, described


def read_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Read a checkpoint, and check everything in it; nothing in it is run.

    Raises
    ------
    DataError
        The file is missing, broken, of another version's format, or its parts do not agree with
        each other.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "checkpoint.npz")
    >>> start = State.first({"b": np.zeros(3)}, update_state={})
    >>> state = start._replace(iteration=2, losses=np.asarray([0.7, 0.6]))
    >>> write_checkpoint(path, Checkpoint(
    ...     state, ended=None, snapshots=(), settings={}, engine={}, data=["0" * 64], program={}))
    >>> read_checkpoint(path).state.losses.tolist()
    [0.7, 0.6]
    """
    arrays, described = read_described(path)
    check_format(path, "a checkpoint", described.get("checkpoint"), _FORMAT)
    try:
        return _checked(arrays, described)
    except _Wrong as error:
        raise DataError(path, error, _EXPECTED, _REMEDY) from None


class _Wrong(Exception):
    """What is wrong with a checkpoint."""


def _check(fits, found):
    if not fits:
        raise _Wrong(found)


def _checked(arrays, described):
    _check(set(described) == _KEYS, f"the entries {_short(sorted(described))}")
    for name, fits in _entries_that_fit(described).items():
        _check(fits, f"{name} = {_short(described[name])}")
    _check({"history", "losses"} <= set(arrays), "no arrays history and losses")
    history, losses = _history(arrays.pop("history")), arrays.pop("losses")
    one_row = losses.dtype == np.float64 and losses.ndim == 1 and np.isfinite(losses).all()
    _check(one_row, "losses that are not one row of finite float64")
    state = State(
        iteration=described["iteration"],
        **_groups(arrays),
        losses=losses,
        history=history,
        best_score=described["best"] and Score(*described["best"]),
        seconds=float(described["seconds"]),
        diverged_at=None,
        machines=tuple(Machine(*machine) for machine in described["machines"]),
    )
    _check_agreement(state, described["snapshots"])
    own = {name: described[name] for name in _OWN}
    return Checkpoint(state, **dict(own, snapshots=tuple(own["snapshots"])))


def _entries_that_fit(described):
    """Return for each JSON entry whether it can be right by itself."""
    snapshots, best, program = (described[name] for name in ("snapshots", "best", "program"))
    settings, engine, data = (described[name] for name in ("settings", "engine", "data"))
    pair = type(best) is list and len(best) == 2
    return {
        "checkpoint": _is_count(described["checkpoint"]),
        "iteration": _is_count(described["iteration"]),
        "seconds": _is_number(described["seconds"], 0, _LARGEST),
        "machines": _are_machines(described["machines"]),
        "ended": described["ended"] in _ENDS,
        "snapshots": type(snapshots) is list and all(map(_is_count, snapshots)),
        "settings": type(settings) is dict and _short(settings),
        "engine": type(engine) is dict and _are_texts([*engine.values()]),
        "data": _are_texts(data) and all(map(_SHA256.fullmatch, data)),
        "program": type(program) is dict and all(map(_is_expression, program.values())),
        "best": best is None or (pair and _is_number(best[0], -_MAX, _MAX) and _is_count(best[1])),
    }


def _groups(arrays):
    """Sort the arrays into the groups of parameters, under the names that `State` has for them."""
    groups = {name: {} for name in _GROUPS}
    for name, array in arrays.items():
        group, _, own_name = name.partition("/")
        _check(group in groups and own_name, f"an array {_short(name)}")
        finite = array.dtype.kind in "fiub" and np.isfinite(array).all()
        _check(finite, f"{_short(name)} with values that are not finite numbers")
        groups[group][own_name] = array
    params, update_state, best = groups.values()
    _check(params, "no parameters")
    kinds = [[(n, a.shape, a.dtype) for n, a in group.items()] for group in (params, best)]
    _check(not best or kinds[0] == kinds[1], "best parameters unlike the parameters")
    return {"params": params, "update_state": update_state, "best_params": best or None}


def _history(rows):
    """Return the rows of the history, each within its range and none before the one above it."""
    shaped = rows.ndim == 2 and rows.shape[1] == len(HistoryRow._fields)
    _check(shaped and rows.dtype == np.float64, "a history of another shape or dtype")
    _check(len(rows) <= MAX_ROWS, f"a history of more than {MAX_ROWS} rows")
    columns = HistoryRow(*rows.T)
    for name, column, least, most in zip(HistoryRow._fields, columns, _LEAST, _MOST):
        fits = (column >= least) & (column <= most)  # NaN does not
        if name in ("iteration", "epoch", "machine"):
            fits &= column == np.floor(column)
        if name == "validation_error":  # without a validation set all of them are NaN
            fits |= np.isnan(column).all()
        _check(fits.all(), f"a history with an impossible {name}")
    steps = np.diff([columns.iteration, columns.epoch, columns.patience, columns.seconds])
    _check((steps >= 0).all() and (steps[0] > 0).all(), "a history out of order")
    return History(rows)


def _check_agreement(state, snapshots):
    """Check that the parts of a checkpoint agree with each other."""
    last = state.history[-1].iteration if state.history else 0
    n_losses = len(state.losses)
    found = f"{state.iteration} updates, with {n_losses} losses after a validation at {last}"
    _check(state.iteration == last + n_losses, found)
    validated = state.history.as_array()[:, HistoryRow._fields.index("iteration")]
    known = snapshots == sorted(set(snapshots)) and np.isin(snapshots, validated).all()
    _check(known, "snapshots of no known validation")
    in_time = not state.history or state.history[-1].seconds <= state.seconds
    _check(in_time, "a history that ends later than the run")
    first = [machine.first for machine in state.machines]
    ordered = first == sorted({1, *first}) and first[-1] <= state.iteration + 1
    number = state.history.as_array()[:, HistoryRow._fields.index("machine")]
    ordered = ordered and (np.searchsorted(first, validated, "right") == number).all()
    _check(ordered, "machines that are not those of the history")
    best, score = state.history.best, state.best_score
    error = best.validation_error if best and not np.isnan(best.validation_error) else None
    same = error == (score and score.fraction) and (state.best_params is None) == (best is None)
    _check(same, "a best model that is not the best of the history")


def _are_texts(values):
    return type(values) is list and all(type(value) is str for value in values)


def _is_expression(part):
    return type(part) is list and len(part) == 2 and _are_texts(part[:1]) and _are_texts(part[1])


def _are_machines(values):
    return (
        type(values) is list
        and values != []
        and all(
            type(part) is list
            and len(part) == 2
            and _is_count(part[0])
            and type(part[1]) is dict
            and _are_texts([*part[1].values()])
            for part in values
        )
    )


def _is_count(value):
    return type(value) is int and 1 <= value <= _LARGEST


def _is_number(value, least, most):
    return type(value) in (int, float) and least <= value <= most  # NaN fits nothing


def _short(value):
    """Return a value from a file as short text on one line; empty if that is impossible."""
    try:
        return json.dumps(value)[:80]
    except (ValueError, RecursionError):
        return ""
