"""Every layout a data set comes in, and everything that can be wrong with one."""

import functools
import gzip
import os
import pickle
import struct

import numpy as np
import pytest

from dlt import datasets
from dlt.datasets import choose_dataset, find_mnist, load_data
from dlt.errors import DataError, SettingsError
from dlt.examples import Description
from dlt.fetching import FetchError


@pytest.fixture
def sets(rng):
    """Three sets of 12, 3 and 4 examples, 6 pixels, 3 labels; pixels are k/256."""

    def draw(n):
        x = rng.integers(0, 256, (n, 6)).astype(np.float32) / np.float32(256)
        return x, np.arange(n) % 3

    return draw(12), draw(3), draw(4)


def assert_same(found, expected):
    assert len(found) == 3
    for (x, y), (x_expected, y_expected) in zip(found, expected):
        np.testing.assert_array_equal(x, x_expected)
        np.testing.assert_array_equal(y, y_expected)
        assert x.dtype.kind == "f" and y.dtype == np.int64


def dump(path, value):
    path.write_bytes(gzip.compress(pickle.dumps(value, 2)))
    return path


def write_idx(folder, arrays, spelling="-idx", opener=gzip.open, end=".gz"):
    for name, array in zip(datasets._IDX_NAMES, arrays):
        header = struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
        with opener(str(folder / (name.replace("-idx", spelling) + end)), "wb") as file:
            file.write(header + array.astype(np.uint8).tobytes())


def write_npz(folder, arrays):
    np.savez(folder / "mnist.npz", **dict(zip(datasets._NPZ_KEYS, arrays)))


@pytest.mark.parametrize(
    "form",
    [
        lambda x, y: (x, y),
        lambda x, y: [list(x), y.tolist()],
        lambda x, y: ((x * 256).astype(np.uint8), y),
        lambda x, y: ((x * 256).astype(np.uint8).reshape(-1, 2, 3), y.astype(np.float16)),
    ],
    ids=["arrays", "lists of rows", "whole numbers, divided by 256", "pictures"],
)
def test_pickles(tmp_path, sets, form):
    path = dump(tmp_path / "data", [form(x, y) for x, y in sets])
    assert_same(load_data(path), sets)


@pytest.mark.parametrize(
    "write",
    [write_idx, functools.partial(write_idx, spelling=".idx", opener=open, end=""), write_npz],
)
def test_a_folder_with_a_training_and_a_test_set(tmp_path, rng, write):
    # 18 training images: the last sixth, 3, are for validation
    x, x_test = (rng.integers(0, 256, (n, 2, 3)).astype(np.uint8) for n in (18, 4))
    y, y_test = np.arange(18) % 3, np.arange(4) % 3
    write(tmp_path, (x, y, x_test, y_test))
    x, x_test = x.reshape(18, 6) / 256, x_test.reshape(4, 6) / 256
    expected = (x[:15], y[:15]), (x[15:], y[15:]), (x_test, y_test)
    found = load_data(tmp_path)
    assert_same(found, expected)
    assert found[0][0].dtype == np.float32
    split = "the last sixth of the training set for validation"
    assert {examples.description for examples in found} == {Description(256, 2, 3, None, split)}
    if write is write_npz:
        assert_same(load_data(tmp_path / "mnist.npz"), expected)


@pytest.mark.parametrize(
    "labels, found",
    [
        (np.uint8(0), r", y: found an array of shape \(\)"),
        (np.zeros((1, 1), np.uint8), r", y: found an array of shape \(1, 1\)"),
        (np.zeros(2, np.uint8), ": found 1 rows of x and 2 of y"),
    ],
)
def test_one_image_and_labels_of_another_shape_in_an_npz(tmp_path, labels, found):
    x = np.zeros((1, 2, 3), np.uint8)
    write_npz(tmp_path, (x, labels, x, np.zeros(1, "u1")))
    with pytest.raises(DataError, match=r"mnist\.npz \(.* set\)" + found):
        load_data(tmp_path)


def put(index, value):
    def change(array):
        array = array.astype(np.result_type(array, type(value)))
        array[index] = value
        return array

    return change


