"""Tests of data/digits.pkl.gz, the embedded data set, and of scripts/make_digits.py."""

import gzip
import hashlib
import pickle
import pickletools

import numpy as np
import pytest
from conftest import ROOT, load_script

make_digits = load_script("make_digits.py")
FILE = ROOT / "data" / "digits.pkl.gz"
# Counted from sklearn's load_digits().target, rows 0..1199, 1200..1496 and 1497..1796.
COUNTS = {
    "train": [119, 121, 117, 121, 120, 123, 120, 118, 119, 122],
    "valid": [32, 30, 32, 31, 28, 29, 30, 31, 27, 27],
    "test": [27, 31, 28, 31, 33, 30, 31, 30, 28, 31],
}


@pytest.fixture(scope="module")
def sets():
    with gzip.open(str(FILE), "rb") as f:
        return dict(zip(("train", "valid", "test"), pickle.load(f)))


@pytest.mark.parametrize("name", ["train", "valid", "test"])
def test_layout(sets, name):
    x, y = sets[name]
    n = sum(COUNTS[name])
    assert x.shape == (n, 784) and x.dtype == np.float32
    assert y.shape == (n,) and y.dtype == np.int64
    assert np.bincount(y, minlength=10).tolist() == COUNTS[name]
    grey = x * 256
    assert set(np.unique(grey)) <= set(range(0, 256, 8))
    assert grey.min() == 0 and grey.max() == 248


def test_digits_lie_in_the_middle_20_by_20(sets):
    field = sets["train"][0].reshape(-1, 28, 28)
    assert field[:, 4:24, 4:24].sum() == pytest.approx(field.sum())
    assert (field[:, 4:24, 4:24].max(axis=(1, 2)) > 0.9).all(), "a picture without ink"


def test_order_is_the_source_order(sets):
    # The first thirty pictures of the source are 0..9 three times over.
    assert sets["train"][1][:30].tolist() == list(range(10)) * 3


def test_file_is_small_and_its_hash_is_the_documented_one():
    packed = FILE.read_bytes()
    assert len(packed) < 600000
    assert hashlib.sha256(packed).hexdigest() in (ROOT / "data" / "README.md").read_text("utf-8")
    assert packed[3] == 0 and packed[4:8] == b"\0\0\0\0", "a name or a time in the gzip header"


def test_pickle_names_only_what_numpy_1_and_2_know():
    with gzip.open(str(FILE), "rb") as f:
        opcodes = [(op.name, arg) for op, arg, _ in pickletools.genops(f.read())]
    assert opcodes[0] == ("PROTO", 2)
    assert {arg for name, arg in opcodes if "GLOBAL" in name or "EXT" in name} == {
        "numpy.core.multiarray _reconstruct",
        "numpy ndarray",
        "numpy dtype",
        "_codecs encode",
    }


def test_enlarge_by_hand():
    full = make_digits.enlarge(np.full((8, 8), 16.0))
    assert full.shape == (28, 28) and full.dtype == np.uint8
    # 16 -> 255 -> rounded to the multiple 256 -> limited to 248; and black around the 20 x 20 box.
    assert (full[4:24, 4:24] == 248).all() and full.sum() == 400 * 248
    # 8 -> 127.5 -> 128 (halves go to even), a multiple of 8 already.
    assert (make_digits.enlarge(np.full((8, 8), 8.0))[4:24, 4:24] == 128).all()


def test_bytes_do_not_depend_on_the_run(sets):
    small = tuple((x[:5], y[:5]) for x, y in sets.values())
    assert make_digits.to_bytes(small) == make_digits.to_bytes(pickle.loads(pickle.dumps(small)))


def test_the_file_is_what_the_script_makes(capsys):
    assert make_digits.main(["--check"]) == 0
    assert "the arrays agree with the rebuilt ones" in capsys.readouterr().out


def test_check_names_what_differs(sets, tmp_path, capsys):
    (x, y), valid, (x_test, y_test) = sets.values()
    x, y_test = x.copy(), y_test.copy()
    x[7, 400] += 2 / 256
    y_test[0] = (y_test[0] + 1) % 10
    bad = tmp_path / "bad.pkl.gz"
    bad.write_bytes(make_digits.to_bytes(((x, y), valid, (x_test, y_test))))
    assert make_digits.main(["--check", "--output", str(bad)]) == 1
    assert capsys.readouterr().out == "train: x differs\ntest: y differs\n"


def test_script_writes_and_checks(tmp_path, capsys):
    path = tmp_path / "digits.pkl.gz"
    assert make_digits.main(["--check", "--output", str(path)]) == 2
    assert "No such file or directory" in capsys.readouterr().err
    assert make_digits.main(["--output", str(path)]) == 0
    assert "1200 + 297 + 300 pictures" in capsys.readouterr().out
    assert make_digits.main(["--output", str(path), "--check"]) == 0
