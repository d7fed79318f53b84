"""Figures show the numbers they were given, and anybody can read them, anywhere."""

import concurrent.futures
import io
import itertools
import math
import os
import pickle
import subprocess
import sys
import tracemalloc

import matplotlib
import numpy as np
import pytest
from conftest import ROOT, bare_environment
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

import dlt
from dlt import HistoryRow, SettingsError, plotting
from dlt.plotting import (
    animate_weights,
    plot_confusion_matrix,
    plot_digits,
    plot_learning_curves,
    plot_mistakes,
    plot_weights,
    save_animation,
    save_figure,
    tile_images,
)

WIDTH = 600  # pixels at which everything has to be readable


def row(iteration, error=0.1, loss=0.5, patience=5000.0, epoch=None):
    return HistoryRow(iteration, epoch or iteration // 10, loss, error, patience, 0.1)


def run_of(n, **columns):
    """Give a history of n validations, whose columns may be functions of the row's number."""
    return [
        row(10 * (i + 1), **{name: column(i) for name, column in columns.items()}) for i in range(n)
    ]


def usual_run(n=70):
    return run_of(
        n,
        loss=lambda i: 1 / (i + 1),
        error=lambda i: 0.5 / (i + 1),
        patience=lambda i: 100.0 if i < 40 else 200.0,
    )


def one_hot(labels, n_out):
    return np.eye(n_out)[np.asarray(labels)]


@pytest.fixture
def digits():
    return dlt.load_data("digits")


def example(name):
    """Draw each kind of figure once, as it usually is, from made-up numbers."""
    rng = np.random.default_rng(1)
    x, y = rng.random((60, 49)), np.arange(60) % 10
    p = rng.dirichlet(np.ones(10), 60)
    return {
        "digits": lambda: plot_digits(x[:23], y[:23], title="Examples"),
        "weights": lambda: plot_weights(rng.normal(size=(49, 10))),
        "learning_curves": lambda: plot_learning_curves(usual_run()),
        "confusion_matrix": lambda: plot_confusion_matrix(y, p.argmax(axis=1)),
        "mistakes": lambda: plot_mistakes(x, y, p),
    }[name]()


EXAMPLES = ("digits", "weights", "learning_curves", "confusion_matrix", "mistakes")


# --- what is drawn: digits and weights -----------------------------------------------------------


def test_digits_are_the_pixels_given_with_their_labels(digits):
    (x, y), _, _ = digits
    figure = plot_digits(x[:13], y[:13], n_columns=5, title="Thirteen")
    (axes,) = figure.axes
    assert len(axes.images) == 13
    for image, pixels in zip(axes.images, x):
        np.testing.assert_array_equal(image.get_array(), pixels.reshape(28, 28))
        assert (image.get_clim(), image.get_cmap().name) == ((0.0, 1.0), "gray_r")
    assert [text.get_text() for text in axes.texts] == [str(label) for label in y[:13]]
    assert [text.get_text() for text in figure.texts] == ["Thirteen"]


def test_pictures_stand_in_rows_and_are_square(digits):
    figure = plot_digits(digits[0][0][:7], n_columns=3)
    places = [image.get_extent() for image in figure.axes[0].images]  # inches
    for i, (left, right, bottom, top) in enumerate(places):
        assert right - left == pytest.approx(bottom - top)
        assert 0 <= left and right <= 6 and 0 <= top and bottom <= figure.get_figheight()
        assert left == places[i % 3][0] and top == places[i - i % 3][3]
    assert figure.axes[0].get_xlim() == (0, 6)
    assert figure.axes[0].get_ylim() == (figure.get_figheight(), 0)
    assert not figure.axes[0].texts


def test_whole_number_pixels_have_their_own_scale():
    figure = plot_digits(np.array([[0, 255, 3, 4]], dtype=np.uint8))
    assert figure.axes[0].images[0].get_clim() == (0.0, 255.0)


def test_weights_have_one_colour_scale_with_0_in_the_middle():
    W = np.arange(12.0).reshape(4, 3) - 4  # -4 to 7
    figure = plot_weights(W, labels=["a", 7, "$x"])
    axes, bar = figure.axes
    for image, column in zip(axes.images, W.T):
        np.testing.assert_array_equal(image.get_array(), column.reshape(2, 2))
        assert image.get_clim() == (-7.0, 7.0)
    assert [text.get_text() for text in axes.texts] == ["a", "7", r"\$x"]
    assert bar.get_xlim() == (-7.0, 7.0)
    assert bar.get_xlabel() == "weight (above 0: ink there speaks for the label)"
    red, white, blue = (np.array(axes.images[0].cmap(v)[:3]) for v in (0.0, 0.5, 1.0))
    assert red.argmax() == 0 and blue.argmax() == 2 and white.min() > 0.95


def test_a_limit_fixes_the_scale_and_labels_count_from_0():
    figure = plot_weights(np.eye(4), limit=2.5, title="My title")
    assert [image.get_clim() for image in figure.axes[0].images] == [(-2.5, 2.5)] * 4
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1", "2", "3"]
    assert [text.get_text() for text in figure.texts] == ["My title"]


def test_weights_that_are_all_0_are_all_white():
    figure = plot_weights(np.zeros((4, 2)))
    assert figure.axes[0].images[0].get_clim() == (-1.0, 1.0)


@pytest.mark.parametrize(
    "n, columns", [(1, 1), (2, 2), (5, 5), (6, 3), (7, 4), (10, 5), (13, 5), (26, 9), (30, 10)]
)
def test_rows_of_weight_images_are_about_equally_long(n, columns):
    figure = plot_weights(np.ones((4, n)))
    places = [image.get_extent() for image in figure.axes[0].images]
    assert len({left for left, _, _, _ in places}) == columns
    assert max(right - left for left, right, _, _ in places) <= 1.8001


# --- what is drawn: curves -----------------------------------------------------------------------


def legend(axes):
    return [] if axes.get_legend() is None else [t.get_text() for t in axes.get_legend().texts]


def test_learning_curves_show_the_history():
    history = [
        row(60, error=0.25, loss=0.9, patience=125, epoch=1),
        row(120, error=0.125, loss=0.5, patience=238, epoch=2),
        row(180, error=0.125, loss=0.25, patience=238, epoch=3),
        row(240, error=0.1, loss=0.2, patience=478, epoch=4),
        row(300, error=0.15, loss=0.1, patience=478, epoch=5),
    ]
    figure = plot_learning_curves(history)
    upper, lower = figure.axes
    (loss,) = upper.lines
    error, extended, best = lower.lines
    assert loss.get_xdata().tolist() == error.get_xdata().tolist() == [60, 120, 180, 240, 300]
    assert loss.get_ydata().tolist() == [0.9, 0.5, 0.25, 0.2, 0.1]
    np.testing.assert_allclose(error.get_ydata(), [25, 12.5, 12.5, 10, 15])
    assert extended.get_xdata().tolist() == [120, 240]
    assert (extended.get_ydata() > 1).all()  # of the axes' height: above them
    assert (best.get_xdata(), best.get_ydata()) == (240, 10)
    assert legend(lower) == ["patience extended", "best model: 10.00 % after 240 updates"]
    assert upper.get_ylabel() == "training loss"
    assert lower.get_ylabel() == "validation error (%)"
    assert lower.get_xlabel() == "minibatch updates"
    (epochs,) = upper.child_axes
    assert epochs.get_xlabel() == "epochs"
    assert epochs.get_xlim()[1] * 60 == pytest.approx(upper.get_xlim()[1])


def test_the_first_of_equally_good_models_is_the_best_unless_told():
    history = run_of(3, error=lambda i: [0.2, 0.1, 0.1][i])
    assert plot_learning_curves(history).axes[1].lines[1].get_xdata() == 20
    figure = plot_learning_curves(history, best_iteration=30, loss_label="NLL")
    assert figure.axes[1].lines[1].get_xdata() == 30
    assert figure.axes[0].get_ylabel() == "NLL"


def test_patience_without_end_is_not_extended():
    figure = plot_learning_curves(run_of(3, patience=lambda i: math.inf))
    assert "patience extended" not in [line.get_label() for line in figure.axes[1].lines]


def test_nothing_is_said_of_patience_at_the_first_row_unless_it_is_known():
    history = run_of(3, patience=lambda i: 1e6)
    best = "best model: 10.00 % after 10 updates"
    assert legend(plot_learning_curves(history).axes[1]) == [best]
    assert legend(plot_learning_curves(history, initial_patience=1e6).axes[1]) == [best]
    lower = plot_learning_curves(history, initial_patience=100).axes[1]
    assert lower.lines[1].get_xdata().tolist() == [10]
    assert legend(lower) == ["patience extended", best]


def test_a_run_of_one_validation_is_a_point():
    figure = plot_learning_curves(run_of(1))
    assert figure.axes[0].child_axes == []  # perhaps it was in the middle of an epoch
    for axes in figure.axes:
        assert axes.lines[0].get_marker() not in (None, "None")
        low, high = axes.get_xlim()
        assert low == 0 < 10 < high


def test_thousands_of_validations_are_a_line():
    figure = plot_learning_curves(run_of(3000, patience=float))
    assert figure.axes[1].lines[0].get_marker() == "None"
    assert len(figure.axes[1].lines[1].get_xdata()) == 2999
    assert figure.axes[1].get_ylim()[0] > 9  # that of the line, 10 %: the marks leave it alone


@pytest.mark.parametrize("n, best", [(2, 2), (5, 5), (5, 3), (30, 30), (30, 2), (100, 100)])
def test_marks_of_patience_and_the_star_are_seen_at_one_update(n, best):
    history = run_of(
        n,
        error=lambda i: 0.5 - 0.4 * i / n,
        patience=lambda i: 1000.0 - (n - i) // 2,  # extended at every second row, and the last
    )
    figure = plot_learning_curves(history, best_iteration=10 * best)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1, :, :3].astype(int)  # up, as coordinates go
    _, extended, star = figure.axes[1].lines

    def seen(mark, x, y):
        color = 255 * np.array(to_rgb(mark.get_color()))
        around = pixels[int(y), int(x) - 1 : int(x) + 2]
        return bool((np.abs(around - color).max(axis=1) < 30).any())

    marks = extended.get_transform().transform(extended.get_xydata())
    assert marks[:, 0].tolist() == sorted(marks[:, 0]) and len(marks) == n // 2
    assert 10 * best in extended.get_xdata()
    assert all(seen(extended, x, y) for x, y in marks)
    between = (marks[1:, 0] + marks[:-1, 0]) / 2
    assert not any(seen(extended, x, marks[0, 1]) for x in between)
    star_at = star.get_transform().transform(star.get_xydata())[0]
    assert seen(star, *star_at) and not seen(extended, *star_at)


