"""Tests of `dlt.npz`: archives as numpy writes them, and hostile ones."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from conftest import ROOT

from dlt.errors import DataError
from dlt.npz import read_npz, write_npz

ARRAYS = {
    "W": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
    "b": np.array([1.5, -2.0]),
    "y": np.array([7, 0, 9], dtype=np.uint8),
    "mask": np.array([[True], [False]]),
    "step": np.int64(-3),
    "none": np.zeros((0, 4), np.float16),
    "meta": np.array(json.dumps({"learning_rate": 0.13, "name": "\u00e9"}, ensure_ascii=False)),
}


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as zipped:
        for name, data in members:
            zipped.writestr(name, data)
    return path


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(array), **options)
    return file.getvalue()


def npy_with_header(text, data=b"", version=1):
    text = text.encode("latin-1") + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def refused(path, found):
    with pytest.raises(DataError, match="found " + found) as caught:
        read_npz(path)
    assert "\n" not in str(caught.value)


def same(left, right):
    assert list(left) == list(right)
    for name in left:
        assert left[name].dtype == np.asarray(right[name]).dtype
        np.testing.assert_array_equal(left[name], right[name])


# --- What must be read -------------------------------------------------------------------------


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed, write_npz])
def test_arrays_come_back(tmp_path, save):
    path = tmp_path / "a.npz"
    with open(path, "wb") as file:
        save(file, ARRAYS) if save is write_npz else save(file, **ARRAYS)
    found = read_npz(path)
    same(found, ARRAYS)
    assert json.loads(found["meta"].item())["name"] == "\u00e9"
    assert all(array.flags.writeable for array in found.values())


def test_ctrl_c_at_any_line_is_what_is_raised():
    # zipfile would complain that a member is still open, in place of what really happened
    def trace(frame, event, argument):
        if os.path.basename(frame.f_code.co_filename) != "npz.py":
            return None
        if event == "line":
            lines.append(frame.f_lineno)
            if len(lines) == n:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    n, former = 0, sys.gettrace()
    while True:
        n, lines = n + 1, []
        sys.settrace(trace)
        try:
            write_npz(io.BytesIO(), ARRAYS)
        except KeyboardInterrupt:
            continue
        finally:
            sys.settrace(former)
        assert len(lines) == n - 1 > 10  # the first time that no line is left to stop at
        break


def test_numpy_reads_what_write_npz_wrote(tmp_path):
    path = tmp_path / "a.npz"
    with open(path, "wb") as file:
        write_npz(file, ARRAYS)
    with np.load(path, allow_pickle=False) as found:
        same(dict(found), ARRAYS)


def test_byte_order_fortran_order_and_versions(tmp_path):
    fortran = np.asfortranarray(ARRAYS["W"].astype(">f8"))
    members = [
        ("one.npy", npy(fortran, version=(1, 0))),
        ("two.npy", npy(fortran, version=(2, 0))),
        (
            "py2.npy",
            npy_with_header("{'descr': '|u1', 'fortran_order': False, 'shape': (2L,)}", b"\1\2"),
        ),
        (
            "order.npy",
            npy_with_header("{'shape': (), 'fortran_order': False, 'descr': '>i2'}", b"\1\2"),
        ),
    ]
    found = read_npz(archive(tmp_path / "a.npz", members))
    for name in ("one", "two"):
        assert found[name].tolist() == ARRAYS["W"].tolist() and found[name].dtype.isnative
    assert found["py2"].tolist() == [1, 2]
    assert found["order"].item() == 258


def test_version_3_and_no_arrays_at_all(tmp_path):
    head = "{'descr': '<i2', 'fortran_order': False, 'shape': (1,), }"
    path = archive(tmp_path / "a.npz", [("x.npy", npy_with_header(head, b"\5\0", version=3))])
    assert read_npz(path)["x"].tolist() == [5]
    assert read_npz(archive(tmp_path / "b.npz", [])) == {}


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


@pytest.mark.parametrize("value", [[{}], b"bytes", 1j, np.zeros(1, "f4,f4"), np.datetime64("now")])
def test_only_plain_arrays_are_written(value):
    with pytest.raises(DataError, match=r"^W: found an array of dtype .*; convert it first"):
        write_npz(io.BytesIO(), {"W": value})


# --- What must not -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x80\x02cnumpy", "a pickle of protocol 2; expected an npz file"),
        (b"\x93NUMPY\x01\x00", r"a numpy \.npy file; expected an npz file"),
        (b"\x1f\x8b\x08\x00", "a gzip file"),
        (b"<!doctype html>", "an HTML page"),
        (b"hello", "a file that begins with 68 65 6c 6c"),
        (b"PK\x03\x04 and then nothing", r"a damaged zip archive \(File is not a zip file\)"),
        (b"", "an empty file"),
    ],
)
def test_not_a_zip(tmp_path, data, found):
    path = tmp_path / "a.npz"
    path.write_bytes(data)
    refused(path, found)


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_objects_are_refused_and_never_unpickled(tmp_path):
    canary = tmp_path / "canary"
    hostile = np.array([Canary(canary)], dtype=object)
    path = archive(tmp_path / "a.npz", [("x.npy", npy(hostile, allow_pickle=True))])
    refused(path, "a member 'x.npy' with the header .*O")
    assert not canary.exists()
    pickle.loads(pickle.dumps(Canary(canary))).close()  # the canary does sing when let
    assert canary.exists()


HEAD = "{'descr': %s, 'fortran_order': %s, 'shape': %s, }"


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (HEAD % ("'|O'", "False", "(1,)"), "a member 'x.npy' with the header"),
        (HEAD % ("[('a', '<f4')]", "False", "(1,)"), "a member 'x.npy' with the header"),
        (HEAD % ("'<f4,<f4'", "False", "(1,)"), "a member 'x.npy' with the header"),
        (HEAD % ("'<c8'", "False", "(1,)"), "a member 'x.npy' with the header"),
        (HEAD % ("'|S4'", "False", "(1,)"), "a member 'x.npy' with the header"),
        (HEAD % ("'|V4'", "False", "(1,)"), "a member 'x.npy' with the header"),
        (HEAD % ("'<f16'", "False", "(1,)"), "a member 'x.npy' with the header"),
        (HEAD % ("'<U0'", "False", "(1,)"), "a member 'x.npy' with the header"),
        (HEAD % ("'<U900000000'", "False", "()"), "a member 'x.npy' with the header"),
        (HEAD % ("'<f4'", "0", "(1,)"), "a member 'x.npy' with the header"),
        (HEAD % ("'<f4'", "False", "1"), "a member 'x.npy' with the header"),
        (HEAD % ("'<f4'", "False", "(-1,)"), "a member 'x.npy' with the header"),
        (HEAD % ("'<f4'", "False", "('a',)"), "an array with a shape that is not one"),
        (HEAD % ("'<f4'", "False", "(True,)"), "an array with a shape that is not one"),
        (HEAD % ("'<f4'", "False", "(2,)"), r"4 bytes of array data; expected 8 for shape \(2,\)"),
        (HEAD % ("'<f4'", "False", "(99999999999, 9)"), "4 bytes of array data; expected 35999"),
        (HEAD % ("'<U9000000'", "False", "()"), "4 bytes of array data; expected 36000000 for"),
        (HEAD % ("'<U1'", "False", "(1,)"), "text that is not Unicode"),
        ("{'descr': '<f4', 'fortran_order': False}", "a member 'x.npy' with the header"),
        ("__import__('os').system('x')", "a member 'x.npy' with the header"),
        # Python warns of these, on a line of its own
        (HEAD % ("'<f4'", "False", "(1or 2,)"), "a member 'x.npy' with the header"),
        ("{" + "(" * 3000 + ")" * 3000 + "}", "a member 'x.npy' with the header"),
        ("{" + "not " * 900 + "(1)}", "a member 'x.npy' with the header"),
        ("{" + "[" * 3000 + "}", "a member 'x.npy' with the header"),
        (" " * 5000, "a member 'x.npy' with the header ''"),
        ("\x1b]0;owned\x07\n", r"a member 'x.npy' with the header '\\x1b\]0;owned\\x07'"),
    ],
)
def test_headers_that_are_refused(tmp_path, head, found):
    data = npy_with_header(head, b"\xff\xff\xff\xff")
    refused(archive(tmp_path / "a.npz", [("x.npy", data)]), found)


def test_a_header_makes_the_parser_import_nothing(tmp_path):
    # Python's parser imports unicodedata to compare names that are not ASCII
    path = archive(
        tmp_path / "a.npz", [("x.npy", npy_with_header(HEAD % ("\u00e9", "False", "(1,)")))]
    )
    refused(path, "a member 'x.npy' with the header")
    code = (
        "import sys, dlt.npz\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, args: event == 'import' and seen.append(args[0]))\n"
        "try:\n"
        "    dlt.npz.read_npz({!r})\n"
        "except dlt.errors.DataError:\n"
        "    print('unicodedata' in seen)\n"
    ).format(str(path))
    process = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=str(ROOT))
    assert process.stdout.strip() == b"False"


def test_members_that_are_no_arrays(tmp_path):
    good = npy(np.zeros(2))
    path = tmp_path / "a.npz"
    refused(archive(path, [("x.npy", b"")]), "a member 'x.npy' that is no .npy array")
    refused(archive(path, [("x.npy", b"\x93NUMPY\x09\x00")]), "a member 'x.npy' that is no")
    refused(archive(path, [("x.npy", good[:9])]), r"a damaged zip archive \(unpack requires")
    refused(archive(path, [("x.npy", good[:40])]), "a member 'x.npy' with the header")
    refused(archive(path, [("x.npy", good + b"!")]), "17 bytes of array data; expected 16")
    refused(archive(path, [("readme\n.txt", b"hi")]), r"a member 'readme\\n.txt' that is not an")
    refused(archive(path, [("x/", b"")]), "a member 'x/' that is not an array")


@pytest.mark.parametrize(
    "name",
    ["/x.npy", "../x.npy", "a/../x.npy", "\\\\server\\x.npy", "C:\\x.npy", "a//x.npy", ".npy",
     "a\nb.npy", "\x1b[2J.npy", "n" * 200 + ".npy"],
)  # fmt: skip
def test_names_that_lead_elsewhere(tmp_path, name):
    path = archive(tmp_path / "a.npz", [(name, npy(1))])
    refused(path, "a member '.*' that is a link, or whose name leads elsewhere")


def test_a_name_with_a_folder_is_fine(tmp_path):
    path = archive(tmp_path / "a.npz", [("layer 0/W.npy", npy(1)), ("..b.npy", npy(2))])
    assert list(read_npz(path)) == ["layer 0/W", "..b"]


def test_a_symbolic_link(tmp_path):
    link = zipfile.ZipInfo("x.npy")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    refused(archive(tmp_path / "a.npz", [(link, "/etc/passwd")]), "a member 'x.npy' that is a link")


def test_a_directory_too_large_to_be_read(tmp_path):
    # 100 bytes an entry in the file, but 600 in memory: refused before it is taken apart
    path = archive(tmp_path / "a.npz", [("n" * 54 + "%06d.npy" % i, b"") for i in range(40000)])
    refused(path, r"a damaged zip archive \(a directory of more than 4194304 bytes\)")


def test_a_name_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path / "a.npz", [("x.npy", npy(1)), ("x.npy", npy(2))])
    refused(path, "a member 'x.npy' twice")


def test_other_compression_methods(tmp_path):
    path = archive(tmp_path / "a.npz", [("x.npy", npy(1))], zipfile.ZIP_BZIP2)
    refused(path, "a member 'x.npy' with compression method 12")


def test_encrypted_member(tmp_path):
    path = archive(tmp_path / "a.npz", [("x.npy", npy(1))])
    data = bytearray(path.read_bytes())
    data[6] |= 1  # general purpose flags of the local header
    data[data.index(b"PK\1\2") + 8] |= 1  # and of the central directory
    path.write_bytes(data)
    refused(path, "a member 'x.npy' that is encrypted")


def test_wrong_crc(tmp_path):
    path = archive(tmp_path / "a.npz", [("x.npy", npy(np.zeros(2)))])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") - 1] ^= 1  # the last byte of the last number
    path.write_bytes(data)
    refused(path, r"a damaged zip archive \(Bad CRC-32 for file 'x.npy'\)")


def test_zip_bomb_by_declared_sizes(tmp_path):
    zeros = npy(np.zeros(1000000, np.uint8))
    members = [("x%d.npy" % i, zeros) for i in range(3)]
    path = archive(tmp_path / "a.npz", members, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10000
    assert len(read_npz(path, max_bytes=3 * len(zeros))) == 3
    with pytest.raises(
        DataError, match="found 3 members that unpack to 3000384 bytes; expected at"
    ):
        read_npz(path, max_bytes=3 * len(zeros) - 1)


def test_zip_bomb_that_lies_about_its_size(tmp_path):
    path = archive(tmp_path / "a.npz", [("x.npy", npy(np.zeros(10**6)))], zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", 8000128), struct.pack("<I", 150)))
    # Unpacking stops at the 150 bytes that were declared, of which 22 are items.
    refused(path, r"(a damaged zip archive \(Bad CRC-32|22 bytes of array data)")


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr("dlt.npz.MAX_MEMBERS", 2)
    path = archive(tmp_path / "a.npz", [("x%d.npy" % i, npy(i)) for i in range(3)])
    refused(path, "3 members that unpack to")


def small_archive():
    file = io.BytesIO()
    write_npz(file, {"W": np.ones((2, 2), np.float32), "meta": np.array("{}")})
    return file.getvalue()


SMALL = small_archive()


def test_every_truncation_and_every_flipped_bit(tmp_path):
    for size in range(len(SMALL)):
        with pytest.raises(DataError, match="found "):
            read_npz(write(tmp_path, SMALL[:size]))
    for place in range(len(SMALL)):
        for bit in (1, 128):
            data = bytearray(SMALL)
            data[place] ^= bit
            only_arrays_or_data_error(tmp_path, data)


def write(folder, data):
    path = folder / "damaged.npz"
    path.write_bytes(data)
    return path


def only_arrays_or_data_error(folder, data):
    try:
        found = read_npz(write(folder, data))
    except DataError as error:
        assert "\n" not in str(error) and str(error).isprintable()
    else:
        assert all(type(array) is np.ndarray for array in found.values())
