"""The run folder: a place with its settings, and what is found there."""

import numpy as np
import pytest
from checkpoints import after

from dlt.errors import SettingsError
from dlt.runs.checkpoint import write_checkpoint
from dlt.runs.folder import RunFolder, list_snapshots, newest_checkpoint, saved_settings

pytestmark = pytest.mark.once


def test_settings_are_those_that_json_gives_back(tmp_path):
    given = {"sizes": (1, np.int64(2)), "rate": np.float32(0.5), "flag": np.bool_(True)}
    folder = RunFolder(tmp_path, settings=given)
    expected = {"sizes": [1, 2], "rate": 0.5, "flag": True}
    assert folder == (str(tmp_path), None, 10, expected, 0, True)
    assert type(folder.settings["rate"]) is float
    assert RunFolder("runs").settings == {}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"snapshot_every": 0}, "snapshot_every: found 0; expected a whole number, 1 or more"),
        ({"keep": 1.5}, "keep: found 1.5; expected a whole number, 1 or more"),
        ({"settings": {"f": print}}, r"JSON cannot hold \(a value of type builtin_function_or_m"),
        ({"settings": {"W": np.zeros(2)}}, r"JSON cannot hold \(a value of type ndarray\); expect"),
        ({"settings": [1]}, "settings: found a list; expected a dict"),
        ({"settings": {"seed": 10**400}}, "cannot hold .a whole number of more than 300 digits"),
        ({"settings": {(1, 2): 3}}, r"settings: found what JSON cannot hold \(keys must be str"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(SettingsError, match=message):
        RunFolder("runs", **options)


def test_settings_that_hold_themselves_are_refused():
    settings = {}
    settings["again"] = settings
    with pytest.raises(SettingsError, match="settings: found what JSON cannot hold"):
        RunFolder("runs", settings=settings)


def test_the_newest_checkpoint_is_the_first_that_can_be_read(tmp_path):
    newest, previous = tmp_path / "checkpoint.npz", tmp_path / "checkpoint.previous.npz"
    write_checkpoint(newest, after(2))
    write_checkpoint(previous, after(1, settings={"seed": 1}))

    def found():
        checkpoint = newest_checkpoint(tmp_path)
        return checkpoint and checkpoint.state.iteration, saved_settings(tmp_path)

    assert found() == (20, after(2).settings)
    newest.write_bytes(b"damaged")
    assert found() == (10, {"seed": 1})
    previous.unlink()
    assert found() == (None, {})


def test_snapshots_are_listed_in_the_order_of_training(tmp_path):
    assert list_snapshots(tmp_path) == []
    folder = tmp_path / "snapshots"
    folder.mkdir()
    assert list_snapshots(tmp_path) == []
    # the last name would come first by its letters
    names = ["iteration_000090.npz", "iteration_999999.npz", "iteration_1000000.npz"]
    others = [
        "mine.npz",
        "iteration_90.npz",
        "iteration_000090.npz.tmp",
        ".dlt-0123456789abcdef.tmp",
    ]
    for name in [*reversed(names), *others, f"iteration_{'9' * 19}.npz"]:
        (folder / name).write_bytes(b"")
    assert list_snapshots(tmp_path) == [
        (iteration, str(folder / name)) for iteration, name in zip((90, 999999, 1000000), names)
    ]
