"""Tests of dlt.fetching against real servers on 127.0.0.1; no other address is ever used."""

import contextlib
import errno
import gzip
import hashlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import ROOT, peak_below

from dlt import fetching
from dlt.errors import DltError, SettingsError
from dlt.fetching import MIRRORS, FetchError, Mirror, fetch_mnist, user_cache

CONTENT = {"images.gz": b"pictures " * 40000, "labels.gz": b"labels"}  # 360000 and 6 bytes
HASHES = {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENT.items()}
REMEDY = (
    "put the four files or mnist.pkl.gz into the folder that DLT_DATA names, "
    "or use --dataset digits"
)


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch):
    """Forget proxies, and let no name but 127.0.0.1 be looked up."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    look_up = socket.getaddrinfo

    def guarded(host, *args, **kwargs):
        if host != "127.0.0.1":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", guarded)


class Handler(BaseHTTPRequestHandler):
    """Answer with what the server's `answer(handler, name)` does; note every request."""

    def do_HEAD(self):
        self.server.heads.append(self.path)
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        self.server.gets.append(self.path)
        with contextlib.suppress(OSError):  # the other side has had enough
            self.server.answer(self, self.path.rpartition("/")[2])

    def log_message(self, *args):
        pass


def send(handler, data, length=None):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data) if length is None else length))
    handler.end_headers()
    handler.wfile.write(data)
    handler.wfile.flush()


def good(handler, name):
    send(handler, CONTENT[name])


def not_found(handler, name):
    handler.send_error(404)


def html(handler, name):
    send(handler, b"<!DOCTYPE html><title>Log in to this network</title>")


def refuses(number):
    """Return a function that fails as the system does."""

    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return refuse