def assert_refused(path, message):
    with pytest.raises(DataError, match=message) as caught:
        load_data(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_texts_among_the_numbers_are_refused_before_numpy_makes_them_equally_long(tmp_path):
    # 100 000 items, each made as long as the first: 400 GB, and a MemoryError if not a dead machine
    rows = ["a" * (1 << 20)] + [""] * 100000
    path = dump(tmp_path / "data.pkl.gz", [[rows, [0, 1]]] * 3)
    assert_refused(path, r", x: found a list of 100001 \(str, str, str, str\)")


TRAIN, VALID, TEST = 0, 1, 2
X, Y = 0, 1


@pytest.mark.parametrize(
    "which, part, change, message",
    [
        (TRAIN, Y, lambda y: y[:-1], r"\(training set\): found 12 rows of x and 11 of y; expected "
                                     "one label for each row"),
        (TEST, Y, put(1, -1), r"\(test set\), y: found label -1 in row 1"),
        (TEST, Y, put(0, 3), r"\(test set\), y: found label 3; expected only labels that the"),
        (TRAIN, Y, put(2, 10**9), "found label 1000000000 in the training set of"),
        (TRAIN, Y, lambda y: y * 0, "found one label in the training set"),
        (TRAIN, X, put((4, 2), np.nan), r"\(training set\), x: found NaN or infinite values \(fi"
                                        r"rst in row 4\)"),
        (VALID, X, lambda x: x * 255, "found pixels from .*; expected pixels"),
        (VALID, X, put((0, 0), -0.5), "found pixels from -0.5 to"),
        (TRAIN, X, lambda x: np.full(x.shape, 300), "found pixels from 300 to 300; expected "
                                                    "whole-number pixels from 0 to 255"),
        (TEST, X, lambda x: x[:, :5], r"\(test set\), x: found rows of 5 values; expected 6, as "
                                      "the training set has"),
        (TRAIN, X, lambda x: "abc", "x: found a str; expected numbers"),
    ],
)  # fmt: skip
def test_arrays_that_cannot_be_used_are_refused(tmp_path, sets, which, part, change, message):
    changed = [list(pair) for pair in sets]
    changed[which][part] = change(changed[which][part])
    assert_refused(dump(tmp_path / "data.pkl.gz", changed), message)


@pytest.mark.parametrize(
    "content, message",
    [
        (pickle.dumps({"Train": 1, "Test": 2}), "found a dict with the keys 'Train', 'Test'"),
        (pickle.dumps([[0, 0], (0, 0)]), r"found a list of 2 \(list, tuple\); expected a tuple of"),
        (pickle.dumps(7), "found a int; expected a tuple of three"),
        (pickle.dumps([[0, 0], [0, 0], [0]]), "expected a tuple of three"),
        (b"\0\0\x08\x03\0\0\0\0", "found one IDX file; .*give the folder instead"),
        (b"<!DOCTYPE html><html>Not found</html>", "found an HTML page"),
        (b"PK\x03\x04 cut off", "data.pkl.gz: found "),
    ],
)
def test_files_that_are_something_else_are_refused(tmp_path, content, message):
    (tmp_path / "data.pkl.gz").write_bytes(content)
    assert_refused(tmp_path / "data.pkl.gz", message)


def test_a_pipe_is_refused_and_what_is_missing_is_named(tmp_path):
    os.mkfifo(str(tmp_path / "pipe"))
    assert_refused(tmp_path / "pipe", "found a pipe or device")
    assert_refused("minst", "minst: found no such file or folder; .*mnist, digits")
    write_idx(tmp_path, [np.zeros((6, 2, 2))])
    missing = "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"
    assert_refused(tmp_path, "nor " + missing + r"\(.gz\)")
    np.savez(tmp_path / "other.npz", x=np.zeros(2))
    message = "found the arrays x; expected the arrays x_train, y_train"
    assert_refused(tmp_path / "other.npz", message)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A computer without MNIST and without a route to it."""

    def no_route(log=print):
        raise FetchError("MNIST", "no route")

    monkeypatch.setattr(datasets, "_DATA_FOLDERS", (str(tmp_path / "data"), "none"))
    monkeypatch.setattr(datasets, "user_cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(datasets, "fetch_mnist", no_route)
    monkeypatch.delenv("DLT_DATA", raising=False)
    return tmp_path


def test_the_order_in_which_mnist_is_looked_for(nowhere, monkeypatch):
    assert find_mnist() is None
    for name in ("cache", "data", "named"):
        (nowhere / name).mkdir()
        (nowhere / name / "mnist.npz").write_bytes(b"")
        monkeypatch.setenv("DLT_DATA", str(nowhere / "named"))
        if name != "named":
            monkeypatch.delenv("DLT_DATA")
        assert find_mnist() == str(nowhere / name / "mnist.npz")


def test_only_the_default_falls_back_on_the_digits_and_says_why(nowhere, monkeypatch):
    lines = []
    assert choose_dataset(log=lines.append) == "digits"
    assert lines == ["training on the embedded digits: MNIST: found no route"]
    with pytest.raises(FetchError, match="no route"):
        load_data("mnist")
    monkeypatch.setenv("DLT_DATA", str(nowhere / "typo"))
    with pytest.raises(SettingsError, match="DLT_DATA: found '.*typo', which is no folder"):
        find_mnist()


def test_other_images_are_not_taken_for_mnist(nowhere, sets, monkeypatch):
    dump(nowhere / "mnist.pkl.gz", sets)
    monkeypatch.setenv("DLT_DATA", str(nowhere))
    with pytest.raises(DataError, match="found other images or labels than MNIST's"):
        load_data("mnist")
    dump(nowhere / "mnist.pkl.gz", [(x * np.float32(256 / 255), y) for x, y in sets])
    with pytest.raises(DataError, match="found pixels that are not multiples of 1/256"):
        load_data("mnist")


def test_real_mnist_is_the_same_from_every_layout(mnist_folder, tmp_path):
    for name in datasets._IDX_NAMES:
        source = os.path.join(mnist_folder, name + ".gz")
        if not os.path.isfile(source):
            pytest.skip("the four IDX files are not beside mnist.pkl.gz")
        os.symlink(source, tmp_path / (name + ".gz"))
    from_idx = load_data(tmp_path)
    datasets._check_mnist(tmp_path, from_idx)
    from_pickle = load_data("mnist")
    assert_same(from_pickle, from_idx)
    assert [x.shape for x, _ in from_pickle] == [(50000, 784), (10000, 784), (10000, 784)]
    assert float(from_pickle[0][0].max()) == 255 / 256
