"""Data sets in chunks: the numbers of the same data in memory, bit for bit."""

import doctest
import os
import threading
import time

import numpy as np
import pytest
from conftest import ROOT, run_python

import dlt
from dlt import engine, evaluation
from dlt.chunks import ChunkedDataSet
from dlt.engine import T, theano
from dlt.errors import DataError
from dlt.examples import Description
from dlt.shared import shared_dataset

BYTES = Description(256, None, None, None, None)


class Fake:
    """A source that is no file: shape, dtype and slices."""

    def __init__(self, array, on_read=lambda first: None):
        self._array, self._on_read = array, on_read
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, rows):
        self._on_read(rows.start)
        return self._array[rows]


@pytest.fixture
def numbers(rng):
    """Training and validation set as bytes and labels."""
    return [
        (rng.integers(0, 256, (n, 12), dtype=np.uint8), rng.integers(0, 4, n)) for n in (203, 51)
    ]


def trainer(sets, batch_size=10):
    x, y = T.matrix("x"), T.ivector("y")
    model = dlt.LogisticRegression(x, 12, 4)
    loss = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    return dlt.Trainer(model, y, loss, *sets, batch_size=batch_size)


def same(one, other):
    history = [[row[:5] for row in result.history] for result in (one, other)]
    equal = [np.array_equal(one.best_params[name], other.best_params[name]) for name in "Wb"]
    return history[0] == history[1] and all(equal)


ORDERS = {"in turn": None, "shuffled": dlt.Shuffled(1), "blocks": dlt.Shuffled(1, block=25)}


# Minibatches in a chunk: the last chunk of 20 minibatches in sevens is short, 1000 are never there.
@pytest.mark.parametrize("stored, sizes", [("bytes", (7, 1000)), ("float32", (1,))])
def test_the_bits_are_those_of_the_data_in_memory(linker, floatX, numbers, tmp_path, stored, sizes):
    divisor = np.float32(256 if stored == "bytes" else 300)
    in_memory = [(x / divisor, y) for x, y in numbers]
    on_disk, description = (numbers, BYTES) if stored == "bytes" else (in_memory, None)
    whole = trainer(in_memory)
    expected = {name: whole.run(n_epochs=3, order=order) for name, order in ORDERS.items()}
    for minibatches in sizes if linker == engine.LINKERS[0] else sizes[:1]:
        n_bytes = minibatches * 10 * 12 * on_disk[0][0].itemsize
        chunked = []
        for i, pair in enumerate(on_disk):
            paths = [tmp_path / f"{name}{i}.npy" for name in "xy"]
            for path, array in zip(paths, pair):
                np.save(path, array)
            chunked.append(ChunkedDataSet(*paths, n_bytes, description))
        in_chunks = trainer(chunked)
        for name, order in ORDERS.items():
            assert same(in_chunks.run(n_epochs=3, order=order), expected[name]), name
        score = in_chunks.score(chunked[1], expected["in turn"].best_params)
        assert score == expected["in turn"].best_validation


def fakes(numbers, on_read=lambda first: None, chunk_bytes=10 * 12 * 3):
    """The sets as fakes in chunks of three minibatches; reading the training set is watched."""
    (x, y), valid = numbers
    train = ChunkedDataSet(Fake(x, on_read), y, chunk_bytes, BYTES)
    return [train, ChunkedDataSet(*map(Fake, valid), chunk_bytes, BYTES)]


def in_memory(numbers):
    return [(x / np.float32(256), y) for x, y in numbers]


def test_anything_with_a_shape_a_dtype_and_slices_is_read(numbers, tmp_path):
    expected = trainer(in_memory(numbers)).run(n_epochs=2)
    assert same(trainer(fakes(numbers)).run(n_epochs=2), expected)
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        for i, pair in enumerate(numbers):
            file[f"x{i}"], file[f"y{i}"] = pair
        sets = [ChunkedDataSet(file[f"x{i}"], file[f"y{i}"], 500, BYTES) for i in range(2)]
        assert same(trainer(sets).run(n_epochs=2), expected)


