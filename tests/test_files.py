"""Tests of `dlt.files`: damaged files in the true format, and interrupted writing."""

import gzip
import os
import random
import stat
import time

import pytest
from conftest import peak_below, saved

from dlt.errors import DataError, SettingsError
from dlt.files.reading import PIECE, array_from_bytes, open_capped, open_regular
from dlt.files.writing import remove_unfinished, write_atomically

TEXT = b"first line\nsecond line\n" + bytes(range(256)) * 20


def contents(path, **limits):
    with open_capped(path, **limits) as file:
        return file.read()


def refuse(monkeypatch, name, error):
    """Let a function of the system raise an error."""

    def refusing(*args, **kwargs):
        raise error

    monkeypatch.setattr(name, refusing)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_reads_the_same_bytes_whether_gzipped_or_not(tmp_path, pack):
    # The name says the opposite of the content: only the first bytes count.
    path = saved(tmp_path, pack(TEXT), "x.txt" if pack is gzip.compress else "x.gz")
    with open_capped(path) as file:
        assert file.readline() == b"first line\n"
        assert file.readline(6) == b"second"
        assert file.peek()[:5] == b" line"
        assert file.read(6) == b" line\n"
        assert file.read_buffer(256) == bytearray(range(256))
        assert file.read() == bytes(range(256)) * 19
        assert file.read(1) == file.readline() == file.peek() == b""


def test_large_payload_across_many_pieces(tmp_path):
    data = random.Random(0).getrandbits(8 * 300000).to_bytes(300000, "big") * 12
    path = saved(tmp_path, gzip.compress(data, 1))
    assert len(data) > 3 * PIECE
    assert contents(path) == data
    with open_capped(path) as file:
        assert file.read_buffer(len(data)) == data
    with open_capped(path) as file:
        assert file.drain() == len(data)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_limit_is_inclusive(tmp_path, pack):
    path = saved(tmp_path, pack(b"x" * 100000))
    assert len(contents(path, max_bytes=100000)) == 100000
    with pytest.raises(DataError, match="found more than 99999 bytes; expected no more than that"):
        contents(path, max_bytes=99999)


def test_decompression_bomb_is_stopped_at_the_limit(tmp_path):
    path = saved(tmp_path, gzip.compress(bytes(64 << 20)))
    with peak_below(8 << 20), pytest.raises(DataError, match="more than 1000000 bytes"):
        contents(path, max_bytes=1000000)


@pytest.mark.parametrize("method", ["read", "read_buffer", "readline"])
def test_an_absurd_length_is_not_allocated(tmp_path, method):
    path = saved(tmp_path, gzip.compress(TEXT))
    with peak_below(4 * PIECE), open_capped(path) as file:
        found = getattr(file, method)(1 << 62)
    assert TEXT.startswith(found) and found


def test_every_truncation_of_a_gzip_file_is_found(tmp_path):
    whole = gzip.compress(TEXT)
    for size in range(2, len(whole)):
        with pytest.raises(DataError, match="a gzip file that is cut short"):
            contents(saved(tmp_path, whole[:size]))


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda z: z[:-8] + bytes([z[-8] ^ 1]) + z[-7:], "gzip file .CRC check failed"),
        (lambda z: z[:-1] + b"\x7f", "gzip file .Incorrect length of data"),
        (lambda z: z[:10] + b"\xff" * 9 + z[19:], "gzip file .invalid block type"),
        (lambda z: z[:2] + b"\x07" + z[3:], "gzip file .Unknown compression method"),
        (lambda z: z + b"<html>", "gzip file .Not a gzipped file"),
        (lambda z: z + b"\x1f", "gzip file .Not a gzipped file"),
        (lambda z: z + z[:-3], "cut short"),
    ],
)
def test_damaged_gzip(tmp_path, damage, found):
    path = saved(tmp_path, damage(gzip.compress(TEXT)))
    with pytest.raises(DataError, match=found + ".*not the right one: get it again"):
        contents(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (b"<!DOCTYPE html><title>404</title>", "an HTML page"),
        (b"\xef\xbb\xbf \r\n<HTML lang=en>", "an HTML page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML page"),
    ],
)
def test_web_page_instead_of_the_data(tmp_path, page, kind, pack):
    with pytest.raises(DataError, match="found " + kind + ".*the download went wrong: get "):
        open_capped(saved(tmp_path, pack(page)), expected="an IDX file")


