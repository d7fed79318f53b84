"""The engine: the only package that imports PyTensor or Theano.

All other code writes ``from dlt import theano, T`` and uses Theano as the page does. The
functions below are all that `dlt` needs from an engine; ``_pytensor`` and ``_theano`` implement
them under the same names. docs/engines.md lists how the two differ for users.

Source: page "Getting Started", sections "Theano/Python Tips" and "Notation".
"""

from __future__ import annotations

import importlib
import numbers
import os
import threading
from typing import Any, Callable, Sequence

import numpy as np

from dlt.arrays import aligned_copy
from dlt.checks import one_of
from dlt.engine import flags
from dlt.engine._loading import FLOAT_TYPES, logger
from dlt.engine._machine import VARIABLES as VARIABLES
from dlt.engine._machine import cores as cores
from dlt.errors import EngineError, SettingsError

_engine = importlib.import_module("dlt.engine._" + flags.choose_engine(os.environ))

theano: Any = _engine.theano
T: Any = theano.tensor

#: "PyTensor" or "Theano".
NAME: str = _engine.NAME

#: Name and version.
VERSION = f"{NAME} {theano.__version__}"

#: The linkers of this engine, best first.
LINKERS: tuple[str, ...] = _engine.LINKERS

#: Where functions may run.
DEVICES = ("auto", "cpu", "gpu")


def describe() -> str:
    """Return engine, linker, device and floatX in one line."""
    return f"{VERSION}, {linker()} linker, {device()}, floatX={theano.config.floatX}"


def versions() -> dict[str, str]:
    """Return the software and settings that the last bit of a result depends on.

    These are ``engine``, ``linker``, ``optimizer``, ``floatX``, and the versions of the libraries
    that compute. `machine` returns the rest.
    """
    return dict(
        _engine.libraries(),
        engine=VERSION,
        linker=linker(),
        optimizer=theano.config.optimizer,
        floatX=theano.config.floatX,
    )


def machine() -> dict[str, str]:
    """Return the facts about this machine that the rounding of results depends on.

    These are the device and, if the linker depends on them, the number of threads, the
    instructions of the processor, the mathematical libraries that are not part of `versions`,
    and flags. Values that an environment variable can set have its name: ``NPROC`` is the number
    of JAX's threads, ``OPENBLAS_NUM_THREADS`` that of the other linkers.
    """
    return dict(_engine.machine(), device=device())


def linker() -> str:
    """Return the name of the linker, which turns graphs into programs.

    It is one of `LINKERS`, unless the flags chose another, such as ``"python"`` for Theano
    without a compiler.
    """
    return _engine.linker()


def set_linker(name: str) -> None:
    """Choose the linker for every function compiled from now on.

    Parameters
    ----------
    name : {"jax", "numba", "c"}

    Raises
    ------
    EngineError
        The engine does not have this linker, or something that the linker needs is missing.
    """
    one_of("linker", name, ("jax", "numba", "c"))
    if name not in LINKERS:
        found = f"{name!r}, which {VERSION} does not have"
        remedy = "PyTensor has it (Python 3.11 or newer)"
        raise EngineError("linker", found, " or ".join(LINKERS), remedy)
    _engine.set_linker(name)


def device() -> str:
    """Return where functions run: ``"cpu"``, or ``"gpu"`` followed by its model."""
    return _engine.device()


def set_device(name: str) -> None:
    """Choose where functions run. Only PyTensor's JAX linker can use a GPU.

    Call this before you make shared variables: data that is on a device stays there.

    Parameters
    ----------
    name : {"auto", "cpu", "gpu"}
        ``"auto"`` uses a GPU if JAX finds one, else the CPU.

    Raises
    ------
    EngineError
        `name` is ``"gpu"``, but there is no GPU, or the linker is not JAX.
    """
    one_of("device", name, DEVICES)
    _engine.set_device(name)


def set_floatX(floatX: str) -> None:
    """Choose the dtype of all arrays and symbolic variables made from now on.

    Call this before you make the first symbolic variable. A function works only with the floatX
    that it was compiled with.

    Parameters
    ----------
    floatX : {"float32", "float64"}

    Examples
    --------
    >>> before = theano.config.floatX
    >>> set_floatX("float32")
    >>> T.matrix("x").dtype
    'float32'
    >>> set_floatX(before)
    """
    one_of("floatX", floatX, FLOAT_TYPES)
    theano.config.floatX = floatX
    _engine.floatX_changed()


def turns(lock: Callable[[], Any] = threading.RLock) -> Callable[[], Any]:
    """Return a function that returns a lock, with which threads take turns.

    Each process gets its own lock. A fork would wait forever for one that a thread of its parent
    holds.
    """
    locks: dict[int, Any] = {}
    return lambda: locks.setdefault(os.getpid(), lock())


# While an engine compiles, it changes its settings and then restores them.
_compiling = turns()


def function(inputs: list, output: Any, **options: Any) -> Callable:
    """Compile a function with ``theano.function``, which only one thread at a time may call."""
    with _compiling():
        return theano.function(inputs, output, **options)


class Compiled:
    """A function that is compiled when it is first called, and that threads may share.

    Copies and pickles do not contain the compiled function, which is valid in one process only.

    Parameters
    ----------
    inputs : list of Theano variables
    output : Theano variable

    Examples
    --------
    >>> x = T.dscalar("x")
    >>> square = Compiled([x], x**2)
    >>> float(square(3.0))
    9.0
    """

    def __init__(self, inputs: list, output: Any) -> None:
        self._expression = inputs, output
        self._turn, self._function = turns(), None

    def __call__(self, *values):
        """Return the value of the output, as a numpy array."""
        with self._turn():
            if self._function is None:
                with _compiling():
                    function = theano.function(*self._expression)
                    function(*values)  # some parts are compiled by this call
                self._function = function
            return np.asarray(self._function(*values))

    def __reduce__(self):
        return Compiled, self._expression


