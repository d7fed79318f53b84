"""Reading untrusted files: with a limit for their bytes, and a `DataError` for every fault.

Gzipped files are recognised by their first bytes; the limit counts decompressed bytes.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import re
import stat
import zlib
from typing import Any

import numpy as np

from dlt.errors import DataError

#: Limit for the bytes of a file: 1 GiB. MNIST as floats needs 0.2 GiB.
MAX_BYTES = 1 << 30

#: Bytes to read at a time, whatever length a file declares.
PIECE = 1 << 17

#: The remedy for a damaged file.
FETCH_AGAIN = "the file is damaged or not the right one: get it again"

#: The dtypes of arrays in files: booleans, integers and floats.
NUMBERS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")

_MAX_DIMENSIONS = 32  # numpy's limit before version 2
_MAX_DIMENSION = 1 << 40
_LAST_CODE_POINT = 0x10FFFF

_HTML, _XML = "an HTML page", "an XML page (a server's error message?)"
# First bytes of files that users mistake for data.
_HEADS = {
    rb"\x1f\x8b": "a gzip file",
    rb"PK\x03\x04.{26}\[Content_Types\]": "an Excel file",
    rb"PK\x03\x04": "a zip archive",
    rb"PK\x05\x06": "an empty zip archive",
    rb"\x93NUMPY": "a numpy .npy file",
    rb"\x89HDF|MATLAB 7\.3": "an HDF5 file",
    rb"MATLAB": "a MATLAB file",
    rb"PAR1": "a Parquet file",
    rb"\x89PNG": "a PNG picture",
    rb"\xff\xd8\xff": "a JPEG picture",
    rb"BZh": "a bzip2 file",
    rb"\xfd7zXZ": "an xz file",
    rb"version https://git-lfs": "a Git LFS pointer instead of the file itself",
    rb"\0\0[\x08\x09\x0b-\x0e][\x01-\x20]": "an IDX file",
    rb"\x80[\x02-\x05]": "a pickle",
    rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype|html)": _HTML,
    rb"(?i)(\xef\xbb\xbf)?\s*<\?xml": _XML,  # a storage service's answer to a wrong address
}


def describe_head(head: bytes) -> str:
    r"""Return a phrase, to follow "found", for the kind of file that begins with `head`.

    Parameters
    ----------
    head : bytes
        The first bytes of a file; 64 are enough.

    Examples
    --------
    >>> describe_head(b"PK\x03\x04rest")
    'a zip archive'
    >>> describe_head(b"hello world")
    'a file that begins with 68 65 6c 6c'
    """
    first_member = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if head.startswith(b"PK\x03\x04") and first_member.endswith(b".npy"):
        return "an npz file"
    kinds = (kind for start, kind in _HEADS.items() if re.match(start, head, re.DOTALL))
    return next(kinds, "a file that begins with " + " ".join(map("{:02x}".format, head[:4])))


class OtherFormatError(DataError):
    """A file that another version of `dlt` wrote: it is not damaged, and worth keeping."""


def check_format(path: str | os.PathLike, what: str, number: object, known: int) -> None:
    """Raise an OtherFormatError if another version of `dlt` wrote a file.

    A format number that is not a whole number of 1 or more passes: no `dlt` wrote it.

    Examples
    --------
    >>> check_format("dataset.json", "a data set", 2, known=1)
    Traceback (most recent call last):
        ...
    dlt.files.reading.OtherFormatError: dataset.json: found a data set of format 2, of a newer \
