"""The page's code blocks run as they are printed there, slips corrected, on every linker.

Each test holds a block's code in the page's order and names, with what a correction
changes said beside it. The last part is the page as a whole: one training script.
"""

import copy
import gzip
import pickle

import numpy
import pytest

import dlt
from dlt import T, load_data, shared_dataset, theano
from dlt.datasets import _find_digits


@pytest.fixture(scope="module")
def digits():
    return load_data("digits")


def test_mnist_dataset():
    """Section "MNIST Dataset": the file opens as the page opens its own."""
    f = gzip.open(_find_digits(), "rb")
    train_set, _valid_set, _test_set = pickle.load(f)  # cPickle is Python 2's name
    f.close()
    assert train_set[0].shape == (1200, 784) and train_set[1].shape == (1200,)


def test_shared_variables(digits, linker, floatX):
    train_set, valid_set, test_set = digits
    test_set_x, _test_set_y = shared_dataset(test_set)
    _valid_set_x, _valid_set_y = shared_dataset(valid_set)
    train_set_x, train_set_y = shared_dataset(train_set)
    batch_size = 500
    data = train_set_x[1 * batch_size : 2 * batch_size]
    label = train_set_y[1 * batch_size : 2 * batch_size]
    x, y = theano.function([], [data, label])()
    numpy.testing.assert_array_equal(y, train_set[1][500:1000])
    assert x.shape == (500, 784) and test_set_x.get_value().shape == (300, 784)


@pytest.fixture
def model():
    x, y = T.matrix("x"), T.ivector("y")
    classifier = dlt.LogisticRegression(x, n_in=784, n_out=10)
    return x, y, classifier, classifier.p_y_given_x


def test_losses(linker, floatX, model, digits):
    x, y, classifier, p_y_given_x = model
    # the page leaves out axis=1
    zero_one_loss = T.sum(T.neq(T.argmax(p_y_given_x, axis=1), y))
    NLL = -T.sum(T.log(p_y_given_x)[T.arange(y.shape[0]), y])
    ours = dlt.zero_one_loss(p_y_given_x, y), dlt.negative_log_likelihood(p_y_given_x, y)
    rng = numpy.random.default_rng(1)
    classifier.W.set_value(rng.normal(0, 1, (784, 10)).astype(floatX))
    f = theano.function([x, y], [zero_one_loss, NLL, *ours])
    values = f(digits[1][0].astype(floatX), digits[1][1].astype("int32"))
    assert int(values[0]) == int(values[2]) > 0
    numpy.testing.assert_allclose(values[1], values[3], rtol=1e-6)


def test_minibatch_stochastic_gradient_descent(linker, floatX, model, digits):
    x_batch, y_batch, classifier, p_y_given_x = model
    params, learning_rate = classifier.params, 0.01
    L1 = T.sum(abs(classifier.W))
    L2_sqr = T.sum(classifier.W**2)
    NLL = -T.sum(T.log(p_y_given_x)[T.arange(y_batch.shape[0]), y_batch])
    lambda_1 = lambda_2 = numpy.asarray(0.001, floatX)
    loss = NLL + lambda_1 * L1 + lambda_2 * L2_sqr  # the page adds L2, which it never defines
    d_loss_wrt_params = T.grad(loss, params)
    # the page pairs the two lists as wholes
    updates = [
        (param, param - T.cast(learning_rate, param.dtype) * d_loss)
        for param, d_loss in zip(params, d_loss_wrt_params)
    ]
    MSGD = theano.function([x_batch, y_batch], loss, updates=updates)
    x, y = digits[0][0].astype(floatX), digits[0][1].astype("int32")
    train_batches = [(x[i : i + 20], y[i : i + 20]) for i in range(0, len(x), 20)]
    losses = [float(MSGD(*batch)) for _ in range(2) for batch in train_batches]
    assert numpy.mean(losses[-60:]) < 0.5 * numpy.mean(losses[:60])


def minibatch_sgd(model, train_set, batch_size, learning_rate):
    """Compile the page's minibatch SGD by index: its function, and what moves the index."""
    x, y, classifier, p_y_given_x = model
    train_set_x, train_set_y = train_set
    index = T.lscalar("index")
    cost = -T.mean(T.log(p_y_given_x)[T.arange(y.shape[0]), y])
    g_W, g_b = T.grad(cost, classifier.W), T.grad(cost, classifier.b)
    learning_rate = numpy.asarray(learning_rate, theano.config.floatX)
    updates = [
        (classifier.W, classifier.W - learning_rate * g_W),
        (classifier.b, classifier.b - learning_rate * g_b),
    ]
    return theano.function(
        inputs=[index],
        outputs=cost,
        updates=updates,
        givens={
            x: train_set_x[index * batch_size : (index + 1) * batch_size],
            y: train_set_y[index * batch_size : (index + 1) * batch_size],
        },
    )


