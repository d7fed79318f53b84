"""PyTensor, the maintained continuation of Theano: the functions that `dlt.engine` needs.

Written for PyTensor 3.0 and 3.3.
"""

import atexit
import functools
import importlib
import importlib.util
import logging
import os
import pathlib
import sys
import tempfile
import warnings
from typing import Any

import numpy as np

from dlt.arrays import aligned, as_bytes
from dlt.engine import _machine, flags
from dlt.engine._loading import import_engine, logger, wrong_version
from dlt.errors import EngineError, SettingsError

NAME = "PyTensor"
LINKERS = ("jax", "numba", "c")

_HAS_JAX = importlib.util.find_spec("jax") is not None
_MODES = {"jax": "JAX", "numba": "NUMBA", "c": "CVM"}
# Harmless warnings that a linker repeats at every compilation. JAX: with floatX=float32 its
# integers have 32 bits, and it does not check shapes at run time. Numba: a product with a
# transposed matrix could be faster. C: without a BLAS to link with it is slow, but correct.
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
    remedy = "install it with: pip install pytensor jax"
    with flags.folder_to_compile_in(os.environ, "pytensor") as note:
        package = import_engine("pytensor", NAME, given, remedy)
    if int(package.__version__.split(".")[0]) < 3:
        raise wrong_version(NAME, package, "3.0 or newer")
    config = package.config
    if config.mode == "Mode" and config.linker == "auto" and _HAS_JAX:  # the user chose nothing
        config.mode = _MODES["jax"]
    for message in _ORDINARY:
        warnings.filterwarnings("ignore", message=message)
    # This hides that the C linker uses numpy's BLAS because it finds no other.
    logging.getLogger("pytensor.tensor.blas").setLevel(logging.ERROR)
    return package, note


theano, _note = _import()
T = theano.tensor
_jax = importlib.import_module("dlt.engine._jax")  # imports PyTensor, which is set up now
_special = importlib.import_module("pytensor.tensor.special")
_sharedvar: Any = importlib.import_module("pytensor.tensor.sharedvar")
_Cast = importlib.import_module("pytensor.scalar.basic").Cast
RandomType = importlib.import_module("pytensor.tensor.random.type").RandomType
ancestors = importlib.import_module("pytensor.graph.traversal").ancestors
_clone_replace = importlib.import_module("pytensor.graph.replace").clone_replace


# --- Linker and device ---------------------------------------------------------------------


def linker():
    found = theano.compile.mode.get_mode(theano.config.mode).linker
    name = type(found).__name__.replace("Linker", "").lower()
    return "c" if getattr(found, "use_cloop", False) else name


def set_linker(name):
    if name == "jax" and not _HAS_JAX:
        raise EngineError("linker jax", "no jax", remedy="pip install jax")
    if name == "c":
        flags.demand_compiler(theano.config.cxx, ", or use jax or numba")
    # A setting, not an argument of theano.function: PyTensor compiles parts of a graph
    # separately, and reads the setting for them.
    theano.config.mode = _MODES[name]
    _prepare_linker()
    _say_where_it_compiles()


def _say_where_it_compiles():
    """Log the note on the folder that all linkers but JAX use, once."""
    global _note
    if _note and linker() != "jax":
        logger.warning(_note)
        _note = None


def libraries():
    # Numba and C use the BLAS that numpy and scipy bring.
    names = {"jax": ("jax", "jaxlib"), "numba": ("numpy", "numba")}.get(linker(), ("numpy",))
    return {name: importlib.import_module(name).__version__ for name in names}


# Numba's options that change the bits of results.
_NUMBA = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE")


def machine():
    if linker() == "jax":
        return _jax.machine()
    if linker() != "numba":
        return _machine.of_c(theano.config.cxx, gcc__cxxflags=theano.config.gcc__cxxflags)
    numba = importlib.import_module("numba")
    target = importlib.import_module("numba.core.registry").cpu_target.target_context
    parts = {"NUMBA_" + name: str(int(getattr(numba.config, name))) for name in _NUMBA}
    parts["svml"] = str(numba.config.USING_SVML)
    parts["numba__fastmath"] = str(theano.config.numba__fastmath)
    parts["processor"] = _machine.llvm_processor(*target.codegen().magic_tuple()[1:])
    return {**_machine.of_blas("scipy"), **parts}


