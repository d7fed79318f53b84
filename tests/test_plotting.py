"""Figures show the numbers they were given, and anybody can read them, anywhere."""

import concurrent.futures
import functools
import io
import itertools
import math
import os
import pickle
import subprocess
import sys
import types

import matplotlib
import numpy as np
import pytest
from conftest import ROOT, bare_environment
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from reference import contrast, linear

import dlt
from dlt import (
    DataError,
    HistoryRow,
    Score,
    SettingsError,
    animate_weights,
    grid,
    plot_confusion_matrix,
    plot_digits,
    plot_learning_curves,
    plot_mistakes,
    plot_selection,
    plot_weights,
    save_animation,
    save_figure,
    tile_images,
)
from dlt.pictures import figures

WIDTH = 600  # pixels at which everything must be readable


def row(iteration, error=0.1, loss=0.5, patience=5000.0, epoch=None):
    return HistoryRow(iteration, epoch or iteration // 10, loss, error, patience, 0.1)


def run_of(n, **columns):
    """Return n validations; a column is a list, or a function of the row's number."""
    columns = {name: list(map(c, range(n))) if callable(c) else c for name, c in columns.items()}
    return [row(10 * (i + 1), **{name: c[i] for name, c in columns.items()}) for i in range(n)]


def usual_run(n=70):
    return run_of(
        n,
        loss=lambda i: 1 / (i + 1),
        error=lambda i: 0.5 / (i + 1),
        patience=lambda i: 100.0 if i < 40 else 200.0,
    )


def outcomes(candidates, n_errors, n=100):
    """Return outcomes of a search; None errors are those of a candidate that failed."""
    scores = [None if found is None else Score(found, n) for found in n_errors]
    return [
        types.SimpleNamespace(settings=settings, validation=score)
        for settings, score in zip(candidates, scores)
    ]


def search(n=1000, **values):
    """Draw a search of a grid, with random errors."""
    candidates = grid(**values)
    return plot_selection(outcomes(candidates, (RNG.permutation(len(candidates)) + 9).tolist(), n))


@pytest.fixture(scope="module")
def digits():
    return dlt.load_data("digits")[0]


RNG = np.random.default_rng(1)
PIXELS, LABELS = RNG.random((60, 49)), np.arange(60) % 10
P_Y_GIVEN_X = RNG.dirichlet(np.ones(10), 60)
WEIGHTS = RNG.normal(size=(49, 10))
THREE_BY_THREE = grid(learning_rate=[0.03, 0.13, 0.5], l2=[0, 1e-5, 1e-4], seed=range(5))
EXAMPLES = {  # a typical figure of each kind
    "digits": lambda: plot_digits(PIXELS[:23], LABELS[:23], title="Examples"),
    "weights": lambda: plot_weights(WEIGHTS),
    "learning_curves": lambda: plot_learning_curves(usual_run()),
    "confusion_matrix": lambda: plot_confusion_matrix(LABELS, P_Y_GIVEN_X.argmax(axis=1)),
    "mistakes": lambda: plot_mistakes(PIXELS, LABELS, P_Y_GIVEN_X),
    "selection": lambda: plot_selection(outcomes(THREE_BY_THREE, range(45, 90), 1000)),
}


@pytest.fixture(scope="module")
def examples():
    """One figure of each kind, for tests that only look at it or save it."""
    return {name: draw() for name, draw in EXAMPLES.items()}


@pytest.fixture
def saved(tmp_path):
    """Return a function that saves a figure and returns the bytes of its file."""

    def save(figure, name="figure.svg"):
        save_figure(tmp_path / name, figure)
        assert os.listdir(tmp_path) == [name]
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
        return content

    return save


def texts(axes):
    return [text.get_text() for text in axes.texts]


# --- what is drawn --------------------------------------------------------------------------------


def test_digits_are_the_pixels_given_with_their_labels(digits):
    x, y = digits
    figure = plot_digits(x[:13], y[:13], n_columns=5, title="Thirteen")
    (axes,) = figure.axes
    assert len(axes.images) == 13
    for image, pixels in zip(axes.images, x):
        np.testing.assert_array_equal(image.get_array(), pixels.reshape(28, 28))
        assert (image.get_clim(), image.get_cmap().name) == ((0.0, 1.0), "gray_r")
    assert texts(axes) == [str(label) for label in y[:13]]
    assert texts(figure) == ["Thirteen"]
    whole_numbers = plot_digits(np.array([[0, 255, 3, 4]], dtype=np.uint8))
    assert whole_numbers.axes[0].images[0].get_clim() == (0.0, 255.0)


def test_pictures_stand_in_rows_and_are_square():
    figure = plot_digits(np.zeros((7, 4)), n_columns=3)
    places = [image.get_extent() for image in figure.axes[0].images]  # inches
    for i, (left, right, bottom, top) in enumerate(places):
        assert right - left == pytest.approx(bottom - top)
        assert 0 <= left and right <= 6 and 0 <= top and bottom <= figure.get_figheight()
        assert left == places[i % 3][0] and top == places[i - i % 3][3]
    assert figure.axes[0].get_xlim() == (0, 6)
    assert figure.axes[0].get_ylim() == (figure.get_figheight(), 0)
    assert not figure.axes[0].texts


def test_pictures_that_are_not_square_keep_their_shape(rng):
    x = rng.random((3, 6, 4))
    for figure, pictures in (
        (plot_digits(x), x),
        (plot_weights(np.moveaxis(x, 0, -1)), x),
        (plot_mistakes(x, [0, 0, 0], [[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]]), x),
    ):
        images = figure.axes[0].images
        np.testing.assert_array_equal([image.get_array() for image in images], pictures)
        for image in images:
            left, right, bottom, top = image.get_extent()
            assert abs(bottom - top) / (right - left) == pytest.approx(6 / 4)


def test_weights_have_one_colour_scale_with_0_in_the_middle():
    W = np.arange(12.0).reshape(4, 3) - 4  # -4 to 7
    figure = plot_weights(W, labels=["a", 7, "$x"])
    axes, bar = figure.axes
    for image, column in zip(axes.images, W.T):
        np.testing.assert_array_equal(image.get_array(), column.reshape(2, 2))
        assert image.get_clim() == (-7.0, 7.0)
    assert texts(axes) == ["a", "7", r"\$x"]
    assert bar.get_xlim() == (-7.0, 7.0)
    assert bar.get_xlabel() == "weight (above 0: ink there speaks for the label)"
    red, white, blue = (np.array(axes.images[0].cmap(v)[:3]) for v in (0.0, 0.5, 1.0))
    assert red.argmax() == 0 and blue.argmax() == 2 and white.min() > 0.95
    assert plot_weights(np.zeros((4, 2))).axes[0].images[0].get_clim() == (-1.0, 1.0)
    limited = plot_weights(W, limit=2.5, title="My title")
    unsigned = plot_weights(W, limit=np.uint8(1))
    assert unsigned.axes[0].images[0].get_clim() == (-1, 1)
    assert [image.get_clim() for image in limited.axes[0].images] == [(-2.5, 2.5)] * 3
    assert (texts(limited.axes[0]), texts(limited)) == (["0", "1", "2"], ["My title"])


@pytest.mark.parametrize("n, columns", [(1, 1), (5, 5), (6, 3), (13, 5), (26, 9)])
def test_rows_of_weight_images_are_about_equally_long(n, columns):
    figure = plot_weights(np.ones((4, n)))
    places = [image.get_extent() for image in figure.axes[0].images]
    assert len({left for left, _, _, _ in places}) == columns
    assert max(right - left for left, right, _, _ in places) <= 1.8001


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


def test_the_first_of_equally_good_models_is_the_best_unless_another_is_given():
    history = run_of(3, error=[0.2, 0.1, 0.1])
    assert plot_learning_curves(history).axes[1].lines[1].get_xdata() == 20
    figure = plot_learning_curves(history, best_iteration=30, loss_label="NLL")
    assert figure.axes[1].lines[1].get_xdata() == 30
    assert figure.axes[0].get_ylabel() == "NLL"


def test_an_extension_at_the_first_row_needs_the_initial_patience():
    history = run_of(3, patience=lambda i: 1e6)
    best = "best model: 10.00 % after 10 updates"
    endless = run_of(3, patience=lambda i: math.inf)
    for kept in (
        plot_learning_curves(history),
        plot_learning_curves(history, initial_patience=1e6),
        plot_learning_curves(endless),
    ):
        assert legend(kept.axes[1]) == [best]
    lower = plot_learning_curves(history, initial_patience=100).axes[1]
    assert lower.lines[1].get_xdata().tolist() == [10]
    assert legend(lower) == ["patience extended", best]


def test_a_run_of_one_validation_is_a_point():
    figure = plot_learning_curves([row(1, epoch=1)])
    assert figure.axes[0].child_axes == []  # the validation may be in the middle of an epoch
    for axes in figure.axes:
        assert axes.lines[0].get_marker() not in (None, "None")
        low, high = axes.get_xlim()
        assert low == 0 < 1 < high
    assert legend(figure.axes[1]) == ["best model: 10.00 % after 1 update"]


def test_thousands_of_validations_are_a_line():
    figure = plot_learning_curves(run_of(3000, patience=float))
    assert figure.axes[1].lines[0].get_marker() == "None"
    assert len(figure.axes[1].lines[1].get_xdata()) == 2999
    assert figure.axes[1].get_ylim()[0] > 9  # that of the line, 10 %: the marks leave it alone


@pytest.mark.parametrize("n, best", [(2, 2), (30, 2), (100, 100)])
def test_marks_of_patience_and_the_star_are_seen_at_one_update(n, best):
    history = run_of(
        n,
        error=lambda i: 0.5 - 0.4 * i / n,
        patience=lambda i: 1000.0 - (n - i) // 2,  # grows at every second row, and at the last
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


@pytest.mark.parametrize("frequency, n_epochs", [(50, 0), (49, 1)])
def test_epochs_are_left_out_where_the_history_does_not_show_them(frequency, n_epochs):
    # two validations in each epoch of 20 updates
    assert plot_learning_curves(run_of(6, epoch=lambda i: i // 2 + 1)).axes[0].child_axes == []
    # With a patience of 100, every 50 updates: so are epochs of 60 looked at, and of 50.
    history = [row(frequency * i, patience=100, epoch=i) for i in (1, 2, 3)]
    assert len(plot_learning_curves(history).axes[0].child_axes) == n_epochs
    # three times 49 updates is more than 100: patience may have been extended at the first row
    history = [one._replace(patience=147) for one in history]
    figure = plot_learning_curves(history, initial_patience=100)
    assert len(figure.axes[0].child_axes) == n_epochs


def test_values_that_are_not_finite_are_counted_and_left_out():
    bad = [math.nan, math.inf, -math.inf, 1e300]
    upper = plot_learning_curves(run_of(50, loss=[1.0] * 46 + bad)).axes[0]
    assert np.isnan(upper.lines[0].get_ydata()).tolist() == [False] * 46 + [True] * 4
    assert upper.get_xlabel() == "4 of 50 values are not finite, and not shown"
    assert len(upper.get_yticks())
    history = run_of(5, loss=lambda i: math.nan, error=lambda i: math.nan)
    upper, lower = plot_learning_curves(history).axes
    assert len(upper.get_yticks()) == len(lower.get_yticks()) == 0
    assert legend(lower) == []
    assert lower.get_xlabel() == "5 of 5 values are not finite, and not shown\nminibatch updates"


def test_confusion_matrix_counts_and_colours_only_mistakes():
    y = [0, 0, 0, 1, 1, 2, 2, 2]
    y_pred = [0, 1, 1, 1, 1, 2, 2, 0]
    figure = plot_confusion_matrix(y, y_pred, what="test examples")
    axes, bar = figure.axes
    assert texts(axes) == list("120020102")
    assert axes.texts[5].get_position() == (2, 1)  # column, row
    image = axes.images[0]
    assert image.get_array().mask.tolist() == np.eye(3, dtype=bool).tolist()
    assert image.get_array().filled(-1).tolist() == [[-1, 2, 0], [0, -1, 0], [1, 0, -1]]
    assert image.get_clim() == (0, 2)
    assert axes.get_title() == "3 errors in 8 test examples (37.50 %)"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted label", "right label")
    assert bar.get_ylabel() == "mistakes in a cell (grey: right predictions)"
    axes = plot_confusion_matrix([0, 1, 1], [0, 1, 1]).axes[0]
    assert axes.get_title() == "0 errors in 3 examples (0.00 %)"
    assert axes.images[0].get_clim() == (0, 1)


def band(axes):
    """Return the lower and the upper edge of the shaded band."""
    (patch,) = axes.patches
    return axes.transData.inverted().transform(patch.get_extents())[:, 1]


def test_a_search_has_a_panel_for_each_setting_that_varies():
    candidates = grid(seed=[7, 1], learning_rate=[0.03, 0.5], l1=[0], l2=[1e-4, 0])
    figure = plot_selection(outcomes(candidates, [10, 12, 16, 14, 11, 13, 15, 17]))
    assert texts(figure) == ["Winner: 10.00 % with seed=7, learning_rate=0.03, l1=0, l2=0.0001"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["learning_rate", "l2", "seed"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["validation error (%)", "", ""]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    places = [[0.03, 0.03, 0.5, 0.5] * 2, [1, 0] * 4, [1] * 4 + [0] * 4]
    lowest = [([0.03, 0.5], [10, 14]), ([0, 1], [12, 10]), ([0, 1], [11, 10])]
    for axes, x, best in zip(figure.axes, places, lowest):
        dots, line, star = axes.lines
        assert dots.get_xdata().tolist() == x
        np.testing.assert_allclose(dots.get_ydata(), [10, 12, 16, 14, 11, 13, 15, 17])
        np.testing.assert_allclose(line.get_data(), best)
        assert (star.get_xdata(), star.get_ydata()) == (x[0], 10)
        # Wilson's: (p + z^2/2n +- z sqrt(p(1 - p)/n + z^2/4n^2)) / (1 + z^2/n)
        np.testing.assert_allclose(band(axes), [5.5229, 17.4366], atol=1e-3)
    assert [text.get_text() for text in figure.legends[0].texts] == [
        "8 candidates", "best of each value", "winner", "its 95 % interval",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "values, scale, places, names",
    [
        ([0.1, 0.01], "linear", [0.1, 0.01], ["0.01", "0.1"]),
        ([0.11, 0.01], "log", [0.11, 0.01], ["0.01", "0.11"]),
        ([300, 1, 20], "log", [300, 1, 20], ["1", "20", "300"]),
        ([-20, 1000], "linear", [-20, 1000], ["-20", "1000"]),
        ([1e-4, 0, 1e-5], "linear", [2, 0, 1], ["0", "1e-05", "0.0001"]),
        (["tanh", 300, None, 2], "linear", [3, 1, 2, 0], ["2", "300", "None", "tanh"]),
        ([True, False], "linear", [1, 0], ["False", "True"]),
    ],
)
def test_values_have_the_axis_that_suits_them(values, scale, places, names):
    axes = search(setting=values).axes[0]
    assert axes.get_xscale() == scale
    assert axes.lines[0].get_xdata().tolist() == places
    low, high = axes.get_xlim()
    assert low < min(places) and max(places) < high
    assert sorted(axes.get_xticks()) == sorted(places)
    named = dict(zip(axes.get_xticks(), (label.get_text() for label in axes.get_xticklabels())))
    assert [named[place] for place in sorted(named)] == names
    assert not len(axes.get_xticks(minor=True))


def test_seeds_are_evenly_spaced_and_a_setting_left_out_is_the_default():
    candidates = [{"seed": 1000, "l1": 0.5}, {"seed": 1}, {"seed": 20}]
    l1, seed = plot_selection(outcomes(candidates, [1, 2, 3])).axes
    assert seed.get_xlabel() == "seed" and seed.lines[0].get_xdata().tolist() == [2, 0, 1]
    assert l1.lines[0].get_xdata().tolist() == [0, 1, 1]
    assert {label.get_text() for label in l1.get_xticklabels()} == {"0.5", "default"}


def test_of_values_that_leave_no_room_some_are_named_and_the_winner_s_always():
    for n_settings in (1, 3):
        values = [0.001 * 1.1**i for i in range(60)]
        candidates = [dict.fromkeys("abc"[:n_settings], value) for value in values]
        for winner in (0, 31, 59):
            errors = [20 + (i != winner) for i in range(60)]
            for axes in plot_selection(outcomes(candidates, errors)).axes:
                assert len(axes.lines) == 2  # no line through so many
                assert 6 < len(axes.get_xticks()) < 60
                assert values[winner] in axes.get_xticks()


def test_candidates_that_failed_are_counted_and_left_out():
    candidates = grid(l1=[0, 0.1, 0.2, 0.3])
    figure = plot_selection(outcomes(candidates, [None, 9, 8, None]))
    title = "Winner: 8.00 % with l1=0.2\n2 of 4 candidates failed, and are not shown"
    assert texts(figure) == [title]
    assert figure.axes[0].lines[0].get_xdata().tolist() == [0.1, 0.2]


def test_the_first_of_the_best_wins():
    figure = plot_selection(outcomes(grid(l1=[1, 2, 3]), [9, 8, 8]))
    assert texts(figure) == ["Winner: 8.00 % with l1=2"]
    assert figure.axes[0].lines[-1].get_xdata() == 2


def test_measured_errors_are_shown_as_they_are():
    figure = plot_selection(outcomes(grid(l1=[1, 2]), [12.5, 25.0]))
    (axes,) = figure.axes
    assert texts(figure) == ["Winner: 0.125 with l1=1"]
    assert axes.get_ylabel() == "validation error" and not axes.patches
    assert axes.lines[0].get_ydata().tolist() == [0.125, 0.25]


@pytest.mark.parametrize(
    "settings, title, label, name",
    [
        ({"l1": 3, "seed": 1}, "Winner: 9.00 % with l1=3, seed=1", "l1", "3"),
        ({}, "Winner: 9.00 %", "seed", "default"),
    ],
)
def test_where_nothing_varies_there_is_one_panel(settings, title, label, name):
    figure = plot_selection(outcomes([settings], [9]))
    (axes,) = figure.axes
    assert (texts(figure), axes.get_xlabel()) == ([title], label)
    assert [text.get_text() for text in axes.get_xticklabels()] == [name]
    dot, star = axes.lines
    assert dot.get_xydata().tolist() == star.get_xydata().tolist()


def test_panels_stand_three_in_a_row():
    figure = search(**{name: [1, 2] for name in "abcde"})
    places = [axes.get_position() for axes in figure.axes]
    assert len({round(place.x0, 6) for place in places}) == 3
    assert len({round(place.y1, 6) for place in places}) == 2
    assert places[3].x0 == pytest.approx(places[0].x0) and places[3].y1 < places[0].y0
    assert [bool(axes.get_ylabel()) for axes in figure.axes] == [True, False, False, True, False]


def test_a_dollar_begins_no_formula():
    text = "US$, $\\foo$"
    escaped = r"US\$, \$\foo\$"
    upper = plot_learning_curves(run_of(1), loss_label=text).axes[0]
    assert upper.get_ylabel() == escaped
    axes = plot_confusion_matrix([0, 1, 1], [0, 1, 0], what=text).axes[0]
    assert axes.get_title() == f"1 error in 3 {escaped} (33.33 %)"
    assert texts(plot_digits(PIXELS[:1], title=text)) == [escaped]
    figure = search(**{text: [text, 3]})
    (axes,) = figure.axes
    assert axes.get_xlabel() == escaped and f"with {escaped}=" in texts(figure)[0]
    assert escaped in [label.get_text() for label in axes.get_xticklabels()]


def test_confusion_matrix_of_many_labels_has_no_room_for_counts(rng):
    y = rng.integers(0, 100, 5000)
    figure = plot_confusion_matrix(y, np.roll(y, 1))
    assert not figure.axes[0].texts
    assert figure.axes[0].images[0].get_array().sum() == (y != np.roll(y, 1)).sum()


def contrasts(axes):
    """Return the contrast of each count with its cell."""
    image = axes.images[0]
    grounds = image.cmap(image.norm(image.get_array()))[..., :3].reshape(-1, 3)
    colours = [to_rgb(text.get_color()) for text in axes.texts]
    return [contrast(*pair) for pair in zip(colours, grounds)]


def test_counts_stand_out_from_their_cells_and_a_0_is_faint_where_it_can_be_read():
    # Off the diagonal are all the numbers 0 to 89, so all shares of the largest.
    y, y_pred = np.nonzero(~np.eye(10, dtype=bool))
    n = np.arange(90)
    axes = plot_confusion_matrix(np.repeat(y, n), np.repeat(y_pred, n), n_out=10).axes[0]
    assert sorted(int(text.get_text()) for text in axes.texts) == [0] * 10 + list(range(90))
    assert min(contrasts(axes)) >= 4.5  # on the diagonal too, all 0
    colours = {text.get_text(): text.get_color() for text in axes.texts[1:]}
    assert (colours["1"], colours["50"], colours["89"]) == ("black", "black", "white")
    axes = plot_confusion_matrix([0, 0], [0, 1], n_out=3).axes[0]
    colours = [text.get_color() for text in axes.texts]
    assert colours == ["black", "white", "0.45", "0.45", "black", "0.45", "0.45", "0.45", "black"]
    assert min(contrasts(axes)) >= 4.5


def test_mistakes_come_by_confidence_with_what_was_right():
    x = np.arange(20).reshape(5, 4) / 20
    p = [[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.0, 0.2, 0.8], [0.1, 0.5, 0.4], [0.3, 0.3, 0.4]]
    figure = plot_mistakes(x, [1, 1, 0, 0, 2], p, what="test examples")
    (axes,) = figure.axes
    assert texts(axes) == [
        "predicted 2: 0.800\nright label 0",
        "predicted 0: 0.700\nright label 1",
        "predicted 1: 0.500\nright label 0",
    ]
    for image, i in zip(axes.images, (2, 0, 3)):
        np.testing.assert_array_equal(image.get_array(), x[i].reshape(2, 2))
    title = "The 3 mistakes in 5 test examples\n(with the probability of the predicted label)"
    assert texts(figure) == [title]
    few = plot_mistakes(x, [1, 1, 0, 0, 2], p, n_examples=2)
    assert len(few.axes[0].images) == 2
    assert texts(few)[0].startswith("The 2 most confident of 3 mistakes in 5 examples\n")
    many = plot_mistakes(SQUARES, np.full(40, 299), P_OF_300)
    assert not [caption for caption in texts(many.axes[0]) if "…" in caption]


def test_labels_are_called_by_their_names():
    x, p = np.eye(4), [[0.9, 0.1], [0.7, 0.3]] * 2
    figure = plot_mistakes(x, [0, 1, 1, 0], p, labels=["ham", "spam"])
    assert figure.axes[0].texts[0].get_text() == "predicted ham: 0.900\nright label spam"
    figure = plot_confusion_matrix([0, 1, 1], [0, 1, 0], labels=["ham", "a" * 200])
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        ham, long, none = map(axis.get_major_formatter(), range(3))
        assert (
            (ham, none) == ("ham", "")
            and long.startswith("aaa")
            and long.endswith("…")
            and len(long) < 30
        )
    with pytest.raises(DataError, match="labels: found 1 of them; expected 2"):
        plot_confusion_matrix([0, 1], [0, 1], labels=["ham"])


def test_ink_is_dark_on_white_whatever_the_ground():
    for ground, cmap in (("dark", "gray_r"), ("light", "gray")):
        figures = [
            plot_digits(np.eye(4), ground=ground),
            plot_mistakes(np.eye(4), [0] * 4, [[0, 1]] * 4, ground=ground),
        ]
        for figure in figures:
            assert {image.cmap.name for image in figure.axes[0].images} == {cmap}
    with pytest.raises(SettingsError, match="ground: found 'grey'; expected one of dark, light"):
        plot_digits(np.eye(4), ground="grey")


def test_equally_confident_mistakes_keep_their_order():
    x = np.arange(40).reshape(10, 4) / 40
    figure = plot_mistakes(x, [1] * 10, [[0.75, 0.25]] * 10)
    drawn = [image.get_array()[0, 0] for image in figure.axes[0].images]
    assert drawn == sorted(drawn)


def no_mistakes():
    return plot_mistakes(np.eye(4), [0, 1, 0, 1], np.eye(2)[[0, 1, 0, 1]])


def test_without_mistakes_the_figure_says_so():
    (axes,) = no_mistakes().axes
    assert texts(axes) == ["No mistakes in 4 examples"]
    assert not axes.images and not axes.axison


SIDE_BY_SIDE = [
    [0, 64, 0, 1, 2],
    [128, 255, 0, 3, 4],
    [0, 0, 0, 0, 0],
    [9, 9, 0, 0, 0],
    [9, 9, 0, 0, 0],
]
BARS = {"image_shape": (2, 1), "tile_shape": (1, 3), "spacing": 0}
APART = {"image_shape": (1, 2), "tile_shape": (2, 1), "spacing": 2}
SCALED = {"image_shape": (1, 4), "spacing": 0, "scale_rows": True}


@pytest.mark.parametrize(
    "rows, options, expected",
    [
        (np.array([[0, 64, 128, 255], [1, 2, 3, 4], [9, 9, 9, 9]]) / 256, {}, SIDE_BY_SIDE),
        (np.array([[10, 20], [30, 40]]) / 256, BARS, [[10, 30, 0], [20, 40, 0]]),
        (np.array([[10, 20], [30, 40]]) / 256, APART, [[10, 20], [0, 0], [0, 0], [30, 40]]),
        ([[1.0]], {}, [[255]]),
        ([[-3.0, -1.0, 1.0, -2.0]], SCALED, [[0, 128, 255, 64]]),
        ([[7.0, 7.0, 7.0, 7.0]], SCALED, [[0, 0, 0, 0]]),
        ([[0.0, 1e-9, 0.0, 0.0]], SCALED, [[0, 255, 0, 0]]),
        (np.array([[-40000, 40000, 0, 20000]], "float16"), SCALED, [[0, 255, 128, 192]]),
        ([[-1.5e308, 1.5e308, 0, 0.75e308]], SCALED, [[0, 255, 128, 192]]),
    ],
)
def test_tiles(rows, options, expected):
    image = tile_images(rows, **options)
    assert image.mode == "L" and np.asarray(image).tolist() == expected


def test_pixels_of_256ths_come_back_exactly():
    rows = np.arange(256).reshape(1, 256).astype("float32") / np.float32(256)
    assert np.asarray(tile_images(rows)).ravel().tolist() == list(range(256))


def test_frames_are_weights_on_one_colour_scale():
    small, large = np.zeros((4, 2)), np.zeros((4, 2))
    small[0, 0], large[0, 0] = 1.0, 4.0
    frames = animate_weights([small, large], ["one", "four"])
    for frame, W, title in zip(frames, [small, large], ["one", "four"]):
        png = io.BytesIO()
        plot_weights(W, limit=4.0, title=title).savefig(png, dpi=100)
        assert (frame.mode, frame.width) == ("RGB", WIDTH)
        np.testing.assert_array_equal(frame, Image.open(png).convert("RGB"))


def test_an_animation_is_read_back_as_it_was_drawn(tmp_path, rng):
    W = rng.normal(size=(25, 5))
    frames = animate_weights([W * i for i in range(9)], [f"frame {int(i)}" for i in range(9)])
    path = tmp_path / "weights.gif"
    save_animation(path, frames, milliseconds=150, last_milliseconds=3000)
    durations = []
    with Image.open(path) as animation:
        assert (animation.format, animation.n_frames, animation.size) == ("GIF", 9, frames[0].size)
        assert animation.info["loop"] == 0
        for i, frame in enumerate(frames):
            animation.seek(i)
            durations.append(animation.info["duration"])
            found = np.asarray(animation.convert("RGB")).astype(int)
            off = np.abs(found - np.asarray(frame))
            assert off.max() <= 16 and off.mean() < 1
            assert found[0, 0].tolist() == [255, 255, 255]
    assert durations == [150] * 8 + [3000]


def test_frames_share_one_palette(tmp_path):
    # Were each frame given its own 255 colours, the reds of the first would be exact.
    reds = np.zeros((32, 32, 3), np.uint8)
    reds[..., 0] = np.arange(1024).reshape(32, 32) // 4
    save_animation(
        tmp_path / "x.gif", [Image.fromarray(np.roll(reds, i, axis=2)) for i in range(3)]
    )
    colours = set()
    with Image.open(tmp_path / "x.gif") as animation:
        for i in range(3):
            animation.seek(i)
            pixels = np.asarray(animation.convert("RGB")).reshape(-1, 3)
            colours.update(map(tuple, pixels.tolist()))
    assert 100 < len(colours) <= 255


ODD = {"font.size": 30, "axes.facecolor": "black", "lines.linewidth": 20, "savefig.dpi": 10,
       "font.family": "serif", "image.cmap": "hot", "axes.grid": True, "savefig.bbox": "tight",
       "xtick.labelsize": 3, "svg.hashsalt": "salt", "figure.facecolor": "red"}  # fmt: skip


@pytest.mark.once
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_figure_gives_the_same_file_every_time_whatever_the_user_s_settings(
    saved, examples, name
):
    first = saved(examples[name])
    assert first.startswith(b"<?xml") and b"dc:date" not in first
    assert saved(examples[name]) == first
    with matplotlib.rc_context(ODD):
        before = dict(matplotlib.rcParams)
        assert saved(EXAMPLES[name]()) == first
        assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    "ending, start, date", [("png", b"\x89PNG", b"Software"), ("pdf", b"%PDF", b"/CreationDate")]
)
def test_png_and_pdf_files_are_the_same_every_time(saved, examples, ending, start, date):
    first, second = (saved(examples["weights"], "weights." + ending) for _ in range(2))
    assert first == second and first.startswith(start) and date not in first


def test_a_figure_of_any_size_becomes_1200_pixels_wide_and_an_ending_may_be_upper_case(saved):
    with Image.open(io.BytesIO(saved(Figure(figsize=(4, 3)), "x.PNG"))) as png:
        assert (png.format, png.size) == ("PNG", (1200, 900))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_figure_can_be_pickled(saved, examples, name):
    if name == "learning_curves" and matplotlib.__version_info__ < (3, 8):
        pytest.skip("this matplotlib pickles no figure with aligned labels")
    again = pickle.loads(pickle.dumps(examples[name]))
    assert saved(again) == saved(examples[name])


def test_no_number_of_pixels_is_cut_off_by_one(examples):
    # matplotlib 3.7 cuts a fraction off, newer ones round: both must give the same.
    assert int(4.6 * 100) == 459
    heights = {n: figures.new_figure(n / 100).get_figheight() for n in range(100, 1000)}
    heights.update(
        (round(100 * figure.get_figheight()), figure.get_figheight())
        for figure in examples.values()
    )
    for n, height in heights.items():
        assert int(height * 100) == n and int(height * 200) == 2 * n
        assert abs(height - n / 100) < 1e-14


def test_a_figure_that_cannot_be_drawn_leaves_the_old_file(tmp_path):
    (tmp_path / "x.png").write_bytes(b"old")
    broken = no_mistakes()
    broken.axes[0].texts[0].set_text("$\\frac$")  # fails while it is drawn
    with pytest.raises(ValueError):
        save_figure(tmp_path / "x.png", broken)
    assert (tmp_path / "x.png").read_bytes() == b"old"


# --- readable ------------------------------------------------------------------------------------


def drawn_texts(figure, monkeypatch):
    """Draw at 600 pixels; return every text that was drawn, with its box in pixels."""
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


# Figures with much in them: many labels, long ones, large and small numbers.
MANY, SQUARES = np.repeat(np.arange(10), 6000), RNG.random((40, 9))
P_OF_300 = RNG.dirichlet(np.ones(300), 40)
NLL = "training NLL (nats per example)"
LISTED, RANDOM = [123456789, 987654321, 3], RNG.random((90, 2)).tolist()
LONG, NAN = "a label that has far too long a name", [math.nan] * 9
HARD_CASES = {
    "26 weights": lambda: plot_weights(SQUARES[:26].T, labels=range(26)),
    "long labels": lambda: plot_weights(np.eye(16)[:, :13], labels=[LONG] * 13),
    "tiny weights": lambda: plot_weights(np.eye(4) * 1e-6),
    "large weights": lambda: plot_weights(np.eye(4) * 123456789.0),
    "2 weights": lambda: plot_weights(np.eye(4)[:, :2], title="t" * 200),
    "500 weights": lambda: plot_weights(np.ones((4, 500))),
    "300 labels": lambda: plot_mistakes(SQUARES, np.full(40, 299), P_OF_300),
    "1 mistake": lambda: plot_mistakes(SQUARES[:1], [0], [[0, 1]]),
    "no mistake": lambda: plot_mistakes(SQUARES[:1], [0], [[1, 0]], what="W" * 120),
    "all wrong": lambda: plot_confusion_matrix(MANY, (MANY + 1) % 10),
    "20 labels": lambda: plot_confusion_matrix(MANY[::400] * 2, MANY[::400]),
    "500 labels": lambda: plot_confusion_matrix([0], [499]),
    "60000 counts, long what": lambda: plot_confusion_matrix(MANY, MANY, what="W" * 120),
    "two lines of what": lambda: plot_confusion_matrix([0, 1], [0, 0], what="US$\nand $x$"),
    "5000 validations": lambda: plot_learning_curves(usual_run(5000)),
    "nothing finite": lambda: plot_learning_curves(run_of(9, loss=NAN, error=NAN)),
    "some errors missing": lambda: plot_learning_curves(
        run_of(9, error=[0.1] * 4 + NAN[:1] + [0.1] * 4, patience=range(9))
    ),
    "large loss": lambda: plot_learning_curves(run_of(9, loss=lambda i: 10.0 ** (9 * i))),
    "small loss": lambda: plot_learning_curves(run_of(9, loss=lambda i: 1e-9 / (i + 1))),
    "two lines of loss label": lambda: plot_learning_curves(
        usual_run(), loss_label="training NLL\n(nats per example)"
    ),
    "long loss label": lambda: plot_learning_curves(usual_run(), loss_label=NLL),
    "the same without epochs": lambda: plot_learning_curves(run_of(1), loss_label=NLL),
    "far too long loss label": lambda: plot_learning_curves(
        run_of(9, loss=NAN), loss_label="W" * 200 + "\nof $\\foo$"
    ),
    "many updates": lambda: plot_learning_curves([row(10**15 * i, epoch=i) for i in range(1, 9)]),
    "1 candidate": lambda: search(learning_rate=[0.13], l2=[0]),
    "90 candidates": lambda: search(
        learning_rate=[0.01, 0.03, 0.1, 0.3, 1], l2=[0, 1e-5, 1e-4], l1=[0, 1e-5, 1e-4], seed=[1, 2]
    ),
    "90 candidates at random": lambda: plot_selection(
        outcomes([{"a": a, "b": b, "seed": 7 * i} for i, (a, b) in enumerate(RANDOM)], range(90))
    ),
    "12 learning rates": lambda: search(learning_rate=[0.001 * 1.7**i for i in range(12)]),
    "12 of them, 12 seeds": lambda: search(
        10**6, learning_rate=[0.001 * 1.7**i for i in range(12)], l2=[0, 1e-5], seed=range(12)
    ),
    "5 settings, long values": lambda: search(
        **{name * 20: [name * 9, "W" * 200, None] for name in "Wi"}, a=LISTED, b=LISTED, c=LISTED
    ),
    "small measured errors": lambda: plot_selection(
        outcomes(grid(a=[1, 2], b=[1, 2], c=[1, 2]), [1e-6 * i for i in range(5, 13)])
    ),
    "one of a million": lambda: search(10**6, a=[1, 2], b=[1, 2], c=[1, 2]),
    "digits, 20 in a row": lambda: plot_digits(SQUARES, range(100, 140), n_columns=20),
}


@pytest.mark.parametrize("name", [*EXAMPLES, *HARD_CASES])
def test_texts_are_large_enough_inside_the_figure_and_apart(name, examples, monkeypatch):
    figure = HARD_CASES[name]() if name in HARD_CASES else examples[name]
    drawn = drawn_texts(figure, monkeypatch)
    assert drawn
    for text, box in drawn:
        assert text.get_fontsize() * 100 / 72 >= 11, text
        assert box.x0 >= 0 and box.y0 >= 0, text
        assert box.x1 <= WIDTH and box.y1 <= figure.bbox.height, text
    if len(drawn) < 300:
        for (one, a), (other, b) in itertools.combinations(drawn, 2):
            across = min(a.x1, b.x1) - max(a.x0, b.x0)
            down = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert across <= 0.5 or down <= 0.5, (one, other)


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
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour, sight):
    """Return CIE L*a*b* of a colour as seen with some kind of sight."""
    seen = np.clip(SIGHT[sight] @ linear(np.array(to_rgb(colour))), 0, 1)
    x, y, z = np.cbrt(np.maximum(XYZ @ seen / XYZ.sum(axis=1), 1e-9))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one, other, sight):
    return np.linalg.norm(lab(one, sight) - lab(other, sight))


@pytest.mark.once
@pytest.mark.parametrize("sight", SIGHT)
def test_lines_and_marks_differ_in_colour_for_every_eye(sight, examples):
    upper, lower = examples["learning_curves"].axes
    lines = [*upper.lines, *lower.lines]
    assert len(lines) == 4
    for one, other in itertools.combinations(lines, 2):
        assert difference(one.get_color(), other.get_color(), sight) > 20  # of 2, one can tell
    for line in lines:
        assert difference(line.get_color(), "white", sight) > 35
    marks = [line.get_marker() for line in lower.lines]
    assert len(set(marks)) == 3  # and by their form


@pytest.mark.once
@pytest.mark.parametrize("sight", SIGHT)
def test_signs_of_weights_can_be_told_by_every_eye(sight, examples):
    cmap = examples["weights"].axes[0].images[0].cmap
    for part in (0.25, 0.5, 0.75, 1.0):
        above, below = cmap(0.5 + part / 2)[:3], cmap(0.5 - part / 2)[:3]
        assert difference(above, below, sight) > 15
    for sign in (-1, 1):  # the larger, the darker
        greys = [lab(cmap(0.5 + sign * part / 2)[:3], sight)[0] for part in np.linspace(0, 1, 9)]
        assert (np.diff(greys) < 0).all()


@pytest.mark.once
@pytest.mark.parametrize("sight", SIGHT)
def test_more_mistakes_are_darker_for_every_eye(sight, examples):
    cmap = examples["confusion_matrix"].axes[0].images[0].cmap
    greys = [lab(cmap(value)[:3], sight)[0] for value in np.linspace(0, 1, 17)]
    assert (np.diff(greys) < -1).all()


def test_without_a_display_and_with_another_backend_and_matplotlibrc(tmp_path):
    (tmp_path / "matplotlibrc").write_text(
        "backend: TkAgg\n" + "".join("{}: {}\n".format(*pair) for pair in ODD.items())
    )
    draw = (
        "import numpy as np\n"
        "from dlt import animate_weights, plot_weights, save_animation, save_figure\n"
        "W = np.arange(40.0).reshape(4, 10)\n"
        "save_figure('{0}.png', plot_weights(W))\n"
        "save_animation('{0}.gif', animate_weights([W, -W], 'ab'))\n"
    )
    check = (
        "import sys\n"
        "bad = ('matplotlib.pyplot', 'tkinter', 'theano', 'pytensor', 'jax', 'dlt.engine',\n"
        "       'dlt.training', 'dlt.shared', 'dlt.sgd')\n"
        "assert not [name for name in bad if name in sys.modules]\n"
    )
    environ = bare_environment(
        MPLBACKEND="TkAgg", MATPLOTLIBRC=tmp_path / "matplotlibrc", PYTHONPATH=ROOT
    )
    environ.pop("DISPLAY", None)
    process = subprocess.run(
        [sys.executable, "-c", draw.format("there") + check],
        cwd=str(tmp_path), env=environ, capture_output=True, text=True,
    )  # fmt: skip
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    exec(draw.format(tmp_path / "here"), {})
    for ending in ("png", "gif"):
        here, there = (tmp_path / (name + "." + ending) for name in ("here", "there"))
        assert here.read_bytes() == there.read_bytes()


@pytest.mark.parametrize("draw", [EXAMPLES["weights"], no_mistakes])
@pytest.mark.parametrize("inline", [False, True])
def test_a_figure_shows_itself_in_a_notebook_once(draw, inline):
    formatters = pytest.importorskip("IPython.core.formatters")
    display = formatters.DisplayFormatter()
    if inline:  # what %matplotlib inline, or importing pyplot there, sets up
        from IPython.core import pylabtools

        pylabtools.select_figure_formats(types.SimpleNamespace(display_formatter=display), {"png"})
    data, metadata = display.format(draw())
    assert set(data) == {"image/png", "text/plain"}
    if not inline:
        shown = metadata["image/png"]
        with Image.open(io.BytesIO(data["image/png"])) as picture:
            assert picture.size == (1200, 2 * shown["height"]) and shown["width"] == WIDTH


def test_threads_leave_the_settings_of_the_process_as_they_were():
    before = dict(matplotlib.rcParams)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        pngs = list(pool.map(lambda _: plot_weights(np.eye(4))._repr_png_()[0], range(6)))
    assert dict(matplotlib.rcParams) == before and len(set(pngs)) == 1


X, Y, P = np.eye(4), [0, 1, 0, 1], [[0.5, 0.5]] * 4
ROWS = run_of(2)
PIXEL = Image.new("L", (1, 1))
curves = functools.partial(plot_learning_curves, ROWS)
tiles = functools.partial(tile_images, X)
gif = functools.partial(save_animation, "x.gif")
DATA = {
    "x: found no examples (an array of shape (0, 4)); expected one": lambda: plot_digits(
        np.zeros((0, 4))
    ),
    "x: found an array of shape (1, 2, 2, 3); expected 3 dimensions": lambda: plot_digits(
        np.zeros((1, 2, 2, 3))
    ),
    "x: found 5 inputs; expected a square number": lambda: plot_digits(np.zeros((2, 5))),
    "x: found NaN or infinite values": lambda: plot_digits([[math.nan]]),
    "x: found 501 pictures; expected at most 500": lambda: plot_digits(
        np.ones((501, 183**2), "u1")
    ),
    "x: found 16781312 pixels in all pictures; expected at most 16777216; take fewer": lambda: (
        plot_digits(np.ones((1, 4096, 4097), "u1"))
    ),
    "x: found rows of different lengths": lambda: plot_mistakes([[1], [1, 2]], Y, P),
    "y: found 1 of them; expected 4": lambda: plot_digits(X, [1]),
    "y: found a row of 2 values; expected one number or text for each; of one-hot rows take": (
        lambda: plot_digits(X, np.eye(2)[Y])
    ),
    "y: found a row of 1 values; exp": lambda: plot_digits(X, [[1], [2], [3], [4]]),
    "W: found an array of shape (1,); expected (n_in, n_out) or (h": lambda: plot_weights([1.0]),
    "W: found weights up to 1e+300; expected": lambda: plot_weights([[1e300]]),
    "labels: found 2 of them; expected 4": lambda: plot_weights(X, labels="ab"),
    "history: found no rows; expected one": lambda: plot_learning_curves([]),
    "history: found a tuple; expected rows": lambda: plot_learning_curves([(1, 2)]),
    "history: found iterations that": lambda: plot_learning_curves(ROWS[::-1]),
    "history: found a validation error of 5; expected fractions, 0 to 1": (
        lambda: plot_learning_curves(run_of(3, error=lambda i: 5.0))
    ),
    "y: found label 2 in row 1; expected labels from 0 to 1": lambda: plot_confusion_matrix(
        [0, 2], [0, 1], n_out=2
    ),
    "y_pred: found label -1 in row 0": lambda: plot_confusion_matrix([0], [-1]),
    "y: found label 1e+09 in row 0": lambda: plot_confusion_matrix([10**9], [0]),
    "y_pred: found 1 of them; expected 2": lambda: plot_confusion_matrix([0, 1], [0]),
    "p_y_given_x: found 3 of them; expected 4": lambda: plot_mistakes(X, Y, P[:3]),
    "y: found 5 of them; expected 4": lambda: plot_mistakes(X, [*Y, 1], P),
    "y: found label 2 in row 2; expected labels": lambda: plot_mistakes(X, [0, 1, 2, 0], P),
    "p_y_given_x: found values from 1 to 5; expected probabilities, 0 to 1; apply softmax": (
        lambda: plot_mistakes(X, Y, [[1.0, 5.0]] * 4)
    ),
    "p_y_given_x: found values from -1": lambda: plot_mistakes(X, Y, [[1, -1]] * 4),
    "p_y_given_x: found NaN or": lambda: plot_mistakes(X, Y, [[0.5, math.nan]] * 4),
    "rows: found values from 0 to 255; expected 0 to 1; divide pixels by 256, or use scale_": (
        lambda: tile_images(X * 255)
    ),
    "weights: found none; expected one W": lambda: animate_weights([], []),
    "captions: found 0 of them; expected 1": lambda: animate_weights([X], []),
    "weights: found the shapes (4, 2) and (4, 4); expected one shape": lambda: animate_weights(
        [X, X[:, :2]], "ab"
    ),
}
SETTINGS = {
    "y: found 3; expected a sequence": lambda: plot_digits(X, 3),
    "what: found int; expected text": lambda: plot_confusion_matrix(Y, Y, what=3),
    "what: found NoneType; expected t": lambda: plot_mistakes(X, Y, P, what=None),
    "loss_label: found float; expected text": lambda: curves(loss_label=1.5),
    "title: found list; expected text": lambda: plot_weights(X, title=["a"]),
    "n_columns: found 0; expected a whole": lambda: plot_digits(X, n_columns=0),
    "n_columns: found a figure of 500 pictures in 2 columns, 97866 pixels hi": (
        lambda: plot_digits(np.zeros((500, 4)), n_columns=2)
    ),
    "initial_patience: found str; expected a finite number above 0": lambda: curves(
        initial_patience="a"
    ),
    "limit: found 0; expected a finite number": lambda: plot_weights(X, limit=0),
    "limit: found TensorVariable; expected a finite number above 0, such as 1.0": lambda: (
        plot_weights(X, limit=dlt.T.scalar())
    ),
    "best_iteration: found 7; expected an iteration of the history": lambda: curves(
        best_iteration=7
    ),
    "best_iteration: found 20, where the validation error is NaN; expected an iteration with": (
        lambda: plot_learning_curves(run_of(2, error=[0.1, math.nan]), best_iteration=20)
    ),
    "outcomes: found 0 candidates, none with a score; expected one": lambda: plot_selection([]),
    "outcomes: found 2 candidates, none with a score; expected one": lambda: plot_selection(
        outcomes([{}, {}], [None, None])
    ),
    "outcomes: found a tuple; expected outcomes, such as": lambda: plot_selection(((), 3, 0.5)),
    "n_out: found 501; expected": lambda: plot_confusion_matrix(Y, Y, n_out=501),
    "n_examples: found 0; expected a who": lambda: plot_mistakes(X, Y, P, 0),
    "tile_shape: found (1, 3); expected room for 4 pictures": lambda: tiles(tile_shape=(1, 3)),
    "image_shape: found (1, 3); expected a product of 4, the length of the rows": lambda: tiles(
        image_shape=(1, 3)
    ),
    "tile_shape: found [1, 2, 3]; expected two numb": lambda: tiles(tile_shape=(1, 2, 3)),
    "tile_shape: found 0; expected": lambda: tiles(tile_shape=(0, 3)),
    "spacing: found -1; expected a whole n": lambda: tiles(spacing=-1),
    "x.jpg: found 'jpg'; expected one of png, svg, pdf": lambda: save_figure("x.jpg", 0),
    "figure: found Image; expected a matplotlib Figure": lambda: save_figure("x.png", PIXEL),
    "no/such/x.png: found a file that cannot be written": lambda: save_figure(
        "no/such/x.png", Figure()
    ),
    "x.png: found 'png'; expected one of gif": lambda: save_animation("x.png", []),
    "frames: found none; expected some": lambda: gif([]),
    "frames: found frames of 1 x 1 and 3 x 4 pixels; expected some of one size": lambda: gif(
        [PIXEL, Image.new("L", (3, 4))]
    ),
    "frames: found Figure; expected Pillow images, such as animate_weights": lambda: gif(
        [plot_weights(X)]
    ),
    "frames: found frames of 0 x 3 pixels; expected 1 to 65535 each way, as a GIF has": lambda: gif(
        [Image.new("RGB", (0, 3))]
    ),
    "frames: found frames of 70000 x 1 pixels; expected 1 to 65535": lambda: gif(
        [Image.new("L", (70000, 1))]
    ),
    "milliseconds: found 1; expected a whole number from 20 to 60000": lambda: gif(
        [PIXEL], milliseconds=1
    ),
    "milliseconds: found 60000 for each of 12 frames and 2000 for the last; expected at most "
    "655350 in all": lambda: gif([PIXEL] * 12, milliseconds=60000),
}


@pytest.mark.parametrize(
    "kind, message, call",
    [(kind, *bad) for kind, all_bad in ((DataError, DATA), (SettingsError, SETTINGS))
     for bad in all_bad.items()],
)  # fmt: skip
def test_bad_input_gets_one_line(kind, message, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind) as error:
        call()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == []


def test_probabilities_may_be_rounded_above_1():
    p = np.array([[np.nextafter(np.float32(1), np.float32(2)), 0]] * 4, np.float32)
    assert len(plot_mistakes(X, Y, p).axes[0].images) == 2