def test_minibatch_sgd_by_index(linker, floatX, model, digits):
    x, y, classifier, p_y_given_x = model
    initial = dlt.get_values(classifier.params)
    by_hand = minibatch_sgd(model, shared_dataset(digits[0]), 20, 0.13)
    found = [float(by_hand(index)) for index in range(60)]
    dlt.set_values(classifier.params, initial)
    NLL = dlt.negative_log_likelihood(p_y_given_x, y, reduction="mean")
    ours = dlt.minibatch_step(NLL, classifier.params, 0.13, [x, y])
    data_x, data_y = digits[0][0].astype(floatX), digits[0][1].astype("int32")
    expected = [float(ours(data_x[i : i + 20], data_y[i : i + 20])) for i in range(0, 1200, 20)]
    numpy.testing.assert_allclose(found, expected, rtol=1e-5)


def update(param):
    """Let the engine change a parameter, so that it holds what the engine stores."""
    theano.function([], updates=[(param, param + T.cast(0.5, param.dtype))])()


def test_early_stopping_keeps_copies(linker, floatX, model):
    _, _, classifier, _ = model
    params = classifier.params
    update(classifier.b)
    best_params = copy.deepcopy(params)
    update(classifier.b)
    assert [param.name for param in best_params] == ["W", "b"]
    numpy.testing.assert_array_equal(best_params[1].get_value(), numpy.full(10, 0.5))
    numpy.testing.assert_array_equal(params[1].get_value(), numpy.ones(10))


def test_saving_and_loading(linker, floatX, model, tmp_path):
    _, _, classifier, _ = model
    w, v = classifier.params
    update(w)
    save_file = open(tmp_path / "path.pkl", "wb")
    pickle.dump(w.get_value(borrow=True), save_file, -1)
    pickle.dump(v.get_value(borrow=True), save_file, -1)
    save_file.close()
    w.set_value(numpy.zeros((784, 10), dtype=theano.config.floatX))
    save_file = open(tmp_path / "path.pkl", "rb")  # the page opens it as text
    w.set_value(pickle.load(save_file), borrow=True)
    v.set_value(pickle.load(save_file), borrow=True)
    save_file.close()
    numpy.testing.assert_array_equal(w.get_value(), numpy.full((784, 10), 0.5))


# --- slips that only show beside their correction ------------------------------------------------


def losses_of_rows(p_y_given_x, labels, reduction):
    """Return dlt's two losses of hand-made rows of probabilities."""
    p, y = T.matrix("p_y_given_x"), T.ivector("y")
    of_p = 1 * p  # an expression, but no softmax
    losses = [loss(of_p, y, reduction) for loss in (dlt.negative_log_likelihood, dlt.zero_one_loss)]
    rows = numpy.asarray(p_y_given_x, dtype=theano.config.floatX)
    return theano.function([p, y], losses)(rows, numpy.asarray(labels, dtype="int32"))


def test_sums_and_labels_end_one_before_their_number():
    # The page sums over i = 0..|D|, and has labels 0..L. Of three examples of label 1, the
    # first and the last are taken for a 0; log 4 + log 4/3 + log 8 = log 128/3.
    NLL, errors = losses_of_rows([[0.75, 0.25], [0.25, 0.75], [0.875, 0.125]], [1, 1, 1], "sum")
    assert float(NLL) == pytest.approx(numpy.log(128 / 3), rel=1e-6)
    assert int(errors) == 2
    classifier, y = dlt.LogisticRegression(T.matrix("x"), n_in=784, n_out=10), T.ivector("y")
    assert classifier.b.get_value().shape == (10,)  # entries 0..9: a label 10 would have none
    loss = dlt.negative_log_likelihood(classifier.p_y_given_x, y)
    with pytest.raises(dlt.DataError, match="found label 10 in row 0; expected labels from 0 to"):
        dlt.train(classifier, y, loss, [([[0.0] * 784], [10])] * 3, batch_size=1)


def test_the_right_label_s_entry_is_taken_from_each_row():
    # The page's comment says that arange gives [0,1,2,...,len(y)]: an index too many.
    p_y_given_x = [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.25, 0.5, 0.25]]
    NLL, errors = losses_of_rows(p_y_given_x, [2, 0, 1], "none")
    numpy.testing.assert_allclose(NLL, numpy.log([4, 8, 2]), rtol=1e-6)
    assert errors.tolist() == [1, 1, 0]


