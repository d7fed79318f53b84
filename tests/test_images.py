"""Pictures drawn with Pillow are read as MNIST's makers would have prepared them."""

import itertools

import numpy as np
import pytest
from attacks import png
from PIL import Image, ImageDraw, ImageFilter, ImageOps

import dlt
from dlt.errors import DataError
from dlt.examples import Description
from dlt.files import grey
from dlt.pictures import normalizing
from dlt.pictures.reading import MNIST, pictures_in, read_picture


def draw_seven(size=(200, 300), ink=255, ground=0, mode="L", width=18):
    """A seven off the middle: a bar 100 wide, and a slanted stroke, 160 high together."""
    picture = Image.new(mode, size, ground)
    pen = ImageDraw.Draw(picture)
    pen.line([(30, 100), (130, 100)], fill=ink, width=width)
    pen.line([(125, 100), (60, 260)], fill=ink, width=width)
    return picture


def dark_seven(size=(200, 300)):
    return draw_seven(size, ink=0, ground=255)


@pytest.fixture
def read(tmp_path):
    """Save a picture (PNG unless told otherwise), read it back: ((28, 28) whole numbers, note)."""

    def save_and_read(picture, suffix=".png", **options):
        path = tmp_path / ("picture" + suffix)
        picture.save(path, **options)
        row, note = read_picture(path)
        assert row.shape == (784,) and row.dtype == np.float32
        grey = row.reshape(28, 28) * 256
        assert (grey == np.rint(grey)).all() and grey.min() == 0 and grey.max() <= 255
        return grey, note

    return save_and_read


def centre_of_mass(grey):
    rows, columns = np.indices(grey.shape)
    return (grey * rows).sum() / grey.sum(), (grey * columns).sum() / grey.sum()


def extent(grey):
    rows, columns = np.nonzero(grey.max(axis=1))[0], np.nonzero(grey.max(axis=0))[0]
    return rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


def assert_like_mnist(grey):
    """Longest side 20, brightest ink white, centre of mass in [13.5, 14.5) as in MNIST's files."""
    assert max(extent(grey)) == 20
    assert grey.max() == 255
    for centre in centre_of_mass(grey):
        assert 13.5 <= centre < 14.5


def test_a_field_with_a_dark_border_is_taken_as_it_is(read):
    pixels = np.zeros((28, 28), np.uint8)
    pixels[5:20, 3:7] = np.arange(60).reshape(15, 4) * 4  # neither centred nor scaled nor white
    grey, note = read(Image.fromarray(pixels))
    assert note == "taken as it is" and (grey == pixels).all()
    wide = np.zeros((28, 28), np.uint16)
    wide[10, 10:13] = [65535, 257 * 200, 300]  # 300 / 257 = 1.17
    grey, note = read(Image.fromarray(wide))
    assert note == "taken as it is" and grey[10, 10:13].tolist() == [255, 200, 1]


def test_a_field_with_a_light_border_is_treated(read):
    pixels = np.full((28, 28), 255, np.uint8)
    pixels[5:15, 3:7] = 0
    grey, note = read(Image.fromarray(pixels))
    assert note == "inverted, cropped, scaled to 8 x 20, centred"
    assert_like_mnist(grey)


def test_another_side(tmp_path):
    path = tmp_path / "small.png"
    pixels = np.zeros((14, 14), np.uint8)
    pixels[3:9, 4] = 200
    Image.fromarray(pixels).save(path)
    row, note = read_picture(path, MNIST._replace(height=14, width=14))
    assert note == "taken as it is" and (row * 256 == pixels.ravel()).all()
    draw_seven().save(path)
    row, note = read_picture(str(path), MNIST._replace(height=14, width=14))
    assert row.shape == (196,) and note.endswith("x 10, centred")
    assert max(extent(row.reshape(14, 14))) == 10


ON_LIGHT = MNIST._replace(ground="light")


