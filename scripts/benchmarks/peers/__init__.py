"""The competitors of ``scripts/benchmarks/benchmark.py``, and what they share.

Each competitor's module does the same work: softmax regression by minibatch SGD, with W and b zero
at the start, whole minibatches in the order of the data, mean negative log-likelihood, and float32.
It has one function::

    epoch = prepare(datasets, batch_size, device)   # some take another option
    n_errors = epoch()                              # trains one epoch, validates

``datasets`` are the training and the validation set, (x, y) pairs of numpy arrays: x float32,
shape (N, D); y int64, shape (N,). ``epoch`` reads the number of errors and the sum of the losses,
and so waits until a GPU has finished.

The other modules: `worker` is a competitor's process, `race` starts and times such processes,
`report` presents the times, and `machine` describes the computer.
"""

import importlib.util
import math
from typing import Any, Dict, NamedTuple, Tuple

LEARNING_RATE = 0.13


class Peer(NamedTuple):
    """A competitor, before it runs.

    Fields
    ------
    title : str
        Its name in the table.
    module : str
        The module with its `prepare`.
    requires : tuple of str
        Modules that it imports; the table shows their versions.
    options : dict
        Further arguments for `prepare`.
    gpu : bool
        Whether it can run on a GPU.
    same_work : bool
        False: it does something else, and its errors are not compared.
    """

    title: str
    module: str
    requires: Tuple[str, ...]
    options: Dict[str, Any] = {}
    gpu: bool = False
    same_work: bool = True


_DLT = ("pytensor", "numpy")

#: Every competitor by name, in the order of the table.
PEERS = {
    "dlt_jax": Peer("dlt, jax linker", "dlt_stretch", (*_DLT, "jax"), {"linker": "jax"}, gpu=True),
    "dlt_numba": Peer("dlt, numba linker", "dlt_stretch", (*_DLT, "numba"), {"linker": "numba"}),
    "dlt_c": Peer("dlt, c linker", "dlt_stretch", _DLT, {"linker": "c"}),
    "dlt_theano": Peer("dlt, Theano", "dlt_stretch", ("theano", "numpy"), {"linker": "c"}),
    "numpy_by_hand": Peer("numpy by hand", "numpy_by_hand", ("numpy",)),
    "pytorch": Peer("PyTorch eager", "pytorch", ("torch",), gpu=True),
    "pytorch_compile": Peer("PyTorch, torch.compile", "pytorch_compile", ("torch",), gpu=True),
    "jax_scan": Peer("JAX, lax.scan", "jax_scan", ("jax", "jaxlib"), gpu=True),
    "fused_c": Peer("fused C kernel, 1 thread", "fused_c", ("numpy",)),
    "theano_loop": Peer("Theano, the page's loop", "theano_loop", ("theano",)),
    "scikit_learn": Peer("scikit-learn SGD", "scikit_learn", ("sklearn",), same_work=False),
}


class Unavailable(Exception):
    """A competitor cannot run here, or its process ended; the message says why."""


def why_not(name, device):
    """Return why a competitor cannot run on `device`, or None if nothing is known to be missing.

    Examples
    --------
    >>> why_not("numpy_by_hand", "gpu")
    'runs on the CPU only'
    """
    missing = [m for m in PEERS[name].requires if importlib.util.find_spec(m) is None]
    if missing:
        return f"{' and '.join(missing)} is not installed"
    return "runs on the CPU only" if device == "gpu" and not PEERS[name].gpu else None


def whole_minibatches(data_set, batch_size):
    """Return x and y of shapes (N // B, B, D) and (N // B, B), for minibatches of B examples.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = whole_minibatches((np.zeros((7, 3)), np.zeros(7)), 2)
    >>> x.shape, y.shape
    ((3, 2, 3), (3, 2))
    """
    x, y = data_set
    n = len(y) // batch_size
    return (
        x[: n * batch_size].reshape(n, batch_size, x.shape[1]),
        y[: n * batch_size].reshape(n, batch_size),
    )


def sizes(train_set):
    """Return the number of inputs and of labels, D and L."""
    return train_set[0].shape[1], int(train_set[1].max()) + 1


def check_loss(total):
    """Check the sum of an epoch's losses, which every competitor therefore has to compute."""
    if not math.isfinite(total):
        raise FloatingPointError(f"training diverged: the sum of the losses is {total}")