dlt; expected format 1; install a newer dlt
    """
    if type(number) is int and number >= 1 and number != known:
        age = "a newer" if number > known else "an older"
        remedy = "install a newer dlt" if number > known else "use the dlt that wrote it"
        raise OtherFormatError(
            path, f"{what} of format {number}, of {age} dlt", f"format {known}", remedy
        )


def open_regular(path: str | os.PathLike, expected: str = "a data file") -> io.FileIO:
    """Open a file for unbuffered binary reading, without decompression.

    Parameters
    ----------
    path : str or os.PathLike
    expected : str, optional
        A phrase for messages: what the file should be.

    Raises
    ------
    DataError
        The file is missing, unreadable or empty, or it is a folder, a pipe or a device.
    """
    try:
        file = open(path, "rb", buffering=0, opener=_open_at_once)
    except ValueError:
        raise DataError(path, "a path with a NUL character in it", expected) from None
    except OSError as error:
        if os.path.isdir(path):
            raise DataError(path, "a folder", expected, "give the path of a file") from None
        raise _unreadable(path, error, expected) from error
    # Look at the open file: another file may have its name by now.
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) and status.st_size:
        return file
    file.close()
    if stat.S_ISREG(status.st_mode):
        raise DataError(path, "an empty file", expected, FETCH_AGAIN)
    found = "a pipe or device, not a regular file"
    raise DataError(path, found, expected, "give the path of a file")


def _open_at_once(path, flags):
    """Open a file, but never wait for the other end of a pipe, or take a terminal as one's own."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


