"""Reading files: bytes with a limit, and whatever is wrong in one line.

A file is never trusted: gzip is recognised by its first bytes, every decompressed byte is
counted, and what is wrong comes out as one `dlt.errors.DataError`.

Functions
---------
- `open_capped` : a file (gzipped or not) as a byte stream of limited length.
- `open_regular` : the same checks on the file itself, no decompression.
- `array_from_bytes` : a numpy array over bytes that were read, fully checked.
- `describe_head` : what kind of file begins with these bytes.
"""

import io
import math
import os
import stat
import zlib

import numpy as np

from dlt.errors import DataError

#: Most bytes that may come out of one file: 1 GiB. MNIST as floats needs 0.2 GiB.
MAX_BYTES = 1 << 30

#: Bytes asked for at a time, whatever length a file declares.
PIECE = 1 << 20

#: What to do about a file whose bytes are wrong.
FETCH_AGAIN = "the file is damaged or not the right one: delete it and fetch it again"

_GZIP_MAGIC = b"\x1f\x8b"

_GZIP_WBITS = 31  # zlib: expect the gzip wrapper (RFC 1952) and check its CRC and length

_COMPRESSED_PIECE = 1 << 16

_BUFFER = 1 << 16  # for small reads; larger ones go past it

_MAX_DIMENSIONS = 32  # what every numpy from 1.20 on can hold

_MAX_DIMENSION = 1 << 40

_LAST_CODE_POINT = 0x10FFFF

# First bytes of files that people take for data, and their names. Checked in order.
_KNOWN_HEADS = (
    (_GZIP_MAGIC, "a gzip file"),
    (b"PK\x03\x04", "a zip archive (npz?)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x93NUMPY", "a numpy .npy file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file itself"),
)


def describe_head(head):
    r"""Name the kind of file that begins with `head`.

    Parameters
    ----------
    head : bytes
        The first bytes of a file; 64 are plenty.

    Returns
    -------
    str
        A phrase that fits after "found", always one printable line.

    Examples
    --------
    >>> describe_head(b"PK\x03\x04rest")
    'a zip archive (npz?)'
    >>> describe_head(b"\x00\x00\x08\x03\x00\x00\xea\x60")
    'an IDX file'
    >>> describe_head(b"hello world")
    'a file that begins with 68 65 6c 6c'
    """
    for magic, name in _KNOWN_HEADS:
        if head.startswith(magic):
            return name
    if head[:2] == b"\x00\x00" and head[2:3] in (
        b"\x08",
        b"\x09",
        b"\x0b",
        b"\x0c",
        b"\x0d",
        b"\x0e",
    ):
        return "an IDX file"
    if len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return f"a pickle of protocol {head[1]}"
    return _web_page(head) or "a file that begins with " + " ".join(map("{:02x}".format, head[:4]))


def _web_page(head):
    """Return "an HTML page" or the like when `head` starts one, else None."""
    if head.startswith(b"\xef\xbb\xbf"):
        head = head[3:]
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html")):
        return "an HTML page"
    # Storage services answer a wrong address with an XML error document.
    return "an XML page (a server's error message?)" if start.startswith(b"<?xml") else None


def open_regular(path, expected="a data file"):
    """Open a file for unbuffered binary reading, or say why that is impossible.

    Parameters
    ----------
    path : str or os.PathLike
    expected : str, optional
        What the file should be, for the message.

    Returns
    -------
    io.FileIO
        At position 0; the file is not empty.

    Raises
    ------
    dlt.errors.DataError
        No such file, a folder, a pipe or device, unreadable, or empty.

    Examples
    --------
    >>> open_regular("no/such/file")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: no/such/file: found no file there; expected a data file; ...
    """
    status = _status(path, expected)
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        folder = stat.S_ISDIR(status.st_mode)
        found = "a folder" if folder else "a pipe or device, not a regular file"
        raise DataError(path, found, expected, "give the path of a file")
    if status.st_size == 0:
        raise DataError(path, "an empty file", expected, FETCH_AGAIN)
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        raise _unreadable(path, error, expected) from error


def _status(path, expected):
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(path, "no file there", expected, "check the path") from None
    except OSError as error:
        raise _unreadable(path, error, expected) from error
    except ValueError:
        found = "a path with a NUL character in it"
        raise DataError(ascii(path), found, expected, "check the path") from None


def _unreadable(path, error, expected):
    """Turn an `OSError` of opening or reading into a `DataError`."""
    found = f"a file that cannot be read ({error.strerror or error})"
    return DataError(path, found, expected, "check its permissions and the disk")


