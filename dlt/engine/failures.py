"""Failures: what an engine raises for want of memory or disk becomes one line."""

from __future__ import annotations

import traceback

from dlt.errors import EngineError

_LIBRARIES = ("pytensor", "numba", "theano")


def explained(error: Exception) -> EngineError | None:
    """Return what to tell a user about an exception; None for one that may be a bug.

    Examples
    --------
    >>> print(explained(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.")))
    memory: found too little on the cpu (RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.); \
read the data in chunks: --max-memory 512MB
    """
    from dlt.engine import NAME, device

    lines = str(error).splitlines() or [""]
    if "RESOURCE_EXHAUSTED" in lines[0]:  # XLA's; its own type depends on the version of JAX
        found = f"too little on the {device()} ({lines[0]})"
        return EngineError("memory", found, remedy=memory_remedy(device() != "cpu"))
    failed = lines[0].startswith(
        "Compilation failed"
    )  # then the command, and what the compiler says
    if failed or (isinstance(error, OSError) and _is_from_engine(error)):
        found = f"a failure ({lines[min(2, len(lines) - 1)]})"
        variable = "PYTENSOR_FLAGS" if NAME == "PyTensor" else "THEANO_FLAGS"
        remedy = f"free some space, or compile elsewhere: {variable}=base_compiledir=FOLDER"
        return EngineError(f"compiling with {NAME}", found, remedy=remedy)
    return None


def memory_remedy(on_gpu: bool) -> str:
    """Return what to do where a device has too little memory."""
    chunks = "read the data in chunks: --max-memory 512MB"
    if not on_gpu:
        return chunks
    return (
        "JAX reserves three quarters of a GPU for each process: set "
        f"XLA_PYTHON_CLIENT_PREALLOCATE=false or XLA_PYTHON_CLIENT_MEM_FRACTION=0.3, or {chunks}"
    )


def _is_from_engine(error):
    frames = traceback.walk_tb(error.__traceback__)
    return any(f.f_globals.get("__name__", "").split(".")[0] in _LIBRARIES for f, _ in frames)
