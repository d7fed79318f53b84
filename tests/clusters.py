"""A Dask cluster on this machine, for tests: a scheduler and workers, as processes."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import psutil

from dlt.runs.folder import PARAMS_NAME, newest_checkpoint

PATIENT = 300  # seconds after which something that should have happened counts as lost


def wait_until(happened, seconds=PATIENT):
    """Wait until a function returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = happened()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{happened.__name__}: not within {seconds} seconds")


class Cluster:
    """A scheduler on a free port, and its workers; all end with the ``with`` block.

    Parameters
    ----------
    folder : pathlib.Path
        For what they write.
    environ : dict of str to str
        Their environment.
    """

    def __init__(self, folder, environ):
        self.folder, self.environ = folder, environ
        self.scheduler, self.workers, self._started = None, [], 0

    def __enter__(self):
        self.start_scheduler()
        return self

    def __exit__(self, *exception):
        self.stop(self.scheduler, *self.workers)

    def start_scheduler(self):
        about = self.folder / "scheduler.json"
        with contextlib.suppress(FileNotFoundError):
            about.unlink()
        self.scheduler = self._dask(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(about),
        )  # fmt: skip

        def address():
            with contextlib.suppress(OSError, ValueError):
                return json.loads(about.read_text())["address"]

        self.address = wait_until(address)

    def add_worker(self, *options, before=(), **environ):
        """Start one more worker, with a nanny that replaces it unless told otherwise."""
        worker = self._dask(
            "worker", self.address, "--nthreads", "1", "--no-dashboard", "--memory-limit", "0",
            "--local-directory", str(self.folder), *options, before=before, **environ,
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def stop(self, *processes):
        """End processes and all that they started, at once."""
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        self.workers = [worker for worker in self.workers if worker not in processes]

    def training(self):
        """Return the processes that train: the children of nannies."""
        found = []
        for worker in self.workers:
            with contextlib.suppress(psutil.Error):
                children = psutil.Process(worker.pid).children(recursive=True)
                found += [child for child in children if "spawn_main" in words(child)]
        return found

    def _dask(self, *command, before=(), **environ):
        self._started += 1
        # a shell that ends all with itself, also when this process dies: that closes its stdin
        shell = ["sh", "-c", '"$@" & cat; kill -KILL 0', "sh"]
        with open(self.folder / f"{self._started}-{command[0]}.log", "wb") as log:
            return subprocess.Popen(
                [*shell, *before, sys.executable, "-m", "dask", *command],
                env={**self.environ, **environ}, stdin=subprocess.PIPE, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip


def words(process):
    """Return a process's command line, empty for one that has ended."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def at_work(cluster, runs):
    """Return (process, run folder) for each candidate that is being trained."""
    found = []
    for process in cluster.training():
        with contextlib.suppress(psutil.Error):
            folders = {os.path.dirname(file.path) for file in process.open_files()}
            found += [(process, folder) for folder in folders if str(runs) + os.sep in folder]
    return found


def histories(runs):
    """Return what has been saved of each run's history; its seconds are those of one run only."""
    return {
        str(file.parent): newest_checkpoint(file.parent).state.history
        for file in runs.glob("*/checkpoint.npz")
    }


def wait_for_work(cluster, runs, is_over=lambda: False):
    """Wait until a worker trains a candidate that has a checkpoint, and return such processes."""

    def under_way():
        assert not is_over(), "the search was over too soon"
        saved = histories(runs)
        return [process for process, folder in at_work(cluster, runs) if folder in saved]

    return wait_until(under_way)


def kill_one(cluster, runs, rng, is_over):
    """Kill a worker's process at a random moment, and return the histories at that moment."""
    victim = rng.choice(wait_for_work(cluster, runs, is_over))
    time.sleep(rng.uniform(0, 0.5))
    victim.kill()
    victim.wait()
    return histories(runs)


def goes_on(runs, before):
    """Return whether every run begins with a history that had been saved of it."""
    now = histories(runs)
    return all(now[folder][: len(rows)] == rows for folder, rows in before.items())


def found(selection):
    """Return all that a search finds, without seconds and places, and each candidate's file."""
    files = [
        outcome.validation and pathlib.Path(outcome.folder, PARAMS_NAME).read_bytes()
        for outcome in selection.outcomes
    ]
    rows = [outcome._replace(folder="", seconds=0) for outcome in selection.outcomes]
    return rows, files, selection.p_value, selection.test
