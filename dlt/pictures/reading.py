"""Pictures to rows: your own picture of a digit, prepared the way MNIST's were.

The makers of MNIST scaled each digit to fit a 20 x 20 box, proportions kept,
and placed it so that its centre of mass is the centre of a 28 x 28 field,
bright ink on black. A model trained on such rows knows nothing else, so a
photograph or a drawing has to go the same way before it can be recognised.

Source: LeCun, Cortes and Burges, the MNIST page, "THE MNIST DATABASE" (how the
digits were normalised and centred).
"""

import math
import os
import struct
import warnings
import zlib

import numpy as np

from dlt.checks import whole_number
from dlt.errors import DataError, SettingsError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
MAX_PIXELS = 50000000  # a large camera picture; more is a mistake or an attack
MAX_FILE_BYTES = 1 << 28  # pixels that are not compressed, with room for what else is there
_WHAT = "a picture of one digit (PNG, JPEG, BMP, GIF or WebP)"

_DARK = 32  # a border darker than this is MNIST's black
_MIN_CONTRAST = 32  # less than this between ink and ground, of 255, is a blank sheet

# What Pillow's readers let out when the bytes are bad: it differs by format and by position.
_BROKEN = (
    OSError,  # also "not a picture" and "truncated"
    EOFError,
    SyntaxError,  # Pillow's word for a broken header
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
)


def read_picture(path, side=28):
    """Read one picture of a digit as the row that a model trained on MNIST expects.

    A picture of exactly `side` x `side` pixels with a dark border is taken as
    it is. Any other is made grey, turned to bright ink on black, freed from
    the background, its grain and specks of dust, cropped to the ink, scaled
    with its proportions kept until its longest side is 20/28 of `side`, and
    placed with its centre of mass at the centre of the field (or as near as
    the field's edges allow). Transparent parts count as white; of an animation
    the first frame is taken; a camera's orientation mark is obeyed.

    Parameters
    ----------
    path : str or os.PathLike
        A PNG, JPEG, BMP, GIF or WebP file of at most `MAX_PIXELS` pixels and
        `MAX_FILE_BYTES` bytes.
    side : int, pixels, optional
        Height and width of the field, at least 1. Default: 28, as in MNIST.

    Returns
    -------
    row : numpy.ndarray, float32, shape (side * side,)
        Values k/256 with k = 0..255: 0 is background, bright is ink.
    note : str
        What was done, in one phrase.

    Raises
    ------
    DataError
        If the file is missing, is no picture, is damaged, too large or blank.
    SettingsError
        If Pillow is not installed, or `side` is no whole number from 1 on.

    Notes
    -----
    Grain is averaged out: n x n pixels are made one until what is left of it
    is faint beside the ink. A speck is a piece that touches no other ink and
    is smaller than a square of half the pen's width, the pen's width being the
    largest piece's area times two by its perimeter. A pen's dot is at least
    three times as large, so that dots and broken strokes stay. Pictures with
    neither grain nor specks are not changed by this.

    Whatever is larger counts as ink: the shadow of a hand over part of the
    paper, the table around it, a frame, the rules of ruled paper, corners that
    the lens left dark. So crop a photograph to the paper around the digit, and
    light it evenly. A speck on a stroke, or touching one, is part of it.

    Examples
    --------
    A dark bar on white paper, 10 pixels wide and 40 high:

    >>> import os, tempfile
    >>> from PIL import Image
    >>> paper = Image.new("L", (100, 80), 255)
    >>> paper.paste(0, (30, 20, 40, 60))
    >>> path = os.path.join(tempfile.mkdtemp(), "one.png")
    >>> paper.save(path)
    >>> row, note = read_picture(path)
    >>> note
    'inverted, cropped, scaled to 5 x 20, centred'
    >>> row.shape, float(row.max()), int((row > 0).sum())
    ((784,), 0.99609375, 100)
    """
    side = whole_number("side", side, low=1)
    grey = _read_grey(path)
    if grey.size == (side, side) and _ground(np.asarray(grey)) < _DARK:
        field, note = np.asarray(grey), "taken as it is"
        _check_contrast(path, field)
    else:
        field, note = _normalise(path, grey, side)
    return field.reshape(side * side).astype(np.float32) / np.float32(256), note


