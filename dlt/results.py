"""Results: what a training run found.

Source: page "Getting Started", sections "Testing" and "Plotting Intermediate Results".
"""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlt.runs.history import History
from dlt.score import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ENDS = {
    "patience": "stopped by patience",
    "n_epochs": "ended after the last epoch",
    "divergence": "stopped by divergence",
    "request": "stopped on request",
}


class TrainingResult(NamedTuple):
    """What a training run found; shown as a short table at a prompt and in a notebook.

    Fields
    ------
    best_params : dict of str to ndarray, or None
        The parameters with the fewest validation errors; without a validation set, those at the
        end of the last epoch. None if training diverged or was stopped before there were any.
    best_iteration : int or None
        Minibatch updates made to reach them.
    best_validation, test : Score or None
        Their errors on the validation set, and on the test set if `dlt.train` had one.
    history : History
        One `HistoryRow` for each validation, or for each epoch without a validation set.
    n_iterations : int
        Minibatch updates made, including the one at which training diverged.
    n_epochs : int
        Epochs started; patience may cut the last one short.
    seconds : float
        Time in the loop, without compiling; a resumed run adds to it.
    stopped_by : {"patience", "n_epochs", "divergence", "request"}
        ``"request"``: `should_stop` or Ctrl-C. Then nothing is tested, as the run may go on.
    diverged_at : int or None
        Number (from 1) of the update whose loss was NaN or infinite.
    initial_patience : float
        Patience before the first validation, in minibatch updates.

    Examples
    --------
    >>> from dlt import LogisticRegression, T, negative_log_likelihood, train
    >>> x, y = T.matrix("x"), T.ivector("y")
    >>> model = LogisticRegression(x, n_in=2, n_out=2)
    >>> NLL = negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    >>> data = ([[0.0, 0.9], [0.9, 0.0]] * 10, [0, 1] * 10)
    >>> result = train(model, y, NLL, [data] * 3, batch_size=10, n_epochs=3)
    >>> shown = repr(result._replace(seconds=0.5))
    >>> print(shown.rpartition("\\n")[0])  # all but the last line, which depends on floatX
    ended after the last epoch: 3 epochs, 6 updates, 0.5 s
      best validation error  0.000000 %  0 of 20, after 2 updates
      test error             0.000000 %  0 of 20
    """

    best_params: dict[str, np.ndarray] | None
    best_iteration: int | None
    best_validation: Score | None
    test: Score | None
    history: History
    n_iterations: int
    n_epochs: int
    seconds: float
    stopped_by: str
    diverged_at: int | None
    initial_patience: float

    @property
    def epochs_per_second(self) -> float:
        """Speed of the loop, without compiling; NaN if the loop took no measurable time."""
        return self.n_epochs / self.seconds if self.seconds else math.nan

    def plot(self, loss_label: str = "training loss") -> Figure:
        """Draw the learning curves; see `dlt.plot_learning_curves`.

        Parameters
        ----------
        loss_label : str
            Name and unit of the loss, such as "training NLL (nats per example)".
        """
        from dlt.pictures.curves import plot_learning_curves

        validation = self.best_validation  # None: nothing was validated
        return plot_learning_curves(
            self.history,
            validation and self.best_iteration,
            loss_label,
            self.initial_patience,
            counted=validation is None or isinstance(validation.n_errors, int),
        )

    def __repr__(self) -> str:
        rows = self._rows()
        first, second = (max((len(row[i]) for row in rows), default=0) for i in range(2))
        lines = [f"  {name:{first}}  {figure:{second}}  {rest}" for name, figure, rest in rows]
        return "\n".join([self._summary(), *lines])

    def _repr_html_(self):
        cells = [
            "<tr><th>{}</th><td>{}</td><td>{}</td></tr>".format(*map(html.escape, row))
            for row in self._rows()
        ]
        return f"<table><caption>{html.escape(self._summary())}</caption>{''.join(cells)}</table>"

    def _summary(self):
        epochs, updates = counted(self.n_epochs, "epoch"), counted(self.n_iterations, "update")
        return f"{_ENDS[self.stopped_by]}: {epochs}, {updates}, {self.seconds:.1f} s"

    def _rows(self):
        """Return the lines of the table as (name, figure, remark), all text."""
        rows = []
        if self.best_validation is not None:
            after = f", after {counted(self.best_iteration, 'update')}"
            found = _of(self.best_validation) + after
            rows.append(("best validation error", str(self.best_validation), found))
        if self.test is not None:
            rows.append(("test error", str(self.test), _of(self.test)))
        if self.best_params is not None:
            shapes = [f"{name} {a.shape}" for name, a in self.best_params.items()]
            dtypes = sorted({a.dtype.name for a in self.best_params.values()})
            rows.append(("parameters", ", ".join(dtypes), ", ".join(shapes)))
        if self.diverged_at is not None:
            rows.append(("diverged at update", str(self.diverged_at), "loss not finite"))
        return rows


def _of(score):
    n = score.n_examples
    return f"{score.n_errors} of {n}" if isinstance(score.n_errors, int) else f"mean of {n}"


def counted(n: int, thing: str) -> str:
    """Return a number with its noun, in the plural where needed.

    Examples
    --------
    >>> counted(1, "epoch"), counted(2, "minibatch")
    ('1 epoch', '2 minibatches')
    """
    plural = "es" if thing.endswith("ch") and thing != "epoch" else "s"
    return f"{n} {thing}{'' if n == 1 else plural}"
