r"""Gradient descent, the page's three ways: the whole set, one example, or one minibatch a step.

Each function compiles a *step*. A call moves every parameter by ``-learning_rate`` times the
gradient of the loss, and returns the loss from before the move. The loss can be any symbolic
scalar, and the parameters any shared variables.

========================================  =================  ==========================
function                                  a step is called   examples in a step
========================================  =================  ==========================
`gradient_descent`                        ``step()``         all
`stochastic_gradient_descent`             ``step(i)``        number i
`minibatch_gradient_descent`              ``step(index)``    minibatch number index
`minibatch_step`                          ``MSGD(x, y)``     those in its arguments
`minibatch_stretch`                       ``run(first, n)``  n minibatches in turn
========================================  =================  ==========================

Source: page "Getting Started", section "Stochastic Gradient Descent".
"""

from __future__ import annotations

import functools

import numpy as np

from dlt.checks import positive_in
from dlt.engine import T, as_scalar, function, index_loop, substitute, theano
from dlt.errors import DataError, SettingsError
from dlt.shared import DataSet, as_data_set, minibatch, n_minibatches


def gradient_updates(loss, params, learning_rate):
    r"""Return the updates of one step, one pair for each parameter.

    .. math:: \theta \leftarrow \theta - \epsilon \, \partial loss / \partial \theta

    Parameters
    ----------
    loss : Theano scalar
    params : sequence of shared variables
    learning_rate : float or Theano scalar
        The step size, positive. A shared variable can be changed between steps.

    Returns
    -------
    list of (shared variable, Theano expression)

    Raises
    ------
    SettingsError
        The learning rate is not a positive finite number, the loss is not a scalar, or a
        parameter is not a shared variable or has no part in the loss.

    Examples
    --------
    >>> W = theano.shared(np.asarray(3.0), name="W")
    >>> step = theano.function([], updates=gradient_updates(W**2, [W], 0.25))
    >>> _ = step()
    >>> float(W.get_value())  # 3 - 0.25 * 6
    1.5
    """
    check_learning_rate(learning_rate)
    gradients = _gradients(loss, params)
    return [
        (param, param - as_scalar(learning_rate, param.dtype) * T.cast(gradient, param.dtype))
        for param, gradient in zip(params, gradients)
    ]


def gradient_descent(loss, params, learning_rate, x, y, train_set):
    """Compile ordinary gradient descent, whose every step uses the whole training set.

    Parameters
    ----------
    loss, params, learning_rate
        See `gradient_updates`; `loss` is an expression of `x` and `y`.
    x, y : Theano variables
        The symbolic inputs and labels.
    train_set : (shared_x, y)
        As `dlt.shared_dataset` returns it.

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
    >>> print("%.4f" % step())  # all weights are 0: log 2
    0.6931
    """
    updates = gradient_updates(loss, params, learning_rate)
    givens = dict(zip((x, y), _in_memory(train_set)))
    return function([], loss, updates=updates, givens=givens)


def stochastic_gradient_descent(loss, params, learning_rate, x, y, train_set):
    """Compile SGD with one example in each step.

    The parameters are those of `gradient_descent`. ``step(i)``, i in 0..N-1, returns the loss of
    example i before the step.
    """
    return minibatch_gradient_descent(loss, params, learning_rate, x, y, train_set, batch_size=1)


def minibatch_gradient_descent(loss, params, learning_rate, x, y, train_set, batch_size: int):
    """Compile minibatch SGD over shared variables: each call sends only an index.

    Parameters
    ----------
    loss, params, learning_rate, x, y, train_set
        See `gradient_descent`.
    batch_size : int
        Examples in a minibatch, 1..N.

    Returns
    -------
    callable
        ``step(index)``, index in 0..N // batch_size - 1, returns the loss of that minibatch
        before the step.
    """
    train_set = _in_memory(train_set)
    n_minibatches(train_set.n_examples, batch_size)  # refuses a size that does not fit
    index = T.lscalar("index")
    givens = {
        symbol: T.cast(minibatch(data, index, batch_size), symbol.dtype)
        for symbol, data in zip((x, y), train_set)
    }
    updates = gradient_updates(loss, params, learning_rate)
    return function([index], loss, updates=updates, givens=givens)


def minibatch_step(loss, params, learning_rate, inputs):
    """Compile the page's ``MSGD``, whose every step uses the arrays in its arguments.

    Parameters
    ----------
    loss, params, learning_rate
        See `gradient_updates`.
    inputs : list of Theano variables
        The variables of `loss`, usually ``[x, y]``.

    Returns
    -------
    callable
        ``MSGD(x_batch, y_batch)`` returns the loss before the step. The JAX linker compiles it
        again for each new batch size.
    """
    return function(inputs, loss, updates=gradient_updates(loss, params, learning_rate))