def _unreadable(path, error, expected):
    """Return the `DataError` for an `OSError` while opening or reading."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return DataError(path, "no file there", expected, "check the path")
    found = f"a file that cannot be read ({error.strerror or error})"
    return DataError(path, found, expected, "check its permissions and the disk")


def open_capped(
    path: str | os.PathLike, max_bytes: int = MAX_BYTES, expected: str = "a data file"
) -> CappedFile:
    r"""Open a file, gzipped or not, as a stream with a limited number of bytes.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        Limit for the *decompressed* bytes.
    expected : str, optional
        A phrase for messages: what the file should be.

    Raises
    ------
    DataError
        Now, or while reading: `open_regular` refuses the file; it is an HTML page from a failed
        download; its gzip stream is cut short, damaged, or followed by other bytes; it has more
        than `max_bytes` bytes.

    Examples
    --------
    >>> import gzip, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "greeting")
    >>> with open(path, "wb") as file:
    ...     _ = file.write(gzip.compress(b"hello\nworld\n"))
    >>> with open_capped(path) as file:
    ...     file.readline(), file.read()
    (b'hello\n', b'world\n')
    """
    file = CappedFile(_Counted(path, open_regular(path, expected), max_bytes, expected))
    try:
        head = file.peek()
        kind = describe_head(head) if head else "an empty file, gzipped"
        if not head or kind in (_HTML, _XML):
            remedy = "the download went wrong: get the file again"
            raise DataError(path, kind, expected, remedy)
    except BaseException:
        file.close()
        raise
    return file


class CappedFile(io.BufferedReader):
    """The stream that `open_capped` returns. An absurd length does no harm: it is not allocated."""

    def read(self, n: int | None = -1) -> bytes:
        """Return the next `n` bytes, or as many as are left; all of them if `n` is negative."""
        small = n is not None and 0 <= n <= PIECE
        return super().read(n) if small else bytes(self.read_buffer(n))

    def read_buffer(self, n: int | None = -1) -> bytearray:
        """Do the same as `read`, without a second copy of the bytes in memory."""
        buffer, n = bytearray(), -1 if n is None else n
        while n:
            piece = self.read1(PIECE if n < 0 else min(n, PIECE))
            if not piece:
                break
            buffer += piece
            n -= len(piece)
        return buffer

    def drain(self) -> int:
        """Read to the end, check the gzip checksum there, and return the number of bytes left."""
        return sum(len(piece) for piece in iter(lambda: self.read1(PIECE), b""))


class _Counted(io.RawIOBase):
    """The decompressed bytes of a file, with an error once they exceed the limit."""

    def __init__(self, path, file, max_bytes, expected):
        super().__init__()
        self._path, self._file, self._expected = path, file, expected
        self._left = self._max_bytes = max_bytes
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        self._read = gzip.GzipFile(fileobj=file).read1 if zipped else file.read

    def readable(self):
        return True

    def readinto(self, buffer):
        # Reading one byte beyond the limit shows whether the file has more.
        piece = self._next(min(len(buffer), self._left + 1, PIECE))
        self._left -= len(piece)
        if self._left < 0:
            found = f"more than {self._max_bytes} bytes"
            remedy = "not the right file? raise max_bytes only if you trust it"
            raise DataError(self._path, found, f"no more than that in {self._expected}", remedy)
        buffer[: len(piece)] = piece
        return len(piece)

    def _next(self, n):
        try:
            return self._read(n)
        except EOFError:
            found = "a gzip file that is cut short"
        except (gzip.BadGzipFile, zlib.error) as error:
            found = f"a damaged gzip file ({str(error).rpartition(': ')[2]})"
        except OSError as error:
            raise _unreadable(self._path, error, self._expected) from error
        raise DataError(self._path, found, self._expected, FETCH_AGAIN)

    def close(self):
        self._file.close()
        super().close()


def array_from_bytes(
    path: str | os.PathLike,
    raw: bytes | bytearray,
    dtype: np.dtype | str,
    shape: tuple[int, ...],
    fortran_order: bool = False,
) -> np.ndarray:
    r"""Return a writable numpy array, in native byte order, of bytes from an untrusted file.

    Parameters
    ----------
    path : str or os.PathLike
        The file, for messages.
    raw : bytearray or bytes
        The bytes of the array, and no others. A `bytearray` becomes the array's memory, while
        `bytes` are copied.
    dtype : numpy.dtype or str
        Of booleans, numbers or text, in either byte order.
    shape : tuple of int
        Any object: it is checked.
    fortran_order : bool, optional
        Whether the first index varies fastest in `raw`.

    Raises
    ------
    DataError
        The shape is impossible or needs another number of bytes, booleans are not 0 or 1, or text
        is not Unicode.

    Examples
    --------
    >>> array_from_bytes("x", b"\x00\x01\x00\x02", ">u2", (2,))
    array([1, 2], dtype=uint16)
    """
    dtype = np.dtype(dtype)
    check_shape(path, shape, dtype, FETCH_AGAIN)
    needed = dtype.itemsize * math.prod(shape)
    if needed != len(raw):
        found = f"{len(raw)} bytes of array data"
        expected = f"{needed} for shape {shape} of {dtype.newbyteorder('=')}"
        raise DataError(path, found, expected, FETCH_AGAIN)
    raw = raw if isinstance(raw, bytearray) else bytearray(raw)
    flat = np.frombuffer(raw, dtype) if raw else np.empty(0, dtype)
    if not dtype.isnative:
        flat = flat.byteswap(True).view(dtype.newbyteorder("="))
    if flat.size and dtype.kind == "b" and flat.view(np.uint8).max() > 1:
        raise DataError(path, "booleans other than 0 and 1", "a boolean array", FETCH_AGAIN)
    if flat.size and dtype.kind == "U":
        points = flat.view(np.uint32)
        surrogates = (points >= 0xD800) & (points <= 0xDFFF)
        if points.max() > _LAST_CODE_POINT or surrogates.any():
            raise DataError(path, "text that is not Unicode", "a text array", FETCH_AGAIN)
    return flat.reshape(shape, order="F" if fortran_order else "C")


def check_shape(
    what: str | os.PathLike, shape: Any, dtype: np.dtype, remedy: str | None = None
) -> None:
    """Raise a DataError for a shape that no array can have.

    Parameters
    ----------
    what : str or os.PathLike
        The name of the file or array in messages.
    shape : object
    dtype : numpy.dtype
    remedy : str, optional
    """
    plain = type(shape) is tuple and len(shape) <= _MAX_DIMENSIONS
    if not plain or not all(type(n) is int and 0 <= n < _MAX_DIMENSION for n in shape):
        found = "an array of an impossible shape"
        expected = f"at most {_MAX_DIMENSIONS} dimensions, whole numbers, 0 or more"
        raise DataError(what, found, expected, remedy)
    is_empty = not dtype.itemsize * math.prod(shape)
    if is_empty and math.prod(n for n in shape if n) > MAX_BYTES:  # numpy cannot copy it
        found = f"an empty array of shape {shape}"
        raise DataError(what, found, "a shape that numpy can hold", remedy)
