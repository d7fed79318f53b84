"""What a run found: plain data, shown as a table, drawn."""

import html
import math
import pickle
import re

import numpy as np
import pytest
from conftest import run_python

import dlt
from dlt.results import TrainingResult
from dlt.runs.history import History, HistoryRow
from dlt.score import Score


@pytest.fixture
def known():
    """A result made by hand."""
    return TrainingResult(
        best_params={"W": np.zeros((784, 10), "float32"), "b": np.zeros(10, "float32")},
        best_iteration=6059,
        best_validation=Score(720, 9600),
        test=Score(719, 9600),
        history=(HistoryRow(83, 1, 0.75, 0.125, 5000, 0.5),),
        n_iterations=6142,
        n_epochs=74,
        seconds=7.4567,
        stopped_by="patience",
        diverged_at=None,
        initial_patience=5000,
    )


def test_it_shows_as_a_short_table(known):
    assert repr(known).splitlines() == [
        "stopped by patience: 74 epochs, 6142 updates, 7.5 s",
        "  best validation error  7.500000 %  720 of 9600, after 6059 updates",
        "  test error             7.489583 %  719 of 9600",
        "  parameters             float32     W (784, 10), b (10,)",
    ]


def test_errors_that_are_measured_show_their_mean(known):
    measured = known._replace(best_validation=Score(0.1 + 0.2, 3), test=None, best_params=None)
    assert repr(measured).splitlines()[1:] == [
        "  best validation error  0.100000  mean of 3, after 6059 updates"
    ]


def test_a_run_that_diverged_at_once_says_where(known):
    diverged = known._replace(
        best_params=None, best_iteration=None, best_validation=None, test=None, history=(),
        n_iterations=2, n_epochs=1, seconds=0.01, stopped_by="divergence", diverged_at=2,
    )  # fmt: skip
    assert repr(diverged).splitlines() == [
        "stopped by divergence: 1 epoch, 2 updates, 0.0 s",
        "  diverged at update  2  loss not finite",
    ]


def test_a_notebook_gets_the_same_table_as_html_and_names_are_text_in_it(known):
    named = known._replace(best_params={"<script>W": np.zeros((2, 2))})
    shown = named._repr_html_()
    caption, *rows = re.split("</caption>|</tr>", shown)[:-1]
    text = [html.unescape(re.sub("<[^<>]*>", " ", row)).split() for row in (caption, *rows)]
    assert text == [line.split() for line in repr(named).splitlines()]
    assert shown.startswith("<table><caption>") and len(rows) == 3 and "<script" not in shown


def test_it_is_plain_data_that_another_process_reads(tmp_path, blobs):
    x, y = dlt.T.matrix("x"), dlt.T.ivector("y")
    model = dlt.LogisticRegression(x, n_in=2, n_out=3)
    NLL = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    result = dlt.train(model, y, NLL, blobs, batch_size=10, n_epochs=5)
    assert isinstance(result.history, History) and len(result.history) == 5
    pickled = pickle.dumps(result)
    assert len(pickled) < 3000
    (tmp_path / "result.pkl").write_bytes(pickled)
    code = (
        "import pickle, sys\n"
        "result = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(repr(result), result.best_params, *result, sep='\\n')\n"
        "assert not {'pytensor', 'theano', 'aesara'} & set(sys.modules)\n"
    )
    process = run_python("-c", code, tmp_path / "result.pkl")
    assert process.stderr == ""
    assert process.stdout == "\n".join(map(str, [repr(result), result.best_params, *result, ""]))
    best = pickle.loads(pickled).best_params
    for name, array in result.best_params.items():
        np.testing.assert_array_equal(best[name], array)


def errors_drawn(result):
    """Read the validation errors (%) and the best model off the drawn curves."""
    curve, *others = result.plot().axes[1].lines
    return curve.get_ydata().tolist(), [line.get_label() for line in others]


def test_it_draws_its_learning_curves_with_a_validation_set_or_without(known):
    rows = tuple(HistoryRow(83 * i, i, 1 / i, 0.5 / i, 5000, 0.5 * i) for i in (1, 2))
    result = known._replace(history=rows, best_iteration=166)
    assert errors_drawn(result) == ([50, 25], ["best model: 25.00 % after 166 updates"])
    rows = tuple(row._replace(validation_error=math.nan) for row in rows)
    errors, others = errors_drawn(result._replace(history=rows, best_validation=None))
    assert np.isnan(errors).all() and others == []


def test_errors_that_are_measured_are_drawn_as_they_are(known):
    rows = tuple(HistoryRow(83 * i, i, 1 / i, 5 / i - 4, 5000, 0.5 * i) for i in (1, 2))
    result = known._replace(history=rows, best_iteration=166, best_validation=Score(-3.0, 2))
    assert errors_drawn(result) == ([1, -1.5], ["best model: -1.5 after 166 updates"])
    assert result.plot().axes[1].get_ylabel() == "validation error"


def test_a_loop_that_took_no_time_has_no_speed(known):
    assert known._replace(n_epochs=3, seconds=2.0).epochs_per_second == 1.5
    # as a stranger's checkpoint, or a coarse clock, says
    assert math.isnan(known._replace(seconds=0.0).epochs_per_second)
