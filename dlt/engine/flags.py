"""Flags: what the environment says about the engine, put in order before one is imported.

Both engines read their flags once, when they are imported, so whatever they need has to be
in the environment by then. This module knows the spelling of flags and what today's
machines lack; it imports no engine.

===================  ==============================================================
variable             what it says
===================  ==============================================================
``DLT_ENGINE``       ``theano`` or ``pytensor``, where both could be imported
``THEANO_FLAGS``     the page's flags (``floatX=float32,device=cuda``), on any engine
``PYTENSOR_FLAGS``   PyTensor's own, which win over the former
===================  ==============================================================

Source: page "Getting Started", section "Theano/Python Tips"; Theano's documentation of its
``config`` (names, precedence of THEANO_FLAGS over ``.theanorc``).
"""

import configparser
import ctypes
import glob
import importlib.util
import os
import re
import shutil
import sys
import sysconfig

import numpy as np

from dlt.errors import EngineError

#: The engines, best first.
ENGINES = ("pytensor", "theano")

#: Processes that compile take turns, and look every 1 to 2 seconds whether theirs has come;
#: left alone, Theano looks every 5 to 10. It still takes 120 s for a turn to count as lost.
_TAKE_TURNS = {"compile.wait": "1", "compile.timeout": "120"}

_PYTHON_H = "Python.h"
#: What Debian and Ubuntu call what is missing, and the rest of the world.
_PACKAGES = {"g++": "g++", "clang++": "Xcode's command line tools", _PYTHON_H: "python3-dev"}


def parse(text):
    """Turn flags into a dict, names as Theano spells them; quotes may hold commas.

    Examples
    --------
    >>> parse("floatX=float32, device=cpu, blas.ldflags='-lm,-lc'")
    {'floatX': 'float32', 'device': 'cpu', 'blas.ldflags': "'-lm,-lc'"}
    >>> parse("gcc__cxxflags=-O3")
    {'gcc.cxxflags': '-O3'}
    """
    pairs = [part.split("=", 1) for part in _parts(text) if "=" in part]
    return {name.replace("__", "."): value for name, value in pairs}


def _parts(text):
    return [part.strip() for part in re.findall(r"""(?:'[^']*'|"[^"]*"|[^,'"])+""", text)]


def choose_engine(environ, is_there=importlib.util.find_spec):
    """Name the engine to import: DLT_ENGINE's, or the best one that is installed.

    Parameters
    ----------
    environ : dict of str to str
        Such as ``os.environ``.
    is_there : callable
        Says whether a package could be imported.

    Returns
    -------
    {"pytensor", "theano"}

    Raises
    ------
    EngineError
        DLT_ENGINE names none of these, or none is installed.

    Examples
    --------
    >>> choose_engine({}, is_there=lambda name: name == "theano")
    'theano'
    """
    named = environ.get("DLT_ENGINE", "")
    if named:
        if named not in ENGINES:
            raise EngineError("DLT_ENGINE", repr(named), " or ".join(ENGINES))
        return named
    for name in ENGINES:
        if is_there(name):
            return name
    raise EngineError(
        "engine",
        "neither PyTensor nor Theano",
        "one of them",
        "install what dlt needs: pip install .",
    )


def device(environ):
    """Return the device that THEANO_FLAGS names, or None.

    Examples
    --------
    >>> device({"THEANO_FLAGS": "floatX=float32,device=cuda0"})
    'cuda0'
    """
    return parse(environ.get("THEANO_FLAGS", "")).get("device")


def in_theanorc(environ):
    """Return the flags in Theano's own settings files, which THEANO_FLAGS override.

    Examples
    --------
    >>> in_theanorc({"THEANORC": "no/such/file"})
    {}
    """
    paths = environ.get("THEANORC", os.path.join("~", ".theanorc")).split(os.pathsep)
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # floatX is not floatx
    try:
        parser.read([os.path.expanduser(path) for path in paths])
    except (configparser.Error, UnicodeDecodeError):  # Theano will say what is wrong with it
        return {}
    return {
        option if section == "global" else f"{section}.{option}": value
        for section in parser.sections()
        for option, value in parser.items(section)
    }


def is_gpu(name):
    """Return whether a device's name means a GPU, as Theano spelled it: cuda, cuda0, gpu, opencl.

    Examples
    --------
    >>> is_gpu("cuda0"), is_gpu("cpu")
    (True, False)
    """
    return name is not None and name.startswith(("cuda", "gpu", "opencl"))


