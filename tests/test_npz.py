"""Tests of `dlt.files.npz`: archives as numpy writes them, and hostile ones."""

import io
import itertools
import json
import zipfile

import attacks
import numpy as np
import pytest
from attacks import GOOD, archive, header, npy
from conftest import interrupting_at_line, saved

from dlt.errors import DataError
from dlt.files.npz import read_npz, write_npz

ARRAYS = {
    "W": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
    "b": np.array([1.5, -2.0]),
    "y": np.array([7, 0, 9], dtype=np.uint8),
    "mask": np.array([[True], [False]]),
    "step": np.int64(-3),
    "none": np.zeros((0, 4), np.float16),
    "meta": np.array(json.dumps({"learning_rate": 0.13, "name": "\u00e9"}, ensure_ascii=False)),
}


def refused(folder, data, found):
    with pytest.raises(DataError, match="found (" + found + ")") as caught:
        read_npz(saved(folder, data))
    assert "\n" not in str(caught.value) and str(caught.value).isprintable()


def same(left, right):
    assert list(left) == list(right)
    for name in left:
        assert left[name].dtype == np.asarray(right[name]).dtype
        np.testing.assert_array_equal(left[name], right[name])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed, write_npz])
def test_arrays_come_back(tmp_path, save):
    file = io.BytesIO()
    save(file, ARRAYS) if save is write_npz else save(file, **ARRAYS)
    found = read_npz(saved(tmp_path, file.getvalue()))
    same(found, ARRAYS)
    assert json.loads(found["meta"].item())["name"] == "\u00e9"
    assert all(array.flags.writeable for array in found.values())
    file.seek(0)
    with np.load(file, allow_pickle=False) as by_numpy:
        same(dict(by_numpy), ARRAYS)


def test_ctrl_c_at_any_line_is_what_is_raised():
    # zipfile would complain that a member is still open, in place of what really happened
    for n in itertools.count():
        with interrupting_at_line(n) as start:
            try:
                start("training")
                write_npz(io.BytesIO(), ARRAYS)
                break  # no line is left to stop at
            except KeyboardInterrupt:
                continue
    assert n > 10


def test_byte_order_fortran_order_and_versions(tmp_path):
    fortran = io.BytesIO()
    np.lib.format.write_array(fortran, np.asfortranarray(ARRAYS["W"].astype(">f8")))
    head = "{'descr': '|u1', 'fortran_order': False, 'shape': (2L,)}"
    reordered = "{'shape': (), 'fortran_order': False, 'descr': '>i2'}"
    members = {
        "fortran": fortran.getvalue(),
        "py2": npy(head, b"\1\2"),
        "two": npy(reordered, b"\1\2", version=2),
        "three": npy(header("'<i2'", "(1,)"), b"\5\0", version=3),
    }
    found = read_npz(saved(tmp_path, archive(*((n + ".npy", d) for n, d in members.items()))))
    assert found["fortran"].tolist() == ARRAYS["W"].tolist() and found["fortran"].dtype.isnative
    assert [found[name].tolist() for name in ("py2", "two", "three")] == [[1, 2], 258, [5]]


def test_an_archive_may_be_empty_and_names_may_have_a_folder(tmp_path):
    assert read_npz(saved(tmp_path, archive())) == {}
    members = ("layer 0/W.npy", GOOD), ("..b.npy", GOOD)
    assert list(read_npz(saved(tmp_path, archive(*members)))) == ["layer 0/W", "..b"]


def test_writing_is_deterministic_and_no_name_is_reserved(monkeypatch):
    arrays = dict(ARRAYS, file=np.zeros(1), args=np.ones(1))
    first, second = io.BytesIO(), io.BytesIO()
    write_npz(first, arrays)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_npz(second, arrays)
    assert first.getvalue() == second.getvalue()
    with zipfile.ZipFile(first) as zipped:
        assert zipped.namelist()[-2:] == ["file.npy", "args.npy"]
        assert zipped.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x80\x02cnumpy", "a pickle; expected an npz file"),
        (b"\x93NUMPY\x01\x00", r"a numpy \.npy file; expected an npz file"),
        (b"\x1f\x8b\x08\x00", "a gzip file"),
        (b"\x00\x00\x08\x03\x00\x00", "an IDX file"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer instead of the file"),
        (b"\x1b[2J", "a file that begins with 1b 5b 32 4a"),
        (b"PK\x03\x04 and then nothing", r"a damaged zip archive \(File is not a zip file\)"),
        (b"", "an empty file"),
    ],
)
def test_not_a_zip(tmp_path, data, found):
    refused(tmp_path, data, found)


ARCHIVES = attacks.light(attacks.add_npy_and_npz, attacks.add_zip_tricks, attacks.add_zip_sizes)
ARCHIVES = {name[len("npz-") :]: data for name, data in ARCHIVES.items() if name[2] == "z"}
HEADER = "a member 'x.npy' with the header"
ELSEWHERE = "a member '.*' with a name that is unprintable, or leads out of the archive"

