"""Forms: check the values in JSON from a file that may come from anyone.

======================  ======================================================
form                    what has it
======================  ======================================================
``int``, ``str``, ...   a value of exactly this type; True is not an int
``[form]``              a list of any length, whose values all have this form
``(form, ...)``         a list of as many values, each of its own form
``{str: form}``         an object with any keys, whose values all have this form
a function              a value for which it returns True
======================  ======================================================
"""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Mapping

from dlt.errors import DataError
from dlt.files.reading import check_format

#: Whole numbers up to here are exact in a float64.
LARGEST = 1 << 53


def fits(value: Any, form: Any) -> bool:
    """Return whether a value, as ``json.loads`` returns it, has a form.

    Examples
    --------
    >>> fits([[1, "a"], [2, "b"]], [(int, str)]), fits({"a": True}, {str: int})
    (True, False)
    """
    if isinstance(form, list):
        return type(value) is list and all(fits(item, form[0]) for item in value)
    if isinstance(form, tuple):
        return type(value) is list and len(value) == len(form) and all(map(fits, value, form))
    if isinstance(form, dict):
        return type(value) is dict and all(fits(item, form[str]) for item in value.values())
    return type(value) is form if isinstance(form, type) else bool(form(value))


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number from 1 to `LARGEST`."""
    return type(value) is int and 1 <= value <= LARGEST


def number(low: float, high: float) -> Callable[[Any], bool]:
    """Return the form of a number from `low` to `high`."""
    return lambda value: type(value) in (int, float) and low <= value <= high  # NaN fits nothing


def one_of(*allowed: Any) -> Callable[[Any], bool]:
    """Return the form of some values."""
    return lambda value: value in allowed


def optional(form: Any) -> Callable[[Any], bool]:
    """Return the form of None and of the values that have another form."""
    return lambda value: value is None or fits(value, form)


def misfit(entries: Mapping[str, Any], forms: Mapping[str, Any]) -> str | None:
    """Return the first entry that does not have its form, as text; None if all have.

    A missing entry counts as None.

    Examples
    --------
    >>> misfit({"height": -1}, {"width": optional(is_count), "height": is_count})
    'height = -1'
    """
    wrong = (name for name, form in forms.items() if not fits(entries.get(name), form))
    return next((f"{name} = {in_short(entries.get(name))}" for name in wrong), None)


def in_short(value: Any) -> str:
    """Return up to 80 characters of a value as JSON; nothing if it is too deep to be shown."""
    try:
        return json.dumps(value)[:80]
    except (ValueError, RecursionError):
        return ""


def parse(
    path: str | os.PathLike, text: bytes, what: str, version: int, forms: Mapping, remedy: str
) -> dict[str, Any]:
    """Return the entries of a JSON object, after checking their forms.

    Parameters
    ----------
    path : str or os.PathLike
        Where the text came from, for messages.
    text : bytes
    what : str
        What the object describes, for messages.
    version : int
        The number that its entry ``format`` must have.
    forms : dict of str to object
        The forms of other entries.
    remedy : str
        The end of messages.

    Raises
    ------
    DataError
        The text is not JSON, of another format, or an entry does not have its form.
    """
    expected = f"{what} of format {version}, as dlt writes it"
    try:
        found = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise DataError(path, "a file that is not JSON", expected, remedy) from None
    if not isinstance(found, dict):
        raise DataError(path, "JSON without names", expected, remedy)
    check_format(path, what, found.get("format"), version)
    wrong = misfit(found, {"format": one_of(version), **forms})
    if wrong:
        raise DataError(path, wrong, expected, remedy)
    return found
