"""The engine: the one module that knows what stands behind ``theano``.

Everything else, the notebooks included, says ``from dlt import theano, T`` and
writes Theano as the page prints it. `theano` is one of two packages:

- PyTensor, the maintained continuation of Theano, with its JAX linker where jax is
  installed: that starts in seconds, while PyTensor's own default (Numba) compiles for
  most of a minute;
- classic Theano 1.0.5, which the page was written for, on the Pythons it still runs on.

Here it is chosen, and here is said what `dlt` asks of either; how each does that is
said in ``_pytensor`` and ``_theano``, which know nothing of one another. The flags of the
environment are `dlt.engine.flags`' business. What differs for their users: docs/engines.md.

Source: page "Getting Started", section "Theano/Python Tips" and "Notation" (the
namespaces ``theano`` and ``T``).
"""

import importlib
import numbers
import os

import numpy as np

from dlt.checks import one_of
from dlt.engine import flags
from dlt.engine._loading import FLOAT_TYPES, logger
from dlt.engine.arrays import aligned_copy
from dlt.errors import EngineError, SettingsError

_engine = importlib.import_module("dlt.engine._" + flags.choose_engine(os.environ))

theano = _engine.theano
T = theano.tensor

#: Which engine runs, as people write it.
NAME = _engine.NAME

#: The linkers that are tested on it, best first.
LINKERS = _engine.LINKERS

#: Where functions may run.
DEVICES = ("auto", "cpu", "gpu")


def describe():
    """Say in one line which engine, linker, device and floatX are in use.

    Examples
    --------
    >>> "floatX=" in describe()
    True
    """
    return (
        f"{NAME} {theano.__version__}, {linker()} linker, {device()}, floatX={theano.config.floatX}"
    )


def versions():
    """Name everything that results depend on to their last bit.

    Returns
    -------
    dict of str to str
        ``engine`` (name and version), ``linker``, ``optimizer``, ``device``, ``floatX``, and
        the versions of the libraries that do the arithmetic.

    Examples
    --------
    >>> versions()["floatX"] == theano.config.floatX
    True
    """
    return dict(
        _engine.libraries(),
        engine=f"{NAME} {theano.__version__}",
        linker=linker(),
        optimizer=theano.config.optimizer,
        device=device(),
        floatX=theano.config.floatX,
    )


def linker():
    """Name what turns graphs into programs.

    Returns
    -------
    str
        ``"jax"``, ``"numba"`` or ``"c"`` on PyTensor, ``"c"`` on Theano, where it is
        ``"python"`` as long as there is no compiler; another if the flags chose it.

    Examples
    --------
    >>> linker() == linker().lower()
    True
    """
    return _engine.linker()


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
        This engine has no such linker, or what the linker needs is not installed.

    Examples
    --------
    >>> before = linker()
    >>> set_linker("c")
    >>> linker()
    'c'
    >>> set_linker(before)
    """
    names = ("jax", "numba", "c")
    one_of("linker", name, names)
    if name not in LINKERS:
        raise EngineError(
            "linker",
            f"{name!r}, which {NAME} {theano.__version__} does not have",
            " or ".join(LINKERS),
            "PyTensor has it (Python 3.11 or newer)",
        )
    _engine.set_linker(name)


def device():
    """Name where functions run: ``"cpu"``, or ``"gpu"`` and what kind it is.

    Examples
    --------
    >>> device().split()[0] in ("cpu", "gpu")
    True
    """
    return _engine.device()


def set_device(name):
    """Choose where functions run. Only PyTensor's JAX linker can use a GPU.

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
    one_of("device", name, DEVICES)
    _engine.set_device(name)


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
        raise SettingsError("floatX", repr(floatX), " or ".join(FLOAT_TYPES))
    theano.config.floatX = floatX
    _engine.floatX_changed()


def as_scalar(value, dtype):
    """Return a number, or a symbolic scalar, in a certain dtype.

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
    return _engine.softmax(scores)


def log_probability(p_y_given_x):
    """Return log P(Y|x), from the scores themselves where `p_y_given_x` is a softmax of them.

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
    return _engine.log_probability(p_y_given_x)


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
    if not borrow:
        array = aligned_copy(array)
    return _engine.shared_resident(array, name, compact)


def shared_copy(variable):
    """Make a shared variable of the same type and name, with a copy of the value of another.

    Parameters
    ----------
    variable : Theano shared variable

    Returns
    -------
    Theano shared variable

    Examples
    --------
    >>> b = theano.shared(np.zeros(2), name="b")
    >>> copy = shared_copy(b)
    >>> copy.set_value(np.ones(2))
    >>> copy.name, b.get_value().tolist()
    ('b', [0.0, 0.0])
    """
    return _engine.shared_copy(variable)


