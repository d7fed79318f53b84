r"""IDX files: the format in which MNIST was first published.

An IDX file is ``0 0 type ndim``, then `ndim` sizes as big-endian 32-bit
integers, then the items, last index fastest, big-endian. So the training
images begin ``00 00 08 03  0000ea60 0000001c 0000001c``: unsigned bytes in
three dimensions, 60000 x 28 x 28.

Source: "The IDX file format" at the end of Y. LeCun, C. Cortes and C. Burges,
*The MNIST database of handwritten digits*.
"""

import struct

from dlt.errors import DataError
from dlt.files.reading import FETCH_AGAIN, MAX_BYTES, array_from_bytes, describe_head, open_capped

EXPECTED = "an IDX file"

# Third byte of the file -> dtype on disk.
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_ITEM_BYTES = {0x08: 1, 0x09: 1, 0x0B: 2, 0x0C: 4, 0x0D: 4, 0x0E: 8}


def read_idx(path, max_bytes=MAX_BYTES):
    r"""Read an IDX file, gzipped or not.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        Most decompressed bytes to accept, 1 GiB by default.

    Returns
    -------
    numpy.ndarray
        Of the shape and item type that the file declares (uint8, int8, int16,
        int32, float32 or float64), native byte order, writable. MNIST images:
        uint8, shape (N, 28, 28), values 0..255; labels: uint8, shape (N,),
        values 0..9.

    Raises
    ------
    dlt.errors.DataError
        Not IDX (the message says what the first bytes are), cut short, bytes
        left over, or more than `max_bytes` declared; and whatever
        `dlt.files.reading.open_capped` refuses.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "labels")
    ...     with open(path, "wb") as file:
    ...         _ = file.write(b"\x00\x00\x08\x01" + b"\x00\x00\x00\x03" + b"\x05\x00\x04")
    ...     read_idx(path)
    array([5, 0, 4], dtype=uint8)

    Notes
    -----
    Source: the IDX section of the MNIST page (see the module docstring).
    """
    with open_capped(path, max_bytes, EXPECTED) as file:
        code, shape = _read_header(path, file)
        declared = _ITEM_BYTES[code]
        for n in shape:
            declared *= n
        if declared > max_bytes:
            found = f"a header that declares {declared} bytes, shape {shape}"
            raise DataError(path, found, f"at most {max_bytes} bytes", FETCH_AGAIN)
        raw = file.read_buffer(declared)
        there = len(raw) + file.drain()
    if there != declared:
        expected = f"the {declared} that its header declares, shape {shape}"
        raise DataError(path, f"{there} bytes of items", expected, FETCH_AGAIN)
    return array_from_bytes(path, raw, _TYPES[code], shape)


def _read_header(path, file):
    """Return the type code and the shape."""
    magic = file.read(4)
    if magic[:2] != b"\0\0" or len(magic) < 4 or magic[2] not in _TYPES or not 1 <= magic[3] <= 32:
        found = _describe_magic(magic)
        expected = EXPECTED + " (first bytes 00 00, type 08 to 0e, number of dimensions)"
        raise DataError(path, found, expected, FETCH_AGAIN)
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        found = "an IDX header that is cut short"
        raise DataError(path, found, f"{magic[3]} dimensions", FETCH_AGAIN)
    return magic[2], struct.unpack(f">{magic[3]}I", sizes)


def _describe_magic(magic):
    kind = describe_head(magic)
    digits = " ".join(map("{:02x}".format, magic))
    if kind.startswith("a file") or kind == "an IDX file":
        return f"first bytes {digits}"
    return f"{kind} (first bytes {digits})"
