"""Training: the page's loop around minibatch SGD, patience, testing and saving.

`early_stopping_loop` is the loop alone. It is given functions and numbers, and knows no
model, no engine and no file. `train` builds those functions for a classifier, keeps the
best parameters, and tests them, once, when the loop has ended.

Source: page "Getting Started", sections "Early-Stopping" and "Testing".
"""

import collections
import math
import time

import numpy as np

from dlt.checks import whole_number
from dlt.early_stopping import Patience
from dlt.engine import theano
from dlt.errors import SettingsError
from dlt.evaluation import error_counter
from dlt.history import HistoryRow
from dlt.parameters import get_values, set_values
from dlt.progress import Progress, silent
from dlt.run_folder import RunFolder
from dlt.sgd import check_learning_rate, minibatch_stretch
from dlt.shared import largest_label, n_examples, n_minibatches, shared_datasets

# A stretch of minibatches is cut so that progress is shown about this often, in seconds.
_STRETCH_SECONDS = 0.5
_TRAINING = "the number of training examples"

Stretch = collections.namedtuple("Stretch", "iteration losses score is_best")
Stretch.__doc__ = """Minibatch updates made in one go.

Fields
------
iteration : int
    Minibatch updates made since the beginning, these included.
losses : ndarray, shape (n,)
    Loss of each minibatch before its update.
score : Score or None
    Validation errors, where this stretch ends with a validation.
is_best : bool
    Whether that is the lowest validation error so far.
"""

TrainingResult = collections.namedtuple(
    "TrainingResult",
    "best_params best_iteration best_validation test history n_iterations n_epochs seconds "
    "stopped_by diverged_at",
)
TrainingResult.__doc__ = """What a training run found.

Fields
------
best_params : dict of str to ndarray, or None
    Copies of the parameters with the fewest validation errors; None if training
    diverged before the first validation.
best_iteration : int or None
    Minibatch updates they had seen.
best_validation, test : Score or None
    Their errors on the validation and on the test set.
history : list of HistoryRow
    One row for each validation.
n_iterations : int
    Minibatch updates made.
n_epochs : int
    Epochs begun; patience may cut the last one short.
seconds : float
    Time in the loop, with validations and with what the JAX linker compiles at a first
    call, without testing.
stopped_by : {"patience", "n_epochs", "divergence"}
diverged_at : int or None
    Number (from 1) of the update whose loss was NaN or infinite.
"""


def early_stopping_loop(run_stretch, count_errors, n_train_batches, n_epochs, patience):
    """Run the page's early-stopping loop, a stretch of minibatches at a time.

    The loop stops after exactly the minibatch the page's loop stops after, and validates
    after exactly the same ones: both are known beforehand, so what lies between can be
    left to one call.

    Parameters
    ----------
    run_stretch : callable
        ``run_stretch(first, n)`` makes n updates, beginning with update number `first`
        (from 0), and returns their n losses. A stretch never goes beyond a validation.
    count_errors : callable
        Returns the present `Score` on the validation set.
    n_train_batches : int
        Minibatches in an epoch.
    n_epochs : int
        Epochs after which the loop ends in any case.
    patience : Patience
        Asked before, and told after, every validation.

    Yields
    ------
    Stretch
        After each stretch; `patience` has then taken in its score. The consumer may stop
        at any of them.

    Examples
    --------
    >>> from dlt.evaluation import Score
    >>> rule = Patience(patience=4)
    >>> loop = early_stopping_loop(
    ...     run_stretch=lambda first, n: np.zeros(n),
    ...     count_errors=lambda: Score(5, 10),
    ...     n_train_batches=3, n_epochs=10, patience=rule)
    >>> sum(len(stretch.losses) for stretch in loop)  # page: stops when iter reaches 4
    5
    """
    frequency = patience.validation_frequency(n_train_batches)
    n_iterations = n_epochs * n_train_batches
    pace, done = _Pace(), 0  # updates made
    while done < n_iterations and not patience.is_exhausted(done - 1):
        next_validation = done - done % frequency + frequency
        stop = min(next_validation, n_iterations, patience.last_iteration() + 1)
        end = pace.end(done, stop)
        losses = pace.time(run_stretch, done, end - done)
        done = end
        finite = bool(np.isfinite(losses).all())
        score = count_errors() if finite and done == next_validation else None
        # the page's iter counts from 0
        is_best = score is not None and patience.update(done - 1, score.fraction)
        yield Stretch(done, losses, score, is_best)


