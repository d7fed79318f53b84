r"""Pickles of numpy arrays, read without running anything that is in them.

The tutorial's ``mnist.pkl.gz`` and the parameters it saves with `cPickle` are
pickles. `pickle.load` lets a file call any function there is, so a wrong or
hostile file can do anything. Here the opcodes are interpreted on a small stack
machine of our own that can build plain values and numpy arrays, nothing else:
no name from the file is ever imported and nothing from it is ever called.
A name is only compared, exactly and as a whole, with the few that numpy
itself writes; any other is refused by name.

Strings written by Python 2 are read as latin-1, so the ``UnicodeDecodeError``
of `pickle.load` without ``encoding="latin1"`` cannot happen.

Source: the opcodes are those documented in the standard library's
`pickletools`; the tutorial page, sections "MNIST Dataset" and "Tips and
Tricks: Loading and Saving Models".

Functions
---------
- `load_pickle` : the one value of a file.
- `load_pickles` : all values of a file into which several were dumped.
- `iter_pickles` : the same, one at a time.
"""

import codecs
import pickle
import pickletools
import re
import struct

import numpy as np

from dlt.errors import DataError
from dlt.files.reading import FETCH_AGAIN, MAX_BYTES, array_from_bytes, describe_head, open_capped

EXPECTED = "a pickle of numpy arrays in tuples, lists and dicts"
DISTRUST = "do not unpickle it; fetch the right file, or save the data as .npz where it was made"

#: Most opcodes that are followed in one file: bounds time (some 25 s) and memory (some 1 GiB)
#: that a hostile file can take beside its data. The tutorial's file has 150, a list of a million
#: floats a million.
MAX_OPCODES = 5 * 1000 * 1000

#: Deepest nesting of tuples, lists and dicts in a result.
MAX_DEPTH = 100

#: Strings of this many bytes and more are array data: kept as a bytearray.
LARGE = 1 << 16

_MAX_LINE = 1000  # of a number or a name; int() takes quadratic time over long ones
_MAX_KEYS = 100 * 1000
_DTYPES = {"b1"} | {kind + size for kind in "iu" for size in "1248"} | {"f2", "f4", "f8"}
_LAST_LATIN1_LEAD = 0xC3  # of the bytes that begin a letter in UTF-8
_BEYOND_LATIN1 = re.compile(rb"\\u(?!00)|\\U")
_BAD_ESCAPE = re.compile(rb"\\[^'\"\\nrtx]")


def load_pickle(path, max_bytes=MAX_BYTES):
    r"""Load the one value that a pickle file holds.

    Parameters
    ----------
    path : str or os.PathLike
        Gzipped or not, any protocol (0 to 5), written by Python 2 or 3.
    max_bytes : int, optional
        Most decompressed bytes to read, and most bytes that the arrays of the
        result may have together; 1 GiB by default.

    Returns
    -------
    object
        Made only of None, bool, int, float, str, bytes, tuple, list, dict
        (with str, bytes or 64-bit int keys), numpy arrays and numpy scalars of
        booleans, integers and floats. Arrays are writable and of native byte
        order; Python 2 strings are str (latin-1); byte strings of `LARGE`
        (64 KiB) and more that belong to no array are bytearray.

    Raises
    ------
    dlt.errors.DataError
        The pickle asks for any other function or class (named in the
        message), is cut short or damaged, holds itself or more than
        `MAX_DEPTH` levels, has over `MAX_OPCODES` steps, is followed by more
        bytes; and whatever `dlt.files.reading.open_capped` refuses.

    Examples
    --------
    >>> import os, pickle, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "pair.pkl")
    ...     with open(path, "wb") as file:
    ...         pickle.dump((np.zeros((1, 2), "f4"), [7]), file)
    ...     load_pickle(path)
    (array([[0., 0.]], dtype=float32), [7])

    Notes
    -----
    Source: tutorial page, "MNIST Dataset" (``cPickle.load(f)``).

    Memory: at most 3 times `max_bytes`, and 1 GiB for what is not data. Arrays of protocol 3
    and later take their bytes once; those that were written as text are there as text, as
    bytes and in between.
    """
    with open_capped(path, max_bytes, EXPECTED) as file:
        value = _load_one(_machine(path, file, max_bytes))
        left = file.drain()  # also makes gzip compare its checksum
    if left:
        found = f"{left} more bytes after the first pickle"
        raise DataError(path, found, "one pickle", "use load_pickles if the file holds several")
    return value


