"""Tests of data/digits.pkl.gz, the embedded data set, and of scripts/make_digits.py."""

import gzip
import hashlib
import pickle

import numpy as np
import pytest
from conftest import ROOT, load_script

make_digits = load_script("make_digits.py")
FILE = ROOT / "data" / "digits.pkl.gz"
README = (ROOT / "data" / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def sets():
    with gzip.open(str(FILE), "rb") as f:
        return pickle.load(f)


def test_the_file_is_what_the_readme_tells(sets):
    packed = FILE.read_bytes()
    assert f"{len(packed)} bytes" in README
    assert hashlib.sha256(packed).hexdigest() in README
    for name, (x, y) in zip(("train", "valid", "test"), sets):
        assert x.shape == (len(y), 784) and (x.dtype, y.dtype) == (np.float32, np.int64)
        counts = map(str, [*np.bincount(y), len(y)])
        assert f"| {name} | {' | '.join(counts)} |\n" in README
        assert np.unique(x * 256).tolist() == list(range(0, 256, 8))


def test_the_same_arrays_give_the_same_bytes(sets):
    small = tuple((x[:5], y[:5]) for x, y in sets)
    packed = make_digits.to_bytes(small)
    assert packed == make_digits.to_bytes(pickle.loads(pickle.dumps(small)))
    assert packed[3] == 0 and packed[4:8] == b"\0\0\0\0", "a name or a time in the gzip header"


def test_enlarge_by_hand():
    full = make_digits.enlarge(np.full((8, 8), 16.0))
    assert full.shape == (28, 28) and full.dtype == np.uint8
    # 16 -> 255 -> rounded to the multiple 256 -> limited to 248; and black around the 20 x 20 box.
    assert (full[4:24, 4:24] == 248).all() and full.sum() == 400 * 248
    # 8 -> 127.5 -> 128 (halves go to even), a multiple of 8 already.
    assert (make_digits.enlarge(np.full((8, 8), 8.0))[4:24, 4:24] == 128).all()


def test_the_script_makes_the_file_and_names_what_differs(sets, tmp_path, capsys):
    path = tmp_path / "digits.pkl.gz"
    assert make_digits.main(["--check", "--output", str(path)]) == 2
    assert "found no file there" in capsys.readouterr().err
    assert make_digits.main(["--output", str(path)]) == 0
    assert "1200 + 297 + 300 pictures" in capsys.readouterr().out
    assert make_digits.main(["--check"]) == 0
    assert "the arrays agree with the rebuilt ones" in capsys.readouterr().out
    assert make_digits.main(["--check", "--output", str(path)]) == 0
    capsys.readouterr()
    (x, y), valid, (x_test, y_test) = sets
    x, y_test = x.copy(), y_test.copy()
    x[7, 400] += 2 / 256
    y_test[0] = (y_test[0] + 1) % 10
    path.write_bytes(make_digits.to_bytes(((x, y), valid, (x_test, y_test))))
    assert make_digits.main(["--check", "--output", str(path)]) == 1
    assert capsys.readouterr().out == "train: x differs\ntest: y differs\n"