class _Pace:
    """Decides how many minibatches make a stretch, from the time that stretches took.

    The first call with each number of minibatches may compile, and says nothing of speed.
    So the first two are short, and from then on the number is a power of two: few
    different ones occur, and few are compiled.

    How a run is cut must not show in its results. XLA compiles a loop of one round as no
    loop at all, and rounds some sums otherwise: so no cut leaves a single minibatch.
    """

    def __init__(self):
        self._limit = 2
        self._seen = set()

    def end(self, done, stop):
        """Say where the stretch that begins at `done` ends, at `stop` or before."""
        end = min(stop, done + self._limit)
        return stop if stop - end == 1 else end

    def time(self, run_stretch, first, n):
        started = time.perf_counter()
        losses = np.asarray(run_stretch(first, n))
        if n in self._seen:
            each = max((time.perf_counter() - started) / n, 1e-9)
            self._limit = max(2, 2 ** math.floor(math.log2(max(_STRETCH_SECONDS / each, 1))))
        self._seen.add(n)
        return losses


def train(
    classifier,
    y,
    loss,
    datasets,
    learning_rate=0.13,
    batch_size=600,
    n_epochs=1000,
    patience=None,
    drop_last=False,
    output_dir=None,
    settings=None,
    log=silent,
    progress=None,
):
    """Train a classifier by minibatch SGD with early stopping, and test the best one.

    Afterwards the classifier's parameters are the best ones, or those it came with if
    training diverged before the first validation.

    Parameters
    ----------
    classifier : object
        With ``input`` (the symbolic inputs), ``params`` (named shared variables),
        ``p_y_given_x`` (probabilities, shape (B, L)) and ``n_out`` (L); see `dlt.models`.
    y : Theano vector, int32
        The symbolic labels.
    loss : Theano scalar
        What to minimize, an expression of ``classifier.input`` and `y`.
    datasets : three (x, y) pairs
        Training, validation and test set, as arrays or as `dlt.shared_datasets`.
    learning_rate : float
        Positive.
    batch_size : int
        Examples in a minibatch, 1..N of the training set. Training uses whole
        minibatches only, always in the same order: the last N % batch_size examples
        take no part.
    n_epochs : int
        Most passes over the training set, 1 or more.
    patience : Patience, optional
        The stopping rule; the page's numbers by default. It is only read: every run
        begins with its initial patience.
    drop_last : bool
        False: validation and test count every example. True: whole minibatches
        only, as in the page's script.
    output_dir : str or os.PathLike, optional
        Where to keep `dlt.run_folder.RunFolder` up to date.
    settings : dict, optional
        More settings to store there (data set, seed, ...).
    log : callable, optional
        Takes each line of the report, such as `print`.
    progress : bool, optional
        Show a progress bar; by default only on a terminal.

    Returns
    -------
    TrainingResult

    Raises
    ------
    SettingsError
        A setting is out of its range, or `output_dir` cannot be written to.

    Examples
    --------
    >>> from dlt import LogisticRegression, T, negative_log_likelihood
    >>> x, y = T.matrix("x"), T.ivector("y")
    >>> model = LogisticRegression(x, n_in=2, n_out=2)
    >>> NLL = negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    >>> data = (np.asarray([[0.0, 0.9], [0.9, 0.0]] * 10), np.asarray([0, 1] * 10))
    >>> result = train(model, y, NLL, [data] * 3, batch_size=10, n_epochs=3)
    >>> str(result.test), result.n_epochs
    ('0.000000 %', 3)
    """
    patience = Patience() if patience is None else patience.restarted()
    check_learning_rate(learning_rate)
    n_epochs = whole_number("n_epochs", n_epochs, low=1)
    train_set, valid_set, test_set = _shared(datasets, classifier.n_out)
    batch_size = whole_number("batch_size", batch_size, 1, n_examples(train_set[0]), _TRAINING)
    n_train_batches = n_minibatches(n_examples(train_set[0]), batch_size)
    for name, data in (("validation", valid_set), ("test", test_set)):
        _check_drop_last(name, n_examples(data[0]), batch_size, drop_last)
    given = _settings(learning_rate, batch_size, n_epochs, patience, drop_last)
    folder = None
    if output_dir is not None:
        folder = RunFolder(output_dir, dict(given, **(settings or {})))

    log("compiling ...")
    x = classifier.input
    with np.errstate(all="ignore"):  # constants may overflow: divergence is found and said below
        run_stretch = minibatch_stretch(
            loss, classifier.params, learning_rate, x, y, train_set, batch_size
        )
    count = [
        error_counter(x, y, classifier.p_y_given_x, data, batch_size, drop_last)
        for data in (valid_set, test_set)
    ]
    run = _Run(classifier.params, n_train_batches, patience, folder)
    log("training, at most {} epochs of {} minibatches ...".format(n_epochs, n_train_batches))
    loop = early_stopping_loop(run_stretch, count[0], n_train_batches, n_epochs, patience)
    with Progress(n_epochs * n_train_batches, "minibatch", progress, log) as bar:
        run.follow(loop, bar)
    return run.result(count_test_errors=count[1])