def test_for_a_model_of_dark_on_light_all_is_the_other_way_round(tmp_path, read):
    path = tmp_path / "seven.png"
    draw_seven().save(path)
    expected, steps = read_picture(path)
    assert not steps.startswith("inverted")
    for picture, note in ((dark_seven(), steps), (draw_seven(), f"inverted, {steps}")):
        picture.save(path)
        row, found = read_picture(path, ON_LIGHT)
        assert found == note and (row * 256 == 255 - expected * 256).all()
    pixels = np.full((28, 28), 255, np.uint8)
    pixels[5:20, 3:7] = 0
    Image.fromarray(pixels).save(path)
    row, note = read_picture(path, ON_LIGHT)
    assert note == "taken as it is" and (row * 256 == pixels.ravel()).all()
    Image.new("L", (28, 28), 255).save(path)
    with pytest.raises(DataError, match="found a blank picture"):
        read_picture(path, ON_LIGHT)


SCALED = MNIST._replace(height=20, width=30, centred=False)


@pytest.mark.parametrize(
    "description, ground, note",
    [
        (SCALED, 0, "scaled to 30 x 20"),
        (SCALED, 255, "inverted, scaled to 30 x 20"),
        (SCALED._replace(ground="light"), 255, "scaled to 30 x 20"),
        (SCALED._replace(ground="light"), 0, "inverted, scaled to 30 x 20"),
        (SCALED._replace(ground=None), 255, "scaled to 30 x 20"),
        (SCALED._replace(height=40, width=60), 0, "taken as it is"),
        (SCALED._replace(height=40, width=60), 255, "inverted"),
    ],
)
def test_without_a_margin_the_whole_picture_is_scaled(tmp_path, description, ground, note):
    pixels = np.full((40, 60), ground, np.uint8)
    pixels[10:30, 20:50] = 255 - ground  # in the scaled picture rows 5 to 14, columns 10 to 24
    Image.fromarray(pixels).save(tmp_path / "square.png")
    row, found = read_picture(tmp_path / "square.png", description)
    assert found == note
    factor = 40 // description.height
    expected = pixels[factor // 2 :: factor, factor // 2 :: factor].astype(float)
    if "inverted" in note:
        expected = 255 - expected
    field = row.reshape(expected.shape) * 256
    inside = slice(9, 11), slice(14, 20)  # away from the edges, which Lanczos's window softens
    assert (field[inside] == expected[inside]).all()
    assert np.abs(field - expected).mean() < 3


def test_a_scene_without_a_ground_is_not_inverted(tmp_path):
    pixels = np.repeat(np.linspace(20, 250, 40).astype(np.uint8)[:, None], 60, axis=1)
    Image.fromarray(pixels).save(tmp_path / "sky.png")
    for ground in ("dark", "light"):
        _, note = read_picture(tmp_path / "sky.png", SCALED._replace(ground=ground))
        assert note == "scaled to 30 x 20"


def test_values_reach_from_0_to_1_where_the_model_s_do(tmp_path):
    Image.fromarray(np.asarray([[0, 51, 255]], np.uint8)).save(tmp_path / "grey.png")
    description = SCALED._replace(height=1, width=3, ground=None)
    row, _ = read_picture(tmp_path / "grey.png", description._replace(scale=1))
    assert row.tolist() == [0, np.float32(0.2), 1]
    row, _ = read_picture(tmp_path / "grey.png", description)
    assert row.tolist() == [0, 51 / 256, 255 / 256]


def test_a_model_of_rows_takes_no_pictures(tmp_path):
    draw_seven().save(tmp_path / "seven.png")
    message = "description: found a model whose inputs are not pictures; expected one trained on"
    with pytest.raises(DataError, match=message):
        read_picture(tmp_path / "seven.png", Description())


def test_pictures_are_found_in_folders_and_below(tmp_path):
    names = ["b.PNG", "a/z.jpeg", "a/c.gif", ".hidden.png", "a/notes.txt"]
    (tmp_path / "a").mkdir()
    for name in names:
        (tmp_path / name).write_bytes(b"")
    expected = [str(tmp_path / name) for name in ("a/c.gif", "a/z.jpeg", "b.PNG")]
    assert pictures_in(tmp_path) == expected
    assert pictures_in("no such file") == ["no such file"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: found a folder without pictures; expected files"):
        pictures_in(tmp_path / "empty")


def test_by_hand_a_bar(read):
    # 10 x 40 -> 5 x 20, all white. Its centre of mass is (9.5, 2) from its own corner; whole
    # shifts that bring it into [13.5, 14.5): by 4 rows to 13.5, by 12 columns to 14.
    paper = Image.new("L", (100, 80), 0)
    paper.paste(255, (70, 20, 80, 60))
    expected = np.zeros((28, 28))
    expected[4:24, 12:17] = 255
    grey, note = read(paper)
    assert note == "cropped, scaled to 5 x 20, centred"
    assert (grey == expected).all()


def test_every_pillow_makes_the_same_of_a_tall_digit(read):
    # A bar with round ends, 277 x 47. The numbers are what Pillow 10 makes of it in one call,
    # across and then down; Pillow 13 by itself goes down first, which gives 143, 255, 143.
    down, across = np.mgrid[:330, :130]
    distance = np.hypot(across - 65, down - np.clip(down, 50, 280))
    grey, note = read(Image.fromarray(np.rint(255 * np.clip(24 - distance, 0, 1)).astype(np.uint8)))
    assert note == "cropped, scaled to 3 x 20, centred"
    assert grey[4, 12:17].tolist() == [0, 142, 246, 142, 0]


@pytest.mark.parametrize("ink, ground", [(0, 255), (200, 40), (20, 110)])
def test_dark_on_light_and_light_on_dark(read, ink, ground):
    grey, note = read(draw_seven(ink=ink, ground=ground))
    assert note.startswith("inverted, ") == (ink < ground)
    assert_like_mnist(grey)
    assert extent(grey)[0] == 20 and 12 <= extent(grey)[1] <= 15  # 160 x 109 or so: 20 x 13.6
    # The bar is at the top: its whole width is white there, and nothing is as wide below.
    assert [(row > 200).sum() >= 10 for row in grey if row.any()] == [True] * 2 + [False] * 18
    shifted = Image.new("L", (400, 400), ground)
    shifted.paste(draw_seven(ink=ink, ground=ground), (150, 77))
    assert (grey == read(shifted)[0]).all()


@pytest.mark.parametrize("ink, ground", [(60, 220), (20, 110)])
def test_a_picture_and_its_negative_give_the_same_row(read, ink, ground):
    noise = np.random.RandomState(0).randint(-9, 10, (300, 200))
    noisy = np.clip(np.asarray(draw_seven(ink=ink, ground=ground)) + noise, 0, 255)
    picture = Image.fromarray(noisy.astype(np.uint8))
    (grey, note), (negative, note_negative) = read(picture), read(ImageOps.invert(picture))
    assert (grey == negative).all()
    assert {note.startswith("inverted"), note_negative.startswith("inverted")} == {True, False}


def test_uneven_light_and_noise_are_removed(read):
    down, across = np.mgrid[:300, :200]
    light = 190 + 40 * across / 200 - 30 * down / 300
    strokes = np.asarray(draw_seven(), float) / 255
    noise = np.random.RandomState(1).normal(0, 4, light.shape)
    photo = np.clip(light * (1 - 0.75 * strokes) + noise, 0, 255).astype(np.uint8)
    grey, note = read(Image.fromarray(photo).convert("RGB"), ".jpg", quality=85)
    clean, _ = read(draw_seven())
    assert note.startswith("inverted")
    assert_like_mnist(grey)
    # The clean one's centre of mass is at 14.49: the noise moves it over the edge, by one row.
    lowered = np.roll(grey, 1, axis=0)
    assert np.abs(lowered - clean).mean() < 4
    assert lowered[clean == 0].max() < 32, "background got through"


@pytest.mark.parametrize(
    "picture", [dark_seven().crop((30, 92, 140, 262)), draw_seven(ink=0, ground=255, width=2)]
)
def test_ink_up_to_the_edges_and_a_thin_pen_become_like_mnist_s(read, picture):
    grey, note = read(picture)
    assert note.startswith("inverted")
    assert_like_mnist(grey)


def test_large_picture_is_averaged_first(read):
    small, _ = read(dark_seven())
    grey, _ = read(dark_seven().resize((2400, 3600), Image.NEAREST))
    assert_like_mnist(grey)
    assert np.abs(grey - small).mean() < 4


def test_lopsided_ink_stays_inside_the_field(read):
    # A long thin stem under a heavy head: centring the mass alone would push the stem out.
    picture = Image.new("L", (220, 220))
    picture.paste(255, (20, 10, 180, 40))
    picture.paste(255, (98, 40, 102, 200))
    grey, _ = read(picture)
    assert extent(grey) == (20, 17)  # 190 x 160: 20 x 16.8


def test_single_point(read):
    dot = Image.new("L", (50, 50))
    dot.putpixel((4, 40), 255)
    grey, note = read(dot)
    assert note == "cropped, scaled to 20 x 20, centred" and (grey > 0).sum() == 400


def draw(strokes, size=800, pen=40, ink=0, ground=255):
    """Draw strokes, given in hundredths of the size, with a round pen."""
    picture = Image.new("L", (size, size), ground)
    paper, r = ImageDraw.Draw(picture), pen / 2
    for stroke in strokes:
        points = [(x * size / 100, y * size / 100) for x, y in stroke]
        paper.line(points, fill=ink, width=pen)
        for x, y in points:
            paper.ellipse([x - r, y - r, x + r, y + r], fill=ink)
    return picture


SEVEN = [[(33, 25), (66, 22), (46, 80)]]
DRAWINGS = {
    "seven": SEVEN,
    "crossed seven": [*SEVEN, [(40, 52), (66, 50)]],
    "four in two strokes": [[(36, 22), (30, 52), (52, 52)], [(64, 30), (60, 80)]],
    "five in two strokes": [[(38, 24), (37, 45), (60, 52), (36, 78)], [(48, 18), (68, 17)]],
    "broken one": [[(50, 20), (50, 26)], [(50, 34), (50, 35)], [(50, 43), (50, 80)]],
    "letter i": [[(50, 40), (50, 80)], [(50, 25)]],
    "dots": [[(20, 20)], [(80, 30)], [(30, 80)], [(60, 40), (50, 80), (30, 50)]],
}  # fmt: skip


def with_noise(picture, sigma, seed=0):
    noise = np.random.RandomState(seed).normal(0, sigma, picture.size[::-1])
    return Image.fromarray(np.clip(np.rint(np.asarray(picture) + noise), 0, 255).astype(np.uint8))


def box_in(note):
    """Return the width and height that the note names."""
    width, height = note.split("scaled to ")[1].split(",")[0].split(" x ")
    return int(width), int(height)


@pytest.fixture(scope="module")
def digits():
    """The first digit of each label, 400 of 800 pixels high, dark on white; and x, y."""
    (x, y), _, _ = dlt.load_data("digits")
    pictures = []
    for label in range(10):
        pixels = np.rint(x[np.flatnonzero(y == label)[0]].reshape(28, 28) * 255).astype(np.uint8)
        digit = Image.fromarray(pixels).resize((560, 560))
        paper = Image.new("L", (800, 800), 0)
        paper.paste(digit, (100, 140))
        pictures.append(ImageOps.invert(paper))
    return pictures, x, y


DUST = (  # outside the digit's box, in three corners; and in it, beside the stroke
    (5, 5, 6, 6), (60, 700, 64, 704), (740, 60, 744, 64), (300, 400, 304, 404)
)  # fmt: skip
# Beside a black speck, what is 20 below the paper is under the floor of a tenth of 255; beside
# the pale ink, 60 below, it is a third of the peak: it comes out when the darker speck is gone.
BLACK_AND_PALE = {(5, 5, 8, 8): 0, (700, 700, 704, 704): 235}


@pytest.mark.parametrize(
    "ink, ground, specks",
    [
        (0, 255, dict.fromkeys(DUST, 0)),
        (255, 0, dict.fromkeys(DUST, 255)),
        (191, 255, dict.fromkeys(DUST, 0)),  # darker than a pale ink
        (90, 40, dict.fromkeys(DUST, 255)),
        (195, 255, BLACK_AND_PALE),
    ],
)
def test_specks_are_as_if_they_were_not_there(read, ink, ground, specks):
    clean = draw(SEVEN, ink=ink, ground=ground)
    dusty = clean.copy()
    for place, colour in specks.items():
        dusty.paste(colour, place)
    (grey, note), (expected, note_clean) = read(dusty), read(clean)
    assert note == note_clean.replace("cropped", "specks left out, cropped")
    assert (grey == expected).all()


@pytest.mark.parametrize("dot, box", [(8, (4, 20)), (9, (2, 20))])
def test_the_smallest_dot_that_stays(read, dot, box):
    # A stem of 20 x 100 has the mean width 2 * 2000 / 240 = 16.7: from 8.33 x 8.33 on, a dot is
    # one. With it the digit is 30 + 100 high at least, and so 20 * 20 / 139 = 2.9 wide at most.
    picture = Image.new("L", (200, 300), 255)
    picture.paste(0, (90, 150, 110, 250))
    picture.paste(0, (95, 50, 95 + dot, 50 + dot))
    _, note = read(picture)
    assert box_in(note) == box


def test_clean_pictures_lose_nothing(read, monkeypatch, digits):
    """The result is the same with and without the search for grain and specks."""
    pictures = {}
    for name, strokes in DRAWINGS.items():
        for pen in (4, 8, 20, 40):  # in 800 pixels
            drawn = [draw(strokes, size, pen) for size in (100, 400, 800, 1500)]
            soft = [drawn[2].resize((side, side), Image.BOX) for side in (40, 200)]
            pictures.update({(name, pen, i): each for i, each in enumerate(drawn + soft)})
    for label, clean in enumerate(digits[0]):
        inverted = ImageOps.invert(clean)
        scaled = [clean.resize((side, side)) for side in (60, 230)]
        kinds = [clean, inverted, clean.crop(inverted.getbbox()), *scaled]
        pictures.update({(label, i): each for i, each in enumerate(kinds)})
    found = {key: read(picture) for key, picture in pictures.items()}
    monkeypatch.setattr(normalizing, "_without_grain", lambda grey, shortest: grey)
    monkeypatch.setattr(normalizing, "_specks", lambda ink: np.zeros(ink.shape, bool))
    for key, picture in pictures.items():
        expected, note = read(picture)
        assert found[key][1] == note and (found[key][0] == expected).all(), key


def compare(read, grainy, clean):
    """Read a grainy picture as the clean one; return both rows, and the note on the grain."""
    (expected, note), (grey, note_grainy) = read(clean), read(grainy)
    assert "grain" not in note
    assert np.abs(np.subtract(box_in(note), box_in(note_grainy))).max() <= 1
    shifts = itertools.product((-1, 0, 1), repeat=2)  # grain can tip the centre of mass
    rolled = [np.roll(grey, shift, axis=(0, 1)).ravel() for shift in shifts]
    assert max(np.corrcoef(expected.ravel(), other)[0, 1] for other in rolled) > 0.95
    return expected, grey, note_grainy


@pytest.mark.parametrize(
    "size, ground, sigma", [(200, 220, 35), (200, 255, 20), (800, 220, 20), (800, 255, 35)]
)
def test_grain_does_not_hide_the_digit(read, digits, size, ground, sigma):
    pictures, x, y = digits
    for label, picture in enumerate(pictures):
        clean = picture.resize((size, size)).point(lambda v: v * ground // 255)
        *rows, note = compare(read, with_noise(clean, sigma, label), clean)
        assert "grain averaged out, " in note
        for row in rows:  # the most similar of the digits has its label
            assert y[((x - row.ravel() / 256) ** 2).sum(axis=1).argmin()] == label


@pytest.mark.parametrize("size, pen", [(300, 9), (1000, 30)])
def test_grain_does_not_hide_a_pale_pencil(read, size, pen):
    clean = draw(SEVEN, size, pen, ink=191)  # a quarter of full ink
    compare(read, with_noise(clean, 6), clean)


def test_grain_that_hangs_together_does_not_hide_the_digit(read):
    # A camera that takes out noise leaves blobs: here each pixel is the mean of 9 x 9.
    clean = draw(SEVEN, 1000, 50, ink=30, ground=220)
    noise = with_noise(Image.new("L", (1000, 1000), 128), 100)
    blobs = np.asarray(noise.filter(ImageFilter.BoxBlur(4)), float) - 128
    grainy = np.clip(np.asarray(clean) + blobs * (20 / blobs.std()), 0, 255)
    compare(read, Image.fromarray(grainy.astype(np.uint8)), clean)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(1, 2), (1, 50000), (50000, 1), (60, 60), (1200, 900)])
def test_specks_and_grain_alone_give_a_row_or_are_blank(tmp_path, size):
    random, path = np.random.RandomState(4), tmp_path / "hostile.png"
    chequered = np.indices(size).sum(axis=0) % 2 * 255
    point = np.zeros(size)
    point[-1, -1] = 255
    two_points = np.maximum(point, np.rot90(point, 2))
    noise, dots = random.randint(0, 256, size), 255 * (random.rand(*size) < 0.1)
    for pixels in (chequered, point, two_points, noise, dots):
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        try:
            row, _ = read_picture(path)
        except DataError as error:
            assert "found a blank picture" in str(error)
        else:
            assert np.isfinite(row).all() and row.max() == np.float32(255 / 256)


def kinds_of_pictures():
    """The same seven as pictures of other kinds: what is saved, the ending, and options for it."""
    seven, png = dark_seven(), ".png"
    clear = draw_seven(mode="RGBA", ink=(0, 0, 0, 255), ground=(0, 0, 0, 0))
    palette = draw_seven(ink=1, mode="P")
    palette.putpalette([0, 0, 0, 0, 0, 0])  # black on "black", of which the ground is transparent
    wide = Image.fromarray(np.asarray(seven).astype(np.uint16) * 257)
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was turned: show it turned by 90 degrees clockwise
    frames = {"save_all": True, "append_images": [Image.new("L", (200, 300), 255)]}
    return {
        "one bit": (seven.convert("1"), png, {}),
        "palette": (seven.convert("P"), png, {}),
        "colour": (seven.convert("RGB"), png, {}),
        "grey with alpha": (seven.convert("LA"), png, {}),
        "16 bits": (wide, png, {}),
        "transparent ground": (clear, png, {}),
        "transparent colour": (palette, png, {"transparency": 0}),
        "transparent colour of a GIF": (palette, ".gif", {"transparency": 0}),
        "orientation mark": (seven.transpose(Image.ROTATE_90), png, {"exif": turned}),
        "damaged mark": (seven, png, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12"}),
        "first frame": (seven, ".gif", frames),
        "BMP": (seven, ".bmp", {}),
        "WebP": (seven, ".webp", {"lossless": True}),
    }


KINDS = kinds_of_pictures()


@pytest.mark.parametrize("picture, suffix, options", KINDS.values(), ids=KINDS)
def test_every_kind_of_picture_gives_the_same_row(read, picture, suffix, options):
    expected, _ = read(dark_seven())
    try:
        grey, note = read(picture, suffix, **options)
    except (KeyError, OSError) as error:
        pytest.skip(f"this Pillow cannot write {suffix}: {error}")
    assert note.startswith("inverted") and (grey == expected).all()


def test_a_jpeg_for_print_gives_nearly_the_same_row(read):
    grey, _ = read(dark_seven().convert("CMYK"), ".jpg", quality=95)
    assert np.abs(grey - read(dark_seven())[0]).mean() < 4


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"no\.png: found no file there; .*check the path"):
        read_picture(tmp_path / "no.png")
    with pytest.raises(DataError, match=r"found a folder; .*give the path of a file"):
        read_picture(tmp_path)


NO_PICTURE = r"found a file of another kind; .*PNG, JPEG.*save it as PNG"
TOO_LARGE = "; expected at most 50 megapixels, and 65535 pixels each way; scale it down"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "content, message",
    [
        (b"<!DOCTYPE html>", NO_PICTURE),
        (b"II*\0" * 9, NO_PICTURE),  # a TIFF
        (png(size=(10000, 5001)), "10000 x 5001 pixels" + TOO_LARGE),
        (png(size=(10000, 10000)), "10000 x 10000 pixels" + TOO_LARGE),  # where Pillow warns
        (png(size=(1, 65536), colour=6), "1 x 65536 pixels" + TOO_LARGE),  # slow, and needs much
        (png(size=(60000, 60000)), "far too many pixels" + TOO_LARGE),  # where Pillow refuses
    ],
    ids=range(6),
)
def test_other_files_and_too_many_pixels_are_refused_before_decoding(tmp_path, content, message):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_picture(path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_picture_is_made_grey_in_bands_as_if_at_once(tmp_path, monkeypatch, rng, mode):
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65536, (23, 17), dtype=np.uint16))
    else:
        pixels = rng.integers(0, 256, (23, 17, 4), dtype=np.uint8)
        picture = Image.fromarray(pixels).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    options = {"transparency": 3} if mode in ("L", "P") else {}
    picture.save(tmp_path / "x.png", exif=exif, **options)
    at_once = np.asarray(grey.read_grey(tmp_path / "x.png"))
    assert at_once.shape == (17, 23) and at_once.dtype == np.uint8
    monkeypatch.setattr(grey, "_BAND", 40)
    np.testing.assert_array_equal(np.asarray(grey.read_grey(tmp_path / "x.png")), at_once)


