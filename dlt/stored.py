"""Stored data sets: a folder of ``.npy`` files, and a description of them.

``train_x.npy``, ``train_y.npy``, and so on for ``valid`` and ``test``, lie beside
``dataset.json``, which has their shapes and types, the SHA-256 of their numbers, and what is known
besides. Pixels k/256 are stored as the bytes k.

Source: none on the page; page "Getting Started", section "Datasets", has the sets.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from typing import Callable

import numpy as np

from dlt.checks import finite, inputs, labels, pair, sequence
from dlt.errors import DataError, SettingsError, one_line
from dlt.examples import Description, Examples, OpenSet
from dlt.files.reading import check_format, open_capped
from dlt.files.rows import RowFile, pieces
from dlt.files.writing import check_name, temporary_in, unwritable, write_text
from dlt.fingerprint import compact
from dlt.progress import Progress, silent

#: The description's file.
DESCRIPTION_NAME = "dataset.json"

SETS = ("train", "valid", "test")

_OF_PART = ("shape", "dtype", "sha256")  # what is said of each array

_FORMAT = 1
_GROUNDS = (None, "dark", "light")
_LONGEST = 1 << 20  # of a description, in bytes
_PIECE = 1 << 22  # bytes
_EXPECTED = "a description as scripts/convert.py writes it"
_AGAIN = "convert the data again"


def is_stored(folder: str | os.PathLike) -> bool:
    """Return whether a folder holds a stored data set."""
    return os.path.isfile(os.path.join(folder, DESCRIPTION_NAME))


def save_data(folder: str | os.PathLike, datasets, progress: bool | None = None) -> None:
    """Store a training, a validation and a test set, whole or not at all.

    Parameters
    ----------
    folder : str or os.PathLike
        It must not exist yet, or be empty.
    datasets : three Examples, ChunkedDataSet or (x, y) of arrays
        As `dlt.load_data` or `dlt.open_data` returns them.
    progress : bool, optional
        Show a progress bar; by default only on a terminal and in a notebook.

    Raises
    ------
    SettingsError
        The folder cannot be written, or has files in it.
    DataError
        The sets, or what is known of them, could not be read back.

    Examples
    --------
    >>> import dlt, tempfile
    >>> folder = os.path.join(tempfile.mkdtemp(), "digits")
    >>> save_data(folder, dlt.load_data("digits"))
    >>> dlt.load_data(folder)[0].x.shape
    (1200, 784)
    """
    datasets = sequence("datasets", datasets)
    if len(datasets) != len(SETS):
        expected = "a training, a validation and a test set"
        raise SettingsError("datasets", f"{len(datasets)} of them", expected)
    folder = os.path.abspath(folder)
    if os.path.lexists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
        remedy = "name another, or remove it first"
        raise SettingsError(folder, "files there already", "a new folder", remedy)
    try:
        check_name(folder)
        unfinished = temporary_in(os.path.dirname(folder))
        os.makedirs(unfinished)
        try:
            _write(unfinished, [_as_rows(data_set) for data_set in datasets], progress)
            os.rename(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise unwritable(folder, error, "the data set") from error


def _as_rows(data_set):
    if hasattr(data_set, "rows"):
        return getattr(data_set, "flat", data_set)
    x, y = pair("datasets", data_set)
    return Examples(inputs("datasets, x", x), labels("datasets, y", y))


def _write(folder, datasets, progress):
    description = datasets[0].description or Description()
    described = {k: v for k, v in description._asdict().items() if k != "scale"}  # of each part
    _text(described, {})  # before anything slow
    parts, n = {}, sum(data_set.n_examples for data_set in datasets)
    with Progress(2 * n, "example", progress) as bar:
        for name, data_set in zip(SETS, datasets):
            form, store = compact(lambda d=data_set: _pieces(d, bar.advance), pixels=True)
            x = map(store, _pieces(data_set, bar.advance))
            parts[name + "_x"] = _write_part(folder, name + "_x", x, data_set.n_examples)
            parts[name + "_x"]["scale"] = 256 if form == "uint8/256" else 1
            y = [_compact_labels(data_set.targets)]
            parts[name + "_y"] = _write_part(folder, name + "_y", y, data_set.n_examples)
    write_text(os.path.join(folder, DESCRIPTION_NAME), _text(described, parts))


def _pieces(data_set, advance):
    """Yield the rows, some at a time; some sets are gone through more than twice."""
    n, row_bytes = data_set.n_examples, 8 * math.prod(data_set.row_shape)
    step = max(1, _PIECE // row_bytes)
    for i in range(0, n, step):
        x, _ = data_set.rows(i, min(i + step, n))
        finite("datasets, x", x, i)
        yield x
        advance(len(x))


def _compact_labels(y):
    finite("datasets, y", y)
    _, store = compact(lambda: [y])
    return store(y)


def _write_part(folder, name, parts, n):
    """Write an array of n rows, piece by piece, and return its description."""
    described, hashed = {}, hashlib.sha256()
    with open(os.path.join(folder, name + ".npy"), "wb") as file:
        for rows in parts:
            if not described:
                described = {"shape": [n, *rows.shape[1:]], "dtype": rows.dtype.str}
                header = {"descr": rows.dtype.str, "fortran_order": False}
                header["shape"] = (n, *rows.shape[1:])
                np.lib.format.write_array_header_1_0(file, header)
            stored = rows.reshape(-1).view(np.uint8)
            file.write(stored)
            hashed.update(stored)
        file.flush()
        os.fsync(file.fileno())
    return {**described, "sha256": hashed.hexdigest()}


def read_stored(
    folder: str | os.PathLike, verify: bool = False, log: Callable[[str], object] = silent
) -> list[OpenSet]:
    """Open the sets of a stored data set, and check that they fit their description.

    Parameters
    ----------
    folder : str or os.PathLike
    verify : bool
        Check the contents too: all is read once.
    log : callable, optional
        Takes a line of text before anything slow, such as `print`.

    Raises
    ------
    DataError
        The description or a part is missing, broken, or does not fit.
    """
    path = os.path.join(folder, DESCRIPTION_NAME)
    described = _described(path)
    known = Description(*(described.get(field) for field in Description._fields))
    sets = []
    for name in SETS:
        x, x_digest, scale = _part(folder, name + "_x", described["parts"], verify, log)
        y, y_digest, _ = _part(folder, name + "_y", described["parts"], verify, log)
        most = max((piece.max() for piece in pieces(y)), default=0)
        if known.labels and most >= len(known.labels):
            found = f"names for {len(known.labels)} labels, and a label {most} in {name}_y"
            raise DataError(path, found, "a name for each", _AGAIN)
        sets.append(OpenSet(x, y, known._replace(scale=scale), (x_digest, y_digest)))
    return sets


def _part(folder, name, parts, verify, log):
    """Return one array, its digest and its scale."""
    path, wanted = os.path.join(folder, name + ".npy"), parts.get(name)
    shape, dtype, digest = map((wanted if isinstance(wanted, dict) else {}).get, _OF_PART)
    whole = isinstance(shape, list) and all(isinstance(n, int) for n in shape)
    if not whole or not isinstance(dtype, str) or not isinstance(digest, str):
        described = os.path.join(folder, DESCRIPTION_NAME)
        raise DataError(described, f"no description of {name}", _EXPECTED, _AGAIN)
    rows, scale = RowFile(path), wanted.get("scale", 1)
    found = f"shape {list(rows.shape)}, type {rows.dtype.str}"
    expected = f"shape {shape}, type {dtype}"
    if found != expected or scale not in ((1, 256) if rows.dtype == np.uint8 else (1,)):
        raise DataError(path, found, f"{expected}, as {DESCRIPTION_NAME} says", _AGAIN)
    if verify:
        log(f"verifying {one_line(path)} ...")
        if _sha256(rows) != digest:
            raise DataError(path, "other contents", f"those of {DESCRIPTION_NAME}", _AGAIN)
    form = rows.dtype.name + ("/256" if scale == 256 else "")
    return rows, f"{form} {digest}", scale


def _text(described, parts):
    """Return the description as it is stored, and check that it can be read back."""
    try:
        text = json.dumps({"format": _FORMAT, **described, "parts": parts}, indent=1)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError("description", error, "what JSON can hold") from None
    if len(text) > _LONGEST:
        found = f"{len(text)} characters with the names of the labels"
        raise DataError("description", found, f"at most {_LONGEST}")
    _parsed("description", text.encode())
    return text


def _described(path):
    with open_capped(path, _LONGEST, _EXPECTED) as file:
        return _parsed(path, file.read(_LONGEST))


def _parsed(path, text):
    try:
        described = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise DataError(path, "a file that is not JSON", _EXPECTED, _AGAIN) from None
    if not isinstance(described, dict) or not isinstance(described.get("parts"), dict):
        raise DataError(path, "JSON that describes no data set", _EXPECTED, _AGAIN)
    check_format(path, "a data set", described.get("format"), _FORMAT)
    if described.get("format") != _FORMAT:
        found = f"format {described.get('format')!a:.40}"
        raise DataError(path, found, f"format {_FORMAT}", _AGAIN)
    names, split = described.get("labels"), described.get("split")
    described["labels"] = tuple(names) if isinstance(names, list) else None
    sides = described.get("height"), described.get("width")
    whole = all(side is None or (type(side) is int and side > 0) for side in sides)
    text_only = isinstance(names, (list, type(None))) and all(
        isinstance(name, str) for name in names or ()
    )
    looks = described.get("ground") in _GROUNDS and described.get("centred") in (None, True, False)
    if not whole or not text_only or not looks or not isinstance(split, (str, type(None))):
        found = "an invalid height, width, label, split, ground or margin"
        raise DataError(path, found, _EXPECTED, _AGAIN)
    return described


def _sha256(rows):
    hashed = hashlib.sha256()
    for piece in pieces(rows):
        hashed.update(piece.reshape(-1).view(np.uint8))
    return hashed.hexdigest()
