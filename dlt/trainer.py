"""Trainer: a model, its updates and its data, compiled once and run any number of times.

Source: page "Getting Started", sections "Stochastic Gradient Descent", "Early-Stopping" and
"Testing".
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import threading
from typing import Any, Callable, Literal, Mapping, Sequence

import numpy as np

from dlt.checks import real_numbers, rows_alike, whole_number
from dlt.early_stopping import Patience
from dlt.engine import (
    describe,
    leaves,
    machine,
    refuse_draws,
    shared_copy,
    substitute,
    theano,
    turns,
)
from dlt.engine.graphs import describe_graph
from dlt.errors import DataError, SettingsError
from dlt.evaluation import error_counter
from dlt.examples import Description
from dlt.losses import zero_one_loss
from dlt.models import describe_model, row_shape
from dlt.parameters import check_values, names_of
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
from dlt.shared import as_data_set, default_batch_size, n_minibatches
from dlt.significance import mcnemar
from dlt.training import expected_end, stopped_by, training_loop


class Trainer:
    """Trains a model by minibatch updates, with the page's early stopping.

    What the updates change is copied when the trainer is made: every run starts from these
    copies, and none changes the model. Other shared variables, such as a learning rate, are read
    as they are then. Functions are compiled when they are first needed, and serve all runs.

    Parameters
    ----------
    classifier : object
        With ``input`` (the symbolic inputs) and ``params`` (shared variables: all that makes up
        the model); for the default `errors`, with ``p_y_given_x`` (probabilities, shape (B, L))
        and ``n_out`` (L). See `dlt.models`.
    y : Theano variable
        The symbolic labels or targets.
    loss : Theano scalar
        What the updates lower: an expression of ``classifier.input`` and `y`.
    train_set, valid_set : DataSet, ChunkedDataSet, (x, y) of arrays, or (shared_x, y)
        Without a validation set, all epochs are made, and the last parameters are the best.
    batch_size : int, optional
        Examples in a minibatch, 1..N of the training set; by default
        `dlt.shared.default_batch_size`. Training uses whole minibatches only: in turn, the last
        N % batch_size examples take no part.
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
        of_set, of_model = train_set.row_shape, row_shape(classifier)
        self._rows = (
            of_model or of_set,
            f"the {'model' if of_model else 'training set'} has",
        )
        n, what = train_set.n_examples, "the number of training examples"
        batch_size = default_batch_size(n) if batch_size is None else batch_size
        self._batch_size = whole_number("batch_size", batch_size, 1, n, what)
        self._n_train_batches = n_minibatches(n, self._batch_size)
        self._train_set = self._checked("training set", train_set)
        self._valid_set = None
        if valid_set is not None:
            self._valid_set = self._checked("validation set", valid_set)
        if updates is None:
            updates = gradient_updates(loss, classifier.params, 0.13)
        if errors is None:
            errors = zero_one_loss(classifier.p_y_given_x, y, reduction="none")
        changes = dict(update_pairs(updates))
        refuse_draws([loss, errors, *changes.values()])
        self._model = describe_model(classifier)
        self._variables = variables = _Variables(classifier.params, changes)
        self._expressions = {"loss": loss, "errors": errors}
        for variable, expression in changes.items():
            self._expressions["update of " + variables.names[variable]] = expression
        self._fixed = _checked_leaves(self._expressions, variables, self._symbols)
        loss, self._errors, *after = substitute(list(self._expressions.values()), variables.copies)
        values = dict(zip(changes, after))
        # A parameter that nothing updates goes along, so that all are kept in one place.
        pairs = [(copy, values.get(v, copy)) for v, copy in variables.copies.items()]
        self._stretch = minibatch_stretch(
            loss, pairs, *self._symbols, self._train_set, self._batch_size
        )
        self._counter = functools.lru_cache(maxsize=1)(self._compiled_counter)  # of a test set
        self._validator = functools.lru_cache(maxsize=1)(
            lambda: self._compiled_counter(self._valid_set)
        )
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
            The order in which examples are taken; in turn by default, as on the page.
        folder : RunFolder, optional
            Where to keep the best parameters, the history and a checkpoint.
        resume : {False, True, "auto"}
            Go on from the checkpoint in `folder`: True demands one, "auto" starts anew where
            there is none. Data, settings, loss, updates, order, engine and machine must be those
            of the checkpoint; `n_epochs` may be larger. The result, and every file but for the
            seconds in it, equals that of a run that was never stopped.
        allow_other_machine : bool
            Resume on a machine with another number of threads, other instructions or flags. The
            last bits are others from there on; the column ``machine`` of the history counts them.
        params : dict of str to ndarray, optional
            Values to start from, for parameters and for other state of the updates. What else
            the updates change starts as it was when the trainer was made.
        on_validation : callable, optional
            Called with the `dlt.HistoryRow` of each validation, before it is saved. An exception
            ends the run, after what was found is saved.
        log : callable, optional
            Takes each line of the report, such as `print`.
        progress : bool, optional
            Show a progress bar; by default only on a terminal and in a notebook.
        should_stop : callable, optional
            Asked before the loop and after every stretch, which takes about half a second. Once
            it returns True, the run is saved and ends; see `dlt.runs.signals`.

        Returns
        -------
        TrainingResult

        Raises
        ------
        SettingsError
            A setting is out of its range or not the checkpoint's; the folder cannot be written
            to, is another run's, or has no checkpoint to resume from; this trainer is running.
        DataError
            The checkpoint cannot be read, or `params` do not fit.
        """
        n_epochs = whole_number("n_epochs", n_epochs, low=1)
        _expect("patience", patience, "validation_frequency", "dlt.Patience()")
        if order is not None:
            _expect("order", order, "permutation", "dlt.Shuffled(seed=1)")
        if folder is not None or resume:
            _expect("folder", folder, "snapshot_every", "dlt.RunFolder('runs/first')")
        n_iterations = n_epochs * self._n_train_batches
        rule = patience if self._valid_set else None
        _check_length(n_epochs, self._n_train_batches, rule)
        tested = rule is not None and rule.improvement_test == "mcnemar"
        if tested and (self._errors.ndim != 1 or self._errors.dtype.startswith("float")):
            expected = "an error of 0 or 1 for each example"
            remedy = "use the threshold, or errors such as dlt.zero_one_loss"
            raise SettingsError(
                "patience", f"McNemar's test of {_kind(self._errors)}", expected, remedy
            )
        dropped = self._dropped(order)
        start = State.first(*self._variables.start(params or {}))
        with self._alone(), contextlib.ExitStack() as stack:
            saver = None
            if folder is not None:
                given = self._checkpoint(start, n_epochs, patience, order, folder)
                saver = Saver(folder, given, resume, log, allow_other_machine)
                stack.enter_context(saver)
                start = saver.begin(lambda state: stopped_by(state, n_iterations, rule))
            should_stop = should_stop or bool
            ended = stopped_by(start, n_iterations, rule)
            if ended:  # before: there is nothing to compile
                if saver:
                    saver.end(start, ended)
                return _result(start, ended, self._n_train_batches, patience)
            log("compiling ...")
            self._variables.put(start.params, start.update_state)
            with np.errstate(all="ignore"):  # constants may overflow: divergence is said below
                self._stretch(start.iteration, 0, order)
            count_errors: Any = self._validator() if rule else None
            for reader in filter(None, (self._stretch, count_errors)):
                stack.callback(reader.pause)
            if tested:
                count_errors.each()
            log(_plan(n_epochs, self._n_train_batches, rule))
            if dropped:
                log(dropped)
            total = expected_end(start, n_iterations, rule)
            bar = stack.enter_context(
                Progress(total, "minibatch", progress, log, done=start.iteration)
            )

            def train(first, n):
                losses = self._stretch(first, n, order, should_stop)
                return (losses, *self._variables.values())

            validate = count_errors and functools.partial(count_errors, should_stop)

            def p_value(best_params):
                now = self._variables.values()
                errors = count_errors.each(should_stop)
                self._variables.put(best_params, now[1])
                of_best = count_errors.each(should_stop)
                self._variables.put(*now)
                return mcnemar(errors, of_best)

            def take(state):
                bar.move(state.iteration, expected_end(state, n_iterations, rule))
                if state.is_validated:
                    _report(state, self._n_train_batches, bar)
                    if on_validation:
                        on_validation(state.history[-1])
                if saver:
                    saver.take(state)

            def end(state):
                if saver:
                    saver.end(state, stopped_by(state, n_iterations, rule))

            loop = training_loop(
                start, train, validate, self._n_train_batches, n_epochs, patience, p_value
            )
            state = _follow(loop, start, take, end, should_stop)
        ended = stopped_by(state, n_iterations, rule) or "request"
        return _result(state, ended, self._n_train_batches, patience)

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
            1 where the most probable label is wrong, else 0; or what `errors` says.

        Raises
        ------
        SettingsError, DataError
            See `score`; or `errors` is a mean over a minibatch.
        """
        if self._errors.ndim == 0:
            raise SettingsError(
                "errors", _kind(self._errors), "a vector, one value for each example"
            )
        with self._counting(data_set, params) as count_errors:
            return count_errors.each()

    @contextlib.contextmanager
    def _counting(self, data_set, params):
        _expect("params", params, "keys", "result.best_params")
        data_set = self._checked("test set", data_set)
        with self._alone():
            self._variables.put(*self._variables.start(params, all_params=True))
            is_valid_set = data_set == self._valid_set
            count_errors = self._validator() if is_valid_set else self._counter(data_set)
            try:
                yield count_errors
            finally:
                count_errors.pause()

    def _checked(self, name, data_xy):
        """Store a data set where it is not stored yet, and check that it fits."""
        data_set = as_data_set(name, data_xy, *self._symbols)
        data_set.check(name, *self._symbols, self._n_out)
        rows_alike(name + ", x", data_set.row_shape, *self._rows)
        if self._drop_last and self._batch_size > data_set.n_examples:
            raise SettingsError(
                "batch_size",
                f"{self._batch_size}, more than the {data_set.n_examples} examples of the {name}",
                "at most that with drop_last",
                "choose smaller minibatches or count every example",
            )
        return data_set

    def _dropped(self, order):
        """Say which training examples take no part, if they are more than one in a hundred.

        In turn they are the same in every epoch: then no label may be among them only.
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
            *self._symbols, self._errors, data_set, self._batch_size, self._drop_last
        )

    @contextlib.contextmanager
    def _alone(self):
        """Refuse a second run, which would change the first one's parameters."""
        running = self._running()
        if not running.acquire(blocking=False):
            raise SettingsError(
                "trainer",
                "a run at work",
                "one run at a time",
                "wait until that has ended, or make another Trainer",
            )
        try:
            yield
        finally:
            running.release()

    def _checkpoint(self, start, n_epochs, patience, order, folder):
        """Return the start of a run with everything that it was given, for its folder."""
        if " at 0x" in repr(order):
            raise SettingsError(
                "order",
                f"{order!r}, which a resumed run could not know again",
                "a __repr__ that names its seed",
            )
        given = dict(
            patience.settings(),
            **{MODEL: self._model},
            batch_size=self._batch_size,
            n_epochs=n_epochs,
            drop_last=self._drop_last,
            order="in turn" if order is None else repr(order),
            floatX=theano.config.floatX,
            engine=describe(),
        )
        description = self._train_set.description
        if description is not None:
            given[DESCRIPTION] = description._asdict()
        fixed = dict(zip(self._fixed, names_of(self._fixed)))
        if fixed:
            given["shared"] = {name: _shown(variable) for variable, name in fixed.items()}
        settings = _with_more(given, folder.settings)
        start = start._replace(machines=(Machine(1, machine()),))
        sets = [data_set for data_set in (self._train_set, self._valid_set) if data_set]
        data = [data_set.fingerprint() for data_set in sets]
        roles = {**fixed, **self._variables.names, **dict(zip(self._symbols, "xy"))}
        program = {name: describe_graph(e, roles) for name, e in self._expressions.items()}
        given = Checkpoint(start, None, (), settings, engine_versions(), data, program)
        check_run(given)
        return given


