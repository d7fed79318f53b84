"""Gradient descent: steps worked out by hand, numpy runs, and a model it knows nothing of."""

import functools
import re

import numpy as np
import pytest
import reference

from dlt import engine, sgd
from dlt.engine import T, index_loop, softmax, theano
from dlt.errors import SettingsError
from dlt.evaluation import error_counter
from dlt.losses import negative_log_likelihood, zero_one_loss
from dlt.models import LogisticRegression
from dlt.order import Shuffled
from dlt.parameters import get_values, set_values
from dlt.regularization import regularized_loss
from dlt.sgd import (
    gradient_descent,
    gradient_updates,
    minibatch_gradient_descent,
    minibatch_step,
    minibatch_stretch,
    stochastic_gradient_descent,
    update_pairs,
)
from dlt.shared import shared_dataset


def test_three_steps_on_a_quadratic_by_hand(floatX):
    # loss = w**2 + 3 v, learning rate 0.25: w <- w - 0.5 w halves w; v <- v - 0.75.
    # w: 8, 4, 2, 1; v: 1, 0.25, -0.5, -1.25; losses 64 + 3, 16 + 0.75, 4 - 1.5.
    w, v = (theano.shared(np.asarray(value, dtype=floatX)) for value in (8.0, 1.0))
    loss = w**2 + 3 * v
    step = theano.function([], loss, updates=gradient_updates(loss, [w, v], 0.25))
    assert [float(step()) for _ in range(3)] == [67.0, 16.75, 2.5]
    assert (float(w.get_value()), float(v.get_value())) == (1.0, -1.25)
    assert np.asarray(w.get_value()).dtype == floatX


def logistic_regression(x_size, n_out):
    x, y = T.matrix("x"), T.ivector("y")
    model = LogisticRegression(x, x_size, n_out)
    loss = negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    return x, y, model, loss


def test_threads_that_compile_leave_the_engine_s_settings(eight_threads):
    x, y, model, loss = logistic_regression(2, 3)
    data = shared_dataset((np.eye(2), [0, 1]))
    batch = np.eye(2, dtype=x.dtype), np.array([0, 1], "int32")
    ways = (
        lambda: minibatch_step(loss, model.params, 0.5, [x, y])(*batch),
        lambda: gradient_descent(loss, model.params, 0.5, x, y, data)(),
        lambda: stochastic_gradient_descent(loss, model.params, 0.5, x, y, data)(0),
    )
    assert np.isfinite(eight_threads(lambda i: float(ways[i % 3]()))).all()


def whole_set(*args):
    step = gradient_descent(*args)
    return lambda index: step()


@pytest.mark.parametrize(
    "compile_step, batch_size, n_updates",
    [
        (whole_set, 103, 15),
        (stochastic_gradient_descent, 1, 150),
        (functools.partial(minibatch_gradient_descent, batch_size=10), 10, 25),
    ],
)
def test_all_three_ways_agree_with_numpy(float64, blobs, compile_step, batch_size, n_updates):
    (data_x, data_y), _, _ = blobs
    x, y, model, loss = logistic_regression(2, 3)
    step = compile_step(loss, model.params, 0.5, x, y, shared_dataset((data_x, data_y)))
    n_train_batches = len(data_x) // batch_size
    losses = [float(step(i % n_train_batches)) for i in range(n_updates)]
    W, b, expected = reference.train_logreg(data_x, data_y, 3, 0.5, batch_size, n_updates)
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    np.testing.assert_allclose(model.W.get_value(), W, atol=1e-10)
    np.testing.assert_allclose(model.b.get_value(), b, atol=1e-10)


def test_a_two_layer_perceptron_learns_xor(rng, float64):
    """Nothing in the calls knows a model: two layers, four parameters, same functions."""
    x, y = T.matrix("x"), T.ivector("y")
    shapes = {"W1": (2, 8), "b1": (8,), "W2": (8, 2), "b2": (2,)}
    params = [theano.shared(rng.normal(0, 1, shape), name=n) for n, shape in shapes.items()]
    W1, b1, W2, b2 = params
    p_y_given_x = softmax(T.dot(T.tanh(T.dot(x, W1) + b1), W2) + b2)
    loss = negative_log_likelihood(p_y_given_x, y, reduction="mean")
    data = (np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0]))
    step = minibatch_gradient_descent(loss, params, 0.5, x, y, shared_dataset(data), batch_size=4)
    losses = [float(step(0)) for _ in range(500)]
    assert losses[-1] < 0.05 < 0.3 < losses[0]
    predict = theano.function([x], T.argmax(p_y_given_x, axis=1))
    assert predict(data[0]).tolist() == [0, 1, 1, 0]


