"""Writing files atomically.

Each file gets a temporary name first, so a crash, a full disk or Ctrl-C leaves the old file as it
was.
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

_TEMPORARY = re.compile(r"\.dlt-[0-9a-f]{16}\.tmp")  # names from temporary_in
_ABANDONED = 86400.0  # seconds: a temporary file of this age has no writer any more
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

    The bytes go to a temporary file in the same folder, and reach the disk (fsync). Then the file
    gets the name `path` in one step. A symbolic link is followed, and stays. Temporary files that
    killed writers left in the folder a day ago or earlier are removed.

    Parameters
    ----------
    path : str or os.PathLike
        The file to make or replace, in an existing folder. The umask decides its permissions.
    write : callable
        Called once as ``write(file)`` with a binary file, which it must not close.
    previous : str or os.PathLike, optional
        A new name, in the same folder, for the file that is replaced. At every moment one of the
        two names exists.
    replace : bool
        False: do not replace a file that has the name when the new one is complete.

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
    """Write text in UTF-8, with `write_atomically`."""
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
    finally:  # after success there is nothing to remove
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    _sync_folder(folder)


def _rename_to_new(path, new):
    """Rename a file; raise a FileExistsError if the new name is taken."""
    try:
        os.link(path, new)
    except FileExistsError:
        raise
    except OSError:  # no links in this file system, as on USB sticks: the next best
        if os.path.lexists(new):
            raise FileExistsError(new) from None
        os.replace(path, new)


def _not_written(path, error):
    found = f"a file that cannot be written ({error.strerror or error})"
    return SettingsError(path, found, remedy=_ADVICE.get(error.errno, "choose another path"))


def _sync_folder(folder):
    """Make a new name durable, on systems that can sync folders."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_name(path: str | os.PathLike) -> None:
    """Raise an OSError for an impossible path: with a NUL character, or half a surrogate pair.

    Some of Python's functions raise a ValueError for it, and others nothing until later.
    """
    try:
        with contextlib.suppress(OSError):
            os.lstat(path)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from error


def try_writing(folder: str | os.PathLike) -> None:
    """Make a folder, and try to write a file there, before anything slow begins.

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
    """Make a folder that the user chose as `output_dir`, and try to write a file there.

    Parameters
    ----------
    folder : str or os.PathLike
    what : str
        Its purpose, such as "the results".

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
    """Return the error for a folder that cannot be written.

    Parameters
    ----------
    folder : str or os.PathLike
    error : Exception
        The operating system's error.
    what : str
        The purpose of the folder, such as "the results".
    """
    found = f"a folder that cannot be written ({getattr(error, 'strerror', None) or error})"
    return SettingsError(folder, found, f"one for {what}", "choose another folder")


def own_file(folder: str, name: str) -> str:
    """Return the path of a file whose name `dlt` chose; remove a link that has this name.

    In an untrusted folder, a link may lead anywhere. Its target is not touched.

    Parameters
    ----------
    folder : str
        This may be a link, and so may the folders above it.
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
    """Return the path of a folder whose name `dlt` chose; it need not exist.

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
    """Return an unused temporary name in a folder, for a new file or folder.

    This removes what killed writers left there a day ago or earlier.
    """
    with contextlib.suppress(OSError):  # some folders can be written to, but not listed
        remove_unfinished(folder, _ABANDONED)
    # tempfile would make the file private; here the umask decides who may read it.
    return os.path.join(folder, f".dlt-{secrets.token_hex(8)}.tmp")


def remove_unfinished(folder: str | os.PathLike, seconds: float = 0.0) -> None:
    """Remove the temporary files and folders that killed writers left in a folder.

    Parameters
    ----------
    folder : str or os.PathLike
    seconds : float
        Keep those that were changed within this time. Use 0 if nobody else writes there.
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
