"""Working: train one candidate, in this process or in another, perhaps on another machine."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import threading
from typing import Any, Callable, Mapping, NamedTuple

import numpy as np

from dlt import engine
from dlt.chunks import open_data
from dlt.datasets import load_data
from dlt.early_stopping import Patience
from dlt.engine.failures import explained
from dlt.errors import DataError, DltError, one_line
from dlt.files.reading import open_regular
from dlt.order import Shuffled
from dlt.runs.folder import DATASET, SEED, RunFolder
from dlt.runs.lock import ForeignRunError
from dlt.selection.recipes import Prepared, divided, started
from dlt.selection.result import Outcome
from dlt.shared import SET_NAMES, as_data_set

#: A file in the folder of a search. It tells a process that this is the right folder, and that the
#: search is still going on.
MARK_NAME = ".search"

_BLOCK = 5000  # examples, where data in chunks is shuffled in blocks

# A process may run tasks in several threads, as Dask's workers do by default, but the trainers and
# the engine are shared.
_ONE_AT_A_TIME = threading.Lock()


class Source(NamedTuple):
    """The data of a search, and the engine's settings: what a process needs to load it.

    Fields
    ------
    mark : str
        What the file `MARK_NAME` in the search's folder holds. Every search has its own.
    dataset : str
        As `dlt.load_data` takes it.
    max_memory : int or None
        As `dlt.open_data` takes it; None loads everything.
    floatX, linker, device : str
    """

    mark: str
    dataset: str
    max_memory: int | None
    floatX: str
    linker: str
    device: str


class Task(NamedTuple):
    """A candidate, and what a process needs to train it. The data is loaded by name.

    Fields
    ------
    settings : dict of str to object
    folder : str
        The run folder, in the folder of the search.
    recipe : callable
    source : Source
    data : list of str
        Fingerprints of the training and validation sets.
    n_epochs, patience, allow_other_machine
        As `dlt.Trainer.run` takes them.
    """

    settings: dict[str, Any]
    folder: str
    recipe: Callable[..., Prepared]
    source: Source
    data: list[str]
    n_epochs: int
    patience: Patience
    allow_other_machine: bool


def run_task(task: Task, should_stop: Callable[[], bool] | None = None) -> Outcome | DltError:
    """Train a candidate, from its checkpoint if there is one.

    A failure is returned, not raised: some executors run a task again when it raises.

    Returns
    -------
    Outcome or DltError
        The error if the whole search has to end.
    """
    with _ONE_AT_A_TIME:
        try:
            _check(task)
        except DltError as error:
            return error
        try:
            return _trained(task, should_stop or functools.partial(_is_over, task))
        except ForeignRunError as error:
            return error
        except DltError as error:
            return failed(task, str(error))
        except Exception as error:
            return failed(task, str(explained(error) or f"{type(error).__name__}: {error}"))


def failed(task: Task, error: str) -> Outcome:
    """Return the outcome of a candidate that could not be trained, with the error on one line."""
    return Outcome(task.settings, task.folder, error=one_line(" ".join(error.split())))


def engine_settings() -> dict[str, str]:
    """Return the fields of a `Source` that say how this process computes."""
    device = engine.device().partition(" ")[0]
    return {"floatX": engine.theano.config.floatX, "linker": engine.linker(), "device": device}


@functools.lru_cache(maxsize=1)
def load(source: Source) -> tuple:
    """Return the three sets. Each process loads them once for a search."""
    _prepared.cache_clear()  # of an earlier search
    for name, value in engine_settings().items():
        if getattr(source, name) != value:
            getattr(engine, "set_" + name)(getattr(source, name))
    if source.max_memory is None:
        sets: Any = load_data(source.dataset)
    else:
        sets = open_data(source.dataset, source.max_memory)
    return (*map(as_data_set, SET_NAMES, sets[:2]), sets[2])


def prepared(recipe: Callable, source: Source, settings: Mapping[str, Any]) -> Prepared:
    """Return the trainer for a candidate; candidates that differ in shared scalars share one."""
    own, _ = divided(recipe, settings)
    return _prepared(recipe, source, tuple(own.items()))


@functools.lru_cache(maxsize=4)
def _prepared(recipe, source, own):
    return recipe(*load(source)[:2], **dict(own))


def forget() -> None:
    """Free the data and the trainers of the last search."""
    load.cache_clear()
    _prepared.cache_clear()


def order_of(settings: Mapping[str, Any], source: Source) -> Shuffled | None:
    """Return the order in which a candidate takes the examples."""
    seed = settings.get(SEED)
    return None if seed is None else Shuffled(seed, None if source.max_memory is None else _BLOCK)


def _trained(task, should_stop):
    made = prepared(task.recipe, task.source, task.settings)
    params = started(made, divided(task.recipe, task.settings)[1])
    noted = {**task.settings, DATASET: task.source.dataset, "start": _digest(params)}
    noted.pop("batch_size", None)  # the trainer notes it itself
    result = made.trainer.run(
        task.n_epochs,
        task.patience,
        order_of(task.settings, task.source),
        # wait: a process that the search gave up on may still be training this candidate
        # beside: the search would not find a run that is saved elsewhere
        RunFolder(task.folder, settings=noted, wait=60, beside=False),
        resume="auto",
        allow_other_machine=task.allow_other_machine,
        params=params,
        progress=False,
        should_stop=should_stop,
    )
    if result.best_validation is None and result.stopped_by != "request":
        diverged = f"training diverged at update {result.diverged_at}"
        return failed(task, diverged if result.diverged_at else "nothing was validated")
    return Outcome(
        task.settings,
        task.folder,
        result.best_validation,
        result.n_epochs,
        result.best_iteration or 0,
        result.seconds,
        result.stopped_by,
        n_machines=result.history[-1].machine,
    )


def _digest(params):
    """Return hexadecimal digits that identify the parameters to start from."""
    found = hashlib.sha256()
    for name, value in sorted(params.items()):
        found.update(name.encode() + np.ascontiguousarray(value).tobytes())
    return found.hexdigest()[:12]


def _check(task):
    """Check that this process sees the folder and the data of the search."""
    folder, here = os.path.dirname(task.folder), platform.node()
    if _mark(task) != task.source.mark:
        found = f"another folder, or none, on the machine {here}"
        expected = "the one that the search writes to"
        raise DataError(folder, found, expected, "choose a folder that all machines share")
    if [data_set.fingerprint() for data_set in load(task.source)[:2]] != task.data:
        found = f"other data on the machine {here}"
        raise DataError(task.source.dataset, found, "the same on all machines", "copy it there")


def _is_over(task):
    """Return whether the search has ended, or another one has begun."""
    return _mark(task) not in (task.source.mark, None)


def _mark(task):
    """Return the mark in the folder of the search; None if it cannot be read."""
    path = os.path.join(os.path.dirname(task.folder), MARK_NAME)
    with contextlib.suppress(DataError, OSError), open_regular(path) as file:
        return file.read(100).decode("ascii", "replace")
    return None
