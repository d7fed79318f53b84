"""dlt itself, on one of its linkers: an epoch is one stretch of compiled updates."""

from peers import LEARNING_RATE, check_loss, sizes


def prepare(datasets, batch_size, device, linker):
    """Return a function that trains one epoch and returns the number of validation errors."""
    import dlt
    from dlt import engine

    engine.set_linker(linker)
    engine.set_floatX("float32")
    engine.set_device(device)
    train_set, valid_set = (dlt.shared_dataset(data_set) for data_set in datasets)
    n_train_batches = len(datasets[0][1]) // batch_size
    x, y = dlt.T.matrix("x"), dlt.T.ivector("y")
    classifier = dlt.LogisticRegression(x, *sizes(datasets[0]))
    loss = dlt.negative_log_likelihood(classifier.p_y_given_x, y, reduction="mean")
    updates = dlt.gradient_updates(loss, classifier.params, LEARNING_RATE)
    run_stretch = dlt.minibatch_stretch(loss, updates, x, y, train_set, batch_size)
    errors = dlt.zero_one_loss(classifier.p_y_given_x, y, reduction="none")
    count_errors = dlt.error_counter(x, y, errors, valid_set, batch_size)
    n_updates = 0

    def epoch():
        nonlocal n_updates
        losses = run_stretch(n_updates, n_train_batches)
        n_updates += n_train_batches
        check_loss(float(losses.sum()))
        return count_errors().n_errors

    return epoch
