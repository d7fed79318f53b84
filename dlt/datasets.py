"""Datasets: three (x, y) pairs of numpy arrays, whatever file they come from.

Source: page "Getting Started", sections "Datasets" and "MNIST Dataset".
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from typing import Callable

import numpy as np

from dlt.checks import as_many, inputs, labels, real_numbers, rows_alike
from dlt.errors import DataError, FetchError, SettingsError
from dlt.examples import Description, Examples
from dlt.fetching import fetch_mnist, user_cache
from dlt.files.idx import read_idx
from dlt.files.npz import read_npz
from dlt.files.pickles import load_pickle
from dlt.files.reading import MAX_BYTES, open_capped, open_regular
from dlt.files.rows import Part, RowFile
from dlt.progress import silent
from dlt.stored import is_stored, read_stored

#: Data sets known by name.
NAMES = ("mnist", "digits")

_SET_NAMES = ("training", "validation", "test")
_PICKLE_NAMES = ("mnist.pkl.gz", "mnist.pkl")
_NPZ_NAME = "mnist.npz"
_IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")
# SHA-256 of MNIST: of each set in turn, the pixels and then the labels, one byte each.
_MNIST_SHA256 = "c97a2c607853b499a01d274c02fa5de533f80f6f09404e77aa0e02ec99b4c1f5"
# A label above this and above the number of training examples is not a class.
_MANY_LABELS = 1000
# Where the validation set comes from.
_OWN_SETS = "the file's own sets"
_LAST_SIXTH = "the last sixth of the training set for validation"
_PACKAGE = os.path.dirname(os.path.abspath(__file__))
# A clone has data/ beside the package; an installed package carries the digits within.
_DATA_FOLDERS = (os.path.join(os.path.dirname(_PACKAGE), "data"), os.path.join(_PACKAGE, "_data"))


def load_data(
    path_or_name: str | os.PathLike = "mnist", log: Callable[[str], object] = silent
) -> tuple[Examples, Examples, Examples]:
    """Load a data set.

    Parameters
    ----------
    path_or_name : str or os.PathLike
        - ``"mnist"``: looked for in the folder that the environment variable ``DLT_DATA`` names,
          in ``data/``, and in the user's cache; then fetched;
        - ``"digits"``: comes with `dlt`;
        - the page's pickle, ``mnist.pkl.gz``: a tuple of the training, validation and test set,
          each a pair of images and labels (Python 2 or 3, gzipped or not);
        - a folder with MNIST's four IDX files (gzipped or not);
        - Keras's ``mnist.npz``;
        - a folder that `dlt.save_data` wrote.
    log : callable, optional
        Takes a line of text before anything slow, such as `print`.

    Returns
    -------
    train_set, valid_set, test_set : Examples
        Each unpacks as ``x, y``. x : float32 or float64, shape (N, D), values in [0, 1];
        y : int64, shape (N,), labels 0..L-1. Whole-number pixels are divided by 256, as in the
        page's file. Where a file has no validation set, the last sixth of its training set becomes
        one: of MNIST's 60 000, the page's 10 000.

    Raises
    ------
    DataError
        The file is missing or broken, or has x and y of different lengths, pixels outside [0, 1]
        or not finite, or labels that are negative, fractional or not in the training set.
    FetchError
        MNIST is not here, and no mirror works.

    Notes
    -----
    A file may hold `dlt.files.reading.MAX_BYTES` (1 GiB). As float32, bytes take four times as
    much: 6 GiB of memory in all.

    Examples
    --------
    >>> train_set, valid_set, test_set = load_data("digits")
    >>> train_set[0].shape, train_set[1][:5].tolist()
    ((1200, 784), [0, 1, 2, 3, 4])
    """
    if path_or_name == "digits":
        return _load_path(_find_digits())
    if path_or_name != "mnist":
        return _load_path(os.fspath(path_or_name))
    path = os.fspath(find_mnist() or fetch_mnist(log=log))
    log(f"loading MNIST from {path} ...")
    datasets = _load_path(path)
    _check_mnist(path, datasets)
    return datasets


def choose_dataset(log: Callable[[str], object] = silent) -> str:
    """Return "mnist" if it is here or can be fetched, and "digits" if not.

    Parameters
    ----------
    log : callable, optional
        Takes a line of text with the reason for the digits, such as `print`.
    """
    if find_mnist() is None:
        try:
            fetch_mnist(log=log)
        except (FetchError, SettingsError) as error:  # no route, or nowhere to put it
            log(f"training on the embedded digits: {error}")
            return "digits"
    return "mnist"


def find_mnist() -> str | None:
    """Look for MNIST where `load_data` does, without fetching it.

    Returns
    -------
    str or None
        The pickle, the ``.npz``, or the folder with the four IDX files.

    Raises
    ------
    SettingsError
        ``DLT_DATA`` names a folder that is not there.
    """
    named = os.environ.get("DLT_DATA")
    if named and not os.path.isdir(named):
        found = f"{named!r}, which is no folder"
        raise SettingsError("DLT_DATA", found, "the folder with MNIST", "correct it or unset it")
    folders = ([named] if named else []) + [_DATA_FOLDERS[0], os.fspath(user_cache())]
    return next(filter(None, map(_mnist_in, folders)), None)


def _mnist_in(folder):
    pickled = _first_file(folder, _PICKLE_NAMES)
    if pickled is None and all(_idx_files(folder)):
        return folder
    return pickled or _first_file(folder, [_NPZ_NAME])


def _idx_files(folder, endings=(".gz", "")):
    """Return the paths of MNIST's four files, None for those that are missing."""
    # some archives unpack to train-images.idx3-ubyte
    spellings = ([name, name.replace("-idx", ".idx")] for name in _IDX_NAMES)
    return [_first_file(folder, [n + end for n in s for end in endings]) for s in spellings]