def dies(handler, name):
    send(handler, CONTENT[name][: len(CONTENT[name]) // 2], length=len(CONTENT[name]))


@pytest.fixture
def serve():
    """Start mirrors: web servers on free ports of 127.0.0.1."""
    servers = []

    def start(answer):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.answer, server.heads, server.gets = answer, [], []
        server.host = f"127.0.0.1:{server.server_port}"
        server.mirror = Mirror(f"http://{server.host}/mnist/", HASHES)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hanging():
    """An event that servers wait for in vain until the test ends."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def silent():
    """A mirror at a port that accepts and never answers."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(5)
        yield Mirror(f"http://127.0.0.1:{s.getsockname()[1]}/", HASHES)


REFUSED = Mirror("http://127.0.0.1:1/", HASHES)
UNKNOWN = Mirror("http://user:secret@mirror.invalid/", HASHES)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def assert_complete(folder):
    assert names(folder) == ["images.gz", "labels.gz"]
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == CONTENT


def test_fetches_the_right_bytes_into_a_new_folder_in_the_user_s_cache(
    serve, tmp_path, monkeypatch
):
    monkeypatch.setattr(fetching.platformdirs, "user_cache_dir", lambda name: tmp_path / name)
    server, lines = serve(good), []
    folder = fetch_mnist(mirrors=[server.mirror], log=lines.append)
    assert folder == user_cache() == tmp_path / "dlt-theano"
    assert_complete(folder)
    assert lines == [f"downloading {name} from {server.host}" for name in CONTENT]
    assert server.gets == ["/mnist/images.gz", "/mnist/labels.gz"]


def test_without_a_home_nothing_is_fetched_to_a_folder_called_tilde(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fetching.platformdirs, "user_cache_dir", lambda name: f"~/.cache/{name}")
    expected = "HOME: found no home folder; expected one, for ~/.cache/dlt-theano; set it, or name "
    with pytest.raises(SettingsError, match=re.escape(expected)):
        fetch_mnist()
    assert os.listdir(str(tmp_path)) == []


def test_a_complete_set_needs_no_request(serve, tmp_path):
    server, lines = serve(good), []
    (tmp_path / "whole.npz").write_bytes(b"whole")
    later = REFUSED._replace(files={"whole.npz": (5, hashlib.sha256(b"whole").hexdigest())})
    fetch_mnist(str(tmp_path), [server.mirror, later], log=lines.append)
    assert (server.gets, server.heads, lines) == ([], [], [])
    assert names(tmp_path) == ["whole.npz"]


def test_downloads_only_what_is_missing_and_keeps_what_a_failing_mirror_gave(serve, tmp_path):
    first = serve(lambda h, name: good(h, name) if name == "images.gz" else not_found(h, name))
    second, lines = serve(good), []
    fetch_mnist(tmp_path, [first.mirror, second.mirror], log=lines.append)
    assert second.gets == ["/mnist/labels.gz"] and len(lines) == 3
    assert_complete(tmp_path)


OTHERS = {
    "another data set": lambda path: path.write_bytes(gzip.compress(b"\0\0\x08\1\0\0\0\2ab")),
    "a text": lambda path: path.write_bytes(b"mine"),
    "an empty file": lambda path: path.touch(),
    "a longer file": lambda path: path.write_bytes(CONTENT["labels.gz"] + b"!"),
    "a huge file": lambda path: (path.touch(), os.truncate(path, 1 << 40)),
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a link to another file": lambda path: path.symlink_to(__file__),
}
REFUSED_AS = "labels.gz: found something else; expected MNIST's file, or nothing; move it away"


def kind_and_age(path):
    status = path.lstat()
    return status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns


@pytest.mark.timeout(30)
@pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")
@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_what_is_not_mnists_is_not_replaced(serve, tmp_path, make):
    path, server = tmp_path / "labels.gz", serve(good)
    make(path)
    before = kind_and_age(path)
    with pytest.raises(SettingsError, match=REFUSED_AS):
        fetch_mnist(tmp_path, [server.mirror])
    assert kind_and_age(path) == before
    assert names(tmp_path) == ["labels.gz"] and server.heads == []


def test_what_gets_the_name_during_the_download_is_not_replaced_either(serve, tmp_path):
    def overtaken(handler, name):
        (tmp_path / name).write_bytes(CONTENT[name] if name == "images.gz" else b"mine")
        good(handler, name)

    with pytest.raises(SettingsError, match=REFUSED_AS):
        fetch_mnist(tmp_path, [serve(overtaken).mirror])
    assert (tmp_path / "images.gz").read_bytes() == CONTENT["images.gz"]
    assert (tmp_path / "labels.gz").read_bytes() == b"mine"


@pytest.mark.parametrize("has_links", [True, False])
def test_nor_is_what_gets_the_name_while_a_file_is_written(serve, tmp_path, monkeypatch, has_links):
    mirror = serve(good).mirror._replace(files={"labels.gz": HASHES["labels.gz"]})
    if not has_links:
        monkeypatch.setattr(os, "link", refuses(errno.EPERM))
    fetch_mnist(tmp_path / "free", [mirror])
    assert names(tmp_path / "free") == ["labels.gz"]
    monkeypatch.setattr(os, "fsync", lambda handle: path.write_bytes(content))
    for content in (CONTENT["labels.gz"], b"mine"):
        path = tmp_path / content.decode() / "labels.gz"
        refused = pytest.raises(SettingsError, match=REFUSED_AS)
        with refused if content == b"mine" else contextlib.nullcontext():
            fetch_mnist(path.parent, [mirror])
        assert path.read_bytes() == content and names(path.parent) == ["labels.gz"]


def test_a_file_that_cannot_be_read_is_no_other_file(serve, tmp_path, monkeypatch):
    (tmp_path / "labels.gz").write_bytes(CONTENT["labels.gz"])
    for place in ("dlt.files.reading.os.open", "dlt.fetching.hashlib.sha256"):  # or read
        with monkeypatch.context() as patch:
            patch.setattr(place, refuses(errno.EACCES))
            with pytest.raises(SettingsError) as caught:
                fetch_mnist(tmp_path, [serve(good).mirror])
        assert str(caught.value) == (
            f"{tmp_path / 'labels.gz'}: found a file that cannot be read (Permission denied); "
            "expected MNIST's file, or nothing; check its permissions and the disk, or name "
            "another folder"
        )


@pytest.mark.skipif(os.name != "posix", reason="permission bits and links of POSIX")
def test_the_umask_decides_who_may_read_and_a_link_to_mnists_file_is_as_good(serve, tmp_path):
    (tmp_path / "elsewhere").write_bytes(CONTENT["images.gz"])
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "images.gz").symlink_to("../elsewhere")
    before = os.umask(0o027)
    try:
        fetch_mnist(tmp_path / "new", [serve(good).mirror])
    finally:
        os.umask(before)
    assert_complete(tmp_path / "new")
    assert (tmp_path / "new" / "images.gz").is_symlink()
    assert stat.S_IMODE((tmp_path / "new" / "labels.gz").stat().st_mode) == 0o640


OK = b"HTTP/1.1 200 OK\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
# What a server sends first, what it sends again and again, the pause between, and what is said.
ENDLESS = {
    "body": (OK + b"\r\n", b"x" * 65536, 0, "more than the 6 bytes of labels.gz"),
    "lying length": (OK + b"Content-Length: 9999999\r\n\r\n", b"x" * 9999, 0, "more than the 6 by"),
    "drip of a body": (OK + b"\r\n", b"x", 0.2, "no 6 bytes within 0.5 s"),
    "drip of a line": (b"", b"H", 0.1, "no answer within 0.5 s"),
    "drip of headers": (OK, b"X: y\r\n", 0.1, "no answer within 0.5 s"),
    "headers": (OK, b"X: y\r\n" * 999, 0, "connection lost"),
    "header": (OK, b"x" * 65536, 0, "connection lost"),
    "hints": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99, 0, "no answer within 0.5 s"),
    "redirects": (MOVED + b"Content-Length: 0\r\n\r\n", b"", 9, "TooManyRedirects"),
    "body of a redirect": (MOVED + b"\r\n", b"x" * 65536, 0, "TooManyRedirects"),
    "drip of a redirect": (MOVED + b"\r\n", b"x", 0.1, "TooManyRedirects"),
    "length of a chunk": (CHUNKED, b"0" * 65536, 0, "connection lost"),
    "chunk": (CHUNKED + b"fffffffffff\r\n", b"x" * 65536, 0, "more than the 6 bytes of labels.gz"),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n" * 999, 0, "no 6 bytes within 0.5 s"),
    "zip bomb": (
        OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(1 << 24)), b"", 9, "more than",
    ),
}  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("first, again, pause, said", ENDLESS.values(), ids=ENDLESS)
def test_a_download_has_limits(serve, tmp_path, hanging, first, again, pause, said):
    def endless(handler, name):
        start = time.monotonic()
        handler.wfile.write(first)
        handler.wfile.flush()
        while not hanging.wait(pause) and time.monotonic() < start + 8:
            handler.wfile.write(again)
            handler.wfile.flush()

    mirror = serve(endless).mirror._replace(files={"labels.gz": HASHES["labels.gz"]})
    start = time.monotonic()
    with peak_below(16 << 20), pytest.raises(FetchError, match=said):
        fetch_mnist(tmp_path, [mirror], timeout=0.5 if said.endswith("0.5 s") else 3.0)
    assert time.monotonic() - start < 4
    assert names(tmp_path) == []


