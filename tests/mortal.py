"""Tasks that end their process, for processes that import them."""

import os
import signal


def die_at_first(path, n):
    """Note a line in a file; be killed the first n times, and return the number of lines then."""
    with open(path, "a") as file:
        file.write("begun\n")
    with open(path) as file:
        begun = len(file.readlines())
    if begun <= n:
        os.kill(os.getpid(), signal.SIGKILL)
    return begun
