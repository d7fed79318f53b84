r"""npz files: named numpy arrays in a zip archive, read without `numpy.load`.

Nothing is unpickled, whatever the archive asks for, and every size is checked before memory is
taken.

Source: "The .npy format", numpy documentation of `numpy.lib.format`.
"""

from __future__ import annotations

import io
import os
import re
import stat
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

_MAX_READ = 1 << 22  # of the directory in one go: room for MAX_MEMBERS, with long names
_MAX_NAME = 200
_MAX_HEADER = 4096  # the header of a plain array has about 120 bytes
_WIDTHS = {b"\x93NUMPY\1\0": "<H", b"\x93NUMPY\2\0": "<I", b"\x93NUMPY\3\0": "<I"}
_DESCR = re.compile(rf"[<>|=]?({'|'.join(NUMBERS)}|U[1-9][0-9]{{0,6}})")
# One of the fields of {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
_FIELD = re.compile(r"""['"](\w+)['"]\s*:\s*(['"][^'"]*['"]|\w+|\([\dL, ]*\))\s*,?""", re.ASCII)
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # an encrypted member, or a zip version that Python does not know
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
        Most bytes that all members may hold together once unpacked.

    Returns
    -------
    dict of str to numpy.ndarray
        In the order of the archive; names without ``.npy``. Booleans, integers and floats of up
        to 8 bytes, and text ("U"); native byte order, writable.

    Raises
    ------
    DataError
        Not a zip archive, damaged, or encrypted; a member twice, that is a link, that leads out
        of a folder, or that is not a plain array (objects need pickle, which is never used);
        more than `max_bytes` bytes or `MAX_MEMBERS` members.

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
    """A file that refuses to be read in too large a piece: zipfile reads the directory in one."""

    def __init__(self, file):
        self._read = file.read
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, n=-1):
        data = self._read(_MAX_READ + 1 if n < 0 else min(n, _MAX_READ + 1))
        if len(data) > _MAX_READ:
            raise zipfile.BadZipFile(f"a directory of more than {_MAX_READ} bytes")
        return data


def _checked_members(path, infos, max_bytes):
    """Return name -> ZipInfo, after all checks that need no unpacking."""
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
    if _leads_elsewhere(info.filename) or stat.S_ISLNK(info.external_attr >> 16):
        return "that is a link, or leads out of the archive"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"with compression method {info.compress_type}"
    return "that is encrypted" if info.flag_bits & 1 else None


def is_plain_name(name: str) -> bool:
    """Return whether an array of this name can be read back.

    Examples
    --------
    >>> is_plain_name("W"), is_plain_name("../W")
    (True, False)
    """
    return not _leads_elsewhere(name + ".npy")


def _leads_elsewhere(name):
    """Return whether a name is a path from the root or upwards, or unprintable."""
    parts = name.replace("\\", "/").split("/")
    wrong = "" in parts or ".." in parts or ":" in parts[0] or name == ".npy"
    return wrong or not name.isprintable() or len(name) > _MAX_NAME


def _read_member(path, archive, info):
    with archive.open(info) as member:
        header = read_npy_header(path, member, f"a member {info.filename[:60]!a}")
        descr, shape, fortran_order = header
        raw = bytearray()
        for piece in iter(lambda: member.read(PIECE), b""):  # to the end, where the CRC is checked
            raw += piece
    return array_from_bytes(path, raw, descr, shape, fortran_order)


def read_npy(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> np.ndarray:
    """Read the array in a ``.npy`` file.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        Most bytes that it may hold.

    Returns
    -------
    numpy.ndarray
        As `read_npz` returns them.

    Raises
    ------
    DataError
        It is not a plain array, damaged, or larger.
    """
    with open_capped(path, max_bytes, "a .npy file") as file:
        descr, shape, fortran_order = read_npy_header(path, file)
        return array_from_bytes(path, file.read_buffer(), descr, shape, fortran_order)


def read_npy_header(
    path: str | os.PathLike, file: IO[bytes], what: str = "a file"
) -> tuple[str, tuple[int, ...], bool]:
    """Return dtype, shape and whether the order is Fortran's; `file` is left where items begin.

    Raises
    ------
    DataError
        It is not a plain array; the message calls it `what`.
    """
    # numpy.lib.format.read_array_header_* would build any dtype that the file asks for, and its
    # limits, warnings and exceptions differ between versions.
    width = _WIDTHS.get(file.read(8))
    if width is None:
        found = f"{what} that is not a .npy array"
        raise DataError(path, found, "versions 1, 2 or 3 of that format", FETCH_AGAIN)
    size = file.read(struct.calcsize(width))
    if len(size) < struct.calcsize(width):
        raise DataError(path, f"{what} with a header that is cut short", "a whole file")
    (length,) = struct.unpack(width, size)
    text = file.read(length).decode("latin-1") if length <= _MAX_HEADER else ""
    fields = dict(_FIELD.findall(text))
    plain = "".join(_FIELD.sub("", text).split()) == "{}"  # nothing but fields
    if plain and set(fields) == {"descr", "fortran_order", "shape"}:
        descr, order, shape = fields["descr"][1:-1], fields["fortran_order"], fields["shape"]
        if _DESCR.fullmatch(descr) and order in ("True", "False") and shape[0] == "(":
            sizes = re.findall(r"\d+", shape)  # Python 2 wrote 3L where one was a long integer
            return descr, tuple(map(int, sizes)), order == "True"
    found = f"{what} with the header {text.strip()[:60]!a}"
    expected = "a plain array of booleans, numbers or text (object arrays are refused)"
    raise DataError(path, found, expected, "save the data as plain arrays")


def write_npz(file: IO[bytes], arrays: Mapping[str, Any]) -> None:
    r"""Write named arrays as an npz archive: always the same bytes for the same arrays.

    Unlike `numpy.savez`, it reserves no name and never pickles.

    Parameters
    ----------
    file : binary file open for writing
        Must be seekable; it is left open.
    arrays : dict of str to array_like
        Booleans, integers, floats or text.

    Raises
    ------
    DataError
        An array of another kind (objects, structures, bytes, dates, complex).
    """
    plain = {name: _checked_array(name, array) for name, array in arrays.items()}
    archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
    try:
        for name, array in plain.items():
            info = zipfile.ZipInfo(name + ".npy")  # dated 1980-01-01, whatever the clock says
            info.create_system = 3  # what Unix writes, also on Windows
            member = io.BytesIO()  # whole, so that no member is open for long
            np.lib.format.write_array(member, array, allow_pickle=False)
            archive.writestr(info, member.getvalue())
        archive.close()
    except BaseException:
        # With a member still open, closing would raise a ValueError and hide what happened, such
        # as a full disk or Ctrl-C.
        archive.fp = None
        raise


def _checked_array(name, value):
    array = np.asanyarray(value)
    if not _DESCR.fullmatch(array.dtype.str):
        found = f"an array of dtype {array.dtype}"
        remedy = "convert it first, with astype"
        raise DataError(name, found, "booleans, integers, floats or text", remedy)
    return array
