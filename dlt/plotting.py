"""Plotting: arrays in, a figure out.

The `plot_` functions take numpy arrays (or a history) and return a matplotlib Figure, 6 inches
wide, whose smallest text is still readable when it is shown 600 pixels wide; `tile_images` and
`animate_weights` return Pillow images, and the `save_` functions nothing. Nothing here trains
or loads an engine, and pyplot with its global state is not used: it works without a display,
and whatever a matplotlibrc says. Colours are told apart by colour-blind eyes too.

Functions
---------
- `plot_digits` : examples, with their labels.
- `plot_weights` : what each label's weights look like, as images on one colour scale.
- `plot_learning_curves` : training loss and validation error of a run.
- `plot_confusion_matrix` : which label is taken for which.
- `plot_mistakes` : the most confident of the wrong predictions.
- `tile_images` : rows of pixels as one Pillow image.
- `animate_weights` : how the weights come about, as the frames of an animation.
- `save_figure`, `save_animation` : to files, whole or not at all, the same bytes every time.

Sources: page "Getting Started", section "Plotting Intermediate Results"; the colours of
lines are those of Okabe and Ito, "Color Universal Design" (2008).
"""

import contextlib
import functools
import io
import math
import numbers
import operator
import os
import threading
import warnings

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as _Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from dlt.checks import positive_in, whole_number
from dlt.errors import SettingsError
from dlt.files import write_atomically
from dlt.history import HistoryRow
from dlt.images import side_of

#: Most pictures in one figure, and most labels of a confusion matrix.
MAX_PICTURES = 500

_WIDTH = 6.0  # inches of every figure
_DPI = 100  # 600 pixels, as shown in a notebook; files have twice as many
_SAVED_WIDTH = 1200  # pixels
_LONGEST_GIF = 65535  # pixels: GIF writes a side's length in 16 bits
_LONGEST_SHOWN = 655350  # milliseconds: 16 bits as well, for hundredths of a second
_TALLEST = 65535  # pixels that older releases of matplotlib draw at most
_MARGIN = 0.1  # inches, as all lengths here
_TEXT = 9  # points: 12.5 pixels of 600
_SMALL = 8  # points: 11 pixels of 600, the least that is used
_LARGEST_PICTURE = 1.8

_BLUE, _VERMILLION, _PURPLE = "#0072B2", "#D55E00", "#CC79A7"  # Okabe and Ito's
_DIVERGING = "RdBu"  # blue for, red against, as on the drawing page
_SEQUENTIAL = "Blues"
_FAINT = "0.45"  # what matters less, where it still can be read
_CONTRAST = 4.5  # of text, at least (WCAG 2)
_STYLE = {
    "font.size": _TEXT,
    "axes.titlesize": _TEXT,
    "axes.labelsize": _TEXT,
    "xtick.labelsize": _SMALL,
    "ytick.labelsize": _SMALL,
    "legend.fontsize": _TEXT,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "svg.hashsalt": "dlt",  # names inside an SVG are random without it
}
_NO_DATES = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}
_STEPS = [1, 2, 5, 10]  # between ticks, and ten times as much and so on
_HUGE = 1e100  # a loss beyond is as good as infinite, and axes cannot hold it


_lock = threading.RLock()


@contextlib.contextmanager
def _style():
    """Make or draw a figure with our settings, whatever the user's are.

    matplotlib's settings are the process's. They are put back afterwards, and one thread at a
    time changes them, or one would put back another's.
    """
    with _lock, matplotlib.style.context(["default", _STYLE]):
        yield


class Figure(_Figure):
    """A matplotlib Figure that shows itself in notebooks, with or without pyplot.

    It looks the same wherever it is drawn: settings of the user (a matplotlibrc, a style) do
    not reach it.
    """

    def draw(self, renderer):
        """Draw with the settings it was made with."""
        with _style():
            super().draw(renderer)

    def savefig(self, *args, **kwargs):
        """Save with the settings it was made with; see matplotlib."""
        with _style():
            super().savefig(*args, **kwargs)

    def _repr_png_(self):
        """Give IPython a PNG of twice the size that it is to be shown at, for sharp screens."""
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=2 * self.dpi, metadata=_NO_DATES["png"])
        width, height = (round(float(n)) for n in self.get_size_inches() * self.dpi)
        return png.getvalue(), {"width": width, "height": height}


