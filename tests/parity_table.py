"""Measure the table of docs/engines.md: one row for each linker and floatX of this engine.

Usage: DLT_DATA=FOLDER python tests/parity_table.py (FOLDER with real MNIST)
"""

import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import reference
from test_parity import LEARNING_RATE, losses_of_two_epochs

import dlt
from dlt import engine


def main():
    for floatX in engine.FLOAT_TYPES:
        engine.set_floatX(floatX)
        sets = dlt.load_data("mnist")
        for linker in engine.LINKERS:
            engine.set_linker(linker)
            name = "{} {}, {}".format(engine.NAME, engine.theano.__version__, linker)
            difference, (valid, test, n_epochs) = largest_difference(sets), published(sets)
            print("| {} | {} | {:.1e} | {} | {} | {} |".format(
                name, floatX, difference, valid, test, n_epochs), flush=True)  # fmt: skip


def largest_difference(sets):
    """Compare the losses of the first two epochs with numpy's in float64, relatively."""
    losses, _, _ = losses_of_two_epochs(sets, 600)
    x, y = np.asarray(sets[0][0], "float64"), sets[0][1]
    _, _, expected = reference.train_logreg(x, y, 10, LEARNING_RATE, 600, len(losses))
    return np.abs(losses / expected - 1).max()


def published(sets):
    """Train the published run; return the two scores and the number of epochs."""
    x, y = dlt.T.matrix("x"), dlt.T.ivector("y")
    classifier = dlt.LogisticRegression(x, 784, 10)
    loss = dlt.negative_log_likelihood(classifier.p_y_given_x, y, reduction="mean")
    result = dlt.train(classifier, y, loss, sets, batch_size=600, drop_last=True)
    return result.best_validation, result.test, result.n_epochs


if __name__ == "__main__":
    main()
