"""Arrays in the form that an engine reads fastest: at an aligned address, and pixels as bytes.

Source: measured (docs/performance.md).
"""

from __future__ import annotations

import numpy as np

# XLA uses a numpy array without a copy only if its address is a multiple of this.
ALIGNMENT = 64  # bytes

_ROWS = 1000  # to convert at a time, so that temporary arrays stay small


def aligned(array: np.ndarray) -> np.ndarray:
    """Return the array if it is in C order and starts on a 64-byte boundary, else such a copy."""
    if array.flags.c_contiguous and not array.ctypes.data % ALIGNMENT:
        return array
    return aligned_copy(array)


def aligned_copy(array: np.ndarray) -> np.ndarray:
    """Return a copy in C order that starts on a 64-byte boundary.

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


def as_bytes(array: np.ndarray) -> np.ndarray | None:
    """Return 256 times the array as uint8, or None if a value is not k/256, k = 0..255.

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
