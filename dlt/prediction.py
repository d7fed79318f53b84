"""Prediction: put a saved model to use.

Source: page "Getting Started", section "Loading and Saving Models".
"""

import os

import numpy as np

from dlt.engine import FLOAT_TYPES, T, theano
from dlt.errors import DataError
from dlt.models import LogisticRegression
from dlt.parameters import read_params
from dlt.run_folder import PARAMS_NAME


class Predictor:
    """A trained logistic regression, read from a file, as a function of arrays.

    Parameters
    ----------
    path : str or os.PathLike
        A run folder, or a file of parameters (see `dlt.save_params`) with ``W``, shape
        (n_in, n_out), and ``b``, shape (n_out,). They are cast to floatX.

    Attributes
    ----------
    n_in, n_out : int
        Number of inputs and of labels.
    settings : dict
        What the file says of how it was trained.

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

    def __init__(self, path):
        self.path = _params_file(os.fspath(path))
        arrays, self.settings = read_model(self.path)
        self.n_in, self.n_out = arrays[0].shape
        x = T.matrix("x")
        classifier = LogisticRegression(x, self.n_in, self.n_out)
        for param, array in zip(classifier.params, arrays):
            param.set_value(array, borrow=True)
        self._dtype = x.dtype
        self._function = theano.function([x], classifier.p_y_given_x)

    def probabilities(self, x):
        """Give the probability of each label.

        Parameters
        ----------
        x : array, shape (B, n_in)
            As the training inputs: pixels in [0, 1), 0 for the background.

        Returns
        -------
        ndarray, floatX, shape (B, n_out)
            Rows add up to 1.

        Raises
        ------
        DataError
            The rows have another length than `n_in`.
        """
        x = np.asarray(x, dtype=self._dtype)
        if x.ndim != 2 or x.shape[1] != self.n_in:
            raise DataError(
                "x",
                "an array of shape {}".format(x.shape),
                "(B, {}), as the model of {} was trained on".format(self.n_in, self.path),
                "use the data set it was trained on",
            )
        return np.asarray(self._function(x))

    def predict(self, x):
        """Give the most probable label of each row of `x`, int64, shape (B,)."""
        return self.probabilities(x).argmax(axis=1)


def read_model(path):
    """Read the parameters of a logistic regression, and check that they are one's.

    Parameters
    ----------
    path : str or os.PathLike
        A file of parameters; it may come from a stranger.

    Returns
    -------
    arrays : list of ndarray, floatX
        ``W``, shape (n_in, n_out), and ``b``, shape (n_out,).
    settings : dict

    Raises
    ------
    DataError
        As told at `Predictor`.
    """
    arrays, settings = read_params(path)
    _check_sizes(path, arrays)
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused below
        cast = [array.astype(theano.config.floatX) for array in arrays.values()]
    _check_finite(path, *cast)
    return cast, settings


def _params_file(path):
    """Find the parameters in a run folder; leave a file as it is."""
    if not os.path.exists(path):
        raise DataError(
            path,
            "no such folder or file",
            "a run folder or a file of parameters",
            "train a model first, with train_logreg.py",
        )
    return os.path.join(path, PARAMS_NAME) if os.path.isdir(path) else path


def _check_sizes(path, arrays):
    """Check that the arrays are a logistic regression's."""
    names = list(arrays)
    if names in (["W", "b"], ["param_0", "param_1"]):
        W, b = arrays.values()
        kinds = {W.dtype.name, b.dtype.name}
        if len(kinds) == 1 and kinds <= set(FLOAT_TYPES) and W.ndim == 2:
            if W.shape[1:] == b.shape and W.shape[0] >= 1 and W.shape[1] >= 2:
                return
    found = ", ".join("{} {}".format(name, a.shape) for name, a in arrays.items())
    raise DataError(
        path,
        "the arrays {}".format(found or "(none)"),
        "W (n_in, n_out) and b (n_out,), one floatX, of a logistic regression",
        "train one with train_logreg.py",
    )


def _check_finite(path, *arrays):
    if not all(np.isfinite(array).all() for array in arrays):
        raise DataError(
            path,
            "NaN or infinite parameters",
            "finite numbers that {} can hold".format(theano.config.floatX),
            "train with a smaller rate",
        )
