"""The confusion matrix: which label is taken for which.

Source: page "Getting Started", section "Plotting Intermediate Results".
"""

import matplotlib.style
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator

from dlt.checks import whole_number
from dlt.pictures.checks import MAX_PICTURES, _check_length, _labels, _text
from dlt.pictures.figures import (
    _FAINT,
    _SEQUENTIAL,
    _SMALL,
    _STEPS,
    _TEXT,
    _WIDTH,
    _figure,
    _fitting,
    _settle,
    _style,
    _text_width,
)

_CONTRAST = 4.5  # of text, at least (WCAG 2)


def plot_confusion_matrix(y, y_pred, n_out=None, what="examples"):
    """Show how often each label was taken for each other.

    The colour shows the mistakes alone: on the scale of the right predictions, a hundred
    times as many, no mistake could be seen.

    Parameters
    ----------
    y : array of int, shape (N,)
        The right labels, 0 to n_out - 1: the rows.
    y_pred : array of int, shape (N,)
        The predicted ones: the columns.
    n_out : int, optional
        Number of labels, at most `MAX_PICTURES`; by default as many as occur.
    what : str
        What the examples are, for the title, such as "test examples".

    Returns
    -------
    Figure
        With the counts in the cells, where they fit: up to 10 labels for certain.

    Raises
    ------
    SettingsError
        The arrays are empty, of different lengths, a label is out of range, or `what` is
        no text.

    Examples
    --------
    >>> figure = plot_confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1])
    >>> figure.axes[0].get_title()
    '1 error in 4 examples (25.00 %)'
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1', '1', '0', '2']
    """
    counts, what = _confusion(y, y_pred, n_out), _text("what", what)
    n_errors = int(counts.sum() - np.trace(counts))
    errors = "1 error" if n_errors == 1 else f"{n_errors} errors"
    title = f"{errors} in {counts.sum()} {{}} ({100 * n_errors / counts.sum():.2f} %)"
    errors = np.ma.masked_array(counts, np.eye(len(counts), dtype=bool))
    most = max(1, int(counts[~errors.mask].max(initial=0)))
    with _style():
        figure = _figure(5.2, layout="constrained")
        axes = figure.add_subplot()
        cmap = matplotlib.colormaps[_SEQUENTIAL].with_extremes(bad="0.88")
        image = axes.imshow(errors, cmap=cmap, vmin=0, vmax=most)
        axes.set(xlabel="predicted label", ylabel="right label")
        axes.set_title("|" + "\n" * what.count("\n"))  # room for the lines to come
        for axis in (axes.xaxis, axes.yaxis):
            n_ticks = len(counts) if len(counts) <= 20 else 10
            axis.set_major_locator(MaxNLocator(n_ticks, integer=True, min_n_ticks=1))
        bar = figure.colorbar(image, ax=axes, shrink=0.8)
        bar.set_label("mistakes in a cell (grey: right predictions)")
        bar.locator = MaxNLocator(8, steps=_STEPS, integer=True, min_n_ticks=1)
        bar.update_ticks()
        _write_counts(axes, counts, image.cmap(image.norm(errors)))
        _settle(figure)
        _write_title(axes, title, what)
    return figure


def _write_title(axes, title, what):
    """Write a title around `what`, which is shortened to what fits above the axes."""
    middle = _WIDTH * axes.get_position().intervalx.mean()
    room = 2 * min(middle, _WIDTH - middle)
    what = _fitting(what, room - _text_width(title.format(""), _TEXT), _TEXT)
    axes.set_title(title.format(what))


def _write_counts(axes, counts, grounds):
    """Write the counts into the cells, which have these colours, if the longest of them fits."""
    if 7 * len(str(counts.max())) + 4 > 430 / len(counts):  # pixels, at 600 in all
        return
    for (row, column), count in np.ndenumerate(counts):
        color = _readable_on(grounds[row, column], faint=count == 0)
        axes.text(column, row, str(count), ha="center", va="center", color=color, size=_SMALL,
                  weight="bold" if row == column else "normal")  # fmt: skip


def _readable_on(ground, faint):
    """Choose a text's colour by what can be read; a faint one gives way where it cannot be."""
    if faint and _contrast(_FAINT, ground) >= _CONTRAST:
        return _FAINT
    return max("black", "white", key=lambda color: _contrast(color, ground))


def _contrast(one, other):
    """Return WCAG 2's contrast of two colours, 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color):
    """Return WCAG 2's relative luminance, 0 to 1; sRGB's gamma is undone for it."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _confusion(y, y_pred, n_out):
    """Count each pair of labels: int array, shape (n_out, n_out)."""
    most = MAX_PICTURES
    if n_out is not None:
        n_out = most = whole_number("n_out", n_out, 1, MAX_PICTURES)
    y, y_pred = _labels("y", y, most), _labels("y_pred", y_pred, most)
    _check_length("y_pred", y_pred, len(y))
    n_out = int(max(y.max(), y_pred.max())) + 1 if n_out is None else n_out
    return np.bincount(y * n_out + y_pred, minlength=n_out * n_out).reshape(n_out, n_out)
