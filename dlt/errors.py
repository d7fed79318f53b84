"""Errors that a person can mend.

Each has one line that says what was found, what was expected and what to do.
The scripts print that line on stderr and exit with code 2. Anything that is not
a `DltError` is a bug and keeps its traceback.
"""

import os

_LONGEST = 2000  # of one part of a message


class DltError(Exception):
    """Base of every error that `dlt` raises on purpose.

    Parameters
    ----------
    what : str or os.PathLike
        The file, setting or array that the problem is in.
    found : object
        What is there. Text may quote a file: control characters are spelt out,
        and it is cut off after 2000 characters, as are the other parts.
    expected : object, optional
        What should be there.
    remedy : str, optional
        What to do about it.

    Examples
    --------
    >>> print(DltError("a.pkl.gz", "an HTML page", "a gzipped pickle", "download it again"))
    a.pkl.gz: found an HTML page; expected a gzipped pickle; download it again
    """

    def __init__(self, what, found, expected=None, remedy=None):
        parts = [
            part if part is None else _one_line(part) for part in (what, found, expected, remedy)
        ]
        self.what, self.found, self.expected, self.remedy = parts
        wanted = self.expected and f"expected {self.expected}"
        text = [f"{self.what}: found {self.found}", wanted, self.remedy]
        super().__init__("; ".join(filter(None, text)))

    def __reduce__(self):
        # Exceptions pickle by their args, here one message: give back the four parts instead.
        return type(self), (self.what, self.found, self.expected, self.remedy)


def _one_line(value):
    """Spell out line breaks and other control characters, which names in files may have."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 4] + " ..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class DataError(DltError, ValueError):
    """A file or an array that cannot be used as data."""


class SettingsError(DltError, ValueError):
    """A setting (hyperparameter, option, output folder) that cannot be used."""


class FetchError(DltError):
    """MNIST is not here and could not be fetched; the message has each mirror's reason."""


class EngineError(DltError, RuntimeError):
    """The engine is missing, or cannot do what was asked of it."""
