"""The run folder is tried at once, locked, written rarely, and never left half-written."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from checkpoints import after, bits, values
from conftest import ROOT

from dlt.errors import DataError, SettingsError
from dlt.parameters import read_params
from dlt.runs.checkpoint import read_checkpoint
from dlt.runs.folder import RunFolder, list_snapshots
from dlt.runs.history import read_history

pytestmark = pytest.mark.once


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def snapshots(folder):
    return [int(name[10:-4]) for name in names(folder / "snapshots")]


def test_it_holds_checkpoint_parameters_history_and_settings(tmp_path):
    state = after(4, n_losses=2)
    with RunFolder(tmp_path / "a" / "b") as folder:
        folder.save(state)
    path = tmp_path / "a" / "b"
    arrays, settings = read_params(path / "best_params.npz")
    assert settings == state.settings == json.loads((path / "settings.json").read_text())
    np.testing.assert_array_equal(arrays["W"], values(30)["W"])
    assert read_history(path / "history.csv") == list(state.history)
    assert bits(read_checkpoint(path / "checkpoint.npz")) == bits(state)
    assert names(path) == [
        ".lock", "best_params.npz", "checkpoint.npz", "history.csv", "settings.json"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "interval, rest, states, saved",
    [
        (3600, 10, [(0, 2)], None),  # no model yet: an earlier run's files may stay
        (3600, 10, [(0, 2), (1, 0), (2, 0)], 10),  # the first model at once, the second is too soon
        (0, 0, [(0, 2)], 2),  # in a long epoch, before its validation
        (0, 0, [(0, 2), (1, 5)], 15),
        (0, 1e6, [(1, 0), (2, 0)], 10),  # a million times what the first save took is not over
    ],
)
def test_it_is_saved_from_time_to_time_and_at_the_first_model(
    tmp_path, interval, rest, states, saved
):
    with RunFolder(tmp_path, interval=interval, rest=rest) as folder:
        for n_validations, n_losses in states:
            folder.save_soon(after(n_validations, n_losses))
    if saved is None:
        assert names(tmp_path) == [".lock"]
    else:
        assert read_checkpoint(tmp_path / "checkpoint.npz").iteration == saved


def test_an_earlier_run_stays_until_there_is_something_to_save(tmp_path):
    with RunFolder(tmp_path) as folder:
        folder.save(after(1))
        folder.save(after(2))
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with RunFolder(tmp_path):
        pass
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_nothing_of_an_earlier_run_survives_the_first_save(tmp_path):
    with RunFolder(tmp_path, snapshot_every=1) as folder:
        for n in (1, 2, 3):
            folder.save(after(n))
    assert snapshots(tmp_path) == [10, 20, 30]
    assert read_checkpoint(tmp_path / "checkpoint.previous.npz").iteration == 20
    with RunFolder(tmp_path, snapshot_every=2) as folder:
        folder.save(after(1, settings={"seed": 7}))
        # not the earlier run's: resuming from that would mix the two
        assert "checkpoint.previous.npz" not in names(tmp_path)
        assert snapshots(tmp_path) == []
        folder.save(after(2, settings={"seed": 7}))
    assert snapshots(tmp_path) == [20]
    path = tmp_path / "snapshots" / "iteration_000020.npz"
    assert read_params(path)[1] == {"seed": 7}


def test_snapshots_hold_the_model_of_their_moment_and_the_newest_stay(tmp_path):
    with RunFolder(tmp_path, interval=3600, snapshot_every=2, keep=3) as folder:
        for n in range(1, 12):
            folder.save_soon(after(n))
            if n < 11:
                folder.save_soon(after(n, n_losses=4))  # between validations: no snapshot
    assert snapshots(tmp_path) == [60, 80, 100]
    arrays, settings = read_params(tmp_path / "snapshots" / "iteration_000080.npz")
    np.testing.assert_array_equal(arrays["W"], values(80)["W"])
    assert settings == after(1).settings
    # a snapshot is never newer than the checkpoint
    assert read_checkpoint(tmp_path / "checkpoint.npz").snapshots == (60, 80, 100)


def test_snapshots_are_listed_in_the_order_of_training(tmp_path):
    assert list_snapshots(tmp_path) == []
    folder = tmp_path / "snapshots"
    folder.mkdir()
    assert list_snapshots(tmp_path) == []
    # the last name would come first by its letters
    names = ["iteration_000090.npz", "iteration_999999.npz", "iteration_1000000.npz"]
    others = ["mine.npz", "iteration_90.npz", "iteration_000090.npz.tmp", ".0123456789abcdef.tmp"]
    for name in [*reversed(names), *others, "iteration_{}.npz".format("9" * 19)]:
        (folder / name).write_bytes(b"")
    assert list_snapshots(tmp_path) == [
        (iteration, str(folder / name)) for iteration, name in zip((90, 999999, 1000000), names)
    ]


def test_going_on_makes_the_files_what_the_checkpoint_tells(tmp_path):
    # As after a kill: files that are newer, older, missing, unfinished, or another run's.
    with RunFolder(tmp_path, snapshot_every=1) as folder:
        for n in (1, 2):
            folder.save(after(n))
    expected = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)[1:-1]}
    checkpoint = (tmp_path / "checkpoint.npz").read_bytes()
    with RunFolder(tmp_path, snapshot_every=1) as folder:
        folder.go_on(folder.load())
        folder.save(after(3))
    (tmp_path / "checkpoint.npz").write_bytes(checkpoint)
    (tmp_path / "settings.json").unlink()
    (tmp_path / "snapshots" / "iteration_000020.npz").unlink()
    (tmp_path / "snapshots" / "iteration_000015.npz").write_bytes(b"of another run")
    (tmp_path / "snapshots" / "mine.npz").write_bytes(b"put there by somebody")
    for folder in (tmp_path, tmp_path / "snapshots"):
        (folder / ".0123456789abcdef.tmp").write_bytes(b"unfinished")
    with RunFolder(tmp_path) as folder:
        folder.go_on(folder.load())
    assert names(tmp_path / "snapshots") == [
        "iteration_000010.npz", "iteration_000020.npz", "mine.npz"
    ]  # fmt: skip
    for name, content in expected.items():
        if "checkpoint" not in name:
            assert (tmp_path / name).read_bytes() == content, name
    assert ".0123456789abcdef.tmp" not in names(tmp_path)


OWN_FILES = [
    ".lock", "best_params.npz", "checkpoint.npz", "checkpoint.previous.npz",
    "checkpoint.unfinished.npz", "history.csv", "settings.json",
]  # fmt: skip


@pytest.mark.parametrize("resumed", [False, True])
def test_links_in_the_folder_are_replaced_and_not_followed(tmp_path, resumed):
    with RunFolder(tmp_path / "first", snapshot_every=1) as folder:
        folder.save(after(1))
    run, outside = tmp_path / "run", tmp_path / "outside"
    (run / "snapshots").mkdir(parents=True)
    outside.mkdir()
    own = [*OWN_FILES, "snapshots/iteration_000020.npz"]
    for name in own:
        victim = outside / os.path.basename(name)
        victim.write_bytes((tmp_path / "first" / "checkpoint.npz").read_bytes())
        (run / name).symlink_to(victim)
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    linked = tmp_path / "a link to the folder itself"
    linked.symlink_to(run)
    with RunFolder(linked, snapshot_every=1) as folder:
        if resumed:
            folder.go_on(folder.load())
        else:
            assert folder.peek().iteration == 10
        folder.save(after(2))
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before
    kept_as_links = {"checkpoint.unfinished.npz", *(["checkpoint.previous.npz"] * resumed)}
    assert {name for name in own if (run / name).is_symlink()} == kept_as_links
    assert read_checkpoint(run / "checkpoint.npz").iteration == 20


def test_a_link_for_the_folder_of_snapshots_is_refused(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / ".0123456789abcdef.tmp").write_bytes(b"not ours")
    (tmp_path / "snapshots").symlink_to(tmp_path / "outside")
    with pytest.raises(SettingsError, match="snapshots': found a link; expected a folder of the"):
        with RunFolder(tmp_path):
            pass
    assert names(tmp_path / "outside") == [".0123456789abcdef.tmp"]


def test_a_damaged_checkpoint_is_replaced_by_the_one_before_and_that_is_said(tmp_path):
    with RunFolder(tmp_path) as folder:
        folder.save(after(1))
        folder.save(after(2))
    newest, previous = tmp_path / "checkpoint.npz", tmp_path / "checkpoint.previous.npz"
    whole, good = newest.read_bytes(), previous.read_bytes()
    for damaged in (whole[:-1], whole[: len(whole) // 2], whole[:1], b"", None):
        newest.unlink() if damaged is None else newest.write_bytes(damaged)
        previous.write_bytes(good)
        lines = []
        with RunFolder(tmp_path, log=lines.append) as folder:
            checkpoint = folder.load()
            assert checkpoint.iteration == 10
            (line,) = lines
            assert line.startswith("{}: found ".format(newest))
            assert line.endswith("; using the checkpoint before it, of 10 updates")
            folder.go_on(checkpoint)
            # At the next save the good one must not be pushed out by the damaged one.
            assert newest.read_bytes() == good
            folder.save(after(2))
        assert read_checkpoint(newest).iteration == 20 and previous.read_bytes() == good


def test_without_any_good_checkpoint_it_is_refused(tmp_path):
    with RunFolder(tmp_path) as folder:
        with pytest.raises(SettingsError, match=r"found no checkpoint; expected .* \(--resume\)$"):
            folder.load()
        folder.save(after(1))
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\3\4")
    with RunFolder(tmp_path) as folder:
        with pytest.raises(DataError, match="checkpoint.npz: found a damaged zip archive"):
            folder.load()
        (tmp_path / "checkpoint.previous.npz").write_bytes(b"junk")
        with pytest.raises(DataError, match="checkpoint.previous.npz: found a file that begins"):
            folder.load()
        assert folder.peek() is None


def test_a_second_run_is_refused_until_the_first_has_ended(tmp_path):
    with RunFolder(tmp_path):
        with pytest.raises(SettingsError, match="found another run at work in this folder"):
            RunFolder(tmp_path).__enter__()
    with pytest.raises(ZeroDivisionError), RunFolder(tmp_path):
        raise ZeroDivisionError
    with RunFolder(tmp_path):
        pass


def test_the_lock_dies_with_its_owner(tmp_path):
    code = (
        "import time; from dlt.runs.folder import RunFolder\n"
        "with RunFolder({!r}):\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(60)\n"
    ).format(str(tmp_path))
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "locked\n"
        with pytest.raises(SettingsError, match="found another run at work"):
            RunFolder(tmp_path).__enter__()
        owner.kill()
    with RunFolder(tmp_path):
        pass


@pytest.mark.parametrize("path", ["", "a\0b", __file__])
def test_impossible_names_are_refused(path):
    with pytest.raises(SettingsError, match=r": found a folder that cannot be written \(.+\)"):
        with RunFolder(path):
            pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(SettingsError, match=r"\(Permission denied\); .*choose another"):
        with RunFolder(tmp_path):
            pass
    assert os.listdir(tmp_path) == []
