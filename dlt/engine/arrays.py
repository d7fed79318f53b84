"""Arrays as an engine reads them fastest: on an aligned address, and pixels as bytes.

Source: measured (docs/performance.md).
"""

import numpy as np

# XLA takes a numpy array without copying it only from an address like this.
ALIGNMENT = 64  # bytes

_ROWS = 1000  # converted at a time, so that what is made on the way stays small


def aligned(array):
    """Return the array, or a copy of it in C order, on a boundary of `ALIGNMENT` bytes.

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    ndarray
        Of the same dtype, shape and values.

    Examples
    --------
    >>> aligned(np.arange(3.0)[::-1]).tolist()
    [2.0, 1.0, 0.0]
    """
    if array.flags.c_contiguous and not array.ctypes.data % ALIGNMENT:
        return array
    return aligned_copy(array)


def aligned_copy(array):
    """Copy into memory that begins on a boundary of `ALIGNMENT` bytes.

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    ndarray, in C order

    Examples
    --------
    >>> copy = aligned_copy(np.arange(3.0))
    >>> copy.ctypes.data % ALIGNMENT, copy.tolist()
    (0, [0.0, 1.0, 2.0])
    """
    memory = np.empty(array.nbytes + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def as_bytes(array):
    """Return 256 times the array as bytes, or None where these are no whole numbers 0..255.

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    ndarray of uint8, or None

    Examples
    --------
    >>> as_bytes(np.asarray([[0.0, 0.5], [0.25, 0.99609375]])).tolist()
    [[0, 128], [64, 255]]
    >>> as_bytes(np.asarray([[0.1]])) is None
    True
    """
    if array.dtype.kind != "f" or array.size == 0:
        return None
    pixels = np.empty(array.shape, dtype=np.uint8)
    for rows in range(0, len(array), _ROWS):
        scaled = array[rows : rows + _ROWS] * array.dtype.type(256)
        with np.errstate(invalid="ignore"):
            pixels[rows : rows + _ROWS] = scaled
        if not np.array_equal(pixels[rows : rows + _ROWS], scaled):
            return None
    return pixels
