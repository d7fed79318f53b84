"""PyTensor, the continuation of Theano: what `dlt.engine` does on its linkers.

Most of this is for JAX, which has to know every shape beforehand and can keep arrays on
a device. Written for PyTensor 3.0 and 3.3.
"""

import functools
import importlib
import importlib.util
import logging
import math
import os
import sys
import warnings

import numpy as np

from dlt.engine import flags
from dlt.engine._loading import import_engine, logger, no_compiler, wrong_version
from dlt.engine.arrays import aligned, as_bytes
from dlt.errors import EngineError, SettingsError

NAME = "PyTensor"
LINKERS = ("jax", "numba", "c")

_MODES = {"jax": "JAX", "numba": "NUMBA", "c": "CVM"}
# How a linker ordinarily works, which it warns of at every compilation. JAX: with floatX=float32
# its integers are 32 bits wide, and it checks no shapes while running. Numba: a product with a
# transposed matrix could be faster. C: there is no BLAS to link with, which is slow, and right.
_ORDINARY = (
    "Explicitly requested dtype",
    "Skipping Assert",
    r"np\.dot\(\) is faster",
    "PyTensor could not link to a BLAS",
)


def _import():
    """Import PyTensor and choose its linker."""
    flags.prepare_pytensor(os.environ)
    given = os.environ.get("PYTENSOR_FLAGS", "")
    package = import_engine("pytensor", NAME, given, "install it with: pip install pytensor jax")
    if int(package.__version__.split(".")[0]) < 3:
        raise wrong_version(NAME, package, "3.0 or newer")
    config = package.config
    if config.mode == "Mode" and config.linker == "auto" and _has_jax():  # the user chose none
        config.mode = _MODES["jax"]
    for message in _ORDINARY:
        warnings.filterwarnings("ignore", message=message)
    # The C linker says there that it uses numpy's BLAS for want of another.
    logging.getLogger("pytensor.tensor.blas").setLevel(logging.ERROR)
    return package


def _has_jax():
    return importlib.util.find_spec("jax") is not None


theano = _import()
T = theano.tensor
_special = importlib.import_module("pytensor.tensor.special")
_sharedvar = importlib.import_module("pytensor.tensor.sharedvar")
_basic = importlib.import_module("pytensor.graph.basic")
_scalar = importlib.import_module("pytensor.scalar.basic")
_op = importlib.import_module("pytensor.graph.op")
RandomType = importlib.import_module("pytensor.tensor.random.type").RandomType


# --- Linker and device ---------------------------------------------------------------------


def linker():
    """Do the part of `dlt.engine.linker` that is PyTensor's."""
    mode = theano.config.mode
    if mode == "Mode":
        mode = {"auto": "NUMBA"}.get(theano.config.linker, theano.config.linker.upper())
    elif mode not in _MODES.values():  # FAST_RUN and the like; a Mode while PyTensor compiles
        mode = type(theano.compile.mode.get_mode(mode).linker).__name__
        mode = mode.replace("Linker", "").upper()
    return {value: name for name, value in _MODES.items()}.get(mode, mode.lower())


def set_linker(name):
    """Do the part of `dlt.engine.set_linker` that is PyTensor's."""
    if name == "jax" and not _has_jax():
        raise EngineError("linker jax", "no jax", remedy="pip install jax")
    missing = _missing_compiler() if name == "c" else []
    if missing:
        raise no_compiler(missing, ", or use jax or numba")
    # As a setting, not as an argument of theano.function: PyTensor compiles parts of a
    # graph on their own, and those take the setting.
    theano.config.mode = _MODES[name]


def _missing_compiler():
    return flags.missing_compiler(theano.config.cxx)


def _jax():
    """Import jax, set to hold what floatX says: by itself it makes float32 of everything.

    PyTensor tells it too, but only once, when its JAX linker is first used.
    """
    import jax

    jax.config.update("jax_enable_x64", theano.config.floatX == "float64")
    return jax


