"""Stopping: Ctrl-C, SIGTERM and SIGHUP as a question that the training loop asks.

Source: none on the page; its script loses everything when it is stopped.
"""

from __future__ import annotations

import signal
import threading
from typing import Any

#: What asks a process to end: Ctrl-C, ``kill``, and a terminal that closes.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def heeded() -> list[int]:
    """Return those of `SIGNALS` that this process does not ignore.

    A shell has what it starts in the background ignore Ctrl-C, and ``nohup`` SIGHUP.
    """
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def put_back(handlers: dict[int, Any]) -> None:
    """Set the handlers of signals as they were."""
    for number, handler in handlers.items():
        # None: a handler that Python cannot put back, as it did not come from Python
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


class StopOnSignal:
    """Answers whether a signal asked the run to stop, for ``should_stop`` of `dlt.train`.

    From the first question on, and until the ``with`` block ends, the first SIGINT (Ctrl-C),
    SIGTERM or SIGHUP (the terminal closed) is only noted; the next one ends the process at once.
    What the process ignores stays ignored. Only the main thread gets signals; in any other the
    answer is always no.

    Attributes
    ----------
    signal : int or None
        Number of the signal that came.

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
            # First all of them, then any: a signal may come at every line.
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
        for number in self._former:  # also where compiled code would not let a handler run
            signal.signal(number, signal.SIG_DFL)