def iter_pickles(path, max_bytes=MAX_BYTES):
    r"""Yield the values that were dumped one after another into one file.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        As for `load_pickle`; counts for the whole file.

    Yields
    ------
    object
        As `load_pickle` returns, in the order of the file; at least one.

    Raises
    ------
    dlt.errors.DataError
        As `load_pickle`, when the value concerned is reached.

    Examples
    --------
    >>> import os, pickle, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "w_v_u.pkl")
    ...     with open(path, "wb") as file:
    ...         for value in (1, 2.5):
    ...             pickle.dump(value, file, -1)
    ...     list(iter_pickles(path))
    [1, 2.5]

    Notes
    -----
    Source: tutorial page, "Loading and Saving Models": ``cPickle.dump(w, ...)``,
    then ``v`` and ``u`` into the same file.
    """
    with open_capped(path, max_bytes, EXPECTED) as file:
        machine = _machine(path, file, max_bytes)  # one for all: the limits are per file
        while file.peek():
            yield _load_one(machine)


def load_pickles(path, max_bytes=MAX_BYTES):
    """Return the values of `iter_pickles` as a list.

    Parameters
    ----------
    path : str or os.PathLike
    max_bytes : int, optional
        As for `load_pickle`; counts for the whole file.

    Returns
    -------
    list of object
        At least one.

    Raises
    ------
    dlt.errors.DataError
        As `load_pickle`.

    Examples
    --------
    >>> load_pickles("no/such/file")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    dlt.errors.DataError: no/such/file: found no file there; expected a pickle of ...
    """
    return list(iter_pickles(path, max_bytes))


