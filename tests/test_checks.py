"""Data has to be numbers of the right kind and shape; what is not is refused in one line."""

import numpy as np
import pandas
import pytest

import dlt
from dlt.checks import inputs, labels, positive_in
from dlt.errors import DataError, SettingsError
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


class Masked:
    """Makes an array of itself, as those of other libraries do: a masked one."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.ma.array(self.array, mask=True)


# What is no array of numbers, of one that is: how to make it, and what is said of it.
NO_NUMBERS = {
    "masked": (lambda a: np.ma.array(a, mask=np.arange(a.size).reshape(a.shape) == 1), "masked"),
    "rows with masks": (lambda a: [np.ma.array(row, mask=True) for row in a], "masked values"),
    "masked by itself": (Masked, "masked values"),
    "complex": (lambda a: a + 1j, "complex numbers"),
    "text": (lambda a: a.astype("U"), "text"),
    "dates": (lambda a: a.astype("M8[s]"), "an array of datetime64[s]"),
    "spans of time": (lambda a: a.astype("m8[s]"), "an array of timedelta64[s]"),
    "records": (lambda a: a.astype([("a", "f8")]), "an array of [('a', '<f8')]"),
    "Nones": (lambda a: np.full(a.shape, None), "None"),
    "a frame with a hole": (lambda a: Hole(a), "values of the type NAType"),
}


class Hole:
    """A nullable frame or series of pandas."""

    def __init__(self, array):
        self.values = np.full(array.shape, pandas.NA)

    def to_numpy(self):
        return self.values


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Public name -> functions of an array, and one that each of them takes."""
    model, y = regression(), dlt.T.ivector("y")
    W, b = model.params
    loss = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    errors = dlt.zero_one_loss(model.p_y_given_x, y, reduction="none")
    given, folder = (loss, model.params, 0.1, model.input, y), tmp_path_factory.mktemp("calls")
    predictor, zeros, Y2 = dlt.Predictor(model), {"W": np.zeros((3, 2)), "b": np.zeros(2)}, Y % 2
    trainer = dlt.Trainer(model, y, loss, (X, Y2), batch_size=2)
    pixels = np.eye(4)
    state = dlt.runs.state.State.first(zeros, {})
    checkpoint = dlt.Checkpoint(state, None, (), {}, {}, [], {})

    def saved(**changed):
        changed = checkpoint._replace(state=state._replace(**changed))
        dlt.write_checkpoint(folder / "checkpoint.npz", changed)

    return {
        "load_data": [(X, lambda a: dlt.load_data(((a, Y2), (X, Y2))))],
        "save_data": [(X, lambda a: dlt.save_data(folder / "data", [(a, Y)] * 3))],
        "ChunkedDataSet": [
            (X, lambda a: dlt.ChunkedDataSet(a, Y)),
            (Y, lambda a: dlt.ChunkedDataSet(X, a)),
        ],
        "shared_dataset": [
            (X, lambda a: dlt.shared_dataset((a, Y))),
            (Y, lambda a: dlt.shared_dataset((X, a))),
        ],
        "shared_datasets": [(X, lambda a: dlt.shared_datasets([(X, Y), (a, Y)]))],
        "gradient_descent": [(X, lambda a: dlt.gradient_descent(*given, (a, Y2)))],
        "stochastic_gradient_descent": [
            (X, lambda a: dlt.stochastic_gradient_descent(*given, (a, Y2)))
        ],
        "minibatch_gradient_descent": [
            (X, lambda a: dlt.minibatch_gradient_descent(*given, (a, Y2), 2))
        ],
        "minibatch_stretch": [
            (X, lambda a: dlt.minibatch_stretch(loss, [(W, W)], model.input, y, (a, Y2), 2))
        ],
        "error_counter": [(X, lambda a: dlt.error_counter(model.input, y, errors, (a, Y2)))],
        "Trainer": [
            (X, lambda a: dlt.Trainer(model, y, loss, (a, Y2))),
            (Y2, lambda a: dlt.Trainer(model, y, loss, (X, Y2), (X, a))),
            (zeros["W"], lambda a: trainer.run(params=dict(zeros, W=a))),
            (zeros["b"], lambda a: trainer.score((X, Y2), dict(zeros, b=a))),
            (X, lambda a: trainer.score((a, Y2), zeros)),
            (X, lambda a: trainer.errors((a, Y2), zeros)),
        ],
        "train": [(X, lambda a: dlt.train(model, y, loss, [(X, Y2), (a, Y2)]))],
        "set_values": [(zeros["b"], lambda a: dlt.set_values([b], {"b": a}))],
        "save_params": [(X, lambda a: dlt.save_params(folder / "params.pkl", {"W": a}))],
        "write_checkpoint": [
            (zeros["W"], lambda a: saved(params=dict(zeros, W=a))),
            (np.zeros(2), lambda a: saved(losses=a)),
        ],
        "Predictor": [(X, predictor.probabilities), (X, predictor.predict), (Y, predictor.known)],
        "mcnemar": [(Y2, lambda a: dlt.mcnemar(a, Y2)), (Y2, lambda a: dlt.mcnemar(Y2, a))],
        "plot_digits": [(pixels, dlt.plot_digits)],
        "plot_weights": [(pixels, dlt.plot_weights)],
        "plot_mistakes": [
            (pixels, lambda a: dlt.plot_mistakes(a, Y, np.full((4, 3), 0.25))),
            (Y, lambda a: dlt.plot_mistakes(pixels, a, np.full((4, 3), 0.25))),
            (np.full((4, 3), 0.25), lambda a: dlt.plot_mistakes(pixels, Y, a)),
        ],
        "plot_confusion_matrix": [
            (Y, lambda a: dlt.plot_confusion_matrix(a, Y)),
            (Y, lambda a: dlt.plot_confusion_matrix(Y, a)),
        ],
        "tile_images": [(pixels, dlt.tile_images)],
        "animate_weights": [(pixels, lambda a: dlt.animate_weights([a], ["frame"]))],
    }


