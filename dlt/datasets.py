"""Datasets: three (x, y) pairs of numpy arrays, whatever file they come from.

Source: page "Getting Started", sections "Datasets" and "MNIST Dataset".
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from typing import Any, Callable

import numpy as np

from dlt.arrays import as_bytes
from dlt.checks import as_many, inputs, labels
from dlt.errors import DataError, FetchError, SettingsError
from dlt.examples import Examples, OpenSet
from dlt.fetching import fetch_mnist, user_cache
from dlt.files.rows import pieces
from dlt.formats import IDX_NAMES, first_file, idx_files, pairs_of, recognise
from dlt.preparing import prepare
from dlt.progress import silent
from dlt.stored import is_stored, read_stored

#: Data sets known by name.
NAMES = ("mnist", "digits")

_PICKLE_NAMES = ("mnist.pkl.gz", "mnist.pkl")
_NPZ_NAME = "mnist.npz"
# SHA-256 of MNIST: of each set in turn, the pixels and then the labels, one byte each.
_MNIST_SHA256 = "c97a2c607853b499a01d274c02fa5de533f80f6f09404e77aa0e02ec99b4c1f5"
_PACKAGE = os.path.dirname(os.path.abspath(__file__))
# A clone has data/ beside the package; an installed package carries the digits within.
_DATA_FOLDERS = (os.path.join(os.path.dirname(_PACKAGE), "data"), os.path.join(_PACKAGE, "_data"))


def load_data(
    source: Any = "mnist", log: Callable[[str], object] = silent
) -> tuple[Examples, Examples, Examples]:
    """Load a data set.

    Parameters
    ----------
    source : str, os.PathLike or object
        - ``"mnist"``: looked for in the folder that the environment variable ``DLT_DATA`` names,
          or else in ``data/`` and in the user's cache; then fetched;
        - ``"digits"``: comes with `dlt`;
        - a file or folder in one of the forms of `dlt.formats`: an npz, CSV or pickle file, a
          folder of ``.npy`` files, of MNIST's IDX files, or of pictures;
        - a folder that `dlt.save_data` wrote;
        - a pair of arrays (x, y), two or three such pairs, or a frame of pandas.
    log : callable, optional
        Takes a line of text before anything slow, such as `print`.

    Returns
    -------
    train_set, valid_set, test_set : Examples
        Each unpacks as ``x, y``. x : float32 or float64, shape (N, D), values in [0, 1];
        y : int64, shape (N,), labels 0..L-1, whose names are ``train_set.description.labels``.
        Whole numbers from 0 to 255 are divided by 256, as in the page's file, unless all are 0 or
        1. A source without a validation set, or without a test set too, gives up a sixth of its
        training examples for each; see `dlt.splitting`.

    Raises
    ------
    DataError
        The source is missing or broken, or has x and y of different lengths, values outside
        [0, 1] and 0..255 or not finite, or labels that are fractional or not in the training set.
    FetchError
        MNIST is not here, and no mirror works.

    Notes
    -----
    A file may hold `dlt.files.reading.MAX_BYTES` (1 GiB), unless its rows are read where they
    lie. As float32, bytes take four times as much: 6 GiB of memory in all.

    Examples
    --------
    >>> train_set, valid_set, test_set = load_data("digits")
    >>> train_set[0].shape, train_set[1][:5].tolist()
    ((1200, 784), [0, 1, 2, 3, 4])
    >>> train_set, valid_set, test_set = load_data((np.eye(12), ["ham", "spam"] * 6))
    >>> train_set.y.tolist(), train_set.description.labels
    ([1, 0, 1, 0, 0, 1, 0, 1], ('ham', 'spam'))
    """
    return tuple(_loaded(open_sets(source, log=log, whole=True)))


def open_sets(
    source: Any, verify: bool = False, log: Callable[[str], object] = silent, whole: bool = False
) -> list[OpenSet]:
    """Find a training, a validation and a test set, whose rows stay where they are.

    Parameters
    ----------
    source : str, os.PathLike or object
        As `load_data` takes it.
    verify : bool
        Compare a stored data set with its checksums.
    log : callable, optional
        See `load_data`.
    whole : bool
        Read what has to be split into memory first: once, and not for each set.

    Raises
    ------
    DataError, FetchError
        See `load_data`.
    """
    if not isinstance(source, (str, os.PathLike)):
        return prepare("data", pairs_of("data", source))
    if source == "digits":
        return _open_path(_find_digits())
    if source != "mnist":
        return _open_path(os.path.expanduser(os.fspath(source)), verify, log, whole)
    path = os.fspath(find_mnist() or fetch_mnist(log=log))
    log(f"loading MNIST from {path} ...")
    sets = _open_path(path, whole=whole)
    _check_mnist(path, sets)
    return sets


def _open_path(path, verify=False, log=silent, whole=False):
    if not os.path.exists(path):
        expected = f"a data set, or one of the names {', '.join(NAMES)}"
        raise DataError(path, "no such file or folder", expected, "check the path")
    if is_stored(path):
        sets = read_stored(path, verify, log)
        if whole:
            _check_memory(path, [part.x for part in sets])
        return sets
    if verify:
        raise DataError(path, "no dataset.json to verify it by", "a folder as convert.py writes it")
    if os.path.isdir(path) and not any(idx_files(path)):
        path = _mnist_in(path) or path
    pairs = recognise(path).read(path)
    if whole:
        _check_memory(path, [x for x, _ in pairs])
        pairs = [(x[:] if hasattr(x, "path") else x, y) for x, y in pairs]
    return prepare(path, pairs)


def _check_memory(path, xs):
    """Check that inputs which are still in files fit into memory."""
    shapes = [x.shape for x in xs if getattr(x, "path", None)]
    needed, there = 2 * sum(4 * math.prod(shape) for shape in shapes), available_memory()
    if there is not None and needed > there:
        found = f"data that takes {needed >> 20} MB in memory"
        remedy = "convert it, and read it in chunks: --max-memory 512MB, or dlt.open_data"
        raise DataError(path, found, f"at most {there >> 20} MB, which are free", remedy)


def _loaded(sets):
    """Yield data sets in memory."""
    for part in sets:
        x, y = part.x[:], part.y[:]
        path = getattr(part.x, "path", None) or "data"
        if x.dtype.kind != "f" or x.dtype.itemsize < 4:
            scale = part.description.scale if x.dtype == np.uint8 else 1
            x = x.astype(np.float32)
            if scale == 256:
                x /= np.float32(256)  # in place: a large set is there twice already
        as_many(path, len(x), len(y))
        y = labels(getattr(part.y, "path", None) or path, y)
        yield Examples(inputs(path, x), y, part.description)


def named_source(text: str) -> str:
    """Return the name or path of a data set that a user gave, with ``~`` expanded.

    Raises
    ------
    SettingsError
        It is a name that `dlt` knows, and a file or folder here has it too.
    """
    if text in NAMES and os.path.lexists(text):
        found = f"{text!r}, a data set that dlt knows, and a file or folder here of that name"
        remedy = f"write {os.path.join(os.curdir, text)} for the one here, or rename that"
        raise SettingsError("dataset", found, "one of them", remedy)
    return os.path.expanduser(text)


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
        ``DLT_DATA`` names a folder that is not there, or without MNIST.
    """
    named = os.environ.get("DLT_DATA")
    if not named:
        return next(filter(None, map(_mnist_in, [_DATA_FOLDERS[0], os.fspath(user_cache())])), None)
    folder = os.path.expanduser(named)
    path = _mnist_in(folder)
    if path is None:
        here = [name for name, file in zip(IDX_NAMES, idx_files(folder)) if file is None]
        lack = ", ".join(here) if len(here) < len(IDX_NAMES) else "MNIST"
        found = f"{named!r}, " + (
            f"without {lack}" if os.path.isdir(folder) else "which is no folder"
        )
        raise SettingsError("DLT_DATA", found, "the folder with MNIST", "correct it or unset it")
    return path


