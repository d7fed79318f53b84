"""Oracles: what `dlt` should compute, written in plain numpy and plain loops."""

import math

import numpy as np


def softmax(scores):
    exp = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def nll(scores, y):
    """Per-example negative log-likelihoods of a softmax, in float64."""
    shifted = np.asarray(scores, dtype=np.float64) - np.max(scores, axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]


def train_logreg(x, y, n_out, learning_rate, batch_size, n_updates):
    """Minibatch SGD from zero weights, in the order of the data; returns W, b, losses."""
    W, b, losses = np.zeros((x.shape[1], n_out)), np.zeros(n_out), []
    n_train_batches = len(x) // batch_size
    for iteration in range(n_updates):
        start = iteration % n_train_batches * batch_size
        x_batch, y_batch = x[start : start + batch_size], y[start : start + batch_size]
        losses.append(nll(x_batch @ W + b, y_batch).mean())
        g = softmax(x_batch @ W + b)
        g[np.arange(batch_size), y_batch] -= 1
        W, b = W - learning_rate * x_batch.T @ g / batch_size, b - learning_rate * g.mean(axis=0)
    return W, b, np.array(losses)


def page_loop(
    validation_losses,
    n_train_batches,
    n_epochs,
    patience=5000,
    patience_increase=2,
    improvement_threshold=0.995,
):
    """The page's early-stopping loop, one minibatch after another, its slips corrected.

    Takes the losses that successive validations would find; returns what happened:
    the iterations made, those of the validations, the best one, the final patience.
    """
    validation_losses = iter(validation_losses)
    validation_frequency = min(n_train_batches, patience // 2)
    best_validation_loss, best_iteration = math.inf, None
    made, validated = [], []
    epoch, done_looping = 0, False
    while epoch < n_epochs and not done_looping:
        epoch += 1
        for minibatch_index in range(n_train_batches):
            iteration = (epoch - 1) * n_train_batches + minibatch_index
            made.append(iteration)
            if (iteration + 1) % validation_frequency == 0:
                this_validation_loss = next(validation_losses)
                validated.append(iteration)
                if this_validation_loss < best_validation_loss:
                    if this_validation_loss < best_validation_loss * improvement_threshold:
                        patience = max(patience, iteration * patience_increase)
                    best_validation_loss = this_validation_loss
                    best_iteration = iteration
            if patience <= iteration:
                done_looping = True
                break
    return made, validated, best_iteration, patience


def linear(rgb):
    """Colours of sRGB, from 0 to 1, without the gamma."""
    rgb = np.asarray(rgb)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(rgb):
    """Relative luminance of a colour, by WCAG 2."""
    return float(linear(rgb) @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    """Contrast of two colours, 1 to 21, by WCAG 2."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def blobs(*sizes):
    """Return sets of so many points around three centres, each as x, (n, 2), and labels."""
    rng, sets = np.random.default_rng(23455), []
    centres = np.array([[0.2, 0.2], [0.8, 0.3], [0.4, 0.8]])
    for n in sizes:
        y = rng.integers(0, 3, n)
        sets.append((np.clip(centres[y] + rng.normal(0, 0.15, (n, 2)), 0, 0.996), y))
    return sets