TWO_SPECKS = np.full((1000, 1400), 250, np.uint8)
TWO_SPECKS[100:103, 100:103] = TWO_SPECKS[800:803, 1300:1303] = 120
BLANK = [
    *[Image.new("L", (28, 28), ground) for ground in (0, 128, 255)],
    *[Image.new("L", (90, 60), ground) for ground in (0, 128, 255)],
    Image.new("L", (1, 1), 128),
    with_noise(Image.new("L", (300, 300), 200), 5),
    with_noise(Image.new("L", (1000, 1000), 200), 20),
    draw_seven(mode="LA", ink=(255, 255), ground=(0, 0)),  # white on transparent
    Image.fromarray(TWO_SPECKS),
]


@pytest.mark.parametrize("picture", BLANK)
def test_a_picture_without_ink_is_blank(tmp_path, picture):
    picture.save(tmp_path / "blank.png")
    message = r"blank.png: found a blank picture \(no ink\); .*; note that transparent parts count"
    with pytest.raises(DataError, match=message):
        read_picture(tmp_path / "blank.png")


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "film.webp"  # Pillow reads all of such a file into memory
    path.write_bytes(b"RIFF\xff\xff\xff\x7fWEBPVP8X")
    with open(path, "r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match="found a file of 1099511627776 bytes; expected at most 26"):
        read_picture(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".webp"])
def test_a_picture_cut_off_anywhere_gives_a_row_or_a_data_error(tmp_path, suffix):
    path = tmp_path / ("cut" + suffix)
    try:
        dark_seven((160, 300)).save(path)
    except (KeyError, OSError) as error:
        pytest.skip(f"this Pillow cannot write {suffix}: {error}")
    whole, rows, messages = path.read_bytes(), 0, set()
    step = 1 if suffix == ".png" else 1 + len(whole) // 200
    for length in range(1, len(whole), step):
        path.write_bytes(whole[:length])
        try:
            read_picture(path)
            rows += 1
        except DataError as error:
            messages.add(str(error).split("; ")[0].split(": ", 1)[1])
    assert messages == {
        "found a file of another kind",
        "found a damaged or cut-off picture",
    }
    # The pixels' two checksums (4 + 4) and the end chunk (12) of a PNG can be spared.
    assert rows <= 20 or suffix != ".png"
