"""A stack machine that runs the opcodes of a pickle, and builds only plain values.

The standard library's Unpickler will not do: a pickle of nine bytes makes it allocate 4.1 GB.

Source: the standard library's `pickletools` describes the opcodes.
"""

import functools
import pickletools
import re

import numpy as np

from dlt.errors import DataError
from dlt.files.pickle_arguments import (
    LARGE,
    constant,
    payload,
    read_float,
    read_integer,
    read_line,
    read_name,
    read_quoted,
)
from dlt.files.pickled_arrays import GLOBALS, Dtype, Global, NewArray, filled
from dlt.files.reading import FETCH_AGAIN

EXPECTED = "a pickle of numpy arrays in tuples, lists and dicts"
DISTRUST = "do not unpickle it; fetch the right file, or save the data as .npz where it was made"

#: Limit for the opcodes in one file, and so for the time (some 25 s) and the memory (some 1 GiB)
#: that a hostile file takes beyond its data. The tutorial's file has 150 opcodes.
MAX_OPCODES = 5 * 1000 * 1000

_LAST_LATIN1_LEAD = 0xC3  # the highest byte in the UTF-8 form of latin-1 text
_BEYOND_LATIN1 = re.compile(rb"\\u(?!00)|\\U")


class Machine:
    """Runs the opcodes of a file, and returns a plain value for each pickle."""

    def __init__(self, path, file, max_bytes):
        self.path, self.file = path, file
        self.opcodes_left = MAX_OPCODES
        self.max_bytes = self.bytes_left = max_bytes
        self.taken = {}  # id -> bytearray that an array uses as its memory

    def load(self):
        """Run the opcodes up to the next STOP, and return the value on the stack."""
        self.stack, self.below, self.memo = [], [], {}  # below: the stack under each MARK
        for code in iter(functools.partial(self.file.read, 1), b"."):
            if code not in STEPS:
                raise self.refused(code)
            self.opcodes_left -= 1
            if self.opcodes_left < 0:
                found = f"more than {MAX_OPCODES} pickle opcodes"
                raise self.bad(found, "save whole arrays, not lists of numbers")
            read, act = STEPS[code]
            act(self, read(self.file))
        if len(self.stack) != 1 or self.below:
            raise self.bad(f"a damaged pickle (it ends with {len(self.stack)} values)")
        return self.stack[0]

    def bad(self, found, remedy=FETCH_AGAIN):
        """Return the error to raise."""
        return DataError(self.path, found, EXPECTED, remedy)

    def refused(self, code):
        """Return the error for a byte that is not an allowed opcode."""
        if not code:
            return self.bad("a pickle that is cut short")
        opcode = OPCODES.get(code, code.hex())
        return self.bad(f"a pickle with the opcode {opcode}, which is not allowed", DISTRUST)

    def spend(self, n):
        """Count bytes that are copied. A short file can have the same bytes copied many times."""
        self.bytes_left -= n
        if self.bytes_left < 0:
            raise self.bad(f"arrays that need more than {self.max_bytes} bytes")

    def buffer_for_array(self, raw):
        """Return a bytearray with the bytes of `raw`; copy them if another array uses that one."""
        if type(raw) is bytearray and id(raw) not in self.taken:
            self.taken[id(raw)] = raw
            return raw
        self.spend(len(raw))
        return bytearray(raw)

    def pop_mark(self):
        """Remove the last MARK and the values above it, and return the values."""
        values, self.stack = self.stack, self.below.pop()
        return values

    def top(self, kind):
        """Return the top of the stack; check that its type is `kind`."""
        top = self.stack[-1]
        if type(top) is not kind:
            found = f"a damaged pickle (it treats a {type(top).__name__} as a {kind.__name__})"
            raise self.bad(found)
        return top

    # --- What each opcode does with its argument ---

    def push(self, value):
        self.stack.append(value)

    def push_python2_string(self, data):
        # Array data stay bytes: to decode them, and encode them again, takes time and memory.
        self.push(data if type(data) is bytearray else data.decode("latin-1"))

    def push_text(self, data):
        # Text with letters beyond latin-1, which array data never have, takes 4 times as much.
        if len(data) >= LARGE and np.frombuffer(data, np.uint8).max() > _LAST_LATIN1_LEAD:
            self.spend(4 * len(data))
        self.push(data.decode("utf-8", "surrogatepass"))

    def push_escaped_text(self, data):
        if len(data) >= LARGE and _BEYOND_LATIN1.search(data):
            self.spend(4 * len(data))
        self.push(data.decode("raw-unicode-escape"))

    def check_protocol(self, version):
        if version > 5:
            raise self.bad(f"a pickle of protocol {version}", DISTRUST)

    def mark(self, _):
        self.below.append(self.stack)
        self.stack = []

    def make_tuple(self, length):
        if len(self.stack) < length:
            raise IndexError
        self.stack[-length:] = [tuple(self.stack[-length:])]

    def extend(self, values):
        self.top(list).extend(values)

    def make_dict(self, _):
        items = self.pop_mark()
        self.push({})
        self.update(items)

    def update(self, items):
        target = self.top(dict)
        if len(items) % 2:
            raise self.bad("a damaged pickle (a dict key without a value)")
        for key, value in zip(items[::2], items[1::2]):
            # No tuples: hashing deeply nested ones can crash. No huge numbers: they can collide.
            if not (type(key) in (str, bytes) or (type(key) is int and -(2**63) <= key < 2**64)):
                raise self.bad(f"a dict with a {type(key).__name__} as key")
            target[key] = value

    def put(self, index):
        self.memo[index] = value = self.stack[-1]
        if type(value) is NewArray:
            value.key = index

    def get(self, index):
        if index not in self.memo:
            raise self.bad(f"a damaged pickle (memo entry {index} was never made)")
        self.push(self.memo[index])

    def find(self, name):
        if name not in GLOBALS:
            self.refuse(name)
        self.push(GLOBALS[name])

    def refuse(self, name):
        raise self.bad(f"a pickle that asks for {'.'.join(name)[:100]}", DISTRUST)

    def find_by_stack(self, _):
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise self.bad("a damaged pickle (a name that is not text)")
        self.find((module, name))

    def reduce(self, _):
        args, function = self.stack.pop(), self.stack.pop()
        known = type(function) is Global and type(args) is tuple
        if not known or len(args) not in function.n_args:
            called = function.name if type(function) is Global else f"a {type(function).__name__}"
            raise self.bad(f"a pickle that calls {called} in a way that numpy does not", DISTRUST)
        self.push(function.build(self, *args))

    def build(self, _):
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is Dtype:
            target.set_state(self, state)
        elif type(target) is NewArray:
            self.stack[-1] = filled(self, state)
            if self.memo.get(target.key) is target:
                self.memo[target.key] = self.stack[-1]
        else:
            found = f"a pickle that sets the state of a {type(target).__name__}"
            raise self.bad(found, DISTRUST)


