"""Looks: score the winner of a search on the test set once, and keep a record of it."""

from __future__ import annotations

import datetime
import glob
import json
import os
import sys
from typing import Any, Callable

from dlt.errors import DataError, one_line
from dlt.files.forms import is_count, number, parse
from dlt.files.reading import open_capped
from dlt.files.writing import own_file, write_text
from dlt.score import Score
from dlt.selection.result import Outcome

#: In the winner's folder: its errors on the test set, and when they were counted.
TEST_NAME = "test.json"

_FORMAT = 1
_REMEDY = "delete the file: the test set is scored again"
_FORMS = {
    "dataset": str,
    "data": str,
    "iteration": int,
    "n_errors": number(-sys.float_info.max, sys.float_info.max),
    "n_examples": is_count,
    "date": str,
}


def score_once(
    winner: Outcome,
    dataset: str,
    data: str,
    count: Callable[[], Score],
    log: Callable[[str], object],
) -> Score:
    """Return the winner's score on the test set, and report every earlier look at that set.

    Parameters
    ----------
    winner : Outcome
    dataset, data : str
        Name and fingerprint of the test set.
    count : callable
        Counts the winner's errors. It is not called if its folder has them.
    log : callable
        Takes a line for each earlier look.
    """
    look: dict[str, Any] = dict(dataset=dataset, data=data, iteration=winner.best_iteration)
    score, folder = None, os.path.dirname(winner.folder)
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*", TEST_NAME))):
        earlier, place = _read(path), os.path.dirname(path)
        whose = f"the run {os.path.basename(place)}"
        if place == winner.folder and all(earlier[name] == value for name, value in look.items()):
            score, whose = Score(earlier["n_errors"], earlier["n_examples"]), "this winner"
        if earlier["dataset"] == dataset or earlier["data"] == data:
            log(f"the test set was scored before, on {one_line(earlier['date'], 20)}, for {whose}")
    if score is None:
        score = count()
        today = datetime.date.today().isoformat()
        look = {**look, **score._asdict(), "date": today, "format": _FORMAT}
        write_text(own_file(winner.folder, TEST_NAME), json.dumps(look, indent=2) + "\n")
    return score


def _read(path):
    with open_capped(path) as file:
        look = parse(path, file.read(), "a score", _FORMAT, _FORMS, _REMEDY)
    if type(look["n_errors"]) is int and not 0 <= look["n_errors"] <= look["n_examples"]:
        found = f"{look['n_errors']} errors in {look['n_examples']} examples"
        raise DataError(path, found, "no more errors than examples", _REMEDY)
    return look
