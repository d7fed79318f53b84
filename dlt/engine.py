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
import math
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
_ORDINARY = ("Explicitly requested dtype", "Skipping Assert", r"np\.dot\(\) is faster")
#: Where functions may run.
DEVICES = ("auto", "cpu", "gpu")
_MODES = {"jax": "JAX", "numba": "NUMBA", "c": "CVM"}

# XLA takes a numpy array without copying it only from an address like this.
_ALIGNMENT = 64  # bytes


def _parse_flags(text):
    """Turn THEANO_FLAGS into a dict, names as PyTensor spells them; quotes may hold commas.

    Examples
    --------
    >>> _parse_flags("floatX=float32, device=cpu, blas.ldflags='-lm,-lc'")
    {'floatX': 'float32', 'device': 'cpu', 'blas__ldflags': "'-lm,-lc'"}
    """
    parts = [part.strip() for part in re.findall(r"""(?:'[^']*'|"[^"]*"|[^,'"])+""", text)]
    pairs = [part.split("=", 1) for part in parts if "=" in part]
    return {name.replace(".", "__"): value for name, value in pairs}


def _merge_flags(environ):
    """Put what THEANO_FLAGS says before PYTENSOR_FLAGS, where the last word wins.

    Returns the flag that PyTensor no longer has: ``device``, or None.
    """
    flags = _parse_flags(environ.get("THEANO_FLAGS", ""))
    device = flags.pop("device", None)
    if flags:
        text = ",".join("=".join(item) for item in flags.items())
        own = environ.get("PYTENSOR_FLAGS", "")
        environ["PYTENSOR_FLAGS"] = text + "," + own if own else text
    return device


def _bad_floatX(found):
    return "floatX: found {!r}; expected {}".format(found, " or ".join(FLOAT_TYPES))


def _import_engine():
    """Import PyTensor as ``theano`` and choose its linker."""
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
    _slice_minibatches()
    # These tell of a linker's ordinary way of working, at every compilation. JAX: with
    # floatX=float32 its integers are 32 bits wide, and it checks no shapes while running.
    # Numba: a product with a transposed matrix could be faster.
    for message in _ORDINARY:
        warnings.filterwarnings("ignore", message=message)
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

    # Before the arithmetic of the ends is rewritten into something less plain.
    optdb.register("dlt_slice_minibatches", dfs_rewriter(slice_to_window), "jax", position=0.5)


def _constant_difference(stop, start):
    """Give ``stop - start`` if it is the same number whatever the variables are, else None."""
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


def _has_jax():
    return importlib.util.find_spec("jax") is not None


_flagged_device = _merge_flags(os.environ)
theano = _import_engine()
T = importlib.import_module(theano.__name__ + ".tensor")
_special = importlib.import_module(theano.__name__ + ".tensor.special")
_sharedvar = importlib.import_module(theano.__name__ + ".tensor.sharedvar")
_basic = importlib.import_module(theano.__name__ + ".graph.basic")
_op = importlib.import_module(theano.__name__ + ".graph.op")


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

    def set_value(self, new_value, borrow=False):
        """Set the value; where the old one was resident, the new one is put there at once.

        Raises
        ------
        SettingsError
            Compiled functions read the old value as bytes, which cannot hold the new one.
        """
        twin = getattr(self.tag, "bytes", None)
        if twin is not None:
            pixels = _as_bytes(np.asarray(new_value))
            if pixels is None:
                raise SettingsError(
                    "set_value: found values other than k/256, k = 0..255; expected such, as "
                    "{} had; make a new shared variable".format(self.name or "the variable")
                )
            twin.set_value(pixels, borrow=True)
        super().set_value(new_value, borrow)
        if getattr(self.tag, "resident", False):
            make_resident(self)

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
    mode = theano.config.mode
    if mode == "Mode":
        mode = {"auto": "NUMBA"}.get(theano.config.linker, theano.config.linker.upper())
    elif not isinstance(mode, str):  # so it is while PyTensor compiles
        mode = type(mode.linker).__name__.replace("Linker", "").upper()
    return {value: name for name, value in _MODES.items()}.get(mode, mode.lower())


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


def _jax():
    """Import jax, set to hold what floatX says: by itself it makes float32 of everything.

    PyTensor tells it too, but only once, when its JAX linker is first used.
    """
    import jax

    jax.config.update("jax_enable_x64", theano.config.floatX == "float64")
    return jax


