"""The confusion matrix: how often each label is taken for each other.

Source: page "Getting Started", section "Plotting Intermediate Results".
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.ticker import MaxNLocator

from dlt.checks import labels as label_numbers
from dlt.checks import text, whole_number
from dlt.pictures import figures
from dlt.pictures.checks import MAX_PICTURES, captions, check_length

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_FITTING = 60  # characters of all names that fit side by side
_LONGEST = 1.2  # inches of a name


def plot_confusion_matrix(
    y: ArrayLike,
    y_pred: ArrayLike,
    n_out: int | None = None,
    what: str = "examples",
    labels: Sequence | None = None,
) -> figures.Figure:
    """Show how often each label was taken for each other.

    Only mistakes have colours. There may be a hundred times as many right predictions, and on a
    scale for these, mistakes would be invisible.

    Parameters
    ----------
    y, y_pred : array of int, shape (N,)
        The right labels (rows) and the predicted ones (columns), 0 to n_out - 1.
    n_out : int, optional
        Number of labels, at most `MAX_PICTURES`; by default the largest label and 1 more.
    what : str
        What the title calls the examples, such as "test examples".
    labels : sequence of text, optional
        The names of the `n_out` labels; by default their numbers.

    Returns
    -------
    Figure
        Cells show their counts if there is room, as there always is for up to 10 labels.

    Examples
    --------
    >>> figure = plot_confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1])
    >>> figure.axes[0].get_title()
    '1 error in 4 examples (25.00 %)'
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1', '1', '0', '2']
    """
    counts = _confusion(y, y_pred, n_out)
    called = captions("labels", labels, len(counts))
    n, n_errors = counts.sum(), int(counts.sum() - np.trace(counts))
    counted = "1 error" if n_errors == 1 else f"{n_errors} errors"
    title = f"{counted} in {n} {text('what', what)} ({100 * n_errors / n:.2f} %)"
    errors = np.ma.masked_array(counts, np.eye(len(counts), dtype=bool))
    most = max(1, int(counts[~errors.mask].max(initial=0)))
    with figures.style():
        figure = figures.new_figure(5.2, layout="constrained")
        axes = figure.add_subplot()
        cmap = matplotlib.colormaps[figures.SEQUENTIAL].with_extremes(bad="0.88")
        image = axes.imshow(errors, cmap=cmap, vmin=0, vmax=most)
        axes.set(xlabel="predicted label", ylabel="right label")
        axes.set_title(figures.wrapped(title, 5.4))
        for axis in (axes.xaxis, axes.yaxis):
            n_ticks = len(counts) if len(counts) <= 20 else 10
            axis.set_major_locator(MaxNLocator(n_ticks, integer=True, min_n_ticks=1))
            axis.set_major_formatter(functools.partial(_name, called))
        if max(map(len, called)) * n_ticks > _FITTING:
            axes.tick_params("x", rotation=90)
        ticks = MaxNLocator(8, steps=figures.STEPS, integer=True, min_n_ticks=1)
        label = "mistakes in a cell (grey: right predictions)"
        figure.colorbar(image, ax=axes, shrink=0.8, ticks=ticks, label=label)
        if 7 * len(str(counts.max())) + 4 <= 430 / len(counts):  # pixels, of 600
            _write_counts(axes, counts, most)
        figures.settle(figure)
    return figure


def _name(called, k, _):
    """Return the name at a tick, cut to fit; some ticks lie outside the matrix."""
    inside = 0 <= k < len(called)
    return figures.fitting(called[round(k)], _LONGEST, figures.SMALL) if inside else ""


def _write_counts(axes, counts, most):
    for (row, column), count in np.ndenumerate(counts):
        right = row == column
        color = figures.FAINT if count == 0 else "white" if count > 0.71 * most else "black"
        axes.text(column, row, str(count), ha="center", va="center", size=figures.SMALL,
                  color="black" if right else color,
                  weight="bold" if right else "normal")  # fmt: skip


def _confusion(y, y_pred, n_out):
    """Count the pairs of labels; return an int array of shape (n_out, n_out)."""
    most = MAX_PICTURES if n_out is None else whole_number("n_out", n_out, 1, MAX_PICTURES)
    y, y_pred = label_numbers("y", y, most), label_numbers("y_pred", y_pred, most)
    check_length("y_pred", y_pred, len(y))
    n = int(max(y.max(), y_pred.max())) + 1 if n_out is None else most
    return np.bincount(y * n + y_pred, minlength=n * n).reshape(n, n)
