"""Formats: one table of what `dlt.load_data` reads, how it is recognised, and how to make it.

A reader returns one, two or three pairs (x, y): all examples, or a training and a test set, or all
three sets. `dlt.preparing` makes three sets of any of them.
"""

from __future__ import annotations

import os
from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

from dlt.checks import as_many
from dlt.errors import DataError
from dlt.files.csv_rows import LABEL_COLUMNS, is_csv, read_csv
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

# The names of arrays: one pair, or two or three.
_ALONE = ("x", "y")
_SETS = (("x_train", "y_train"), ("x_valid", "y_valid"), ("x_test", "y_test"))
_FOLDERS = {"train": 0, "training": 0, "valid": 1, "validation": 1, "val": 1, "test": 2}

# How pickles of tuples, lists, dicts and arrays begin.
_PICKLED = (b"\x80", b"(", b"]", b"}", b")", b"cnumpy", b"c__builtin__")

Pairs = Sequence[Sequence[Any]]


class Format(NamedTuple):
    """A form in which data comes.

    Attributes
    ----------
    name : str
        In words that fit after "found" and "expected".
    is_it : callable
        Takes a path and how that file begins (nothing, if it is a folder).
    read : callable or None
        Takes a path and returns pairs (x, y). None: `dlt` does not read it.
    recipe : str
        Python that makes an accepted file, of the arrays x and y or of a file of this format.
    """

    name: str
    is_it: Callable[[str, bytes], bool]
    read: Callable[[str], Pairs] | None
    recipe: str


def recognise(path: str) -> Format:
    """Return the format of a file or folder, by what is in it.

    Raises
    ------
    DataError
        It is none that `dlt` reads; the message has a recipe.
    """
    head = b""
    if not os.path.isdir(path):
        with open_capped(path) as file:
            head = file.peek()[:4096]
    for form in FORMATS:
        if form.is_it(path, head):
            break
    else:
        raise DataError(path, "a folder" if not head else describe_head(head), _accepted(), _MAKE)
    if form.read is None:
        remedy = "make one: " + "; ".join(form.recipe.splitlines())
        raise DataError(path, form.name, _accepted(), remedy)
    return form


def idx_files(folder: str, endings: Sequence[str] = (".gz", "")) -> list[str | None]:
    """Return the paths of MNIST's four files, None for those that are missing."""
    # some archives unpack to train-images.idx3-ubyte
    spellings = ([name, name.replace("-idx", ".idx")] for name in IDX_NAMES)
    return [first_file(folder, [n + end for n in s for end in endings]) for s in spellings]


def first_file(folder: str, names: Sequence[str]) -> str | None:
    """Return the path of the first of some files that is in a folder."""
    paths = (os.path.join(folder, name) for name in names)
    return next(filter(os.path.isfile, paths), None)


def pairs_of(what: str, value: Any) -> Pairs:
    """Return the pairs (x, y) in a value.

    Parameters
    ----------
    what : str
        What messages call it.
    value : object
        A pair of arrays (x, y), two or three such pairs, a dict of arrays that are named as in an
        npz file, or a frame of pandas with a column of labels.

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
    if not any(_is_sequence(value, n) for n in (2, 3)) or not all(
        _is_sequence(v, 2) for v in value
    ):
        expected = "(x, y), or a training and a test set, or three sets, each a pair (x, y)"
        raise DataError(what, kind_of(value), expected, "save the sets in that form")
    return value


def named_pairs(what: str, arrays: dict) -> Pairs:
    """Return the pairs (x, y) in named arrays: x and y, or x_train, y_train, and so on."""
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
    names = [name for name in frame.columns if str(name).strip().lower() in LABEL_COLUMNS]
    if len(names) != 1:
        found = f"a frame with {len(names) or 'no'} columns for the label"
        expected = f"one column called {', '.join(LABEL_COLUMNS[:-1])} or {LABEL_COLUMNS[-1]}"
        raise DataError(what, found, expected, "rename it")
    values = frame[[name for name in frame.columns if name != names[0]]]
    return values.to_numpy(), frame[names[0]].to_numpy()


def _is_sequence(value, n):
    return isinstance(value, (tuple, list)) and len(value) == n


def kind_of(value: Any) -> str:
    """Return in words what a value is that holds no sets."""
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
    as_many(folder, len(train_x), len(train_y))
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
    """Return the rows of a file where they lie, if they can be read there."""
    return RowFile(path) if is_in_rows(path) else read_npy(path)


def _read_pictures(folder):
    places = {name: _FOLDERS.get(name.lower()) for name in sub_folders(folder)}
    if None in places.values() or not {0, 2} <= set(places.values()):
        return [read_classes(folder)]
    named = sorted(places, key=lambda name: places[name])
    if len(set(places.values())) < len(named):
        raise DataError(folder, ", ".join(named), "one folder for each set", "merge or rename them")
    return [read_classes(os.path.join(folder, name)) for name in named]


def _read_csv(path):
    return [read_csv(path)]


def _read_npz(path):
    return named_pairs(path, read_npz(path))


def _read_pickle(path):
    return pairs_of(path, load_pickle(path))


def _in_folder(test):
    return lambda path, head: not head and test(path)


def _begins(*starts):
    return lambda path, head: head.startswith(starts)


def _is_zip_of(*endings):
    """Return a test whether the first member of a zip archive has such a name."""

    def is_it(path, head):
        name = head[30 : 30 + int.from_bytes(head[26:28], "little")].decode("latin-1")
        return head.startswith(b"PK\x03\x04") and name.endswith(endings)

    return is_it


def _accepted():
    return "one of: " + ", ".join(form.name for form in FORMATS if form.read)


_ARRAYS = """import numpy
numpy.savez("data.npz", x=x, y=y)"""
_MAKE = "make one of your arrays: " + "; ".join(_ARRAYS.splitlines())

#: What is tried in this order: folders first, and then files.
FORMATS = (
    Format(
        "a folder with MNIST's IDX files",
        _in_folder(lambda path: any(idx_files(path))),
        _read_idx_folder,
        """import dlt.formats, pathlib, struct
