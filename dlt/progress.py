"""Progress: a bar on a terminal and in a notebook, plain lines everywhere else."""

import sys
import warnings


def silent(line):
    """Report to nobody: the `log` of whoever wants no lines.

    Examples
    --------
    >>> silent("compiling ...")
    """


class Progress:
    """A tqdm bar that lets lines be printed above it: on stderr, or a widget in a notebook.

    Parameters
    ----------
    total : int
        Steps in all, if nothing ends the work sooner.
    unit : str
        What a step is.
    show : bool or None
        None: only on a terminal and in a notebook.
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

    def __init__(self, total, unit, show=None, log=silent, done=0):
        if show is None and _in_notebook():
            show = True
        self._log = log
        self._bar = _tqdm()(
            total=total,
            unit=unit,
            initial=done,
            # None: tqdm asks if it is a terminal. There is no stderr where there is no console.
            disable=True if sys.stderr is None else None if show is None else not show,
            file=sys.stderr,
            leave=False,
            smoothing=0.1,
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, *exception):
        if kind is None:  # a notebook's bar that ends short of its total turns red
            self.expect(self._bar.n)
        self._bar.close()

    def move(self, done, total):
        """Move the bar to `done` steps of `total`, which may have changed."""
        self._bar.update(done - self._bar.n)
        self.expect(total)

    def expect(self, total):
        """Change the number of steps in all."""
        self._bar.total = total
        if hasattr(self._bar, "container"):  # a widget, which has a maximum of its own
            self._bar.container.children[1].max = total

    def advance(self, n):
        """Move the bar on by n steps."""
        self._bar.update(n)

    def note(self, text):
        """Show a few words at the end of the bar."""
        self._bar.set_postfix_str(text, refresh=False)

    def say(self, line):
        """Print a line, above the bar if there is one."""
        with self._bar.external_write_mode(file=sys.stderr):
            self._log(line)


def _in_notebook():
    """Return whether a Jupyter kernel runs this: no terminal, but what it shows can be updated."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None


def _tqdm():
    """Return tqdm's class for where this runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a notebook without ipywidgets: its text bar is fine
        from tqdm.auto import tqdm
    return tqdm
