r"""Checkpoint: everything a training run needs to go on as if it had never stopped.

A checkpoint is taken between two stretches of minibatches. On disk it is an npz file with a
description, in the form of `dlt.parameters`: arrays and JSON text, nothing that can run.

======================  ==================================================================
array                   what it holds
======================  ==================================================================
``params/<name>``       the parameters, where the next update begins
``state/<name>``        what else the updates change, such as velocities
``best/<name>``         the best parameters; none before the first validation
``history``             float64, one row for each validation, columns as `dlt.HistoryRow`
``losses``              float64, the minibatch losses since the last validation
======================  ==================================================================

Everything else is JSON. Python writes a float as the shortest text that reads back as the
same float, so no bit is lost.

Source: page "Getting Started", sections "Early-Stopping" and "Loading and Saving Models".
"""

import collections
import json
import re
import sys

import numpy as np

from dlt.early_stopping import best_row
from dlt.errors import DataError
from dlt.files.described import read_described, write_described
from dlt.runs.history import HistoryRow
from dlt.runs.state import State
from dlt.score import Score

Checkpoint = collections.namedtuple(
    "Checkpoint", "state ended snapshots settings engine data program"
)
Checkpoint.__doc__ = """The state of a training run between two updates, and what it came from.

Fields
------
state : dlt.runs.state.State
ended : {None, "patience", "n_epochs", "divergence"}
    What ended the run, if it ended by itself.
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

_FORMAT = 2
_EXPECTED = f"a checkpoint of format {_FORMAT}, as dlt writes it"
_REMEDY = "the file is damaged or not a checkpoint: use another copy, or start anew"
_KEYS = {
    "checkpoint",
    "iteration",
    "best",
    "seconds",
    "ended",
    "snapshots",
    "settings",
    "engine",
    "data",
    "program",
}
_GROUPS = ("params", "state", "best")
_ENDS = (None, "patience", "n_epochs", "divergence")
_LARGEST = 1 << 53  # whole numbers up to here are exact in a float64
_LARGEST_PATIENCE = 1e21  # 1e15 updates times an increase of 1e6, see dlt.Patience
_SHA256 = re.compile("[0-9a-f]{64}")


def write_checkpoint(path, checkpoint, previous=None):
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : str or os.PathLike
    checkpoint : Checkpoint
    previous : str or os.PathLike, optional
        The name that the checkpoint at `path` gets, see `dlt.files.writing.write_atomically`.

    Raises
    ------
    SettingsError
        The file cannot be written.
    """
    state = checkpoint.state
    groups = zip(_GROUPS, (state.params, state.update_state, state.best_params or {}))
    arrays = {
        f"{group}/{name}": value for group, values in groups for name, value in values.items()
    }
    rows = np.asarray(state.history, dtype=np.float64)
    arrays["history"] = rows.reshape(len(rows), len(HistoryRow._fields))
    arrays["losses"] = np.asarray(state.losses, dtype=np.float64)
    described = {
        "checkpoint": _FORMAT,
        "iteration": state.iteration,
        "seconds": state.seconds,
        "best": state.best_score,
    }
    for name in _KEYS - set(described):
        described[name] = getattr(checkpoint, name)
    write_described(path, arrays, described, previous)