def _figure(height, **kwargs):
    """Make a figure that is a whole number of pixels high for every release of matplotlib.

    Some round what 4.6 inches of 100 pixels are, 459.99999999999994, and some cut it off.
    """
    n_pixels = round(height * _DPI)
    height = n_pixels / _DPI
    if height * _DPI < n_pixels:
        height = float(np.nextafter(height, math.inf))
    return Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="white", **kwargs)


def _settle(figure):
    """Lay a figure out now, once: laid out at every drawing, no two would be quite the same."""
    for _ in range(2):  # the first time moves what the second time measures
        figure.draw_without_rendering()
    figure.set_layout_engine("none")


def _plain_numbers():
    """Write ticks so that no factor such as 1e-6 stands apart, where it would cover something."""
    return FuncFormatter(_plain_number)


def _plain_number(value, _):
    return "{:.10g}".format(value).replace("-", "\N{MINUS SIGN}")


# --- pictures ------------------------------------------------------------------------------------


def plot_digits(x, y=None, n_columns=10, title=None):
    """Show examples as pictures, dark ink on white.

    Parameters
    ----------
    x : array, shape (N, n_in)
        Pixels, 0 for the background and 1 for ink; n_in is a square number, N from 1 to
        `MAX_PICTURES`.
    y : sequence of N labels, optional
        Shown above the pictures: numbers or text.
    n_columns : int
        Pictures in a row, 1 to 20.
    title : str, optional

    Returns
    -------
    Figure

    Raises
    ------
    SettingsError
        The arrays do not have these shapes, or hold NaN; the title is no text; with so few
        columns the figure would be too tall to be drawn.

    Examples
    --------
    >>> import dlt
    >>> (x, y), _, _ = dlt.load_data("digits")
    >>> plot_digits(x[:20], y[:20])
    <Figure size 600x...>
    """
    n_columns = whole_number("n_columns", n_columns, 1, 20)
    pictures = _pictures("x", x)
    captions = None if y is None else _captions("y", y, len(pictures))
    title = None if title is None else _text("title", title)
    return _sheet(pictures, captions, n_columns, title, **_ink(pictures))


def plot_weights(W, labels=None, limit=None, title=None):
    """Show the weights of each label as an image, all on one colour scale.

    Where a label's image is blue, ink speaks for that label; where it is red, against it;
    white pixels do not matter.

    Parameters
    ----------
    W : array, shape (n_in, n_out)
        n_in is a square number, n_out from 1 to `MAX_PICTURES`.
    labels : sequence of n_out labels, optional
        Shown above the images; 0 to n_out - 1 by default.
    limit : float, optional
        The colour scale goes from ``-limit`` to `limit`; by default to the largest absolute
        weight. Weights beyond have the colour of the scale's end.
    title : str, optional

    Returns
    -------
    Figure

    Raises
    ------
    SettingsError
        `W` does not have that shape or is not finite, there are more or fewer labels,
        `limit` is no number above 0, or the title is no text.

    Examples
    --------
    >>> figure = plot_weights(np.eye(4)[:, :3], labels=["a", "b", "c"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['a', 'b', 'c']
    >>> [float(end) for end in figure.axes[1].get_xlim()]  # of the colour bar
    [-1.0, 1.0]
    """
    pictures = _weight_images("W", W)
    limit = _limit("W", pictures) if limit is None else _positive("limit", limit)
    labels = range(len(pictures)) if labels is None else labels
    captions = _captions("labels", labels, len(pictures))
    title = "Weights, one image for each label" if title is None else _text("title", title)
    n_columns = _even_columns(len(pictures))
    scale = {"cmap": _DIVERGING, "vmin": -limit, "vmax": limit}
    figure = _sheet(pictures, captions, n_columns, title, below=0.55, **scale)
    with _style():
        height = figure.get_figheight()
        place = figure.add_axes([0.2, 0.42 / height, 0.6, 0.1 / height])
        bar = figure.colorbar(figure.axes[0].images[0], cax=place, orientation="horizontal")
        bar.set_label("weight (above 0: ink there speaks for the label)")
        bar.locator, bar.formatter = MaxNLocator(6, steps=_STEPS, symmetric=True), _plain_numbers()
        bar.update_ticks()
    return figure


