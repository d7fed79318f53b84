r"""Models: symbolic classifiers made of shared variables.

A model is a plain object that holds the pieces other code works with: ``input`` and ``params``,
and for a classifier ``p_y_given_x`` and ``n_out``. Whatever has these can be trained by
`dlt.Trainer`.

Source: page "Classifying MNIST digits using Logistic Regression", which follows
"Getting Started"; Bishop, *Pattern Recognition and Machine Learning* (2006), 4.3.
"""

import numpy as np

from dlt.checks import whole_number
from dlt.engine import T, shared_resident, softmax, theano


class LogisticRegression:
    r"""Multi-class logistic regression.

    .. math:: P(Y = k | x, W, b) = \mathrm{softmax}_k (x W + b)

    Parameters
    ----------
    input : Theano matrix, floatX, shape (B, n_in)
        One row for each example.
    n_in : int
        Number of inputs, the dimension of the data (MNIST: 784).
    n_out : int
        Number of labels, at least 2 (MNIST: 10).
    rng : numpy.random.Generator, optional
        Draws the initial weights, uniform within :math:`\pm\sqrt{6 / (n_{in} + n_{out})}`.
        Without it they are 0, as on the page: this loss is convex, so no start is a bad
        one, and the run needs no random numbers.

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
    n_in, n_out : int
        Number of inputs and of labels.

    Raises
    ------
    SettingsError
        `n_in` is not a whole number from 1 on, or `n_out` not one from 2 on.

    Examples
    --------
    >>> x = T.matrix("x")
    >>> classifier = LogisticRegression(x, n_in=784, n_out=10)
    >>> predict = theano.function([x], classifier.p_y_given_x)
    >>> print("%.1f" % predict(np.zeros((1, 784), dtype=theano.config.floatX))[0, 3])
    0.1
    """

    def __init__(self, input, n_in, n_out, rng=None):
        n_in, n_out = whole_number("n_in", n_in, low=1), whole_number("n_out", n_out, low=2)
        bound = 0.0 if rng is None else np.sqrt(6.0 / (n_in + n_out))
        W = np.zeros((n_in, n_out)) if rng is None else rng.uniform(-bound, bound, (n_in, n_out))
        self.input, self.n_in, self.n_out = input, n_in, n_out
        self.W = shared_resident(W.astype(theano.config.floatX), name="W")
        self.b = shared_resident(np.zeros(n_out, theano.config.floatX), name="b")
        self.params = [self.W, self.b]
        self.p_y_given_x = softmax(T.dot(input, self.W) + self.b)  # (B, n_out)
        self.y_pred = T.argmax(self.p_y_given_x, axis=1)  # (B,)


def row_shape(model):
    """Return the shape that a model's inputs have, where it tells: (n_in,), or None.

    Examples
    --------
    >>> row_shape(LogisticRegression(T.matrix("x"), 784, 10))
    (784,)
    """
    n_in = describe_model(model).get("n_in")
    return None if n_in is None or model.input.ndim != 2 else (n_in,)


def describe_model(model):
    """Name a model's class and its sizes, to be saved beside its parameters.

    Parameters
    ----------
    model : object

    Returns
    -------
    dict
        ``class``, and ``n_in`` and ``n_out`` where they are whole numbers.

    Examples
    --------
    >>> sorted(describe_model(LogisticRegression(T.matrix("x"), 784, 10)).items())
    [('class', 'LogisticRegression'), ('n_in', 784), ('n_out', 10)]
    """
    sizes = {name: getattr(model, name, None) for name in ("n_in", "n_out")}
    whole = {name: int(n) for name, n in sizes.items() if isinstance(n, (int, np.integer))}
    return dict({"class": type(model).__name__}, **whole)
