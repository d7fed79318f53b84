"""Tests of `dlt.files.idx`: files built byte by byte from the description of the format."""

import gzip
import struct

import numpy as np
import pytest
from attacks import idx
from conftest import saved

from dlt.errors import DataError
from dlt.files.idx import read_idx

pytestmark = pytest.mark.once

IMAGES = idx(0x08, (2, 2, 3), bytes(range(0, 240, 20)))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_images(tmp_path, pack):
    images = read_idx(saved(tmp_path, pack(IMAGES)))
    assert images.dtype == np.uint8 and images.shape == (2, 2, 3)
    assert images.tolist() == [[[0, 20, 40], [60, 80, 100]], [[120, 140, 160], [180, 200, 220]]]
    assert images.flags.writeable


@pytest.mark.parametrize(
    ("code", "item", "dtype", "values"),
    [
        (0x08, "B", np.uint8, [0, 255]),
        (0x09, "b", np.int8, [-128, 127]),
        (0x0B, "h", np.int16, [-2, 258]),
        (0x0C, "i", np.int32, [-(2**31), 66051]),
        (0x0D, "f", np.float32, [0.99609375, -1.5]),
        (0x0E, "d", np.float64, [0.1, 1e300]),
    ],
)
def test_every_type_comes_out_in_native_order(tmp_path, code, item, dtype, values):
    array = read_idx(saved(tmp_path, idx(code, (2,), struct.pack(">2" + item, *values))))
    assert array.dtype == dtype and array.dtype.isnative
    assert array.tolist() == values


def test_no_items(tmp_path):
    assert read_idx(saved(tmp_path, idx(0x08, (0, 28, 28), b""))).shape == (0, 28, 28)


@pytest.mark.parametrize(
    ("magic", "found"),
    [
        (b"\x00\x00\x08\x00", "a file that begins with 00 00 08 00;"),
        (b"\x00\x00\x0a\x01", "a file that begins with 00 00 0a 01;"),
        (b"\x00\x00\x08\x21", "a file that begins with 00 00 08 21;"),
        (b"\x03\x08\x00\x00", "a file that begins with 03 08 00 00;"),
        (b"\x00\x00", "a file that begins with 00 00;"),
        (b"\x80\x02cn", "a pickle;"),
    ],
)
def test_wrong_magic_is_shown(tmp_path, magic, found):
    data = magic + (IMAGES[4:] if len(magic) == 4 else b"")
    with pytest.raises(DataError, match="found " + found + ".*expected an IDX file.*get it again"):
        read_idx(saved(tmp_path, data))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (IMAGES[:-1], "11 bytes of items; expected the 12 that its header declares, shape"),
        (
            gzip.compress(IMAGES[:16], mtime=0),
            r"0 bytes of items; expected the 12 .*, shape \(2, 2, 3\)",
        ),
        (IMAGES + b"abc", "15 bytes of items; expected the 12 that its header declares"),
        (IMAGES[:15], "an IDX header that is cut short; expected 3 dimensions"),
    ],
)
def test_truncated_and_trailing(tmp_path, data, found):
    with pytest.raises(DataError, match="found " + found):
        read_idx(saved(tmp_path, data))


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ((2**32 - 1,) * 3, "3 bytes of items; expected the 79228162458924105385300197375"),
        ((0, 2**32 - 1, 2**32 - 1, 2**32 - 1), "an empty array of shape"),
        ((2**30,), "3 bytes of items; expected the 1073741824"),
    ],
)
def test_absurd_sizes(tmp_path, sizes, found):
    with pytest.raises(DataError, match="found " + found):
        read_idx(saved(tmp_path, idx(0x08, sizes, b"" if 0 in sizes else b"abc")))


def test_limit(tmp_path):
    path = saved(tmp_path, IMAGES)
    assert read_idx(path, max_bytes=len(IMAGES)).size == 12
    with pytest.raises(DataError, match="found more than 27 bytes"):
        read_idx(path, max_bytes=27)
