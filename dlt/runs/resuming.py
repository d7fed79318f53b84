"""Resuming: what has to be the same for a run to go on, and what may differ.

A resumed run promises the very bits of one that never stopped. It can keep that promise only
with the same data, settings, loss, updates, order and engine: whatever differs is named.
"""

import json

import dlt
from dlt.engine import versions
from dlt.runs.folder import DATASET


def differences(checkpoint, now):
    """Name everything in which a checkpoint and a run differ and must not.

    The name of the data set may differ where the data does not, and the number of epochs may
    be larger.

    Parameters
    ----------
    checkpoint, now : Checkpoint

    Returns
    -------
    list of str
    """
    before, after = dict(checkpoint.settings), dict(now.settings)
    epochs = [settings.pop("n_epochs", None) for settings in (before, after)]
    names = [settings.pop(DATASET, None) for settings in (before, after)]  # see the data below
    for settings in (before, after):
        settings.pop("floatX", None)
        settings.pop("engine", None)  # both are part of the engine below
    found = _unequal(before, after)
    if not isinstance(epochs[0], int) or epochs[0] > epochs[1]:
        found.append(_difference("n_epochs", *epochs) + " (it may only be raised)")
    found += _unequal(checkpoint.engine, now.engine)
    same_dtype = checkpoint.engine.get("floatX") == now.engine.get("floatX")
    if checkpoint.data != now.data and same_dtype:  # else the bytes differ in any case
        hashes = ["sha256 " + " ".join(d[:16] for d in run.data) for run in (checkpoint, now)]
        texts = [
            f"{name} ({digest})" if isinstance(name, str) else digest
            for name, digest in zip(names, hashes)
        ]
        found.append(_difference("data", *texts))
    # A setting that differs shows in the graphs too, and is the plainer word.
    return found or _graphs(checkpoint.program, now.program)


def _graphs(before, after):
    """Name the expressions that differ: by a constant where that is all, or as another one."""
    found = []
    for name in sorted(set(before) | set(after)):
        (was, were), (now, are) = (part.get(name, ["", []]) for part in (before, after))
        if was != now or len(were) != len(are):
            found.append(f"{_printable(name)}: the checkpoint has another expression")
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
    return "{}: the checkpoint has {}, this run {}".format(*map(_printable, [name, *texts]))


def _printable(text):
    return ascii(text)[1:-1][:80]


def engine_versions():
    """Return what computes: everything that may round otherwise.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> sorted(engine_versions())  # doctest: +ELLIPSIS
    ['device', 'dlt', 'engine', 'floatX', ...'linker'...]
    """
    return dict(versions(), dlt=dlt.__version__)
