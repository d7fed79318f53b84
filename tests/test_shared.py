"""Shared variables: what goes in comes out, or is refused."""

import numpy as np
import pytest

from dlt.engine import T, theano
from dlt.errors import DataError, SettingsError
from dlt.order import Shuffled
from dlt.shared import DataSet, as_data_set, n_minibatches, shared_dataset, shared_datasets


def test_inputs_and_labels_are_floatX_and_labels_come_out_as_int32(floatX, rng):
    data_x, data_y = rng.random((5, 3)), np.array([4, 0, 2, 9, 1])
    shared_x, y = shared_dataset((data_x, data_y))
    assert shared_x.dtype == floatX and y.dtype == "int32"
    assert y.owner.inputs[0].dtype == floatX  # stored as floats, as the page explains
    np.testing.assert_array_equal(shared_x.get_value(), data_x.astype(floatX))
    np.testing.assert_array_equal(theano.function([], y)(), data_y)


@pytest.mark.parametrize("batch_size", [0, 11, 1.5, float("nan"), float("inf")])
def test_batch_sizes_that_do_not_fit_are_refused(batch_size):
    message = "batch_size: found .* expected a whole number from 1 to 10, the number of examples"
    with pytest.raises(SettingsError, match=message):
        n_minibatches(10, batch_size)
    assert n_minibatches(10, 10) == n_minibatches(10, 10, drop_last=False) == 1


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e39])  # 1e39 is infinite in float32
@pytest.mark.parametrize("floatX", ["float32"], indirect=True)
def test_values_that_are_not_finite_are_refused_in_every_set(floatX, value):
    for place, name in enumerate(["training", "validation", "test"]):
        x = np.zeros((3, 3, 2))
        x[place, 1, 0] = value
        message = r"{} set, x: found NaN or infinite values \(first in row 1\); expected finite"
        with pytest.raises(DataError, match=message.format(name)):
            shared_datasets([(data_x, [0, 1, 0]) for data_x in x])


@pytest.mark.parametrize("borrow", [True, False])
def test_borrow_decides_whether_memory_is_shared(float64, borrow):
    memory = np.zeros(64 * 8 + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    x = memory[start : start + 64 * 8].view(np.float64).reshape(8, 8)  # as the engine wants it
    shared_x, _ = shared_dataset((x, np.zeros(8)), borrow=borrow)
    x[0, 0] = 7
    assert float(shared_x.get_value()[0, 0]) == (7.0 if borrow else 0.0)


def test_the_fingerprint_is_of_the_numbers(floatX):
    x, y = np.asarray([[0.5, 0.25], [0.75, 0.0]], dtype=floatX), np.asarray([0, 1])
    data_set = shared_dataset((x, y))
    # one bit, one label, another shape: all are other data
    bit = x.copy()
    bit[1, 1] = np.nextafter(bit[1, 1], 1, dtype=floatX)
    sets = [(x, y), (bit, y), (x, y[::-1]), (x.reshape(1, 4), y[:1])]
    assert len({shared_dataset(pair).fingerprint() for pair in sets}) == len(sets)
    data_set.x.set_value(np.zeros_like(x))  # computed once, but for other values
    assert data_set.fingerprint() == shared_dataset((np.zeros_like(x), y)).fingerprint()


def test_the_fingerprint_does_not_depend_on_where_the_data_lies(linker):
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3) / 256)
    one, other = shared_dataset((x, [0, 1])), shared_dataset((x.copy(), [0, 1]))
    assert one.fingerprint() == other.fingerprint()


def test_the_page_s_own_pair_is_a_data_set(floatX):
    x, y = np.asarray([[0.5, 0.25], [0.75, 0.0], [0, 0]], dtype=floatX), np.asarray([0, 2, 1])
    shared_x, shared_y = theano.shared(x), theano.shared(y.astype(floatX))
    data_set = as_data_set("data", (shared_x, T.cast(shared_y, "int32")))
    assert isinstance(data_set, DataSet) and as_data_set("data", data_set) is data_set
    assert (data_set.n_examples, data_set.row_shape) == (3, (2,))
    assert data_set.targets.tolist() == [0, 2, 1]
    assert data_set.fingerprint() == shared_dataset((x, y)).fingerprint()


def test_pairs_that_are_none_are_refused():
    shared_x, y = shared_dataset((np.zeros((3, 2)), [0, 1, 2]))
    _, shorter = shared_dataset((np.zeros((2, 2)), [0, 1]))
    for pair, message in (
        (
            (shared_x, shorter),
            "data: found 3 rows of x and 2 of y; expected one label for each row",
        ),
        (
            (shared_x, np.zeros(3)),
            "data, y: found ndarray; expected a shared variable, as x is, or",
        ),
        ((np.zeros((3, 2)), y), "data, y: found values of the type .*; expected numbers"),
    ):
        with pytest.raises(DataError, match=message):
            as_data_set("data", pair)


def test_it_is_cast_to_what_the_symbols_are(rng):
    pixels, numbers = rng.integers(0, 256, (4, 2)) / 256, [3, 0, 1, 2]
    shared_x, shared_y = (theano.shared(np.asarray(a, "float32")) for a in (pixels, numbers))
    x, y, start = T.dmatrix("x"), T.lvector("y"), T.lscalar("start")
    givens = as_data_set("data", (shared_x, shared_y)).feed(2, 4).givens(x, y, start, 2)
    found_x, found_y = theano.function([start], [2 * x, y + 1], givens=givens)(2)
    np.testing.assert_array_equal(found_x, 2 * pixels[2:])
    np.testing.assert_array_equal(found_y, [2, 3])


def test_targets_need_not_be_labels_where_y_is_no_integer(floatX):
    x, y = np.zeros((2, 3)), np.asarray([[0.5, -1.0], [2.25, 0.0]])
    data_set = as_data_set("data", (x, y), y=T.matrix("y"))
    np.testing.assert_array_equal(data_set.targets, y)
    assert data_set.y.dtype == floatX and data_set.y.ndim == 2
    with pytest.raises(DataError, match="data, y: found an array of shape .*; expected 1 dimensio"):
        as_data_set("data", (x, y), y=T.vector("y"))
    with pytest.raises(DataError, match="data, y: found an array of shape .*; expected class numb"):
        as_data_set("data", (x, y), y=T.ivector("y"))


def test_rows_are_taken_in_any_order(linker, floatX, rng):
    pixels, labels = rng.integers(0, 256, (9, 4)) / 256, rng.integers(0, 10, 9)
    order = Shuffled(3)
    for data_x in (pixels, pixels / 3):  # bytes on JAX, and others
        feed = shared_dataset((data_x, labels)).feed(4, 8)
        x, y, start = T.matrix("x"), T.ivector("y"), T.lscalar("start")
        givens = feed.givens(x, y, start, 4, in_turn=False)
        f = theano.function([start], [2 * x, y + 1], givens=givens)
        ((first, second),) = feed.starts(0, 8, 4, order, epoch=5)
        for place in (first, second):
            chosen = order.permutation(5, 9)[place : place + 4]
            found_x, found_y = f(place)
            np.testing.assert_array_equal(found_x, 2 * data_x.astype(floatX)[chosen])
            np.testing.assert_array_equal(found_y, labels[chosen] + 1)
