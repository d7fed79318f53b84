"""Search: train every candidate, pick the winner, and look at the test set once."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import glob
import inspect
import itertools
import json
import os
import uuid
from typing import Any, Callable, Iterator, Mapping, Sequence

import numpy as np

from dlt.checks import whole_number
from dlt.datasets import NAMES
from dlt.describing import in_words
from dlt.early_stopping import Patience
from dlt.errors import DataError, DltError, SettingsError, one_line
from dlt.files.reading import check_format, open_capped
from dlt.files.writing import own_file, own_folder, prepare_output_dir, write_text
from dlt.parameters import read_params
from dlt.progress import Progress, silent
from dlt.runs.folder import PARAMS_NAME
from dlt.runs.history import MAX_ROWS
from dlt.runs.lock import FolderLock
from dlt.score import Score
from dlt.selection.candidates import checked, digest, sort_key
from dlt.selection.candidates import in_words as settings_in_words
from dlt.selection.recipes import divided, logistic_regression
from dlt.selection.result import Outcome, Selection
from dlt.selection.working import (
    MARK_NAME,
    Task,
    current_source,
    failed,
    forget,
    load,
    order_of,
    prepared,
    run_task,
)
from dlt.shared import SET_NAMES, as_data_set
from dlt.significance import mcnemar

#: In the winner's folder: its errors on the test set, and when they were counted.
TEST_NAME = "test.json"

_FORMAT = 1  # of that file
_LOOK = {"format": int, "dataset": str, "data": str, "iteration": int, "n_errors": (int, float),
         "n_examples": int, "date": str}  # fmt: skip


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
    rule and floatX. A search that was stopped, however that happened, goes on when it is called
    again: what has ended is read, and the rest goes on from checkpoints.

    Parameters
    ----------
    dataset : str or os.PathLike
        As `dlt.load_data` takes it. Every process loads it by this name.
    candidates : sequence of dict of str to object
        Settings, such as `dlt.grid` returns. ``seed`` also shuffles the examples; None or no seed
        takes them in turn.
    folder : str or os.PathLike
        Where the run folders go. The processes of an executor have to see it under this name.
    recipe : callable
        Makes a trainer of settings; see `dlt.selection.recipes`. For an executor, a function of a
        module.
    n_epochs, patience
        As `dlt.Trainer.run` takes them.
    max_memory : int, optional
        Read the data in chunks that take so many bytes; see `dlt.open_data`. Seeds then shuffle in
        blocks of 5000 examples.
    allow_other_machine : bool
        Let a candidate go on also where another machine began it, as `dlt.Trainer.run` does; the
        report says so. Otherwise the search ends there.
    executor : concurrent.futures.Executor, optional
        Where to train: `dlt.ProcessPool`, or that of a Dask cluster,
        ``distributed.Client(address).get_executor(pure=False, retries=2)``. By default in this
        process, one candidate after the other.
    log : callable, optional
        Takes each line of the report, such as `print`.
    progress : bool, optional
        Show a progress bar; by default only on a terminal and in a notebook.
    should_stop : callable, optional
        Asked often; once it returns True, the search ends. KeyboardInterrupt ends it too.

    Returns
    -------
    Selection

    Raises
    ------
    SettingsError
        An argument is out of range; another search is at work in the folder; it has runs of another
        engine, of another machine, of more epochs or of another recipe of the same name; or no
        candidate could be trained.
    DataError
        The data cannot be read; or a process sees other data, or not the folder.

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
    with _alone(folder) as (mark, lock), contextlib.ExitStack() as stack:
        stack.callback(forget)
        dataset = dataset if dataset in NAMES else os.path.abspath(dataset)  # workers run elsewhere
        source = current_source(dataset, max_memory)
        log(f"loading {one_line(source.dataset)} ...")
        *learned, test_set = load(source, mark)
        if learned[0].description:
            log(in_words(learned[0].description))
        data = [data_set.fingerprint() for data_set in learned]
        (rule,) = checked([patience.settings()])  # 2 and 2.0 are one
        common = dict(data=data, floatX=source.floatX, recipe=recipe.__name__, rule=rule)
        tasks = []
        for settings in plain:
            order = repr(order_of(settings, source))
            place = own_folder(folder, digest(dict(common, settings=settings, order=order)))
            rest = (recipe, source, data, mark, n_epochs, patience, allow_other_machine)
            tasks.append(Task(settings, place, *rest))

        def is_over():
            lock.check()
            return should_stop is not None and should_stop()

        outcomes = _search(tasks, executor, log, progress, is_over)
        selection = Selection(tuple(sorted(outcomes, key=_rank)), len(tasks))
        if not selection.is_complete:
            return selection
        if selection.winner.error:
            first = f"{settings_in_words(selection.winner.settings)}: {selection.winner.error}"
            raise SettingsError("candidates", "none that could be trained", remedy=first)
        by_folder = {task.folder: task for task in tasks}
        winner = selection.winner
        lock.check()
        return selection._replace(
            p_value=_compared(selection.outcomes, by_folder),
            test=_tested(winner, by_folder[winner.folder], test_set, log),
        )


def _search(tasks, executor, log, progress, should_stop):
    """Return the outcomes of all tasks, or of those that were done when it was stopped."""
    # those that share a trainer follow one another
    tasks = sorted(tasks, key=lambda task: sort_key(divided(task.recipe, task.settings)[0]))
    outcomes: list[Outcome] = []
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
            yield run_task(task, should_stop)
        return
    died: list[Task] = []
    # Once more, one after the other: Dask gives up all that a worker held whenever it died, and
    # memory may have been too small for two.
    for group in itertools.chain([tasks], ([task] for task in died)):
        for future, task in _done(executor, group, should_stop):
            if group is tasks and _is_killed(future):
                died.append(task)
            else:
                yield _result(future, task)


def _done(executor, tasks, should_stop):
    """Yield each task's future, and the task, when it is done."""
    futures = {executor.submit(run_task, task): task for task in tasks}
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
        return failed(task, "every process that trained it died; see what they printed")
    try:
        return future.result()
    except concurrent.futures.CancelledError:
        found = "a task that was cancelled"
        remedy = "start the executor again, and search again: the search goes on"
        return SettingsError("executor", found, "one that runs every task", remedy)
    except Exception as error:
        return failed(task, f"{type(error).__name__}: {error}")


