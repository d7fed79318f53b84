"""JAX by hand: an epoch is one compiled ``lax.scan``; W is stored as (L, D), the better layout."""

import functools

from peers import LEARNING_RATE, Unavailable, check_loss, sizes, whole_minibatches


def prepare(datasets, batch_size, device):
    """Return a function that trains one epoch and returns the number of validation errors."""
    import jax
    import jax.numpy as jnp

    if device == "gpu" and jax.default_backend() != "gpu":
        raise Unavailable("JAX found no GPU")
    train_set, valid_set = datasets
    n_in, n_out = sizes(train_set)
    train_epoch, count_errors = _compiled()
    batches = [jnp.asarray(a) for a in _narrow(whole_minibatches(train_set, batch_size))]
    valid = [jnp.asarray(a) for a in _narrow(valid_set)]
    params = (jnp.zeros((n_out, n_in), jnp.float32), jnp.zeros(n_out, jnp.float32))

    def epoch():
        nonlocal params
        params, total = train_epoch(params, *batches)
        n_errors = int(count_errors(params, *valid))
        check_loss(float(total))
        return n_errors

    return epoch


def _compiled():
    import jax
    import jax.numpy as jnp

    def scores(params, x):
        W, b = params
        return x @ W.T + b  # (B, L)

    def mean_nll(params, x, y):
        log_p = jax.nn.log_softmax(scores(params, x))
        return -jnp.mean(jnp.take_along_axis(log_p, y[:, None], axis=1))

    @functools.partial(jax.jit, donate_argnums=0)
    def train_epoch(params, x, y):
        def step(params, index):
            loss, gradients = jax.value_and_grad(mean_nll)(params, x[index], y[index])
            move = functools.partial(jax.tree.map, lambda p, g: p - LEARNING_RATE * g)
            return move(params, gradients), loss

        params, losses = jax.lax.scan(step, params, jnp.arange(len(x)))
        return params, losses.sum()

    @jax.jit
    def count_errors(params, x, y):
        return jnp.sum(scores(params, x).argmax(axis=1) != y)

    return train_epoch, count_errors


def _narrow(pair):
    """Return x and y with labels of 32 bits, JAX's default."""
    return pair[0], pair[1].astype("int32")
