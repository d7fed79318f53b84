"""Resuming: what must be the same for a run to go on, and what may differ.

A resumed run must end with the same bits as one that never stopped. That takes the same data,
settings, loss, updates, order and engine; an error lists the differences. It also takes the same
machine: another one rounds differently, which changes the last bits but makes no result wrong.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, Callable

import dlt
from dlt.engine import cores, versions
from dlt.errors import one_line
from dlt.parameters import check_values
from dlt.runs.checkpoint import Checkpoint
from dlt.runs.folder import DATASET, DESCRIPTION
from dlt.runs.lock import ForeignRunError
from dlt.runs.state import Machine, State

_MOST = 20  # differences listed in an error
_LONGEST = 80  # characters shown of a name or a value
_THREADS = ("NPROC", "OPENBLAS_NUM_THREADS")
_ELSEWHERE = ("n_epochs", DATASET, DESCRIPTION, "floatX", "engine")  # settings compared otherwise
_NUMBER = re.compile("[0-9]{1,4}")


def check_same_run(folder: str, found: Checkpoint, now: Checkpoint) -> None:
    """Check that a run can go on from a checkpoint, but for the machine.

    Raises
    ------
    ForeignRunError
        The checkpoint belongs to another run. The error lists the differences.
    DataError
        Its parameters, or what else the updates change, have other names, shapes or types.
    """
    others = differences(found, now)
    if others:
        more = [f"and {len(others) - _MOST} more"] if len(others) > _MOST else []
        raise ForeignRunError(
            folder,
            f"a checkpoint of another run: {'; '.join(others[:_MOST] + more)}",
            "the same data, settings, loss, updates, order and engine",
            "use those, or train anew in another folder (--output-dir)",
        )
    for group in ("params", "update_state"):
        check_values(folder, getattr(now.state, group), getattr(found.state, group))


def differences(checkpoint: Checkpoint, now: Checkpoint) -> list[str]:
    """Return all differences because of which a run cannot go on from a checkpoint.

    The data set may have another name if the data is the same, and the number of epochs may be
    larger.
    """
    runs = checkpoint, now
    epochs: Any = [run.settings.get("n_epochs") for run in runs]
    names = [run.settings.get(DATASET) for run in runs]
    found = _unequal(
        *({n: v for n, v in run.settings.items() if n not in _ELSEWHERE} for run in runs)
    )
    if not isinstance(epochs[0], int) or epochs[0] > epochs[1]:
        found.append(_difference("n_epochs", *epochs) + " (it may only be raised)")
    found += _unequal(checkpoint.engine, now.engine)
    same_dtype = checkpoint.engine.get("floatX") == now.engine.get("floatX")
    if checkpoint.data != now.data and same_dtype:  # in another dtype, the bytes always differ
        hashes = ["sha256 " + " ".join(d[:16] for d in run.data) for run in runs]
        named = [f"{n} ({h})" if isinstance(n, str) else h for n, h in zip(names, hashes)]
        found.append(_difference("data", *named))
    # Other settings change the graphs too, but are easier to understand.
    return found or _graphs(checkpoint.program, now.program)


def on_this_machine(
    folder: str, state: State, this: dict[str, str], allowed: bool, log: Callable[[str], Any]
) -> State:
    """Return a state with this machine added to its machines, if it is another one.

    Parameters
    ----------
    folder : str
        For messages.
    state : State
    this : dict of str to str
        See `dlt.engine.machine`.
    allowed : bool
        Go on even if another machine made the state.
    log : callable
        Takes a line about that.

    Raises
    ------
    ForeignRunError
        That is not allowed.
    """
    machines = [machine for machine in state.machines if machine.first <= state.iteration]
    before = machines[-1].parts
    others = machine_differences(before, this)
    if others:
        found = f"a checkpoint of another machine: {'; '.join(others)}"
        if not allowed:
            remedy = (
                f"{how_to_restore(before, this)}, or go on with --allow-other-machine "
                "(allow_other_machine=True): the last bits will differ, but no result will be wrong"
            )
            raise ForeignRunError(folder, found, "the same one, for the same bits", remedy)
        machines.append(Machine(state.iteration + 1, this))
        log(
            f"{folder}: found {found}; from here on, the last bits differ from those of that one; "
            f"the history calls this one machine {len(machines)}"
        )
    return state._replace(machines=tuple(machines))


def machine_differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return all differences between the machine of a checkpoint and this one.

    Examples
    --------
    >>> machine_differences({"NPROC": "2"}, {"NPROC": "1"})
    ['NPROC (the number of threads): the checkpoint has 2, this run 1']
    """
    named = [
        {name + " (the number of threads)" * (name in _THREADS): v for name, v in parts.items()}
        for parts in (before, after)
    ]
    return _unequal(*named)


