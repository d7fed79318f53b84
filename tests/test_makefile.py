"""Which Python `make` uses: what it would run, with Pythons that only tell a version."""

import os
import shutil
import subprocess

import pytest
from conftest import ROOT

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not shutil.which("make"), reason="needs make"),
]


def python(path, version):
    """Write a program that answers as this Python would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def clone(tmp_path):
    """A folder to run make in, with an environment of Python 3.12.1 as `make` leaves it."""
    folder = tmp_path / "clone"
    python(folder / ".venv" / "bin" / "python", "3.12.1")
    (folder / ".venv" / "lib" / "python3.12" / "site-packages" / "pip").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "setup.py"):
        shutil.copy(str(ROOT / name), str(folder))
    for name in ("pyvenv.cfg", "created", "installed"):
        (folder / ".venv" / name).touch()
    return folder


def make(folder, *arguments):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environ.pop("PYTHON", None)
    return subprocess.run(
        ["make", "-n", *map(str, arguments)],
        cwd=str(folder), env=environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_an_environment_that_is_there_is_used(clone, tmp_path):
    same = python(tmp_path / "python3", "3.12.1")
    for asked in ([], [f"PYTHON={same}"]):
        assert make(clone, "train", *asked).stdout == ".venv/bin/python scripts/train_logreg.py \n"


def test_one_of_another_python_than_asked_for_is_made_anew(clone, tmp_path):
    other = python(tmp_path / "python3", "3.13.0")
    commands = make(clone, "train", f"PYTHON={other}").stdout
    assert f"{other} -m venv --clear .venv\n" in commands
    assert "--editable .\n" in commands
    # What is not an environment is not cleared away.
    (clone / ".venv" / "pyvenv.cfg").unlink()
    assert f"{other} -m venv  .venv\n" in make(clone, "train", f"PYTHON={other}").stdout


def test_one_that_uv_made_gets_pip_and_stays(clone):
    for name in ("created", "installed"):
        (clone / ".venv" / name).unlink()
    commands = make(clone, "train").stdout
    assert "-m venv" not in commands and "-m ensurepip" in commands


def test_what_uv_took_away_is_installed_again(clone):
    module = clone / ".venv" / "lib" / "python3.12" / "site-packages" / "pytest"
    module.mkdir()
    (clone / ".venv" / "installed-test").touch()
    assert "install" not in make(clone, "lint").stdout
    module.rmdir()
    assert '--editable ".[test]"' in make(clone, "lint").stdout


@pytest.mark.parametrize("minor", range(7, 16))
def test_a_python_is_refused_in_one_line_where_the_package_refuses_it(tmp_path, minor):
    specifiers = pytest.importorskip("packaging.specifiers")
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    supported = text.partition('requires-python = "')[2].partition('"')[0]
    shutil.copy(str(ROOT / "Makefile"), str(tmp_path))
    for name in ("pyproject.toml", "setup.py"):
        (tmp_path / name).touch()
    version = f"3.{minor}.2"
    done = make(tmp_path, "train", f"PYTHON={python(tmp_path / 'python3', version)}")
    assert (done.returncode == 0) == specifiers.SpecifierSet(supported).contains(version)
    if done.returncode:
        assert f"found Python {version}; expected Python 3.8 to 3.14" in done.stderr
        assert done.stderr.count("\n") == 1 and done.stdout == ""


def test_no_python_is_refused_in_one_line(clone):
    done = make(clone, "train", "PYTHON=nothing-of-this-name")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "nothing-of-this-name: found no Python that starts" in done.stderr
