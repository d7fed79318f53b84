"""The tutorial's own script on classic Theano: one call for each minibatch, sliced by ``givens``.

Unlike the tutorial's, it validates on the whole validation set.
"""

import numpy as np

from peers import LEARNING_RATE, check_loss, sizes


def prepare(datasets, batch_size, device):
    """Return a function that trains one epoch and returns the number of validation errors."""
    import theano
    import theano.tensor as T

    theano.config.floatX = "float32"
    train_set, valid_set = datasets
    n_in, n_out = sizes(train_set)
    W = theano.shared(np.zeros((n_in, n_out), "float32"), name="W", borrow=True)
    b = theano.shared(np.zeros(n_out, "float32"), name="b", borrow=True)
    x, y = T.matrix("x"), T.ivector("y")
    p_y_given_x = T.nnet.softmax(T.dot(x, W) + b)
    cost = -T.mean(T.log(p_y_given_x)[T.arange(y.shape[0]), y])
    errors = T.sum(T.neq(T.argmax(p_y_given_x, axis=1), y))
    updates = [(param, param - np.float32(LEARNING_RATE) * T.grad(cost, param)) for param in (W, b)]
    train_model = _by_index(cost, (x, y), train_set, batch_size, updates)
    count_errors = _by_index(errors, (x, y), valid_set, batch_size, [])
    n_train_batches = len(train_set[1]) // batch_size
    n_valid_batches = -(-len(valid_set[1]) // batch_size)

    def epoch():
        check_loss(sum(float(train_model(i)) for i in range(n_train_batches)))
        return sum(int(count_errors(i)) for i in range(n_valid_batches))

    return epoch


def _by_index(output, inputs, data_set, batch_size, updates):
    """Compile a function of a minibatch's index; the last minibatch may be a smaller one."""
    import theano
    import theano.tensor as T

    index = T.lscalar("index")
    shared = [theano.shared(np.asarray(a, dtype="float32"), borrow=True) for a in data_set]
    whole = (shared[0], T.cast(shared[1], "int32"))
    givens = {
        variable: data[index * batch_size : (index + 1) * batch_size]
        for variable, data in zip(inputs, whole)
    }
    return theano.function([index], output, updates=updates, givens=givens)
