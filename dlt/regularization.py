r"""Regularization: penalties on the size of the parameters, added to the loss.

Source: page "Getting Started", section "Regularization", "L1 and L2 regularization".
"""

from __future__ import annotations

import numbers
from typing import Sequence

from dlt.checks import positive_in
from dlt.engine import T, as_scalar
from dlt.errors import SettingsError


def l1(params: Sequence):
    r"""Return the sum of absolute values in a list of parameters.

    This is :math:`\lVert\theta\rVert_1 = \sum_j |\theta_j|`.

    Examples
    --------
    >>> from dlt.engine import theano
    >>> float(theano.function([], l1([T.constant([3.0, -4.0])]))())
    7.0
    """
    return sum(T.sum(abs(param)) for param in _checked(params))


def l2_sqr(params: Sequence):
    r"""Return the sum of squares in a list of parameters.

    This is :math:`\lVert\theta\rVert_2^2 = \sum_j \theta_j^2`, the *squared* norm. Its weight in
    the loss is also called weight decay.

    Examples
    --------
    >>> from dlt.engine import theano
    >>> float(theano.function([], l2_sqr([T.constant([3.0, -4.0])]))())
    25.0
    """
    return sum(T.sum(param**2) for param in _checked(params))


def regularized_loss(loss, params: Sequence, lambda_1=0.0, lambda_2=0.0):
    r"""Return the loss with weighted penalties, in its dtype.

    .. math:: E(\theta, D) =
       NLL(\theta, D) + \lambda_1 \lVert\theta\rVert_1 + \lambda_2 \lVert\theta\rVert_2^2

    Parameters
    ----------
    loss : Theano scalar
        Usually a negative log-likelihood.
    params : list of Theano variables
        What to penalize: usually the weight matrices, without the biases.
    lambda_1, lambda_2 : float or Theano scalar
        Weights of `l1` and of `l2_sqr`, 0 or more. The number 0 leaves the penalty out.

    Examples
    --------
    >>> from dlt.engine import theano
    >>> loss = regularized_loss(T.constant(1.0), [T.constant([3.0, -4.0])], 0.5, 0.25)
    >>> float(theano.function([], loss)())  # 1 + 0.5 * 7 + 0.25 * 25
    10.75
    """
    params = _checked(params)
    for name, weight, penalty in (("lambda_1", lambda_1, l1), ("lambda_2", lambda_2, l2_sqr)):
        positive_in(name, weight, loss.dtype, zero=True)
        if isinstance(weight, numbers.Real) and weight == 0:
            continue
        loss = loss + as_scalar(weight, loss.dtype) * penalty(params)
    return loss


def _checked(params):
    """Refuse a single parameter: a loop over a matrix would take its rows for parameters."""
    if not isinstance(params, (list, tuple)) or not params:
        found = "an empty list" if isinstance(params, (list, tuple)) else type(params).__name__
        raise SettingsError("params", found, "a list, such as [W]")
    return params
