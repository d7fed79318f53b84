"""The state of a run: whether it was just validated, and whether it may go on."""

import numpy as np
import pytest
from checkpoints import after, values

from dlt.runs.state import State

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "state, validated",
    [
        (State.first({}, {}), False),
        (after(0, 2).state, False),
        (after(2).state, True),
        (after(2, 1).state, False),
        (after(2, diverged_at=21).state, False),
    ],
)
def test_it_is_validated_where_the_history_ends_with_it(state, validated):
    assert state.is_validated is validated


@pytest.mark.parametrize(
    "changes, going_on",
    [
        ({}, True),
        ({"update_state": {}}, True),
        ({"params": dict(values(0), b=np.array([0, np.nan, 0]))}, False),
        ({"update_state": {"velocity": np.array(-np.inf, "float32"), "n": np.array(1)}}, False),
        ({"diverged_at": 11}, False),
    ],
)
def test_it_may_go_on_with_finite_values_only(changes, going_on):
    assert after(1, **changes).state.can_go_on is going_on