class _Variables:
    """What a trainer changes: copies of a model's parameters, and of what else is updated.

    Parameters
    ----------
    params : sequence of shared variables
    updates : dict of shared variable to Theano expression

    Attributes
    ----------
    names : dict of shared variable to str
        The parameters first.
    copies : dict of shared variable to shared variable
    """

    def __init__(self, params, updates):
        variables = list(dict.fromkeys([*params, *updates]))
        self.names = dict(zip(variables, names_of(variables)))
        self.copies = {variable: shared_copy(variable) for variable in variables}
        self._n_params = len(set(params))
        self._initial = {v: np.array(v.get_value(borrow=True)) for v in updates}

    def start(self, given, all_params=False):
        """Return the parameters that a run starts from, and the rest of its values.

        What nothing updates is read as it is now. `all_params`: each has to be given.
        """
        unknown = sorted(set(given) - set(self.names.values()))
        if unknown:
            found, expected = (", ".join(map(str, n)) for n in (unknown, self.names.values()))
            raise DataError("params", f"the names {found}", f"some of {expected}")
        values = {
            name: self._initial[v] if v in self._initial else np.array(v.get_value(borrow=True))
            for v, name in self.names.items()
        }
        given = {name: np.array(real_numbers(name, value)) for name, value in given.items()}
        required = list(values)[: self._n_params] if all_params else []
        expected = {name: v for name, v in values.items() if name in given or name in required}
        check_values("params", expected, given)
        return self._divided({**values, **given})

    def put(self, params, update_state):
        """Set the copies."""
        values = {**params, **update_state}
        for variable, name in self.names.items():
            self.copies[variable].set_value(values[name])

    def values(self):
        """Copy the present parameters, and the rest, each in its own dtype."""
        found = {}
        for variable, name in self.names.items():
            value = self.copies[variable].get_value(borrow=True)
            found[name] = np.array(value, dtype=variable.dtype)  # JAX may hold fewer bits
        return self._divided(found)

    def is_param(self, variable):
        """Return whether a variable is one of the model's parameters."""
        return variable in list(self.names)[: self._n_params]

    def _divided(self, values):
        items = list(values.items())
        return dict(items[: self._n_params]), dict(items[self._n_params :])


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

    The simple case of `Trainer`. The classifier itself stays as it is.

    Parameters
    ----------
    classifier, y, loss, batch_size, drop_last
        As `Trainer` takes them.
    datasets : two or three data sets
        Training and validation set, and a test set, on which the best parameters are scored once,
        when the run has ended by itself.
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
        raise SettingsError(
            "datasets",
            f"{len(datasets)} of them",
            "a training and a validation set, and perhaps a test set",
        )
    train_set, valid_set, *test_sets = datasets
    updates = gradient_updates(loss, classifier.params, learning_rate)
    trainer = Trainer(
        classifier, y, loss, train_set, valid_set, batch_size, updates, drop_last=drop_last
    )
    test_sets = [trainer._checked("test set", data_set) for data_set in test_sets]
    if options.get("folder") is not None:
        _expect("folder", options["folder"], "snapshot_every", "dlt.RunFolder('runs/first')")
        folder, noted = options["folder"], {"learning_rate": _shown(learning_rate)}
        options["folder"] = folder._replace(settings=_with_more(noted, folder.settings))
    result = trainer.run(**options)
    if not test_sets or result.best_params is None or result.stopped_by == "request":
        return result
    return result._replace(test=trainer.score(test_sets[0], result.best_params))


