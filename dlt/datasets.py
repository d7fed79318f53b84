"""Datasets: three (x, y) pairs of numpy arrays, from any source.

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

# SHA-256 of MNIST: the pixels and then the labels of each set in turn, one byte each.
_MNIST_SHA256 = "c97a2c607853b499a01d274c02fa5de533f80f6f09404e77aa0e02ec99b4c1f5"
_PACKAGE = os.path.dirname(os.path.abspath(__file__))
# A clone has data/ beside the package; an installed package has the digits inside.
_DATA_FOLDERS = (os.path.join(os.path.dirname(_PACKAGE), "data"), os.path.join(_PACKAGE, "_data"))


def load_data(
    source: Any = "mnist", log: Callable[[str], object] = silent
) -> tuple[Examples, Examples, Examples]:
    """Load a data set.

    Parameters
    ----------
    source : str, os.PathLike or object
        - ``"mnist"``: in the folder that the environment variable ``DLT_DATA`` names; if it is not
          set, in ``data/`` or the user's cache, or else downloaded;
        - ``"digits"``: comes with `dlt`;
        - a file or folder in a format of `dlt.formats`: an npz, CSV or pickle file, or a folder of
          ``.npy`` files, of MNIST's IDX files, or of pictures;
        - a folder that `dlt.save_data` wrote;
        - a pair of arrays (x, y), two or three such pairs, or a pandas frame.
    log : callable, optional
        Takes a line of text before anything slow, such as `print`.

    Returns
    -------
    train_set, valid_set, test_set : Examples
        Each unpacks as ``x, y``. x : float32 or float64, shape (N, D), values in [0, 1];
        y : int64, shape (N,), labels 0..L-1, with the names ``train_set.description.labels``.
        Whole numbers from 0 to 255 are divided by 256, as in the page's file, unless all are 0 or
        1. If the source has no validation set, or no test set either, a sixth of its training
        examples goes into each; see `dlt.splitting`.

    Raises
    ------
    DataError
        The source is missing or damaged. Or x and y have different lengths, values are not finite
        or out of range, or labels are fractional or do not occur in the training set.
    FetchError
        MNIST is not here, and no mirror works.

    Notes
    -----
    A file may hold `dlt.files.reading.MAX_BYTES` (1 GiB), unless `dlt` reads its rows on demand. As
    float32, bytes take four times as much memory, 6 GiB in all.

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
    """Open a training, a validation and a test set; leave rows in their files if possible.

    Parameters
    ----------
    source : str, os.PathLike or object
        As `load_data` takes it.
    verify : bool
        Compare a stored data set with its checksums.
    log : callable, optional
        See `load_data`.
    whole : bool
        Read a file into memory at once, rather than anew for each set that is split off.

    Raises
    ------
    DataError, FetchError
        See `load_data`.
    """
    if not isinstance(source, (str, os.PathLike)):
        return prepare("data", pairs_of("data", source))
    if source == "digits":
        source = _find_digits()
    if source != "mnist":
        return _open_path(os.path.expanduser(os.fspath(source)), verify, log, whole)
    path = os.fspath(find_mnist() or fetch_mnist(log=log))
    log(f"loading MNIST from {path} ...")
    sets = _open_path(path, False, log, whole)  # verified below in any case
    _check_mnist(path, sets)
    return sets


def _open_path(path, verify, log, whole):
    if not os.path.exists(path):
        expected = f"a data set, or one of the names {', '.join(NAMES)}"
        raise DataError(path, "no such file or folder", expected, "check the path")
    if is_stored(path):
        sets = read_stored(path, verify, log)
        if whole:
            _check_memory(path, [part.x for part in sets])
        return sets
    if verify:
        raise DataError(path, "no dataset.json with checksums", "a folder that convert.py wrote")
    if os.path.isdir(path) and not any(idx_files(path)):
        path = _mnist_in(path) or path
    pairs = recognise(path).read(path)
    if whole:
        _check_memory(path, [x for x, _ in pairs])
        pairs = [(x[:] if hasattr(x, "path") else x, y) for x, y in pairs]
    return prepare(path, pairs)


def _check_memory(path, xs):
    """Raise a DataError if inputs that are still in files do not fit into memory."""
    shapes = [x.shape for x in xs if getattr(x, "path", None)]
    needed, there = 2 * sum(4 * math.prod(shape) for shape in shapes), available_memory()
    if there is not None and needed > there:
        found = f"data that takes {needed >> 20} MB in memory"
        remedy = "convert it, and read it in chunks: --max-memory 512MB, or dlt.open_data"
        raise DataError(path, found, f"at most {there >> 20} MB, the free memory", remedy)


