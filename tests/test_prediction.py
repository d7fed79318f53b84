"""A model predicts as the trained one did, and comes back from its file."""

import os
import pickle
import types

import numpy as np
import pytest
import reference
from conftest import run_python

from dlt.engine import T, theano
from dlt.errors import DataError
from dlt.models import LogisticRegression
from dlt.parameters import save_params
from dlt.prediction import Predictor, load_model


@pytest.fixture
def predict_with(tmp_path):
    """Return a function that saves parameters and returns their predictor."""

    def save_and_read(arrays):
        save_params(tmp_path / "params.npz", arrays)
        return Predictor(tmp_path / "params.npz")

    return save_and_read


@pytest.mark.parametrize("ending", [".npz", ".pkl"])
def test_probabilities_agree_with_numpy(tmp_path, rng, floatX, ending):
    W, b = (rng.normal(0, 1, shape).astype(floatX) for shape in ((5, 3), (3,)))
    path = tmp_path / ("best_params" + ending)
    save_params(path, {"W": W, "b": b}, settings={"dataset": "digits"})
    predictor = Predictor(tmp_path if ending == ".npz" else path)
    x = rng.random((6, 5))
    expected = reference.softmax(x @ W + b)
    np.testing.assert_allclose(predictor.probabilities(x), expected, rtol=1e-4)
    np.testing.assert_array_equal(predictor.predict(x), expected.argmax(axis=1))
    assert (predictor.model.n_in, predictor.model.n_out) == (5, 3)
    assert predictor.settings == {"dataset": "digits"} and predictor.dataset == "digits"
    assert predictor.probabilities(x).dtype == floatX


def test_a_model_at_work_is_copied(rng, floatX):
    model = LogisticRegression(T.matrix("x"), 3, 2, rng=rng)
    predictor, x = Predictor(model), rng.random((4, 3))
    expected = predictor.probabilities(x)
    np.testing.assert_allclose(expected, reference.softmax(x @ model.W.get_value()), rtol=1e-4)
    unused = Predictor(model)
    model.W.set_value(np.zeros((3, 2), floatX))
    for one in (predictor, unused, pickle.loads(pickle.dumps(predictor))):
        np.testing.assert_array_equal(one.probabilities(x), expected)
    assert (predictor.path, predictor.settings, predictor.dataset) == (None, {}, "mnist")
    with pytest.raises(DataError, match="x: found rows of 4 values; expected 3, as the model has"):
        predictor.predict(np.zeros((2, 4)))


