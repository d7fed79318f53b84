"""What an installation carries, and that it works away from the checkout, by each of its doors."""

import email
import os
import pathlib
import subprocess
import sys
import sysconfig
import zipfile

import pytest
from conftest import ROOT, bare_environment

import dlt
from dlt.__main__ import COMMANDS

pytestmark = [pytest.mark.once, pytest.mark.slow]
QUICK = ("--dataset", "digits", "--n-epochs", "1")


def run(*command, cwd, **environ):
    """Run a program to its good end, and return what it printed."""
    environ = bare_environment(**environ)
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        environ.pop(name, None)
    done = subprocess.run(
        [str(word) for word in command],
        cwd=str(cwd), env=environ, capture_output=True, text=True, timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of what an installation is made of."""
    pytest.importorskip("setuptools", minversion="68")
    pytest.importorskip("pip")
    source = tmp_path_factory.mktemp("packaging") / "source"
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "dlt", "scripts",
                 "data/digits.pkl.gz", "data/README.md"):  # fmt: skip
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", str(ROOT / name), str(source / name)], check=True)
    return source


def pip(*arguments, python=sys.executable):
    options = ("--quiet", "--no-deps", "--no-build-isolation")
    run(sys.executable, "-m", "pip", "--python", python, *arguments, *options, cwd=ROOT)


@pytest.fixture(scope="module")
def wheel(source):
    pip("wheel", source, "--wheel-dir", source.parent)
    (wheel,) = source.parent.glob("theano_dlt-*.whl")
    return wheel


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installed(request, source, tmp_path_factory):
    """The programs of an environment that has dlt installed, and all else from this one."""
    folder = tmp_path_factory.mktemp(request.param)
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=ROOT)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "here.pth").write_text(sysconfig.get_path("purelib") + "\n")
    what = (
        ["--editable", source]
        if request.param == "editable"
        else [request.getfixturevalue("wheel")]
    )
    pip("install", *what, python=folder / "bin" / "python")
    return folder / "bin"


@pytest.mark.parametrize("minor", range(8, 15))
def test_each_python_gets_the_engine_that_runs_on_it(wheel, minor):
    packaging = pytest.importorskip("packaging.requirements")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(name))
    version = {"python_version": f"3.{minor}", "extra": ""}
    required = map(packaging.Requirement, metadata.get_all("Requires-Dist"))
    needed = {
        r.name: str(r.specifier) for r in required if not r.marker or r.marker.evaluate(version)
    }
    engine = {"Theano": "==1.0.5"} if minor < 11 else {"pytensor": "<3.4,>=3.0"}
    assert {n: v for n, v in needed.items() if n in ("Theano", "pytensor")} == engine
    assert ">=1.7" in needed["scipy"]
    assert ("1.22" in needed["numpy"]) == (minor < 11) == ("jax" not in needed)
    supported = packaging.SpecifierSet(metadata["Requires-Python"])
    assert f"3.{minor}.0" in supported
    assert "3.7.17" not in supported and "3.15.0" not in supported


def test_the_wheel_has_every_file_of_the_package_and_the_scripts(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = [path for path in (ROOT / "dlt").rglob("*.*") if path.suffix != ".pyc"]
    expected = {path.relative_to(ROOT).as_posix() for path in ours}
    expected |= {"dlt/_data/digits.pkl.gz", *(f"dlt/_scripts/{name}.py" for name in COMMANDS)}
    assert expected - names == set()


CODE = """
import sys, dlt
from dlt.__main__ import main
before = list(sys.path)
assert main(["export_page", "runs/logreg"]) == 0
assert sys.path == before  # a script adds a folder only where it is run as a file
print(dlt.__file__)
"""


def test_every_door_of_an_installation_leads_to_the_same_code(installed, source, tmp_path):
    empty = {"HOME": tmp_path, "cwd": tmp_path}
    version = f"dlt {dlt.__version__}\n"
    assert run(installed / "dlt", "--version", **empty) == version
    assert run(installed / "python", "-m", "dlt", "--version", **empty) == version
    lines = run(installed / "dlt", "train_logreg", *QUICK, **empty).splitlines()
    assert lines[1].startswith("digits: 1200 training") and "best after 60 updates" in lines[-2]
    *_, file = run(installed / "python", "-c", CODE, **empty).splitlines()
    home = source if installed.parent.name.startswith("editable") else installed.parent
    assert home in pathlib.Path(file).parents
    assert (tmp_path / "runs" / "logreg" / "draw.html").read_text("utf-8").endswith("</html>\n")


MISTAKES = {
    "dlt.laod_data('digits')": "attr-defined",
    "dlt.engine.descrbe()": "attr-defined",
    'dlt.Patience(1, 2, 3, "mcnemar", 0.05, 6)': "call-arg",
    "dlt.load_model(3)": "arg-type",
}


def test_a_type_checker_finds_the_mistakes_of_whoever_uses_dlt(
    installed, tmp_path, tmp_path_factory
):
    pytest.importorskip("mypy")
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(
        "import dlt\nfrom dlt import T, theano\n"
        "train_set, valid_set, test_set = dlt.load_data('digits')\n"
        "print(dlt.engine.describe(), dlt.Patience(5000).patience)\n"
        "theano.function([], T.matrix('x'))\n"
    )
    wrong.write_text("\n".join(["import dlt", *MISTAKES]))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--python-executable", str(installed / "python"),
         "--ignore-missing-imports", "--cache-dir", str(tmp_path_factory.getbasetemp() / "mypy"),
         str(right), str(wrong)],
        cwd=str(tmp_path), env=bare_environment(MYPYPATH=""), capture_output=True, text=True,
    )  # fmt: skip
    found = [line.partition("wrong.py:")[2] for line in done.stdout.splitlines()[:-1]]
    assert [(line[0], line.rpartition("  ")[2]) for line in found] == [
        (str(number), f"[{code}]") for number, code in enumerate(MISTAKES.values(), start=2)
    ], done.stdout


def test_uv_installs_all_that_training_needs(source, tmp_path):
    """The one installation of the tests that fetches what dlt depends on."""
    pytest.importorskip("uv")
    uv = (sys.executable, "-m", "uv")
    environ = {"HOME": tmp_path, "UV_PYTHON": sys.executable, "cwd": source}
    environ["UV_CACHE_DIR"] = run(*uv, "cache", "dir", cwd=source).strip()
    try:
        run(*uv, "sync", "--quiet", **environ)
    except AssertionError as error:
        if "Failed to fetch" in str(error):
            pytest.skip("no route to a package index")
        raise
    lines = run(*uv, "run", "scripts/train_logreg.py", *QUICK, **environ).splitlines()
    assert "best after 60 updates" in lines[-2]
    assert os.listdir(str(source / "runs")) == ["logreg"]
