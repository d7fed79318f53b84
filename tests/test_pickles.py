r"""Tests of `dlt.files.pickles`: every protocol, both Pythons, and pickles that want to do harm.

The Python 2 pickles below are bytes as `cPickle` of Python 2.7 writes them for
``(x, y)``, with ``x`` a (2, 3) float32 array and ``y`` two int64 labels.
"""

import gzip
import os
import pickle
import pickletools
import struct

import attacks
import numpy as np
import pytest
from attacks import short
from conftest import peak_below, saved

from dlt.errors import DataError
from dlt.files import pickle_machine
from dlt.files.pickles import load_pickle, load_pickles
from dlt.files.reading import NUMBERS

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

X = np.array([[0, 0.5, -1], [2.25, 0.99609375, -0.001]], np.float32)
Y = np.array([7, -2], np.int64)

PYTHON2 = {
    0: (
        b"(cnumpy.core.multiarray\n_reconstruct\np1\n(cnumpy\nndarray\np2\n(I0\ntp3\nS'b'\ntRp4\n"
        b"(I1\n(I2\nI3\ntp5\ncnumpy\ndtype\np6\n(S'f4'\np7\nI0\nI1\ntp8\nRp9\n(I3\nS'<'\nNNNI-1\n"
        b"I-1\nI0\ntp10\nbI00\nS'\\x00\\x00\\x00\\x00\\x00\\x00\\x00?\\x00\\x00\\x80\\xbf\\x00\\x00"
        b"\\x10@\\x00\\x00\\x7f?o\\x12\\x83\\xba'\np11\ntbg1\n(g2\ng3\nS'b'\ntRp12\n(I1\n(I2\ntp13\n"
        b"g6\n(S'i8'\np14\nI0\nI1\ntp15\nRp16\ng10\nbI00\nS'\\x07\\x00\\x00\\x00\\x00\\x00\\x00\\x00"
        b"\\xfe\\xff\\xff\\xff\\xff\\xff\\xff\\xff'\np17\ntbt."
    ),
    1: (
        b"(cnumpy.core.multiarray\n_reconstruct\nq\x01(cnumpy\nndarray\nq\x02(K\x00tq\x03U\x01btR"
        b"q\x04(K\x01(K\x02K\x03tq\x05cnumpy\ndtype\nq\x06(U\x02f4q\x07K\x00K\x01tq\x08Rq\t(K\x03"
        b"U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\nbI00\nU\x18\x00\x00\x00\x00\x00\x00"
        b"\x00?\x00\x00\x80\xbf\x00\x00\x10@\x00\x00\x7f?o\x12\x83\xbaq\x0btbh\x01(h\x02h\x03U\x01"
        b"btRq\x0c(K\x01(K\x02tq\rh\x06(U\x02i8q\x0eK\x00K\x01tq\x0fRq\x10h\nbI00\nU\x10\x07\x00"
        b"\x00\x00\x00\x00\x00\x00\xfe\xff\xff\xff\xff\xff\xff\xffq\x11tbt."
    ),
    2: (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85q\x03"
        b"U\x01b\x87Rq\x04(K\x01K\x02K\x03\x86q\x05cnumpy\ndtype\nq\x06U\x02f4q\x07K\x00K\x01\x87"
        b"q\x08Rq\t(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\nb\x89U\x18\x00\x00"
        b"\x00\x00\x00\x00\x00?\x00\x00\x80\xbf\x00\x00\x10@\x00\x00\x7f?o\x12\x83\xbaq\x0btbh\x01"
        b"h\x02h\x03U\x01b\x87Rq\x0c(K\x01K\x02\x85q\rh\x06U\x02i8q\x0eK\x00K\x01\x87q\x0fRq\x10h\n"
        b"b\x89U\x10\x07\x00\x00\x00\x00\x00\x00\x00\xfe\xff\xff\xff\xff\xff\xff\xffq\x11tb\x86."
    ),
}


def refused(folder, data, found, load=load_pickle):
    with pytest.raises(DataError, match="data: found (" + found + ")") as caught:
        load(saved(folder, data))
    assert "\n" not in str(caught.value) and str(caught.value).isprintable()
    return str(caught.value)


