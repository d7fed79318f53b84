"""Exit codes and one-line errors."""

import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
from conftest import ROOT, bare_environment, run_python

from dlt import commandline
from dlt.commandline import Parser, positive_int, script, seed, this_command
from dlt.errors import SettingsError


def raising(error):
    @script
    def main(argv=None):
        raise error

    return main


def test_exit_codes(capsys):
    assert script(lambda argv=None: None)([]) == 0
    assert script(lambda argv=None: 1)([]) == 1
    assert raising(SettingsError("patience", 0, 2))([]) == 2
    assert capsys.readouterr().err == "error: patience: found 0; expected 2\n"
    assert raising(OSError(28, "No space left on device"))([]) == 2
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device\n"
    assert raising(KeyboardInterrupt())([]) == 130
    assert capsys.readouterr().err == "stopped by Ctrl-C\n"
    assert raising(SystemExit(2))([]) == 2  # the parser's
    with pytest.raises(ZeroDivisionError):  # a bug keeps its traceback
        raising(ZeroDivisionError())([])


def test_too_little_memory_names_an_option_that_this_script_has(capsys):
    @script
    def main(argv=None):
        Parser().add_data_options()
        raise MemoryError("Unable to allocate 9 GiB")

    expected = "error: memory: found too little (Unable to allocate 9 GiB); free some"
    assert raising(MemoryError("Unable to allocate 9 GiB"))([]) == 2
    assert capsys.readouterr().err == expected + "\n"
    assert main([]) == 2
    expected += ", or read the data in chunks: --max-memory 512MB\n"
    assert capsys.readouterr().err == expected


def test_a_message_names_the_option_of_this_script(capsys):
    @script
    def main(argv=None):
        Parser().add_argument("--l1", dest="lambda_1")
        raise SettingsError("lambda_1", -1, "0 or more")

    assert main([]) == 2
    assert capsys.readouterr().err == "error: --l1: found -1; expected 0 or more\n"
    assert raising(SettingsError("lambda_1", -1))([]) == 2
    assert capsys.readouterr().err == "error: lambda_1: found -1\n"


@pytest.fixture
def parser():
    parser = Parser(prog="train")
    parser.add_argument("--rate", default=0.13, type=float, help="step size")
    parser.add_argument("--number", type=positive_int, help="examples (default: all)")
    parser.add_argument("--seed", type=seed)
    parser.add_argument("--all", action="store_true", help="every one")
    return parser


def test_help_shows_each_default_once(parser):
    text = parser.format_help()
    assert "step size (default: 0.13)" in text
    assert "examples (default: all)\n" in text and "every one\n" in text


SEEDS = " from 0 to 4294967295"


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--unknown"], "unrecognized arguments: --unknown"),
        (["--numb", "3"], "unrecognized arguments: --numb 3"),
        (["--rate", "x"], "argument --rate: invalid float value: 'x'"),
        (["--number", "0"], "argument --number: found '0'; expected a whole number, 1 or more"),
        (["--seed", "-1"], "argument --seed: found '-1'; expected a whole number" + SEEDS),
        (["--seed", "x"], "argument --seed: found 'x'; expected a whole number" + SEEDS),
        (
            ["--seed", "4294967296"],
            "argument --seed: found '4294967296'; expected a whole number" + SEEDS,
        ),
    ],
)
def test_wrong_arguments_get_one_line(parser, capsys, argv, message):
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(argv)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"train: error: {message}; see --help\n"


def test_two_dashes_are_no_value_on_any_python(parser, capsys):
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--seed=--"])
    assert caught.value.code == 2
    assert re.match("train: error: argument --seed: (expected|found '--')", capsys.readouterr().err)


PROGRAM = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from dlt.commandline import script
from dlt.errors import DataError
@script
def main(argv=None):
    opened = open(sys.argv[1], "w")
    print("line")
    if sys.argv[2] == "helps": sys.exit()
    if sys.argv[2] == "fails": raise DataError("x", 1)
    for line in range(100000 if sys.argv[2] == "long" else 1): print("line")
    opened.close()
