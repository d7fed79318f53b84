"""Examples, weights and mistakes as sheets of small pictures.

Source: page "Getting Started", section "Plotting Intermediate Results".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dlt.checks import inputs, one_of, text, whole_number
from dlt.checks import labels as label_numbers
from dlt.errors import DataError, SettingsError
from dlt.pictures import checks, figures
from dlt.pictures.checks import MAX_PICTURES
from dlt.pictures.figures import SMALL, TEXT, WIDTH, Figure, fitting, new_figure, style, wrapped

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_MARGIN = 0.1  # inches, as all lengths here
_LARGEST_PICTURE = 1.8
_LONGEST_NAME = 12  # characters of a label beside a probability
_GROUNDS = ("dark", "light")
_TALLEST = 65535  # pixels: older releases of matplotlib draw no more


def plot_digits(
    x: ArrayLike,
    y: Sequence | None = None,
    n_columns: int = 10,
    title: str | None = None,
    ground: str = "dark",
) -> Figure:
    """Show examples as pictures, dark ink on white.

    Parameters
    ----------
    x : array, shape (N, n_in) or (N, height, width)
        Pixels from 0 to 1, in at most `MAX_PICTURES` pictures, with at most `MAX_PIXELS` together.
        Rows become squares.
    y : sequence of N labels, optional
        Numbers or text, shown above the pictures.
    n_columns : int
        Pictures in a row, 1 to 20.
    title : str, optional
    ground : {"dark", "light"}
        The background: on a dark one, ink is near 1; on a light one, ink is near 0.

    Raises
    ------
    SettingsError
        There are so few columns that the figure is too tall to draw.

    Examples
    --------
    >>> import dlt
    >>> (x, y), _, _ = dlt.load_data("digits")
    >>> plot_digits(x[:20], y[:20])
    <Figure size 600x...>
    """
    n_columns = whole_number("n_columns", n_columns, 1, 20)
    pictures = checks.as_pictures("x", x)
    above = None if y is None else checks.captions("y", y, len(pictures))
    return _sheet(pictures, above, n_columns, title, **_ink(pictures, ground))


def plot_weights(
    W: ArrayLike,
    labels: Sequence | None = None,
    limit: float | None = None,
    title: str | None = None,
    ground: str = "dark",
) -> Figure:
    """Show the weights of each label as an image, all on one colour scale.

    Ink on blue pixels speaks for the label, ink on red pixels against it; white pixels do not
    matter. On a light ground it is the other way round.

    Parameters
    ----------
    W : array, shape (n_in, n_out) or (height, width, n_out)
        Weights of at most `MAX_PICTURES` labels, and at most `MAX_PIXELS` together. Columns become
        squares.
    labels : sequence of n_out labels, optional
        Shown above the images; 0 to n_out - 1 by default.
    limit : float, optional
        The colour scale goes from ``-limit`` to `limit`, by default the largest absolute weight.
        Weights beyond the scale get the colour of its end.
    title : str, optional
    ground : {"dark", "light"}
        Of the pictures; see `plot_digits`.

    Examples
    --------
    >>> figure = plot_weights(np.eye(4)[:, :3], labels=["a", "b", "c"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['a', 'b', 'c']
    >>> [float(end) for end in figure.axes[1].get_xlim()]  # of the colour bar
    [-1.0, 1.0]
    """
    one_of("ground", ground, _GROUNDS)
    side = "below" if ground == "light" else "above"
    pictures = checks.weight_pictures("W", W)
    n = len(pictures)
    limit = checks.positive("limit", checks.scale_end("W", pictures) if limit is None else limit)
    above = checks.captions("labels", labels, n)
    title = "Weights, one image for each label" if title is None else title
    n_columns = math.ceil(n / math.ceil(n / (5 if n <= 20 else 10)))  # rows of equal length
    scale = {"cmap": figures.DIVERGING, "vmin": -limit, "vmax": limit}
    figure = _sheet(pictures, above, n_columns, title, below=0.55, **scale)
    with style():
        height = figure.get_figheight()
        place = figure.add_axes((0.2, 0.42 / height, 0.6, 0.1 / height))
        image, plain = figure.axes[0].images[0], FuncFormatter(figures.plain_number)
        ticks = MaxNLocator(6, steps=figures.STEPS, symmetric=True)
        bar = figure.colorbar(image, place, orientation="horizontal", ticks=ticks, format=plain)
        bar.set_label(f"weight ({side} 0: ink there speaks for the label)")
    return figure


def plot_mistakes(
    x: ArrayLike,
    y: ArrayLike,
    p_y_given_x: ArrayLike,
    n_examples: int = 20,
    what: str = "examples",
    labels: Sequence | None = None,
    ground: str = "dark",
) -> Figure:
    """Show the most confident wrong predictions, the highest probability first.

    Parameters
    ----------
    x : array, shape (N, n_in) or (N, height, width)
        Pixels, as for `plot_digits`.
    y : array of int, shape (N,)
        The right labels, 0 to n_out - 1.
    p_y_given_x : array, shape (N, n_out)
        Probability of each label; the prediction is the most probable one.
    n_examples : int
        Most mistakes to show, 1 to `MAX_PICTURES`.
    what : str
        What the title calls the examples, such as "test examples".
    labels : sequence of n_out labels, optional
        The names of the labels; by default their numbers.
    ground : {"dark", "light"}
        See `plot_digits`.

    Returns
    -------
    Figure
        Without mistakes, a sentence that says so.

    Examples
    --------
    >>> figure = plot_mistakes(np.eye(4), [0, 1, 1, 0], [[0.9, 0.1], [0.7, 0.3]] * 2)
    >>> print(figure.axes[0].texts[0].get_text())
    predicted 0: 0.900
    right label 1
    """
    n_examples = whole_number("n_examples", n_examples, 1, MAX_PICTURES)
    pixels, p = checks.examples("x", x), inputs("p_y_given_x", p_y_given_x, dtype="float64")
    checks.check_length("p_y_given_x", p, len(pixels))
    if p.min() < 0 or p.max() > 1 + 1e-6:  # softmax may round to more than 1
        found = f"values from {p.min():g} to {p.max():g}"
        raise DataError("p_y_given_x", found, "probabilities, 0 to 1", "apply softmax to scores")
    n_out = p.shape[1]
    right = label_numbers("y", y, n_out)
    checks.check_length("y", right, len(pixels))
    called = checks.captions("labels", labels, n_out)
    called = [name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…" for name in called]
    y_pred, p_pred = p.argmax(axis=1), p.max(axis=1)
    wrong = np.flatnonzero(y_pred != right)
    shown = wrong[np.argsort(-p_pred[wrong], kind="stable")][:n_examples]
    tried = f"{len(pixels)} {text('what', what)}"
    if not len(shown):
        return _message(f"No mistakes in {tried}")
    above = [
        f"predicted {called[y_pred[i]]}: {p_pred[i]:.3f}\nright label {called[right[i]]}"
        for i in shown
    ]
    most = f"{len(shown)} most confident of " if len(shown) < len(wrong) else ""
    title = f"The {most}{len(wrong)} mistakes in {tried}"
    title += "\n(with the probability of the predicted label)"
    pictures = checks.as_pictures("x", pixels[shown])
    longest = max(map(len, called))
    n_columns = 5 if longest == 1 else 4 if longest <= 4 else 3  # long names need room
    return _sheet(pictures, above, n_columns, title, **_ink(pictures, ground))


def _message(text):
    """Return a figure that shows one sentence."""
    with style():
        figure = new_figure(1.0)
        axes = figure.add_axes((0, 0, 1, 1))  # IPython shows no figure without axes
        axes.axis("off")
        axes.text(0.5, 0.5, wrapped(text, WIDTH), ha="center", va="center")
    return figure


def _ink(pictures, ground):
    """Return a colour scale, from 0 to 1 or to the maximum, that makes ink dark on white."""
    one_of("ground", ground, _GROUNDS)
    cmap = "gray" if ground == "light" else "gray_r"
    return {"cmap": cmap, "vmin": 0.0, "vmax": max(1.0, float(pictures.max()))}


def _sheet(pictures, above, n_columns, title, below=0.0, **scale):
    """Draw pictures in rows, each with a caption above it, and leave some inches below."""
    # One axes fills the figure, with inches from the top left corner as its coordinates. So all
    # places are exact, and hundreds of pictures are drawn quickly.
    if title is not None:
        title = wrapped(text("title", title), WIDTH)
    cell = (WIDTH - 2 * _MARGIN) / n_columns
    cell, side = min(cell, _LARGEST_PICTURE / 0.92), min(0.92 * cell, _LARGEST_PICTURE)
    n_lines = max(caption.count("\n") + 1 for caption in above) if above else 0
    room = _inches(n_lines) + 0.04
    pitch = room + side + (0.06 if n_lines else cell - side - 0.04)  # from row to row
    top = _MARGIN if title is None else _MARGIN + _inches(title.count("\n") + 1) + 0.06
    height = top + math.ceil(len(pictures) / n_columns) * pitch + below + _MARGIN
    pixels = round(height * figures.SAVED_WIDTH / WIDTH)
    if pixels > _TALLEST:
        raise SettingsError(
            "n_columns",
            f"a figure of {len(pictures)} pictures in {n_columns} columns, {pixels} pixels high",
            f"at most {_TALLEST} pixels",
            "choose more columns, fewer pictures or shorter text",
        )
    left = (WIDTH - min(n_columns, len(pictures)) * cell) / 2 + (cell - side) / 2
    with style():
        figure = new_figure(height)
        height = figure.get_figheight()
        axes = figure.add_axes((0, 0, 1, 1))
        for i, picture in enumerate(pictures):
            row, column = divmod(i, n_columns)
            x, y = left + column * cell, top + row * pitch + room
            high, wide = (side * n / max(picture.shape) for n in picture.shape)
            x0, y0 = x + (side - wide) / 2, y + (side - high) / 2
            axes.imshow(picture, extent=(x0, x0 + wide, y0 + high, y0), aspect="auto", **scale)
            axes.add_patch(Rectangle((x0, y0), wide, high, fill=False, edgecolor="0.6", lw=0.5))
            if above:
                caption = fitting(above[i], cell, SMALL)
                axes.text(x + side / 2, y - 0.03, caption, ha="center", va="bottom", size=SMALL)
        axes.set(xlim=(0, WIDTH), ylim=(height, 0))
        axes.axis("off")
        if title is not None:
            figure.text(0.5, 1 - _MARGIN / height, title, ha="center", va="top")
    return figure


def _inches(n_lines):
    return n_lines * 1.25 * TEXT / 72
