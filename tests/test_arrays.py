"""Arrays at an aligned address, and pixels as bytes."""

import numpy as np
import pytest

from dlt.arrays import ALIGNMENT, aligned, aligned_copy, as_bytes


@pytest.mark.parametrize("shape", [(), (3,), (7, 5), (2, 3, 4)])
def test_copies_begin_on_the_boundary(shape, rng):
    for dtype in ("float32", "float64", "int64", "uint8"):
        array = (100 * rng.random(shape)).astype(dtype)
        copy = aligned_copy(array)
        assert copy.ctypes.data % ALIGNMENT == 0 and copy.flags.c_contiguous
        assert (copy.dtype, copy.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(copy, array)
        assert not np.shares_memory(copy, array)


def test_only_unaligned_arrays_are_copied(rng):
    good = aligned_copy(rng.random((6, 4)))
    assert aligned(good) is good
    for other in (good.T, good[1:, 1:], good.reshape(-1)[1:]):
        moved = aligned(other)
        assert moved.ctypes.data % ALIGNMENT == 0 and not np.shares_memory(moved, other)
        np.testing.assert_array_equal(moved, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_byte_is_found(dtype):
    pixels = np.arange(2560).reshape(1280, 2) % 256  # more rows than are converted at a time
    found = as_bytes((pixels / 256).astype(dtype))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("value", [0.3, -1 / 256, 1.0, np.nan, np.inf, 1 / 512])
def test_one_other_value_gives_none(value):
    array = np.full((1500, 2), 0.25)
    array[1400, 1] = value
    assert as_bytes(array) is None


def test_only_floats_can_be_pixels():
    assert as_bytes(np.zeros((2, 2), dtype=int)) is None
    assert as_bytes(np.zeros((0, 2))) is None