def minibatch_stretch(loss, updates, x, y, train_set, batch_size):
    """Compile many steps of minibatch SGD into one call.

    The updates and losses do not depend on how many steps each call makes.

    Parameters
    ----------
    loss : Theano scalar
        An expression of `x` and `y`.
    updates : list of (shared variable, Theano expression), or dict
        What every minibatch changes, as in ``theano.function(..., updates=updates)``; see
        `gradient_updates`.
    x, y : Theano variables
        The symbolic inputs and labels.
    train_set : DataSet or ChunkedDataSet
    batch_size : int
        Examples in a minibatch, 1..N.

    Returns
    -------
    callable
        ``run(first, n, order=None)`` makes n updates, starting with update number `first` (from
        0). It goes round the training set, in turn or in an order such as `dlt.Shuffled`, and
        returns the n losses, each from before its update. The first call compiles; ``n=0`` only
        compiles.

    Raises
    ------
    SettingsError
        An update is not a pair, or `batch_size` does not fit the set.

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
    train_set = as_data_set("train_set", train_set, x, y)
    n_train_batches = n_minibatches(train_set.n_examples, batch_size)
    variables, after = zip(*update_pairs(updates))
    feed = train_set.feed(batch_size, n_train_batches * batch_size)

    @functools.lru_cache(maxsize=None)
    def loop(in_turn):
        def one_update(start, *values):
            given = feed.givens(x, y, start, batch_size, in_turn)
            given.update((v, value) for v, value in zip(variables, values) if value is not v)
            return substitute([*after, loss], given)

        return index_loop(one_update, variables)

    def run(first, n, order=None, should_stop=bool):
        run_minibatches, losses, stop = loop(order is None), [], first + n
        while first < stop:
            epoch, index = divmod(first, n_train_batches)
            end = min(n_train_batches, index + stop - first)
            places = index * batch_size, end * batch_size, batch_size
            losses += map(run_minibatches, feed.starts(*places, order, epoch, should_stop))
            first += end - index
        return np.concatenate(losses) if losses else np.empty(0)

    run.pause = feed.pause
    return run


def update_pairs(updates):
    """Return updates as pairs, each expression in the dtype of its variable.

    Raises
    ------
    SettingsError
        There are none, one is not a pair of a shared variable and an expression, or a variable is
        updated twice.
    """
    pairs = []
    for pair in updates.items() if hasattr(updates, "items") else updates:
        try:
            variable, expression = pair
            fits, expression = hasattr(variable, "set_value"), T.as_tensor_variable(expression)
        except (TypeError, ValueError, NotImplementedError):
            fits = False
        if not fits:
            expected = "pairs of a shared variable and the expression of its next value"
            raise SettingsError("updates", str(pair)[:80], expected)
        if expression.ndim != variable.ndim:
            found = f"rank {expression.ndim} for {variable.name}"
            raise SettingsError("updates", found, f"rank {variable.ndim}, as it has")
        if variable in [before for before, _ in pairs]:
            raise SettingsError("updates", f"{variable.name} twice", "each shared variable once")
        pairs.append((variable, T.cast(expression, variable.dtype)))
    if not pairs:
        raise SettingsError("updates", "none", "each shared variable once")
    return pairs


def check_learning_rate(learning_rate):
    """Refuse a number that cannot be a step size in floatX. Symbolic rates are not checked."""
    positive_in("learning_rate", learning_rate, theano.config.floatX, example=", such as 0.13")


def _in_memory(train_set):
    train_set = as_data_set("train_set", train_set)
    if not isinstance(train_set, DataSet):
        remedy = "use dlt.minibatch_stretch or dlt.Trainer"
        raise DataError("train_set", "a data set in chunks", "one in memory", remedy)
    return train_set


def _check_loss(loss):
    if loss.ndim != 0:
        remedy = "choose a reduction, or take T.mean(loss)"
        raise SettingsError("loss", f"rank {loss.ndim}", "one number", remedy)


def _gradients(loss, params):
    """Return the gradient of the loss by each parameter."""
    if not isinstance(params, (list, tuple)):
        raise SettingsError("params", type(params).__name__, "a list of shared variables")
    _check_loss(loss)
    for param in params:
        if not hasattr(param, "set_value"):
            found = f"{param}, which is not a shared variable"
            raise SettingsError("params", found, "shared variables made with theano.shared")
    try:
        return T.grad(loss, list(params))
    except theano.gradient.DisconnectedInputError as error:
        expected = f"each of {[param.name for param in params]} to take part"
        found = "a parameter that has no part in the loss"
        raise SettingsError("params", found, expected) from error
