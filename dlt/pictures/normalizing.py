"""Pictures made like those of a training set: scaled to their shape, or as MNIST's makers did.

They scaled each digit in proportion to fit a box of 20 x 20 pixels, and placed its centre of mass
at the centre of a black field of 28 x 28.

Source: LeCun, Cortes and Burges, the MNIST page, "THE MNIST DATABASE".
"""

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from dlt.pictures.reading import box_of

_DARK = 32  # a border darker than this is MNIST's black
_MIN_CONTRAST = 32  # less than this between ink and ground, of 255, is a blank sheet


class Blank(Exception):
    """Nothing in a picture differs clearly from its ground."""


def prepared(grey, description):
    """Return a picture as those are that a description describes.

    Parameters
    ----------
    grey : PIL.Image.Image
        Mode "L".
    description : Description

    Returns
    -------
    field : ndarray, uint8, shape (height, width)
    note : str
        What was done.

    Raises
    ------
    Blank
    """
    make = _as_mnist if description.centred else _scaled
    field, steps = make(grey, description)
    return field, ", ".join(steps) or "taken as it is"


def _scaled(grey, description):
    """Return a picture in the size, and on the ground, that is described; and what was done."""
    if int(np.max(grey)) - int(np.min(grey)) < _MIN_CONTRAST:
        raise Blank
    steps, size = [], (description.width, description.height)
    if _is_on_other_ground(np.asarray(grey), description.ground):
        grey = ImageOps.invert(grey)
        steps.append("inverted")
    if grey.size != size:
        grey = _resized(grey, *size)
        steps.append("scaled to {} x {}".format(*size))
    return np.asarray(grey), steps


def _is_on_other_ground(pixels, ground):
    """Return whether most of the border is dark, where the ground should be light, or light."""
    # Most of it, as pictures of a scene have no ground: only their median is on one side.
    low, high = np.percentile(_border(pixels), (25, 75))
    return high < 128 if ground == "light" else ground == "dark" and low > 127


def _as_mnist(grey, description):
    """Return a picture as MNIST's makers would have made it, and what was done."""
    side, to_light = description.height, description.ground == "light"
    pixels = np.asarray(grey)
    bright = 255 - pixels if to_light else pixels
    if pixels.shape == (side, side) and _ground(bright) < _DARK:
        _check_contrast(bright)
        return pixels, []
    is_light = _is_dark_on_light(pixels)
    field, steps = _normalized(ImageOps.invert(grey) if is_light else grey, side)
    inverted = ["inverted"] if is_light != to_light else []
    return 255 - field if to_light else field, [*inverted, *steps]


def _resized(grey, width, height):
    # First across, then down: in one call the order depends on the shape and on Pillow's version,
    # and so do the greys, as each step cuts off what is beyond black and white.
    across = grey.resize((width, grey.height), Image.Resampling.LANCZOS)
    return across.resize((width, height), Image.Resampling.LANCZOS)