def assert_same(found, value):
    """Compare nested values, types and dtypes included (byte order apart)."""
    assert type(found) is type(value)
    if isinstance(value, np.ndarray):
        assert found.dtype == value.dtype.newbyteorder("=") and found.dtype.isnative
        assert found.flags.writeable
        np.testing.assert_array_equal(found, value)
    elif isinstance(value, dict):
        assert list(found) == list(value)
        assert_same(list(found.values()), list(value.values()))
    elif isinstance(value, (list, tuple)):
        assert len(found) == len(value)
        for left, right in zip(found, value):
            assert_same(left, right)
    else:
        assert found == value


def old_array(code, raw, shape=b"(K\x02t", order=b"<", fortran=b"\x89"):
    """Assemble one array as numpy under Python 2 pickles it at protocol 2."""
    dtype = b"cnumpy\ndtype\nU%c%bK\x00K\x01\x87R(K\x03U\x01%bNNN" % (len(code), code, order)
    dtype += b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return empty + b"(K\x01" + shape + dtype + fortran + raw + b"tb"


VALUES = {
    "the tutorial's layout": ((X, Y), (X[:1], Y[:1]), (X[1:], Y[1:])),
    "one array": X,
    "Fortran order": np.asfortranarray(X),
    "neither order": np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),
    "a strided view": np.arange(10)[::3],
    "big-endian": X.astype(">f8"),
    "big-endian, Fortran": np.asfortranarray(X.astype(">f4")),
    "no dimensions": np.array(2.5),
    "empty": np.zeros((0, 784), np.float32),
    "booleans": np.array([True, False]),
    "every dtype": [np.array([1, 0], code) for code in NUMBERS],
    "rows": [row for row in X],
    "python lists": [[0.0, 0.5], [1, 2, -3, 2**40, -(2**70)], []],
    "numpy numbers": [np.float32(0.5), np.int64(-7), np.bool_(True), np.float64(0.1)],
    "plain": (None, True, False, 1.5, float("inf"), "caf\u00e9 \u4e2d", b"\x00\xff", b"", (), {}),
    "a look-alike": {"Train": {"Features": X, "Labels": Y}, b"Test": [1], 3: None},
    "the same array twice": [X, X],
    "long text and bytes": ["\u00e9" * 1000, b"\x80" * 1000],
}


@pytest.mark.parametrize("dumps", [pickle.dumps, pickle._dumps], ids=["C", "Python"])
@pytest.mark.parametrize("name", VALUES)
def test_what_this_python_pickles_comes_back(tmp_path, name, dumps):
    for protocol in PROTOCOLS:
        assert_same(load_pickle(saved(tmp_path, dumps(VALUES[name], protocol))), VALUES[name])


@pytest.mark.parametrize("core", [b"numpy.core.", b"numpy._core."])
@pytest.mark.parametrize("protocol", range(4))  # later ones store lengths, which this falsifies
def test_both_spellings_of_numpy_core(tmp_path, protocol, core):
    data = pickle.dumps((X, np.float32(1)), protocol)
    data = data.replace(b"numpy._core.", core).replace(b"numpy.core.", core)
    assert core in data
    assert_same(load_pickle(saved(tmp_path, data)), (X, np.float32(1)))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("protocol", PYTHON2)
def test_pickles_of_python_2(tmp_path, protocol, pack):
    assert_same(load_pickle(saved(tmp_path, pack(PYTHON2[protocol]))), (X, Y))


def test_python_2_array_of_the_size_that_is_not_copied(tmp_path):
    numbers = np.arange(40000, dtype="<f4")
    raw = b"T" + struct.pack("<i", numbers.nbytes) + numbers.tobytes()
    data = old_array(b"f4", raw, b"J" + struct.pack("<i", 40000) + b"\x85")
    assert_same(load_pickle(saved(tmp_path, b"\x80\x02" + data + b".")), numbers)


@pytest.mark.parametrize(
    ("order", "fortran", "expected"),
    [
        (b"<", b"\x88", [[1, 3], [2, 4]]),
        (b">", b"I00\n", [[256, 512], [768, 1024]]),
        (b">", b"I01\n", [[256, 768], [512, 1024]]),
    ],
)
def test_python_2_byte_and_index_order(tmp_path, order, fortran, expected):
    raw = b"U\x08" + struct.pack("<4H", 1, 2, 3, 4)
    data = old_array(b"u2", raw, b"K\x02L2L\n\x86", order, fortran)
    found = load_pickle(saved(tmp_path, b"\x80\x02" + data + b"."))
    assert found.tolist() == expected and found.dtype == np.uint16


