"""Patience against cases made by hand; test_training.py has the page's loop."""

import json
import re

import pytest

from dlt.early_stopping import Patience
from dlt.errors import SettingsError

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "losses, best_loss, best_iteration, patience",
    [
        # validations at iterations 9, 19, 29, ... of 10 minibatches an epoch
        ([0.5], 0.5, 9, 20),  # 9 * 2 = 18 is less than the initial 20
        ([0.5, 0.4], 0.4, 19, 38),  # clear improvement: 19 * 2
        ([0.5, 0.499], 0.499, 19, 20),  # better, but not below 0.5 * 0.995 = 0.4975
        ([0.5, 0.4975], 0.4975, 19, 20),  # exactly the threshold is not below it
        ([0.5, 0.6, 0.3], 0.3, 29, 58),
        ([0.5, 0.5], 0.5, 9, 20),  # equal is not better
        ([0.0, 0.0], 0.0, 9, 20),  # no error at all: nothing can be below that
        ([float("nan"), 0.5], 0.5, 19, 38),  # NaN never counts
    ],
)
def test_updates_by_hand(losses, best_loss, best_iteration, patience):
    rule = Patience(patience=20)
    for epoch, loss in enumerate(losses, start=1):
        iteration = epoch * 10 - 1
        assert rule.update(iteration, loss) == (rule.best_iteration == iteration)
    found = (rule.best_loss, rule.best_iteration, rule.patience)
    assert found == (best_loss, best_iteration, patience)


def test_patience_counts_minibatch_updates_not_examples():
    # Slip of the page's comment ("look as this many examples"): 10 minibatches of 600
    # examples are 10 iterations, and a patience of 10 is exhausted by them.
    rule = Patience(patience=10)
    assert not rule.is_exhausted(9)
    assert rule.is_exhausted(10) and rule.last_iteration() == 10


@pytest.mark.parametrize(
    "patience, n_train_batches, expected", [(5000, 83, 83), (5, 83, 2), (100, 83, 50), (2, 1, 1)]
)
def test_validation_frequency_is_whole(patience, n_train_batches, expected):
    # Slip of the page: half of 5 is 2.5 on Python 3, and (iter + 1) % 2.5 is 0 at every fifth only.
    frequency = Patience(patience).validation_frequency(n_train_batches)
    assert frequency == expected and isinstance(frequency, int)


def test_increase_and_threshold_are_those_that_were_asked_for():
    rule = Patience(10, patience_increase=1.5, improvement_threshold=0.5)
    found = []
    for iteration, loss in [(9, 0.4), (19, 0.2), (29, 0.09)]:  # 0.2 is not below 0.4 * 0.5
        rule.update(iteration, loss)
        found.append((rule.best_iteration, rule.patience))
    assert found == [(9, 13.5), (19, 13.5), (29, 43.5)]
    assert rule.last_iteration() == 44
    assert not rule.is_exhausted(43) and rule.is_exhausted(44)


@pytest.mark.parametrize(
    "name, value",
    [
        ("patience", 1),
        ("patience", float("inf")),
        ("patience", 10**400),
        ("patience", float("nan")),
        ("patience_increase", 0.9),
        ("patience_increase", 1e308),
        ("patience_increase", float("nan")),
        ("improvement_threshold", 0),
        ("improvement_threshold", 1.01),
        ("improvement_threshold", float("nan")),
    ],
)
def test_values_out_of_range_are_refused(name, value):
    message = re.escape("{}: found {}; expected".format(name, value))
    with pytest.raises(SettingsError, match=message):
        Patience(**{name: value})


def test_restarted_forgets_what_it_saw():
    rule = Patience(10, 3, 0.9)
    rule.update(9, 0.5)
    assert vars(rule.restarted()) == vars(Patience(10, 3, 0.9)) != vars(rule)


def test_its_state_comes_back_from_strict_json():
    rule = Patience(10, 3, 0.9)
    for iteration, loss in [(4, 0.5), (9, 0.1 + 0.2), (14, 0.7)]:
        text = json.dumps(rule.state(), allow_nan=False)  # infinity is no JSON
        assert vars(Patience(10, 3, 0.9).restored(json.loads(text))) == vars(rule)
        rule.update(iteration, loss)
    assert rule.state() == {"patience": 27, "best_loss": 0.1 + 0.2, "best_iteration": 9}