def _normalized(grey, side):
    """Return bright ink on a dark ground as MNIST's makers would have made it, and the steps."""
    shrunk = grey.reduce(-(-max(grey.size) // (40 * side)))  # for speed, and against noise
    smooth = _without_grain(shrunk, 2 * side)
    ink, had_specks = _ink_without_specks(np.asarray(smooth))
    ink = _cropped(ink)
    height, width = (max(1, round(n * box_of(side) / max(ink.shape))) for n in ink.shape)
    ink = np.asarray(_resized(Image.fromarray(ink), width, height))
    if not ink.any():  # specks so small and far apart that scaling dissolves them
        raise Blank
    ink = np.rint(ink * (255 / ink.max())).astype(np.uint8)  # a thin pen fades when scaled down
    steps = {"grain averaged out": smooth.size != shrunk.size, "specks left out": had_specks}
    done = [step for step, was_done in steps.items() if was_done]
    return _centred(ink, side), [*done, f"cropped, scaled to {width} x {height}, centred"]


def _is_dark_on_light(grey):
    """Return whether the ink is darker than its ground."""
    ground = _ground(grey)
    if not 64 <= ground <= 191:
        return bool(ground > 127)
    # A middling grey could be badly lit paper or a pale blackboard: the ink is what differs more.
    darkest, brightest = np.percentile(grey, (0.5, 99.5))
    return bool(ground - darkest > brightest - ground)


def _border(grey):
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _ground(grey):
    """Return the background's grey value: the median of the border."""
    return float(np.median(_border(grey)))


def _without_grain(grey, shortest):
    """Average a picture down until its paper is smooth, or its longest side is near `shortest`."""
    # The mean of n x n pixels has an n-th of their grain. A sixteenth of the ink is smooth enough:
    # the soft edges of ink, clear from a quarter on, do not fray. Without grain nothing changes.
    for factor in range(1, max(1, max(grey.size) // shortest) + 1):
        smooth = grey.reduce(factor)
        pixels = np.asarray(smooth)
        if _grain(pixels) <= (pixels.max() - _ground(pixels)) / 16:
            break
    return smooth


def _grain(grey):
    """Return how much the border's greys differ over a short way: four fifths do by less.

    Examples
    --------
    >>> uneven, grainy = np.arange(100), np.arange(100) // 2 % 2 * 40
    >>> [float(_grain(np.tile(line, (100, 1)))) for line in (uneven, grainy)]
    [2.0, 40.0]
    """
    # The way is 1 % of the side: longer than the blobs of grain, too short for uneven light to
    # matter. The last fifth is for the edges of ink that reaches the border. (The median would be
    # near 0 on overexposed paper, half of which is plain 255.)
    border = _border(grey).astype(np.int16)
    way = 1 + len(border) // 400
    return np.percentile(np.abs(border[way:] - border[:-way]), 80)


def _check_contrast(grey):
    if grey.max() - _ground(grey) < _MIN_CONTRAST:
        raise Blank


def _ink(grey):
    """Return (h, w) uint8: the background at 0, the brightest ink at 255."""
    _check_contrast(grey)
    ground = _ground(grey)
    peak = float(grey.max()) - ground
    # Everything under the floor is background. It lies above most of the border, whose unevenness
    # shows how bad the light is; a digit may cover up to 30 % of the border without raising it.
    unevenness = np.percentile(np.abs(_border(grey) - ground), 70)
    floor = min(max(0.1 * peak, 1.3 * unevenness), 0.6 * peak)
    ink = (grey.astype(np.float32) - (ground + floor)) * (255 / (peak - floor))
    return np.rint(np.clip(ink, 0, 255)).astype(np.uint8)


def _ink_without_specks(grey):
    """Return the ink without specks, and whether there were any."""
    # A speck can be darker than a pale pencil. Without that peak, fainter specks show: the ink is
    # measured again, and two rounds find both.
    ink, had_specks = _ink(grey), False
    for _ in range(2):
        specks = _specks(ink)
        if not specks.any():
            break
        had_specks = True
        grey = np.where(specks, np.uint8(_ground(grey)), grey)
        ink = _ink(grey)
    return ink, had_specks


def _specks(ink):
    """Return where the ink is dust: pieces smaller than a square of half the pen's width.

    Examples
    --------
    A stroke 6 wide and 54 long, mean width 5.4, and two marks, of 3 x 3 and 2 x 3 pixels:

    >>> ink = np.zeros((60, 20), np.uint8)
    >>> ink[3:57, 2:8] = ink[5:8, 12:15] = ink[15:17, 12:15] = 255
    >>> [bool(_specks(ink)[place]) for place in ((30, 4), (6, 13), (15, 13))]
    [False, False, True]
    """
    # No pen leaves a mark smaller than its point: a dot has pi times that area, a dash more. The
    # pen's width is the largest piece's mean width, so a pen of 2 pixels loses nothing at all.
    pieces, _ = ndimage.label(ink > 0, structure=np.ones((3, 3)))  # corners connect as well
    areas = np.bincount(pieces.ravel())
    areas[0] = 0  # the background
    small = areas < (_mean_width(pieces == areas.argmax()) / 2) ** 2
    small[0] = False
    return small[pieces]


def _mean_width(piece):
    """Return how wide a stroke is, a 2-d bool array: twice its area by its perimeter."""
    framed = np.pad(piece, 1)
    perimeter = sum(np.count_nonzero(np.diff(framed, axis=axis)) for axis in (0, 1))
    return float(2 * np.count_nonzero(piece) / perimeter)


def _cropped(ink):
    """Cut to the rows and columns with clear ink: a quarter of the peak, so that haze is out."""
    return ink[ndimage.find_objects((ink >= 64).astype(np.int8))[0]]


def _centred(box, side):
    """Place `box` in a black field, its centre of mass at the field's centre, all of it inside."""
    # The centre is pixel side / 2 counted from 0: in MNIST's files, every digit's centre of mass
    # is in [13.5, 14.5), both down and across.
    field = np.zeros((side, side), dtype=np.uint8)
    top, left = (
        int(np.clip(np.ceil(side / 2 - 0.5 - centre), 0, side - size))
        for centre, size in zip(ndimage.center_of_mass(box), box.shape)
    )
    field[top : top + box.shape[0], left : left + box.shape[1]] = box
    return field