def _rank(outcome):
    error = outcome.validation.fraction if outcome.validation else float("inf")
    return error, sort_key(outcome.settings)


def _compared(outcomes, tasks):
    """Return the p-value of the two best; None if their errors cannot be compared."""
    best = [o for o in outcomes[:2] if o.validation and isinstance(o.validation.n_errors, int)]
    if len(best) < 2:
        return None
    valid_set = load(tasks[best[0].folder].source, tasks[best[0].folder].mark)[1]
    wrong = [
        prepared(tasks[outcome.folder]).trainer.errors(valid_set, _best_params(outcome))
        for outcome in best
    ]
    if len(wrong[0]) != len(wrong[1]) or not np.isin(wrong, (0, 1)).all():
        return None
    return mcnemar(*wrong)


def _tested(winner, task, test_set, log):
    """Return the winner's score on the test set, and report every look before."""
    test_set = as_data_set(SET_NAMES[2], test_set)
    look = {"dataset": task.source.dataset, "data": test_set.fingerprint()}
    look["iteration"] = winner.best_iteration
    score = None
    folder = os.path.dirname(winner.folder)
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*", TEST_NAME))):
        earlier, place = _look(path), os.path.dirname(path)
        whose = f"the run {os.path.basename(place)}"
        if place == winner.folder and all(earlier[name] == value for name, value in look.items()):
            score, whose = Score(earlier["n_errors"], earlier["n_examples"]), "this winner"
        if earlier["dataset"] == look["dataset"] or earlier["data"] == look["data"]:
            date = one_line(earlier["date"], 20)
            log(f"the test set was scored before, on {date}, for {whose}")
    if score is None:
        score = prepared(task).trainer.score(test_set, _best_params(winner))
        look.update(score._asdict(), date=datetime.date.today().isoformat(), format=_FORMAT)
        write_text(own_file(winner.folder, TEST_NAME), json.dumps(look, indent=2) + "\n")
    return score


def _best_params(outcome):
    return read_params(os.path.join(outcome.folder, PARAMS_NAME))[0]


def _look(path):
    """Read when the test set was scored for a run, and what was found."""
    with open_capped(path) as file:
        text = file.read()
    try:
        found = json.loads(text)
        number = found["format"]
    except (ValueError, TypeError, KeyError, RecursionError):
        found, number = {}, None
    check_format(path, "a score", number, _FORMAT)
    fits = all(isinstance(found.get(name), kind) for name, kind in _LOOK.items())
    if fits:
        n, n_errors = found["n_examples"], found["n_errors"]
        fits = 0 < n <= 1 << 53 and (
            0 <= n_errors <= n if isinstance(n_errors, int) else np.isfinite(n_errors)
        )
    if not fits:
        remedy = "delete the file: the test set is scored again"
        raise DataError(path, "something else", "a score as dlt.select writes it", remedy)
    return found


@contextlib.contextmanager
def _alone(folder):
    """Keep a second search out; yield the mark by which processes know this one, and the lock."""
    lock = FolderLock(folder, "search")
    lock.acquire()
    try:
        lock.check()
        mark = uuid.uuid4().hex
        write_text(own_file(folder, MARK_NAME), mark)
        try:
            yield mark, lock
        finally:
            if lock.is_of_folder():
                write_text(own_file(folder, MARK_NAME), "over")  # those at work elsewhere stop
    finally:
        lock.release()
