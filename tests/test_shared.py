"""Shared variables: what goes in comes out, or is refused."""

import hashlib

import numpy as np
import pytest

from dlt.engine import theano
from dlt.errors import DataError, SettingsError
from dlt.shared import fingerprint, n_minibatches, shared_dataset, shared_datasets


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


def test_labels_that_are_no_class_numbers_or_too_few_are_refused():
    for label in (-1, 0.5, np.nan):
        with pytest.raises(SettingsError, match="found labels that are no class numbers"):
            shared_dataset((np.zeros((2, 1)), np.array([0, label])))
    with pytest.raises(SettingsError, match="found 3 rows of x and 2 labels; expected one label"):
        shared_dataset((np.zeros((3, 2)), np.zeros(2)))


@pytest.mark.parametrize("borrow", [True, False])
def test_borrow_decides_whether_memory_is_shared(float64, borrow):
    memory = np.zeros(64 * 8 + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    x = memory[start : start + 64 * 8].view(np.float64).reshape(8, 8)  # as the engine wants it
    shared_x, _ = shared_dataset((x, np.zeros(8)), borrow=borrow)
    x[0, 0] = 7
    assert float(shared_x.get_value()[0, 0]) == (7.0 if borrow else 0.0)


def test_the_fingerprint_is_of_shapes_dtypes_and_bytes(floatX):
    x, y = np.asarray([[0.5, 0.25], [0.75, 0.0]], dtype=floatX), np.asarray([0, 1])
    expected = hashlib.sha256()
    code = np.dtype(floatX).str
    expected.update("(2, 2) {};".format(code).encode() + x.tobytes())
    expected.update("(2,) {};".format(code).encode() + y.astype(floatX).tobytes())
    assert fingerprint([shared_dataset((x, y))]) == expected.hexdigest()
    # one bit, one label, another shape, another order of the sets: all are other data
    bit = x.copy()
    bit[1, 1] = np.nextafter(bit[1, 1], 1, dtype=floatX)
    sets = [[(x, y)], [(bit, y)], [(x, y[::-1])], [(x.reshape(1, 4), y[:1])],
            [(x, y), (bit, y)], [(bit, y), (x, y)]]  # fmt: skip
    found = {fingerprint(shared_datasets(pairs)) for pairs in sets}
    assert len(found) == len(sets)


def test_the_fingerprint_does_not_depend_on_where_the_data_lies(linker):
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3) / 256)
    pairs = [shared_dataset((x, [0, 1])), shared_dataset((x.copy(), [0, 1]))]
    assert fingerprint(pairs[:1]) == fingerprint(pairs[1:])
