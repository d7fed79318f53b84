"""The wheel carries the package, the digits and the page, and works away from the checkout."""

import email
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT, run_python

pytestmark = [pytest.mark.once, pytest.mark.slow]
CODE = (
    "import dlt, dlt.engine; train_set, _, _ = dlt.load_data('digits');"
    "print(dlt.__file__, train_set[0].shape, dlt.__version__);"
    "from dlt.pictures.page import page_html; print(page_html([[0.0, 0.0]], [0.0, 0.0]), end='')"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of what it is made of."""
    pytest.importorskip("setuptools", minversion="68")
    tmp_path = tmp_path_factory.mktemp("packaging")
    source = tmp_path / "source"
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "dlt", "data/digits.pkl.gz",
                 "data/README.md"):  # fmt: skip
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", str(ROOT / name), str(source / name)], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(tmp_path / "wheel"), str(source)],
        check=True,
    )  # fmt: skip
    (wheel,) = (tmp_path / "wheel").iterdir()
    return wheel


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
    assert ("1.22" in needed["numpy"]) == (minor < 11) == ("jax" not in needed)
    supported = packaging.SpecifierSet(metadata["Requires-Python"])
    assert f"3.{minor}.0" in supported
    assert "3.7.17" not in supported and "3.15.0" not in supported


def test_an_installed_wheel_loads_the_digits_and_makes_the_page(wheel, tmp_path):
    assert wheel.name.startswith("theano_dlt-")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    process = run_python("-c", CODE, cwd=tmp_path, PYTHONPATH=tmp_path / "site")
    assert process.stdout.startswith(str(tmp_path / "site" / "dlt" / "__init__.py"))
    assert "(1200, 784)" in process.stdout
    assert process.stdout.endswith("</html>\n")
