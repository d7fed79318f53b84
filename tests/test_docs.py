"""The docs: what they name exists."""

import re

import pytest
from conftest import ROOT, run_python

import dlt

PAGES = [
    ROOT / "README.md",
    ROOT / ".github" / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def names_of_tests(page):
    """Yield pairs of a file and a test; a test without a file is in the file named before it."""
    file = None
    for found in re.finditer(r"`(test_\w+\.py)?(?:::(test_\w+))?`", page.read_text("utf-8")):
        file = found.group(1) or file
        if found.group(2):
            yield file, found.group(2)


def test_the_readme_s_examples_run_in_a_fresh_interpreter():
    process = run_python("-m", "doctest", "README.md")
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


CALLS = sorted(
    {call for page in PAGES for call in re.findall(r"`(dlt\.[\w.]+\(\))`", page.read_text("utf-8"))}
)


@pytest.mark.parametrize("call", CALLS)
def test_calls_in_the_text_run_in_a_fresh_interpreter(call):
    process = run_python("-c", f"import dlt; print({call})")
    assert (process.returncode, process.stderr) == (0, "") and process.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_no_placeholder_is_left(page):
    text = page.read_text("utf-8")
    local = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []
    assert re.findall(r"^[A-Z]{4,}$", text, re.MULTILINE) == []


@pytest.mark.parametrize("name, at_least", [("reliability.md", 25), ("getting_started.md", 18)])
def test_the_tests_that_the_docs_name_exist(name, at_least):
    named = list(names_of_tests(ROOT / "docs" / name))
    assert len(named) > at_least
    missing = [
        (file, name)
        for file, name in named
        if f"def {name}(" not in (ROOT / "tests" / file).read_text("utf-8")
    ]
    assert missing == []


def test_every_slip_of_the_page_names_its_test():
    text = (ROOT / "docs" / "getting_started.md").read_text("utf-8")
    rows = re.findall(r"^\|(.*)\|$", text.split("## Slips of the original")[1], re.MULTILINE)[2:]
    assert len(rows) == 16
    assert [row for row in rows if not re.search(r"`test_\w+\.py::test_\w+`", row)] == []
    assert [row for row in rows if row.count("|") != 3] == []  # four columns


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {dlt.__version__}\n" in citation


def test_every_public_name_is_in_the_api_reference():
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    listed = re.findall(r"^\.\. (?:auto\w+|py:data):: (\w+)$", text, re.MULTILINE)
    assert sorted(listed) == dlt.__all__
    summary = re.findall(r"^   (\w+)$", text.split("## ")[0], re.MULTILINE)
    assert sorted([*summary, "theano", "T"]) == dlt.__all__
