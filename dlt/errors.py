"""Errors that a user can fix.

Each is one line: what was found, what was expected, and what to do. The scripts print it on stderr
and exit with code 2. Any other exception is a bug, and keeps its traceback.
"""

from __future__ import annotations

import os

_LONGEST = 2000  # characters in one part of a message

#: End of the remedy when memory runs out.
IN_CHUNKS = ", or read the data in chunks: --max-memory 512MB"


class DltError(Exception):
    """Base class of every error that `dlt` raises on purpose.

    Parameters
    ----------
    what : str or os.PathLike
        The file, setting or array at fault.
    found : object
        What it is or contains. `one_line` prints this and every other part.
    expected : object, optional
        What it should be or contain.
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
        # An exception normally pickles its message only, which is not enough to make a new one.
        return type(self), (self.what, self.found, self.expected, self.remedy)


def one_line(value: object, longest: int = _LONGEST) -> str:
    r"""Return untrusted text in a form that is safe to print on one line.

    Line breaks, terminal codes and invisible characters are escaped; text is cut off after
    `longest` characters.

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
    """A setting (a hyperparameter, an option, an output folder) that cannot be used."""


class FetchError(DltError):
    """MNIST could not be fetched; the message has each mirror's reason."""


class EngineError(DltError, RuntimeError):
    """The engine is missing, or cannot do what was asked."""
