"""Data has to be numbers of the right kind and shape; what is not is refused in one line."""

import numpy as np
import pytest

from dlt.checks import inputs, labels
from dlt.errors import DataError
from dlt.prediction import Predictor
from dlt.shared import as_data_set, shared_dataset

pytestmark = pytest.mark.once

X = np.linspace(0, 1, 12).reshape(4, 3)
Y = np.asarray([0, 1, 2, 0])
SHAPE = "expected class numbers, shape (N,)"


def with_value(array, index, value):
    array = array.astype(np.result_type(array, type(value)))
    array[index] = value
    return array


BAD_INPUTS = {
    "None": (None, "found None; expected numbers"),
    "a name": ("mnist", "found text; expected numbers"),
    "texts": (X.astype(str), "found text; expected numbers"),
    "objects": ([[object()] * 3] * 4, "found values of the type object; expected numbers"),
    "huge": ([[10**30] * 3] * 4, "found numbers too large for 64 bits; expected numbers"),
    "dates": (np.zeros((4, 3), "M8[s]"), "found an array of datetime64[s]; expected numbers"),
    "ragged": ([[1, 2], [3]], "found rows of different lengths; expected rows of one length"),
    "complex": (
        X + 1j,
        "found complex numbers; expected real ones; take the part that counts",
    ),
    "masked": (np.ma.masked_greater(X, 0.5), "found masked values; expected numbers; fill them in"),
    "one row": (X[0], "found an array of shape (3,); expected (N, D), one row for each example"),
    "no picture": (
        np.zeros((0, 2, 2)),
        "found no examples (an array of shape (0, 2, 2)); expected one",
    ),
    "no row": (X[:0], "found no examples (an array of shape (0, 3)); expected one"),
    "colour": (
        np.zeros((4, 8, 9, 3)),
        "found pictures of 8 x 9 pixels with 3 channels; expected grey ones; take x[..., :3].mean(",
    ),
    "channels first": (np.zeros((4, 3, 8, 9)), "expected grey ones; take x[:, :3].mean(axis=1).as"),
    "alpha": (np.zeros((4, 8, 9, 2)), "with 2 channels; expected grey ones; take x[..., :1].mean"),
    "NaN": (
        with_value(X, (2, 1), np.nan),
        "found NaN or infinite values (first in row 2)",
    ),
    "infinite": (with_value(X, (3, 0), -np.inf), "found NaN or infinite values (first in row 3)"),
}
BAD_LABELS = {
    "None": (None, "found None; expected numbers"),
    "Nones": ([None] * 4, "found None; expected numbers"),
    "letters": (list("abca"), "found text; expected numbers"),
    "complex": (Y + 0j, "found complex numbers; expected real ones"),
    "masked": (np.ma.masked_equal(Y, 1), "found masked values; expected numbers"),
    "one-hot": (np.eye(3)[Y], SHAPE + "; one-hot rows: take y.argmax(axis=1)"),
    "column": (Y[:, None], SHAPE + "; take y.ravel()"),
    "scores": (X, "found an array of shape (4, 3); " + SHAPE),
    "one": (3, "found an array of shape (); " + SHAPE),
    "none": (Y[:0], "found no labels; expected one for each example"),
    "negative": (
        with_value(Y, 1, -1),
        "found label -1 in row 1; expected whole numbers",
    ),
    "fraction": (Y + 0.5, "found label 0.5 in row 0; expected whole numbers, 0 or more"),
    "NaN": (with_value(Y, 2, np.nan), "found label nan in row 2; expected whole numbers"),
    "huge": (with_value(Y, 3, 2**40), "found label 1099511627776 in row 3; expected whole numbers"),
}


def refused(name, message, check, *args):
    with pytest.raises(DataError) as caught:
        check(*args)
    assert str(caught.value).startswith(name + ": ") and message in str(caught.value)
    assert "\n" not in str(caught.value)


class Frame:
    """A frame of pandas as `dlt` sees it: columns of several types make objects."""

    def to_numpy(self):
        return np.asarray([[1, 0.5], [2, 0.25]], object)


def test_a_frame_is_an_array():
    assert inputs("x", Frame()).tolist() == [[1, 0.5], [2, 0.25]]


@pytest.mark.parametrize("x, message", BAD_INPUTS.values(), ids=BAD_INPUTS)
def test_bad_inputs_are_refused_in_a_data_set_and_in_a_prediction(x, message):
    refused("x", message, inputs, "x", x)
    refused("data_xy, x", message, shared_dataset, (x, Y))
    refused("x", message, Predictor(regression()).probabilities, x)


@pytest.mark.parametrize("y, message", BAD_LABELS.values(), ids=BAD_LABELS)
def test_bad_labels_are_refused(y, message):
    refused("y", message, labels, "y", y)
    refused("validation set, y", message, as_data_set, "validation set", (X, y))


@pytest.mark.parametrize(
    "data, message",
    [
        (None, "data_xy: found NoneType; expected a pair, x and y"),
        ((X, Y, Y), "data_xy: found tuple of 3; expected a pair"),
        ((X, Y[:3]), "data_xy: found 4 rows of x and 3 of y; expected one label for each row"),
    ],
)
def test_anything_but_a_pair_is_refused(data, message):
    refused("data_xy", message, shared_dataset, data)


def test_labels_of_any_dtype_or_with_an_empty_mask_are_accepted():
    for dtype in ("bool", "uint8", "float16", "float64", "int64"):
        y = labels("y", (Y % 2).astype(dtype), n_out=2)
        assert y.dtype == np.int64 and y.tolist() == [0, 1, 0, 0]
    assert labels("y", np.ma.array(Y)).tolist() == Y.tolist()
    refused("y", "found label 2 in row 2; expected labels from 0 to 1, as", labels, "y", Y, 2)


def test_pictures_become_rows_where_the_model_takes_rows():
    x = np.arange(24.0).reshape(2, 3, 4)
    assert inputs("x", x).tolist() == x.reshape(2, 12).tolist()
    assert inputs("x", x, ndim=3).shape == (2, 3, 4)
    data_set = shared_dataset((x, [0, 1]))
    assert data_set.row_shape == (12,)
    assert (data_set.description.height, data_set.description.width) == (3, 4)


def regression():
    from dlt.engine import T
    from dlt.models import LogisticRegression

    return LogisticRegression(T.matrix("x"), 3, 2)
