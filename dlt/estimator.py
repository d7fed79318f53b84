"""Estimator: softmax regression for scikit-learn, trained by `dlt.Trainer`.

It needs scikit-learn 1.6 or newer, so the class is not an attribute of `dlt` itself.

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
from dlt.shared import DataSet

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state, check_scalar
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    found = f"no scikit-learn that it can use ({error})"
    expected = "scikit-learn 1.6 or newer, which needs Python 3.9"
    remedy = "install it with: pip install '.[sklearn]'"
    raise EngineError("dlt.estimator", found, expected, remedy) from error

# Number of compiled trainers to keep, one for each shape of data; each takes some megabytes.
_KEPT = 16
_training = turns()


class SoftmaxRegression(ClassifierMixin, BaseEstimator):
    r"""Softmax regression by minibatch SGD, as a scikit-learn classifier.

    It finds the same parameters as `dlt.Trainer` on the same data in the same order, bit for bit.
    Fits to data of the same shape share their compiled functions, whatever their other
    parameters; fits in several threads take turns.

    Parameters
    ----------
    learning_rate : float
        Step size, above 0.
    batch_size : int or "auto"
        Examples in a minibatch, 1..N. ``"auto"``: `dlt.default_batch_size`. Training uses whole
        minibatches only: each epoch leaves out the last N % batch_size examples of its order.
    max_iter : int
        Epochs, 1 or more. Training makes all of them unless `early_stopping` ends it sooner.
    l1, l2 : float
        Weights in the loss of the sum of absolute values and of the sum of squares of the weights,
        0 or more; see `dlt.regularized_loss`.
    early_stopping : bool
        Set examples aside for validation, end training by the page's rule (`dlt.Patience`), and
        keep the parameters with the fewest validation errors.
    validation_fraction : float
        Share of the examples set aside, above 0 and below 1, the same for each class.
    patience : int
        Fewest minibatch updates with `early_stopping`, 2 or more; it grows with success.
    random_state : int, RandomState instance or None
        Draws the examples set aside, and a new order of the others for each epoch.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray, floatX, shape (n_classes, n_features), or (1, n_features)
        Weights; for two classes, those of the second minus those of the first.
    intercept_ : ndarray, floatX, shape (n_classes,), or (1,)
        Biases, likewise.
    n_iter_ : int
        Epochs begun.
    loss_curve_ : list of float
        Mean training loss of each epoch, penalties included; or between validations, if
        `patience` is shorter than two epochs.
    n_features_in_ : int
    feature_names_in_ : ndarray, shape (n_features,)
        Only if the columns of X have names.

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
            Finite numbers. SGD works best if their size is about 1.
        y : array, shape (N,)
            Labels of two classes or more.

        Raises
        ------
        ValueError, TypeError
            A parameter or the data cannot be used, or training diverged.
        """
        max_iter = whole_number("max_iter", self.max_iter, low=1)
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
        batch_size = None
        if self.batch_size != "auto":
            n, what = len(pairs[0][0]), "the number of examples"
            batch_size = whole_number("batch_size", self.batch_size, 1, n, what)
        order, patience = Shuffled(random_state.randint(2**31 - 1)), Patience(self.patience)
        with _training():
            key, sizes = (os.getpid(), describe()), [len(X) for X, _ in pairs]
            (trainer, start), sets = _compiled(key, X.shape[1], n_classes, batch_size, *sizes)
            params = start(self.learning_rate, self.l1, self.l2)
            try:
                _put(sets, pairs)
                result = trainer.run(max_iter, patience, order, params=params, progress=False)
            finally:
                _put(sets, [(X[:0].copy(), y[:0]) for X, y in pairs])  # keep no data
        if result.stopped_by == "request":
            raise KeyboardInterrupt
        if result.diverged_at is not None:
            epoch = result.n_epochs
            found = f"{self.learning_rate}, with which training diverged in epoch {epoch}"
            remedy = "scale X, for example with StandardScaler, or choose a smaller rate"
            raise SettingsError("learning_rate", found, "a finite loss", remedy)
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

        For two classes: the score of the second minus that of the first, shape (N,).
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
        fraction, limits = self.validation_fraction, {"min_val": 0, "max_val": 1}
        check_scalar(
            fraction, "validation_fraction", numbers.Real, **limits, include_boundaries="neither"
        )
        X, X_valid, y, y_valid = train_test_split(
            X, y, test_size=fraction, random_state=random_state, stratify=y
        )
        return [(X, y), (X_valid, y_valid)]


@functools.lru_cache(maxsize=_KEPT)
def _compiled(key, n_in, n_classes, batch_size, *sizes):
    """Return a trainer with its start, and the one or two data sets of these sizes that it reads.

    `key` is the process and the engine.
    """
    floatX, sets = theano.config.floatX, []
    for n in sizes:
        x = shared_resident(np.zeros((n, n_in), floatX))
        y = shared_resident(np.arange(n, dtype=floatX) % n_classes)
        sets.append(DataSet(x, T.cast(y, "int32")))
    return logistic_regression(*(*sets, None)[:2], batch_size), sets


def _put(sets, pairs):
    """Replace the numbers in data sets."""
    for data_set, pair in zip(sets, pairs):
        for shared, values in zip(data_set.variables(), pair):
            shared.set_value(aligned(np.asarray(values, shared.dtype)), borrow=True)
