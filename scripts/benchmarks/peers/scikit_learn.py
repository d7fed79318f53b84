"""scikit-learn's SGDClassifier: other work, for orientation.

It fits one logistic regression for each label against the rest, and updates after every single
example. Its rate is ours divided by the batch size, which makes an epoch about as effective.
"""

import numpy as np

from peers import LEARNING_RATE, sizes, whole_minibatches


def prepare(datasets, batch_size, device):
    """Return a function that trains one epoch and returns the number of validation errors."""
    from sklearn.linear_model import SGDClassifier

    train_set, (valid_x, valid_y) = datasets
    n_in, n_out = sizes(train_set)
    batches_x, batches_y = whole_minibatches(train_set, batch_size)
    x, y = batches_x.reshape(-1, n_in), batches_y.reshape(-1)
    model = SGDClassifier(
        loss="log_loss",
        penalty=None,
        learning_rate="constant",
        eta0=LEARNING_RATE / batch_size,
        shuffle=False,
    )

    def epoch():
        model.partial_fit(x, y, classes=np.arange(n_out))
        return int(np.count_nonzero(model.predict(valid_x) != valid_y))

    return epoch
