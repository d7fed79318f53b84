"""The same numbers on every engine: losses, errors, saved parameters.

Every engine is compared with the same numpy run in float64, so any two of them agree to twice
the tolerance (docs/engines.md).
"""

import pathlib

import numpy as np
import pytest
import reference
from saved.make_saved import W, b

import dlt
from dlt.engine import T, theano

SAVED = sorted((pathlib.Path(__file__).parent / "saved").glob("*-*.*"))
LEARNING_RATE = 0.13
# Of each minibatch's loss, relative: rounding grows with the updates behind it.
LOSSES_AGREE_TO = {"float32": 2e-6, "float64": 1e-12}


def losses_of_two_epochs(sets, batch_size):
    """Train as `dlt.train` does; return the loss of every minibatch, W and the errors."""
    x, y = T.matrix("x"), T.ivector("y")
    n_in, n_out = sets[0][0].shape[1], 10
    model = dlt.LogisticRegression(x, n_in, n_out)
    loss = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    train_set, valid_set = (dlt.shared_dataset(data) for data in sets[:2])
    updates = dlt.gradient_updates(loss, model.params, LEARNING_RATE)
    run = dlt.minibatch_stretch(loss, updates, x, y, train_set, batch_size)
    errors = dlt.zero_one_loss(model.p_y_given_x, y, reduction="none")
    count = dlt.error_counter(x, y, errors, valid_set)
    n = len(sets[0][1]) // batch_size
    losses = np.concatenate([run(0, n), run(n, n)])
    return losses, model.W.get_value(), count().n_errors


def reference_run(sets, batch_size):
    """Train for two epochs in numpy; return W, b and the losses."""
    x, y = np.asarray(sets[0][0], "float64"), sets[0][1]
    n_updates = 2 * (len(y) // batch_size)
    return reference.train_logreg(x, y, 10, LEARNING_RATE, batch_size, n_updates)


def assert_agrees_with_numpy(sets, batch_size, floatX):
    losses, weights, n_errors = losses_of_two_epochs(sets, batch_size)
    expected_W, expected_b, expected = reference_run(sets, batch_size)
    assert losses.dtype == weights.dtype == floatX
    np.testing.assert_allclose(losses, expected, rtol=LOSSES_AGREE_TO[floatX])
    np.testing.assert_allclose(weights, expected_W, atol=10 * LOSSES_AGREE_TO[floatX])
    scores = np.asarray(sets[1][0], "float64") @ expected_W + expected_b
    wrong = int((scores.argmax(axis=1) != sets[1][1]).sum())
    # one example may lie so near a border that rounding decides
    assert abs(n_errors - wrong) <= (floatX == "float32")


def test_losses_of_two_epochs_on_the_digits(linker, floatX):
    assert_agrees_with_numpy(dlt.load_data("digits"), 20, floatX)


@pytest.mark.slow
def test_losses_of_two_epochs_on_mnist(mnist_folder, floatX):
    # What the digits do not show: many more, and larger, sums in a minibatch.
    assert_agrees_with_numpy(dlt.load_data("mnist"), 600, floatX)


@pytest.mark.parametrize("floatX", ["float32"], indirect=True)
def test_parameters_of_every_engine_load_on_this_one(linker, floatX):
    x = T.matrix("x")
    model = dlt.LogisticRegression(x, 4, 3)
    p_y_given_x = theano.function([x], model.p_y_given_x)
    rows = np.asarray([[0, 0, 0, 0], [1, 0, 2, -1]], dtype="float32")
    weights = np.exp(rows @ W + b)
    expected = weights / weights.sum(axis=1, keepdims=True)
    writers = {(path.stem.split("-")[0], path.stem.split("-")[-1]) for path in SAVED}
    assert len(writers) == 4  # PyTensor's three linkers, and Theano's
    for path in SAVED:
        for param in model.params:
            param.set_value(np.zeros_like(param.get_value()))
        settings = dlt.load_params(path, model.params)
        np.testing.assert_array_equal(model.W.get_value(), W)
        np.testing.assert_array_equal(model.b.get_value(), b)
        np.testing.assert_allclose(p_y_given_x(rows), expected, rtol=1e-6)
        writer, _, linker_name = path.stem.split("-")
        assert settings["engine"].lower().startswith(writer)
        assert f"{linker_name} linker" in settings["engine"]
