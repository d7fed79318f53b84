"""Exit codes and one-line errors."""

import pytest

from dlt.commandline import Parser, script
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
    assert raising(KeyboardInterrupt())([]) == 130


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