def test_one_pair_for_each_parameter():
    # Slip of the page: [(params, params - learning_rate * d_loss_wrt_params)] takes the list of
    # parameters for a variable. Python cannot multiply it, and engines refuse a pair of lists.
    W, b = theano.shared(np.ones(2), name="W"), theano.shared(np.ones(1), name="b")
    loss = T.sum(W) + T.sum(b)
    assert [param for param, _ in gradient_updates(loss, [W, b], 0.1)] == [W, b]
    params, gradients = [W, b], T.grad(loss, [W, b])
    with pytest.raises(TypeError, match="can't multiply sequence"):
        0.1 * gradients
    stepped = [param - 0.1 * gradient for param, gradient in zip(params, gradients)]
    with pytest.raises(TypeError, match="update"):
        theano.function([], loss, updates=[(params, stepped)])


def test_a_shared_learning_rate_can_change():
    w, rate = theano.shared(np.asarray(4.0)), theano.shared(np.asarray(0.25))
    step, found = theano.function([], updates=gradient_updates(w**2, [w], rate)), []
    for value in (0.25, 0.5):
        rate.set_value(value)
        step()
        found.append(float(w.get_value()))
    assert found == [2.0, 0.0]


def test_bad_learning_rates_are_refused(floatX):
    w = theano.shared(np.asarray(4.0, dtype=floatX))
    for rate in (0, -0.1, np.nan, np.inf, 1e39, 1e-50):
        if floatX == "float64" and rate in (1e39, 1e-50):
            assert len(gradient_updates(w**2, [w], rate)) == 1
            continue
        message = "learning_rate: found {}; expected a finite number above 0 in {}"
        with pytest.raises(SettingsError, match=re.escape(message.format(rate, floatX))):
            gradient_updates(w**2, [w], rate)


def test_guards_say_what_was_found():
    w, v = theano.shared(np.ones(2), name="w"), theano.shared(np.ones(2), name="v")
    for loss, params, message in (
        (w**2, [w], "loss: found rank 1; expected one number"),
        (T.sum(w), [T.vector("u")], "which is not a shared variable"),
        (T.sum(w), w, "params: found .*; expected a list of shared"),
        (T.sum(w), [w, v], r"no part in the loss; expected each of \['w', 'v'\]"),
    ):
        with pytest.raises(SettingsError, match=message):
            gradient_updates(loss, params, 0.1)
    x, data_set = T.matrix("x"), shared_dataset((np.zeros((3, 1)), np.zeros(3)))
    loss, y = T.sum(x) * T.sum(w), T.ivector("y")
    with pytest.raises(SettingsError, match="batch_size: found 4; expected a whole number"):
        minibatch_gradient_descent(loss, [w], 0.1, x, y, data_set, 4)
    with pytest.raises(SettingsError, match="batch_size: found 4; expected a whole number"):
        minibatch_stretch(loss, [(w, w)], x, y, data_set, 4)


@pytest.mark.parametrize(
    "updates, message",
    [
        (lambda w, v: [], "updates: found none; expected each shared variable once"),
        (lambda w, v: [(w, w), (v, v), (w, 2 * w)], "updates: found w twice; expected each"),
        (lambda w, v: [w], "updates: found w; expected pairs of a shared variable and"),
        (lambda w, v: [(w, None)], r"updates: found \(w, None\); expected pairs of a shared"),
        (lambda w, v: [(2 * w, w)], "expected pairs of a shared variable and the expression"),
        (lambda w, v: {w: T.sum(w)}, "updates: found rank 0 for w; expected rank 1, as it has"),
    ],
)
def test_updates_that_are_none_are_refused(updates, message):
    w, v = theano.shared(np.ones(2), name="w"), theano.shared(np.ones(2), name="v")
    with pytest.raises(SettingsError, match=message):
        update_pairs(updates(w, v))


