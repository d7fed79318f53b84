"""Measure the table of docs/engines.md: one row for each linker and floatX of this engine.

Usage: DLT_DATA=FOLDER python tests/parity_table.py (FOLDER with real MNIST)
"""

import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from test_parity import losses_of_two_epochs, reference_run
from test_published import train

import dlt
from dlt import engine


def main():
    sets = dlt.load_data("mnist")
    _, _, expected = reference_run(sets, 600)
    for floatX in engine.FLOAT_TYPES:
        engine.set_floatX(floatX)
        for linker in engine.LINKERS:
            engine.set_linker(linker)
            losses, _, _ = losses_of_two_epochs(sets, 600)
            result = train(sets, drop_last=True)
            row = (
                f"{engine.NAME} {engine.theano.__version__}, {linker}",
                floatX,
                f"{np.abs(losses / expected - 1).max():.1e}",
                *(result.best_validation, result.test, result.n_epochs),
            )
            print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
