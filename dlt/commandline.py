"""Command line: what the scripts share, so that each only parses, calls `dlt` and prints.

Exit codes: 0 done; 1 the work could not be finished (training diverged); 2 bad input, with one
line on stderr; 130 stopped by Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from typing import Any, Callable, NoReturn, Sequence

from dlt.errors import DltError

# What a shell has to call for this script, where that is not its file: ["dlt", "train_logreg"].
program: list[str] = []

# What the library calls a setting, and the option of the script that sets it.
_options: dict[str, str] = {}


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default unless the help text itself says what happens without the option."""

    def _get_help_string(self, action):
        return action.help if action.default in (None, False) else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that shows defaults in its help and errors in one line."""

    def __init__(self, **kwargs: Any) -> None:
        if program:
            kwargs.setdefault("prog", " ".join([os.path.basename(program[0]), *program[1:]]))
        super().__init__(formatter_class=_Help, allow_abbrev=False, **kwargs)

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        """Add an argument; messages of the library will call its `dest` by the option."""
        action = super().add_argument(*args, **kwargs)
        if action.option_strings:
            _options[action.dest] = action.option_strings[-1]
        return action

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and where help is, and exit with code 2."""
        self.exit(2, f"{self.prog}: error: {message}; see --help\n")


def seed(text: str) -> int:
    """Parse a seed of a random number generator: a whole number, 0 or more."""
    return _whole_number(text, at_least=0)


def positive_int(text: str) -> int:
    """Parse a count: a whole number, 1 or more."""
    return _whole_number(text, at_least=1)


def memory(text: str) -> int:
    """Parse an amount of memory into bytes.

    Examples
    --------
    >>> memory("512MB")
    512000000
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([kMG])B", text)
    size = int(float(match[1]) * 1000 ** (1 + "kMG".index(match[2]))) if match else 0
    if not size:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected a size such as 512MB or 2GB")
    return size


def floats(text: str) -> list[float]:
    """Parse numbers with commas between them.

    Examples
    --------
    >>> floats("0.01,0.13")
    [0.01, 0.13]
    """
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        expected = "numbers with commas between them, such as 0.01,0.13"
        raise argparse.ArgumentTypeError(f"found {text!r}; expected {expected}") from None


def positive_ints(text: str) -> list[int]:
    """Parse counts with commas between them."""
    return [positive_int(number) for number in text.split(",")]


# fmt: off
def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to train on, and how to read it."""
    add = parser.add_argument
    add("--dataset", metavar="NAME_OR_PATH",
        help="mnist, digits, or a file or folder (default: mnist if it is here or can be "
        "fetched, else digits)")
    add("--max-memory", type=memory, metavar="SIZE",
        help="read the data in chunks that take so much memory in all, such as 512MB; for a folder "
        "that convert.py wrote, or raw IDX files (default: load all)")


def add_patience_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of early stopping, for `patience`."""
    add = parser.add_argument
    add("--patience", type=int, default=5000, metavar="N",
        help="minibatch updates to make in any case")
    add("--patience-increase", type=float, default=2, metavar="FACTOR",
        help="after a clear improvement, go on until this many times the updates made by then")
    add("--improvement-threshold", type=float, default=0.995, metavar="FACTOR",
        help="an improvement is clear below this times the best validation error")
    add("--improvement-test", choices=("threshold", "mcnemar"), default="threshold",
        help="what makes an improvement clear: that threshold, or an exact McNemar test against "
        "the best model")
    add("--alpha", type=float, default=0.05, metavar="P",
        help="largest p-value of that test that counts as clear")


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to compute, for `set_engine`."""
    add = parser.add_argument
    add("--floatX", choices=("float32", "float64"),
        help="dtype of all arrays (default: as in THEANO_FLAGS, or float64)")
    add("--mode", choices=("jax", "numba", "c"),
        help="what compiles the functions (default: as in the flags, or jax; classic Theano has "
        "only c)")
    add("--device", choices=("auto", "cpu", "gpu"),
        help="where they run; only jax can use a gpu (default: as in THEANO_FLAGS, or a gpu "
        "if jax finds one)")
# fmt: on


def patience(args: argparse.Namespace) -> Any:
    """Return the `dlt.Patience` that the options name."""
    from dlt.early_stopping import Patience

    return Patience(*(getattr(args, name) for name in Patience._fields))


def set_engine(args: argparse.Namespace) -> None:
    """Compute as the options say; the flags decide what they leave open."""
    from dlt import engine

    if args.floatX:
        engine.set_floatX(args.floatX)
    if args.mode:
        engine.set_linker(args.mode)
    if args.device:
        engine.set_device(args.device)


def _whole_number(text, at_least):
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < at_least:
        expected = f"a whole number, {at_least} or more"
        raise argparse.ArgumentTypeError(f"found {text!r}; expected {expected}")
    return value


def this_command(argv: Sequence[str] | None = None, *more: str) -> str:
    """Return the command that runs this script again, for a shell.

    Parameters
    ----------
    argv : list of str, optional
        Arguments of the script, if they are not the process's own.
    more : str
        Options to add, each unless it is there already.

    Examples
    --------
    >>> this_command(["--dataset", "my digits"], "--resume").partition("--")[1:]
    ('--', "dataset 'my digits' --resume")
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    arguments += [option for option in more if option not in arguments]
    command = [*(program or [sys.executable or "python", sys.argv[0]]), *arguments]
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)


def script(main: Callable[..., int | None]) -> Callable[..., int]:
    """Make ``main(argv=None)`` return an exit code whatever goes wrong.

    A `DltError`, an error of the operating system (such as a full disk under stdout), Ctrl-C and
    SIGTERM become a line on stderr.

    Parameters
    ----------
    main : callable
        Takes a list of arguments; returns an exit code, or None for 0.

    Examples
    --------
    >>> script(lambda argv=None: None)([])
    0
    """

    @functools.wraps(main)
    def run(argv=None):
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # the terminal may lack a file name's characters
                stream.reconfigure(errors="backslashreplace")
        _options.clear()
        in_main_thread = threading.current_thread() is threading.main_thread()
        former = signal.signal(signal.SIGTERM, _terminate) if in_main_thread else None
        try:
            code = main(argv) or 0
            sys.stdout.flush()
            return code
        except BrokenPipeError:  # the reader of the output, such as head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except (DltError, OSError) as error:
            print(f"error: {in_options(error)}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("stopped by Ctrl-C", file=sys.stderr)
            return 130
        except _Terminated:
            print("stopped by SIGTERM", file=sys.stderr)
            return 143
        finally:
            if former is not None:
                signal.signal(signal.SIGTERM, former)

    return run


def in_options(error: Exception) -> str:
    """Return the message of an error, with the option instead of the setting that it names.

    Examples
    --------
    >>> _ = Parser().add_argument("--l1", dest="lambda_1")
    >>> in_options(DltError("lambda_1", -1, "0 or more"))
    '--l1: found -1; expected 0 or more'
    """
    text, what = str(error), getattr(error, "what", None)
    return _options[what] + text[len(what) :] if what in _options else text


class _Terminated(BaseException):
    """SIGTERM came: leave at once, but tidily."""


def _terminate(number, frame):
    raise _Terminated
