"""A scikit-learn estimator: softmax regression, trained by `dlt.Trainer`.

It needs scikit-learn 1.6 or newer, so it is no attribute of `dlt` itself.

Source: page "Classifying MNIST digits using Logistic Regression", which follows
"Getting Started".
"""

from __future__ import annotations

import functools
import numbers
import os
import warnings
from typing import Any, Literal

import numpy as np
from scipy.special import expit, softmax

from dlt.arrays import aligned
from dlt.checks import unmasked, whole_number
from dlt.early_stopping import Patience
from dlt.engine import T, describe, shared_resident, theano, turns
from dlt.errors import EngineError, SettingsError
from dlt.order import Shuffled
from dlt.selection.recipes import logistic_regression
from dlt.shared import DataSet, default_batch_size

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state, check_scalar
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise EngineError(
        "dlt.estimator",
        f"no scikit-learn that it can use ({error})",
        "scikit-learn 1.6 or newer, which needs Python 3.9",
        "install it with: pip install '.[sklearn]'",
    ) from error

# Compiled trainers that are kept, each for one shape of data: some megabytes each.
_KEPT = 16
_training = turns()


class SoftmaxRegression(ClassifierMixin, BaseEstimator):
    r"""Softmax regression by minibatch SGD, as a scikit-learn classifier.

    It gives the parameters of `dlt.Trainer` on the same data in the same order, bit for bit.
    Fits of the same shape share what is compiled, whatever their other parameters; those in
    threads take turns.

    Parameters
    ----------
    learning_rate : float
        Step size, above 0.
    batch_size : int or "auto"
        Examples in a minibatch, 1..N. ``"auto"``: `dlt.default_batch_size`. Only whole minibatches
        are used: the last N % batch_size examples of each epoch's order take no part in it.
    max_iter : int
        Epochs, 1 or more: all of them are made unless `early_stopping` ends training before.
    l1, l2 : float
        Weights in the loss of the sum of absolute values and of the sum of squares of the weights,
        0 or more; see `dlt.regularized_loss`.
    early_stopping : bool
        Set examples aside for validation, end training by the page's rule (`dlt.Patience`), and
        take the parameters with the fewest validation errors.
    validation_fraction : float
        Share of the examples set aside, above 0 and below 1; of each class alike.
    patience : int
        Minibatch updates made at least with `early_stopping`, 2 or more; it grows with success.
    random_state : int, RandomState instance or None
        Draws the examples set aside and the order of the others, anew in each epoch.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray, floatX, shape (n_classes, n_features), or (1, n_features)
        Weights; of two classes, those of the second less those of the first.
    intercept_ : ndarray, floatX, shape (n_classes,), or (1,)
        Biases, likewise.
    n_iter_ : int
        Epochs begun.
    loss_curve_ : list of float
        Mean training loss, penalties included, of each epoch; or from one validation to the next,
        if `patience` is shorter than two epochs.
    n_features_in_ : int
    feature_names_in_ : ndarray, shape (n_features,)
        Only if X had names.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxRegression(learning_rate=0.05, random_state=1).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    def __init__(
        self,
        learning_rate: float = 0.13,
        batch_size: int | Literal["auto"] = "auto",
        max_iter: int = 200,
        l1: float = 0.0,
        l2: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5000,
        random_state: Any = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.l1 = l1
        self.l2 = l2
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> SoftmaxRegression:
        """Train.

        Parameters
        ----------
        X : array, shape (N, n_features)
            Finite numbers; SGD wants them of a size of about 1.
        y : array, shape (N,)
            Labels of two classes or more.

        Raises
        ------
        ValueError, TypeError
            A parameter or the data cannot be used, or training diverged.
        """
        max_iter = whole_number("max_iter", self.max_iter, low=1)
        for name in ("learning_rate", "l1", "l2"):
            check_scalar(getattr(self, name), name, numbers.Real)
        unmasked("X", X)
        unmasked("y", y)
        X, y = validate_data(self, X, y, dtype=theano.config.floatX)
        check_classification_targets(y)
        self.classes_, y = np.unique(y, return_inverse=True)
        n_classes = len(self.classes_)
        if n_classes == 1:
            raise ValueError("y has one class only: two or more are needed")
        random_state = check_random_state(self.random_state)
        pairs = [(X, y)]
        if self.early_stopping:
            pairs = self._split(X, y, random_state)
        n = len(pairs[0][0])
        batch_size = default_batch_size(n) if self.batch_size == "auto" else self.batch_size
        batch_size = whole_number("batch_size", batch_size, 1, n, "the number of examples")
        order, patience = Shuffled(random_state.randint(2**31 - 1)), Patience(self.patience)
        with _training():
            key = os.getpid(), describe()
            sizes = X.shape[1], n_classes, batch_size, *(len(X) for X, _ in pairs)
            prepared, variables = _compiled(key, *sizes)
            params = prepared.start(self.learning_rate, self.l1, self.l2)
            try:
                _put(variables, pairs)
                result = prepared.trainer.run(
                    max_iter, patience, order, params=params, progress=False
                )
            finally:
                _put(variables, [(X[:0].copy(), y[:0]) for X, y in pairs])  # data is not kept
        if result.stopped_by == "request":
            raise KeyboardInterrupt
        if result.diverged_at is not None:
            raise SettingsError(
                "learning_rate",
                f"{self.learning_rate}, with which training diverged in epoch {result.n_epochs}",
                "a finite loss",
                "scale X, for example with StandardScaler, or choose a smaller rate",
            )
        if self.early_stopping and result.stopped_by == "n_epochs":
            text = f"patience did not run out within max_iter={max_iter} epochs"
            warnings.warn(text, ConvergenceWarning, stacklevel=2)
        W, b = result.best_params["W"], result.best_params["b"]
        if n_classes == 2:
            W, b = W[:, 1:] - W[:, :1], b[1:] - b[:1]
        self.coef_, self.intercept_ = np.ascontiguousarray(W.T), b
        self.n_iter_ = result.n_epochs
        self.loss_curve_ = [row.train_loss for row in result.history]
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return a score for each class, shape (N, n_classes).

        Of two classes: that of the second less that of the first, shape (N,).
        """
        check_is_fitted(self)
        unmasked("X", X)
        X = validate_data(self, X, dtype=self.coef_.dtype, reset=False)
        scores = X @ self.coef_.T + self.intercept_
        return scores.ravel() if len(self.classes_) == 2 else scores

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, shape (N, n_classes)."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        return softmax(scores, axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable label of each row, shape (N,)."""
        scores = self.decision_function(X)
        return self.classes_[np.int64(scores > 0) if scores.ndim == 1 else scores.argmax(axis=1)]

    def _split(self, X, y, random_state):
        """Set examples aside for validation."""
        name = "validation_fraction"
        check_scalar(
            self.validation_fraction,
            name,
            numbers.Real,
            min_val=0,
            max_val=1,
            include_boundaries="neither",
        )
        X, X_valid, y, y_valid = train_test_split(
            X, y, test_size=self.validation_fraction, random_state=random_state, stratify=y
        )
        return [(X, y), (X_valid, y_valid)]


@functools.lru_cache(maxsize=_KEPT)
def _compiled(key, n_in, n_classes, batch_size, *sizes):
    """Return a trainer with its start, and the shared variables that its data is put into.

    There are one or two sets, of these sizes. `key` is the process and the engine.
    """
    floatX = theano.config.floatX
    variables = [
        (
            shared_resident(np.zeros((n, n_in), floatX)),
            shared_resident(np.arange(n, dtype=floatX) % n_classes),
        )
        for n in sizes
    ]
    sets = [DataSet(x, T.cast(y, "int32")) for x, y in variables]
    return logistic_regression(*(*sets, None)[:2], batch_size), variables


def _put(variables, pairs):
    """Replace the data that a trainer reads."""
    for shared_pair, pair in zip(variables, pairs):
        for shared, values in zip(shared_pair, pair):
            shared.set_value(aligned(np.asarray(values, shared.dtype)), borrow=True)
