"""Exit codes and one-line errors."""

import signal
import subprocess
import sys

import pytest
from conftest import ROOT

from dlt.commandline import Parser, positive_int, script, seed
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

    with pytest.raises(ZeroDivisionError):  # a bug keeps its traceback
        raising(ZeroDivisionError())([])


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


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--unknown"], "unrecognized arguments: --unknown"),
        (["--numb", "3"], "unrecognized arguments: --numb 3"),
        (["--rate", "x"], "argument --rate: invalid float value: 'x'"),
        (["--number", "0"], "argument --number: found '0'; expected a whole number, 1 or more"),
        (["--seed", "-1"], "argument --seed: found '-1'; expected a whole number, 0 or more"),
        (["--seed", "x"], "argument --seed: found 'x'; expected a whole number, 0 or more"),
    ],
)
def test_wrong_arguments_get_one_line(parser, capsys, argv, message):
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(argv)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"train: error: {message}; see --help\n"


def test_a_reader_that_leaves_ends_it_quietly():
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from dlt.commandline import script\n"
        "@script\n"
        "def main(argv=None):\n"
        "    while True: print('line')\n"
        "sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        assert (process.wait(timeout=60), process.stderr.read()) == (1, b"")


def test_sigterm_exits_143_and_the_former_handler_comes_back(capsys):
    before = signal.getsignal(signal.SIGTERM)

    @script
    def main(argv=None):
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            print("tidied up")

    assert main([]) == 143
    assert capsys.readouterr() == ("tidied up\n", "stopped by SIGTERM\n")
    assert signal.getsignal(signal.SIGTERM) == before
