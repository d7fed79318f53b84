"""Flags: read and complete the engine's environment variables before it is imported.

===================  ==============================================================
variable             meaning
===================  ==============================================================
``DLT_ENGINE``       ``theano`` or ``pytensor``, if both are installed
``THEANO_FLAGS``     the page's flags (``floatX=float32,device=cuda``), for any engine
``PYTENSOR_FLAGS``   PyTensor's own flags, which override those in ``THEANO_FLAGS``
===================  ==============================================================

Source: page "Getting Started", section "Theano/Python Tips"; Theano's documentation of its
``config``.
"""

from __future__ import annotations

import atexit
import configparser
import contextlib
import ctypes
import glob
import importlib.util
import os
import re
import shutil
import sys
import sysconfig
import tempfile
from typing import Callable, Collection, Iterator, MutableMapping

import numpy as np

from dlt.errors import EngineError

Environ = MutableMapping[str, str]

#: The engines, best first.
ENGINES = ("pytensor", "theano")

# Processes take turns to compile. Theano checks every 5 to 10 seconds whether its turn has come.
# These flags make it check every 1 to 2 seconds, and still wait 120 seconds before it overrides a
# lock that seems abandoned.
_TAKE_TURNS = {"compile.wait": "1", "compile.timeout": "120"}

_PYTHON_H = "Python.h"
# The packages of Debian and Ubuntu, and of macOS.
_PACKAGES = {"g++": "g++", "clang++": "Xcode's command line tools", _PYTHON_H: "python3-dev"}


def parse(text: str) -> dict[str, str]:
    """Return flags as a dict, with names as Theano spells them. Quoted values may have commas.

    Examples
    --------
    >>> parse("floatX=float32, gcc__cxxflags=-O3, blas.ldflags='-lm,-lc'")
    {'floatX': 'float32', 'gcc.cxxflags': '-O3', 'blas.ldflags': "'-lm,-lc'"}
    """
    pairs = [part.split("=", 1) for part in _parts(text) if "=" in part]
    return {name.replace("__", "."): value for name, value in pairs}


def without(text: str, names: Collection[str]) -> str:
    """Return flags without those with these names.

    Examples
    --------
    >>> without("floatX=float32,optimizer=fast_compile", ["floatX"])
    'optimizer=fast_compile'
    """
    return ",".join(part for part in _parts(text) if part.partition("=")[0].strip() not in names)


def _parts(text):
    return [part.strip() for part in re.findall(r"""(?:'[^']*'|"[^"]*"|[^,'"])+""", text)]


def choose_engine(environ: Environ, is_there: Callable = importlib.util.find_spec) -> str:
    """Return the engine to import: the one in DLT_ENGINE, or the best that is installed.

    `is_there` tells whether a package is installed.
    """
    named = environ.get("DLT_ENGINE", "")
    if named and named not in ENGINES:
        raise EngineError("DLT_ENGINE", repr(named), " or ".join(ENGINES))
    chosen = named or next(filter(is_there, ENGINES), None)
    if chosen is None:
        remedy = "install what dlt needs: pip install ."
        raise EngineError("engine", "neither PyTensor nor Theano", "one of them", remedy)
    return chosen


def device(environ: Environ) -> str | None:
    """Return the device that THEANO_FLAGS names, or None."""
    return parse(environ.get("THEANO_FLAGS", "")).get("device")


def in_rc(environ: Environ, engine: str = "theano") -> dict[str, str]:
    """Return the flags in an engine's settings files; its environment variable overrides them."""
    default = os.path.join("~", f".{engine}rc")
    paths = environ.get(engine.upper() + "RC", default).split(os.pathsep)
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore  # keeps the capital in floatX
    try:
        parser.read([os.path.expanduser(path) for path in paths])
    except (configparser.Error, UnicodeDecodeError):  # the engine will report what is wrong
        return {}
    return {
        option if section == "global" else f"{section}.{option}": value
        for section in parser.sections()
        for option, value in parser.items(section)
    }


def is_gpu(name: str | None) -> bool:
    """Return whether a device in Theano's flags is a GPU: cuda, cuda0, gpu, opencl."""
    return name is not None and name.startswith(("cuda", "gpu", "opencl"))


def prepare_pytensor(environ: Environ) -> None:
    """Put THEANO_FLAGS in front of PYTENSOR_FLAGS, in which the last flag wins.

    This drops ``device``, a flag that PyTensor does not have. ``compiledir`` sets
    ``base_compiledir`` too, where PyTensor keeps the functions that Numba compiles.

    Examples
    --------
    >>> environ = {"THEANO_FLAGS": "floatX=float32,compiledir=/cache", "PYTENSOR_FLAGS": "cxx="}
    >>> prepare_pytensor(environ)
    >>> environ["PYTENSOR_FLAGS"]
    'floatX=float32,compiledir=/cache,base_compiledir=/cache,cxx='
    """
    text = environ.get("THEANO_FLAGS", "")
    nameless = [part for part in _parts(text) if part and "=" not in part]
    if nameless:
        found = repr(", ".join(nameless))
        raise EngineError("THEANO_FLAGS", found, "name=value, such as floatX=float32")
    flags = parse(text)
    flags.pop("device", None)
    if "compiledir" in flags:
        flags.setdefault("base_compiledir", flags["compiledir"])
    if flags:
        translated = [f"{n.replace('.', '__')}={v}" for n, v in flags.items()]
        own = environ.get("PYTENSOR_FLAGS")
        environ["PYTENSOR_FLAGS"] = ",".join(translated + ([own] if own else []))


