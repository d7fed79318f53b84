"""Readers for the arguments of pickle opcodes.

`pickletools` has a reader for each opcode. The ones here replace those that read lines of any
length, convert numbers in quadratic time, decode array data needlessly, or (before Python 3.14)
fail on bytes above 127 in a Python 2 string of protocol 0.
"""

import codecs
import re

#: Strings of this many bytes or more are taken for array data, and kept as a bytearray.
LARGE = 1 << 16

_MAX_LINE = 1000  # of a number or a name
_BAD_ESCAPE = re.compile(rb"\\[^'\"\\nrtx]")


def constant(value):
    """Return a reader that reads nothing and returns `value`."""
    return lambda file: value


def read_line(file, longest=-1):
    """Read a line of at most `longest` bytes; return it without the line break."""
    line = file.readline(longest)
    if not line.endswith(b"\n"):
        raise ValueError("a line that is cut short or too long")
    return line[:-1]


def read_integer(file):
    """Read a whole number as text. Protocols 0 and 1 write booleans as 00 and 01."""
    line = read_line(file, _MAX_LINE)
    return line == b"01" if line in (b"00", b"01") else int(line.rstrip(b"L"))


def read_float(file):
    """Read a float as text."""
    return float(read_line(file, _MAX_LINE))


def read_name(file):
    """Read two lines: a module, and a name in it."""
    return tuple(read_line(file, _MAX_LINE).decode("utf-8") for _ in range(2))


def read_quoted(file):
    """Read a quoted Python 2 string; return its bytes."""
    line = read_line(file)
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
        raise ValueError("a string without quotes")
    data = line[1:-1]
    del line  # it may be as large as the file
    # For escapes that Python 2 never wrote, escape_decode only gives a DeprecationWarning.
    if _BAD_ESCAPE.search(data.replace(b"\\\\", b"")):
        raise ValueError("an unknown escape in a string")
    data = codecs.escape_decode(data)[0]
    return data if len(data) < LARGE else bytearray(data)


def payload(read_length):
    """Return a reader of a length, and of that many bytes."""

    def read(file):
        length = read_length(file)
        if length < 0:
            raise ValueError("a negative length")
        data = file.read(length) if length < LARGE else file.read_buffer(length)
        if len(data) < length:
            raise ValueError(f"cut short: {len(data)} of {length} bytes")
        return data

    return read
