r"""Every reader of files in one table, and what none may do whatever the bytes are.

Used by test_attacks.py, test_fuzz.py and fuzz.py. A new reader is one more line of `READERS`,
and one of `valid_files`.

``python tests/readers.py --again FILE`` reads one file, such as make fuzz keeps.
``python tests/readers.py FOLDER`` gives every file of FOLDER to every reader, in one process,
and prints a line of JSON for each pair: what came out, what the process did besides reading,
and the memory it took.
"""

import collections
import contextlib
import functools
import gzip
import io
import json
import math
import os
import pickle
import struct
import sys
import tempfile
import time
import warnings
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import attacks
import numpy as np
from checkpoints import after, unvalidated

from dlt.datasets import load_data
from dlt.errors import DataError
from dlt.files.idx import read_idx
from dlt.files.npz import read_npz, write_npz
from dlt.files.pickles import load_pickle, load_pickles
from dlt.files.reading import open_capped
from dlt.parameters import read_params, save_params
from dlt.pictures.reading import read_picture
from dlt.runs.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from dlt.runs.history import HistoryRow, read_history, write_history
from dlt.runs.resuming import differences
from dlt.runs.state import State

#: One reader: `file` is the name its file has, `read` takes a path, `check` the result,
#: `kinds` are the kinds of attacks that are meant for it.
Reader = collections.namedtuple("Reader", "name file read check kinds")

PLAIN = (type(None), bool, int, float, str, bytes, bytearray, np.ndarray, np.generic)


def gunzip(path):
    with open_capped(path) as file:
        return file.drain()


def read_model(path):
    """Read a model as `dlt.prediction.Predictor` does, short of compiling its function."""
    from dlt import prediction  # imports the engine

    return prediction.read_model(path)


def plain(value):
    """Check nested plain values; the arrays must be whole, and own what they show."""
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, (tuple, list)):
            todo.extend(value)
        elif isinstance(value, dict):
            todo.extend(value)
            todo.extend(value.values())
        else:
            assert isinstance(value, PLAIN), type(value)
            if isinstance(value, np.ndarray):
                numbers(value)


def numbers(array):
    assert type(array) is np.ndarray and array.dtype.kind in "biufU" and array.dtype.isnative
    assert array.flags.writeable or not array.size
    array.copy()  # touches every byte


def arrays(found):
    for name, array in found.items():
        assert type(name) is str
        numbers(array)


def parameters(found):
    arrays(found[0])
    assert type(found[1]) is dict


def sets(found):
    assert len(found) == 3
    for x, y in found:
        assert x.dtype in ("float32", "float64") and x.ndim == 2 and np.isfinite(x).all()
        assert y.dtype == "int64" and y.shape == x.shape[:1] and (y >= 0).all()


def rows(found):
    for row in found:
        assert type(row) is HistoryRow and list(map(type, row)) == [int, int] + [float] * 4 + [int]


def picture(found):
    row, note = found
    assert row.shape == (784,) and row.dtype == "float32" and 0 <= row.min() <= row.max() < 1
    assert note.isprintable()


def model(found):
    W, b = found.W, found.b
    assert W.shape[1:] == b.shape and np.isfinite(W).all() and np.isfinite(b).all()
    assert type(found.settings) is dict


def checkpoint(found):
    assert type(found) is Checkpoint
    state = found.state
    assert type(state) is State and state.iteration >= 1 and state.can_go_on
    for group in (state.params, state.update_state, state.best_params or {}):
        arrays(group)
        assert all(np.isfinite(array).all() for array in group.values())
    arrays({"losses": state.losses})
    rows(state.history)
    assert state.best_score is None or np.isfinite(state.best_score.fraction)
    assert all(map(str.isprintable, differences(found, after(0))))


def count(found):
    assert type(found) is int and found > 0


