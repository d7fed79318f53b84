"""Lock: keep other processes out of a folder, and know whether it is still the same folder.

A name stands for a folder only until somebody moves that and makes another of the same name.

Source: none on the page; its script may run twice in one folder.
"""

from __future__ import annotations

import os

import filelock

from dlt.errors import SettingsError
from dlt.files.writing import own_file, unwritable

LOCK_NAME = ".lock"


class ForeignRunError(SettingsError):
    """The folder holds a run that this one cannot go on, or another process is at work in it."""


class FolderLock:
    """A lock on a folder, which the operating system drops when the process dies.

    Parameters
    ----------
    folder : str
    work : str
        What is at work in a folder that is locked, such as "run".
    wait : float
        Seconds to wait for another process; below 0, as long as it takes.

    Examples
    --------
    >>> import os, tempfile
    >>> folder = os.path.join(tempfile.mkdtemp(), "first")
    >>> os.mkdir(folder)
    >>> lock = FolderLock(folder, "run")
    >>> lock.acquire()
    >>> os.rename(folder, folder + "-moved")
    >>> os.mkdir(folder)
    >>> lock.is_of_folder()
    False
    >>> lock.release()
    """

    def __init__(self, folder: str, work: str, wait: float = 0) -> None:
        self._folder, self._work, self._wait = folder, work, wait
        self._path = os.path.join(folder, LOCK_NAME)
        self._lock: filelock.BaseFileLock | None = None
        self._identity: tuple[int, int] | None = None

    def acquire(self) -> None:
        """Lock the folder, which must be there.

        Raises
        ------
        ForeignRunError
            Another process has locked it.
        SettingsError
            It cannot be locked.
        """
        folder = identity(os.path.realpath(self._folder))
        self._lock = filelock.FileLock(own_file(self._folder, LOCK_NAME), timeout=self._wait)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            remedy = "wait until it has ended, or choose another folder (--output-dir)"
            found = f"another {self._work} at work in this folder"
            raise ForeignRunError(self._folder, found, "no other", remedy) from None
        except (OSError, NotImplementedError) as error:  # the latter: no locks there
            raise unwritable(self._folder, error, f"a {self._work}") from error
        self._identity = identity(self._path)
        if identity(os.path.realpath(self._folder)) != folder:  # by now: who knows which is locked
            self._identity = folder  # which no lock in it has

    def release(self) -> None:
        """Let others use the folder."""
        if self._lock:
            self._lock.release()

    def is_of_folder(self) -> bool:
        """Return whether the folder of this name is the one that was locked."""
        return identity(self._path) == self._identity

    def check(self) -> None:
        """Raise a ForeignRunError if the folder of this name is another one by now."""
        if not self.is_of_folder():
            found = f"another folder than at the start of this {self._work}, moved or replaced"
            remedy = "put that back in its place, or choose another one (--output-dir)"
            raise ForeignRunError(self._folder, found, "the one in which it began", remedy)


def identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file or a folder from all others; None if there is none.

    A link is not what it leads to.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino
