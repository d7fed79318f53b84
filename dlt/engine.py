"""The engine: the one module that knows what stands behind ``theano``.

Everything else, the notebooks included, says ``from dlt import theano, T`` and
writes Theano as the page prints it. Today `theano` is PyTensor, the maintained
continuation of Theano, with its JAX linker where jax is installed: that starts
in seconds, while PyTensor's own default (Numba) compiles for most of a minute.

Two settings are read from the environment before the engine is imported:

- ``THEANO_FLAGS``, as the page's readers know it (``THEANO_FLAGS=floatX=float32``);
- ``PYTENSOR_FLAGS``, which wins where both name a flag. A ``mode=`` or
  ``linker=`` in either keeps the engine from choosing JAX.

Source: page "Getting Started", section "Theano/Python Tips" and "Notation" (the
namespaces ``theano`` and ``T``).
"""

import functools
import importlib.util
import numbers
import os
import re
import sys
import warnings

import numpy as np

from dlt.errors import EngineError, SettingsError

#: The dtypes that ``floatX`` may name.
FLOAT_TYPES = ("float32", "float64")

#: The linkers that are tested, best first.
LINKERS = ("jax", "numba", "c")
_MODES = {"jax": "JAX", "numba": "NUMBA", "c": "CVM"}

# XLA takes a numpy array without copying it only from an address like this.
_ALIGNMENT = 64  # bytes


def _translated_flags(text):
    """Write THEANO_FLAGS as PyTensor spells them; a value in quotes may hold commas.

    ``device=cpu`` is left out: it is what runs anyway, and PyTensor has no such flag.

    Examples
    --------
    >>> _translated_flags("floatX=float32, device=cpu, blas.ldflags='-lm,-lc'")
    "floatX=float32,blas__ldflags='-lm,-lc'"
    """
    parts = [part.strip() for part in re.findall(r"""(?:'[^']*'|"[^"]*"|[^,'"])+""", text)]
    pairs = [part.split("=", 1) for part in parts if "=" in part and part != "device=cpu"]
    return ",".join("{}={}".format(name.replace(".", "__"), value) for name, value in pairs)


def _merge_flags(environ):
    """Put what THEANO_FLAGS says before PYTENSOR_FLAGS, where the last word wins."""
    flags = _translated_flags(environ.get("THEANO_FLAGS", ""))
    if flags:
        own = environ.get("PYTENSOR_FLAGS", "")
        environ["PYTENSOR_FLAGS"] = flags + "," + own if own else flags


def _bad_floatX(found):
    return "floatX: found {!r}; expected {}".format(found, " or ".join(FLOAT_TYPES))


def _import_engine():
    """Import PyTensor as ``theano`` and choose its linker."""
    _merge_flags(os.environ)
    try:
        import pytensor

        config = pytensor.config
        pytensor.compile.mode.get_default_mode()  # reads mode, linker and optimizer
    except (ValueError, KeyError) as error:
        raise EngineError(
            "THEANO_FLAGS, PYTENSOR_FLAGS: found {!r}; PyTensor says: {}".format(
                os.environ.get("PYTENSOR_FLAGS", ""), " ".join(str(error).split())
            )
        ) from error
    except ImportError as error:
        raise EngineError(
            "the engine is missing: PyTensor could not be imported ({}); "
            "install it with: pip install pytensor jax".format(error)
        ) from error
    if config.floatX not in FLOAT_TYPES:
        raise EngineError(_bad_floatX(config.floatX) + " (in THEANO_FLAGS or PYTENSOR_FLAGS)")
    chosen_by_user = config.mode != "Mode" or config.linker != "auto"
    if not chosen_by_user and _has_jax():
        config.mode = _MODES["jax"]
    _widen_bounds_of_arange()
    # Both warnings tell of JAX's ordinary way of working and come with every compilation:
    # with floatX=float32 its integers are 32 bits wide, and it checks no shapes while running.
    for message in ("Explicitly requested dtype", "Skipping Assert"):
        warnings.filterwarnings("ignore", message=message, category=UserWarning)
    return pytensor


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


def _has_jax():
    return importlib.util.find_spec("jax") is not None


theano = _import_engine()
T = importlib.import_module(theano.__name__ + ".tensor")
_special = importlib.import_module(theano.__name__ + ".tensor.special")
_sharedvar = importlib.import_module(theano.__name__ + ".tensor.sharedvar")


class SharedTensor(_sharedvar.TensorSharedVariable):
    """A shared variable whose value is a numpy array, wherever the engine keeps it.

    After the JAX linker has updated a shared variable, what it stores is a JAX array. The
    page's ``copy.deepcopy(params)`` would then fail, and its ``pickle.dump(w.get_value())``
    write a file that only JAX can read.
    """

    def get_value(self, borrow=False, return_internal_type=False):
        """Give the value: a copy, or with `borrow` perhaps the stored array itself."""
        value = self.container.value
        if return_internal_type or isinstance(value, np.ndarray):
            return super().get_value(borrow, return_internal_type)
        return np.asarray(value) if borrow else np.array(value)

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
            return variable

        return constructor

    register = importlib.import_module(
        theano.__name__ + ".compile.sharedvalue"
    ).shared_constructor.register
    register(np.ndarray, shared_tensor(_sharedvar.tensor_constructor))
    for kind in (np.number, float, int, complex):
        register(kind, shared_tensor(_sharedvar.scalar_constructor))


_make_shared_tensors()


