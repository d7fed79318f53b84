"""Stored data sets: what goes in comes out, and what does not fit its description is refused."""

import json
import os
import threading
import tracemalloc

import numpy as np
import pytest

import dlt
from dlt import datasets as datasets_module
from dlt import stored
from dlt.chunks import ChunkedDataSet, open_or_load
from dlt.errors import DataError, SettingsError
from dlt.examples import Description, Examples
from dlt.files import rows as rows_module

DIGITS = Description(256, 28, 28, ("3", "8", "9"), "a test", "light", True)


@pytest.fixture
def sets(rng):
    return [
        Examples(rng.integers(0, 256, (n, 12)).astype("float32") / 256, np.arange(n) % 3, DIGITS)
        for n in (30, 6, 9)
    ]


@pytest.fixture
def folder(sets, tmp_path):
    dlt.save_data(tmp_path / "data", sets)
    return tmp_path / "data"


def test_pixels_are_stored_as_bytes_and_all_comes_back(sets, folder):
    assert np.load(folder / "train_x.npy").dtype == np.uint8
    for loaded, opened, expected in zip(dlt.load_data(folder), dlt.open_data(folder), sets):
        for x, y in (loaded, opened.rows(0, len(expected.x))):
            np.testing.assert_array_equal(x, expected.x)
            np.testing.assert_array_equal(y, expected.y)
        assert loaded.description == opened.description == DIGITS
        assert opened.fingerprint() == dlt.shared_dataset(loaded).fingerprint()
        assert (opened.n_labels, opened.row_shape) == (loaded.n_labels, loaded.row_shape)


@pytest.mark.parametrize(
    "x, dtype",
    [([[0.1, 1.0]], "float64"), (np.float32([[0.1, 1]]), "float32"), ([[0.0, 1.0]], "uint8")],
)
def test_other_numbers_are_stored_in_the_smallest_type_that_holds_them(tmp_path, x, dtype):
    x, y = np.asarray(x).repeat(4, axis=0), np.asarray([0, 1, 0, 1])
    dlt.save_data(tmp_path / "data", [Examples(x, y, DIGITS._replace(scale=1))] * 3)
    assert np.load(tmp_path / "data" / "test_x.npy").dtype == dtype
    (loaded, _), *_ = dlt.load_data(tmp_path / "data")
    np.testing.assert_array_equal(loaded, x)


