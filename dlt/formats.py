"""Formats: a table of the files and folders that `dlt.load_data` recognises.

A reader returns pairs (x, y): one pair with all examples, two for a training and a test set, or
three sets. `dlt.preparing` turns any of these into three sets.
"""

from __future__ import annotations

import os
from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

from dlt.errors import DataError
from dlt.files.csv_rows import is_csv, label_column, read_csv
from dlt.files.idx import read_idx
from dlt.files.npz import read_npy, read_npz
from dlt.files.pickles import load_pickle
from dlt.files.picture_rows import read_classes, sub_folders
from dlt.files.reading import describe_head, open_capped, open_regular
from dlt.files.rows import RowFile, is_in_rows

#: MNIST's files, without .gz: training images and labels, test images and labels.
IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

# Names of arrays and of folders of pictures.
_ALONE = ("x", "y")
_SETS = (("x_train", "y_train"), ("x_valid", "y_valid"), ("x_test", "y_test"))
_FOLDERS = {"train": 0, "training": 0, "valid": 1, "validation": 1, "val": 1, "test": 2}

Pairs = Sequence[Sequence[Any]]


class Format(NamedTuple):
    """A format of files or folders.

    Attributes
    ----------
    name : str
        A phrase that fits after "expected".
    is_it : callable
        Takes a path and the first bytes of the file (none for a folder).
    read : callable
        Takes a path and returns pairs (x, y).
    """

    name: str
    is_it: Callable[[str, bytes], bool]
    read: Callable[[str], Pairs]


def recognise(path: str) -> Format:
    """Return the format of a file or folder, judged by its contents.

    Raises
    ------
    DataError
        `dlt` cannot read it. The message says how to convert it.
    """
    head = b""
    if not os.path.isdir(path):
        with open_capped(path) as file:
            head = file.peek()[:4096]
    for form in FORMATS:
        if form.is_it(path, head):
            return form
    kind = describe_head(head) if head else "a folder"
    readable = "one of: " + ", ".join(form.name for form in FORMATS)
    remedy = f"make one: {_RECIPES[kind]}" if kind in _RECIPES else _MAKE
    raise DataError(path, kind, readable, remedy)


def idx_files(folder: str, endings: Sequence[str] = (".gz", "")) -> list[str | None]:
    """Return the paths of MNIST's four files, with None for a missing one."""
    # Some archives unpack to train-images.idx3-ubyte.
    spellings = ([name, name.replace("-idx", ".idx")] for name in IDX_NAMES)
    return [first_file(folder, [n + end for n in s for end in endings]) for s in spellings]


def first_file(folder: str, names: Sequence[str]) -> str | None:
    """Return the path of the first of these files that the folder has, or None."""
    paths = (os.path.join(folder, name) for name in names)
    return next(filter(os.path.isfile, paths), None)


def pairs_of(what: str, value: Any) -> Pairs:
    """Return the pairs (x, y) that an object holds.

    Parameters
    ----------
    what : str
        The name of the object in messages.
    value : object
        A pair of arrays (x, y), two or three such pairs, a dict of arrays with the names that an
        npz file has, or a pandas frame with a column of labels.

    Raises
    ------
    DataError
        It is something else.
    """
    if hasattr(value, "columns") and hasattr(value, "to_numpy"):
        return [_frame(what, value)]
    if isinstance(value, dict):
        return named_pairs(what, value)
    if _is_sequence(value, 2) and hasattr(value[0], "shape"):
        return [value]
    if not (_is_sequence(value, 2, 3) and all(_is_sequence(pair, 2) for pair in value)):
        expected = "(x, y), or a training and a test set, or three sets, each a pair (x, y)"
        raise DataError(what, kind_of(value), expected, "save the sets in that form")
    return value


def named_pairs(what: str, arrays: dict) -> Pairs:
    """Return the pairs (x, y) in arrays called x and y, or x_train, y_train, and so on."""
    if set(_ALONE) <= set(arrays):
        return [[arrays[key] for key in _ALONE]]
    sets = [pair for pair in _SETS if set(pair) <= set(arrays)]
    if sets[:1] != [_SETS[0]] or (len(sets) > 1 and sets[-1] != _SETS[2]):
        names = ", ".join(str(key)[:60] for key in sorted(map(str, arrays))[:20])
        expected = "x and y, or x_train, y_train, x_test and y_test, and perhaps x_valid, y_valid"
        found = f"the arrays {names or '(none)'}"
        raise DataError(what, found, f"the arrays {expected}", "rename them")
    return [[arrays[key] for key in pair] for pair in sets]