def open_capped(path, max_bytes=MAX_BYTES, expected="a data file"):
    r"""Open a file, gunzipping if need be, as a byte stream of limited length.

    Parameters
    ----------
    path : str or os.PathLike
        The file. Whether it is gzipped is seen from its first two bytes
        (1f 8b), never from its name.
    max_bytes : int, optional
        Most *decompressed* bytes that may come out; `MAX_BYTES` (1 GiB) by default.
    expected : str, optional
        What the file should be, for the messages.

    Returns
    -------
    CappedFile
        Binary, read-only, a context manager.

    Raises
    ------
    dlt.errors.DataError
        Here, or later while reading: missing, a folder, unreadable, empty, an
        HTML page saved by a failed download, a gzip stream that is cut short,
        corrupt (CRC) or followed by something else, more than `max_bytes` bytes.

    Examples
    --------
    >>> import gzip, os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "greeting")
    ...     with open(path, "wb") as file:
    ...         _ = file.write(gzip.compress(b"hello\nworld\n"))
    ...     with open_capped(path) as file:
    ...         file.readline(), file.read()
    (b'hello\n', b'world\n')
    """
    file = CappedFile(path, open_regular(path, expected), max_bytes, expected)
    try:
        head = file.peek()
        found = "an empty file, gzipped" if not head else _web_page(head)
        if found:
            remedy = "the download went wrong: delete the file and fetch it again"
            raise DataError(path, found, expected, remedy)
    except BaseException:
        file.close()
        raise
    return file


class CappedFile:
    """A read-only byte stream that `open_capped` made; not for direct use.

    Attributes
    ----------
    path : str or os.PathLike
        The file that is read.
    max_bytes : int
        The limit on decompressed bytes.

    Raises
    ------
    dlt.errors.DataError
        By every method that reads, as told at `open_capped`.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "letters")
    ...     with open(path, "wb") as file:
    ...         _ = file.write(b"abcdef")
    ...     with open_capped(path) as file:
    ...         file.read(2), file.peek(), file.drain(), file.read()
    (b'ab', b'cdef', 4, b'')
    """

    def __init__(self, path, file, max_bytes, expected):
        self.path = path
        self.max_bytes = max_bytes
        self._file = file
        self._stream = io.BufferedReader(_Counted(path, file, max_bytes, expected), _BUFFER)

    def read(self, n=-1):
        """Return up to `n` bytes (all that are left if `n` is negative) as `bytes`.

        Parameters
        ----------
        n : int, optional
            May be absurd: no more is allocated than there turns out to be.
        """
        if 0 <= n <= PIECE:
            return self._stream.read(n)
        return b"".join(self._pieces(n))

    def read_buffer(self, n):
        """Return up to `n` bytes as a `bytearray`, grown piece by piece.

        For large payloads: about one copy in memory at the peak, and an array
        made over it (`array_from_bytes`) is writable.
        """
        buffer = bytearray()
        for piece in self._pieces(n):
            buffer += piece
        return buffer

    def readline(self, limit=-1):
        """Return one line with its newline, or the first `limit` bytes of it."""
        return self._stream.readline(limit)

    def peek(self):
        """Return some of the next bytes without consuming them; empty at the end only."""
        return self._stream.peek(1)

    def drain(self):
        """Read to the end (thus checking the gzip CRC) and return how many bytes were left."""
        return sum(len(piece) for piece in self._pieces(-1))

    def close(self):
        """Close the file; closing twice does no harm."""
        self._stream.close()
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def _pieces(self, n):
        """Yield the next `n` bytes (all if negative) in pieces of at most `PIECE`."""
        while n:
            piece = self._stream.read1(PIECE if n < 0 else min(n, PIECE))
            if not piece:
                return
            yield piece
            n = n - len(piece) if n > 0 else n


class _Counted(io.RawIOBase):
    """The bytes of a file, decompressed, counted, and refused beyond the limit."""

    def __init__(self, path, file, max_bytes, expected):
        super().__init__()
        zipped = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        self._read = _Gunzip(file).read if zipped else file.read
        self._path, self._expected = path, expected
        self._left = self._max_bytes = max_bytes

    def readable(self):
        return True

    def readinto(self, buffer):
        # One byte more than allowed is asked for: it tells "full" from "too full".
        piece = self._checked_read(min(len(buffer), self._left + 1))
        self._left -= len(piece)
        if self._left < 0:
            found = f"more than {self._max_bytes} bytes"
            remedy = "not the right file? raise max_bytes only if you trust it"
            raise DataError(self._path, found, "no more than that in " + self._expected, remedy)
        buffer[: len(piece)] = piece
        return len(piece)

    def _checked_read(self, n):
        try:
            return self._read(n)
        except zlib.error as error:
            # zlib says "Error -3 while decompressing data: incorrect data check"
            found = f"a damaged gzip file ({str(error).rpartition(': ')[2]})"
        except EOFError:
            found = "a gzip file that is cut short"
        except _TrailingBytes:
            found = "other bytes after the end of the gzip data"
        except OSError as error:
            raise _unreadable(self._path, error, self._expected) from error
        raise DataError(self._path, found, self._expected, FETCH_AGAIN)


class _TrailingBytes(Exception):
    """Something that is neither gzip nor zero padding follows a gzip member."""


