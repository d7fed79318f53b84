"""Saving: keep the files of a run up to date, and go on from them.

The checkpoint is always written first: it is never older than the other files, and all of
them can be made again from it. The folder may be a link to another one; inside it nothing is
written through a link.

Source: page "Getting Started", section "Loading and Saving Models".
"""

import contextlib
import json
import os
import time

import filelock

from dlt.errors import DataError, SettingsError
from dlt.files.writing import (
    own_file,
    own_folder,
    remove_unfinished,
    try_writing,
    unwritable,
    write_atomically,
)
from dlt.parameters import check_values, save_params
from dlt.progress import silent
from dlt.runs.checkpoint import read_checkpoint, write_checkpoint
from dlt.runs.folder import (
    CHECKPOINT_NAME,
    HISTORY_NAME,
    LOCK_NAME,
    PARAMS_NAME,
    PREVIOUS_NAME,
    SETTINGS_NAME,
    SNAPSHOT,
    SNAPSHOTS_NAME,
    UNFINISHED_NAME,
    newest_checkpoint,
    snapshot_name,
)
from dlt.runs.history import write_history
from dlt.runs.resuming import differences

# Seconds that pass at least between one save and the next, and the same in times of what the
# last save took: a large model is also trained.
_INTERVAL, _REST = 2.0, 10.0
_MOST = 20  # differences that are named