def test_one_update_is_no_plural():
    figure = plot_learning_curves([row(1, epoch=1), row(2, error=0.2, epoch=2)])
    assert legend(figure.axes[1]) == ["best model: 10.00 % after 1 update"]


def test_epochs_are_left_out_where_the_history_does_not_tell_them():
    # two validations in each epoch of 20 updates
    figure = plot_learning_curves(run_of(6, epoch=lambda i: i // 2 + 1))
    assert figure.axes[0].child_axes == []


@pytest.mark.parametrize("frequency, n_epochs", [(50, 0), (49, 1)])
def test_epochs_are_left_out_where_half_the_patience_may_end_just_before_them(frequency, n_epochs):
    # With a patience of 100, every 50 updates: so are epochs of 60 looked at, and of 50.
    history = [row(frequency * i, patience=100, epoch=i) for i in (1, 2, 3)]
    assert len(plot_learning_curves(history).axes[0].child_axes) == n_epochs
    # three times 49 updates is more than 100: patience may have been extended at the first row
    history = [one._replace(patience=147) for one in history]
    figure = plot_learning_curves(history, initial_patience=100)
    assert len(figure.axes[0].child_axes) == n_epochs


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_losses_that_are_not_finite_are_counted_and_left_out(bad):
    history = run_of(50, loss=lambda i: bad if i >= 48 else 1.0)
    upper = plot_learning_curves(history).axes[0]
    assert np.isnan(upper.lines[0].get_ydata()).tolist() == [False] * 48 + [True] * 2
    assert upper.get_xlabel() == "2 of 50 values are not finite, and not shown"
    assert len(upper.get_yticks())


def test_where_nothing_is_finite_no_axis_pretends():
    history = run_of(5, loss=lambda i: math.nan, error=lambda i: math.nan)
    upper, lower = plot_learning_curves(history).axes
    assert len(upper.get_yticks()) == len(lower.get_yticks()) == 0
    assert legend(lower) == []
    assert lower.get_xlabel() == ("5 of 5 values are not finite, and not shown\nminibatch updates")


def test_a_loss_label_is_written_as_it_is_and_shortened():
    def written(label, history=None):
        return plot_learning_curves(history or usual_run(), loss_label=label).axes[0].get_ylabel()

    assert written("training NLL (nats per example)") == "training NLL (nats per example)"
    assert written("training NLL (nats per example)", run_of(1)).endswith("example)")
    assert written("loss (US$ per example, $)") == r"loss (US\$ per example, \$)"
    assert written("$\\foo$") == r"\$\foo\$"  # is no formula, and no error when it is drawn
    first, second = written("W" * 99 + "\nof what").split("\n")
    assert 10 < len(first) < 99 and first == "W" * (len(first) - 1) + "…"
    assert second == "of what"


def test_a_loss_label_is_at_the_middle_of_its_axes_if_it_fits():
    for label, fits in (("loss", True), ("training NLL (nats per example)", False)):
        upper = plot_learning_curves(run_of(1), loss_label=label).axes[0]
        assert (upper.yaxis.label.get_position()[1] == pytest.approx(0.5)) == fits


# --- what is drawn: mistakes ---------------------------------------------------------------------


def test_confusion_matrix_counts_and_colours_only_mistakes():
    y = [0, 0, 0, 1, 1, 2, 2, 2]
    y_pred = [0, 1, 1, 1, 1, 2, 2, 0]
    figure = plot_confusion_matrix(y, y_pred, what="test examples")
    axes, bar = figure.axes
    assert [text.get_text() for text in axes.texts] == list("120020102")
    assert [text.get_position() for text in axes.texts][5] == (2, 1)  # column, row
    image = axes.images[0]
    assert image.get_array().mask.tolist() == np.eye(3, dtype=bool).tolist()
    assert image.get_array().filled(-1).tolist() == [[-1, 2, 0], [0, -1, 0], [1, 0, -1]]
    assert image.get_clim() == (0, 2)
    assert axes.get_title() == "3 errors in 8 test examples (37.50 %)"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted label", "right label")
    assert bar.get_ylabel() == "mistakes in a cell (grey: right predictions)"


def test_confusion_matrix_agrees_with_sklearn(rng):
    metrics = pytest.importorskip("sklearn.metrics")
    y, y_pred = rng.integers(0, 7, (2, 500))
    figure = plot_confusion_matrix(y, y_pred, n_out=8)
    found = np.array([int(text.get_text()) for text in figure.axes[0].texts]).reshape(8, 8)
    np.testing.assert_array_equal(found, metrics.confusion_matrix(y, y_pred, labels=range(8)))


def test_confusion_matrix_without_a_mistake():
    figure = plot_confusion_matrix([0, 1, 1], [0, 1, 1])
    assert figure.axes[0].get_title() == "0 errors in 3 examples (0.00 %)"
    assert figure.axes[0].images[0].get_clim() == (0, 1)


def test_a_title_keeps_its_numbers_where_what_is_shortened():
    def title(what):
        return plot_confusion_matrix([0, 1, 1], [0, 1, 0], what=what).axes[0].get_title()

    assert title("US$, $\\foo$") == r"1 error in 3 US\$, \$\foo\$ (33.33 %)"
    start, end = "1 error in 3 WWWW", "W… (33.33 %)"
    assert title("W" * 99).startswith(start) and title("W" * 99).endswith(end)


def test_confusion_matrix_of_many_labels_has_no_room_for_counts(rng):
    y = rng.integers(0, 100, 5000)
    figure = plot_confusion_matrix(y, np.roll(y, 1))
    assert not figure.axes[0].texts
    assert figure.axes[0].images[0].get_array().sum() == (y != np.roll(y, 1)).sum()


def counts_with_contrasts(axes):
    """Give each count's text with WCAG 2's contrast to its cell."""
    image = axes.images[0]
    colours = image.cmap(image.norm(image.get_array()))[..., :3].reshape(-1, 3)
    for text, ground in zip(axes.texts, colours):
        light, dark = sorted(map(luminance, (to_rgb(text.get_color()), ground)), reverse=True)
        yield text, (light + 0.05) / (dark + 0.05)


def test_counts_stand_out_from_their_cells():
    # Off the diagonal are all the numbers 0 to 89, so all shares of the largest.
    y, y_pred = np.nonzero(~np.eye(10, dtype=bool))
    n = np.arange(90)
    axes = plot_confusion_matrix(np.repeat(y, n), np.repeat(y_pred, n), n_out=10).axes[0]
    assert sorted(int(text.get_text()) for text in axes.texts) == [0] * 10 + list(range(90))
    for text, contrast in counts_with_contrasts(axes):  # of the diagonal too, all 0
        assert contrast >= 4.5, text
    colours = {text.get_text(): text.get_color() for text in axes.texts[1:]}
    assert (colours["1"], colours["50"], colours["89"]) == ("black", "black", "white")


def test_a_0_is_faint_where_it_can_be_read():
    axes = plot_confusion_matrix([0, 0], [0, 1], n_out=3).axes[0]
    colours = [text.get_color() for text in axes.texts]
    assert colours == ["black", "white", "0.45", "0.45", "black", "0.45", "0.45", "0.45", "black"]
    assert all(contrast >= 4.5 for _, contrast in counts_with_contrasts(axes))


def test_mistakes_come_by_confidence_with_what_was_right():
    x = np.arange(20).reshape(5, 4) / 20
    p = [[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.0, 0.2, 0.8], [0.1, 0.5, 0.4], [0.3, 0.3, 0.4]]
    figure = plot_mistakes(x, [1, 1, 0, 0, 2], p, what="test examples")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [
        "predicted 2: 0.800\nright label 0",
        "predicted 0: 0.700\nright label 1",
        "predicted 1: 0.500\nright label 0",
    ]
    for image, i in zip(axes.images, (2, 0, 3)):
        np.testing.assert_array_equal(image.get_array(), x[i].reshape(2, 2))
    assert figure.texts[0].get_text() == (
        "The 3 mistakes in 5 test examples\n(with the probability of the predicted label)"
    )
    few = plot_mistakes(x, [1, 1, 0, 0, 2], p, n_examples=2)
    assert len(few.axes[0].images) == 2
    assert few.texts[0].get_text().startswith("The 2 most confident of 3 mistakes in 5 examples\n")


def test_equally_confident_mistakes_keep_their_order():
    x = np.arange(40).reshape(10, 4) / 40
    figure = plot_mistakes(x, [1] * 10, [[0.75, 0.25]] * 10)
    drawn = [image.get_array()[0, 0] for image in figure.axes[0].images]
    assert drawn == sorted(drawn)


def test_without_mistakes_the_figure_says_so():
    figure = plot_mistakes(np.eye(4), [0, 1, 0, 1], one_hot([0, 1, 0, 1], 2))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["No mistakes in 4 examples"]
    assert not axes.images and not axes.axison


# --- tiles ---------------------------------------------------------------------------------------


def test_tiles_stand_side_by_side_with_black_between():
    rows = np.array([[0, 64, 128, 255], [1, 2, 3, 4], [9, 9, 9, 9]]) / 256
    image = tile_images(rows)
    assert image.mode == "L"
    assert np.asarray(image).tolist() == [
        [0, 64, 0, 1, 2],
        [128, 255, 0, 3, 4],
        [0, 0, 0, 0, 0],
        [9, 9, 0, 0, 0],
        [9, 9, 0, 0, 0],
    ]


def test_tiles_of_a_given_shape_and_spacing():
    rows = np.array([[10, 20], [30, 40]]) / 256
    image = tile_images(rows, image_shape=(2, 1), tile_shape=(1, 3), spacing=0)
    assert np.asarray(image).tolist() == [[10, 30, 0], [20, 40, 0]]
    wide = tile_images(rows, image_shape=(1, 2), tile_shape=(2, 1), spacing=2)
    assert np.asarray(wide).tolist() == [[10, 20], [0, 0], [0, 0], [30, 40]]


def test_pixels_of_256ths_come_back_exactly():
    rows = np.arange(256).reshape(1, 256).astype("float32") / np.float32(256)
    assert np.asarray(tile_images(rows)).ravel().tolist() == list(range(256))
    assert np.asarray(tile_images([[1.0]])).tolist() == [[255]]


def test_scaled_rows_go_from_black_to_white_each():
    rows = [[-3.0, -1.0, 1.0, -2.0], [7.0, 7.0, 7.0, 7.0], [0.0, 1e-9, 0.0, 0.0]]
    image = tile_images(rows, (1, 4), (3, 1), spacing=0, scale_rows=True)
    assert np.asarray(image).tolist() == [[0, 128, 255, 64], [0, 0, 0, 0], [0, 255, 0, 0]]


@pytest.mark.parametrize("most, dtype", [(40000, "float16"), (1.5e308, "float64")])
def test_scaled_rows_may_be_wider_than_their_dtype(most, dtype):
    rows = np.array([[-most, most, 0, most / 2]], dtype)
    image = tile_images(rows, spacing=0, scale_rows=True)
    assert np.asarray(image).ravel().tolist() == [0, 255, 128, 192]


# --- animations ----------------------------------------------------------------------------------


def test_frames_share_one_colour_scale():
    small, large = np.zeros((4, 2)), np.zeros((4, 2))
    small[0, 0], large[0, 0] = 1.0, 4.0
    frames = animate_weights([small, large], ["one", "four"])
    alone = animate_weights([small], ["one"])
    assert [(f.mode, f.size) for f in frames] == [("RGB", alone[0].size)] * 2
    assert frames[0].width == WIDTH
    spot = frame_spot(small)
    dark = plot_weights(large).axes[0].images[0].cmap(1.0)[:3]
    np.testing.assert_allclose(np.array(alone[0].getpixel(spot)) / 255, dark, atol=0.01)
    np.testing.assert_allclose(np.array(frames[1].getpixel(spot)) / 255, dark, atol=0.01)
    light = np.array(frames[0].getpixel(spot)) / 255
    assert light.min() > 0.6 and light.argmax() == 2  # a quarter of the scale: pale blue


def frame_spot(W):
    """Give the pixel in the middle of the first weight."""
    left, right, bottom, top = plot_weights(W).axes[0].images[0].get_extent()
    return round(100 * (left + (right - left) / 4)), round(100 * (top + (bottom - top) / 4))


def test_an_animation_is_read_back_as_it_was_drawn(tmp_path, rng):
    W = rng.normal(size=(25, 10))
    frames = animate_weights([W * i for i in range(12)], ["frame %d" % i for i in range(12)])
    path = tmp_path / "weights.gif"
    save_animation(path, frames, milliseconds=150, last_milliseconds=3000)
    durations = []
    with Image.open(path) as animation:
        assert (animation.format, animation.n_frames, animation.size) == ("GIF", 12, frames[0].size)
        assert animation.info["loop"] == 0
        for i, frame in enumerate(frames):
            animation.seek(i)
            durations.append(animation.info["duration"])
            found = np.asarray(animation.convert("RGB")).astype(int)
            off = np.abs(found - np.asarray(frame))
            assert off.max() <= 16 and off.mean() < 1
            assert found[0, 0].tolist() == [255, 255, 255]
    assert durations == [150] * 11 + [3000]


def different(image):
    return {tuple(pixel) for pixel in np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()}


def test_frames_share_one_palette(tmp_path):
    # Were each frame given its own 255 colours, the reds of the first would be exact.
    reds = np.zeros((32, 32, 3), np.uint8)
    reds[..., 0] = np.arange(1024).reshape(32, 32) // 4
    frames = [Image.fromarray(np.roll(reds, i, axis=2)) for i in range(3)]
    save_animation(tmp_path / "x.gif", frames)
    with Image.open(tmp_path / "x.gif") as animation:
        colours = different(animation)
        animation.seek(2)
        colours |= different(animation)
        animation.seek(1)
        colours |= different(animation)
    assert 100 < len(colours) <= 255


def test_many_colours_take_no_more_memory_for_each(tmp_path, rng):
    frame = Image.fromarray(rng.integers(0, 256, (300, 400, 3), dtype=np.uint8))
    tracemalloc.start()
    save_animation(tmp_path / "noise.gif", [frame])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6  # all products at once would be 120000 x 255 x 4 bytes = 122 MB
    with Image.open(tmp_path / "noise.gif") as animation:
        off = np.asarray(animation.convert("RGB")).astype(int) - np.asarray(frame)
    assert np.abs(off).mean() < 25


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize(
    "ending, start", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_files_are_the_same_every_time(tmp_path, name, ending, start):
    contents, figure = [], example(name)
    for i, one in enumerate((figure, figure, example(name))):
        save_figure(tmp_path / "{}.{}".format(i, ending), one)
        contents.append((tmp_path / "{}.{}".format(i, ending)).read_bytes())
    assert contents[0].startswith(start)
    assert contents[0] == contents[1] == contents[2]
    assert sorted(os.listdir(tmp_path)) == ["{}.{}".format(i, ending) for i in range(3)]


def test_a_png_is_1200_pixels_wide_and_an_ending_may_be_large(tmp_path):
    save_figure(str(tmp_path / "W.PNG"), example("weights"))
    with Image.open(tmp_path / "W.PNG") as picture:
        assert (picture.format, picture.width) == ("PNG", 1200)
    figure = matplotlib.figure.Figure(figsize=(4, 3))  # anybody's
    save_figure(tmp_path / "other.png", figure)
    with Image.open(tmp_path / "other.png") as picture:
        assert picture.size == (1200, 900)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_figure_can_be_pickled(name, tmp_path):
    if name == "learning_curves" and matplotlib.__version_info__ < (3, 8):
        pytest.skip("this matplotlib pickles no figure whose labels were aligned")
    figure = example(name)
    for i, one in enumerate((figure, pickle.loads(pickle.dumps(figure)))):
        save_figure(tmp_path / "{}.png".format(i), one)
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()


@pytest.mark.parametrize("n_lines", [0, 1, 2, 5])
def test_sheets_are_a_whole_number_of_pixels_high(n_lines):
    for n, n_columns in itertools.product((1, 7), range(1, 21)):
        y = ["\n".join("a" * n_lines)] * n if n_lines else None
        height = plot_digits(np.zeros((n, 1)), y, n_columns).get_figheight()
        # Truncated, as matplotlib 3.7 does, or rounded, as newer ones do: the same.
        assert int(height * 100) == round(height * 100)
        assert int(height * 200) == round(height * 200) == 2 * int(height * 100)


def test_no_number_of_pixels_is_cut_off_by_one():
    heights = {n: plotting._figure(n / 100).get_figheight() for n in range(100, 1000)}
    assert [
        n for n in heights if int(heights[n] * 100) != n or int(heights[n] * 200) != 2 * n
    ] == []
    assert max(abs(heights[n] - n / 100) for n in heights) < 1e-14
    assert int(4.6 * 100) == 459  # what it is about


def test_animations_are_the_same_every_time(tmp_path):
    for name in "ab":
        frames = animate_weights([np.eye(4), -np.eye(4)], ["one", "two"])
        save_animation(tmp_path / (name + ".gif"), frames)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="no/such/folder"):
        save_figure("no/such/folder/x.png", example("weights"))
    with pytest.raises(SettingsError, match="figure: found Image; expected a matplotlib Figure"):
        save_figure(tmp_path / "x.png", tile_images([np.zeros(4)]))
    assert not (tmp_path / "x.png").exists()
    (tmp_path / "x.png").write_bytes(b"old")
    broken = example("weights")
    broken.axes[0].texts[0].set_text("$\\frac$")  # fails while it is drawn
    with pytest.raises(ValueError):
        save_figure(tmp_path / "x.png", broken)
    assert (tmp_path / "x.png").read_bytes() == b"old"


# --- readable ------------------------------------------------------------------------------------


def drawn_texts(figure, monkeypatch):
    """Draw at 600 pixels; give every text that was drawn, with its box in pixels."""
    drawn = []
    draw = Text.draw

    def record(self, renderer):
        if self.get_visible() and self.get_text().strip():
            drawn.append((self, self.get_window_extent(renderer)))
        draw(self, renderer)

    monkeypatch.setattr(Text, "draw", record)
    FigureCanvasAgg(figure).draw()
    monkeypatch.undo()
    assert figure.bbox.width == WIDTH
    return drawn


def hard_cases():
    """Figures with much in them: many labels, long ones, large and small numbers."""
    rng = np.random.default_rng(2)
    y = np.repeat(np.arange(10), 6000)
    x = rng.random((40, 9))
    p = rng.dirichlet(np.ones(300), 40)
    long = ["a label that has far too long a name"] * 13
    return {
        "26 weights": lambda: plot_weights(rng.normal(size=(9, 26)), labels=range(26)),
        "long labels": lambda: plot_weights(np.eye(16)[:, :13], labels=long),
        "tiny weights": lambda: plot_weights(np.eye(4) * 1e-6),
        "large weights": lambda: plot_weights(np.eye(4) * 123456789.0),
        "2 weights": lambda: plot_weights(np.eye(4)[:, :2], title="t" * 200),
        "500 weights": lambda: plot_weights(np.ones((4, 500))),
        "300 labels": lambda: plot_mistakes(x, np.full(40, 299), p),
        "1 mistake": lambda: plot_mistakes(x[:1], [0], one_hot([1], 2)),
        "no mistake": lambda: plot_mistakes(x[:1], [0], one_hot([0], 2), what="w" * 30),
        "60000 counts": lambda: plot_confusion_matrix(y, y),
        "all wrong": lambda: plot_confusion_matrix(y, (y + 1) % 10),
        "20 labels": lambda: plot_confusion_matrix(y[::400] * 2, y[::400]),
        "500 labels": lambda: plot_confusion_matrix([0], [499]),
        "long what": lambda: plot_confusion_matrix(y, y, what="W" * 120),
        "long what without a mistake": lambda: plot_mistakes(
            x[:1], [0], one_hot([0], 2), what="W" * 120
        ),
        "two lines of what": lambda: plot_confusion_matrix([0, 1], [0, 0], what="US$\nand $x$"),
        "1 validation": lambda: plot_learning_curves(run_of(1)),
        "5000 validations": lambda: plot_learning_curves(usual_run(5000)),
        "nothing finite": lambda: plot_learning_curves(
            run_of(9, loss=lambda i: math.nan, error=lambda i: math.nan)
        ),
        "some errors missing": lambda: plot_learning_curves(
            run_of(9, error=lambda i: math.nan if i == 4 else 0.1, patience=float)
        ),
        "large loss": lambda: plot_learning_curves(run_of(9, loss=lambda i: 10.0 ** (9 * i))),
        "small loss": lambda: plot_learning_curves(run_of(9, loss=lambda i: 1e-9 / (i + 1))),
        "long loss label": lambda: plot_learning_curves(
            usual_run(), loss_label="training NLL\n(nats per example)"
        ),
        "loss label in one line": lambda: plot_learning_curves(
            usual_run(), loss_label="training NLL (nats per example)"
        ),
        "the same without epochs": lambda: plot_learning_curves(
            run_of(1), loss_label="training NLL (nats per example)"
        ),
        "far too long loss label": lambda: plot_learning_curves(
            run_of(50, loss=lambda i: math.nan), loss_label="W" * 200 + "\nof what"
        ),
        "many updates": lambda: plot_learning_curves(
            [row(10**15 * i, epoch=i) for i in range(1, 9)]
        ),
        "digits, 20 in a row": lambda: plot_digits(x, range(100, 140), n_columns=20),
    }


CASES = {**{name: lambda name=name: example(name) for name in EXAMPLES}, **hard_cases()}


@pytest.mark.parametrize("draw", CASES.values(), ids=CASES)
def test_texts_are_large_enough_inside_the_figure_and_apart(draw, monkeypatch):
    drawn = drawn_texts(draw(), monkeypatch)
    assert drawn
    height = draw().bbox.height
    for text, box in drawn:
        assert text.get_fontsize() * 100 / 72 >= 11, text
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= WIDTH and box.y1 <= height, text
    if len(drawn) < 300:
        for (one, a), (other, b) in itertools.combinations(drawn, 2):
            across = min(a.x1, b.x1) - max(a.x0, b.x0)
            down = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert across <= 0.5 or down <= 0.5, (one, other)


def luminance(rgb):
    return linear(np.array(rgb)) @ [0.2126, 0.7152, 0.0722]


def linear(rgb):
    """Undo the gamma of sRGB."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


# Machado, Oliveira and Fernandes (2009): how a dichromat sees linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
         [0.004733, 0.691367, 0.303900]]
    ),
}  # fmt: skip
APART = 20  # of L*a*b*; 2 can just be told, side by side
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour, sight):
    """Give CIE L*a*b* of a colour as seen with some kind of sight."""
    seen = np.clip(SIGHT[sight] @ linear(np.array(to_rgb(colour))), 0, 1)
    x, y, z = np.cbrt(np.maximum(XYZ @ seen / XYZ.sum(axis=1), 1e-9))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one, other, sight):
    return np.linalg.norm(lab(one, sight) - lab(other, sight))


@pytest.mark.parametrize("sight", SIGHT)
def test_lines_and_marks_differ_in_colour_for_every_eye(sight):
    upper, lower = example("learning_curves").axes
    lines = [*upper.lines, *lower.lines]
    assert len(lines) == 4
    for one, other in itertools.combinations(lines, 2):
        assert difference(one.get_color(), other.get_color(), sight) > APART
    for line in lines:
        assert difference(line.get_color(), "white", sight) > 35
    marks = [line.get_marker() for line in lower.lines]
    assert len(set(marks)) == 3  # and by their form


def test_the_check_of_colours_would_find_red_and_green():
    red, green = "#d62728", "#2ca02c"  # matplotlib's own
    assert difference(red, green, "normal") > 100
    assert difference(red, green, "deuteranopia") < APART


@pytest.mark.parametrize("sight", SIGHT)
def test_signs_of_weights_can_be_told_by_every_eye(sight):
    cmap = example("weights").axes[0].images[0].cmap
    for part in (0.25, 0.5, 0.75, 1.0):
        above, below = cmap(0.5 + part / 2)[:3], cmap(0.5 - part / 2)[:3]
        assert difference(above, below, sight) > 15
    for sign in (-1, 1):  # the larger, the darker
        greys = [lab(cmap(0.5 + sign * part / 2)[:3], sight)[0] for part in np.linspace(0, 1, 9)]
        assert (np.diff(greys) < 0).all()


@pytest.mark.parametrize("sight", SIGHT)
def test_more_mistakes_are_darker_for_every_eye(sight):
    cmap = example("confusion_matrix").axes[0].images[0].cmap
    greys = [lab(cmap(value)[:3], sight)[0] for value in np.linspace(0, 1, 17)]
    assert (np.diff(greys) < -1).all()


# --- anywhere ------------------------------------------------------------------------------------

ODD = {"font.size": 30, "axes.facecolor": "black", "lines.linewidth": 20, "savefig.dpi": 10,
       "font.family": "serif", "image.cmap": "hot", "axes.grid": True, "savefig.bbox": "tight",
       "xtick.labelsize": 3, "svg.hashsalt": "salt", "figure.facecolor": "red"}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_settings_of_the_user_change_nothing(tmp_path, name):
    save_figure(tmp_path / "plain.svg", example(name))
    with matplotlib.rc_context(ODD):
        before = dict(matplotlib.rcParams)
        save_figure(tmp_path / "odd.svg", example(name))
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "plain.svg").read_bytes() == (tmp_path / "odd.svg").read_bytes()


def test_without_a_display_and_with_another_backend_and_matplotlibrc(tmp_path):
    (tmp_path / "matplotlibrc").write_text(
        "backend: TkAgg\n" + "".join("{}: {}\n".format(*pair) for pair in ODD.items())
    )
    code = (
        "import sys, numpy as np\n"
        "sys.path.insert(0, {!r})\n"
        "from dlt import animate_weights, plot_weights, save_animation, save_figure\n"
        "W = np.arange(40.0).reshape(4, 10)\n"
        "save_figure('W.png', plot_weights(W))\n"
        "save_animation('W.gif', animate_weights([W, -W], 'ab'))\n"
        "bad = ('matplotlib.pyplot', 'tkinter', 'theano', 'pytensor', 'jax', 'dlt.engine',\n"
        "       'dlt.training', 'dlt.shared', 'dlt.sgd')\n"
        "assert not [name for name in bad if name in sys.modules]\n"
    ).format(str(ROOT))
    environ = bare_environment(MPLBACKEND="TkAgg", MATPLOTLIBRC=tmp_path / "matplotlibrc")
    environ.pop("DISPLAY", None)
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=str(tmp_path), env=environ, capture_output=True, text=True
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    W = np.arange(40.0).reshape(4, 10)
    save_figure(tmp_path / "here.png", plot_weights(W))
    save_animation(tmp_path / "here.gif", animate_weights([W, -W], "ab"))
    for ending in ("png", "gif"):
        here, there = (tmp_path / (name + "." + ending) for name in ("here", "W"))
        assert here.read_bytes() == there.read_bytes()


NO_MISTAKES = "no_mistakes"


@pytest.mark.parametrize("name", [*EXAMPLES, NO_MISTAKES])
def test_a_figure_shows_itself_in_a_notebook_once(name):
    formatters = pytest.importorskip("IPython.core.formatters")
    if name == NO_MISTAKES:
        figure = plot_mistakes(np.eye(4), [0, 1, 0, 1], np.eye(2)[[0, 1, 0, 1]])
    else:
        figure = example(name)
    for is_inline in (False, True):
        display = formatters.DisplayFormatter()
        if is_inline:  # what %matplotlib inline, or importing pyplot there, sets up
            from IPython.core import pylabtools

            class Shell:
                display_formatter = display

            pylabtools.select_figure_formats(Shell, {"png"})
        data, metadata = display.format(figure)
        assert set(data) == {"image/png", "text/plain"}
        if is_inline:
            continue
        with Image.open(io.BytesIO(data["image/png"])) as picture:
            assert picture.size == (1200, 2 * metadata["image/png"]["height"])
        assert metadata["image/png"]["width"] == WIDTH


def test_threads_leave_the_settings_of_the_process_as_they_were():
    before = dict(matplotlib.rcParams)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        pngs = list(pool.map(lambda _: plot_weights(np.eye(4))._repr_png_()[0], range(12)))
    assert dict(matplotlib.rcParams) == before and len(set(pngs)) == 1


# --- what is refused -----------------------------------------------------------------------------

X, Y, P = np.eye(4), [0, 1, 0, 1], [[0.5, 0.5]] * 4
ROWS = run_of(2)
BAD = {
    "x flat": (lambda: plot_digits(np.zeros(4)), "x: found an array of shape (4,); expec"),
    "x empty": (lambda: plot_digits(np.zeros((0, 4))), "x: found an array of shape (0, 4)"),
    "x not square": (lambda: plot_digits(np.zeros((2, 5))), "x: found pictures of 5 pixels"),
    "x NaN": (lambda: plot_digits([[math.nan]]), "x: found NaN or infinity; expected fin"),
    "x text": (lambda: plot_digits([["a"]]), "x: found an array of <U1; expected numbers"),
    "x ragged": (lambda: plot_mistakes([[1], [1, 2]], Y, P), "x: found "),
    "x many": (lambda: plot_digits(np.ones((501, 1))), "x: found 501 pictures; expected at"),
    "y short": (lambda: plot_digits(X, [1]), "y: found 1 of them; expected 4"),
    "y single": (lambda: plot_digits(X, 3), "y: found 3; expected a sequence"),
    "y one-hot": (
        lambda: plot_digits(X, one_hot(Y, 2)),
        "y: found a row of 2 values; expected one number or text for each; of one-hot rows take",
    ),
    "y list": (lambda: plot_digits(X, [[1], [2], [3], [4]]), "y: found a row of 1 values; exp"),
    "what": (lambda: plot_confusion_matrix(Y, Y, what=3), "what: found int; expected text"),
    "what None": (lambda: plot_mistakes(X, Y, P, what=None), "what: found NoneType; expected t"),
    "loss label": (
        lambda: plot_learning_curves(ROWS, loss_label=1.5),
        "loss_label: found float; expected text",
    ),
    "title 3": (lambda: plot_digits(X, title=3), "title: found int; expected text"),
    "title": (lambda: plot_weights(X, title=["a"]), "title: found list; expected text"),
    "columns": (lambda: plot_digits(X, n_columns=0), "n_columns: found 0; expected a whole"),
    "tall": (
        lambda: plot_digits(np.zeros((500, 4)), n_columns=2),
        "found a figure of 500 pictures in 2 columns, 97868 pixels high; expected at most 65535; c",
    ),
    "patience": (
        lambda: plot_learning_curves(ROWS, initial_patience="a"),
        "initial_patience: found str; expected a finite number above 0",
    ),
    "W flat": (lambda: plot_weights([1.0]), "W: found an array of shape (1,); expected two"),
    "W not square": (lambda: plot_weights(np.ones((5, 2))), "W: found pictures of 5 pixels"),
    "W infinite": (lambda: plot_weights([[math.inf]]), "W: found NaN or infinity"),
    "W huge": (lambda: plot_weights([[1e300]]), "W: found weights up to 1e+300; expected"),
    "labels": (lambda: plot_weights(X, labels="ab"), "labels: found 2 of them; expected 4"),
    "limit 0": (lambda: plot_weights(X, limit=0), "limit: found 0; expected a finite number"),
    "limit nan": (lambda: plot_weights(X, limit=math.nan), "limit: found nan; expected"),
    "limit text": (
        lambda: plot_weights(X, limit="a"),
        "limit: found str; expected a finite number above 0, such as 1.0",
    ),
    "limits": (lambda: plot_weights(X, limit=np.array([1, 2])), "limit: found ndarray; expec"),
    "no history": (lambda: plot_learning_curves([]), "history: found no rows; expected one"),
    "None": (lambda: plot_learning_curves(None), "history: found None; expected a sequence"),
    "rows": (lambda: plot_learning_curves([(1, 2)]), "history: found a tuple; expected rows"),
    "backwards": (lambda: plot_learning_curves(ROWS[::-1]), "history: found iterations that"),
    "error 5": (
        lambda: plot_learning_curves(run_of(3, error=lambda i: 5.0)),
        "history: found a validation error of 5; expected fractions, 0 to 1",
    ),
    "best": (
        lambda: plot_learning_curves(ROWS, best_iteration=7),
        "best_iteration: found 7; expected an iteration of the history",
    ),
    "best NaN": (
        lambda: plot_learning_curves(
            run_of(3, error=lambda i: math.nan if i == 1 else 0.1), best_iteration=20
        ),
        "best_iteration: found 20, where the validation error is NaN; expected an iteration with",
    ),
    "label 2": (
        lambda: plot_confusion_matrix([0, 2], [0, 1], n_out=2),
        "y: found the label 2; expected whole numbers from 0 to 1",
    ),
    "label -1": (lambda: plot_confusion_matrix([0], [-1]), "y_pred: found the label -1;"),
    "label 0.5": (lambda: plot_confusion_matrix([0.5], [0]), "y: found the label 0.5; exp"),
    "label 10**9": (lambda: plot_confusion_matrix([10**9], [0]), "y: found the label 1e+09;"),
    "lengths": (lambda: plot_confusion_matrix([0, 1], [0]), "y_pred: found 1 of them; exp"),
    "nothing": (lambda: plot_confusion_matrix([], []), "y: found an array of shape (0,); e"),
    "one-hot": (lambda: plot_confusion_matrix(X, X), "y: found an array of shape (4, 4); ex"),
    "n_out": (lambda: plot_confusion_matrix(Y, Y, n_out=501), "n_out: found 501; expected"),
    "p short": (lambda: plot_mistakes(X, Y, P[:3]), "p_y_given_x: found 3 of them; expec"),
    "y long": (lambda: plot_mistakes(X, [*Y, 1], P), "y: found 5 of them; expected 4"),
    "y large": (lambda: plot_mistakes(X, [0, 1, 2, 0], P), "y: found the label 2; expected w"),
    "p scores": (
        lambda: plot_mistakes(X, Y, [[1.0, 5.0]] * 4),
        "p_y_given_x: found values from 1 to 5; expected probabilities, 0 to 1; apply softmax",
    ),
    "p below 0": (lambda: plot_mistakes(X, Y, [[1, -1]] * 4), "p_y_given_x: found values from -1"),
    "p NaN": (lambda: plot_mistakes(X, Y, [[0.5, math.nan]] * 4), "p_y_given_x: found NaN or"),
    "n_examples": (lambda: plot_mistakes(X, Y, P, 0), "n_examples: found 0; expected a who"),
    "tiles": (
        lambda: tile_images(X, tile_shape=(1, 3)),
        "tile_shape: found (1, 3); expected room for 4 pictures",
    ),
    "image": (
        lambda: tile_images(X, image_shape=(1, 3)),
        "image_shape: found (1, 3); expected a product of 4, the length of the rows",
    ),
    "pair": (lambda: tile_images(X, tile_shape=3), "tile_shape: found 3; expected two numb"),
    "0 tiles": (lambda: tile_images(X, tile_shape=(0, 3)), "tile_shape: found 0; expected"),
    "spacing": (lambda: tile_images(X, spacing=-1), "spacing: found -1; expected a whole n"),
    "pixels": (
        lambda: tile_images(X * 255),
        "rows: found values from 0 to 255; expected 0 to 1; divide pixels by 256, or give scale_",
    ),
    "no frames": (lambda: animate_weights([], []), "weights: found none; expected one W"),
    "captions": (lambda: animate_weights([X], []), "captions: found 0 of them; expected 1"),
    "shapes": (
        lambda: animate_weights([X, X[:, :2]], "ab"),
        "weights: found the shapes (4, 2) and (4, 4); expected one shape",
    ),
    "jpg": (
        lambda: save_figure("x.jpg", None),
        "x.jpg: found the ending 'jpg'; expected .png, .svg or .pdf",
    ),
    "gif": (lambda: save_animation("x.png", []), "x.png: found the ending 'png'; expected .gif"),
    "no animation": (lambda: save_animation("x.gif", []), "frames: found none; expected some"),
    "sizes": (
        lambda: save_animation("x.gif", [Image.new("L", (1, 2)), Image.new("L", (3, 4))]),
        "frames: found frames of 1 x 2 and 3 x 4 pixels; expected some of one size",
    ),
    "figures": (
        lambda: save_animation("x.gif", [plot_weights(X)]),
        "frames: found Figure; expected Pillow images, such as animate_weights gives",
    ),
    "no pixels": (
        lambda: save_animation("x.gif", [Image.new("RGB", (0, 3))]),
        "frames: found frames of 0 x 3 pixels; expected 1 to 65535 each way, as a GIF has",
    ),
    "long": (
        lambda: save_animation("x.gif", [Image.new("L", (70000, 1))]),
        "frames: found frames of 70000 x 1 pixels; expected 1 to 65535",
    ),
    "time": (
        lambda: save_animation("x.gif", [Image.new("L", (1, 2))], milliseconds=1),
        "milliseconds: found 1; expected a whole number from 20 to 60000",
    ),
    "times": (
        lambda: save_animation("x.gif", [Image.new("L", (1, 2))] * 12, milliseconds=60000),
        "milliseconds: found 60000 for each of 12 frames and 2000 for the last; expected at most "
        "655350 in all",
    ),
}  # fmt: skip


@pytest.mark.parametrize("call, message", BAD.values(), ids=BAD)
def test_bad_input_gets_one_line(call, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as error:
        call()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == []


def test_probabilities_may_be_rounded_above_1():
    p = np.array([[np.nextafter(np.float32(1), np.float32(2)), 0]] * 4, np.float32)
    assert len(plot_mistakes(X, Y, p).axes[0].images) == 2


def test_the_public_names_are_these_functions():
    for name in ("plot_digits", "plot_weights", "plot_learning_curves", "plot_confusion_matrix",
                 "plot_mistakes", "tile_images", "animate_weights", "save_figure",
                 "save_animation"):  # fmt: skip
        assert getattr(dlt, name) is getattr(plotting, name)
