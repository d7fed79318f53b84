"""Whatever the bytes of a file: valid arrays or a `DataError`, and nothing else done.

The same property for every reader of `readers.READERS`, on files that hypothesis damages, on
random bytes and on programs of random pickle opcodes. ``make fuzz`` looks for what this
misses, with coverage as its guide; what it found has a test of its own beside the module's.
"""

import contextlib
import functools
import gzip
import importlib.util
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import readers
from checkpoints import after, rewritten
from conftest import ROOT
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dlt.files.pickle_machine import STEPS

pytestmark = [pytest.mark.slow, pytest.mark.once]

WATCH = readers.Watch()
BY_NAME = {reader.name: reader for reader in readers.READERS}


# the same examples every time
examples = functools.partial(
    settings,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder for one file at a time, after each reader has imported what it needs."""
    folder = tmp_path_factory.mktemp("fuzzed")
    assert readers.warm_up(str(folder)) == []
    return folder


@pytest.fixture(scope="module")
def canary(tmp_path_factory):
    path = tmp_path_factory.mktemp("canary") / "canary"
    yield path
    assert not path.exists()


def check(reader, folder, data):
    """Read a file; return whether there were values in it."""
    path = folder / reader.file
    path.write_bytes(data)
    outcome, did = WATCH.during(readers.run, reader, path)
    assert did == [] and outcome in ("value", "DataError")
    return outcome == "value"


# One kind of damage: what to do, where (as a part of the whole), how far, and with which bytes.
DAMAGE = st.tuples(
    st.sampled_from(["flip", "replace", "insert", "cut", "repeat", "number"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(1, 40),
    st.one_of(
        st.binary(min_size=1, max_size=8),
        st.sampled_from(
            [b"\xff" * 4, b"\xff" * 8, b"\x7f" + b"\xff" * 3, b"\0" * 4, b"\xff\xff\xff\x7f",
             b"9" * 30, b"\n", b"-1", b"1e999", b"nan", b'"', b"\xed\xa0\x80", b"\x93NUMPY"]
        ),
    ),
)  # fmt: skip


def damaged(data, how, where, far, new):
    """Apply one kind of damage to a bytearray."""
    at = int(where * len(data))
    piece = data[at : at + far]
    if how == "flip" and piece:
        data[at] ^= 1 << far % 8
    elif how == "replace":
        data[at : at + far] = new
    elif how == "insert":
        data[at:at] = new
    elif how == "cut":
        del data[at:]
    elif how == "repeat":
        data[at:at] = piece * (1 + new[0] % 8)
    elif how == "number":
        value = int.from_bytes(piece[:4], "little") + new[0] - 128
        data[at : at + 4] = (value % (1 << 32)).to_bytes(4, "little")
    return data


# First bytes that get past the first look at a file.
HEADS = [b"", b"\x80\x04", b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"PK\3\4", b"\x89PNG\r\n\x1a\n",
         b"\0\0\x08\1", b"GIF89a", b"BM", b"\xff\xd8\xff\xe0", b"RIFF\x20\0\0\0WEBPVP8 ",
         b"iteration,epoch,train_loss,validation_error,patience,seconds,machine\n"]  # fmt: skip


@pytest.mark.parametrize("name", BY_NAME)
def test_damaged_files(name, folder, canary):
    valid = st.sampled_from(readers.valid_files()[name])
    seeds = st.sampled_from(readers.seeds(BY_NAME[name], canary))
    part = st.floats(0, 1)
    seen = {True: 0, False: 0}

    @examples(max_examples=300)
    @given(
        st.one_of(
            valid,
            seeds,
            st.builds(
                lambda a, b, i, j: a[: int(i * len(a))] + b[int(j * len(b)) :],
                seeds,
                seeds,
                part,
                part,
            ),
            st.builds(bytes.__add__, st.sampled_from(HEADS), st.binary(max_size=200)),
        ),
        st.lists(DAMAGE, max_size=3),
        st.sampled_from([bytes, readers.repair, gzip.compress]),
    )
    def damage(whole, damages, finish):
        data = bytearray(whole)
        for one in damages:
            data = damaged(data, *one)
        seen[check(BY_NAME[name], folder, finish(data))] += 1

    damage()
    assert min(seen.values()) > 0  # some are only changed, some are broken


ND = b"cnumpy\nndarray\n"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
F4 = b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
PARTS = [
    *sorted(STEPS), b".", b"K\x01", b"U\x01b", RECONSTRUCT, ND, F4, b"h\x01", b"q\x01",
    b"((K\x02tS'<'\n", b"cnumpy.core.numeric\n_frombuffer\n", b"cnumpy.core.multiarray\nscalar\n",
    b"c_codecs\nencode\n", b"Vlatin1\n", b"U\x08abcdefgh", b"C\x04abcd", b"(I2\nt", b"(I0\nt",
    b"\x8c\x05numpy\x8c\x05dtype\x93", b"X\x03\0\0\0\xed\xa0\x80", b"cos\nsystem\n", b"U\1C",
]  # fmt: skip


@examples(max_examples=300)
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=30))
@example([RECONSTRUCT, b"(", ND, b"(I0\nt", b"U\x01b", b"t", b"R"])
def test_programs_of_random_opcodes(folder, parts):
    for name in ("pickle", "pickles", "data set"):
        check(BY_NAME[name], folder, b"".join(parts) + b".")


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
        st.sampled_from(["W", "b", "float64", "format", 1, 10**400]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["format", "params", "settings", "a"]), inner),
    ),
    max_leaves=12,
)  # fmt: skip


ENTRY = st.tuples(
    st.sampled_from(["W", "b"]) | JSON,
    st.sampled_from([[2], [2, 2]]) | JSON,
    st.just("float64") | JSON,
)
DESCRIPTION = st.fixed_dictionaries(
    {
        "format": st.just(1) | JSON,
        "params": st.lists(ENTRY, max_size=3) | JSON,
        "settings": st.just({}) | JSON,
    }
)


@examples(max_examples=100)
@given(JSON | DESCRIPTION)
def test_descriptions_of_any_shape(folder, described):
    text = readers.json.dumps(described)
    W, b = np.eye(2), np.zeros(2)
    archive = readers.zipped({"W": W, "b": b, "__dlt__": np.array(text)})
    dumped = b"".join(pickle.dumps(value, 2) for value in (W, b, text))
    for reader in readers.READERS:
        if "params.npz" in reader.kinds:
            check(reader, folder, archive)
        if "params.pkl" in reader.kinds:
            check(reader, folder, dumped)


ENTRIES = {
    "iteration": st.integers(0, 50),
    "best": st.lists(st.integers(0, 20), max_size=3),
    "snapshots": st.lists(st.sampled_from([10, 20, 30, 40]), max_size=3),
    "program": st.dictionaries(st.text(max_size=5), st.tuples(st.text(max_size=5), JSON)),
    "data": st.lists(st.just("5f" * 32), max_size=3),
    "engine": st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
    "settings": st.dictionaries(st.text(max_size=5), JSON),
    "seconds": st.floats(),
    "ended": st.sampled_from(["patience", "n_epochs", "divergence"]),
    "checkpoint": st.integers(0, 3),
}


@examples(max_examples=200)
@given(st.data())
def test_checkpoints_with_entries_of_any_shape(folder, data):
    name = data.draw(st.sampled_from(sorted(ENTRIES)))
    entry = data.draw(ENTRIES[name] | JSON)
    rewritten(folder / "entries.npz", after(4, 2, snapshots=(20, 40)), **{name: entry})
    check(BY_NAME["checkpoint"], folder, (folder / "entries.npz").read_bytes())


KINDS = ["u1", "i1", "u2", "i4", "u8", "i8", "f2", "f4", "f8", "b1", "U1"]


@examples(max_examples=120)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(KINDS),
    st.lists(st.integers(0, 3), max_size=3),
    st.lists(st.integers(0, 3), max_size=2),
    st.binary(max_size=32),
    st.sampled_from([np.asarray, np.ndarray.tolist, lambda array: [array, array]]),
)
@example("u1", "f2", [2, 1], [2], b"", np.asarray)
def test_sets_of_arrays_of_any_kind(folder, x_kind, y_kind, x_shape, y_shape, raw, give):
    x, y = filled(x_kind, x_shape, raw), filled(y_kind, y_shape, raw)
    pairs = pickle.dumps(((give(x), give(y)),) * 3, 2)
    keyed = {"x_train": x, "y_train": y, "x_test": x, "y_test": y}
    check(BY_NAME["data set"], folder, pairs)
    check(BY_NAME["data set"], folder, readers.zipped(keyed))


def filled(kind, shape, raw):
    """Make an array whose bytes repeat `raw` (text and booleans: what may be in such an array)."""
    size = int(np.prod(shape, dtype=int))
    if kind in ("b1", "U1"):
        return np.resize(np.array([0, 1], "u1"), shape).astype(kind)
    data = (raw or b"\0") * (8 * size + 1)
    return np.frombuffer(data[: size * np.dtype(kind).itemsize], kind).reshape(shape)


def test_the_watch_sees_what_it_is_there_to_see(tmp_path):
    def import_nothing():
        with contextlib.suppress(ImportError):
            __import__("this_is_no_module")

    new, newer = str(tmp_path / "new"), str(tmp_path / "newer")
    for act, *args in (
        (open, new, "w"),
        (os.open, newer, os.O_CREAT | os.O_WRONLY),
        (os.system, "true"),
        (subprocess.call, ["true"]),
        (pickle.loads, b"cos\ngetpid\n)R."),
        (eval, "1 + 1"),
        (import_nothing,),
        (os.unlink, new),
    ):
        result, seen = WATCH.during(act, *args)
        assert seen != [], act
        with contextlib.suppress(AttributeError, TypeError):
            result.close()
    file, seen = WATCH.during(open, newer)
    file.close()
    assert seen == WATCH.during(os.listdir, ".")[1] == []


def test_the_fuzzer_runs_or_says_what_it_needs(tmp_path):
    process = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "fuzz.py"), "--seconds", "2", "--reader", "idx"],
        cwd=str(tmp_path), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert os.listdir(tmp_path) == []
    if importlib.util.find_spec("atheris") is None:
        assert (process.returncode, process.stdout) == (2, "")
        assert process.stderr.startswith(
            "fuzzing needs atheris: pip install atheris; it has wheels"
        )
        assert process.stderr.count("\n") == 1
    else:
        assert process.returncode == 0, process.stdout
        assert process.stdout.startswith("idx ") and process.stdout.endswith("nothing found\n")
