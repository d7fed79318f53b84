"""PyTensor's JAX linker: its devices, a loop, and the rewrites that the page's code needs.

JAX must know every shape before it compiles. Written for PyTensor 3.0 and 3.3.
"""

import collections
import functools
import inspect
import math
import os
import subprocess
import sys

import numpy as np
from pytensor import config
from pytensor import tensor as T
from pytensor.compile import optdb
from pytensor.compile.mode import get_mode
from pytensor.graph.basic import Constant
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.graph.traversal import graph_inputs
from pytensor.link.jax.linker import JAXLinker
from pytensor.scalar.basic import Add, Cast, Mul, Sub
from pytensor.tensor.basic import ARange, ScalarFromTensor, TensorFromScalar
from pytensor.tensor.subtensor import Subtensor, indices_from_subtensor

from dlt.engine._loading import joined
from dlt.engine._machine import cores, host, llvm_processor
from dlt.engine.failures import RESERVED
from dlt.errors import EngineError


def floatX_changed():
    """Return jax, set to floatX. By default it turns every float into float32.

    PyTensor sets this too, but only once, when its JAX linker is first used.
    """
    try:
        import jax
    except Exception as error:  # a missing part, a wrong version, a bad JAX_... variable, ...
        found = f"JAX, which cannot be imported ({joined(error)})"
        raise EngineError("linker jax", found, remedy="correct that, or use numba") from error
    jax.config.update("jax_enable_x64", config.floatX == "float64")
    return jax


def configured():
    """Return jax, set to floatX, in a process where it can compute."""
    _refuse_forks()
    return floatX_changed()


# JAX's options that change results, and their defaults.
_OPTIONS = {
    "jax_default_matmul_precision": None,
    "jax_disable_jit": False,
    "jax_disable_most_optimizations": False,
    "jax_exec_time_optimization_effort": 0.0,
    "jax_optimization_level": "UNKNOWN",
}
# XLA's flags that do not. (The number of devices shows in the number of threads.)
_HARMLESS = ("--xla_dump_", "--xla_force_host_platform_device_count=")


def machine():
    jax = configured()
    flags = [f for f in os.environ.get("XLA_FLAGS", "").split() if not f.startswith(_HARMLESS)]
    parts = {"XLA_FLAGS": " ".join(flags)} if flags else {}
    for name, default in _OPTIONS.items():
        value = jax.config.values.get(name, default)
        if value != default:
            parts[name.upper()] = str(value)
    if device() == "cpu":
        parts["NPROC"] = str(max(_start()[1], jax.local_device_count()))
        parts["processor"] = llvm_processor(*host())
    return parts


@functools.lru_cache(maxsize=None)
def _start():
    """Return the process in which JAX was first used, and the number of XLA's threads there."""
    given = (os.environ.get(name, "").strip() for name in ("PJRT_NPROC", "NPROC"))
    return os.getpid(), next((int(n) for n in given if n.isdigit()), cores())


def _refuse_forks():
    # A fork has none of XLA's threads, and would wait for them forever.
    if _start()[0] != os.getpid():
        found = "a fork of a process that has computed with it"
        remedy = 'start it with multiprocessing.get_context("spawn")'
        raise EngineError("jax", found, "a process of its own", remedy)


def _refusing_forks(make_all):
    """Make PyTensor refuse to compile for JAX, or to run what it compiled, in a fork."""

    @functools.wraps(make_all)
    def refusing(*args, **kwargs):
        _refuse_forks()
        thunk, *rest = make_all(*args, **kwargs)

        @functools.wraps(thunk)
        def run(*args, **kwargs):
            _refuse_forks()
            return thunk(*args, **kwargs)

        return (run, *rest)

    return refusing


JAXLinker.make_all = _refusing_forks(JAXLinker.make_all)  # type: ignore


def device():
    chosen = configured().config.jax_default_device or _first_device(None)
    return chosen.platform if chosen.platform == "cpu" else f"gpu ({chosen.device_kind})"


