"""Recipes: make a trainer, and the parameters to start from, from a candidate's settings."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Mapping, NamedTuple

import numpy as np

from dlt.checks import positive_in
from dlt.engine import T, theano
from dlt.errors import SettingsError
from dlt.losses import negative_log_likelihood
from dlt.models import LogisticRegression
from dlt.parameters import get_values
from dlt.regularization import regularized_loss
from dlt.runs.folder import SEED
from dlt.sgd import check_learning_rate, gradient_updates
from dlt.trainer import Trainer


class Prepared(NamedTuple):
    """A trainer, and a function that applies the rest of a candidate's settings.

    Fields
    ------
    trainer : Trainer
    start : callable
        Takes settings by name, sets shared variables to them, and returns the parameters to start
        from. It takes ``seed`` if it draws these at random.
    """

    trainer: Trainer
    start: Callable[..., Mapping[str, np.ndarray]]


def logistic_regression(train_set, valid_set, batch_size: int | None = None) -> Prepared:
    """Prepare logistic regression: the default recipe of `dlt.select`.

    A recipe is a function like this one. It takes the training and validation sets, and by name
    those settings for which a new trainer has to be compiled. Candidates that differ only in the
    other settings share a trainer. ``start`` takes these others: here ``learning_rate``, ``l1``,
    ``l2`` and ``seed``. Without a seed, W starts at 0.

    Parameters
    ----------
    train_set, valid_set : DataSet or ChunkedDataSet
    batch_size : int, optional
        See `dlt.Trainer`.
    """
    x, y = T.matrix("x"), T.ivector("y")
    (n_in,), n_out, floatX = train_set.row_shape, train_set.n_labels, theano.config.floatX
    model = LogisticRegression(x, n_in, n_out)
    shared = {
        name: theano.shared(np.asarray(0, floatX), name) for name in ("learning_rate", "l1", "l2")
    }
    NLL = negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    loss = regularized_loss(NLL, [model.W], shared["l1"], shared["l2"])
    updates = gradient_updates(loss, model.params, shared["learning_rate"])
    trainer = Trainer(model, y, loss, train_set, valid_set, batch_size, updates)

    def start(learning_rate=0.13, l1=0.0, l2=0.0, seed=None):
        check_learning_rate(learning_rate)
        for name, weight in (("l1", l1), ("l2", l2)):
            positive_in(name, weight, floatX, zero=True)
        for name, value in (("learning_rate", learning_rate), ("l1", l1), ("l2", l2)):
            shared[name].set_value(np.asarray(value, floatX))
        rng = None if seed is None else np.random.default_rng(seed)
        return get_values(LogisticRegression(x, n_in, n_out, rng).params)

    return Prepared(trainer, start)


def divided(recipe: Callable, settings: Mapping[str, Any]) -> tuple[dict, dict]:
    """Divide settings into those that a recipe takes, and the others, for its ``start``.

    Examples
    --------
    >>> divided(logistic_regression, {"learning_rate": 0.13, "batch_size": 20})
    ({'batch_size': 20}, {'learning_rate': 0.13})
    """
    taken = list(inspect.signature(recipe).parameters)[2:]  # the first two are the data sets
    own = {name: value for name, value in settings.items() if name in taken}
    return own, {name: value for name, value in settings.items() if name not in taken}


def started(prepared: Prepared, settings: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
    """Apply settings, and return the parameters to start from.

    Raises
    ------
    SettingsError
        The recipe does not have one of the settings.
    """
    taken = inspect.signature(prepared.start).parameters
    unknown = [name for name in settings if name not in taken and name != SEED]
    if unknown:
        raise SettingsError("settings", ", ".join(unknown), f"names such as {', '.join(taken)}")
    return prepared.start(**{name: v for name, v in settings.items() if name in taken})
