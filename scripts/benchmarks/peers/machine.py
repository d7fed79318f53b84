"""The computer on which times were measured."""

import datetime
import os
import platform
import subprocess

# Variables that change the speed; the report lists those that are set.
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "XLA_FLAGS",
    "PYTENSOR_FLAGS",
    "THEANO_FLAGS",
    "JAX_COMPILATION_CACHE_DIR",
)


def describe(device):
    """Return date, cpu, cores, system, python, environment, and gpu if `device` is "gpu"."""
    has_affinity = hasattr(os, "sched_getaffinity")
    facts = {
        "date": datetime.date.today().isoformat(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "environment": {name: os.environ[name] for name in VARIABLES if os.environ.get(name)},
    }
    return dict(facts, gpu=_gpu()) if device == "gpu" else facts


def _cpu():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":")[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def _gpu():
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        process = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return process.stdout.strip() or "unknown"