class Saver:
    """Keeps a run's files up to date, and other runs out, as long as its ``with`` block lasts.

    On entry the folder is made, tried for writing and locked: better to fail now than after
    an hour. The operating system drops the lock when the process dies, however it dies. Files
    of an earlier run stay as they are until this one has something to save.

    Parameters
    ----------
    folder : RunFolder
    start : Checkpoint
        The state before the first update, and what the run was given.
    resume : {False, True, "auto"}
        Whether to go on from a checkpoint in the folder: True demands one, "auto" goes on
        where there is one.
    log : callable, optional
        Takes a line about what is not as expected.

    Raises
    ------
    SettingsError
        On entry: the folder cannot be made or written to, or another run is at work there.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from dlt.runs.checkpoint import Checkpoint
    >>> from dlt.runs.folder import RunFolder
    >>> from dlt.runs.state import State
    >>> path = os.path.join(tempfile.mkdtemp(), "runs", "first")
    >>> start = Checkpoint(State.first({"b": np.zeros(2)}, {}), None, (), {}, {}, [], {})
    >>> with Saver(RunFolder(path), start) as saver:
    ...     saver.begin().iteration, os.listdir(path)
    (0, ['.lock'])
    """

    def __init__(self, folder, start, resume=False, log=silent):
        self._folder, self._start, self._resume, self._log = folder, start, resume, log
        self._must_resume = resume not in (False, "auto")
        self._newest = start.state  # that a resumed run may begin with
        self._saved = None  # the checkpoint that was saved last
        self._saved_at = None  # counted from the first moment there is something to save
        self._took = 0.0  # seconds
        self._unfinished = None  # name of an earlier run's checkpoint that is to be kept
        self._lock = None

    def __enter__(self):
        path = self._folder.path
        if self._resume not in (False, True, "auto"):
            raise SettingsError("resume", f"{self._resume!r}", "False, True or 'auto'")
        if self._must_resume and not os.path.isdir(path):
            raise self._nothing_to_resume()
        with self._explained():
            try_writing(path)
            snapshots = own_folder(path, SNAPSHOTS_NAME)
            self._lock = filelock.FileLock(own_file(path, LOCK_NAME), timeout=0)
            self._lock.acquire()
            try:
                for folder in (path, snapshots):
                    if os.path.isdir(folder):
                        remove_unfinished(folder)
            except BaseException:
                self._lock.release()
                raise
        return self

    def __exit__(self, *exception):
        self._lock.release()

    def begin(self):
        """Return the state to begin with: the checkpoint's, or the start.

        Raises
        ------
        SettingsError
            There is no checkpoint, or it is another run's; every difference is named.
        DataError
            It cannot be read, or the parameters are not the model's.
        """
        names = [self._file(name) for name in (CHECKPOINT_NAME, PREVIOUS_NAME)]
        there = any(map(os.path.lexists, names))
        if self._must_resume and not there:
            raise self._nothing_to_resume()
        if self._resume and there:
            return self._go_on()
        self._unfinished, earlier = newest_checkpoint(self._folder.path)
        files = [name for name in names if os.path.isfile(name) and not os.path.islink(name)]
        if earlier is not None and earlier.ended is not None:
            self._unfinished = None
        elif earlier is not None:
            self._log(
                f"found an unfinished run of {earlier.state.iteration} updates in "
                f"{self._folder.path}; --resume (resume=True) would have "
                f"continued it; starting anew, and keeping it as {UNFINISHED_NAME}"
            )
        elif files:
            self._unfinished = os.path.basename(files[0])
            self._log(
                f"found a checkpoint in {self._folder.path} that cannot be read; "
                "starting anew, and keeping it as "
                f"{UNFINISHED_NAME}"
            )
        return self._newest

    def take(self, state):
        """Save a new state, unless that was done a moment ago.

        The first model of a run, and every snapshot, is saved at once. A state that no run can
        go on from is not saved.
        """
        if not state.can_go_on:
            return
        self._newest = state
        if self._saved_at is None:
            self._saved_at = time.monotonic()
        first = self._saved is None and state.best_params is not None
        waited = time.monotonic() - self._saved_at >= max(_INTERVAL, _REST * self._took)
        if first or waited or self._is_snapshot(state):
            self._save(ended=None)

    def end(self, state, ended):
        """Save the last state that a run can go on from; `ended` is None where it may."""
        if state.can_go_on:
            self._newest = state
        has_news = self._newest.best_params is not None or ended is None
        if self._newest.iteration and has_news:
            self._save(ended)

    def _go_on(self):
        """Read the checkpoint, or the one before where that is damaged, and check that it fits."""
        newest, previous = self._file(CHECKPOINT_NAME), self._file(PREVIOUS_NAME)
        damaged = None
        try:
            found = read_checkpoint(newest)
        except DataError as error:
            if not os.path.lexists(previous):
                raise
            found, damaged = read_checkpoint(previous), error
            self._log(
                f"{error.what}: found {error.found}; "
                f"using the checkpoint before it, of {found.state.iteration} updates"
            )
        others = differences(found, self._start)
        if others:
            more = [f"and {len(others) - _MOST} more"] if len(others) > _MOST else []
            raise SettingsError(
                f"{self._folder.path!r}",
                f"a checkpoint of another run: {'; '.join(others[:_MOST] + more)}",
                "the same data, settings, loss, updates, order and engine",
                "use those, or train anew without resume (--resume)",
            )
        for group in ("params", "update_state"):
            here, there = (getattr(run.state, group) for run in (self._start, found))
            check_values(self._folder.path, here, there)
        with self._explained():
            if damaged:  # it would push the good one out at the next save
                os.replace(previous, newest)
            found = found._replace(ended=None, settings=self._start.settings)
            self._write_others(found)
        self._saved, self._newest = found, found.state
        self._log(f"going on after {found.state.iteration} updates")
        return found.state

    def _nothing_to_resume(self):
        return SettingsError(
            f"{self._folder.path!r}",
            "no checkpoint",
            "one of an earlier run",
            "train without resume (--resume)",
        )

    def _save(self, ended):
        """Write all files, each whole or not at all."""
        state = self._newest
        checkpoint = self._start._replace(
            state=state, ended=ended, snapshots=self._snapshots(state)
        )
        newest, previous = self._file(CHECKPOINT_NAME), self._file(PREVIOUS_NAME)
        started = time.monotonic()
        with self._explained():
            if self._saved is None and self._unfinished is not None:
                os.replace(self._file(self._unfinished), self._file(UNFINISHED_NAME))
                self._unfinished = None  # once: what lies there now is this run's
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
                f"{self._folder.path!r}",
                "another run at work in this folder",
                "no other",
                "wait until it has ended, or choose another folder (--output-dir)",
            ) from None
        except (OSError, NotImplementedError) as error:  # the latter: no locks there
            raise unwritable(self._folder.path, error, "the results") from error

    def _write_others(self, checkpoint):
        """Write what is made for people, and drop the snapshots that are not this run's."""
        state, settings = checkpoint.state, checkpoint.settings
        kept = {snapshot_name(iteration) for iteration in checkpoint.snapshots}
        folder = self._file(SNAPSHOTS_NAME)
        if checkpoint.snapshots and checkpoint.snapshots[-1] == state.iteration:
            os.makedirs(folder, exist_ok=True)
            path = own_file(folder, snapshot_name(state.iteration))
            save_params(path, state.params, settings=settings)
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            if SNAPSHOT.fullmatch(name) and name not in kept:
                _remove(os.path.join(folder, name))
        if state.best_params is None:
            return
        text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
        settings_path = own_file(self._folder.path, SETTINGS_NAME)
        write_atomically(settings_path, lambda file: file.write(text.encode("ascii")))
        write_history(own_file(self._folder.path, HISTORY_NAME), state.history)
        params_path = own_file(self._folder.path, PARAMS_NAME)
        save_params(params_path, state.best_params, settings=settings)

    def _is_snapshot(self, state):
        """Return whether this is the moment of a validation whose model is kept."""
        every = self._folder.snapshot_every
        return every is not None and state.is_validated and len(state.history) % every == 0

    def _snapshots(self, state):
        """List the snapshots that there are once this state is saved."""
        earlier = () if self._saved is None else self._saved.snapshots
        listed = set(earlier) | ({state.iteration} if self._is_snapshot(state) else set())
        return tuple(sorted(listed)[-self._folder.keep :])

    def _file(self, name):
        return os.path.join(self._folder.path, name)


def _remove(path):
    """Remove a file that may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
