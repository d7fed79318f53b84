"""The documents: what they name is there."""

import re

import pytest
from conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def names_of_tests(page):
    """Pairs of a file and a test; a test without a file is of the file named before it."""
    file = None
    for found in re.finditer(r"`(test_\w+\.py)?(?:::(test_\w+))?`", page.read_text("utf-8")):
        file = found.group(1) or file
        if found.group(2):
            yield file, found.group(2)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_every_promise_stands_beside_a_test_that_exists():
    named = list(names_of_tests(ROOT / "docs" / "reliability.md"))
    assert len(named) > 25
    missing = [
        (file, name)
        for file, name in named
        if "def {}(".format(name) not in (ROOT / "tests" / file).read_text("utf-8")
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_line_is_a_place_left_to_fill(page):
    lines = page.read_text("utf-8").splitlines()
    assert [line for line in lines if re.fullmatch(r"[A-Z]{4,}", line)] == []
