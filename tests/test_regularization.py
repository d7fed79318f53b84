"""Penalties: hand-made numbers, and weights of every kind."""

import numpy as np
import pytest

from dlt.engine import T, theano
from dlt.errors import SettingsError
from dlt.regularization import l1, l2_sqr, regularized_loss


def test_penalties_sum_over_all_parameters(floatX):
    params = [T.constant(np.array(values, dtype=floatX)) for values in ([[3, -4]], [0.5])]
    values = theano.function([], [l1(params), l2_sqr(params)])()
    assert [float(value) for value in values] == [7.5, 25.25]


def test_regularized_loss_by_hand(floatX):
    # Slip of the page: it adds lambda_2 * L2 where only L2_sqr was defined.
    W = theano.shared(np.array([3.0, -4.0], dtype=floatX), name="W")
    weight = T.scalar("weight", dtype=floatX)
    one = T.cast(T.constant(1.0), floatX)
    for lambda_1, lambda_2 in ((0.5, 0.25), (weight, np.float64(0.1))):
        loss = regularized_loss(one, [W], lambda_1, lambda_2)
        f = theano.function([weight], loss, on_unused_input="ignore")
        value = np.asarray(f(np.asarray(0.5, dtype=floatX)))
        assert value.dtype == loss.dtype == floatX
        assert float(value) == pytest.approx(1 + 0.5 * 7 + lambda_2 * 25, rel=1e-6)


def test_weight_zero_leaves_the_loss_as_it_is():
    loss = T.scalar("loss")
    assert regularized_loss(loss, [T.vector("W")], 0, 0.0) is loss


def test_bad_weights_and_a_lone_parameter_are_refused():
    loss, W = T.scalar("loss"), T.matrix("W")
    for weight in (-1, float("nan"), float("inf")):
        message = f"lambda_2: found {weight}; expected a finite number, 0 or more, in"
        with pytest.raises(SettingsError, match=message):
            regularized_loss(loss, [W], 0, weight)
    for penalty in (l1, l2_sqr, lambda params: regularized_loss(loss, params)):
        for params, message in ((W, r".*; expected a list, such as \[W\]"), ([], "an empty list")):
            with pytest.raises(SettingsError, match="params: found " + message):
                penalty(params)