def side_of(n_in):
    """Return the side of the square pictures that a model with `n_in` inputs was trained on.

    Parameters
    ----------
    n_in : int
        Number of inputs, one for each pixel.

    Returns
    -------
    int, pixels

    Raises
    ------
    SettingsError
        `n_in` is not the square of a whole number.

    Examples
    --------
    >>> side_of(784)
    28
    """
    side = math.isqrt(n_in)
    if side * side != n_in:
        raise SettingsError(
            "model",
            f"{n_in} inputs",
            "a square number, one input for each pixel of a square picture",
            "use a model trained on such pictures",
        )
    return side


def box_of(side):
    """Return the side of the box that a digit is scaled to fill, in a field of `side` pixels.

    Examples
    --------
    >>> box_of(28)
    20
    """
    return max(1, round(side * 20 / 28))


def _read_grey(path):
    """Return the picture as a Pillow image of mode "L", or raise DataError."""
    image_module, ops = _pillow()
    _check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage and of size: both are errors below
            with image_module.open(os.fspath(path), formats=FORMATS) as picture:
                _check_size(path, picture.size)
                picture.load()
                return _to_grey(image_module, _upright(ops, picture))
    except DataError:
        raise
    except image_module.DecompressionBombError as error:
        raise _too_large(path, "a picture with far too many pixels") from error
    except image_module.UnidentifiedImageError as error:
        raise DataError(
            path, "a file that is none of these pictures", _WHAT, "save it as PNG"
        ) from error
    except _BROKEN as error:
        raise DataError(
            path, "a damaged or cut-off picture", _WHAT, "save or copy it again"
        ) from error


def _upright(ops, picture):
    """Turn a picture as its camera's orientation mark says; a damaged mark is no mark."""
    try:
        return ops.exif_transpose(picture)
    except _BROKEN:  # the pixels have been decoded by now, so that only the mark can be bad
        return picture


def _pillow():
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise SettingsError("reading pictures", "no Pillow", remedy="pip install Pillow") from error
    return Image, ImageOps


def _check_file(path):
    """Raise DataError unless `path` is a file that can be opened."""
    if os.path.isdir(path):
        raise DataError(path, "a folder", _WHAT, "name a file in it")
    if not os.path.isfile(path):
        raise DataError(path, "no such file", _WHAT, "check the name")
    if not os.access(path, os.R_OK):
        raise DataError(path, "a file that may not be read", _WHAT, "change its permissions")
    if os.path.getsize(path) > MAX_FILE_BYTES:
        found = f"a file of {os.path.getsize(path)} bytes"
        raise DataError(path, found, f"at most {MAX_FILE_BYTES}", "scale it down")


def _check_size(path, size):
    """Raise DataError for a size that is not worth decoding; the header alone gives it away."""
    if 0 in size:
        raise DataError(path, "a picture without pixels", _WHAT, "save it again")
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_large(path, "a picture of {} x {} pixels".format(*size))


def _too_large(path, found):
    return DataError(path, found, f"at most {MAX_PIXELS // 1000000} megapixels", "scale it down")


def _to_grey(image_module, picture):
    """Return a picture of any mode as mode "L", on white where it is transparent."""
    if picture.mode == "F" or picture.mode.startswith("I"):  # 16 bits: 65535 is white
        wide = np.asarray(picture).astype(np.float32)
        wide /= 257  # in place, all of it: a large picture takes 200 MB each time
        np.clip(np.rint(wide, out=wide), 0, 255, out=wide)
        return image_module.fromarray(wide.astype(np.uint8))
    if "transparency" in picture.info or picture.mode in ("LA", "PA", "RGBA"):
        picture = picture.convert("RGBA")
        paper = image_module.new("RGBA", picture.size, "white")
        picture = image_module.alpha_composite(paper, picture)
    return picture.convert("L")


