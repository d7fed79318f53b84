"""Examples, weights and mistakes as sheets of small pictures.

Source: page "Getting Started", section "Plotting Intermediate Results".
"""

import math

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from dlt.checks import whole_number
from dlt.errors import SettingsError
from dlt.pictures.checks import (
    MAX_PICTURES,
    _captions,
    _check_length,
    _check_probabilities,
    _flat,
    _labels,
    _limit,
    _matrix,
    _pictures,
    _positive,
    _text,
    _weight_images,
)
from dlt.pictures.figures import (
    _DIVERGING,
    _SAVED_WIDTH,
    _SMALL,
    _STEPS,
    _TEXT,
    _WIDTH,
    _figure,
    _fitting,
    _plain_numbers,
    _style,
)

_MARGIN = 0.1  # inches, as all lengths here
_LARGEST_PICTURE = 1.8
_TALLEST = 65535  # pixels that older releases of matplotlib draw at most


def plot_digits(x, y=None, n_columns=10, title=None):
    """Show examples as pictures, dark ink on white.

    Parameters
    ----------
    x : array, shape (N, n_in) or (N, height, width)
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
    W : array, shape (n_in, n_out) or (height, width, n_out)
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
    x : array, shape (N, n_in) or (N, height, width)
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
    p_y_given_x = _matrix("p_y_given_x", p_y_given_x)
    _check_length("p_y_given_x", p_y_given_x, len(_flat("x", x)))
    _check_probabilities("p_y_given_x", p_y_given_x)
    y = _labels("y", y, p_y_given_x.shape[1])
    _check_length("y", y, len(x))
    y_pred = p_y_given_x.argmax(axis=1)
    p_pred = p_y_given_x.max(axis=1)
    wrong = np.flatnonzero(y_pred != y)
    shown = wrong[np.argsort(-p_pred[wrong], kind="stable")][:n_examples]
    if not len(shown):
        return _message(f"No mistakes in {len(x)} {what}")
    captions = [f"predicted {y_pred[i]}: {p_pred[i]:.3f}\nright label {y[i]}" for i in shown]
    number = f"{len(shown)} most confident of {len(wrong)}"
    number = number if len(shown) < len(wrong) else len(wrong)
    title = (
        f"The {number} mistakes in {len(x)} {what}\n(with the probability of the predicted label)"
    )
    pictures = _pictures("x", np.asarray(x)[shown])
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
    """Return the colour scale of examples: white to black, from 0 to 1, or to what there is."""
    return {"cmap": "gray_r", "vmin": 0.0, "vmax": max(1.0, float(pictures.max()))}


def _even_columns(n):
    """Return the number of columns that makes rows of 5 (of many pictures: 10), or nearly so."""
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
    pixels = round(height * _SAVED_WIDTH / _WIDTH)
    if pixels > _TALLEST:
        raise SettingsError(
            "n_columns",
            f"a figure of {len(pictures)} pictures in {n_columns} columns, {pixels} pixels high",
            f"at most {_TALLEST} pixels",
            "choose more columns, fewer pictures or shorter text",
        )
    left = (_WIDTH - min(n_columns, len(pictures)) * cell) / 2 + (cell - side) / 2
    with _style():
        figure = _figure(height)
        height = figure.get_figheight()
        axes = figure.add_axes([0, 0, 1, 1])
        for i, picture in enumerate(pictures):
            row, column = divmod(i, n_columns)
            x, y = left + column * cell, top + row * pitch + text
            high, wide = (side * n / max(picture.shape) for n in picture.shape)
            corner = x + (side - wide) / 2, y + (side - high) / 2
            extent = (corner[0], corner[0] + wide, corner[1] + high, corner[1])
            axes.imshow(picture, extent=extent, aspect="auto", **scale)
            frame = Rectangle(corner, wide, high, fill=False, edgecolor="0.6", lw=0.5)
            axes.add_patch(frame)
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