def set_device(name):
    chosen = None if name == "auto" else _first_device(name)
    configured().config.update("jax_default_device", chosen)


def put(value):
    """Return a value as a JAX array on the device."""
    _first_device(None)
    return configured().device_put(value)


def _first_device(name):
    """Return the first of JAX's devices of a kind; for None, the first of any kind."""
    _check_flags(os.environ.get("XLA_FLAGS"))
    jax = configured()
    try:
        return jax.devices(name)[0]
    except (RuntimeError, AssertionError) as error:  # AssertionError: no device of JAX_PLATFORMS
        platforms, reason = os.environ.get("JAX_PLATFORMS"), joined(error)
        remedy = "install its GPU support with: pip install .[gpu], or use the device cpu"
        if "RESOURCE_EXHAUSTED" in reason:
            remedy = RESERVED
        elif platforms:
            reason = f"JAX_PLATFORMS={platforms}" + (reason and f": {reason}")
            remedy = "unset JAX_PLATFORMS"
        found = f"none that JAX can use ({reason})"
        raise EngineError(f"device {name or 'auto'}", found, remedy=remedy) from error


@functools.lru_cache(maxsize=None)
def _check_flags(given):
    """Try XLA's flags in another process, because an unknown flag makes XLA end the process."""
    if not given:
        return
    code = "from jaxlib import xla_client; xla_client.CompileOptions()"
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return
    said = done.stderr.rpartition("] ")[2]  # after the time and the place in XLA
    if done.returncode and "XLA_FLAGS" in said:
        expected = f"flags that XLA accepts; it says: {joined(said)}"
        raise EngineError("XLA_FLAGS", repr(given), expected, "correct or unset it")


# --- Loops ---------------------------------------------------------------------------------

# Most rounds in one call of a loop.
_CAPACITY = 4096


def loop(step, carried):
    """Return inputs, new state and outputs of a loop that XLA compiles once for all lengths."""
    from jax import lax
    from jax import numpy as jnp
    from pytensor.link.jax.dispatch import jax_funcify
    from pytensor.link.jax.ops import JAXOp

    index, state = T.lscalar("index"), [variable.type() for variable in carried]
    step_outputs = step(index, *state)
    fixed = [v for v in graph_inputs(step_outputs) if hasattr(v, "container")]  # shared variables
    graph = FunctionGraph([index, *state, *fixed], step_outputs, clone=True)
    # This rewrite would make bytes of the row numbers of a minibatch, which XLA gathers slowly.
    get_mode("JAX").excluding("local_uint_constant_indices").optimizer.rewrite(graph)
    one_round = jax_funcify(graph)
    output_type = T.TensorType(step_outputs[-1].dtype, shape=(_CAPACITY,))

    def rounds(n, indices, *values):
        fixed_values = values[len(state) :]

        def body(i, carry):
            before, outputs = carry
            *after, output = one_round(indices[i], *before, *fixed_values)
            after = [jnp.asarray(new, old.dtype) for new, old in zip(after, before)]
            return after, outputs.at[i].set(output)

        outputs = jnp.zeros(_CAPACITY, output_type.dtype)
        after, outputs = lax.fori_loop(0, n, body, (list(values[: len(state)]), outputs))
        return (*after, outputs)

    n, indices = T.lscalar("n"), T.lvector("indices")
    inputs = [n, indices, *carried, *fixed]
    op = JAXOp([v.type for v in inputs], [*(v.type for v in carried), output_type], rounds)
    *after, outputs = op.make_node(*inputs).outputs
    return [n, indices], after, outputs


def forget_values(compiled):
    """Free the values that shared variables had when a function was compiled.

    PyTensor keeps them as globals of the function that JAX translates. They are never read, as
    the function has parameters of the same names.
    """
    function = compiled.vm.jit_fn.__wrapped__
    for name in inspect.signature(function).parameters:
        function.__globals__.pop(name, None)