def test_python_2_strings_and_numbers(tmp_path):
    data = b"(lp1\nS'caf\\xe9 \\'\\\\\\n'\np2\naS\"it's\"\na"
    data += b"L-12345678901234567890L\naI01\naI1\naF0.1\na."
    found = load_pickle(saved(tmp_path, data))
    assert found == ["caf\u00e9 '\\\n", "it's", -12345678901234567890, True, 1, 0.1]
    assert [type(value) for value in found[3:5]] == [bool, int]


def test_large_byte_strings_outside_arrays_are_bytearrays(tmp_path):
    for protocol in PROTOCOLS:
        data = pickle.dumps(b"x" * 65536, protocol)
        assert_same(load_pickle(saved(tmp_path, data)), bytearray(b"x" * 65536))


def test_arrays_that_share_their_bytes_in_the_file_do_not_share_memory(tmp_path):
    raw = b"T" + struct.pack("<i", 1 << 17) + bytes(1 << 17)
    shape = b"J" + struct.pack("<i", 1 << 17) + b"\x85"
    arrays = [old_array(b"u1", data, shape) for data in (raw + b"q\x07", b"h\x07", b"h\x07")]
    data = b"(" + b"".join(arrays) + b"t."
    first, second, third = load_pickle(saved(tmp_path, data))
    first[:] = 1
    assert second.sum() == third.sum() == 0
    found = "arrays that need more than 140000 bytes"
    refused(tmp_path, data, found, lambda path: load_pickle(path, max_bytes=140000))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_w_v_u_one_after_another(tmp_path, protocol):
    values = [X, Y, {"u": 1}]
    path = saved(tmp_path, gzip.compress(b"".join(pickle.dumps(v, protocol) for v in values)))
    assert_same(load_pickles(path), values)
    with pytest.raises(DataError, match=r"more bytes after the first pickle.*use load_pickles"):
        load_pickle(path)


def test_memo_and_marks_do_not_leak_into_the_next_pickle(tmp_path):
    refused(tmp_path, b"K\x05q\x01.h\x01.", "a damaged pickle .memo entry 1", load_pickles)


def test_second_pickle_cut_short(tmp_path):
    whole = pickle.dumps(X, 2)
    refused(tmp_path, whole + whole[:-1], "a pickle that is cut short", load_pickles)


NAMES = """
builtins.getattr builtins.bytearray __builtin__.apply subprocess.Popen importlib.import_module
operator.attrgetter functools.partial pkgutil.resolve_name copyreg._reconstructor
copy_reg._reconstructor collections.OrderedDict _codecs.decode codecs.encode numpy.load
numpy.fromfile numpy.poly1d numpy.core.multiarray.fromfile numpy.core.numeric.load
numpy.core.multiarray._reconstruct.__globals__ numpy._core.numeric._frombuffer.__call__
numpy.testing._private.utils.runstring numpy.distutils.exec_command.exec_command
numpy.f2py.crackfortran.getlincoef numpy.ma.core._mareconstruct
numpy.random._pickle.__randomstate_ctor numpy.__builtins__ Numpy.ndarray os.system posix.system
theano.tensor.sharedvar.TensorSharedVariable __main__.LogisticRegression builtins.eval
numpy:prod.os.system numpy:ndarray.__class__ numpy:dtype.__reduce__ :numpy.ndarray
numpy.core:multiarray._reconstruct numpy.core.multiarray:_reconstruct.__class__
""".split()


@pytest.mark.parametrize("name", [*NAMES, "numpy.core.multiarray._reconstruct\t", "numpy ndarray:"])
def test_only_the_exact_names_of_numpy_arrays_are_known(tmp_path, name):
    module, _, attribute = name.rpartition(":" if ":" in name else ".")
    named, args = attacks.name(module, attribute), b"(S'touch x'\nt"
    found = "a pickle that asks for {}.{};".format(module, attribute.replace("\t", r"\\t"))
    stack_global = b"\x80\x04" + short(module) + short(attribute) + b"\x93" + args + b"R."
    for data in (named + args + b"R.", stack_global, b"(S'touch x'\ni" + named[1:] + b"."):
        assert refused(tmp_path, data, found).endswith(
            "do not unpickle it; fetch the right file, or save the data as .npz where it was made"
        )


def test_name_from_the_file_cannot_draw_on_the_terminal(tmp_path):
    line = refused(tmp_path, b"cos\x1b]0;x\x07\r\nsystem\xc3\xa9\n.", "a pickle that asks for os")
    assert r"os\x1b]0;x\x07\r.systemé" in line
    refused(tmp_path, b"c" + b"o" * 990 + b"\ns\n.", "a pickle that asks for o{100}; expected")


