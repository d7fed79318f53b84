"""The loop against the page's loop: the same updates, the same validations, the same end."""

import math

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt import training
from dlt.early_stopping import Patience
from dlt.runs.history import History, HistoryRow
from dlt.runs.state import State
from dlt.score import Score
from dlt.training import training_loop

pytestmark = pytest.mark.once

START = State.first({"b": np.zeros(1)}, {})


def trained(first, n):
    """Make n updates of a model whose parameter counts them."""
    return np.zeros(n), {"b": np.full(1, first + n)}, {"velocity": np.full(1, -first - n)}


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    data=st.data(),
    n_train_batches=st.integers(1, 9),
    n_epochs=st.integers(1, 10),
    patience=st.integers(2, 30),
    increase=st.sampled_from([1, 1.5, 2]),
    limit=st.sampled_from([0.0, 1e9]),
)
def test_it_is_the_page_s_loop_wherever_it_is_left_and_begun_again(
    data, n_train_batches, n_epochs, patience, increase, limit
):
    n = n_epochs * n_train_batches
    counts = data.draw(st.lists(st.integers(0, 50), min_size=n, max_size=n))
    made, validated, best_iteration, final_patience = reference.page_loop(
        [count / 50 for count in counts], n_train_batches, n_epochs, patience, increase
    )
    scores, updates, cuts = iter(counts), [], []
    rule, state = Patience(patience, increase), START

    def train(first, count):
        updates.extend(range(first, first + count))
        return trained(first, count)

    def loop():
        validate = lambda: Score(next(scores), 50)  # noqa: E731
        return training_loop(state, train, validate, n_train_batches, n_epochs, rule)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_STRETCH_SECONDS", limit)  # 0: as short as they get
        while state.iteration < len(made):
            # left after so many stretches, as a stopped run leaves it; 1000 is to the end
            n_stretches = data.draw(st.sampled_from([1, 2, 3, 5, 1000]))
            for _, after in zip(range(n_stretches), loop()):
                cuts.append(after.iteration - state.iteration)
                state = after
    assert updates == made
    assert [row.iteration - 1 for row in state.history] == validated
    assert state.history.best.iteration - 1 == best_iteration
    assert rule.limit(state.history) == final_patience
    assert state.best_params["b"] == best_iteration + 1
    assert (state.params["b"], state.update_state["velocity"]) == (len(made), -len(made))
    assert limit or all(count <= 3 for count in cuts)
    assert list(loop()) == []


def test_without_validation_every_epoch_ends_with_a_row_and_the_last_is_the_best():
    states = list(training_loop(START, trained, None, 5, 3, Patience(2)))
    assert states[-1].iteration == 15
    rows = states[-1].history
    assert [(row.iteration, row.epoch) for row in rows] == [(5, 1), (10, 2), (15, 3)]
    assert all(math.isnan(row.validation_error) for row in rows)
    assert (states[-1].best_score, states[-1].best_params["b"]) == (None, 15)


def ended(losses=None, params=None, score=None):
    """Run an epoch of 6 updates; return the last state."""

    def train(first, n):
        made = trained(first, n)
        return (made[0] if losses is None else losses[first : first + n],
                made[1] if params is None else params, made[2])  # fmt: skip

    return list(training_loop(START, train, lambda: score or Score(1, 2), 6, 1, Patience()))[-1]


def test_divergence_is_counted_to_the_update_however_it_is_cut(monkeypatch):
    losses = np.asarray([1, 1, 1, 1, math.inf, math.nan])
    for limit in (0.0, 1e9):
        monkeypatch.setattr(training, "_STRETCH_SECONDS", limit)
        state = ended(losses)
        assert (state.diverged_at, state.history, state.best_params) == (5, (), None)


@pytest.mark.parametrize(
    "of", [{"params": {"b": np.asarray([np.inf])}}, {"score": Score(math.nan, 2)}]
)
def test_parameters_or_errors_that_are_not_finite_are_divergence(of):
    state = ended(**of)  # the losses are from before the updates
    assert (state.diverged_at, state.history, state.best_params) == (6, (), None)


def test_the_mean_of_huge_losses_is_their_mean():
    huge = 1.5e308  # the sum of two of them is more than a float64 can hold
    assert ended(np.full(6, huge)).history[0].train_loss == pytest.approx(huge)


def test_seconds_go_on_from_those_of_the_state():
    start = START._replace(seconds=1000.0)
    loop = training_loop(start, trained, lambda: Score(1, 2), 6, 2, Patience())
    seconds = [state.seconds for state in loop]
    assert 1000 < seconds[0] < 1010 and seconds == sorted(seconds)


def test_a_validation_costs_the_same_however_long_the_history_is(monkeypatch):
    read, get = [], History.__getitem__
    monkeypatch.setattr(History, "__getitem__", lambda *args: read.append(1) or get(*args))
    counts = []
    for n in (10, 5000):
        rows = [HistoryRow(i, i, 0.5, 1 / i, 1e6, i) for i in range(1, n + 1)]
        start = START._replace(iteration=n, history=History(rows))
        read.clear()
        loop = training_loop(start, trained, lambda: Score(1, 2), 1, n + 2, Patience(10**6))
        first, second = loop
        assert (len(first.history), len(second.history)) == (n + 1, n + 2)
        counts.append(len(read))
    assert counts[0] == counts[1] < 40
