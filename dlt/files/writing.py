"""Writing files: all of one, or none.

A file is written under a temporary name first, so that a crash, a full disk or Ctrl-C leaves the
old one as it was.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import tempfile
import time
from typing import IO, Any, Callable

from dlt.errors import SettingsError

_TEMPORARY = re.compile(r"\.dlt-[0-9a-f]{16}\.tmp")  # what temporary_in calls them
_ABANDONED = 86400.0  # seconds without a byte, after which nobody is writing such a file
_ADVICE = {
    errno.ENOENT: "make the folder first, or choose another one",
    errno.ENOTDIR: "make the folder first, or choose another one",
    errno.ENOSPC: "free some space, or choose another disk",
    errno.EDQUOT: "free some space, or choose another disk",
    errno.EFBIG: "allow larger files (ulimit -f), or choose another disk",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
}


def write_atomically(
    path: str | os.PathLike,
    write: Callable[[IO[bytes]], Any],
    previous: str | os.PathLike | None = None,
    replace: bool = True,
) -> None:
    """Write a file completely, or leave the old one untouched.

    The bytes go to a temporary file in the same folder, reach the disk (fsync), and then take
    the name `path` in one step. A symbolic link is followed, and stays. What writers left in that
    folder that were killed a day ago or more is removed.

    Parameters
    ----------
    path : str or os.PathLike
        The file to make or replace, in a folder that exists. The umask decides its permissions.
    write : callable
        Called once as ``write(file)`` with a binary file, which it must not close.
    previous : str or os.PathLike, optional
        The name, in the same folder, that an existing file `path` gets when the new one is
        complete. At no moment are both names missing.
    replace : bool
        False: leave what has the name by the time that the file is complete.

    Raises
    ------
    FileExistsError
        `replace` is false, and the name is taken.
    SettingsError
        The operating system refused: no such folder, read-only, disk full, ...

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "note.txt")
    >>> write_atomically(path, lambda file: file.write(b"done"))
    >>> os.listdir(os.path.dirname(path))
    ['note.txt']
    """
    try:
        check_name(path)
        target = os.path.realpath(path)
        if os.path.exists(target) and not os.path.isfile(target):
            # Renaming onto a device such as /dev/null would delete the device.
            raise SettingsError(path, "a folder or device", "a file", "choose another path")
        _write_and_rename(target, write, previous, os.replace if replace else _rename_to_new)
    except FileExistsError:
        raise
    except OSError as error:
        raise _not_written(path, error) from error


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write text in UTF-8, as `write_atomically` does."""
    write_atomically(path, lambda file: file.write(text.encode()))


def _write_and_rename(target, write, previous, rename):
    folder = os.path.dirname(target)
    temporary = temporary_in(folder)
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and os.path.exists(target):
            os.replace(target, previous)
        rename(temporary, target)
    finally:  # also after KeyboardInterrupt; after success there is nothing to remove
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    _sync_folder(folder)


def _rename_to_new(path, new):
    """Rename a file, but raise a FileExistsError if the new name is taken."""
    try:
        os.link(path, new)
    except FileExistsError:
        raise
    except OSError:  # file systems without links, as on USB sticks: next best
        if os.path.lexists(new):
            raise FileExistsError(new) from None
        os.replace(path, new)


def _not_written(path, error):
    found = f"a file that cannot be written ({error.strerror or error})"
    return SettingsError(path, found, remedy=_ADVICE.get(error.errno, "choose another path"))


def _sync_folder(folder):
    """Make the new name itself durable, where the system lets folders be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_name(path: str | os.PathLike) -> None:
    """Raise an OSError for a path that nothing can have: with a NUL, or half of a surrogate pair.

    Python's functions raise a ValueError for it, some of them, and late.
    """
    try:
        with contextlib.suppress(OSError):
            os.lstat(path)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from error


def try_writing(folder: str | os.PathLike) -> None:
    """Make a folder and prove that a file can be written there, before anything slow begins.

    Raises
    ------
    OSError
        It cannot be made or written to.
    """
    check_name(folder)
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryFile(dir=os.fspath(folder)):
        pass


def prepare_output_dir(folder: str | os.PathLike, what: str) -> None:
    """Do what `try_writing` does for a folder that the user chose as `output_dir`.

    Parameters
    ----------
    folder : str or os.PathLike
    what : str
        What the folder is for, such as "the results".

    Raises
    ------
    SettingsError
        It cannot be made or written to.

    Examples
    --------
    >>> prepare_output_dir("/dev/null/x", "the results")
    Traceback (most recent call last):
        ...
    dlt.errors.SettingsError: /dev/null/x: found a folder that cannot be written (Not a \
directory); expected one for the results; choose another folder
    """
    try:
        try_writing(folder)
    except OSError as error:
        raise unwritable(folder, error, what) from error


def unwritable(folder: str | os.PathLike, error: Exception, what: str) -> SettingsError:
    """Return the error for a folder of results that cannot be written.

    Parameters
    ----------
    folder : str or os.PathLike
    error : Exception
        What the operating system said.
    what : str
        What the folder is for, such as "the results".
    """
    found = f"a folder that cannot be written ({getattr(error, 'strerror', None) or error})"
    return SettingsError(folder, found, f"one for {what}", "choose another folder")


def own_file(folder: str, name: str) -> str:
    """Return the path of a file that `dlt` names itself, after removing a link of that name.

    A folder may come from a stranger, and a link in it lead anywhere. What it leads to is not
    touched.

    Parameters
    ----------
    folder : str
        This may be a link, and so may every folder above it.
    name : str

    Raises
    ------
    SettingsError
        The link cannot be removed.
    """
    path = os.path.join(folder, name)
    if os.path.islink(path):
        try:
            os.unlink(path)
        except OSError as error:
            raise _not_written(path, error) from error
    return path


def own_folder(folder: str, name: str) -> str:
    """Return the path of a folder that `dlt` names itself; it may be missing.

    Raises
    ------
    SettingsError
        A link has this name.
    """
    path = os.path.join(folder, name)
    if os.path.islink(path):
        raise SettingsError(path, "a link", "a folder of the run's own", "remove the link")
    return path


def temporary_in(folder: str) -> str:
    """Return a new name in a folder, for a file or folder that gets its own once it is whole.

    What killed writers left there a day ago or more is removed.
    """
    with contextlib.suppress(OSError):  # a folder may let files be made, but not listed
        remove_unfinished(folder, _ABANDONED)
    # Not by tempfile: so the umask decides who may read the result.
    return os.path.join(folder, f".dlt-{secrets.token_hex(8)}.tmp")


def remove_unfinished(folder: str | os.PathLike, seconds: float = 0.0) -> None:
    """Remove what killed writers left in a folder under the names of `temporary_in`.

    Parameters
    ----------
    folder : str or os.PathLike
    seconds : float
        Leave what was written to since then; 0 if nobody can be writing there.
    """
    latest = time.time() - seconds
    for name in filter(_TEMPORARY.fullmatch, os.listdir(folder)):
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            is_folder = not os.path.islink(path) and os.path.isdir(path)
            inside = [os.path.join(path, name) for name in os.listdir(path)] if is_folder else []
            if max(os.lstat(place).st_mtime for place in [path, *inside]) > latest:
                continue
            if is_folder:
                shutil.rmtree(path)
            else:
                os.unlink(path)
