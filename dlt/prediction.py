"""Prediction: put a saved model to use.

Source: page "Getting Started", section "Loading and Saving Models".
"""

from __future__ import annotations

import math
import os
import warnings
from typing import Any, NamedTuple, Sequence

import numpy as np

from dlt.checks import inputs, rows_alike
from dlt.checks import labels as label_numbers
from dlt.engine import FLOAT_TYPES, Compiled, T, shared_copy, substitute, theano
from dlt.errors import DataError, one_line
from dlt.examples import Description
from dlt.models import MAX_LABELS, LogisticRegression, row_shape
from dlt.parameters import cast_floats, read_params, set_values
from dlt.runs.folder import DATASET, DESCRIPTION, MODEL, PARAMS_NAME

#: Most memory that a `Predictor` takes, as a multiple of its parameters.
MEMORY = 5

_MARGIN = 0.5  # how far inputs may lie outside the training set's range, 0 to 1
_LONGEST_LABEL = 200  # characters, as many as training allows


class Predictor:
    """A trained classifier as a function of arrays, compiled at its first call.

    Threads may share it. With the JAX linker, a process forked after its first use may not: start
    processes with ``multiprocessing.get_context("spawn")``. It takes at most `MEMORY` times the
    memory of its parameters.

    Parameters
    ----------
    model : object, str or os.PathLike
        A classifier with ``input``, ``params`` and ``p_y_given_x``, whose current parameters are
        copied; or the run folder or the file of parameters of a logistic regression.

    Attributes
    ----------
    model : object
        The classifier.
    path : str or None
        The file it comes from.
    settings : dict
        How it was trained, according to that file.
    description : Description
        What is known about its training data.
    labels : tuple of str
        The names of its labels; control characters are escaped.

    Raises
    ------
    DataError
        The file is missing or broken, or holds another kind of model.

    Examples
    --------
    >>> import os, tempfile
    >>> from dlt import save_params
    >>> path = os.path.join(tempfile.mkdtemp(), "params.npz")
    >>> save_params(path, {"W": np.eye(2), "b": np.zeros(2)})
    >>> predictor = Predictor(path)
    >>> predictor.predict([[0.0, 1.0], [1.0, 0.0]]).tolist()
    [1, 0]
    >>> predictor.probabilities([[0.0, 0.0]]).tolist()
    [[0.5, 0.5]]
    """

    def __init__(self, model: Any) -> None:
        self.path: str | None = None
        self.settings: dict[str, Any] = {}
        if isinstance(model, (str, os.PathLike)):
            model = read_model(model)
        if isinstance(model, SavedModel):
            self.path, self.settings = model.path, model.settings
            model = model.regression()
        if not hasattr(model, "p_y_given_x"):
            raise DataError("model", type(model).__name__, "a classifier, or where one was saved")
        self.model = model
        (n_in,) = row_shape(model) or (0,)
        n_out = getattr(model, "n_out", 0)
        self.description = description_of(self.settings, n_in, n_out)
        self.labels = shown_labels(self.description, n_out)
        copies = {param: shared_copy(param) for param in model.params}
        (p_y_given_x,) = substitute([model.p_y_given_x], copies)
        self._function = Compiled([model.input], p_y_given_x)

    @property
    def dataset(self) -> str:
        """The data set it was trained on, by name or path; ``"mnist"`` if the file has none."""
        found = self.settings.get(DATASET)
        return found if isinstance(found, str) else "mnist"

    def probabilities(self, x: Any) -> np.ndarray:
        """Return the probability of each label.

        Parameters
        ----------
        x : array, shape (B, n_in)
            On the scale of the training inputs.

        Returns
        -------
        ndarray, floatX, shape (B, n_out)
            Each row sums to 1.

        Raises
        ------
        DataError
            The rows have another shape, a value is not finite or far outside the range of the
            training inputs, or a score is too large for floatX.
        """
        x = inputs("x", x, self.model.input.ndim, self.model.input.dtype)
        rows_alike("x", x.shape[1:], row_shape(self.model) or x.shape[1:], self._name() + " has")
        self._check_range(x)
        p_y_given_x = self._function(x)
        if not np.isfinite(p_y_given_x).all():
            found = f"scores that {x.dtype} cannot hold, of {self._name()}"
            remedy = "use values from 0 to 1, or train with a smaller learning rate"
            raise DataError("x", found, "finite ones", remedy)
        return p_y_given_x

    def predict(self, x: Any) -> np.ndarray:
        """Return the most probable label of each row of `x`, int64, shape (B,)."""
        return self.probabilities(x).argmax(axis=1)

    def known(self, y: Any, labels: Sequence[str] | None = None) -> np.ndarray:
        """Return the labels of a data set under the model's own numbers.

        Parameters
        ----------
        y : array of int, shape (N,)
        labels : sequence of str, optional
            The names of the data set's labels; by default their numbers.

        Returns
        -------
        ndarray, int64, shape (N,)
            -1 for a label that the model does not have.

        Raises
        ------
        DataError
            `y` is not an array of whole numbers, 0 or more, or `labels` has no name for one.

        Examples
        --------
        >>> from dlt import LogisticRegression
        >>> Predictor(LogisticRegression(T.matrix("x"), 4, 2)).known(np.asarray([0, 2]))
        array([ 0, -1])
        """
        number = {self.description.name_of(k): k for k in range(self.model.n_out)}
        y = label_numbers("y", y, len(labels) if labels else None)
        found, places = np.unique(y, return_inverse=True)
        names = [labels[k] if labels else str(k) for k in found]
        return np.asarray([number.get(name, -1) for name in names], np.int64)[places]

    def _check_range(self, x):
        low, high = float(x.min()), float(x.max())
        if self.description.scale and not -_MARGIN <= low <= high <= 1 + _MARGIN:
            are_bytes = low >= 0 and high <= 255
            remedy = "divide bytes by 256" if are_bytes else "scale them as the training set was"
            expected = f"values from 0 to 1, as {self._name()} was trained on"
            raise DataError("x", f"values from {low:g} to {high:g}", expected, remedy)

    def _name(self):
        return "the model" if self.path is None else f"the model of {self.path}"


