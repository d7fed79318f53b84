"""Losses against numpy, on every linker and in both floatX; and the page's slips."""

import numpy as np
import pytest
import reference

from dlt.engine import T, softmax, theano
from dlt.errors import SettingsError
from dlt.losses import negative_log_likelihood, zero_one_loss


def compiled(loss_of_scores):
    """Compile a loss, and its gradient, as a function of scores and labels."""
    scores, y = T.matrix("scores"), T.ivector("y")
    loss = loss_of_scores(softmax(scores), y)
    total = loss if loss.ndim == 0 else T.sum(loss)
    return theano.function([scores, y], [loss, T.grad(total, scores)])


@pytest.mark.parametrize("reduction", ["sum", "mean", "none"])
def test_negative_log_likelihood_agrees_with_numpy(rng, floatX, reduction):
    scores, y = rng.normal(0, 3, (7, 4)).astype(floatX), rng.integers(0, 4, 7).astype("int32")
    loss, _ = compiled(lambda p, y: negative_log_likelihood(p, y, reduction))(scores, y)
    each = reference.nll(scores, y)
    expected = {"sum": each.sum(), "mean": each.mean(), "none": each}[reduction]
    assert np.asarray(loss).dtype == floatX
    np.testing.assert_allclose(loss, expected, rtol=1e-5 if floatX == "float32" else 1e-12)


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


def test_log_of_plain_probabilities_where_no_scores_are_known():
    p, y = T.matrix("p"), T.ivector("y")
    f = theano.function([p, y], negative_log_likelihood(p, y))
    np.testing.assert_allclose(
        f(np.array([[0.5, 0.5], [0.75, 0.25]], dtype=p.dtype), np.array([0, 1], dtype="int32")),
        np.log(2) + np.log(4),
        rtol=1e-6,
    )


def test_gradient_by_finite_differences(rng, float64):
    scores, y = rng.normal(0, 2, (3, 4)), np.array([1, 3, 0], dtype="int32")
    f = compiled(negative_log_likelihood)
    _, gradient = f(scores, y)
    step = 1e-6
    for i, k in np.ndindex(scores.shape):
        moved = [scores.copy(), scores.copy()]
        moved[0][i, k] += step
        moved[1][i, k] -= step
        slope = (float(f(moved[0], y)[0]) - float(f(moved[1], y)[0])) / (2 * step)
        assert float(gradient[i, k]) == pytest.approx(slope, abs=1e-7)


def test_the_default_is_the_page_s_sum(rng):
    scores, y = rng.normal(0, 1, (5, 3)), rng.integers(0, 3, 5).astype("int32")
    loss, _ = compiled(negative_log_likelihood)(scores.astype(theano.config.floatX), y)
    np.testing.assert_allclose(loss, reference.nll(scores, y).sum(), rtol=1e-5)


def test_zero_one_loss_takes_the_argmax_of_each_row():
    # Slip of the page: argmax without axis=1 looks for the largest entry of the whole
    # matrix (position 3 here) and compares that with every label: 2 errors instead of 1.
    p_y_given_x = np.array([[0.6, 0.4], [0.3, 0.7]], dtype=theano.config.floatX)
    p, y = T.matrix("p"), T.ivector("y")
    f = theano.function([p, y], zero_one_loss(p, y))
    assert int(f(p_y_given_x, np.array([0, 0], dtype="int32"))) == 1
    as_printed = theano.function([p, y], T.sum(T.neq(T.argmax(p), y)))
    assert int(as_printed(p_y_given_x, np.array([0, 0], dtype="int32"))) == 2


@pytest.mark.parametrize("reduction, expected", [("sum", 2), ("mean", 0.5), ("none", [0, 1, 0, 1])])
def test_zero_one_loss_reductions(floatX, reduction, expected):
    p, y = T.matrix("p"), T.ivector("y")
    f = theano.function([p, y], zero_one_loss(p, y, reduction))
    rows = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]], dtype=floatX)
    value = np.asarray(f(rows, np.array([0, 1, 1, 0], dtype="int32")))
    np.testing.assert_array_equal(value, expected)
    assert value.dtype.kind == ("f" if reduction == "mean" else "i")


@pytest.mark.parametrize("loss", [negative_log_likelihood, zero_one_loss])
def test_guards_say_what_was_found(loss):
    p, y = T.matrix("p"), T.ivector("y")
    with pytest.raises(SettingsError, match=r"y: found rank 2; expected rank 1 .*argmax\(axis=1\)"):
        loss(p, T.imatrix("one_hot"))
    with pytest.raises(SettingsError, match="p_y_given_x: found rank 1; expected rank 2"):
        loss(T.vector("p"), y)
    with pytest.raises(SettingsError, match=r"y: found dtype float64; expected integers"):
        loss(p, T.dvector("y"))
    with pytest.raises(
        SettingsError, match="reduction: found 'average'; expected one of sum, mean"
    ):
        loss(p, y, reduction="average")


@pytest.mark.parametrize(
    "loss",
    [
        negative_log_likelihood,
        lambda p, y: -T.sum(T.log(p)[T.arange(y.shape[0]), y]),  # as the page prints it
    ],
)
def test_batches_of_changing_sizes_can_be_sent_as_arrays(rng, loss):
    # PyTensor 3.0's JAX linker refused T.arange(y.shape[0]) above 127: see dlt.engine.
    f = compiled(loss)
    for size in (1, 127, 128, 600):
        scores, y = rng.normal(0, 1, (size, 3)), rng.integers(0, 3, size).astype("int32")
        value, _ = f(scores.astype(theano.config.floatX), y)
        np.testing.assert_allclose(value, reference.nll(scores, y).sum(), rtol=1e-5)
