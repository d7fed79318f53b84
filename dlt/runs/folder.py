"""Run folder: where a training run keeps its results, and what it needs to go on.

===============================  ============================================================
file                             what it holds
===============================  ============================================================
``best_params.npz``              the best parameters (`dlt.load_params`), with the settings
``history.csv``                  one line for each validation (`dlt.read_history`)
``settings.json``                all settings of the run
``checkpoint.npz``               where to go on (`dlt.read_checkpoint`)
``checkpoint.previous.npz``      the checkpoint before it, in case it is damaged
``checkpoint.unfinished-1.npz``  of an earlier run that had not ended, or that could not be read;
                                 -2 is a newer one; the newest three stay
``snapshots/iteration_*.npz``    intermediate models (`dlt.load_params`), if asked for
``.lock``                        keeps a second run out (`dlt.runs.lock`)
===============================  ============================================================

Source: page "Getting Started", section "Loading and Saving Models": save the best model during the
search, and other models with their iteration in the name.
"""

from __future__ import annotations

import collections
import contextlib
import os
import re
from typing import Any

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

# Settings that are read back by name.
DATASET, L1, L2, SEED = "dataset", "l1", "l2", "seed"
MODEL, DESCRIPTION = "model", "description"
MACHINES = "machines"  # of `dlt.runs.state.State`

_SNAPSHOT = re.compile(r"iteration_([0-9]{6,18})\.npz")


def snapshot_name(iteration: int) -> str:
    """Return the file name of an intermediate model. These names sort by iteration.

    Examples
    --------
    >>> snapshot_name(83)
    'iteration_000083.npz'
    """
    return f"iteration_{iteration:06d}.npz"


def list_snapshots(path: str | os.PathLike) -> list[tuple[int, str]]:
    """Return the iteration and path of each intermediate model of a run, in ascending order."""
    return numbered_files(os.path.join(os.fspath(path), SNAPSHOTS_NAME), _SNAPSHOT)


def numbered_files(folder: str, pattern: re.Pattern) -> list[tuple[int, str]]:
    """Return the number and path of each file whose name matches, in ascending order.

    The first group of the pattern is the number.
    """
    names = os.listdir(folder) if os.path.isdir(folder) else ()
    found = ((pattern.fullmatch(name), os.path.join(folder, name)) for name in names)
    return sorted((int(match.group(1)), file) for match, file in found if match)


class RunFolder(
    collections.namedtuple("RunFolder", "path snapshot_every keep settings wait beside")
):
    """Where a run is kept, for `dlt.Trainer.run`.

    Parameters
    ----------
    path : str or os.PathLike
        Made if it does not exist.
    snapshot_every : int, optional
        Keep the model of every `snapshot_every`-th validation.
    keep : int
        Most snapshots to keep: the newest.
    settings : dict, optional
        More entries for ``settings.json``, of what JSON can hold: whatever the loss depends on
        (data set, seed, weight of a penalty, ...). A run is only resumed with the same settings.
    wait : float
        Seconds to wait for another run in the folder to end; if negative, wait without limit.
    beside : bool
        A run ends if another folder takes the name of its own. True: save it in a new folder beside
        that one first.

    Raises
    ------
    SettingsError
        A number is out of range, or JSON cannot hold the settings.

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


def newest_checkpoint(path: str | os.PathLike) -> Checkpoint | None:
    """Return the newest checkpoint in a folder that can be read; None if there is none."""
    for name in (CHECKPOINT_NAME, PREVIOUS_NAME):
        with contextlib.suppress(DataError):
            return read_checkpoint(os.path.join(path, name))
    return None


def saved_settings(path: str | os.PathLike) -> dict[str, Any]:
    """Return the settings of the newest checkpoint that can be read; none if there is none."""
    found = newest_checkpoint(path)
    return found.settings if found else {}