def _loaded(sets):
    """Yield data sets in memory."""
    for part in sets:
        path = getattr(part.x, "path", None) or "data"
        as_they_are = part.x.dtype.kind == "f" and part.x.dtype.itemsize >= 4
        x = inputs(path, part.x[:], dtype=None if as_they_are else "float32")
        if part.x.dtype == np.uint8 and part.description.scale == 256:
            x /= np.float32(256)  # in place, to save memory
        as_many(path, len(x), len(part.y))
        y = labels(getattr(part.y, "path", None) or path, part.y[:])
        yield Examples(x, y, part.description)


def named_source(text: str) -> str:
    """Return the name or path of a data set that a user typed, with ``~`` expanded.

    Raises
    ------
    SettingsError
        `dlt` knows a data set of this name, and a file or folder here has the same name.
    """
    if text in NAMES and os.path.lexists(text):
        found = f"{text!r}, which is a data set of dlt, and also a file or folder here"
        remedy = f"write {os.path.join(os.curdir, text)} for the one here, or rename it"
        raise SettingsError("dataset", found, "one of them", remedy)
    return os.path.expanduser(text)


def choose_dataset(log: Callable[[str], object] = silent) -> str:
    """Return "mnist" if it is here or can be fetched, else "digits".

    Parameters
    ----------
    log : callable, optional
        Takes a line of text with the reason for "digits", such as `print`.
    """
    if find_mnist() is None:
        try:
            fetch_mnist(log=log)
        except (FetchError, SettingsError) as error:  # no network, or no folder to write to
            log(f"training on the embedded digits: {error}")
            return "digits"
    return "mnist"


def find_mnist() -> str | None:
    """Look for MNIST in the places where `load_data` does, without fetching it.

    Returns
    -------
    str or None
        The pickle, the ``.npz``, or the folder with the four IDX files.

    Raises
    ------
    SettingsError
        ``DLT_DATA`` names a folder that does not exist, or does not have MNIST.
    """
    named = os.environ.get("DLT_DATA")
    if not named:
        return next(filter(None, map(_mnist_in, [_DATA_FOLDERS[0], os.fspath(user_cache())])), None)
    folder = os.path.expanduser(named)
    path = _mnist_in(folder)
    if path is None:
        lacking = [name for name, file in zip(IDX_NAMES, idx_files(folder)) if file is None]
        found = f"without {', '.join(lacking) if len(lacking) < len(IDX_NAMES) else 'MNIST'}"
        if not os.path.isdir(folder):
            found = "which is not a folder"
        remedy = "correct it or unset it"
        raise SettingsError("DLT_DATA", f"{named!r}, {found}", "the folder with MNIST", remedy)
    return path


def _mnist_in(folder):
    idx_folder = folder if all(idx_files(folder)) else None
    pickled = first_file(folder, ["mnist.pkl.gz", "mnist.pkl"])
    return pickled or idx_folder or first_file(folder, ["mnist.npz"])


def _find_digits():
    paths = [os.path.join(folder, "digits.pkl.gz") for folder in _DATA_FOLDERS]
    return next(filter(os.path.isfile, paths), paths[0])


def available_memory():
    """Return the bytes of memory that are free or can be freed, or None if that is unknown."""
    with contextlib.suppress(OSError, ValueError, StopIteration), open("/proc/meminfo") as file:
        line = next(line for line in file if line.startswith("MemAvailable:"))
        return 1024 * int(line.split()[1])
    return None


def _check_mnist(path, sets):
    """Raise a DataError for other images (Fashion-MNIST has files of the same names)."""
    digest, remedy = hashlib.sha256(), f"to use them, name the place: --dataset {path}"
    for part in sets:
        for piece in pieces(part.x):
            pixels = piece if piece.dtype == np.uint8 else as_bytes(piece)
            if pixels is None:
                raise DataError(path, "pixels that are not multiples of 1/256", "MNIST", remedy)
            digest.update(pixels.tobytes())
        digest.update(part.y.astype(np.uint8).tobytes())
    if digest.hexdigest() != _MNIST_SHA256:
        raise DataError(path, "other images or labels than MNIST's", "MNIST", remedy)