def description_of(settings: dict[str, Any], n_in: int, n_out: int) -> Description:
    """Return the description of a model's training data in its settings.

    Values that do not fit the model count as unknown. Files that are older than descriptions have
    none; if n_in is a square number, such a model is taken to be of pictures like MNIST's.

    Examples
    --------
    >>> description_of({"description": {"height": 2, "width": 3, "ground": "light"}}, 6, 2)[1:3]
    (2, 3)
    >>> description_of({}, 784, 10).ground
    'dark'
    """
    fields = settings.get(DESCRIPTION)
    if not isinstance(fields, dict):
        side = math.isqrt(n_in)
        if side * side != n_in or not side:
            return Description()
        return Description(height=side, width=side, ground="dark", centred=True)
    height, width, labels = (fields.get(name) for name in ("height", "width", "labels"))
    sides = type(height) is int and type(width) is int and height > 0 and height * width == n_in
    if not isinstance(labels, (list, tuple)) or len(labels) != n_out:
        labels = ()
    texts = all(isinstance(name, str) for name in labels)
    return Description(
        scale=fields.get("scale") if fields.get("scale") in (1, 256) else None,
        height=height if sides else None,
        width=width if sides else None,
        labels=tuple(labels) if labels and texts else None,
        ground=fields.get("ground") if fields.get("ground") in ("dark", "light") else None,
        centred=fields.get("centred") is True and sides and height == width,
    )


def shown_labels(description: Description, n_out: int) -> tuple[str, ...]:
    """Return the names of a model's labels, safe to print.

    Examples
    --------
    >>> shown_labels(Description(labels=("ham", "spam")), 2), shown_labels(Description(), 2)
    (('ham', 'spam'), ('0', '1'))
    """
    return tuple(one_line(description.name_of(k), _LONGEST_LABEL) for k in range(n_out))