class _Gunzip:
    """Pull decompressed bytes out of a gzip file, member after member (RFC 1952)."""

    def __init__(self, file):
        self._file = file
        self._inflate = zlib.decompressobj(_GZIP_WBITS)
        self._tail = b""  # compressed bytes that were read but not used yet

    def read(self, n):
        """Return 1 to `n` bytes, or none at the proper end of the file."""
        while not self._inflate.eof or self._next_member():
            chunk = self._tail or self._file.read(_COMPRESSED_PIECE)
            piece = self._inflate.decompress(chunk, n)
            self._tail = self._inflate.unconsumed_tail
            if piece:
                return piece
            if not chunk and not self._inflate.eof:
                raise EOFError
        return b""

    def _next_member(self):
        """Start on the member after the one that ended; False at the end of the file."""
        rest = self._inflate.unused_data.lstrip(b"\0")  # tapes and gzip(1) pad with zeros
        while len(rest) < 2:
            more = self._file.read(_COMPRESSED_PIECE)
            if not more:
                break
            rest = (rest + more).lstrip(b"\0")
        if rest and not rest.startswith(_GZIP_MAGIC):
            raise _TrailingBytes
        self._tail = rest
        if rest:
            self._inflate = zlib.decompressobj(_GZIP_WBITS)
        return bool(rest)


def array_from_bytes(path, raw, dtype, shape, fortran_order=False, kinds="biuf"):
    r"""Make a numpy array over bytes from an untrusted file.

    Parameters
    ----------
    path : str or os.PathLike
        Where the bytes came from, for the messages.
    raw : bytearray or bytes
        Exactly the bytes of the array. A `bytearray` is not copied: the array
        takes it over. `bytes` are copied, so the array is writable either way.
    dtype : numpy.dtype or str
        Of a kind in `kinds`, 1 to 8 bytes per item (text: any length), either
        byte order.
    shape : tuple of int
        Up to 32 dimensions, each at least 0.
    fortran_order : bool, optional
        The first index varies fastest in `raw`.
    kinds : str, optional
        Allowed numpy kind letters; "U" may be added for text.

    Returns
    -------
    numpy.ndarray
        Writable, native byte order.

    Raises
    ------
    dlt.errors.DataError
        Refused dtype or shape, wrong number of bytes, a boolean other than
        0 and 1, or text that is not Unicode.

    Examples
    --------
    >>> array_from_bytes("x", b"\x00\x01\x00\x02", ">u2", (2,))
    array([1, 2], dtype=uint16)
    >>> array_from_bytes("x", b"\x00\x01", ">u2", (2,))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: x: found 2 bytes of array data; expected 4 for shape (2,) of uint16; ...
    """
    dtype = np.dtype(dtype)
    _check_dtype(path, dtype, kinds)
    _check_size(path, len(raw), dtype, _checked_shape(path, shape))
    owned = raw if isinstance(raw, bytearray) else bytearray(raw)
    flat = np.frombuffer(owned, dtype) if owned else np.empty(0, dtype)
    if not dtype.isnative:
        flat = flat.byteswap(True).view(dtype.newbyteorder("="))
    _check_values(path, flat)
    return flat.reshape(shape, order="F" if fortran_order else "C")


def _check_dtype(path, dtype, kinds):
    if dtype.kind in kinds and dtype.itemsize and (dtype.kind == "U" or dtype.itemsize <= 8):
        return
    found = f"an array of dtype {dtype.str!a}"
    remedy = "save the data as plain numeric arrays"
    raise DataError(path, found, "booleans, integers or floats of at most 8 bytes", remedy)


def _checked_shape(path, shape):
    plain = type(shape) is tuple and len(shape) <= _MAX_DIMENSIONS
    if plain and all(type(n) is int and 0 <= n < _MAX_DIMENSION for n in shape):
        return shape
    found = "an array with a shape that is not one"
    expected = f"at most {_MAX_DIMENSIONS} dimensions, integers of at least 0"
    raise DataError(path, found, expected, FETCH_AGAIN)


def _check_size(path, n_bytes, dtype, shape):
    needed = dtype.itemsize
    for n in shape:
        needed *= n  # Python integers: no overflow, however large the declared shape
    if needed == 0 and math.prod(n for n in shape if n) > MAX_BYTES:  # numpy cannot even copy it
        found = f"an empty array of shape {shape}"
        raise DataError(path, found, "a shape that numpy can hold", FETCH_AGAIN)
    if needed != n_bytes:
        found = f"{n_bytes} bytes of array data"
        expected = f"{needed} for shape {shape} of {dtype.newbyteorder('=')}"
        raise DataError(path, found, expected, FETCH_AGAIN)


def _check_values(path, flat):
    """Refuse bit patterns that numpy accepts from a buffer but cannot work with."""
    if flat.dtype.kind == "b" and flat.size and flat.view(np.uint8).max() > 1:
        raise DataError(path, "booleans other than 0 and 1", "a boolean array", FETCH_AGAIN)
    if flat.dtype.kind == "U" and flat.size:
        points = flat.view(np.uint32)
        surrogate = (points >= 0xD800) & (points <= 0xDFFF)
        if points.max() > _LAST_CODE_POINT or surrogate.any():
            raise DataError(path, "text that is not Unicode", "a text array", FETCH_AGAIN)