def as_scalar(value, dtype: str):
    """Return a number or a symbolic scalar as a symbolic scalar of a float dtype.

    A Python or numpy float would turn a float32 expression into float64.
    """
    if isinstance(value, numbers.Real):
        return T.constant(np.asarray(value, dtype=dtype))
    return T.cast(value, dtype)


def softmax(scores):
    """Return the softmax of each row of scores: probabilities that add up to 1.

    Parameters
    ----------
    scores : Theano matrix, shape (B, L)
        Any finite values: the largest of each row is subtracted first.
    """
    return _engine.softmax(scores)


def log_probability(p_y_given_x):
    """Return the natural logarithm of probabilities.

    The logarithm of a softmax is computed from its scores. ``T.log(softmax(scores))`` would be
    -inf for a probability that is too small for floatX, unless a graph optimizer repairs it.

    Parameters
    ----------
    p_y_given_x : Theano matrix, shape (B, L)

    Examples
    --------
    >>> scores = T.matrix("scores")
    >>> f = theano.function([scores], log_probability(softmax(scores)))
    >>> f(np.asarray([[1e4, -1e4]], dtype=theano.config.floatX)).tolist()
    [[0.0, -20000.0]]
    """
    return _engine.log_probability(p_y_given_x)


def shared_resident(
    array: np.ndarray, name: str | None = None, borrow: bool = True, compact: bool = False
):
    """Return a shared variable whose array stays where the engine computes.

    Theano copied a shared variable to the GPU once. PyTensor passes a numpy array to JAX at every
    call, and JAX copies it unless it is on the CPU and starts on a 64-byte boundary. Here the
    array goes to the device once, and again at each ``set_value``.

    Parameters
    ----------
    array : ndarray
    name : str
        Name of the shared variable.
    borrow : bool
        Whether the shared variable may use the memory of `array`.
    compact : bool
        Whether to keep the values as bytes too, if all are k/256, k = 0..255. `row_window` and
        `take_rows` then read a quarter or an eighth of the memory, but ``set_value`` accepts only
        such values.
    """
    return _engine.shared_resident(array if borrow else aligned_copy(array), name, compact)


def shared_copy(variable):
    """Return a new shared variable with the type, the name and a copy of the value of another."""
    return _engine.shared_copy(variable)


def leaves(outputs: list) -> list:
    """Return the symbolic inputs and shared variables in some expressions, each once."""
    found = (v for v in _engine.ancestors(outputs) if v.owner is None and not hasattr(v, "data"))
    return list(dict.fromkeys(found))


def substitute(outputs: list, replacements: dict) -> list:
    """Return expressions with some of their variables replaced, shared variables included.

    Examples
    --------
    >>> x = T.dscalar("x")
    >>> (y,) = substitute([x**2], {x: T.constant(3.0, dtype="float64")})
    >>> float(theano.function([], y)())
    9.0
    """
    return _engine.substitute(outputs, replacements)


def row_window(data, start, length: int):
    """Return `length` rows of `data` from row `start` on.

    Parameters
    ----------
    data : Theano variable, shape (N, ...)
    start : Theano integer scalar
        0..N - length; the JAX linker clips any other.
    length : int
    """
    return _engine.row_window(data, start, length)


def take_rows(data, rows):
    """Return rows of `data` by their numbers, in any order.

    Parameters
    ----------
    data : Theano variable, shape (N, ...)
    rows : Theano vector, int32, shape (B,)
        0..N-1.
    """
    return _engine.take_rows(data, rows)


def index_loop(step: Callable[..., list], state: Sequence = ()) -> Callable:
    """Compile a loop over indices.

    PyTensor runs the loop inside the compiled function. Theano calls a compiled function for
    each index, which is faster there. The results do not depend on how many indices each call
    receives.

    Parameters
    ----------
    step : callable
        ``step(index, *values)`` returns a list of expressions: the new values of `state`,
        then one scalar output. Random variables are refused.
    state : sequence of shared variables
        The variables that the loop updates. Their present values are the `values` of `step`.

    Returns
    -------
    callable
        ``run(indices)`` goes through a sequence of integers, updates `state`, and returns an
        array of the outputs. ``run.compiled`` is the Theano function.

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

    with _compiling():
        return _engine.index_loop(step_without_draws, list(state))


def refuse_draws(outputs: list) -> None:
    """Raise a SettingsError if expressions contain random variables: a loop would repeat draws.

    Random variables come from a generator, or from a shared variable with a ``default_update``,
    with which random streams advance.
    """

    def is_generator(variable):
        advances = getattr(variable, "default_update", None) is not None
        return advances or isinstance(variable.type, _engine.RandomType)

    found = sorted(
        {
            variable.name
            or getattr(variable.owner.op, "name", None)
            or type(variable.owner.op).__name__
            for variable in _engine.ancestors(outputs)
            if variable.owner is not None and any(map(is_generator, variable.owner.inputs))
        }
    )
    if found:
        raise SettingsError(
            "loss or updates",
            f"the random variable {', '.join(map(repr, found))}",
            "none, as its draws would repeat within a compiled loop",
            "call minibatch_gradient_descent's step for each minibatch instead",
        )


_flagged = flags.device(os.environ)
if _flagged is not None:
    set_device("gpu" if flags.is_gpu(_flagged) else _flagged)
    if flags.is_gpu(_flagged) and set("123456789") & set(_flagged):
        logger.warning(
            f"THEANO_FLAGS: found device={_flagged}; dlt uses the first GPU; "
            "set CUDA_VISIBLE_DEVICES for another one"
        )