def device():
    """Name where functions run: ``"cpu"``, or ``"gpu"`` and what kind it is.

    Examples
    --------
    >>> device().split()[0] in ("cpu", "gpu")
    True
    """
    if linker() != "jax":
        return "cpu"
    jax = _jax()
    chosen = jax.config.jax_default_device or jax.devices()[0]
    return chosen.platform if chosen.platform == "cpu" else "gpu ({})".format(chosen.device_kind)


def set_device(name):
    """Choose where functions run. Only the JAX linker can use a GPU.

    Parameters
    ----------
    name : {"auto", "cpu", "gpu"}
        ``"auto"``: a GPU if JAX finds one, else the CPU. Call this before the first
        shared variable is made: what is on a device stays there.

    Raises
    ------
    SettingsError
        For any other name.
    EngineError
        ``"gpu"``, and there is none, or the linker is not JAX.

    Examples
    --------
    >>> set_device("cpu")
    >>> device()
    'cpu'
    """
    if name not in DEVICES:
        raise SettingsError(
            "device: found {!r}; expected one of {}".format(name, ", ".join(DEVICES))
        )
    if linker() != "jax":
        if name == "gpu":
            raise EngineError("device gpu: the {} linker runs on the CPU; use jax".format(linker()))
        return
    jax = _jax()
    found = None if name == "auto" else _first_device(jax, name)
    jax.config.update("jax_default_device", found)


def _first_device(jax, name):
    try:
        return jax.devices(name)[0]
    except RuntimeError as error:
        raise EngineError(
            "device {}: JAX found none ({}); install its GPU support with: pip install .[gpu], or "
            "use the device cpu".format(name, " ".join(str(error).split()))
        ) from error


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
        _jax()