PICKLES = ("pickle", "params.pkl")
ARCHIVES = ("npz", "params.npz", "model")
READERS = (
    Reader("gzip", "data.gz", gunzip, count, ("gzip",)),
    Reader("pickle", "data.pkl", load_pickle, plain, ("pickle",)),
    Reader("pickles", "data.pkl", load_pickles, plain, ("pickle",)),
    Reader("idx", "data-idx", read_idx, numbers, ("idx",)),
    Reader("npz", "data.npz", read_npz, arrays, ("npz",)),
    Reader("params.npz", "params.npz", read_params, parameters, ("npz", "params.npz")),
    Reader("params.pkl", "params.pkl", read_params, parameters, PICKLES),
    Reader("checkpoint", "checkpoint.npz", read_checkpoint, checkpoint, ("npz", "params.npz")),
    Reader("history", "history.csv", read_history, rows, ("csv",)),
    Reader("picture", "picture.png", read_picture, picture, ("png",)),
    Reader("data set", "mnist.pkl.gz", load_data, sets, ("pickle", "npz", "idx", "csv")),
    Reader("model.npz", "model.npz", read_model, model, ARCHIVES),
    Reader("model.pkl", "model.pkl", read_model, model, PICKLES),
)


@functools.lru_cache(maxsize=1)
def valid_files():
    """Return reader name -> list of small files, as bytes, that it reads."""
    W, b = np.array([[0.5, -1], [0, 2], [1, 1], [3, 4]]), np.array([0.25, 0])
    x, y = np.arange(12, dtype="f4").reshape(4, 3) / 12, np.array([0, 1, 1, 0])
    pairs = ((x, y),) * 3
    keyed = {"x_train": np.tile(np.uint8(x * 255), (3, 1)), "y_train": np.tile(y, 3)}
    keyed.update(x_test=np.uint8(x * 255), y_test=y)
    row = HistoryRow(83, 1, 0.75, 0.125, 5000.0, 1.5)
    pickled = [pickle.dumps((x[:1], [y, 0.5, "a", {"k": b"v"}]), p) for p in (0, 2, 3, 4, 5)]
    with tempfile.TemporaryDirectory() as folder:

        def saved(name, save):
            path = os.path.join(folder, name)
            save(path)
            with open(path, "rb") as file:
                return file.read()

        def save(path):
            save_params(path, {"W": W, "b": b}, {"dataset": "d"})

        params = [saved("params.npz", save), saved("params.pkl", save)]
        history = saved("history.csv", lambda path: write_history(path, [row, row]))
        checkpoints = [
            saved("checkpoint.npz", functools.partial(write_checkpoint, checkpoint=whole))
            for whole in (after(0, n_losses=3), after(2), unvalidated(after(1)))
        ]
    table = b"label,p0,p1\n" + b"ham,0,255\nspam,3,4\n" * 6
    bare = pickle.dumps(W, 2) + pickle.dumps(b, 4)
    members = {"W": W, "m": np.array("text"), "z": np.zeros((0, 2), "i2")}
    return {
        "gzip": [gzip.compress(b"hello" * 9, mtime=0) * 2, b"hello"],
        "pickle": pickled + [gzip.compress(pickled[1], mtime=0)],
        "pickles": [b"".join(pickled), gzip.compress(pickled[0] * 2, mtime=0)],
        "idx": [attacks.idx(13, (1, 2), bytes(8))],
        "npz": [zipped(members), zipped(keyed)],
        "params.npz": [params[0]],
        "params.pkl": [params[1], bare],
        "checkpoint": checkpoints,
        "history": [history],
        "picture": pictures(),
        "data set": [gzip.compress(pickle.dumps(pairs, 2), mtime=0), zipped(keyed), table],
        "model.npz": [params[0]],
        "model.pkl": [params[1], bare],
    }


def zipped(members):
    file = io.BytesIO()
    write_npz(file, members)
    return file.getvalue()


