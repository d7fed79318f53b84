"""Figures: how they look, and how they are saved.

A figure is 6 inches wide, and its smallest text is readable at 600 pixels. Colour-blind readers
can tell its colours apart. Figures do not use pyplot, so they need no display.

Source: line colours are from Okabe and Ito, "Color Universal Design" (2008).
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import textwrap
import threading

import matplotlib.figure
import matplotlib.style
import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from dlt.checks import one_of
from dlt.errors import SettingsError
from dlt.files.writing import write_atomically

FORMATS = ("png", "svg", "pdf")
WIDTH = 6.0  # inches of every figure
DPI = 100  # 600 pixels, as shown in a notebook
SAVED_WIDTH = 1200  # pixels of a PNG file
TEXT = 9  # points: 12.5 pixels of 600
SMALL = 8  # points: 11 pixels of 600, the smallest size used
BLUE, VERMILLION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"  # Okabe and Ito's
DIVERGING = "RdBu"  # blue for, red against, as on the drawing page
SEQUENTIAL = "Blues"
FAINT = "0.45"  # for less important text; readable on white
STEPS = [1, 2, 5, 10]  # between ticks, times a power of ten

_STYLE = {
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": TEXT,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "svg.hashsalt": "dlt",  # without it, the names inside an SVG are random
}
_NO_DATES = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}

_lock = threading.RLock()


@contextlib.contextmanager
def style():
    """Make or draw a figure with our settings instead of the user's."""
    # All threads share the settings, so only one at a time changes them and puts them back.
    with _lock, matplotlib.style.context(["default", _STYLE]):
        yield


class Figure(matplotlib.figure.Figure):
    """A matplotlib Figure that notebooks show, with or without pyplot.

    It looks the same everywhere: the user's matplotlibrc and style do not affect it.
    """

    def draw(self, renderer):
        """Draw with the settings that the figure was made with."""
        with style():
            super().draw(renderer)

    def savefig(self, *args, **kwargs):
        """Save with the settings that the figure was made with; see matplotlib."""
        with style():
            super().savefig(*args, **kwargs)

    def _repr_png_(self):
        """Return a PNG for IPython, with twice as many pixels as shown, for sharp screens."""
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=2 * self.dpi, metadata=_NO_DATES["png"])
        width, height = (round(float(n)) for n in self.get_size_inches() * self.dpi)
        return png.getvalue(), {"width": width, "height": height}


def new_figure(height, **kwargs):
    """Return an empty figure, a whole number of pixels high in every release of matplotlib."""
    # 4.6 inches of 100 pixels are 459.99999999999994: some releases round that, others cut it off.
    height = float(np.nextafter(round(height * DPI) / DPI, math.inf))
    return Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white", **kwargs)


def settle(figure):
    """Fix a figure's layout; a new layout for each drawing would make each a little different."""
    for _ in range(2):  # the first pass moves what the second one measures
        figure.draw_without_rendering()
    figure.set_layout_engine("none")


def draw_grid(axes):
    """Draw a faint grid behind everything, without a frame at the top and on the right."""
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def draw_star(axes, x, y, label):
    """Mark the best of several points."""
    axes.plot(x, y, "*", color="black", markersize=10, markeredgecolor="white",
              markeredgewidth=0.4, clip_on=False, label=label)  # fmt: skip


def plain_number(value, _):
    """Return the label of a tick, complete: without a factor, such as 1e-6, beside the axis."""
    return f"{value:.10g}".replace("-", "\N{MINUS SIGN}")


def wrapped(text, width):
    """Break text of the usual size into lines of a width in inches; escape each $."""
    # matplotlib could wrap it, but before 3.8 it lays figures out as if it had not.
    lines = [textwrap.fill(line, int(13 * width)) for line in text.split("\n")]
    return fitting("\n".join(lines), width, TEXT)


def fitting(text, width, size):
    """Cut the lines of a text to a width in inches; escape each $, which would begin a formula."""
    lines = [_shortened(line, width, size) for line in text.split("\n")]
    return "\n".join(lines).replace("$", r"\$")


def _shortened(line, width, size):
    """Cut a line to the characters that fit, with an ellipsis for the rest."""
    font = FontProperties(size=size)

    def fits(text):
        points, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
        return 1.05 * points / 72 + 0.05 <= width  # with few pixels, letters come out wider

    if fits(line):
        return line
    few, many = 0, min(len(line), 500)  # the first fits, the second does not
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if fits(line[:middle] + "…") else (few, middle)
    return line[:few].rstrip() + "…"


def save_figure(path: str | os.PathLike, figure: matplotlib.figure.Figure) -> None:
    """Save a figure to a file, completely or not at all; the same figure gives the same bytes.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.png`` (1200 pixels wide), ``.svg`` or ``.pdf``.
    figure : matplotlib.figure.Figure

    Examples
    --------
    >>> import tempfile
    >>> from dlt import plot_weights
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.png")
    >>> save_figure(path, plot_weights(np.eye(4)))
    """
    kind = ending(path, FORMATS)
    if not isinstance(figure, matplotlib.figure.Figure):
        expected = "a matplotlib Figure, such as plot_weights returns"
        raise SettingsError("figure", type(figure).__name__, expected)
    content = io.BytesIO()
    with style():
        dpi = SAVED_WIDTH / figure.get_figwidth()
        figure.savefig(content, format=kind, dpi=dpi, metadata=_NO_DATES[kind])
    write_atomically(path, lambda file: file.write(content.getvalue()))


def ending(path, allowed):
    """Check the ending of a file's name; return it in lower case, without the dot."""
    found = os.path.splitext(os.fspath(path))[1].lower()[1:]
    one_of(os.fspath(path), found, allowed)
    return found
