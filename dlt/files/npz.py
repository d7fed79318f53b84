r"""npz files: named numpy arrays in a zip archive, read without `numpy.load`.

Nothing is unpickled, and every size is checked before memory is allocated.

Source: "The .npy format", numpy documentation of `numpy.lib.format`.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
import zlib
from typing import IO, Any, Mapping

import numpy as np

from dlt.errors import DataError
from dlt.files.reading import (
    FETCH_AGAIN,
    MAX_BYTES,
    NUMBERS,
    PIECE,
    array_from_bytes,
    describe_head,
    open_capped,
    open_regular,
)

EXPECTED = "an npz file (a zip archive of numpy arrays)"
MAX_MEMBERS = 10000

_MAX_READ = 1 << 22  # bytes of the directory: enough for MAX_MEMBERS with long names
_MAX_NAME = 200
_MAX_HEADER = 4096  # the header of a plain array has about 120 bytes
# How a .npy file begins -> the number of bytes that hold the length of its header.
_WIDTHS = {b"\x93NUMPY\1\0": 2, b"\x93NUMPY\2\0": 4, b"\x93NUMPY\3\0": 4}
_DESCR = re.compile(rf"[<>|=]?({'|'.join(NUMBERS)}|U[1-9][0-9]{{0,6}})")
# A field of {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
_FIELD = re.compile(r"""['"](\w+)['"]\s*:\s*(['"][^'"]*['"]|\w+|\([\dL, ]*\))\s*,?""", re.ASCII)
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # an unknown version of the format
    ValueError,  # offsets below zero
    OverflowError,
    IndexError,
    MemoryError,
)


def read_npz(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    r"""Read all arrays of an npz file.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        Limit for the unpacked bytes of all members together.

    Returns
    -------
    dict of str to numpy.ndarray
        In the order of the archive; names without ``.npy``. Booleans, integers and floats of up
        to 8 bytes, and text ("U"); native byte order, writable.

    Raises
    ------
    DataError
        The file is not a zip archive, or it is damaged or encrypted, or has more than `max_bytes`
        bytes or `MAX_MEMBERS` members. Or a member occurs twice, has a name that leads out of the
        archive, or is not a plain array (object arrays are refused).

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "a.npz")
    >>> with open(path, "wb") as file:
    ...     write_npz(file, {"b": np.zeros(2), "meta": np.array("{}")})
    >>> read_npz(path)
    {'b': array([0., 0.]), 'meta': array('{}', dtype='<U2')}
    """
    with open_regular(path, EXPECTED) as file:
        head = file.read(64)
        if not head.startswith(b"PK"):
            raise DataError(path, describe_head(head), EXPECTED, FETCH_AGAIN)
        file.seek(0)
        try:
            with zipfile.ZipFile(_Piecewise(file)) as archive:  # type: ignore[call-overload]
                members = _checked_members(path, archive.infolist(), max_bytes)
                return {name: _read_member(path, archive, info) for name, info in members.items()}
        except DataError:
            raise
        except _ZIP_ERRORS as error:
            found = f"a damaged zip archive ({(str(error) or type(error).__name__)[:100]})"
            raise DataError(path, found, EXPECTED, FETCH_AGAIN) from error


class _Piecewise:
    """A file that limits each read, because zipfile reads the whole directory at once."""

    def __init__(self, file):
        self._read = file.read
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, n=-1):
        data = self._read(_MAX_READ + 1 if n < 0 else min(n, _MAX_READ + 1))
        if len(data) > _MAX_READ:
            raise zipfile.BadZipFile(f"a directory of more than {_MAX_READ} bytes")
        return data


def _checked_members(path, infos, max_bytes):
    """Return name -> ZipInfo, after all the checks that need no unpacking."""
    total = sum(info.file_size for info in infos)
    if total > max_bytes or len(infos) > MAX_MEMBERS:
        found = f"{len(infos)} members that unpack to {total} bytes"
        expected = f"at most {max_bytes} bytes in {MAX_MEMBERS} members"
        raise DataError(path, found, expected, "not the right file? do not unpack it")
    members = {}
    for info in infos:
        name = info.filename[: -len(".npy")]
        problem = _problem(info) or ("twice" if name in members else None)
        if problem:
            found = f"a member {info.filename[:60]!a} {problem}"
            raise DataError(path, found, "arrays (.npy), each name once", FETCH_AGAIN)
        members[name] = info
    return members