# What the error names, by the start of the attack's name; the first line that fits counts.
FOUND = {
    "header-shape-huge": "8 bytes of array data; expected 4000000000000 for shape",
    "header-shape-o": "an array of an impossible shape",
    "header-escape": HEADER + r" .*\\x1b\[2J",
    "header-empty": HEADER + " ''",
    "header-": HEADER,
    "member-version-9": "a member 'x.npy' that is not a .npy array",
    "member-length-huge": HEADER,
    "member-cut": "7 bytes of array data; expected 8",
    "member-too-long": "9 bytes of array data; expected 8",
    "member-wrong-text": "text that is not Unicode",
    "member-surrogate": "text that is not Unicode",
    "member-pickle": "a member 'x.npy' that is not a .npy array",
    "member-nothing": "a member 'x.npy' that is not a .npy array",
    "symbolic-link": "a member 'x.npy' that is not a .npy array",
    "absolute-name": ELSEWHERE,
    "name-above": ELSEWHERE,
    "name-of-a-drive": ELSEWHERE,
    "no-name": ELSEWHERE,
    "name-with-a-line-break": ELSEWHERE,
    "long-name": ELSEWHERE,
    "same-name-twice": "a member 'x.npy' twice",
    "encrypted": "a member 'x.npy' that is encrypted",
    "method-99": "a member 'x.npy' with compression method 99",
    "method-lzma": "a member 'x.npy' with compression method 14",
    "not-an-array": "a member 'evil.py' that is not an array",
    "many-members": "10001 members that unpack to",
    "bomb-that-declares-150": r"a damaged zip archive \(Bad CRC-32|22 bytes of array data",
    "bomb-that-declares-4": "1 members that unpack to 4294967295 bytes; expected at most",
}


@pytest.mark.parametrize("attack", [name for name in ARCHIVES if name.startswith(tuple(FOUND))])
def test_attacks_are_refused_in_one_line(tmp_path, attack):
    found = next(FOUND[start] for start in FOUND if attack.startswith(start))
    refused(tmp_path, ARCHIVES[attack], found)


@pytest.mark.parametrize(
    ("member", "found"),
    [
        (npy(header("'<c8'"), bytes(4)), HEADER),
        (npy(header("'|S4'"), bytes(4)), HEADER),
        (npy(header("'<f16'"), bytes(4)), HEADER),
        (npy(header("'<U0'"), bytes(4)), HEADER),
        (npy(header("'<f4'", order="0"), bytes(4)), HEADER),
        (npy(header("'<f4'", "1"), bytes(4)), HEADER),
        (npy(header("'<f4'", "(True,)"), bytes(4)), HEADER),
        (npy(header("'<U9000000'", "()"), bytes(4)), "4 bytes of array data; expected 36000000"),
        (npy("{'descr': '<f4', 'fortran_order': False}", bytes(4)), HEADER),
        (npy("{" + "[" * 3000 + "}", bytes(4)), HEADER),
        (npy(header() + " " * 5000, bytes(4)), HEADER + " ''"),
        (npy(header("\u00e9", "(1,)")), HEADER),
        (GOOD[:9], "a member 'x.npy' with a header that is cut short"),
        (GOOD[:40], HEADER),
    ],
)
def test_members_that_are_refused(tmp_path, member, found):
    refused(tmp_path, archive(("x.npy", member)), found)


@pytest.mark.parametrize("name", ["a/../x.npy", "\\\\server\\x.npy", "a//x.npy"])
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    refused(tmp_path, archive((name, GOOD)), ELSEWHERE)


def test_a_directory_too_large_to_be_read(tmp_path):
    # 100 bytes an entry in the file, but 600 in memory: refused before it is taken apart
    data = archive(*(("n" * 54 + f"{int(i):06}.npy", b"") for i in range(40000)))
    refused(tmp_path, data, r"a damaged zip archive \(a directory of more than 4194304 bytes\)")


def test_wrong_crc(tmp_path):
    data = bytearray(archive(("x.npy", GOOD)))
    data[data.index(b"PK\1\2") - 1] ^= 1  # the last byte of the last number
    refused(tmp_path, data, r"a damaged zip archive \(Bad CRC-32 for file 'x.npy'\)")


def test_zip_bomb_by_declared_sizes(tmp_path):
    zeros = npy(header("'|u1'", "(1000000,)"), bytes(1000000))
    members = [(f"x{int(i)}.npy", zeros) for i in range(3)]
    path = saved(tmp_path, archive(*members, method=zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 10000
    assert len(read_npz(path, max_bytes=3 * len(zeros))) == 3
    found = f"found 3 members that unpack to {3 * len(zeros)} bytes; expected at"
    with pytest.raises(DataError, match=found):
        read_npz(path, max_bytes=3 * len(zeros) - 1)


def test_every_truncation_is_found(tmp_path):
    file = io.BytesIO()
    write_npz(file, {"W": np.ones((2, 2), np.float32), "meta": np.array("{}")})
    for size in range(len(file.getvalue())):
        refused(tmp_path, file.getvalue()[:size], "")
