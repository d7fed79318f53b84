r"""Checkpoint: everything a training run needs to go on as if it had never stopped.

It is an npz file like those of `dlt.parameters`: arrays and JSON text, nothing that can run.

======================  ==================================================================
array                   what it holds
======================  ==================================================================
``params/<name>``       the current parameters
``state/<name>``        what else the updates change, such as velocities
``best/<name>``         the best parameters; none before the first validation
``history``             float64, one row for each validation, columns as `dlt.HistoryRow`
``losses``              float64, the minibatch losses since the last validation
======================  ==================================================================

Everything else is JSON. A float is written as the shortest text that reads back as the same number.

Source: page "Getting Started", sections "Early-Stopping" and "Loading and Saving Models".
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any, NamedTuple

import numpy as np

from dlt.checks import real_numbers
from dlt.errors import DataError
from dlt.files.described import check_saveable, read_described, write_described
from dlt.files.forms import LARGEST, in_short, is_count, misfit, number, one_of, optional
from dlt.files.reading import check_format
from dlt.runs.history import MAX_ROWS, History, HistoryRow
from dlt.runs.state import Machine, State
from dlt.score import Score


class Checkpoint(NamedTuple):
    """The state of a training run between two updates, and what the run was given.

    Fields
    ------
    state : dlt.runs.state.State
    ended : {None, "patience", "n_epochs", "divergence"}
        What ended the run; None if it can still go on.
    snapshots : tuple of int
        Iterations of the intermediate models in the folder.
    settings : dict
        All settings of the run.
    engine : dict of str to str
        Names and versions of what computed the run.
    data : list of str
        Fingerprints of the training and validation sets, see `dlt.shared.DataSet.fingerprint`.
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
_OWN = Checkpoint._fields[1:]  # all fields but the state
_MAX = sys.float_info.max  # losses and errors may be measured in anything
_LEAST = HistoryRow(1, 1, -_MAX, -_MAX, 2, 0, 1)
_MOST = HistoryRow(LARGEST, LARGEST, _MAX, _MAX, 1e21, _MAX, LARGEST)  # patience: 1e15 x 1e6
_FORMS = {
    "checkpoint": one_of(_FORMAT),
    "iteration": is_count,
    "seconds": number(0, LARGEST),
    "machines": [(is_count, {str: str})],
    "best": optional((number(-_MAX, _MAX), is_count)),
    "ended": one_of(None, "patience", "n_epochs", "divergence"),
    "snapshots": [is_count],
    "settings": dict,
    "engine": {str: str},
    "data": [lambda text: type(text) is str and re.fullmatch("[0-9a-f]{64}", text)],
    "program": {str: (str, [str])},
}


def write_checkpoint(
    path: str | os.PathLike, checkpoint: Checkpoint, previous: str | os.PathLike | None = None
) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
    checkpoint : Checkpoint
    previous : str or os.PathLike, optional
        Rename an existing file `path` to this.
    """
    arrays, described = _parts(checkpoint)
    write_described(path, arrays, described, previous)


def check_run(start: Checkpoint) -> None:
    """Check, before the first update, that the run's checkpoints will be readable.

    Raises
    ------
    DataError, SettingsError
        See `dlt.files.described.check_saveable`.
    """
    check_saveable(
        *_parts(start._replace(state=start.state._replace(best_params=start.state.params)))
    )


def _parts(checkpoint):
    """Return the arrays and the JSON entries of a checkpoint's file."""
    state = checkpoint.state
    groups = zip(_GROUPS, (state.params, state.update_state, state.best_params or {}))
    arrays = {
        f"{group}/{name}": value for group, values in groups for name, value in values.items()
    }
    arrays["history"] = state.history.as_array()
    arrays["losses"] = real_numbers("losses", state.losses).astype(np.float64)
    described = {name: getattr(checkpoint, name) for name in _OWN}
    described.update((name, getattr(state, name)) for name in ("iteration", "seconds", "machines"))
    return arrays, {**described, "checkpoint": _FORMAT, "best": state.best_score}


def read_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Read a checkpoint, and check all of it. Nothing in it is run.

    Raises
    ------
    DataError
        The file is missing, broken or of another format, or its parts contradict each other.

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
    _check(set(described) == set(_FORMS), f"the entries {in_short(sorted(described))}")
    wrong = misfit(described, _FORMS)
    _check(not wrong, wrong)
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


def _groups(arrays):
    """Return the three groups of arrays, as `State` names them."""
    groups = {name: {} for name in _GROUPS}
    for name, array in arrays.items():
        group, _, own_name = name.partition("/")
        _check(group in groups and own_name, f"an array {in_short(name)}")
        finite = array.dtype.kind in "fiub" and np.isfinite(array).all()
        _check(finite, f"{in_short(name)} with values that are not finite numbers")
        groups[group][own_name] = array
    params, update_state, best = groups.values()
    _check(params, "no parameters")
    kinds = [[(n, a.shape, a.dtype) for n, a in group.items()] for group in (params, best)]
    _check(not best or kinds[0] == kinds[1], "best parameters unlike the parameters")
    return {"params": params, "update_state": update_state, "best_params": best or None}


def _history(rows):
    """Return the history, after checking the range and the order of its rows."""
    shaped = rows.ndim == 2 and rows.shape[1] == len(HistoryRow._fields)
    _check(shaped and rows.dtype == np.float64, "a history of another shape or dtype")
    _check(len(rows) <= MAX_ROWS, f"a history of more than {MAX_ROWS} rows")
    columns = HistoryRow(*rows.T)
    for name, column, least, most in zip(HistoryRow._fields, columns, _LEAST, _MOST):
        fits = (column >= least) & (column <= most)  # false for NaN
        if name in ("iteration", "epoch", "machine"):
            fits &= column == np.floor(column)
        if name == "validation_error":  # all are NaN if there is no validation set
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
