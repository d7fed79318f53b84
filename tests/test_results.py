"""What a run found: shown as a table, used to predict, drawn."""

import copy
import html
import math
import pickle
import re

import numpy as np
import pytest
import reference

import dlt
from dlt.errors import DataError, SettingsError
from dlt.evaluation import Score
from dlt.results import TrainingResult
from dlt.runs.history import HistoryRow


@pytest.fixture
def known():
    """A result made by hand."""
    return TrainingResult(
        best_params={"W": np.zeros((784, 10), "float32"), "b": np.zeros(10, "float32")},
        best_iteration=6059,
        best_validation=Score(720, 9600),
        test=Score(719, 9600),
        history=[HistoryRow(83, 1, 0.75, 0.125, 5000, 0.5)],
        n_iterations=6142,
        n_epochs=74,
        seconds=7.4567,
        stopped_by="patience",
        diverged_at=None,
        initial_patience=5000,
        probabilities=None,
    )


@pytest.fixture(scope="module")
def trained():
    """A run on three blobs, with the model that was trained."""
    rng = np.random.default_rng(23455)
    y = rng.integers(0, 3, 90)
    x = np.eye(3)[y] * 0.5 + rng.random((90, 3)) * 0.4
    symbolic_x, symbolic_y = dlt.T.matrix("x"), dlt.T.ivector("y")
    model = dlt.LogisticRegression(symbolic_x, n_in=3, n_out=3)
    NLL = dlt.negative_log_likelihood(model.p_y_given_x, symbolic_y, reduction="mean")
    return dlt.train(model, symbolic_y, NLL, [(x, y)] * 3, batch_size=10, n_epochs=5), model, x


def test_it_shows_as_a_short_table(known):
    assert repr(known).splitlines() == [
        "stopped by patience: 74 epochs, 6142 updates, 7.5 s",
        "  best validation error  7.500000 %  720 of 9600, after 6059 updates",
        "  test error             7.489583 %  719 of 9600",
        "  parameters             float32     W (784, 10), b (10,)",
    ]


def test_a_run_that_diverged_at_once_says_where(known):
    diverged = known._replace(
        best_params=None, best_iteration=None, best_validation=None, test=None, history=[],
        n_iterations=2, n_epochs=1, seconds=0.01, stopped_by="divergence", diverged_at=2,
    )  # fmt: skip
    assert repr(diverged).splitlines() == [
        "stopped by divergence: 1 epoch, 2 updates, 0.0 s",
        "  diverged at update  2  loss not finite",
    ]
    with pytest.raises(SettingsError, match="found no parameters, as training diverged before"):
        diverged.predict(np.zeros((1, 784)))


def test_a_notebook_gets_the_same_table_as_html_and_names_are_text_in_it(known):
    named = known._replace(best_params={"<script>W": np.zeros((2, 2))})
    shown = named._repr_html_()
    caption, *rows = re.split("</caption>|</tr>", shown)[:-1]
    text = [html.unescape(re.sub("<[^<>]*>", " ", row)).split() for row in (caption, *rows)]
    assert text == [line.split() for line in repr(named).splitlines()]
    assert shown.startswith("<table><caption>") and len(rows) == 3 and "<script" not in shown


def test_it_predicts_with_the_best_parameters_whatever_the_model_holds_later(trained):
    result, model, x = trained
    expected = reference.softmax(x @ result.best_params["W"] + result.best_params["b"])
    model.W.set_value(np.zeros((3, 3), dtype=model.W.dtype))
    used, unused = result, copy.deepcopy(result)
    np.testing.assert_array_equal(used.predict(x), expected.argmax(axis=1))
    pickled = pickle.loads(pickle.dumps(used))
    assert repr(pickled) == repr(result) and pickled.history == result.history
    best = result.best_params["W"].copy()
    for one in (used, unused, pickled):
        one.best_params["W"][:] = math.nan  # the function has its own copy
        np.testing.assert_allclose(one.probabilities(x), expected, rtol=1e-4)
        one.best_params["W"][:] = best
    with pytest.raises(DataError, match=r"expected \(B, 3\), as the model was trained on"):
        result.predict(np.zeros((2, 4)))


def test_it_draws_its_learning_curves(trained):
    result, _, _ = trained
    lines = [line for axes in result.plot().axes for line in axes.lines]
    errors = [100 * row.validation_error for row in result.history]
    assert any(np.array_equal(line.get_ydata(), errors) for line in lines)
