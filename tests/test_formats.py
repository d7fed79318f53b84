"""Formats: what each recipe makes is read, and other files are refused with a recipe."""

import doctest
import gzip
import os
import re
import zipfile

import numpy as np
import pandas
import pytest
from conftest import ROOT

import dlt
from dlt import formats
from dlt.errors import DataError

DOCUMENT = ROOT / "docs" / "own_data.md"
FORMS = DOCUMENT.read_text("utf-8").partition("## Forms")[2].partition("**In a program**")[0]
#: The name of a form in the document -> the recipe below it.
RECIPES = dict(re.findall(r"^\*\*(.+?)\*\*(?:.+\n)+\n((?:    .+\n)+)", FORMS, re.M))
RECIPES = {name: recipe.replace("\n    ", "\n").strip() for name, recipe in RECIPES.items()}
NAMES = [
    "an npz file",
    "a folder with x.npy and y.npy",
    "a CSV file with a column of labels",
    "a folder of pictures with a sub-folder for each class",
    "a pickle of sets",
    "a folder with MNIST's IDX files",
]


@pytest.fixture
def arrays(rng):
    """The names that recipes use: 24 pictures of three classes, and two sets of them."""
    x = rng.integers(0, 256, (24, 8, 9)).astype(np.uint8)
    y = np.arange(24) % 3 + 4
    return {
        "x": x,
        "y": y,
        **dict(x_train=x[:18], y_train=y[:18], x_test=x[18:], y_test=y[18:]),
    }


def made(recipe, arrays, folder, monkeypatch):
    """Run a recipe in a folder, and return what it made there: a file, or the folder."""
    monkeypatch.chdir(folder)
    exec(recipe, dict(arrays))
    found = os.listdir(folder)
    return folder / found[0] if found[0].startswith("data.") else folder


def test_every_format_has_a_recipe():
    assert sorted(NAMES) == sorted(form.name for form in formats.FORMATS)
    assert len(RECIPES) == len(NAMES)


@pytest.mark.parametrize("recipe, name", list(zip(RECIPES.values(), NAMES)), ids=NAMES)
def test_what_a_recipe_makes_is_read(recipe, name, arrays, tmp_path, monkeypatch):
    arrays["x"] = arrays["x"].reshape(24, 72) if "CSV" in name else arrays["x"]
    path = made(recipe, arrays, tmp_path, monkeypatch)
    assert formats.recognise(path).name == name
    sets = dlt.load_data(path)
    assert sorted(len(part.x) for part in sets) in ([3, 6, 15], [4, 4, 16])
    assert {part.description.labels for part in sets} == {("4", "5", "6")}
    pictures = {
        row.tobytes(): label for row, label in zip(arrays["x"].reshape(24, 72), arrays["y"])
    }
    for part in sets:
        for row, label in zip(part.x, part.y):
            assert pictures[(row * 256).astype("u1").tobytes()] == label + 4


def write_h5(path, x, y):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = x, y


def write_mat(path, x, y):
    import scipy.io

    scipy.io.savemat(path, {"x": x, "y": y[:, None]})


def write_zip(path, x, y):
    np.savez("data.npz", x=x, y=y)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy.txt", "about x.npy")
        file.write("data.npz")
    os.unlink("data.npz")


OTHERS = [
    ("an HDF5 file", "data.h5", write_h5, "data.npz"),
    ("a MATLAB file", "data.mat", write_mat, "data.npz"),
    ("a zip archive", "data.zip", write_zip, os.path.join("data", "data.npz")),
]


