"""Fingerprints: hashes by which data sets with the same numbers are recognised.

A fingerprint does not depend on how the numbers are stored: pixels k/256 have the same one as
floats and as the bytes k.
"""

from __future__ import annotations

import hashlib
from typing import Callable, Iterable

import numpy as np

from dlt.arrays import as_bytes
from dlt.errors import DataError

_LONG = 1 << 53  # float64 holds every whole number up to here


def fingerprint(x: str, y: str) -> str:
    """Return the fingerprint of a data set, from the digests of its inputs and labels."""
    return hashlib.sha256(f"{x}; {y}".encode("ascii")).hexdigest()


def digest(pieces: Callable[[], Iterable[np.ndarray]], pixels: bool = False) -> str:
    """Return the smallest type that holds an array, and the SHA-256 of its bytes in that type.

    Parameters
    ----------
    pieces : callable
        Returns an iterable of the array's rows, some at a time. It is called more than once.
    pixels : bool
        Treat numbers k/256 as bytes.

    Examples
    --------
    >>> digest(lambda: [np.asarray([[0.0, 0.5]])], pixels=True)[:13]
    'uint8/256 085'
    """
    name, store = compact(pieces, pixels)
    return f"{name} {sha256(map(store, pieces()))}"


def sha256(pieces: Iterable[np.ndarray]) -> str:
    """Return the SHA-256 of the bytes of arrays in C order, one after the other."""
    hashed = hashlib.sha256()
    for piece in pieces:
        hashed.update(piece.reshape(-1).view(np.uint8).data)
    return hashed.hexdigest()


def compact(pieces: Callable[[], Iterable[np.ndarray]], pixels: bool = False):
    """Return the smallest type that holds an array, and a function that converts rows to it.

    Parameters
    ----------
    pieces, pixels
        See `digest`.

    Returns
    -------
    name : {"uint8/256", "uint8", "int32", "float32", "float64"}
    store : callable
        Takes some rows, and returns them in that type and in C order.

    Raises
    ------
    DataError
        None of the types holds all numbers.
    """
    forms = dict({"uint8/256": as_bytes} if pixels else {}, **_EXACT)
    for name, store in forms.items():
        if all(store(piece) is not None for piece in pieces()):
            return name, store
    raise DataError("data", f"NaN, or whole numbers beyond {_LONG}", "numbers that float64 holds")


def _exactly(dtype):
    """Return a function that casts an array, or returns None if that would change a number."""

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
