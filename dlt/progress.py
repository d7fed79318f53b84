"""Progress: a bar on a terminal and in a notebook, plain lines everywhere else."""

from __future__ import annotations

import sys
import warnings
from typing import Any, Callable


def silent(line: str) -> None:
    """Report nothing: the default for every `log`."""


class Progress:
    """A tqdm bar that lets lines be printed above it: on stderr, or a widget in a notebook.

    Parameters
    ----------
    total : int
        Steps in all, if nothing ends the work sooner.
    unit : str
        What a step is.
    show : bool, optional
        By default only on a terminal and in a notebook.
    log : callable, optional
        Takes a line of text, such as `print`.
    done : int
        Steps made before.

    Examples
    --------
    >>> with Progress(total=2, unit="minibatch", show=False, log=print) as progress:
    ...     progress.advance(1)
    ...     progress.say("half way")
    half way
    """

    def __init__(
        self,
        total: int,
        unit: str,
        show: bool | None = None,
        log: Callable[[str], Any] = silent,
        done: int = 0,
    ) -> None:
        if show is None and _in_notebook():
            show = True
        self._log = log
        self._bar = _tqdm()(
            total=total,
            unit=unit,
            initial=done,
            # A process without a console has no stderr; with None tqdm asks if it is a terminal.
            disable=sys.stderr is None or (None if show is None else not show),
            file=sys.stderr,
            leave=False,
            smoothing=0.1,
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type | None, *exception: object) -> None:
        if kind is None:  # a notebook's bar that ends short of its total turns red
            self._expect(self._bar.n)
        self._bar.close()

    def move(self, done: int, total: int) -> None:
        """Move the bar to `done` steps of `total`, which may have changed."""
        self._bar.update(done - self._bar.n)
        self._expect(total)

    def advance(self, n: int) -> None:
        """Move the bar on by n steps."""
        self._bar.update(n)

    def note(self, text: str) -> None:
        """Show a few words at the end of the bar."""
        self._bar.set_postfix_str(text, refresh=False)

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        with self._bar.external_write_mode(file=sys.stderr):
            self._log(line)

    def _expect(self, total):
        self._bar.total = total
        if hasattr(self._bar, "container"):  # a widget, which has a maximum of its own
            self._bar.container.children[1].max = total


def _in_notebook():
    """Return whether a Jupyter kernel runs this: not a terminal, but a bar can be updated there."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None


def _tqdm():
    """Return tqdm's class for a terminal or for a notebook."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a notebook without ipywidgets: its text bar is fine
        from tqdm.auto import tqdm
    return tqdm
