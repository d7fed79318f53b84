"""Patience against cases made by hand; test_training.py has the page's loop."""

import math
import pickle
import re

import numpy as np
import pytest

from dlt.early_stopping import Patience
from dlt.errors import SettingsError
from dlt.runs.history import History, HistoryRow

pytestmark = pytest.mark.once


def history_of(rule, errors, n_train_batches=10):
    """Return the history of these validation errors, one an epoch."""
    history = History()
    for epoch, error in enumerate(errors, start=1):
        iteration = epoch * n_train_batches
        patience = rule.extended(history, iteration - 1, error)
        row = HistoryRow(iteration, epoch, 1.0, error, patience, 0.0)
        history = history.with_row(row)
    return history


@pytest.mark.parametrize(
    "errors, best_iteration, patience",
    [
        # validations at iterations 9, 19, 29, ... of 10 minibatches an epoch
        ([0.5], 10, 20),  # 9 * 2 = 18 is less than the initial 20
        ([0.5, 0.4], 20, 38),  # clear improvement: 19 * 2
        ([0.5, 0.499], 20, 20),  # better, but not below 0.5 * 0.995 = 0.4975
        ([0.5, 0.4975], 20, 20),  # exactly the threshold is not below it
        ([0.5, 0.6, 0.3], 30, 58),
        ([0.5, 0.5], 10, 20),  # equal is not better
        ([0.0, 0.0], 10, 20),  # no error at all: nothing can be below that
    ],
)
def test_validations_by_hand(errors, best_iteration, patience):
    rule = Patience(patience=20)
    history = history_of(rule, errors)
    assert (history.best.iteration, rule.limit(history)) == (best_iteration, patience)


def test_patience_counts_minibatch_updates_not_examples():
    # Slip of the page's comment ("look as this many examples"): 10 minibatches of 600
    # examples are 10 iterations, and a patience of 10 is exhausted by them.
    rule = Patience(patience=10)
    assert not rule.is_exhausted([], 9)
    assert rule.is_exhausted([], 10) and rule.last_iteration([]) == 10


@pytest.mark.parametrize(
    "patience, n_train_batches, expected", [(5000, 83, 83), (5, 83, 2), (100, 83, 50), (2, 1, 1)]
)
def test_validation_frequency_is_whole(patience, n_train_batches, expected):
    # Slip of the page: half of 5 is 2.5 on Python 3, and (iter + 1) % 2.5 is 0 at every fifth only.
    frequency = Patience(patience).validation_frequency(n_train_batches)
    assert frequency == expected and isinstance(frequency, int)


def test_increase_and_threshold_can_be_chosen():
    rule = Patience(10, patience_increase=1.5, improvement_threshold=0.5)
    history = history_of(rule, [0.4, 0.2, 0.09])  # 0.2 is not below 0.4 * 0.5
    assert [row.patience for row in history] == [13.5, 13.5, 43.5]
    assert rule.last_iteration(history) == 44
    assert not rule.is_exhausted(history, 43) and rule.is_exhausted(history, 44)


@pytest.mark.parametrize(
    "name, value",
    [
        ("patience", 1),
        ("patience", "a"),
        ("patience", float("inf")),
        ("patience", 10**400),
        ("patience", float("nan")),
        ("patience_increase", 0.9),
        ("patience_increase", 1e308),
        ("patience_increase", float("nan")),
        ("improvement_threshold", 0),
        ("improvement_threshold", 1.01),
        ("improvement_threshold", float("nan")),
        ("alpha", 0),
        ("alpha", 1),
        ("alpha", float("nan")),
    ],
)
def test_values_out_of_range_are_refused(name, value):
    message = re.escape(f"{name}: found {value}; expected")
    with pytest.raises(SettingsError, match=message):
        Patience(**{name: value})


def test_a_test_of_significance_takes_the_place_of_the_threshold():
    rule = Patience(10, improvement_test="mcnemar", alpha=0.04)
    first, best = History([HistoryRow(5, 1, 0.5, 0.4, 10, 1.0)]), 0.3
    p_values = {0.04: 20, 0.041: 10}
    for p_value, patience in p_values.items():
        assert rule.extended(first, 10, best, lambda p_value=p_value: p_value) == patience
    # nothing is compared with the first model, nor where there are not fewer errors
    assert rule.extended(History(), 10, best) == 20
    assert rule.extended(first, 10, 0.4) == rule.extended(first, 10, math.nan) == 10
    with pytest.raises(SettingsError, match="found 'sign'; expected one of threshold, mcnemar"):
        Patience(improvement_test="sign")


def test_it_is_a_value():
    rule = Patience(np.int64(10), 3.0)
    assert rule == Patience(10, 3, 0.995) == pickle.loads(pickle.dumps(rule)) != Patience(10, 2)
    assert repr(rule) == (
        "Patience(patience=10, patience_increase=3.0, improvement_threshold=0.995, "
        "improvement_test='threshold', alpha=0.05)"
    )
    assert [type(value) for value in rule] == [int, float, float, str, float]
    with pytest.raises(AttributeError):
        rule.patience = 20
