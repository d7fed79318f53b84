"""Signals: the first is only noted, the next one ends the process."""

import itertools
import signal
import subprocess
import sys
import threading

import pytest
from conftest import ROOT

from dlt.runs.signals import SIGNALS, StopOnSignal

ASKING = """
import sys, time
sys.path.insert(0, {root!r})
from dlt.runs.signals import StopOnSignal
with StopOnSignal() as should_stop:
    should_stop()
    print("ready", flush=True)
    while not should_stop():
        time.sleep(0.01)
    print("stopped by", int(should_stop.signal), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("first, second", list(itertools.permutations(SIGNALS, 2)))
def test_a_process_notes_the_first_signal_and_the_second_one_ends_it_at_once(first, second):
    process = subprocess.Popen(
        [sys.executable, "-c", ASKING.format(root=str(ROOT))], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(first)
    assert process.stdout.readline() == f"stopped by {int(first)}\n"
    process.send_signal(second)
    process.communicate(timeout=60)
    assert process.returncode == -second


@pytest.mark.parametrize("number", SIGNALS)
def test_what_a_process_ignores_stays_ignored(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with StopOnSignal() as should_stop:
            assert not should_stop()
            signal.raise_signal(number)
            assert not should_stop() and signal.getsignal(number) is signal.SIG_IGN
            other = SIGNALS[number == SIGNALS[0]]
            signal.raise_signal(other)
            assert should_stop.signal == other and signal.getsignal(number) is signal.SIG_IGN
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_nothing_is_changed_before_the_first_question():
    with StopOnSignal() as should_stop:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert not should_stop()


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


def test_other_threads_get_no_signals():
    answers = []

    def ask():
        with StopOnSignal() as should_stop:
            answers.append(should_stop())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert answers == [False]
