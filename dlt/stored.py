"""Stored data sets: a folder of ``.npy`` files with a description.

The files are ``train_x.npy``, ``train_y.npy``, the same for ``valid`` and ``test``, and
``dataset.json``, with the shape, the type and the SHA-256 of each array, and with the fields of
`dlt.examples.Description`. Pixels k/256 are stored as the bytes k.

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
from dlt.files.forms import fits, misfit, one_of, optional, parse
from dlt.files.reading import open_capped
from dlt.files.rows import RowFile, pieces
from dlt.files.writing import check_name, temporary_in, unwritable, write_text
from dlt.fingerprint import compact, sha256
from dlt.progress import Progress, silent

#: File name of the description.
DESCRIPTION_NAME = "dataset.json"

SETS = ("train", "valid", "test")

_FORMAT = 1
_SIDE = optional(lambda value: type(value) is int and value > 0)
_FORMS = {
    "height": _SIDE,
    "width": _SIDE,
    "labels": optional([str]),
    "split": optional(str),
    "ground": one_of(None, "dark", "light"),
    "centred": one_of(None, True, False),
    "parts": dict,
}
_PART = {"shape": [int], "dtype": str, "sha256": str}  # of each array
_LONGEST = 1 << 20  # bytes of a description
_PIECE = 1 << 22  # bytes read at a time
_AGAIN = "convert the data again"


def is_stored(folder: str | os.PathLike) -> bool:
    """Return whether a folder holds a stored data set."""
    return os.path.isfile(os.path.join(folder, DESCRIPTION_NAME))


def save_data(folder: str | os.PathLike, datasets, progress: bool | None = None) -> None:
    """Store a training, a validation and a test set, whole or not at all.

    Parameters
    ----------
    folder : str or os.PathLike
        It must be empty or not exist.
    datasets : three Examples, ChunkedDataSet or (x, y) of arrays
        As `dlt.load_data` or `dlt.open_data` returns them.
    progress : bool, optional
        Show a progress bar; by default only on a terminal and in a notebook.

    Raises
    ------
    SettingsError
        The folder cannot be written, or has files in it.
    DataError
        The sets or their description could not be read back.

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
        if not data_set.n_examples:
            raise DataError("datasets", "a set without examples", "one or more")
        return getattr(data_set, "flat", data_set)
    x, y = pair("datasets", data_set)
    return Examples(inputs("datasets, x", x), labels("datasets, y", y))


def _write(folder, datasets, progress):
    description = datasets[0].description or Description()
    described = {k: v for k, v in description._asdict().items() if k != "scale"}  # x has its own
    _text(described, {})  # before anything slow
    parts, total = {}, sum(data_set.n_examples for data_set in datasets)
    with Progress(2 * total, "example", progress) as bar:
        for name, data_set in zip(SETS, datasets):
            y, n = data_set.targets, data_set.n_examples
            finite("datasets, y", y)
            form, x_part = _write_part(
                folder, name + "_x", n, lambda d=data_set: _pieces(d, bar.advance), pixels=True
            )
            parts[name + "_x"] = {**x_part, "scale": 256 if form == "uint8/256" else 1}
            _, parts[name + "_y"] = _write_part(folder, name + "_y", n, lambda y=y: [y])
    write_text(os.path.join(folder, DESCRIPTION_NAME), _text(described, parts))


def _pieces(data_set, advance):
    """Yield the rows, some at a time, and advance a progress bar."""
    n, row_bytes = data_set.n_examples, 8 * math.prod(data_set.row_shape)
    step = max(1, _PIECE // row_bytes)
    for i in range(0, n, step):
        x, _ = data_set.rows(i, min(i + step, n))
        finite("datasets, x", x, i)
        yield x
        advance(len(x))


def _write_part(folder, name, n, pieces, pixels=False):
    """Write an array of n rows, piece by piece; return its compact form and its description."""
    form, store = compact(pieces, pixels)
    hashed = hashlib.sha256()
    with open(os.path.join(folder, name + ".npy"), "wb") as file:
        for rows in map(store, pieces()):
            shape, dtype = (n, *rows.shape[1:]), rows.dtype.str
            if not file.tell():
                header = {"descr": dtype, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            stored = rows.reshape(-1).view(np.uint8)
            file.write(stored)
            hashed.update(stored)
        file.flush()
        os.fsync(file.fileno())
    return form, {"shape": list(shape), "dtype": dtype, "sha256": hashed.hexdigest()}


def read_stored(
    folder: str | os.PathLike, verify: bool = False, log: Callable[[str], object] = silent
) -> list[OpenSet]:
    """Open the three sets of a stored data set, and check them against their description.

    Parameters
    ----------
    folder : str or os.PathLike
    verify : bool
        Check the contents, too, for which everything is read once.
    log : callable, optional
        Takes a line of text before anything slow, such as `print`.

    Raises
    ------
    DataError
        A file is missing or broken, or does not fit the description.
    """
    path = os.path.join(folder, DESCRIPTION_NAME)
    with open_capped(path, _LONGEST, "the description of a data set") as file:
        described = _parsed(path, file.read())
    known = Description(*(described.get(field) for field in Description._fields))
    if known.labels is not None:
        known = known._replace(labels=tuple(known.labels))
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
    """Return an array, its digest and its scale."""
    path, part = os.path.join(folder, name + ".npy"), parts.get(name)
    if not fits(part, dict) or misfit(part, _PART):
        described = os.path.join(folder, DESCRIPTION_NAME)
        expected = "its shape, dtype and sha256"
        raise DataError(described, f"no description of {name}", expected, _AGAIN)
    rows, scale = RowFile(path), part.get("scale", 1)
    found = f"shape {list(rows.shape)}, type {rows.dtype.str}"
    expected = f"shape {part['shape']}, type {part['dtype']}"
    if found != expected or scale not in ((1, 256) if rows.dtype == np.uint8 else (1,)):
        raise DataError(path, found, f"{expected}, as {DESCRIPTION_NAME} says", _AGAIN)
    if verify:
        log(f"verifying {one_line(path)} ...")
        if sha256(pieces(rows)) != part["sha256"]:
            raise DataError(path, "other contents", f"those of {DESCRIPTION_NAME}", _AGAIN)
    form = rows.dtype.name + ("/256" if scale == 256 else "")
    return rows, f"{form} {part['sha256']}", scale


def _text(described, parts):
    """Return the description as text, and check that it can be read back."""
    try:
        text = json.dumps({"format": _FORMAT, **described, "parts": parts}, indent=1)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError("description", error, "what JSON can hold") from None
    if len(text) > _LONGEST:
        found = f"{len(text)} characters with the names of the labels"
        raise DataError("description", found, f"at most {_LONGEST}")
    _parsed("description", text.encode())
    return text


def _parsed(path, text):
    return parse(path, text, "a data set", _FORMAT, _FORMS, _AGAIN)
