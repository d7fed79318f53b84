"""The command `dlt`, also ``python -m dlt``: the scripts by their names."""

import shlex
import signal
import sys
import types

import pytest
from conftest import ROOT, run_python

import dlt
from dlt import commandline
from dlt.__main__ import COMMANDS, main


@pytest.fixture
def command(monkeypatch):
    """Call the command as a shell does, by its path."""
    monkeypatch.setattr(commandline, "program", [])
    monkeypatch.setattr(commandline, "_ENVIRONMENT", {})

    def call(*argv):
        monkeypatch.setattr(sys, "argv", ["/some where/dlt"])
        return main(list(argv))

    return call


def test_every_script_is_a_command_but_the_one_for_developers():
    scripts = {path.stem for path in (ROOT / "scripts").glob("*.py")}
    assert set(COMMANDS) == scripts - {"make_digits"}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_its_script_under_its_own_name(script, command, capsys, name):
    helped = script(name + ".py", "--help")
    assert (command(name, "--help"), helped.returncode) == (0, 0)
    out = capsys.readouterr().out
    assert out.startswith(f"usage: dlt {name} ")
    words = helped.stdout.replace(name + ".py", f"dlt {name}").split()
    assert out.split() == words  # the longer name may break a line elsewhere


@pytest.mark.parametrize("argv", [[], ["trian"], ["--", "predict"], ["--resume"]])
def test_no_command_and_a_wrong_one_get_one_line_and_code_2(command, capsys, argv):
    assert command(*argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("dlt: error: ") and err.count("\n") == 1


def test_the_module_runs_as_a_program():
    done = run_python("-m", "dlt", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"dlt {dlt.__version__}\n", "")
    done = run_python("-m", "dlt", "predict", "--model", "nowhere")
    assert done.returncode == 2 and done.stderr.startswith("error: ")
    usage = run_python("-m", "dlt", "predict", "--help").stdout.splitlines()[0]
    assert usage.startswith("usage: python") and " -m dlt predict " in usage


def test_a_stopped_run_names_the_command_that_resumes_it(command, monkeypatch, capsys):
    def stop(*args, should_stop, **settings):
        assert not should_stop()
        signal.raise_signal(signal.SIGINT)
        return types.SimpleNamespace(stopped_by="request", n_iterations=7)

    monkeypatch.setattr(dlt, "train", stop)
    arguments = ["train_logreg", "--dataset", "digits"]
    assert command(*arguments) == 130
    said, _, again = capsys.readouterr().out.splitlines()[-1].partition("; continue with: ")
    assert said == "stopped after 7 updates"
    assert shlex.split(again) == ["/some where/dlt", *arguments, "--resume"]
