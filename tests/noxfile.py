"""Run the tests on every Python found here: ``make test-engines``.

Pythons 3.8 to 3.10 bring classic Theano, later ones PyTensor. ONLY takes these tags: a version,
"oldest", "newest", and "linkers" for the newest Python with PyTensor's other linkers.
"""

import glob
import os
import shutil
import sys

import nox

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VERSIONS = [f"3.{minor}" for minor in range(8, 15)]

nox.options.envdir = os.path.join(ROOT, ".nox")
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False

# pyenv puts a python3.X on PATH that fails unless it was told to run it: its Pythons come first.
pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
folders = sorted(glob.glob(os.path.join(pyenv, "versions", "3.*", "bin")))
folders.append(os.path.join(sys.base_prefix, "bin"))  # and the Python that runs nox
os.environ["PATH"] = os.pathsep.join([*folders, os.environ["PATH"]])
FOUND = [version for version in VERSIONS if shutil.which("python" + version)]


def param(version):
    ends = {"oldest": FOUND[0], "newest": FOUND[-1]}
    tags = [version, *(name for name, end in ends.items() if end == version)]
    return nox.param(version, id=version, tags=tags)


@nox.session(download_python="never")
@nox.parametrize("python", [param(version) for version in VERSIONS])
def tests(session):
    session.install("--upgrade", "pip")  # an old one may try out versions for ever
    session.install("--editable", ROOT + "[test]")
    run(session, "python")


@nox.session(python=False, tags=["linkers"], requires=[f"tests({FOUND[-1]})"])
@nox.parametrize("mode", ["NUMBA", "CVM"])
def linkers(session, mode):
    folder = f"tests-{FOUND[-1].replace('.', '-')}"
    run(session, os.path.join(nox.options.envdir, folder, "bin", "python"), "mode=" + mode)


def run(session, python, flags=None):
    """Run what depends on versions, without the flags of whoever called."""
    session.chdir(ROOT)
    env = {"DLT_ENGINE": None, "THEANO_FLAGS": None, "PYTENSOR_FLAGS": flags}
    run_tests = ["-m", "pytest", "-p", "no:cacheprovider", "-m", "not once", *session.posargs]
    session.run(python, *run_tests, env=env, external=True)
