"""State: where a training run stands between two updates, as one value."""

import collections

import numpy as np

_FIELDS = "iteration params update_state losses history best_params best_score seconds diverged_at"


class State(collections.namedtuple("State", _FIELDS)):
    """The state of a training run between two updates.

    Fields
    ------
    iteration : int
        Minibatch updates made.
    params : dict of str to ndarray
        The model's parameters after them.
    update_state : dict of str to ndarray
        What else the updates change, such as velocities.
    losses : ndarray, float64, shape (n,)
        Losses of the minibatches since the last validation.
    history : tuple of HistoryRow
        One row for each validation.
    best_params : dict of str to ndarray or None
        The parameters at the best validation, or at the last end of an epoch where nothing is
        validated; None before the first.
    best_score : dlt.Score or None
        Their errors on the validation set.
    seconds : float
        Time in the loop so far.
    diverged_at : int or None
        Number (from 1) of the update at which training diverged; it is not counted above.
    """

    __slots__ = ()

    @classmethod
    def first(cls, params, update_state):
        """Return the state before the first update."""
        return cls(0, params, update_state, np.empty(0), (), None, None, 0.0, None)

    @property
    def is_validated(self):
        """Whether the last update was followed by a validation, or ended an epoch without one."""
        at_last_row = bool(self.history) and self.history[-1].iteration == self.iteration
        return at_last_row and self.diverged_at is None

    @property
    def can_go_on(self):
        """Whether nothing has diverged and all values are finite, so that a run may go on here."""
        values = [*self.params.values(), *self.update_state.values()]
        return self.diverged_at is None and all(np.isfinite(value).all() for value in values)
