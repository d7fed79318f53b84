"""Errors that a person can mend.

Every message is one line that says what was found, what was expected and what
to do. The scripts print that line on stderr and exit with code 2; anything
that is *not* a `DltError` is a bug and keeps its traceback.

Classes
-------
- `DltError` : the family; catch this one to catch them all.
- `DataError` : a file or an array that cannot be used as data.
- `SettingsError` : a hyperparameter, option or output folder that cannot be used.
- `FetchError` : MNIST is not here and could not be fetched.
- `EngineError` : the Theano-like engine is missing or cannot do what was asked.
"""

_LONGEST = 2000  # of one part of a message


class DltError(Exception):
    """Base of every error that `dlt` raises on purpose.

    Examples
    --------
    >>> issubclass(DataError, DltError) and issubclass(DataError, ValueError)
    True
    """


class DataError(DltError, ValueError):
    """Data that cannot be used, and how to mend that.

    Parameters
    ----------
    path : str or os.PathLike
        The file (or the name of the array) the problem is in.
    found : str
        What is there. It may quote the file: whatever a terminal could take for a command
        is spelt out, and it is cut off after 2000 characters, as are the others.
    expected : str
        What should be there.
    remedy : str, optional
        What to do about it.

    Examples
    --------
    >>> print(DataError("a.pkl.gz", "an HTML page", "a gzipped pickle", "download it again"))
    a.pkl.gz: found an HTML page; expected a gzipped pickle; download it again
    """

    def __init__(self, path, found, expected, remedy=None):
        self.path = _one_line(str(path))
        self.found = _one_line(str(found))
        self.expected = _one_line(str(expected))
        self.remedy = remedy and _one_line(str(remedy))
        parts = ["{}: found {}".format(self.path, self.found), "expected " + self.expected]
        super().__init__("; ".join(parts + ([self.remedy] if self.remedy else [])))

    def __reduce__(self):
        # Exceptions pickle by their args, here one message: give back the four parts instead.
        return type(self), (self.path, self.found, self.expected, self.remedy)


def _one_line(text):
    """Spell out line breaks and other control characters, which names in files may have."""
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 4] + " ..."
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class SettingsError(DltError, ValueError):
    """A setting (hyperparameter, option, output folder) that cannot be used."""


class FetchError(DltError):
    """No mirror gave MNIST; the message names each one, its reason, and what to do instead."""


class EngineError(DltError, RuntimeError):
    """The engine is missing, or cannot do what was asked of it."""
