"""`make test-engines`: which Pythons it finds, what it runs, and what it says of them."""

import os
import subprocess
import sys
import time

import engines
import pytest
from conftest import ROOT

pytestmark = pytest.mark.once

HERE = "{}.{}".format(*sys.version_info[:2])


def fake_python(path, version):
    """Write a program that answers like a Python of this version, or fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n{}\n".format("echo " + version if version else "exit 1"))
    path.chmod(0o755)


def test_pythons_are_found_on_the_path_and_under_pyenv(tmp_path):
    fake_python(tmp_path / "bin" / "python3.8", "3.8")
    fake_python(tmp_path / "bin" / "python3.9", None)  # a shim of pyenv's, without a Python
    fake_python(tmp_path / "pyenv" / "versions" / "3.9.18" / "bin" / "python", "3.9")
    fake_python(tmp_path / "pyenv" / "versions" / "3.10.1" / "bin" / "python", None)
    environ = {"PATH": str(tmp_path / "bin"), "PYENV_ROOT": str(tmp_path / "pyenv")}
    found = {version: engines.find_python(version, environ) for version in engines.VERSIONS}
    assert found.pop("3.8") == str(tmp_path / "bin" / "python3.8")
    assert found.pop("3.9") == str(tmp_path / "pyenv" / "versions" / "3.9.18" / "bin" / "python")
    assert set(found.values()) == {None}


@pytest.mark.parametrize(
    "only, expected",
    [
        ([], ["3.8", "3.10", "3.13"]),
        (["newest", "oldest"], ["3.8", "3.13"]),
        (["3.10"], ["3.10"]),
        (["oldest", "3.8"], ["3.8"]),
        (["3.9"], []),
    ],
)
def test_the_newest_and_the_oldest_are_those_that_are_here(only, expected):
    assert engines.choose(["3.8", "3.10", "3.13"], only) == expected


@pytest.mark.parametrize(
    "output, expected",
    [
        ("...\n1190 passed, 7 skipped in 250.11s (0:04:10)\n", "1190 passed, 7 skipped"),
        ("== 1 failed, 2 passed, 1 error in 0.11s ==", "1 failed, 2 passed, 1 error"),
        ("INTERNALERROR", "no tests were run"),
    ],
)
def test_the_summary_is_taken_from_pytest_s_output(output, expected):
    assert engines.last_line(output) == expected


def run_engines(*args):
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "engines.py"), *args],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_version_that_dlt_does_not_know_gets_one_line():
    process = run_engines("--only", "2.7")
    assert process.returncode == 2
    assert "--only: found '2.7'; expected newest, oldest, or some of 3.8 3.9" in process.stderr


@pytest.mark.parametrize("linker", [None, "c"])
def test_one_line_says_what_ran(tmp_path, monkeypatch, linker):
    """On this very environment, and one short test file."""
    from dlt import engine

    if linker and engine.NAME == "Theano":
        linker = None  # its only one
    monkeypatch.setattr(engines, "FOLDER", str(tmp_path))
    monkeypatch.setenv("THEANO_FLAGS", "floatX=float16")  # not for the tests
    arguments = ["tests/test_early_stopping.py", "-k", "page"]
    passed, line = engines.run_tests(HERE, sys.executable, linker, arguments)
    assert passed and line.startswith("Python {}, {} ".format(HERE, engine.NAME))
    assert ", {} linker, cpu: ".format(linker or engine.LINKERS[0]) in line
    assert " passed, " in line and line.endswith(" s")
    passed, line = engines.run_tests(HERE, sys.executable, None, ["tests/no_such_file.py"])
    assert not passed and "no tests were run" in line
    assert "no_such_file" in (tmp_path / (HERE + ".log")).read_text()


HANGS = (
    "import subprocess, sys, time\n"
    "def waits_for_ever():\n"
    "    time.sleep(600)\n"
    "child = subprocess.Popen(['sleep', '600'])\n"
    "print('child', child.pid, flush=True)\n"
    "waits_for_ever()\n"
)


def child_in(log, patience=30):
    """Wait for the line "child PID" in a log, and give the PID."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if log.exists() and "\n" in log.read_text():
            return int(log.read_text().split()[1])
        time.sleep(0.05)
    raise AssertionError("{} has no line".format(log))


def is_gone(pid, patience=10):
    """Say whether a process ends; one that nobody has waited for yet has ended as well."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            with open("/proc/{}/stat".format(pid)) as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_tests_that_hang_are_ended_and_tell_where_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "LIMIT", 2)
    log = tmp_path / "log"
    command = [sys.executable, "-X", "faulthandler", "-c", HANGS]
    assert engines.run_logged(command, dict(os.environ), str(log)) is None
    said = log.read_text()
    assert "Fatal Python error: Aborted" in said and "in waits_for_ever" in said
    assert is_gone(child_in(log))


def test_sigterm_shows_the_log_and_leaves_nothing_running(tmp_path):
    code = (
        "import sys, engines\n"
        "engines.FOLDER = sys.argv.pop()\n"
        "engines.environment = lambda version, python: sys.executable\n"
        "def run_tests(version, inside, linker, pytest_args):\n"
        "    engines.run_logged([inside, '-c', {!r}], {{}}, engines.log_of(version))\n"
        "engines.run_tests = run_tests\n"
        "sys.exit(engines.main(['--only', 'oldest']))\n"
    ).format(HANGS)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env=dict(os.environ, PYTHONPATH=str(ROOT / "tests")), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not list(tmp_path.glob("3.*.log")):
        assert process.poll() is None
        time.sleep(0.05)
    (log,) = tmp_path.glob("3.*.log")
    child = child_in(log)
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.startswith("Python {}: stopped\n--- the end of ".format(log.stem))
    assert "\nchild {}\n".format(child) in out
    assert is_gone(child)


def test_an_environment_is_made_once_and_again_when_setup_py_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "FOLDER", str(tmp_path))
    monkeypatch.setattr(engines, "ROOT", str(tmp_path / "project"))
    (tmp_path / "project").mkdir()
    setup = tmp_path / "project" / "setup.py"
    for name in ("one", "two"):
        # Needs nothing, and so installs without a network.
        setup.write_text(
            "from setuptools import setup\n"
            "setup(name='{}', py_modules=[], extras_require={{'test': []}})\n".format(name)
        )
        try:
            inside = engines.environment(HERE, sys.executable)
        except subprocess.CalledProcessError:
            log = (tmp_path / (HERE + ".log")).read_text()
            pytest.skip("pip cannot install here: " + log.strip().splitlines()[-1])
        listed = subprocess.run(
            [inside, "-m", "pip", "list"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        assert name in listed.split()
        before = os.stat(os.path.join(str(tmp_path), HERE, "installed")).st_mtime_ns
        assert engines.environment(HERE, sys.executable) == inside
        assert os.stat(os.path.join(str(tmp_path), HERE, "installed")).st_mtime_ns == before
