"""State: where a training run stands between two updates, as one value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dlt.runs.history import History
from dlt.score import Score


class Machine(NamedTuple):
    """The machine that computes a run, from some update on.

    Fields
    ------
    first : int
        Number of its first update, from 1.
    parts : dict of str to str
        See `dlt.engine.machine`.
    """

    first: int
    parts: dict[str, str]


class State(NamedTuple):
    """The state of a training run between two updates.

    Fields
    ------
    iteration : int
        Minibatch updates made.
    params : dict of str to ndarray
        The model's parameters.
    update_state : dict of str to ndarray
        What else the updates change, such as velocities.
    losses : ndarray, float64, shape (n,)
        Losses of the minibatches since the last validation.
    history : History
        One row for each validation.
    best_params : dict of str to ndarray, or None
        The parameters at the best validation, or, without a validation set, after the last whole
        epoch; None before the first.
    best_score : Score or None
        Errors of the best parameters on the validation set.
    seconds : float
        Time in the loop so far.
    diverged_at : int or None
        Number (from 1) of the update at which training diverged. `iteration` does not count it.
    machines : tuple of Machine
        All machines so far; the last one is computing.
    """

    iteration: int
    params: dict[str, np.ndarray]
    update_state: dict[str, np.ndarray]
    losses: np.ndarray
    history: History
    best_params: dict[str, np.ndarray] | None
    best_score: Score | None
    seconds: float
    diverged_at: int | None
    machines: tuple[Machine, ...] = (Machine(1, {}),)

    @classmethod
    def first(cls, params: dict[str, np.ndarray], update_state: dict[str, np.ndarray]) -> State:
        """Return the state before the first update."""
        return cls(0, params, update_state, np.empty(0), History(), None, None, 0.0, None)

    @property
    def is_validated(self) -> bool:
        """Whether a row was added to the history after the last update."""
        at_last_row = bool(self.history) and self.history[-1].iteration == self.iteration
        return at_last_row and self.diverged_at is None

    @property
    def can_go_on(self) -> bool:
        """Whether a run can go on from here: it has not diverged, and all values are finite."""
        values = [*self.params.values(), *self.update_state.values()]
        return self.diverged_at is None and all(np.isfinite(value).all() for value in values)