OPCODES = """
BINPERSID DUP EMPTY_SET EXT1 EXT2 EXT4 FROZENSET LONG4 NEWOBJ NEWOBJ_EX NEXT_BUFFER OBJ PERSID POP
POP_MARK READONLY_BUFFER
""".split()


@pytest.mark.parametrize("name", OPCODES)
def test_opcodes_that_build_more_than_plain_values_are_refused(tmp_path, name):
    (code,) = (opcode.code for opcode in pickletools.opcodes if opcode.name == name)
    data = b"\x80\x05" + code.encode("latin-1") + b"."
    refused(tmp_path, data, f"a pickle with the opcode {name}, which is not allowed")


ND = b"cnumpy\nndarray\n"
DTYPE = b"cnumpy\ndtype\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
EMPTY = RECONSTRUCT + b"(" + ND + b"(I0\ntS'b'\ntR"
SCALAR = b"cnumpy.core.multiarray\nscalar\n"
FROMBUFFER = b"cnumpy.core.numeric\n_frombuffer\n"
ENCODE = b"c_codecs\nencode\n"
NEW_F4 = DTYPE + b"(S'f4'\nI0\nI1\ntR"
F4 = NEW_F4 + b"(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"

# What a pickle holds, and what the error names; "..." stands for "a damaged pickle .".
REFUSED = [
    # Calling what is not a function of ours, or ours with other arguments.
    (ND + b"(I3\ntR.", "a pickle that calls numpy.ndarray in a way"),
    (b"I1\n)R.", "a pickle that calls a int"),
    (RECONSTRUCT + b"I1\nR.", "a pickle that calls _reconstruct in a way"),
    (RECONSTRUCT + b"(" + DTYPE + b"(I0\ntS'b'\ntR.", "...an array that does not begin as in"),
    (ENCODE + b"(Vx\nVrot13\ntR.", "a pickle that calls _codecs.encode other than for latin1"),
    (ENCODE + b"(Vx\ntR.", "a pickle that calls _codecs.encode in a way"),
    (ENCODE + b"(V\\u4e2d\nVlatin1\ntR.", "...'latin-1' codec can't"),
    (b"c__builtin__\nbytes\n(I1000000000\ntR.", "a pickle that calls bytes in a way"),
    (DTYPE + b"(S'O8'\nI0\nI1\ntR.", "an array of dtype O8; .*plain booleans, integers"),
    (pickle.dumps(np.array(["a"])), "an array of dtype U1"),
    (DTYPE + b"(]I0\nI1\ntR.", "an array of dtype list"),
    (DTYPE + b")R.", "a pickle that calls numpy.dtype in a way"),
    (SCALAR + b"(" + F4 + b"S'abc'\ntR.", "3 bytes of array data"),
    (SCALAR + b"(" + F4 + b"tR.", "a pickle that calls scalar in a way"),
    (SCALAR + b"(" + NEW_F4 + b"S'abcd'\ntR.", "...an array without a dtype"),
    (SCALAR + b"(I4\nS'abcd'\ntR.", "...an array without a dtype"),
    (SCALAR + b"(" + F4 + b"]tR.", "...array data in a list"),
    (FROMBUFFER + b"(S'abcd'\n" + F4 + b"(I1\ntS'Z'\ntR.", "...an array not described"),
    (FROMBUFFER + b"(S'abcd'\n" + F4 + b"(I1\ntS'K'\n(S'a'\nttR.", "...axes that do not fit"),
    # The state of other things than arrays, or an odd one.
    (b"I1\n}b.", "a pickle that sets the state of a int"),
    (ND + b"}(S'__setstate__'\nI1\nub.", "a pickle that sets the state of a Global"),
    (NEW_F4 + b"}b.", "a dtype with fields or an unknown state"),
    (NEW_F4 + b"(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb.", "a dtype with fields or an unknown state"),
    (NEW_F4 + b"(I3\nS'<'\nN(S'a'\nt}I-1\nI-1\nI0\ntb.", "a dtype with fields"),
    (EMPTY + b"}b.", "an array state that is not"),
    (EMPTY + b"(I2\n(I1\nt" + F4 + b"I00\nS'abcd'\ntb.", "an array state that is not"),
    # Leftovers.
    (ND + b".", "a pickle with a bare Global in it"),
    (b"(l" + NEW_F4 + b"a.", "a pickle with a bare Dtype in it"),
    (EMPTY + b".", "a pickle with a bare NewArray in it"),
    (b"I1\nI2\n.", "...it ends with 2 values"),
    (b"(I1\n.", "...it ends with 1 values"),
    (b".", "...it ends with 0 values"),
    # Keys of dicts that would take long to hash, or are none.
    (b"})" + b"\x85" * 50000 + b"Ns.", "a dict with a tuple as key"),
    (b"}NNs.", "a dict with a NoneType as key"),
    (b"}G" + bytes(8) + b"Ns.", "a dict with a float as key"),
    (b"}\x8a\x0a" + b"\x01" * 10 + b"Ns.", "a dict with a int as key"),
    # Lists that contain themselves.
    (b"]q\x01h\x01a.", "tuples and lists nested more than 100 deep, or in themselves"),
    (b"}q\x01K\x05h\x01s.", "tuples and lists nested more than 100 deep, or in themselves"),
    (b"]q\x01h\x01\x85a.", "tuples and lists nested more than 100 deep, or in themselves"),
    (b"]q\x01]q\x02h\x01ah\x02h\x01ah\x02a\x86.", "tuples and lists nested more than 100 deep|..."),
    # Other files, and damaged bytes.
    (b"Hello", "a file that begins with 48 65 6c 6c"),
    (b"", "an empty file"),
    (b"\x80\x06N.", "a pickle of protocol 6"),
    (b"N\xff.", "a pickle with the opcode ff, which is not allowed"),
    (b"\x80\x02", "a pickle that is cut short"),
    (b"h\x09.", "...memo entry 9 was never made"),
    (b"q\x09.", "...it uses more values than it made"),
    (b"a.", "...it uses more values than it made"),
    (b"(t\x86.", "...it uses more values than it made"),
    (b"t.", "...it uses more values than it made"),
    (b"NNa.", "...it treats a NoneType as a list"),
    (b"NN(K\x01K\x02u.", "...it treats a NoneType as a dict"),
    (b"(K\x01d.", "...a dict key without a value"),
    (b"NN\x93.", "...a name that is not text"),
    (b"I1x\n.", "...invalid literal for int"),
    (b"Fabc\n.", "...could not convert string to float"),
    (b"g-1\n.", "...memo entry -1 was never made"),
    (b"Sabc\n.", "...a string without quotes"),
    (b"S'\n.", "...a string without quotes"),
    (b"S'a\\q'\n.", "...an unknown escape"),
    (b"S'a\\x0'\n.", "....*escape"),
    (b"X\x01\x00\x00\x00\xff.", "...'utf-8' codec can't decode"),
    (b"Vabc", "...a line that is cut short or too long"),
    (b"V\\u12\n.", "...'rawunicodeescape' codec can't decode"),
    (b"cos\xff\nx\n.", "...'utf-8' codec can't decode"),
]