def test_even_an_answer_to_the_first_question_has_limits(tmp_path, hanging):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():  # a greeting of TLS, which begins with its length
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"\x16\x03\x03\x40\x00\x02")
                while not hanging.wait(0.1):
                    connection.sendall(b"\0")

        threading.Thread(target=drip, daemon=True).start()
        port = server.getsockname()[1]
        start = time.monotonic()
        with pytest.raises(FetchError, match="no answer within 0.5 s"):
            fetch_mnist(tmp_path, [Mirror(f"https://127.0.0.1:{port}/", HASHES)], timeout=0.5)
    assert time.monotonic() - start < 4


def test_a_redirect_is_followed(serve, tmp_path):
    def moved(handler, name):
        if handler.path.startswith("/moved/"):
            return good(handler, name)
        handler.send_response(301)
        handler.send_header("Location", f"../moved/{name}")
        handler.end_headers()

    fetch_mnist(tmp_path, [serve(moved).mirror])
    assert_complete(tmp_path)


def test_a_proxy_is_honoured_and_a_dead_one_is_named(serve, tmp_path, monkeypatch):
    proxy = serve(good)
    monkeypatch.setenv("http_proxy", "http://" + proxy.host)
    fetch_mnist(tmp_path / "first", [UNKNOWN])
    assert_complete(tmp_path / "first")
    assert proxy.gets[0].endswith("mirror.invalid/images.gz")
    monkeypatch.setenv("http_proxy", REFUSED.base_url)
    with pytest.raises(FetchError, match=r"mirror\.invalid: the proxy failed\); put"):
        fetch_mnist(tmp_path / "second", [UNKNOWN], timeout=1.0)


