"""The computer that times were measured on."""

import datetime
import os
import platform

# Settings that change the speed; the report lists those that are set.
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
    """Return date, cpu, cores, system, python, environment, and gpu if `device` is that."""
    facts = {
        "date": datetime.date.today().isoformat(),
        "cpu": _cpu(),
        "cores": n_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "environment": {name: os.environ[name] for name in VARIABLES if os.environ.get(name)},
    }
    return dict(facts, gpu=_gpu()) if device == "gpu" else facts


def n_cores():
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu():
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1] for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0].strip() if names else platform.processor() or "unknown"


def _gpu():
    import subprocess

    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        process = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return process.stdout.strip() or "unknown"
