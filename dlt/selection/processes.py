"""Processes: a pool of local ones, of which each that dies is replaced."""

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

# How often a task is given to a new process after one died with it. A cluster of Dask's does the
# same with ``distributed.scheduler.allowed-failures``.
_RETRIES = 3


class ProcessPool(concurrent.futures.Executor):
    """An executor with processes of its own; a task whose process dies is run again.

    Each process runs one task after another, as in ``concurrent.futures.ProcessPoolExecutor``,
    which gives up all tasks when a process dies. Processes are spawned. They end at once when the
    pool is shut down, or when the process that made it ends, however that ends.

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
        self._idle: queue.SimpleQueue = queue.SimpleQueue()  # of one process each, or None
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
                    # a process inherits it: Ctrl-C before `_prepare` would print a traceback
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
    """Let this process end with the one that made it, and leave what a terminal sends to that."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    tqdm.tqdm.set_lock(threading.RLock())  # its default outlives a process that ends at once

    def watch():
        with contextlib.suppress(OSError):
            lifeline.poll(None)  # until the other end is closed
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
