"""Command line: what the scripts share, so that each only parses, calls `dlt` and prints.

Exit codes: 0 done; 1 the work could not be finished (training diverged); 2 bad input, with one
line on stderr; 129, 130, 143 stopped by SIGHUP, Ctrl-C, SIGTERM; 141 the reader of stdout left.
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
from typing import Any, Callable, Mapping, NoReturn, Sequence

from dlt.errors import IN_CHUNKS, DltError
from dlt.runs.signals import heeded, put_back

# What a shell has to call for this script, where that is not its file: ["dlt", "train_logreg"].
program: list[str] = []

# What the library calls a setting, and the option of the script that sets it.
_options: dict[str, str] = {}

# What a run is started with; read before the engine completes its flags.
_MEANT_EMPTY = ("CUDA_VISIBLE_DEVICES", "NUMBA_CPU_FEATURES")
_ENVIRONMENT = {n: value for n, value in os.environ.items() if value or n in _MEANT_EMPTY}
_FLAGS = ("THEANO_FLAGS", "PYTENSOR_FLAGS")
_RC = ("THEANORC", "PYTENSORRC")

_SIGHUP, _SIGPIPE = 1, 13  # Windows has no names for them


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

    def parse_known_args(self, args=None, namespace=None):  # type: ignore
        found, rest = super().parse_known_args(args, namespace)
        for name, option in _options.items():
            if getattr(found, name, None) == []:  # older Pythons make nothing of --option=--
                self.error(f"argument {option}: expected one argument")
        return found, rest

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and where help is, and exit with code 2."""
        self.exit(2, f"{self.prog}: error: {message}; see --help\n")


def seed(text: str) -> int:
    """Parse a seed of a random number generator: a whole number from 0 to 2**32 - 1."""
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
    """Return the command that runs this script again, for a shell.

    Parameters
    ----------
    args : argparse.Namespace
        What the arguments were parsed into.
    argv : list of str, optional
        Arguments of the script, if they are not the process's own.
    **more
        Values for options, by their names in `args`: each is added if there is none in `args`.
        What the environment says about the engine is added too, as options if it can be; on
        Windows, where it cannot be part of a command, only as options.

    Examples
    --------
    >>> parser = Parser()
    >>> _ = parser.add_argument("--dataset"), parser.add_argument("--resume", action="store_true")
    >>> argv = ["--dataset", "my digits"]
    >>> command = this_command(parser.parse_args(argv), argv, resume=True, dataset="mnist")
    >>> command.partition("--")[1:]
    ('--', "dataset 'my digits' --resume")
    """
    options, environment = _engine_options(_ENVIRONMENT) if hasattr(args, "floatX") else ({}, {})
    if getattr(args, "dataset", None) in (None, "mnist") and "DLT_DATA" in _ENVIRONMENT:
        environment["DLT_DATA"] = _ENVIRONMENT["DLT_DATA"]
    command = [*(program or [sys.executable or "python", sys.argv[0]])]
    command += sys.argv[1:] if argv is None else argv
    for name, value in {**options, **more}.items():
        if getattr(args, name) in (None, False):
            command.append(_options[name] if value is True else f"{_options[name]}={value}")
    if os.name == "nt":
        return subprocess.list2cmdline(command)
    assignments = [f"{name}={_quoted(value)}" for name, value in environment.items()]
    return " ".join([*assignments, *map(_quoted, command)])


def _engine_options(environment: Mapping[str, str]):
    """Return options that stand for what the environment says, and what no option can say."""
    from dlt import engine

    # The machine's are those that a resumed run compares.
    machine = filter(str.isupper, engine.machine())
    names = ["DLT_ENGINE", *_FLAGS, *_RC, *engine.VARIABLES, *machine]
    left = {name: environment[name] for name in names if name in environment}
    if not any(name in left for name in _FLAGS):
        return {}, left
    options = {"floatX": engine.theano.config.floatX, "device": engine.device().partition(" ")[0]}
    said = ["floatX", "device"]
    if engine.linker() in engine.LINKERS:
        options["mode"] = engine.linker()
        said += ["mode", "linker"]
    for name in _FLAGS:
        left[name] = engine.flags.without(left.get(name, ""), said)
    return options, {n: value for n, value in left.items() if value or n in _MEANT_EMPTY}