def _frame(what, frame):
    names = list(frame.columns)
    label = names.pop(label_column(what, "a frame", names))
    return frame[names].to_numpy(), frame[label].to_numpy()


def _is_sequence(value, *lengths):
    return isinstance(value, (tuple, list)) and len(value) in lengths


def kind_of(value: Any) -> str:
    """Return a phrase for an object that is not a data set."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, (tuple, list)):
        kinds = ", ".join(type(item).__name__ for item in value[:4])
        return f"a {type(value).__name__} of {len(value)} ({kinds})"
    return f"a {type(value).__name__}"


def _read_idx_folder(folder):
    files = idx_files(folder)
    if not all(files):
        missing = [name for name, file in zip(IDX_NAMES, files) if not file]
        found = f"no {', no '.join(missing)}(.gz)"
        raise DataError(folder, found, "all four of MNIST's IDX files", "add what is missing")
    train_x, train_y, test_x, test_y = map(_idx, files)
    return [(train_x, train_y[:]), (test_x, test_y[:])]


def _idx(path):
    with open_regular(path, "an IDX file") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return read_idx(path) if zipped else RowFile(path)


def _read_npy_folder(folder):
    arrays = {name: os.path.join(folder, name + ".npy") for name in _npy_names(folder)}
    pairs = named_pairs(folder, arrays)
    return [(_npy_rows(x), read_npy(y)) for x, y in pairs]


def _npy_names(folder):
    names = [*_ALONE, *(name for pair in _SETS for name in pair)]
    return [name for name in names if os.path.isfile(os.path.join(folder, name + ".npy"))]


def _npy_rows(path):
    """Return an array that stays in its file, if its layout allows that."""
    return RowFile(path) if is_in_rows(path) else read_npy(path)


def _read_pictures(folder):
    places = {name: _FOLDERS.get(name.lower()) for name in sub_folders(folder)}
    if None in places.values() or not {0, 2} <= set(places.values()):
        return [read_classes(folder)]
    named = sorted(places, key=lambda name: places[name])
    if len(set(places.values())) < len(named):
        raise DataError(folder, ", ".join(named), "one folder for each set", "merge or rename them")
    return [read_classes(os.path.join(folder, name)) for name in named]


def _in_folder(test):
    return lambda path, head: not head and test(path)


_MAKE = 'make one of your arrays: import numpy; numpy.savez("data.npz", x=x, y=y)'

# Other kinds of files -> Python that converts them.
_RECIPES = {
    "an Excel file": "import pandas; "
    'pandas.read_excel("data.xlsx").to_csv("data.csv", index=False)',
    "a Parquet file": "import pandas; "
    'pandas.read_parquet("data.parquet").to_csv("data.csv", index=False)',
    "a zip archive": 'import zipfile; zipfile.ZipFile("data.zip").extractall("data")',
    "an HDF5 file": 'import h5py, numpy; data = h5py.File("data.h5"); '
    'numpy.savez("data.npz", x=data["x"], y=data["y"])',
    "a MATLAB file": 'import numpy, scipy.io; data = scipy.io.loadmat("data.mat"); '
    'numpy.savez("data.npz", x=data["x"], y=data["y"].ravel())',
    "an IDX file": "import dlt.files.idx, numpy; "
    'numpy.save("data/x.npy", dlt.files.idx.read_idx("images")); '
    'numpy.save("data/y.npy", dlt.files.idx.read_idx("labels"))  # then name the folder',
    "a numpy .npy file": 'import numpy; numpy.save("data/y.npy", y)  # beside data/x.npy; then '
    "name the folder",
}

# How pickles of tuples, lists, dicts and arrays begin, in any protocol.
_PICKLED = (b"\x80", b"(", b"]", b"}", b")", b"cnumpy", b"c__builtin__")

#: The formats that `dlt` reads, in the order in which they are tried: folders first, then files.
FORMATS = (
    Format(
        "a folder with MNIST's IDX files",
        _in_folder(lambda path: any(idx_files(path))),
        _read_idx_folder,
    ),
    Format("a folder with x.npy and y.npy", _in_folder(_npy_names), _read_npy_folder),
    Format(
        "a folder of pictures with a sub-folder for each class",
        _in_folder(sub_folders),
        _read_pictures,
    ),
    Format(
        "an npz file",
        lambda path, head: describe_head(head) == "an npz file",
        lambda path: named_pairs(path, read_npz(path)),
    ),
    Format(
        "a CSV file with a column of labels",
        lambda path, head: is_csv(head),
        lambda path: [read_csv(path)],
    ),
    Format(
        "a pickle of sets",
        lambda path, head: head.startswith(_PICKLED),
        lambda path: pairs_of(path, load_pickle(path)),
    ),
)
