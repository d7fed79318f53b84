"""Saving: keep the files of a run up to date, and go on from them.

The checkpoint is always written first: it is never older than the other files, and all of them can
be made again from it. The folder itself may be a link; inside it nothing is written through one.

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
from dlt.parameters import check_values, save_params
from dlt.progress import silent
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
    kept_name,
    list_kept,
    list_snapshots,
    snapshot_name,
)
from dlt.runs.history import write_history
from dlt.runs.lock import FolderLock, ForeignRunError, identity
from dlt.runs.resuming import differences, how_to_restore, machine_differences
from dlt.runs.state import Machine, State

# Least time between two saves: in seconds, and as a multiple of what the last save took, so
# that a large model still has time to train.
_INTERVAL, _REST = 2.0, 10.0
_MOST_KEPT = 3  # checkpoints of earlier runs
_MOST = 20  # differences that an error lists


class Saver:
    """Keeps a run's files up to date, and other runs out, as long as its ``with`` block lasts.

    On entry the folder is made, tried for writing and locked. Files of an earlier run stay until
    this one has something to save. Nothing is written into a folder that took the name of the first
    one: then the run is saved in a new folder beside it, and ends with a ForeignRunError.

    Parameters
    ----------
    folder : RunFolder
    start : Checkpoint
        The state before the first update, and what the run was given.
    resume : {False, True, "auto"}
        Go on from the checkpoint in the folder: True demands one, "auto" uses one that is there.
    log : callable, optional
        Takes a line about anything unexpected.
    allow_other_machine : bool
        Go on where another machine computed so far.

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
        self._folder, self._start, self._resume, self._log = folder, start, resume, log
        self._allow_other_machine = allow_other_machine
        self._newest = start.state  # the last state that a run can go on from
        self._snapshots: tuple[int, ...] | None = None  # kept so far; None before the first save
        self._due: float | None = None  # when to save next; None before there is anything to save
        self._lock = FolderLock(folder.path, "run", folder.wait)
        self._snapshots_folder: tuple[int, int] | None = None  # its identity; None while missing
        self._beside: str | None = None  # where to save once the folder is not this run's
        self._to_keep: list[tuple[str, str]] = []  # checkpoints to move aside, and their new names

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
            Whether a run in a state is over, so that nothing more is computed.

        Raises
        ------
        SettingsError
            The checkpoint is another run's, or another machine's; the error lists every
            difference. Or the folder is another run's.
        DataError
            It cannot be read, or the parameters are not the model's.
        """
        self._lock.check()
        with self._explained():
            for folder in (self._folder.path, self._file(SNAPSHOTS_NAME)):
                if os.path.isdir(folder):
                    remove_unfinished(folder)
        if self._resume and self._has_checkpoint():
            return self._go_on(is_over)
        self._find_earlier()
        return self._newest

    def take(self, state: State) -> None:
        """Save a new state, but not too often; at once if it is the first model or a snapshot.

        A state that no run can go on from is not saved.
        """
        if not state.can_go_on:
            return
        self._newest = state
        if self._due is None:
            self._due = time.monotonic() + _INTERVAL
        first = self._snapshots is None and state.best_params is not None
        if first or self._is_snapshot(state) or time.monotonic() >= self._due:
            self._save(ended=None)

    def end(self, state: State, ended: str | None) -> None:
        """Save the last state that a run can go on from; `ended` is None if this one may."""
        if state.can_go_on:
            self._newest = state
        has_news = self._newest.best_params is not None or ended is None
        if self._newest.iteration and has_news:
            self._save(ended)

    def _find_earlier(self):
        """Note what this run has to move aside before it saves anything, and say so."""
        found = {}
        for file in filter(os.path.lexists, map(self._file, (CHECKPOINT_NAME, PREVIOUS_NAME))):
            try:
                earlier = read_checkpoint(file)
            except DataError as error:
                found[file] = f"{error.found} in {error.what}"
                continue
            if earlier.ended is None:
                found[file] = f"an unfinished run of {earlier.state.iteration} updates in {file}"
                found[file] += "; --resume (resume=True) would continue it"
            break
        for file in reversed(list(found)):  # the newest gets the highest number
            kept = self._keep(file)
            self._log(
                f"found {found[file]}; starting anew, and keeping it as {kept}; to continue it "
                "later, move that to a new folder as checkpoint.npz, and resume there"
            )

    def _keep(self, file):
        """Note that a checkpoint is to be moved aside, and return its new name."""
        numbers = [number for number, _ in list_kept(self._folder.path)]
        number = max(numbers, default=0) + len(self._to_keep) + 1
        self._to_keep.append((file, self._file(kept_name(number))))
        return self._to_keep[-1][1]

    def _move_aside(self):
        for file, kept in self._to_keep:
            with contextlib.suppress(FileNotFoundError):  # after Ctrl-C in the first try
                os.replace(file, kept)
        if self._to_keep:
            files = [file for _, file in list_kept(self._folder.path)]
            files = [file for file in files if os.path.islink(file) or os.path.isfile(file)]
            for file in files[:-_MOST_KEPT]:
                os.unlink(file)
        self._to_keep = []  # what takes those names from now on is this run's

    def _go_on(self, is_over):
        """Read the checkpoint, or the one before if that is damaged, and check that it fits."""
        path, log = self._folder.path, self._log
        newest, previous = self._file(CHECKPOINT_NAME), self._file(PREVIOUS_NAME)
        damaged = None
        try:
            found = read_checkpoint(newest)
        except OtherFormatError:
            raise
        except DataError as error:
            if not os.path.lexists(previous):
                raise
            found, damaged = read_checkpoint(previous), f"{error.what}: found {error.found}"
            kept = f"keeping it as {self._keep(newest)}, and " if os.path.lexists(newest) else ""
            log(
                f"{damaged}; {kept}using the checkpoint before it, of {found.state.iteration} "
                "updates"
            )
        others = differences(found, self._start)
        if others:
            more = [f"and {len(others) - _MOST} more"] if len(others) > _MOST else []
            raise ForeignRunError(
                path,
                f"a checkpoint of another run: {'; '.join(others[:_MOST] + more)}",
                "the same data, settings, loss, updates, order and engine",
                "use those, or train anew in another folder (--output-dir)",
            )
        for group in ("params", "update_state"):
            check_values(path, *(getattr(run.state, group) for run in (self._start, found)))
        if not is_over(found.state):
            found = found._replace(state=self._on_this_machine(found.state))
        self._lock.check()
        with self._explained():
            if damaged:  # or it would push the good one out at the next save
                self._move_aside()
                os.replace(previous, newest)
            self._write_others(found.state, found.snapshots)
        self._snapshots, self._newest = found.snapshots, found.state
        log(f"going on after {found.state.iteration} updates")
        return found.state

    def _on_this_machine(self, state):
        """Return a state that this machine goes on from, if it may."""
        (this,) = self._start.state.machines
        before = [machine for machine in state.machines if machine.first <= state.iteration]
        others = machine_differences(before[-1].parts, this.parts)
        if not others:
            return state._replace(machines=tuple(before))
        found = f"a checkpoint of another machine: {'; '.join(others)}"
        if not self._allow_other_machine:
            raise ForeignRunError(
                self._folder.path,
                found,
                "the same one, for the same bits",
                f"{how_to_restore(before[-1].parts, this.parts)}, or go on with "
                "--allow-other-machine (allow_other_machine=True): the last bits will be others, "
                "which makes no result wrong",
            )
        before.append(Machine(state.iteration + 1, this.parts))
        self._log(
            f"{self._folder.path}: found {found}; from here on the last bits are others than on "
            f"that one; the history calls this one machine {len(before)}"
        )
        return state._replace(machines=tuple(before))

    def _save(self, ended):
        """Write all files, here or beside."""
        if not self._folder.beside:
            self._lock.check()
        with self._explained():
            if not self._lock.is_of_folder():
                self._save_beside(ended, "another folder than at the start of this run")
            if identity(self._file(SNAPSHOTS_NAME)) not in (None, self._snapshots_folder):
                self._save_beside(ended, f"other {SNAPSHOTS_NAME} in it than those of this run")
        self._write(ended)

    def _save_beside(self, ended, found) -> NoReturn:
        """Write all files to a new folder, as the one of this name is not this run's any more."""
        path, numbers = self._folder.path, itertools.count(2)
        try:
            while self._beside is None:
                beside = f"{os.path.abspath(path)}-{next(numbers)}"
                with self._explained(), contextlib.suppress(FileExistsError):
                    os.makedirs(beside)
                    self._beside = beside
            with Saver(self._folder._replace(path=self._beside), self._start) as saver:
                saver._newest = self._newest
                saver._write(ended)
            saved = f"this run is saved in {self._beside}"
            remedy = "go on in that one (--output-dir) with resume (--resume)"
        except SettingsError as error:
            saved = f"this run cannot be saved beside it: found {error.found}"
            remedy = "put that back in its place, and go on with resume (--resume)"
        found = f"{found}, moved or replaced; {saved}"
        raise ForeignRunError(path, found, "the one in which it began", remedy)

    def _write(self, ended):
        """Write all files, each whole or not at all."""
        state, first = self._newest, self._snapshots is None
        new = {state.iteration} if self._is_snapshot(state) else set()
        snapshots = tuple(sorted(new.union(self._snapshots or ()))[-self._folder.keep :])
        checkpoint = self._start._replace(state=state, ended=ended, snapshots=snapshots)
        newest, previous = self._file(CHECKPOINT_NAME), self._file(PREVIOUS_NAME)
        started = time.monotonic()
        with self._explained():
            self._move_aside()
            if os.path.islink(newest):  # moved as a link, so that there is always one of the two
                os.replace(newest, previous)
            write_checkpoint(newest, checkpoint, None if first else previous)
            if first:  # an earlier run's is no substitute for this one's
                pathlib.Path(previous).unlink(missing_ok=True)
            self._write_others(state, snapshots)
        self._snapshots, now = snapshots, time.monotonic()
        self._due = now + max(_INTERVAL, _REST * (now - started))

    def _write_others(self, state, snapshots):
        """Write what is made for people, and drop the snapshots that are not this run's."""
        path, settings = self._folder.path, self._start.settings
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

    def _is_snapshot(self, state):
        """Return whether this is the moment of a validation whose model is kept."""
        every = self._folder.snapshot_every
        return every is not None and state.is_validated and len(state.history) % every == 0

    @contextlib.contextmanager
    def _explained(self):
        """Turn what the operating system refused into one line."""
        path = self._folder.path
        try:
            yield
        except OSError as error:
            raise unwritable(path, error, "the results") from error

    def _file(self, name):
        return os.path.join(self._folder.path, name)

    def _has_checkpoint(self):
        return any(os.path.lexists(self._file(name)) for name in (CHECKPOINT_NAME, PREVIOUS_NAME))
