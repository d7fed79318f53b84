"""A pool of local processes: what happens when they die, and when the one that made them does."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool

import pytest
from conftest import ROOT, bare_environment
from mortal import die_at_first

from dlt import ProcessPool

pytestmark = pytest.mark.once


def test_a_task_whose_process_dies_is_run_again_three_times(tmp_path):
    with ProcessPool(2) as pool:
        lasting = pool.submit(die_at_first, tmp_path / "three", 3)
        hopeless = pool.submit(die_at_first, tmp_path / "always", 99)
        others = [pool.submit(abs, -n) for n in range(5)]
        assert lasting.result() == 4
        with pytest.raises(BrokenProcessPool):
            hopeless.result()
        assert [other.result() for other in others] == list(range(5))
        assert pool.submit(abs, -9).result() == 9
    assert len((tmp_path / "always").read_text().splitlines()) == 4


def test_an_exception_is_handed_back_and_costs_no_process():
    with ProcessPool(1) as pool:
        before = pool.submit(os.getpid).result()
        with pytest.raises(ValueError, match="math domain error"):
            pool.submit(math.sqrt, -1).result()
        assert pool.submit(os.getpid).result() == before != os.getpid()


def test_what_has_not_ended_is_cancelled_when_the_pool_is_shut_down():
    with ProcessPool(1) as pool:
        assert pool.submit(abs, -1).result() == 1
        futures = [pool.submit(time.sleep, 600) for _ in range(2)]
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(timeout=0)


PARENT = """
import os, sys, time
from dlt import ProcessPool
with ProcessPool(2) as pool:
    if sys.argv[1] == "late":
        pids = {pool.submit(os.getpid).result() for _ in range(20)}
    futures = [pool.submit(time.sleep, 600) for _ in range(4)]
    print("ready", flush=True)
    if sys.argv[2] == "leave":
        raise SystemExit(3)
    time.sleep(600)
"""


@contextlib.contextmanager
def parent(*how):
    """Start a process with a pool of two at work, in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, *how], env=bare_environment(PYTHONPATH=ROOT),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def end_of(process):
    """Wait until a process and all that it started have ended; return its code and stderr."""
    _, err = process.communicate(timeout=60)  # until the last one has closed them
    return process.returncode, err


@pytest.mark.parametrize("when", ["early", "late"])
def test_processes_end_in_silence_when_the_pool_is_shut_down(when):
    with parent(when, "leave") as process:
        assert end_of(process) == (3, "")


@pytest.mark.parametrize("when", ["early", "late"])
def test_ctrl_c_is_for_the_parent_alone(when):
    with parent(when, "stay") as process:
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)
        code, err = end_of(process)
    assert code == -signal.SIGINT
    assert err.count("Traceback") == 1 and err.endswith("\nKeyboardInterrupt\n"), err


@pytest.mark.parametrize("when", ["early", "late"])
def test_processes_end_when_their_parent_is_killed(when):
    with parent(when, "stay") as process:
        process.kill()
        code, _ = end_of(process)  # one that is just being started prints a traceback
    assert code == -signal.SIGKILL
