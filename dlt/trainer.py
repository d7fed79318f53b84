"""Trainer: a model, its updates and its data, compiled once and run any number of times.

Source: page "Getting Started", sections "Stochastic Gradient Descent", "Early-Stopping" and
"Testing".
"""

from __future__ import annotations

import contextlib
import functools
import threading
from typing import Any, Callable, Literal, Mapping, Sequence

import numpy as np

from dlt.checks import rows_alike, whole_number
from dlt.early_stopping import Patience
from dlt.engine import describe, machine, theano, turns
from dlt.errors import SettingsError
from dlt.evaluation import error_counter
from dlt.examples import Description
from dlt.losses import zero_one_loss
from dlt.models import describe_model, row_shape
from dlt.program import Program, shown
from dlt.progress import Progress, silent
from dlt.results import TrainingResult, counted
from dlt.runs.checkpoint import Checkpoint, check_run
from dlt.runs.folder import DESCRIPTION, MACHINES, MODEL, RunFolder
from dlt.runs.history import MAX_ROWS, HistoryRow
from dlt.runs.resuming import engine_versions
from dlt.runs.saving import Saver
from dlt.runs.state import Machine, State
from dlt.score import Score
from dlt.sgd import gradient_updates, minibatch_stretch, update_pairs
from dlt.shared import as_data_set, default_batch_size
from dlt.significance import mcnemar
from dlt.training import expected_end, stopped_by, training_loop


