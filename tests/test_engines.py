"""`make test-engines`: which Pythons it finds, what it runs, and what it says of them."""

import os
import subprocess
import sys

import engines
import pytest
from conftest import ROOT

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