def describe():
    """Say in one line which engine, linker, device and floatX are in use.

    Examples
    --------
    >>> "floatX=" in describe()
    True
    """
    return "{} {}, {} linker, {}, floatX={}".format(
        "PyTensor", theano.__version__, linker(), device(), theano.config.floatX
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


def shared_resident(array, name=None, borrow=True, compact=False):
    """Make a shared variable whose array lies where the engine computes.

    Theano copied a shared variable to the GPU when it was made. PyTensor hands a numpy
    array to JAX at every call: 156 MB a call for MNIST's training images, on a CPU too
    unless it begins on a 64-byte boundary. Here it is put on the device once, now and
    whenever ``set_value`` is called.

    Parameters
    ----------
    array : ndarray
        Its dtype and shape are kept.
    name : str, optional
        Name of the shared variable.
    borrow : bool
        True: the shared variable may use the memory of `array`, as ``theano.shared`` has it.
    compact : bool
        True: where all values are k/256, k = 0..255, keep them as bytes too, for
        `row_window` to read: a quarter or an eighth of the memory traffic. Other values
        cannot be set then.

    Returns
    -------
    Theano shared variable

    Examples
    --------
    >>> shared_resident(np.arange(3.0)).get_value().tolist()
    [0.0, 1.0, 2.0]
    """
    if not borrow or array.ctypes.data % _ALIGNMENT or not array.flags.c_contiguous:
        array = _aligned_copy(array)
    shared = theano.shared(array, name=name, borrow=True)
    shared.tag.resident = True
    make_resident(shared)
    pixels = _as_bytes(array) if compact and linker() == "jax" else None
    if pixels is not None:
        shared.tag.bytes = shared_resident(pixels)
    return shared


def _as_bytes(array):
    """Give 256 times the array as bytes, or None where these are no whole numbers 0..255.

    Examples
    --------
    >>> _as_bytes(np.asarray([[0.0, 0.5], [0.25, 0.99609375]])).tolist()
    [[0, 128], [64, 255]]
    >>> _as_bytes(np.asarray([[0.1]])) is None
    True
    """
    if array.dtype.kind != "f" or array.size == 0:
        return None
    pixels = np.empty(array.shape, dtype=np.uint8)
    for rows in range(0, len(array), 1000):  # so that what is made on the way stays small
        scaled = array[rows : rows + 1000] * array.dtype.type(256)
        with np.errstate(invalid="ignore"):
            pixels[rows : rows + 1000] = scaled
        if not np.array_equal(pixels[rows : rows + 1000], scaled):
            return None
    return pixels


def make_resident(shared):
    """Put the value of a shared variable on the device, if the linker is JAX.

    This writes to where PyTensor keeps the value (``container.storage``): ``set_value``
    would turn the JAX array back into a numpy array. Written for PyTensor 3.0 and 3.3.

    Examples
    --------
    >>> shared = theano.shared(np.zeros(2))
    >>> make_resident(shared)
    >>> shared.get_value().tolist()
    [0.0, 0.0]
    """
    if linker() == "jax":
        jax = _jax()
        shared.container.storage[0] = jax.device_put(shared.container.storage[0])


def resident_function(inputs, outputs, updates=None):
    """Compile like ``theano.function``, for calls that let nothing cross unasked.

    Parameters
    ----------
    inputs : list of Theano vectors of int64
    outputs, updates
        As for ``theano.function``.

    Returns
    -------
    callable
        Takes numpy arrays, which are put on the device explicitly. Its ``compiled`` is
        the Theano function, to look into (``theano.printing.debugprint``).
    """
    compiled = theano.function(inputs, outputs, updates=updates)
    put = np.asarray
    if linker() == "jax":
        put = _jax().device_put
        compiled.trust_input = True  # the check of inputs would turn a JAX array into numpy's

    def function(*args):
        return compiled(*[put(arg) for arg in args])

    function.compiled = compiled
    return function


def scan(step, sequence, initial):
    """Apply `step` along a sequence inside the compiled function, ``theano.scan``.

    Parameters
    ----------
    step : callable
        ``step(element, *state)`` returns the new states and then further outputs.
    sequence : Theano vector
    initial : list of Theano variables
        The states before the first step.

    Returns
    -------
    states : list
        Each state after the last step.
    outputs : list
        Each further output, stacked along a new first axis.

    Examples
    --------
    >>> xs = T.lvector("xs")
    >>> zero = T.constant(0, dtype="int64")
    >>> (total,), (totals,) = scan(lambda x, so_far: [so_far + x] * 2, xs, [zero])
    >>> f = theano.function([xs], [total, totals])
    >>> [value.tolist() for value in f([1, 2, 3])]
    [6, [1, 3, 6]]
    """
    # PyTensor wants to be told of every output; how many there are, one trial step tells.
    n_outputs = len(step(sequence[0], *initial)) - len(initial)
    found = theano.scan(
        step,
        sequences=[sequence],
        outputs_info=list(initial) + [None] * n_outputs,
        return_updates=False,
    )
    found = found if isinstance(found, (list, tuple)) else [found]
    n = len(initial)
    return [state[-1] for state in found[:n]], list(found[n:])


def substitute(outputs, replacements):
    """Rewrite expressions with some of their variables replaced.

    Parameters
    ----------
    outputs : list of Theano variables
    replacements : dict of Theano variable to Theano variable
        Shared variables may be replaced as well.

    Returns
    -------
    list of Theano variables

    Examples
    --------
    >>> x = T.dscalar("x")
    >>> (y,) = substitute([x**2], {x: T.constant(3.0, dtype="float64")})
    >>> float(theano.function([], y)())
    9.0
    """
    from pytensor.graph.replace import clone_replace

    return clone_replace(outputs, replace=replacements)


def row_window(data, start, length):
    """Take `length` rows of `data` from row `start` on, the number of rows being known.

    Parameters
    ----------
    data : Theano variable, shape (N, ...)
    start : Theano integer scalar
        0..N - length; the JAX linker takes the nearest of these for any other.
    length : int

    Returns
    -------
    Theano variable, shape (length, ...)

    Examples
    --------
    >>> start = T.lscalar("start")
    >>> f = theano.function([start], row_window(T.arange(10), start, 3))
    >>> f(4).tolist()
    [4, 5, 6]
    """
    if linker() != "jax":
        return data[start : start + length]
    _teach_jax_windows()
    window = Window(length)
    start = T.as_tensor_variable(start)
    pixels = getattr(data.tag, "bytes", None)
    if pixels is None:
        return window(data, start)
    # The rows are copied anyway; from bytes that is faster, and k/256 is exact in any floatX.
    return T.cast(window(pixels, start), data.dtype) * as_scalar(1 / 256, data.dtype)


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


def _aligned_copy(array):
    """Copy into memory that begins on a boundary of `_ALIGNMENT` bytes."""
    memory = np.empty(array.nbytes + _ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _apply_flagged_device():
    """Do what ``THEANO_FLAGS=device=...`` asks: cuda, cuda0 and gpu mean the GPU through JAX."""
    if _flagged_device is not None:
        set_device("gpu" if _flagged_device.startswith(("cuda", "gpu")) else _flagged_device)


_apply_flagged_device()