class Trainer:
    """Trains a model by minibatch updates, with the page's early stopping.

    The trainer copies what the updates change when it is made. Every run starts from these
    copies, and no run changes the model. Each run reads other shared variables, such as a
    learning rate, as they are at that time. Functions are compiled when they are first needed,
    and all runs share them.

    Parameters
    ----------
    classifier : object
        It has ``input`` (the symbolic inputs) and ``params`` (shared variables: all that makes up
        the model); for the default `errors`, also ``p_y_given_x`` (probabilities, shape (B, L))
        and ``n_out`` (L). See `dlt.models`.
    y : Theano variable
        The symbolic labels or targets.
    loss : Theano scalar
        What the updates lower: an expression of ``classifier.input`` and `y`.
    train_set, valid_set : DataSet, ChunkedDataSet, (x, y) of arrays, or (shared_x, y)
        Without a validation set, a run makes all epochs, and the last parameters are the best.
    batch_size : int, optional
        Examples in a minibatch, 1..N of the training set; by default
        `dlt.shared.default_batch_size`. Training uses whole minibatches only: in turn, it leaves
        out the last N % batch_size examples.
    updates : list of (shared variable, Theano expression), or dict, optional
        What every minibatch changes, as in ``theano.function(..., updates=updates)``. State of
        their own (velocities, counters, a schedule) is checkpointed with the parameters.
        Default: ``dlt.gradient_updates(loss, classifier.params, 0.13)``.
    errors : Theano vector or scalar, optional
        What is validated: an expression of ``classifier.input`` and `y`, one value for each
        example or their mean over a minibatch. Default: the zero-one loss.
    drop_last : bool
        False: validation and scoring count every example. True: whole minibatches only, as in
        the page's script.

    Raises
    ------
    SettingsError
        An argument is out of its range, or does not fit the others.
    DataError
        A data set holds values that are not finite.

    Examples
    --------
    >>> from dlt import LogisticRegression, T, negative_log_likelihood
    >>> x, y = T.matrix("x"), T.ivector("y")
    >>> classifier = LogisticRegression(x, n_in=2, n_out=2)
    >>> NLL = negative_log_likelihood(classifier.p_y_given_x, y, reduction="mean")
    >>> data = (np.asarray([[0.0, 0.9], [0.9, 0.0]] * 10), np.asarray([0, 1] * 10))
    >>> trainer = Trainer(classifier, y, NLL, data, data, batch_size=10)
    >>> result = trainer.run(n_epochs=3)
    >>> result.n_epochs, str(trainer.score(data, result.best_params))
    (3, '0.000000 %')
    """

    def __init__(
        self,
        classifier,
        y,
        loss,
        train_set,
        valid_set=None,
        batch_size: int | None = None,
        updates=None,
        errors=None,
        drop_last: bool = False,
    ):
        self._symbols, self._drop_last = (classifier.input, y), drop_last
        self._n_out = classifier.n_out if errors is None else None  # labels are below it
        train_set = as_data_set("training set", train_set, *self._symbols)
        of_model = row_shape(classifier)
        whose = f"the {'model' if of_model else 'training set'} has"
        self._rows = of_model or train_set.row_shape, whose
        n = train_set.n_examples
        batch_size = default_batch_size(n) if batch_size is None else batch_size
        what = "the number of training examples"
        self._batch_size = whole_number("batch_size", batch_size, 1, n, what)
        self._n_train_batches = n // self._batch_size
        self._train_set = self._checked("training set", train_set)
        self._valid_set = None
        if valid_set is not None:
            self._valid_set = self._checked("validation set", valid_set)
        if updates is None:
            updates = gradient_updates(loss, classifier.params, 0.13)
        if errors is None:
            errors = zero_one_loss(classifier.p_y_given_x, y, reduction="none")
        self._noted = {MODEL: describe_model(classifier)}  # settings for the files of a run
        changes = dict(update_pairs(updates))
        self._program = Program(classifier.params, self._symbols, loss, errors, changes)
        computed = self._program.loss, self._program.updates, *self._symbols
        self._stretch = minibatch_stretch(*computed, self._train_set, self._batch_size)
        # Each keeps what it compiled last; the second is for the validation set.
        self._counter = functools.lru_cache(maxsize=1)(self._compiled_counter)
        self._validator = functools.lru_cache(maxsize=1)(self._compiled_counter)
        self._running = turns(threading.Lock)

    def run(
        self,
        n_epochs: int = 1000,
        patience: Patience = Patience(),  # noqa: B008, a value
        order: Any = None,
        folder: RunFolder | None = None,
        resume: bool | Literal["auto"] = False,
        allow_other_machine: bool = False,
        params: Mapping[str, np.ndarray] | None = None,
        on_validation: Callable[[HistoryRow], object] | None = None,
        log: Callable[[str], object] = silent,
        progress: bool | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> TrainingResult:
        """Train, from the beginning or from a checkpoint.

        Once training has begun, KeyboardInterrupt (Ctrl-C, or a notebook's stop button) ends the
        run with the result so far.

        Parameters
        ----------
        n_epochs : int
            Most passes over the training set, 1 or more.
        patience : Patience
            The stopping rule; the page's numbers by default. Not used without a validation set.
        order : Shuffled, optional
            The order in which training takes the examples; in turn by default, as on the page.
        folder : RunFolder, optional
            Where to keep the best parameters, the history and a checkpoint.
        resume : {False, True, "auto"}
            Go on from the checkpoint in `folder`. True requires one; "auto" starts afresh if
            there is none. Data, settings, loss, updates, order, engine and machine must be the
            checkpoint's; `n_epochs` may be larger. The result and every file equal those of a run
            that never stopped, apart from the seconds.
        allow_other_machine : bool
            Resume on a machine with another number of threads, other instructions or other flags.
            The last bits differ from there on; the column ``machine`` of the history shows where.
        params : dict of str to ndarray, optional
            Values to start from, for parameters and for other state of the updates. The rest
            starts as it was when the trainer was made.
        on_validation : callable, optional
            Called with the `dlt.HistoryRow` of each validation, before it is saved. An exception
            ends the run, after its results so far are saved.
        log : callable, optional
            Takes each line of the report, such as `print`.
        progress : bool, optional
            Show a progress bar; by default only on a terminal and in a notebook.
        should_stop : callable, optional
            Called before the loop and after every stretch of about half a second. Once it
            returns True, the run is saved and ends; see `dlt.runs.signals`.

        Returns
        -------
        TrainingResult

        Raises
        ------
        SettingsError
            A setting is out of range or differs from the checkpoint's; the folder cannot be
            written to, belongs to another run, or has no checkpoint to resume from; this trainer
            is running already.
        DataError
            The checkpoint cannot be read, or `params` do not fit.
        """
        n_epochs = whole_number("n_epochs", n_epochs, low=1)
        _expect("patience", patience, "validation_frequency", "dlt.Patience()")
        if order is not None:
            _expect("order", order, "permutation", "dlt.Shuffled(seed=1)")
        if folder is not None or resume:
            _expect("folder", folder, "snapshot_every", "dlt.RunFolder('runs/first')")
        rule = patience if self._valid_set else None
        _check_length(n_epochs, self._n_train_batches, rule)
        if rule:
            _check_test(rule, self._program.errors)
        dropped = self._dropped(order)
        n_iterations, should_stop = n_epochs * self._n_train_batches, should_stop or bool
        ending = functools.partial(stopped_by, n_iterations=n_iterations, patience=rule)
        start = State.first(*self._program.start(params or {}))
        with self._alone(), contextlib.ExitStack() as stack:
            saver = None
            if folder is not None:
                given = self._checkpoint(start, n_epochs, patience, order, folder)
                saver = Saver(folder, given, resume, log, allow_other_machine)
                start = stack.enter_context(saver).begin(ending)
            if ending(start):  # a finished run that is resumed: there is nothing to compile
                if saver:
                    saver.end(start, ending(start))
                return _result(start, ending(start), self._n_train_batches, patience)
            log("compiling ...")
            count_errors = self._compiled(start, order, rule, stack)
            log(_plan(n_epochs, self._n_train_batches, rule))
            if dropped:
                log(dropped)
            total = expected_end(start, n_iterations, rule)
            bar = stack.enter_context(
                Progress(total, "minibatch", progress, log, done=start.iteration)
            )

            def take(state):
                bar.move(state.iteration, expected_end(state, n_iterations, rule))
                if state.is_validated:
                    _report(state, self._n_train_batches, bar)
                    if on_validation:
                        on_validation(state.history[-1])
                if saver:
                    saver.take(state)

            state = start
            try:
                if not should_stop():
                    loop = self._loop(start, n_epochs, patience, order, count_errors, should_stop)
                    for state in loop:
                        take(state)
                        if should_stop() and state.can_go_on:
                            break
            except KeyboardInterrupt:
                pass
            finally:
                if saver:
                    saver.end(state, ending(state))
        return _result(state, ending(state) or "request", self._n_train_batches, patience)

    def score(self, data_set, params: Mapping[str, np.ndarray]) -> Score:
        """Count the errors that some parameters make on a data set, such as the test set.

        Parameters
        ----------
        data_set : DataSet, ChunkedDataSet, (x, y) of arrays, or (shared_x, y)
        params : dict of str to ndarray
            Such as ``result.best_params``.

        Returns
        -------
        Score

        Raises
        ------
        SettingsError, DataError
            The data set or the parameters do not fit the model.
        """
        with self._counting(data_set, params) as count_errors:
            return count_errors()

    def errors(self, data_set, params: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the error that some parameters make on each example of a data set.

        Parameters
        ----------
        data_set, params
            See `score`.

        Returns
        -------
        ndarray, shape (N,)
            1 where the most probable label is wrong, else 0; or the values of the expression
            `errors`.

        Raises
        ------
        SettingsError, DataError
            See `score`; or the expression `errors` is a mean over a minibatch.
        """
        errors = self._program.errors
        if errors.ndim == 0:
            raise SettingsError("errors", _kind(errors), "a vector, one value for each example")
        with self._counting(data_set, params) as count_errors:
            return count_errors.each()

    def _compiled(self, state, order, rule, stack):
        """Compile all functions before the clock starts; return the one that counts errors."""
        self._program.put(state.params, state.update_state)
        with np.errstate(all="ignore"):  # constants may overflow; the loop reports divergence
            self._stretch(state.iteration, 0, order)
        stack.callback(self._stretch.pause)
        if rule is None:
            return None
        count_errors = self._validator(self._valid_set)
        stack.callback(count_errors.pause)
        if rule.improvement_test == "mcnemar":
            count_errors.each()
        return count_errors

    def _loop(self, start, n_epochs, patience, order, count_errors, should_stop):
        """Return an iterator that trains, and yields the state after each stretch."""

        def train(first, n):
            losses = self._stretch(first, n, order, should_stop)
            return (losses, *self._program.values())

        def p_value(best_params):
            params, update_state = self._program.values()
            errors = count_errors.each(should_stop)
            self._program.put(best_params, update_state)
            of_best = count_errors.each(should_stop)
            self._program.put(params, update_state)
            return mcnemar(errors, of_best)

        validate = count_errors and functools.partial(count_errors, should_stop)
        n_train_batches = self._n_train_batches
        return training_loop(start, train, validate, n_train_batches, n_epochs, patience, p_value)

    @contextlib.contextmanager
    def _counting(self, data_set, params):
        """Put parameters in place, and yield the function that counts their errors."""
        _expect("params", params, "keys", "result.best_params")
        data_set = self._checked("test set", data_set)
        counter = self._validator if data_set == self._valid_set else self._counter
        with self._alone():
            self._program.put(*self._program.start(params, all_params=True))
            count_errors = counter(data_set)
            try:
                yield count_errors
            finally:
                count_errors.pause()

    def _checked(self, name, data_xy):
        """Return a data set that the engine can read, after checking that it fits."""
        data_set = as_data_set(name, data_xy, *self._symbols)
        data_set.check(name, *self._symbols, self._n_out)
        rows_alike(name + ", x", data_set.row_shape, *self._rows)
        if self._drop_last and self._batch_size > data_set.n_examples:
            found = (
                f"{self._batch_size}, more than the {data_set.n_examples} examples of the {name}"
            )
            remedy = "choose smaller minibatches or count every example"
            raise SettingsError("batch_size", found, "at most that with drop_last", remedy)
        return data_set

    def _dropped(self, order):
        """Return a line on the training examples that take no part, if they are over 1 %.

        In turn they are the same in every epoch: then they must not be all there is of a label.
        """
        n, size = self._train_set.n_examples, self._batch_size
        n_dropped = n % size
        if order is None and n_dropped and self._n_out is not None:
            y = self._train_set.targets
            lost = np.setdiff1d(y[n - n_dropped :], y[: n - n_dropped])
            if lost.size:
                names = self._train_set.description or Description()
                raise SettingsError(
                    "batch_size",
                    f"{size}, which leaves out the last {n_dropped} of {n} training examples, and "
                    f"with them all of label {names.name_of(int(lost[0]))}",
                    "every label in a minibatch",
                    "choose smaller minibatches, or shuffle",
                )
        if n_dropped <= n / 100:
            return None
        which = "the last" if order is None else "others in every epoch,"
        return f"{which} {n_dropped} of {n} training examples take no part: minibatches are whole"

    def _compiled_counter(self, data_set):
        return error_counter(
            *self._symbols, self._program.errors, data_set, self._batch_size, self._drop_last
        )

    @contextlib.contextmanager
    def _alone(self):
        """Refuse a second run at the same time, which would change the first one's parameters."""
        running = self._running()
        if not running.acquire(blocking=False):
            remedy = "wait until that has ended, or make another Trainer"
            raise SettingsError("trainer", "a run at work", "one run at a time", remedy)
        try:
            yield
        finally:
            running.release()

    def _checkpoint(self, start, n_epochs, patience, order, folder):
        """Return the checkpoint of the start of a run, with all that the run is given."""
        if " at 0x" in repr(order):
            found = f"{order!r}, which a resumed run could not know again"
            raise SettingsError("order", found, "a __repr__ that names its seed")
        given = dict(
            patience.settings(),
            **self._noted,
            batch_size=self._batch_size,
            n_epochs=n_epochs,
            drop_last=self._drop_last,
            order="in turn" if order is None else repr(order),
            floatX=theano.config.floatX,
            engine=describe(),
        )
        description, fixed = self._train_set.description, self._program.fixed_values()
        if description is not None:
            given[DESCRIPTION] = description._asdict()
        if fixed:
            given["shared"] = fixed
        hidden = sorted(set(folder.settings) & {*given, MACHINES})
        if hidden:
            found = f"{', '.join(hidden)}, which dlt notes itself"
            raise SettingsError("settings", found, "other names")
        sets = [data_set for data_set in (self._train_set, self._valid_set) if data_set]
        checkpoint = Checkpoint(
            state=start._replace(machines=(Machine(1, machine()),)),
            ended=None,
            snapshots=(),
            settings={**given, **folder.settings},
            engine=engine_versions(),
            data=[data_set.fingerprint() for data_set in sets],
            program=self._program.describe(),
        )
        check_run(checkpoint)
        return checkpoint


def train(
    classifier,
    y,
    loss,
    datasets: Sequence,
    learning_rate: Any = 0.13,
    batch_size: int | None = None,
    drop_last: bool = False,
    **options: Any,
) -> TrainingResult:
    """Train a classifier by minibatch SGD with early stopping, and test the best parameters.

    This is the simple case of `Trainer`. It does not change the classifier.

    Parameters
    ----------
    classifier, y, loss, batch_size, drop_last
        As `Trainer` takes them.
    datasets : two or three data sets
        Training and validation set, and perhaps a test set. The best parameters are scored on it
        once, when the run has ended by itself.
    learning_rate : float or Theano scalar
        Positive.
    **options
        As `Trainer.run` takes them, such as `n_epochs`, `patience` and `folder`.

    Returns
    -------
    TrainingResult
        ``test`` is the score on the test set.

    Raises
    ------
    SettingsError, DataError
        As `Trainer` and `Trainer.run`.

    Examples
    --------
    >>> from dlt import LogisticRegression, T, negative_log_likelihood
    >>> x, y = T.matrix("x"), T.ivector("y")
    >>> model = LogisticRegression(x, n_in=2, n_out=2)
    >>> NLL = negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    >>> data = ([[0.0, 0.9], [0.9, 0.0]] * 10, [0, 1] * 10)
    >>> result = train(model, y, NLL, [data] * 3, batch_size=10, n_epochs=3)
    >>> str(result.test), result.n_epochs
    ('0.000000 %', 3)
    """
    if len(datasets) not in (2, 3):
        expected = "a training and a validation set, and perhaps a test set"
        raise SettingsError("datasets", f"{len(datasets)} of them", expected)
    train_set, valid_set, *test_sets = datasets
    updates = gradient_updates(loss, classifier.params, learning_rate)
    trainer = Trainer(
        classifier, y, loss, train_set, valid_set, batch_size, updates, drop_last=drop_last
    )
    trainer._noted["learning_rate"] = shown(learning_rate)
    test_sets = [trainer._checked("test set", data_set) for data_set in test_sets]
    result = trainer.run(**options)
    if not test_sets or result.best_params is None or result.stopped_by == "request":
        return result
    return result._replace(test=trainer.score(test_sets[0], result.best_params))


def _expect(name, value, attribute, example):
    """Refuse a value that lacks an attribute of its kind."""
    if isinstance(value, type) or not hasattr(value, attribute):
        raise SettingsError(name, repr(value), f"one such as {example}")


def _kind(errors):
    return f"errors of rank {errors.ndim} and dtype {errors.dtype}"


def _check_test(rule, errors):
    """Refuse McNemar's test where errors cannot be counted one by one."""
    if rule.improvement_test == "mcnemar" and (errors.ndim != 1 or "float" in errors.dtype):
        expected = "an error of 0 or 1 for each example"
        remedy = "use the threshold, or errors such as dlt.zero_one_loss"
        raise SettingsError("patience", f"McNemar's test of {_kind(errors)}", expected, remedy)


def _check_length(n_epochs, n_train_batches, rule):
    """Refuse a run that could validate more often than a history can record."""
    each = rule.validation_frequency(n_train_batches) if rule else n_train_batches
    if n_epochs * n_train_batches // each > MAX_ROWS:
        more = f", or a patience of {2 * n_train_batches}" if each < n_train_batches else ""
        raise SettingsError(
            "n_epochs",
            f"{n_epochs}, with {n_epochs * n_train_batches // each} validations",
            f"no more than {MAX_ROWS}, which a history can hold",
            f"choose at most {MAX_ROWS * each // n_train_batches} epochs{more}",
        )


def _plan(n_epochs, n_train_batches, rule):
    """Return a line on the length of a run."""
    plan = "training, at most {} of {} ..."
    if rule is None:
        plan = "training, {} of {}, as there is no validation set ..."
    return plan.format(counted(n_epochs, "epoch"), counted(n_train_batches, "minibatch"))


def _report(state, n_train_batches, bar):
    """Report a validation."""
    row, best = state.history[-1], state.best_score
    found = f"training loss {row.train_loss:f}"
    if best is not None:
        n_errors = row.validation_error * best.n_examples
        if isinstance(best.n_errors, int):
            n_errors = round(n_errors)
        found = f"validation error {Score(n_errors, best.n_examples)}"
    bar.note(found)
    index = (row.iteration - 1) % n_train_batches
    bar.say(f"epoch {row.epoch}, minibatch {index + 1}/{n_train_batches}, {found}")


def _result(state, ended, n_train_batches, patience):
    """Return the result of a run."""
    best = state.history.best
    if best and state.best_score is None:  # without a validation set the last one is the best
        best = state.history[-1]
    n_iterations = state.diverged_at or state.iteration
    return TrainingResult(
        best_params=state.best_params,
        best_iteration=best and best.iteration,
        best_validation=state.best_score,
        test=None,
        history=state.history,
        n_iterations=n_iterations,
        n_epochs=-(-n_iterations // n_train_batches),
        seconds=state.seconds,
        stopped_by=ended,
        diverged_at=state.diverged_at,
        initial_patience=patience.patience,
    )