def prepare_theano(environ: Environ) -> str | None:
    """Add flags that Theano needs on today's machines to THEANO_FLAGS, unless the user set them.

    ``blas.ldflags`` links the BLAS that numpy or scipy brings along. Theano 1.0.5 looks for one
    in ways that numpy no longer supports; without one, an epoch in minibatches of 20 takes 176 ms
    instead of 88. ``cxx`` is empty if the compiler or Python's headers are missing.

    Returns
    -------
    str or None
        A note for the user: functions run slowly, and what to install.
    """
    own = environ.get("THEANO_FLAGS", "")
    said = {**in_rc(environ), **parse(own)}
    needed = {} if "compile.wait" in said else dict(_TAKE_TURNS)
    blas = None if "blas.ldflags" in said else _bundled_blas()
    if blas is not None:
        needed["blas.ldflags"] = f"'{blas}'"
    missing, note = missing_compiler(), None
    if missing and "cxx" not in said:
        needed["cxx"] = ""
        note = (
            f"Theano finds no {' and no '.join(missing)}: functions run in Python, some 15 times "
            f"slower; {how_to_install(missing)}"
        )
    added = [f"{name}={value}" for name, value in needed.items() if name not in said]
    environ["THEANO_FLAGS"] = ",".join(([own] if own else []) + added)
    return note


@contextlib.contextmanager
def folder_to_compile_in(environ: Environ, engine: str) -> Iterator[str | None]:
    """Within this block, an engine that is imported finds a folder to compile in.

    This is the engine's usual folder if it can be written, else a temporary one, which is removed
    at exit. (Windows has other permissions, which are not checked.) The folder also stands in for
    a missing home folder, which the engines need.

    Yields
    ------
    str or None
        A note for the user.
    """
    variable = engine.upper() + "_FLAGS"
    own, home = environ.get(variable, ""), os.path.expanduser("~")
    said = {**in_rc(environ, engine), **parse(own)}
    places = {"base_compiledir": os.path.join(home, "." + engine)}
    places.update((name, said[name]) for name in ("base_compiledir", "compiledir") if name in said)
    checked = places if os.name == "posix" else {}
    refused = {name: path for name, path in checked.items() if not _can_use(path)}
    note = None
    if refused:
        folder = tempfile.mkdtemp(prefix="dlt-compiled-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        places.update(dict.fromkeys(refused, folder))
        flags = [without(own, refused), *(f"{name}={folder}" for name in refused)]
        environ[variable] = ",".join(filter(None, flags))
        note = (
            f"{', '.join(refused.values())}: found a folder that cannot be written; what is "
            f"compiled goes to {folder} and is removed at the end; set HOME, or "
            f"{variable}=base_compiledir=FOLDER"
        )
    if home == "~":
        environ["HOME"] = places["base_compiledir"]
    try:
        yield note
    finally:
        if home == "~":
            del environ["HOME"]


def _can_use(folder):
    """Return whether a folder, which may not exist yet, and the folders in it can be written."""
    folder = os.path.expanduser(folder)
    if folder.startswith("~"):  # there is no home
        return False
    folder = os.path.abspath(folder)
    there = folder
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    needed = os.R_OK | os.W_OK | os.X_OK
    if not os.path.isdir(there) or not os.access(there, needed):
        return False
    inside = [os.path.join(folder, name) for name in os.listdir(there)] if there == folder else []
    return all(os.access(path, needed) for path in inside if os.path.isdir(path))


def missing_compiler(cxx: str = "") -> list[str]:
    """Return what is missing to compile C++ for Python: the compiler, Python's headers, or both.

    `cxx` is a compiler that the engine has found.
    """
    compiler = "clang++" if sys.platform == "darwin" else "g++"
    missing = [] if cxx or shutil.which(compiler) else [compiler]
    folders = {sysconfig.get_path(name) for name in ("include", "platinclude")}
    if not any(folder and os.path.isfile(os.path.join(folder, _PYTHON_H)) for folder in folders):
        missing.append(_PYTHON_H)
    return missing


def demand_compiler(cxx: str, instead: str = "") -> None:
    """Raise an EngineError if the compiler or headers are missing; `instead` ends the remedy."""
    missing = missing_compiler(cxx)
    if missing:
        found, expected = f"no {' and no '.join(missing)}", "a compiler and Python's headers"
        raise EngineError("linker c", found, expected, how_to_install(missing) + instead)


def how_to_install(missing: list[str]) -> str:
    """Return how to install what `missing_compiler` returned.

    Examples
    --------
    >>> how_to_install(["g++", "Python.h"])
    'install g++ and python3-dev (as Debian and Ubuntu call them)'
    """
    text = "install " + " and ".join(_PACKAGES[name] for name in missing)
    if "clang++" in missing:
        return text
    return f"{text} (as Debian and Ubuntu call {'it' if len(missing) == 1 else 'them'})"


def _bundled_blas():
    """Return flags that link the OpenBLAS of numpy or scipy; None lets Theano look for a BLAS."""
    # Wheels for Linux contain one. Since numpy 1.22, numpy's has other function names (sgemm_64_),
    # so only scipy's is left, and Theano's own search fails with an error.
    site = os.path.dirname(os.path.dirname(np.__file__))
    if sys.platform.startswith("linux") and not set(site) & set(" ,'\""):
        for package in ("numpy", "scipy"):
            folder = os.path.join(site, package + ".libs")
            for path in sorted(glob.glob(os.path.join(folder, "lib*openblas*.so"))):
                if _has_sgemm(path):
                    return f"-L{folder} -l:{os.path.basename(path)} -Wl,-rpath,{folder}"
    return None if numpy_version() < (1, 22) else ""


def _has_sgemm(path):
    try:
        return hasattr(ctypes.CDLL(path), "sgemm_")
    except OSError:
        return False


def numpy_version() -> tuple[int, ...]:
    """Return numpy's version as two numbers."""
    return tuple(int(part) for part in np.__version__.split(".")[:2])