OPCODES = {info.code.encode("latin-1"): info.name for info in pickletools.opcodes}

# Name of an opcode -> (reader of its argument, action).
_STEPS = {
    "PROTO": (pickletools.read_uint1, Machine.check_protocol),
    "FRAME": (pickletools.read_uint8, lambda machine, length: None),  # a hint for buffering
    "NONE": (constant(None), Machine.push),
    "NEWTRUE": (constant(True), Machine.push),
    "NEWFALSE": (constant(False), Machine.push),
    "INT": (read_integer, Machine.push),
    "LONG": (read_integer, Machine.push),
    "BININT": (pickletools.read_int4, Machine.push),
    "BININT1": (pickletools.read_uint1, Machine.push),
    "BININT2": (pickletools.read_uint2, Machine.push),
    "LONG1": (pickletools.read_long1, Machine.push),
    "FLOAT": (read_float, Machine.push),
    "BINFLOAT": (pickletools.read_float8, Machine.push),
    "STRING": (read_quoted, Machine.push_python2_string),
    "BINSTRING": (payload(pickletools.read_int4), Machine.push_python2_string),
    "SHORT_BINSTRING": (payload(pickletools.read_uint1), Machine.push_python2_string),
    "UNICODE": (read_line, Machine.push_escaped_text),
    "BINUNICODE": (payload(pickletools.read_uint4), Machine.push_text),
    "SHORT_BINUNICODE": (payload(pickletools.read_uint1), Machine.push_text),
    "BINUNICODE8": (payload(pickletools.read_uint8), Machine.push_text),
    "BINBYTES": (payload(pickletools.read_uint4), Machine.push),
    "SHORT_BINBYTES": (payload(pickletools.read_uint1), Machine.push),
    "BINBYTES8": (payload(pickletools.read_uint8), Machine.push),
    "BYTEARRAY8": (payload(pickletools.read_uint8), Machine.push),
    "MARK": (constant(None), Machine.mark),
    "EMPTY_TUPLE": (constant(()), Machine.push),
    "TUPLE": (constant(None), lambda m, _: m.push(tuple(m.pop_mark()))),
    "TUPLE1": (constant(1), Machine.make_tuple),
    "TUPLE2": (constant(2), Machine.make_tuple),
    "TUPLE3": (constant(3), Machine.make_tuple),
    "EMPTY_LIST": (lambda file: [], Machine.push),
    "LIST": (constant(None), lambda m, _: m.push(m.pop_mark())),
    "APPEND": (constant(None), lambda m, _: m.extend([m.stack.pop()])),
    "APPENDS": (constant(None), lambda m, _: m.extend(m.pop_mark())),
    "EMPTY_DICT": (lambda file: {}, Machine.push),
    "DICT": (constant(None), Machine.make_dict),
    "SETITEM": (constant(None), lambda m, _: m.update([m.stack.pop(-2), m.stack.pop()])),
    "SETITEMS": (constant(None), lambda m, _: m.update(m.pop_mark())),
    "PUT": (read_integer, Machine.put),
    "BINPUT": (pickletools.read_uint1, Machine.put),
    "LONG_BINPUT": (pickletools.read_uint4, Machine.put),
    "MEMOIZE": (constant(None), lambda m, _: m.put(len(m.memo))),
    "GET": (read_integer, Machine.get),
    "BINGET": (pickletools.read_uint1, Machine.get),
    "LONG_BINGET": (pickletools.read_uint4, Machine.get),
    "GLOBAL": (read_name, Machine.find),
    "STACK_GLOBAL": (constant(None), Machine.find_by_stack),
    "INST": (read_name, Machine.refuse),  # makes an instance of a class
    "REDUCE": (constant(None), Machine.reduce),
    "BUILD": (constant(None), Machine.build),
}
STEPS = {code: _STEPS[name] for code, name in OPCODES.items() if name in _STEPS}
