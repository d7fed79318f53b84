"""Score: a number of errors in a number of examples.

Source: page "Getting Started", section "Testing".
"""

from __future__ import annotations

from typing import NamedTuple


class Score(NamedTuple):
    """The number of errors that a model makes, and the number of examples.

    Fields
    ------
    n_errors : int or float
        Examples that count as errors; a float if errors are measured, not counted.
    n_examples : int

    Examples
    --------
    >>> score = Score(720, 9600)
    >>> score.fraction, str(score), str(Score(3.0, 4))
    (0.075, '7.500000 %', '0.750000')
    """

    n_errors: float
    n_examples: int

    @property
    def fraction(self) -> float:
        """Errors per example, 0..1 if they are counted."""
        return self.n_errors / self.n_examples

    def __str__(self) -> str:
        if isinstance(self.n_errors, int):
            return f"{100.0 * self.n_errors / self.n_examples:f} %"
        return f"{self.fraction:f}"
