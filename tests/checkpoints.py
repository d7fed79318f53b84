"""Checkpoints made by hand, for several test files."""

import numpy as np

from dlt.runs.checkpoint import Checkpoint
from dlt.runs.history import HistoryRow


def after(n_validations, n_losses=0, dtype="float64", **changes):
    """Give a checkpoint after so many validations, one every 10 updates, and some more updates.

    Validation errors are 5/10, 4/10, 3/10, 3/10, ...: the third is the best.
    """
    errors = [max(5 - i, 3) for i in range(n_validations)]
    best = min(n_validations, 3)
    iteration = 10 * n_validations + n_losses
    history = tuple(
        HistoryRow(10 * i, i, 1 / (3 * i), error / 10, 5000, 0.125 * i)
        for i, error in enumerate(errors, start=1)
    )
    checkpoint = Checkpoint(
        iteration=iteration,
        params=values(iteration, dtype),
        losses=np.arange(n_losses) / 7,
        history=history,
        patience={
            "patience": 5000,
            "best_loss": min(errors) / 10 if errors else None,
            "best_iteration": 10 * best - 1 if errors else None,
        },
        best_iteration=10 * best if errors else None,
        best_validation=(min(errors), 10) if errors else None,
        best_params=values(10 * best, dtype) if errors else None,
        seconds=0.125 * n_validations + 0.01 * n_losses,
        ended=None,
        snapshots=(),
        settings={"learning_rate": 0.13, "seed": None, "n_epochs": 1000},
        engine={"linker": "jax"},
        data="5f" * 32,
    )
    return checkpoint._replace(**changes)


def values(iteration, dtype="float64"):
    """Give parameters that tell the iteration they belong to."""
    return {
        "W": np.full((2, 3), iteration / 3, dtype=dtype),
        "b": np.full(3, -iteration / 7, dtype=dtype),
    }


def bits(part):
    """Give what == compares to the bit: the arrays' bytes, and parameters in their order."""
    if isinstance(part, Checkpoint):
        return {name: bits(value) for name, value in part._asdict().items()}
    if isinstance(part, np.ndarray):
        return part.dtype.name, part.shape, part.tobytes()
    if isinstance(part, dict) and any(isinstance(value, np.ndarray) for value in part.values()):
        return [(name, bits(value)) for name, value in part.items()]
    return part
