"""The page to draw digits on, used in real headless Chromium; and the script that writes it.

The page must do what `dlt.Predictor` and `dlt.read_picture` do. Mouse, touch and keys are the
browser's own events.
"""

import base64
import functools
import html
import json
import math
import os
import shutil

import numpy as np
import pytest
from browser import chromium
from reference import contrast, luminance

import dlt
from dlt import engine
from dlt.errors import DataError, SettingsError
from dlt.pictures.page import export_page, page_html
from dlt.pictures.reading import MNIST, read_picture
from dlt.prediction import description_of

pytestmark = pytest.mark.once

# Where a pen goes to write a digit, stroke by stroke, as (across, down) parts of the paper.
ZERO = [[(0.5, 0.2), (0.35, 0.3), (0.3, 0.5), (0.35, 0.7), (0.5, 0.8), (0.65, 0.7), (0.7, 0.5),
         (0.65, 0.3), (0.5, 0.2)]]  # fmt: skip
ONE = [[(0.52, 0.2), (0.5, 0.5), (0.48, 0.8)]]
SEVEN = [[(0.34, 0.24), (0.66, 0.2), (0.52, 0.5), (0.45, 0.8)], [(0.35, 0.52), (0.68, 0.48)]]

EMPTY = "Nothing is drawn yet."
HOSTILE = (
    "</script><script>window.injected = 1</script><img src=x onerror='injected = 2'>&lt;$model\""
)


# --- the model, the pages and the browser --------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run on the embedded digits, whose model chooses the nearest mean."""
    folder = tmp_path_factory.mktemp("run")
    (x, y), _, _ = dlt.load_data("digits")
    means = np.stack([x[y == label].mean(axis=0) for label in range(10)])
    params = {"W": means.T, "b": -0.5 * (means**2).sum(axis=1)}
    dlt.save_params(folder / "best_params.npz", params, {"dataset": "digits"})
    dlt.write_history(folder / "history.csv", [dlt.HistoryRow(60, 1, 0.5, 0.125, 5e3, 0.1)])
    return folder


@pytest.fixture(scope="module")
def predictor(run):
    """The same model, in float32."""
    before = engine.theano.config.floatX
    engine.set_floatX("float32")
    yield dlt.Predictor(run)
    engine.set_floatX(before)


@pytest.fixture(scope="module", params=[pytest.param("chromium", marks=pytest.mark.slow)])
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


class Page:
    """The page in the browser, and ways to use it."""

    def __init__(self, browser, path):
        self.browser = browser
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.prefer()
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # what came before is not this page's
        browser.get(path.as_uri())
        self.wait_for("return 'dlt' in window")  # a busy chromedriver may return too early

    def wait_for(self, code):
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.browser, 60).until(lambda browser: browser.execute_script(code))

    def prefer(self, **features):
        """Show pages as if these media features were set, and no others."""
        listed = [{"name": n.replace("_", "-"), "value": value} for n, value in features.items()]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})

    def js(self, code, *args):
        return self.browser.execute_script(code, *args)

    def element(self, name):
        return self.browser.find_element("id", name)

    def text(self, name):
        self.settle()
        return self.element(name).text

    def settle(self):
        """Wait until what was changed is shown: that is at the next frame."""
        self.browser.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0]))")

    def actions(self):
        from selenium.webdriver.common.action_chains import ActionChains

        return ActionChains(self.browser, duration=10)

    def drag(self, *strokes):
        """Draw strokes with the mouse."""
        paper = self.element("paper")
        size = paper.size["width"]
        for stroke in strokes:
            offsets = [(round((x - 0.5) * size), round((y - 0.5) * size)) for x, y in stroke]
            actions = self.actions().move_to_element_with_offset(paper, *offsets[0])
            actions.click_and_hold()
            for offset in offsets[1:]:
                actions.move_to_element_with_offset(paper, *offset)
            actions.release().perform()
        self.settle()

    def draw(self, strokes):
        """Draw without events."""
        self.js("dlt.draw(arguments[0])", [[{"x": x, "y": y} for x, y in s] for s in strokes])
        self.settle()

    def keys(self, *keys):
        """Press keys, wherever the focus is."""
        self.actions().send_keys(*keys).perform()
        self.settle()

    def field(self):
        """What the model sees, or None."""
        field = self.js("return dlt.field()")
        return None if field is None else np.array(field, dtype=np.float32)

    def field_by_pillow(self, path, description=MNIST):
        """What `read_picture` makes of a picture of the paper."""
        url = self.js("return document.getElementById('paper').toDataURL('image/png')")
        path.write_bytes(base64.b64decode(url.partition(",")[2]))
        return read_picture(path, description)[0]

    def probabilities(self, rows):
        code = "return arguments[0].map((x) => dlt.probabilities(x))"
        return np.array(self.js(code, np.asarray(rows).tolist()))

    def shown(self):
        """The table: label, number and whether it is marked, for each row."""
        rows = self.js(
            "return Array.from(document.querySelectorAll('#bars tbody tr'), (row) => ["
            "row.cells[0].innerText, row.cells[2].innerText,"
            "getComputedStyle(row.cells[3]).visibility])"
        )
        return [(label, number, mark == "visible") for label, number, mark in rows]

    def widen(self, width):
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
        )