def leaves(outputs):
    """List the variables that expressions are made of, but for constants, each once.

    Parameters
    ----------
    outputs : list of Theano variables

    Returns
    -------
    list of Theano variables
        Symbolic inputs, and shared variables.

    Examples
    --------
    >>> leaves([2 * T.dscalar("x")])
    [x]
    """
    found = (v for v in _engine.ancestors(outputs) if v.owner is None and not hasattr(v, "data"))
    return list(dict.fromkeys(found))


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
    return _engine.substitute(outputs, replacements)


def random_variables(outputs):
    """Name the random variables that expressions depend on.

    A variable counts as random if it comes from a generator, or from a shared variable with a
    ``default_update``: that is how random streams move on.

    Parameters
    ----------
    outputs : list of Theano variables

    Returns
    -------
    list of str
        Sorted; the name of the operation for a variable without a name.

    Examples
    --------
    >>> random_variables([T.exp(T.matrix("x"))])
    []
    """

    def is_generator(variable):
        moves_on = getattr(variable, "default_update", None) is not None
        return moves_on or isinstance(variable.type, _engine.RandomType)

    nodes = ((v.name, v.owner) for v in _engine.ancestors(outputs) if v.owner is not None)
    return sorted(
        {
            name or getattr(node.op, "name", None) or type(node.op).__name__
            for name, node in nodes
            if any(map(is_generator, node.inputs))
        }
    )


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
    return _engine.row_window(data, start, length)


def take_rows(data, rows):
    """Take rows of `data` by their numbers, in any order.

    Parameters
    ----------
    data : Theano variable, shape (N, ...)
    rows : Theano vector, int32, shape (B,)
        0..N-1.

    Returns
    -------
    Theano variable, shape (B, ...)

    Examples
    --------
    >>> rows = T.ivector("rows")
    >>> f = theano.function([rows], take_rows(10 * T.arange(4), rows))
    >>> f(np.asarray([3, 0], dtype="int32")).tolist()
    [30, 0]
    """
    return _engine.take_rows(data, rows)


def index_loop(step, state=()):
    """Compile a loop over indices.

    The loop runs inside the compiled function where the engine is faster so (PyTensor), and
    calls a compiled function for each index where it is not (Theano). The results are the same,
    and do not depend on how a sequence of indices is cut into calls.

    Parameters
    ----------
    step : callable
        ``step(index, *values)`` returns a list of expressions: the new values of `state`,
        and one output, a scalar.
    state : sequence of shared variables
        What the loop changes. `values` stand for theirs.

    Returns
    -------
    callable
        ``run(indices)`` goes through a sequence of integers, updates `state`, and returns an
        array of the outputs. Its ``compiled`` is the Theano function, to look into
        (``theano.printing.debugprint``). Nothing but the indices is sent to the device.

    Raises
    ------
    SettingsError
        An expression has a random variable in it: the loop would not move its generator on.

    Examples
    --------
    >>> total = theano.shared(np.asarray(10, dtype="int64"), name="total")
    >>> run = index_loop(lambda i, so_far: [so_far + i, so_far], [total])
    >>> run([1, 2, 3]).tolist(), int(total.get_value())
    ([10, 11, 13], 16)
    """

    def step_without_draws(index, *values):
        outputs = step(index, *values)
        refuse_draws(outputs)
        return outputs

    return _engine.index_loop(step_without_draws, list(state))


def refuse_draws(outputs):
    """Refuse expressions with random variables in them: a compiled loop would repeat their draws.

    Parameters
    ----------
    outputs : list of Theano variables

    Raises
    ------
    SettingsError
        It names the variables.

    Examples
    --------
    >>> refuse_draws([T.exp(T.matrix("x"))])
    """
    found = random_variables(outputs)
    if found:
        raise SettingsError(
            "loss or updates",
            f"the random variable {', '.join(map(repr, found))}",
            "none, as its draws would repeat within a compiled loop",
            "call minibatch_gradient_descent's step for each minibatch instead",
        )


_flagged_device = flags.device(os.environ)
if _flagged_device is not None:  # cuda, cuda0 and gpu mean the GPU
    set_device("gpu" if flags.is_gpu(_flagged_device) else _flagged_device)
    if flags.is_gpu(_flagged_device) and set("123456789") & set(_flagged_device):
        logger.warning(
            f"THEANO_FLAGS: found device={_flagged_device}; the first GPU is used; "
            "for another one set "
            "CUDA_VISIBLE_DEVICES"
        )