def _first_file(folder, names):
    paths = (os.path.join(folder, name) for name in names)
    return next(filter(os.path.isfile, paths), None)


def _find_digits():
    paths = [os.path.join(folder, "digits.pkl.gz") for folder in _DATA_FOLDERS]
    return next(filter(os.path.isfile, paths), paths[0])


def _load_path(path):
    """Read a file or folder by what is in it, not by how it is called."""
    if not os.path.exists(path):
        expected = f"a data set, or one of the names {', '.join(NAMES)}"
        raise DataError(path, "no such file or folder", expected, "check the path")
    if os.path.isdir(path):
        return _load_folder(path)
    with open_regular(path, "a data set") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    read, split = (_read_npz, _LAST_SIXTH) if is_zip else (_read_pickle, _OWN_SETS)
    return _checked(path, read(path), split)


def idx_sources(folder):
    """Return MNIST's four IDX files as sources that stay in them, three (x, y) pairs.

    Returns
    -------
    pairs : list of (Part or RowFile, Part or RowFile)
    split : str
        Where the validation set comes from.

    Raises
    ------
    DataError
        The files are not there, or have to be read whole.
    """
    files = _idx_files(folder, endings=[""])
    if not all(files):
        raise DataError(
            folder,
            "data that has to be read whole",
            "a folder as scripts/convert.py writes it, or IDX files that are not gzipped",
            "convert it, or leave out --max-memory",
        )
    train_x, train_y, test_x, test_y = map(RowFile, files)
    as_many(folder, len(train_x), len(train_y))
    n = len(train_x) - len(train_x) // 6
    train, valid = (
        [Part(source, *rows) for source in (train_x, train_y)]
        for rows in ((0, n), (n, len(train_x)))
    )
    return [train, valid, (test_x, test_y)], _LAST_SIXTH


def _load_stored(folder):
    """Load a stored data set, if it fits into memory."""
    sets = read_stored(folder)
    needed = 2 * sum(4 * math.prod(part.x.shape) for part in sets)
    there = available_memory()
    if there is not None and needed > there:
        found = f"data that takes {needed >> 20} MB in memory"
        remedy = "read it in chunks: --max-memory 512MB, or dlt.open_data"
        raise DataError(folder, found, f"at most {there >> 20} MB, which are free", remedy)
    return _consistent(folder, [_loaded(part) for part in sets])


def _loaded(part):
    x, y, path = part.x[:], part.y[:], part.x.path
    if x.dtype.kind != "f":
        x = x.astype(np.float32)
        x /= np.float32(part.description.scale)
    as_many(path, len(x), len(y))
    return Examples(inputs(path, x), labels(part.y.path, y), part.description)


def available_memory():
    """Return how many bytes of memory are free or can be freed; None where that is unknown."""
    with contextlib.suppress(OSError, ValueError, StopIteration), open("/proc/meminfo") as file:
        line = next(line for line in file if line.startswith("MemAvailable:"))
        return 1024 * int(line.split()[1])
    return None


def _load_folder(folder):
    if is_stored(folder):
        return _load_stored(folder)
    files = _idx_files(folder)
    if all(files):
        return _checked(folder, _split(*map(read_idx, files)), _LAST_SIXTH)
    path = _mnist_in(folder)
    if path is None:
        missing = [name for name, file in zip(_IDX_NAMES, files) if not file]
        found = f"neither {_PICKLE_NAMES[0]} nor {', '.join(missing)}(.gz)"
        expected = f"MNIST's four IDX files, {_PICKLE_NAMES[0]} or {_NPZ_NAME}"
        raise DataError(folder, found, expected, "add what is missing")
    return _load_path(path)


def _read_npz(path):
    arrays = read_npz(path)
    if not set(_NPZ_KEYS) <= set(arrays):
        found = f"the arrays {', '.join(sorted(arrays)[:20]) or '(none)'}"
        raise DataError(path, found, f"the arrays {', '.join(_NPZ_KEYS)}")
    return _split(*(arrays[key] for key in _NPZ_KEYS))


