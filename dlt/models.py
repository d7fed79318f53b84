"""Models: symbolic classifiers made of shared variables.

`dlt.Trainer` takes any object with ``input``, ``params``, ``p_y_given_x`` and ``n_out``.

Source: page "Classifying MNIST digits using Logistic Regression", which follows
"Getting Started"; Bishop, *Pattern Recognition and Machine Learning* (2006), 4.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlt.checks import whole_number
from dlt.engine import T, shared_resident, softmax, theano

#: Most labels that a model may have.
MAX_LABELS = 1 << 20


class LogisticRegression:
    r"""Multi-class logistic regression.

    .. math:: P(Y = k | x, W, b) = \mathrm{softmax}_k (x W + b)

    Parameters
    ----------
    input : Theano matrix, floatX, shape (B, n_in)
        One row for each example.
    n_in : int
        Number of inputs, 1 or more (MNIST: 784).
    n_out : int
        Number of labels, 2 to `MAX_LABELS` (MNIST: 10).
    rng : numpy.random.Generator, optional
        Draws the initial weights, uniform within :math:`\pm\sqrt{6 / (n_{in} + n_{out})}`.
        Without it they are 0, as on the page: the loss is convex, so any start works.

    Attributes
    ----------
    W : shared variable, floatX, shape (n_in, n_out)
        Weights; column k belongs to label k.
    b : shared variable, floatX, shape (n_out,)
        Biases.
    p_y_given_x : Theano matrix, floatX, shape (B, n_out)
        Probability of each label.
    y_pred : Theano vector, int64, shape (B,)
        The most probable label.
    params : list
        ``[W, b]``.

    Examples
    --------
    >>> x = T.matrix("x")
    >>> classifier = LogisticRegression(x, n_in=784, n_out=10)
    >>> predict = theano.function([x], classifier.p_y_given_x)
    >>> print("%.1f" % predict(np.zeros((1, 784), dtype=theano.config.floatX))[0, 3])
    0.1
    """

    def __init__(
        self, input, n_in: int, n_out: int, rng: np.random.Generator | None = None
    ) -> None:
        n_in = whole_number("n_in", n_in, 1, 2**31 - 1)
        n_out = whole_number("n_out", n_out, 2, MAX_LABELS)
        bound = np.sqrt(6.0 / (n_in + n_out))
        W = np.zeros((n_in, n_out)) if rng is None else rng.uniform(-bound, bound, (n_in, n_out))
        self.input, self.n_in, self.n_out = input, n_in, n_out
        self.W = shared_resident(W.astype(theano.config.floatX), name="W")
        self.b = shared_resident(np.zeros(n_out, theano.config.floatX), name="b")
        self.params = [self.W, self.b]
        self.p_y_given_x = softmax(T.dot(input, self.W) + self.b)  # (B, n_out)
        self.y_pred = T.argmax(self.p_y_given_x, axis=1)  # (B,)


def row_shape(model: Any) -> tuple[int, ...] | None:
    """Return the shape of one input of a model, ``(n_in,)``, or None if it is unknown."""
    n_in = describe_model(model).get("n_in")
    return None if n_in is None or model.input.ndim != 2 else (n_in,)


def describe_model(model: Any) -> dict[str, Any]:
    """Return the class of a model, and its `n_in` and `n_out` if they are whole numbers.

    Examples
    --------
    >>> describe_model(LogisticRegression(T.matrix("x"), 784, 10))
    {'class': 'LogisticRegression', 'n_in': 784, 'n_out': 10}
    """
    sizes = {name: getattr(model, name, None) for name in ("n_in", "n_out")}
    whole = {name: int(n) for name, n in sizes.items() if isinstance(n, (int, np.integer))}
    return {"class": type(model).__name__, **whole}
