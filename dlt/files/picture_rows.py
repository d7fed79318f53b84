"""Folders of pictures as rows: all have one size, and become grey when they are read."""

from __future__ import annotations

import os
from typing import Sequence

import numpy as np

from dlt.errors import DataError
from dlt.files.grey import ENDINGS, read_grey

_IGNORED = ("thumbs.db", "desktop.ini")  # Windows makes these


class PictureRows:
    """Pictures of the same size. Slices are read from the files.

    Parameters
    ----------
    path : str
        The folder, for messages.
    files : sequence of str

    Attributes
    ----------
    shape : (int, int, int)
        Number, height and width of the pictures.
    dtype : numpy.dtype
        uint8: 0 is black, 255 white.

    Raises
    ------
    DataError
        The first file cannot be read. When slices are read: another file cannot be read, or has
        another size.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, path: str, files: Sequence[str]):
        self.path, self._files = path, files
        width, height = read_grey(files[0]).size
        self.shape = (len(files), height, width)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        files = self._files[rows]
        found = np.empty((len(files), *self.shape[1:]), self.dtype)
        for place, file in zip(found, files):
            picture = np.asarray(read_grey(file))
            if picture.shape != place.shape:
                sizes = ["{1} x {0} pixels".format(*a.shape) for a in (picture, place)]
                expected = f"{sizes[1]}, as {self._files[0]} has"
                raise DataError(file, f"a picture of {sizes[0]}", expected, "scale it to that size")
            place[...] = picture
        return found


def read_classes(folder: str) -> tuple[PictureRows, list[str]]:
    """Find the pictures in a folder with a sub-folder for each class.

    Parameters
    ----------
    folder : str

    Returns
    -------
    x : PictureRows
    y : list of str
        The name of each picture's sub-folder.

    Raises
    ------
    DataError
        A sub-folder has no pictures, or other files too.
    """
    files, labels = [], []
    for name in sub_folders(folder):
        path = os.path.join(folder, name)
        inside = [file for file in _visible(path) if file.lower() not in _IGNORED]
        others = [file for file in inside if not file.lower().endswith(ENDINGS)]
        if others or not inside:
            found = os.path.join(path, others[0]) if others else "an empty folder"
            expected = f"files that end in {', '.join(ENDINGS)}"
            raise DataError(path, found, f"pictures only: {expected}", "take it out or convert it")
        files += [os.path.join(path, file) for file in inside]
        labels += [name] * len(inside)
    return PictureRows(folder, files), labels


def sub_folders(folder: str) -> list[str]:
    """Return the sorted names of the folders in a folder, without hidden ones."""
    return [name for name in _visible(folder) if os.path.isdir(os.path.join(folder, name))]


def _visible(folder):
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))
