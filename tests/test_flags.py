"""Flags: what the environment says, prepared for each engine."""

import os
import re
import subprocess
import sys
import sysconfig
import tempfile

import numpy as np
import pytest

from dlt.engine import flags
from dlt.errors import EngineError

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "text, expected",
    [
        (" floatX = float32 ,, device=cpu", {"floatX": "float32", "device": "cpu"}),
        ("blas.ldflags=", {"blas.ldflags": ""}),
        ("a.b='-lm,-lc',floatX=float64", {"a.b": "'-lm,-lc'", "floatX": "float64"}),
        ('gcc__cxxflags="-O1,-g=3"', {"gcc.cxxflags": '"-O1,-g=3"'}),
        ("floatX=float32,floatX=float64", {"floatX": "float64"}),
        ("nonsense", {}),
    ],
)  # fmt: skip
def test_flags_are_parsed_as_the_engines_do(text, expected):
    found = flags.parse(text)
    assert {name.strip(): value.strip() for name, value in found.items()} == expected


@pytest.mark.parametrize(
    "named, installed, expected",
    [
        ("", {"theano", "pytensor"}, "pytensor"),
        ("theano", {"pytensor"}, "theano"),  # importing it says what is missing
        ("", set(), "neither PyTensor nor Theano; .*: pip install ."),
        ("jax", {"pytensor"}, "DLT_ENGINE: found 'jax'; expected pytensor or theano"),
    ],
)
def test_the_engine_is_the_named_one_or_the_best_installed(named, installed, expected):
    environ = {"DLT_ENGINE": named}
    if expected in flags.ENGINES:
        assert flags.choose_engine(environ, is_there=installed.__contains__) == expected
    else:
        with pytest.raises(EngineError, match=expected):
            flags.choose_engine(environ, is_there=installed.__contains__)


@pytest.mark.parametrize(
    "theano_flags, own, expected",
    [
        ("", "cxx=", "cxx="),
        ("device=cuda", None, None),
        ("device=cuda,floatX=float32", None, "floatX=float32"),
        ("gcc.cxxflags='-O3,-g'", "floatX=float64", "gcc__cxxflags='-O3,-g',floatX=float64"),
        ("base_compiledir=/b,compiledir=/c", None, "base_compiledir=/b,compiledir=/c"),
    ],
)
def test_theano_flags_come_before_pytensor_s(theano_flags, own, expected):
    environ = {"PYTENSOR_FLAGS": own} if own else {}
    environ["THEANO_FLAGS"] = theano_flags
    flags.prepare_pytensor(environ)
    assert environ.get("PYTENSOR_FLAGS") == expected


def test_flags_without_a_value_are_named():
    with pytest.raises(EngineError, match="found 'fast, x'; expected name=value"):
        flags.prepare_pytensor({"THEANO_FLAGS": "device=cpu, fast ,x"})


# Set for every process on Theano, unless the user said otherwise.
TURNS = "compile.wait=1,compile.timeout=120"


