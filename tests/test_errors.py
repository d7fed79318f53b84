"""The errors that `dlt` raises on purpose: their parts, and how they are shown."""

import pickle

import pytest

from dlt.errors import DataError


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


def test_a_long_part_is_cut_off():
    error = DataError("p", "x" * (1 << 20), "e")
    assert error.found == "x" * 1996 + " ..."
    assert str(error).endswith(" ...; expected e")


def test_an_exception_as_a_part_is_shown_as_text_and_can_be_pickled():
    error = DataError("p", ValueError("odd"), "e")
    assert error.found == "odd"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.found, again.remedy) == (str(error), "odd", None)
