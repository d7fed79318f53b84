"""Pickles of numpy arrays, read without running anything that is in them.

`pickle.load` lets a file call any function there is. Here a machine of our own (`pickle_machine`)
builds plain values and numpy arrays (`pickled_arrays`), and nothing else. Strings of Python 2 are
read as latin-1, so ``encoding="latin1"`` is not needed.

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

#: Deepest nesting of tuples, lists and dicts in a result.
MAX_DEPTH = 100

_CONTAINERS = (tuple, list, dict)
_LEAVES = (type(None), bool, int, float, str, bytes, bytearray, np.ndarray)


def load_pickle(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> Any:
    """Load the one value that a pickle file holds.

    Parameters
    ----------
    path : str or os.PathLike
        Gzipped or not, any protocol (0 to 5), written by Python 2 or 3.
    max_bytes : int, optional
        Most decompressed bytes to read, and most bytes of all arrays in the result. In all, at
        most 3 times as much memory is taken, and 1 GiB for what is not data.

    Returns
    -------
    object
        Made only of None, bool, int, float, str, bytes, tuple, list, dict (keys: str, bytes or
        64-bit int), and of numpy arrays and scalars of booleans, integers and floats. Arrays are
        writable and of native byte order. Python 2 strings are str; byte strings of 64 KiB and
        more are bytearray.

    Raises
    ------
    DataError
        The pickle asks for any other function or class (named in the message), is cut short or
        damaged, has more than `MAX_DEPTH` levels or too many values, or is followed by more
        bytes; and what `dlt.files.reading.open_capped` refuses.

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
        left = file.drain()  # also makes gzip compare its checksum
    if left:
        found = f"{left} more bytes after the first pickle"
        raise DataError(path, found, "one pickle", "use load_pickles if the file holds several")
    return value


def load_pickles(path: str | os.PathLike, max_bytes: int = MAX_BYTES) -> list[Any]:
    """Load the values that were dumped one after another into one file: one or more.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        As for `load_pickle`; counts for the whole file.

    Raises
    ------
    DataError
        As for `load_pickle`.
    """
    with open_capped(path, max_bytes, EXPECTED) as file:
        machine = _machine(path, file, max_bytes)  # one for all: the limits are per file
        values = []
        while file.peek():
            values.append(_load(machine))
        return values


def dumps_portable(value: Any) -> bytes:
    """Return a pickle that every Python since 2.7, with any numpy, reads.

    Parameters
    ----------
    value : object
        Built of plain values and numpy arrays.

    Examples
    --------
    >>> b"numpy.core.multiarray" in dumps_portable(np.zeros(2))
    True
    """
    data = pickle.dumps(value, protocol=2)
    # numpy 2 writes a module name that numpy 1 does not know; numpy 2 reads both. Only the
    # first is a name for sure (later ones are looked up in the memo): data stays as it is.
    return data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)


def _machine(path, file, max_bytes):
    """Return a machine at the start of a file, if that can be a pickle at all."""
    head = file.peek()[:64]
    kind = describe_head(head)
    # Other formats may begin with an opcode: P of a zip archive's PK is PERSID.
    if head[:1] not in pickle_machine.OPCODES or not kind.startswith(("a pickle", "a file that")):
        raise DataError(path, kind, EXPECTED, FETCH_AGAIN)
    return Machine(path, file, max_bytes)


def _load(machine):
    """Return the machine's next value; whatever is wrong becomes a `DataError`."""
    try:
        value = machine.load()
        _measure(machine, value, {})
        return value
    except DataError:
        raise
    except IndexError:  # from popping an empty stack
        found = "a damaged pickle (it uses more values than it made)"
    except (ValueError, struct.error, OverflowError) as error:  # from reading an argument
        found = f"a damaged pickle ({str(error)[:100]})"
    except MemoryError:
        found = "more data than fits into memory"
    raise machine.bad(found)


def _measure(machine, value, known, depth=0):
    """Return the levels, values and bytes of a result, shared parts counted each time.

    The memo lets a short pickle put a list into itself, or the same list twice into each of many
    levels, which a reader would unfold without end. `known` keeps what was measured before.
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
    """Return the size of a value without inner values; refuse one that is not plain data."""
    if type(value) not in _LEAVES and not isinstance(value, np.generic):
        raise machine.bad(f"a pickle with a bare {type(value).__name__} in it", DISTRUST)
    if isinstance(value, np.ndarray):
        return value.nbytes
    return len(value) if type(value) in (str, bytes, bytearray) else 0
