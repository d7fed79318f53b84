"""Testing: count a model's errors on a data set.

Errors are counted as whole numbers by the compiled function and divided here, so the
same count prints as the same digits on every engine and in every floatX.

Source: page "Getting Started", sections "Zero-One Loss" and "Testing".
"""

import collections

from dlt.engine import index_loop, substitute, theano
from dlt.losses import zero_one_loss
from dlt.shared import minibatch_givens, n_examples, n_minibatches

# Examples evaluated at once: the result does not depend on it, time and memory do. A set that
# fits is used where it lies; of a larger one, each chunk is copied first, at twice the time.
_CHUNK = 10000


class Score(collections.namedtuple("Score", "n_errors n_examples")):
    """A number of errors in a number of examples.

    Examples
    --------
    >>> score = Score(720, 9600)
    >>> score.fraction, str(score)
    (0.075, '7.500000 %')
    """

    __slots__ = ()

    @property
    def fraction(self):
        """Misclassified part of the examples, 0..1."""
        return self.n_errors / self.n_examples

    def __str__(self):
        return "{:f} %".format(100.0 * self.n_errors / self.n_examples)


def error_counter(x, y, p_y_given_x, data_set, batch_size=1, drop_last=False):
    """Compile a function that counts the errors on a data set.

    Parameters
    ----------
    x, y : Theano variables
        The symbolic inputs and labels.
    p_y_given_x : Theano matrix, shape (B, L)
        The model's probabilities, an expression of `x`.
    data_set : (shared_x, y)
        As `dlt.shared_dataset` gives it.
    batch_size : int
        Size of a minibatch.
    drop_last : bool
        False: every example counts. True: whole minibatches only, as in the page's
        script, which tests on 9600 of 10000 examples at a batch size of 600.

    Returns
    -------
    callable
        Takes nothing, returns a `Score` for the parameters as they are then.

    Raises
    ------
    SettingsError
        With `drop_last`, `batch_size` is larger than the set.

    Examples
    --------
    >>> from dlt import LogisticRegression, T, shared_dataset
    >>> x, y = T.matrix("x"), T.ivector("y")
    >>> model = LogisticRegression(x, n_in=1, n_out=2)  # all weights 0: predicts label 0
    >>> data_set = shared_dataset(([[0.1], [0.2], [0.3]], [0, 1, 0]))
    >>> error_counter(x, y, model.p_y_given_x, data_set)()
    Score(n_errors=1, n_examples=3)
    """
    shared_x, shared_y = data_set
    n = n_examples(shared_x)
    if drop_last:
        n = n_minibatches(n, batch_size) * batch_size
    errors = zero_one_loss(p_y_given_x, y, reduction="sum")
    chunk = min(n, max(batch_size, _CHUNK))

    def of_chunk(index):
        return substitute([errors], minibatch_givens(x, y, data_set, index, chunk))

    of_chunks, n_chunks = index_loop(of_chunk), n // chunk
    rest = slice(n_chunks * chunk, n)
    left_over = {x: shared_x[rest], y: shared_y[rest]}
    of_rest = theano.function([], errors, givens=left_over) if n % chunk else lambda: 0
    return lambda: Score(int(of_chunks(range(n_chunks)).sum()) + int(of_rest()), n)
