"""Resuming: what has to be the same for a run to go on, and what may differ.

A resumed run gives the very bits of one that never stopped. That takes the same data, settings,
loss, updates, order and engine, so an error lists whatever differs. It takes the same machine, too:
another one rounds differently, which changes the last bits and makes no result wrong.
"""

from __future__ import annotations

import json
import os
import re

import dlt
from dlt.engine import cores, versions
from dlt.errors import one_line
from dlt.runs.checkpoint import Checkpoint
from dlt.runs.folder import DATASET, DESCRIPTION

_LONGEST = 80  # characters of a name or a value from the checkpoint
_THREADS = ("NPROC", "OPENBLAS_NUM_THREADS")
_NUMBER = re.compile("[0-9]{1,4}")


def differences(checkpoint: Checkpoint, now: Checkpoint) -> list[str]:
    """Return every difference between a checkpoint and a run that keeps the run from going on.

    The name of the data set may differ if the data does not, and the number of epochs may be
    larger.
    """
    before, after = dict(checkpoint.settings), dict(now.settings)
    epochs = [settings.pop("n_epochs", None) for settings in (before, after)]
    names = [settings.pop(DATASET, None) for settings in (before, after)]  # see the data below
    for settings in (before, after):
        settings.pop(DESCRIPTION, None)
        settings.pop("floatX", None)
        settings.pop("engine", None)  # both are part of the engine below
    found = _unequal(before, after)
    if not isinstance(epochs[0], int) or epochs[0] > epochs[1]:
        found.append(_difference("n_epochs", *epochs) + " (it may only be raised)")
    found += _unequal(checkpoint.engine, now.engine)
    same_dtype = checkpoint.engine.get("floatX") == now.engine.get("floatX")
    if checkpoint.data != now.data and same_dtype:  # else the bytes differ in any case
        hashes = ["sha256 " + " ".join(d[:16] for d in run.data) for run in (checkpoint, now)]
        named = [f"{n} ({h})" if isinstance(n, str) else h for n, h in zip(names, hashes)]
        found.append(_difference("data", *named))
    # A setting that differs shows in the graphs too, and says it more plainly.
    return found or _graphs(checkpoint.program, now.program)


def machine_differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return every difference between the machine of a checkpoint and this one.

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
    """Return what to do to compute as on the machine of a checkpoint, as far as that is known.

    Examples
    --------
    >>> how_to_restore({"NPROC": "2"}, {"NPROC": "1", "XLA_FLAGS": "--xla_cpu_max_isa=AVX"})
    'put env -u XLA_FLAGS NPROC=2 in front of the command'
    """
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    variables = [name for name in changed if name.isupper() and name in after]
    unset = [f"-u {name}" for name in variables if name not in before]
    # numbers only: the checkpoint may come from a stranger
    numbers = {n: before[n] for n in variables if _NUMBER.fullmatch(before.get(n, ""))}
    n_threads = numbers.get("OPENBLAS_NUM_THREADS", "0")
    if int(n_threads) > cores():  # it takes no more than there are
        if int(n_threads) > (os.cpu_count() or 1):
            return f"use a machine with {n_threads} processors"
        limit = "without taskset, or with a container's limit raised"
        return f"run it on {n_threads} processors: {limit}"
    if len(unset) + len(numbers) < len(changed):
        if all(_is_flag(name) and name in {*after, "XLA_FLAGS"} for name in changed):
            return f"set {', '.join(changed)} as {'they were' if changed[1:] else 'it was'}"
        return "use that machine, and the same flags"
    if "NPROC" in numbers and "PJRT_NPROC" in os.environ:  # which XLA reads first
        numbers["PJRT_NPROC"] = numbers.pop("NPROC")
    put = [f"{name}={value}" for name, value in numbers.items()]
    return " ".join(["put", *(["env"] if unset else []), *unset, *put, "in front of the command"])


def _is_flag(name):
    """Return whether a user sets this part of a machine: NUMBA_OPT, gcc.cxxflags, gcc__cxxflags."""
    return name.isupper() or "." in name or "__" in name


def engine_versions() -> dict[str, str]:
    """Return names and versions of all that computes, and so may round differently.

    Examples
    --------
    >>> sorted(engine_versions())  # doctest: +ELLIPSIS
    ['dlt', 'engine', 'floatX', ...'linker'...]
    """
    return dict(versions(), dlt=dlt.__version__)


def _graphs(before, after):
    """Return the expressions that differ: by a constant if that is all, or as another one."""
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
    # by their text too: NaN is not equal to itself
    return [_difference(*p) for p in pairs if p[1] != p[2] and json.dumps(p[1]) != json.dumps(p[2])]


def _difference(name, before, after):
    values = ["none" if value is None else value for value in (before, after)]
    texts = [v if isinstance(v, str) else json.dumps(v) for v in values]
    shown = [one_line(text, _LONGEST) for text in (name, *texts)]
    return "{}: the checkpoint has {}, this run {}".format(*shown)
