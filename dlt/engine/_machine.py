"""The machine: the facts that the rounding of results depends on, as the libraries report them."""

import functools
import importlib
import os
import platform
import re
import shlex
import subprocess

import threadpoolctl

from dlt.engine.flags import numpy_version

# Instructions that compute with floats, by the names that LLVM and numpy use.
_ARITHMETIC = re.compile("avx|fma|f16c|xop|amx|neon|asimd|vfp|sve|sme|fp16|bf16|vsx|vx", re.I)
_OWN_BLAS = r"{}(\.libs|.\.dylibs)"

#: Environment variables that change parts of `dlt.engine.machine` which have other names.
VARIABLES = (
    "PJRT_NPROC",
    "JAX_PLATFORMS",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES",
    "NUMBA_CPU_NAME",
    "NUMBA_CPU_FEATURES",
    "NUMBA_DISABLE_INTEL_SVML",
)


def cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def host() -> tuple:
    """Return LLVM's name of this processor and its features."""
    from llvmlite import binding

    return binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()


def llvm_processor(name: str, features: str) -> str:
    """Return the name of a processor with its instructions for floats, from LLVM's features."""
    has = [part[1:] for part in features.split(",") if part.startswith("+")]
    return " ".join([name, *sorted(filter(_ARITHMETIC.match, has))])


def numpy_processor() -> str:
    """Return the architecture of this processor with its instructions for floats, from numpy."""
    package = "numpy._core" if numpy_version() >= (2, 0) else "numpy.core"
    features = importlib.import_module(package + "._multiarray_umath").__cpu_features__
    has = sorted(name for name, there in features.items() if there and _ARITHMETIC.match(name))
    return " ".join([platform.machine(), *has])


def load_blas() -> None:
    """Load scipy's BLAS, so that limits on the threads of loaded libraries apply to it too."""
    importlib.import_module("scipy.linalg.cython_blas")


def of_blas(*packages: str) -> dict:
    """Return the facts for functions that compute with libm and the BLAS of these packages.

    If the packages differ in their numbers of threads, the result lists each number.
    """
    load_blas()
    there = [lib for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"]
    own = [b for p in packages for b in there if re.search(_OWN_BLAS.format(p), b["filepath"])]
    found = own or there
    names = {f"{b['internal_api']} {b['version']} {b.get('architecture', '')}" for b in found}
    threads = [str(lib["num_threads"]) for lib in found]
    return {
        "OPENBLAS_NUM_THREADS": " ".join(threads if len(set(threads)) > 1 else threads[:1]),
        "blas": ", ".join(sorted(names)),
        "libc": " ".join(platform.libc_ver()),
        "processor": numpy_processor(),
    }


def of_c(cxx: str, **flags: str) -> dict:
    """Return the facts for functions that a C++ compiler makes, with these flags."""
    return {**of_blas("numpy", "scipy"), **flags, "compiler": compiler(cxx)}


@functools.lru_cache(maxsize=None)
def compiler(cxx: str) -> str:
    """Return the command and the version of a compiler; the command alone if that is unknown."""
    if not cxx:
        return "none"
    command = [*shlex.split(cxx), "-dumpfullversion", "-dumpversion"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        found = ""
    return f"{os.path.basename(cxx)} {found.strip()}".strip()
