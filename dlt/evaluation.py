"""Testing: count a model's errors on a data set.

Errors are counted as whole numbers by the compiled function and divided here, so the
same count prints as the same digits on every engine and in every floatX.

Source: page "Getting Started", sections "Zero-One Loss" and "Testing".
"""

import numpy as np

from dlt.engine import T, index_loop, substitute, theano
from dlt.errors import SettingsError
from dlt.score import Score
from dlt.shared import as_data_set, n_minibatches

# Examples evaluated at once: the result does not depend on it, time and memory do. A set that
# fits is used where it lies; of a larger one, each chunk is copied first, at twice the time.
_CHUNK = 10000


def error_counter(x, y, errors, data_set, batch_size=1, drop_last=False):
    """Compile a function that adds up the errors on a data set.

    Parameters
    ----------
    x, y : Theano variables
        The symbolic inputs and labels.
    errors : Theano vector or scalar
        An expression of `x` and `y`: the error of each example (`dlt.zero_one_loss`), or the
        mean over a minibatch, as the page's ``classifier.errors(y)``.
    data_set : DataSet or (shared_x, y)
        As `dlt.shared_dataset` gives it.
    batch_size : int
        Size of a minibatch.
    drop_last : bool
        False: every example counts. True: whole minibatches only, as in the page's
        script, which tests on 9600 of 10000 examples at a batch size of 600.

    Returns
    -------
    callable
        Takes nothing, returns a `Score` for the parameters as they are then. Its errors are an
        int where `errors` is a vector of integers or truth values.

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
        raise SettingsError(
            "errors",
            f"rank {errors.ndim}",
            "a vector, one value for each example, or a scalar, their mean",
        )
    data_set = as_data_set("data_set", data_set)
    n = data_set.n_examples
    if drop_last:
        n = n_minibatches(n, batch_size) * batch_size
    of_each = errors.ndim == 1
    chunk = min(n, max(batch_size, _CHUNK) if of_each else batch_size)

    def total(n_rows, givens):
        (found,) = substitute([T.sum(errors) if of_each else errors * n_rows], givens)
        return found

    def of_chunk(index):
        return [total(chunk, data_set.givens(x, y, index, chunk))]

    of_chunks, (n_chunks, n_left) = index_loop(of_chunk), divmod(n, chunk)
    rest = {
        symbol: T.cast(data[n - n_left : n], symbol.dtype) for symbol, data in zip((x, y), data_set)
    }
    of_rest = theano.function([], total(n_left, rest)) if n_left else lambda: np.int64(0)
    return lambda: Score(sum(of_chunks(range(n_chunks)).tolist(), of_rest().item()), n)
