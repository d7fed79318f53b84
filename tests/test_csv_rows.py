"""CSV files: which column has the labels, slices as numpy has them, and what is refused."""

import gzip

import numpy as np
import pytest
from conftest import saved

from dlt.errors import DataError
from dlt.files import csv_rows
from dlt.files.csv_rows import is_csv, read_csv

X, Y = [[0, 255], [3, 4]], ["7", "9"]


@pytest.mark.parametrize(
    "text",
    [
        "label,p0,p1\n7,0,255\n9,3,4\n",
        "7,0,255\n9,3,4",
        "\ufeffp0,Label,p1\r\n0,7,255\r\n3,9,4\r\n\r\n",
        'id;p0;p1;"class"\n0;0;255;"7"\n1;3;4;"9"\n',
        "label\t0\t1\n7\t0\t255\n9\t3\t4\n",
        ",label,0,1\n0,7,0,255\n1,9,3,4\n",
        "label, p0, p1\n7, 0, 255\n9, 3, 4\n",
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_labels_and_values(tmp_path, text, pack):
    x, y = read_csv(saved(tmp_path, pack(text.encode())))
    assert (x[:].tolist(), y, x.dtype, x.shape) == (X, Y, "uint8", (2, 2))
    assert is_csv(text.encode())


def test_other_numbers_are_float64(tmp_path):
    x, y = read_csv(saved(tmp_path, b"a,0,1\nb,-0.5,1e3\n"))
    assert (x[:].tolist(), y, x.dtype) == ([[0, 1], [-0.5, 1000]], ["a", "b"], "float64")


def test_a_quoted_label_may_have_the_separator_in_it(tmp_path):
    x, y = read_csv(saved(tmp_path, b'p0,label,p1\n0,"ham, fried",255\n3,spam,4\n'))
    assert (x[:].tolist(), y) == (X, ["ham, fried", "spam"])


@pytest.mark.parametrize(
    "text, labelled, shape",
    [("p0,p1\n0,255\n", False, (1, 2)), ("0,255\n", False, (1, 2)), ("0,1\n3,4\n", False, (1, 2))],
)
def test_a_file_without_labels(tmp_path, text, labelled, shape):
    x, y = read_csv(saved(tmp_path, text.encode()), labelled)
    assert y is None and x.shape == shape


def test_slices_are_numpy_s_whatever_a_block_is(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(csv_rows, "_BLOCK", 50)
    array = rng.integers(0, 256, (40, 3))
    lines = [",".join(map(str, [i, *row])) for i, row in enumerate(array)]
    x, y = read_csv(saved(tmp_path, "\n".join(lines).encode()))
    assert y == [str(i) for i in range(40)]
    for part in (slice(None), slice(7, 31), slice(39, 99), slice(5, 5), slice(12, 13)):
        np.testing.assert_array_equal(x[part], array[part])


@pytest.mark.parametrize(
    "text, message",
    [
        ("p0,p1\n1,2\n", "found a header with no columns for the label; expected one called label"),
        ("0,1,2\n7,0,255\n", "found a header with no columns for the label"),
        ("label,class\n7,0\n", "found a header with 2 columns for the label; .*rename the column"),
        ("7,0,255\n9,3\n", "found 2 columns in row 1; expected 3, as in the first line"),
        ("7,0,255\n9,3,4,5\n", "found 4 columns in row 1"),
        ("7,0,255\n9,3,x\n", "found something other than numbers in row 1"),
        ("7,0,255\n9,,4\n", "found something other than numbers in row 1"),
        ("label,p0\n", "found a header and no examples; expected a CSV file with one line"),
        ("label\n3\n4\n", "found no column of values"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_csv(saved(tmp_path, text.encode()))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"7,0,255\n9,\xff,4\n", "found text that is not UTF-8 in row 1"),
        (b"7," + b"0" * 999 + b"\n", "found a line of more than 500 bytes"),
        (b"7,0,0,0,0\n", "found 5 columns; expected at most 4"),
        (b"7,0,255\n9\r,3\n", r"found a line that is not CSV \(new-line character"),
    ],
)
def test_bytes_that_are_no_text_are_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.setattr(csv_rows, "_LONGEST", 500)
    monkeypatch.setattr(csv_rows, "_MOST", 4)
    with pytest.raises(DataError, match=message):
        read_csv(saved(tmp_path, content))


def test_a_file_that_is_cut_under_the_reader(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_rows, "_BLOCK", 8)
    path = saved(tmp_path, b"7,0,255\n" * 5)
    x, _ = read_csv(path)
    with open(path, "r+b") as file:
        file.truncate(16)
    with pytest.raises(DataError, match="found the end of the file at row 2; expected 5 rows"):
        x[:]
