"""Penalties against numpy, finite differences and hand-made numbers."""

import numpy as np
import pytest

from dlt.engine import T, theano
from dlt.errors import SettingsError
from dlt.regularization import l1, l2_sqr, regularized_loss


def test_penalties_sum_over_all_parameters(floatX, rng):
    W, b = rng.normal(0, 1, (4, 3)).astype(floatX), rng.normal(0, 1, 3).astype(floatX)
    params = [theano.shared(W, name="W"), theano.shared(b, name="b")]
    values = theano.function([], [l1(params), l2_sqr(params)])()
    expected = [abs(W).sum() + abs(b).sum(), (W**2).sum() + (b**2).sum()]
    np.testing.assert_allclose(values, expected, rtol=1e-5)


@pytest.mark.parametrize("penalty", [l1, l2_sqr])
def test_gradient_by_finite_differences(penalty, float64, rng):
    W = theano.shared(rng.normal(0, 1, (3, 2)), name="W")
    value, gradient = penalty([W]), T.grad(penalty([W]), W)
    f, g = theano.function([], value), np.asarray(theano.function([], gradient)())
    start, step = np.array(W.get_value()), 1e-6
    for index in np.ndindex(start.shape):
        sides = []
        for sign in (1, -1):
            moved = start.copy()
            moved[index] += sign * step
            W.set_value(moved)
            sides.append(float(f()))
        assert g[index] == pytest.approx((sides[0] - sides[1]) / (2 * step), abs=1e-6)


def test_regularized_loss_by_hand(floatX):
    # Slip of the page: it adds lambda_2 * L2 where only L2_sqr was defined.
    W = theano.shared(np.array([3.0, -4.0], dtype=floatX), name="W")
    loss = regularized_loss(T.cast(T.constant(1.0), floatX), [W], lambda_1=0.5, lambda_2=0.25)
    value = theano.function([], loss)()
    assert float(value) == 1 + 0.5 * 7 + 0.25 * 25
    assert np.asarray(value).dtype == floatX


def test_weights_may_be_numpy_or_symbolic(floatX):
    W = theano.shared(np.array([3.0, -4.0], dtype=floatX), name="W")
    weight = T.scalar("weight", dtype=floatX)
    loss = regularized_loss(T.sum(W), [W], lambda_1=weight, lambda_2=np.float64(0.1))
    assert loss.dtype == floatX
    value = theano.function([weight], loss)(np.asarray(2, dtype=floatX))
    assert float(value) == pytest.approx(-1 + 2 * 7 + 0.1 * 25, rel=1e-6)


def test_weight_zero_leaves_the_loss_as_it_is():
    loss = T.scalar("loss")
    assert regularized_loss(loss, [T.vector("W")], 0, 0.0) is loss


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_bad_weights_are_refused(weight):
    with pytest.raises(
        SettingsError, match="lambda_2: found .*; expected a finite number, 0 or more, in float"
    ):
        regularized_loss(T.scalar("loss"), [T.vector("W")], 0, weight)


def test_a_lone_parameter_is_refused():
    with pytest.raises(SettingsError, match=r"params: found .*; expected a list, such as \[W\]"):
        l1(T.matrix("W"))
    with pytest.raises(SettingsError, match=r"params: found .*; expected a list, such as \[W\]"):
        regularized_loss(T.scalar("loss"), T.matrix("W"))
    with pytest.raises(SettingsError, match="params: found an empty list"):
        l2_sqr([])
