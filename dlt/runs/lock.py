"""Lock: keep other processes out of a folder, and notice when another folder takes its name.

Source: none on the page; its script may run twice in one folder.
"""

from __future__ import annotations

import os

import filelock

from dlt.errors import SettingsError
from dlt.files.writing import own_file, unwritable

LOCK_NAME = ".lock"


class ForeignRunError(SettingsError):
    """The folder belongs to another run, or another process is using it."""


class FolderLock:
    """A lock on a folder, which the operating system releases when the process dies.

    Parameters
    ----------
    folder : str
    work : str
        What locks the folder, for messages, such as "run".
    wait : float
        Seconds to wait for another process; if negative, wait without limit.

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
        self._folder, self._work = folder, work
        self._path = os.path.join(folder, LOCK_NAME)
        self._lock = filelock.FileLock(self._path, timeout=wait)
        self._identity: tuple[int, int] | None = None

    def acquire(self) -> None:
        """Lock the folder, which must exist.

        Raises
        ------
        ForeignRunError
            Another process has locked it.
        SettingsError
            It cannot be locked.
        """
        folder = identity(os.path.realpath(self._folder))
        own_file(self._folder, LOCK_NAME)  # no link, which could lead to another folder's
        try:
            self._lock.acquire()
        except filelock.Timeout:
            remedy = "wait until it has ended, or choose another folder (--output-dir)"
            found = f"another {self._work} at work in this folder"
            raise ForeignRunError(self._folder, found, "no other", remedy) from None
        except (OSError, NotImplementedError) as error:  # the latter: a file system without locks
            raise unwritable(self._folder, error, f"a {self._work}") from error
        self._identity = identity(self._path)
        if identity(os.path.realpath(self._folder)) != folder:  # by now: either may be locked
            self._identity = folder  # no file has this one, so `is_of_folder` is false

    def release(self) -> None:
        """Release the lock, if there is one."""
        self._lock.release()

    def is_of_folder(self) -> bool:
        """Return whether the folder of this name is the one that was locked."""
        return identity(self._path) == self._identity

    def check(self) -> None:
        """Raise a ForeignRunError if the folder was moved or replaced."""
        if not self.is_of_folder():
            found = f"another folder than at the start of this {self._work}, moved or replaced"
            remedy = "put that back in its place, or choose another one (--output-dir)"
            raise ForeignRunError(self._folder, found, "the one in which it began", remedy)


def identity(path: str) -> tuple[int, int] | None:
    """Return device and inode of a file or folder, not following links; None if it is missing."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino
