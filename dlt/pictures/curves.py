"""Learning curves: training loss, validation error, and extensions of patience.

Source: page "Getting Started", section "Plotting Intermediate Results".
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable

import numpy as np
from matplotlib.ticker import MaxNLocator

from dlt.checks import real_numbers, sequence, text
from dlt.errors import DataError, SettingsError
from dlt.pictures import checks, figures
from dlt.runs.history import History, HistoryRow

_HUGE = 1e100  # larger values count as infinite: an axis cannot show them


def plot_learning_curves(
    history: Iterable[HistoryRow],
    best_iteration: int | None = None,
    loss_label: str = "training loss",
    initial_patience: float | None = None,
    counted: bool = True,
) -> figures.Figure:
    """Show training loss, validation error, and where patience was extended.

    Parameters
    ----------
    history : iterable of HistoryRow
        One or more, each for a validation. Losses and errors that are not finite are left out;
        the figure says how many.
    best_iteration : int, optional
        Minibatch updates of the best model, one of the history's iterations; by default the first
        with the lowest validation error.
    loss_label : str
        The loss and its unit. A loss with a penalty is no longer a negative log-likelihood (NLL).
    initial_patience : float, minibatch updates, optional
        Patience before the first validation. Without it, no extension is shown at the first row.
    counted : bool
        True: validation errors are fractions of the examples, shown in percent. False: they are
        measured (a squared distance, a negative log-likelihood) and shown as they are.

    Returns
    -------
    Figure
        A star marks the best model. Marks above the lower axes show where patience is larger than
        in the row before. There is an axis of epochs if each validation ended an epoch, which is
        not so if an epoch is longer than half the patience.

    Raises
    ------
    DataError
        The history is empty, its iterations do not increase, or an error is not a fraction.
    SettingsError
        No row has `best_iteration`, or its validation error is NaN.

    Examples
    --------
    >>> rows = [(60, 1, 0.9, 0.25, 100.0, 0.1), (120, 2, 0.5, 0.125, 238.0, 0.2)]
    >>> figure = plot_learning_curves([HistoryRow(*row) for row in rows])
    >>> figure.axes[1].get_ylabel()
    'validation error (%)'
    >>> figure.axes[1].lines[0].get_ydata().tolist()
    [25.0, 12.5]
    """
    iteration, epoch, loss, error, patience = _columns(history, counted)
    best = _best_row(iteration, error, best_iteration)
    before = patience[0]
    if initial_patience is not None:
        before = checks.positive("initial_patience", initial_patience)
    extended = iteration[patience > np.append(before, patience[:-1])]
    shown, unit = (100 * error, " (%)") if counted else (error, "")
    with figures.style():
        figure = figures.new_figure(4.6, layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        _draw_curve(upper, iteration, loss, figures.BLUE, "o")
        _draw_curve(lower, iteration, shown, figures.VERMILLION, "s")
        upper.set_ylabel(figures.wrapped(text("loss_label", loss_label), 2.1))
        upper.yaxis.set_major_formatter(figures.plain_number)
        lower.set(ylabel="validation error" + unit, xlabel="minibatch updates")
        lower.set_xlim(0, 1.03 * iteration[-1])
        lower.xaxis.set_major_locator(MaxNLocator(8, steps=figures.STEPS, integer=True))
        figure.align_ylabels([upper, lower])
        _count_missing(upper, loss)
        _count_missing(lower, error)
        _add_epochs(upper, iteration, epoch, before)
        if len(extended):
            heights = [1.05] * len(extended)  # just above the axes, where marks hide no curve
            lower.plot(extended, heights, "|", color=figures.PURPLE, markersize=8,
                       markeredgewidth=2, label="patience extended", clip_on=False,
                       transform=lower.get_xaxis_transform())  # fmt: skip
        if best is not None:
            n, lowest = int(iteration[best]), shown[best]
            value = f"{lowest:.2f} %" if counted else f"{lowest:.4g}"
            label = f"best model: {value} after {n} update{'' if n == 1 else 's'}"
            figures.draw_star(lower, n, lowest, label)
        if lower.get_legend_handles_labels()[0]:
            below = -0.28 - 0.13 * lower.get_xlabel().count("\n")  # of the axes' height
            lower.legend(loc="upper center", bbox_to_anchor=(0.5, below), ncol=2, frameon=False)
        figures.settle(figure)
    return figure


def _columns(history, counted):
    """Check a history; return the columns to draw, with NaN for values that cannot be drawn."""
    if not isinstance(history, History):
        history = sequence("history", history)
        for row in history:
            if not isinstance(row, HistoryRow):
                expected = "rows as read_history returns"
                raise DataError("history", f"a {type(row).__name__}", expected)
        real_numbers("history", history)
        history = History(history)
    if not history:
        raise DataError("history", "no rows", "one for each validation")
    iteration, epoch, loss, error, patience, *_ = history.as_array().T
    steps = np.diff(iteration, prepend=0)
    if not ((steps > 0) & (steps < np.inf)).all():
        raise DataError("history", "iterations that do not increase", "increasing ones")
    wrong = error[(error < 0) | (error > 1)]
    if counted and len(wrong):
        raise DataError("history", f"a validation error of {wrong[0]:g}", "fractions, 0 to 1")
    loss, error = (np.where(np.abs(values) < _HUGE, values, np.nan) for values in (loss, error))
    return iteration, epoch, loss, error, patience


def _best_row(iteration, error, best_iteration):
    """Return the index of the best model's row; None if no validation error is a number."""
    if best_iteration is None:
        return None if np.isnan(error).all() else int(np.nanargmin(error))
    rows = np.flatnonzero(iteration == best_iteration)
    if not len(rows):
        raise SettingsError("best_iteration", best_iteration, "an iteration of the history")
    if np.isnan(error[rows[0]]):
        found = f"{best_iteration}, where the validation error is NaN"
        raise SettingsError("best_iteration", found, "an iteration with an error")
    return rows[0]


def _draw_curve(axes, x, y, color, marker):
    axes.plot(x, y, color=color, marker=marker if len(x) <= 30 else None)
    figures.draw_grid(axes)


def _count_missing(axes, values):
    """Write how many values are left out; if all of them are, remove the ticks."""
    n_missing = int(np.isnan(values).sum())
    if n_missing:
        what = f"{n_missing} of {len(values)} values are not finite, and not shown"
        axes.set_xlabel("\n".join(filter(None, [what, axes.get_xlabel()])))
    if n_missing == len(values):
        axes.set_yticks([])


def _add_epochs(axes, iteration, epoch, patience):
    """Add an axis of epochs if the history shows how many updates make an epoch."""
    n_train_batches = iteration[0] / epoch[0] if epoch[0] > 0 else 0.0
    # Validations every half patience can look like epochs, and a single row can be anywhere in one.
    whole_epochs = 1 <= n_train_batches <= patience / 2 - 1 and len(iteration) > 1
    if whole_epochs and np.array_equal(iteration, epoch * n_train_batches):
        factors = 1 / n_train_batches, n_train_batches
        functions = tuple(functools.partial(operator.mul, factor) for factor in factors)
        above = axes.secondary_xaxis("top", functions=functions)
        above.set_xlabel("epochs")
        above.xaxis.set_major_locator(MaxNLocator(8, steps=figures.STEPS, integer=True))
