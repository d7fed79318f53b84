"""The lock of a folder: it is that folder's only, whatever becomes of the name."""

import os

import filelock
import pytest

from dlt.runs.lock import FolderLock, ForeignRunError, identity

pytestmark = pytest.mark.once


def remove_the_file(folder):
    os.unlink(folder / ".lock")


def make_the_file_anew(folder):
    os.rename(folder / ".lock", folder / "old")
    (folder / ".lock").touch()


def put_a_link_there(folder):
    os.rename(folder / ".lock", folder / "old")
    (folder / ".lock").symlink_to("old")


def move_the_folder(folder):
    os.rename(folder, folder.with_name("moved"))


def move_it_below_a_file(folder):
    move_the_folder(folder)
    folder.touch()


@pytest.mark.parametrize(
    "change",
    [remove_the_file, make_the_file_anew, put_a_link_there, move_the_folder, move_it_below_a_file],
)
def test_it_knows_its_own_folder(tmp_path, change):
    folder = tmp_path / "folder"
    folder.mkdir()
    lock = FolderLock(str(folder), "search")
    lock.acquire()
    assert lock.is_of_folder()
    lock.check()
    change(folder)
    assert not lock.is_of_folder()
    with pytest.raises(ForeignRunError) as caught:
        lock.check()
    assert str(caught.value) == (
        f"{folder}: found another folder than at the start of this search, moved or replaced; "
        "expected the one in which it began; put that back in its place, or choose another one "
        "(--output-dir)"
    )
    lock.release()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_folder_that_is_replaced_while_it_is_locked_is_not_taken_for_it(
    tmp_path, monkeypatch, moment
):
    folder, acquire = tmp_path / "folder", filelock.FileLock.acquire
    folder.mkdir()

    def replaced(self):
        if moment == "after":
            acquire(self)
        move_the_folder(folder)
        folder.mkdir()
        if moment == "before":
            acquire(self)
        (folder / ".lock").touch()

    monkeypatch.setattr(filelock.FileLock, "acquire", replaced)
    lock = FolderLock(str(folder), "run")
    lock.acquire()
    assert not lock.is_of_folder()
    lock.release()


def test_it_keeps_others_out_until_it_is_released(tmp_path):
    first, second = (FolderLock(str(tmp_path), "run") for _ in range(2))
    first.acquire()
    with pytest.raises(ForeignRunError, match="found another run at work in this folder; expected"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_link_is_not_what_it_leads_to(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    assert identity(str(tmp_path)) != identity(str(tmp_path / "link"))
    assert identity(str(tmp_path / "missing")) is None