def _mnist_in(folder):
    pickled = first_file(folder, _PICKLE_NAMES)
    if pickled is None and all(idx_files(folder)):
        return folder
    return pickled or first_file(folder, [_NPZ_NAME])


def _find_digits():
    paths = [os.path.join(folder, "digits.pkl.gz") for folder in _DATA_FOLDERS]
    return next(filter(os.path.isfile, paths), paths[0])


def available_memory():
    """Return how many bytes of memory are free or can be freed; None where that is unknown."""
    with contextlib.suppress(OSError, ValueError, StopIteration), open("/proc/meminfo") as file:
        line = next(line for line in file if line.startswith("MemAvailable:"))
        return 1024 * int(line.split()[1])
    return None


def _check_mnist(path, sets):
    """Refuse other images under MNIST's name (Fashion-MNIST uses the same file names)."""
    digest, found = hashlib.sha256(), None
    for part in sets:
        for piece in pieces(part.x):
            pixels = piece if piece.dtype == np.uint8 else as_bytes(piece)
            if pixels is None:
                found = "pixels that are not multiples of 1/256"
                break
            digest.update(pixels.tobytes())
        digest.update(part.y.astype(np.uint8).tobytes())
    if digest.hexdigest() != _MNIST_SHA256:
        found = found or "other images or labels than MNIST's"
        remedy = f"to use them, name the place: --dataset {path}"
        raise DataError(path, found, "MNIST", remedy)