THEANORC = "[global]\ncxx = /opt/g++\n[blas]\nldflags = -lblas\n[compile]\nwait = 9\n"
USERS = "blas.ldflags=-lblas,cxx=/opt/g++,compile.wait=9"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages that holds numpy, but no BLAS."""
    monkeypatch.setattr(np, "__file__", str(tmp_path / "numpy" / "__init__.py"))
    return tmp_path


@pytest.mark.parametrize(
    "numpy_version, rc, given, expected",
    [
        # Theano's own search for a BLAS is left alone where it works, and switched off where not.
        ("1.21.6", "", "", TURNS),
        ("1.22.4", "", "floatX=float32", f"floatX=float32,{TURNS},blas.ldflags=''"),
        # How long to wait for another process may be said.
        ("1.21.6", "", "compile.wait=7", "compile.wait=7"),
        ("1.21.6", "", "compile.timeout=9", "compile.timeout=9,compile.wait=1"),
        ("1.21.6", "", "compile__wait=7", "compile__wait=7"),
        # What the user set is not overridden, wherever it was set.
        ("1.22.4", "", USERS, USERS),
        ("1.22.4", THEANORC, "", ""),
        # A broken settings file is left to Theano.
        ("1.21.6", "no section\n", "blas.ldflags=", "blas.ldflags=," + TURNS),
    ],
)
def test_theano_s_flags_are_completed(site, monkeypatch, numpy_version, rc, given, expected):
    monkeypatch.setattr(np, "__version__", numpy_version)
    missing = ["g++"] if "/opt/g++" in rc + given else []
    monkeypatch.setattr(flags, "missing_compiler", lambda: missing)
    (site / "rc").write_text(rc)
    environ = {"THEANORC": f"{site / 'none'}{os.pathsep}{site / 'rc'}"}
    environ["THEANO_FLAGS"] = given
    assert flags.prepare_theano(environ) is None
    assert environ["THEANO_FLAGS"] == expected


FALLEN_BACK = (
    "{}: found a folder that cannot be written; what is compiled goes to {} and is removed"
)


@pytest.mark.parametrize("engine", flags.ENGINES)
@pytest.mark.parametrize(
    "own, rc, refused",
    [
        ("", "", set()),
        ("", "base_compiledir = FILE/x", {"base_compiledir"}),
        ("floatX=float32,base_compiledir=FILE", "", {"base_compiledir"}),
        ("compiledir=FILE/x", "", {"compiledir"}),
        ("base_compiledir=FILE,compiledir=FILE/x", "", {"base_compiledir", "compiledir"}),
        ("compiledir=FOLDER/x", "compiledir = FILE", set()),
    ],
)
def test_a_folder_that_cannot_be_written_gives_way(tmp_path, monkeypatch, engine, own, rc, refused):
    (tmp_path / "FILE").write_text("")
    (tmp_path / "rc").write_text("[global]\n" + rc)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    variable = engine.upper() + "_FLAGS"
    environ = {variable: own, engine.upper() + "RC": "rc"}
    with flags.folder_to_compile_in(environ, engine) as note:
        pass
    folders = {str(path) for path in tmp_path.glob("dlt-compiled-*")}
    found = flags.parse(environ[variable])
    assert {name for name, path in found.items() if path in folders} == refused
    assert found.get("floatX") == flags.parse(own).get("floatX")
    assert len(folders) == bool(refused) and (note is None) == (not refused)
    if refused:
        given = [path for path in re.findall("FILE(?:/x)?", own + rc)]
        assert note.startswith(FALLEN_BACK.format(", ".join(given), *folders))
        assert note.endswith(f"at the end; set HOME, or {variable}=base_compiledir=FOLDER")


def test_a_folder_of_another_user_in_the_one_to_compile_in_gives_way_too(tmp_path, monkeypatch):
    (tmp_path / ".theano" / "compiledir").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with flags.folder_to_compile_in({}, "theano") as note:
        assert note is None
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("compiledir"))
    with flags.folder_to_compile_in({}, "theano") as note:
        assert note.startswith(f"{tmp_path}/.theano: found a folder that cannot be written")


def test_windows_has_other_permissions_which_are_not_looked_at(monkeypatch):
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        windows.setattr(os.path, "lexists", lambda path: pytest.fail("looks for a drive, for ever"))
        with flags.folder_to_compile_in({}, "pytensor") as note:
            assert note is None


def test_engines_get_a_home_while_they_are_imported(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as where there is no home
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environ = {}
    with flags.folder_to_compile_in(environ, "pytensor") as note:
        assert environ["PYTENSOR_FLAGS"] == "base_compiledir=" + environ["HOME"]
    assert note.startswith(FALLEN_BACK.format("~/.pytensor", *tmp_path.iterdir()))
    assert "HOME" not in environ
    with flags.folder_to_compile_in(environ, "pytensor") as note:  # a process that this one starts
        assert note is None and environ["HOME"] == str(*tmp_path.iterdir())


def library(path, function):
    """Compile a shared library that has this function."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.with_suffix(".c")
    source.write_text(f"int {function}(void) {{ return 0; }}\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(path), str(source)], check=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="numpy's wheels for Linux")
@pytest.mark.parametrize("name", ["site", "my site"])  # flags cannot name the second
def test_the_blas_that_numpy_or_scipy_bring_is_linked(tmp_path, monkeypatch, name):
    # As in numpy 1.22: its own OpenBLAS has another name for the function, scipy's has not.
    numpys, scipys = tmp_path / name / "numpy.libs", tmp_path / name / "scipy.libs"
    library(numpys / "libopenblas64_p-0.so", "sgemm_64_")
    (numpys / "libopenblas-broken.so").write_bytes(b"no library")
    library(scipys / "libopenblasp-1.so", "sgemm_")
    monkeypatch.setattr(np, "__file__", str(tmp_path / name / "numpy" / "__init__.py"))
    monkeypatch.setattr(np, "__version__", "1.22.4")
    environ = {}
    flags.prepare_theano(environ)
    linked = f"-L{scipys} -l:libopenblasp-1.so -Wl,-rpath,{scipys}" if name == "site" else ""
    assert environ["THEANO_FLAGS"] == f"{TURNS},blas.ldflags='{linked}'"


def test_without_a_compiler_a_note_names_what_to_install(site, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    environ = {"THEANO_FLAGS": "blas.ldflags="}
    note = flags.prepare_theano(environ)
    assert environ["THEANO_FLAGS"] == f"blas.ldflags=,{TURNS},cxx="
    assert note == (
        "Theano finds no g++: functions run in Python, some 15 times slower; install g++ (as "
        "Debian and Ubuntu call it)"
    )
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert flags.missing_compiler() == ["g++", "Python.h"]
    assert flags.missing_compiler("/opt/g++") == ["Python.h"]
    assert flags.how_to_install(["clang++"]) == "install Xcode's command line tools"
    assert flags.prepare_theano({}).endswith(
        "finds no g++ and no Python.h: functions run in Python, some 15 times slower; install "
        "g++ and python3-dev (as Debian and Ubuntu call them)"
    )
