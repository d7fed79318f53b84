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

The checkpoint is always written first: it is never older than the other files, and all of
them can be made again from it. The folder may be a link to another one; inside it nothing is
written through a link.

Source: page "Getting Started", section "Loading and Saving Models": save the
current best as the search goes on, and models with their iteration in the name.
"""

import contextlib
import json
import os
import re
import time

import filelock
import numpy as np

from dlt.errors import DataError, SettingsError
from dlt.files.writing import (
    own_file,
    own_folder,
    remove_unfinished,
    try_writing,
    unwritable,
    write_atomically,
)
from dlt.parameters import save_params
from dlt.progress import silent
from dlt.runs.checkpoint import read_checkpoint, write_checkpoint
from dlt.runs.history import write_history

PARAMS_NAME = "best_params.npz"
HISTORY_NAME = "history.csv"
SETTINGS_NAME = "settings.json"
CHECKPOINT_NAME = "checkpoint.npz"
PREVIOUS_NAME = "checkpoint.previous.npz"
UNFINISHED_NAME = "checkpoint.unfinished.npz"
SNAPSHOTS_NAME = "snapshots"
LOCK_NAME = ".lock"

_SNAPSHOT = re.compile(r"iteration_([0-9]{6,18})\.npz")


def snapshot_name(iteration):
    """Give the name of the file of an intermediate model, which sorts by iteration.

    Examples
    --------
    >>> snapshot_name(83)
    'iteration_000083.npz'
    """
    return "iteration_{:06d}.npz".format(iteration)


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
    found = ((_SNAPSHOT.fullmatch(name), os.path.join(folder, name)) for name in names)
    return sorted((int(match.group(1)), file) for match, file in found if match)


def as_json(settings):
    """Give settings as they come back from a JSON file, or say why they cannot.

    Examples
    --------
    >>> as_json({"sizes": (1, 2)})
    {'sizes': [1, 2]}
    """
    try:
        return json.loads(json.dumps(settings, default=_plain))
    except (TypeError, ValueError) as error:
        raise SettingsError(
            "settings: found what JSON cannot hold ({}); expected numbers, text, lists and "
            "dicts".format(error)
        ) from error


class RunFolder:
    """Keeps a run's files up to date, and other runs out, as long as its ``with`` block lasts.

    On entry the folder is made, tried for writing and locked: better to fail now than after
    an hour. The operating system drops the lock when the process dies, however it dies. Files
    of an earlier run stay as they are until this one has something to save.

    Parameters
    ----------
    path : str or os.PathLike
        Made if it is not there.
    interval : float
        Seconds that pass at least between one save and the next.
    rest : float
        The same in times of what the last save took, so that large models are not saved only.
    must_exist : bool
        Refuse a folder that is not there, instead of making it.
    snapshot_every : int, optional
        Keep the model of every so many validations.
    keep : int
        Most snapshots to keep; the newest ones stay.
    log : callable, optional
        Takes a line about what is not as expected.

    Raises
    ------
    SettingsError
        On entry: the folder cannot be made or written to, or another run is at work there.

    Examples
    --------
    >>> import os, tempfile
    >>> with RunFolder(os.path.join(tempfile.mkdtemp(), "runs", "first")) as folder:
    ...     os.listdir(folder.path)
    ['.lock']
    """

    def __init__(
        self,
        path,
        interval=2.0,
        rest=10.0,
        must_exist=False,
        snapshot_every=None,
        keep=10,
        log=silent,
    ):
        self.path = os.fspath(path)
        self._interval, self._rest = interval, rest
        self._must_exist = must_exist
        self._snapshot_every = snapshot_every
        self._keep = keep
        self._log = log
        self._saved_at = None  # counted from the first moment there is something to save
        self._took = 0.0  # seconds
        self._saved = None  # the checkpoint that was saved last
        self._newest_is_damaged = False
        self._unfinished = None  # name of an earlier run's checkpoint that is to be kept
        self._lock = None

    def __enter__(self):
        if self._must_exist and not os.path.isdir(self.path):
            raise self._nothing_to_resume()
        with self._explained():
            try_writing(self.path)
            snapshots = own_folder(self.path, SNAPSHOTS_NAME)
            self._lock = filelock.FileLock(own_file(self.path, LOCK_NAME), timeout=0)
            self._lock.acquire()
            for folder in (self.path, snapshots):
                if os.path.isdir(folder):
                    remove_unfinished(folder)
        return self

    def __exit__(self, *exception):
        self._lock.release()

    def load(self):
        """Read the checkpoint, or the previous one where that is damaged; the log says so.

        Returns
        -------
        Checkpoint

        Raises
        ------
        SettingsError
            There is none.
        DataError
            Neither can be read.
        """
        newest, previous = self._file(CHECKPOINT_NAME), self._file(PREVIOUS_NAME)
        if not (os.path.lexists(newest) or os.path.lexists(previous)):
            raise self._nothing_to_resume()
        try:
            return read_checkpoint(newest)
        except DataError as error:
            if not os.path.lexists(previous):
                raise
            checkpoint = read_checkpoint(previous)
            self._newest_is_damaged = True
            self._log(
                "{}; using the checkpoint before it, of {} updates".format(
                    str(error).partition("; expected")[0], checkpoint.iteration
                )
            )
            return checkpoint

    def _nothing_to_resume(self):
        return SettingsError(
            "{!r}: found no checkpoint; expected one of an earlier run; train without resume "
            "(--resume)".format(self.path)
        )

    def peek(self):
        """Give the checkpoint of an earlier run, None if there is none that can be read.

        If that run is unfinished, its checkpoint is kept as `UNFINISHED_NAME`, also when this
        one begins to save.
        """
        name, found = _newest_readable(self.path)
        self._unfinished = name if found is not None and found.ended is None else None
        return found

    def go_on(self, checkpoint):
        """Make the folder hold what a checkpoint that `load` gave tells, and go on from there."""
        with self._explained():
            if self._newest_is_damaged:  # it would push the good one out at the next save
                os.replace(self._file(PREVIOUS_NAME), self._file(CHECKPOINT_NAME))
            self._write_others(checkpoint)
        self._saved = checkpoint

    def save_soon(self, checkpoint):
        """Save, unless that was done less than `interval` seconds ago.

        The first model of a run, and every snapshot, is saved at once.
        """
        if self._saved_at is None:
            self._saved_at = time.monotonic()
        first = self._saved is None and checkpoint.best_params is not None
        pause = max(self._interval, self._rest * self._took)
        waited = time.monotonic() - self._saved_at >= pause
        if first or waited or self._is_snapshot(checkpoint):
            self.save(checkpoint)

    def save(self, checkpoint):
        """Write all files, each whole or not at all.

        Parameters
        ----------
        checkpoint : Checkpoint
            Its ``snapshots`` are overridden: the folder knows.
        """
        checkpoint = checkpoint._replace(snapshots=self._snapshots(checkpoint))
        newest, previous = self._file(CHECKPOINT_NAME), self._file(PREVIOUS_NAME)
        started = time.monotonic()
        with self._explained():
            if self._saved is None and self._unfinished is not None:
                os.replace(self._file(self._unfinished), self._file(UNFINISHED_NAME))
            if os.path.islink(newest):  # it gives way as a link, and there is always one of the two
                os.replace(newest, previous)
            if self._saved is None:  # what an earlier run left is no substitute for this one's
                write_checkpoint(newest, checkpoint)
                _remove(previous)
            else:
                write_checkpoint(newest, checkpoint, previous)
            self._write_others(checkpoint)
        self._saved, self._saved_at = checkpoint, time.monotonic()
        self._took = self._saved_at - started

    @contextlib.contextmanager
    def _explained(self):
        """Say in one line what the operating system refused."""
        try:
            yield
        except filelock.Timeout:
            raise SettingsError(
                "{!r}: found another run at work in this folder; expected no other; wait until it "
                "has ended, or choose another output_dir".format(self.path)
            ) from None
        except (OSError, NotImplementedError) as error:  # the latter: no locks there
            raise unwritable(self.path, error, "the results") from error

    def _write_others(self, checkpoint):
        """Write what is made for people, and drop the snapshots that are not this run's."""
        kept = {snapshot_name(iteration) for iteration in checkpoint.snapshots}
        folder = self._file(SNAPSHOTS_NAME)
        if checkpoint.snapshots and checkpoint.snapshots[-1] == checkpoint.iteration:
            os.makedirs(folder, exist_ok=True)
            path = own_file(folder, snapshot_name(checkpoint.iteration))
            save_params(path, checkpoint.params, settings=checkpoint.settings)
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            if _SNAPSHOT.fullmatch(name) and name not in kept:
                _remove(os.path.join(folder, name))
        if checkpoint.best_params is None:
            return
        text = json.dumps(checkpoint.settings, indent=2, sort_keys=True) + "\n"
        settings_path = own_file(self.path, SETTINGS_NAME)
        write_atomically(settings_path, lambda file: file.write(text.encode("ascii")))
        write_history(own_file(self.path, HISTORY_NAME), checkpoint.history)
        params_path = own_file(self.path, PARAMS_NAME)
        save_params(params_path, checkpoint.best_params, settings=checkpoint.settings)

    def _is_snapshot(self, checkpoint):
        """Say whether this is the moment of a validation whose model is kept."""
        history = checkpoint.history
        return bool(
            self._snapshot_every
            and history
            and history[-1].iteration == checkpoint.iteration
            and len(history) % self._snapshot_every == 0
        )

    def _snapshots(self, checkpoint):
        """List the snapshots that there are once this checkpoint is saved."""
        earlier = () if self._saved is None else self._saved.snapshots
        listed = set(earlier) | ({checkpoint.iteration} if self._is_snapshot(checkpoint) else set())
        return tuple(sorted(listed)[-self._keep :])

    def _file(self, name):
        return os.path.join(self.path, name)


def saved_settings(path):
    """Give the settings of the run whose checkpoint is in a folder, or an empty dict.

    Examples
    --------
    >>> saved_settings("no/such/folder")
    {}
    """
    _, found = _newest_readable(os.fspath(path))
    return {} if found is None else found.settings


def _newest_readable(folder):
    """Give the newest checkpoint that can be read, and its name; None twice without one."""
    for name in (CHECKPOINT_NAME, PREVIOUS_NAME):
        with contextlib.suppress(DataError):
            return name, read_checkpoint(os.path.join(folder, name))
    return None, None


def _plain(value):
    """Turn numpy's numbers into Python's, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError("a value of type {}".format(type(value).__name__))


def _remove(path):
    """Remove a file that may be gone already."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
