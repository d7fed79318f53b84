"""The wheel carries the package and the digits, and works away from the checkout."""

import os
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT

CODE = (
    "import dlt; train_set, _, _ = dlt.load_data('digits');"
    "print(dlt.__file__, train_set[0].shape, dlt.__version__)"
)


def test_an_installed_wheel_loads_the_digits(tmp_path):
    pytest.importorskip("setuptools", minversion="68")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "dlt", "data/digits.pkl.gz",
                 "data/README.md"):  # fmt: skip
        (source / name).parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-r", str(ROOT / name), str(source / name)], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(tmp_path / "wheel"), str(source)],
        check=True,
    )  # fmt: skip
    (wheel,) = (tmp_path / "wheel").iterdir()
    assert wheel.name.startswith("theano_dlt-")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    process = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHONPATH=str(tmp_path / "site")),
        capture_output=True,
        text=True,
        check=True,
    )
    assert process.stdout.startswith(str(tmp_path / "site" / "dlt" / "__init__.py"))
    assert "(1200, 784)" in process.stdout