def plot_mistakes(x, y, p_y_given_x, n_examples=20, what="examples"):
    """Show the most confident of the wrong predictions, the highest probability first.

    Parameters
    ----------
    x : array, shape (N, n_in)
        Pixels, as `plot_digits` takes them.
    y : array of int, shape (N,)
        The right labels, 0 to n_out - 1.
    p_y_given_x : array, shape (N, n_out)
        Probability of each label; the prediction is the most probable one.
    n_examples : int
        Most mistakes to show, 1 to `MAX_PICTURES`.
    what : str
        What the examples are, for the title, such as "test examples".

    Returns
    -------
    Figure
        If nothing was predicted wrongly, it says so.

    Raises
    ------
    SettingsError
        The arrays do not have these shapes, a label is out of range, what should be
        probabilities is not from 0 to 1, or `what` is no text.

    Examples
    --------
    >>> figure = plot_mistakes(np.eye(4), [0, 1, 1, 0], [[0.9, 0.1], [0.7, 0.3]] * 2)
    >>> print(figure.axes[0].texts[0].get_text())
    predicted 0: 0.900
    right label 1
    """
    n_examples = whole_number("n_examples", n_examples, 1, MAX_PICTURES)
    what = _text("what", what)
    x, p_y_given_x = _matrix("x", x), _matrix("p_y_given_x", p_y_given_x)
    _check_length("p_y_given_x", p_y_given_x, len(x))
    _check_probabilities("p_y_given_x", p_y_given_x)
    y = _labels("y", y, p_y_given_x.shape[1])
    _check_length("y", y, len(x))
    y_pred = p_y_given_x.argmax(axis=1)
    p_pred = p_y_given_x.max(axis=1)
    wrong = np.flatnonzero(y_pred != y)
    shown = wrong[np.argsort(-p_pred[wrong], kind="stable")][:n_examples]
    if not len(shown):
        return _message("No mistakes in {} {}".format(len(x), what))
    captions = [
        "predicted {}: {:.3f}\nright label {}".format(y_pred[i], p_pred[i], y[i]) for i in shown
    ]
    number = "{} most confident of {}".format(len(shown), len(wrong))
    title = "The {} mistakes in {} {}\n(with the probability of the predicted label)".format(
        number if len(shown) < len(wrong) else len(wrong), len(x), what
    )
    pictures = _pictures("x", x[shown])
    return _sheet(pictures, captions, 5, title, **_ink(pictures))


def _message(text):
    """Make a figure of one sentence."""
    with _style():
        figure = _figure(1.0)
        axes = figure.add_axes([0, 0, 1, 1])  # IPython shows no figure without axes
        axes.axis("off")
        axes.text(0.5, 0.5, _fitting(text, _WIDTH, _TEXT), ha="center", va="center")
    return figure


def _ink(pictures):
    """Give the colour scale of examples: white to black, from 0 to 1, or to what there is."""
    return {"cmap": "gray_r", "vmin": 0.0, "vmax": max(1.0, float(pictures.max()))}


def _even_columns(n):
    """Give the number of columns that makes rows of 5 (of many pictures: 10), or nearly so."""
    most = 5 if n <= 20 else 10
    return math.ceil(n / math.ceil(n / most))


def _sheet(pictures, captions, n_columns, title, below=0.0, **scale):
    """Draw pictures in rows, captions above them.

    One axes fills the figure, and its coordinates are inches from the top left corner: so
    everything can be placed exactly, and drawing hundreds of pictures takes no time.
    """
    cell = (_WIDTH - 2 * _MARGIN) / n_columns
    cell, side = min(cell, _LARGEST_PICTURE / 0.92), min(0.92 * cell, _LARGEST_PICTURE)
    n_lines = 0 if captions is None else max(caption.count("\n") + 1 for caption in captions)
    text = _inches(n_lines) + 0.04
    pitch = text + side + (0.06 if n_lines else cell - side - 0.04)  # from row to row
    top = _MARGIN if title is None else _MARGIN + _inches(title.count("\n") + 1) + 0.06
    n_rows = math.ceil(len(pictures) / n_columns)
    height = math.ceil((top + n_rows * pitch + below + _MARGIN) * 50) / 50  # whole pixels
    if height * _SAVED_WIDTH / _WIDTH > _TALLEST:
        raise SettingsError(
            "found a figure of {} pictures in {} columns, {} pixels high; expected at most {}; "
            "choose more columns, fewer pictures or shorter text".format(
                len(pictures), n_columns, round(height * _SAVED_WIDTH / _WIDTH), _TALLEST
            )
        )
    left = (_WIDTH - min(n_columns, len(pictures)) * cell) / 2 + (cell - side) / 2
    with _style():
        figure = _figure(height)
        height = figure.get_figheight()
        axes = figure.add_axes([0, 0, 1, 1])
        for i, picture in enumerate(pictures):
            row, column = divmod(i, n_columns)
            x, y = left + column * cell, top + row * pitch + text
            axes.imshow(picture, extent=(x, x + side, y + side, y), aspect="auto", **scale)
            axes.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor="0.6", lw=0.5))
            if captions is not None:
                caption = _fitting(captions[i], cell, _SMALL)
                axes.text(x + side / 2, y - 0.03, caption, ha="center", va="bottom", size=_SMALL)
        axes.set(xlim=(0, _WIDTH), ylim=(height, 0))
        axes.axis("off")
        if title is not None:
            figure.text(0.5, 1 - _MARGIN / height, _fitting(title, _WIDTH, _TEXT),
                        ha="center", va="top")  # fmt: skip
    return figure


