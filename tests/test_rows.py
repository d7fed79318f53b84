"""Rows of a file: slices as numpy has them, and whatever is wrong in one line."""

import gzip
import os

import numpy as np
import pytest
from conftest import saved

from dlt.errors import DataError
from dlt.files import rows as rows_module
from dlt.files.rows import RowFile, Rows, read_rows

IDX = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (3, 2, 2)) + bytes(range(12))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64", "bool"])
def test_slices_are_numpy_s(tmp_path, rng, dtype):
    array = rng.integers(0, 2, (7, 3, 2)).astype(dtype)
    path = tmp_path / "x.npy"
    np.save(path, array)
    rows = RowFile(path)
    assert (rows.shape, rows.dtype, len(rows)) == ((7, 3, 2), array.dtype, 7)
    for part in (slice(None), slice(2, 5), slice(6, 99), slice(3, 3), slice(-2, None)):
        np.testing.assert_array_equal(rows[part], array[part])
    numbers = np.asarray([1, 2, 4, 6])
    some = Rows(rows, numbers)
    assert (some.shape, some.path) == ((4, 3, 2), str(path))
    for part in (slice(None), slice(1, 3), slice(2, 9), slice(2, 2)):
        np.testing.assert_array_equal(some[part], array[numbers][part])
    out = np.empty((2, 3, 2), "float32")
    read_rows(some, out, 2)
    np.testing.assert_array_equal(out, array[[4, 6]])
    assert Rows(array, numbers, "float64")[:].dtype == "float64"


def test_some_rows_of_a_file_are_read_piece_by_piece(monkeypatch):
    class Source:
        shape, dtype = (100, 2), np.dtype("uint8")

        def __getitem__(self, rows):
            assert rows.stop - rows.start <= 10
            return np.arange(200, dtype="uint8").reshape(100, 2)[rows]

    monkeypatch.setattr(rows_module, "_PIECE", 20)
    numbers = np.asarray([3, 4, 30, 31, 39, 40, 99])
    assert Rows(Source(), numbers)[:][:, 0].tolist() == (2 * numbers).tolist()


def test_a_source_of_blocks_is_read_once_whatever_lies_between(monkeypatch):
    class Blocks:
        shape, dtype, in_blocks = (100, 70000), np.dtype("uint8"), True

        def __getitem__(self, rows):
            read.append((rows.start, rows.stop))
            return np.repeat(np.arange(100, dtype="uint8")[rows, None], 70000, axis=1)

    read, numbers = [], np.asarray([1, 2, 20, 40])
    assert Rows(Rows(Blocks(), np.arange(100)), numbers)[:][:, 0].tolist() == numbers.tolist()
    assert read == [(1, 41)]
    Blocks.in_blocks, read = False, []
    Rows(Blocks(), numbers)[:]
    assert read == [(1, 3), (20, 21), (40, 41)]


def test_idx_files_are_read_where_they_lie(tmp_path):
    rows = RowFile(saved(tmp_path, IDX))
    assert rows.shape == (3, 2, 2) and rows[1:2].tolist() == [[[4, 5], [6, 7]]]


def npy(array, **changes):
    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **changes}
    text = repr(header).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + array.tobytes()


X = np.zeros((4, 2))
REFUSED = {
    "found a gzip file; expected a .npy file": gzip.compress(npy(X)),
    "found a file that begins with 68 65 6c 6c": b"hello world",
    "found 192 bytes; expected 208, for the shape \\(5, 2\\)": npy(X, shape=(5, 2)),
    "found 191 bytes; expected 192, for the shape": npy(X)[:-1],
    "found 195 bytes; expected 192": npy(X) + b"end",
    "found an array of >f8, C order; expected numbers in C order": npy(X.astype(">f8")),
    "found an array of <f8, Fortran order": npy(X, fortran_order=True),
    "found a file with the header .*O": npy(X, descr="|O"),
    "found a file with the header .*'shape': 3": npy(X, shape=3),
    "found one number; expected an array": npy(X, shape=()),
    "found a file with a header that is cut short": npy(X)[:9],
    "found a file that begins with 00 00 07 03": b"\0\0\x07" + IDX[3:],
    "found 27 bytes; expected 28": IDX[:-1],
}


@pytest.mark.parametrize("message, content", REFUSED.items(), ids=map(str, range(len(REFUSED))))
def test_files_that_cannot_be_read_in_place_are_refused(tmp_path, message, content):
    path = saved(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        RowFile(path)
    assert caught.value.what == str(path)


def test_a_file_that_is_cut_under_the_reader(tmp_path):
    path = saved(tmp_path, npy(np.zeros((1000, 8))))
    rows = RowFile(path)
    with open(path, "r+b") as file:
        file.truncate(128 + 64 * 500)
    assert rows[400:500].shape == (100, 8)
    with pytest.raises(DataError, match="found its end at byte 32128; expected 32000 bytes more"):
        rows[400:1000]


def test_a_file_that_takes_its_name_is_not_read(tmp_path):
    path = saved(tmp_path, npy(np.zeros((3, 1))))
    rows = RowFile(path)
    saved(tmp_path, npy(np.ones((3, 1))), "other").replace(path)
    assert not rows[:].any()


def test_a_source_that_gives_too_few_rows_is_refused():
    class Short:
        shape, dtype = (9, 2), np.dtype("uint8")

        def __getitem__(self, rows):
            return np.zeros((1, 2), "uint8")

    with pytest.raises(DataError, match=r"Short: found rows of shape \(1, 2\); expected \(4, 2\)"):
        read_rows(Short(), np.zeros((4, 2)), 3)


def test_a_disk_that_fails_is_named_with_the_place(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(5, "Input/output error")

    rows = RowFile(saved(tmp_path, npy(np.zeros((1000, 8)))))
    monkeypatch.setattr(os, "preadv", fail)
    message = r"found an error at byte 25728 \(Input/output error\); check the disk"
    with pytest.raises(DataError, match=message):
        rows[400:]


def test_files_are_read_without_preadv_too(tmp_path, monkeypatch):
    array = np.arange(12.0).reshape(6, 2)
    rows = RowFile(saved(tmp_path, npy(array)))
    monkeypatch.delattr(os, "preadv")
    np.testing.assert_array_equal(rows[2:5], array[2:5])
