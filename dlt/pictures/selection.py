"""A search as a figure: validation error against each setting.

Source: page "Getting Started", section "Testing".
"""

from __future__ import annotations

import itertools
import math
import numbers
from typing import Any, Iterable

import numpy as np
from matplotlib.ticker import MaxNLocator

from dlt.checks import sequence
from dlt.errors import SettingsError
from dlt.pictures import figures
from dlt.runs.folder import SEED
from dlt.significance import wilson

_MOST_COLUMNS = 3
_LETTERS = 30  # most characters of the name of a value
_MANY = 30  # more candidates are faint, and no line joins more values
# Lengths are in inches.
_PANEL, _LINE, _LEGEND = 2.3, 0.18, 0.35  # heights
_UPRIGHT = 0.8  # height of the longest upright name
_APART = 0.15  # least distance between upright names


def plot_selection(outcomes: Iterable[Any]) -> figures.Figure:
    """Show the validation errors of candidates against each setting.

    Each setting with more than one value has a panel. Positive numbers that span more than a
    factor of 10 have a logarithmic axis. Seeds are evenly spaced, and so are values that include 0,
    text, truth values or None. A setting that a candidate does not have is called "default".

    Parameters
    ----------
    outcomes : iterable of Outcome
        Such as those of a `Selection`: each has ``settings``, a dict, and ``validation``, a `Score`
        or None. Those without a score are left out; the figure says how many.

    Returns
    -------
    Figure
        A line joins the best candidates for each value, up to 30 values. A star marks the winner,
        the first with the lowest error. If errors are counted, a band shows its 95 % Wilson
        interval: the winner is hardly better than other candidates inside.

    Raises
    ------
    SettingsError
        No candidate has a score.

    Examples
    --------
    >>> from types import SimpleNamespace as Found
    >>> from dlt import Score
    >>> errors = {0.1: 75, 0.3: 80, 0.01: 125}  # of 1000
    >>> figure = plot_selection(
    ...     Found(settings={"learning_rate": learning_rate}, validation=Score(n, 1000))
    ...     for learning_rate, n in errors.items()
    ... )
    >>> axes = figure.axes[0]
    >>> axes.get_xlabel(), axes.get_xscale(), axes.lines[0].get_ydata().tolist()
    ('learning_rate', 'log', [7.5, 8.0, 12.5])
    """
    outcomes = sequence("outcomes", outcomes)
    for outcome in outcomes:
        if not hasattr(outcome, "validation"):
            expected = "outcomes, such as those of a Selection"
            raise SettingsError("outcomes", f"a {type(outcome).__name__}", expected)
    shown = [outcome for outcome in outcomes if outcome.validation]
    if not shown:
        found = f"{len(outcomes)} candidates, none with a score"
        raise SettingsError("outcomes", found, "one or more with a score")
    counted = isinstance(shown[0].validation.n_errors, int)
    factor, unit = (100, " (%)") if counted else (1, "")
    errors = [factor * outcome.validation.fraction for outcome in shown]
    best = errors.index(min(errors))
    winner = shown[best]
    lowest = f"{errors[best]:.2f} %" if counted else f"{errors[best]:.4g}"
    title = _title(lowest, winner.settings, len(outcomes) - len(shown), len(outcomes))
    panels = _panels([outcome.settings for outcome in shown])
    n_columns = min(len(panels), _MOST_COLUMNS)
    n_rows = math.ceil(len(panels) / n_columns)
    height = n_rows * _PANEL + _LEGEND + _LINE * (title.count("\n") + 1)
    with figures.style():
        figure = figures.new_figure(height)
        bottom = _LEGEND / height
        figure.set_layout_engine("constrained", rect=(0, bottom, 1, 1 - bottom))
        figure.suptitle(title, size=figures.TEXT)
        grid = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
        for axes, (name, values) in zip(grid.flat, panels.items()):
            _draw_panel(axes, name, values, errors, best, 5.25 / n_columns - 0.1)
            if counted:
                low, high = wilson(winner.validation)
                axes.axhspan(factor * low, factor * high, color=figures.BLUE, alpha=0.15, lw=0,
                             label="its 95 % interval")  # fmt: skip
        for axes in grid[:, 0]:
            axes.set_ylabel("validation error" + unit)
        grid[0, 0].yaxis.set_major_locator(MaxNLocator(6, steps=figures.STEPS))
        grid[0, 0].yaxis.set_major_formatter(figures.plain_number)
        for axes in grid.flat[len(panels) :]:
            axes.remove()
        described = [axes.get_legend_handles_labels() for axes in figure.axes]
        most = max(described, key=lambda found: len(found[0]))  # some panels have no line
        figure.legend(*most, loc="lower center", ncol=4, frameon=False)
        figures.settle(figure)
    return figure


