"""Training: the page's loop around minibatch SGD, patience, testing and saving.

`early_stopping_loop` is the loop alone. It is given functions and numbers, and knows no
model, no engine and no file. `train` builds those functions for a classifier, keeps the
best parameters, and tests them, once, when the loop has ended.

Source: page "Getting Started", sections "Early-Stopping" and "Testing".
"""

import collections
import contextlib
import math
import time

import numpy as np

from dlt.checks import finite, whole_number
from dlt.early_stopping import Patience
from dlt.engine import describe, theano
from dlt.errors import SettingsError
from dlt.evaluation import Score, error_counter
from dlt.files.described import check_saveable
from dlt.parameters import get_values, set_values
from dlt.prediction import Probabilities
from dlt.progress import Progress, silent
from dlt.results import TrainingResult
from dlt.runs.checkpoint import Checkpoint
from dlt.runs.folder import RunFolder, as_json
from dlt.runs.history import HistoryRow
from dlt.runs.resuming import begin, engine_versions
from dlt.sgd import check_learning_rate, minibatch_stretch
from dlt.shared import (
    SET_NAMES,
    fingerprint,
    largest_label,
    n_examples,
    n_minibatches,
    shared_datasets,
)

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


def early_stopping_loop(run_stretch, count_errors, n_train_batches, n_epochs, patience, done=0):
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
    done : int
        Updates made before, by an earlier loop that ended after a stretch, and which
        `patience` has seen. This loop goes on as that one would have.

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
    pace = _Pace()
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
    """Decides how many minibatches make a stretch, from the time that the last one took.

    How a run is cut must not show in its results, and does not.
    """

    def __init__(self):
        self._limit = 2

    def end(self, done, stop):
        """Return where the stretch that begins at `done` ends, at `stop` or before."""
        return min(stop, done + self._limit)

    def time(self, run_stretch, first, n):
        started = time.perf_counter()
        losses = np.asarray(run_stretch(first, n))
        each = max((time.perf_counter() - started) / n, 1e-9)
        self._limit = max(1, int(_STRETCH_SECONDS / each))
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
    resume=False,
    snapshot_every=None,
    keep=10,
    should_stop=None,
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
        Where to keep `dlt.runs.folder.RunFolder` up to date.
    settings : dict, optional
        More settings to store there (data set, seed, weight of a penalty, ...): what the
        loss depends on, so that a run is resumed with the same.
    log : callable, optional
        Takes each line of the report, such as `print`.
    progress : bool, optional
        Show a progress bar; by default only on a terminal and in a notebook.
    resume : bool
        Go on from the checkpoint in `output_dir`. Data, settings and engine have to be
        those of the checkpoint; `n_epochs` may be larger. The result, and every file but
        for the seconds in it, equals that of a run that was never stopped.
    snapshot_every : int, optional
        Keep the parameters of every so many validations in `output_dir`.
    keep : int
        Most of these to keep; the newest ones stay.
    should_stop : callable, optional
        Asked before the loop and after every stretch, which takes about half a second.
        Once it says yes, the run is saved and ended; see `dlt.runs.signals`.

    Returns
    -------
    TrainingResult

    Raises
    ------
    SettingsError
        A setting is out of its range or not the checkpoint's, or `output_dir` cannot be
        written to, is another run's, or has no checkpoint to resume from.
    DataError
        No checkpoint there can be read.

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
    datasets = train_set, valid_set, test_set = _shared(datasets, classifier.n_out)
    batch_size = whole_number("batch_size", batch_size, 1, n_examples(train_set[0]), _TRAINING)
    n_train_batches = n_minibatches(n_examples(train_set[0]), batch_size)
    for name, data in (("validation", valid_set), ("test", test_set)):
        _check_drop_last(name, n_examples(data[0]), batch_size, drop_last)
    given = _settings(learning_rate, batch_size, n_epochs, patience, drop_last)
    given = as_json(_with_more(given, settings or {}))
    if output_dir is not None:
        check_saveable(get_values(classifier.params), given)
    with _run_folder(output_dir, resume, snapshot_every, keep, log) as folder:
        start = _Run.start(patience, given)
        if folder is not None:
            start = start._replace(engine=engine_versions(), data=fingerprint(datasets))
            start = begin(folder, start, classifier.params, resume, log)
        log("compiling ...")
        x = classifier.input
        with np.errstate(all="ignore"):  # constants may overflow: divergence is said below
            run_stretch = minibatch_stretch(
                loss, classifier.params, learning_rate, x, y, train_set, batch_size
            )
        count = [
            error_counter(x, y, classifier.p_y_given_x, data, batch_size, drop_last)
            for data in (valid_set, test_set)
        ]
        n_iterations = n_epochs * n_train_batches
        run = _Run(classifier.params, n_train_batches, n_iterations, patience, folder, start)
        log("training, at most {} epochs of {} minibatches ...".format(n_epochs, n_train_batches))
        loop = early_stopping_loop(
            run_stretch, count[0], n_train_batches, n_epochs, run.patience, start.iteration
        )
        bar = Progress(run.expected(), "minibatch", progress, log, start.iteration)
        with bar, np.errstate(all="ignore"):
            run.follow(loop, bar, should_stop or (lambda: False))
        return run.result(classifier, train_set[0], count_test_errors=count[1])