def _normalise(path, grey, side):
    """Return a mode "L" picture MNIST's treatment; return ((side, side) uint8 array, note)."""
    image_module, ops = _pillow()
    inverted = _is_dark_on_light(np.asarray(grey))
    if inverted:
        grey = ops.invert(grey)
    shrunk = _shrunk(grey, 40 * side)
    smooth = _without_grain(shrunk, 2 * side)
    ink, had_specks = _ink_without_specks(path, np.asarray(smooth))
    ink = _crop(ink)
    height, width = _fitted(ink.shape, box_of(side))
    box = image_module.fromarray(ink)
    # First across, then down: in one call the order depends on the shape and on Pillow's version,
    # and so do the greys, as each step cuts off what is beyond black and white.
    for size in ((width, ink.shape[0]), (width, height)):
        box = box.resize(size, image_module.Resampling.LANCZOS)
    if not np.asarray(box).any():  # specks so few and far between that scaling dissolves them
        raise _blank(path)
    steps = {
        "inverted": inverted,
        "grain averaged out": smooth.size != shrunk.size,
        "specks left out": had_specks,
    }
    done = [step for step, was_done in steps.items() if was_done]
    note = ", ".join([*done, f"cropped, scaled to {width} x {height}, centred"])
    return _centred(_stretched(np.asarray(box)), side), note


def _is_dark_on_light(grey):
    """Return whether the ink is darker than its ground, judged by the border's median.

    A middling grey could be badly lit paper or a pale blackboard: there, the
    ink is what is farther from the ground, above it or below.
    """
    ground = _ground(grey)
    if not 64 <= ground <= 191:
        return bool(ground > 127)
    darkest, brightest = np.percentile(grey, (0.5, 99.5))
    return bool(ground - darkest > brightest - ground)


def _border(grey):
    """Return the outermost pixels of a 2-d array."""
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _ground(grey):
    """Return the background's grey value: the median of the border."""
    return float(np.median(_border(grey)))


