"""Early stopping: how long to go on without a better result on the validation set.

The page's rule is a *patience* that grows with success. Training goes on for at
least ``patience`` minibatch updates. Whenever the validation loss falls clearly
below the best one so far (to less than ``improvement_threshold`` times it), patience
is raised to ``patience_increase`` times the updates made up to then.

`Patience` is that rule: three numbers, and functions of the history of validations, which tells
how patience stands (`dlt.HistoryRow`). Iterations are the page's ``iter``: minibatch updates
numbered from 0 (the page's comment says "examples", its code counts minibatches).

Source: page "Getting Started", section "Early-Stopping".
"""

import collections
import math
import numbers
import sys

from dlt.errors import SettingsError

#: The largest patience to begin with, in minibatch updates.
MOST_PATIENCE = 1e15


class Patience(
    collections.namedtuple("Patience", "patience patience_increase improvement_threshold")
):
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
        An improvement is clear if the error is below this times the best one. In (0, 1].

    Raises
    ------
    SettingsError
        A value outside the ranges above.

    Examples
    --------
    >>> from dlt import HistoryRow
    >>> rule = Patience(patience=10)
    >>> rule.validation_frequency(n_train_batches=100)
    5
    >>> history = []
    >>> for iteration, error in [(4, 0.5), (9, 0.4)]:
    ...     patience = rule.extended(history, iteration, error)
    ...     history.append(HistoryRow(iteration + 1, 1, 0.7, error, patience, 0.1))
    >>> [row.patience for row in history]
    [10, 18]
    >>> rule.is_exhausted(history, 17), rule.is_exhausted(history, 18)
    (False, True)
    """

    __slots__ = ()

    def __new__(cls, patience=5000, patience_increase=2, improvement_threshold=0.995):
        _check("patience", patience, "from 2 to 1e15 minibatch updates", 2, MOST_PATIENCE)
        _check("patience_increase", patience_increase, "a number from 1 to 1e6", 1, 1e6)
        expected = "a number above 0, and at most 1"
        _check("improvement_threshold", improvement_threshold, expected, sys.float_info.min, 1)
        values = (patience, patience_increase, improvement_threshold)
        # numpy's numbers become Python's, which JSON can hold
        return super().__new__(cls, *(getattr(n, "item", lambda n=n: n)() for n in values))

    def validation_frequency(self, n_train_batches):
        """Return the number of minibatch updates from one validation to the next.

        Once an epoch, but at least twice within the initial patience.

        Parameters
        ----------
        n_train_batches : int
            Minibatches in an epoch.

        Returns
        -------
        int
            ``min(n_train_batches, patience // 2)``.
        """
        return int(min(n_train_batches, self.patience // 2))

    def limit(self, history):
        """Return the iteration at which patience runs out, as it stands after `history`."""
        return history[-1].patience if history else self.patience

    def extended(self, history, iteration, validation_error):
        """Return the iteration at which patience runs out after one more validation.

        Parameters
        ----------
        history : sequence of HistoryRow
            The validations before.
        iteration : int
            The page's ``iter``: 0 for the first minibatch update.
        validation_error : float
            0 or more, less is better; NaN never counts as better.

        Returns
        -------
        float
        """
        best = min((row.validation_error for row in history), default=math.inf)
        if validation_error < best * self.improvement_threshold:
            return max(self.limit(history), iteration * self.patience_increase)
        return self.limit(history)

    def is_exhausted(self, history, iteration):
        """Return whether training stops after `iteration` (the page's ``patience <= iter``)."""
        return self.limit(history) <= iteration

    def last_iteration(self, history):
        """Return the first iteration for which `is_exhausted` is true."""
        return math.ceil(self.limit(history))


def best_row(history):
    """Return the row with the lowest validation error, the first of several; None for no row.

    Parameters
    ----------
    history : sequence of HistoryRow

    Examples
    --------
    >>> best_row([]) is None
    True
    """
    return min(history, key=lambda row: row.validation_error, default=None)


def _check(name, found, expected, low, high):
    # NaN fits no comparison, so it is refused with the rest
    if not isinstance(found, numbers.Real) or not low <= found <= high:
        raise SettingsError(name, found, expected)
