"""Aside: keep checkpoints of earlier runs that a new run in the same folder would replace.

Source: none on the page.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import Any, Callable

from dlt.errors import DataError
from dlt.runs.checkpoint import read_checkpoint
from dlt.runs.folder import CHECKPOINT_NAME, PREVIOUS_NAME, numbered_files

_KEPT = re.compile(r"checkpoint\.unfinished-([1-9][0-9]*)\.npz")
_MOST = 3  # the newest stay


def kept_name(number: int) -> str:
    """Return the file name of a checkpoint that was moved aside.

    Examples
    --------
    >>> kept_name(1)
    'checkpoint.unfinished-1.npz'
    """
    return f"checkpoint.unfinished-{number}.npz"


class Aside:
    """The checkpoints that a run moves aside before it first saves.

    Parameters
    ----------
    folder : str
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._moves: list[tuple[str, str]] = []  # files, and their new names

    def note(self, file: str) -> str:
        """Plan to move a file, and return its new name."""
        numbers = [number for number, _ in numbered_files(self._folder, _KEPT)]
        number = max(numbers, default=0) + len(self._moves) + 1
        self._moves.append((file, os.path.join(self._folder, kept_name(number))))
        return self._moves[-1][1]

    def note_earlier(self, log: Callable[[str], Any]) -> None:
        """Plan to move the newest checkpoint if its run has not ended, and report this.

        Plan to move checkpoints that cannot be read, too.
        """
        found = {}
        files = [os.path.join(self._folder, name) for name in (CHECKPOINT_NAME, PREVIOUS_NAME)]
        for file in filter(os.path.lexists, files):
            try:
                earlier = read_checkpoint(file)
            except DataError as error:
                found[file] = f"{error.found} in {error.what}"
                continue
            if earlier.ended is None:
                n = earlier.state.iteration
                found[file] = f"an unfinished run of {n} updates in {file}; --resume (resume=True) "
                found[file] += "would continue it"
            break
        for file, what in reversed(found.items()):  # the newest gets the highest number
            log(
                f"found {what}; starting anew, and keeping it as {self.note(file)}; to continue it "
                "later, move that to a new folder as checkpoint.npz, and resume there"
            )

    def move(self) -> None:
        """Carry out the plan, and remove all but the newest few files."""
        for file, kept in self._moves:
            with contextlib.suppress(FileNotFoundError):  # moved before, and then Ctrl-C
                os.replace(file, kept)
        if self._moves:
            files = [file for _, file in numbered_files(self._folder, _KEPT)]
            files = [file for file in files if os.path.islink(file) or os.path.isfile(file)]
            for file in files[:-_MOST]:
                os.unlink(file)
        self._moves = []  # from now on, these names are this run's own files
