"""Checkpoints made by hand, for several test files."""

import json

import numpy as np

from dlt.files.npz import read_npz, write_npz
from dlt.runs.checkpoint import Checkpoint, write_checkpoint
from dlt.runs.history import History, HistoryRow
from dlt.runs.state import State
from dlt.score import Score

#: For `rewritten`: leave this part out.
MISSING = object()


def after(n_validations, n_losses=0, dtype="float64", **changes):
    """Return a checkpoint after so many validations, one every 10 updates, and some more updates.

    Validation errors are 5/10, 4/10, 3/10, 3/10, ...: the third is the best.
    """
    errors = [max(5 - i, 3) for i in range(n_validations)]
    best = min(n_validations, 3)
    iteration = 10 * n_validations + n_losses
    state = State(
        iteration=iteration,
        params=values(iteration, dtype),
        update_state={"param_2": np.full(3, iteration / 9, dtype=dtype), "n": np.array(iteration)},
        losses=np.arange(n_losses) / 7,
        history=History(
            HistoryRow(10 * i, i, 1 / (3 * i), error / 10, 5000.0, 0.125 * i)
            for i, error in enumerate(errors, start=1)
        ),
        best_params=values(10 * best, dtype) if errors else None,
        best_score=Score(min(errors), 10) if errors else None,
        seconds=0.125 * n_validations + 0.01 * n_losses,
        diverged_at=None,
    )
    own = {name: changes.pop(name) for name in State._fields if name in changes}
    checkpoint = Checkpoint(
        state=state._replace(**own),
        ended=None,
        snapshots=(),
        settings={"learning_rate": 0.13, "seed": None, "n_epochs": 1000},
        engine={"linker": "jax"},
        data=["5f" * 32, "a0" * 32],
        program={"loss": ["c1" * 32, []], "update of W": ["d2" * 32, ["0.13", "2"]]},
    )
    return checkpoint._replace(**changes)


def values(iteration, dtype="float64"):
    """Return parameters that tell the iteration they belong to."""
    return {
        "W": np.full((2, 3), iteration / 3, dtype=dtype),
        "b": np.full(3, -iteration / 7, dtype=dtype),
    }


def unvalidated(checkpoint):
    """Return the checkpoint of a run without a validation set."""
    state = checkpoint.state
    history = History(row._replace(validation_error=float("nan")) for row in state.history)
    return checkpoint._replace(state=state._replace(history=history, best_score=None))


def rewritten(path, whole, **changes):
    """Write a checkpoint, and change its arrays and entries behind its back."""
    write_checkpoint(path, whole)
    arrays = read_npz(path)
    description = json.loads(arrays.pop("__dlt__").tolist())
    for name, change in changes.items():
        is_array = name in arrays or isinstance(change, np.ndarray)
        part = arrays if is_array else description["settings"]
        part[name] = change(part[name]) if callable(change) else change
        if change is MISSING:
            del part[name]
    description["params"] = [[n, list(a.shape), a.dtype.name] for n, a in arrays.items()]
    arrays["__dlt__"] = np.array(json.dumps(description))
    with open(path, "wb") as file:
        write_npz(file, arrays)


def bits(part):
    """Return what == compares to the bit: arrays and floats, and parameters in their order."""
    if isinstance(part, np.ndarray):
        return part.dtype.name, part.shape, part.tobytes()
    if isinstance(part, float):
        return part.hex()
    if hasattr(part, "_asdict"):
        return {name: bits(value) for name, value in zip(part._fields, part)}
    if isinstance(part, History):
        return [bits(row) for row in part]
    if isinstance(part, (tuple, list)):
        return type(part)(map(bits, part))
    if isinstance(part, dict) and any(isinstance(value, np.ndarray) for value in part.values()):
        return [(name, bits(value)) for name, value in part.items()]
    return part
