"""The machine: what rounds differently on another one, as the libraries themselves tell it."""

import functools
import importlib
import os
import platform
import re
import shlex
import subprocess

import threadpoolctl

from dlt.engine.flags import numpy_version

# Instructions that compute with floats, under LLVM's names and numpy's.
_ARITHMETIC = re.compile("avx|fma|f16c|xop|amx|neon|asimd|vfp|sve|sme|fp16|bf16|vsx|vx", re.I)
_OWN_BLAS = r"{}(\.libs|.\.dylibs)"

#: The environment variables that change the machine under other names than their own.
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
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def host() -> tuple:
    """Return name and features of this processor, as LLVM has them."""
    from llvmlite import binding

    return binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()


def llvm_processor(name: str, features: str) -> str:
    """Return a processor that LLVM compiles for, and what it computes floats with."""
    has = [part[1:] for part in features.split(",") if part.startswith("+")]
    return " ".join([name, *sorted(filter(_ARITHMETIC.match, has))])


def numpy_processor() -> str:
    """Return the instructions that numpy and compilers choose from."""
    package = "numpy._core" if numpy_version() >= (2, 0) else "numpy.core"
    features = importlib.import_module(package + "._multiarray_umath").__cpu_features__
    has = sorted(name for name, there in features.items() if there and _ARITHMETIC.match(name))
    return " ".join([platform.machine(), *has])


def load_blas() -> None:
    """Load scipy's BLAS, so that limits on the threads of what is loaded count for it too."""
    importlib.import_module("scipy.linalg.cython_blas")


def of_blas(*packages: str) -> dict:
    """Return what decides the bits where the BLAS of these packages and libm compute.

    If their numbers of threads differ, there is one for each package.
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


@functools.lru_cache(maxsize=None)
def compiler(cxx: str) -> str:
    """Return command and version of a compiler; the command alone if it does not tell."""
    if not cxx:
        return "none"
    command = [*shlex.split(cxx), "-dumpfullversion", "-dumpversion"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        found = ""
    return f"{os.path.basename(cxx)} {found.strip()}".strip()