@pytest.fixture
def open_page(browser):
    """Open a page in the browser; in the end its console must be empty."""
    yield functools.partial(Page, browser)
    assert browser.get_log("browser") == []


@pytest.fixture(scope="module")
def exported(run):
    export_page(run / "draw.html", run)
    return run / "draw.html"


@pytest.fixture
def page(open_page, exported):
    return open_page(exported)


@pytest.fixture
def open_model(open_page, tmp_path):
    """Open the page of a model, given as arrays."""

    def write_and_open(W, b, about="", **described):
        path = tmp_path / "model.html"
        description = description_of({}, *W.shape)._replace(**described)
        path.write_text(page_html(W, b, description, about), encoding="utf-8")
        return open_page(path)

    return write_and_open


# --- in the browser ------------------------------------------------------------------------------


def test_100_digits_get_the_same_probabilities(page, predictor):
    _, _, (x, _) = dlt.load_data("digits")
    found, expected = page.probabilities(x[:100]), predictor.probabilities(x[:100])
    assert expected.dtype == "float32" and found.shape == (100, 10)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert (found == found.astype(np.float32)).all()


def test_probabilities_are_those_of_float32(open_model):
    W, x = np.zeros((9, 3)), np.zeros((4, 9))
    # exp(4096) is infinite; of two scores as high the softmax is a half each
    W[:2] = [4096, 4096, 0], [0, -4096, 0]
    # 2^24 + 1 is not a float32: added one after the other, two ones are lost; in doubles they
    # would count, and the first label would have a probability of 0.88
    W[2:5] = [2**24, 2**24, 0], [1, 0, 0], [1, 0, 0]
    x[0, 0] = x[1, :2] = x[2, 2:5] = 1
    found = open_model(W, np.zeros(3)).probabilities(x)
    assert found[:3].tolist() == [[0.5, 0.5, 0], [1, 0, 0], [0.5, 0.5, 0]]
    np.testing.assert_allclose(found[3], 1 / 3, rtol=1e-7)


def test_scores_that_float32_cannot_hold_give_no_answer(open_model):
    page = open_model(np.full((784, 2), 3e38), np.zeros(2))
    page.draw(ONE)
    assert page.text("answer") == "No answer: the model's numbers are too large."
    assert page.shown() == [("0", "–", False), ("1", "–", False)]


