"""Progress: a bar on a terminal or in a notebook, and plain lines everywhere else."""

from __future__ import annotations

import sys
import warnings
from typing import Any, Callable


def silent(line: str) -> None:
    """Do nothing with a line: the default of every `log`."""


class Progress:
    """A tqdm bar on stderr, or a widget in a notebook, with lines of text above it.

    Parameters
    ----------
    total : int
        Number of steps, if nothing ends the work sooner.
    unit : str
        Name of a step.
    show : bool, optional
        By default only on a terminal and in a notebook.
    log : callable, optional
        Takes a line of text, such as `print`.
    done : int
        Number of steps that are done already.

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
            # A process without a console has no stderr. None shows the bar only on a terminal.
            disable=sys.stderr is None or (None if show is None else not show),
            file=sys.stderr,
            leave=False,
            smoothing=0.1,
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type | None, *exception: object) -> None:
        if kind is None:  # in a notebook, a bar that ends before its total turns red
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
        """Show a short text at the end of the bar."""
        self._bar.set_postfix_str(text, refresh=False)

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        with self._bar.external_write_mode(file=sys.stderr):
            self._log(line)

    def _expect(self, total):
        self._bar.total = total
        if hasattr(self._bar, "container"):  # a widget, which has its own maximum
            self._bar.container.children[1].max = total


def _in_notebook():
    """Return whether this runs in a Jupyter kernel: no terminal, but it can update a bar."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None


def _tqdm():
    """Return tqdm's class for a terminal or a notebook."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets a notebook gets a text bar
        from tqdm.auto import tqdm
    return tqdm