def floatX_changed():
    if "jax" in sys.modules:
        _jax.floatX_changed()


def device():
    return _jax.device() if linker() == "jax" else "cpu"


def set_device(name):
    if linker() == "jax":
        _jax.set_device(name)
    elif name == "gpu":
        found = f"the {linker()} linker, which runs on the CPU"
        raise EngineError("device gpu", found, remedy="use jax")


# --- Expressions ---------------------------------------------------------------------------


def softmax(scores):
    return _special.softmax(scores, axis=1)


def log_probability(p_y_given_x):
    node = p_y_given_x.owner
    if node is not None and isinstance(node.op, _special.Softmax):
        return _special.log_softmax(node.inputs[0], axis=node.op.axis)
    return T.log(p_y_given_x)


def substitute(outputs, replacements):
    return _clone_replace(outputs, replace=replacements)


def row_window(data, start, length):
    if linker() != "jax":
        return data[start : start + length]
    return _read(data, lambda stored: _jax.window(stored, start, length))


def take_rows(data, rows):
    return _read(data, lambda stored: stored[rows]) if linker() == "jax" else data[rows]


def _read(data, take):
    """Take rows of the stored array behind `data`, then convert only those."""
    if isinstance(getattr(getattr(data.owner, "op", None), "scalar_op", None), _Cast):  # labels
        return T.cast(_read(data.owner.inputs[0], take), data.dtype)
    pixels = getattr(data.tag, "bytes", None)
    if pixels is None:
        return take(data)
    # The rows are copied in any case. From bytes that is faster, and k/256 is exact in any floatX.
    return T.cast(take(pixels), data.dtype) * T.constant(np.asarray(1 / 256, dtype=data.dtype))


# --- Shared variables ----------------------------------------------------------------------


class SharedTensor(_sharedvar.TensorSharedVariable):
    """A shared variable whose value is a numpy array, wherever the engine keeps it.

    After an update by the JAX linker, a shared variable stores a JAX array. The page's
    ``copy.deepcopy(params)`` would then fail, and its ``pickle.dump(w.get_value())`` would write
    a file that only JAX can read.
    """

    def get_value(self, borrow=False, return_internal_type=False):
        """Return a copy of the value, or, with `borrow`, perhaps the stored array itself."""
        value = self.container.value
        if return_internal_type or isinstance(value, np.ndarray):
            return super().get_value(borrow, return_internal_type)
        return np.asarray(value) if borrow else np.array(value)

    def set_value(self, new_value, borrow=False):
        """Set the value; put it on the device if the old value was there."""
        twin = getattr(self.tag, "bytes", None)
        if twin is not None:
            pixels = as_bytes(np.asarray(new_value))
            if pixels is None:
                found = "values other than k/256, k = 0..255"
                expected = f"such values, as {self.name or 'the variable'} had before"
                raise SettingsError("set_value", found, expected, "make a new shared variable")
            twin.set_value(pixels, borrow=True)
        super().set_value(new_value, borrow)
        _place(self)

    def __getstate__(self):
        """Store a numpy array before the variable is copied or pickled."""
        self.container.storage[0] = np.asarray(self.container.storage[0])
        return super().__getstate__()


def _place(shared):
    """Put a value where JAX reads it without a copy: on the device if it is to stay there."""
    if linker() != "jax":
        return
    # PyTensor keeps the value here. Its set_value would turn a JAX array back into numpy's.
    stored = shared.container.storage
    if getattr(shared.tag, "resident", False):
        stored[0] = _jax.put(stored[0])
    elif isinstance(stored[0], np.ndarray):
        stored[0] = aligned(stored[0])


