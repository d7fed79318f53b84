"""Testing: count a model's errors on a data set.

Errors are counted as whole numbers and divided once, so that the same count prints the same
digits on every engine and in every floatX.

Source: page "Getting Started", sections "Zero-One Loss" and "Testing".
"""

import functools
import math

import numpy as np

from dlt.engine import Compiled, T, index_loop, substitute, theano, turns
from dlt.errors import SettingsError
from dlt.score import Score
from dlt.shared import as_data_set, n_minibatches

# Most examples to evaluate at once. Reading a larger set in pieces copies each piece first, which
# takes twice the time.
_CHUNK = 10000
_CHUNK_BYTES = 1 << 26


def constant_score(y: np.ndarray) -> Score:
    """Return the score of a model that always answers with the most frequent label.

    Examples
    --------
    >>> constant_score(np.asarray([0, 2, 2, 2]))
    Score(n_errors=1, n_examples=4)
    """
    return Score(len(y) - int(np.unique(y, return_counts=True)[1].max()), len(y))


def error_counter(x, y, errors, data_set, batch_size=1, drop_last=False):
    """Compile a function that adds up the errors on a data set.

    Parameters
    ----------
    x, y : Theano variables
        The symbolic inputs and labels.
    errors : Theano vector or scalar
        An expression of `x` and `y`: the error of each example (`dlt.zero_one_loss`), or the
        mean over a minibatch, as the page's ``classifier.errors(y)``.
    data_set : DataSet, ChunkedDataSet or (shared_x, y)
    batch_size : int
        Examples in a minibatch.
    drop_last : bool
        False: every example counts. True: whole minibatches only, as in the page's script, which
        tests on 9600 of 10000 examples at a batch size of 600.

    Returns
    -------
    callable
        It takes no arguments and returns a `Score` for the present parameters. Its errors are an
        int if `errors` is a vector of integers or truth values. If `errors` is a vector, calling
        the attribute ``each`` returns the error of every example instead, shape (N,). Threads may
        share the callable.

    Raises
    ------
    SettingsError
        `errors` is neither a vector nor a scalar; or, with `drop_last`, `batch_size` is larger
        than the set.

    Examples
    --------
    >>> from dlt import LogisticRegression, T, shared_dataset, zero_one_loss
    >>> x, y = T.matrix("x"), T.ivector("y")
    >>> model = LogisticRegression(x, n_in=1, n_out=2)  # all weights 0: predicts label 0
    >>> errors = zero_one_loss(model.p_y_given_x, y, reduction="none")
    >>> data_set = shared_dataset(([[0.1], [0.2], [0.3]], [0, 1, 0]))
    >>> error_counter(x, y, errors, data_set)()
    Score(n_errors=1, n_examples=3)
    """
    if errors.ndim > 1:
        expected = "a vector, one value for each example, or a scalar, their mean"
        raise SettingsError("errors", f"rank {errors.ndim}", expected)
    data_set = as_data_set("data_set", data_set, x, y)
    n = data_set.n_examples
    if drop_last:
        n = n_minibatches(n, batch_size) * batch_size
    of_each = errors.ndim == 1
    row_bytes = np.dtype(theano.config.floatX).itemsize * math.prod(data_set.row_shape)
    most = max(batch_size, min(_CHUNK, _CHUNK_BYTES // row_bytes))
    chunk = min(n, most if of_each else batch_size)
    feed, n_whole, turn = data_set.feed(chunk, n), n - n % chunk, turns()
    passes = [(0, n_whole, chunk), (n_whole, n, n - n_whole)]
    passes = [(first, stop, size) for first, stop, size in passes if size]

    def pieces(should_stop):
        """Yield the size of pieces, and an array of the places where they start."""
        for first, stop, size in passes:
            for starts in feed.starts(first, stop, size, should_stop=should_stop):
                yield size, starts

    def adder(size):
        """Compile a function that adds up the errors in each of several pieces."""
        total = T.sum(errors) if of_each else errors * size
        return index_loop(lambda start: substitute([total], feed.givens(x, y, start, size)))

    adders = {size: adder(size) for _, _, size in passes}

    def score(should_stop=bool):
        with turn():
            found = [adders[size](starts) for size, starts in pieces(should_stop)]
        return Score(sum(np.concatenate(found).tolist()), n)

    @functools.lru_cache(maxsize=None)
    def lister(size):
        """Return a function that lists the errors in one piece."""
        start = T.lscalar("start")
        return Compiled([start], *substitute([errors], feed.givens(x, y, start, size)))

    def each(should_stop=bool):
        with turn():
            found = [lister(size)(k) for size, starts in pieces(should_stop) for k in starts]
        return np.concatenate(found)

    score.pause, score.each = feed.pause, each
    return score
