"""Rows of pixels as Pillow images, and the weights of a run as an animation.

Source: page "Getting Started", section "Plotting Intermediate Results".
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from dlt.checks import inputs, real_numbers, sequence, whole_number
from dlt.errors import DataError, SettingsError
from dlt.files.writing import write_atomically
from dlt.pictures import checks
from dlt.pictures.digits import plot_weights
from dlt.pictures.figures import ending

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_LONGEST_GIF = 65535  # pixels: GIF writes a side's length in 16 bits
_LONGEST_SHOWN = 655350  # milliseconds: 16 bits as well, for hundredths of a second


def tile_images(
    rows: ArrayLike,
    image_shape: tuple[int, int] | None = None,
    tile_shape: tuple[int, int] | None = None,
    spacing: int = 1,
    scale_rows: bool = False,
) -> Image.Image:
    """Put the pictures in the rows of a matrix side by side into one grey image.

    Parameters
    ----------
    rows : array, shape (N, n_in)
        Pixels from 0 (black) to 1 (white); k/256 becomes the grey value k.
    image_shape : (int, int), optional
        Height and width of a picture; by default it is square.
    tile_shape : (int, int), optional
        Rows and columns of pictures; by default about as many rows as columns. Empty places are
        black.
    spacing : int
        Black pixels between pictures, 0 to 1000.
    scale_rows : bool
        Stretch each row, such as weights, so that its lowest value is black and its highest is
        white. A row of equal values is black.

    Returns
    -------
    PIL.Image.Image
        Mode "L".

    Raises
    ------
    DataError
        Pixels outside 0 to 1 without `scale_rows`.

    Examples
    --------
    >>> image = tile_images([[0.0, 0.25], [0.5, 1.0]], image_shape=(1, 2), spacing=0)
    >>> image.size, np.asarray(image).tolist()
    ((4, 1), [[0, 64, 128, 255]])
    """
    pixels = inputs("rows", rows, dtype="float64")
    n, n_in = pixels.shape
    if image_shape is None:
        height = width = checks.side_of(n_in, "rows")
    else:
        height, width = _pair("image_shape", image_shape)
    if height * width != n_in:
        expected = f"a product of {n_in}, the length of the rows"
        raise SettingsError("image_shape", f"({height}, {width})", expected)
    if tile_shape is None:
        n_across = math.ceil(math.sqrt(n))
        n_down = math.ceil(n / n_across)
    else:
        n_down, n_across = _pair("tile_shape", tile_shape)
    if n_down * n_across < n:
        found = f"({n_down}, {n_across})"
        raise SettingsError("tile_shape", found, f"room for {n} pictures")
    spacing = whole_number("spacing", spacing, 0, 1000)
    down, across = height + spacing, width + spacing
    tiles = Image.new("L", (n_across * across - spacing, n_down * down - spacing))
    for i, picture in enumerate(_grey(pixels, scale_rows).reshape(n, height, width)):
        tiles.paste(Image.fromarray(picture), (i % n_across * across, i // n_across * down))
    return tiles


def animate_weights(
    weights: Iterable[ArrayLike],
    captions: Sequence[str],
    labels: Sequence | None = None,
    ground: str = "dark",
) -> list[Image.Image]:
    """Draw the weights of a model at several times, all on one colour scale.

    Parameters
    ----------
    weights : iterable of arrays, each of shape (n_in, n_out) or (height, width, n_out)
        As for `plot_weights`, such as those of the snapshots of a run.
    captions : sequence of str
        The title of each frame.
    labels, ground
        See `plot_weights`.

    Returns
    -------
    list of PIL.Image.Image
        Mode "RGB", 600 pixels wide, for `save_animation`.

    Examples
    --------
    >>> frames = animate_weights([np.zeros((4, 2)), np.eye(4)[:, :2]], ["before", "after"])
    >>> [(frame.mode, frame.width) for frame in frames]
    [('RGB', 600), ('RGB', 600)]
    """
    arrays = [real_numbers("weights", W) for W in sequence("weights", weights)]
    titles = checks.captions("captions", captions, len(arrays))
    if not arrays:
        raise DataError("weights", "none", "one W for each frame")
    shapes = sorted({W.shape for W in arrays})
    if len(shapes) > 1:
        raise DataError("weights", f"the shapes {shapes[0]} and {shapes[1]}", "one shape")
    peaks = [np.abs(checks.weight_pictures("weights", W)).max() for W in arrays]
    limit = checks.scale_end("weights", peaks)
    return [
        _frame(plot_weights(W, labels, limit, title, ground)) for W, title in zip(arrays, titles)
    ]


def save_animation(
    path: str | os.PathLike,
    frames: Iterable[Image.Image],
    milliseconds: int = 200,
    last_milliseconds: int = 2000,
) -> None:
    """Save frames as a GIF that repeats for ever, completely or not at all.

    The same frames give the same bytes.

    Parameters
    ----------
    path : str or os.PathLike
        Ends in ``.gif``.
    frames : iterable of PIL.Image.Image
        One or more, all of the same size, 1 to 65535 pixels each way. They share 255 colours. Equal
        frames in a row become one, which is shown for as long as all of them.
    milliseconds, last_milliseconds : int
        How long to show each frame, and the last one: 20 to 60000 in steps of 10, and at most
        655350 together, the longest that a GIF can show a frame.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "grey.gif")
    >>> save_animation(path, [Image.new("L", (8, 8), grey) for grey in (0, 90, 180)])
    >>> with Image.open(path) as animation:
    ...     animation.n_frames
    3
    """
    ending(path, ["gif"])
    images = sequence("frames", frames)
    width, height = _size_of(images)
    each = whole_number("milliseconds", milliseconds, 20, 60000)
    last = whole_number("last_milliseconds", last_milliseconds, 20, 60000)
    n = len(images)
    if each * (n - 1) + last > _LONGEST_SHOWN:
        found = f"{each} for each of {n} frames and {last} for the last"
        raise SettingsError("milliseconds", found, f"at most {_LONGEST_SHOWN} in all")
    # One palette for all frames, so that none flickers. It has 255 colours: Pillow needs one more,
    # for pixels that are as in the frame before, which makes the file a third as large.
    strip = Image.new("RGB", (width, n * height))
    for i, image in enumerate(images):
        strip.paste(image.convert("RGB"), (0, i * height))
    strip = strip.quantize(255, Image.Quantize.MAXCOVERAGE)
    first, *rest = [strip.crop((0, i * height, width, (i + 1) * height)) for i in range(n)]
    content, times = io.BytesIO(), [each] * (n - 1) + [last]
    first.save(content, "GIF", save_all=True, append_images=rest, duration=times, loop=0)
    write_atomically(path, lambda file: file.write(content.getvalue()))


def _size_of(frames):
    """Check the frames of an animation; return their width and height."""
    for frame in frames:
        if not isinstance(frame, Image.Image):
            expected = "Pillow images, such as animate_weights returns"
            raise SettingsError("frames", type(frame).__name__, expected)
    sizes = sorted({frame.size for frame in frames})
    found = "frames of " + " and ".join(f"{width} x {height}" for width, height in sizes[:2])
    if len(sizes) != 1:
        raise SettingsError("frames", f"{found} pixels" if sizes else "none", "some of one size")
    if not all(1 <= length <= _LONGEST_GIF for length in sizes[0]):
        expected = f"1 to {_LONGEST_GIF} each way, as a GIF has"
        raise SettingsError("frames", f"{found} pixels", expected)
    return sizes[0]


def _frame(figure):
    """Draw a figure into a Pillow image, 600 pixels wide."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.array(canvas.buffer_rgba())).convert("RGB")


def _grey(rows, scale_rows):
    """Turn rows of pixels into grey values 0 to 255."""
    if scale_rows:
        rows = rows / 2  # so that no difference is infinite
        least, most = (edge(axis=1, keepdims=True) for edge in (rows.min, rows.max))
        rows = (rows - least) / np.where(most > least, most - least, 1.0)
    elif rows.min() < 0 or rows.max() > 1:
        found = f"values from {rows.min():g} to {rows.max():g}"
        remedy = "divide pixels by 256, or use scale_rows=True for weights"
        raise DataError("rows", found, "0 to 1", remedy)
    return np.minimum(rows * 256, 255).astype(np.uint8)


def _pair(name, pair):
    pair = sequence(name, pair)
    if len(pair) != 2:
        raise SettingsError(name, pair, "two numbers")
    return [whole_number(name, n, low=1) for n in pair]