def test_threads_may_share_a_predictor_from_its_first_call_on(linker, rng, eight_threads):
    predictor = Predictor(LogisticRegression(T.matrix("x"), 784, 10, rng=rng))
    rows = [rng.random((1, 784)) for _ in range(8)]
    found = eight_threads(lambda i: [predictor.probabilities(rows[i]) for _ in range(500)])
    for i, several in enumerate(found):
        assert {p.tobytes() for p in several} == {predictor.probabilities(rows[i]).tobytes()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_spawned_process_predicts_and_a_fork_does_so_or_is_refused(linker):
    code = (
        "import multiprocessing, os, signal, sys\n"
        "import dlt\n"
        "from dlt import T, theano, engine\n"
        "if __name__ == '__main__':\n"
        "    engine.linker() == {0!r} or engine.set_linker({0!r})\n"
        "    predictor = dlt.Predictor(dlt.LogisticRegression(T.matrix('x'), 2, 2))\n"
        "    W = theano.shared(3.0, 'W')\n"
        "    f = theano.function([], 2 * W)\n"
        "    f(), predictor.predict([[0.5, 0.5]])\n"
        "    for method in ('spawn', 'fork'):\n"
        "        with multiprocessing.get_context(method).Pool(1) as pool:\n"
        "            work = pool.apply_async(predictor.predict, ([[0.5, 0.5]],))\n"
        "            try: print(method, work.get(100))\n"
        "            except dlt.EngineError as error: print(method, error)\n"
        "    if os.fork(): sys.exit(os.wait()[1])\n"
        "    signal.alarm(100)\n"
        "    try: print('own', f(), flush=True)\n"
        "    except dlt.EngineError as error: print('own', error, flush=True)\n"
        "    os._exit(0)\n"
    )
    process = run_python("-c", code.format(linker))
    refused = (
        "jax: found a fork of a process that has computed with it; expected a process of its own; "
        'start it with multiprocessing.get_context("spawn")'
    )
    fork, own = (refused, refused) if linker == "jax" else ("[0]", "6.0")
    lines = ["spawn [0]", f"fork {fork}", f"own {own}"]
    assert (process.returncode, process.stdout.splitlines()) == (0, lines), process.stderr


def test_any_classifier_will_do(float64):
    x = T.tensor3("x")
    scale = theano.shared(np.asarray(2.0), name="scale")
    p_y_given_x = T.stack([scale * x[:, 0, 0], 1 - scale * x[:, 0, 0]], axis=1)
    model = types.SimpleNamespace(input=x, params=[scale], p_y_given_x=p_y_given_x)
    predictor = Predictor(model)
    assert predictor.probabilities([[[0.125, 0]]]).tolist() == [[0.25, 0.75]]
    with pytest.raises(DataError, match=r"x: found an array of shape \(1, 2\); expected 3 dim"):
        predictor.predict([[0.125, 0]])


def test_a_file_of_the_other_floatX_is_cast(predict_with, floatX):
    other = {"float32": "float64", "float64": "float32"}[floatX]
    predictor = predict_with({"W": np.eye(2, dtype=other), "b": np.ones(2, other)})
    assert theano.config.floatX == floatX
    assert predictor.probabilities([[0, 0]]).dtype == floatX
    assert predictor.predict(np.array([[0, 1]], dtype=other)).tolist() == [1]
    assert predictor.dataset == "mnist"  # the file does not say


def test_scores_that_the_dtype_cannot_hold_are_told(predict_with, floatX):
    huge = float(np.finfo(floatX).max) * 0.9
    predictor = predict_with({"W": np.full((2, 2), huge, floatX), "b": np.zeros(2, floatX)})
    assert predictor.probabilities([[0.5, 0.5]]).tolist() == [[0.5, 0.5]]
    message = "x: found scores that {} cannot hold, of the model of .*params.npz; expected"
    with pytest.raises(DataError, match=message.format(floatX)):
        predictor.probabilities([[1, 1]])


def test_rows_that_cannot_be_used_are_refused(predict_with, floatX):
    predictor = predict_with({"W": np.zeros((2, 3)), "b": np.zeros(3)})
    not_finite = "x: found NaN or infinite values .*; expected finite numbers"
    cases = [
        ([[0, 0], [0, np.inf]], not_finite),
        (np.zeros((2, 4)), "x: found rows of 4 values; expected 2, as the model of .*npz has"),
    ]
    if floatX == "float64":
        assert predictor.predict([[0, 1e300]]).shape == (1,)
    else:
        cases.append(([[0, 1e300]], not_finite))
    for x, message in cases:
        with pytest.raises(DataError, match=message):
            predictor.predict(x)


W = np.zeros((5, 3))


@pytest.mark.parametrize(
    "arrays, found",
    [
        ({"W": W}, r"the arrays W \(5, 3\); expected W"),
        ({"W": W, "b": np.zeros(2)}, r"the arrays W \(5, 3\), b \(2,\); expected W"),
        ({"W": W, "b": np.zeros(3, "f4")}, r"the arrays W \(5, 3\), b \(3,\); expected W"),
        ({"W": W.astype("i4"), "b": np.zeros(3, "i4")}, r"the arrays W \(5, 3\), b \(3,\); exp"),
        ({}, r"the arrays \(none\); expected W"),
        ({"W": W, "b": np.zeros(3), "W_2": W, "b_2": np.zeros(3)}, r".* b_2 \(3,\); expected W"),
        ({"W": W * np.nan, "b": np.zeros(3)}, "NaN or infinite parameters"),
        ({"W": W + 1e300, "b": np.zeros(3)}, "numbers too large; expected .* float32 can hold"),
    ],
)
@pytest.mark.parametrize("floatX", ["float32"], indirect=True)
def test_other_models_are_refused(predict_with, floatX, arrays, found):
    with pytest.raises(DataError, match="params.npz: found " + found):
        predict_with(arrays)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(DataError, match="nothing: found no such folder or file; .*train a model"):
        Predictor(tmp_path / "nothing")
    with pytest.raises(DataError, match="npz: found no file there; .*train a model first"):
        Predictor(tmp_path)


@pytest.mark.parametrize("described", [{}, {"model": {"class": "LogisticRegression"}}])
@pytest.mark.parametrize("source", ["folder", ".pkl", "page"])
def test_a_model_comes_back_from_where_it_was_saved(tmp_path, rng, floatX, source, described):
    W, b = (rng.normal(0, 1, shape).astype(floatX) for shape in ((5, 3), (3,)))
    path = tmp_path / ("best_params.npz" if source == "folder" else "params.pkl")
    if source == "page":
        path.write_bytes(b"".join(pickle.dumps(array, -1) for array in (W, b)))
    else:
        save_params(path, {"W": W, "b": b}, described)
    model = load_model(tmp_path if source == "folder" else path)
    assert type(model) is LogisticRegression and (model.n_in, model.n_out) == (5, 3)
    for param, array in zip(model.params, (W, b)):
        np.testing.assert_array_equal(param.get_value(), array)
    predict = theano.function([model.input], model.y_pred)
    x = rng.random((6, 5)).astype(floatX)
    np.testing.assert_array_equal(predict(x), (x @ W + b).argmax(axis=1))


def test_of_another_class_the_arrays_are_given_and_the_class_is_named(tmp_path):
    arrays = {"W": np.ones((2, 3)), "b": np.zeros(3)}
    save_params(tmp_path / "best_params.npz", arrays, {"model": {"class": "M\x1bLP"}})
    message = r"npz: found a model of the class M\\x1bLP, which dlt does not have; returning its"
    with pytest.warns(UserWarning, match=message) as caught:
        found = load_model(tmp_path)
    assert caught[0].filename == __file__
    assert list(found) == ["W", "b"] and found["W"].tolist() == arrays["W"].tolist()
    with pytest.raises(DataError, match=r"npz: found a model of the class M\\x1bLP; expected W"):
        Predictor(tmp_path)


@pytest.mark.parametrize("described", ["MLP", {"class": ["MLP"]}, {"n_in": 2}, None])
def test_what_names_no_class_is_read_as_the_page_s_model(tmp_path, described):
    arrays = {"W": np.ones((2, 3)), "b": np.zeros(3)}
    save_params(tmp_path / "params.npz", arrays, {"model": described})
    assert load_model(tmp_path / "params.npz").n_out == 3


ALL = {"scale": 256, "height": 1, "width": 4, "labels": ["a", "b\x1b"], "split": None,
       "ground": "light", "centred": True}  # fmt: skip


@pytest.mark.parametrize(
    "described, known",
    [
        (ALL, (256, 1, 4, ("a", "b\x1b"), None, "light", False)),  # centred are squares only
        ({**ALL, "height": 2, "width": 2}, (256, 2, 2, ("a", "b\x1b"), None, "light", True)),
        ({**ALL, "height": 4, "width": 2}, (256, None, None, ("a", "b\x1b"), None, "light", False)),
        ({"height": 4.0, "width": "1", "labels": "ab", "ground": 1, "scale": [2]}, ()),
        ({"labels": ["a", "b", "c"], "height": -1, "width": -4}, ()),
        ({"labels": ["a", ["b"]]}, ()),
        ("no description", (None, 2, 2, None, None, "dark", True)),
    ],
)
def test_what_a_file_says_of_its_training_data_is_known_where_it_fits(tmp_path, described, known):
    params = {"W": np.zeros((4, 2)), "b": np.zeros(2)}
    save_params(tmp_path / "params.npz", params, settings={"description": described})
    predictor = Predictor(tmp_path / "params.npz")
    assert tuple(predictor.description) == (known or (*[None] * 6, False))
    assert predictor.labels == (("a", "b\\x1b") if predictor.description.labels else ("0", "1"))


def test_what_lies_far_outside_of_the_training_range_is_refused(tmp_path):
    params = {"W": np.zeros((2, 2)), "b": np.zeros(2)}
    for scale in (1, 256, None):
        save_params(tmp_path / "params.npz", params, {"description": {"scale": scale}})
        predictor = Predictor(tmp_path / "params.npz")
        predictor.predict([[-0.5, 1.5]])
        if scale is None:
            predictor.predict([[0, 255]])
            continue
        message = "x: found values from {}; expected values from 0 to 1, as the model of .* was "
        with pytest.raises(DataError, match=message.format("0 to 255") + ".*; divide bytes by 256"):
            predictor.predict([[0, 255]])
        with pytest.raises(DataError, match=message.format("-0.6 to 0") + ".*; scale them as the"):
            predictor.predict([[-0.6, 0]])


def test_labels_are_found_by_their_names(tmp_path):
    params = {"W": np.zeros((4, 2)), "b": np.zeros(2)}
    y = np.asarray([2, 0, 1, 1])
    save_params(tmp_path / "params.npz", params, {"description": {"labels": ["3", "8"]}})
    predictor = Predictor(tmp_path / "params.npz")
    assert predictor.known(y, ("8", "9", "3")).tolist() == [0, 1, -1, -1]
    assert predictor.known(np.asarray([3, 8, 1])).tolist() == [0, 1, -1]
    save_params(tmp_path / "params.npz", params)
    assert Predictor(tmp_path / "params.npz").known(y, ("1", "2", "0")).tolist() == [0, 1, -1, -1]


def test_a_file_is_found_under_the_name_it_was_saved_with(tmp_path):
    save_params(tmp_path / "model", {"W": np.zeros((2, 3)), "b": np.zeros(3)})
    assert Predictor(tmp_path / "model").path.endswith("model.npz")
    with pytest.raises(DataError, match="model: found dict; expected a classifier, or where one"):
        Predictor({})
