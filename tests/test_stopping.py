"""Signals, sent to real processes."""

import signal
import subprocess
import sys
import threading

import pytest
from conftest import ROOT

from dlt.stopping import SIGNALS, StopOnSignal

ASKING = """
import sys, time
sys.path.insert(0, {root!r})
from dlt.stopping import StopOnSignal
with StopOnSignal() as should_stop:
    if {asks}:
        should_stop()
    try:
        print("ready", flush=True)
        while not ({asks} and should_stop()):
            time.sleep(0.01)
    except KeyboardInterrupt:
        sys.exit("interrupted")
    print("stopped by", int(should_stop.signal), flush=True)
    time.sleep(600 if {stays} else 0)
"""


def process(asks=True, stays=False):
    code = ASKING.format(root=str(ROOT), asks=asks, stays=stays)
    started = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout.readline() == "ready\n"
    return started


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_only_noted(number):
    asking = process()
    asking.send_signal(number)
    out, err = asking.communicate(timeout=60)
    assert (asking.returncode, out, err) == (0, "stopped by {}\n".format(int(number)), "")


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_the_second_one_ends_it_at_once(first, second):
    asking = process(stays=True)
    asking.send_signal(first)
    assert asking.stdout.readline() == "stopped by {}\n".format(int(first))
    asking.send_signal(second)
    asking.communicate(timeout=60)
    assert asking.returncode == -second


def test_nothing_is_changed_before_the_first_question():
    silent = process(asks=False)
    silent.send_signal(signal.SIGINT)
    _, err = silent.communicate(timeout=60)
    assert (silent.returncode, err) == (1, "interrupted\n")


def test_a_signal_while_handlers_are_installed_counts_as_the_first(monkeypatch):
    before = [signal.getsignal(number) for number in SIGNALS]
    install = signal.signal

    def interrupted(number, handler):
        former = install(number, handler)
        if should_stop.signal is None:  # right after the first one is there
            signal.raise_signal(number)
        return former

    with StopOnSignal() as should_stop:
        monkeypatch.setattr(signal, "signal", interrupted)
        assert should_stop() and should_stop.signal == SIGNALS[0]
        # the next one ends it, whichever it is
        assert {signal.getsignal(number) for number in SIGNALS} == {signal.SIG_DFL}
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_former_handlers_come_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    with StopOnSignal() as should_stop:
        assert not should_stop()
        assert [signal.getsignal(number) for number in SIGNALS] != before
        signal.raise_signal(signal.SIGTERM)
        assert should_stop() and should_stop.signal == signal.SIGTERM
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_other_threads_get_no_signals():
    answers = []

    def ask():
        with StopOnSignal() as should_stop:
            answers.append(should_stop())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert answers == [False]
