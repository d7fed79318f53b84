"""Score: how many errors in how many examples.

Source: page "Getting Started", section "Testing".
"""

import collections


class Score(collections.namedtuple("Score", "n_errors n_examples")):
    """A number of errors in a number of examples.

    Fields
    ------
    n_errors : int or float
        Examples that count as errors; a float where errors are not counted but measured.
    n_examples : int

    Examples
    --------
    >>> score = Score(720, 9600)
    >>> score.fraction, str(score), str(Score(3.0, 4))
    (0.075, '7.500000 %', '0.750000')
    """

    __slots__ = ()

    @property
    def fraction(self):
        """Errors for each example, 0..1 where they are counted."""
        return self.n_errors / self.n_examples

    def __str__(self):
        if isinstance(self.n_errors, int):
            return f"{100.0 * self.n_errors / self.n_examples:f} %"
        return f"{self.fraction:f}"
