"""What the numbers say: scale, labels, ground and margin."""

import numpy as np
import pytest

import dlt
from dlt.describing import (
    class_labels,
    describe,
    ground_of,
    in_long_runs,
    in_words,
    is_centred,
    names_in_words,
    numbered,
    sample,
    scale_of,
    survey,
)
from dlt.errors import DataError
from dlt.examples import Description
from dlt.files.rows import Rows

BINARY, BYTES = np.asarray([[0, 1, 1]]), np.asarray([[0, 1, 200]])


def scale(*sets):
    return scale_of({f"set {i}, x": survey("x", x) for i, x in enumerate(sets)})


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
def test_the_scale_is_that_of_the_values_in_any_type(dtype):
    assert scale(BINARY.astype(dtype)) == 1
    assert scale(BYTES.astype(dtype)) == 256


@pytest.mark.parametrize(
    "sets, expected",
    [
        ([BINARY > 0], 1),
        ([BINARY * 1.0, BINARY.astype("u1")], 1),
        ([BINARY / 2, BINARY * 0, BINARY / 256], 256),
        ([BINARY / 2, BINARY], 1),
        ([BYTES / 255], 1),
        ([BYTES, BYTES * 0], 256),
        ([BINARY * 0], 1),
    ],
    ids=["bool", "0/1", "bytes over 256", "halves and 1", "bytes over 255", "black", "all black"],
)
def test_the_scale_of_sets_is_one(sets, expected):
    assert scale(*sets) == expected


@pytest.mark.parametrize(
    "sets, message",
    [
        ([BYTES, BINARY], "set 1, x: found values up to 1; expected values up to 255, as the tr"),
        ([BYTES / 255, BYTES], "set 1, x: found values up to 255; expected values up to 1, as"),
        ([BYTES + 0.5], "found values from 0.5 to 200.5; expected values from 0 to 1, or whole nu"),
        ([BYTES * 2], "found whole numbers from 0 to 400; expected .*; rescale all sets alike"),
        ([-BINARY], "found whole numbers from -1 to 0; expected"),
    ],
)
def test_other_scales_are_refused(sets, message):
    with pytest.raises(DataError, match=message):
        scale(*sets)


def test_a_source_is_gone_through_to_its_end(rng):
    x = rng.random((3000, 500))
    x[2999, 7] = 3
    assert survey("x", Rows(x, np.arange(3000)))[1] == 3
    x[2998, 7] = np.nan
    with pytest.raises(DataError, match=r"x: found NaN or infinite values \(first in row 2998\)"):
        survey("x", x)


def test_a_sample_is_from_all_over():
    rows = sample(np.arange(100000))
    assert len(set(rows)) == 500 and rows[0] == 0 and rows[-1] == 99999
    assert sample(np.arange(7)).tolist() == list(range(7))


@pytest.mark.parametrize(
    "y, expected",
    [
        (["b", "a", "b"], ["b", "a", "b"]),
        (["10", "9", "-1"], [10, 9, -1]),
        (["01", "1"], ["01", "1"]),
        (["3.0", "7.000e+00"], [3, 7]),
        (["0.5", "1.0"], ["0.5", "1.0"]),
        (["nan", "1"], ["nan", "1"]),
        (["inf", "1e400"], ["inf", "1e400"]),
        (np.asarray(["b", "a"], object), ["b", "a"]),
        (np.asarray(["b", "a"], "S"), ["b", "a"]),
        (np.asarray([4, 2.0], object), [4, 2]),
        ([3.0, 7.0], [3, 7]),
        ([True, False], [True, False]),
        (np.eye(3), [0, 1, 2]),
        ([[5], [6]], [5, 6]),
    ],
)
def test_labels_are_numbers_or_text(y, expected):
    assert class_labels("y", y).tolist() == expected


