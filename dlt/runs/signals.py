"""Signals: turn Ctrl-C, SIGTERM and SIGHUP into an answer to "should training stop?".

Source: none on the page; its script loses everything when it is stopped.
"""

from __future__ import annotations

import signal
import threading
from typing import Any

#: The signals of Ctrl-C, of ``kill``, and of a terminal that closes.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def heeded() -> list[int]:
    """Return those of `SIGNALS` that this process does not ignore.

    Background jobs of a shell ignore Ctrl-C, and commands under ``nohup`` ignore SIGHUP.
    """
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def put_back(handlers: dict[int, Any]) -> None:
    """Set the handlers of signals as they were."""
    for number, handler in handlers.items():
        # None: a handler that was not set from Python, which cannot put it back
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


class StopOnSignal:
    """Return True once a signal has come, as ``should_stop`` of `dlt.train`.

    From the first call until the ``with`` block ends, the first SIGINT (Ctrl-C), SIGTERM or SIGHUP
    (the terminal was closed) is only noted; the next one ends the process at once. Signals that
    the process ignores stay ignored. Only the main thread gets signals: in others the answer is
    always False.

    Attributes
    ----------
    signal : int or None
        Number of the first signal.

    Examples
    --------
    >>> with StopOnSignal() as should_stop:
    ...     should_stop()
    False
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._former: dict = {}

    def __enter__(self) -> StopOnSignal:
        return self

    def __call__(self) -> bool:
        if not self._former and threading.current_thread() is threading.main_thread():
            # Get all handlers before setting one: a signal may come at any line.
            self._former = {number: signal.getsignal(number) for number in heeded()}
            for number in self._former:
                signal.signal(number, self._note)
            if self.signal is not None:
                self._let_the_next_end_it()
        return self.signal is not None

    def __exit__(self, *exception: object) -> None:
        put_back(self._former)
        self._former = {}

    def _note(self, number, frame):
        self.signal = number
        self._let_the_next_end_it()

    def _let_the_next_end_it(self):
        for number in self._former:  # Python's own handlers do not run during compiled code
            signal.signal(number, signal.SIG_DFL)