@pytest.mark.parametrize(("data", "found"), REFUSED)
def test_what_is_not_plain_or_damaged_is_named(tmp_path, data, found):
    refused(tmp_path, data, found.replace("...", "a damaged pickle ."))


DECLARED = attacks.light(attacks.add_array_states, attacks.add_lengths, attacks.add_nesting)
DECLARED = {name[len("pickle-") :]: data for name, data in DECLARED.items()}
FOUND = {
    "shape-huge-product": "8 bytes of array data; expected 4835703278458516698824704 for shape",
    "shape-": "an array of an impossible shape",
    "length-FRAME": "a damaged pickle .it uses more values than it made",
    "length-LONG4": "a pickle with the opcode LONG4",
    "length-": r"a damaged pickle \((cut short: 3 of|a negative length)",
    "digits-": "a damaged pickle .a line that is cut short or too long",
    "nested-keys": "a dict with a tuple as key",
    "nested-reduced": "a pickle that calls numpy.dtype in a way",
    "nested-": "tuples and lists nested more than 100 deep",
}


@pytest.mark.parametrize("attack", [name for name in DECLARED if name.startswith(tuple(FOUND))])
def test_sizes_and_depths_that_are_only_declared(tmp_path, attack):
    found = next(FOUND[start] for start in FOUND if attack.startswith(start))
    with peak_below(8 << 20):
        refused(tmp_path, gzip.compress(DECLARED[attack]), found)