def _quoted(text):
    """Quote a word for a shell, on one line."""
    if text.isprintable():
        return shlex.quote(text)
    as_they_are = set(range(32, 127)) - set(b"'\\")
    letters = (chr(b) if b in as_they_are else f"\\x{b:02x}" for b in os.fsencode(text))
    return f"$'{''.join(letters)}'"


def script(main: Callable[..., int | None]) -> Callable[..., int]:
    """Make ``main(argv=None)`` return an exit code whatever goes wrong.

    A `DltError`, an error of the operating system (such as a full disk under stdout), a missing
    package, too little memory, Ctrl-C, SIGTERM and SIGHUP become a line on stderr.

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
            if hasattr(stream, "reconfigure"):  # the terminal may lack a file name's characters
                stream.reconfigure(errors="backslashreplace")
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
    """Return the exit code of a script, and what to say."""
    terminals = _terminals()
    try:
        try:
            code = main(argv)
        except SystemExit as end:  # of the parser, which has said it
            code = end.code
        sys.stdout.flush()
        return code or 0, None
    except BrokenPipeError:  # the reader of the output, such as head, has seen enough
        return 128 + _SIGPIPE, None
    except KeyboardInterrupt:
        return 128 + signal.SIGINT, "stopped by Ctrl-C"
    except _Ended as end:
        return 128 + end.args[0], f"stopped by {signal.Signals(end.args[0]).name}"
    except Exception as error:
        if isinstance(error.__cause__ or error, OSError) and _terminals() != terminals:
            return 128 + _SIGHUP, None  # a terminal was closed, and refused a line
        known = _known(error)
        if known is None:  # a bug keeps its traceback
            raise
        return 2, f"error: {in_options(known)}"


def _terminals():
    """Return which streams are terminals; one that was closed is none."""
    return [stream.isatty() for stream in (sys.stdout, sys.stderr)]


def _known(error):
    """Return the error, of one line, for an exception that is no bug; None for others."""
    in_chunks = "max_memory" in _options
    if isinstance(error, DltError):
        return error
    if isinstance(error, ImportError) and not (error.name or "").startswith("dlt"):
        found = f"{sys.executable}, which cannot import a package ({error})"
        remedy = "start it with .venv/bin/python, which make train makes, or pip install ."
        return DltError("Python", found, "one with all that dlt needs", remedy)
    if isinstance(error, MemoryError):
        remedy = "free some" + (IN_CHUNKS if in_chunks else "")
        return DltError("memory", f"too little ({error or 'no more to be had'})", remedy=remedy)
    if "dlt.engine" in sys.modules:
        from dlt.engine.failures import explained

        return explained(error, in_chunks) or (error if isinstance(error, OSError) else None)
    return error if isinstance(error, OSError) else None


def _open_closed_streams():
    """Open what a shell closed (``>&-``): the next file would get its number, and its text."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            setattr(sys, name, open(number, mode, closefd=False))


def _settle(stream):
    """Flush a stream, and let what it cannot write go nowhere: at exit Python would fail for it."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def _ending_tidily():
    """Turn the signals that end a process into an exception; Python has one for Ctrl-C."""
    numbers = [n for n in heeded() if n != signal.SIGINT]
    in_main_thread = threading.current_thread() is threading.main_thread()
    former = {n: signal.signal(n, _end) for n in numbers} if in_main_thread else {}
    try:
        yield
    finally:
        put_back(former)


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


class _Ended(BaseException):
    """A signal came: leave at once, but tidily."""


def _end(number, frame):
    raise _Ended(number)
