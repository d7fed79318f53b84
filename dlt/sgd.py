r"""Gradient descent, the page's three ways: the whole set, one example, or one minibatch a step.

Each function here compiles one *step*: a call moves every parameter by
``-learning_rate`` times the gradient of the loss and returns the loss as it was
before the move. Nothing here knows a model: any symbolic scalar and any shared
variables will do.

========================================  =================  ==========================
function                                  a step is called   examples a step looks at
========================================  =================  ==========================
`gradient_descent`                        ``step()``         all
`stochastic_gradient_descent`             ``step(i)``        number i
`minibatch_gradient_descent`              ``step(index)``    minibatch number index
`minibatch_step`                          ``MSGD(x, y)``     the ones it is given
`minibatch_stretch`                       ``run(first, n)``  n minibatches, one after another
========================================  =================  ==========================

Source: page "Getting Started", section "Stochastic Gradient Descent".
"""

import functools

import numpy as np

from dlt.checks import positive_in
from dlt.engine import (
    T,
    as_scalar,
    index_loop,
    row_window,
    shared_resident,
    substitute,
    theano,
)
from dlt.errors import SettingsError
from dlt.order import permuted
from dlt.shared import as_data_set, n_minibatches


def gradient_updates(loss, params, learning_rate):
    r"""Build the update pairs of one step, one pair for each parameter.

    .. math:: \theta \leftarrow \theta - \epsilon \, \partial loss / \partial \theta

    Parameters
    ----------
    loss : Theano scalar
    params : sequence of shared variables
        Each must take part in `loss`.
    learning_rate : float or Theano scalar
        The step size, positive. A shared variable can be changed between steps.

    Returns
    -------
    list of (shared variable, Theano expression)
        Expressions have the dtype of their parameter.

    Raises
    ------
    SettingsError
        The learning rate is not a positive finite number, the loss is no scalar, or a
        parameter is not a shared variable or has no part in the loss.

    Examples
    --------
    >>> import numpy
    >>> W = theano.shared(numpy.asarray(3.0), name="W")
    >>> step = theano.function([], updates=gradient_updates(W**2, [W], 0.25))
    >>> _ = step()
    >>> float(W.get_value())  # 3 - 0.25 * 6
    1.5

    Source: page "Getting Started", section "Stochastic Gradient Descent"; the page's own
    line takes the list of parameters for one variable.
    """
    check_learning_rate(learning_rate)
    gradients = _gradients(loss, params)
    return [
        (param, param - as_scalar(learning_rate, param.dtype) * T.cast(gradient, param.dtype))
        for param, gradient in zip(params, gradients)
    ]


def gradient_descent(loss, params, learning_rate, x, y, train_set):
    """Compile ordinary gradient descent: every step looks at the whole training set.

    Parameters
    ----------
    loss, params, learning_rate
        See `gradient_updates`; `loss` is an expression of `x` and `y`.
    x, y : Theano variables
        The symbolic inputs and labels.
    train_set : (shared_x, y)
        As `dlt.shared_dataset` gives it.

    Returns
    -------
    callable
        ``step()`` returns the loss before the step.

    Examples
    --------
    >>> from dlt import LogisticRegression, negative_log_likelihood, shared_dataset
    >>> x, y = T.matrix("x"), T.ivector("y")
    >>> model = LogisticRegression(x, n_in=2, n_out=2)
    >>> NLL = negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    >>> train_set = shared_dataset(([[0.0, 0.9], [0.9, 0.0]], [0, 1]))
    >>> step = gradient_descent(NLL, model.params, 1.0, x, y, train_set)
    >>> losses = [float(step()) for _ in range(20)]
    >>> losses[-1] < losses[0]
    True
    """
    updates = gradient_updates(loss, params, learning_rate)
    givens = dict(zip((x, y), train_set))
    return theano.function([], loss, updates=updates, givens=givens)


def stochastic_gradient_descent(loss, params, learning_rate, x, y, train_set):
    """Compile SGD with one example in each step.

    Parameters
    ----------
    loss, params, learning_rate, x, y, train_set
        See `gradient_descent`.

    Returns
    -------
    callable
        ``step(i)``, i in 0..N-1, returns the loss of example i before the step.

    Examples
    --------
    >>> from dlt import LogisticRegression, negative_log_likelihood, shared_dataset
    >>> x, y = T.matrix("x"), T.ivector("y")
    >>> model = LogisticRegression(x, n_in=2, n_out=2)
    >>> NLL = negative_log_likelihood(model.p_y_given_x, y)
    >>> train_set = shared_dataset(([[0.0, 0.9], [0.9, 0.0]], [0, 1]))
    >>> step = stochastic_gradient_descent(NLL, model.params, 0.5, x, y, train_set)
    >>> losses = [float(step(i)) for i in (0, 1, 0, 1)]
    >>> print("%.4f" % losses[0])  # all weights are 0: log 2
    0.6931
    """
    return minibatch_gradient_descent(loss, params, learning_rate, x, y, train_set, batch_size=1)


