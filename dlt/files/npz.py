r"""npz files: named numpy arrays in a zip archive, read without `numpy.load`.

`dlt` keeps its own results in this form. Reading never unpickles, whatever
the archive asks for, and checks every size before memory is taken.

Source: "The .npy format", numpy documentation of `numpy.lib.format`.

Functions
---------
- `read_npz` : all arrays of an archive.
- `write_npz` : the same arrays give the same bytes, always.
"""

import ast
import io
import re
import stat
import struct
import warnings
import zipfile
import zlib

import numpy as np

from dlt.errors import DataError
from dlt.files.reading import (
    FETCH_AGAIN,
    MAX_BYTES,
    PIECE,
    array_from_bytes,
    describe_head,
    open_regular,
)

EXPECTED = "an npz file (a zip archive of numpy arrays)"
MAX_MEMBERS = 10000

_MAGIC = b"\x93NUMPY"
_MAX_READ = 1 << 22  # of the directory in one go: room for MAX_MEMBERS, with long names
_MAX_NAME = 200
_MAX_HEADER = 4096  # the header of a plain array has about 120 bytes
_KINDS = "biufU"
# What the header of a plain array is made of: one pair of braces, one of parentheses, no signs and
# no brackets. This keeps the parser of literals away from deep nesting. ASCII, because for other
# letters the parser imports a module.
_HEADER = re.compile(r"\{[\w\s'\":,<>|=()]*\}\s*", re.ASCII)
_DESCR = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|U[1-9][0-9]{0,6})")
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # an encrypted member
    NotImplementedError,  # a compression or zip version that Python does not know
    ValueError,  # offsets below zero
    OverflowError,
    IndexError,
    MemoryError,
)


def read_npz(path, max_bytes=MAX_BYTES):
    r"""Read all arrays of an npz file.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        Most bytes that all members together may hold once unpacked, 1 GiB by
        default.

    Returns
    -------
    dict of str to numpy.ndarray
        In the order of the archive; names without ``.npy``. Booleans,
        integers and floats of up to 8 bytes, and text ("U"); native byte
        order, writable.

    Raises
    ------
    dlt.errors.DataError
        Not a zip archive (the message says what it is), damaged (CRC),
        encrypted, a name twice or one that leads elsewhere, a link, a member
        that is not a plain array (objects need pickle, which is never used), a
        size that does not fit, more than `max_bytes` bytes or `MAX_MEMBERS`
        members.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.npz")
    ...     with open(path, "wb") as file:
    ...         write_npz(file, {"b": np.zeros(2), "meta": np.array("{}")})
    ...     read_npz(path)
    {'b': array([0., 0.]), 'meta': array('{}', dtype='<U2')}
    """
    with open_regular(path, EXPECTED) as file:
        head = file.read(64)
        if not head.startswith(b"PK"):
            raise DataError(path, describe_head(head), EXPECTED, FETCH_AGAIN)
        file.seek(0)
        try:
            with zipfile.ZipFile(_Piecewise(file)) as archive:
                members = _checked_members(path, archive.infolist(), max_bytes)
                return {name: _read_member(path, archive, info) for name, info in members.items()}
        except DataError:
            raise
        except _ZIP_ERRORS as error:
            reason = ascii(str(error) or type(error).__name__)[1:-1][:100]
            found = f"a damaged zip archive ({reason})"
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
        problem = _member_problem(info, name in members)
        if problem:
            found = f"a member {_quoted(info.filename)} {problem}"
            raise DataError(path, found, "arrays (.npy), each name once", FETCH_AGAIN)
        members[name] = info
    return members


def _member_problem(info, seen):
    """Say what is wrong with the directory entry of a member, or return None."""
    if info.flag_bits & 1:
        return "that is encrypted"
    if not info.filename.endswith(".npy"):
        return "that is not an array"
    if _leads_elsewhere(info.filename) or stat.S_ISLNK(info.external_attr >> 16):
        return "that is a link, or whose name leads elsewhere"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"with compression method {info.compress_type}"
    return "twice" if seen else None


def is_plain_name(name):
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


def _quoted(text):
    """Show text from a file: printable, on one line, short."""
    return ascii(text[:60])


