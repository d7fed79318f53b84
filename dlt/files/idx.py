r"""IDX files: the format in which MNIST was first published.

An IDX file has the bytes ``0 0 type ndim``, then `ndim` sizes as big-endian 32-bit integers, then
the items in C order. The training images begin ``00 00 08 03  0000ea60 0000001c 0000001c``:
unsigned bytes in three dimensions, 60000 x 28 x 28.

Source: "The IDX file format", Y. LeCun, C. Cortes and C. Burges, *The MNIST database*.
"""

from __future__ import annotations

import math
import os
import struct
from typing import IO

import numpy as np

from dlt.errors import DataError
from dlt.files.reading import FETCH_AGAIN, MAX_BYTES, array_from_bytes, describe_head, open_capped

EXPECTED = "an IDX file"

# Third byte of the file -> dtype in the file.
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> np.ndarray:
    r"""Read an IDX file, gzipped or not.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        Limit for the decompressed bytes.

    Returns
    -------
    numpy.ndarray
        Of the shape and type that the file declares (uint8, int8, int16, int32, float32 or
        float64), writable. MNIST's images: uint8, shape (N, 28, 28), 0..255; its labels: uint8,
        shape (N,), 0..9.

    Raises
    ------
    DataError
        The file is not an IDX file, or it does not have as many bytes as its header
        declares. Or `dlt.files.reading.open_capped` refuses it.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "labels")
    >>> with open(path, "wb") as file:
    ...     _ = file.write(b"\x00\x00\x08\x01" + b"\x00\x00\x00\x03" + b"\x05\x00\x04")
    >>> read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    with open_capped(path, max_bytes, EXPECTED) as file:
        dtype, shape = read_idx_header(path, file)
        declared = dtype.itemsize * math.prod(shape)
        raw = file.read_buffer(declared)
        there = len(raw) + file.drain()
    if there != declared:
        expected = f"the {declared} that its header declares, shape {shape}"
        raise DataError(path, f"{there} bytes of items", expected, FETCH_AGAIN)
    return array_from_bytes(path, raw, dtype, shape)


def read_idx_header(path: str | os.PathLike, file: IO[bytes]) -> tuple[np.dtype, tuple[int, ...]]:
    """Read the header of an IDX file: return the dtype in the file, and the shape."""
    magic = file.read(4)
    if magic[:2] != b"\0\0" or len(magic) < 4 or magic[2] not in _TYPES or not 1 <= magic[3] <= 32:
        expected = EXPECTED + " (first bytes 00 00, type 08 to 0e, number of dimensions)"
        raise DataError(path, describe_head(magic), expected, FETCH_AGAIN)
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        found = "an IDX header that is cut short"
        raise DataError(path, found, f"{magic[3]} dimensions", FETCH_AGAIN)
    return np.dtype(_TYPES[magic[2]]), struct.unpack(f">{magic[3]}I", sizes)