def test_no_usable_file(tmp_path):
    for path, found in (
        (tmp_path / "missing", "no file there; expected an IDX file; check the path"),
        (saved(tmp_path, b"x") / "below-a-file", "no file there"),
        (tmp_path, "a folder; .*; give the path of a file"),
        (saved(tmp_path, b"", "empty"), "an empty file;"),
        (saved(tmp_path, gzip.compress(b""), "gzipped"), "an empty file, gzipped;"),
        ("a\0b", "a path with a NUL character"),
    ):
        with pytest.raises(DataError, match="found " + found):
            open_capped(path, expected="an IDX file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this system's file system")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="found a pipe or device"):
        open_regular(tmp_path / "pipe")


@pytest.mark.timeout(20)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this system's file system")
def test_a_file_that_becomes_a_pipe_when_it_is_opened_is_refused(tmp_path, monkeypatch):
    path, opened = saved(tmp_path, TEXT), open

    def swapped(*args, **kwargs):
        path.unlink()
        os.mkfifo(path)
        return opened(*args, **kwargs)

    monkeypatch.setattr("builtins.open", swapped)
    with pytest.raises(DataError, match="found a pipe or device"):
        open_regular(path)


def test_a_file_that_may_not_be_opened(tmp_path, monkeypatch):
    path = saved(tmp_path, TEXT)
    refuse(monkeypatch, "builtins.open", PermissionError(13, "Permission denied"))
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\).*permissions"):
        open_capped(path)


def test_disk_error_in_the_middle(tmp_path):
    with open_capped(saved(tmp_path, b"x" * PIECE)) as file:
        file.read(1)
        handle = file.raw._file.fileno()
        os.close(handle)  # as if the disk went away
        with pytest.raises(DataError, match=r"cannot be read \(Bad file descriptor\)"):
            file.read()
        # Give the number back, so that closing finds a file there.
        os.dup2(os.open(os.devnull, os.O_RDONLY), handle)


def test_array_takes_over_a_bytearray_without_a_copy():
    raw = bytearray(b"\1\0\2\0")
    array = array_from_bytes("x", raw, "<u2", (2, 1))
    array[0] = 258  # 0x0102, little-endian: bytes 02 01
    assert bytes(raw) == b"\2\1\2\0"


def test_array_from_bytes_is_a_writable_copy_in_native_order():
    array = array_from_bytes("x", b"\0\1\0\2\0\3\0\4\0\5\0\6", ">i2", (2, 3), fortran_order=True)
    assert array.tolist() == [[1, 3, 5], [2, 4, 6]]
    assert array.dtype.isnative and array.flags.writeable


@pytest.mark.parametrize(
    ("raw", "dtype", "shape", "found"),
    [
        (bytes(7), "<f4", (2,), r"7 bytes of array data; expected 8 for shape \(2,\) of float32"),
        (bytes(8), "<f4", (3,), r"8 bytes of array data; expected 12 for shape \(3,\)"),
        (bytes(4), "f4", (-1,), "an array of an impossible shape"),
        (bytes(4), "f4", (1,) * 33, "an array of an impossible shape"),
        (b"", "f4", (0, 1 << 50), "an array of an impossible shape"),
        (b"", "f8", (0, 1 << 35, 1 << 35), "an empty array of shape"),
        (b"", "u1", (0, 1 << 16, 1 << 24), "an empty array of shape"),
        (b"\0\1\2", "b1", (3,), "booleans other than 0 and 1"),
        (b"A\0\0\0" + b"\0\0\x11\0", "<U2", (), "text that is not Unicode"),
    ],
)
def test_array_that_is_refused(raw, dtype, shape, found):
    with pytest.raises(DataError, match="^x: found " + found):
        array_from_bytes("x", raw, dtype, shape)


def test_big_endian_text():
    raw = "h\u00e9".encode("utf-32-be")
    assert array_from_bytes("x", raw, ">U2", ()).item() == "h\u00e9"


def test_old_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "data"

    def write(file):
        file.write(b"new")
        file.flush()
        assert not path.exists() or path.read_bytes() == b"old"

    write_atomically(str(path), write)
    assert path.read_bytes() == b"new"
    write_atomically(saved(tmp_path, b"old"), write)
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["data"]


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (KeyboardInterrupt, KeyboardInterrupt, "^$"),
        (ZeroDivisionError, ZeroDivisionError, "^$"),
        (SystemExit, SystemExit, "^$"),
        (
            OSError(28, "No space left on device"),
            SettingsError,
            r"found a file that cannot be written \(No space left on device\); free some space",
        ),
        (
            OSError(27, "File too large"),
            SettingsError,
            r"\(File too large\); allow larger files \(ulimit",
        ),
    ],
)
def test_interrupted_write_changes_nothing(tmp_path, error, raised, said):
    path = saved(tmp_path, b"old")

    def write(file):
        file.write(b"half")
        raise error

    with pytest.raises(raised, match=said) as caught:
        write_atomically(path, write)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["data"]


