"""Processes: a pool of local processes, which replaces those that die."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from concurrent.futures.process import BrokenProcessPool

import tqdm

from dlt.checks import whole_number

# How many more processes may try a task after one has died with it. Dask's name for this is
# ``distributed.scheduler.allowed-failures``.
_RETRIES = 3


class ProcessPool(concurrent.futures.Executor):
    """An executor with its own processes, which runs a task again if its process dies.

    ``concurrent.futures.ProcessPoolExecutor`` gives up all tasks when one of its processes dies.
    Here each task is tried up to four times. Processes are spawned. They end at once when the pool
    is shut down, or when the process that made the pool ends or is killed.

    Parameters
    ----------
    n_jobs : int
        Number of processes, 1 to 1000.

    Examples
    --------
    >>> with ProcessPool(1) as pool:
    ...     pool.submit(abs, -3).result()
    3
    """

    def __init__(self, n_jobs: int) -> None:
        n_jobs = whole_number("n_jobs", n_jobs, 1, 1000)
        self._threads = concurrent.futures.ThreadPoolExecutor(n_jobs)
        self._idle: queue.SimpleQueue = queue.SimpleQueue()  # executors of one process, or None
        for _ in range(n_jobs):
            self._idle.put(None)
        self._open, self._lifeline = multiprocessing.Pipe(duplex=False)

    def submit(self, fn, /, *args, **kwargs):
        return self._threads.submit(self._run, fn, args, kwargs)

    def shutdown(self, wait=True, *, cancel_futures=False):
        self._lifeline.close()
        self._threads.shutdown(wait)
        while not self._idle.empty():
            _end(self._idle.get())

    def _run(self, fn, args, kwargs):
        process = self._idle.get()
        try:
            for retries in range(_RETRIES, -1, -1):
                if self._lifeline.closed:
                    raise concurrent.futures.CancelledError
                process = process or concurrent.futures.ProcessPoolExecutor(
                    1, multiprocessing.get_context("spawn"), _prepare, (self._open,)
                )
                if hasattr(signal, "pthread_sigmask"):  # not on Windows
                    # the new process inherits this; Ctrl-C there would print a traceback
                    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
                try:
                    return process.submit(fn, *args, **kwargs).result()
                except BrokenProcessPool:
                    process = _end(process)
                    if not retries:
                        raise
        finally:
            self._idle.put(process)


def _end(process):
    if process:
        process.shutdown()


def _prepare(lifeline):
    """Make this process end with its parent, and ignore what a terminal sends to both."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    tqdm.tqdm.set_lock(threading.RLock())  # the default one would outlive `os._exit`

    def watch():
        with contextlib.suppress(OSError):
            lifeline.poll(None)  # returns when the other end is closed
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
