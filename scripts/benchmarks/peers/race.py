"""The race: one process for each competitor, some epochs of each in turn, round after round.

Whatever else the computer does then affects all alike. Before the rounds, each competitor runs
its first epoch alone, twice: with an empty folder for compiled code, and with a full one.
"""

import collections
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from peers import PEERS, why_not

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
# Threads of some libraries keep a core busy for a while after their work.
PAUSE = 0.1  # seconds between one competitor's turn and the next one's

Race = collections.namedtuple("Race", "competitors skipped")
Race.__doc__ = """What was measured with one batch size.

Fields
------
competitors : list of dict
    name, first_epoch (cold and warm), loading_seconds, seconds (of an epoch, in each round),
    n_errors (after every epoch), peak_bytes, versions, threads.
skipped : dict of str to str
    Why a competitor has no times.
"""


class Stopped(Exception):
    """A competitor's process ended, or cannot run; the message says why."""


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
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, which the answer shows
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise Stopped(self._last_words())
        facts = json.loads(line)
        if "unavailable" in facts:
            raise Stopped(facts["unavailable"])
        return facts

    def _last_words(self):
        code = self._process.wait()
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        return f"ended with code {code}: {lines[-1] if lines else 'no message'}"

    def close(self):
        """End the process and wait for its end."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


def environment(device, cache):
    """Return a worker's environment: the user's, with the device and moved cache folders."""
    flags = [os.environ.get("PYTENSOR_FLAGS"), "base_compiledir=" + os.path.join(cache, "pytensor")]
    moved = ["NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH"]
    moved += [name for name in ("JAX_COMPILATION_CACHE_DIR",) if os.environ.get(name)]
    changes = {name: os.path.join(cache, name.lower()) for name in moved}
    changes["XDG_CACHE_HOME"] = os.path.join(cache, "xdg")
    changes["PYTENSOR_FLAGS"] = ",".join(filter(None, flags))
    if device == "cpu":
        return dict(os.environ, JAX_PLATFORMS="cpu", **changes)
    # JAX would reserve most of the GPU's memory for each process, and there are several.
    changes["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    kept = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    return dict(kept, **changes)


def race(names, settings, n_rounds, say, bar=None):
    """Measure competitors with one batch size, and return a `Race`.

    `say` gets a line of text before anything slow; `bar` advances by 1 for each round.
    """
    skipped, results, runners = {}, {}, []
    with tempfile.TemporaryDirectory() as cache:
        try:
            for name in names:
                reason = why_not(name, settings["device"])
                if reason is None:
                    reason = _first_epochs(name, settings, cache, results, say)
                if reason is not None:
                    skipped[name] = reason
                    say(f"{name}: skipped, {reason}")
            if results:
                say(f"{n_rounds} rounds ...")
            runners = _start(results, settings, cache, skipped)
            for number in range(n_rounds if results else 0):
                _round(runners, number, results, skipped)
                if bar:
                    bar.advance(1)
        finally:
            for runner in runners:
                runner.close()
    ran = [facts for name, facts in results.items() if name not in skipped]
    return Race(ran, {name: skipped[name] for name in names if name in skipped})


def _first_epochs(name, settings, cache, results, say):
    """Time a cold and a warm start; return why that failed, or None."""
    seconds = {}
    own_cache = os.path.join(cache, name)
    os.mkdir(own_cache)
    for start in ("cold", "warm"):
        say(f"{name}: {start} start ...")
        runner = Competitor(name, settings, own_cache)
        try:
            facts = runner.first_epoch()
        except Stopped as error:
            return str(error)
        finally:
            runner.close()
        seconds[start] = facts["first_epoch"]
    results[name] = dict(facts, name=name, first_epoch=seconds, seconds=[])
    return None


def _start(results, settings, cache, skipped):
    """Start the competitors one after the other, each with its first epoch."""
    runners = []
    for name, facts in results.items():
        runner = Competitor(name, settings, os.path.join(cache, name))
        runners.append(runner)
        try:
            facts["n_errors"] = [runner.first_epoch()["n_errors"]]
        except Stopped as error:
            skipped[name] = str(error)
    return runners


def _round(runners, number, results, skipped):
    """Run a turn of each; every other round goes the other way, so neighbours change sides."""
    for runner in runners if number % 2 == 0 else reversed(runners):
        if runner.name in skipped:
            continue
        time.sleep(PAUSE)
        try:
            facts = runner.turn()
        except Stopped as error:
            skipped[runner.name] = str(error)
            continue
        results[runner.name]["seconds"].append(facts["seconds"])
        results[runner.name]["n_errors"] += facts["n_errors"]
        results[runner.name]["peak_bytes"] = facts["peak_bytes"]


def largest_difference(competitors):
    """Compare the validation errors of all competitors that do the same work.

    Returns the largest difference between any two after the same epoch, in examples; the first
    epoch (from 1) with that difference; and the names of the two, fewer errors first.

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
