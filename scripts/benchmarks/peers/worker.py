"""The process of one competitor: it trains some epochs for each line it reads.

`peers.race` starts it with one argument, a JSON object (name, device, batch_size, data). It
writes a JSON line when it has read the data, after its first epoch and after each turn, and
exits at the end of its input. Between two turns it waits for a line and uses no time.
"""

import importlib
import json
import os
import signal
import sys
import time

_HERE = os.path.dirname(os.path.abspath(__file__))
# Epochs in a turn. After a pause the threads of a library have to wake up, which slows the first
# epochs down: XLA's take twice the time.
UNCOUNTED, COUNTED = 2, 8


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C the parent ends this
    # The pipe is for answers only: what a library prints goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # This folder's modules are peers.something; next to it, the dlt of this checkout.
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
    import numpy  # noqa: F401 (its import belongs to the first epoch, not to reading the data)

    from peers import PEERS

    peer = PEERS[settings["name"]]
    started = time.perf_counter()
    datasets = _read(settings["data"])
    answer(loading_seconds=time.perf_counter() - started)
    sys.stdin.readline()
    module = importlib.import_module("peers." + peer.module)
    epoch = module.prepare(datasets, settings["batch_size"], settings["device"], **peer.options)
    del datasets  # an engine may have copied them
    answer(n_errors=epoch(), **_about(peer))
    while sys.stdin.readline():
        n_errors = [epoch() for _ in range(UNCOUNTED)]
        started = time.perf_counter()
        n_errors += [epoch() for _ in range(COUNTED)]
        seconds = (time.perf_counter() - started) / COUNTED
        answer(n_errors=n_errors, seconds=seconds, peak_bytes=peak_bytes())


def _read(folder):
    """Read the training and the validation set as `peers.race.write_data` wrote them."""
    import numpy as np

    return [
        tuple(np.load(os.path.join(folder, f"{name}_{part}.npy")) for part in "xy")
        for name in ("train", "valid")
    ]


def _about(peer):
    import platform

    return {
        "versions": dict({m: _version(m) for m in peer.requires}, python=platform.python_version()),
        "threads": threads(),
        "peak_bytes": peak_bytes(),
    }


def _version(module):
    return getattr(importlib.import_module(module), "__version__", "unknown")


def threads():
    """Return how many threads each library loaded by now may use, as far as that is known."""
    found = {}
    try:
        import threadpoolctl
    except ImportError:
        pass
    else:
        for pool in threadpoolctl.threadpool_info():
            found[pool["internal_api"]] = pool["num_threads"]
    if "torch" in sys.modules:
        found["torch"] = sys.modules["torch"].get_num_threads()
    return found


def peak_bytes():
    """Return the most memory this process ever had resident; None without a /proc."""
    try:
        with open("/proc/self/status") as file:
            (line,) = [line for line in file if line.startswith("VmHWM:")]
    except (OSError, ValueError):
        return None
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main()