@pytest.mark.parametrize("side, n_out", [(1, 2), (5, 12), (90, 10)])
def test_any_side_and_any_number_of_labels(open_model, tmp_path, rng, side, n_out):
    W, b = rng.normal(size=(side**2, n_out)), rng.normal(size=n_out)
    page, like = open_model(W, b), MNIST._replace(height=side, width=side)
    for strokes in ([[(0.5, 0.5)]], SEVEN):  # the dot is smaller than the box of the widest field
        page.draw(strokes)
        field = page.field()
        assert np.abs(field - page.field_by_pillow(tmp_path / "paper.png", like)).max() <= 1 / 256
    scores = field @ W + b
    expected = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    np.testing.assert_allclose(page.probabilities([field])[0], expected, atol=1e-5)
    shown = page.shown()
    assert [label for label, _, _ in shown] == [str(k) for k in range(n_out)]
    assert [marked for _, _, marked in shown].index(True) == expected.argmax()
    np.testing.assert_allclose(percentages(shown), 100 * expected, rtol=0, atol=0.0501)
    heights = "return Array.from(document.querySelectorAll('#bars th'), (e) => e.offsetHeight)"
    assert len(set(page.js(heights)[3:])) == 1  # those behind the header, also of label 10
    size = "const c = document.getElementById('weights'); return [c.width, c.height]"
    assert page.js(size) == [side, side]


SCALED = {"height": 20, "width": 30, "ground": "dark", "centred": False}


@pytest.mark.parametrize(
    "described",
    [
        {**SCALED, "scale": 1},
        {**SCALED, "ground": "light"},
        {**SCALED, "height": 100, "width": 6, "ground": "light"},
        {**SCALED, "height": 8, "width": 200},
        {"ground": "light"},
    ],
)
def test_drawings_become_what_the_model_was_trained_on(open_model, tmp_path, rng, described):
    labels = ("ham", "spam & <b>", "a long name that goes on and on and on and on")
    like = MNIST._replace(**described)
    W = rng.normal(size=(like.height * like.width, 3))
    page = open_model(W, np.zeros(3), labels=labels, **described)
    for strokes in (SEVEN, [[(0.5, 0.5)]]):
        page.draw(strokes)
        field = page.field()
        difference = field - page.field_by_pillow(tmp_path / "paper.png", like)
        assert np.abs(difference).max() <= 1 / 255
    assert field.max() <= (1 if "scale" in described else 255 / 256)
    assert np.median(field) == (255 / 256 if like.ground == "light" else 0)
    size = "const c = document.getElementById('{}'); return [c.width, c.height]"
    assert page.js(size.format("weights")) == [like.width, like.height]
    width, height = page.js(size.format("paper"))
    assert width / height == pytest.approx(like.width / like.height, rel=0.5 / min(width, height))
    box = page.element("paper").size
    assert box["width"] / box["height"] == pytest.approx(width / height, rel=0.05)
    shown = [*labels[:2], labels[2][:40]]
    assert page.js("return Array.from(document.querySelectorAll('#bars tbody th'),"
                   "(e) => e.textContent)") == shown  # fmt: skip
    marked = next(label for label, (_, _, mark) in zip(shown, page.shown()) if mark)
    assert page.text("answer").startswith(marked)
    assert page.text("votes-caption") == f"votes on {marked}"
    page.widen(320)
    assert page.js("return document.documentElement.scrollWidth") <= 320


def percentages(shown):
    return [float(number.replace(" %", "")) for _, number, _ in shown]


