"""Logistic regression against numpy and scikit-learn."""

import json
import types

import numpy as np
import pytest
import reference

from dlt.engine import T, theano
from dlt.errors import SettingsError
from dlt.losses import negative_log_likelihood
from dlt.models import LogisticRegression, describe_model
from dlt.regularization import regularized_loss
from dlt.sgd import gradient_descent
from dlt.shared import shared_dataset


def test_probabilities_and_predictions_agree_with_numpy(rng, floatX):
    x = T.matrix("x")
    model = LogisticRegression(x, n_in=5, n_out=3)
    W, b, rows = (rng.normal(0, 1, shape).astype(floatX) for shape in ((5, 3), (3,), (7, 5)))
    model.W.set_value(W)
    model.b.set_value(b)
    p, y_pred = theano.function([x], [model.p_y_given_x, model.y_pred])(rows)
    expected = reference.softmax(rows @ W + b)
    np.testing.assert_allclose(p, expected, rtol=1e-4)
    np.testing.assert_array_equal(y_pred, expected.argmax(axis=1))
    assert np.asarray(p).dtype == floatX


def test_params_are_those_of_the_page_and_start_from_zero_or_from_a_seed(floatX):
    x = T.matrix("x")
    zero = LogisticRegression(x, 6, 4)
    assert zero.params == [zero.W, zero.b] and (zero.W.name, zero.b.name) == ("W", "b")
    np.testing.assert_array_equal(zero.W.get_value(), np.zeros((6, 4)))
    np.testing.assert_array_equal(zero.b.get_value(), np.zeros(4))
    first, again, other = (
        LogisticRegression(x, 6, 4, rng=np.random.default_rng(seed)).W.get_value()
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).all() and first.dtype == floatX
    assert 0.1 < abs(first).max() <= np.sqrt(6 / 10)


def test_gradient_descent_finds_scikit_learn_s_solution(float64, blobs):
    linear_model = pytest.importorskip("sklearn.linear_model")
    (data_x, data_y), _, _ = blobs
    C = 5.0
    peer = linear_model.LogisticRegression(C=C, tol=1e-10, max_iter=10000).fit(data_x, data_y)
    x, y = T.matrix("x"), T.ivector("y")
    model = LogisticRegression(x, 2, 3)
    # scikit-learn minimizes C * sum(NLL) + W**2 / 2: divide by C * N to get our mean
    nll = negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    loss = regularized_loss(nll, [model.W], lambda_2=0.5 / (C * len(data_y)))
    step = gradient_descent(loss, model.params, 2.0, x, y, shared_dataset((data_x, data_y)))
    for _ in range(5000):
        step()
    np.testing.assert_allclose(model.W.get_value().T, peer.coef_, atol=1e-4)


def test_a_model_is_described_by_its_class_and_its_sizes():
    namespace = types.SimpleNamespace
    for model, sizes in (
        (namespace(n_in=np.int32(6), n_out=4), {"n_in": 6, "n_out": 4}),
        (namespace(n_in=(28, 28), n_out=10), {"n_out": 10}),
        (namespace(), {}),
    ):
        described = describe_model(model)
        assert described == {"class": "SimpleNamespace", **sizes}
        assert json.loads(json.dumps(described)) == described


@pytest.mark.parametrize("n_in, n_out", [(0, 2), (3, 1)])
def test_impossible_sizes_are_refused(n_in, n_out):
    with pytest.raises(SettingsError, match=rf"n_(in|out): found {min(n_in, n_out)}; "):
        LogisticRegression(T.matrix("x"), n_in, n_out)
