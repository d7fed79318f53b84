"""Make pictures like those of a training set, by scaling or as the makers of MNIST did.

The makers of MNIST scaled each digit in proportion to fit a box of 20 x 20 pixels, and placed its
centre of mass at the centre of a black field of 28 x 28.

Source: LeCun, Cortes and Burges, the MNIST page, "THE MNIST DATABASE".
"""

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from dlt.pictures.reading import box_of

_DARK = 32  # of 255: a darker border counts as black, like MNIST's
_MIN_CONTRAST = 32  # of 255: with less between ink and ground, a picture is blank


class Blank(Exception):
    """Nothing in a picture differs clearly from its ground."""


def prepared(grey, description):
    """Make a picture like those of a training set.

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
    """Give a picture the described size and ground; return it, and the steps."""
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
    """Return whether most of the border is dark but the ground should be light, or vice versa."""
    # The median of the border is not enough: a scene has no ground, but it has a median.
    low, high = np.percentile(_border(pixels), (25, 75))
    return high < 128 if ground == "light" else ground == "dark" and low > 127


def _as_mnist(grey, description):
    """Make a picture as the makers of MNIST would have; return it, and the steps."""
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
    # First across, then down. In one call, the order would depend on the shape and on Pillow's
    # version, and so would the grey values, because each step clips them to 0 to 255.
    across = grey.resize((width, grey.height), Image.Resampling.LANCZOS)
    return across.resize((width, height), Image.Resampling.LANCZOS)


def _normalized(grey, side):
    """Do for bright ink on a dark ground what `_as_mnist` does."""
    shrunk = grey.reduce(-(-max(grey.size) // (40 * side)))  # for speed, and against noise
    smooth = _without_grain(shrunk, 2 * side)
    ink, had_specks = _ink_without_specks(np.asarray(smooth))
    ink = _cropped(ink)
    height, width = (max(1, round(n * box_of(side) / max(ink.shape))) for n in ink.shape)
    ink = np.asarray(_resized(Image.fromarray(ink), width, height))
    if not ink.any():  # scaling can dissolve specks that are small and far apart
        raise Blank
    ink = np.rint(ink * (255 / ink.max())).astype(np.uint8)  # thin lines fade when scaled down
    steps = {"grain averaged out": smooth.size != shrunk.size, "specks left out": had_specks}
    done = [step for step, was_done in steps.items() if was_done]
    return _centred(ink, side), [*done, f"cropped, scaled to {width} x {height}, centred"]


def _is_dark_on_light(grey):
    """Return whether the ink is darker than its ground."""
    ground = _ground(grey)
    if not 64 <= ground <= 191:
        return bool(ground > 127)
    # A medium grey is badly lit paper or a pale blackboard: the ink is what differs more from it.
    darkest, brightest = np.percentile(grey, (0.5, 99.5))
    return bool(ground - darkest > brightest - ground)


def _border(grey):
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _ground(grey):
    """Return the grey value of the background, which is the median of the border."""
    return float(np.median(_border(grey)))


def _without_grain(grey, shortest):
    """Average a picture down until its paper is smooth, or its longer side is near `shortest`."""
    # The mean of n x n pixels has an n-th of their grain. A sixteenth of the ink's contrast is
    # smooth enough: clear ink starts at a quarter, so its edges do not fray.
    for factor in range(1, max(1, max(grey.size) // shortest) + 1):
        smooth = grey.reduce(factor)
        pixels = np.asarray(smooth)
        if _grain(pixels) <= (pixels.max() - _ground(pixels)) / 16:
            break
    return smooth


def _grain(grey):
    """Return the 80th percentile of differences in grey over a short distance along the border.

    Examples
    --------
    >>> uneven, grainy = np.arange(100), np.arange(100) // 2 % 2 * 40
    >>> [float(_grain(np.tile(line, (100, 1)))) for line in (uneven, grainy)]
    [2.0, 40.0]
    """
    # The distance is 1 % of a side: longer than the blobs of grain, too short for uneven light to
    # matter. The other 20 % are for the edges of ink on the border. (The median would be near 0 on
    # overexposed paper, half of which is plain 255.)
    border = _border(grey).astype(np.int16)
    distance = 1 + len(border) // 400
    return np.percentile(np.abs(border[distance:] - border[:-distance]), 80)


def _check_contrast(grey):
    if grey.max() - _ground(grey) < _MIN_CONTRAST:
        raise Blank


def _ink(grey):
    """Return the ink as uint8, shape (height, width): background 0, brightest ink 255."""
    _check_contrast(grey)
    ground = _ground(grey)
    peak = float(grey.max()) - ground
    # Everything below the floor is background. The floor is above most of the border, whose
    # unevenness shows how bad the light is. Ink on up to 30 % of the border does not raise it.
    unevenness = np.percentile(np.abs(_border(grey) - ground), 70)
    floor = min(max(0.1 * peak, 1.3 * unevenness), 0.6 * peak)
    ink = (grey.astype(np.float32) - (ground + floor)) * (255 / (peak - floor))
    return np.rint(np.clip(ink, 0, 255)).astype(np.uint8)


def _ink_without_specks(grey):
    """Return the ink without specks, and whether there were any."""
    # A speck can be stronger than a pale pencil. Without it, fainter specks become visible, so a
    # second round finds these.
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
    """Return where the ink is dust: in pieces smaller than a square of half the pen's width.

    Examples
    --------
    A stroke 6 wide and 54 long, mean width 5.4, and two marks, of 3 x 3 and 2 x 3 pixels:

    >>> ink = np.zeros((60, 20), np.uint8)
    >>> ink[3:57, 2:8] = ink[5:8, 12:15] = ink[15:17, 12:15] = 255
    >>> [bool(_specks(ink)[place]) for place in ((30, 4), (6, 13), (15, 13))]
    [False, False, True]
    """
    # A pen leaves no mark smaller than its point: a dot has pi times that area, and a dash more.
    # The pen's width is the mean width of the largest piece. With a pen of 2 pixels, all ink stays.
    pieces, _ = ndimage.label(ink > 0, structure=np.ones((3, 3)))  # corners connect as well
    areas = np.bincount(pieces.ravel())
    areas[0] = 0  # the background
    small = areas < (_mean_width(pieces == areas.argmax()) / 2) ** 2
    small[0] = False
    return small[pieces]


def _mean_width(piece):
    """Return the mean width of a stroke, a 2-d bool array: twice its area over its perimeter."""
    framed = np.pad(piece, 1)
    perimeter = sum(np.count_nonzero(np.diff(framed, axis=axis)) for axis in (0, 1))
    return float(2 * np.count_nonzero(piece) / perimeter)


def _cropped(ink):
    """Cut to the rows and columns with clear ink, a quarter of the peak or more."""
    return ink[ndimage.find_objects((ink >= 64).astype(np.int8))[0]]


def _centred(box, side):
    """Place a box in a black field, its centre of mass as near the field's centre as it fits."""
    # The centre is pixel side / 2, counted from 0: in MNIST's files, the centre of mass of each
    # digit is in [13.5, 14.5), down and across.
    field = np.zeros((side, side), dtype=np.uint8)
    top, left = (
        int(np.clip(np.ceil(side / 2 - 0.5 - centre), 0, side - size))
        for centre, size in zip(ndimage.center_of_mass(box), box.shape)
    )
    field[top : top + box.shape[0], left : left + box.shape[1]] = box
    return field
