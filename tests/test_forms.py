"""Forms: what JSON has to look like, and what is said of JSON that looks otherwise."""

import json
import math

import pytest

from dlt.errors import DataError
from dlt.files.forms import LARGEST, fits, in_short, is_count, number, one_of, optional, parse

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "form, right, wrong",
    [
        (int, [0, -1, 10**40], [True, 1.0, "1", None]),
        (str, ["", "a"], [1, None, ["a"]]),
        ([int], [[], [1, 2]], [1, {}, [1, "a"], [[1]]]),
        ((int, [str]), [[1, []], [1, ["a"]]], [[], [1], [1, [], 2], [1, "a"], "ab"]),
        ({str: int}, [{}, {"a": 1}], [[], {"a": "b"}, None]),
        (is_count, [1, LARGEST], [0, LARGEST + 1, True, 1.0, "1"]),
        (number(0, 9), [0, 9, 0.5], [-1, 10, math.nan, math.inf, True, "1"]),
        (one_of(None, "a"), [None, "a"], ["b", [], 0]),
        (optional([int]), [None, [1]], [["a"], 0]),
    ],
)
def test_a_form_says_which_values_have_it(form, right, wrong):
    assert all(fits(value, form) for value in right)
    assert not any(fits(value, form) for value in wrong)


def test_what_cannot_be_shown_is_left_out():
    deep = []
    for _ in range(10**5):
        deep = [deep]
    assert in_short(deep) == "" and in_short("x" * 99) == '"' + "x" * 79


@pytest.mark.parametrize(
    "text, found",
    [
        (b"{", "a file that is not JSON"),
        (b"\xff", "a file that is not JSON"),
        (b"[" * 10**5, "a file that is not JSON"),
        (b"[1]", "JSON without names"),
        (b"{}", "format = null"),
        (b'{"format": true}', "n = null"),
        (b'{"format": 3}', "a list of format 3, of a newer dlt"),
        (b'{"format": 1, "n": "1"}', 'n = "1"'),
    ],
)
def test_other_json_is_refused_in_one_line(text, found):
    with pytest.raises(DataError) as caught:
        parse("a.json", text, "a list", 1, {"n": int}, "make it again")
    assert str(caught.value).startswith(f"a.json: found {found}; expected ")
    right = {"format": 1, "n": 2, "more": 3}
    assert parse("a.json", json.dumps(right).encode(), "a list", 1, {"n": int}, "") == right