def test_training_on_one_piece_after_another_is_training_on_the_whole(model, digits):
    # The page's note for data too large for the GPU, set right: a shared variable holds a piece
    # of several minibatches, and set_value puts the next one in.
    x, y, classifier, p_y_given_x = model
    data_x, data_y = (array.astype(theano.config.floatX) for array in digits[0])
    loss = dlt.negative_log_likelihood(p_y_given_x, y, reduction="mean")
    initial = dlt.get_values(classifier.params)

    def step_over(train_set):
        return dlt.minibatch_gradient_descent(loss, classifier.params, 0.13, x, y, train_set, 20)

    step = step_over(shared_dataset((data_x, data_y)))
    whole = [float(step(index)) for index in range(60)]
    dlt.set_values(classifier.params, initial)
    shared_x, shared_y = shared_dataset((data_x[:400], data_y[:400]))
    step, by_pieces = step_over((shared_x, shared_y)), []
    for start in (0, 400, 800):
        shared_x.set_value(data_x[start : start + 400])
        shared_y.owner.inputs[0].set_value(data_y[start : start + 400])
        by_pieces += [float(step(index)) for index in range(20)]
    numpy.testing.assert_allclose(by_pieces, whole, rtol=1e-4)


# --- the whole page ------------------------------------------------------------------------------


def the_page_s_shared_dataset(data_xy):
    data_x, data_y = data_xy
    shared_x = theano.shared(numpy.asarray(data_x, dtype=theano.config.floatX))
    shared_y = theano.shared(numpy.asarray(data_y, dtype=theano.config.floatX))
    return shared_x, T.cast(shared_y, "int32")


@pytest.mark.slow
@pytest.mark.parametrize("linker", ["jax", "c"], indirect=True)  # those that compile in seconds
@pytest.mark.parametrize("floatX", ["float32"], indirect=True)
def test_the_page_s_training_script_gives_the_published_numbers(linker, floatX, mnist_folder):
    f = gzip.open(mnist_folder + "/mnist.pkl.gz", "rb")
    datasets = pickle.load(f, encoding="latin1")  # written by Python 2
    f.close()
    train_set, valid_set, test_set = map(the_page_s_shared_dataset, datasets)
    batch_size = 600
    n_train_batches = 50000 // batch_size
    n_valid_batches = n_test_batches = 10000 // batch_size

    x, y, index = T.matrix("x"), T.ivector("y"), T.lscalar("index")
    classifier = dlt.LogisticRegression(x, n_in=28 * 28, n_out=10)
    model = x, y, classifier, classifier.p_y_given_x
    train_model = minibatch_sgd(model, train_set, batch_size, learning_rate=0.13)

    def errors_on(data_set):
        data_x, data_y = data_set
        return theano.function(
            inputs=[index],
            outputs=T.sum(T.neq(T.argmax(classifier.p_y_given_x, axis=1), y)),
            givens={
                x: data_x[index * batch_size : (index + 1) * batch_size],
                y: data_y[index * batch_size : (index + 1) * batch_size],
            },
        )

    validate_model, test_model = errors_on(valid_set), errors_on(test_set)

    n_epochs = 1000
    patience = 5000  # minibatch updates; the page's comment says examples
    patience_increase = 2
    improvement_threshold = 0.995
    validation_frequency = min(n_train_batches, patience // 2)  # the page's / makes a float
    best_params = None
    best_validation_loss = numpy.inf
    done_looping = False
    epoch = 0
    while (epoch < n_epochs) and (not done_looping):
        epoch = epoch + 1
        for minibatch_index in range(n_train_batches):
            train_model(minibatch_index)
            iter = (epoch - 1) * n_train_batches + minibatch_index
            if (iter + 1) % validation_frequency == 0:
                n_errors = sum(int(validate_model(i)) for i in range(n_valid_batches))
                this_validation_loss = n_errors / (n_valid_batches * batch_size)
                if this_validation_loss < best_validation_loss:
                    if this_validation_loss < best_validation_loss * improvement_threshold:
                        patience = max(patience, iter * patience_increase)
                    best_params = copy.deepcopy(classifier.params)
                    best_validation_loss = this_validation_loss
            if patience <= iter:
                done_looping = True
                break
    # the page's postcondition, and its last section: the best model, tested once
    for param, best in zip(classifier.params, best_params):
        param.set_value(best.get_value())
    n_errors = sum(int(test_model(i)) for i in range(n_test_batches))
    assert (best_validation_loss, epoch) == (720 / 9600, 74)  # 7.500000 %
    assert n_errors == 719  # of 9600: 7.489583 %