def test_a_run_goes_on_in_chunks_that_began_in_memory_and_the_other_way_round(numbers, tmp_path):
    order = dlt.Shuffled(3, block=30)
    kinds = {"memory": in_memory(numbers), "chunks": fakes(numbers)}
    expected = trainer(kinds["memory"]).run(n_epochs=4, order=order)
    for first, second in (("memory", "chunks"), ("chunks", "memory")):
        folder = dlt.RunFolder(tmp_path / first)
        asked = iter([False, False, True]).__next__
        stopped = trainer(kinds[first]).run(
            n_epochs=4, order=order, folder=folder, should_stop=asked
        )
        assert stopped.stopped_by == "request" and stopped.n_iterations < expected.n_iterations
        resumed = trainer(kinds[second]).run(n_epochs=4, order=order, folder=folder, resume=True)
        assert same(resumed, expected)
    with pytest.raises(dlt.SettingsError, match="order: the checkpoint has Shuffled.*block=30"):
        trainer(kinds["memory"]).run(
            n_epochs=5, order=dlt.Shuffled(3, block=31), folder=folder, resume=True
        )


def test_a_run_does_not_go_on_with_files_that_were_replaced(numbers, tmp_path):
    def sets():
        return dlt.open_data(tmp_path / "data", max_memory=2000)[:2]

    def store(pairs):
        dlt.save_data(tmp_path / "data", [*in_memory(pairs), in_memory(pairs)[1]])

    store(numbers)
    folder, asked = dlt.RunFolder(tmp_path / "run"), iter([False, False, True]).__next__
    trainer(sets()).run(n_epochs=3, folder=folder, should_stop=asked)
    (tmp_path / "data").rename(tmp_path / "first")
    store([(x[::-1], y) for x, y in numbers])
    before = (tmp_path / "run" / "checkpoint.npz").read_bytes()
    with pytest.raises(dlt.SettingsError, match="run: data: the checkpoint has sha256 .*, this"):
        trainer(sets()).run(n_epochs=3, folder=folder, resume=True)
    assert (tmp_path / "run" / "checkpoint.npz").read_bytes() == before
    (tmp_path / "data").rename(tmp_path / "second")
    (tmp_path / "first").rename(tmp_path / "data")
    resumed = trainer(sets()).run(n_epochs=3, folder=folder, resume=True)
    assert same(resumed, trainer(in_memory(numbers)).run(n_epochs=3))


def test_one_chunk_is_read_ahead_and_none_twice(numbers):
    read = []
    trainer(fakes(numbers, read.append)).run(n_epochs=2)
    # 200 rows in chunks of 30, twice; what is read ahead of a third epoch may not be reached
    assert read[:14] == [*range(0, 200, 30)] * 2 and len(read) <= 15


def test_what_is_read_in_an_order_is_read_in_pieces(numbers):
    read = []
    trainer(fakes(numbers, read.append)).run(n_epochs=1, order=dlt.Shuffled(1, block=30))
    assert len(read) <= 3 * 8, "a chunk of 30 rows touches three blocks at most"


def test_a_slow_disk_does_not_keep_a_run_from_stopping(numbers):
    slow, started = threading.Event(), []

    def on_read(first):
        if started:
            slow.wait(20)

    def should_stop():
        if not started:
            started.append(time.monotonic())
            return False
        return time.monotonic() - started[0] > 0.3

    try:
        result = trainer(fakes(numbers, on_read)).run(n_epochs=9, should_stop=should_stop)
        assert time.monotonic() - started[0] < 1.5 and result.stopped_by == "request"
    finally:
        slow.set()


def test_a_failing_disk_ends_a_run_with_its_checkpoint_kept(numbers, tmp_path):
    def on_read(first):
        if failing and first >= 120:
            raise DataError("x", f"an error in row {first}")

    failing, folder = True, dlt.RunFolder(tmp_path / "run")
    with pytest.raises(DataError, match="x: found an error in row 120"):
        trainer(fakes(numbers, on_read)).run(n_epochs=3, folder=folder)
    failing = False
    resumed = trainer(fakes(numbers, on_read)).run(n_epochs=3, folder=folder, resume=True)
    assert same(resumed, trainer(in_memory(numbers)).run(n_epochs=3))