@pytest.mark.parametrize(
    "y, message",
    [
        ([0.5, 1], "y: found label 0.5 in row 0; expected whole numbers or text"),
        ([0, np.nan], "found label nan in row 1"),
        (["a", " "], "found no label in row 1; expected a label for each example"),
        (["a" * 201], "found a label of 201 characters; expected at most 200"),
        (np.ones((3, 8)), r"found an array of shape \(3, 8\); expected one label for each example"),
        (np.asarray(["a", None], object), "found values of the type str; expected numbers"),
        ([], "found no labels; expected one for each example"),
    ],
)
def test_what_are_no_labels_is_refused(y, message):
    with pytest.raises(DataError, match=message):
        class_labels("y", y)


@pytest.mark.parametrize(
    "y, other, names, numbers",
    [
        ([8, 3, 8, 3], [3], ("3", "8"), [0]),
        ([0, 900, 100, 0, 100, 900], [900, 0], ("0", "100", "900"), [2, 0]),
        ([-1, 1, 1, -1], [1], ("-1", "1"), [1]),
        (["ham", "spam"] * 2, ["spam"], ("ham", "spam"), [1]),
        ([True, False] * 2, [True], ("False", "True"), [1]),
    ],
)
def test_labels_are_numbered_in_order_and_keep_their_names(y, other, names, numbers):
    found, (first, second) = numbered(["train", "test"], [np.asarray(y), np.asarray(other)])
    assert found == names and second.tolist() == numbers
    assert [names[i] for i in first] == [str(label) for label in y]


@pytest.mark.parametrize(
    "y, other, message",
    [
        ([1, 1], [1], "train: found one label, 1; expected at least two"),
        ([0, 1, 2], [1], "train: found 3 labels in 3 examples; expected classes with several"),
        ([0, 1, 0, 1], [1, 5], "test, y: found label 5 in row 1; expected only labels that the"),
        (["a", "b"] * 2, [1], "test, y: found label 1; expected labels like those of the training"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y, other, message):
    with pytest.raises(DataError, match=message):
        numbered(["train", "test"], [np.asarray(y), np.asarray(other)])


def framed(side=28, box=20):
    """Return pictures of a cross that fills a box in the middle."""
    edge = (side - box) // 2
    picture = np.zeros((3, side, side), "f4")
    picture[:, edge : edge + box, side // 2] = picture[:, side // 2, edge : edge + box] = 1
    return picture


def test_pictures_are_described():
    white = 1 - framed().reshape(3, 784)
    assert describe(white)[-2:] == ("light", True)
    assert describe(framed() * 1000 - 500)[-2:] == ("dark", True)
    assert describe(np.zeros((3, 10))) == Description()
    photograph = np.zeros((2, 9, 9))
    photograph[:, :, 4] = 1
    assert ground_of(photograph) == "dark" and not is_centred(photograph)


@pytest.mark.parametrize(
    "pictures, expected",
    [
        (framed(), True),
        (framed(14, 10), True),
        (framed(box=24), False),
        (np.roll(framed(), 4, axis=1), False),
        (framed()[:, :, 2:], False),
        (np.zeros((3, 28, 28)), False),
    ],
)
def test_a_margin_is_mnist_s_or_not(pictures, expected):
    assert is_centred(pictures) == expected


def test_random_pictures_are_not_centred(rng):
    assert not is_centred(rng.random((50, 28, 28)))


def test_runs_of_labels(rng):
    mixed = rng.integers(0, 10, 1000)
    assert not in_long_runs(mixed) and in_long_runs(np.sort(mixed))
    assert in_long_runs(np.repeat(mixed, 3))
    rare = (np.arange(1000) % 100 == 0).astype(int)
    assert not in_long_runs(rare)


def test_what_is_known_is_said_in_a_line():
    assert in_words(dlt.load_data("digits")[0].description).startswith("28 x 28 pictures, centred")
    many = Description(labels=tuple(map(str, range(11))))
    assert names_in_words(many) == "11 labels: 0, 1, 2, 3, 4, 5, 6, 7, ..., 10"
    assert names_in_words(Description(labels=("a\x1b[2J", "b"))) == "2 labels: a\\x1b[2J, b"
    assert in_words(Description(1, split="whole")) == "values from 0 to 1, unchanged; whole"
    assert in_words(Description(split="\x1b[2J\n")) == "\\x1b[2J\\n"