def minibatch_gradient_descent(loss, params, learning_rate, x, y, train_set, batch_size):
    """Compile minibatch SGD over shared variables: only the index is sent.

    Parameters
    ----------
    loss, params, learning_rate, x, y, train_set
        See `gradient_descent`.
    batch_size : int
        Examples in a minibatch, 1..N.

    Returns
    -------
    callable
        ``step(index)``, index in 0..N // batch_size - 1, returns the loss of that
        minibatch before the step.

    Raises
    ------
    SettingsError
        See `gradient_updates`; or `batch_size` does not fit the set.

    Examples
    --------
    >>> from dlt import LogisticRegression, negative_log_likelihood, shared_dataset
    >>> x, y = T.matrix("x"), T.ivector("y")
    >>> model = LogisticRegression(x, n_in=1, n_out=2)
    >>> NLL = negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    >>> train_set = shared_dataset(([[0.0], [0.9], [0.1], [0.8]], [0, 1, 0, 1]))
    >>> step = minibatch_gradient_descent(NLL, model.params, 1.0, x, y, train_set, batch_size=2)
    >>> print("%.4f" % step(0))
    0.6931
    """
    train_set = as_data_set("train_set", train_set)
    n_minibatches(train_set.n_examples, batch_size)  # refuses a size that does not fit
    index = T.lscalar("index")
    givens = train_set.givens(x, y, index, batch_size)
    updates = gradient_updates(loss, params, learning_rate)
    return theano.function([index], loss, updates=updates, givens=givens)


def minibatch_step(loss, params, learning_rate, inputs):
    """Compile the page's ``MSGD``: every step looks at the arrays it is given.

    Parameters
    ----------
    loss, params, learning_rate
        See `gradient_updates`.
    inputs : list of Theano variables
        What `loss` is an expression of, usually ``[x, y]``.

    Returns
    -------
    callable
        ``MSGD(x_batch, y_batch)`` returns the loss before the step. Batches of
        different sizes are fine; the JAX linker compiles once for each size.

    Examples
    --------
    >>> import numpy
    >>> from dlt import LogisticRegression, negative_log_likelihood
    >>> x, y = T.matrix("x"), T.ivector("y")
    >>> model = LogisticRegression(x, n_in=1, n_out=2)
    >>> NLL = negative_log_likelihood(model.p_y_given_x, y)
    >>> MSGD = minibatch_step(NLL, model.params, 0.1, [x, y])
    >>> x_batch = numpy.asarray([[0.2], [0.7]], dtype=theano.config.floatX)
    >>> print("%.4f" % MSGD(x_batch, numpy.asarray([0, 1], dtype="int32")))  # 2 log 2
    1.3863
    """
    return theano.function(inputs, loss, updates=gradient_updates(loss, params, learning_rate))


