"""Program: the loss, errors and updates of a trainer, on copies of the variables they change."""

from __future__ import annotations

import hashlib
from typing import Any, Mapping

import numpy as np

from dlt.checks import real_numbers
from dlt.engine import leaves, refuse_draws, shared_copy, substitute
from dlt.engine.graphs import describe_graph
from dlt.errors import DataError, SettingsError
from dlt.parameters import check_values, names_of

Arrays = Mapping[str, np.ndarray]


class Program:
    """The expressions that a trainer computes, on copies of the parameters and other state.

    Parameters
    ----------
    params : sequence of shared variables
        The model's parameters.
    symbols : (Theano variable, Theano variable)
        The symbolic inputs and labels.
    loss, errors : Theano variables
    updates : dict of shared variable to Theano expression

    Attributes
    ----------
    loss, errors : Theano variables
        The same expressions of the copies.
    updates : list of (shared variable, Theano expression)
        The same updates of the copies.

    Raises
    ------
    SettingsError
        An expression depends on random variables or on other inputs, or the errors depend on
        state that is not kept with the best parameters.
    """

    def __init__(self, params, symbols, loss, errors, updates):
        refuse_draws([loss, errors, *updates.values()])
        variables = list(dict.fromkeys([*params, *updates]))  # the parameters first
        self._names = dict(zip(variables, names_of(variables)))
        self._n_params, self._symbols = len(set(params)), symbols
        self._expressions = {"loss": loss, "errors": errors}
        for variable, expression in updates.items():
            self._expressions["update of " + self._names[variable]] = expression
        fixed = self._checked_leaves()
        self._fixed = dict(zip(fixed, names_of(fixed)))
        self._copies = {variable: shared_copy(variable) for variable in variables}
        self._initial = {v: np.array(v.get_value(borrow=True)) for v in updates}
        self.loss, self.errors, *after = substitute(list(self._expressions.values()), self._copies)
        values = dict(zip(updates, after))
        # A parameter without an update is carried along, so that all of them are in one place.
        self.updates = [(copy, values.get(v, copy)) for v, copy in self._copies.items()]

    def start(self, given: Arrays, all_params: bool = False) -> tuple[dict, dict]:
        """Return the parameters to start from, and the other values that the updates change.

        Parameters
        ----------
        given : dict of str to ndarray
            Values to use instead of the initial ones.
        all_params : bool
            Whether `given` must have every parameter.

        Raises
        ------
        DataError
            A name, shape or dtype in `given` does not fit, or a parameter is missing.
        """
        unknown = sorted(set(given) - set(self._names.values()))
        if unknown:
            known = ", ".join(self._names.values())
            found = ", ".join(map(str, unknown))
            raise DataError("params", f"the names {found}", f"some of {known}")
        values = {
            name: self._initial[v] if v in self._initial else np.array(v.get_value(borrow=True))
            for v, name in self._names.items()
        }
        given = {name: np.array(real_numbers(name, value)) for name, value in given.items()}
        required = list(values)[: self._n_params] if all_params else []
        expected = {name: v for name, v in values.items() if name in given or name in required}
        check_values("params", expected, given)
        return self._divided({**values, **given})

    def put(self, params: Arrays, update_state: Arrays) -> None:
        """Set the copies to the values that `start` or `values` returned."""
        values = {**params, **update_state}
        for variable, name in self._names.items():
            self._copies[variable].set_value(values[name])

    def values(self) -> tuple[dict, dict]:
        """Return copies of the present parameters and of the other values that updates change."""
        found = {}
        for variable, name in self._names.items():
            value = self._copies[variable].get_value(borrow=True)
            found[name] = np.array(value, dtype=variable.dtype)  # JAX may hold fewer bits
        return self._divided(found)

    def fixed_values(self) -> dict[str, Any]:
        """Return the present values of the shared variables that no update changes, for JSON."""
        return {name: shown(variable) for variable, name in self._fixed.items()}

    def describe(self) -> dict[str, tuple[str, list[str]]]:
        """Return each expression as `dlt.engine.graphs.describe_graph` describes it."""
        roles = {**self._fixed, **self._names, **dict(zip(self._symbols, "xy"))}
        return {name: describe_graph(e, roles) for name, e in self._expressions.items()}

    def _checked_leaves(self):
        """Check the leaves of all expressions; return the shared variables without an update."""
        fixed = {}
        for name, expression in self._expressions.items():
            for leaf in leaves([expression]):
                is_shared = hasattr(leaf, "container")
                if not is_shared and leaf not in self._symbols:
                    expected = "classifier.input, y and shared variables only"
                    raise SettingsError(name, f"the input {leaf}", expected)
                if name == "errors" and leaf in list(self._names)[self._n_params :]:
                    found = (
                        f"{self._names[leaf]}, which the updates change and which is no parameter"
                    )
                    expected = "it in classifier.params, whose best values are kept"
                    raise SettingsError("errors", found, expected)
                if is_shared and leaf not in self._names:
                    fixed[leaf] = None
        return list(fixed)

    def _divided(self, values):
        items = list(values.items())
        return dict(items[: self._n_params]), dict(items[self._n_params :])


def shown(value: Any) -> Any:
    """Return a number, or the present value of a shared variable, as JSON can hold it.

    Examples
    --------
    >>> from dlt.engine import theano
    >>> shown(theano.shared(np.asarray(0.5))), shown(0.13)
    (0.5, 0.13)
    """
    if not hasattr(value, "get_value"):
        return float(value) if hasattr(value, "__float__") else str(value)
    array: Any = np.ascontiguousarray(value.get_value(borrow=True))
    if array.size == 1:
        return array.item()
    return f"{array.dtype} {array.shape} sha256 {hashlib.sha256(array).hexdigest()[:16]}"