def libraries():
    """Do the part of `dlt.engine.versions` that is PyTensor's."""
    if linker() == "jax":
        names = ("jax", "jaxlib")
        return {name: importlib.import_module(name).__version__ for name in names}
    # Numba and C use the BLAS that numpy and scipy bring.
    names = ("numpy", "numba") if linker() == "numba" else ("numpy",)
    return {name: importlib.import_module(name).__version__ for name in names}


def floatX_changed():
    """Tell jax, which keeps a setting of its own."""
    if "jax" in sys.modules:
        _jax()


def device():
    """Do the part of `dlt.engine.device` that is PyTensor's."""
    if linker() != "jax":
        return "cpu"
    jax = _jax()
    chosen = jax.config.jax_default_device or jax.devices()[0]
    return chosen.platform if chosen.platform == "cpu" else f"gpu ({chosen.device_kind})"


def set_device(name):
    """Do the part of `dlt.engine.set_device` that is PyTensor's."""
    if linker() != "jax":
        if name == "gpu":
            raise EngineError(
                "device gpu", f"the {linker()} linker, which runs on the CPU", remedy="use jax"
            )
        return
    jax = _jax()
    found = None if name == "auto" else _first_device(jax, name)
    jax.config.update("jax_default_device", found)


def _first_device(jax, name):
    try:
        return jax.devices(name)[0]
    except RuntimeError as error:
        raise EngineError(
            f"device {name}",
            f"none that JAX can use ({' '.join(str(error).split())})",
            remedy="install its GPU support with: pip install .[gpu], or use the device cpu",
        ) from error


# --- Expressions ---------------------------------------------------------------------------


def softmax(scores):
    """Do the part of `dlt.engine.softmax` that is PyTensor's."""
    return _special.softmax(scores, axis=1)


def log_probability(p_y_given_x):
    """Do the part of `dlt.engine.log_probability` that is PyTensor's."""
    node = p_y_given_x.owner
    if node is not None and isinstance(node.op, _special.Softmax):
        return _special.log_softmax(node.inputs[0], axis=node.op.axis)
    return T.log(p_y_given_x)


def substitute(outputs, replacements):
    """Do the part of `dlt.engine.substitute` that is PyTensor's."""
    from pytensor.graph.replace import clone_replace

    return clone_replace(outputs, replace=replacements)


def ancestors(outputs):
    """Do the part of `dlt.engine.random_variables` that is PyTensor's."""
    from pytensor.graph.traversal import ancestors

    return ancestors(outputs)


def row_window(data, start, length):
    """Do the part of `dlt.engine.row_window` that is PyTensor's."""
    if linker() != "jax":
        return data[start : start + length]
    _teach_jax_windows()
    start, window = T.as_tensor_variable(start), Window(length)
    return _read(data, lambda stored: window(stored, start))


def take_rows(data, rows):
    """Do the part of `dlt.engine.take_rows` that is PyTensor's."""
    return _read(data, lambda stored: stored[rows]) if linker() == "jax" else data[rows]


def _read(data, take):
    """Take rows of what is stored for `data`, then do to them what makes `data` of it."""
    cast = getattr(getattr(data.owner, "op", None), "scalar_op", None)
    if isinstance(cast, _scalar.Cast):  # the labels: cast those of the minibatch, not of the set
        return T.cast(_read(data.owner.inputs[0], take), data.dtype)
    pixels = getattr(data.tag, "bytes", None)
    if pixels is None:
        return take(data)
    # The rows are copied anyway; from bytes that is faster, and k/256 is exact in any floatX.
    return T.cast(take(pixels), data.dtype) * T.constant(np.asarray(1 / 256, dtype=data.dtype))


# --- Shared variables ----------------------------------------------------------------------


