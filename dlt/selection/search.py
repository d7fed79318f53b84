"""Search: train every candidate, pick the winner, and look at the test set once."""

from __future__ import annotations

import concurrent.futures
import contextlib
import inspect
import itertools
import os
import uuid
from typing import Any, Callable, Iterator, Mapping, Sequence

import numpy as np

from dlt.checks import whole_number
from dlt.datasets import NAMES
from dlt.describing import in_words
from dlt.early_stopping import Patience
from dlt.errors import DltError, SettingsError, one_line
from dlt.files.writing import own_file, own_folder, prepare_output_dir, write_text
from dlt.parameters import read_params
from dlt.progress import Progress, silent
from dlt.runs.folder import PARAMS_NAME
from dlt.runs.history import MAX_ROWS
from dlt.runs.lock import FolderLock
from dlt.selection import working
from dlt.selection.candidates import checked, digest, sort_key
from dlt.selection.candidates import in_words as settings_in_words
from dlt.selection.looks import score_once
from dlt.selection.recipes import divided, logistic_regression
from dlt.selection.result import Outcome, Selection
from dlt.shared import SET_NAMES, as_data_set
from dlt.significance import mcnemar


def select(
    dataset: str | os.PathLike,
    candidates: Sequence[Mapping[str, Any]],
    folder: str | os.PathLike,
    recipe: Callable = logistic_regression,
    n_epochs: int = 1000,
    patience: Patience = Patience(),  # noqa: B008, a value
    max_memory: int | None = None,
    allow_other_machine: bool = False,
    executor: concurrent.futures.Executor | None = None,
    log: Callable[[str], object] = silent,
    progress: bool | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Selection:
    """Train candidates on one split, and score the one with the best validation error on test.

    Each candidate has a run folder, named after a hash of its settings, the data, the stopping
    rule and floatX. If a search was stopped or killed, call it again: candidates that have ended
    are read, and the others go on from their checkpoints.

    Parameters
    ----------
    dataset : str or os.PathLike
        As `dlt.load_data` takes it. Every process loads the data by this name.
    candidates : sequence of dict of str to object
        Settings, such as `dlt.grid` returns. ``seed`` also shuffles the examples; without a seed,
        or with None, they are taken in turn.
    folder : str or os.PathLike
        Where the run folders go. All processes of an executor must see it under this name.
    recipe : callable
        A function that makes a trainer; see `dlt.selection.recipes`. With an executor, it must be
        defined in a module.
    n_epochs, patience
        As `dlt.Trainer.run` takes them.
    max_memory : int, optional
        Read the data in chunks that take at most so many bytes; see `dlt.open_data`. Seeds then
        shuffle in blocks of 5000 examples.
    allow_other_machine : bool
        Let a candidate that began on another machine go on here, as `dlt.Trainer.run` does, and
        report it. By default such a candidate ends the search with an error.
    executor : concurrent.futures.Executor, optional
        Where to train: a `dlt.ProcessPool`, or the executor of a Dask cluster,
        ``distributed.Client(address).get_executor(pure=False, retries=2)``. By default, train in
        this process, one candidate after the other.
    log : callable, optional
        Takes each line of the report, such as `print`.
    progress : bool, optional
        Show a progress bar; by default only on a terminal and in a notebook.
    should_stop : callable, optional
        Called often; the search ends as soon as it returns True. KeyboardInterrupt ends it too.

    Returns
    -------
    Selection

    Raises
    ------
    SettingsError
        An argument is out of range; another search is using the folder; the folder has runs of
        another engine, machine or recipe, or of more epochs; or no candidate could be trained.
    DataError
        The data cannot be read; or a process sees other data or another folder.

    Examples
    --------
    >>> import tempfile
    >>> from dlt import Patience, grid
    >>> candidates = grid(learning_rate=[0.01, 0.1], seed=[1])
    >>> selection = select("digits", candidates, tempfile.mkdtemp(), n_epochs=2)
    >>> selection.winner.settings, selection.is_complete
    ({'learning_rate': 0.1, 'seed': 1}, True)
    """
    whole_number("n_epochs", n_epochs, 1, MAX_ROWS, "the most that a history can hold")
    if not inspect.isfunction(recipe):
        raise SettingsError("recipe", repr(recipe), "a function; see dlt.selection.recipes")
    if not isinstance(dataset, (str, os.PathLike)):
        remedy = "store arrays with dlt.save_data"
        raise SettingsError("dataset", type(dataset).__name__, "a name or a path", remedy)
    plain = checked(candidates)
    folder = os.path.abspath(os.fspath(folder))
    prepare_output_dir(folder, "the runs")
    with _alone(folder) as (mark, lock):
        dataset = dataset if dataset in NAMES else os.path.abspath(dataset)  # workers run elsewhere
        source = working.Source(mark, dataset, max_memory, **working.engine_settings())
        log(f"loading {one_line(source.dataset)} ...")
        learned = working.load(source)[:2]
        if learned[0].description:
            log(in_words(learned[0].description))
        data = [data_set.fingerprint() for data_set in learned]
        (rule,) = checked([patience.settings()])  # 2 and 2.0 are one
        common = dict(data=data, floatX=source.floatX, recipe=recipe.__name__, rule=rule)
        tasks = []
        for settings in plain:
            order = repr(working.order_of(settings, source))
            place = own_folder(folder, digest(dict(common, settings=settings, order=order)))
            rest = (recipe, source, data, n_epochs, patience, allow_other_machine)
            tasks.append(working.Task(settings, place, *rest))

        def is_over():
            lock.check()
            return should_stop is not None and should_stop()

        outcomes = _search(tasks, executor, log, progress, is_over)
        selection = Selection(tuple(sorted(outcomes, key=_rank)), len(tasks))
        if not selection.is_complete:
            return selection
        lock.check()
        return _judged(selection, recipe, source, log)


def _search(tasks, executor, log, progress, should_stop):
    """Return the outcomes of all tasks, or of those that had ended when the search was stopped."""
    # one after the other where they share a trainer
    tasks = sorted(tasks, key=lambda task: sort_key(divided(task.recipe, task.settings)[0]))
    outcomes = []
    with contextlib.suppress(KeyboardInterrupt), Progress(
        len(tasks), "candidate", progress, log
    ) as bar, contextlib.closing(_results(tasks, executor, should_stop)) as results:
        for outcome in results:
            if isinstance(outcome, DltError):
                raise outcome
            if outcome.stopped_by == "request":
                break
            outcomes.append(outcome)
            bar.advance(1)
            found = outcome.error or (
                f"validation error {outcome.validation} after {outcome.n_epochs} epochs"
                + (f" on {outcome.n_machines} machines" if outcome.n_machines > 1 else "")
            )
            bar.say(f"{len(outcomes)}/{len(tasks)} {settings_in_words(outcome.settings)}: {found}")
    return outcomes


def _results(tasks, executor, should_stop) -> Iterator[Outcome | DltError]:
    if executor is None:
        for task in tasks:
            if should_stop():
                return
            yield working.run_task(task, should_stop)
        return
    died: list[working.Task] = []
    # Try again, one at a time: when a worker dies, Dask gives up every task that it held, and
    # there may have been too little memory for two.
    for group in itertools.chain([tasks], ([task] for task in died)):
        for future, task in _done(executor, group, should_stop):
            if group is tasks and _is_killed(future):
                died.append(task)
            else:
                yield _result(future, task)


def _done(executor, tasks, should_stop):
    """Yield the future of each task, and the task, as soon as it is done."""
    futures = {executor.submit(working.run_task, task): task for task in tasks}
    waiting = set(futures)
    try:
        while waiting and not should_stop():
            done, waiting = concurrent.futures.wait(
                waiting, 0.5, concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                yield future, futures[future]
    finally:
        for future in waiting:
            future.cancel()


def _is_killed(future):
    names = ("BrokenProcessPool", "KilledWorker")  # the latter is Dask's
    return not future.cancelled() and type(future.exception()).__name__ in names


def _result(future, task):
    if _is_killed(future):
        return working.failed(task, "every process that trained it died; see what they printed")
    try:
        return future.result()
    except concurrent.futures.CancelledError:
        found = "a task that was cancelled"
        remedy = "start the executor again, and repeat the search: it goes on"
        return SettingsError("executor", found, "one that runs every task", remedy)
    except Exception as error:
        return working.failed(task, f"{type(error).__name__}: {error}")


def _rank(outcome):
    error = outcome.validation.fraction if outcome.validation else float("inf")
    return error, sort_key(outcome.settings)


def _judged(selection, recipe, source, log):
    """Compare the winner with the runner-up, and score it on the test set."""
    winner = selection.winner
    if winner.error:
        first = f"{settings_in_words(winner.settings)}: {winner.error}"
        raise SettingsError("candidates", "none that could be trained", remedy=first)

    def best(outcome):
        params, _ = read_params(os.path.join(outcome.folder, PARAMS_NAME))
        return working.prepared(recipe, source, outcome.settings).trainer, params

    _, valid_set, test_set = working.load(source)
    first_two, p_value = selection.outcomes[:2], None
    scores = [outcome.validation for outcome in first_two if outcome.validation]
    if len(scores) == 2 and all(isinstance(score.n_errors, int) for score in scores):
        wrong = [trainer.errors(valid_set, params) for trainer, params in map(best, first_two)]
        if len(wrong[0]) == len(wrong[1]) and np.isin(wrong, (0, 1)).all():
            p_value = mcnemar(*wrong)
    test_set = as_data_set(SET_NAMES[2], test_set)

    def count():
        trainer, params = best(winner)
        return trainer.score(test_set, params)

    test = score_once(winner, source.dataset, test_set.fingerprint(), count, log)
    return selection._replace(p_value=p_value, test=test)


@contextlib.contextmanager
def _alone(folder):
    """Keep other searches out; yield the mark of this one, and its lock."""
    lock = FolderLock(folder, "search")
    lock.acquire()
    try:
        lock.check()
        mark = uuid.uuid4().hex
        write_text(own_file(folder, working.MARK_NAME), mark)
        try:
            yield mark, lock
        finally:
            working.forget()
            if lock.is_of_folder():
                write_text(own_file(folder, working.MARK_NAME), "over")  # stops its workers
    finally:
        lock.release()