for name, a in zip(dlt.formats.IDX_NAMES, (x_train, y_train, x_test, y_test)):
    head = struct.pack(f">4B{a.ndim}i", 0, 0, 8, a.ndim, *a.shape)
    pathlib.Path(name).write_bytes(head + a.astype("u1").tobytes())""",
    ),
    Format(
        "a folder with x.npy and y.npy",
        _in_folder(_npy_names),
        _read_npy_folder,
        """import numpy
numpy.save("x.npy", x)
numpy.save("y.npy", y)""",
    ),
    Format(
        "a folder of pictures with a sub-folder for each class",
        _in_folder(sub_folders),
        _read_pictures,
        """import os, PIL.Image
for i, (picture, label) in enumerate(zip(x, y)):
    os.makedirs(str(label), exist_ok=True)
    PIL.Image.fromarray(picture).save(f"{label}/{i}.png")""",
    ),
    Format(
        "an Excel file",
        _is_zip_of("[Content_Types].xml"),
        None,
        """import pandas
pandas.read_excel("data.xlsx").to_csv("data.csv", index=False)""",
    ),
    Format("an npz file", _is_zip_of(".npy"), _read_npz, _ARRAYS),
    Format(
        "a zip archive of other files",
        _begins(b"PK\x03\x04"),
        None,
        """import zipfile
zipfile.ZipFile("data.zip").extractall("data")""",
    ),
    Format(
        "an HDF5 file",
        _begins(b"\x89HDF", b"MATLAB 7.3"),
        None,
        """import h5py, numpy
data = h5py.File("data.h5")
numpy.savez("data.npz", x=data["x"], y=data["y"])""",
    ),
    Format(
        "a MATLAB file",
        _begins(b"MATLAB"),
        None,
        """import numpy, scipy.io
data = scipy.io.loadmat("data.mat")
numpy.savez("data.npz", x=data["x"], y=data["y"].ravel())""",
    ),
    Format(
        "a Parquet file",
        _begins(b"PAR1"),
        None,
        """import pandas
pandas.read_parquet("data.parquet").to_csv("data.csv", index=False)""",
    ),
    Format(
        "one IDX file",
        _begins(b"\0\0"),
        None,
        """import dlt.files.idx, numpy
numpy.save("data/x.npy", dlt.files.idx.read_idx("images"))
numpy.save("data/y.npy", dlt.files.idx.read_idx("labels"))  # then give the folder""",
    ),
    Format(
        "one .npy file",
        _begins(b"\x93NUMPY"),
        None,
        """import numpy
numpy.save("data/y.npy", y)  # beside data/x.npy; then give the folder""",
    ),
    Format(
        "a CSV file with a column of labels",
        lambda path, head: is_csv(head),
        _read_csv,
        """import numpy
rows = numpy.column_stack([y, x])
numpy.savetxt("data.csv", rows, "%s", ",")""",
    ),
    Format(
        "a pickle of sets",
        _begins(*_PICKLED),
        _read_pickle,
        """import pathlib, pickle
sets = (x_train, y_train), (x_test, y_test)
pathlib.Path("data.pkl").write_bytes(pickle.dumps(sets))""",
    ),
)