def _read_member(path, archive, info):
    with archive.open(info) as member:
        dtype, shape, fortran_order = _read_header(path, member, info)
        raw = bytearray()
        while True:  # to the very end, where zipfile compares the CRC
            piece = member.read(PIECE)
            if not piece:
                break
            raw += piece
    return array_from_bytes(path, raw, dtype, shape, fortran_order, _KINDS)


def _read_header(path, member, info):
    """Return dtype, shape and order from the head of one ``.npy`` member."""
    # Own parsing instead of numpy.lib.format.read_array_header_*: limits, warnings and exceptions
    # of those differ between numpy versions, and they build any dtype that the file asks for.
    start = member.read(len(_MAGIC) + 2)
    version = start[-2:]
    if start[:-2] != _MAGIC or version not in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
        found = f"a member {_quoted(info.filename)} that is no .npy array"
        raise DataError(path, found, "versions 1, 2 or 3 of that format", FETCH_AGAIN)
    width, code = (2, "<H") if version == b"\x01\x00" else (4, "<I")
    length = struct.unpack(code, member.read(width))[0]
    text = member.read(length) if length <= _MAX_HEADER else b""
    fields = _parse_header(text.decode("latin-1"))
    if fields is None:
        header = _quoted(text.decode("latin-1").strip())
        found = f"a member {_quoted(info.filename)} with the header {header}"
        expected = "a plain array of booleans, numbers or text (object arrays are refused)"
        raise DataError(path, found, expected, "save the data as plain arrays")
    return fields


def _parse_header(text):
    """Return (dtype, shape, fortran_order), or None when it is not a plain array."""
    if not _HEADER.fullmatch(text) or text.count("(") != 1:
        return None
    try:
        # Python 2 wrote sizes as 3L where they were long integers.
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of odd numbers such as 1or
            fields = ast.literal_eval(re.sub(r"(\d)L\b", r"\1", text.strip()))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, Warning):
        return None
    if type(fields) is not dict or set(fields) != {"descr", "fortran_order", "shape"}:
        return None
    descr, order = fields["descr"], fields["fortran_order"]
    if type(descr) is not str or not _DESCR.fullmatch(descr) or type(order) is not bool:
        return None
    return descr, fields["shape"], order


def write_npz(file, arrays):
    r"""Write named arrays as an npz archive, the same bytes for the same arrays.

    Unlike `numpy.savez`, no name is reserved, nothing is ever pickled, and
    nothing in the archive depends on the clock or the operating system.

    Parameters
    ----------
    file : binary file open for writing
        Must be seekable; it is left open.
    arrays : dict of str to array_like
        Booleans, integers, floats or text.

    Raises
    ------
    dlt.errors.DataError
        An array of another kind (objects, structures, bytes, dates, complex).

    Examples
    --------
    >>> import io
    >>> first, second = io.BytesIO(), io.BytesIO()
    >>> write_npz(first, {"W": np.eye(2)})
    >>> write_npz(second, {"W": np.eye(2)})
    >>> first.getvalue() == second.getvalue()
    True
    """
    plain = {name: _checked_array(name, array) for name, array in arrays.items()}
    archive = None
    try:
        archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
        for name, array in plain.items():
            info = zipfile.ZipInfo(name + ".npy")  # dated 1980-01-01, whatever the clock says
            info.create_system = 3  # what Unix writes, also on Windows
            member = io.BytesIO()  # not in pieces: what is open when Ctrl-C comes would complain
            np.lib.format.write_array(member, array, allow_pickle=False)
            archive.writestr(info, member.getvalue())
        archive.close()
    except BaseException:
        # Abandoned. Closing it would raise a ValueError in place of what really happened, such
        # as a full disk or Ctrl-C, wherever a member is still open.
        if archive is not None:
            archive.fp = None
        raise


def _checked_array(name, value):
    array = np.asanyarray(value)
    if not _DESCR.fullmatch(array.dtype.str):
        found = f"an array of dtype {array.dtype}"
        remedy = "convert it first, with astype"
        raise DataError(name, found, "booleans, integers, floats or text", remedy)
    return array
