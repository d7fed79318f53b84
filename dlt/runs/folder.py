"""Run folder: where a training run leaves what it found, and what it needs to go on.

===============================  ============================================================
file                             what it holds
===============================  ============================================================
``best_params.npz``              the best parameters (`dlt.load_params`), with the settings
``history.csv``                  one line for each validation (`dlt.read_history`)
``settings.json``                everything the run was given
``checkpoint.npz``               where to go on (`dlt.read_checkpoint`)
``checkpoint.previous.npz``      the one before, in case that is damaged
``checkpoint.unfinished-1.npz``  one that this run replaced, and that was not finished, or could
                                 not be read; -2 is a newer one; the newest three stay
``snapshots/iteration_*.npz``    intermediate models (`dlt.load_params`), if asked for
``.lock``                        keeps a second run out (`dlt.runs.lock`)
===============================  ============================================================

Source: page "Getting Started", section "Loading and Saving Models": save the current best as the
search goes on, and models with their iteration in the name.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, NamedTuple

from dlt.checks import whole_number
from dlt.errors import DataError
from dlt.files.described import plain_settings
from dlt.runs.checkpoint import Checkpoint, read_checkpoint

PARAMS_NAME = "best_params.npz"
HISTORY_NAME = "history.csv"
SETTINGS_NAME = "settings.json"
CHECKPOINT_NAME = "checkpoint.npz"
PREVIOUS_NAME = "checkpoint.previous.npz"
SNAPSHOTS_NAME = "snapshots"

# The settings that are read back by name.
DATASET, L1, L2, SEED = "dataset", "l1", "l2", "seed"
MODEL, DESCRIPTION = "model", "description"
MACHINES = "machines"  # of `dlt.runs.state.State`

_KEPT = re.compile(r"checkpoint\.unfinished-([1-9][0-9]*)\.npz")
_SNAPSHOT = re.compile(r"iteration_([0-9]{6,18})\.npz")


def snapshot_name(iteration: int) -> str:
    """Return the file name of an intermediate model; these names sort by iteration.

    Examples
    --------
    >>> snapshot_name(83)
    'iteration_000083.npz'
    """
    return f"iteration_{iteration:06d}.npz"


def list_snapshots(path: str | os.PathLike) -> list[tuple[int, str]]:
    """Return minibatch updates and file of each intermediate model of a run, in that order."""
    return _numbered(os.path.join(os.fspath(path), SNAPSHOTS_NAME), _SNAPSHOT)


def kept_name(number: int) -> str:
    """Return the file name of a checkpoint that was moved aside.

    Examples
    --------
    >>> kept_name(1)
    'checkpoint.unfinished-1.npz'
    """
    return f"checkpoint.unfinished-{number}.npz"


def list_kept(path: str | os.PathLike) -> list[tuple[int, str]]:
    """Return number and file of each checkpoint that was moved aside, the oldest first."""
    return _numbered(os.fspath(path), _KEPT)


def _numbered(folder, pattern):
    names = os.listdir(folder) if os.path.isdir(folder) else ()
    found = ((pattern.fullmatch(name), os.path.join(folder, name)) for name in names)
    return sorted((int(match.group(1)), file) for match, file in found if match)


class _Place(NamedTuple):
    path: str
    snapshot_every: int | None
    keep: int
    settings: dict[str, Any]
    wait: float
    beside: bool


class RunFolder(_Place):
    """Where a run is kept, for `dlt.Trainer.run`.

    Parameters
    ----------
    path : str or os.PathLike
        Made if it is not there.
    snapshot_every : int, optional
        Keep the model of every so many validations.
    keep : int
        Most snapshots to keep; the newest ones stay.
    settings : dict, optional
        More for ``settings.json``, in what JSON can hold: what the loss depends on (data set,
        seed, weight of a penalty, ...), so that a run is resumed with the same.
    wait : float
        Seconds to wait for another run in the folder to end; below 0, as long as it takes.
    beside : bool
        If another folder takes this one's name while the run is at work, save the run in a new one
        beside it. In any case the run ends.

    Raises
    ------
    SettingsError
        A number is out of its range, or JSON cannot hold the settings.

    Examples
    --------
    >>> RunFolder("runs/first", settings={"seed": 1})
    RunFolder(path='runs/first', snapshot_every=None, keep=10, settings={'seed': 1}, wait=0, \
beside=True)
    """

    __slots__ = ()

    def __new__(
        cls,
        path: str | os.PathLike,
        snapshot_every: int | None = None,
        keep: int = 10,
        settings: dict[str, Any] | None = None,
        wait: float = 0,
        beside: bool = True,
    ) -> RunFolder:
        if snapshot_every is not None:
            snapshot_every = whole_number("snapshot_every", snapshot_every, low=1)
        keep = whole_number("keep", keep, low=1)
        settings = plain_settings({} if settings is None else settings)
        return super().__new__(cls, os.fspath(path), snapshot_every, keep, settings, wait, beside)


def newest_checkpoint(path: str | os.PathLike) -> tuple[str | None, Checkpoint | None]:
    """Return the name and the content of the newest checkpoint that can be read, or None twice."""
    for name in (CHECKPOINT_NAME, PREVIOUS_NAME):
        with contextlib.suppress(DataError):
            return name, read_checkpoint(os.path.join(path, name))
    return None, None


def saved_settings(path: str | os.PathLike) -> dict[str, Any]:
    """Return the settings of the run whose checkpoint is in a folder, or an empty dict."""
    _, found = newest_checkpoint(path)
    return {} if found is None else found.settings