class _Run:
    """One run of the loop: its state as a `Checkpoint`, and where that is saved.

    The state is replaced as a whole after every stretch, so that a KeyboardInterrupt at any
    line finds one whose parts belong together.
    """

    def __init__(self, params, n_train_batches, n_iterations, patience, folder, start):
        self.patience = patience.restored(start.patience)
        self._params = params
        self._initial = get_values(params)
        self._n_train_batches = n_train_batches
        self._n_iterations = n_iterations  # at most
        self._folder = folder
        self._state = start
        self._to_save = start  # the newest state that a resumed run may begin with
        self._done = start.iteration
        self._diverged_at = None
        if folder is not None and start.iteration:
            set_values(params, start.params)

    @staticmethod
    def start(patience, settings):
        """Give the state before the first update."""
        return Checkpoint(
            iteration=0,
            params=None,
            losses=np.empty(0),
            history=(),
            patience=patience.state(),
            best_iteration=None,
            best_validation=None,
            best_params=None,
            seconds=0.0,
            ended=None,
            snapshots=(),
            settings=settings,
            engine=None,
            data=None,
        )

    def expected(self):
        """Give the number of updates there will be if patience is not extended any more."""
        return min(self._n_iterations, self.patience.last_iteration() + 1)

    def follow(self, loop, bar, should_stop):
        """Take in every stretch; however it ends, what was found is saved."""
        started = time.perf_counter() - self._state.seconds
        try:
            if not should_stop():
                for stretch in loop:
                    bar.advance(len(stretch.losses))
                    self._take(stretch, time.perf_counter() - started, bar)
                    if self._diverged_at is not None:
                        break
                    if should_stop() and self._is_saveable(self._state):
                        break
        except SettingsError:  # such as a full disk
            raise
        except BaseException:
            self._save()
            raise
        self._save()

    def _take(self, stretch, seconds, bar):
        """Take in a stretch of updates that were made."""
        self._done = stretch.iteration
        self._state = self._state._replace(seconds=seconds)
        if not np.isfinite(stretch.losses).all():
            first = int(np.argmin(np.isfinite(stretch.losses)))
            self._diverged_at = stretch.iteration - len(stretch.losses) + first + 1
            self._done = self._diverged_at  # how far the stretch went on must not show
            return
        state = self._state._replace(
            iteration=stretch.iteration,
            losses=np.concatenate([self._state.losses, stretch.losses.astype(np.float64)]),
            patience=self.patience.state(),
        )
        if self._folder is not None or stretch.is_best:
            state = state._replace(params=get_values(self._params))
        if stretch.score is not None:
            if stretch.is_best and not _are_finite(state.params):
                self._diverged_at = stretch.iteration  # the losses are from before the update
                return
            state = self._validated(state, stretch)
        self._state = state
        if self._is_saveable(state):
            self._to_save = state
            if self._folder is not None:
                self._folder.save_soon(state)
        if stretch.score is not None:
            bar.expect(self.expected())
            bar.note("validation error {}".format(stretch.score))
            self._say(state.history[-1], stretch.score, bar.say)

    def _validated(self, state, stretch):
        """Add a validation to the state."""
        # fsum: exactly rounded, so the mean does not depend on how stretches were cut
        losses = state.losses.tolist()
        try:
            loss = math.fsum(losses) / len(losses)
        except OverflowError:  # of their sum, not of their mean
            loss = math.fsum(value / len(losses) for value in losses)
        row = HistoryRow(
            stretch.iteration,
            (stretch.iteration - 1) // self._n_train_batches + 1,
            loss,
            stretch.score.fraction,
            self.patience.patience,
            state.seconds,
        )
        state = state._replace(losses=np.empty(0), history=(*state.history, row))
        if not stretch.is_best:
            return state
        return state._replace(
            best_iteration=stretch.iteration,
            best_validation=tuple(stretch.score),
            best_params=state.params,
        )

    def _say(self, row, score, say):
        index = (row.iteration - 1) % self._n_train_batches
        say(
            "epoch {}, minibatch {}/{}, validation error {}".format(
                row.epoch, index + 1, self._n_train_batches, score
            )
        )

    def _is_saveable(self, state):
        """Say whether a resumed run may begin with this state."""
        return state.params is None or _are_finite(state.params)

    def _save(self):
        """Save at the end, whatever ended it."""
        ended = self._stopped_by()
        has_news = self._to_save.best_params is not None or ended == "request"
        if self._folder is not None and self._to_save.iteration and has_news:
            self._folder.save(self._to_save._replace(ended=None if ended == "request" else ended))

    def result(self, classifier, train_x, count_test_errors):
        """Put the best parameters back, test them, and sum up."""
        state, stopped_by = self._state, self._stopped_by()
        best = state.best_params
        set_values(self._params, self._initial if best is None else best)
        untested = best is None or stopped_by == "request"
        return TrainingResult(
            best_params=best,
            best_iteration=state.best_iteration,
            best_validation=None if best is None else Score(*state.best_validation),
            test=None if untested else count_test_errors(),
            history=list(state.history),
            n_iterations=self._done,
            n_epochs=-(-self._done // self._n_train_batches),
            seconds=state.seconds,
            stopped_by=stopped_by,
            diverged_at=self._diverged_at,
            initial_patience=self.patience.initial_patience,
            probabilities=best
            and Probabilities(
                classifier.input,
                classifier.p_y_given_x,
                train_x.get_value(borrow=True).shape[1:],
                dict(zip(self._params, best.values())),
            ),
        )

    def _stopped_by(self):
        if self._diverged_at is not None:
            return "divergence"
        if self.patience.is_exhausted(self._done - 1):
            return "patience"
        return "n_epochs" if self._done >= self._n_iterations else "request"


def _are_finite(values):
    return all(np.isfinite(value).all() for value in values.values())


def _run_folder(output_dir, resume, snapshot_every, keep, log):
    """Give the run folder for a ``with`` block; None where there is none."""
    if snapshot_every is not None:
        snapshot_every = whole_number("snapshot_every", snapshot_every, low=1)
    keep = whole_number("keep", keep, low=1)
    if output_dir is not None:
        return RunFolder(
            output_dir, must_exist=resume, snapshot_every=snapshot_every, keep=keep, log=log
        )
    if resume or snapshot_every:
        raise SettingsError(
            "output_dir: found None; expected the run's folder, for resume and snapshot_every"
        )
    return contextlib.nullcontext()


def _shared(datasets, n_out):
    """Store arrays in shared variables, leave what already is there, and check the values."""
    if all(hasattr(data_x, "get_value") for data_x, _ in datasets):
        for name, (data_x, _) in zip(SET_NAMES, datasets):
            finite(name + ", x", data_x.get_value(borrow=True))
    else:
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
        "engine": describe(),
    }


def _with_more(given, settings):
    """Add the caller's settings, none of which may hide one of dlt's own."""
    hidden = sorted(set(map(str, settings)) & set(given))
    if hidden:
        raise SettingsError(
            "settings: found {}, which dlt notes itself; expected other names".format(
                ", ".join(hidden)
            )
        )
    return {**given, **{str(name): value for name, value in settings.items()}}


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