@pytest.mark.parametrize("name, file, write, made", OTHERS, ids=[row[0] for row in OTHERS])
def test_other_files_get_a_recipe(name, file, write, made, arrays, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(file, arrays["x"], arrays["y"])
    with pytest.raises(
        DataError, match=f"{file}: found {name}; expected one of: a folder"
    ) as caught:
        dlt.load_data(file)
    exec(caught.value.remedy.partition("make one: ")[2])  # as the message has it
    assert len(dlt.load_data(made)) == 3


@pytest.mark.parametrize(
    "content, name",
    [
        (b"PK\3\4" + bytes(22) + b"\x13\0\0\0[Content_Types].xml", "an Excel file"),
        (b"PAR1\x15", "a Parquet file"),
        (b"\x93NUMPY\1\0", "a numpy .npy file"),
        (b"\0\0\x08\3", "an IDX file"),
        (b"MATLAB 7.3 MAT-file", "an HDF5 file"),
        (b"a sentence of words", "a file that begins with 61 20 73 65"),
        (b"\x89PNG\r\n", "a PNG picture"),
    ],
)
def test_files_are_known_by_how_they_begin(content, name, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=f"found {name}; expected one of: a folder.*; make one"):
        dlt.load_data(tmp_path / "file")


def test_the_document_s_programs_print_what_it_says():
    failed, tried = doctest.testfile(str(DOCUMENT), module_relative=False)
    assert tried > 8 and failed == 0


def same(found, expected):
    for part, other in zip(found, expected):
        np.testing.assert_array_equal(part.x, other.x)
        np.testing.assert_array_equal(part.y, other.y)


def test_one_pair_two_and_three_are_told_apart(arrays):
    (x, y), pairs = (arrays["x"], arrays["y"]), [(arrays["x"], arrays["y"])] * 3
    found = dlt.load_data((x, y))
    assert [len(part.x) for part in found] == [16, 4, 4]
    same(dlt.load_data({"x": x, "y": y}), found)
    found = dlt.load_data(pairs[:2])
    assert [len(part.x) for part in found] == [20, 4, 24]
    same(dlt.load_data((pairs[0], list(pairs[1]))), found)
    assert [len(part.x) for part in dlt.load_data(pairs)] == [24, 24, 24]


@pytest.mark.parametrize(
    "value, found",
    [
        (
            {"x_train": 1, "y_train": 1, "x_valid": 1, "y_valid": 1},
            "the arrays x_train, x_valid, y_t",
        ),
        ({"x": 1}, "the arrays x;"),
        ([1, 2], r"a list of 2 \(int, int\)"),
        (np.zeros((3, 2)), "an array of float64"),
    ],
)
def test_values_that_are_no_sets_are_refused(value, found):
    with pytest.raises(DataError, match=f"data: found {found}.*expected"):
        dlt.load_data(value)


def test_a_frame_has_its_labels_in_a_column(rng):
    x, y = rng.random((12, 2)), ["ham", "spam"] * 6
    found = dlt.load_data(pandas.DataFrame({"a": x[:, 0], "Label": y, "b": x[:, 1]}))
    same(found, dlt.load_data((x, y)))
    same(dlt.load_data((pandas.DataFrame(x), pandas.Series(y))), found)
    with pytest.raises(
        DataError, match="found a frame with no columns for the label; expected one"
    ):
        dlt.load_data(pandas.DataFrame({"a": x[:, 0], "b": x[:, 1]}))


def test_folders_of_arrays_are_read_in_place_or_whole(arrays, tmp_path):
    x, y = arrays["x"], arrays["y"]
    expected = dlt.load_data((x, y))
    np.save(tmp_path / "y.npy", y.astype(str))
    for stored in (x, np.asfortranarray(x), x.astype(">f4"), x[..., None]):
        np.save(tmp_path / "x.npy", stored)
        same(dlt.load_data(tmp_path), expected)
    for opened, part in zip(dlt.open_data(tmp_path), expected):
        np.testing.assert_array_equal(opened.rows(0, opened.n_examples)[0], part.x)
        assert opened.description == part.description


def test_folders_of_pictures_can_have_sets(arrays, tmp_path):
    from PIL import Image

    for i, (picture, label) in enumerate(zip(arrays["x"], arrays["y"])):
        for name in ("Train", "test", "val"):
            (tmp_path / name / f"class {label}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(tmp_path / name / f"class {label}" / f"{i:02}.png")
    found = dlt.load_data(tmp_path)
    assert [len(part.x) for part in found] == [24, 24, 24]
    assert found[0].description.labels == ("class 4", "class 5", "class 6")
    order = np.argsort(arrays["y"], kind="stable")
    np.testing.assert_array_equal(found[2].x * 256, arrays["x"].reshape(24, 72)[order])
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match="found Train, train, val, test; expected one folder for"):
        dlt.load_data(tmp_path)


def test_a_file_may_be_gzipped(tmp_path):
    (tmp_path / "data").write_bytes(gzip.compress(b"1,0,255\n2,255,0\n" * 6))
    assert [len(part.x) for part in dlt.load_data(tmp_path / "data")] == [8, 2, 2]
