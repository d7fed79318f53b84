"""Progress: a bar on a terminal, plain lines everywhere else."""

import sys


def silent(line):
    """Report to nobody: the `log` of whoever wants no lines.

    Examples
    --------
    >>> silent("compiling ...")
    """


class Progress:
    """A tqdm bar on stderr that lets lines be printed above it.

    Parameters
    ----------
    total : int
        Steps in all, if nothing ends the work sooner.
    unit : str
        What a step is.
    show : bool or None
        None: only if stderr is a terminal.
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
        from tqdm.auto import tqdm

        disable = None if show is None else not show  # tqdm: None asks whether it is a terminal
        self._log = log
        self._bar = tqdm(
            total=total,
            unit=unit,
            initial=done,
            disable=disable,
            file=sys.stderr,
            leave=False,
            smoothing=0.1,
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.close()

    def advance(self, n):
        """Move the bar on by n steps."""
        self._bar.update(n)

    def say(self, line):
        """Print a line, above the bar if there is one."""
        with self._bar.external_write_mode(file=sys.stderr):
            self._log(line)