def test_folders_that_cannot_be_written(tmp_path, monkeypatch):
    for path, message in (
        (tmp_path / "no" / "file", r"No such file or directory\); make the folder first"),
        (tmp_path, "found a folder or device; expected a file; choose another path"),
        (os.devnull, "found a folder or device"),
    ):
        with pytest.raises(SettingsError, match=message):
            write_atomically(path, lambda file: None)
    refuse(monkeypatch, "builtins.open", OSError(30, "Read-only file system"))
    message = r"Read-only file system\); choose a folder that you may"
    with pytest.raises(SettingsError, match=message):
        write_atomically(tmp_path / "x", lambda file: None)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"], ids=ascii)
def test_impossible_names_are_refused(tmp_path, name):
    for path in (tmp_path / name, tmp_path / name / "file"):
        with pytest.raises(SettingsError, match="cannot be written .*(null|codec)"):
            write_atomically(path, lambda file: pytest.fail("opened"))
    assert os.listdir(tmp_path) == []


def test_the_file_that_is_replaced_may_be_kept(tmp_path):
    path, previous = tmp_path / "x", tmp_path / "x.previous"
    for content in (b"1", b"2", b"3"):
        write_atomically(path, lambda file, content=content: file.write(content), previous)
    assert (path.read_bytes(), previous.read_bytes()) == (b"3", b"2")
    with pytest.raises(ZeroDivisionError):
        write_atomically(path, lambda file: 1 / 0, previous)
    assert (path.read_bytes(), previous.read_bytes()) == (b"3", b"2")
    assert sorted(os.listdir(tmp_path)) == ["x", "x.previous"]


def test_one_of_two_names_is_there_at_every_moment(tmp_path, monkeypatch):
    path, previous = tmp_path / "x", tmp_path / "x.previous"
    write_atomically(path, lambda file: file.write(b"1"), previous)
    seen, replace = [], os.replace

    def watched(source, target):
        replace(source, target)
        seen.append(sorted(name for name in os.listdir(tmp_path) if name.startswith("x")))

    monkeypatch.setattr(os, "replace", watched)
    write_atomically(path, lambda file: file.write(b"2"), previous)
    assert seen == [["x.previous"], ["x", "x.previous"]]


def test_only_what_killed_writers_left_is_removed(tmp_path):
    others = [".0123456789abcdef.tmp", ".dlt-0123456789abcdeg.tmp", "dlt-0123456789abcdef.tmp", "x"]
    for name in (".dlt-0123456789abcdef.tmp", *others):
        (tmp_path / name).write_bytes(b"")
    remove_unfinished(tmp_path)
    assert sorted(os.listdir(tmp_path)) == others


def test_writing_removes_what_was_left_a_day_ago(tmp_path):
    file, folder, left, left_folder = (tmp_path / f".dlt-{digit * 16}.tmp" for digit in "0123")
    for path, hours in ((folder, 23), (left_folder, 25)):
        path.mkdir()
        (path / "x").write_bytes(b"half")
        os.utime(path / "x", (time.time() - hours * 3600,) * 2)
        os.utime(path, (time.time() - 25 * 3600,) * 2)
    for path, hours in ((file, 23), (left, 25)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - hours * 3600,) * 2)
    write_atomically(tmp_path / "x", lambda file: file.write(b"1"))
    assert sorted(tmp_path.iterdir()) == [file, folder, tmp_path / "x"]


def test_failing_rename_removes_the_temporary_file(tmp_path, monkeypatch):
    refuse(monkeypatch, "os.replace", PermissionError(13, "Permission denied"))
    with pytest.raises(SettingsError, match="Permission denied"):
        write_atomically(tmp_path / "x", lambda file: file.write(b"1"))
    assert os.listdir(tmp_path) == []


def test_bytes_are_on_disk_before_the_rename(tmp_path, monkeypatch):
    calls = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("sync"), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("rename"), replace(a, b)))
    write_atomically(tmp_path / "x", lambda file: file.write(b"1"))
    assert calls[:2] == ["sync", "rename"]
    if os.name == "posix":
        assert calls[2:] == ["sync"]  # of the folder


@pytest.mark.skipif(os.name != "posix", reason="permission bits of POSIX")
@pytest.mark.parametrize(("mask", "bits"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_umask_decides_the_permission_bits(tmp_path, mask, bits):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "x", lambda file: file.write(b"1"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == bits


@pytest.mark.skipif(os.name != "posix", reason="links need no privilege on POSIX only")
def test_a_link_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    target = saved(tmp_path / "disk", b"old")
    (tmp_path / "link").symlink_to(target)
    write_atomically(tmp_path / "link", lambda file: file.write(b"new"))
    assert (tmp_path / "link").is_symlink()
    assert target.read_bytes() == b"new"