def minibatch_stretch(loss, updates, x, y, train_set, batch_size):
    """Compile many steps of minibatch SGD into one call.

    The updates, their order and the losses do not depend on how a run is cut into calls. The loop
    over the minibatches runs inside the compiled function where that is faster
    (`dlt.engine.index_loop`).

    Parameters
    ----------
    loss : Theano scalar
        An expression of `x` and `y`.
    updates : list of (shared variable, Theano expression), or dict
        What every minibatch changes, as in ``theano.function(..., updates=updates)``; see
        `gradient_updates`.
    x, y, train_set, batch_size
        See `minibatch_gradient_descent`.

    Returns
    -------
    callable
        ``run(first, n, order=None)`` makes n updates, beginning with update number `first` (from
        0) and going round the training set, in turn or in an order such as `dlt.Shuffled`. It
        returns their n losses, each from before its update. It compiles when it is first called,
        once for each of the two; ``n=0`` does nothing else.

    Raises
    ------
    SettingsError
        An update that is none, or `batch_size` does not fit the set.

    Examples
    --------
    >>> from dlt import LogisticRegression, negative_log_likelihood, shared_dataset
    >>> x, y = T.matrix("x"), T.ivector("y")
    >>> model = LogisticRegression(x, n_in=1, n_out=2)
    >>> NLL = negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    >>> updates = gradient_updates(NLL, model.params, 1.0)
    >>> train_set = shared_dataset(([[0.0], [0.9], [0.1], [0.8]], [0, 1, 0, 1]))
    >>> run = minibatch_stretch(NLL, updates, x, y, train_set, batch_size=2)
    >>> losses = run(first=0, n=3)
    >>> print("%d losses, %.4f first" % (len(losses), losses[0]))
    3 losses, 0.6931 first
    """
    _check_loss(loss)
    train_set = as_data_set("train_set", train_set)
    n_train_batches = n_minibatches(train_set.n_examples, batch_size)
    variables, after = zip(*update_pairs(updates))
    rows = shared_resident(np.arange(train_set.n_examples, dtype="int32"), name="rows")

    @functools.lru_cache(maxsize=None)
    def loop(in_turn):
        def one_update(index, *values):
            if in_turn:
                given = train_set.givens(x, y, index, batch_size)
            else:
                window = row_window(rows, index * batch_size, batch_size)
                given = train_set.givens_of_rows(x, y, window)
            given.update((v, value) for v, value in zip(variables, values) if value is not v)
            return substitute([*after, loss], given)

        return index_loop(one_update, variables)

    def run(first, n, order=None):
        run_indices, losses = loop(order is None), [np.empty(0)]
        epochs, indices = np.divmod(np.arange(first, first + n), n_train_batches)
        if order is None:
            return run_indices(indices) if n else losses[0]
        for epoch in np.unique(epochs).tolist():
            rows.set_value(permuted(order, epoch, train_set.n_examples), borrow=True)
            losses.append(run_indices(indices[epochs == epoch]))
        return np.concatenate(losses)

    return run


def update_pairs(updates):
    """Check updates, and return them as pairs whose expressions have their variable's dtype.

    Parameters
    ----------
    updates : list of (shared variable, Theano expression), or dict

    Returns
    -------
    list of (shared variable, Theano expression)

    Raises
    ------
    SettingsError
        There are none, one is no such pair, or a variable is updated twice.

    Examples
    --------
    >>> counter = theano.shared(np.asarray(0, dtype="int64"), name="counter")
    >>> ((variable, expression),) = update_pairs({counter: counter + 1.0})
    >>> expression.dtype
    'int64'
    """
    pairs = []
    for pair in updates.items() if hasattr(updates, "items") else updates:
        try:
            variable, expression = pair
            fits, expression = hasattr(variable, "set_value"), T.as_tensor_variable(expression)
        except (TypeError, ValueError, NotImplementedError):
            fits = False
        if not fits:
            raise SettingsError(
                "updates",
                str(pair)[:80],
                "pairs of a shared variable and the expression of its next value",
            )
        if expression.ndim != variable.ndim:
            raise SettingsError(
                "updates",
                f"rank {expression.ndim} for {variable.name}",
                f"rank {variable.ndim}, as it has",
            )
        pairs.append((variable, T.cast(expression, variable.dtype)))
    twice = {str(v.name) for i, (v, _) in enumerate(pairs) if v in [u for u, _ in pairs[:i]]}
    if twice or not pairs:
        found = f"{', '.join(sorted(twice))} twice" if twice else "none"
        raise SettingsError("updates", found, "each shared variable once")
    return pairs


def check_learning_rate(learning_rate):
    """Refuse a number that is no step size in floatX; symbolic learning rates pass.

    Examples
    --------
    >>> check_learning_rate(0.13)
    >>> check_learning_rate(0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    dlt.errors.SettingsError: learning_rate: found 0; expected a finite number above 0 in ...
    """
    positive_in("learning_rate", learning_rate, theano.config.floatX, example=", such as 0.13")


def _check_loss(loss):
    if loss.ndim != 0:
        raise SettingsError(
            "loss", f"rank {loss.ndim}", "one number", "choose a reduction, or take T.mean(loss)"
        )


def _gradients(loss, params):
    """Differentiate `loss` by each parameter, with a clear word on what cannot be."""
    if not isinstance(params, (list, tuple)):
        raise SettingsError("params", type(params).__name__, "a list of shared variables")
    _check_loss(loss)
    for param in params:
        if not hasattr(param, "set_value"):
            raise SettingsError(
                "params",
                f"{param}, which is not a shared variable",
                "shared variables made with theano.shared",
            )
    try:
        return T.grad(loss, list(params))
    except theano.gradient.DisconnectedInputError as error:
        raise SettingsError(
            "params",
            "a parameter that has no part in the loss",
            f"each of {[param.name for param in params]} to take part",
        ) from error
