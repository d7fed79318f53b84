"""Describing data: its scale, its labels, and how its pictures look.

Everything is derived from the values of all sets together, not from their types.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Sequence

import numpy as np

from dlt.arrays import as_bytes
from dlt.checks import finite, is_one_hot, real_numbers, unmasked
from dlt.errors import DataError, one_line
from dlt.examples import Description
from dlt.files.rows import pieces

# A sample has 20 runs of 25 consecutive rows, evenly spread: runs are fast to read from a file.
_RUNS, _RUN = 20, 25
_LONGEST_LABEL = 200  # characters
_RANGES = "values from 0 to 1, or whole numbers from 0 to 255"


class Survey(NamedTuple):
    """Facts about the inputs of one set.

    Fields
    ------
    low, high : float
        The range of the values. For bytes it is 0 to 255 if any is above 1.
    whole : bool
        Whether all values are whole numbers.
    sample : ndarray, shape (n, ...)
        Some rows.
    """

    low: float
    high: float
    whole: bool
    sample: np.ndarray


def survey(name: str, x: Any) -> Survey:
    """Find the range of inputs, in one pass.

    Parameters
    ----------
    name : str
        The name of the inputs in messages.
    x : ndarray, or object with ``shape``, ``dtype`` and slices

    Raises
    ------
    DataError
        A value is not finite.

    Examples
    --------
    >>> survey("x", np.asarray([[0.0, 3.0]]))[:3]
    (0.0, 3.0, True)
    """
    low, high, whole, first = math.inf, -math.inf, True, 0
    for piece in pieces(x):
        finite(name, piece, first)
        low, high = min(low, float(piece.min())), max(high, float(piece.max()))
        whole = whole and (piece.dtype.kind in "biu" or np.array_equal(piece, np.rint(piece)))
        first += len(piece)
        if x.dtype == np.uint8 and high > 1:  # no need to read the rest
            low, high = 0, 255
            break
    return Survey(low, high, whole, sample(x))


def sample(x: Any) -> np.ndarray:
    """Return up to 500 rows, evenly spread over the inputs."""
    n = x.shape[0]
    if n <= _RUNS * _RUN:
        return x[0:n]
    starts = np.linspace(0, n - _RUN, _RUNS).astype(int).tolist()
    return np.concatenate([x[start : start + _RUN] for start in starts])


def scale_of(surveys: dict[str, Survey]) -> int:
    """Return 256 if the values of all sets are bytes, or bytes divided by 256; else 1.

    Whole numbers up to 255, one of them above 1, are bytes. Numbers from 0 to 1 are taken as they
    are.

    Parameters
    ----------
    surveys : dict of str to Survey
        The training set first. The keys are the names of the sets in messages.

    Raises
    ------
    DataError
        Values are out of range, or a set is not on the same scale as the first one.

    Examples
    --------
    >>> binary, pixels = np.asarray([[0, 1]]), np.asarray([[0, 200]])
    >>> scale_of({"x": survey("x", binary)}), scale_of({"x": survey("x", pixels)})
    (1, 256)
    """
    kinds = {name: _kind(name, found) for name, found in surveys.items()}
    first = next(filter(None, kinds.values()), "up to 1")
    for name, kind in kinds.items():
        if kind not in (first, None):
            expected = f"values {first}, as the training set has"
            remedy = "bring all sets to one scale: divide whole numbers up to 255 by 256"
            raise DataError(name, f"values {kind}", expected, remedy)
    if first == "up to 255":
        return 256
    lit = [found.sample for found in surveys.values() if found.high > 0]
    return 256 if lit and all(as_bytes(part) is not None for part in lit) else 1


def _kind(name, found):
    """Return the range of a set as a phrase, or None if all values are 0, which fits any scale."""
    if found.low >= 0 and found.high <= 1:
        return "up to 1" if found.high > 0 else None
    if found.low >= 0 and found.high <= 255 and found.whole:
        return "up to 255"
    kind = "whole numbers" if found.whole else "values"
    remedy = (
        "rescale all sets alike: x = (x - low) / (high - low), with low and high of the "
        "training set"
    )
    raise DataError(name, f"{kind} from {found.low:g} to {found.high:g}", _RANGES, remedy)


def describe(
    x: Any, scale: int | None = None, labels: tuple[str, ...] | None = None, split=None
) -> Description:
    """Describe inputs: whether they are pictures, and how the pictures look.

    Parameters
    ----------
    x : ndarray, or object with ``shape``, ``dtype`` and slices
        Values of any range.
    scale, labels, split
        See `dlt.examples.Description`.

    Examples
    --------
    >>> describe(np.ones((2, 64))).height
    8
    """
    found = Description.of_rows(x.shape[1:])._replace(scale=scale, labels=labels, split=split)
    if not found.height or not found.width or x.shape[0] == 0 or x.dtype.kind not in "biuf":
        return found
    pictures = sample(x).reshape(-1, found.height, found.width).astype(np.float64)
    with np.errstate(all="ignore"):  # numbers of any size
        return found._replace(ground=ground_of(pictures), centred=is_centred(pictures))


def ground_of(pictures: np.ndarray) -> str:
    """Return "dark" or "light", for the ground of pictures: the median of their borders.

    Parameters
    ----------
    pictures : ndarray, float, shape (n, height, width)
        Values of any range. Those above its middle are light.

    Examples
    --------
    >>> picture = np.zeros((1, 4, 4))
    >>> picture[0, 1, 1] = 1
    >>> ground_of(picture), ground_of(1 - picture)
    ('dark', 'light')
    """
    middle = (float(pictures.min()) + float(pictures.max())) / 2
    return "light" if np.median(_borders(pictures)) > middle else "dark"


def is_centred(pictures: np.ndarray) -> bool:
    """Return whether pictures are scaled and centred in a margin, as MNIST's are.

    That means: the pictures are square, and in nine tenths of them the longest side of the ink is
    20/28 of the picture's side (up to a pixel), and its centre of mass is within 2/28 of the
    middle.

    Parameters
    ----------
    pictures : ndarray, float, shape (n, height, width)

    Examples
    --------
    >>> picture = np.zeros((1, 28, 28))
    >>> picture[0, 4:24, 12:16] = 1
    >>> is_centred(picture), is_centred(np.roll(picture, 5, axis=2))
    (True, False)
    """
    side = pictures.shape[1]
    if pictures.shape[2] != side:
        return False
    ink = np.abs(pictures - np.median(_borders(pictures)))
    ink = np.where(ink > 0.1 * ink.max(), ink, 0)
    ink = ink[ink.any(axis=(1, 2))]
    if not len(ink):
        return False
    down, across = ink.sum(axis=2), ink.sum(axis=1)  # (n, side)
    longest = np.maximum(_length(down > 0), _length(across > 0))
    fits = np.abs(longest - side * 20 / 28) <= 1
    middle = (side - 1) / 2
    for line in (down, across):
        centre = line @ np.arange(side) / line.sum(axis=1)
        fits &= np.abs(centre - middle) <= side * 2 / 28
    return bool(fits.mean() >= 0.9)


def _borders(pictures):
    sides = pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1]
    return np.concatenate(sides, axis=1)


def _length(marked):
    """Return the distance from the first to the last mark in each row."""
    return marked.shape[1] - marked[:, ::-1].argmax(axis=1) - marked.argmax(axis=1)


def class_labels(name: str, y: Any) -> np.ndarray:
    """Return labels as a vector of whole numbers, booleans or text.

    One-hot rows become numbers, and so does text if all of it consists of whole numbers.

    Parameters
    ----------
    name : str
        The name of the labels in messages.
    y : array, shape (N,), (N, 1) or (N, L)

    Raises
    ------
    DataError
        A label is missing, fractional, not finite, or too long; or the shape is wrong.

    Examples
    --------
    >>> class_labels("y", [[0, 1], [1, 0]]).tolist(), class_labels("y", ["b", "a"]).tolist()
    ([1, 0], ['b', 'a'])
    """
    y = _text_or_numbers(name, y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if is_one_hot(y):
        y = y.argmax(axis=1)
    if y.size == 0:
        raise DataError(name, "no labels", "one for each example")
    if y.ndim != 1:
        found = f"an array of shape {y.shape}"
        raise DataError(name, found, "one label for each example, shape (N,)")
    if y.dtype.kind == "f":
        whole = np.round(y.astype(np.float64))
        bad = ~((whole == y) & (np.abs(whole) < 2**53))  # including NaN
        if bad.any():
            row = int(bad.argmax())
            found = f"label {y[row]} in row {row}"
            raise DataError(name, found, "whole numbers or text, one label for each class")
        y = whole.astype(np.int64)
    return _numbers_in_text(name, y) if y.dtype.kind == "U" else y


def _text_or_numbers(name, y):
    """Return labels as an array of text or of numbers."""
    if hasattr(y, "to_numpy"):
        y = y.to_numpy()
    unmasked(name, y)
    if isinstance(y, np.ndarray) and y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    items = y.ravel().tolist() if isinstance(y, np.ndarray) and y.dtype.kind in "OU" else y
    if isinstance(items, (list, tuple)) and all(isinstance(item, str) for item in items):
        longest = max(map(len, items), default=0)
        if longest > _LONGEST_LABEL:
            found = f"a label of {longest} characters"
            raise DataError(name, found, f"at most {_LONGEST_LABEL}")
        return np.asarray(y, "U")
    return real_numbers(name, y)


def _numbers_in_text(name, y):
    texts = np.char.strip(y)
    missing = texts == ""
    if missing.any():
        found = f"no label in row {int(missing.argmax())}"
        raise DataError(name, found, "a label for each example", "label it, or leave it out")
    try:
        values = texts.astype(np.float64)
    except ValueError:
        return y
    if not np.all(np.abs(values) < 2**53) or (values != np.round(values)).any():
        return y
    numbers = values.astype(np.int64)
    # 3 and 3.0 are numbers, but 03 is a name.
    as_written = (numbers.astype("U") == texts) | (np.char.find(texts, ".") >= 0)
    return numbers if as_written.all() else y


def numbered(
    names: Sequence[str], ys: Sequence[np.ndarray]
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Return the names of the labels in the first set, in order, and all labels as 0..L-1.

    Parameters
    ----------
    names : sequence of str
        The names of the sets in messages.
    ys : sequence of ndarray, shape (N,)
        Results of `class_labels`, the training set first.

    Raises
    ------
    DataError
        The first set has a single label, or fewer than two examples for each label on average;
        or another set has a label that the first one lacks.

    Examples
    --------
    >>> numbered(["train", "test"], [np.asarray([8, 3, 8, 3]), np.asarray([3])])
    (('3', '8'), [array([1, 0, 1, 0]), array([0])])
    """
    known, first = np.unique(ys[0], return_inverse=True)
    if len(known) < 2:
        raise DataError(names[0], f"one label, {known[0]}", "at least two")
    if 2 * len(known) > len(ys[0]):
        found = f"{len(known)} labels in {len(ys[0])} examples"
        raise DataError(names[0], found, "classes with several examples each", "are these labels?")
    numbers = [first.reshape(-1).astype(np.int64)]
    for name, y in zip(names[1:], ys[1:]):
        if (y.dtype.kind == "U") != (known.dtype.kind == "U"):
            raise DataError(name + ", y", f"label {y[0]}", "labels like those of the training set")
        unseen = ~np.isin(y, known)
        if unseen.any():
            row = int(unseen.argmax())
            expected = "only labels that the training set has too"
            remedy = "training needs examples of it"
            raise DataError(name + ", y", f"label {y[row]} in row {row}", expected, remedy)
        numbers.append(np.searchsorted(known, y).astype(np.int64))
    return tuple(map(str, known.tolist())), numbers


