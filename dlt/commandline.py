"""Command line: what the scripts share, so that each only parses, calls `dlt` and prints.

Exit codes: 0 for success; 1 if the work could not be finished (training diverged); 2 for bad input,
with one line on stderr; 129, 130 and 143 after SIGHUP, Ctrl-C and SIGTERM; 141 if nobody reads
stdout any more.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from typing import Any, Callable, NoReturn, Sequence

from dlt.errors import IN_CHUNKS, DltError
from dlt.runs.signals import heeded, put_back

# The command that runs this script, if that is not its file: ["dlt", "train_logreg"].
program: list[str] = []

# The option for each setting, by the name that the library's messages use.
_options: dict[str, str] = {}

# As the user set it: the engine changes its flags when it is loaded.
_ENVIRONMENT = dict(os.environ)

_SIGHUP, _SIGPIPE = 1, 13  # Windows has no names for them


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, except None and False: the help text says what happens without the option."""

    def _get_help_string(self, action):
        return action.help if action.default in (None, False) else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that shows defaults in its help and errors in one line."""

    def __init__(self, **kwargs: Any) -> None:
        if program:
            kwargs.setdefault("prog", " ".join([os.path.basename(program[0]), *program[1:]]))
        super().__init__(formatter_class=_Help, allow_abbrev=False, **kwargs)

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        """Add an argument; errors about the setting `dest` will name its option."""
        action = super().add_argument(*args, **kwargs)
        if action.option_strings:
            _options[action.dest] = action.option_strings[-1]
        return action

    def parse_known_args(self, args=None, namespace=None):  # type: ignore
        found, rest = super().parse_known_args(args, namespace)
        for name, option in _options.items():
            if getattr(found, name, None) == []:  # older Pythons read --option=-- as nothing
                self.error(f"argument {option}: expected one argument")
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where to find help, and exit with code 2."""
        self.exit(2, f"{self.prog}: error: {message}; see --help\n")

    # fmt: off
    def add_data_options(self) -> None:
        """Add the options for the training data."""
        add = self.add_argument
        add("--dataset", metavar="NAME_OR_PATH",
            help="mnist, digits, or a file or folder (default: mnist if it is here or can be "
            "fetched, else digits)")
        add("--max-memory", type=memory, metavar="SIZE",
            help="read the data in chunks that take at most this much memory together, such as "
            "512MB; for a folder that convert.py wrote, or raw IDX files (default: load "
            "everything)")

    def add_patience_options(self) -> None:
        """Add the options of early stopping, for `patience`."""
        add = self.add_argument
        add("--patience", type=int, default=5000, metavar="N",
            help="least number of minibatch updates")
        add("--patience-increase", type=float, default=2, metavar="FACTOR",
            help="after a clear improvement, go on until this many times the updates made by then")
        add("--improvement-threshold", type=float, default=0.995, metavar="FACTOR",
            help="an improvement is clear below this times the best validation error")
        add("--improvement-test", choices=("threshold", "mcnemar"), default="threshold",
            help="how to decide whether an improvement is clear: by the threshold, or by an exact "
            "McNemar test against the best model")
        add("--alpha", type=float, default=0.05, metavar="P",
            help="largest p-value of that test that counts as clear")

    def add_engine_options(self) -> None:
        """Add the options of the engine, for `set_engine`."""
        add = self.add_argument
        add("--floatX", choices=("float32", "float64"),
            help="dtype of all arrays (default: as in THEANO_FLAGS, or float64)")
        add("--mode", choices=("jax", "numba", "c"),
            help="what compiles the functions (default: as in the flags, or jax; classic Theano "
            "has only c)")
        add("--device", choices=("auto", "cpu", "gpu"),
            help="where to run them; only jax can use a gpu (default: as in THEANO_FLAGS, or a gpu "
            "if jax finds one)")
    # fmt: on


def seed(text: str) -> int:
    """Parse the seed of a random number generator: a whole number from 0 to 2**32 - 1."""
    return _whole_number(text, 0, 2**32 - 1)


def positive_int(text: str) -> int:
    """Parse a count: a whole number, 1 or more."""
    return _whole_number(text, 1)


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
    """Parse numbers separated by commas.

    Examples
    --------
    >>> floats("0.01,0.13")
    [0.01, 0.13]
    """
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        expected = "numbers separated by commas, such as 0.01,0.13"
        raise argparse.ArgumentTypeError(f"found {text!r}; expected {expected}") from None


def positive_ints(text: str) -> list[int]:
    """Parse counts separated by commas."""
    return [positive_int(number) for number in text.split(",")]


def patience(args: argparse.Namespace) -> Any:
    """Return the `dlt.Patience` that the options describe."""
    from dlt.early_stopping import Patience

    return Patience(*(getattr(args, name) for name in Patience._fields))


def set_engine(args: argparse.Namespace) -> None:
    """Set up the engine as the options say; the flags decide the rest."""
    from dlt import engine

    if args.floatX:
        engine.set_floatX(args.floatX)
    if args.mode:
        engine.set_linker(args.mode)
    if args.device:
        engine.set_device(args.device)


def _whole_number(text, low, high=None):
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not low <= value <= (value if high is None else high):
        span = f", {low} or more" if high is None else f" from {low} to {high}"
        raise argparse.ArgumentTypeError(f"found {text!r}; expected a whole number{span}")
    return value


