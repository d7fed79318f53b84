"""A saved model predicts as the trained one did."""

import numpy as np
import pytest
import reference

from dlt.engine import theano
from dlt.errors import DataError
from dlt.parameters import save_params
from dlt.prediction import Predictor


@pytest.fixture
def arrays(rng, floatX):
    return {n: rng.normal(0, 1, s).astype(floatX) for n, s in (("W", (5, 3)), ("b", (3,)))}


@pytest.mark.parametrize("ending", [".npz", ".pkl"])
def test_probabilities_agree_with_numpy(tmp_path, rng, floatX, arrays, ending):
    save_params(tmp_path / ("best_params" + ending), arrays, settings={"dataset": "digits"})
    where = tmp_path if ending == ".npz" else tmp_path / "best_params.pkl"
    predictor = Predictor(where)
    x = rng.random((6, 5))
    expected = reference.softmax(x @ arrays["W"] + arrays["b"])
    np.testing.assert_allclose(predictor.probabilities(x), expected, rtol=1e-4)
    np.testing.assert_array_equal(predictor.predict(x), expected.argmax(axis=1))
    assert (predictor.n_in, predictor.n_out) == (5, 3)
    assert predictor.settings == {"dataset": "digits"} and predictor.dataset == "digits"
    assert predictor.probabilities(x).dtype == floatX


def test_a_file_of_the_other_floatX_is_cast(tmp_path, floatX):
    other = {"float32": "float64", "float64": "float32"}[floatX]
    save_params(tmp_path / "params.npz", {"W": np.eye(2, dtype=other), "b": np.ones(2, other)})
    predictor = Predictor(tmp_path / "params.npz")
    assert theano.config.floatX == floatX
    assert predictor.probabilities([[0, 0]]).dtype == floatX
    assert predictor.predict(np.array([[0, 1]], dtype=other)).tolist() == [1]
    assert predictor.dataset == "mnist"  # the file does not say


def test_parameters_that_are_not_finite_are_refused(tmp_path):
    save_params(tmp_path / "params.npz", {"W": np.full((2, 2), np.nan), "b": np.ones(2)})
    with pytest.raises(DataError, match="found NaN or infinite parameters"):
        Predictor(tmp_path / "params.npz")


def test_parameters_too_large_for_floatX_are_refused(tmp_path, floatX):
    save_params(tmp_path / "params.npz", {"W": np.full((2, 2), 1e300), "b": np.ones(2)})
    if floatX == "float64":
        assert Predictor(tmp_path / "params.npz").n_in == 2
    else:
        with pytest.raises(DataError, match="NaN or infinite .* numbers that float32 can hold"):
            Predictor(tmp_path / "params.npz")


def test_scores_that_the_dtype_cannot_hold_are_told(tmp_path, floatX):
    huge = float(np.finfo(floatX).max) * 0.9
    W = np.full((2, 2), huge, floatX)
    save_params(tmp_path / "params.npz", {"W": W, "b": np.zeros(2, floatX)})
    predictor = Predictor(tmp_path / "params.npz")
    assert predictor.probabilities([[0.5, 0.5]]).tolist() == [[0.5, 0.5]]
    message = "x: found scores that {} cannot hold, of the model of .*params.npz; expected"
    with pytest.raises(DataError, match=message.format(floatX)):
        predictor.probabilities([[1, 1]])


@pytest.mark.parametrize(
    "value, found",
    [
        (np.nan, r"NaN or infinite values \(first in row 1\); expected finite numbers"),
        (np.inf, r"NaN or infinite values \(first in row 1\); expected finite numbers"),
        (10**400, r"a whole number too large for float\d\d; expected pixels"),
    ],
)
def test_rows_that_are_not_finite_are_refused(tmp_path, arrays, value, found):
    save_params(tmp_path / "params.npz", arrays)
    with pytest.raises(DataError, match="x: found " + found):
        Predictor(tmp_path / "params.npz").predict([[0, 0, 0, 0, 0], [0, 0, value, 0, 0]])


def test_rows_that_float32_cannot_hold_are_refused(tmp_path, arrays):
    save_params(tmp_path / "params.npz", arrays)
    predictor, x = Predictor(tmp_path / "params.npz"), [[0, 0, 1e300, 0, 0]]
    if theano.config.floatX == "float32":
        with pytest.raises(DataError, match="x: found NaN or infinite values"):
            predictor.predict(x)
    else:
        assert predictor.predict(x).shape == (1,)


def test_rows_of_another_length_are_refused(tmp_path, arrays):
    save_params(tmp_path / "params.npz", arrays)
    with pytest.raises(DataError, match=r"found an array of shape \(2, 4\); expected \(B, 5\)"):
        Predictor(tmp_path / "params.npz").probabilities(np.zeros((2, 4)))


@pytest.mark.parametrize(
    "arrays, found",
    [
        ({"W": np.zeros((5, 3))}, r"W \(5, 3\)"),
        ({"W": np.zeros((5, 3)), "b": np.zeros(2)}, r"W \(5, 3\), b \(2,\)"),
        ({"W": np.zeros((5, 3)), "b": np.zeros(3, "float32")}, r"W \(5, 3\), b \(3,\)"),
        ({"W": np.zeros((5, 3), "int32"), "b": np.zeros(3, "int32")}, r"W \(5, 3\), b \(3,\)"),
        ({}, r"\(none\)"),
    ],
)
def test_other_models_are_refused(tmp_path, arrays, found):
    save_params(tmp_path / "params.npz", arrays)
    with pytest.raises(DataError, match="found the arrays {}; expected W".format(found)):
        Predictor(tmp_path / "params.npz")


@pytest.mark.parametrize("x", [[["a"] * 5], [[0.5] * 5, [0.5]]])
def test_what_is_no_array_of_numbers_is_refused(tmp_path, x, arrays):
    save_params(tmp_path / "params.npz", arrays)
    with pytest.raises(DataError, match="x: found something that is no array of numbers; expec"):
        Predictor(tmp_path / "params.npz").predict(x)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(DataError, match="nothing: found no such folder or file; .*train a model"):
        Predictor(tmp_path / "nothing")