def _resident(shared):
    shared.tag.resident = True
    _place(shared)
    return shared


def shared_resident(array, name, compact):
    shared = _resident(theano.shared(aligned(array), name=name, borrow=True))
    pixels = as_bytes(array) if compact and linker() == "jax" else None
    if pixels is not None:
        shared.tag.bytes = shared_resident(pixels, name=None, compact=False)
    return shared


def shared_copy(variable):
    value = np.array(variable.get_value(borrow=True))
    return _resident(
        SharedTensor(type=variable.type, value=value, strict=False, name=variable.name)
    )


def _making_shared_tensors(make):
    def constructor(value, *args, **kwargs):
        variable = make(value, *args, **kwargs)
        variable.__class__ = SharedTensor
        _place(variable)
        return variable

    return constructor


_register = importlib.import_module("pytensor.compile.sharedvalue").shared_constructor.register
_register(np.ndarray, _making_shared_tensors(_sharedvar.tensor_constructor))
for _kind in (np.number, float, int, complex):
    _register(_kind, _making_shared_tensors(_sharedvar.scalar_constructor))


# --- Loops ---------------------------------------------------------------------------------


def index_loop(step, state):
    carried = [_turned(variable) for variable in state]

    def turned(values):
        return [v.T if c is not s else v for s, c, v in zip(state, carried, values)]

    def turned_step(index, *values):
        *after, output = step(index, *turned(values))
        return [*turned(after), output]

    on_jax = linker() == "jax"
    build, call = (_jax.loop, _jax.call_loop) if on_jax else (_scan_loop, _call_scan_loop)
    inputs, after, outputs = build(turned_step, carried)
    compiled = theano.function(inputs, outputs, updates=list(zip(state, turned(after))))
    run = functools.partial(call, compiled)
    run.compiled = compiled
    # The first call compiles the function or parts of it. Make it now, not within the first epoch.
    if on_jax:
        _jax.forget_values(compiled)
        compiled.trust_input = True  # a check of inputs would turn a JAX array into numpy's
        run([])
    else:
        values = [variable.get_value() for variable in state]
        run([0])  # after 0 rounds, scan would have no last state to return
        for variable, value in zip(state, values):
            variable.set_value(value)
    return run


def _scan_loop(step, carried):
    indices = T.lvector("indices")
    info = [*carried, None]
    found = theano.scan(step, sequences=[indices], outputs_info=info, return_updates=False)
    *histories, outputs = found if isinstance(found, (list, tuple)) else [found]
    return [indices], [history[-1] for history in histories], outputs


def _call_scan_loop(compiled, indices):
    return np.asarray(compiled(np.asarray(indices, dtype="int64")))


def _turned(variable):
    """Transpose a tall matrix while the loop carries it.

    A gradient of shape (784, 10) is a product of two thin matrices in the slow order. An epoch
    takes 50 ms with W, but 36 ms with W.T (docs/performance.md).
    """
    is_tall = variable.ndim == 2 and np.greater(*variable.get_value(borrow=True).shape)
    return variable.T if is_tall else variable


def _prepare_linker():
    """Delete the linker's source files at exit, and load the BLAS that it uses."""
    modules = ["pytensor.link.utils"]
    if linker() != "jax":
        _machine.load_blas()
    if linker() == "numba":
        modules.append("pytensor.link.numba.cache")  # slow: it imports Numba
    for name in modules:
        importlib.import_module(name).NamedTemporaryFile = _passing_file


def _passing_file(**options):
    file = tempfile.NamedTemporaryFile(**options)
    atexit.register(pathlib.Path(file.name).unlink, missing_ok=True)
    return file


_prepare_linker()
_say_where_it_compiles()
_missing = flags.missing_compiler(theano.config.cxx) if linker() == "c" else []
if _missing:
    logger.warning(
        f"PyTensor finds no {' and no '.join(_missing)}: the linker c runs in Python, "
        f"much slower; {flags.how_to_install(_missing)}"
    )
