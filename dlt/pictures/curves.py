"""Learning curves: training loss, validation error, and where patience was extended.

Source: page "Getting Started", section "Plotting Intermediate Results".
"""

import functools
import operator

import numpy as np
from matplotlib.ticker import MaxNLocator

from dlt.errors import SettingsError
from dlt.pictures.checks import _listed, _numbers, _positive, _text
from dlt.pictures.figures import (
    _BLUE,
    _PURPLE,
    _STEPS,
    _TEXT,
    _VERMILLION,
    _figure,
    _fitting,
    _plain_numbers,
    _settle,
    _style,
    _text_width,
)
from dlt.runs.history import HistoryRow

_HUGE = 1e100  # a loss beyond is as good as infinite, and axes cannot hold it


def plot_learning_curves(
    history,
    best_iteration=None,
    loss_label="training loss",
    initial_patience=None,
    counted=True,
):
    """Show how training loss and validation error went, and where patience was extended.

    Parameters
    ----------
    history : sequence of HistoryRow
        One for each validation, at least one. Losses that are not finite are left out, and
        the figure says so.
    best_iteration : int, optional
        Minibatch updates the best model had seen, one of the history's iterations; by
        default the first with the lowest validation error.
    loss_label : str
        What the loss is, and its unit; it is a negative log-likelihood (NLL) only with no
        penalty in it. A long one needs a line break, or it is shortened.
    initial_patience : float, minibatch updates, optional
        Patience before the first validation, which no history tells: without it, nothing is
        said of an extension at the first row.
    counted : bool
        True: validation errors are fractions of the examples, and are shown in percent. False:
        they are measured (a squared distance, a negative log-likelihood), and shown as they are.

    Returns
    -------
    Figure
        With an axis of epochs as well where the history tells that each validation was at an
        epoch's end; where half the patience is no longer than an epoch, it does not.

    Raises
    ------
    SettingsError
        The history is empty, or is none; no row has `best_iteration`, or its validation
        error is NaN; `loss_label` is no text, or `initial_patience` no number above 0.

    Notes
    -----
    Marks above the lower axes tell where patience was extended, a star which model is the best.
    Patience counts as extended at a row if it is larger there than in the row before, or, at
    the first, than `initial_patience`. (With the page's numbers it cannot be extended there.)

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
    loss_label = _text("loss_label", loss_label)
    first = (
        patience[0] if initial_patience is None else _positive("initial_patience", initial_patience)
    )
    with _style():
        figure = _figure(4.6, layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        _curve(upper, iteration, loss, _BLUE, "o")
        shown = 100 * error if counted else error
        _curve(lower, iteration, shown, _VERMILLION, "s")
        upper.set_ylabel("|" + "\n" * loss_label.count("\n"))  # room for the lines to come
        upper.yaxis.set_major_formatter(_plain_numbers())
        unit = " (%)" if counted else ""
        lower.set(ylabel="validation error" + unit, xlabel="minibatch updates")
        lower.set_xlim(0, 1.03 * iteration[-1])
        lower.xaxis.set_major_locator(MaxNLocator(8, steps=_STEPS, integer=True))
        figure.align_ylabels([upper, lower])
        _say_what_is_missing(upper, loss)
        _say_what_is_missing(lower, error)
        _add_epochs(upper, iteration, epoch, first)
        _mark_extensions(lower, iteration[patience > np.append(first, patience[:-1])])
        _mark_best(lower, iteration, shown, best, "{:.2f} %" if counted else "{:.4g}")
        if lower.get_legend_handles_labels()[0]:
            below = -0.28 - 0.13 * lower.get_xlabel().count("\n")  # of the axes' height
            lower.legend(loc="upper center", bbox_to_anchor=(0.5, below), ncol=2, frameon=False)
        _settle(figure)
        _write_loss_label(upper, lower, loss_label)
    return figure


def _columns(history, counted):
    """Check a history; give what is drawn of it as arrays, with NaN for what cannot be."""
    history = _listed("history", history)
    if not history:
        raise SettingsError("history", "no rows", "one for each validation")
    for row in history:
        if not isinstance(row, HistoryRow):
            raise SettingsError(
                "history", f"a {type(row).__name__}", "rows as read_history gives them"
            )
    columns = [_numbers("history", column) for column in list(zip(*history))[:5]]
    iteration, epoch, loss, error, patience = columns
    if not (np.isfinite(iteration).all() and (np.diff(iteration, prepend=0) > 0).all()):
        raise SettingsError("history", "iterations that do not grow", "growing ones")
    if counted and ((error < 0) | (error > 1)).any():
        raise SettingsError(
            "history",
            f"a validation error of {error[(error < 0) | (error > 1)][0]:g}",
            "fractions, 0 to 1",
        )
    loss, error = (np.where(np.abs(values) < _HUGE, values, np.nan) for values in (loss, error))
    return iteration, epoch, loss, error, patience


def _best_row(iteration, error, best_iteration):
    """Return the index of the best model's row; None if no validation error is a number."""
    if best_iteration is not None:
        rows = np.flatnonzero(iteration == best_iteration)
        if not len(rows):
            raise SettingsError("best_iteration", best_iteration, "an iteration of the history")
        if np.isnan(error[rows[0]]):
            raise SettingsError(
                "best_iteration",
                f"{best_iteration}, where the validation error is NaN",
                "an iteration with an error",
            )
        return rows[0]
    return None if np.isnan(error).all() else int(np.nanargmin(error))


