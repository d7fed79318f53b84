"""Resuming: go on from a run folder's checkpoint, if everything is as it was.

A resumed run promises the very bits of one that never stopped. It can keep that promise only
with the same data, settings and engine: whatever differs is named, and refused.
"""

import json

import dlt
from dlt.engine import versions
from dlt.errors import SettingsError
from dlt.parameters import check_fit
from dlt.runs.folder import UNFINISHED_NAME


def begin(folder, start, params, resume, log):
    """Give the state to begin with: the checkpoint's, or `start`.

    Parameters
    ----------
    folder : dlt.runs.folder.RunFolder
    start : Checkpoint
        Before the first update, with this run's settings, engine and data.
    params : sequence of shared variables
        They are not changed.
    resume : bool
        Whether to go on from the folder's checkpoint.
    log : callable
        Takes a line of the report.

    Returns
    -------
    Checkpoint

    Raises
    ------
    SettingsError
        There is no checkpoint, or it is another run's; every difference is named.
    DataError
        It cannot be read, or the parameters are not the model's.
    """
    if not resume:
        earlier = folder.peek()
        if earlier is not None and earlier.ended is None:
            log(
                "found an unfinished run of {} updates in {}; --resume (resume=True) would have "
                "continued it; starting anew, and keeping it as {}".format(
                    earlier.iteration, folder.path, UNFINISHED_NAME
                )
            )
        return start
    checkpoint = folder.load()
    found = differences(checkpoint, start)
    if found:
        raise SettingsError(
            "{!r}: found a checkpoint of another run: {}; expected the same data, settings and "
            "engine; use those, or train anew without resume (--resume)".format(
                folder.path, "; ".join(found)
            )
        )
    check_fit(folder.path, params, checkpoint.params)
    state = checkpoint._replace(ended=None, settings=start.settings)
    folder.go_on(state)
    log("going on after {} updates".format(state.iteration))
    return state


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
    names = [settings.pop("dataset", None) for settings in (before, after)]  # see the data below
    for settings in (before, after):
        settings.pop("floatX", None)
        settings.pop("engine", None)  # both are part of the engine below
    found = _unequal(before, after)
    if not isinstance(epochs[0], int) or epochs[0] > epochs[1]:
        found.append(_difference("n_epochs", *epochs) + " (it may only be raised)")
    found += _unequal(checkpoint.engine, now.engine)
    same_dtype = checkpoint.engine.get("floatX") == now.engine.get("floatX")
    if checkpoint.data != now.data and same_dtype:  # else the bytes differ in any case
        hashes = ["sha256 {}".format(state.data[:16]) for state in (checkpoint, now)]
        texts = [
            "{} ({})".format(name, digest) if isinstance(name, str) else digest
            for name, digest in zip(names, hashes)
        ]
        found.append(_difference("data", *texts))
    return found


def _unequal(before, after):
    names = sorted(set(before) | set(after))
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    # by their text too: NaN is not equal to itself
    return [_difference(*p) for p in pairs if p[1] != p[2] and json.dumps(p[1]) != json.dumps(p[2])]


def _difference(name, before, after):
    values = ["none" if value is None else value for value in (before, after)]
    texts = [v if isinstance(v, str) else json.dumps(v) for v in values]
    texts = [ascii(text)[1:-1][:80] for text in texts]
    return "{}: the checkpoint has {}, this run {}".format(name, *texts)


def engine_versions():
    """Tell what computes: everything that may round otherwise.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> sorted(engine_versions())  # doctest: +ELLIPSIS
    ['device', 'dlt', 'engine', 'floatX', ...'linker'...]
    """
    return dict(versions(), dlt=dlt.__version__)
