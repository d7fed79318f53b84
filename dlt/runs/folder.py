"""Run folder: where a training run leaves what it found, and what it needs to go on.

===============================  ============================================================
file                             what it holds
===============================  ============================================================
``best_params.npz``              the best parameters (`dlt.load_params`), with the settings
``history.csv``                  one line for each validation (`dlt.read_history`)
``settings.json``                everything the run was given
``checkpoint.npz``               where to go on (`dlt.runs.checkpoint`)
``checkpoint.previous.npz``      the one before, in case that is damaged
``checkpoint.unfinished.npz``    that of an earlier run, which this one did not resume
``snapshots/iteration_*.npz``    intermediate models (`dlt.load_params`), if asked for
``.lock``                        what keeps a second run out
===============================  ============================================================

Source: page "Getting Started", section "Loading and Saving Models": save the
current best as the search goes on, and models with their iteration in the name.
"""

import collections
import contextlib
import json
import os
import re

import numpy as np

from dlt.checks import whole_number
from dlt.errors import DataError, SettingsError
from dlt.runs.checkpoint import read_checkpoint

PARAMS_NAME = "best_params.npz"
HISTORY_NAME = "history.csv"
SETTINGS_NAME = "settings.json"
CHECKPOINT_NAME = "checkpoint.npz"
PREVIOUS_NAME = "checkpoint.previous.npz"
UNFINISHED_NAME = "checkpoint.unfinished.npz"
SNAPSHOTS_NAME = "snapshots"
LOCK_NAME = ".lock"

# The settings that are read back by name.
DATASET, L1, L2, SEED = "dataset", "l1", "l2", "seed"
MODEL, DESCRIPTION = "model", "description"

SNAPSHOT = re.compile(r"iteration_([0-9]{6,18})\.npz")


def snapshot_name(iteration):
    """Return the name of the file of an intermediate model, which sorts by iteration.

    Examples
    --------
    >>> snapshot_name(83)
    'iteration_000083.npz'
    """
    return f"iteration_{iteration:06d}.npz"


def list_snapshots(path):
    """List the intermediate models of a run.

    Parameters
    ----------
    path : str or os.PathLike
        A run folder.

    Returns
    -------
    list of (int, str)
        Minibatch updates and the model's file (`dlt.read_params`), in the order of training;
        empty where no snapshots were asked for.

    Examples
    --------
    >>> list_snapshots("no/such/folder")
    []
    """
    folder = os.path.join(os.fspath(path), SNAPSHOTS_NAME)
    names = os.listdir(folder) if os.path.isdir(folder) else ()
    found = ((SNAPSHOT.fullmatch(name), os.path.join(folder, name)) for name in names)
    return sorted((int(match.group(1)), file) for match, file in found if match)


def as_json(settings):
    """Return settings as they come back from a JSON file, or say why they cannot.

    Examples
    --------
    >>> as_json({"sizes": (1, 2)})
    {'sizes': [1, 2]}
    """
    try:
        return json.loads(json.dumps(settings, default=_plain))
    except (TypeError, ValueError) as error:
        raise SettingsError(
            "settings", f"what JSON cannot hold ({error})", "numbers, text, lists and dicts"
        ) from error


class RunFolder(collections.namedtuple("RunFolder", "path snapshot_every keep settings")):
    """Where a run is kept, for `dlt.Trainer.run`.

    Parameters
    ----------
    path : str or os.PathLike
        The folder; made if it is not there.
    snapshot_every : int, optional
        Keep the model of every so many validations.
    keep : int
        Most snapshots to keep; the newest ones stay.
    settings : dict, optional
        More to note in ``settings.json`` (data set, seed, weight of a penalty, ...): what the
        loss depends on, so that a run is resumed with the same. What JSON can hold.

    Raises
    ------
    SettingsError
        A number is out of its range, or JSON cannot hold the settings.

    Examples
    --------
    >>> RunFolder("runs/first", settings={"seed": 1})
    RunFolder(path='runs/first', snapshot_every=None, keep=10, settings={'seed': 1})
    """

    __slots__ = ()

    def __new__(cls, path, snapshot_every=None, keep=10, settings=None):
        if snapshot_every is not None:
            snapshot_every = whole_number("snapshot_every", snapshot_every, low=1)
        keep = whole_number("keep", keep, low=1)
        if not isinstance(settings, (dict, type(None))):
            found = type(settings).__name__
            raise SettingsError("settings", f"a {found}", "a dict")
        return super().__new__(cls, os.fspath(path), snapshot_every, keep, as_json(settings or {}))


def newest_checkpoint(path):
    """Return the newest checkpoint in a folder that can be read, and its name; or None twice.

    Examples
    --------
    >>> newest_checkpoint("no/such/folder")
    (None, None)
    """
    for name in (CHECKPOINT_NAME, PREVIOUS_NAME):
        with contextlib.suppress(DataError):
            return name, read_checkpoint(os.path.join(path, name))
    return None, None


def saved_settings(path):
    """Return the settings of the run whose checkpoint is in a folder, or an empty dict.

    Examples
    --------
    >>> saved_settings("no/such/folder")
    {}
    """
    _, found = newest_checkpoint(os.fspath(path))
    return {} if found is None else found.settings


def _plain(value):
    """Turn numpy's numbers into Python's, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a value of type {type(value).__name__}")
