"""Losses against numpy, on every linker and in both floatX; and the page's slips."""

import numpy as np
import pytest
import reference

from dlt.engine import T, softmax, theano
from dlt.errors import SettingsError
from dlt.losses import negative_log_likelihood, zero_one_loss


def losses_of_scores(rng, loss, shape, floatX):
    """Return the loss of random scores, and each row's negative log-likelihood."""
    scores, y = T.matrix("scores"), T.ivector("y")
    f = theano.function([scores, y], loss(softmax(scores), y))
    rows, labels = rng.normal(0, 3, shape).astype(floatX), rng.integers(0, shape[1], shape[0])
    return f(rows, labels.astype("int32")), reference.nll(rows, labels)


@pytest.mark.parametrize(
    "reduction, reduced", [("sum", np.sum), ("mean", np.mean), ("none", np.asarray)]
)
def test_negative_log_likelihood_agrees_with_numpy(rng, floatX, reduction, reduced):
    found, each = losses_of_scores(
        rng, lambda p, y: negative_log_likelihood(p, y, reduction), (7, 4), floatX
    )
    assert np.asarray(found).dtype == floatX
    np.testing.assert_allclose(found, reduced(each), rtol=1e-5 if floatX == "float32" else 1e-12)


def test_losses_are_right_for_huge_scores(floatX, linker):
    # Row 0: the right label is 20000 below the other: exp(-20000) is 0 in any floatX.
    # Row 1: the right label is the certain one. Row 2: a tie, log 2.
    rows = np.array([[1e4, -1e4], [1e4, -1e4], [1e4, 1e4]], dtype=floatX)
    scores, y = T.matrix("scores"), T.ivector("y")
    p_y_given_x = softmax(scores)
    NLL = negative_log_likelihood(p_y_given_x, y, "none")
    outputs = [NLL, T.grad(T.sum(NLL), scores), zero_one_loss(p_y_given_x, y)]
    f = theano.function([scores, y], outputs)
    loss, gradient, n_errors = f(rows, np.array([1, 0, 0], dtype="int32"))
    np.testing.assert_allclose(loss, [20000, 0, np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(gradient, [[1, -1], [0, 0], [-0.5, 0.5]], atol=1e-6)
    assert int(n_errors) == 1


def test_the_default_is_the_page_s_sum(rng):
    found, each = losses_of_scores(rng, negative_log_likelihood, (5, 3), theano.config.floatX)
    np.testing.assert_allclose(found, each.sum(), rtol=1e-5)


def test_zero_one_loss_takes_the_argmax_of_each_row():
    # Slip of the page: argmax without axis=1 looks for the largest entry of the whole
    # matrix (position 3 here) and compares that with every label: 2 errors instead of 1.
    p, y = T.matrix("p"), T.ivector("y")
    as_printed = T.sum(T.neq(T.argmax(p), y))
    f = theano.function([p, y], [zero_one_loss(p, y), as_printed])
    p_y_given_x = np.array([[0.6, 0.4], [0.3, 0.7]], dtype=p.dtype)
    assert [int(n) for n in f(p_y_given_x, np.zeros(2, dtype="int32"))] == [1, 2]


@pytest.mark.parametrize("reduction, expected", [("sum", 2), ("mean", 0.5), ("none", [0, 1, 0, 1])])
def test_zero_one_loss_reductions(floatX, reduction, expected):
    p, y = T.matrix("p"), T.ivector("y")
    loss = zero_one_loss(p, y, reduction)
    assert loss.dtype == (floatX if reduction == "mean" else "int64")
    f = theano.function([p, y], loss)
    rows = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]], dtype=floatX)
    value = np.asarray(f(rows, np.array([0, 1, 1, 0], dtype="int32")))
    np.testing.assert_array_equal(value, expected)
    assert value.dtype.kind == ("f" if reduction == "mean" else "i")


@pytest.mark.parametrize("loss", [negative_log_likelihood, zero_one_loss])
def test_bad_arguments_are_refused(loss):
    p, y = T.matrix("p"), T.ivector("y")
    for args, message in (
        ((p, T.imatrix("one_hot")), r"y: found rank 2; expected rank 1 .*argmax\(axis=1\)"),
        ((T.vector("p"), y), "p_y_given_x: found rank 1; expected rank 2"),
        ((p, T.dvector("y")), r"y: found dtype float64; expected integers"),
        ((p, y, "average"), "reduction: found 'average'; expected one of sum, mean"),
    ):
        with pytest.raises(SettingsError, match=message):
            loss(*args)


def test_batches_of_changing_sizes_can_be_sent_as_arrays(rng):
    # PyTensor 3.0's JAX linker refused T.arange(y.shape[0]) above 127: see dlt.engine._jax.
    scores, y = T.matrix("scores"), T.ivector("y")
    p = softmax(scores)
    as_printed = -T.sum(T.log(p)[T.arange(y.shape[0]), y])
    f = theano.function([scores, y], [negative_log_likelihood(p, y), as_printed])
    for size in (1, 127, 128, 600):
        rows, labels = rng.normal(0, 1, (size, 3)), rng.integers(0, 3, size).astype("int32")
        for value in f(rows.astype(theano.config.floatX), labels):
            np.testing.assert_allclose(value, reference.nll(rows, labels).sum(), rtol=1e-5)