def _split(x_train, y_train, x_test, y_test):
    """Set the last sixth of the training set aside for validation."""
    if np.ndim(x_train) == 0 or np.shape(y_train)[:1] != np.shape(x_train)[:1]:
        return (x_train, y_train), (x_train, y_train), (x_test, y_test)  # refused by _checked
    n = len(x_train) - len(x_train) // 6
    return (x_train[:n], y_train[:n]), (x_train[n:], y_train[n:]), (x_test, y_test)


def _read_pickle(path):
    with open_capped(path) as file:
        if file.read(2) == b"\0\0":
            expected = "all four of MNIST's in one folder"
            raise DataError(path, "one IDX file", expected, "give the folder instead of the file")
    value = load_pickle(path)
    expected = "a tuple of three (x, y) pairs: training, validation and test set"
    if isinstance(value, dict):
        found = f"a dict with the keys {', '.join(repr(key)[:60] for key in list(value)[:6])}"
        remedy = "this is another project's file: get the page's mnist.pkl.gz, or save the pairs"
        raise DataError(path, found, expected, remedy)
    if not _is_sequence(value, 3) or not all(_is_sequence(pair, 2) for pair in value):
        raise DataError(path, _kind(value), expected, "save the sets in that form")
    return value


def _is_sequence(value, n):
    return isinstance(value, (tuple, list)) and len(value) == n


def _kind(value):
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, (tuple, list)):
        kinds = ", ".join(type(item).__name__ for item in value[:4])
        return f"a {type(value).__name__} of {len(value)} ({kinds})"
    return f"a {type(value).__name__}"


def _checked(path, pairs, split):
    """Check the three sets, one by one and against each other."""
    names = [f"{path} ({name} set)" for name in _SET_NAMES]
    return _consistent(path, [_examples(n, x, y, split) for n, (x, y) in zip(names, pairs)])


def _consistent(path, datasets):
    """Check the three sets against each other."""
    names = [f"{path} ({name} set)" for name in _SET_NAMES]
    (x_train, y_train), others = datasets[0], datasets[1:]
    known = np.unique(y_train)
    if len(known) < 2:
        raise DataError(path, "one label in the training set", "at least two")
    if known[-1] >= max(len(y_train), _MANY_LABELS):
        found = f"label {known[-1]} in the training set of {len(y_train)} examples"
        expected = "class numbers from 0 on, without large gaps"
        raise DataError(path, found, expected, "number the classes anew")
    for name, (x, y) in zip(names[1:], others):
        rows_alike(name + ", x", x.shape[1:], x_train.shape[1:], "the training set has")
        unseen = np.setdiff1d(y, known)
        if unseen.size:
            expected = "only labels that the training set has too"
            remedy = "take these examples out, or add some to the training set"
            raise DataError(name + ", y", f"label {unseen[0]}", expected, remedy)
    return tuple(datasets)


def _examples(where, x, y, split):
    """Check one set, and scale its pixels to [0, 1]."""
    x = real_numbers(where + ", x", _bounded(where + ", x", x))
    shape = x.shape[1:]
    x = inputs(where + ", x", x)
    y = labels(where + ", y", _bounded(where + ", y", y))
    as_many(where, len(x), len(y))
    scale = 256 if x.dtype.kind in "iu" else 1
    low, high, most = x.min(), x.max(), 255 if scale == 256 else 1
    if low < 0 or high > most:
        expected = "whole-number pixels from 0 to 255" if scale == 256 else "pixels from 0 to 1"
        raise DataError(where + ", x", f"pixels from {low:g} to {high:g}", expected, "rescale x")
    if x.dtype.kind != "f" or x.dtype.itemsize < 4:
        x = x.astype(np.float32)
    if scale == 256:
        x /= np.float32(256)  # in place: a large set is there twice already
    return Examples(x, y, Description.of_rows(shape, scale=scale, split=split))


def _bounded(where, values):
    """Refuse nested lists of other things than numbers, of which numpy makes huge arrays."""
    if isinstance(values, np.ndarray):
        return values
    count, todo = 0, [values]
    while todo:
        value = todo.pop()
        if isinstance(value, (tuple, list)):
            todo.extend(value)
        elif isinstance(value, (int, float, np.number, np.ndarray)):
            count += np.size(value)
        else:  # one text of a megabyte makes every item next to it that large
            count = MAX_BYTES
    if 8 * count > 4 * MAX_BYTES:
        raise DataError(where, _kind(values), "numbers")
    return values


def _check_mnist(path, datasets):
    """Refuse other images under MNIST's name (Fashion-MNIST uses the same file names)."""
    digest, found = hashlib.sha256(), None
    for x, y in datasets:
        scaled = x * np.float32(256)
        pixels = scaled.astype(np.uint8)
        if not np.array_equal(pixels, scaled):
            found = "pixels that are not multiples of 1/256"
        digest.update(pixels.tobytes())
        digest.update(y.astype(np.uint8).tobytes())
    if digest.hexdigest() != _MNIST_SHA256:
        remedy = f"delete it to fetch MNIST anew, or name it: --dataset {path}"
        raise DataError(path, found or "other images or labels than MNIST's", "MNIST", remedy)