def test_nesting_just_deep_enough(tmp_path):
    found = load_pickle(saved(tmp_path, b")" + b"\x85" * 99 + b"."))
    for _ in range(99):
        (found,) = found
    assert found == ()
    refused(tmp_path, b")" + b"\x85" * 100 + b".", "tuples and lists nested more than 100 deep")


def test_repeated_parts_are_fine_until_they_unfold_too_far(tmp_path):
    def doubled(times):  # [[..], [..]] with the same list twice at each level
        steps = (b"]q%c(h%ch%ce" % (i + 1, i, i) for i in range(times))
        return b"(]q\x00" + b"".join(steps) + b"l."

    # Level by level only the last list stays: 2**(n+1) - 1 lists when unfolded.
    found = load_pickle(saved(tmp_path, doubled(3)))
    assert found[3] == [[[[], []], [[], []]], [[[], []], [[], []]]]
    # 2**61 values: were they counted one by one, this test would never end.
    refused(tmp_path, doubled(60), "a pickle that unfolds to more than 5000000 values")


def test_one_array_many_times_counts_each_time(tmp_path):
    array = old_array(b"u1", b"U\x02ab")
    row = b"(" + array + b"q\x01" + b"h\x01" * 39 + b"tq\x02"  # 40 times 2 bytes
    data = b"(" + row + b"h\x02" * 49 + b"t."  # 50 rows
    path = saved(tmp_path, data)
    assert len(load_pickle(path, max_bytes=4000)) == 50
    with pytest.raises(DataError, match="unfolds to more than 5000000 values or 3999 bytes"):
        load_pickle(path, max_bytes=3999)


@pytest.mark.once
@pytest.mark.parametrize(
    "form", [b"S'%b'\n", b"V%b\n", b"T%b%b", b"B%b%b", ENCODE + b"(X%b%bVlatin1\ntR"]
)
def test_memory_is_at_most_three_times_the_limit(tmp_path, form):
    size = 32 << 20
    parts = [struct.pack("<I", size), b"a" * size]
    path = saved(tmp_path, form % tuple(parts[-form.count(b"%b") :]) + b".")
    del parts
    with peak_below(3.1 * size, least=size):
        assert len(load_pickle(path, max_bytes=size + 100)) == size


@pytest.mark.once
@pytest.mark.parametrize("letter", ["\u4e2d", "\U0001f600"])
@pytest.mark.parametrize("protocol", [0, 1, 4])
def test_text_of_wide_letters_counts_as_what_it_takes(tmp_path, letter, protocol):
    text = letter + "a" * (1 << 20)  # Python stores 2 or 4 bytes for each letter
    path = saved(tmp_path, pickle.dumps(text, protocol))
    assert load_pickle(path) == text
    with pytest.raises(DataError, match="found arrays that need more than 3000000 bytes"):
        load_pickle(path, max_bytes=3000000)
    narrow = "\u00e9\n\\" + "a" * (1 << 20)
    assert load_pickle(saved(tmp_path, pickle.dumps(narrow, protocol)), 3000000) == narrow


def test_number_of_opcodes_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(pickle_machine, "MAX_OPCODES", 1000)
    assert len(load_pickle(saved(tmp_path, b"(" + b"N" * 998 + b"t."))) == 998
    refused(tmp_path, b"(" + b"N" * 999 + b"t.", "more than 1000 pickle opcodes; .*whole arrays")
    refused(tmp_path, b"N." * 1001, "more than 1000 pickle opcodes", load_pickles)


SMALL = [pickle.dumps(((X[:1, :2], Y[:1]), [0.5, np.float32(1)]), p) for p in PROTOCOLS]


@pytest.mark.once
@pytest.mark.parametrize("whole", SMALL + list(PYTHON2.values()))
def test_truncated_at_every_byte(tmp_path, whole):
    for size in range(len(whole)):
        found = "an empty|a damaged|a pickle that is cut short"
        refused(tmp_path, whole[:size], found)


@pytest.mark.once
def test_real_mnist_and_the_memory_it_takes(mnist_folder):
    with peak_below(400 << 20):  # the arrays themselves need 210 MiB
        sets = load_pickle(os.path.join(mnist_folder, "mnist.pkl.gz"))
    assert [(x.shape, x.dtype, y.shape, y.dtype, float(x.max())) for x, y in sets] == [
        ((n, 784), "float32", (n,), "int64", 0.99609375) for n in (50000, 10000, 10000)
    ]
