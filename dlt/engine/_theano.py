"""Classic Theano 1.0.5, which the page was written for: the functions that `dlt.engine` needs."""

import logging
import os
import sys
import warnings

import numpy as np

from dlt.arrays import aligned
from dlt.engine import _machine, flags
from dlt.engine._loading import import_engine, logger, wrong_version
from dlt.errors import EngineError

NAME = "Theano"
LINKERS = ("c",)

# Theano's names of its linkers, with a compiler and without.
_LINKERS = {"cvm": "c", "c|py": "c", "vm": "python", "py": "python"}


def _import():
    """Import Theano after setting what it needs on today's machines."""
    # Theano itself would print a traceback and go on.
    set_device(flags.device(os.environ) or flags.in_rc(os.environ).get("device"))
    remedy = "install it with: pip install Theano==1.0.5 'numpy<1.22' 'scipy<1.8'"
    if sys.version_info >= (3, 11):
        remedy = "use Python 3.8 to 3.10, where it still installs"
    if flags.numpy_version() >= (1, 24):
        raise EngineError("Theano", f"numpy {np.__version__}", "one below 1.24", remedy)
    if sys.flags.optimize > 1:
        found = "the option -OO, which drops docstrings that Theano needs"
        raise EngineError("Python", found, remedy="start it without")
    given = os.environ.get("THEANO_FLAGS", "")
    note = flags.prepare_theano(os.environ)
    if note:
        logger.warning(note)
    # Theano warns of a missing compiler, which the note reports or the user chose (cxx=), and of
    # a missing BLAS, which the user cannot change here.
    warnings.filterwarnings("ignore", message=".*there is no c.. compiler")
    logging.getLogger("theano.tensor.blas").setLevel(logging.ERROR)
    # Processes take turns to compile, and Theano would log each wait in two lines.
    locks = logging.getLogger("theano.gof.compilelock")
    locks.addFilter(lambda record: record.levelno >= logging.WARNING)
    with warnings.catch_warnings(), flags.folder_to_compile_in(os.environ, "theano") as note:
        warnings.simplefilter("ignore", DeprecationWarning)  # it is written for older Pythons
        if note:
            logger.warning(note)
        package = import_engine("theano", NAME, given, remedy)
    if not package.__version__.startswith("1.0."):
        raise wrong_version(NAME, package, "1.0.5")
    if os.environ.get("PYTENSOR_FLAGS"):
        found = f"found {os.environ['PYTENSOR_FLAGS']!r}, which Theano does not read"
        logger.warning(f"PYTENSOR_FLAGS: {found}; use THEANO_FLAGS")
    return package


def device():
    return "cpu"


def set_device(name):
    if flags.is_gpu(name):
        found = "classic Theano, and its GPU support can no longer be installed"
        remedy = "use the device cpu, or PyTensor with jax (Python 3.11 or newer)"
        raise EngineError(f"device {name}", found, remedy=remedy)


theano = _import()
T = theano.tensor
RandomType = T.raw_random.RandomStateType
ancestors = theano.gof.graph.ancestors
softmax = T.nnet.softmax


def linker():
    config = theano.config
    mode = config.mode if isinstance(config.mode, str) else "Mode"
    if mode == "FAST_COMPILE" or not config.cxx:
        return "python"
    name = config.linker if mode == "Mode" else "cvm"
    return _LINKERS.get(name.replace("_nogc", ""), name)


def set_linker(name):
    if linker() != name:
        flags.demand_compiler(theano.config.cxx)
    if not theano.config.cxx:
        found = "an empty cxx in THEANO_FLAGS or .theanorc"
        raise EngineError("linker c", found, "a compiler, such as cxx=g++")
    theano.config.mode, theano.config.linker = "Mode", "cvm"
    # Theano keeps the mode that it once made from these settings.
    theano.compile.mode.instantiated_default_mode = None


def libraries():
    return {"numpy": np.__version__}  # Theano uses numpy's BLAS


def machine():
    return _machine.of_c(theano.config.cxx, **{"gcc.cxxflags": theano.config.gcc.cxxflags})


def floatX_changed():
    """Do nothing: Theano reads its own setting."""


def log_probability(p_y_given_x):
    # Theano's optimizer turns the logarithm, the softmax and the choice of a label into one stable
    # operation: an epoch takes 54 ms, but 69 with the sum below, and 135 with T.nnet.logsoftmax.
    node = p_y_given_x.owner
    optimizes = theano.config.optimizer == "fast_run" and theano.config.mode != "FAST_COMPILE"
    if optimizes or node is None or not isinstance(node.op, T.nnet.Softmax):
        return T.log(p_y_given_x)
    scores = node.inputs[0]
    scores = scores - T.max(scores, axis=1, keepdims=True)
    return scores - T.log(T.sum(T.exp(scores), axis=1, keepdims=True))


def shared_resident(array, name, compact):
    # Functions read a numpy array in place, but would have to convert bytes.
    return theano.shared(aligned(array), name=name, borrow=True)


def shared_copy(variable):
    value = np.array(variable.get_value(borrow=True))
    return type(variable)(name=variable.name, type=variable.type, value=value, strict=True)


def substitute(outputs, replacements):
    return theano.clone(outputs, replace=replacements)


def row_window(data, start, length):
    return data[start : start + length]


def take_rows(data, rows):
    return data[rows]


def index_loop(step, state):
    # Make one call for each index, because Theano's scan is slower (docs/engines.md).
    index = T.lscalar("index")
    *after, output = step(index, *state)
    compiled = theano.function([index], output, updates=list(zip(state, after)))
    compiled.trust_input = True

    def run(indices):
        # Trusted input has to be an array, so each index becomes one without dimensions.
        return np.asarray([compiled(np.asarray(i, dtype="int64")) for i in indices])

    run.compiled = compiled
    return run
