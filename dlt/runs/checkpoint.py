r"""Checkpoint: everything a training run needs to go on as if it had never stopped.

A checkpoint is taken between two stretches of minibatches. On disk it is an npz file with a
description, in the form of `dlt.parameters`: arrays and JSON text, nothing that can run.

======================  ==================================================================
array                   what it holds
======================  ==================================================================
``params/<name>``       the parameters, where the next update begins
``best/<name>``         the best parameters; none before the first validation
``history``             float64, one row for each validation, columns as `dlt.HistoryRow`
``losses``              float64, the minibatch losses since the last validation
======================  ==================================================================

Everything else is JSON. Python writes a float as the shortest text that reads back as the
same float, so no bit is lost; infinity is written as null.

Source: page "Getting Started", sections "Early-Stopping" and "Loading and Saving Models".
"""

import collections
import json
import re

import numpy as np

from dlt.errors import DataError
from dlt.files.described import read_described, write_described
from dlt.runs.history import HistoryRow

Checkpoint = collections.namedtuple(
    "Checkpoint",
    "iteration params losses history patience best_iteration best_validation best_params seconds "
    "ended snapshots settings engine data",
)
Checkpoint.__doc__ = """The state of a training run between two updates, and what it came from.

Fields
------
iteration : int
    Minibatch updates made.
params : dict of str to ndarray
    The parameters after them.
losses : ndarray, float64, shape (n,)
    Losses of the minibatches since the last validation.
history : tuple of HistoryRow
    One row for each validation.
patience : dict
    `dlt.Patience.state`.
best_iteration : int or None
    Updates the best parameters had seen; None before the first validation, as the next two.
best_validation : (n_errors, n_examples) or None
best_params : dict of str to ndarray or None
seconds : float
    Time in the loop so far.
ended : {None, "patience", "n_epochs", "divergence"}
    What ended the run, if it ended by itself.
snapshots : tuple of int
    Iterations of the intermediate models that the run keeps.
settings : dict
    Everything the run was given.
engine : dict of str to str
    What computed it: names and versions.
data : str
    SHA-256 of the data sets, see `dlt.shared.fingerprint`.
"""

