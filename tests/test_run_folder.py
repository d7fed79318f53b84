"""The run folder is tried at once, written rarely, and never left half-written."""

import os

import numpy as np
import pytest

from dlt.errors import SettingsError
from dlt.history import HistoryRow, read_history
from dlt.parameters import read_params
from dlt.run_folder import RunFolder

HISTORY = [HistoryRow(10, 1, 0.5, 0.25, 20.0, 0.1)]


def test_it_holds_parameters_history_and_settings(tmp_path):
    folder = RunFolder(tmp_path / "a" / "b", {"seed": 3})
    folder.save({"b": np.ones(2)}, HISTORY)
    arrays, settings = read_params(tmp_path / "a" / "b" / "best_params.npz")
    assert (arrays["b"].tolist(), settings) == ([1, 1], {"seed": 3})
    assert read_history(tmp_path / "a" / "b" / "history.csv") == HISTORY


def test_it_is_not_written_at_every_validation(tmp_path):
    folder = RunFolder(tmp_path, {}, interval=3600)
    folder.save_soon({"b": np.zeros(2)}, HISTORY)
    folder.save_soon({"b": np.ones(2)}, HISTORY)
    assert read_params(tmp_path / "best_params.npz")[0]["b"].tolist() == [0, 0]
    folder.save({"b": np.ones(2)}, HISTORY)
    assert read_params(tmp_path / "best_params.npz")[0]["b"].tolist() == [1, 1]


def test_an_earlier_run_stays_until_there_is_something_to_save(tmp_path):
    RunFolder(tmp_path, {"run": 1}).save({"b": np.ones(2)}, HISTORY)
    RunFolder(tmp_path, {"run": 2})
    assert read_params(tmp_path / "best_params.npz")[1] == {"run": 1}


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(SettingsError, match=r"run': found a folder that cannot be written \(.+\)"):
        RunFolder(tmp_path / "run", {})


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_impossible_names_are_refused(path):
    with pytest.raises(SettingsError, match="found a folder that cannot be written"):
        RunFolder(path, {})


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(SettingsError, match=r"\(Permission denied\); .*choose another"):
        RunFolder(tmp_path, {})
    assert os.listdir(tmp_path) == []
