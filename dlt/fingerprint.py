"""Fingerprints: two data sets with the same one hold the same numbers.

A fingerprint does not depend on how the numbers are stored: pixels k/256 in a float array and as
the bytes k have the same one.
"""

from __future__ import annotations

import hashlib
from typing import Callable, Iterable

import numpy as np

from dlt.arrays import as_bytes
from dlt.errors import DataError

_LONG = 1 << 53  # up to here float64 holds every whole number


def fingerprint(x: str, y: str) -> str:
    """Return the fingerprint of a data set whose inputs and labels have these digests."""
    return hashlib.sha256(f"{x}; {y}".encode("ascii")).hexdigest()


def digest(pieces: Callable[[], Iterable[np.ndarray]], pixels: bool = False) -> str:
    """Return the smallest type that holds the rows of an array, and the SHA-256 of their bytes.

    Parameters
    ----------
    pieces : callable
        Returns the rows, some at a time. It is called more than once.
    pixels : bool
        Whether numbers k/256 count as bytes.

    Examples
    --------
    >>> digest(lambda: [np.asarray([[0.0, 0.5]])], pixels=True)[:13]
    'uint8/256 085'
    """
    name, store = compact(pieces, pixels)
    hashed = hashlib.sha256()
    for piece in pieces():
        hashed.update(store(piece).reshape(-1).view(np.uint8))
    return f"{name} {hashed.hexdigest()}"


def compact(pieces: Callable[[], Iterable[np.ndarray]], pixels: bool = False):
    """Return the name of the smallest type that holds the rows, and a function that converts them.

    Parameters
    ----------
    pieces, pixels
        See `digest`.

    Returns
    -------
    name : {"uint8/256", "uint8", "int32", "float32", "float64"}
    store : callable
        Takes some rows and returns them in that type, in C order.

    Raises
    ------
    DataError
        There are numbers that no type holds.
    """
    forms = dict({"uint8/256": as_bytes} if pixels else {}, **_EXACT)
    for name, store in forms.items():
        if all(store(piece) is not None for piece in pieces()):
            return name, store
    raise DataError("data", f"NaN, or whole numbers beyond {_LONG}", "numbers that float64 holds")


def _exactly(dtype):
    """Return a function that casts an array, or returns None where that changes a number."""

    def store(array):
        if np.dtype(dtype).kind == "f" and _has_long_integers(array):
            return None  # numpy would compare them as floats
        with np.errstate(all="ignore"):
            cast = array.astype(dtype, order="C")
        return cast if np.array_equal(cast, array) else None

    return store


def _has_long_integers(array):
    is_whole = array.dtype.kind in "iu" and array.size > 0
    return is_whole and (int(array.max()) > _LONG or int(array.min()) < -_LONG)


_EXACT = {name: _exactly(name) for name in ("uint8", "int32", "float32", "float64")}