class SharedTensor(_sharedvar.TensorSharedVariable):
    """A shared variable whose value is a numpy array, wherever the engine keeps it.

    After the JAX linker has updated a shared variable, what it stores is a JAX array. The
    page's ``copy.deepcopy(params)`` would then fail, and its ``pickle.dump(w.get_value())``
    write a file that only JAX can read.
    """

    def get_value(self, borrow=False, return_internal_type=False):
        """Return the value: a copy, or with `borrow` perhaps the stored array itself."""
        value = self.container.value
        if return_internal_type or isinstance(value, np.ndarray):
            return super().get_value(borrow, return_internal_type)
        return np.asarray(value) if borrow else np.array(value)

    def set_value(self, new_value, borrow=False):
        """Set the value; where the old one was resident, the new one is put there at once.

        Raises
        ------
        SettingsError
            Compiled functions read the old value as bytes, which cannot hold the new one.
        """
        twin = getattr(self.tag, "bytes", None)
        if twin is not None:
            pixels = as_bytes(np.asarray(new_value))
            if pixels is None:
                raise SettingsError(
                    "set_value",
                    "values other than k/256, k = 0..255",
                    f"such, as {self.name or 'the variable'} had",
                    "make a new shared variable",
                )
            twin.set_value(pixels, borrow=True)
        super().set_value(new_value, borrow)
        if getattr(self.tag, "resident", False):
            _make_resident(self)
        else:
            _align(self)

    def __getstate__(self):
        """Store a numpy array before copying and pickling look at it."""
        self.container.storage[0] = np.asarray(self.container.storage[0])
        return super().__getstate__()


def _make_shared_tensors():
    """Let ``theano.shared`` make a `SharedTensor` of arrays and numbers."""

    def shared_tensor(make):
        @functools.wraps(make)
        def constructor(value, *args, **kwargs):
            variable = make(value, *args, **kwargs)
            variable.__class__ = SharedTensor
            _align(variable)
            return variable

        return constructor

    register = importlib.import_module(
        theano.__name__ + ".compile.sharedvalue"
    ).shared_constructor.register
    register(np.ndarray, shared_tensor(_sharedvar.tensor_constructor))
    for kind in (np.number, float, int, complex):
        register(kind, shared_tensor(_sharedvar.scalar_constructor))


def shared_resident(array, name, compact):
    """Do the part of `dlt.engine.shared_resident` that is PyTensor's."""
    shared = theano.shared(aligned(array), name=name, borrow=True)
    shared.tag.resident = True
    _make_resident(shared)
    pixels = as_bytes(array) if compact and linker() == "jax" else None
    if pixels is not None:
        shared.tag.bytes = shared_resident(pixels, name=None, compact=False)
    return shared


def shared_copy(variable):
    """Do the part of `dlt.engine.shared_copy` that is PyTensor's."""
    value = np.array(variable.get_value(borrow=True))
    copy = SharedTensor(name=variable.name, type=variable.type, value=value, strict=False)
    copy.tag.resident = True
    _make_resident(copy)
    return copy


def _align(shared):
    """Let JAX read a numpy array where it lies: otherwise it copies it at every call."""
    stored = shared.container.storage
    if linker() == "jax" and isinstance(stored[0], np.ndarray):
        stored[0] = aligned(stored[0])


def _make_resident(shared):
    """Put the value of a shared variable on the device, if the linker is JAX.

    This writes to where PyTensor keeps the value (``container.storage``): ``set_value``
    would turn the JAX array back into a numpy array.
    """
    if linker() == "jax":
        jax = _jax()
        shared.container.storage[0] = jax.device_put(shared.container.storage[0])


# --- Loops ---------------------------------------------------------------------------------


# Rounds that one call of a loop on JAX can make.
_CAPACITY = 4096


def index_loop(step, state):
    """Do the part of `dlt.engine.index_loop` that is PyTensor's."""
    carried = [_turned(variable) for variable in state]

    def turned(values):
        return [v.T if c is not s else v for s, c, v in zip(state, carried, values)]

    def turned_step(index, *values):
        *after, output = step(index, *turned(values))
        return [*turned(after), output]

    on_jax = linker() == "jax"
    build, call = (_jax_loop, _call_jax_loop) if on_jax else (_scan_loop, _call_scan_loop)
    inputs, after, outputs = build(turned_step, carried)
    compiled = theano.function(inputs, outputs, updates=list(zip(state, turned(after))))
    run = functools.partial(call, compiled)
    run.compiled = compiled
    # XLA and Numba compile at the first call: now, not within the first epoch.
    if on_jax:
        compiled.trust_input = True  # the check of inputs would turn a JAX array into numpy's
        run([])
    elif linker() == "numba":
        values = [variable.get_value() for variable in state]
        run([0])  # of no round at all, scan has no last state to give
        for variable, value in zip(state, values):
            variable.set_value(value)
    return run


