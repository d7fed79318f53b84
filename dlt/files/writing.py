"""Writing files: all of one, or none.

A file is written under a temporary name first, so that a crash, a full disk or Ctrl-C leaves
the old one as it was.

Functions
---------
- `write_atomically` : replace a file in one step.
- `own_file`, `own_folder` : names inside a folder, where links are not followed.
- `try_writing`, `prepare_output_dir` : fail early where nothing can be written.
- `remove_unfinished` : clear away what killed writers left.
"""

import contextlib
import errno
import os
import re
import secrets
import tempfile

from dlt.errors import SettingsError

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")  # what write_atomically calls them


def write_atomically(path, write, previous=None):
    """Write a file completely, or leave the old one untouched.

    The bytes go to a temporary file in the same folder, reach the disk
    (fsync), and then take the name `path` in one step. A symbolic link is
    followed: the file it points to is replaced, the link stays.

    Parameters
    ----------
    path : str or os.PathLike
        The file to make or replace. Its folder must exist. Permission bits
        of the result are 0o666 less the umask.
    write : callable
        Called once as ``write(file)`` with a binary file; must not close it.
    previous : str or os.PathLike, optional
        The name, in the same folder, that an existing file `path` gets when the new one is
        complete. There is no moment at which both names are missing.

    Raises
    ------
    dlt.errors.SettingsError
        The operating system refused: no such folder, read-only, disk full, ...

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "note.txt")
    ...     write_atomically(path, lambda file: file.write(b"done"))
    ...     with open(path, "rb") as file:
    ...         file.read(), os.listdir(folder)
    (b'done', ['note.txt'])
    """
    try:
        target = os.path.realpath(path)
        if os.path.exists(target) and not os.path.isfile(target):
            # Renaming onto a device such as /dev/null would delete the device.
            raise SettingsError(path, "what is not a file", "a file", "choose another path")
        _write_and_rename(target, write, previous)
    except OSError as error:
        raise _not_written(path, error) from error


def _not_written(path, error):
    reason = error.strerror or str(error)
    found = f"a file that cannot be written ({reason})"
    return SettingsError(path, found, remedy=_advice(error))


def try_writing(folder):
    """Make a folder and prove that a file can be written there, before anything slow begins.

    Parameters
    ----------
    folder : str or os.PathLike

    Raises
    ------
    OSError
        It cannot be made or written to; the caller knows what it is for.

    Examples
    --------
    >>> import tempfile
    >>> try_writing(tempfile.mkdtemp())
    """
    try:
        os.makedirs(str(folder), exist_ok=True)
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error)) from error
    with tempfile.TemporaryFile(dir=str(folder)):
        pass


def prepare_output_dir(folder, what):
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


def unwritable(folder, error, what):
    """Return the error for a folder of results that `try_writing`, or a writer, was refused.

    Parameters
    ----------
    folder : str or os.PathLike
    error : Exception
        What the operating system said.
    what : str
        What the folder is for, such as "the results".

    Examples
    --------
    >>> print(unwritable("runs", OSError(30, "Read-only file system"), "the results"))
    runs: found a folder that cannot be written (Read-only file system); expected one for the \
results; choose another folder
    """
    return SettingsError(
        folder,
        f"a folder that cannot be written ({getattr(error, 'strerror', None) or error})",
        f"one for {what}",
        "choose another folder",
    )


def own_file(folder, name):
    """Return the path of a file that `dlt` names itself, to write to: never through a link.

    A folder may come from a stranger, and a link in it lead anywhere. One under this name is
    removed; what it leads to is not touched.

    Parameters
    ----------
    folder : str
        This may be a link, and so may every folder above it.
    name : str

    Returns
    -------
    str

    Raises
    ------
    SettingsError
        The link cannot be removed.

    Examples
    --------
    >>> import os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> os.symlink("/etc/hostname", os.path.join(folder, "note.txt"))
    >>> os.path.lexists(own_file(folder, "note.txt"))
    False
    """
    path = os.path.join(folder, name)
    if os.path.islink(path):
        try:
            os.unlink(path)
        except OSError as error:
            raise _not_written(path, error) from error
    return path


def own_folder(folder, name):
    """Return the path of a folder that `dlt` names itself, or refuse a link there.

    Parameters
    ----------
    folder, name : str
        As `own_file` takes them.

    Returns
    -------
    str
        The folder may be missing.

    Raises
    ------
    SettingsError
        A link has this name.

    Examples
    --------
    >>> own_folder("runs", "figures")
    'runs/figures'
    """
    path = os.path.join(folder, name)
    if os.path.islink(path):
        raise SettingsError(repr(path), "a link", "a folder of the run's own", "remove the link")
    return path


def remove_unfinished(folder):
    """Remove what writers that were killed left behind: the temporary files of `write_atomically`.

    Parameters
    ----------
    folder : str or os.PathLike
        Nobody may be writing there at that time.

    Examples
    --------
    >>> import os, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> open(os.path.join(folder, ".0123456789abcdef.tmp"), "w").close()
    >>> remove_unfinished(folder)
    >>> os.listdir(folder)
    []
    """
    for name in os.listdir(str(folder)):
        if _TEMPORARY.fullmatch(name):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(str(folder), name))


def _write_and_rename(target, write, previous):
    folder = os.path.dirname(target)
    # Made by open, not by tempfile: so the umask decides who may read the result.
    temporary = os.path.join(folder, f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and os.path.exists(target):
            os.replace(target, previous)
        os.replace(temporary, target)
    finally:  # also after KeyboardInterrupt; after success there is nothing to remove
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    _sync_folder(folder)


def _sync_folder(folder):
    """Make the new name itself durable, where the system lets folders be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _advice(error):
    """Say what to do about an `OSError` of writing."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "make the folder first, or choose another one"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return "free some space, or choose another disk"
    if error.errno == errno.EFBIG:
        return "allow larger files (ulimit -f), or choose another disk"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "choose a folder that you may write to"
    return "choose another path"