_FORMAT = 1
_EXPECTED = "a checkpoint of format {}, as dlt writes it".format(_FORMAT)
_REMEDY = "the file is damaged or not a checkpoint: use another copy, or start anew"
_KEYS = {
    "checkpoint",
    "iteration",
    "patience",
    "best",
    "seconds",
    "ended",
    "snapshots",
    "settings",
    "engine",
    "data",
}
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
    arrays = {"params/" + name: value for name, value in checkpoint.params.items()}
    best = None
    if checkpoint.best_params is not None:
        arrays.update(("best/" + name, value) for name, value in checkpoint.best_params.items())
        best = dict(zip(("n_errors", "n_examples"), checkpoint.best_validation))
        best["iteration"] = checkpoint.best_iteration
    rows = np.asarray(checkpoint.history, dtype=np.float64)
    arrays["history"] = rows.reshape(len(rows), len(HistoryRow._fields))
    arrays["losses"] = np.asarray(checkpoint.losses, dtype=np.float64)
    described = {
        "checkpoint": _FORMAT,
        "best": best,
        "snapshots": list(checkpoint.snapshots),
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
    >>> from dlt.early_stopping import Patience
    >>> path = os.path.join(tempfile.mkdtemp(), "checkpoint.npz")
    >>> start = Checkpoint(
    ...     iteration=2, params={"b": np.zeros(3)}, losses=np.asarray([0.7, 0.6]), history=(),
    ...     patience=Patience().state(), best_iteration=None, best_validation=None,
    ...     best_params=None, seconds=0.1, ended=None, snapshots=(), settings={}, engine={},
    ...     data="0" * 64)
    >>> write_checkpoint(path, start)
    >>> read_checkpoint(path).losses.tolist()
    [0.7, 0.6]
    """
    arrays, described = read_described(path)
    check = _Checker(path)
    check.that(set(described) == _KEYS, "the entries {}".format(_short(sorted(described))))
    check.that(described["checkpoint"] == _FORMAT, "another format")
    params, best_params = _split(check, arrays)
    history = _history(check, arrays["history"])
    checkpoint = Checkpoint(
        params=params,
        best_params=best_params,
        losses=arrays["losses"],
        history=history,
        **_scalars(check, described),
    )
    _check_iterations(check, checkpoint)
    _check_best(check, checkpoint)
    _check_patience(check, checkpoint)
    return checkpoint


class _Checker:
    """Raises the one error that a wrong file gives."""

    def __init__(self, path):
        self._path = path

    def that(self, fits, found):
        if not fits:
            raise DataError(self._path, found, _EXPECTED, _REMEDY)


def _split(check, arrays):
    """Take the parameters and the best ones out of the arrays, and check all arrays alone."""
    check.that({"history", "losses"} <= set(arrays), "no arrays history and losses")
    groups = {"params": {}, "best": {}}
    for name, array in arrays.items():
        group, slash, own_name = name.partition("/")
        known = name in ("history", "losses") or (slash and group in groups)
        check.that(known, "an array {}".format(_short(name)))
        floats = array.dtype.kind == "f" and np.isfinite(array).all()
        check.that(floats, "{} with values that are no finite numbers".format(_short(name)))
        if slash:
            groups[group][own_name] = array
    params, best = groups["params"], groups["best"]
    check.that(params, "no parameters")
    kinds = [[(n, a.shape, a.dtype) for n, a in group.items()] for group in (params, best)]
    check.that(not best or kinds[0] == kinds[1], "best parameters unlike the parameters")
    losses = arrays["losses"]
    check.that(losses.ndim == 1 and losses.dtype == np.float64, "losses of another shape or dtype")
    return params, best or None


def _history(check, rows):
    """Give the rows of the history, each within its range and none before the one above it."""
    shaped = rows.ndim == 2 and rows.shape[1] == len(HistoryRow._fields)
    check.that(shaped and rows.dtype == np.float64, "a history of another shape or dtype")
    columns = HistoryRow(*rows.T)
    for name in ("iteration", "epoch"):
        column = getattr(columns, name)
        whole = (column == np.floor(column)) & (column >= 1) & (column <= _LARGEST)
        check.that(whole.all(), "a history with {}s that are no counts".format(name))
    error, patience = columns.validation_error, columns.patience
    check.that(((error >= 0) & (error <= 1)).all(), "a history with impossible errors")
    in_range = (patience >= 2) & (patience <= _LARGEST_PATIENCE)
    check.that(in_range.all(), "a history with an impossible patience")
    check.that((columns.seconds >= 0).all(), "a history with times below 0")
    check.that((np.diff(columns.iteration) > 0).all(), "a history out of order")
    for column in (columns.epoch, columns.patience, columns.seconds):
        check.that((np.diff(column) >= 0).all(), "a history out of order")
    return tuple(HistoryRow(int(row[0]), int(row[1]), *row[2:]) for row in rows.tolist())


def _scalars(check, described):
    """Check the JSON entries alone, and give them as fields of `Checkpoint`."""
    count, seconds, ended = (described[name] for name in ("iteration", "seconds", "ended"))
    check.that(_is_count(count, 1), "the iteration {}".format(_short(count)))
    check.that(_is_number(seconds, 0, _LARGEST), "the time {}".format(_short(seconds)))
    known = ended is None or (type(ended) is str and ended in _ENDS)
    check.that(known, "the end {}".format(_short(ended)))
    snapshots, settings = described["snapshots"], described["settings"]
    listed = type(snapshots) is list and all(_is_count(n, 1) for n in snapshots)
    check.that(listed, "the snapshots {}".format(_short(snapshots)))
    check.that(type(settings) is dict and _short(settings), "settings that are no settings")
    engine, data = described["engine"], described["data"]
    named = type(engine) is dict and all(type(value) is str for value in engine.values())
    check.that(named, "the engine {}".format(_short(engine)))
    hashed = type(data) is str and _SHA256.fullmatch(data)
    check.that(hashed, "the hash of the data {}".format(_short(data)))
    best = described["best"]
    if best is not None:
        names = type(best) is dict and set(best) == {"n_errors", "n_examples", "iteration"}
        check.that(names and all(_is_count(n, 0) for n in best.values()), "a best model untold")
    return {
        "iteration": count,
        "seconds": float(seconds),
        "ended": ended,
        "snapshots": tuple(snapshots),
        "settings": settings,
        "engine": engine,
        "data": data,
        "patience": described["patience"],
        "best_iteration": best and best["iteration"],
        "best_validation": best and (best["n_errors"], best["n_examples"]),
    }


def _check_iterations(check, checkpoint):
    """Check that the counts of updates in the several parts agree."""
    validated = [row.iteration for row in checkpoint.history]
    last = validated[-1] if validated else 0
    fits = checkpoint.iteration == last + len(checkpoint.losses)
    check.that(
        fits,
        "{} updates, with {} losses after a validation at {}".format(
            _short(checkpoint.iteration), len(checkpoint.losses), last
        ),
    )
    known = set(validated)
    kept = list(checkpoint.snapshots)
    check.that(
        kept == sorted(set(kept)) and known.issuperset(kept), "snapshots of no known validation"
    )
    if checkpoint.history:
        in_time = checkpoint.history[-1].seconds <= checkpoint.seconds
        check.that(in_time, "a history that ends later than the run")


def _check_best(check, checkpoint):
    """Check that the best model is the history's best."""
    parts = (checkpoint.best_validation, checkpoint.best_params, checkpoint.history or None)
    check.that(len({part is None for part in parts}) == 1, "half a best model")
    if not checkpoint.history:
        return
    best = min(checkpoint.history, key=lambda row: row.validation_error)  # the first of them
    n_errors, n_examples = checkpoint.best_validation
    fits = (
        checkpoint.best_iteration == best.iteration
        and n_examples >= 1
        and n_errors / n_examples == best.validation_error
    )
    check.that(fits, "a best model that is not the best of the history")


def _check_patience(check, checkpoint):
    """Check that patience has seen what the history tells."""
    state = checkpoint.patience
    names = type(state) is dict and set(state) == {"patience", "best_loss", "best_iteration"}
    check.that(names, "the patience {}".format(_short(state)))
    fits = _is_number(state["patience"], 2, _LARGEST_PATIENCE)
    check.that(fits, "the patience {}".format(_short(state["patience"])))
    seen = (None, None)
    if checkpoint.history:
        n_errors, n_examples = checkpoint.best_validation
        seen = (checkpoint.best_iteration - 1, n_errors / n_examples)
        check.that(state["patience"] == checkpoint.history[-1].patience, "two different patiences")
    found = (state["best_iteration"], state["best_loss"])
    plain = [type(value) for value in found] == [type(value) for value in seen]
    check.that(plain and found == seen, "a patience that has seen another best loss")


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
