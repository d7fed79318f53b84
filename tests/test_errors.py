"""The errors that `dlt` raises on purpose: their parts, and how they are shown."""

import pickle

import pytest

from dlt.errors import DataError, one_line


def test_parts_and_message():
    error = DataError("a.pkl", "an HTML page", "a pickle", "fetch it again")
    parts = (error.what, error.found, error.expected, error.remedy)
    assert parts == ("a.pkl", "an HTML page", "a pickle", "fetch it again")
    assert str(error) == "a.pkl: found an HTML page; expected a pickle; fetch it again"
    assert isinstance(error, ValueError)
    assert str(DataError("a", "b", remedy="d")) == "a: found b; d"


@pytest.mark.parametrize("part", ["what", "found", "expected", "remedy"])
def test_no_part_can_break_the_line_or_draw_on_the_terminal(part):
    parts = {"what": "p", "found": "f", "expected": "e", "remedy": "r"}
    parts[part] = "a\n\x1b[2J\u202eb\ud800"
    error = DataError(**parts)
    assert str(error).isprintable() and str(error).isascii()
    assert getattr(error, part) == r"a\n\x1b[2J\u202eb\ud800"


@pytest.mark.parametrize(
    "kind", ["\n", "\x1b", "\x9b", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028"]
)
def test_what_draws_or_cannot_be_seen_is_escaped(kind):
    assert one_line(f"a{kind}ü") == f"a{ascii(kind)[1:-1]}ü"


def test_a_long_part_is_cut_off():
    error = DataError("p", "x" * (1 << 20), "e")
    assert error.found == "x" * 1996 + " ..."
    assert len(one_line("\x1b" * 2000)) == 2000
    assert str(error).endswith(" ...; expected e")


def test_an_exception_as_a_part_is_shown_as_text_and_can_be_pickled():
    error = DataError("p", ValueError("odd"), "e")
    assert error.found == "odd"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.found, again.remedy) == (str(error), "odd", None)