def read_checkpoint(path):
    """Read a checkpoint, and check everything that is in it.

    Parameters
    ----------
    path : str or os.PathLike
        It may come from a stranger: nothing in it is run.

    Returns
    -------
    Checkpoint

    Raises
    ------
    DataError
        The file is missing, broken, or its parts do not agree with each other.

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
    check = _Checker(path)
    number = described.get("checkpoint")
    if _is_count(number, 1) and number != _FORMAT:
        found = f"a checkpoint of format {number}"
        raise DataError(path, found, _EXPECTED, "use the dlt that wrote it, or start anew")
    check.that(set(described) == _KEYS, f"the entries {_short(sorted(described))}")
    check.that(_is_count(number, 1), "another format")
    groups = _split(check, arrays)
    history = _history(check, arrays["history"])
    _check_scalars(check, described)
    state = State(
        iteration=described["iteration"],
        params=groups["params"],
        update_state=groups["state"],
        losses=arrays["losses"],
        history=history,
        best_params=groups["best"] or None,
        best_score=described["best"] and Score(*described["best"]),
        seconds=float(described["seconds"]),
        diverged_at=None,
    )
    _check_iterations(check, state, described["snapshots"])
    _check_best(check, state)
    others = {name: described[name] for name in Checkpoint._fields if name in described}
    return Checkpoint(state=state, **dict(others, snapshots=tuple(described["snapshots"])))


class _Checker:
    """Raises the one error that a wrong file gives."""

    def __init__(self, path):
        self._path = path

    def that(self, fits, found):
        if not fits:
            raise DataError(self._path, found, _EXPECTED, _REMEDY)


def _split(check, arrays):
    """Take the groups of parameters out of the arrays, and check all arrays alone."""
    check.that({"history", "losses"} <= set(arrays), "no arrays history and losses")
    groups = {name: {} for name in _GROUPS}
    for name, array in arrays.items():
        group, slash, own_name = name.partition("/")
        known = name in ("history", "losses") or (slash and group in groups)
        check.that(known, f"an array {_short(name)}")
        numbers = array.dtype.kind in ("fiub" if slash else "f")
        finite = numbers and (name == "history" or np.isfinite(array).all())
        check.that(finite, f"{_short(name)} with values that are no finite numbers")
        if slash:
            groups[group][own_name] = array
    params, _, best = groups.values()
    check.that(params, "no parameters")
    kinds = [[(n, a.shape, a.dtype) for n, a in group.items()] for group in (params, best)]
    check.that(not best or kinds[0] == kinds[1], "best parameters unlike the parameters")
    losses = arrays["losses"]
    check.that(losses.ndim == 1 and losses.dtype == np.float64, "losses of another shape or dtype")
    return groups


def _history(check, rows):
    """Return the rows of the history, each within its range and none before the one above it."""
    shaped = rows.ndim == 2 and rows.shape[1] == len(HistoryRow._fields)
    check.that(shaped and rows.dtype == np.float64, "a history of another shape or dtype")
    columns = HistoryRow(*rows.T)
    error = columns.validation_error  # NaN throughout where nothing was validated
    told = np.isfinite(error).all() or np.isnan(error).all()
    check.that(told, "a history that is validated in part")
    others = [column for column in columns if column is not error]
    check.that(np.isfinite(others).all(), "a history with values that are no finite numbers")
    for name in ("iteration", "epoch"):
        column = getattr(columns, name)
        whole = (column == np.floor(column)) & (column >= 1) & (column <= _LARGEST)
        check.that(whole.all(), f"a history with {name}s that are no counts")
    patience = columns.patience
    in_range = (patience >= 2) & (patience <= _LARGEST_PATIENCE)
    check.that(in_range.all(), "a history with an impossible patience")
    check.that((columns.seconds >= 0).all(), "a history with times below 0")
    check.that((np.diff(columns.iteration) > 0).all(), "a history out of order")
    for column in (columns.epoch, patience, columns.seconds):
        check.that((np.diff(column) >= 0).all(), "a history out of order")
    return tuple(HistoryRow(int(row[0]), int(row[1]), *row[2:]) for row in rows.tolist())


def _check_scalars(check, described):
    """Check the JSON entries alone."""
    count, seconds, ended = (described[name] for name in ("iteration", "seconds", "ended"))
    check.that(_is_count(count, 1), f"the iteration {_short(count)}")
    check.that(_is_number(seconds, 0, _LARGEST), f"the time {_short(seconds)}")
    known = ended is None or (type(ended) is str and ended in _ENDS)
    check.that(known, f"the end {_short(ended)}")
    snapshots, settings = described["snapshots"], described["settings"]
    listed = type(snapshots) is list and all(_is_count(n, 1) for n in snapshots)
    check.that(listed, f"the snapshots {_short(snapshots)}")
    check.that(type(settings) is dict and _short(settings), "settings that are no settings")
    engine, data, program = (described[name] for name in ("engine", "data", "program"))
    named = type(engine) is dict and _are_texts(engine.values())
    check.that(named, f"the engine {_short(engine)}")
    hashed = type(data) is list and _are_texts(data) and all(map(_SHA256.fullmatch, data))
    check.that(hashed, f"the hash of the data {_short(data)}")
    check.that(type(program) is dict, f"the program {_short(program)}")
    for part in program.values():
        pair = type(part) is list and len(part) == 2 and type(part[1]) is list
        check.that(pair and _are_texts([part[0], *part[1]]), f"the program {_short(part)}")
    best = described["best"]
    most = sys.float_info.max  # errors may be measured in anything
    counted = type(best) is list and len(best) == 2 and _is_number(best[0], -most, most)
    check.that(best is None or (counted and _is_count(best[1], 1)), "half a best model")


def _check_iterations(check, state, snapshots):
    """Check that the counts of updates in the several parts agree."""
    validated = [row.iteration for row in state.history]
    last = validated[-1] if validated else 0
    fits = state.iteration == last + len(state.losses)
    check.that(
        fits,
        f"{_short(state.iteration)} updates, with {len(state.losses)} losses "
        f"after a validation at {last}",
    )
    known = snapshots == sorted(set(snapshots)) and set(validated).issuperset(snapshots)
    check.that(known, "snapshots of no known validation")
    if state.history:
        in_time = state.history[-1].seconds <= state.seconds
        check.that(in_time, "a history that ends later than the run")


def _check_best(check, state):
    """Check that the best model is the history's best."""
    check.that((state.best_params is None) == (not state.history), "half a best model")
    best, score = best_row(state.history), state.best_score
    scored = best is not None and best.validation_error == best.validation_error
    check.that((score is None) == (not scored), "half a best model")
    same = not scored or score.fraction == best.validation_error
    check.that(same, "a best model that is not the best of the history")


def _are_texts(values):
    return all(type(value) is str for value in values)


def _is_count(value, least):
    return type(value) is int and least <= value <= _LARGEST


def _is_number(value, least, most):
    return type(value) in (int, float) and least <= value <= most  # NaN fits nothing


def _short(value):
    """Show a value from a file: printable, on one line, short; empty if that is impossible."""
    try:
        return json.dumps(value)[:80]
    except (ValueError, RecursionError):
        return ""
