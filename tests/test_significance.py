"""Significance: exact p-values and intervals, against sums and a formula worked out by hand."""

import math

import numpy as np
import pytest

from dlt.errors import DataError, SettingsError
from dlt.score import Score
from dlt.significance import mcnemar, wilson


def errors(n_first, n_second, n_both=7, n_neither=30):
    """Errors of two models with so many examples that only one of them gets wrong."""
    first = [1] * n_first + [0] * n_second + [1] * n_both + [0] * n_neither
    second = [0] * n_first + [1] * n_second + [1] * n_both + [0] * n_neither
    return np.array(first), np.array(second)


@pytest.mark.parametrize("n_first, n_second", [(0, 1), (3, 11), (11, 3), (0, 6), (5, 5), (40, 61)])
def test_the_p_value_is_both_tails_of_a_fair_coin(n_first, n_second):
    n, most = n_first + n_second, max(n_first, n_second)
    tail = sum(math.comb(n, k) for k in range(most, n + 1)) / 2**n
    assert mcnemar(*errors(n_first, n_second)) == pytest.approx(min(1, 2 * tail), rel=1e-12)


def test_models_that_agree_do_not_differ():
    assert mcnemar(*errors(0, 0)) == 1
    assert mcnemar(np.array([True, False]), np.array([1, 0])) == 1


@pytest.mark.parametrize(
    "first, second",
    [([0, 1], [0, 1, 1]), ([0, 2], [0, 1]), ([0.5], [1]), ([np.nan], [1]), ([[0]], [[1]])],
)
def test_what_is_no_error_of_each_example_is_refused(first, second):
    with pytest.raises(DataError, match="expected 0 or 1 for each example, in arrays"):
        mcnemar(first, second)


@pytest.mark.parametrize("n_errors, n", [(0, 50), (719, 9600), (50, 50), (1, 3)])
def test_the_interval_solves_wilsons_equation(n_errors, n):
    # its ends are the rates p for which |found - p| is z standard errors sqrt(p (1 - p) / n)
    z = 1.959963984540054
    low, high = wilson(Score(n_errors, n))
    for end in (low, high):
        distance = abs(n_errors / n - end)
        assert distance == pytest.approx(z * math.sqrt(end * (1 - end) / n), abs=1e-12)
    assert 0 <= low <= n_errors / n <= high <= 1 and low < high
    narrow = wilson(Score(n_errors, n), confidence=0.5)
    assert high - low > narrow[1] - narrow[0]


@pytest.mark.parametrize(
    "score, confidence, message",
    [
        (Score(5, 4), 0.95, "n_errors: found 5; expected a whole number from 0 to 4, the number o"),
        (Score(-1, 4), 0.95, "n_errors: found -1; expected a whole number from 0 to 4"),
        (Score(0, 0), 0.95, "n_examples: found 0; expected a whole number, 1 or more"),
        ((1, 4), 0.95, r"score: found \(1, 4\); expected a Score of counted errors"),
        (Score(1, 4), "0.95", "confidence: found 0.95; expected a number above 0 and below 1"),
    ],
)
def test_what_is_no_score_has_no_interval(score, confidence, message):
    with pytest.raises(SettingsError, match=message):
        wilson(score, confidence)