def _expect(name, value, attribute, example):
    """Refuse a value that is not of the kind of an example."""
    if isinstance(value, type) or not hasattr(value, attribute):
        raise SettingsError(name, repr(value), f"one such as {example}")


def _follow(loop, state, take, end, should_stop):
    """Take in the states of a loop; however it ends, what was found is saved."""
    try:
        if not should_stop():
            for state in loop:
                take(state)
                if should_stop() and state.can_go_on:
                    break
    except KeyboardInterrupt:
        pass
    finally:
        end(state)
    return state


def _kind(errors):
    return f"errors of rank {errors.ndim} and dtype {errors.dtype}"


def _checked_leaves(expressions, variables, symbols):
    """Check what expressions depend on; return the shared variables that no update changes."""
    fixed = []
    for name, expression in expressions.items():
        for leaf in leaves([expression]):
            if not hasattr(leaf, "container") and leaf not in symbols:
                raise SettingsError(
                    name, f"the input {leaf}", "classifier.input, y and shared variables only"
                )
            if name == "errors" and leaf in variables.names and not variables.is_param(leaf):
                raise SettingsError(
                    "errors",
                    f"{variables.names[leaf]}, which the updates change and which is no parameter",
                    "it in classifier.params, whose best values are kept",
                )
            if hasattr(leaf, "container") and leaf not in [*variables.names, *fixed]:
                fixed.append(leaf)
    return fixed