def prepare_pytensor(environ):
    """Put what THEANO_FLAGS says before PYTENSOR_FLAGS, where the last word wins.

    ``device`` is left out: PyTensor has no such flag. What is compiled goes where
    ``compiledir`` says; PyTensor keeps a part of it (Numba's) under ``base_compiledir``.

    Parameters
    ----------
    environ : dict of str to str
        Changed in place.

    Examples
    --------
    >>> environ = {"THEANO_FLAGS": "floatX=float32,compiledir=/cache", "PYTENSOR_FLAGS": "cxx="}
    >>> prepare_pytensor(environ)
    >>> environ["PYTENSOR_FLAGS"]
    'floatX=float32,compiledir=/cache,base_compiledir=/cache,cxx='
    """
    text = environ.get("THEANO_FLAGS", "")
    flags = parse(text)
    nameless = [part for part in _parts(text) if part and "=" not in part]
    if nameless:
        raise EngineError(
            "THEANO_FLAGS", repr(", ".join(nameless)), "name=value, such as floatX=float32"
        )
    flags.pop("device", None)
    if "compiledir" in flags:
        flags.setdefault("base_compiledir", flags["compiledir"])
    if flags:
        text = ",".join(f"{n.replace('.', '__')}={v}" for n, v in flags.items())
        own = environ.get("PYTENSOR_FLAGS", "")
        environ["PYTENSOR_FLAGS"] = text + "," + own if own else text


def prepare_theano(environ):
    """Put into THEANO_FLAGS what Theano needs on today's machines, unless the user said it.

    ``blas.ldflags``: the BLAS that numpy or scipy brings along. Theano 1.0.5 looks for one in
    ways that numpy has since given up, from numpy 1.22 on fails at that, and otherwise works
    without: an epoch in minibatches of 20 took 176 ms so, and 88 ms with numpy's OpenBLAS.

    ``cxx``: none, where there is no compiler or nothing to compile with.

    ``compile.wait``: look more often than Theano would whether another process still compiles.

    Parameters
    ----------
    environ : dict of str to str
        Changed in place.

    Returns
    -------
    str or None
        What the user should know: that the slow way is used, and what to install.
    """
    said = dict(in_theanorc(environ), **parse(environ.get("THEANO_FLAGS", "")))
    flags, note = [], None
    if "compile.wait" not in said:
        flags += [f"{n}={v}" for n, v in _TAKE_TURNS.items() if n not in said]
    if "blas.ldflags" not in said:
        found = _bundled_blas()
        if found is not None:
            flags.append(f"blas.ldflags='{found}'")
    missing = missing_compiler()
    if missing and "cxx" not in said:
        flags.append("cxx=")
        note = (
            f"Theano finds no {' and no '.join(missing)}: functions run in Python, some 15 times "
            f"slower; {how_to_install(missing)}"
        )
    if flags:
        own = environ.get("THEANO_FLAGS", "")
        environ["THEANO_FLAGS"] = ",".join(([own] if own else []) + flags)
    return note


def missing_compiler(cxx=""):
    """List what is missing to compile C++ for Python: the compiler, Python's headers, or both.

    Parameters
    ----------
    cxx : str
        A compiler that was found already.

    Returns
    -------
    list of str

    Examples
    --------
    >>> set(missing_compiler()) <= {"g++", "clang++", "Python.h"}
    True
    """
    compiler = "clang++" if sys.platform == "darwin" else "g++"
    missing = [] if cxx or shutil.which(compiler) else [compiler]
    folders = {sysconfig.get_path(name) for name in ("include", "platinclude")}
    if not any(folder and os.path.isfile(os.path.join(folder, _PYTHON_H)) for folder in folders):
        missing.append(_PYTHON_H)
    return missing


def how_to_install(missing):
    """Name the packages to install for what `missing_compiler` found.

    Examples
    --------
    >>> how_to_install(["g++", "Python.h"])
    'install g++ and python3-dev (as Debian and Ubuntu call them)'
    """
    packages = " and ".join(_PACKAGES[name] for name in missing)
    if "clang++" in missing:
        return "install " + packages
    return f"install {packages} (as Debian and Ubuntu call {'it' if len(missing) == 1 else 'them'})"


def _bundled_blas():
    """Return the flags that link numpy's or scipy's own OpenBLAS, or what avoids an error.

    Their wheels for Linux carry one. From numpy 1.22 on, numpy's calls its functions
    otherwise (``sgemm_64_``), and scipy's has to do.

    Returns
    -------
    str or None
        None: leave it to Theano to look for one.
    """
    site = os.path.dirname(os.path.dirname(np.__file__))
    if sys.platform.startswith("linux") and not set(site) & set(" ,'\""):
        for package in ("numpy", "scipy"):
            folder = os.path.join(site, package + ".libs")
            for path in sorted(glob.glob(os.path.join(folder, "lib*openblas*.so"))):
                if _has_sgemm(path):
                    name = os.path.basename(path)
                    return f"-L{folder} -l:{name} -Wl,-rpath,{folder}"
    return None if numpy_version() < (1, 22) else ""


def _has_sgemm(path):
    try:
        return hasattr(ctypes.CDLL(path), "sgemm_")
    except OSError:
        return False


def numpy_version():
    """Return numpy's version as two numbers.

    Examples
    --------
    >>> numpy_version() >= (1, 20)
    True
    """
    return tuple(int(part) for part in np.__version__.split(".")[:2])