def _scan_loop(step, carried):
    indices = T.lvector("indices")
    found = theano.scan(
        step, sequences=[indices], outputs_info=[*carried, None], return_updates=False
    )
    *histories, outputs = found if isinstance(found, (list, tuple)) else [found]
    return [indices], [history[-1] for history in histories], outputs


def _call_scan_loop(compiled, indices):
    return np.asarray(compiled(np.asarray(indices, dtype="int64")))


def _jax_loop(step, carried):
    """Make a loop whose number of rounds XLA need not know: it compiles once for all."""
    from jax import lax
    from jax import numpy as jnp
    from pytensor.graph.fg import FunctionGraph
    from pytensor.graph.traversal import graph_inputs
    from pytensor.link.jax.dispatch import jax_funcify
    from pytensor.link.jax.ops import JAXOp

    index, state = T.lscalar("index"), [variable.type() for variable in carried]
    step_outputs = step(index, *state)
    fixed = [v for v in graph_inputs(step_outputs) if hasattr(v, "container")]  # shared variables
    graph = FunctionGraph([index, *state, *fixed], step_outputs, clone=True)
    # That rewrite would make the row numbers of a minibatch bytes, which XLA gathers by slowly.
    mode = theano.compile.mode.get_mode("JAX").excluding("local_uint_constant_indices")
    mode.optimizer.rewrite(graph)
    one_round = jax_funcify(graph)
    output_type = T.TensorType(step_outputs[-1].dtype, shape=(_CAPACITY,))

    def loop(n, indices, *values):
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
    op = JAXOp([v.type for v in inputs], [*(v.type for v in carried), output_type], loop)
    *after, outputs = op.make_node(*inputs).outputs
    return [n, indices], after, outputs


def _call_jax_loop(compiled, indices):
    put, found = _jax().device_put, []
    indices = np.asarray(indices, dtype="int64")
    for start in range(0, max(1, len(indices)), _CAPACITY):
        piece = indices[start : start + _CAPACITY]
        padded = np.pad(piece, (0, _CAPACITY - len(piece)))
        found.append(np.asarray(compiled(put(len(piece)), put(padded)))[: len(piece)])
    return np.concatenate(found)


def _turned(variable):
    """Turn a tall matrix on its side for the time it is carried from round to round.

    A gradient of shape (784, 10) is the product of two thin matrices the slow way round:
    the same run took 50 ms an epoch with W as it is and 36 with W.T (docs/performance.md).
    """
    is_matrix = variable.ndim == 2
    tall = is_matrix and np.greater(*variable.get_value(borrow=True).shape)
    return variable.T if tall else variable


# --- What the JAX linker has to learn ------------------------------------------------------


def _widen_bounds_of_arange():
    """Give ``T.arange(y.shape[0])`` bounds of its own dtype on the JAX linker.

    PyTensor keeps the implicit start 0 as an int8, and JAX then refuses every stop
    above 127: the page's own NLL fails for minibatches of 128 examples and more.
    Seen with PyTensor 3.0.7; 3.3.7 widens the bounds itself, and this changes nothing.
    """
    from pytensor.compile import optdb
    from pytensor.graph.basic import Constant
    from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
    from pytensor.tensor.basic import ARange, constant

    @node_rewriter([ARange])
    def widen_bounds(fgraph, node):
        dtype = node.op.dtype
        narrow = [isinstance(i, Constant) and i.dtype != dtype for i in node.inputs]
        if not any(narrow):
            return None
        bounds = [
            constant(bound.data, dtype=dtype) if is_narrow else bound
            for bound, is_narrow in zip(node.inputs, narrow)
        ]
        return [node.op(*bounds)]

    optdb.register("dlt_widen_bounds_of_arange", dfs_rewriter(widen_bounds), "jax", position=100)


