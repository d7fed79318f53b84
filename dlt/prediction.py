"""Prediction: put a saved model to use.

Source: page "Getting Started", section "Loading and Saving Models".
"""

import os

import numpy as np

from dlt.checks import finite
from dlt.engine import FLOAT_TYPES, T, shared_resident, substitute, theano
from dlt.errors import DataError
from dlt.models import LogisticRegression
from dlt.parameters import read_params
from dlt.runs.folder import PARAMS_NAME


class Probabilities:
    """A classifier as a function of arrays, compiled when it is first called.

    Parameters
    ----------
    x : Theano variable
        The symbolic inputs.
    p_y_given_x : Theano matrix, shape (B, L)
        The model's probabilities, an expression of `x`.
    row_shape : tuple of int
        Shape of one example.
    fixed : dict of shared variable to ndarray, optional
        What parameters are to be, whatever the shared variables hold later.
    model : str
        What the message for rows of another shape calls the model.

    Examples
    --------
    >>> from dlt import LogisticRegression
    >>> x = T.matrix("x")
    >>> classifier = LogisticRegression(x, n_in=2, n_out=2)
    >>> Probabilities(x, classifier.p_y_given_x, (2,))([[0.0, 0.5]]).tolist()
    [[0.5, 0.5]]
    """

    def __init__(self, x, p_y_given_x, row_shape, fixed=(), model="the model"):
        self._x, self._p_y_given_x = x, p_y_given_x
        self._fixed = {param: np.array(value) for param, value in dict(fixed).items()}
        self._row_shape, self._model = tuple(row_shape), model
        self._function = None

    def __call__(self, x):
        """Give the probability of each label.

        Parameters
        ----------
        x : array, shape (B, ...)
            As the training inputs: pixels in [0, 1), 0 for the background.

        Returns
        -------
        ndarray, floatX, shape (B, L)
            Rows add up to 1.

        Raises
        ------
        DataError
            The rows have another shape, or values that are not finite, or a score is too large
            for floatX.
        """
        x = self._as_array(x)
        if x.ndim == 0 or x.shape[1:] != self._row_shape:
            raise DataError(
                "x",
                "an array of shape {}".format(x.shape),
                "(B, {}), as {} was trained on".format(
                    ", ".join(map(str, self._row_shape)), self._model
                ),
                "use the data set it was trained on",
            )
        finite("x", x)
        if self._function is None:
            self._function = self._compiled()
        p_y_given_x = np.asarray(self._function(x))
        if not np.isfinite(p_y_given_x).all():
            raise DataError(
                "x",
                "scores that {} cannot hold, of {}".format(self._x.dtype, self._model),
                "finite ones",
                "use pixels in [0, 1), or train with a smaller rate",
            )
        return p_y_given_x

    def _as_array(self, x):
        try:
            with np.errstate(over="ignore"):  # infinite then, and refused
                return np.asarray(x, dtype=self._x.dtype)
        except OverflowError:  # a whole number of hundreds of digits
            found = "a whole number too large for {}".format(self._x.dtype)
            raise DataError("x", found, "pixels", "leave out such rows") from None
        except (TypeError, ValueError):
            raise DataError(
                "x", "something that is no array of numbers", "rows of one length"
            ) from None

    def __getstate__(self):
        # compiled functions are for this process only: see the page on pickling them
        return dict(self.__dict__, _function=None)

    def _compiled(self):
        replacements = {
            param: shared_resident(value, name=param.name, borrow=False)
            for param, value in self._fixed.items()
        }
        (p_y_given_x,) = substitute([self._p_y_given_x], replacements)
        return theano.function([self._x], p_y_given_x)


class Predictor:
    """A trained logistic regression, read from a file, as a function of arrays.

    Parameters
    ----------
    path : str or os.PathLike
        A run folder, or a file of parameters (see `dlt.save_params`) with ``W``, shape
        (n_in, n_out), and ``b``, shape (n_out,). They are cast to floatX.

    Attributes
    ----------
    W, b : ndarray, floatX
        The parameters.
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
        self.path = params_file(path)
        (self.W, self.b), self.settings = read_model(self.path)
        self.n_in, self.n_out = self.W.shape
        x = T.matrix("x")
        classifier = LogisticRegression(x, self.n_in, self.n_out)
        classifier.W.set_value(self.W)
        classifier.b.set_value(self.b)
        self._probabilities = Probabilities(
            x, classifier.p_y_given_x, (self.n_in,), model="the model of {}".format(self.path)
        )

    @property
    def dataset(self):
        """Name or path of the data set it was trained on, for `dlt.load_data`.

        ``"mnist"`` where the file does not say.
        """
        found = self.settings.get("dataset")
        return found if isinstance(found, str) else "mnist"

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
            The rows have another length than `n_in`, or values that are not finite, or a score
            is too large for floatX.
        """
        return self._probabilities(x)

    def predict(self, x):
        """Give the most probable label of each row of `x`, int64, shape (B,)."""
        return self.probabilities(x).argmax(axis=1)


def read_model(path, dtype=None):
    """Read the parameters of a logistic regression, and check that they are one's.

    Parameters
    ----------
    path : str or os.PathLike
        A file of parameters; it may come from a stranger.
    dtype : {"float32", "float64"}, optional
        What to cast them to. Default: floatX.

    Returns
    -------
    arrays : list of ndarray, dtype
        ``W``, shape (n_in, n_out), and ``b``, shape (n_out,).
    settings : dict

    Raises
    ------
    DataError
        As told at `Predictor`.
    """
    arrays, settings = read_params(path)
    _check_sizes(path, arrays)
    dtype = dtype or theano.config.floatX
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused below
        cast = [array.astype(dtype) for array in arrays.values()]
    _check_finite(path, dtype, *cast)
    return cast, settings


def params_file(path):
    """Find the parameters in a run folder; leave a file as it is.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    str

    Raises
    ------
    DataError
        There is nothing.
    """
    path, remedy = os.fspath(path), "train a model first, with train_logreg.py"
    if not os.path.exists(path):
        expected = "a run folder or a file of parameters"
        raise DataError(path, "no such folder or file", expected, remedy)
    if not os.path.isdir(path):
        return path
    path = os.path.join(path, PARAMS_NAME)
    if not os.path.exists(path):
        raise DataError(path, "no file there", "the parameters of a run", remedy)
    return path


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


def _check_finite(path, dtype, *arrays):
    if not all(np.isfinite(array).all() for array in arrays):
        raise DataError(
            path,
            "NaN or infinite parameters",
            "finite numbers that {} can hold".format(dtype),
            "train with a smaller rate",
        )
