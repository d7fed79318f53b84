"""Saving: keep the files of a run up to date, and go on from them.

The checkpoint is always written first, so it is never older than the other files, which can all be
made again from it. The folder itself may be a link, but links inside it are never followed.

Source: page "Getting Started", section "Loading and Saving Models".
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import time
from typing import Any, Callable, NoReturn

from dlt.errors import DataError, SettingsError
from dlt.files.reading import OtherFormatError
from dlt.files.writing import (
    own_file,
    own_folder,
    remove_unfinished,
    try_writing,
    unwritable,
    write_text,
)
from dlt.parameters import save_params
from dlt.progress import silent
from dlt.runs.aside import Aside
from dlt.runs.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from dlt.runs.folder import (
    CHECKPOINT_NAME,
    HISTORY_NAME,
    MACHINES,
    PARAMS_NAME,
    PREVIOUS_NAME,
    SETTINGS_NAME,
    SNAPSHOTS_NAME,
    RunFolder,
    list_snapshots,
    snapshot_name,
)
from dlt.runs.history import write_history
from dlt.runs.lock import FolderLock, ForeignRunError, identity
from dlt.runs.resuming import check_same_run, on_this_machine
from dlt.runs.state import State

# Least time between two saves: in seconds, and as a multiple of the time that the last save took,
# so that large models have time to train.
_INTERVAL, _REST = 2.0, 10.0


class Saver:
    """Keeps a run's files up to date, and other runs out, until its ``with`` block ends.

    On entry, the folder is made if necessary, checked for writing and locked. Files of an earlier
    run stay until this run has something to save. If another folder takes this one's name, nothing
    is written there: the run is saved in a new folder beside it, and ends with a ForeignRunError.

    Parameters
    ----------
    folder : RunFolder
    start : Checkpoint
        The state before the first update, and what the run was given.
    resume : {False, True, "auto"}
        Go on from the checkpoint in the folder. If there is none, True is an error, and "auto"
        starts anew.
    log : callable, optional
        Takes a line about anything unexpected.
    allow_other_machine : bool
        Go on even if another machine made the checkpoint.

    Raises
    ------
    SettingsError
        On entry: the folder cannot be made or written to, another run is using it, or it has no
        checkpoint to resume from.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> path = os.path.join(tempfile.mkdtemp(), "runs", "first")
    >>> start = Checkpoint(State.first({"b": np.zeros(2)}, {}), None, (), {}, {}, [], {})
    >>> with Saver(RunFolder(path), start) as saver:
    ...     saver.begin().iteration, os.listdir(path)
    (0, ['.lock'])
    """

    def __init__(
        self,
        folder: RunFolder,
        start: Checkpoint,
        resume: bool | str = False,
        log: Callable[[str], Any] = silent,
        allow_other_machine: bool = False,
    ) -> None:
        if resume not in (False, True, "auto"):
            raise SettingsError("resume", repr(resume), "False, True or 'auto'")
        self._folder, self._resume, self._log = folder, resume, log
        self._allow_other_machine = allow_other_machine
        self._files = [os.path.join(folder.path, n) for n in (CHECKPOINT_NAME, PREVIOUS_NAME)]
        self._checkpoint = start  # the newest from which a run can go on
        self._is_saved = False
        self._due: float | None = None  # when to save next; None before the first update
        self._aside = Aside(folder.path)
        self._lock = FolderLock(folder.path, "run", folder.wait)
        self._snapshots_folder: tuple[int, int] | None = None  # its identity; None while missing
        self._beside: str | None = None  # where to save after the folder was replaced

    def __enter__(self) -> Saver:
        path = self._folder.path
        if self._resume not in (False, "auto") and not self._has_checkpoint():
            remedy = "train without resume (--resume)"
            raise SettingsError(path, "no checkpoint", "one of an earlier run", remedy)
        with self._explained():
            try_writing(path)
            snapshots = own_folder(path, SNAPSHOTS_NAME)
            self._lock.acquire()
            self._snapshots_folder = identity(snapshots)
        return self

    def __exit__(self, *exception: object) -> None:
        self._lock.release()

    def begin(self, is_over: Callable[[State], Any] = lambda state: False) -> State:
        """Return the state to begin with: the checkpoint's, or the start.

        Parameters
        ----------
        is_over : callable
            Takes a state, and returns whether the run is over. If it is, the machine may differ.

        Raises
        ------
        SettingsError
            The checkpoint belongs to another run or another machine; the error lists the
            differences. Or the folder was replaced.
        DataError
            The checkpoint cannot be read, or its parameters are not the model's.
        """
        self._lock.check()
        with self._explained():
            for folder in (self._folder.path, self._file(SNAPSHOTS_NAME)):
                if os.path.isdir(folder):
                    remove_unfinished(folder)
        if self._resume and self._has_checkpoint():
            self._go_on(is_over)
        else:
            self._aside.note_earlier(self._log)
        return self._checkpoint.state

    def take(self, state: State) -> None:
        """Save a state if the last save was long ago, or if it has the first model or a snapshot.

        A state from which no run can go on is not saved.
        """
        if not state.can_go_on:
            return
        self._checkpoint = self._checkpoint._replace(state=state)
        if self._due is None:
            self._due = time.monotonic() + _INTERVAL
        is_first = not self._is_saved and state.best_params is not None
        if is_first or self._is_snapshot() or time.monotonic() >= self._due:
            self._save(ended=None)

    def end(self, state: State, ended: str | None) -> None:
        """Save the newest state from which a run can go on.

        `ended` says what ended the run; None if it can go on.
        """
        if state.can_go_on:
            self._checkpoint = self._checkpoint._replace(state=state)
        newest = self._checkpoint.state
        if newest.iteration and (newest.best_params is not None or ended is None):
            self._save(ended)

    def _go_on(self, is_over):
        """Read the checkpoint, or the one before if it is damaged, and check that it fits."""
        path, log = self._folder.path, self._log
        newest, previous = self._files
        damaged = None
        try:
            found = read_checkpoint(newest)
        except OtherFormatError:
            raise
        except DataError as error:
            if not os.path.lexists(previous):
                raise
            found, damaged = read_checkpoint(previous), f"{error.what}: found {error.found}"
            kept = ""
            if os.path.lexists(newest):
                kept = f"keeping it as {self._aside.note(newest)}, and "
            n = found.state.iteration
            log(f"{damaged}; {kept}using the checkpoint before it, of {n} updates")
        check_same_run(path, found, self._checkpoint)
        state = found.state
        if not is_over(state):
            (this,) = self._checkpoint.state.machines
            state = on_this_machine(path, state, this.parts, self._allow_other_machine, log)
        self._checkpoint = self._checkpoint._replace(state=state, snapshots=found.snapshots)
        self._is_saved = True
        self._lock.check()
        with self._explained():
            if damaged:  # else it would replace the good one at the next save
                self._aside.move()
                os.replace(previous, newest)
            self._write_others()
        log(f"going on after {state.iteration} updates")

    def _save(self, ended):
        """Write all files, or write them beside and raise an error if the folder was replaced."""
        if not self._folder.beside:
            self._lock.check()
        with self._explained():
            if not self._lock.is_of_folder():
                self._save_beside(ended, "another folder than at the start of this run")
            if identity(self._file(SNAPSHOTS_NAME)) not in (None, self._snapshots_folder):
                self._save_beside(ended, f"other {SNAPSHOTS_NAME} in it than those of this run")
        self._write(ended)

    def _save_beside(self, ended, found) -> NoReturn:
        """Write all files to a new folder, and raise an error that says so."""
        path, numbers = self._folder.path, itertools.count(2)
        try:
            while self._beside is None:  # another run may take a name at the same time
                beside = f"{os.path.abspath(path)}-{next(numbers)}"
                with self._explained(), contextlib.suppress(FileExistsError):
                    os.makedirs(beside)
                    self._beside = beside
            checkpoint = self._checkpoint._replace(snapshots=())
            with Saver(self._folder._replace(path=self._beside), checkpoint) as saver:
                saver._write(ended)
            saved = f"this run is saved in {self._beside}"
            remedy = "go on in that one (--output-dir) with resume (--resume)"
        except SettingsError as error:
            saved = f"this run cannot be saved beside it: found {error.found}"
            remedy = "put that back in its place, and go on with resume (--resume)"
        found = f"{found}, moved or replaced; {saved}"
        raise ForeignRunError(path, found, "the one in which it began", remedy)

    def _write(self, ended):
        """Write all files, each of them whole or not at all."""
        snapshots = {*self._checkpoint.snapshots}
        if self._is_snapshot():
            snapshots.add(self._checkpoint.state.iteration)
        self._checkpoint = self._checkpoint._replace(
            ended=ended, snapshots=tuple(sorted(snapshots)[-self._folder.keep :])
        )
        (newest, previous), started = self._files, time.monotonic()
        with self._explained():
            self._aside.move()
            if os.path.islink(newest):  # the link itself, so that one of the two always exists
                os.replace(newest, previous)
            write_checkpoint(newest, self._checkpoint, previous if self._is_saved else None)
            if not self._is_saved:  # it belongs to an earlier run
                pathlib.Path(previous).unlink(missing_ok=True)
            self._write_others()
        self._is_saved, now = True, time.monotonic()
        self._due = now + max(_INTERVAL, _REST * (now - started))

    def _write_others(self):
        """Write all files but the checkpoint, and remove snapshots of other runs."""
        path, state = self._folder.path, self._checkpoint.state
        snapshots, settings = self._checkpoint.snapshots, self._checkpoint.settings
        if state.iteration in snapshots:
            folder = self._file(SNAPSHOTS_NAME)
            os.makedirs(folder, exist_ok=True)
            self._snapshots_folder = identity(folder)
            snapshot = own_file(folder, snapshot_name(state.iteration))
            save_params(snapshot, state.params, settings)
        for iteration, file in list_snapshots(path):
            if iteration not in snapshots:
                os.unlink(file)
        if state.best_params is None:
            return
        machines = [machine._asdict() for machine in state.machines]
        text = json.dumps({**settings, MACHINES: machines}, indent=2, sort_keys=True) + "\n"
        write_text(own_file(path, SETTINGS_NAME), text)
        write_history(own_file(path, HISTORY_NAME), state.history)
        save_params(own_file(path, PARAMS_NAME), state.best_params, settings)

    def _is_snapshot(self):
        """Return whether the run was just validated, and its model is to be kept."""
        every, state = self._folder.snapshot_every, self._checkpoint.state
        return every is not None and state.is_validated and len(state.history) % every == 0

    @contextlib.contextmanager
    def _explained(self):
        """Turn an error of the operating system into a SettingsError."""
        try:
            yield
        except OSError as error:
            raise unwritable(self._folder.path, error, "the results") from error

    def _file(self, name):
        return os.path.join(self._folder.path, name)

    def _has_checkpoint(self):
        return any(map(os.path.lexists, self._files))
