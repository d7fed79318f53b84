"""Early stopping: how long to go on without a better result on the validation set.

The page's rule is a *patience* that grows with success. Training goes on for at
least ``patience`` minibatch updates. Whenever the validation loss falls clearly
below the best one so far (to less than ``improvement_threshold`` times it), patience
is raised to ``patience_increase`` times the updates made up to then.

`Patience` is that rule and nothing else: it holds no arrays, compiles nothing and
trains nothing. Iterations are the page's ``iter``: minibatch updates numbered from 0
(the page's comment says "examples", its code counts minibatches).

Source: page "Getting Started", section "Early-Stopping".
"""

import math

from dlt.errors import SettingsError

#: The largest patience to begin with, in minibatch updates.
MOST_PATIENCE = 1e15


class Patience:
    """The page's geometrically growing patience.

    Parameters
    ----------
    patience : int
        Minibatch updates to make in any case, at least 2 (the validation set has to
        be looked at once before patience can run out), at most 1e15.
    patience_increase : float
        On a clear improvement at iteration ``iter``, go on until
        ``iter * patience_increase`` at least. 1 to 1e6.
    improvement_threshold : float
        An improvement is clear if the loss is below this times the best one. In (0, 1].

    Attributes
    ----------
    patience : int or float
        The iteration at which patience runs out, as it stands now.
    best_loss : float
        Lowest validation loss so far, infinity before the first one.
    best_iteration : int or None
        The iteration it was seen at.

    Raises
    ------
    SettingsError
        A value outside the ranges above.

    Examples
    --------
    >>> rule = Patience(patience=10)
    >>> rule.validation_frequency(n_train_batches=100)
    5
    >>> rule.update(iteration=4, validation_loss=0.5), rule.patience
    (True, 10)
    >>> rule.update(iteration=9, validation_loss=0.4), rule.patience
    (True, 18)
    >>> rule.is_exhausted(17), rule.is_exhausted(18)
    (False, True)
    """

    def __init__(self, patience=5000, patience_increase=2, improvement_threshold=0.995):
        _check(
            "patience", patience, "from 2 to 1e15 minibatch updates", 2 <= patience <= MOST_PATIENCE
        )
        _check(
            "patience_increase",
            patience_increase,
            "a number from 1 to 1e6",
            1 <= patience_increase <= 1e6,
        )
        _check(
            "improvement_threshold",
            improvement_threshold,
            "a number above 0, and at most 1",
            0 < improvement_threshold <= 1,
        )
        # numpy's numbers become Python's, which JSON can hold
        patience, patience_increase, improvement_threshold = (
            getattr(number, "item", lambda number=number: number)()
            for number in (patience, patience_increase, improvement_threshold)
        )
        self.initial_patience = patience
        self.patience_increase = patience_increase
        self.improvement_threshold = improvement_threshold
        self.patience = patience
        self.best_loss = math.inf
        self.best_iteration = None

    def restarted(self):
        """Give a new `Patience` with the same numbers that has seen no loss yet."""
        return Patience(self.initial_patience, self.patience_increase, self.improvement_threshold)

    def state(self):
        """Describe what it has seen, in what JSON can hold.

        Returns
        -------
        dict
            ``patience``, ``best_loss`` and ``best_iteration``; the last two are None before the
            first loss.

        Examples
        --------
        >>> rule = Patience(patience=10)
        >>> _ = rule.update(iteration=9, validation_loss=0.5)
        >>> rule.state()
        {'patience': 18, 'best_loss': 0.5, 'best_iteration': 9}
        """
        seen = self.best_iteration is not None
        return {
            "patience": self.patience,
            "best_loss": self.best_loss if seen else None,
            "best_iteration": self.best_iteration,
        }

    def restored(self, state):
        """Give a new `Patience` with the same numbers that has seen what `state` tells.

        Parameters
        ----------
        state : dict
            As `state` gives it. From then on both decide alike.

        Examples
        --------
        >>> rule = Patience(patience=10)
        >>> _ = rule.update(iteration=9, validation_loss=0.5)
        >>> Patience(patience=10).restored(rule.state()).patience
        18
        """
        again = self.restarted()
        again.patience = state["patience"]
        again.best_iteration = state["best_iteration"]
        again.best_loss = math.inf if state["best_loss"] is None else state["best_loss"]
        return again

    def validation_frequency(self, n_train_batches):
        """Give the number of minibatch updates from one validation to the next.

        Once an epoch, but at least twice within the initial patience.

        Parameters
        ----------
        n_train_batches : int
            Minibatches in an epoch.

        Returns
        -------
        int
            ``min(n_train_batches, patience // 2)`` of the initial patience.
        """
        return int(min(n_train_batches, self.initial_patience // 2))

    def update(self, iteration, validation_loss):
        """Take in a validation loss.

        Parameters
        ----------
        iteration : int
            The page's ``iter``: 0 for the first minibatch update.
        validation_loss : float
            Any number where less is better; NaN never counts as better.

        Returns
        -------
        bool
            True if this is the lowest loss so far, clear improvement or not.
        """
        if not validation_loss < self.best_loss:
            return False
        if self.is_clear_improvement(validation_loss):
            self.patience = max(self.patience, iteration * self.patience_increase)
        self.best_loss = validation_loss
        self.best_iteration = iteration
        return True

    def is_clear_improvement(self, validation_loss):
        """Say whether a loss is far enough below the best one to extend patience."""
        return validation_loss < self.best_loss * self.improvement_threshold

    def is_exhausted(self, iteration):
        """Say whether training stops after `iteration` (the page's ``patience <= iter``)."""
        return self.patience <= iteration

    def last_iteration(self):
        """Give the iteration at which patience runs out unless it is extended.

        Returns
        -------
        int
            The first for which `is_exhausted` is true.
        """
        return math.ceil(self.patience)


def _check(name, found, expected, fits):
    if not fits:  # NaN fits no comparison, so it is refused with the rest
        raise SettingsError("{}: found {}; expected {}".format(name, found, expected))
