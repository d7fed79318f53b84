r"""Losses: the zero-one loss and its differentiable surrogate, the negative log-likelihood.

Source: page "Getting Started", section "Learning a Classifier".
"""

from __future__ import annotations

from dlt.checks import one_of
from dlt.engine import T, log_probability, theano
from dlt.errors import SettingsError


def negative_log_likelihood(p_y_given_x, y, reduction: str = "sum"):
    r"""Return the negative log-likelihood of the right labels, in nats.

    .. math:: NLL(\theta, D) = -\sum_{i=0}^{|D|-1} \log P(Y = y^{(i)} | x^{(i)}, \theta)

    Parameters
    ----------
    p_y_given_x : Theano matrix, floatX, shape (B, L)
        Probabilities. The logarithm of a softmax is computed from its scores, so that the loss
        and its gradient are finite and correct even for scores of +-10000.
    y : Theano vector, integer, shape (B,)
        Right labels, 0..L-1.
    reduction : {"sum", "mean", "none"}
        The sum over the B examples (the page's definition), their mean (what its training
        script minimizes), or the vector of shape (B,). A suitable learning rate depends on it.

    Returns
    -------
    Theano scalar or vector, floatX

    Examples
    --------
    >>> import numpy as np
    >>> p_y_given_x, y = T.matrix("p_y_given_x"), T.ivector("y")
    >>> NLL = theano.function([p_y_given_x, y], negative_log_likelihood(p_y_given_x, y))
    >>> p = np.asarray([[0.5, 0.5], [0.75, 0.25]], dtype=theano.config.floatX)
    >>> print("%.4f" % NLL(p, np.asarray([0, 1], dtype="int32")))  # log 2 + log 4
    2.0794

    Source: section "Negative Log-Likelihood Loss".
    """
    p_y_given_x, y = _checked(p_y_given_x, y)
    log_p = log_probability(p_y_given_x)  # (B, L)
    # Two index vectors [0, 1, ..., B-1] and [y[0], y[1], ...] pick one entry a row:
    # [log_p[0, y[0]], log_p[1, y[1]], ..., log_p[B-1, y[B-1]]]
    return _reduce(-log_p[T.arange(y.shape[0]), y], reduction)


def zero_one_loss(p_y_given_x, y, reduction: str = "sum"):
    r"""Return the number of examples whose most probable label is wrong.

    .. math:: \ell_{0,1} = \sum_{i=0}^{|D|-1} I_{f(x^{(i)}) \ne y^{(i)}},
       \quad f(x) = \arg\max_k P(Y = k | x, \theta)

    This loss has no useful gradient: minimize the negative log-likelihood instead.

    Parameters
    ----------
    p_y_given_x : Theano matrix, floatX, shape (B, L)
        Probabilities, or any scores in the same order.
    y : Theano vector, integer, shape (B,)
        Right labels, 0..L-1.
    reduction : {"sum", "mean", "none"}
        An integer count, the fraction (floatX), or the vector of 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> p_y_given_x, y = T.matrix("p_y_given_x"), T.ivector("y")
    >>> errors = theano.function([p_y_given_x, y], zero_one_loss(p_y_given_x, y))
    >>> p = np.asarray([[0.6, 0.4], [0.3, 0.7]], dtype=theano.config.floatX)
    >>> int(errors(p, np.asarray([0, 0], dtype="int32")))
    1

    Source: section "Zero-One Loss". The page leaves out ``axis=1``, which makes ``argmax`` a
    position in the whole matrix.
    """
    p_y_given_x, y = _checked(p_y_given_x, y)
    wrong = T.cast(T.neq(T.argmax(p_y_given_x, axis=1), y), "int64")  # (B,)
    if reduction == "mean":
        wrong = T.cast(wrong, theano.config.floatX)
    return _reduce(wrong, reduction)


def _checked(p_y_given_x, y):
    """Return both as symbolic variables, after checking their ranks and the dtype of y."""
    p_y_given_x, y = T.as_tensor_variable(p_y_given_x), T.as_tensor_variable(y)
    if p_y_given_x.ndim != 2:
        expected = "rank 2, one row of probabilities for each example"
        raise SettingsError("p_y_given_x", f"rank {p_y_given_x.ndim}", expected)
    if y.ndim != 1:
        remedy = "one-hot rows? use y.argmax(axis=1)"
        raise SettingsError("y", f"rank {y.ndim}", "rank 1 (class numbers)", remedy)
    if "int" not in y.dtype:
        raise SettingsError("y", f"dtype {y.dtype}", "integers", "use T.cast(y, 'int32')")
    return p_y_given_x, y


def _reduce(losses, reduction):
    one_of("reduction", reduction, ("sum", "mean", "none"))
    if reduction == "none":
        return losses
    return T.sum(losses) if reduction == "sum" else T.mean(losses)