def test_bad_rows_and_labels_are_named_by_their_number(numbers):
    x, y = numbers[0]
    bad = x / np.float32(256)
    bad[151, 3] = np.nan
    with pytest.raises(DataError, match=r"x: found NaN or infinite values \(first in row 151\)"):
        trainer([ChunkedDataSet(Fake(bad), y, 2000)]).run(n_epochs=1)
    y = y.copy()
    y[77] = 4
    with pytest.raises(
        DataError, match="training set, y: found label 4 in row 77; expected labels"
    ):
        trainer([ChunkedDataSet(Fake(x), y, 2000, BYTES)])
    with pytest.raises(DataError, match="x: found 203 rows of x and 202 of y"):
        ChunkedDataSet(Fake(x), y[1:])
    data_set = ChunkedDataSet(Fake(x), y)
    with pytest.raises(DataError, match="train_set: found a data set in chunks; expected one in m"):
        dlt.minibatch_gradient_descent(None, None, 0.1, None, None, data_set, 10)


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("rows", [7, 10, 51])
def test_errors_are_counted_over_all_chunks_and_the_rest(numbers, monkeypatch, rows, drop_last):
    monkeypatch.setattr(evaluation, "_CHUNK", rows)
    x, y = T.matrix("x"), T.ivector("y")
    wrong = T.neq(T.cast(T.floor(4 * x[:, 0]), "int64"), y)
    for errors in (wrong, T.mean(wrong)):
        counts = [
            dlt.error_counter(x, y, errors, data_set, 7, drop_last)()
            for data_set in (in_memory(numbers)[1], fakes(numbers, chunk_bytes=200)[1])
        ]
        assert counts[0] == counts[1] and counts[0].n_examples == (49 if drop_last else 51)


def test_targets_that_are_no_labels(numbers, floatX, rng):
    (x, _), _ = numbers
    symbolic_x, y = T.matrix("x"), T.vector("y")
    targets = np.asarray(rng.random(203) * 3e9, dtype="int64")
    squared = (T.sum(symbolic_x, axis=1) - y) ** 2
    scores = [
        dlt.error_counter(symbolic_x, y, squared, data_set)()
        for data_set in ((x.astype(floatX), targets), ChunkedDataSet(x, targets, 500))
    ]
    assert scores[0] == scores[1]
    targets = targets.astype(float)
    targets[150] = np.inf
    with pytest.raises(DataError, match=r"y: found NaN or infinite values \(first in row 150"):
        ChunkedDataSet(x, targets, 500).check("data", symbolic_x, y)


def test_numbers_that_floatX_rounds_have_the_fingerprint_of_memory(numbers, floatX, rng):
    x, y = rng.random((203, 12)), numbers[0][1]
    assert ChunkedDataSet(x, y).fingerprint() == shared_dataset((x, y)).fingerprint()
    one, other = np.arange(255.0), np.arange(255) % 2
    with pytest.raises(dlt.SettingsError, match="description: found the scale 255; expected 1 or"):
        ChunkedDataSet(one[:, None], other, description=Description(255))


@pytest.mark.parametrize("x", [np.zeros((0, 3)), np.zeros((3, 0))])
def test_what_has_no_numbers_is_refused(x):
    with pytest.raises(DataError, match="x: found an array of shape .* expected numbers, one row"):
        ChunkedDataSet(x, np.zeros(len(x)))


