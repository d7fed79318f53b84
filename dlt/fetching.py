"""Fetching MNIST from one of several mirrors, without long waits for dead ones.

The tutorial's own address is gone, and so are several that replaced it. Any mirror will do, because
the size and the SHA-256 of each file are known. Only complete files with the right checksum are
written, and no other file is ever replaced.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from pathlib import Path
from typing import Callable, NamedTuple, Sequence
from urllib.parse import urljoin, urlsplit

import platformdirs

from dlt.errors import DataError, FetchError, SettingsError
from dlt.files.reading import open_regular
from dlt.files.writing import try_writing, write_atomically
from dlt.progress import Progress, silent


class Mirror(NamedTuple):
    """The address of a complete copy of MNIST.

    Attributes
    ----------
    base_url : str
        The address up to the file name, with its last slash.
    files : dict of str to (int, str)
        File name -> size in bytes, and SHA-256 in 64 hexadecimal digits.
    """

    base_url: str
    files: dict[str, tuple[int, str]]


_IDX_FILES = {
    "train-images-idx3-ubyte.gz": (
        9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": (
        1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
}  # fmt: skip
_NPZ_FILE = {
    "mnist.npz": (11490434, "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")
}

#: The addresses that PyTorch, TensorFlow Datasets and Keras use, in the order to try them.
#: LeCun's page is not one of them: it asks scripts to stay away, and answers 403.
MIRRORS = (
    Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/", _IDX_FILES),
    Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/", _IDX_FILES),
    Mirror("https://storage.googleapis.com/tensorflow/tf-keras-datasets/", _NPZ_FILE),
)

_SLOWEST = 20000  # bytes per second: slower downloads are given up
_MOST_REDIRECTS = 5
_PIECE = 1 << 13  # bytes to read at a time
_REMEDY = (
    "put the four files or mnist.pkl.gz into the folder that DLT_DATA names, "
    "or use --dataset digits"
)


def user_cache() -> Path:
    """Return the default folder for downloads, which need not exist.

    It is "dlt-theano" in the user's cache (`~/.cache`, `~/Library/Caches` or `%LOCALAPPDATA%`).
    """
    return Path(platformdirs.user_cache_dir("dlt-theano"))


def fetch_mnist(
    folder: str | os.PathLike | None = None,
    mirrors: Sequence[Mirror] = MIRRORS,
    progress: bool | None = None,
    log: Callable[[str], object] = silent,
    timeout: float = 5.0,
) -> Path:
    """Download MNIST to a folder, unless it is there already, and return the folder.

    Files with the right checksum are not downloaded again; a complete set needs no network.
    Proxies are used as `requests` uses them (`HTTPS_PROXY`, `NO_PROXY`, ...).

    Parameters
    ----------
    folder : str or os.PathLike, optional
        The folder for the files, made if it is missing. Default: `user_cache()`.
    mirrors : sequence of Mirror
        In the order to try them. Each has a complete copy; mirrors with the same files complete
        each other's downloads.
    progress : bool, optional
        Whether to draw a progress bar. Default: only when stderr is a terminal.
    log : callable, optional
        Takes a line of text before each download, such as `print`.
    timeout : float, seconds
        Limit for a mirror's answer, including the name look-up, and for pauses in a download.
        All mirrors are asked at once, so this is the whole delay without a network. A download may
        take another second for every 20 kB.

    Returns
    -------
    pathlib.Path
        The folder with all the files of one mirror: the four IDX `.gz` files, or `mnist.npz`.

    Raises
    ------
    FetchError
        All mirrors failed. The message has the host of each, and the reason.
    SettingsError
        The folder cannot be made, read or written to; or the disk is full; or another file, or an
        unreadable one, has the name of one of MNIST's files.

    Examples
    --------
    >>> import hashlib, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "tiny.bin").write_bytes(b"tiny")
    >>> tiny = Mirror("http://127.0.0.1/", {"tiny.bin": (4, hashlib.sha256(b"tiny").hexdigest())})
    >>> fetch_mnist(folder, mirrors=[tiny]) == folder
    True
    """
    folder = user_cache() if folder is None else Path(os.path.expanduser(str(folder)))
    if folder.parts[:1] == ("~",):
        remedy = "set it, or name another folder (--output-dir, and then DLT_DATA)"
        raise SettingsError("HOME", "no home folder", f"one, for {folder}", remedy)
    missing = [_missing(folder, mirror) for mirror in mirrors]
    if not all(missing):
        return folder
    for name, other in (pair for errors in missing for pair in errors.items()):
        if os.path.lexists(folder / name):
            raise other
    try:
        try_writing(folder)
    except OSError as error:
        found = f"a data folder that cannot be used ({error.strerror or error})"
        remedy = "name one that you can write to in DLT_DATA"
        raise SettingsError(folder, found, remedy=remedy) from error
    probes = [_Request("HEAD", mirror.base_url + min(mirror.files), timeout) for mirror in mirrors]
    reasons = []
    for mirror, probe in zip(mirrors, probes):
        reason = probe.wait() or _download(folder, mirror, progress, log, timeout)
        if reason is None:
            return folder
        reasons.append(f"{_host(mirror.base_url)}: {reason}")
    raise FetchError("MNIST", f"no mirror that works ({'; '.join(reasons)})", remedy=_REMEDY)


def _missing(folder, mirror):
    """Return the files of a mirror that a folder lacks: name -> error if something is there."""
    errors = {name: _other(folder / name, *file) for name, file in mirror.files.items()}
    return {name: error for name, error in errors.items() if error is not None}


def _other(path, size, sha256):
    """Return None for the right file, else an error (Fashion-MNIST, for one, has these names)."""
    found, remedy = "something else", "move it away, or name another folder"
    try:
        with open_regular(path) as file:
            if hashlib.sha256(file.read(size + 1)).hexdigest() == sha256:
                return None
    except (DataError, OSError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, OSError) and os.path.exists(path):
            found = f"a file that cannot be read ({cause.strerror or cause})"
            remedy = "check its permissions and the disk, or name another folder"
    return SettingsError(path, found, "MNIST's file, or nothing", remedy)


def _download(folder, mirror, progress, log, timeout):
    """Download the missing files; return None, or a phrase for the failure of the mirror."""
    for name in _missing(folder, mirror):
        log(f"downloading {name} from {_host(mirror.base_url)}")
        size, sha256 = mirror.files[name]
        with Progress(size // 1000, "kB", progress) as bar:
            request = _Request("GET", mirror.base_url + name, timeout, size)
            reason = request.wait(lambda done, n=size // 1000: bar.move(done // 1000, n))
        if reason is not None:
            return reason
        if len(request.content) > size:
            return f"more than the {size} bytes of {name}"
        if hashlib.sha256(request.content).hexdigest() != sha256:
            return f"wrong checksum of {name}"
        path, content = folder / name, request.content
        try:
            write_atomically(path, lambda file, data=content: file.write(data), replace=False)
        except FileExistsError:  # another process was faster
            other = _other(path, size, sha256)
            if other is not None:
                raise other from None
    return None


class _Request(threading.Thread):
    """A request in the background, which keeps the answer in memory, up to a byte above `size`.

    Name look-ups have no time limit, and a socket's limit is for each piece, however small. So the
    only way to keep a deadline is to abandon a thread. A daemon thread never delays the exit.
    """

    def __init__(self, method, url, timeout, size=0):
        import requests  # slow, so before the clock starts

        super().__init__(daemon=True)
        self._session = requests.Session()
        self._asked, self._timeout, self._size = (method, url), timeout, size
        self._start = time.monotonic()
        self._deadline = self._start + timeout
        self._answered, self._given_up, self._reason = False, False, None
        self.content = bytearray()
        self.start()

    def run(self):
        method, url = self._asked
        try:
            with self._session, _answer(self._session, method, url, self._timeout) as response:
                self._answered = True
                self._deadline += self._size / _SLOWEST
                if method == "GET":
                    response.raise_for_status()
                    self._receive(response.raw)
        except Exception as error:  # from requests, urllib3 or http.client
            self._reason = _reason(error, self._timeout)

    def _receive(self, raw):
        while not self._given_up and len(self.content) <= self._size:
            n = min(_PIECE, self._size + 1 - len(self.content))
            piece = raw.read(n, decode_content=False)  # the checksum is that of the stored file
            if not piece:
                break
            self.content += piece

    def wait(self, show=lambda done: None):
        """Wait for the answer until the deadline; return None, or a phrase for the failure.

        `show` is called several times a second with the number of bytes received.
        """
        try:
            while self.is_alive() and time.monotonic() < self._deadline:
                self.join(min(0.1, self._timeout))
                show(len(self.content))
        finally:
            self._given_up = True
        if not self.is_alive():
            return self._reason
        if not self._answered:
            return _no_answer(self._timeout)
        return f"no {self._size} bytes within {self._deadline - self._start:.3g} s"


def _answer(session, method, url, timeout):
    """Return a server's answer, before reading its body, after a few redirects."""
    import requests

    session.get_redirect_target = lambda response: None  # requests would read a redirect's body
    headers = {"Accept-Encoding": "identity"}
    for _ in range(_MOST_REDIRECTS + 1):
        response = session.request(method, url, headers=headers, timeout=timeout, stream=True)
        if not response.is_redirect:
            return response
        url = urljoin(url, response.headers["location"])
        response.close()
    raise requests.TooManyRedirects


def _host(url):
    """Return the host and the port in a URL, without a user name or password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _no_answer(timeout):
    return f"no answer within {timeout:g} s"


def _reason(error, timeout):
    """Return a phrase for the failure of a request."""
    import requests
    import urllib3

    if isinstance(error, requests.HTTPError):
        return f"HTTP {error.response.status_code}"
    # These come before the causes, which would blame the mirror for the failure of a proxy.
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy failed"
    if isinstance(error, requests.exceptions.SSLError):
        return "no secure connection (TLS)"
    cause = error
    while cause is not None:  # `requests` wraps errors several times over
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, socket.gaierror):
            return "unknown host"
        if isinstance(cause, (socket.timeout, TimeoutError, requests.Timeout)):
            return _no_answer(timeout)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, (requests.ConnectionError, urllib3.exceptions.HTTPError)):
        return "connection lost"
    return type(error).__name__