def in_long_runs(y: np.ndarray) -> bool:
    """Return whether equal labels follow each other far more often than in random order.

    Examples
    --------
    >>> in_long_runs(np.asarray([0, 1] * 50)), in_long_runs(np.repeat([0, 1], 50))
    (False, True)
    """
    shares = np.unique(y, return_counts=True)[1] / len(y)
    expected = (len(y) - 1) * (1 - (shares**2).sum())
    return bool(np.count_nonzero(y[1:] != y[:-1]) < expected / 2)


def names_in_words(description: Description) -> str:
    """Return a line with the names of the labels, ten at most.

    Examples
    --------
    >>> names_in_words(Description(labels=("3", "8")))
    '2 labels: 3, 8'
    """
    names = description.labels or ()
    shown = names if len(names) <= 10 else (*names[:8], "...", names[-1])
    return one_line(f"{len(names)} labels: {', '.join(shown)}")


def in_words(description: Description) -> str:
    """Return a line that describes a data set, without the names of its labels.

    Examples
    --------
    >>> import dlt
    >>> in_words(dlt.load_data("digits")[0].description)
    "28 x 28 pictures, centred on a dark ground; bytes divided by 256; the file's own sets"
    """
    height, width, ground = description.height, description.width, description.ground
    placed = "centred " if description.centred else ""
    pictures = f"{height} x {width} pictures, {placed}on a {ground} ground" if height else None
    scales = {1: "values from 0 to 1, unchanged", 256: "bytes divided by 256"}
    scale = scales.get(description.scale or 0)
    return one_line("; ".join(filter(None, [pictures, scale, description.split])))
