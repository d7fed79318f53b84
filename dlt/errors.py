"""Errors that a person can fix.

Each is one line: what it found, what it expected and what to do. The scripts print it on stderr
and exit with code 2. Any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import os

_LONGEST = 2000  # characters of one part of a message

#: The end of a remedy for too little memory.
IN_CHUNKS = ", or read the data in chunks: --max-memory 512MB"


class DltError(Exception):
    """Base of every error that `dlt` raises on purpose.

    Parameters
    ----------
    what : str or os.PathLike
        The file, setting or array that is wrong.
    found : object
        What is there. Every part is shown as `one_line` shows it.
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
            part if part is None else one_line(part) for part in (what, found, expected, remedy)
        ]
        self.what, self.found, self.expected, self.remedy = parts
        wanted = self.expected and f"expected {self.expected}"
        text = [f"{self.what}: found {self.found}", wanted, self.remedy]
        super().__init__("; ".join(filter(None, text)))

    def __reduce__(self):
        # By default exceptions pickle their message only, which is not enough to make one.
        return type(self), (self.what, self.found, self.expected, self.remedy)


def one_line(value: object, longest: int = _LONGEST) -> str:
    r"""Return text that may come from a stranger's file as text to print.

    Line breaks, what draws on the terminal and what cannot be seen is escaped; text beyond
    `longest` characters is cut off.

    Examples
    --------
    >>> one_line("ham\n\x1b[2J\u200b"), one_line("spam and eggs", longest=9)
    ('ham\\n\\x1b[2J\\u200b', 'spam  ...')
    """
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: longest + 1])
    return shown if len(shown) <= longest else shown[: longest - 4] + " ..."


class DataError(DltError, ValueError):
    """A file or an array that cannot be used as data."""


class SettingsError(DltError, ValueError):
    """A setting (hyperparameter, option, output folder) that cannot be used."""


class FetchError(DltError):
    """MNIST could not be fetched; the message gives each mirror's reason."""


class EngineError(DltError, RuntimeError):
    """The engine is missing, or cannot do what was asked of it."""