def _slice_minibatches():
    """Let the JAX linker run ``x[index * batch_size: (index + 1) * batch_size]``.

    JAX must know every shape beforehand and refuses slices with symbolic ends, though the
    *length* of the page's minibatch does not depend on its index. Where the two ends differ
    by a number, the slice becomes a `Window` of that length.
    """
    from pytensor.compile import optdb
    from pytensor.graph.basic import Constant
    from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
    from pytensor.tensor.subtensor import Subtensor, indices_from_subtensor

    @node_rewriter([Subtensor])
    def slice_to_window(fgraph, node):
        x, *flat = node.inputs
        indices = indices_from_subtensor(flat, node.op.idx_list)
        ends = indices[0]
        if len(indices) > 1 or not isinstance(ends, slice) or ends.step is not None:
            return None
        if ends.start is None or ends.stop is None or isinstance(ends.start, Constant):
            return None
        length = _constant_difference(ends.stop, ends.start)
        if not length or length < 0:
            return None
        _teach_jax_windows()
        return [Window(length)(x, ends.start)]

    # Before anything else: ShapeFeature, which comes first otherwise, would note the slice's shape
    # as an expression of the index, and later rewrites would make the ends less plain.
    optdb.register("dlt_slice_minibatches", dfs_rewriter(slice_to_window), "jax", position=0.05)


def _constant_difference(stop, start):
    """Return ``stop - start`` if it is the same number whatever the variables are, else None."""
    terms = dict(_linear_terms(stop))
    for variable, factor in _linear_terms(start).items():
        terms[variable] = terms.get(variable, 0) - factor
    constant = terms.pop(None, 0)
    return None if any(terms.values()) else constant


def _linear_terms(value):
    """Write an integer expression as {variable: factor}, its constant under None."""
    from pytensor.graph.basic import Constant
    from pytensor.scalar import basic as scalar
    from pytensor.tensor.basic import ScalarFromTensor, TensorFromScalar

    if isinstance(value, Constant):
        return {None: int(value.data)}
    op = getattr(value.owner, "op", None)
    op = getattr(op, "scalar_op", op)
    if isinstance(op, (ScalarFromTensor, TensorFromScalar, scalar.Cast)):
        return _linear_terms(value.owner.inputs[0])
    if not isinstance(op, (scalar.Add, scalar.Sub, scalar.Mul)):
        return {value: 1}
    parts = [_linear_terms(part) for part in value.owner.inputs]
    if isinstance(op, scalar.Mul):
        variable = [part for part in parts if set(part) != {None}]
        factor = math.prod(part[None] for part in parts if set(part) == {None})
        if len(variable) > 1:
            return {value: 1}
        return {name: factor * n for name, n in (variable or [{None: 1}])[0].items()}
    terms = {}
    for i, part in enumerate(parts):
        for name, n in part.items():
            terms[name] = terms.get(name, 0) + (-n if i and isinstance(op, scalar.Sub) else n)
    return terms


class Window(_op.Op):
    """Rows ``start`` to ``start + length`` of a tensor, `length` being part of the Op."""

    __props__ = ("length",)

    def __init__(self, length):
        self.length = length

    def make_node(self, data, start):
        """Build the node: the output has the rows' type and `length` of them."""
        output = data.type.clone(shape=(self.length, *data.type.shape[1:]))()
        return _basic.Apply(self, [data, start], [output])

    def perform(self, node, inputs, output_storage):
        """Compute it in numpy, as PyTensor does for constants and in tests."""
        data, start = inputs
        output_storage[0][0] = data[int(start) : int(start) + self.length]


@functools.lru_cache(maxsize=None)
def _teach_jax_windows():
    """Translate `Window` for the JAX linker; done late, because it imports jax."""
    from jax import lax
    from pytensor.link.jax.dispatch import jax_funcify

    @jax_funcify.register(Window)
    def jax_window(op, **kwargs):
        return lambda data, start: lax.dynamic_slice_in_dim(data, start, op.length)


_make_shared_tensors()
_widen_bounds_of_arange()
_slice_minibatches()
if linker() == "c" and _missing_compiler():
    logger.warning(
        f"PyTensor finds no {' and no '.join(_missing_compiler())}: the linker c runs in Python, "
        f"much slower; {flags.how_to_install(_missing_compiler())}"
    )
