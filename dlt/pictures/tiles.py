"""Rows of pixels as Pillow images, and the weights of a run as an animation.

Source: page "Getting Started", section "Plotting Intermediate Results".
"""

import io
import math

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from dlt.checks import whole_number
from dlt.errors import SettingsError
from dlt.files.writing import write_atomically
from dlt.pictures.checks import (
    _captions,
    _ending,
    _limit,
    _listed,
    _matrix,
    _pair,
    _side,
    _weight_images,
)
from dlt.pictures.digits import plot_weights

_LONGEST_GIF = 65535  # pixels: GIF writes a side's length in 16 bits
_LONGEST_SHOWN = 655350  # milliseconds: 16 bits as well, for hundredths of a second


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
            "image_shape",
            f"({height}, {width})",
            f"a product of {rows.shape[1]}, the length of the rows",
        )
    n_down, n_across = _pair("tile_shape", _square_enough(len(rows), tile_shape))
    if n_down * n_across < len(rows):
        raise SettingsError(
            "tile_shape", f"({n_down}, {n_across})", f"room for {len(rows)} pictures"
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
    weights : sequence of arrays, each of shape (n_in, n_out) or (height, width, n_out)
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
    weights = [np.asarray(W) for W in _listed("weights", weights)]
    for W in weights:
        _weight_images("weights", W)
    captions = _captions("captions", captions, len(weights))
    if not weights:
        raise SettingsError("weights", "none", "one W for each frame")
    shapes = sorted({W.shape for W in weights})
    if len(shapes) > 1:
        raise SettingsError("weights", f"the shapes {shapes[0]} and {shapes[1]}", "one shape")
    limit = _limit("weights", np.stack([np.abs(W).max() for W in weights]))
    return [
        _frame(plot_weights(W, limit=limit, title=caption)) for W, caption in zip(weights, captions)
    ]


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
            "milliseconds",
            f"{each} for each of {len(frames)} frames and {last} for the last",
            f"at most {_LONGEST_SHOWN} in all",
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
                "frames", type(frame).__name__, "Pillow images, such as animate_weights gives"
            )
    sizes = sorted({frame.size for frame in frames})
    if len(sizes) != 1:
        found = (
            "frames of {} x {} and {} x {} pixels".format(*sizes[0], *sizes[1]) if sizes else "none"
        )
        raise SettingsError("frames", found, "some of one size")
    if not all(1 <= length <= _LONGEST_GIF for length in sizes[0]):
        found = "frames of {} x {} pixels".format(*sizes[0])
        raise SettingsError("frames", found, f"1 to {_LONGEST_GIF} each way, as a GIF has")
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
    """Return the different colours, shape (n, 3), the number of each pixel's, and their counts."""
    codes = pixels.reshape(-1, 3).astype(np.int64) @ [1 << 16, 1 << 8, 1]
    codes, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1), inverse, counts


def _nearest(colours, palette):
    """Return the index of the nearest entry for each colour."""
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
            "rows",
            f"values from {rows.min():g} to {rows.max():g}",
            "0 to 1",
            "divide pixels by 256, or give scale_rows=True for weights",
        )
    return np.minimum(rows * 256, 255).astype(np.uint8)


def _square_enough(n, tile_shape):
    if tile_shape is not None:
        return tile_shape
    n_across = math.ceil(math.sqrt(n))
    return math.ceil(n / n_across), n_across