# Public names that take no arrays: but variables of the engine, which refuses masks itself, files,
# numbers, figures, and what other functions return.
WITHOUT_ARRAYS = set(
    """
Checkpoint DataError DataSet DltError EngineError FetchError History HistoryRow LogisticRegression
Patience ProcessPool RunFolder Score Selection SettingsError Shuffled StopOnSignal T
TrainingResult default_batch_size export_page fetch_mnist get_values gradient_updates grid l1
l2_sqr load_model load_params minibatch minibatch_step n_minibatches negative_log_likelihood
open_data plot_learning_curves plot_selection read_checkpoint read_history read_params
read_picture regularized_loss save_animation save_figure select set_device set_floatX set_linker
theano visualize wilson write_history zero_one_loss
""".split()
)


def test_every_public_function_that_takes_arrays_takes_numbers_only(calls):
    assert set(calls) | WITHOUT_ARRAYS == set(dlt.__all__)  # a new name has to be in one of them
    for name, functions in calls.items():
        for good, call in functions:
            for kind, (change, found) in NO_NUMBERS.items():
                with pytest.raises(DataError) as caught:
                    call(change(good))
                    pytest.fail(f"{name} accepts what is {kind}")
                assert f"found {found}" in str(caught.value), (name, kind)


def test_a_shared_variable_of_complex_numbers_is_refused():
    shared = dlt.theano.shared(X + 1j)
    refused("set, x", "found complex numbers", as_data_set, "set", (shared, dlt.theano.shared(Y)))


def test_masked_text_is_no_label():
    y = np.ma.array(["ham", "spam"] * 6, mask=[0] * 11 + [1])
    refused("data, y", "found masked values", dlt.load_data, (np.eye(12), y))


def test_a_validation_set_of_nothing_but_nan_is_refused():
    model, y = regression(), dlt.T.ivector("y")
    loss = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    x, y_of_set = np.full((4, 3), np.nan), np.zeros(4, int)
    chunked, shared = dlt.ChunkedDataSet(x, y_of_set), (dlt.theano.shared(x),
                                                       dlt.theano.shared(y_of_set))  # fmt: skip
    for valid_set in ((x, y_of_set), chunked, shared):
        with pytest.raises(DataError, match="found NaN or infinite values .first in row 0"):
            dlt.train(model, y, loss, [(X, Y % 2), valid_set], n_epochs=1)


@pytest.mark.parametrize("value", ["0.1", None, 0.1j, [0.1], np.ma.array(0.1, mask=True)])
def test_what_is_no_number_is_no_learning_rate(value):
    with pytest.raises(SettingsError, match="found a value of type .*; expected a finite number"):
        positive_in("learning_rate", value, "float64")


def test_numbers_of_the_engine_and_of_numpy_are_learning_rates():
    for value in (dlt.T.scalar(), dlt.theano.shared(0.1), np.asarray(0.1), np.float32(0.1)):
        positive_in("learning_rate", value, "float64")
    with pytest.raises(SettingsError, match="learning_rate: found 0.0; expected a finite number"):
        positive_in("learning_rate", np.asarray(0.0), "float64")