def _shrunk(grey, longest):
    """Average a large picture down by a whole factor, for speed and against noise."""
    factor = -(-max(grey.size) // longest)
    return grey.reduce(factor) if factor > 1 else grey


def _without_grain(grey, shortest):
    """Average a picture down until its paper is smooth, or its longest side is near `shortest`.

    The mean of n x n pixels has an n-th of their grain. Paper is smooth enough when its grain is
    a sixteenth of the ink: a quarter, from where on ink is clear, lies far above it, and so the
    soft edges of ink do not fray. Without grain, nothing is averaged.
    """
    for factor in range(1, max(1, max(grey.size) // shortest) + 1):
        smooth = grey.reduce(factor)
        pixels = np.asarray(smooth)
        if _grain(pixels) <= (pixels.max() - _ground(pixels)) / 16:
            break
    return smooth


def _grain(grey):
    """Return how much the border's greys differ over a short way: four fifths do by less.

    The way is 1 % of the side: farther than the grain of paper or of a camera hangs together,
    and too short for uneven light to tell. The last fifth is for the edges of ink that reaches
    the border. (The median is near 0 where white paper is overexposed: half of it is plain 255.)

    Examples
    --------
    >>> uneven, grainy = np.arange(100), np.arange(100) // 2 % 2 * 40
    >>> [float(_grain(np.tile(line, (100, 1)))) for line in (uneven, grainy)]
    [2.0, 40.0]
    """
    border = _border(grey).astype(np.int16)
    way = 1 + len(border) // 400
    return np.percentile(np.abs(border[way:] - border[:-way]), 80)


def _check_contrast(path, grey):
    """Raise DataError if nothing in the picture is clearly brighter than its border."""
    if grey.max() - _ground(grey) < _MIN_CONTRAST:
        raise _blank(path)


def _blank(path):
    return DataError(
        path,
        "a blank picture (no ink)",
        "one digit that differs clearly from its background",
        "note that transparent parts count as white",
    )


def _ink(path, grey):
    """Return (h, w) uint8: the background at 0, the brightest ink at 255.

    The floor under which everything is background lies above most of the
    border, whose unevenness shows how bad the lighting is; a digit may cover up
    to 30 % of the border itself without raising it. It stays below 0.6 of the peak.
    """
    _check_contrast(path, grey)
    ground = _ground(grey)
    peak = float(grey.max()) - ground
    unevenness = np.percentile(np.abs(_border(grey) - ground), 70)
    floor = min(max(0.1 * peak, 1.3 * unevenness), 0.6 * peak)
    ink = (grey.astype(np.float32) - (ground + floor)) * (255 / (peak - floor))
    return np.rint(np.clip(ink, 0, 255)).astype(np.uint8)


def _ink_without_specks(path, grey):
    """Return the ink as `_ink` does, after what `_specks` finds was painted over; and if it was.

    Then the ink is measured anew: a speck can be darker than a pale pencil, and with that peak
    gone, fainter specks come out. Two rounds find both.
    """
    ink, had_specks = _ink(path, grey), False
    for _ in range(2):
        specks = _specks(ink)
        if not specks.any():
            break
        had_specks = True
        grey = np.where(specks, np.uint8(_ground(grey)), grey)
        ink = _ink(path, grey)
    return ink, had_specks


def _specks(ink):
    """Return where the ink is dust: connected pieces less than half as wide as the pen.

    Their areas are less than that of a square of half the pen's width. No pen leaves a mark
    smaller than its point: a dot of it has pi times that area, and a dash more. The pen's width
    is the largest piece's mean width, in pixels. So a pen of 2 pixels loses nothing at all.

    Examples
    --------
    A stroke 6 wide and 54 long, mean width 5.4, and two marks, of 3 x 3 and 2 x 3 pixels:

    >>> ink = np.zeros((60, 20), np.uint8)
    >>> ink[3:57, 2:8] = ink[5:8, 12:15] = ink[15:17, 12:15] = 255
    >>> [bool(_specks(ink)[place]) for place in ((30, 4), (6, 13), (15, 13))]
    [False, False, True]
    """
    from scipy import ndimage  # slow to import

    pieces, _ = ndimage.label(ink > 0, structure=np.ones((3, 3)))  # corners connect as well
    areas = np.bincount(pieces.ravel())
    areas[0] = 0  # the background
    small = areas < (_mean_width(pieces == areas.argmax()) / 2) ** 2
    small[0] = False
    return small[pieces]


def _mean_width(piece):
    """Return how wide a stroke is, given as a 2-d bool array: twice its area by its perimeter.

    Examples
    --------
    >>> _mean_width(np.ones((4, 96), bool))
    3.84
    """
    framed = np.pad(piece, 1)
    perimeter = sum(np.count_nonzero(np.diff(framed, axis=axis)) for axis in (0, 1))
    return float(2 * np.count_nonzero(piece) / perimeter)


def _crop(ink):
    """Cut to the rows and columns with clear ink: a quarter of the peak, so that haze is out."""
    clear = ink >= 64
    rows, columns = np.flatnonzero(clear.any(axis=1)), np.flatnonzero(clear.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fitted(shape, longest):
    """Return (height, width) in the proportions of `shape` with that longest side, both >= 1."""
    return tuple(max(1, round(n * longest / max(shape))) for n in shape)


def _stretched(box):
    """Scale (h, w) uint8 so that its maximum is 255: a thin pen fades when it is scaled down."""
    return np.rint(box * (255 / box.max())).astype(np.uint8)


def _centred(box, side):
    """Place `box` in a black field, its centre of mass at the field's centre, all of it inside.

    The centre is pixel side / 2 counted from 0: in the published MNIST files
    every digit's centre of mass lies in [13.5, 14.5), both down and across.
    """
    field = np.zeros((side, side), dtype=np.uint8)
    top, left = (
        int(np.clip(np.ceil(side / 2 - 0.5 - centre), 0, side - size))
        for centre, size in zip(_centre_of_mass(box), box.shape)
    )
    field[top : top + box.shape[0], left : left + box.shape[1]] = box
    return field


def _centre_of_mass(grey):
    """Return (row, column) of the centre of mass of a 2-d array that is not all zero.

    Examples
    --------
    >>> _centre_of_mass(np.array([[0, 0, 0], [1, 0, 3]]))
    (1.0, 1.5)
    """
    mass = grey.astype(np.float64)
    rows, columns = (np.arange(n) for n in grey.shape)
    total = mass.sum()
    return (
        float(mass.sum(axis=1) @ rows / total),
        float(mass.sum(axis=0) @ columns / total),
    )