def _curve(axes, x, y, color, marker):
    axes.plot(x, y, color=color, marker=marker if len(x) <= 30 else None)
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _mark_extensions(axes, iteration):
    """Mark where patience was extended, above the axes: there they hide neither curve nor star."""
    if len(iteration):
        axes.plot(
            iteration,
            np.full(len(iteration), 1.05),  # of the axes' height
            "|",
            transform=axes.get_xaxis_transform(),
            color=_PURPLE,
            markersize=8,
            markeredgewidth=2,
            clip_on=False,
            label="patience extended",
        )


def _mark_best(axes, iteration, shown, row, form):
    """Mark the best model's row, if there is one."""
    if row is not None:
        n_updates = int(iteration[row])
        updates = "1 update" if n_updates == 1 else f"{n_updates} updates"
        axes.plot(
            n_updates,
            shown[row],
            "*",
            color="black",
            markersize=10,
            markeredgecolor="white",
            markeredgewidth=0.4,
            clip_on=False,
            label=f"best model: {form.format(shown[row])} after {updates}",
        )


def _write_loss_label(upper, lower, label):
    """Write a label beside the upper axes, at their middle if it fits there.

    It begins above the lower axes' label at the earliest, and is cut at the figure's edge.
    """
    height = upper.figure.get_figheight()
    (low, high), (lower_low, lower_high) = (
        height * axes.get_position().intervaly for axes in (upper, lower)
    )
    begin = (lower_low + lower_high + _text_width(lower.get_ylabel(), _TEXT)) / 2
    label = _fitting(label, height - begin, _TEXT)
    length = max(_text_width(line, _TEXT) for line in label.replace(r"\$", "$").split("\n"))
    middle = min(max((low + high) / 2, begin + length / 2), height - length / 2)
    upper.set_ylabel(label, y=(middle - low) / (high - low))


def _say_what_is_missing(axes, values):
    """Count the values that cannot be drawn, and let no axis look as if there were some."""
    n_missing = int(np.isnan(values).sum())
    if n_missing:
        what = f"{n_missing} of {len(values)} values are not finite, and not shown"
        axes.set_xlabel("\n".join(filter(None, [what, axes.get_xlabel()])))
    if n_missing == len(values):
        axes.set_yticks([])


def _add_epochs(axes, iteration, epoch, patience):
    """Add an axis of epochs, where the history tells how many updates make one."""
    n_train_batches = iteration[0] / epoch[0] if epoch[0] > 0 else 0.0
    # Half the patience may end a little before each epoch, and a single row may end anywhere.
    if (
        len(iteration) < 2
        or not 1 <= n_train_batches <= patience / 2 - 1
        or not np.array_equal(iteration, epoch * n_train_batches)
    ):
        return
    above = axes.secondary_xaxis(
        "top",
        functions=(
            functools.partial(operator.mul, 1 / n_train_batches),
            functools.partial(operator.mul, n_train_batches),
        ),
    )
    above.set_xlabel("epochs")
    above.xaxis.set_major_locator(MaxNLocator(8, steps=_STEPS, integer=True))