def this_command(args: argparse.Namespace, argv: Sequence[str] | None = None, **more: Any) -> str:
    """Return a shell command that runs this script again.

    It sets the environment variables that the engine depends on, except on Windows, where a
    command cannot.

    Parameters
    ----------
    args : argparse.Namespace
        The parsed arguments.
    argv : list of str, optional
        The arguments; by default those of the process.
    **more
        Values for options, by their names in `args`. They are added where `args` has none.

    Examples
    --------
    >>> parser = Parser()
    >>> _ = parser.add_argument("--dataset"), parser.add_argument("--resume", action="store_true")
    >>> argv = ["--dataset", "my digits"]
    >>> command = this_command(parser.parse_args(argv), argv, resume=True, dataset="mnist")
    >>> command.partition("--")[1:]
    ('--', "dataset 'my digits' --resume")
    """
    command = program or [sys.executable or "python", sys.argv[0]]
    command = [*command, *(sys.argv[1:] if argv is None else argv)]
    for name, value in more.items():
        if getattr(args, name) in (None, False):
            command.append(_options[name] if value is True else f"{_options[name]}={value}")
    if os.name == "nt":
        return subprocess.list2cmdline(command)
    needed = [name for name in _variables(args) if name in _ENVIRONMENT]
    assignments = [f"{name}={_quoted(_ENVIRONMENT[name])}" for name in needed]
    return " ".join([*assignments, *map(_quoted, command)])


def _variables(args):
    """Return the names of the environment variables that a run depends on, each once."""
    from dlt import engine

    names = ["DLT_ENGINE", "THEANO_FLAGS", "PYTENSOR_FLAGS", "THEANORC", "PYTENSORRC"]
    if getattr(args, "dataset", None) in (None, "mnist"):
        names.append("DLT_DATA")
    # A resumed run compares what these say with its checkpoint.
    return dict.fromkeys([*names, *engine.VARIABLES, *filter(str.isupper, engine.machine())])


def _quoted(text):
    """Quote a word for a shell, on one line."""
    if text.isprintable():
        return shlex.quote(text)
    as_they_are = set(range(32, 127)) - set(b"'\\")
    letters = (chr(b) if b in as_they_are else f"\\x{b:02x}" for b in os.fsencode(text))
    return f"$'{''.join(letters)}'"


def script(main: Callable[..., int | None]) -> Callable[..., int]:
    """Make ``main(argv=None)`` return an exit code, whatever goes wrong.

    Ctrl-C, SIGTERM, SIGHUP, a `DltError`, an error of the operating system (such as a full disk),
    a missing package and too little memory give one line on stderr.

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
        _open_closed_streams()
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                # A terminal may lack characters of a file's name, and a log should show each line.
                stream.reconfigure(errors="backslashreplace", line_buffering=True)
        _options.clear()
        with _ending_tidily():
            code, line = _outcome(main, argv)
        if line:
            with contextlib.suppress(OSError):
                print(line, file=sys.stderr)
        for stream in (sys.stdout, sys.stderr):
            _settle(stream)
        return code

    return run


def _outcome(main, argv):
    """Run a script; return its exit code, and a line for stderr or None."""
    terminals = _terminals()
    try:
        try:
            code = main(argv)
        except SystemExit as end:  # from the parser, which has printed why
            code = end.code
        sys.stdout.flush()
        return code or 0, None
    except BrokenPipeError:  # what reads the output, such as head, has ended
        return 128 + _SIGPIPE, None
    except KeyboardInterrupt:
        return 128 + signal.SIGINT, "stopped by Ctrl-C"
    except _Ended as end:
        return 128 + end.args[0], f"stopped by {signal.Signals(end.args[0]).name}"
    except Exception as error:
        if isinstance(error.__cause__ or error, OSError) and _terminals() != terminals:
            return 128 + _SIGHUP, None  # the terminal was closed while we printed
        known = _known(error)
        if known is None:  # a bug keeps its traceback
            raise
        return 2, f"error: {_in_options(known)}"


def _terminals():
    """Return which streams are terminals; closed ones are not."""
    return [stream.isatty() for stream in (sys.stdout, sys.stderr)]


def _known(error):
    """Return an exception with a message of one line, or None if this one is a bug."""
    in_chunks = "max_memory" in _options
    if isinstance(error, ImportError) and not (error.name or "").startswith("dlt"):
        found = f"{sys.executable}, which cannot import a package ({error})"
        remedy = "start it with .venv/bin/python, which make train makes, or pip install ."
        return DltError("Python", found, "one with the packages that dlt needs", remedy)
    if isinstance(error, MemoryError):
        remedy = "free some" + (IN_CHUNKS if in_chunks else "")
        return DltError("memory", f"too little ({error or 'none left'})", remedy=remedy)
    if not isinstance(error, DltError) and "dlt.engine" in sys.modules:
        from dlt.engine.failures import explained

        error = explained(error, in_chunks) or error
    return error if isinstance(error, (DltError, OSError)) else None


def _open_closed_streams():
    """Open the streams that a shell closed (``>&-``), before a file gets their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))


def _settle(stream):
    """Flush a stream, or discard what it cannot write, so that Python does not fail at exit."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def _ending_tidily():
    """Turn the signals that end a process into an exception; Python does so for Ctrl-C."""
    numbers = [n for n in heeded() if n != signal.SIGINT]
    in_main_thread = threading.current_thread() is threading.main_thread()
    former = {n: signal.signal(n, _end) for n in numbers} if in_main_thread else {}
    try:
        yield
    finally:
        put_back(former)


def _in_options(error):
    """Return the message of an error, with the option in place of the setting."""
    text, what = str(error), getattr(error, "what", None)
    return _options[what] + text[len(what) :] if what in _options else text


class _Ended(BaseException):
    """A signal came: end at once, but clean up."""


def _end(number, frame):
    raise _Ended(number)