def _problem(info):
    """Return what is wrong with the directory entry of a member, or None."""
    if not info.filename.endswith(".npy"):
        return "that is not an array"
    if not is_plain_name(info.filename[: -len(".npy")]):
        return "with a name that is unprintable, or leads out of the archive"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"with compression method {info.compress_type}"
    return "that is encrypted" if info.flag_bits & 1 else None


def is_plain_name(name: str) -> bool:
    """Return whether an array may have this name: printable, and not a path out of the archive.

    Examples
    --------
    >>> is_plain_name("W"), is_plain_name("../W")
    (True, False)
    """
    parts = name.replace("\\", "/").split("/")
    leads_elsewhere = "" in parts or ".." in parts or ":" in parts[0]
    return not leads_elsewhere and name.isprintable() and len(name) <= _MAX_NAME


def _read_member(path, archive, info):
    what = f"a member {info.filename[:60]!a}"
    with archive.open(info) as member:
        descr, shape, fortran_order = read_npy_header(path, member, what)
        raw = bytearray()
        for piece in iter(lambda: member.read(PIECE), b""):  # to the end: checks the CRC
            raw += piece
    return array_from_bytes(path, raw, descr, shape, fortran_order)


def read_npy(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> np.ndarray:
    """Read the array in a ``.npy`` file.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        Limit for the bytes of the file.

    Returns
    -------
    numpy.ndarray
        Of the dtypes that `read_npz` returns; writable.

    Raises
    ------
    DataError
        The file is damaged, too large, or not a plain array.
    """
    with open_capped(path, max_bytes, "a .npy file") as file:
        descr, shape, fortran_order = read_npy_header(path, file)
        return array_from_bytes(path, file.read_buffer(), descr, shape, fortran_order)


def read_npy_header(
    path: str | os.PathLike, file: IO[bytes], what: str = "a file"
) -> tuple[str, tuple[int, ...], bool]:
    """Read the header of a .npy file: return the dtype, the shape, and whether order is Fortran's.

    Raises
    ------
    DataError
        It is not a plain array. The message calls it `what`.
    """
    # numpy.lib.format.read_array_header_* would build any dtype that the file names, and its
    # limits, warnings and exceptions differ between versions.
    width = _WIDTHS.get(file.read(8))
    if width is None:
        found = f"{what} that is not a .npy array"
        raise DataError(path, found, "versions 1, 2 or 3 of that format", FETCH_AGAIN)
    size = file.read(width)
    if len(size) < width:
        raise DataError(path, f"{what} with a header that is cut short", "a whole file")
    length = int.from_bytes(size, "little")
    text = file.read(length).decode("latin-1") if length <= _MAX_HEADER else ""
    fields = dict(_FIELD.findall(text))
    plain = "".join(_FIELD.sub("", text).split()) == "{}"  # only fields
    if plain and set(fields) == {"descr", "fortran_order", "shape"}:
        descr, order, shape = fields["descr"][1:-1], fields["fortran_order"], fields["shape"]
        if _DESCR.fullmatch(descr) and order in ("True", "False") and shape[0] == "(":
            sizes = re.findall(r"\d+", shape)  # Python 2 wrote long integers as 3L
            return descr, tuple(map(int, sizes)), order == "True"
    found = f"{what} with the header {text.strip()[:60]!a}"
    expected = "a plain array of booleans, numbers or text (object arrays are refused)"
    raise DataError(path, found, expected, "save the data as plain arrays")


def write_npz(file: IO[bytes], arrays: Mapping[str, Any]) -> None:
    r"""Write named arrays as an npz archive: the same bytes every time for the same arrays.

    Unlike `numpy.savez`, it reserves no names.

    Parameters
    ----------
    file : binary file open for writing
        Must be seekable; it stays open.
    arrays : dict of str to array_like
        Booleans, integers, floats or text.
    """
    archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
    try:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(name + ".npy")  # always dated 1980-01-01
            info.create_system = 3  # Unix, even on Windows
            member = io.BytesIO()  # filled first, so that no member stays open for long
            np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
            archive.writestr(info, member.getvalue())
        archive.close()
    except BaseException:
        # Closing an archive with an open member would raise a ValueError and hide the cause, such
        # as a full disk or Ctrl-C.
        archive.fp = None
        raise
