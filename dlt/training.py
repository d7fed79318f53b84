"""The page's training loop: minibatch updates and validations, until patience runs out.

`training_loop` takes two functions and a few numbers, and knows no model, engine or file. The
state of the run goes in as one value, and a new state comes out after every stretch of updates.

Source: page "Getting Started", section "Early-Stopping".
"""

import functools
import math
import time

import numpy as np

from dlt.runs.history import HistoryRow

# How long a stretch of minibatches takes, in seconds, so that progress shows about this often.
_STRETCH_SECONDS = 0.5


def training_loop(state, train, validate, n_train_batches, n_epochs, patience, p_value=None):
    """Run the page's early-stopping loop, a stretch of minibatches at a time.

    The loop validates and stops after exactly the same minibatches as the page's loop. Both are
    known beforehand, so one call can make all updates in between. The results do not depend on
    the lengths of the stretches.

    Parameters
    ----------
    state : dlt.runs.state.State
        Where to start.
    train : callable
        ``train(first, n)`` makes n updates, starting with update number `first` (from 0). It
        returns their n losses, the parameters after them, and the other values they change.
    validate : callable or None
        Returns the `dlt.Score` of these parameters on the validation set. With None, there is no
        validation set, and the loop makes all epochs.
    n_train_batches : int
        Minibatches in an epoch.
    n_epochs : int
        Most epochs to make.
    patience : Patience
    p_value : callable, optional
        ``p_value(best_params)`` compares the present parameters with the best ones on the
        validation set, for McNemar's test in `patience`.

    Yields
    ------
    State
        After each stretch. The caller may stop at any state, and start another loop from it.
    """
    frequency = patience.validation_frequency(n_train_batches) if validate else n_train_batches
    n_iterations = n_epochs * n_train_batches
    limit, started = 2, time.perf_counter() - state.seconds
    while stopped_by(state, n_iterations, validate and patience) is None:
        next_validation = state.iteration - state.iteration % frequency + frequency
        end = min(next_validation, expected_end(state, n_iterations, validate and patience))
        n, before = min(limit, end - state.iteration), time.perf_counter()
        state = stepped(state, *train(state.iteration, n))
        limit = max(1, int(_STRETCH_SECONDS * n / (time.perf_counter() - before + 1e-9)))
        if state.iteration == next_validation and state.diverged_at is None:
            score = validate() if validate else None
            seconds = time.perf_counter() - started
            state = validated(state, score, patience, n_train_batches, seconds, p_value)
        yield state._replace(seconds=time.perf_counter() - started)


def stopped_by(state, n_iterations, patience):
    """Return what ends a run in a state, or None if it goes on.

    Parameters
    ----------
    state : dlt.runs.state.State
    n_iterations : int
        Most updates to make.
    patience : Patience or None
        None without a validation set.

    Returns
    -------
    {None, "divergence", "patience", "n_epochs"}
    """
    if state.diverged_at is not None:
        return "divergence"
    if patience is not None and patience.is_exhausted(state.history, state.iteration - 1):
        return "patience"
    return "n_epochs" if state.iteration >= n_iterations else None


def expected_end(state, n_iterations, patience):
    """Return the number of updates at which a run ends if patience does not grow again."""
    if patience is None:
        return n_iterations
    return min(n_iterations, patience.last_iteration(state.history) + 1)


def stepped(state, losses, params, update_state):
    """Return the state after more updates; each loss is from before its update."""
    finite = np.isfinite(losses)
    if not finite.all():  # drop the updates that the stretch made after that
        return state._replace(diverged_at=state.iteration + int(np.argmin(finite)) + 1)
    return state._replace(
        iteration=state.iteration + len(losses),
        params=params,
        update_state=update_state,
        losses=np.concatenate([state.losses, np.asarray(losses, dtype=np.float64)]),
    )


def validated(state, score, patience, n_train_batches, seconds, p_value=None):
    """Return the state after a validation; `score` is None at the end of an epoch without one."""
    error = math.nan if score is None else score.fraction
    if not state.can_go_on or (score and not math.isfinite(error)):
        return state._replace(diverged_at=state.iteration)  # the losses are from before the update
    best = state.history.best
    compare = functools.partial(p_value, state.best_params) if p_value else None
    row = HistoryRow(
        state.iteration,
        (state.iteration - 1) // n_train_batches + 1,
        _mean(state.losses.tolist()),
        error,
        # the page counts iter from 0
        patience.extended(state.history, state.iteration - 1, error, compare),
        seconds,
        len(state.machines),
    )
    after = state._replace(losses=np.empty(0), history=state.history.with_row(row))
    if score and best and not error < best.validation_error:
        return after
    return after._replace(best_params=state.params, best_score=score)


def _mean(losses):
    # fsum rounds once, so the mean does not depend on the lengths of the stretches
    try:
        return math.fsum(losses) / len(losses)
    except OverflowError:  # the sum is too large, not the mean
        return math.fsum(loss / len(losses) for loss in losses)