class _Run:
    """One run of the loop: its best parameters, its history and its clock."""

    def __init__(self, params, n_train_batches, patience, folder):
        self._params = params
        self._start = get_values(params)
        self._n_train_batches = n_train_batches
        self._patience = patience
        self._folder = folder
        self._losses = []  # since the last validation
        self._seconds = 0.0
        self._n_iterations = 0
        self._diverged_at = None
        self._best_params = None
        self._best_iteration = self._best_validation = None
        self._history = []

    def follow(self, loop, bar):
        """Take in every stretch; however it ends, what was found is saved."""
        started = time.perf_counter()
        try:
            for stretch in loop:
                self._seconds = time.perf_counter() - started
                bar.advance(len(stretch.losses))
                self._take(stretch, bar.say)
                if self._diverged_at is not None:
                    break
        finally:
            if self._folder and self._best_params is not None:
                self._folder.save(self._best_params, self._history)

    def _take(self, stretch, say):
        self._n_iterations = stretch.iteration
        self._losses.extend(stretch.losses.tolist())
        if not np.isfinite(stretch.losses).all():
            first = int(np.argmin(np.isfinite(stretch.losses)))
            self._diverged_at = stretch.iteration - len(stretch.losses) + first + 1
        elif stretch.score is not None:
            self._validated(stretch, say)

    def _validated(self, stretch, say):
        iteration, score = stretch.iteration, stretch.score
        values = get_values(self._params) if stretch.is_best else {}
        if not all(np.isfinite(value).all() for value in values.values()):
            self._diverged_at = iteration  # the losses are those from before the update
            return
        epoch, index = divmod(iteration - 1, self._n_train_batches)
        # fsum: exactly rounded, so the mean does not depend on how stretches were cut
        loss = math.fsum(self._losses) / len(self._losses)
        self._losses = []
        self._history.append(
            HistoryRow(
                iteration, epoch + 1, loss, score.fraction, self._patience.patience, self._seconds
            )
        )
        if stretch.is_best:
            self._best_validation, self._best_params = score, values
            self._best_iteration = iteration
            if self._folder:
                self._folder.save_soon(self._best_params, self._history)
        say(
            "epoch {}, minibatch {}/{}, validation error {}".format(
                epoch + 1, index + 1, self._n_train_batches, score
            )
        )

    def result(self, count_test_errors):
        """Put the best parameters back, test them, and sum up."""
        best = self._best_params
        set_values(self._params, self._start if best is None else best)
        return TrainingResult(
            best_params=best,
            best_iteration=self._best_iteration,
            best_validation=self._best_validation,
            test=None if best is None else count_test_errors(),
            history=self._history,
            n_iterations=self._n_iterations,
            n_epochs=-(-self._n_iterations // self._n_train_batches),
            seconds=self._seconds,
            stopped_by=self._stopped_by(),
            diverged_at=self._diverged_at,
        )

    def _stopped_by(self):
        if self._diverged_at is not None:
            return "divergence"
        return "patience" if self._patience.is_exhausted(self._n_iterations - 1) else "n_epochs"


def _shared(datasets, n_out):
    """Store arrays in shared variables, leave what already is there, and check the labels."""
    if not all(hasattr(data_x, "get_value") for data_x, _ in datasets):
        datasets = shared_datasets(datasets)
    largest = max(largest_label(data_y) for _, data_y in datasets)
    if largest >= n_out:
        raise SettingsError(
            "datasets: found label {}; expected labels from 0 to {}, as the classifier has {} "
            "outputs".format(largest, n_out - 1, n_out)
        )
    return datasets


def _settings(learning_rate, batch_size, n_epochs, patience, drop_last):
    return {
        "learning_rate": _number(learning_rate),
        "batch_size": batch_size,
        "n_epochs": n_epochs,
        "patience": patience.initial_patience,
        "patience_increase": patience.patience_increase,
        "improvement_threshold": patience.improvement_threshold,
        "drop_last": drop_last,
        "floatX": theano.config.floatX,
    }


def _number(value):
    """Give a number that JSON can hold; a shared variable's is the present one."""
    if hasattr(value, "get_value"):
        value = value.get_value()
    return float(value) if hasattr(value, "__float__") else str(value)


def _check_drop_last(name, n, batch_size, drop_last):
    if drop_last and batch_size > n:
        raise SettingsError(
            "batch_size: found {}, more than the {} examples of the {} set; expected at most "
            "that with drop_last; choose smaller minibatches or count every example".format(
                batch_size, n, name
            )
        )