def test_a_drawing_becomes_the_field_that_read_picture_makes(page, tmp_path, rng):
    drawings = [ZERO, ONE, SEVEN, SEVEN[:1], [[(0.5, 0.5)]], [[(0.1, 0.5), (0.9, 0.5)]]]
    for _ in range(20):  # one to four strokes, large or small, well inside the paper or at its edge
        size = rng.uniform(0.02, 1)
        corner = rng.uniform(0, 1 - size, 2)
        lengths = rng.integers(1, 7, rng.integers(1, 5))
        drawings.append([(corner + size * rng.uniform(0, 1, (n, 2))).tolist() for n in lengths])
    # Around 80 x 50 pixels: of the box's 20, 12.5, which Python rounds to the even number.
    drawings += [
        [[(0.2, 0.2 + high / 560), (0.2, 0.2), (0.2 + wide / 560, 0.2)]]
        for high in (34, 35, 36)
        for wide in (4, 5, 6)
    ]
    for strokes in drawings:
        page.draw(strokes)
        field = page.field()
        difference = np.abs(field - page.field_by_pillow(tmp_path / "paper.png")) * 256
        assert difference.max() <= 1, strokes
        assert field.max() == 255 / 256 and field.min() == 0
    shown = page.js(
        "const c = document.getElementById('field');"
        "return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    )
    for colour in range(3):
        assert (np.array(shown[colour::4]) == field * 256).all()


@pytest.mark.parametrize("label, strokes", [(0, ZERO), (7, SEVEN)])
def test_drawing_with_the_mouse(page, label, strokes, predictor):
    assert page.text("answer") == EMPTY and page.field() is None
    page.drag(*strokes)
    (expected,) = predictor.probabilities([page.field()])
    assert expected.argmax() == label
    shown = page.shown()
    assert [(name, mark) for name, _, mark in shown] == [(str(k), k == label) for k in range(10)]
    np.testing.assert_allclose(percentages(shown), 100 * expected, rtol=0, atol=0.0501)
    answer = f"{label} with probability {shown[label][1]}"
    assert " ".join(page.text("answer").split()) == answer
    assert page.text("weights-caption") == f"weights of {label}"


def test_drawing_with_a_finger(page):
    page.widen(360)
    box = page.js("return document.getElementById('paper').getBoundingClientRect().toJSON()")
    for stroke in SEVEN:
        places = [[box["x"] + x * box["width"], box["y"] + y * box["height"]] for x, y in stroke]
        kinds = ["touchStart", *["touchMove"] * (len(stroke) - 1), "touchEnd"]
        for kind, place in zip(kinds, [*places, None]):
            points = [dict(zip("xy", place))] if place else []
            event = {"type": kind, "touchPoints": points}
            page.browser.execute_cdp_cmd("Input.dispatchTouchEvent", event)
    assert page.text("answer").startswith("7")
    assert page.js("return scrollX + scrollY") == 0  # the paper did not move under the finger


def test_the_mouse_draws_only_while_its_first_button_is_down_and_without_ctrl(page, key):
    page.actions().move_to_element(page.element("paper")).move_by_offset(30, 30).perform()
    page.actions().context_click(page.element("paper")).perform()
    page.actions().key_down(key.CONTROL).perform()
    page.drag(*ONE)
    page.actions().key_up(key.CONTROL).perform()
    assert page.text("answer") == EMPTY and page.field() is None
    page.drag(*ONE)
    field = page.field()
    page.actions().move_to_element(page.element("paper")).move_by_offset(90, 0).perform()
    assert (page.field() == field).all()


def test_a_release_that_a_menu_swallowed_ends_the_stroke(page):
    paper = page.element("paper")
    page.drag(*ONE)
    one = page.field()
    page.actions().move_to_element(paper).click_and_hold().perform()
    page.js(  # Chromium itself does not forget it: this is what others send
        "const [paper] = arguments; const box = paper.getBoundingClientRect();"
        "paper.addEventListener('pointermove', (event) => window.pointer = event.pointerId);"
        "window.hover = (x, y) => paper.dispatchEvent(new PointerEvent('pointermove', {"
        "  pointerId: window.pointer, buttons: 0,"
        "  clientX: box.left + x * box.width, clientY: box.top + y * box.height}));",
        paper,
    )
    page.actions().move_by_offset(5, 0).perform()
    page.js("hover(0.9, 0.1)")
    page.element("undo")  # no click: it would release the button
    page.js("document.getElementById('undo').click()")
    assert (page.field() == one).all()
    page.js("hover(0.9, 0.9)")
    assert (page.field() == one).all()
    page.actions().release().perform()
    page.drag(*SEVEN)
    assert (page.field() != one).any()


def test_selected_text_does_not_hold_up_the_mouse(page):
    page.drag(*SEVEN)
    expected = page.field()
    page.element("clear").click()
    page.js("getSelection().selectAllChildren(document.body)")
    page.drag(*SEVEN)
    assert page.js("return getSelection().toString()") != ""
    np.testing.assert_array_equal(page.field(), expected)


def test_a_stroke_is_recognised_as_it_grows_and_goes_on_outside_of_the_paper(page):
    page.actions().move_to_element(page.element("paper")).click_and_hold().move_by_offset(
        0, 60
    ).perform()
    assert page.text("answer") != EMPTY
    page.actions().release().perform()
    page.element("clear").click()
    page.drag([(0.5, 0.5), (1.05, 0.5), (0.5, 0.8)])
    field = page.field()
    page.draw([[(0.5, 0.5), (1.05, 0.5), (0.5, 0.8)]])
    assert np.abs(field - page.field()).mean() < 0.02


def test_undo_and_clear(page):
    page.drag(SEVEN[0])
    seven, answer = page.field(), page.text("answer")
    page.drag(SEVEN[1])
    assert (page.field() != seven).any()
    page.element("undo").click()
    assert (page.field() == seven).all() and page.text("answer") == answer
    page.element("undo").click()
    assert page.field() is None and page.text("answer") == EMPTY
    page.element("undo").click()  # there is nothing to undo: nothing happens
    page.drag(*SEVEN)
    page.element("clear").click()
    assert page.field() is None and page.text("answer") == EMPTY
    assert page.shown() == [(str(k), "–", False) for k in range(10)]


@pytest.fixture
def key():
    return pytest.importorskip("selenium.webdriver.common.keys").Keys


def test_tab_reaches_everything(page, key):
    found = []
    for _ in range(3):
        page.keys(key.TAB)
        focus = "document.activeElement"
        found.append(page.js(f"return {focus}.id"))
        assert page.js(f"return getComputedStyle({focus}).outlineStyle") == "solid"
    assert found == ["paper", "undo", "clear"]
    assert page.js("return document.querySelectorAll('a, button, input, [tabindex]').length") == 3


def test_drawing_with_the_keyboard(page, key):
    page.keys(key.TAB)
    assert page.element("pen").is_displayed()
    page.keys(key.ARROW_LEFT * 6)
    assert page.field() is None  # the pen is up
    page.keys(" ", key.ARROW_RIGHT * 10, key.ARROW_DOWN * 6)
    assert page.element("pen").get_attribute("class") == "down"
    page.actions().key_down(key.ARROW_LEFT).send_keys(key.ARROW_DOWN * 7).key_up(
        key.ARROW_LEFT
    ).perform()
    page.keys(key.ARROW_DOWN * 3, key.ARROW_RIGHT * 12, key.ENTER)
    assert page.element("pen").get_attribute("class") == ""
    assert page.text("answer").startswith("2")
    two = page.field()
    page.keys(key.ARROW_UP * 9)
    assert (page.field() == two).all()
    # the same by hand: a step is a 40th of the paper, and two arrows at a time make a slant
    corners = [(0, 0), (10, 0), (10, 6), (9, 6), (2, 13), (2, 16), (14, 16)]
    page.draw([[(0.35 + x / 40, 0.25 + y / 40) for x, y in corners]])
    assert np.abs(page.field() - two).max() <= 4 / 256
    page.keys(" ", key.ARROW_UP, "U")
    assert np.abs(page.field() - two).max() <= 4 / 256


@pytest.mark.parametrize("name", ["ESCAPE", "DELETE"])
def test_keys_that_clear(page, key, name):
    page.keys(key.TAB, " ", key.ARROW_DOWN * 9, " ", key.ARROW_LEFT * 9, " ", key.ARROW_UP)
    assert page.field() is not None
    page.keys(getattr(key, name))
    assert page.field() is None
    page.keys(key.ARROW_UP)
    assert page.field() is None  # the pen was lifted


def test_leaving_the_paper_lifts_the_pen(page, key):
    page.keys(key.TAB, " ", key.ARROW_DOWN * 9)
    field = page.field()
    page.keys(key.TAB)
    assert not page.element("pen").is_displayed()
    page.actions().key_down(key.SHIFT).send_keys(key.TAB).key_up(key.SHIFT).perform()
    page.keys(key.ARROW_RIGHT * 9)
    assert (page.field() == field).all()


def test_the_pen_stays_on_the_paper(page, key):
    page.widen(360)  # so narrow that the arrow keys would scroll
    place = "const { left, top } = document.getElementById('pen').style; return [left, top]"
    page.keys(key.TAB, " ", key.ARROW_UP * 45, key.ARROW_LEFT * 45)
    assert page.js(place) == ["4%", "4%"]
    page.keys(key.ARROW_DOWN * 45, key.ARROW_RIGHT * 45)
    assert page.js(place) == ["96%", "96%"]
    assert page.js("return scrollX + scrollY") == 0


def test_other_keys_are_left_alone(page, key):
    page.drag(*ONE)
    one = page.field()
    page.actions().key_down(key.ALT).send_keys("u").key_up(key.ALT).perform()
    page.keys("x", "7")
    assert (page.field() == one).all()
    page.keys(key.TAB, " ")  # now a button has the focus: undo
    assert page.text("answer") == EMPTY


# --- for everyone --------------------------------------------------------------------------------


def test_a_prediction_is_announced_once_the_drawing_rests(page):
    status = page.element("status")
    assert (status.get_attribute("role"), status.get_attribute("textContent")) == ("status", "")
    page.browser.execute_async_script(
        "const [[[x, y]], done] = arguments; const status = document.getElementById('status');"
        "window.said = []; new MutationObserver(() => said.push(status.textContent))"
        "    .observe(status, {childList: true});"
        # frames come as slowly as the machine is busy: the page's clock stands still meanwhile
        "const begin = setTimeout, end = clearTimeout; window.waiting = new Map();"
        "window.setTimeout = (call, after, ...args) => {"
        "  const which = begin(after === 800 ? () => {} : call, after, ...args);"
        "  if (after === 800) waiting.set(which, () => call(...args));"
        "  return which; };"
        "window.clearTimeout = (which) => { waiting.delete(which); end(which); };"
        "window.goOn = () => { for (const call of waiting.values()) call();"
        "  window.setTimeout = begin; window.clearTimeout = end; };"
        "const more = (n) => {"  # a stroke that grows with each frame
        "  dlt.draw([[{x, y}, {x, y: y + n / 50}]]);"
        "  if (n < 30) requestAnimationFrame(() => more(n + 1)); else done(); }; more(1);",
        [ONE[0][0]],
    )
    page.settle()
    assert page.js("return [said, waiting.size]") == [[], 1]
    page.js("goOn()")
    (marked,) = [(label, number) for label, number, mark in page.shown() if mark]
    assert page.js("return said") == ["{}, probability {}".format(*marked)]
    page.element("clear").click()
    waiting = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait(page.browser, 60)
    waiting.until(lambda _: status.get_attribute("textContent") == EMPTY)


def test_controls_and_pictures_have_names(page):
    for drawn in (False, True):
        if drawn:
            page.draw(SEVEN)
        names = page.js(
            "return Array.from(document.querySelectorAll('canvas, button'),"
            "(e) => [e.id, e.getAttribute('aria-label') || e.innerText])"
        )
        order = ["paper", "undo", "clear", "field", "weights", "votes", "legend"]
        assert [name for name, _ in names] == order
        assert all(len(label) > 3 for _, label in names)
    assert dict(map(tuple, names))["weights"] == "Weights of label 7, as colours"
    described = page.element("paper").get_attribute("aria-describedby")
    assert "arrow keys" in page.text(described)
    assert page.js("return document.documentElement.lang") == "en"
    assert page.element("paper").get_attribute("role") == "application"


@pytest.mark.parametrize("width", [320, 800, 1300])
def test_narrow_and_wide_screens(page, width):
    page.widen(width)
    where = (
        "return Array.from(document.querySelectorAll('section, #bars, #sum, .note, canvas'),"
        "(e) => { const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })"
    )
    empty = page.js(where)
    assert page.js("return document.documentElement.scrollWidth") <= width
    page.draw(SEVEN)
    assert page.js("return document.documentElement.scrollWidth") <= width
    np.testing.assert_allclose(page.js(where), empty, atol=0.1)  # nothing moves for an answer


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(page, scheme):
    """A contrast of 4.5 at least, as WCAG 2.2 has it (1.4.3)."""
    page.prefer(prefers_color_scheme=scheme)
    page.draw(SEVEN)
    pairs = page.js(
        "const paint = (e) => getComputedStyle(e).backgroundColor;"
        "const ground = (e) => !e ? 'rgb(255, 255, 255)' :"
        "    paint(e) !== 'rgba(0, 0, 0, 0)' ? paint(e) : ground(e.parentElement);"
        "return Array.from(document.querySelectorAll('h1, h2, p, strong, th, td, button, kbd,"
        " figcaption, .legend span')).filter((e) => e.offsetParent)"
        "    .map((e) => [getComputedStyle(e).color, ground(e)])"
    )
    light = luminance(rgb(page.js("return getComputedStyle(document.body).backgroundColor")))
    assert light > 0.8 if scheme == "light" else light < 0.1
    assert len(pairs) > 50 and len({tuple(pair) for pair in pairs}) >= 4
    assert [pair for pair in pairs if contrast(*map(rgb, pair)) < 4.5] == []


def test_ink_and_bars_are_seen_with_the_system_s_colours(page):
    page.prefer(forced_colors="active")
    page.draw(SEVEN)
    grounds = page.js(
        "return ['#paper', '.bar', '.winner .bar div'].map((name) =>"
        " getComputedStyle(document.querySelector(name)).backgroundColor)"
    )
    text = page.js("return getComputedStyle(document.getElementById('undo')).backgroundColor")
    paper, empty, full = (luminance(rgb(ground)) for ground in grounds)
    assert paper > 0.8  # the ink is black
    assert empty - full > 0.5
    assert text != "rgb(251, 251, 250)"  # the page's own: the rest is the system's


def rgb(colour):
    """Return the parts of "rgb(r, g, b)", from 0 to 1."""
    return np.array([int(part) for part in colour[4:-1].split(",")]) / 255


# --- what comes from files, and what goes out ----------------------------------------------------


def test_hostile_text_stays_text(open_model):
    labels = (HOSTILE[:40], "b\u202e")
    page = open_model(
        np.zeros((4, 2)), np.zeros(2), about=HOSTILE + "\n\ud800\u202e", labels=labels
    )
    assert page.js("return window.injected") is None
    assert page.js("return document.images.length + document.scripts.length") == 2
    text = page.js("return document.querySelector('header p').textContent")
    assert text == HOSTILE + "\\n\\ud800\\u202e It runs in this page: what you draw stays here."
    page.draw(ONE)
    assert page.text("answer").startswith(HOSTILE[:40])
    assert [label for label, _, _ in page.shown()] == [HOSTILE[:40], "b\\u202e"]


@pytest.mark.parametrize(
    "dataset, told",
    [
        (HOSTILE, "trained on script><img src=x onerror='injected = 2'>&lt;$model\"."),
        ("/home/ada/secret/mine.pkl", "trained on mine.pkl."),
        ("C:\\Users\\ada\\mine\\", "trained on mine."),
        ("x" * 1000, "trained on " + "x" * 60 + "."),
        (["mnist"], "10 labels."),
        ("", "10 labels."),
    ],
)
def test_what_the_settings_say_is_escaped_and_short(tmp_path, dataset, told):
    settings = {"dataset": dataset}
    dlt.save_params(tmp_path / "m.npz", {"W": np.zeros((784, 10)), "b": np.zeros(10)}, settings)
    export_page(tmp_path / "m.html", tmp_path / "m.npz")
    assert html.escape(told) in (tmp_path / "m.html").read_text(encoding="utf-8")


def test_a_page_asks_for_nothing(page):
    page.drag(*SEVEN)
    messages = [json.loads(e["message"])["message"] for e in page.browser.get_log("performance")]
    urls = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert urls[0].endswith("/draw.html")
    assert [url for url in urls[1:] if not url.startswith("data:")] == []


def test_a_page_may_ask_for_nothing(exported, browser):
    page = Page(browser, exported)
    refused = browser.execute_async_script(
        "const [done] = arguments, found = [];"
        "addEventListener('securitypolicyviolation', ({effectiveDirective}) => {"
        "  if (found.push(effectiveDirective) === 3) done(found.sort()); });"
        "new Image().src = 'http://127.0.0.1/image.png';"
        "fetch('http://127.0.0.1/text').catch(() => null);"
        "const script = document.createElement('script');"
        "script.textContent = 'window.injected = 1'; document.body.append(script);"
    )
    assert refused == ["connect-src", "img-src", "script-src-elem"]
    assert page.js("return window.injected") is None
    browser.get_log("browser")  # the console tells of it


# --- without a browser ---------------------------------------------------------------------------


@pytest.mark.parametrize("error, told", [(0.125, True), (math.nan, 0), (1e30, 0), (-0.5, 0)])
def test_the_page_tells_the_run_s_error_if_it_is_one(tmp_path, error, told):
    dlt.save_params(tmp_path / "best_params.npz", {"W": np.zeros((4, 2)), "b": np.zeros(2)})
    dlt.write_history(tmp_path / "history.csv", [dlt.HistoryRow(1, 1, 0.5, error, 10.0, 1.0)])
    export_page(tmp_path / "draw.html", tmp_path)
    page = (tmp_path / "draw.html").read_text(encoding="utf-8")
    assert "The model is a logistic regression with 4 inputs and 2 labels" in page
    assert (", with a validation error of 12.50 %." in page) == told
    assert ("validation error" in page) == told


def test_the_script_puts_the_page_beside_the_parameters(
    run, exported, tmp_path, script, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder = os.path.join("runs", "logreg")
    shutil.copytree(run, folder)
    victim = tmp_path / "victim"
    victim.write_bytes(b"not ours")
    size = round(exported.stat().st_size / 1000)
    for page, args in (
        (os.path.join(folder, "draw.html"), []),
        (os.path.join(folder, "draw.html"), [folder]),
        (os.path.join(folder, "draw.html"), [os.path.join(folder, "best_params.npz")]),
        ("page.htm", [folder, "--output", "page.htm"]),
    ):
        if page != "page.htm":
            os.unlink(page)
            os.symlink(victim, page)
        done = script("export_page.py", *args)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"wrote {page}, {size} kB; open it in a browser\n"
        with open(page, "rb") as file:
            assert file.read() == exported.read_bytes()
    assert victim.read_bytes() == b"not ours"


@pytest.mark.parametrize(
    "W, output, message",
    [
        (
            np.zeros((783, 2)),
            "draw.html",
            "found a model whose inputs are not pictures; expected",
        ),
        (np.full((4, 2), 1e300), "draw.html", "numbers too large; expected .* float32 can hold"),
        (
            np.zeros((4, 2)),
            "no/where.html",
            r"no/where.html: found a file that cannot be written \(No such",
        ),
        (np.zeros((4, 2)), "params.npz", "params.npz: found a name without .html at its end; exp"),
        (None, "draw.html", "history.csv: found a first line 'nothing'; expected"),
    ],
)
def test_what_cannot_be_a_page_is_refused(tmp_path, float64, W, output, message):
    if W is None:
        W = np.zeros((4, 2))
        (tmp_path / "history.csv").write_text("nothing\n")
    dlt.save_params(tmp_path / "best_params.npz", {"W": W, "b": np.zeros(2)})
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((SettingsError, DataError), match=message):
        export_page(tmp_path / output, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
