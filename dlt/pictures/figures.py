"""Figures: how every one of them looks, and how it is saved.

A figure is 6 inches wide, and its smallest text can be read when it is shown 600 pixels wide.
Nothing here trains or loads an engine. pyplot with its global state is not used, so a figure
needs no display and does not depend on a matplotlibrc. Colour-blind eyes can tell its
colours apart.

Sources: the colours of lines are those of Okabe and Ito, "Color Universal Design" (2008).
"""

import contextlib
import io
import math
import threading

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure as _Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter

from dlt.errors import SettingsError
from dlt.files.writing import write_atomically
from dlt.pictures.checks import _ending

_WIDTH = 6.0  # inches of every figure
_DPI = 100  # 600 pixels, as shown in a notebook; files have twice as many
_SAVED_WIDTH = 1200  # pixels
_TEXT = 9  # points: 12.5 pixels of 600
_SMALL = 8  # points: 11 pixels of 600, the least that is used
_BLUE, _VERMILLION, _PURPLE = "#0072B2", "#D55E00", "#CC79A7"  # Okabe and Ito's
_DIVERGING = "RdBu"  # blue for, red against, as on the drawing page
_SEQUENTIAL = "Blues"
_FAINT = "0.45"  # what matters less, where it still can be read

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
        """Return IPython a PNG of twice the size that it is to be shown at, for sharp screens."""
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
    return f"{value:.10g}".replace("-", "\N{MINUS SIGN}")


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
    >>> from dlt import plot_weights
    >>> from PIL import Image
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.png")
    >>> save_figure(path, plot_weights(np.eye(4)))
    >>> with Image.open(path) as picture:
    ...     picture.format, picture.width
    ('PNG', 1200)
    """
    kind = _ending(path, ("png", "svg", "pdf"))
    if not isinstance(figure, _Figure):
        raise SettingsError(
            "figure", type(figure).__name__, "a matplotlib Figure, such as plot_weights gives"
        )
    content = io.BytesIO()
    with _style():
        dpi = _SAVED_WIDTH / figure.get_figwidth()
        figure.savefig(content, format=kind, dpi=dpi, metadata=_NO_DATES[kind])
    write_atomically(path, lambda file: file.write(content.getvalue()))
