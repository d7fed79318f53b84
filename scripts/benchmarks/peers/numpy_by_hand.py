"""numpy by hand: buffers made once, every operation in place, two matrix products a minibatch.

Scores are kept as (L, B): reductions over the labels then run along whole rows, and the BLAS is
fast at both products, ``W x'`` and ``g x``. It uses its own threads.
"""

import numpy as np

from peers import LEARNING_RATE, check_loss, sizes, whole_minibatches


def prepare(datasets, batch_size, device):
    """Return a function that trains one epoch and returns the number of validation errors."""
    train_set, (valid_x, valid_y) = datasets
    n_in, n_out = sizes(train_set)
    batches_x, batches_y = whole_minibatches(train_set, batch_size)
    onehot = np.equal(batches_y[:, None, :], np.arange(n_out)[:, None]).astype(np.float32)
    W = np.zeros((n_out, n_in), np.float32)
    b = np.zeros((n_out, 1), np.float32)
    step = _step(W, b, batch_size)

    def epoch():
        check_loss(sum(step(x, t) for x, t in zip(batches_x, onehot)))
        scores = np.dot(W, valid_x.T)
        scores += b
        return int(np.count_nonzero(scores.argmax(axis=0) != valid_y))

    return epoch


def _step(W, b, batch_size):
    """Return the function of one update, which changes W and b in place."""
    n_out, n_in = W.shape
    scores = np.empty((n_out, batch_size), np.float32)
    largest = np.empty(batch_size, np.float32)
    total = np.empty(batch_size, np.float32)
    grad_W = np.empty((n_out, n_in), np.float32)
    grad_b = np.empty((n_out, 1), np.float32)
    rate = np.float32(LEARNING_RATE / batch_size)

    def step(x, onehot):
        np.dot(W, x.T, out=scores)  # (L, B)
        np.add(scores, b, out=scores)
        np.maximum.reduce(scores, axis=0, out=largest)
        np.subtract(scores, largest, out=scores)
        of_labels = np.vdot(scores, onehot)
        np.exp(scores, out=scores)
        np.add.reduce(scores, axis=0, out=total)
        np.divide(scores, total, out=scores)
        np.subtract(scores, onehot, out=scores)
        np.multiply(scores, rate, out=scores)  # few numbers here, many in the gradient
        np.dot(scores, x, out=grad_W)  # (L, D)
        np.add.reduce(scores, axis=1, out=grad_b, keepdims=True)
        np.subtract(W, grad_W, out=W)
        np.subtract(b, grad_b, out=b)
        np.log(total, out=total)
        return (float(np.add.reduce(total)) - float(of_labels)) / batch_size

    return step