def test_a_folder_is_whole_or_not_there(sets, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(stored.os, "fsync", full)
        with pytest.raises(SettingsError, match="folder that cannot be written .No space left"):
            dlt.save_data(tmp_path / "data", sets)
    assert os.listdir(tmp_path) == []
    dlt.save_data(tmp_path / "data", sets)
    assert os.listdir(tmp_path) == ["data"]


def test_of_two_that_write_one_folder_the_first_wins(sets, tmp_path):
    second_is_at_work, first_is_done = threading.Event(), threading.Event()

    class Second(Examples):
        def rows(self, start, stop):
            second_is_at_work.set()
            assert first_is_done.wait(60)
            return super().rows(start, stop)

    class First(Examples):
        def rows(self, start, stop):
            if not second_is_at_work.is_set():
                second.start()
            assert second_is_at_work.wait(60)
            return super().rows(start, stop)

    def store_second():
        with pytest.raises(SettingsError, match="data: found a folder that cannot be written"):
            dlt.save_data(tmp_path / "data", [Second(*part) for part in sets[::-1]])
        refused.append(True)

    refused, second = [], threading.Thread(target=store_second)
    dlt.save_data(tmp_path / "data", [*sets[:2], First(*sets[2])])
    first_is_done.set()
    second.join()
    assert refused and os.listdir(tmp_path) == ["data"]
    x, _ = dlt.open_data(tmp_path / "data", verify=True)[0].rows(0, 30)
    np.testing.assert_array_equal(x, sets[0].x)


def test_arrays_and_pictures_are_stored_as_rows(rng, tmp_path):
    x, y = rng.integers(0, 256, (9, 3, 4), dtype=np.uint8), np.arange(9) % 2
    pictures = ChunkedDataSet(x, y, description=Description(256, 3, 4))
    dlt.save_data(tmp_path / "data", [pictures, (x / 256, y), (x / 300, y)])
    (first, _), (second, _), (third, _) = dlt.load_data(tmp_path / "data")
    np.testing.assert_array_equal(first, np.float32(x.reshape(9, 12) / 256))
    np.testing.assert_array_equal(second, first)
    np.testing.assert_array_equal(third, x.reshape(9, 12) / 300)
    assert [part.row_shape for part in dlt.open_data(tmp_path / "data")] == [(12,)] * 3


def test_sets_with_more_than_pixels_come_back(tmp_path):
    x, y = np.asarray([[-3.5, 1000.0], [2.0, 0.25]]), np.asarray([1, 0])
    dlt.save_data(tmp_path / "data", [(x, y)] * 3)
    np.testing.assert_array_equal(dlt.load_data(tmp_path / "data")[2].x, x)


ROWS = np.arange(8.0).reshape(4, 2)
UNREADABLE = {
    "description: found .* characters with the names of the labels; expected at most 1048576": (
        ROWS, [0, 1, 0, 1], Description(labels=tuple("x" * 20 + str(i) for i in range(99999)))
    ),
    r"description: found labels = \[3, 8\]": (
        ROWS, [0, 1, 0, 1], Description(labels=(3, 8))
    ),
    "description: found Object of type int64 is not JSON": (
        ROWS, [0, 1, 0, 1], Description(height=np.int64(1), width=2)
    ),
    "datasets, x: found NaN or infinite values .first in row 2": (
        np.where(ROWS == 5, np.inf, ROWS), [0, 1, 0, 1], None
    ),
    r"data: found NaN, or whole numbers beyond 9007199254740992; expected numbers that float64": (
        ROWS, [0, 1, 2**53 + 1, 1], None
    ),
    "datasets, y: found NaN or infinite values": (ROWS, [0, 1, np.nan, 1], None),
}  # fmt: skip


@pytest.mark.parametrize("message, given", UNREADABLE.items())
def test_what_could_not_be_read_is_not_written(tmp_path, message, given):
    x, y, description = given
    with pytest.raises(DataError, match=message):
        dlt.save_data(tmp_path / "data", [ChunkedDataSet(x, y, description=description)] * 3)
    assert os.listdir(tmp_path) == []


def test_two_sets_are_refused(sets, tmp_path):
    with pytest.raises(SettingsError, match="datasets: found 2 of them; expected a training, a v"):
        dlt.save_data(tmp_path / "data", sets[:2])
    with pytest.raises(SettingsError, match="datasets: found 3; expected a sequence"):
        dlt.save_data(tmp_path / "data", 3)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"], ids=ascii)
def test_impossible_names_are_refused(sets, tmp_path, name):
    for path in (tmp_path / name, tmp_path / name / "data"):
        with pytest.raises(SettingsError, match="cannot be written .*(null|codec)"):
            dlt.save_data(path, sets)
    assert os.listdir(tmp_path) == []


def test_a_generator_of_sets_is_stored(sets, tmp_path):
    dlt.save_data(tmp_path / "data", (data_set for data_set in sets))
    assert dlt.load_data(tmp_path / "data")[2].y.tolist() == sets[2].y.tolist()


def test_a_folder_with_files_is_refused(sets, folder):
    with pytest.raises(SettingsError, match="data: found files there already; expected a new fold"):
        dlt.save_data(folder, sets)


def test_numbers_keep_their_bits_whatever_floatX_is(tmp_path, rng, floatX):
    x, y = rng.random((7, 3)), np.asarray([0, 1, 0, 1, 0, 1, 0])
    sets = [ChunkedDataSet(x, y)] * 3
    dlt.save_data(tmp_path / "data", sets)
    np.testing.assert_array_equal(dlt.load_data(tmp_path / "data")[1].x, x)


def test_data_is_converted_some_rows_at_a_time(tmp_path, rng, monkeypatch):
    for module in (stored, rows_module):
        monkeypatch.setattr(module, "_PIECE", 1 << 16)
    y = np.arange(20000, dtype="uint8") % 10
    for name, array in (("x", rng.integers(0, 256, (20000, 200), dtype="uint8")), ("y", y)):
        np.save(tmp_path / f"{name}.npy", array)
    tracemalloc.start()
    try:
        dlt.save_data(tmp_path / "data", open_or_load(str(tmp_path)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < array.nbytes + 1_500_000, "x has 4 MB"


def test_contents_are_checked_on_request(folder):
    path = folder / "valid_x.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    dlt.open_data(folder)
    with pytest.raises(DataError, match="valid_x.npy: found other contents; expected those of dat"):
        dlt.open_data(folder, verify=True)


def edited(change):
    def damage(folder):
        described = json.loads((folder / "dataset.json").read_text())
        change(described)
        (folder / "dataset.json").write_text(json.dumps(described))

    return damage


def written(text):
    return lambda folder: (folder / "dataset.json").write_text(text)


DAMAGED = {
    "dataset.json: found a file that is not JSON": written("{"),
    "dataset.json: found JSON without names; expected a data set of format 1": written("[]"),
    "dataset.json: found parts = null": written('{"format": 1}'),
    "dataset.json: found a data set of format 2, of a newer dlt; expected format 1; install a": (
        edited(lambda d: d.update(format=2))
    ),
    'dataset.json: found format = "2"; expected a data set of format 1, .*; convert the data ag': (
        edited(lambda d: d.update(format="2"))
    ),
    "dataset.json: found height = -1": edited(lambda d: d.update(height=-1)),
    r"dataset.json: found labels = \[1\]": edited(lambda d: d.update(labels=[1])),
    "dataset.json: found names for 1 labels, and a ": edited(lambda d: d.update(labels=["a"])),
    "dataset.json: found labels = 3": edited(lambda d: d.update(labels=3)),
    "dataset.json: found split = {}": edited(lambda d: d.update(split={})),
    'dataset.json: found ground = "grey"': edited(lambda d: d.update(ground="grey")),
    'dataset.json: found centred = "yes"': edited(lambda d: d.update(centred="yes")),
    r"train_x.npy: found shape \[30, 12\], type \|u1; exp": edited(
        lambda d: d["parts"]["train_x"].update(scale=3)
    ),
    "dataset.json: found no description of test_y": edited(lambda d: d["parts"].pop("test_y")),
    "dataset.json: found no description of test_x": edited(
        lambda d: d["parts"]["test_x"].update(shape=[["deep"]])
    ),
    r"train_x.npy: found shape \[30, 12\], type \|u1; expected shape \[31": edited(
        lambda d: d["parts"]["train_x"].update(shape=[31, 12])
    ),
    "test_y.npy: found no file there": lambda folder: (folder / "test_y.npy").unlink(),
    "valid_y.npy: found 133 bytes; expected 134": lambda folder: os.truncate(
        folder / "valid_y.npy", 133
    ),
}


@pytest.mark.parametrize("message, damage", DAMAGED.items())
def test_what_does_not_fit_its_description_is_refused(folder, message, damage):
    damage(folder)
    for read in (dlt.load_data, dlt.open_data):
        with pytest.raises(DataError, match=message):
            read(folder)


def test_what_does_not_fit_into_memory_is_refused(folder, monkeypatch):
    monkeypatch.setattr(datasets_module, "available_memory", lambda: 1000)
    with pytest.raises(
        DataError, match="expected at most 0 MB, the free memory; convert it, and rea"
    ):
        dlt.load_data(folder)


def test_raw_idx_files_are_opened_as_the_page_divides_them(tmp_path, rng):
    names = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]
    arrays = [
        rng.integers(0, 200, (13, 4, 3)),
        np.arange(13) % 3,
        rng.integers(0, 200, (5, 4, 3)),
        np.arange(5) % 3,
    ]
    for name, array in zip(names, arrays):
        sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
        head = bytes([0, 0, 8, array.ndim]) + sizes
        (tmp_path / name).write_bytes(head + array.astype("uint8").tobytes())
    for loaded, opened in zip(dlt.load_data(tmp_path), dlt.open_data(tmp_path)):
        np.testing.assert_array_equal(opened.rows(0, opened.n_examples)[0], loaded.x)
        assert opened.fingerprint() == dlt.shared_dataset(loaded).fingerprint()
        assert opened.description == loaded.description
    dlt.save_data(tmp_path / "stored", dlt.open_data(tmp_path))
    np.savez(tmp_path / "data.npz", x=arrays[0], y=arrays[1])
    with pytest.raises(DataError, match="found data that has to be read whole; expected a folder"):
        dlt.open_data(tmp_path / "data.npz")
    with pytest.raises(DataError, match="digits: found the name of data that is loaded whole"):
        dlt.open_data("digits")
    with pytest.raises(DataError, match="found no dataset.json with checksums"):
        dlt.open_data(tmp_path, verify=True)