@pytest.mark.parametrize("n_examples, batch_size", [(20, 5), (23, 4), (7, 7)])
def test_a_shuffled_stretch_is_numpy_s_run_over_permuted_rows(float64, rng, n_examples, batch_size):
    data_x, data_y = rng.random((n_examples, 2)), rng.integers(0, 3, n_examples)
    order, n_epochs = Shuffled(5), 3
    n_train_batches = n_examples // batch_size
    n = n_train_batches * batch_size
    rows = [order.permutation(epoch, n_examples)[:n] for epoch in range(n_epochs)]
    rows = np.concatenate(rows)
    W, b, losses = reference.train_logreg(
        data_x[rows], data_y[rows], 3, 0.5, batch_size, n_epochs * n_train_batches
    )
    x, y, model, loss = logistic_regression(2, 3)
    updates = gradient_updates(loss, model.params, 0.5)
    run = minibatch_stretch(loss, updates, x, y, shared_dataset((data_x, data_y)), batch_size)
    np.testing.assert_allclose(run(0, n_epochs * n_train_batches, order), losses, rtol=1e-9)
    np.testing.assert_allclose(model.W.get_value(), W, atol=1e-10)
    np.testing.assert_allclose(model.b.get_value(), b, atol=1e-10)


def test_orders_of_the_same_value_are_not_taken_for_one_another(rng):
    class Backwards(tuple):
        def permutation(self, epoch, n):
            return np.arange(n)[::-1]

    data = shared_dataset((rng.random((6, 2)), [0, 1, 2, 0, 1, 2]))
    x, y, model, _ = logistic_regression(2, 3)
    updates = [(model.b, model.b)]
    run = minibatch_stretch(T.sum(x), updates, x, y, data, 2)
    in_turn = run(0, 3)
    assert Backwards([1, None]) == Shuffled(1)
    run(0, 3, Shuffled(1))
    np.testing.assert_allclose(run(0, 3, Backwards([1, None])), in_turn[::-1], rtol=1e-6)
    with pytest.raises(SettingsError, match="loss: found rank 1; expected one number; choose a re"):
        minibatch_stretch(T.sum(x, axis=1), updates, x, y, data, 2)


# --- Stretches: many updates in one call ------------------------------------------------------


def run_in_stretches(run, model, sizes):
    """Train from zero in stretches of these sizes; return losses and parameters."""
    for param in model.params:
        param.set_value(np.zeros_like(param.get_value()))
    starts = np.cumsum([0, *sizes[:-1]])
    losses = np.concatenate([run(first, n) for first, n in zip(starts, sizes)])
    return losses, model.W.get_value(), model.b.get_value()


def perceptron(n_in, n_hidden, n_out):
    """A multi-layer perceptron with one hidden layer: its inputs, its parameters and its loss."""
    rng = np.random.default_rng(2)
    x, y = T.matrix("x"), T.ivector("y")
    W_h, W = (
        theano.shared(rng.normal(0, 0.1, shape).astype(theano.config.floatX), name=name)
        for name, shape in (("W_h", (n_in, n_hidden)), ("W", (n_hidden, n_out)))
    )
    p_y_given_x = engine.softmax(T.dot(T.tanh(T.dot(x, W_h)), W))
    return x, y, [W_h, W], negative_log_likelihood(p_y_given_x, y, reduction="mean")


def regression(n_in, n_hidden, n_out):
    x, y, model, loss = logistic_regression(n_in, n_out)
    return x, y, model.params, loss


CUTS = [[1] * 24, [2] * 12, [1, 23], [23, 1], [3, 13, 1, 7], [0, 24]]


