"""Every layout a data set comes in, and everything that can be wrong with one."""

import functools
import gzip
import os
import pickle
import struct

import numpy as np
import pytest

from dlt import datasets
from dlt.chunks import open_data
from dlt.datasets import choose_dataset, find_mnist, load_data
from dlt.errors import DataError, SettingsError
from dlt.fetching import FetchError
from dlt.formats import IDX_NAMES


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
    for name, array in zip(IDX_NAMES, arrays):
        header = struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
        with opener(str(folder / (name.replace("-idx", spelling) + end)), "wb") as file:
            file.write(header + array.astype(np.uint8).tobytes())


def write_npz(folder, arrays):
    names = "x_train", "y_train", "x_test", "y_test"
    np.savez(folder / "mnist.npz", **dict(zip(names, arrays)))


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
    # 18 training images: 3 are for validation, one of each label
    x, x_test = (rng.integers(0, 256, (n, 8, 9)).astype(np.uint8) for n in (18, 4))
    y, y_test = np.arange(18) % 3, np.arange(4) % 3
    write(tmp_path, (x, y, x_test, y_test))
    found = load_data(tmp_path)
    (x_train, y_train), (x_valid, y_valid) = found[:2]
    assert x_train.dtype == np.float32 and sorted(y_valid) == [0, 1, 2]
    rows = np.r_[x_train, x_valid]
    order = [int(np.argmax((rows == row).all(axis=1))) for row in x.reshape(18, 72) / 256]
    assert sorted(order) == list(range(18))
    np.testing.assert_array_equal(np.r_[y_train, y_valid][order], y)
    np.testing.assert_array_equal(found[2].x, x_test.reshape(4, 72) / 256)
    split = "a sixth of each label for validation, drawn with seed 1"
    expected = 256, 8, 9, ("0", "1", "2"), split
    assert {examples.description[:5] for examples in found} == {expected}
    if write is write_npz:
        assert_same(load_data(tmp_path / "mnist.npz"), found)


@pytest.mark.parametrize(
    "labels, found",
    [
        (np.uint8(0), r", y: found an array of shape \(\)"),
        (np.zeros((1, 2), np.uint8), r", y: found an array of shape \(1, 2\)"),
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
        (TEST, Y, put(1, -1), r"\(test set\), y: found label -1 in row 1; expected only labels th"),
        (TRAIN, Y, lambda y: np.arange(12), "found 12 labels in 12 examples; expected classes"),
        (TRAIN, Y, lambda y: y * 0, r"\(training set\): found one label, 0; expected at least two"),
        (VALID, X, lambda x: x[:0], r"\(validation set\), x: found no examples \(an arr"),
        (TRAIN, X, put((4, 2), np.nan), r"\(training set\), x: found NaN or infinite values \(fi"
                                        r"rst in row 4\)"),
        (VALID, X, lambda x: x * 255, r"\(validation set\), x: found values from .*; expected val"),
        (VALID, X, put((0, 0), -0.5), "found values from -0.5 to .*; rescale all sets alike"),
        (TRAIN, X, lambda x: np.full(x.shape, 300), "found whole numbers from 300 to 300; expected "
                                                    "values from 0 to 1, or whole numbers from 0"),
        (TEST, X, lambda x: x * 256, r"\(test set\), x: found values up to 255; expected values up "
                                     "to 1, as the training set has; bring all sets to one scale"),
        (TEST, X, lambda x: x[:, :5], r"\(test set\), x: found rows of 5 values; expected 6, as "
                                      "the training set has"),
        (TRAIN, X, lambda x: "abc", "x: found text; expected numbers"),
    ],
)  # fmt: skip
def test_arrays_that_cannot_be_used_are_refused(tmp_path, sets, which, part, change, message):
    changed = [list(pair) for pair in sets]
    changed[which][part] = change(changed[which][part])
    assert_refused(dump(tmp_path / "data.pkl.gz", changed), message)