def call_loop(compiled, indices):
    """Call a compiled loop as often as its capacity requires."""
    found = []
    indices = np.asarray(indices, dtype="int64")
    for start in range(0, max(1, len(indices)), _CAPACITY):
        piece = indices[start : start + _CAPACITY]
        padded = np.pad(piece, (0, _CAPACITY - len(piece)))
        found.append(np.asarray(compiled(put(len(piece)), put(padded)))[: len(piece)])
    return np.concatenate(found)


# --- Windows -------------------------------------------------------------------------------


def window(data, start, length):
    """Return `length` rows of `data` from `start` on; only the length is fixed."""
    from pytensor.link.jax.ops import JAXOp

    start = T.as_tensor_variable(start)
    output_type = data.type.clone(shape=(length, *data.type.shape[1:]))
    return JAXOp([data.type, start.type], [output_type], _slicer(length))(data, start)


@functools.lru_cache(maxsize=None)
def _slicer(length):
    """Return one and the same function for each length, so that PyTensor merges equal windows."""
    from jax import lax

    return lambda data, start: (lax.dynamic_slice_in_dim(data, start, length),)


@node_rewriter([Subtensor])
def slice_to_window(fgraph, node):
    """Rewrite ``x[index * batch_size : (index + 1) * batch_size]``, which JAX refuses.

    Both ends depend on the index, but their difference does not.
    """
    x, *flat = node.inputs
    indices = indices_from_subtensor(flat, node.op.idx_list)
    ends = indices[0]
    if len(indices) > 1 or not isinstance(ends, slice) or ends.step is not None:
        return None
    if ends.start is None or ends.stop is None or isinstance(ends.start, Constant):
        return None
    length = constant_difference(ends.stop, ends.start)
    return [window(x, ends.start, length)] if length and length > 0 else None


def constant_difference(stop, start):
    """Return ``stop - start`` if it is the same for all values of the variables, else None."""
    terms = collections.Counter(_linear_terms(stop))
    terms.subtract(_linear_terms(start))
    constant = terms.pop(None, 0)
    return None if any(terms.values()) else constant


def _linear_terms(value):
    """Return an integer expression as {variable: factor}, with its constant under None."""
    if isinstance(value, Constant):
        return {None: int(value.data)}
    op = getattr(value.owner, "op", None)
    op = getattr(op, "scalar_op", op)
    if isinstance(op, (ScalarFromTensor, TensorFromScalar, Cast)):
        return _linear_terms(value.owner.inputs[0])
    if not isinstance(op, (Add, Sub, Mul)):
        return {value: 1}
    parts = [_linear_terms(part) for part in value.owner.inputs]
    if isinstance(op, Mul):
        *constants, other = sorted(parts, key=lambda part: set(part) != {None})
        if any(set(part) != {None} for part in constants):
            return {value: 1}
        factor = math.prod(part[None] for part in constants)
        return {variable: factor * n for variable, n in other.items()}
    terms = collections.Counter(parts[0])
    for part in parts[1:]:
        (terms.subtract if isinstance(op, Sub) else terms.update)(part)
    return terms


@node_rewriter([ARange])
def widen_bounds(fgraph, node):
    """Give ``T.arange(y.shape[0])`` bounds of its own dtype.

    PyTensor 3.0 makes the implicit start 0 an int8. JAX then refuses any stop above 127, so the
    page's own NLL would fail for minibatches of 128 or more examples.
    """
    dtype = node.op.dtype
    narrow = [isinstance(i, Constant) and i.dtype != dtype for i in node.inputs]
    if not any(narrow):
        return None
    bounds = [T.constant(i.data, dtype=dtype) if n else i for i, n in zip(node.inputs, narrow)]
    return [node.op(*bounds)]


# This must come first. ShapeFeature would record the shape of the slice as an expression of the
# index, and later rewrites would make the ends harder to compare.
optdb.register("dlt_slice_minibatches", dfs_rewriter(slice_to_window), "jax", position=0.05)
optdb.register("dlt_widen_bounds_of_arange", dfs_rewriter(widen_bounds), "jax", position=100)
