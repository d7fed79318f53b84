"""Classic Theano 1.0.5, which the page was written for: what `dlt.engine` does on it."""

import logging
import os
import sys
import warnings

import numpy as np

from dlt.engine import flags
from dlt.engine._loading import import_engine, logger, no_compiler, wrong_version
from dlt.engine.arrays import aligned
from dlt.errors import EngineError

NAME = "Theano"
LINKERS = ("c",)

# What Theano calls them: with compiled code, and the way it works without a compiler.
_LINKERS = {"cvm": "c", "c|py": "c", "vm": "python", "py": "python"}


def _import():
    """Import Theano, having set what it needs on today's machines."""
    # Theano itself would print a traceback, and go on.
    _refuse_gpu(flags.device(os.environ) or flags.in_theanorc(os.environ).get("device"))
    if flags.numpy_version() >= (1, 24):
        raise EngineError("Theano", f"numpy {np.__version__}", "one below 1.24", _remedy())
    given = os.environ.get("THEANO_FLAGS", "")
    note = flags.prepare_theano(os.environ)
    if note:
        logger.warning(note)
    # It warns of what was just said or what the user wanted (cxx=), and of having no BLAS to
    # link with, about which nothing is left to be done.
    warnings.filterwarnings("ignore", message=".*there is no c.. compiler")
    logging.getLogger("theano.tensor.blas").setLevel(logging.ERROR)
    # Processes take turns at compiling, and Theano would tell of each wait in two lines.
    logging.getLogger("theano.gof.compilelock").addFilter(_is_warning)
    with warnings.catch_warnings():  # Theano was written for older Pythons
        warnings.simplefilter("ignore", DeprecationWarning)
        package = import_engine("theano", NAME, given, _remedy())
    if not package.__version__.startswith("1.0."):
        raise wrong_version(NAME, package, "1.0.5")
    if os.environ.get("PYTENSOR_FLAGS"):
        logger.warning(
            f"PYTENSOR_FLAGS: found {os.environ['PYTENSOR_FLAGS']!r}, which Theano does not read; "
            "use THEANO_FLAGS"
        )
    return package


def _is_warning(record):
    return record.levelno >= logging.WARNING


def _remedy():
    if sys.version_info >= (3, 11):
        return "use Python 3.8 to 3.10, where it still installs"
    return "install it with: pip install Theano==1.0.5 'numpy<1.22' 'scipy<1.8'"


def _refuse_gpu(device):
    if flags.is_gpu(device):
        raise EngineError(
            f"device {device}",
            "classic Theano, whose part for GPUs can no longer be installed",
            remedy="use the device cpu, or PyTensor with jax (Python 3.11 or newer)",
        )


theano = _import()
T = theano.tensor
RandomType = T.raw_random.RandomStateType


def linker():
    """Do the part of `dlt.engine.linker` that is Theano's."""
    config = theano.config
    mode = config.mode if isinstance(config.mode, str) else "Mode"
    if mode == "FAST_COMPILE" or not config.cxx:
        return "python"
    name = config.linker if mode == "Mode" else "cvm"
    return _LINKERS.get(name.replace("_nogc", ""), name)


def set_linker(name):
    """Do the part of `dlt.engine.set_linker` that is Theano's."""
    missing = flags.missing_compiler(theano.config.cxx)
    if missing and linker() != name:
        raise no_compiler(missing)
    if not theano.config.cxx:
        raise EngineError(
            "linker c", "an empty cxx in THEANO_FLAGS or .theanorc", "a compiler, such as cxx=g++"
        )
    theano.config.mode, theano.config.linker = "Mode", "cvm"
    # Theano keeps the mode it once made of these settings.
    theano.compile.mode.instantiated_default_mode = None


def device():
    """Do the part of `dlt.engine.device` that is Theano's."""
    return "cpu"


def set_device(name):
    """Do the part of `dlt.engine.set_device` that is Theano's."""
    _refuse_gpu(name)


def libraries():
    """Do the part of `dlt.engine.versions` that is Theano's."""
    return {"numpy": np.__version__}  # whose BLAS it uses


def floatX_changed():
    """Nothing else keeps a copy of the setting."""


def softmax(scores):
    """Do the part of `dlt.engine.softmax` that is Theano's."""
    return T.nnet.softmax(scores)


def log_probability(p_y_given_x):
    """Do the part of `dlt.engine.log_probability` that is Theano's."""
    # Its optimizer makes one stable operation of the logarithm, the softmax and the choice of
    # a label: 54 ms an epoch, where the sum below takes 69 and T.nnet.logsoftmax 135.
    node = p_y_given_x.owner
    optimizes = theano.config.optimizer == "fast_run" and theano.config.mode != "FAST_COMPILE"
    if optimizes or node is None or not isinstance(node.op, T.nnet.Softmax):
        return T.log(p_y_given_x)
    scores = node.inputs[0]
    scores = scores - T.max(scores, axis=1, keepdims=True)
    return scores - T.log(T.sum(T.exp(scores), axis=1, keepdims=True))


def shared_resident(array, name, compact):
    """Do the part of `dlt.engine.shared_resident` that is Theano's."""
    # Functions read a numpy array where it lies, and bytes would have to be converted.
    return theano.shared(aligned(array), name=name, borrow=True)


def shared_copy(variable):
    """Do the part of `dlt.engine.shared_copy` that is Theano's."""
    value = np.array(variable.get_value(borrow=True))
    return type(variable)(name=variable.name, type=variable.type, value=value, strict=True)


def substitute(outputs, replacements):
    """Do the part of `dlt.engine.substitute` that is Theano's."""
    return theano.clone(outputs, replace=replacements)


def ancestors(outputs):
    """Do the part of `dlt.engine.random_variables` that is Theano's."""
    return theano.gof.graph.ancestors(outputs)


def row_window(data, start, length):
    """Do the part of `dlt.engine.row_window` that is Theano's."""
    return data[start : start + length]


def take_rows(data, rows):
    """Do the part of `dlt.engine.take_rows` that is Theano's."""
    return data[rows]


def index_loop(step, state):
    """Do the part of `dlt.engine.index_loop` that is Theano's."""
    # One call for each index. Its scan is slower: 75 ms an epoch at batch 600 where calls take
    # 60, and 180 at batch 20 where they take 88 (docs/engines.md).
    index = T.lscalar("index")
    *after, output = step(index, *state)
    compiled = theano.function([index], output, updates=list(zip(state, after)))
    compiled.trust_input = True

    def run(indices):
        # One by one, as arrays without dimensions: what trusted input has to be.
        return np.asarray([compiled(np.asarray(i, dtype="int64")) for i in indices])

    run.compiled = compiled
    return run
