"""A recipe with which candidates fail, for processes that import it."""

import os

from dlt.selection.recipes import Prepared, logistic_regression


def perilous(train_set, valid_set, batch_size=None):
    """Prepare logistic regression whose process, with ``end="dies"``, does so at the start.

    Starts are noted in the file that the environment calls STARTS.
    """
    trainer, start = logistic_regression(train_set, valid_set, batch_size)

    def begin(seed, end):
        with open(os.environ["STARTS"], "a") as file:
            file.write(end + "\n")
        if end == "dies":
            os._exit(1)
        if end == "raises":
            raise RuntimeError("no\nway")
        return start(seed=seed)

    return Prepared(trainer, begin)