def _inches(n_lines):
    return n_lines * 1.25 * _TEXT / 72


def _fitting(text, width, size):
    """Shorten the lines of a text to what fits into a width, in inches; a $ begins no formula."""
    lines = [_shortened(line, width, size) for line in text.split("\n")]
    return "\n".join(lines).replace("$", r"\$")


def _shortened(line, width, size):
    """Cut a line of text to as many characters as fit, with an ellipsis for the rest."""
    if _text_width(line, size) <= width:
        return line
    few, many = 0, min(len(line), 500)  # the first fits, the second does not
    while many - few > 1:
        middle = (few + many) // 2
        fits = _text_width(line[:middle] + "…", size) <= width
        few, many = (middle, many) if fits else (few, middle)
    return line[:few].rstrip() + "…"


def _text_width(text, size):
    """Measure a line of text, in inches."""
    font = FontProperties(size=size)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return 1.05 * width / 72 + 0.05  # drawn with few pixels, letters are set wider than this


# --- curves --------------------------------------------------------------------------------------


def plot_learning_curves(
    history, best_iteration=None, loss_label="training loss", initial_patience=None
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
    iteration, epoch, loss, error, patience = _columns(history)
    best = _best_row(iteration, error, best_iteration)
    loss_label = _text("loss_label", loss_label)
    first = (
        patience[0] if initial_patience is None else _positive("initial_patience", initial_patience)
    )
    with _style():
        figure = _figure(4.6, layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        _curve(upper, iteration, loss, _BLUE, "o")
        _curve(lower, iteration, 100 * error, _VERMILLION, "s")
        upper.set_ylabel("|" + "\n" * loss_label.count("\n"))  # room for the lines to come
        upper.yaxis.set_major_formatter(_plain_numbers())
        lower.set(ylabel="validation error (%)", xlabel="minibatch updates")
        lower.set_xlim(0, 1.03 * iteration[-1])
        lower.xaxis.set_major_locator(MaxNLocator(8, steps=_STEPS, integer=True))
        figure.align_ylabels([upper, lower])
        _say_what_is_missing(upper, loss)
        _say_what_is_missing(lower, error)
        _add_epochs(upper, iteration, epoch, first)
        _mark_extensions(lower, iteration[patience > np.append(first, patience[:-1])])
        _mark_best(lower, iteration, error, best)
        if lower.get_legend_handles_labels()[0]:
            below = -0.28 - 0.13 * lower.get_xlabel().count("\n")  # of the axes' height
            lower.legend(loc="upper center", bbox_to_anchor=(0.5, below), ncol=2, frameon=False)
        _settle(figure)
        _write_loss_label(upper, lower, loss_label)
    return figure


def _columns(history):
    """Check a history; give what is drawn of it as arrays, with NaN for what cannot be."""
    history = _listed("history", history)
    if not history:
        raise SettingsError("history: found no rows; expected one for each validation")
    for row in history:
        if not isinstance(row, HistoryRow):
            raise SettingsError(
                "history: found a {}; expected rows as read_history gives them".format(
                    type(row).__name__
                )
            )
    columns = [_numbers("history", column) for column in list(zip(*history))[:5]]
    iteration, epoch, loss, error, patience = columns
    if not (np.isfinite(iteration).all() and (np.diff(iteration, prepend=0) > 0).all()):
        raise SettingsError("history: found iterations that do not grow; expected growing ones")
    if ((error < 0) | (error > 1)).any():
        raise SettingsError(
            "history: found a validation error of {:g}; expected fractions, 0 to 1".format(
                error[(error < 0) | (error > 1)][0]
            )
        )
    loss = np.where(np.abs(loss) < _HUGE, loss, np.nan)
    return iteration, epoch, loss, error, patience


def _best_row(iteration, error, best_iteration):
    """Give the index of the best model's row; None if no validation error is a number."""
    if best_iteration is not None:
        rows = np.flatnonzero(iteration == best_iteration)
        if not len(rows):
            raise SettingsError(
                "best_iteration: found {}; expected an iteration of the history".format(
                    best_iteration
                )
            )
        if np.isnan(error[rows[0]]):
            raise SettingsError(
                "best_iteration: found {}, where the validation error is NaN; expected an "
                "iteration with an error".format(best_iteration)
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


def _mark_best(axes, iteration, error, row):
    """Mark the best model's row, if there is one."""
    if row is not None:
        percent, n_updates = 100 * error[row], int(iteration[row])
        axes.plot(
            n_updates,
            percent,
            "*",
            color="black",
            markersize=10,
            markeredgecolor="white",
            markeredgewidth=0.4,
            clip_on=False,
            label="best model: {:.2f} % after {} update{}".format(
                percent, n_updates, "" if n_updates == 1 else "s"
            ),
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
        what = "{} of {} values are not finite, and not shown".format(n_missing, len(values))
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


# --- counts --------------------------------------------------------------------------------------


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
    title = "{} error{} in {} {{}} ({:.2f} %)".format(
        n_errors, "" if n_errors == 1 else "s", counts.sum(), 100 * n_errors / counts.sum()
    )
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
    """Give WCAG 2's contrast of two colours, 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color):
    """Give WCAG 2's relative luminance, 0 to 1; sRGB's gamma is undone for it."""
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


# --- tiles and animations ------------------------------------------------------------------------


def tile_images(rows, image_shape=None, tile_shape=None, spacing=1, scale_rows=False):
    """Put pictures, one in each row of a matrix, side by side into one grey image.

    Parameters
    ----------
    rows : array, shape (N, n_in)
        Pixels from 0, black, to 1, white: k/256 becomes the grey value k.
    image_shape : (int, int), optional
        Height and width of a picture, whose product is n_in; by default it is square.
    tile_shape : (int, int), optional
        Rows and columns of pictures, room for N at least; by default as square as it can
        be. Places that are left stay black.
    spacing : int
        Black pixels between pictures, 0 or more.
    scale_rows : bool
        Stretch the values of each row so that its least is black and its greatest white, as
        weights need it. A row of equal values is black.

    Returns
    -------
    PIL.Image.Image
        Mode "L".

    Raises
    ------
    SettingsError
        Shapes that do not fit together, NaN, or values outside 0 to 1 without `scale_rows`.

    Examples
    --------
    >>> image = tile_images([[0.0, 0.25], [0.5, 1.0]], image_shape=(1, 2), spacing=0)
    >>> image.size, np.asarray(image).tolist()
    ((4, 1), [[0, 64, 128, 255]])
    """
    rows = _matrix("rows", rows)
    if image_shape is None:
        image_shape = (_side("rows", rows.shape[1]),) * 2
    height, width = _pair("image_shape", image_shape)
    if height * width != rows.shape[1]:
        raise SettingsError(
            "image_shape: found ({}, {}); expected a product of {}, the length of the rows".format(
                height, width, rows.shape[1]
            )
        )
    n_down, n_across = _pair("tile_shape", _square_enough(len(rows), tile_shape))
    if n_down * n_across < len(rows):
        raise SettingsError(
            "tile_shape: found ({}, {}); expected room for {} pictures".format(
                n_down, n_across, len(rows)
            )
        )
    spacing = whole_number("spacing", spacing, low=0)
    grey = _grey(rows, scale_rows).reshape(-1, height, width)
    pitch = height + spacing, width + spacing
    paper = np.zeros((n_down * pitch[0] - spacing, n_across * pitch[1] - spacing), np.uint8)
    for i, picture in enumerate(grey):
        top, left = (pitch[0] * (i // n_across), pitch[1] * (i % n_across))
        paper[top : top + height, left : left + width] = picture
    return Image.fromarray(paper)


def animate_weights(weights, captions):
    """Draw the weights of a model at several moments, all on one colour scale.

    Parameters
    ----------
    weights : sequence of arrays, each of shape (n_in, n_out)
        As `plot_weights` takes them; such as those of the snapshots of a run.
    captions : sequence of str
        The title of each frame.

    Returns
    -------
    list of PIL.Image.Image
        Mode "RGB", 600 pixels wide, for `save_animation`.

    Raises
    ------
    SettingsError
        There are none, their shapes differ, or there are more or fewer captions.

    Examples
    --------
    >>> frames = animate_weights([np.zeros((4, 2)), np.eye(4)[:, :2]], ["before", "after"])
    >>> [(frame.mode, frame.width) for frame in frames]
    [('RGB', 600), ('RGB', 600)]
    """
    weights = [_matrix("weights", W) for W in _listed("weights", weights)]
    captions = _captions("captions", captions, len(weights))
    if not weights:
        raise SettingsError("weights: found none; expected one W for each frame")
    shapes = sorted({W.shape for W in weights})
    if len(shapes) > 1:
        raise SettingsError(
            "weights: found the shapes {} and {}; expected one shape".format(*shapes[:2])
        )
    limit = _limit("weights", np.stack([np.abs(W).max() for W in weights]))
    return [
        _frame(plot_weights(W, limit=limit, title=caption)) for W, caption in zip(weights, captions)
    ]


def save_figure(path, figure):
    """Save a figure, whole or not at all; the same figure gives the same bytes.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.png`` (1200 pixels wide), ``.svg`` or ``.pdf``.
    figure : matplotlib.figure.Figure

    Raises
    ------
    SettingsError
        Another ending, no figure, or the file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.png")
    >>> save_figure(path, plot_weights(np.eye(4)))
    >>> with Image.open(path) as picture:
    ...     picture.format, picture.width
    ('PNG', 1200)
    """
    kind = _ending(path, ("png", "svg", "pdf"))
    if not isinstance(figure, _Figure):
        raise SettingsError(
            "figure: found {}; expected a matplotlib Figure, such as plot_weights gives".format(
                type(figure).__name__
            )
        )
    content = io.BytesIO()
    with _style():
        dpi = _SAVED_WIDTH / figure.get_figwidth()
        figure.savefig(content, format=kind, dpi=dpi, metadata=_NO_DATES[kind])
    write_atomically(path, lambda file: file.write(content.getvalue()))


def save_animation(path, frames, milliseconds=200, last_milliseconds=2000):
    """Save frames as a GIF that runs for ever, whole or not at all, with the same bytes each time.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.gif``.
    frames : sequence of PIL.Image.Image
        At least one, all of one size, 1 to 65535 pixels each way. They share one palette, so
        that colours do not flicker. Equal ones that follow each other are written as one that
        is shown as long as they together.
    milliseconds : int
        How long each frame is shown, 20 to 60000, in steps of 10.
    last_milliseconds : int
        How long the last one is. All of it takes at most 655350, as a GIF shows no picture
        longer.

    Raises
    ------
    SettingsError
        Another ending, no frames, no Pillow images, frames of different sizes, a time out of
        its range, or the file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "grey.gif")
    >>> save_animation(path, [Image.new("L", (8, 8), grey) for grey in (0, 90, 180)])
    >>> with Image.open(path) as animation:
    ...     animation.n_frames
    3
    """
    _ending(path, ("gif",))
    frames = _frames(frames)
    each = whole_number("milliseconds", milliseconds, 20, 60000)
    last = whole_number("last_milliseconds", last_milliseconds, 20, 60000)
    if each * (len(frames) - 1) + last > _LONGEST_SHOWN:
        raise SettingsError(
            "milliseconds: found {} for each of {} frames and {} for the last; expected at most {} "
            "in all".format(each, len(frames), last, _LONGEST_SHOWN)
        )
    palette = _palette(frames)
    first, *rest = [_in_colours(frame, palette) for frame in frames]
    content = io.BytesIO()
    first.save(
        content,
        format="GIF",
        save_all=True,
        append_images=rest,
        duration=[each] * len(rest) + [last],
        loop=0,
    )
    write_atomically(path, lambda file: file.write(content.getvalue()))


def _frames(frames):
    """Check the frames of an animation; give them in mode "RGB"."""
    frames = _listed("frames", frames)
    for frame in frames:
        if not isinstance(frame, Image.Image):
            raise SettingsError(
                "frames: found {}; expected Pillow images, such as animate_weights gives".format(
                    type(frame).__name__
                )
            )
    sizes = sorted({frame.size for frame in frames})
    if len(sizes) != 1:
        found = (
            "frames of {} x {} and {} x {} pixels".format(*sizes[0], *sizes[1]) if sizes else "none"
        )
        raise SettingsError("frames: found {}; expected some of one size".format(found))
    if not all(1 <= length <= _LONGEST_GIF for length in sizes[0]):
        raise SettingsError(
            "frames: found frames of {} x {} pixels; expected 1 to {} each way, "
            "as a GIF has".format(*sizes[0], _LONGEST_GIF)
        )
    return [frame.convert("RGB") for frame in frames]


def _palette(frames):
    """Choose 255 colours for all frames, from up to eight of them: array, shape (255, 3).

    Pillow's choice covers the range of colours, but by averages; each gives way to the most
    frequent colour near it, so that white stays white. The 256th is left for Pillow, to mark
    what is as in the frame before: that makes the file a third as large.
    """
    chosen = frames[:: -max(1, len(frames) // 7)][:8]  # from the last one backwards
    strip = np.concatenate([np.asarray(frame) for frame in chosen])
    averages = Image.fromarray(strip).quantize(255, method=Image.Quantize.MAXCOVERAGE)
    palette = np.array(averages.getpalette()[: 3 * 255]).reshape(-1, 3)
    colours, _, counts = _colours(strip)
    order = np.argsort(counts, kind="stable")
    palette[_nearest(colours[order], palette)] = colours[order]
    return palette


def _in_colours(frame, palette):
    """Turn an image into one of a palette; Pillow's own way takes near colours for the same."""
    colours, inverse, _ = _colours(np.asarray(frame))
    index = _nearest(colours, palette)[inverse].astype(np.uint8)
    image = Image.frombytes("P", frame.size, index.tobytes())
    image.putpalette(palette.ravel().tolist())
    return image


def _colours(pixels):
    """Give the different colours, shape (n, 3), the number of each pixel's, and their counts."""
    codes = pixels.reshape(-1, 3).astype(np.int64) @ [1 << 16, 1 << 8, 1]
    codes, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1), inverse, counts


def _nearest(colours, palette):
    """Give the index of the nearest entry for each colour."""
    entries = palette.astype(np.float32)
    squares = (entries**2).sum(axis=1)
    found = [
        (squares - 2 * (some.astype(np.float32) @ entries.T)).argmin(axis=1)
        for some in np.array_split(colours, 1 + len(colours) // 4096)  # or memory grows with them
    ]
    return np.concatenate(found)


def _frame(figure):
    """Draw a figure into a Pillow image, 600 pixels wide."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.array(canvas.buffer_rgba())).convert("RGB")


def _grey(rows, scale_rows):
    """Turn rows of pixels into grey values 0 to 255."""
    if scale_rows:
        rows = rows.astype(np.float64) / 2  # so that no difference is infinite
        least, most = (edge(axis=1, keepdims=True) for edge in (rows.min, rows.max))
        rows = (rows - least) / np.where(most > least, most - least, 1.0)
    elif rows.min() < 0 or rows.max() > 1:
        raise SettingsError(
            "rows: found values from {:g} to {:g}; expected 0 to 1; divide pixels by 256, or "
            "give scale_rows=True for weights".format(rows.min(), rows.max())
        )
    return np.minimum(rows * 256, 255).astype(np.uint8)


def _square_enough(n, tile_shape):
    if tile_shape is not None:
        return tile_shape
    n_across = math.ceil(math.sqrt(n))
    return math.ceil(n / n_across), n_across


# --- checks --------------------------------------------------------------------------------------


def _numbers(name, values):
    """Give numbers as an array of floats, or say why not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rows of different lengths are told below
            array = np.asarray(values)
    except (ValueError, TypeError):
        raise SettingsError(
            "{}: found rows of different lengths; expected an array of numbers".format(name)
        ) from None
    if array.dtype.kind not in "biuf":
        raise SettingsError("{}: found an array of {}; expected numbers".format(name, array.dtype))
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _matrix(name, values):
    """Check a matrix of finite numbers, at least one row and one column."""
    array = _numbers(name, values)
    if array.ndim != 2 or not array.size:
        raise SettingsError(
            "{}: found an array of shape {}; expected two dimensions, neither of them 0".format(
                name, array.shape
            )
        )
    if not np.isfinite(array).all():
        raise SettingsError("{}: found NaN or infinity; expected finite numbers".format(name))
    return array


def _pictures(name, rows):
    """Give rows of pixels as pictures, shape (N, side, side)."""
    rows = _matrix(name, rows)
    if len(rows) > MAX_PICTURES:
        raise SettingsError(
            "{}: found {} pictures; expected at most {}; choose some of them".format(
                name, len(rows), MAX_PICTURES
            )
        )
    side = _side(name, rows.shape[1])
    return rows.reshape(-1, side, side)


def _weight_images(name, W):
    return _pictures(name, _matrix(name, W).T)


def _side(name, n_in):
    try:
        return side_of(n_in)
    except SettingsError:
        raise SettingsError(
            "{}: found pictures of {} pixels; expected a square number of them".format(name, n_in)
        ) from None


def _labels(name, values, n_out):
    """Check labels: whole numbers from 0 to n_out - 1, shape (N,), at least one."""
    array = _numbers(name, values)
    if array.ndim != 1 or not array.size:
        raise SettingsError(
            "{}: found an array of shape {}; expected one dimension, not 0".format(
                name, array.shape
            )
        )
    bad = array[~((array >= 0) & (array < n_out) & (array == np.floor(array)))]
    if bad.size:
        raise SettingsError(
            "{}: found the label {:g}; expected whole numbers from 0 to {}".format(
                name, bad[0], n_out - 1
            )
        )
    return array.astype(np.int64)


def _check_probabilities(name, p):
    """Refuse scores; sums of rounded probabilities may be a little above 1."""
    if p.min() < 0 or p.max() > 1 + 1e-6:
        raise SettingsError(
            "{}: found values from {:g} to {:g}; expected probabilities, 0 to 1; apply softmax "
            "to scores".format(name, p.min(), p.max())
        )


def _listed(name, values):
    try:
        return list(values)
    except TypeError:
        raise SettingsError("{}: found {!r}; expected a sequence".format(name, values)) from None


def _captions(name, values, n):
    """Give n values as text."""
    values = _listed(name, values)
    _check_length(name, values, n)
    for value in values:
        if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0):
            raise SettingsError(
                "{}: found a row of {} values; expected one number or text for each; of one-hot "
                "rows take argmax(axis=1)".format(name, len(value))
            )
    return [str(value) for value in values]


def _check_length(name, values, n):
    if len(values) != n:
        raise SettingsError("{}: found {} of them; expected {}".format(name, len(values), n))


def _limit(name, values):
    """Give the largest absolute value as the end of a colour scale; 1 if there is none."""
    limit = float(np.abs(values).max())
    if limit > float(np.finfo(np.float32).max):
        raise SettingsError(
            "{}: found weights up to {:g}; expected such as float32 can hold".format(name, limit)
        )
    return limit if limit > float(np.finfo(np.float32).tiny) else 1.0


def _positive(name, value):
    """Check a positive number that the caller chose."""
    if not isinstance(value, numbers.Real):
        raise SettingsError(
            "{}: found {}; expected a finite number above 0, such as 1.0".format(
                name, type(value).__name__
            )
        )
    positive_in(name, value, "float32", example="such as 1.0")
    return float(value)


def _text(name, value):
    """Check a text that stands in a figure."""
    if not isinstance(value, str):
        raise SettingsError("{}: found {}; expected text".format(name, type(value).__name__))
    return value


def _pair(name, pair):
    try:
        first, second = pair
    except (TypeError, ValueError):
        raise SettingsError("{}: found {!r}; expected two numbers".format(name, pair)) from None
    return whole_number(name, first, low=1), whole_number(name, second, low=1)


def _ending(path, allowed):
    """Give the ending of a file's name, if it is one of those allowed."""
    ending = os.path.splitext(os.fspath(path))[1].lower()[1:]
    if ending not in allowed:
        *others, last = ["." + kind for kind in allowed]
        expected = ", ".join(others) + " or " + last if others else last
        raise SettingsError(
            "{}: found the ending {!r}; expected {}".format(os.fspath(path), ending, expected)
        )
    return ending