@pytest.mark.parametrize(
    "content, message",
    [
        (
            pickle.dumps({"Train": 1, "Test": 2}),
            "found the arrays Test, Train; expected the arrays x ",
        ),
        (pickle.dumps(7), r"found a int; expected \(x, y\), or a training and a test set"),
        (
            pickle.dumps([[0, 0], [0, 0], [0]]),
            r"found a list of 3 \(list, list, list\); expected \(x,",
        ),
        (b"<!DOCTYPE html><html>Not found</html>", "found an HTML page"),
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
    missing = "no train-labels-idx1-ubyte, no t10k-images-idx3-ubyte, no t10k-labels-idx1-ubyte"
    assert_refused(tmp_path, "found " + missing + r"\(.gz\); expected all four")


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
    for name in ("cache", "data"):
        (nowhere / name).mkdir()
        (nowhere / name / "mnist.npz").write_bytes(b"")
        assert find_mnist() == str(nowhere / name / "mnist.npz")


def test_the_folder_that_is_named_is_used_or_refused(nowhere, monkeypatch):
    monkeypatch.setenv("HOME", str(nowhere))
    monkeypatch.setenv("DLT_DATA", os.path.join("~", "named"))
    for folder in ("data", "named"):
        (nowhere / folder).mkdir()
    (nowhere / "data" / "mnist.npz").write_bytes(b"")
    with pytest.raises(SettingsError, match="DLT_DATA: found '~/named', without MNIST; expected"):
        choose_dataset()
    for name in IDX_NAMES[:3]:
        (nowhere / "named" / name).write_bytes(b"")
    with pytest.raises(SettingsError, match="found '~/named', without t10k-labels-idx1-ubyte; ex"):
        choose_dataset()
    (nowhere / "named" / "mnist.npz").write_bytes(b"")
    assert find_mnist() == str(nowhere / "named" / "mnist.npz")


def test_only_the_default_falls_back_on_the_digits_and_says_why(nowhere, monkeypatch):
    lines = []
    assert choose_dataset(log=lines.append) == "digits"
    assert lines == ["training on the embedded digits: MNIST: found no route"]
    with pytest.raises(FetchError, match="no route"):
        load_data("mnist")
    monkeypatch.setenv("DLT_DATA", str(nowhere / "typo"))
    with pytest.raises(SettingsError, match="DLT_DATA: found '.*typo', which is not a folder"):
        find_mnist()


def test_other_images_are_not_taken_for_mnist(nowhere, sets, monkeypatch):
    dump(nowhere / "mnist.pkl.gz", sets)
    monkeypatch.setenv("DLT_DATA", str(nowhere))
    with pytest.raises(DataError, match="found other images or labels than MNIST's"):
        load_data("mnist")
    dump(nowhere / "mnist.pkl.gz", [(x * np.float32(256 / 255), y) for x, y in sets])
    with pytest.raises(DataError, match="found pixels that are not multiples of 1/256"):
        load_data("mnist")


def test_floats_keep_their_digits_in_either_byte_order():
    x = np.linspace(0, 1, 24).reshape(12, 2)
    for dtype in ("<f8", ">f8"):
        sets = load_data((x.astype(dtype), np.arange(12) % 2))
        assert {part.x.dtype.newbyteorder("=").name for part in sets} == {"float64"}
        assert np.isin(np.concatenate([part.x for part in sets]), x).all()


def test_real_mnist_is_the_same_from_every_layout(mnist_folder, tmp_path):
    for name in IDX_NAMES:
        source = os.path.join(mnist_folder, name + ".gz")
        if not os.path.isfile(source):
            pytest.skip("the four IDX files are not beside mnist.pkl.gz")
        os.symlink(source, tmp_path / (name + ".gz"))
    from_idx = load_data(tmp_path)
    datasets._check_mnist(tmp_path, from_idx)
    for name in IDX_NAMES:
        unpacked = gzip.decompress((tmp_path / (name + ".gz")).read_bytes())
        (tmp_path / (name + ".gz")).unlink()
        (tmp_path / name).write_bytes(unpacked)
    opened = [part.rows(0, part.n_examples) for part in open_data(tmp_path)]
    write_npz(tmp_path, [np.frombuffer(  # images and labels, after their headers
        (tmp_path / name).read_bytes(), "u1")[16 - 8 * (i % 2) :].reshape((-1, 784)[: 2 - i % 2])
        for i, name in enumerate(IDX_NAMES)])  # fmt: skip
    for found in (opened, load_data(tmp_path / "mnist.npz")):
        assert_same(found, from_idx)
    from_pickle = load_data("mnist")
    assert_same(from_pickle, from_idx)
    assert [x.shape for x, _ in from_pickle] == [(50000, 784), (10000, 784), (10000, 784)]
    assert float(from_pickle[0][0].max()) == 255 / 256
