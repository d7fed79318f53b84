"""The race: a process for each competitor, which take turns of some epochs, round after round.

So whatever else the computer does affects all of them alike. Before the rounds, each competitor
runs its first epoch alone, twice: with an empty folder for compiled code, and with a full one.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Dict, List, NamedTuple

import numpy as np

from peers import PEERS, Unavailable, why_not

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
# The threads of some libraries keep a core busy for a while after their work.
PAUSE = 0.1  # seconds before each turn


class Race(NamedTuple):
    """What was measured with one batch size.

    Fields
    ------
    competitors : list of dict
        name, first_epoch (cold and warm), loading_seconds, seconds (for an epoch, in each round),
        n_errors (after every epoch), peak_bytes, versions, threads.
    skipped : dict of str to str
        Why a competitor has no times.
    """

    competitors: List[dict]
    skipped: Dict[str, str]


def write_data(datasets, folder):
    """Write the training and the validation set as four .npy files: x float32, y int64."""
    for name, (x, y) in zip(("train", "valid"), datasets):
        np.save(os.path.join(folder, name + "_x.npy"), np.ascontiguousarray(x, np.float32))
        np.save(os.path.join(folder, name + "_y.npy"), np.ascontiguousarray(y, np.int64))


class Competitor:
    """A competitor's process.

    `settings` are device, batch_size, and data (the folder of `write_data`); compiled code goes
    to the folder `cache`.
    """

    def __init__(self, name, settings, cache):
        self.name = name
        self._log = tempfile.TemporaryFile(mode="w+")
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, WORKER, json.dumps(dict(settings, name=name))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment(settings["device"], cache),
            universal_newlines=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.kill()
        self._log.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.__exit__(*exception)  # closes its pipes, and waits for its end

    def first_epoch(self):
        """Train the first epoch, and return the worker's facts and the seconds since its start.

        These include imports and compilation, but not reading the data (``loading_seconds``).
        """
        loading = self._answer()["loading_seconds"]
        facts = self.turn()
        seconds = time.perf_counter() - self._started - loading
        return dict(facts, first_epoch=seconds, loading_seconds=loading)

    def turn(self):
        """Train a turn, and return the worker's facts."""
        with contextlib.suppress(BrokenPipeError):  # it has ended, as the answer will show
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise Unavailable(self._last_words())
        facts = json.loads(line)
        if "unavailable" in facts:
            raise Unavailable(facts["unavailable"])
        return facts

    def _last_words(self):
        code = self._process.wait()
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        return f"ended with code {code}: {lines[-1] if lines else 'no message'}"


def environment(device, cache):
    """Return a worker's environment: the user's, with the device and other cache folders."""
    flags = [os.environ.get("PYTENSOR_FLAGS"), "base_compiledir=" + os.path.join(cache, "pytensor")]
    moved = ["NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH"]
    moved += [name for name in ("JAX_COMPILATION_CACHE_DIR",) if os.environ.get(name)]
    changes = {name: os.path.join(cache, name.lower()) for name in moved}
    changes["XDG_CACHE_HOME"] = os.path.join(cache, "xdg")
    changes["PYTENSOR_FLAGS"] = ",".join(filter(None, flags))
    if device == "cpu":
        return dict(os.environ, JAX_PLATFORMS="cpu", **changes)
    # Otherwise each process would reserve most of the GPU's memory.
    changes["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    kept = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    return dict(kept, **changes)


def race(names, settings, n_rounds, say, bar=None):
    """Measure competitors with one batch size, and return a `Race`.

    `say` gets a line of text before anything slow; `bar` advances by 1 for each round.
    """
    results, skipped, runners = {}, {}, []

    def attempt(name, step, *args):
        """Return what a step returns; if it fails, skip the competitor from then on."""
        try:
            return step(*args)
        except Unavailable as reason:
            skipped[name] = str(reason)
            say(f"{name}: skipped, {reason}")

    with tempfile.TemporaryDirectory() as cache, contextlib.ExitStack() as stack:
        for name in names:
            facts = attempt(name, _first_epochs, name, settings, cache, say)
            if facts is not None:
                results[name] = facts
        if results:
            say(f"{n_rounds} rounds ...")
        for name, facts in results.items():
            runner = stack.enter_context(Competitor(name, settings, os.path.join(cache, name)))
            first = attempt(name, runner.first_epoch)
            if first is not None:
                facts["n_errors"] = [first["n_errors"]]
                runners.append(runner)
        for number in range(n_rounds if results else 0):
            # Every other round goes the other way, so that neighbours change sides.
            for runner in runners if number % 2 == 0 else reversed(runners):
                if runner.name not in skipped:
                    attempt(runner.name, _take_turn, runner, results[runner.name])
            if bar:
                bar.advance(1)
    ran = [facts for name, facts in results.items() if name not in skipped]
    return Race(ran, {name: skipped[name] for name in names if name in skipped})


def _first_epochs(name, settings, cache, say):
    """Time a cold and a warm start; return the facts about the competitor."""
    reason = why_not(name, settings["device"])
    if reason:
        raise Unavailable(reason)
    seconds = {}
    own_cache = os.path.join(cache, name)
    os.mkdir(own_cache)
    for start in ("cold", "warm"):
        say(f"{name}: {start} start ...")
        with Competitor(name, settings, own_cache) as runner:
            facts = runner.first_epoch()
        seconds[start] = facts["first_epoch"]
    return dict(facts, name=name, first_epoch=seconds, seconds=[])


def _take_turn(runner, facts):
    """Run a turn after a pause, and add what it found to the facts."""
    time.sleep(PAUSE)
    found = runner.turn()
    facts["seconds"].append(found["seconds"])
    facts["n_errors"] += found["n_errors"]
    facts["peak_bytes"] = found["peak_bytes"]


def largest_difference(competitors):
    """Compare the validation errors of all competitors that do the same work.

    Return the largest difference between any two after the same epoch, in examples; the first epoch
    (from 1) with that difference; and the names of the two, the one with fewer errors first.

    Examples
    --------
    >>> largest_difference([{"name": "jax_scan", "n_errors": [30, 20]},
    ...                     {"name": "pytorch", "n_errors": [30, 21]}])
    (1, 2, 'jax_scan', 'pytorch')
    """
    same = [facts for facts in competitors if PEERS[facts["name"]].same_work]
    worst = (0, 1, None, None)
    for i in range(len(same[0]["n_errors"]) if same else 0):
        ranked = sorted((facts["n_errors"][i], facts["name"]) for facts in same)
        (least, fewest), (largest, most) = ranked[0], ranked[-1]
        if largest - least > worst[0]:
            worst = (largest - least, i + 1, fewest, most)
    return worst