def _title(lowest, settings, n_failed, n):
    """Return a title with the winner, and how many candidates are not shown."""
    named = ", ".join(f"{name}={_name(value)}" for name, value in settings.items())
    title = figures.wrapped(f"Winner: {lowest}{' with ' if named else ''}{named}", 5.6)
    if n_failed:
        title += f"\n{n_failed} of {n} candidates failed, and are not shown"
    return title


def _panels(candidates):
    """Return the values of each setting that varies, or of one if none does; seeds come last."""
    names = [name for name in dict.fromkeys(itertools.chain(*candidates)) if name != SEED]
    panels = {
        name: [_plain(settings.get(name, "default")) for settings in candidates]
        for name in [*names, SEED]
    }
    varying = {name: values for name, values in panels.items() if len(set(values)) > 1}
    return varying or dict(itertools.islice(panels.items(), 1))


def _plain(value):
    """Return a number as it is, and anything else as text."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return value if is_number else str(value)


def _name(value):
    name = f"{value:.4g}" if isinstance(value, float) else str(value)
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"


def _draw_panel(axes, setting, values, errors, best, width):
    """Draw errors against the values of a setting, on an axis of a width in inches."""
    ordered = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    even = setting == SEED or 0 in ordered or isinstance(ordered[-1], str)
    places = {value: i if even else float(value) for i, value in enumerate(ordered)}
    if not even and 0 < 10 * ordered[0] < ordered[-1]:
        axes.set_xscale("log")
    lowest = {}
    for value, error in zip(values, errors):
        lowest[value] = min(error, lowest.get(value, error))
    n, x = len(values), [places[value] for value in values]
    axes.plot(x, errors, "o", color=figures.VERMILLION, alpha=1 if n <= _MANY else 0.4,
              markeredgewidth=0, label="1 candidate" if n == 1 else f"{n} candidates")  # fmt: skip
    if 1 < len(ordered) <= _MANY:
        axes.plot([*places.values()], [lowest[value] for value in ordered],
                  color=figures.VERMILLION, label="best of each value")  # fmt: skip
    figures.draw_star(axes, x[best], errors[best], "winner")
    axes.set_xlabel(figures.wrapped(setting, width))
    figures.draw_grid(axes)
    _name_places(axes, [*places.values()], [_name(v) for v in ordered], x[best], width)


def _name_places(axes, x, names, first, width):
    """Name places on an axis: first one of them, then as many others as fit."""
    scale = axes.xaxis.get_transform()
    at = scale.transform(np.array(x, float))
    pitch = 1 / max(1, len(x) - 1)  # of a span of 1
    margin = max(0.3 * pitch, 0.05) * (at[-1] - at[0] or 1)
    low, high = at[0] - margin, at[-1] + margin
    inches = (at - low) / (high - low) * width
    room = np.diff(inches, prepend=inches[0] - width).min()
    shown = [figures.fitting(name, room, figures.SMALL) for name in names]
    upright = any(name.endswith("…") for name in shown)
    if upright:
        shown = [figures.fitting(name, _UPRIGHT, figures.SMALL) for name in names]
    named = [x.index(first)]
    for i in range(len(x)):
        if i not in named and (not upright or np.abs(inches[i] - inches[named]).min() >= _APART):
            named.append(i)
    rotation = 90 if upright else 0
    axes.set_xticks([x[i] for i in named], [shown[i] for i in named], rotation=rotation)
    axes.minorticks_off()
    axes.set_xlim(scale.inverted().transform([low, high]))
