"""Pickles of numpy arrays, read without running any code in them.

`pickle.load` lets a file call any function. The machine here (`pickle_machine`) builds only plain
values and numpy arrays (`pickled_arrays`). It reads Python 2 strings as latin-1, so
``encoding="latin1"`` is not needed.

Source: tutorial page, "MNIST Dataset" and "Tips and Tricks: Loading and Saving Models".
"""

from __future__ import annotations

import os
import pickle
import struct
from typing import Any

import numpy as np

from dlt.errors import DataError
from dlt.files import pickle_machine
from dlt.files.pickle_machine import DISTRUST, EXPECTED, Machine
from dlt.files.reading import FETCH_AGAIN, MAX_BYTES, describe_head, open_capped

#: Limit for the nesting of tuples, lists and dicts in a result.
MAX_DEPTH = 100

_CONTAINERS = (tuple, list, dict)
_LEAVES = (type(None), bool, int, float, str, bytes, bytearray, np.ndarray)


def load_pickle(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> Any:
    """Load the value in a pickle file.

    Parameters
    ----------
    path : str or os.PathLike
        Gzipped or not, any protocol (0 to 5), written by Python 2 or 3.
    max_bytes : int, optional
        Limit for the decompressed bytes, and for the bytes of all arrays in the result. Loading
        takes at most 3 times as much memory, and 1 GiB more for what is not data.

    Returns
    -------
    object
        Contains only None, bool, int, float, str, bytes, tuple, list, dict (keys: str, bytes or
        64-bit int), and numpy arrays and scalars of booleans, integers and floats. Arrays are
        writable and in native byte order. Python 2 strings become str; byte strings of 64 KiB or
        more become bytearray.

    Raises
    ------
    DataError
        The pickle asks for any other function or class (the message names it), is cut short or
        damaged, has more than `MAX_DEPTH` levels or too many values, or more bytes follow it. Or
        `dlt.files.reading.open_capped` refuses the file.

    Examples
    --------
    >>> import os, pickle, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "pair.pkl")
    >>> with open(path, "wb") as file:
    ...     pickle.dump((np.zeros((1, 2), "f4"), [7]), file)
    >>> load_pickle(path)
    (array([[0., 0.]], dtype=float32), [7])
    """
    with open_capped(path, max_bytes, EXPECTED) as file:
        value = _load(_machine(path, file, max_bytes))
        left = file.drain()  # to the end: checks the gzip checksum
    if left:
        found = f"{left} more bytes after the first pickle"
        raise DataError(path, found, "one pickle", "use load_pickles if the file holds several")
    return value


def load_pickles(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> list[Any]:
    """Load the values of a file with one or more pickles, one after another.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        As for `load_pickle`, for the whole file.

    Raises
    ------
    DataError
        As for `load_pickle`.
    """
    with open_capped(path, max_bytes, EXPECTED) as file:
        machine = _machine(path, file, max_bytes)  # the same for all: its limits are per file
        values = []
        while file.peek():
            values.append(_load(machine))
        return values


def dumps_portable(value: Any) -> bytes:
    """Return a pickle that Python 2.7 or newer reads, with any numpy.

    Parameters
    ----------
    value : object
        Plain values and numpy arrays.

    Examples
    --------
    >>> b"numpy.core.multiarray" in dumps_portable(np.zeros(2))
    True
    """
    data = pickle.dumps(value, protocol=2)
    # numpy 2 writes a module name that numpy 1 does not know; numpy 2 reads both. Only the first
    # match is surely a name (others come from the memo): later ones may be data.
    return data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)


def _machine(path, file, max_bytes):
    """Return a machine for a file; refuse files of other formats."""
    head = file.peek()[:64]
    kind = describe_head(head)
    # The first byte of another format may be an opcode: the P of a zip archive's PK is PERSID.
    if head[:1] not in pickle_machine.OPCODES or not kind.startswith(("a pickle", "a file that")):
        raise DataError(path, kind, EXPECTED, FETCH_AGAIN)
    return Machine(path, file, max_bytes)


def _load(machine):
    """Return the machine's next value; turn every error into a `DataError`."""
    try:
        value = machine.load()
        _measure(machine, value, {})
        return value
    except DataError:
        raise
    except IndexError:  # an empty stack
        found = "a damaged pickle (it uses more values than it made)"
    except (ValueError, struct.error, OverflowError) as error:  # a bad argument
        found = f"a damaged pickle ({str(error)[:100]})"
    except MemoryError:
        found = "more data than fits into memory"
    raise machine.bad(found)


def _measure(machine, value, known, depth=0):
    """Return the levels, values and bytes of a result; count shared parts each time they occur.

    A short pickle can put a list into itself, or the same list twice into each of many levels. To
    walk such a result would take for ever, so `known` keeps the measures of each part.
    """
    if type(value) not in _CONTAINERS:
        return 0, 1, _leaf_bytes(machine, value)
    if id(value) in known:
        return known[id(value)]
    levels, items, size = 0, 1, 0
    if depth < MAX_DEPTH:
        for part in value.values() if type(value) is dict else value:
            below = _measure(machine, part, known, depth + 1)
            levels, items, size = max(levels, below[0]), items + below[1], size + below[2]
    if depth == MAX_DEPTH or levels == MAX_DEPTH:
        found = f"tuples and lists nested more than {MAX_DEPTH} deep, or in themselves"
        raise machine.bad(found, DISTRUST)
    if items > pickle_machine.MAX_OPCODES or size > machine.max_bytes:
        most = f"{pickle_machine.MAX_OPCODES} values or {machine.max_bytes} bytes"
        raise machine.bad(f"a pickle that unfolds to more than {most}", DISTRUST)
    known[id(value)] = levels + 1, items, size
    return known[id(value)]


def _leaf_bytes(machine, value):
    """Return the size of a value that is not a container; refuse what is not plain data."""
    if type(value) not in _LEAVES and not isinstance(value, np.generic):
        raise machine.bad(f"a pickle with a bare {type(value).__name__} in it", DISTRUST)
    if isinstance(value, np.ndarray):
        return value.nbytes
    return len(value) if type(value) in (str, bytes, bytearray) else 0
