"""Result: what a search found, as values and as tables."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from dlt.files.writing import own_file, write_text
from dlt.score import Score
from dlt.selection.candidates import COLUMNS, in_words
from dlt.significance import wilson

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ALPHA = 0.05


class Outcome(NamedTuple):
    """The result of training a candidate.

    Fields
    ------
    settings : dict of str to object
    folder : str
        Its run folder.
    validation : Score or None
        Errors of its best parameters; None if it could not be trained.
    n_epochs, best_iteration : int
        Epochs begun, and minibatch updates up to the best parameters.
    seconds : float
        Time in the training loop.
    stopped_by : str
        As in `TrainingResult`; "error" if it could not be trained.
    error : str or None
        Why it could not be trained, on one line.
    n_machines : int
        Number of machines that trained it, one after the other: see `dlt.HistoryRow`.
    """

    settings: dict[str, Any]
    folder: str
    validation: Score | None = None
    n_epochs: int = 0
    best_iteration: int = 0
    seconds: float = 0.0
    stopped_by: str = "error"
    error: str | None = None
    n_machines: int = 1


class Selection(NamedTuple):
    """The result of a search, shown as a table at a prompt and in a notebook.

    Fields
    ------
    outcomes : tuple of Outcome
        The best first: by validation error, then by settings. Candidates that could not be trained
        come last.
    n_candidates : int
        Number of candidates, trained or not.
    p_value : float or None
        Of the exact McNemar test (`dlt.mcnemar`) between the winner and the runner-up on the
        validation set.
    test : Score or None
        Errors of the winner on the test set; None if the search was stopped.

    Examples
    --------
    >>> outcomes = [Outcome({"l2": l2}, "runs/a", Score(n, 200)) for l2, n in [(0, 4), (0.1, 6)]]
    >>> selection = Selection(tuple(outcomes), 2, p_value=0.5, test=Score(5, 200))
    >>> print(selection.winner_in_words())
    winner: l2=0
    validation error 2.000000 % (4/200, 95 % interval 0.78 to 5.03 %)
    test error 2.500000 % (5/200, 95 % interval 1.07 to 5.72 %)
    against the runner-up, l2=0.1: McNemar's p = 0.5 on the validation set, not significant
    """

    outcomes: tuple[Outcome, ...]
    n_candidates: int
    p_value: float | None = None
    test: Score | None = None

    @property
    def winner(self) -> Outcome:
        """The outcome with the lowest validation error."""
        return self.outcomes[0]

    @property
    def is_complete(self) -> bool:
        """Whether every candidate was trained; if not, the search can go on."""
        return len(self.outcomes) == self.n_candidates

    def csv(self) -> str:
        """Return the table as comma-separated values; errors and intervals are fractions."""
        text = io.StringIO()
        header = [COLUMNS[0], *self._names(), *COLUMNS[1:]]
        writer = csv.DictWriter(text, header, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for rank, outcome in enumerate(self.outcomes, start=1):
            row = {**outcome._asdict(), **dict.fromkeys(self._names()), **outcome.settings}
            row.update(rank=rank, run=os.path.basename(outcome.folder))
            row["seconds"] = round(outcome.seconds, 3)
            row["p_value"] = self.p_value if rank == 2 else None
            score = outcome.validation
            if score:
                row.update(score._asdict(), validation_error=score.fraction)
                row["low"], row["high"] = _interval(score) or (None, None)
            writer.writerow(row)
        return text.getvalue()

    def markdown(self, n: int | None = None) -> str:
        """Return the table, or its first `n` rows, and lines about the winner."""
        settings = self._names()
        names = ["", *settings]
        names += ["validation error", "errors", "95 % interval", "epochs", "seconds", "run"]
        rows = [_row(*ranked, settings) for ranked in enumerate(self.outcomes[:n], start=1)]
        cells = [[cell.replace("|", "/") for cell in line] for line in [names, *rows]]
        widths = [max(3, *map(len, column)) for column in zip(*cells)]
        cells.insert(1, ["-" * (width - 1) + ":" for width in widths])
        table = [f"| {' | '.join(map(str.rjust, line, widths))} |" for line in cells]
        if len(rows) < len(self.outcomes):
            table += ["", f"and {len(self.outcomes) - len(rows)} more"]
        words = f"{len(self.outcomes)} of {self.n_candidates} candidates; the search can go on"
        return "\n".join([*table, "", self.winner_in_words() if self.is_complete else words])

    def winner_in_words(self) -> str:
        """Return lines about the winner: its errors, and a comparison with the runner-up."""
        lines = [f"winner: {in_words(self.winner.settings)}"]
        for name, score in (("validation", self.winner.validation), ("test", self.test)):
            if score:
                lines.append(f"{name} error {score} ({_of(score)})")
        if self.p_value is not None:
            verdict = "significant" if self.p_value <= _ALPHA else "not significant"
            lines.append(
                f"against the runner-up, {in_words(self.outcomes[1].settings)}: McNemar's "
                f"p = {self.p_value:.3g} on the validation set, {verdict}"
            )
        return "\n".join(lines)

    def plot(self) -> Figure:
        """Draw the error against each setting; see `dlt.plot_selection`."""
        from dlt.pictures.selection import plot_selection

        return plot_selection(self.outcomes)

    def save(self, folder: str) -> list[str]:
        """Write ``table.csv``, ``table.md`` and ``errors.png``, and return their paths."""
        from dlt.pictures.figures import save_figure

        paths = [own_file(folder, name) for name in ("table.csv", "table.md", "errors.png")]
        for path, text in zip(paths, (self.csv(), self.markdown() + "\n")):
            write_text(path, text)
        save_figure(paths[2], self.plot())
        return paths

    def __repr__(self) -> str:
        return self.markdown(10)

    def _repr_markdown_(self):
        return self.markdown(10).replace("\n", "  \n")

    def _names(self):
        return list(dict.fromkeys(name for o in self.outcomes for name in o.settings))


def _row(rank, outcome, names):
    settings = [str(outcome.settings.get(name, "")) for name in names]
    score, run = outcome.validation, os.path.basename(outcome.folder)
    if score is None:
        return [str(rank), *settings, "", "", outcome.error, "", "", run]
    epochs, seconds = str(outcome.n_epochs), f"{outcome.seconds:.1f}"
    return [str(rank), *settings, str(score), *_counted(score), epochs, seconds, run]


def _of(score):
    errors, interval = _counted(score)
    return f"{errors}, 95 % interval {interval}" if errors else f"mean of {score.n_examples}"


def _counted(score):
    """Return the errors and their interval as text; both are empty for measured errors."""
    interval = _interval(score)
    if interval is None:
        return "", ""
    low, high = interval
    return f"{score.n_errors}/{score.n_examples}", f"{100 * low:.2f} to {100 * high:.2f} %"


def _interval(score):
    """Return the Wilson interval of counted errors; None for measured ones."""
    return wilson(score) if isinstance(score.n_errors, int) else None
