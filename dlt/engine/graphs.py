"""Graphs: describe what an expression computes in text that is the same in every process.

A resumed run compares its loss and its updates with those of the checkpoint. The description
follows their graphs as they were written, before compilation. It numbers the nodes, so that names
of intermediate variables and addresses do not count.
"""

from __future__ import annotations

import hashlib
import re

import numpy as np

_SHOWN = 4  # most elements of a constant to write out; a larger one becomes a hash
_LISTED = 100  # most constants of an expression to list; the rest become one hash


def describe_graph(output, roles: dict) -> tuple[str, list[str]]:
    """Return a description of an expression.

    Parameters
    ----------
    output : Theano variable
    roles : dict of Theano variable to str
        Names of inputs and parameters. Other leaves count by their types only.

    Returns
    -------
    structure : str
        SHA-256 of everything but the values of constants, in hexadecimal.
    constants : list of str
        The values of constants, in the order of the graph.

    Examples
    --------
    >>> from dlt.engine import T
    >>> x, z = T.dscalar("x"), T.dscalar("z")
    >>> describe_graph(2 * x, {x: "x"}) == describe_graph(2 * z, {z: "x"})
    True
    >>> describe_graph(3 * x, {x: "x"})[1]
    ['3']
    """
    lines: list[str] = []
    constants: list[str] = []
    _walk([output], roles, lines, constants)
    listed, rest = constants[:_LISTED], constants[_LISTED:]
    return _hash(lines), listed + ([_hash(rest)] if rest else [])


def _hash(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _walk(outputs, roles, lines, constants):
    """Add one line for each leaf and node that the outputs depend on, inputs first."""
    numbers = {}  # variable -> its number

    def reference(variable):
        # A constant is written at each use: whether equal constants are one variable depends on
        # the engine and on what it did before.
        if not _is_constant(variable):
            return str(numbers[variable])
        constants.append(_value(variable.data))
        return f"constant {variable.type}"

    todo = list(reversed(outputs))
    while todo:
        variable = todo[-1]
        node = variable.owner
        inputs = [] if node is None else node.inputs
        waiting = [v for v in inputs if v not in numbers and not _is_constant(v)]
        if variable in numbers or not waiting:
            todo.pop()
        if variable in numbers or _is_constant(variable):
            continue
        if waiting:
            todo.extend(reversed(waiting))
        elif node is None:
            lines.append(_leaf(variable, roles))
            numbers[variable] = len(numbers)
        else:
            lines.append(" ".join([_name(node.op), *map(reference, inputs)]))
            _walk_inside(node.op, lines, constants)
            for output in node.outputs:
                numbers[output] = len(numbers)
    lines.append(" ".join(["return", *map(reference, outputs)]))


def _is_constant(variable):
    return hasattr(variable, "data")


def _leaf(variable, roles):
    if variable in roles:
        return roles[variable]
    return f"shared {variable.type}" if hasattr(variable, "container") else "input"


def _value(data):
    array = np.asarray(data)
    if array.dtype == object:  # such as a slice
        return str(data)
    if array.size <= _SHOWN:
        return str(array.tolist())
    digest = hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
    return f"{array.dtype} {array.shape} {digest[:16]}"


def _name(op):
    """Return the name of an operation, with the taps of a loop and without addresses."""
    return re.sub(" at 0x[0-9a-f]+", "", f"{op} {getattr(op, 'info', '')}")


def _walk_inside(op, lines, constants):
    """Add the graph inside an operation, such as a loop's."""
    graph = getattr(op, "fgraph", op)  # Theano's loop has inputs and outputs of its own
    inside = getattr(graph, "outputs", None)
    if isinstance(inside, (list, tuple)):
        roles = {v: f"inner input {i}" for i, v in enumerate(graph.inputs)}
        _walk(inside, roles, lines, constants)
