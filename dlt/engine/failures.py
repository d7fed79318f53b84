"""Failures: an engine's errors about memory, disk space or a compiler, in one line."""

from __future__ import annotations

import traceback

from dlt.errors import IN_CHUNKS, EngineError

#: The remedy for a GPU with too little memory.
RESERVED = (
    "JAX reserves three quarters of a GPU for each process: set "
    "XLA_PYTHON_CLIENT_PREALLOCATE=false or XLA_PYTHON_CLIENT_MEM_FRACTION=0.3"
)

_LIBRARIES = ("pytensor", "numba", "theano")


def explained(error: Exception, in_chunks: bool = True) -> EngineError | None:
    """Return an exception as an EngineError of one line, or None if it may be a bug.

    `in_chunks` tells whether the remedy can be to read the data in chunks.

    Examples
    --------
    >>> print(explained(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.")))
    memory: found too little on the cpu (RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.); \
free some, or read the data in chunks: --max-memory 512MB
    """
    from dlt.engine import NAME, device

    lines = str(error).splitlines() or [""]
    if "RESOURCE_EXHAUSTED" in lines[0]:  # XLA's; its own type depends on the version of JAX
        found = f"too little on the {device()} ({lines[0]})"
        remedy = "free some" if device() == "cpu" else RESERVED
        return EngineError("memory", found, remedy=remedy + (IN_CHUNKS if in_chunks else ""))
    # Theano reports a failure in this line, then the command, then the compiler's message.
    failed = lines[0].startswith("Compilation failed")
    if failed or (isinstance(error, OSError) and _is_from_engine(error)):
        found = f"a failure ({lines[min(2, len(lines) - 1)]})"
        variable = "PYTENSOR_FLAGS" if NAME == "PyTensor" else "THEANO_FLAGS"
        remedy = f"free some space, or compile elsewhere: {variable}=base_compiledir=FOLDER"
        if failed and "No space left" not in str(error):
            remedy = f"correct the flags in {variable}, or the compiler"
        return EngineError(f"compiling with {NAME}", found, remedy=remedy)
    return None


def _is_from_engine(error):
    frames = traceback.walk_tb(error.__traceback__)
    return any(f.f_globals.get("__name__", "").split(".")[0] in _LIBRARIES for f, _ in frames)
