"""Folders of pictures: grey rows, and what is in them besides."""

import numpy as np
import pytest
from PIL import Image

from dlt.errors import DataError
from dlt.files.picture_rows import read_classes


@pytest.fixture
def folder(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.new("RGB", (4, 3), (i, i, i)).save(tmp_path / name / f"{i}.png")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"")
    return tmp_path


def test_pictures_are_grey_rows(folder):
    Image.new("RGBA", (4, 3), (9, 9, 9, 0)).save(folder / "b" / "3.png")  # white, seen through
    x, y = read_classes(str(folder))
    assert (x.shape, x.dtype, y) == ((7, 3, 4), "uint8", ["a"] * 3 + ["b"] * 4)
    assert x[:].max(axis=(1, 2)).tolist() == [0, 1, 2, 0, 1, 2, 255]
    np.testing.assert_array_equal(x[2:4], x[:][2:4])


def test_what_does_not_fit_is_named(folder):
    Image.new("L", (4, 4)).save(folder / "b" / "3.png")
    with pytest.raises(DataError, match="b/3.png: found a picture of 4 x 4 pixels; expected 4 x 3"):
        read_classes(str(folder))[0][:]
    (folder / "b" / "notes.txt").write_text("")
    with pytest.raises(DataError, match="found .*b/notes.txt; expected pictures only"):
        read_classes(str(folder))
    (folder / "c").mkdir()
    (folder / "b" / "notes.txt").unlink()
    with pytest.raises(DataError, match="c: found an empty folder; expected pictures"):
        read_classes(str(folder))