def pictures():
    """Return a small picture of each format that this Pillow can write, and larger ones."""
    from PIL import Image

    drawn = np.zeros((28, 28), "u1")
    drawn[4:24, 12:16] = 255
    small = Image.fromarray(drawn)
    found = [chunky_png(drawn)]
    # the small ones are taken as they are, the larger one goes the whole way
    kinds = [(kind, 28) for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP")]
    for kind, side in [*kinds, ("PNG", 60)]:
        file = io.BytesIO()
        try:
            small.resize((side, side)).save(file, kind)
        except (KeyError, OSError):
            continue
        found.append(file.getvalue())
    return found


def chunky_png(drawn):
    """Make a PNG with one of each kind of chunk that Pillow looks into."""
    chunks = {
        b"PLTE": bytes([0, 0, 0, 255, 255, 255]),
        b"tRNS": b"\xff\xff",
        b"gAMA": struct.pack(">I", 45455),
        b"pHYs": struct.pack(">2IB", 1, 1, 1),
        b"tEXt": b"Comment\0a",
        b"zTXt": b"Comment\0\0" + zlib.compress(b"b"),
        b"iTXt": b"Comment\0\1\0\0\0" + zlib.compress(b"c"),
        b"iCCP": b"icc\0\0" + zlib.compress(b"d"),
        b"eXIf": b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\1\0\0\0\0\0\0",
    }
    rows = b"".join(b"\0" + bytes(row // 255) for row in drawn)
    return attacks.png(*(attacks.chunk(*c) for c in chunks.items()), colour=3, pixels=rows)


def repair(data):
    """Make the checksums of a PNG or of a zip archive right, so that readers look further."""
    data = bytearray(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        at = 8
        while at + 12 <= len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            end = at + 8 + length
            data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
            at = end + 4
            if length > len(data):
                break
    elif data.startswith(b"PK"):
        at = data.find(b"PK\1\2")
        while 0 <= at and at + 46 <= len(data):
            (size,), (local,) = (struct.unpack_from("<I", data, at + place) for place in (20, 42))
            if local + 30 <= len(data):
                start = local + 30 + sum(struct.unpack_from("<2H", data, local + 26))
                crc = struct.pack("<I", zlib.crc32(data[start : start + size]))
                data[at + 16 : at + 20] = data[local + 14 : local + 18] = crc
            at = data.find(b"PK\1\2", at + 4)
    return bytes(data)


def seeds(reader, canary, most=20000):
    """Return the valid files of a reader and the attacks on it, but for the large ones.

    Gzipped ones are opened: what is inside is what should be damaged.
    """

    def opened(data):
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(31).decompress(data, most + 1) or data
        return data

    found = list(valid_files()[reader.name])
    found += [attack.data for attack in _light_attacks(canary) if attack.kind in reader.kinds]
    if reader.name != "gzip":
        found = [opened(data) for data in found if len(data) <= most]
    return sorted({data for data in found if len(data) <= most})


@functools.lru_cache(maxsize=1)
def _light_attacks(canary):
    return attacks.corpus(canary, heavy=False)


#: Audit events (PEP 578) of what no reader does. "open" is looked at, and so is "exec".
FORBIDDEN = (
    "os.", "subprocess.", "socket.", "shutil.", "tempfile.", "pickle.find_class", "ctypes.",
    "marshal.load", "import", "urllib.", "webbrowser.", "pty.", "code.__new__", "function.__new__",
)  # fmt: skip
ALLOWED = ("os.listdir", "os.scandir", "os.fwalk", "os.walk")


class Watch:
    """Notes what this process does besides reading, while it is on.

    Only one can be made in a process: audit hooks stay.
    """

    def __init__(self):
        self.seen, self.on = [], False
        sys.addaudithook(self._hook)

    def _hook(self, event, args):
        if not self.on:
            return
        if event == "open":
            writes = args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if len(args) > 2 else 0
            bad = writes or (isinstance(args[1], str) and set(args[1]) & set("wax+"))
        elif event == "exec":
            bad = args[0].co_filename == "<string>"
        else:
            bad = event.startswith(FORBIDDEN) and event not in ALLOWED
        if bad:
            self.seen.append(f"{event} {str(args)[:80]}")

    def during(self, act, *args):
        """Call a function: return its result, and what was seen."""
        self.seen, self.on = [], True
        outcome = act(*args)
        self.on = False
        return outcome, self.seen


def run(reader, path):
    """Read a file; return "DataError", "value", or what went wrong."""
    try:
        found = reader.read(path)
    except DataError as error:
        text = str(error)
        if not text.isprintable() or len(text) > 5000:
            return f"a message that is not one short line: {text!a:.300}"
        if not all(isinstance(part, str) for part in (error.found, error.expected)):
            return f"a DataError whose parts are not text: {error.found!r}"
        return "DataError"
    except BaseException as error:
        return f"{type(error).__name__}: {ascii(str(error))[:300]}"
    try:
        reader.check(found)
    except AssertionError as error:
        return f"not valid: {str(error)!a:.300}"
    return "value"


def warm_up(folder):
    """Read the valid files, so that what is imported or compiled once is; return what failed."""
    failed = []
    for reader in READERS:
        for data in valid_files()[reader.name]:
            path = os.path.join(folder, reader.file)
            with open(path, "wb") as file:
                file.write(data)
            outcome = run(reader, path)
            if outcome != "value":
                failed.append((reader.name, outcome))
    return failed


def memory_mib(field):
    """Return VmHWM (most memory since `reset_peak`) or VmRSS (now) in MiB; NaN outside Linux."""
    try:
        with open("/proc/self/status") as file:
            lines = [line for line in file if line.startswith(field)]
    except OSError:
        lines = []
    return int(lines[0].split()[1]) / 1024 if lines else math.nan


def reset_peak():
    """Forget a peak well above what is taken now; smaller ones are not worth the time."""
    if memory_mib("VmHWM") - memory_mib("VmRSS") > 8:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")


def main(folder):
    warnings.simplefilter("error")  # a warning would be a second line on somebody's stderr
    watch = Watch()
    first = {kind: reader for reader in reversed(READERS) for kind in reader.kinds}
    beside = os.path.dirname(os.path.abspath(folder))  # where files can get a second name
    with tempfile.TemporaryDirectory(dir=beside) as scratch:
        failed = warm_up(scratch)
        assert not failed, failed
        for name in sorted(os.listdir(folder)):
            kind, heavy = name.partition("-")[0], name.endswith(".heavy")
            for reader in READERS:
                if not heavy or reader is first[kind]:
                    print(json.dumps(one(watch, reader, folder, name, scratch)), flush=True)


def one(watch, reader, folder, name, scratch):
    """Give one file to one reader, under that reader's name for it."""
    path = os.path.join(scratch, reader.file)
    os.unlink(path)
    os.link(os.path.join(folder, name), path)
    before = sorted(os.listdir(scratch))
    reset_peak()
    base, started = memory_mib("VmRSS"), time.process_time()
    outcome, did = watch.during(run, reader, path)
    return {
        "attack": name,
        "reader": reader.name,
        "outcome": outcome,
        "did": did + ([] if sorted(os.listdir(scratch)) == before else ["wrote files"]),
        "mib": round(memory_mib("VmHWM") - base, 1),
        "seconds": round(time.process_time() - started, 2),
    }


def again(path):
    """Read one file with the readers for its name; print what they did, and raise it."""
    watch = Watch()
    for reader in READERS:
        if reader.file == os.path.basename(path):
            print(reader.name, *watch.during(run, reader, path), flush=True)
            reader.check(reader.read(path))


if __name__ == "__main__":
    sys.exit(again(sys.argv[2]) if sys.argv[1] == "--again" else main(sys.argv[1]))
