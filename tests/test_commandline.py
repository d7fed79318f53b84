"""Exit codes and one-line errors."""

import shlex
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

from dlt.commandline import Parser, script, this_command
from dlt.errors import SettingsError


def raising(error):
    @script
    def main(argv=None):
        raise error

    return main


def test_exit_codes(capsys):
    assert script(lambda argv=None: None)([]) == 0
    assert script(lambda argv=None: 1)([]) == 1
    assert raising(SettingsError("patience: found 0; expected 2"))([]) == 2
    assert capsys.readouterr().err == "error: patience: found 0; expected 2\n"
    assert raising(OSError(28, "No space left on device"))([]) == 2
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device\n"
    assert raising(KeyboardInterrupt())([]) == 130
    assert capsys.readouterr().err == "stopped by Ctrl-C\n"


def test_help_shows_each_default_once():
    parser = Parser(prog="train")
    parser.add_argument("--rate", default=0.13, help="step size")
    parser.add_argument("--size", help="examples (default: all)")
    parser.add_argument("--all", action="store_true", help="every one")
    text = parser.format_help()
    assert "step size (default: 0.13)" in text
    assert "examples (default: all)\n" in text and "every one\n" in text


def test_a_reader_that_leaves_ends_it_quietly():
    code = (
        "import sys; sys.path.insert(0, {!r}); from dlt.commandline import script\n"
        "@script\n"
        "def main(argv=None):\n"
        "    while True: print('line')\n"
        "sys.exit(main())"
    ).format(str(ROOT))
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


def test_this_command_can_be_pasted_into_a_shell(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["my scripts/train.py", "--l2", "$HOME"])
    words = shlex.split(this_command(None, "--resume"))
    assert words == [sys.executable, "my scripts/train.py", "--l2", "$HOME", "--resume"]
    assert shlex.split(this_command(["--resume", "a b"], "--resume"))[2:] == ["--resume", "a b"]


def test_bugs_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError())([])


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--unknown"], "unrecognized arguments: --unknown"),
        (["--n", "x"], "argument --n: invalid int value: 'x'"),
        (["--numb", "3"], "unrecognized arguments: --numb 3"),
    ],
)
def test_wrong_arguments_get_one_line(capsys, argv, message):
    parser = Parser(prog="train")
    parser.add_argument("--n", type=int)
    parser.add_argument("--number", type=int)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(argv)
    assert caught.value.code == 2
    assert capsys.readouterr().err == "train: error: {}; see --help\n".format(message)
