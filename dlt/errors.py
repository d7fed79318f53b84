"""Errors that a person can fix.

Each is one line: what it found, what it expected and what to do. The scripts print it on stderr
and exit with code 2. Any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import os

_LONGEST = 2000  # characters of one part of a message


class DltError(Exception):
    """Base of every error that `dlt` raises on purpose.

    Parameters
    ----------
    what : str or os.PathLike
        The file, setting or array that is wrong.
    found : object
        What is there. In every part, control characters are escaped and text beyond 2000
        characters is cut off, as it may quote a file.
    expected : object, optional
        What should be there.
    remedy : str, optional
        What to do about it.

    Examples
    --------
    >>> print(DltError("a.pkl.gz", "an HTML page", "a gzipped pickle", "download it again"))
    a.pkl.gz: found an HTML page; expected a gzipped pickle; download it again
    """

    def __init__(
        self, what: object, found: object, expected: object = None, remedy: object = None
    ) -> None:
        parts = [
            part if part is None else _one_line(part) for part in (what, found, expected, remedy)
        ]
        self.what, self.found, self.expected, self.remedy = parts
        wanted = self.expected and f"expected {self.expected}"
        text = [f"{self.what}: found {self.found}", wanted, self.remedy]
        super().__init__("; ".join(filter(None, text)))

    def __reduce__(self):
        # By default exceptions pickle their message only, which is not enough to make one.
        return type(self), (self.what, self.found, self.expected, self.remedy)


def _one_line(value):
    """Escape line breaks and other control characters, which names in files may have."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 4] + " ..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class DataError(DltError, ValueError):
    """A file or an array that cannot be used as data."""


class SettingsError(DltError, ValueError):
    """A setting (hyperparameter, option, output folder) that cannot be used."""


class FetchError(DltError):
    """MNIST could not be fetched; the message gives each mirror's reason."""


class EngineError(DltError, RuntimeError):
    """The engine is missing, or cannot do what was asked of it."""
