"""A kernel in C, ``fused.c``: about as fast as one thread of this processor can be.

gcc builds it for this processor, in a temporary folder.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile

import numpy as np

from peers import LEARNING_RATE, Unavailable, check_loss, sizes

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fused.c")
# The parts of -ffast-math, which itself would make the whole process flush subnormal numbers to 0.
OPTIONS = (
    "-O3 -march=native -fassociative-math -freciprocal-math -fno-signed-zeros "
    "-fno-trapping-math -fno-math-errno -ffinite-math-only -shared -fPIC"
).split()
_VECTOR, _LABELS = 8, 10  # pixels and labels come in multiples of these


def prepare(datasets, batch_size, device):
    """Return a function that trains one epoch and returns the number of validation errors."""
    n_in, n_out = sizes(datasets[0])
    n_columns, n_rows = _round_up(n_in, _VECTOR), _round_up(n_out, _LABELS)
    library = _build(P=n_columns, L=n_out, LP=n_rows)
    (train_x, train_y), (valid_x, valid_y) = (
        (_wide(x, n_columns), np.ascontiguousarray(y, np.int32)) for x, y in datasets
    )
    W, G = (np.zeros((n_rows, n_columns), np.float32) for _ in range(2))
    b, g = (np.zeros(n_rows, np.float32) for _ in range(2))
    n_batches = len(train_y) // batch_size

    def epoch():
        check_loss(
            library.train_epoch(train_x, train_y, n_batches, batch_size, LEARNING_RATE, W, b, G, g)
        )
        return library.count_errors(valid_x, valid_y, len(valid_y), W, b)

    return epoch


def _round_up(n, multiple):
    return -(-n // multiple) * multiple


def _wide(x, n_columns):
    """Add columns of zeros up to a whole number of vectors."""
    return np.ascontiguousarray(np.pad(x, ((0, 0), (0, n_columns - x.shape[1]))), np.float32)


def _build(**sizes):
    if shutil.which("gcc") is None:
        raise Unavailable("gcc is not installed")
    defines = [f"-D{name}={size}" for name, size in sizes.items()]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "fused.so")
        command = ["gcc", *OPTIONS, *defines, "-o", path, SOURCE, "-lm"]
        process = subprocess.run(command, capture_output=True, text=True)
        if process.returncode:
            raise Unavailable(f"gcc failed: {process.stderr.strip().splitlines()[-1]}")
        library = ctypes.CDLL(path)
    floats = np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS")
    labels = np.ctypeslib.ndpointer(np.int32, flags="C_CONTIGUOUS")
    long, real = ctypes.c_long, ctypes.c_float
    library.train_epoch.restype = ctypes.c_double
    library.train_epoch.argtypes = [floats, labels, long, long, real, *[floats] * 4]
    library.count_errors.restype = long
    library.count_errors.argtypes = [floats, labels, long, floats, floats]
    return library