def how_to_restore(before: dict[str, str], after: dict[str, str]) -> str:
    """Return advice on how to compute as on the machine of a checkpoint.

    Examples
    --------
    >>> how_to_restore({"NPROC": "2"}, {"NPROC": "1", "XLA_FLAGS": "--xla_cpu_max_isa=AVX"})
    'put env -u XLA_FLAGS NPROC=2 in front of the command'
    """
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    variables = [name for name in changed if name.isupper() and name in after]
    unset = [f"-u {name}" for name in variables if name not in before]
    # numbers only, as the checkpoint may come from anyone
    numbers = {n: before[n] for n in variables if _NUMBER.fullmatch(before.get(n, ""))}
    n_threads = numbers.get("OPENBLAS_NUM_THREADS", "0")
    if int(n_threads) > cores():  # OpenBLAS uses no more threads than there are cores
        if int(n_threads) > (os.cpu_count() or 1):
            return f"use a machine with {n_threads} processors"
        limit = "without taskset, or with a container's limit raised"
        return f"run it on {n_threads} processors: {limit}"
    if len(unset) + len(numbers) < len(changed):
        if all(_is_flag(name) and name in {*after, "XLA_FLAGS"} for name in changed):
            return f"set {', '.join(changed)} as {'they were' if changed[1:] else 'it was'}"
        return "use that machine, and the same flags"
    if "NPROC" in numbers and "PJRT_NPROC" in os.environ:  # XLA reads this one first
        numbers["PJRT_NPROC"] = numbers.pop("NPROC")
    put = [f"{name}={value}" for name, value in numbers.items()]
    return " ".join(["put", *(["env"] if unset else []), *unset, *put, "in front of the command"])


def _is_flag(name):
    """Return whether this is a flag that users set: NUMBA_OPT, gcc.cxxflags, gcc__cxxflags."""
    return name.isupper() or "." in name or "__" in name


def engine_versions() -> dict[str, str]:
    """Return names and versions of everything that computes, and so may round differently.

    Examples
    --------
    >>> sorted(engine_versions())  # doctest: +ELLIPSIS
    ['dlt', 'engine', 'floatX', ...'linker'...]
    """
    return dict(versions(), dlt=dlt.__version__)


def _graphs(before, after):
    """Return the expressions that differ, with the first constant if only constants do."""
    found = []
    for name in sorted(set(before) | set(after)):
        (was, were), (now, are) = (part.get(name, ["", []]) for part in (before, after))
        if was != now or len(were) != len(are):
            found.append(f"{one_line(name, _LONGEST)}: the checkpoint has another expression")
        else:
            pairs = [_difference(name, *pair) for pair in zip(were, are) if pair[0] != pair[1]]
            found += pairs[:1]
    return found


def _unequal(before, after):
    names = sorted(set(before) | set(after))
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    # compared as text too, as NaN does not equal itself
    return [_difference(*p) for p in pairs if p[1] != p[2] and json.dumps(p[1]) != json.dumps(p[2])]


def _difference(name, before, after):
    values = ["none" if value is None else value for value in (before, after)]
    texts = [v if isinstance(v, str) else json.dumps(v) for v in values]
    shown = [one_line(text, _LONGEST) for text in (name, *texts)]
    return "{}: the checkpoint has {}, this run {}".format(*shown)