@pytest.mark.parametrize(
    "make_model, batch_size, n_examples", [(regression, 600, 1800), (perceptron, 5, 31)]
)
def test_the_cut_into_stretches_does_not_show(linker, floatX, make_model, batch_size, n_examples):
    rng = np.random.default_rng(1)
    train_set = shared_dataset((rng.random((n_examples, 50)), rng.integers(0, 10, n_examples)))
    x, y, params, loss = make_model(50, 30, 10)
    updates = gradient_updates(loss, params, 0.5)
    run = minibatch_stretch(loss, updates, x, y, train_set, batch_size)
    initial = get_values(params)

    def train(sizes):
        set_values(params, initial)
        starts = np.cumsum([0, *sizes[:-1]])
        losses = np.concatenate([run(first, n) for first, n in zip(starts, sizes)])
        return [losses, *get_values(params).values()]

    whole = train([24])
    assert len(whole[0]) == 24
    for sizes in CUTS:
        for expected, found in zip(whole, train(sizes)):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "sizes, batch_size, n_examples, penalties",
    [
        ([1, 1, 4, 8, 3], 4, 23, {}),  # odd sizes, round the set more than once
        ([7, 2], 1, 9, {}),
        ([5], 23, 23, {}),
        ([4, 3], 5, 31, {"lambda_1": 0.001, "lambda_2": 0.01}),
    ],
)
def test_stretches_equal_single_updates(floatX, sizes, batch_size, n_examples, penalties):
    # Not bit for bit: XLA compiles the two otherwise, and may add up in another order.
    rng = np.random.default_rng(1)
    train_set = shared_dataset((rng.random((n_examples, 7)), rng.integers(0, 3, n_examples)))
    x, y, model, nll = logistic_regression(7, 3)
    loss = regularized_loss(nll, [model.W], **penalties)
    step = minibatch_gradient_descent(loss, model.params, 0.5, x, y, train_set, batch_size)
    updates = gradient_updates(loss, model.params, 0.5)
    run = minibatch_stretch(loss, updates, x, y, train_set, batch_size)
    losses = [float(step(i % (n_examples // batch_size))) for i in range(sum(sizes))]
    singles = losses, model.W.get_value(), model.b.get_value()
    tolerance = 2e-5 if floatX == "float32" else 1e-12
    for single, stretch in zip(singles, run_in_stretches(run, model, sizes)):
        np.testing.assert_allclose(single, stretch, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("linker", ["jax"], indirect=True)
def test_nothing_crosses_to_the_device_while_training(rng, linker):
    jax = pytest.importorskip("jax")
    data = shared_dataset((rng.random((60, 7)), rng.integers(0, 3, 60)))
    x, y, model, loss = logistic_regression(7, 3)
    updates = gradient_updates(loss, model.params, 0.5)
    run = minibatch_stretch(loss, updates, x, y, data, 10)
    count = error_counter(x, y, zero_one_loss(model.p_y_given_x, y, reduction="none"), data)
    MSGD = minibatch_step(loss, model.params, 0.5, [x, y])
    run(0, 6), count()  # compiles, and takes the graph's own constants across
    with jax.transfer_guard_host_to_device("disallow"):
        for first in (6, 12, 18):
            run(first, 6)
            count()
        # the guard does guard: a numpy array sent with the call is refused
        with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
            MSGD(np.zeros((2, 7), dtype=x.dtype), np.zeros(2, dtype="int32"))


def test_the_data_is_not_copied_inside_the_loop(rng, monkeypatch):
    # PyTensor once moved x.T out of the loop: a second, transposed data set (docs/performance.md).
    data = shared_dataset((rng.random((60, 7)), rng.integers(0, 3, 60)))
    x, y, model, loss = logistic_regression(7, 3)
    loops = []
    monkeypatch.setattr(
        sgd, "index_loop", lambda *args: loops.append(index_loop(*args)) or loops[0]
    )
    minibatch_stretch(loss, gradient_updates(loss, model.params, 0.5), x, y, data, 10)(0, 6)
    nodes = loops[0].compiled.maker.fgraph.toposort()
    loops = [node for node in nodes if type(node.op).__name__ in ("Scan", "JAXOp")]
    assert len(loops) == (engine.NAME == "PyTensor")  # Theano is called for each minibatch
    shared_x = data.x
    for node in loops:
        large = [v for v in node.inputs if v.ndim == 2 and v.owner is not None]
        assert not [v for v in large if shared_x in ancestors(v)]


def ancestors(variable):
    found, todo = set(), [variable]
    while todo:
        v = todo.pop()
        found.add(v)
        todo.extend(v.owner.inputs if v.owner else [])
    return found