def test_hanging_name_look_up_gives_way(serve, tmp_path, monkeypatch, hanging):
    guarded = socket.getaddrinfo

    def hangs(host, *args, **kwargs):
        if host == "mirror.invalid":
            hanging.wait(20)
        return guarded(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    start = time.monotonic()
    fetch_mnist(tmp_path, [UNKNOWN, serve(good).mirror], timeout=0.5)
    assert time.monotonic() - start < 3
    assert_complete(tmp_path)


def test_stall_in_the_middle_gives_way(serve, tmp_path, hanging):
    def stalls(handler, name):
        dies(handler, name)
        hanging.wait(20)

    bad = serve(stalls)
    start = time.monotonic()
    fetch_mnist(tmp_path / "first", [bad.mirror, serve(good).mirror], timeout=0.5)
    assert time.monotonic() - start < 4
    assert_complete(tmp_path / "first")
    with pytest.raises(FetchError, match=rf"{bad.host}: no answer within 0.5 s\); put"):
        fetch_mnist(tmp_path / "second", [bad.mirror], timeout=0.5)
    assert names(tmp_path / "second") == []


def test_every_failing_mirror_is_named_and_gives_way_to_the_next(serve, silent, tmp_path):
    missing, page, cut = servers = serve(not_found), serve(html), serve(dies)
    mirrors = [missing.mirror, page.mirror, cut.mirror, *[silent] * 4, REFUSED, UNKNOWN]
    start = time.monotonic()
    with pytest.raises(FetchError) as caught:
        fetch_mnist(tmp_path, mirrors, timeout=1.0)
    assert time.monotonic() - start < 3.5, "one timeout for all of them"
    assert str(caught.value) == (
        "MNIST: found no mirror that works ("
        + f"{missing.host}: HTTP 404; "
        + f"{page.host}: wrong checksum of images.gz; "
        + f"{cut.host}: connection lost; "
        + f"{silent.base_url[7:-1]}: no answer within 1 s; " * 4
        + "127.0.0.1:1: connection refused; mirror.invalid: unknown host); "
        + REMEDY
    )
    assert isinstance(caught.value, DltError)
    assert names(tmp_path) == []
    for server in servers:
        assert server.gets == ["/mnist/images.gz"], "asked once: no retry, no second file"
    fetch_mnist(tmp_path, [*mirrors, serve(good).mirror], timeout=1.0)
    assert_complete(tmp_path)


def test_ctrl_c_leaves_nothing(serve, tmp_path, hanging):
    def presses_ctrl_c(handler, name):
        dies(handler, name)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        hanging.wait(20)

    with pytest.raises(KeyboardInterrupt):
        fetch_mnist(tmp_path, [serve(presses_ctrl_c).mirror], timeout=10.0)
    assert names(tmp_path) == []


def test_killed_process_leaves_nothing(serve, tmp_path, hanging):
    half_sent = threading.Event()

    def half(handler, name):
        dies(handler, name)
        half_sent.set()
        hanging.wait(20)

    mirror = serve(half).mirror
    code = "from dlt.fetching import *; fetch_mnist({!r}, [Mirror({!r}, {!r})], timeout=30.0)"
    child = subprocess.Popen(
        [sys.executable, "-c", code.format(str(tmp_path), mirror.base_url, HASHES)], cwd=str(ROOT)
    )
    try:
        assert half_sent.wait(30)
    finally:
        child.kill()
        child.wait()
    assert names(tmp_path) == []
    fetch_mnist(tmp_path, [serve(good).mirror])
    assert_complete(tmp_path)


def test_folder_that_is_a_file(serve, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    server = serve(good)
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(
            SettingsError, match=r"found a data folder that cannot be used .*DLT_DATA"
        ) as caught:
            fetch_mnist(folder, [server.mirror])
        assert "\n" not in str(caught.value)
    assert server.gets == []


def test_full_disk_is_not_blamed_on_the_mirror(serve, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left on device"):
        fetch_mnist(tmp_path, [serve(good).mirror])
    assert names(tmp_path) == []


def test_bar_is_drawn_only_when_asked_for_or_on_a_terminal(serve, tmp_path, capsys):
    pytest.importorskip("tqdm")
    mirror = serve(good).mirror
    fetch_mnist(tmp_path / "a", [mirror])  # stderr is captured here: no terminal
    assert capsys.readouterr().err == ""
    fetch_mnist(tmp_path / "b", [mirror], progress=True)
    assert "kB/s" in capsys.readouterr().err
    sys.stderr.isatty = lambda: True
    fetch_mnist(tmp_path / "c", [mirror])
    assert "kB/s" in capsys.readouterr().err


def test_mirrors_are_complete_and_secure():
    idx = {
        f"{part}-{kind}-ubyte.gz"
        for part in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    }
    assert [set(m.files) for m in MIRRORS] == [idx, idx, {"mnist.npz"}]
    for mirror in MIRRORS:
        assert mirror.base_url.startswith("https://") and mirror.base_url.endswith("/")
        for size, sha256 in mirror.files.values():
            assert 4000 < size < 12e6 and len(sha256) == 64 and int(sha256, 16)
    assert "lecun" not in " ".join(m.base_url for m in MIRRORS)
