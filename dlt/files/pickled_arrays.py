"""Numpy arrays in pickles: the names that numpy writes, and what each of them builds.

Nothing that a file names is imported or called: names are only looked up in a table.
"""

import collections

from dlt.files.pickle_arguments import LARGE
from dlt.files.reading import NUMBERS, array_from_bytes

#: An allowed name: its form in messages, the allowed numbers of arguments, and what REDUCE calls.
Global = collections.namedtuple("Global", "name n_args build")


class Dtype:
    """A `numpy.dtype` under construction: it has its item code, and BUILD sets the byte order."""

    def __init__(self, code):
        self.code, self.order = code, None

    def set_state(self, machine, state):
        """Take the byte order from ``(3, "<", None, None, None, -1, -1, 0)``."""
        plain = type(state) is tuple and len(state) == 8 and all(v is None for v in state[2:5])
        orders = ("<", ">", "|") if self.code.endswith("1") else ("<", ">")
        if not plain or not _one_of(state[1], *orders):
            raise machine.bad("a dtype with fields or an unknown state")
        self.order = state[1]


class NewArray:
    """An array for BUILD to fill; `key` is its memo entry."""

    key = None


def filled(machine, state):
    """Return the array that has the state ``(1, shape, dtype, is_fortran, raw)``."""
    plain = type(state) is tuple and len(state) == 5 and type(state[3]) in (bool, int)
    if not plain or not _one_of(state[0], 1):
        raise machine.bad("an array state that is not (1, shape, dtype, order, data)")
    return _array(machine, state[4], state[2], state[1], bool(state[3]))


def _one_of(value, *allowed):
    """Return whether a value has the type and the value of one of those allowed."""
    return any(type(value) is type(one) and value == one for one in allowed)


def _encode(machine, text, encoding):
    """Return bytes, which Python 3 writes as encoded text at protocols 0 to 2."""
    if type(text) is not str or not _one_of(encoding, "latin1", "latin-1"):
        raise machine.bad("a pickle that calls _codecs.encode other than for latin1")
    machine.spend(len(text))
    data = text.encode("latin-1")
    return data if len(data) < LARGE else bytearray(data)


def _dtype(machine, code, align, copy):
    if type(code) is not str or code not in NUMBERS:
        found = f"an array of dtype {code if type(code) is str else type(code).__name__}"
        raise machine.bad(found[:100], "save the data as plain booleans, integers or floats")
    return Dtype(code)


def _reconstruct(machine, kind, shape, code):
    """Return an array to fill; its state has the shape and the dtype."""
    if kind is not _NDARRAY:
        raise machine.bad("a damaged pickle (an array that does not begin as in numpy)")
    return NewArray()


def _scalar(machine, dtype, raw):
    """Return a numpy scalar."""
    return _array(machine, raw, dtype, ())[()]


def _frombuffer(machine, raw, dtype, shape, order, axes=None):
    """Return an array in the form of protocol 5."""
    if not _one_of(order, "C", "F", "K"):
        raise machine.bad("a damaged pickle (an array not described as numpy does)")
    array = _array(machine, raw, dtype, shape, order == "F")
    if order != "K" or axes is None:
        return array
    plain = type(axes) is tuple and all(type(axis) is int for axis in axes)
    if not plain or sorted(axes) != list(range(array.ndim)):
        raise machine.bad("a damaged pickle (axes that do not fit the array)")
    return array.transpose(axes)


def _array(machine, raw, dtype, shape, fortran_order=False):
    """Return an array; check all its parts."""
    if type(dtype) is not Dtype or dtype.order is None:
        raise machine.bad("a damaged pickle (an array without a dtype)")
    if type(raw) is str:  # a Python 2 string
        raw = raw.encode("latin-1")
    if type(raw) not in (bytes, bytearray):
        raise machine.bad(f"a damaged pickle (array data in a {type(raw).__name__})")
    buffer = machine.buffer_for_array(raw)
    return array_from_bytes(machine.path, buffer, dtype.order + dtype.code, shape, fortran_order)


_NDARRAY = Global("numpy.ndarray", (), None)
_BYTES = Global("bytes", (0,), lambda machine: b"")  # empty bytes at protocols 0 to 2

#: (module, name) -> its meaning.
GLOBALS = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): Global("numpy.dtype", (3,), _dtype),
    ("_codecs", "encode"): Global("_codecs.encode", (2,), _encode),
    ("__builtin__", "bytes"): _BYTES,
    ("builtins", "bytes"): _BYTES,
}
for _core in ("numpy.core", "numpy._core"):  # numpy 2 renamed the package
    GLOBALS[_core + ".multiarray", "_reconstruct"] = Global("_reconstruct", (3,), _reconstruct)
    GLOBALS[_core + ".multiarray", "scalar"] = Global("scalar", (2,), _scalar)
    GLOBALS[_core + ".numeric", "_frombuffer"] = Global("_frombuffer", (4, 5), _frombuffer)