def _with_more(given, settings):
    """Add the caller's settings, none of which may hide one of dlt's own."""
    hidden = sorted(set(settings) & {*given, MACHINES})
    if hidden:
        raise SettingsError(
            "settings", f"{', '.join(hidden)}, which dlt notes itself", "other names"
        )
    return {**given, **settings}


def _shown(value):
    """Describe a number, or the present value of a shared variable, in what JSON can hold."""
    if not hasattr(value, "get_value"):
        return float(value) if hasattr(value, "__float__") else str(value)
    value = np.ascontiguousarray(value.get_value(borrow=True))
    if value.size == 1:
        return value.item()
    digest = hashlib.sha256(value).hexdigest()
    return f"{value.dtype} {value.shape} sha256 {digest[:16]}"


def _check_length(n_epochs, n_train_batches, rule):
    """Refuse a run that could validate more often than a history has rows."""
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
    """Describe what a run is going to do."""
    plan = "training, at most {} of {} ..."
    if rule is None:
        plan = "training, {} of {}, as there is no validation set ..."
    return plan.format(counted(n_epochs, "epoch"), counted(n_train_batches, "minibatch"))


def _report(state, n_train_batches, bar):
    """Report what a validation found."""
    row, best = state.history[-1], state.best_score
    found = f"training loss {row.train_loss:f}"
    if best is not None:
        n_errors = row.validation_error * best.n_examples
        counted = isinstance(best.n_errors, int)
        score = Score(round(n_errors) if counted else n_errors, best.n_examples)
        found = f"validation error {score}"
    bar.note(found)
    index = (row.iteration - 1) % n_train_batches
    bar.say(f"epoch {row.epoch}, minibatch {index + 1}/{n_train_batches}, {found}")


def _result(state, ended, n_train_batches, patience):
    """Sum up a run."""
    best = state.history.best
    if state.best_score is None and best is not None:
        best = state.history[-1]  # nothing was validated
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
