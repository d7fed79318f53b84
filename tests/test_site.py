"""The HTML pages that `make docs` builds: the tutorial as it ran, its formulas, the reference."""

import re
import subprocess
import sys

import pytest
from browser import chromium
from conftest import MODE_FLAGS, ROOT
from test_getting_started import CELLS, FORMULAS, TEXT, environment

import dlt

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The HTML pages, built as `make docs` builds them."""
    pytest.importorskip("myst_nb")
    pytest.importorskip("furo")
    if MODE_FLAGS:
        pytest.skip("the pages are built with the default linker only")
    tmp_path = tmp_path_factory.mktemp("docs")
    process = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-d",
         str(tmp_path / "doctrees"), str(ROOT / "docs"), str(tmp_path / "html")],
        cwd=str(tmp_path),
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=600,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-3000:]
    return tmp_path / "html"


def page(site, name):
    return (site / name).read_text("utf-8")


def test_the_tutorial_shows_what_it_computed(site):
    html = page(site, "getting_started.html")
    assert [word for word in ("Traceback", "stderr", "widget") if word in html] == []
    assert html.count('class="cell docutils container"') == len(CELLS)
    text = re.sub("<[^>]+>", "", html)
    for expected in ("1.5606", "stopped at iter 16; the best was seen at iter 11", "W (784, 10)"):
        assert expected in text, expected
    assert "minibatch/s" not in text  # a progress bar


def test_the_tutorial_shows_its_figures(site):
    html = page(site, "getting_started.html")
    pictures = re.findall(r'src="(_images/[0-9a-f]+\.png)"', html)
    assert len(pictures) == 8
    for picture in pictures:
        data = (site / picture).read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) > 4000


def test_formulas_are_drawn_by_the_browser_alone(site):
    html = page(site, "getting_started.html")
    assert html.count("<math ") == len(FORMULAS)
    assert html.count('display="block"') == TEXT.count("$$") // 2
    for name in ("index.html", "getting_started.html", "api.html"):
        assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*\.(?:js|css)', page(site, name))


# For each formula of its own line: what scrolls up and down in it, and what stands out of it.
FORMULAS_TOO_HIGH = """
return [...document.querySelectorAll("div.math")].map(div => {
  const box = div.getBoundingClientRect();
  const parts = [...div.querySelectorAll("math, math *")].map(e => e.getBoundingClientRect());
  return {
    scrolled: Math.max(0, div.scrollHeight - div.clientHeight),
    above: Math.max(0, ...parts.map(part => box.top - part.top)),
    below: Math.max(0, ...parts.map(part => part.bottom - box.bottom)),
  };
});
"""


@pytest.mark.parametrize("width", [1200, 600])
def test_no_formula_is_cut_off_or_scrolls_up_and_down(site, tmp_path, width):
    with chromium(tmp_path / "profile") as browser:
        browser.set_window_size(width, 900)
        browser.get((site / "getting_started.html").as_uri())
        found = browser.execute_script(FORMULAS_TOO_HIGH)
    assert found == [{"scrolled": 0, "above": 0, "below": 0}] * (TEXT.count("$$") // 2)


def test_every_public_name_is_documented(site):
    html = page(site, "api.html")
    missing = [name for name in dlt.__all__ if 'id="dlt.{}"'.format(name) not in html]
    assert missing == []
    assert html.count("<math ") > 5


def test_the_site_has_every_document(site):
    for path in (ROOT / "docs").glob("*.md"):
        assert (site / (path.stem + ".html")).is_file()
        assert (
            'href="{}.html"'.format(path.stem) in page(site, "index.html") or path.stem == "index"
        )