sys.exit(main())
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
@pytest.mark.parametrize(
    "streams, end, code, err",
    [
        (">&-", "well", 0, ""),
        (">&-", "fails", 2, "error: x: found 1\n"),
        ("2>&-", "well", 0, ""),
        ("2>&-", "fails", 2, ""),
        (">&- 2>&- <&-", "well", 0, ""),
        (">&- 2>&-", "fails", 2, ""),
        ("2>/dev/full", "fails", 2, ""),
        (">/dev/full", "well", 2, "error: [Errno 28] No space left on device\n"),
        (">/dev/full", "long", 2, "error: [Errno 28] No space left on device\n"),
        (">/dev/full", "helps", 2, "error: [Errno 28] No space left on device\n"),
        (">/dev/full 2>/dev/full", "well", 2, ""),
        ("| :", "long", 141, ""),
        ("2>/dev/full | :", "long", 141, ""),
    ],
)
def test_streams_that_are_closed_or_full_change_no_file_and_no_exit_code(
    tmp_path, streams, end, code, err
):
    command = shlex.join([sys.executable, "-c", PROGRAM, str(tmp_path / "file"), end])
    done = subprocess.run(
        ["bash", "-c", f"unset PYTHONUNBUFFERED; {command} {streams}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, err)
    assert (tmp_path / "file").read_bytes() == b""  # not what was printed


no_hangup = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")


@pytest.mark.parametrize(
    "name, code", [("SIGTERM", 143), pytest.param("SIGHUP", 129, marks=no_hangup)]
)
def test_a_signal_has_its_code_and_the_former_handler_comes_back(capsys, name, code):
    number = getattr(signal, name)
    before = signal.getsignal(number)

    @script
    def main(argv=None):
        try:
            signal.raise_signal(number)
        finally:
            print("tidied up")

    assert main([]) == code
    assert capsys.readouterr() == ("tidied up\n", f"stopped by {name}\n")
    assert signal.getsignal(number) == before
    signal.signal(number, signal.SIG_IGN)  # as nohup does
    try:
        assert main([]) == 0
    finally:
        signal.signal(number, before)


def test_a_python_without_packages_is_named_with_what_to_start(tmp_path):
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError('No numpy', name='numpy')")
    done = run_python("-m", "dlt", "predict", PYTHONPATH=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"error: Python: found {sys.executable}, which "
        "cannot import a package (No numpy); expected one with the packages that dlt needs; "
        "start it with .venv/bin/python, which make train makes, or pip install .\n")  # fmt: skip
    (tmp_path / "numpy.py").write_text("raise ImportError('a bug', name='dlt.checks')")
    done = run_python("-m", "dlt", "predict", PYTHONPATH=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("Traceback")


# --- The command that is printed ---------------------------------------------------------------


VARIABLES = {
    "jax": [{"PJRT_NPROC": "1"}],
    "numba": [
        {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, {"OPENBLAS_CORETYPE": "Nehalem"},
        {"NUMBA_DISABLE_INTEL_SVML": "1"}, {"OMP_NUM_THREADS": "1"},
    ],
    "c": [{"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"}, {"OPENBLAS_NUM_THREADS": "1"}],
}  # fmt: skip
PRINTING = """
import sys
from dlt import commandline, engine
parser = commandline.Parser()
parser.add_engine_options()
args = parser.parse_args(sys.argv[1:])
commandline.set_engine(args)
print(commandline.this_command(args))
print(engine.machine())
"""


def test_the_command_has_the_variables_that_decide_the_machine(tmp_path, linker):
    program = tmp_path / "program.py"
    program.write_text(PRINTING)
    for variables in VARIABLES[linker]:
        where = {"PYTHONPATH": ROOT, "PYTENSOR_FLAGS": "", "THEANO_FLAGS": ""}
        first = run_python(program, "--mode", linker, **where, **variables)
        command, machine = first.stdout.splitlines()
        shell = subprocess.run(
            ["bash", "-c", command], env=bare_environment(PYTHONPATH=ROOT), capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
        assert shell.stdout.splitlines() == [command, machine], variables


def again(argv, **more):
    """Return what a shell reads in the command: arguments, what these mean, and DLT_DATA."""
    parser = Parser(prog="train")
    parser.add_data_options()
    parser.add_engine_options()
    parser.add_argument("--output-dir")
    parser.add_argument("--resume", action="store_true")
    command = this_command(parser.parse_args(argv), argv, **more)
    assert command.isprintable()
    code = "import os, sys; print(ascii([sys.argv[1:], os.environ.get('DLT_DATA')]))"
    command = command.replace(shlex.quote(sys.argv[0]), "-c " + shlex.quote(code), 1)
    printed = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=True)
    found, data = eval(printed.stdout)
    return found, vars(parser.parse_args(found)), data


@pytest.mark.parametrize("folder", [
    "mnist", "digits", "-x", "--resume", "--dataset", "my run", "it's", 'a"b', "$HOME", "a\nb",
    "\x1b[2J", "~", "\udcff", "*", "\u00e4", "", "\\",
])  # fmt: skip
def test_the_command_adds_what_is_missing_whatever_the_values_look_like(monkeypatch, folder):
    monkeypatch.setattr(commandline, "_ENVIRONMENT", {})
    argv = ["--output-dir=" + folder]
    found, parsed, _ = again(argv, resume=True, dataset="mnist")
    assert found == [*argv, "--resume", "--dataset=mnist"]
    assert (parsed["output_dir"], parsed["resume"], parsed["dataset"]) == (folder, True, "mnist")
    given = [*argv, "--dataset", "x y.npz", "--resume"]
    assert again(given, resume=True, dataset="mnist")[0] == given


def test_what_the_environment_says_of_data_is_in_the_command(monkeypatch):
    monkeypatch.setattr(commandline, "_ENVIRONMENT", {"DLT_DATA": "/my data"})
    for argv, expected in (([], "/my data"), (["--dataset", "mnist"], "/my data")):
        assert again(argv)[2] == expected
    monkeypatch.delenv("DLT_DATA", raising=False)
    assert again(["--dataset", "digits"])[2] is None


@pytest.mark.parametrize("name", ["THEANORC", "PYTENSORRC"])
def test_a_file_of_settings_that_the_environment_names_is_in_the_command(monkeypatch, name):
    monkeypatch.setattr(commandline, "_ENVIRONMENT", {name: "my rc"})
    parser = Parser()
    parser.add_engine_options()
    assert this_command(parser.parse_args([]), []).startswith(f"{name}='my rc' ")
