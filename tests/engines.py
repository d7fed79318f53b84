"""Run the tests on every engine: one environment for each Python that is found here.

Usage: python tests/engines.py [--only newest oldest | 3.8 3.12 ...] [--linkers] [-- PYTEST_ARGS]

Python 3.8 to 3.10 bring classic Theano, 3.11 and later PyTensor. One line is printed for each
environment; what the tests said is in a log beside it. With --linkers, the newest PyTensor
runs them once more with each of its other linkers. A Python that is not here is named.

Tests that take longer than LIMIT in one environment are ended, and the end of the log says where
each of their processes was.
"""

import argparse
import contextlib
import glob
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, ".venv-engines")
VERSIONS = ["3.{}".format(minor) for minor in range(8, 15)]
FIRST_PYTENSOR = "3.11"
LIMIT = 30 * 60  # seconds; they take a third of it on two cores
INSTALL_LIMIT = 20 * 60  # for each command; an old pip may try out versions for ever
MODES = {"numba": "mode=NUMBA", "c": "mode=CVM"}


def find_python(version, environ=os.environ):
    """Give the path of a Python of this version, on PATH or under pyenv, or None."""
    pyenv = environ.get("PYENV_ROOT", os.path.join(os.path.expanduser("~"), ".pyenv"))
    pattern = os.path.join(pyenv, "versions", version + ".*", "bin", "python")
    on_path = shutil.which("python" + version, path=environ.get("PATH"))
    for path in [on_path, *sorted(glob.glob(pattern))]:
        if path and _version_of(path) == version:  # pyenv puts names on PATH that only fail
            return path
    return None


def _version_of(path):
    code = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        return subprocess.run(
            [path, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ).stdout.strip()
    except OSError:
        return None


def choose(found, only):
    """Give the versions to run, of those found: newest and oldest, or named ones, or all."""
    names = {"newest": found[-1:], "oldest": found[:1]}
    chosen = [version for name in only for version in names.get(name, [name])]
    return [version for version in found if version in chosen] if only else found


def environment(version, python):
    """Make the environment for a version, or bring it up to date; give its Python."""
    folder = os.path.join(FOLDER, version)
    inside = os.path.join(folder, "bin", "python")
    stamp = os.path.join(folder, "installed")
    with open(os.path.join(ROOT, "setup.py"), "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest()
    if not os.path.exists(stamp) or _read(stamp) != wanted:
        say("Python {}: installing into {} ...".format(version, os.path.relpath(folder, ROOT)))
        with open(log_of(version), "w", encoding="utf-8") as log:
            for command in (
                [python, "-m", "venv", "--clear", folder],
                [inside, "-m", "pip", "install", "-qq", "--upgrade", "pip"],
                [inside, "-m", "pip", "install", "-qq", "--editable", ".[test]"],
            ):
                subprocess.run(
                    command, cwd=ROOT, stdout=log, stderr=log, check=True, timeout=INSTALL_LIMIT
                )
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(wanted)
    return inside


def run_tests(version, inside, linker, pytest_args):
    """Run the tests in one environment; return whether they passed, and a line on it."""
    environ = dict(os.environ)
    for name in ("DLT_ENGINE", "THEANO_FLAGS", "PYTENSOR_FLAGS"):
        environ.pop(name, None)
    if linker:
        environ["PYTENSOR_FLAGS"] = MODES[linker]
    described = subprocess.run(
        [inside, "-c", "from dlt import engine; print(engine.describe())"],
        cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT,
    ).stdout.strip()  # fmt: skip
    described = described[: described.index(", floatX")]  # the tests run with both
    say("Python {}, {}: testing ...".format(version, described))
    started = time.monotonic()
    command = [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", *pytest_args]
    status = run_logged(command, environ, log_of(version, linker))
    result = last_line(_read(log_of(version, linker)))
    if status is None:
        result = "ended after {} s, before the tests had".format(LIMIT)
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    line = "Python {}, {}: {}; {} min {} s".format(version, described, result, minutes, seconds)
    return status == 0, line


def run_logged(command, environ, path):
    """Run a command with its output in a file; give its exit code, or None after LIMIT seconds.

    Whatever ends the wait ends the processes that it started as well.
    """
    with open(path, "w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                end_session(process)


def end_session(process):
    """End a process and those it started, those of pytest after they have told where they were."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_line(output):
    """Give pytest's summary, such as "1100 passed, 9 skipped", out of its output.

    Examples
    --------
    >>> last_line("...\\n== 2 failed, 7 passed in 3.21s (0:00:03) ==\\n")
    '2 failed, 7 passed'
    """
    found = re.findall(r"((?:\d+ \w+, )*\d+ \w+) in [\d.]+s", output)
    return found[-1] if found else "no tests were run"


def log_of(version, linker=None):
    return os.path.join(FOLDER, "{}.log".format("-".join(filter(None, [version, linker]))))


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def say(text):
    """Tell those who wait; the results alone go to stdout."""
    print(text, file=sys.stderr, flush=True)


def show_end(path):
    print("--- the end of {}:".format(os.path.relpath(path, ROOT)))
    if os.path.exists(path):
        print("\n".join(_read(path).splitlines()[-120:]), flush=True)


def _interrupt(number, frame):
    """End on SIGTERM as on Ctrl-C: what runs is ended too, and its log is shown."""
    raise KeyboardInterrupt


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="VERSION")
    parser.add_argument("--linkers", action="store_true", help="PyTensor's other linkers too")
    parser.add_argument("pytest_args", nargs="*", metavar="-- PYTEST_ARGS")
    args = parser.parse_args(argv)
    for name in args.only:
        if name not in ["newest", "oldest", *VERSIONS]:
            parser.error(
                "--only: found {!r}; expected newest, oldest, or some of {}".format(
                    name, " ".join(VERSIONS)
                )
            )
    return args


def main(argv=None):
    args = parse(argv)
    os.makedirs(FOLDER, exist_ok=True)
    pythons = {version: find_python(version) for version in VERSIONS}
    found = [version for version in VERSIONS if pythons[version]]
    chosen = choose(found, args.only)
    runs = [(version, None) for version in chosen]
    newer = [v for v in chosen if VERSIONS.index(v) >= VERSIONS.index(FIRST_PYTENSOR)]
    if args.linkers and newer:
        runs += [(newer[-1], linker) for linker in MODES]
    signal.signal(signal.SIGTERM, _interrupt)
    failed = []
    for version, linker in runs:
        try:
            inside = environment(version, pythons[version])
            passed, line = run_tests(version, inside, linker, args.pytest_args)
        except (subprocess.SubprocessError, OSError) as error:
            passed, line = False, "Python {}: not tested: {}".format(version, error)
        except KeyboardInterrupt:
            print("Python {}: stopped".format(version), flush=True)
            show_end(log_of(version, linker))
            return 130
        print(line, flush=True)
        if not passed:
            failed.append(log_of(version, linker))
    for version in VERSIONS:
        if version not in found:
            print("Python {}: not found, not tested".format(version))
    for engine, tested in (("classic Theano", set(chosen) - set(newer)), ("PyTensor", newer)):
        if not tested:
            print("{}: not tested".format(engine))
    for path in failed:
        show_end(path)
    return 1 if failed or not runs else 0


if __name__ == "__main__":
    sys.exit(main())