CHANGES = {
    "masked values": lambda rows: np.ma.array(rows, mask=True),
    "complex numbers": lambda rows: rows + 1j,
}
USES = {
    "targets": lambda sets: sets[2].targets,
    "labels": lambda sets: sets[2].n_labels,
    "rows": lambda sets: sets[0].rows(0, 9),
    "a fingerprint": lambda sets: sets[0].fingerprint(),
    "training": lambda sets: trainer(sets[:2]).run(n_epochs=1),
    "storing": lambda sets: dlt.save_data("never-there", sets[:1] * 3),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("found, change", CHANGES.items(), ids=CHANGES)
def test_slices_that_are_no_numbers_are_refused(numbers, tmp_path, monkeypatch, use, found, change):
    class Changed(Fake):
        def __getitem__(self, rows):
            return change(super().__getitem__(rows))

    monkeypatch.chdir(tmp_path)
    sets = [ChunkedDataSet(Changed(x), y, 500, BYTES) for x, y in numbers]
    sets.append(ChunkedDataSet(numbers[0][0], Changed(numbers[0][1])))
    with pytest.raises(DataError, match=f"[xy]: found {found}"):
        use(sets)
    assert not os.listdir(".")


def test_a_source_stays_where_it_is_though_it_could_be_loaded_whole(numbers):
    class Lazy(Fake):  # as xarray's, whose slices are of its own kind
        def __getitem__(self, rows):
            return Lazy(super().__getitem__(rows))

        def to_numpy(self):
            assert self.shape[0] == 9
            return self._array

    x, y = numbers[0]
    np.testing.assert_array_equal(ChunkedDataSet(Lazy(x), y).rows(0, 9)[0], x[:9])


def test_a_series_of_pandas_is_an_array():
    pandas = pytest.importorskip("pandas")
    labels = pandas.Series([1, 0, 1], index=[0.5, 1.5, 2.5])
    assert ChunkedDataSet(np.eye(3), labels).targets.tolist() == [1, 0, 1]


def test_an_interrupt_while_a_chunk_is_put_in_place_leaves_none(numbers, monkeypatch):
    feed = fakes(numbers)[0].feed(10, 200)
    list(feed.starts(0, 30, 10))
    kept = feed._shared[1].set_value
    monkeypatch.setattr(
        feed._shared[1], "set_value", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        list(feed.starts(60, 90, 10))
    monkeypatch.setattr(feed._shared[1], "set_value", kept)
    list(feed.starts(0, 30, 10))
    x, y = T.matrix("x"), T.ivector("y")
    givens = feed.givens(x, y, T.constant(0), 10)
    found_x, found_y = theano.function([], [x, y], givens=givens, on_unused_input="ignore")()
    np.testing.assert_array_equal(256 * found_x, numbers[0][0][:10])
    np.testing.assert_array_equal(found_y, numbers[0][1][:10])


HANGING = """
import sys, time, numpy as np, dlt
from dlt.chunks import ChunkedDataSet

class Hanging:
    shape, dtype = (100, 2), np.dtype("float64")
    def __getitem__(self, rows):
        if rows.start >= 20:
            time.sleep(60)
        return np.zeros((len(range(*rows.indices(100))), 2))

feed = ChunkedDataSet(Hanging(), np.zeros(100), 160).feed(10, 100)
list(feed.starts(0, 10, 10))
print("done")
"""


def test_a_process_does_not_wait_for_a_disk_that_hangs():
    process = run_python("-c", HANGING, timeout=30)
    assert (process.returncode, process.stdout) == (0, "done\n")


def test_pictures_become_rows(numbers):
    pictures = [ChunkedDataSet(a.reshape(-1, 3, 4), b, 999, BYTES) for a, b in numbers]
    assert pictures[0].row_shape == (3, 4) and pictures[0].description.height is None
    assert same(trainer(pictures).run(n_epochs=1), trainer(in_memory(numbers)).run(n_epochs=1))


def test_the_fingerprint_is_that_of_the_data_in_memory(numbers, floatX):
    (x, y), _ = numbers
    for stored, description in ((x, BYTES), (x, None), (x / np.float32(300), None)):
        divisor = np.float32(256 if description else 1)
        expected = shared_dataset((stored / divisor, y)).fingerprint()
        assert ChunkedDataSet(Fake(stored), y, 500, description).fingerprint() == expected


def test_the_document_s_programs_print_what_it_says():
    path = str(ROOT / "docs" / "large_data.md")
    failed, tried = doctest.testfile(path, module_relative=False)
    assert tried > 10 and failed == 0