def dumps_portable(value):
    """Pickle so that every Python since 2.7, with any numpy, reads it.

    Parameters
    ----------
    value : object
        Built of plain values and numpy arrays; the first array's data must not come before
        the name of numpy's function, which no pickle of arrays does.

    Returns
    -------
    bytes
        Protocol 2, the newest that Python 2 reads.

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
    if head[:1] not in _OPCODES or not kind.startswith(("a pickle", "a file that")):
        raise DataError(path, kind, EXPECTED, FETCH_AGAIN)
    return _Machine(path, file, max_bytes)


def _load_one(machine):
    """Run the machine up to the next STOP; whatever is wrong becomes a `DataError`."""
    try:
        value = machine.run()
        _check_plain(machine, value)
        return value
    except DataError:
        raise
    except IndexError:  # from popping an empty stack
        found = "a damaged pickle (it uses more values than it made)"
    except (ValueError, struct.error, OverflowError) as error:  # from reading an argument
        found = f"a damaged pickle ({_printable(str(error))})"
    except MemoryError:
        found = "more data than fits into memory"
    raise DataError(machine.path, found, EXPECTED, FETCH_AGAIN)


def _printable(text):
    """Show text from a file: no control characters, one line, short."""
    return ascii(text[:100])[1:-1]


class _Machine:
    """The stack machine: opcodes in, one plain value out."""

    def __init__(self, path, file, max_bytes):
        self.path, self.file = path, file
        self.opcodes_left = MAX_OPCODES
        self.max_bytes = self.bytes_left = max_bytes
        self.taken = {}  # id -> bytearray that an array has taken over

    def bad(self, found, remedy=FETCH_AGAIN):
        """Return the error to raise."""
        return DataError(self.path, found, EXPECTED, remedy)

    def run(self):
        """Follow the opcodes up to STOP and return the value it leaves."""
        self.stack, self.below, self.memo = [], [], {}  # below: the stacks under each MARK
        read = self.file.read
        while True:
            code = read(1)
            if code == b".":
                return self.result()
            step = _STEPS.get(code)
            if step is None:
                raise self.refused(code)
            self.opcodes_left -= 1
            if self.opcodes_left < 0:
                found = f"more than {MAX_OPCODES} pickle opcodes"
                raise self.bad(found, "save whole arrays, not lists of numbers")
            read_argument, act = step
            if read_argument is None:
                act(self)
            else:
                act(self, read_argument(self.file))

    def result(self):
        """Return the one value that must be left at STOP."""
        if len(self.stack) != 1 or self.below:
            raise self.bad(f"a damaged pickle (it ends with {len(self.stack)} values)")
        return self.stack[0]

    def refused(self, code):
        """Return the error for a byte that is no opcode, or not one of ours."""
        if not code:
            return self.bad("a pickle that is cut short")
        known = _OPCODES.get(code)
        if known is None:
            return self.bad(f"byte {code[0]:02x} where a pickle opcode should be")
        return self.bad(f"a pickle with the opcode {known}, which is not allowed", DISTRUST)

    def pop_mark(self):
        """Return the values above the last MARK and forget the mark."""
        values, self.stack = self.stack, self.below.pop()
        return values

    def top(self, kind):
        """Return the top of the stack, which must be exactly a `kind`."""
        top = self.stack[-1]
        if type(top) is not kind:
            found = "a damaged pickle (it treats a {} as a {})"
            raise self.bad(found.format(_kind(top), kind.__name__))
        return top

    def buffer_for_array(self, raw):
        """Return a bytearray with the bytes of `raw` that no other array uses."""
        if type(raw) is bytearray and id(raw) not in self.taken:
            self.taken[id(raw)] = raw
            return raw
        self.spend(len(raw))
        return bytearray(raw)

    def spend(self, n):
        """Count bytes that are made from bytes of the file, which may name those many times."""
        self.bytes_left -= n
        if self.bytes_left < 0:
            raise self.bad(f"arrays that need more than {self.max_bytes} bytes")


def _kind(value):
    return type(value).__name__.strip("_")


# --- Reading the argument of an opcode -------------------------------------------------------
# pickletools has a reader for every opcode; those below replace the ones that would read a line of
# any length, convert a number in quadratic time, decode array data for nothing, or (before Python
# 3.14) fail on bytes above 127 in a Python 2 string of protocol 0.


def _read_line(file):
    line = file.readline(_MAX_LINE)
    if not line.endswith(b"\n"):
        raise ValueError("a line that is cut short or too long")
    return line[:-1]


def _read_integer(file):
    line = _read_line(file)
    if line in (b"00", b"01"):  # how protocols 0 and 1 write booleans
        return line == b"01"
    if not re.fullmatch(rb"[+-]?[0-9]+L?", line):
        raise ValueError("a number that is not one")
    return int(line.rstrip(b"L"))


def _read_float(file):
    return float(_read_line(file))


def _read_index(file):
    line = _read_line(file)
    if not re.fullmatch(rb"[0-9]{1,10}", line):
        raise ValueError("a memo number that is not one")
    return int(line)


def _read_name(file):
    return _read_line(file).decode("utf-8"), _read_line(file).decode("utf-8")


def _payload(read_length):
    """Return a reader of a length followed by so many bytes."""

    def read(file):
        length = read_length(file)
        if length < 0:
            raise ValueError("a negative length")
        data = file.read(length) if length < LARGE else file.read_buffer(length)
        if len(data) < length:
            raise ValueError(f"cut short: {len(data)} of {length} bytes")
        return data

    return read


def _read_quoted(file):
    """Read a line with a quoted Python 2 string; return its bytes."""
    line = file.readline()
    if len(line) < 3 or line[:1] not in (b"'", b'"') or line[-2:] != line[:1] + b"\n":
        raise ValueError("a string without quotes")
    data = line[1:-2]
    del line  # it may be as large as the file
    # Escapes that Python 2 never wrote only earn a DeprecationWarning from escape_decode.
    if _BAD_ESCAPE.search(data.replace(b"\\\\", b"")):
        raise ValueError("an unknown escape in a string")
    data = codecs.escape_decode(data)[0]
    return data if len(data) < LARGE else bytearray(data)


def _read_unicode_line(file):
    line = file.readline()
    if not line.endswith(b"\n"):
        raise ValueError("a line that is cut short")
    return line[:-1]


# --- What a GLOBAL may name ------------------------------------------------------------------


class _Global:
    """An allowed name: its (module, name) and what REDUCE on it builds."""

    def __init__(self, name, build):
        self.name, self.build = name, build


class _Dtype:
    """A `numpy.dtype` under construction: item code first, byte order by BUILD."""

    def __init__(self, code):
        self.code, self.order = code, None


class _NewArray:
    """An empty array that BUILD is to fill; `keys` are the memo entries that point to it."""

    def __init__(self):
        self.keys = []


def _build_encode(machine, args):
    """``_codecs.encode(text, "latin1")``: how Python 3 writes bytes at protocols 0 to 2."""
    texts = len(args) == 2 and type(args[0]) is str and type(args[1]) is str
    if not texts or args[1] not in ("latin1", "latin-1"):
        raise machine.bad("a pickle that calls _codecs.encode other than for latin1")
    machine.spend(len(args[0]))
    data = args[0].encode("latin-1")
    return data if len(data) < LARGE else bytearray(data)


def _build_bytes(machine, args):
    """``bytes()``: how Python 3 writes empty bytes at protocols 0 to 2."""
    if args != ():
        raise machine.bad("a pickle that calls bytes with arguments")
    return b""


def _build_dtype(machine, args):
    code = args[0] if args else None
    if type(code) is not str or code not in _DTYPES:
        shown = code if type(code) is str else _kind(code)
        found = "an array of dtype {}".format(_printable(shown) or "''")
        raise machine.bad(found, "save the data as plain booleans, integers or floats")
    return _Dtype(code)


def _build_reconstruct(machine, args):
    """``_reconstruct(numpy.ndarray, (0,), "b")``: an array whose content follows."""
    plain = len(args) == 3 and args[0] is _NDARRAY and type(args[2]) in (str, bytes)
    if not plain or args[1] != (0,) or args[2] not in ("b", b"b"):
        raise machine.bad("a damaged pickle (an array that does not begin as numpy's do)")
    return _NewArray()


def _build_scalar(machine, args):
    """``scalar(dtype, bytes)``: one numpy number."""
    if len(args) != 2:
        raise machine.bad("a damaged pickle (a numpy number without its bytes)")
    return _array(machine, args[1], args[0], ())[()]


def _build_frombuffer(machine, args):
    """``_frombuffer(buffer, dtype, shape, order[, axis_order])``: arrays at protocol 5."""
    described = len(args) in (4, 5) and type(args[3]) is str
    if not described or args[3] not in ("C", "F", "K"):
        raise machine.bad("a damaged pickle (an array that is not described as numpy does)")
    array = _array(machine, args[0], args[1], args[2], args[3] == "F")
    axes = args[4] if len(args) == 5 else None
    if args[3] != "K" or axes is None:
        return array
    plain = type(axes) is tuple and all(type(axis) is int for axis in axes)
    if not plain or sorted(axes) != list(range(array.ndim)):
        raise machine.bad("a damaged pickle (axes that are not those of the array)")
    return array.transpose(axes)


def _array(machine, raw, dtype, shape, fortran_order=False):
    """Make an array from parts that were read from the file, all of them unchecked."""
    if type(dtype) is not _Dtype or dtype.order is None:
        raise machine.bad("a damaged pickle (an array without a dtype)")
    if type(raw) is str:  # a Python 2 string, or a list of characters by any other name
        raw = raw.encode("latin-1")
    if type(raw) not in (bytes, bytearray):
        raise machine.bad(f"a damaged pickle (array data that are a {_kind(raw)})")
    buffer = machine.buffer_for_array(raw)
    return array_from_bytes(machine.path, buffer, dtype.order + dtype.code, shape, fortran_order)


_NDARRAY = _Global("numpy.ndarray", None)

# Exactly these, compared as whole strings: no prefixes, no attribute walks, no imports.
_GLOBALS = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Global("numpy.dtype", _build_dtype),
    ("_codecs", "encode"): _Global("_codecs.encode", _build_encode),
    ("__builtin__", "bytes"): _Global("bytes", _build_bytes),
    ("builtins", "bytes"): _Global("bytes", _build_bytes),
}
for _core in ("numpy.core", "numpy._core"):  # numpy 2 renamed the package
    for _module, _name, _build in (
        ("multiarray", "_reconstruct", _build_reconstruct),
        ("multiarray", "scalar", _build_scalar),
        ("numeric", "_frombuffer", _build_frombuffer),
    ):
        _GLOBALS[_core + "." + _module, _name] = _Global(_name, _build)


# --- Opcodes ---------------------------------------------------------------------------------


def _push(machine, value):
    machine.stack.append(value)


def _push_python2_string(machine, data):
    # Array data stay bytes: decoding them and encoding them again would take time and memory.
    machine.stack.append(data if type(data) is bytearray else data.decode("latin-1"))


def _push_unicode(machine, data):
    # Letters beyond latin-1, of which array data have none, make a text take up to 4 times as much.
    if len(data) >= LARGE and np.frombuffer(data, np.uint8).max() > _LAST_LATIN1_LEAD:
        machine.spend(4 * len(data))
    machine.stack.append(data.decode("utf-8", "surrogatepass"))


def _push_escaped_unicode(machine, data):
    if len(data) >= LARGE and _BEYOND_LATIN1.search(data):
        machine.spend(4 * len(data))
    machine.stack.append(data.decode("raw-unicode-escape"))


def _push_bytearray(machine, data):
    machine.stack.append(bytearray(data) if type(data) is bytes else data)


def _constant(value):
    return lambda machine: machine.stack.append(value)


def _protocol(machine, version):
    if version > 5:
        raise machine.bad(f"a pickle of protocol {version}", DISTRUST)


def _frame(machine, length):
    """Do nothing: FRAME only helps readers that buffer."""


def _mark(machine):
    machine.below.append(machine.stack)
    machine.stack = []


def _empty_list(machine):
    machine.stack.append([])


def _empty_dict(machine):
    machine.stack.append({})


def _tuple(machine):
    values = machine.pop_mark()
    machine.stack.append(tuple(values))


def _short_tuple(length):
    def act(machine):
        if len(machine.stack) < length:
            raise IndexError
        machine.stack[-length:] = [tuple(machine.stack[-length:])]

    return act


def _list(machine):
    values = machine.pop_mark()
    machine.stack.append(values)


def _append(machine):
    value = machine.stack.pop()
    machine.top(list).append(value)


def _appends(machine):
    values = machine.pop_mark()
    machine.top(list).extend(values)


def _dict(machine):
    values = machine.pop_mark()
    machine.stack.append({})
    _set_items(machine, values)


def _setitem(machine):
    value, key = machine.stack.pop(), machine.stack.pop()
    _set_items(machine, [key, value])


def _setitems(machine):
    _set_items(machine, machine.pop_mark())


def _set_items(machine, values):
    target = machine.top(dict)
    if len(values) % 2:
        raise machine.bad("a damaged pickle (a dict key without a value)")
    for key, value in zip(values[::2], values[1::2]):
        # Hashing a deeply nested tuple can crash, colliding numbers take for ever: none of these.
        if not (type(key) in (str, bytes) or (type(key) is int and -(2**63) <= key < 2**64)):
            raise machine.bad(f"a dict with a {_kind(key)} as key")
        target[key] = value
    if len(target) > _MAX_KEYS:
        raise machine.bad(f"a dict of more than {_MAX_KEYS} keys")


def _put(machine, index):
    value = machine.stack[-1]
    machine.memo[index] = value
    if type(value) is _NewArray:
        value.keys.append(index)


def _memoize(machine):
    _put(machine, len(machine.memo))


def _get(machine, index):
    if index not in machine.memo:
        raise machine.bad(f"a damaged pickle (memo entry {index} was never made)")
    machine.stack.append(machine.memo[index])


def _global(machine, name):
    known = _GLOBALS.get(name)
    if known is None:
        raise _asks_for(machine, name)
    machine.stack.append(known)


def _inst(machine, name):
    """Refuse INST, which would import a class and make an instance in one step."""
    raise _asks_for(machine, name)


def _asks_for(machine, name):
    return machine.bad(f"a pickle that asks for {_printable('.'.join(name))}", DISTRUST)


def _stack_global(machine):
    name, module = machine.stack.pop(), machine.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise machine.bad("a damaged pickle (a name that is no text)")
    _global(machine, (module, name))


def _reduce(machine):
    args, function = machine.stack.pop(), machine.stack.pop()
    if type(function) is not _Global or function.build is None or type(args) is not tuple:
        called = function.name if type(function) is _Global else "a " + _kind(function)
        raise machine.bad(f"a pickle that calls {called}", DISTRUST)
    machine.stack.append(function.build(machine, args))


def _build(machine):
    state, target = machine.stack.pop(), machine.stack[-1]
    if type(target) is _Dtype:
        _set_dtype_state(machine, target, state)
    elif type(target) is _NewArray:
        array = _filled_array(machine, state)
        machine.stack[-1] = array
        for key in target.keys:
            if machine.memo[key] is target:
                machine.memo[key] = array
    else:
        raise machine.bad(f"a pickle that sets the state of a {_kind(target)}", DISTRUST)


def _set_dtype_state(machine, dtype, state):
    """Take the byte order from ``(3, "<", None, None, None, -1, -1, 0)``."""
    plain = type(state) is tuple and len(state) == 8 and type(state[1]) is str
    orders = ("<", ">", "|") if dtype.code.endswith("1") else ("<", ">")
    if not plain or state[1] not in orders or any(part is not None for part in state[2:5]):
        raise machine.bad("a dtype with fields or an unknown state")
    dtype.order = state[1]


def _filled_array(machine, state):
    """Make the array from ``(1, shape, dtype, is_fortran, raw)``."""
    if type(state) is not tuple or len(state) != 5 or type(state[3]) not in (bool, int):
        raise machine.bad("an array state that is not (version, shape, dtype, order, data)")
    if type(state[0]) is not int or state[0] != 1:
        raise machine.bad("an array state of an unknown version")
    return _array(machine, state[4], state[2], state[1], bool(state[3]))


_OPCODES = {info.code.encode("latin-1"): info.name for info in pickletools.opcodes}

# Opcode name -> (reader of its argument, action). A reader of None means: no argument.
_ACTIONS = {
    "PROTO": (pickletools.read_uint1, _protocol),
    "FRAME": (pickletools.read_uint8, _frame),
    "NONE": (None, _constant(None)),
    "NEWTRUE": (None, _constant(True)),
    "NEWFALSE": (None, _constant(False)),
    "INT": (_read_integer, _push),
    "LONG": (_read_integer, _push),
    "BININT": (pickletools.read_int4, _push),
    "BININT1": (pickletools.read_uint1, _push),
    "BININT2": (pickletools.read_uint2, _push),
    "LONG1": (pickletools.read_long1, _push),
    "FLOAT": (_read_float, _push),
    "BINFLOAT": (pickletools.read_float8, _push),
    "STRING": (_read_quoted, _push_python2_string),
    "BINSTRING": (_payload(pickletools.read_int4), _push_python2_string),
    "SHORT_BINSTRING": (_payload(pickletools.read_uint1), _push_python2_string),
    "UNICODE": (_read_unicode_line, _push_escaped_unicode),
    "BINUNICODE": (_payload(pickletools.read_uint4), _push_unicode),
    "SHORT_BINUNICODE": (_payload(pickletools.read_uint1), _push_unicode),
    "BINUNICODE8": (_payload(pickletools.read_uint8), _push_unicode),
    "BINBYTES": (_payload(pickletools.read_uint4), _push),
    "SHORT_BINBYTES": (_payload(pickletools.read_uint1), _push),
    "BINBYTES8": (_payload(pickletools.read_uint8), _push),
    "BYTEARRAY8": (_payload(pickletools.read_uint8), _push_bytearray),
    "MARK": (None, _mark),
    "EMPTY_TUPLE": (None, _constant(())),
    "TUPLE": (None, _tuple),
    "TUPLE1": (None, _short_tuple(1)),
    "TUPLE2": (None, _short_tuple(2)),
    "TUPLE3": (None, _short_tuple(3)),
    "EMPTY_LIST": (None, _empty_list),
    "LIST": (None, _list),
    "APPEND": (None, _append),
    "APPENDS": (None, _appends),
    "EMPTY_DICT": (None, _empty_dict),
    "DICT": (None, _dict),
    "SETITEM": (None, _setitem),
    "SETITEMS": (None, _setitems),
    "PUT": (_read_index, _put),
    "BINPUT": (pickletools.read_uint1, _put),
    "LONG_BINPUT": (pickletools.read_uint4, _put),
    "MEMOIZE": (None, _memoize),
    "GET": (_read_index, _get),
    "BINGET": (pickletools.read_uint1, _get),
    "LONG_BINGET": (pickletools.read_uint4, _get),
    "GLOBAL": (_read_name, _global),
    "STACK_GLOBAL": (None, _stack_global),
    "INST": (_read_name, _inst),
    "REDUCE": (None, _reduce),
    "BUILD": (None, _build),
}
_STEPS = {code: _ACTIONS[name] for code, name in _OPCODES.items() if name in _ACTIONS}


# --- Checking the result ---------------------------------------------------------------------

_CONTAINERS = (tuple, list, dict)
_LEAVES = (type(None), bool, int, float, str, bytes, bytearray, np.ndarray)


def _check_plain(machine, root):
    """Refuse results that could trap whoever walks them, without recursion.

    The memo lets a short pickle put a list into itself, or the same list twice
    into each of many levels, which a reader would unfold without end.
    """
    known, path, todo = {}, set(), [root]  # known: id -> (levels, items, bytes) when unfolded
    while todo:
        value = todo[-1]
        children = _inner(value)
        if id(value) in path:  # back from its inner containers, all of them known
            path.remove(id(value))
            known[id(value)] = _unfolded(machine, children, known)
        elif type(value) in _CONTAINERS and id(value) not in known:
            path.add(id(value))
            inner = [child for child in children if type(child) in _CONTAINERS]
            if any(id(child) in path for child in inner):
                raise machine.bad("a pickle of a list that contains itself", DISTRUST)
            todo.extend(child for child in inner if id(child) not in known)
            continue
        elif type(value) not in _CONTAINERS:
            _leaf_bytes(machine, value)
        todo.pop()


def _inner(value):
    return value.values() if type(value) is dict else value if type(value) in _CONTAINERS else ()


def _unfolded(machine, children, known):
    """Return levels, number of values and bytes of a container, shared parts counted each time."""
    levels, items, size = 0, 1, 0
    for child in children:
        if type(child) in _CONTAINERS:
            below = known[id(child)]
            levels, items, size = max(levels, below[0]), items + below[1], size + below[2]
        else:
            items, size = items + 1, size + _leaf_bytes(machine, child)
    if levels >= MAX_DEPTH:
        raise machine.bad(f"tuples and lists nested more than {MAX_DEPTH} deep", DISTRUST)
    if items > MAX_OPCODES or size > machine.max_bytes:
        found = "a pickle that unfolds to more than {} values or {} bytes"
        raise machine.bad(found.format(MAX_OPCODES, machine.max_bytes), DISTRUST)
    return levels + 1, items, size


def _leaf_bytes(machine, value):
    """Return the size of a value without inner values; refuse one that is not plain data."""
    if type(value) not in _LEAVES and not isinstance(value, np.generic):
        raise machine.bad(f"a pickle with a bare {_kind(value)} in it", DISTRUST)
    if isinstance(value, np.ndarray):
        return value.nbytes
    return len(value) if type(value) in (str, bytes, bytearray) else 0
