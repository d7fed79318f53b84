"""Run folder: where a training run leaves its best parameters, its history and its settings.

========================  ===========================================================
file                      what it holds
========================  ===========================================================
``best_params.npz``       the best parameters (`dlt.load_params`), with the settings
``history.csv``           one line for each validation (`dlt.read_history`)
``settings.json``         everything the run was given
========================  ===========================================================

Source: page "Getting Started", section "Loading and Saving Models": save the
current best as the search goes on.
"""

import json
import os
import time

from dlt.errors import SettingsError
from dlt.files import try_writing, write_atomically
from dlt.history import write_history
from dlt.parameters import save_params

PARAMS_NAME = "best_params.npz"
HISTORY_NAME = "history.csv"
SETTINGS_NAME = "settings.json"


class RunFolder:
    """Keeps a run's files up to date.

    The folder is made, and tried for writing, at once: better to fail now than after an
    hour. Files of an earlier run stay as they are until this one has a model to save.

    Parameters
    ----------
    path : str or os.PathLike
        Made if it is not there.
    settings : dict
        What JSON can hold.
    interval : float
        Seconds that pass at least between one save and the next.

    Raises
    ------
    SettingsError
        The folder cannot be made or written to.

    Examples
    --------
    >>> import os, tempfile
    >>> folder = RunFolder(os.path.join(tempfile.mkdtemp(), "runs", "first"), {"n_epochs": 1})
    >>> os.listdir(folder.path)
    []
    """

    def __init__(self, path, settings, interval=2.0):
        self.path = os.fspath(path)
        self._settings = settings
        try:
            self._settings_text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
        except (TypeError, ValueError) as error:
            raise SettingsError(
                "settings: found what JSON cannot hold ({}); expected numbers, text, lists and "
                "dicts".format(error)
            ) from error
        self._interval = interval
        self._saved_at = None
        try:
            try_writing(self.path)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = getattr(error, "strerror", None) or error
            raise SettingsError(
                "{!r}: found a folder that cannot be written ({}); expected one for the results; "
                "choose another output_dir".format(self.path, reason)
            ) from error

    def save_soon(self, best_params, history):
        """Save, unless that was done less than `interval` seconds ago."""
        now = time.monotonic()
        if self._saved_at is None or now - self._saved_at >= self._interval:
            self.save(best_params, history)
            self._saved_at = now

    def save(self, best_params, history):
        """Write all three files, each whole or not at all.

        Parameters
        ----------
        best_params : dict of str to ndarray
        history : list of HistoryRow
        """
        text = self._settings_text.encode("ascii")
        write_atomically(self._file(SETTINGS_NAME), lambda file: file.write(text))
        write_history(self._file(HISTORY_NAME), history)
        save_params(self._file(PARAMS_NAME), best_params, settings=self._settings)

    def _file(self, name):
        return os.path.join(self.path, name)
