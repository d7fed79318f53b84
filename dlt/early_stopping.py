"""Early stopping: how long to go on without a better result on the validation set.

`Patience` is the page's rule, applied to the history of validations (`dlt.HistoryRow`).
Iterations are the page's ``iter``: minibatch updates, numbered from 0. (The page's comment says
"examples", but its code counts minibatches.)

Source: page "Getting Started", section "Early-Stopping".
"""

from __future__ import annotations

import collections
import math
import numbers
import sys
from typing import Any, Sequence

from dlt.checks import one_of
from dlt.errors import SettingsError

#: The largest initial patience, in minibatch updates.
MOST_PATIENCE = 1e15


class Patience(
    collections.namedtuple(
        "Patience",
        "patience patience_increase improvement_threshold improvement_test alpha",
    )
):
    """The page's patience, which grows with success.

    Training makes at least `patience` minibatch updates. Whenever the validation error improves
    clearly on the best one so far, patience rises to `patience_increase` times the updates made
    so far.

    Parameters
    ----------
    patience : int
        2 to 1e15: the first validation must come before patience can run out.
    patience_increase : float
        1 to 1e6.
    improvement_threshold : float
        In (0, 1]. The page's test: an improvement is clear if the error is below this times the
        best one.
    improvement_test : {"threshold", "mcnemar"}
        With "mcnemar", an improvement is clear if the exact McNemar test (`dlt.mcnemar`) on the
        validation set finds the model better than the best one; the threshold is not used.
    alpha : float
        In (0, 1). The largest p-value that counts as clear.

    Raises
    ------
    SettingsError
        A value is out of range.

    Examples
    --------
    >>> from dlt import History, HistoryRow
    >>> rule = Patience(patience=10)
    >>> rule.validation_frequency(n_train_batches=100)
    5
    >>> history = History()
    >>> for iteration, error in [(4, 0.5), (9, 0.4)]:
    ...     patience = rule.extended(history, iteration, error)
    ...     row = HistoryRow(iteration + 1, 1, 0.7, error, patience, 0.1)
    ...     history = history.with_row(row)
    >>> [row.patience for row in history]
    [10.0, 18.0]
    >>> rule.is_exhausted(history, 17), rule.is_exhausted(history, 18)
    (False, True)
    """

    __slots__ = ()

    def __new__(
        cls,
        patience: int = 5000,
        patience_increase: float = 2,
        improvement_threshold: float = 0.995,
        improvement_test: str = "threshold",
        alpha: float = 0.05,
    ) -> Patience:
        _check("patience", patience, "from 2 to 1e15 minibatch updates", 2, MOST_PATIENCE)
        _check("patience_increase", patience_increase, "a number from 1 to 1e6", 1, 1e6)
        expected = "a number above 0, and at most 1"
        _check("improvement_threshold", improvement_threshold, expected, sys.float_info.min, 1)
        one_of("improvement_test", improvement_test, ("threshold", "mcnemar"))
        least, most = sys.float_info.min, 1 - sys.float_info.epsilon
        _check("alpha", alpha, "a number above 0 and below 1, such as 0.05", least, most)
        values = (patience, patience_increase, improvement_threshold, improvement_test, alpha)
        # JSON can hold Python's numbers, but not numpy's
        return super().__new__(cls, *(n.item() if hasattr(n, "item") else n for n in values))

    def settings(self) -> dict[str, Any]:
        """Return the fields that the rule uses, by name."""
        unused = ["improvement_test", "alpha"]
        if self.improvement_test != "threshold":
            unused = ["improvement_threshold"]
        return {name: value for name, value in self._asdict().items() if name not in unused}

    def validation_frequency(self, n_train_batches: int) -> int:
        """Return the number of minibatch updates from one validation to the next.

        Validations come once an epoch, but at least twice within the initial patience.
        """
        return int(min(n_train_batches, self.patience // 2))

    def limit(self, history: Sequence[Any]) -> float:
        """Return the iteration at which patience runs out after the validations in `history`."""
        return history[-1].patience if history else self.patience

    def extended(
        self,
        history: Any,
        iteration: int,
        validation_error: float,
        p_value: Any = None,
    ) -> float:
        """Return the iteration at which patience runs out after one more validation.

        Parameters
        ----------
        history : History
            The validations before.
        iteration : int
        validation_error : float
            Less is better; NaN never counts as better.
        p_value : callable, optional
            Returns the p-value of McNemar's test of the model and the best one so far.
        """
        lowest = history.best.validation_error if history else math.inf
        if self.improvement_test == "threshold":
            is_clear = validation_error < lowest * self.improvement_threshold
        else:
            is_clear = validation_error < lowest and (not history or p_value() <= self.alpha)
        if is_clear:
            return max(self.limit(history), iteration * self.patience_increase)
        return self.limit(history)

    def is_exhausted(self, history: Sequence[Any], iteration: int) -> bool:
        """Return whether training stops after `iteration` (the page's ``patience <= iter``)."""
        return self.limit(history) <= iteration

    def last_iteration(self, history: Sequence[Any]) -> int:
        """Return the first iteration for which `is_exhausted` is true."""
        return math.ceil(self.limit(history))


def _check(name, found, expected, low, high):
    # NaN fails every comparison, so it is refused too
    if not isinstance(found, numbers.Real) or not low <= found <= high:
        raise SettingsError(name, found, expected)