def load_model(path: str | os.PathLike) -> Any:
    """Load a saved model.

    Parameters
    ----------
    path : str or os.PathLike
        A run folder, or a file of parameters. It may come from a stranger: nothing in it is run.

    Returns
    -------
    LogisticRegression, or dict of str to ndarray
        The model, with a symbolic ``input`` of its own. If `dlt` does not have the model's class:
        the arrays, with a warning.

    Examples
    --------
    >>> import os, tempfile
    >>> from dlt import save_params
    >>> path = os.path.join(tempfile.mkdtemp(), "params.npz")
    >>> save_params(path, {"W": np.eye(2), "b": np.zeros(2)})
    >>> load_model(path).b.get_value().tolist()
    [0.0, 0.0]
    """
    path = params_file(path)
    arrays, settings = read_params(path)
    name = _other_class(settings)
    if name is None:
        return _checked(path, arrays, settings).regression()
    warnings.warn(
        f"{path}: found a model of the class {name}, which dlt does not have; returning its "
        "arrays: build the model, and load them with dlt.set_values",
        stacklevel=2,
    )
    return arrays


class SavedModel(NamedTuple):
    """A logistic regression in a file of parameters.

    Fields
    ------
    path : str
        The file.
    W, b : ndarray, shapes (n_in, n_out) and (n_out,)
    settings : dict
        How it was trained.
    """

    path: str
    W: np.ndarray
    b: np.ndarray
    settings: dict[str, Any]

    def regression(self) -> LogisticRegression:
        """Return the model, with a symbolic ``input`` of its own."""
        model = LogisticRegression(T.matrix("x"), *self.W.shape)
        set_values(model.params, {"W": self.W, "b": self.b})
        return model


def read_model(path: str | os.PathLike) -> SavedModel:
    """Read a logistic regression from a run folder or a file of parameters, cast to floatX.

    Raises
    ------
    DataError
        The file is missing or broken, or holds another model or values that are not finite.
    """
    path = params_file(path)
    return _checked(path, *read_params(path))


def params_file(path: str | os.PathLike) -> str:
    """Return the file of parameters in a run folder; return a file as it is."""
    path, remedy = os.fspath(path), "train a model first, with train_logreg.py"
    if not os.path.exists(path) and os.path.isfile(path + ".npz"):  # as save_params named it
        path += ".npz"
    if not os.path.exists(path):
        expected = "a run folder or a file of parameters"
        raise DataError(path, "no such folder or file", expected, remedy)
    if not os.path.isdir(path):
        return path
    path = os.path.join(path, PARAMS_NAME)
    if not os.path.exists(path):
        raise DataError(path, "no file there", "the parameters of a run", remedy)
    return path


def _checked(path, arrays, settings):
    """Check and cast the arrays of a file; return them as a `SavedModel`."""
    expected = "W (n_in, n_out) and b (n_out,), one floatX, of a logistic regression"
    remedy = "train one with train_logreg.py"
    name = _other_class(settings)
    if name is not None:
        raise DataError(path, f"a model of the class {name}", expected, remedy)
    named = list(arrays) in (["W", "b"], ["param_0", "param_1"])
    if not named or not _are_regression(*arrays.values()):
        found = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise DataError(path, f"the arrays {found or '(none)'}", expected, remedy)
    W, b = (cast_floats(path, array, theano.config.floatX) for array in arrays.values())
    if not (np.isfinite(W).all() and np.isfinite(b).all()):
        remedy = "train with a smaller learning rate"
        raise DataError(path, "NaN or infinite parameters", "finite numbers", remedy)
    return SavedModel(path, W, b, settings)


def _are_regression(W, b):
    shaped = W.ndim == 2 and W.shape[0] >= 1 and b.shape == W.shape[1:]
    shaped = shaped and 2 <= W.shape[1] <= MAX_LABELS
    return shaped and W.dtype == b.dtype and W.dtype.name in FLOAT_TYPES


def _other_class(settings):
    """Return the class that a file names, unless it is `LogisticRegression`."""
    described = settings.get(MODEL)
    name = described.get("class") if isinstance(described, dict) else None
    other = isinstance(name, str) and name != LogisticRegression.__name__
    return one_line(name, 80) if other else None
