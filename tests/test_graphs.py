"""Graphs as text: the same in every process, and different if they compute something else."""

import hashlib
import json
import warnings

import numpy as np
import pytest
from conftest import ROOT, run_python

from dlt.engine import T, theano
from dlt.engine.graphs import describe_graph
from dlt.losses import negative_log_likelihood
from dlt.models import LogisticRegression
from dlt.sgd import gradient_updates


def scanned(step, initial, *taps):
    """Return the sum of a loop's values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTensor and Theano each have an opinion on scan
        start = {"initial": initial, "taps": list(taps) or [-1]}
        found = theano.scan(step, outputs_info=[start], n_steps=5)
    return T.sum(found[0] if isinstance(found, (list, tuple)) else found)


def program(prefix=""):
    """Describe a loss with a penalty and a loop in it, and the updates that it leads to."""
    x, y = T.matrix("x"), T.ivector("y")
    model = LogisticRegression(x, 3, 2)
    penalty = 0.001 * T.sum(model.W**2)
    loop = scanned(lambda before: 0.5 * before + T.sum(model.b), model.W[0])
    loss = negative_log_likelihood(model.p_y_given_x, y, reduction="mean") + penalty + loop
    for i, variable in enumerate((model.p_y_given_x, penalty, loop, loss)):
        if prefix:
            variable.name = prefix + str(i)
    roles = {x: "x", y: "y", model.W: "W", model.b: "b"}
    updates = [update for _, update in gradient_updates(loss, model.params, 0.13)]
    return [list(describe_graph(output, roles)) for output in (loss, *updates)]


def test_a_description_is_the_same_in_every_process():
    code = "import json, test_graphs; print(json.dumps(test_graphs.program()))"
    paths = f"{ROOT}:{ROOT / 'tests'}"
    found = [
        run_python("-W", "ignore", "-c", code, PYTHONPATH=paths, PYTHONHASHSEED=seed)
        for seed in (0, 1, 23455)
    ]
    assert [process.returncode for process in found] == [0, 0, 0], found[0].stderr
    first, *others = [json.loads(process.stdout) for process in found]
    assert others == [first, first]
    assert len({structure for structure, _ in first}) == 3


def test_names_of_variables_and_earlier_graphs_do_not_count():
    assert program() == program("renamed_") == program("W")


X, V, ROWS = T.dmatrix("x"), T.dvector("v"), T.lvector("i")
ONE, OTHER = (theano.shared(np.zeros(3), name=name) for name in ("one", "other"))
SMALL = theano.shared(np.zeros(3, "float32"))
ROLES = {X: "x", V: "v", ROWS: "i"}
HALF = T.constant(np.float64(0.5))
LARGE = "float64 (5,) {}"


def digest(array):
    return hashlib.sha256(array).hexdigest()[:16]


def described(output, roles=()):
    return describe_graph(output, {**ROLES, **dict(roles)})


@pytest.mark.parametrize(
    "before, after, constants",
    [
        (X * np.float64(0.001), X * np.float64(0.002), (["0.001"], ["0.002"])),
        (X[1:3], X[0:3], (["1", "3"], ["0", "3"])),
        (X * np.arange(4.0), X * -np.arange(4.0),
         (["[0.0, 1.0, 2.0, 3.0]"], ["[-0.0, -1.0, -2.0, -3.0]"])),
        (X * np.zeros(5), X * np.ones(5), ([LARGE.format(digest(np.zeros(5)))],
                                           [LARGE.format(digest(np.ones(5)))])),
        # equal ones may be one variable
        (X * HALF + HALF, X * HALF + np.float64(0.25), (["0.5", "0.5"], ["0.5", "0.25"])),
    ],
)  # fmt: skip
def test_another_constant_changes_the_constants_alone(before, after, constants):
    (structure, here), (same, there) = described(before), described(after)
    assert structure == same
    assert (here, there) == constants


@pytest.mark.parametrize(
    "before, after",
    [
        (lambda v: 2.0 * v, lambda v: 3.0 * v),
        (lambda v: v / 7.0, lambda v: v / 9.0),
    ],
)
def test_a_constant_inside_a_loop_is_one_of_them(before, after):
    (structure, here), (same, there) = (described(scanned(f, V[0])) for f in (before, after))
    assert structure == same and len(here) == len(there)
    assert len([pair for pair in zip(here, there) if pair[0] != pair[1]]) == 1


@pytest.mark.parametrize(
    "before, after",
    [
        (T.sum(abs(X)), T.sum(X**2)),
        (T.sum(X, axis=0), T.sum(X, axis=1)),
        (T.max(X, axis=0), T.argmax(X, axis=0)),
        (X + X.T, X.T + X),
        (X[ROWS, 1:3], X[ROWS, 1:]),
        (T.cast(X, "float32"), T.cast(X, "int64")),
        (X * np.float32(0.5), X * np.float64(0.5)),
        (X * ONE, X * SMALL),
        (ONE * OTHER, ONE * ONE),
    ],
)
def test_another_operation_changes_the_structure(before, after):
    assert described(before)[0] != described(after)[0]


def test_leaves_count_by_their_roles_or_else_by_their_types():
    first, second = X * ONE, X * OTHER
    assert described(first) == described(second)
    assert described(first, {ONE: "W"}) == described(second, {OTHER: "W"})
    assert described(first, {ONE: "W"}) != described(second, {OTHER: "b"})


def test_a_loop_counts_by_its_taps_and_by_what_is_inside():
    def add(one, other):
        return one + other

    def multiply(one, other):
        return one * other

    cases = [(add, [-3, -1]), (add, [-3, -2]), (multiply, [-3, -1])]
    found = [described(scanned(step, V, *taps)) for step, taps in cases]
    assert len({structure for structure, _ in found}) == 3
    assert len({tuple(constants) for _, constants in found}) == 1


def test_a_large_graph_has_a_short_description():
    def long(last):
        total = X
        for _ in range(499):
            total = total + 0.5
        return described(total + last)

    (structure, here), (same, there) = long(0.5), long(0.25)
    assert structure == same and len(here) == 101
    assert here[:100] == there[:100] and here[100] != there[100]
