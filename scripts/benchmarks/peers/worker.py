"""A competitor's process, which trains some epochs for each line that it reads.

`peers.race` starts it with one argument, a JSON object (name, device, batch_size, data). It writes
a line of JSON when it has read the data, after its first epoch and after each turn, and exits at
the end of its input. Between turns it waits for a line, and does not compute.
"""

import importlib
import json
import os
import signal
import sys
import time

_HERE = os.path.dirname(os.path.abspath(__file__))
# Epochs in a turn. After a pause, the threads of a library have to wake up, which slows down the
# first epochs: with XLA, they take twice as long.
UNCOUNTED, COUNTED = 2, 8


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # after Ctrl-C, the parent ends this process
    # The pipe is only for answers, so what libraries print goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # For the modules of this folder, peers.something, and for the dlt of this checkout.
    benchmarks = os.path.dirname(_HERE)
    sys.path[:1] = [benchmarks, os.path.dirname(os.path.dirname(benchmarks))]
    from peers import Unavailable

    def answer(**facts):
        print(json.dumps(facts), file=answers, flush=True)

    try:
        _serve(json.loads(sys.argv[1]), answer)
    except Unavailable as reason:
        answer(unavailable=str(reason))


def _serve(settings, answer):
    import numpy  # noqa: F401  so that its import does not count as reading the data

    from peers import PEERS

    peer = PEERS[settings["name"]]
    started = time.perf_counter()
    datasets = _read(settings["data"])
    answer(loading_seconds=time.perf_counter() - started)
    sys.stdin.readline()
    module = importlib.import_module("peers." + peer.module)
    epoch = module.prepare(datasets, settings["batch_size"], settings["device"], **peer.options)
    del datasets  # an engine may have copied them
    n_errors = epoch()
    versions = {module: _version(module) for module in peer.requires}
    answer(n_errors=n_errors, versions=versions, threads=threads(), peak_bytes=peak_bytes())
    while sys.stdin.readline():
        n_errors = [epoch() for _ in range(UNCOUNTED)]
        started = time.perf_counter()
        n_errors += [epoch() for _ in range(COUNTED)]
        seconds = (time.perf_counter() - started) / COUNTED
        answer(n_errors=n_errors, seconds=seconds, peak_bytes=peak_bytes())


def _read(folder):
    """Read the training and the validation set that `peers.race.write_data` wrote."""
    import numpy as np

    return [
        tuple(np.load(os.path.join(folder, f"{name}_{part}.npy")) for part in "xy")
        for name in ("train", "valid")
    ]


def _version(module):
    return getattr(importlib.import_module(module), "__version__", "unknown")


def threads():
    """Return how many threads each library loaded by now may use, as far as that is known."""
    import threadpoolctl

    found = {pool["internal_api"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
    if "torch" in sys.modules:
        found["torch"] = sys.modules["torch"].get_num_threads()
    return found


def peak_bytes():
    """Return the most memory that this process has used, or None if the system does not tell."""
    try:
        with open("/proc/self/status") as file:
            facts = dict(line.split(":", 1) for line in file)
        return 1024 * int(facts["VmHWM"].split()[0])
    except (OSError, KeyError):
        return None


if __name__ == "__main__":
    main()
