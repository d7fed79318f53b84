"""Significance: how much a difference between two models, or a rate of errors, owes to chance.

Source: page "Getting Started", section "Early-Stopping", which suggests a statistical test.
McNemar, "Note on the sampling error of the difference between correlated proportions" (1947);
Wilson, "Probable inference" (1927).
"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from dlt.checks import real_numbers, whole_number
from dlt.errors import DataError, SettingsError
from dlt.score import Score


def mcnemar(errors: Any, others: Any) -> float:
    """Return the p-value of the exact McNemar test for two models on the same examples.

    Only the examples that one model gets wrong and the other right tell the two apart. If the
    models are equally good, each of these examples favours either model with probability 1/2.

    Parameters
    ----------
    errors, others : array of truth values or of 0 and 1, shape (N,)
        Where the first and the second model are wrong.

    Returns
    -------
    float
        Two-sided, in (0, 1].

    Raises
    ------
    DataError
        The arrays differ in shape, or hold other values.

    Examples
    --------
    >>> first, second = np.zeros(20), np.zeros(20)
    >>> first[:3], second[3:14] = 1, 1  # 3 against 11
    >>> round(mcnemar(first, second), 3)
    0.057
    """
    from scipy.stats import binomtest  # slow to import

    first, second = real_numbers("errors", errors), real_numbers("others", others)
    for array in (first, second):
        if array.shape != first.shape or array.ndim != 1 or not np.isin(array, (0, 1)).all():
            found = f"an array of shape {array.shape} and dtype {array.dtype}"
            raise DataError("errors", found, "0 or 1 for each example, in arrays of one length")
    n_first, n_second = int((first > second).sum()), int((second > first).sum())
    n = n_first + n_second
    return float(binomtest(n_first, n).pvalue) if n else 1.0


def wilson(score: Score, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson interval of a rate of errors.

    Parameters
    ----------
    score : Score
        Its errors must be counted, not measured.
    confidence : float
        In (0, 1).

    Returns
    -------
    low, high : float
        In [0, 1].

    Raises
    ------
    SettingsError
        The errors are measured, not counted; or `confidence` is out of range.

    Examples
    --------
    >>> low, high = wilson(Score(719, 9600))
    >>> print(f"{100 * low:.2f} % to {100 * high:.2f} %")
    6.98 % to 8.03 %
    """
    from scipy.stats import binomtest

    if not isinstance(score, Score) or not isinstance(score.n_errors, int):
        raise SettingsError("score", repr(score), "a Score of counted errors, an int")
    n_examples = whole_number("n_examples", score.n_examples, low=1)
    n_errors = whole_number("n_errors", score.n_errors, 0, n_examples, "the number of examples")
    if not isinstance(confidence, numbers.Real) or not 0 < confidence < 1:
        raise SettingsError("confidence", confidence, "a number above 0 and below 1")
    found = binomtest(n_errors, n_examples).proportion_ci(confidence, "wilson")
    return float(found.low), float(found.high)