def linker():
    """Name what turns graphs into programs: ``"jax"``, ``"numba"``, ``"c"``, or another.

    Examples
    --------
    >>> linker() == linker().lower()
    True
    """
    mode, named = str(theano.config.mode), str(theano.config.linker)
    names = {_MODES[name]: name for name in LINKERS}
    names.update({"auto": "numba", "cvm": "c"})
    return names.get(named if mode == "Mode" else mode, mode if mode != "Mode" else named).lower()


def set_linker(name):
    """Choose what turns graphs into programs from now on.

    Parameters
    ----------
    name : {"jax", "numba", "c"}

    Raises
    ------
    SettingsError
        For any other name.
    EngineError
        ``"jax"``, and jax is not installed.

    Examples
    --------
    >>> before = linker()
    >>> set_linker("c")
    >>> linker()
    'c'
    >>> set_linker(before)
    """
    if name not in LINKERS:
        raise SettingsError(
            "linker: found {!r}; expected one of {}".format(name, ", ".join(LINKERS))
        )
    if name == "jax" and not _has_jax():
        raise EngineError("the linker jax needs jax; install it with: pip install jax")
    # As a setting, not as an argument of theano.function: PyTensor compiles parts of a
    # graph on their own, and those take the setting.
    theano.config.mode = _MODES[name]


def set_floatX(floatX):
    """Choose the dtype of every array and every symbolic variable made from now on.

    Parameters
    ----------
    floatX : {"float32", "float64"}
        Call this before the first symbolic variable is made. Graphs that mix the
        two are cast to the wider one, and a function compiled under one floatX is
        for that one only.

    Raises
    ------
    SettingsError
        For any other name.

    Examples
    --------
    >>> before = theano.config.floatX
    >>> set_floatX("float32")
    >>> T.matrix("x").dtype
    'float32'
    >>> set_floatX(before)
    """
    if floatX not in FLOAT_TYPES:
        raise SettingsError(_bad_floatX(floatX))
    theano.config.floatX = floatX
    if "jax" in sys.modules:
        # PyTensor tells JAX once, when its linker is first used: a later change must be said.
        sys.modules["jax"].config.update("jax_enable_x64", floatX == "float64")


def describe():
    """Say in one line which engine, linker and floatX are in use.

    Examples
    --------
    >>> "floatX=" in describe()
    True
    """
    return "{} {}, {} linker, floatX={}".format(
        "PyTensor", theano.__version__, linker(), theano.config.floatX
    )


def as_scalar(value, dtype):
    """Give a number, or a symbolic scalar, in a certain dtype.

    Parameters
    ----------
    value : float or Theano scalar
    dtype : str
        A float dtype. Python's and numpy's floats would otherwise widen what they meet.

    Returns
    -------
    Theano scalar

    Examples
    --------
    >>> (T.fvector("x") * as_scalar(np.float64(0.1), "float32")).dtype
    'float32'
    """
    if isinstance(value, numbers.Real):
        return T.constant(np.asarray(value, dtype=dtype))
    return T.cast(value, dtype)


def softmax(scores):
    """Turn each row of scores into probabilities.

    Parameters
    ----------
    scores : Theano matrix, shape (B, L)
        Any finite values; each row's largest is subtracted first, so none is too large.

    Returns
    -------
    Theano matrix, shape (B, L)
        Rows that add up to 1.

    Examples
    --------
    >>> scores = T.matrix("scores")
    >>> f = theano.function([scores], softmax(scores))
    >>> f(np.asarray([[0.0, 0.0]], dtype=theano.config.floatX)).tolist()
    [[0.5, 0.5]]
    """
    return _special.softmax(scores, axis=1)


def log_probability(p_y_given_x):
    """Give log P(Y|x), from the scores themselves where `p_y_given_x` is a softmax of them.

    ``T.log(softmax(scores))`` is -inf as soon as a probability is too small for
    floatX, though its logarithm is an ordinary number. A graph optimizer may see
    that and mend it, or may not; here it is not left to chance.

    Parameters
    ----------
    p_y_given_x : Theano matrix, shape (B, L)
        Probabilities, one row for each example.

    Returns
    -------
    Theano matrix, shape (B, L)
        Natural logarithms.

    Examples
    --------
    >>> scores = T.matrix("scores")
    >>> f = theano.function([scores], log_probability(softmax(scores)))
    >>> f(np.asarray([[1e4, -1e4]], dtype=theano.config.floatX)).tolist()
    [[0.0, -20000.0]]
    """
    node = p_y_given_x.owner
    if node is not None and isinstance(node.op, _special.Softmax):
        return _special.log_softmax(node.inputs[0], axis=node.op.axis)
    return T.log(p_y_given_x)


def shared_resident(array, name=None, borrow=True):
    """Make a shared variable whose array the engine can use where it lies.

    A data set is read by every call. JAX copies an array it is given unless
    that begins on a 64-byte boundary, which numpy does not promise: 156 MB a
    call for MNIST's training images.

    Parameters
    ----------
    array : ndarray
        Its dtype and shape are kept.
    name : str, optional
        Name of the shared variable.
    borrow : bool
        True: the shared variable may be `array` itself, as ``theano.shared`` has it.

    Returns
    -------
    Theano shared variable

    Examples
    --------
    >>> shared = shared_resident(np.arange(6.0))
    >>> shared.get_value(borrow=True).ctypes.data % 64
    0
    """
    if not borrow or array.ctypes.data % _ALIGNMENT or not array.flags.c_contiguous:
        array = _aligned_copy(array)
    return theano.shared(array, name=name, borrow=True)


def _aligned_copy(array):
    """Copy into memory that begins on a boundary of `_ALIGNMENT` bytes."""
    memory = np.empty(array.nbytes + _ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
