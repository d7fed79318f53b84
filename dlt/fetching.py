"""Fetching MNIST: a short list of mirrors, checksums, and no waiting for dead addresses.

The tutorial's own address is gone, and so are several that replaced it. What stays true is the
size and the SHA-256 of each file, so any mirror will do. A file is written once it is here and
right, and never in the place of another.
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
    """Where a complete copy of MNIST is.

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
#: LeCun's page is left out: it asks not to be used by scripts, and answers 403 with a page.
MIRRORS = (
    Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/", _IDX_FILES),
    Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/", _IDX_FILES),
    Mirror("https://storage.googleapis.com/tensorflow/tf-keras-datasets/", _NPZ_FILE),
)

_SLOWEST = 20000  # bytes per second; a download that takes longer is given up
_MOST_REDIRECTS = 5
_PIECE = 1 << 13  # bytes that are read at a time
_REMEDY = (
    "put the four files or mnist.pkl.gz into the folder that DLT_DATA names, "
    "or use --dataset digits"
)


def user_cache() -> Path:
    """Return the folder that downloads go to when no other is named; it may be missing.

    It is the folder "dlt-theano" in the user's cache (`~/.cache`, `~/Library/Caches` or
    `%LOCALAPPDATA%`).
    """
    return Path(platformdirs.user_cache_dir("dlt-theano"))


def fetch_mnist(
    folder: str | os.PathLike | None = None,
    mirrors: Sequence[Mirror] = MIRRORS,
    progress: bool | None = None,
    log: Callable[[str], object] = silent,
    timeout: float = 5.0,
) -> Path:
    """Make sure that a folder holds a complete, checked copy of MNIST, and return that folder.

    Files with the right checksum are not downloaded again; a complete set needs no network.
    Proxies are honoured as `requests` does (`HTTPS_PROXY`, `NO_PROXY`, ...).

    Parameters
    ----------
    folder : str or os.PathLike, optional
        Where the files go; made if it is missing. Default: `user_cache()`.
    mirrors : sequence of Mirror
        Tried in this order, each complete in itself. Those with the same files share what has
        arrived.
    progress : bool, optional
        Whether to draw a progress bar. Default: only when stderr is a terminal.
    log : callable, optional
        Takes a line of text before each download, such as `print`.
    timeout : float, seconds
        How long a mirror may take to answer, name look-up included, and how long a download
        may stall. All mirrors are asked at once: without a network, this is the whole delay.
        A download may take a second more for every 20 kB.

    Returns
    -------
    pathlib.Path
        The folder with all the files of one mirror: the four IDX `.gz` files, or `mnist.npz`.

    Raises
    ------
    FetchError
        Every mirror failed: one line with each one's host and reason.
    SettingsError
        The folder cannot be made, read or written to, the disk is full, or something else, or
        what cannot be read, has the name of one of MNIST's files.

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
    if not all(_missing(folder, mirror) for mirror in mirrors):
        return folder
    for mirror in mirrors:
        for name, other in _missing(folder, mirror).items():
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
    """Return which of the mirror's files `folder` lacks: name -> what is wrong with one there."""
    errors = {name: _other(folder / name, *file) for name, file in mirror.files.items()}
    return {name: error for name, error in errors.items() if error is not None}


def _other(path, size, sha256):
    """Return None for the right file, else an error: Fashion-MNIST, for one, has these names."""
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
    """Download what is missing; return None, or why the mirror failed, in a few words."""
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
        except FileExistsError:  # by another process, meanwhile
            other = _other(path, size, sha256)
            if other is not None:
                raise other from None
    return None


class _Request(threading.Thread):
    """Ask a server, in the background, and keep its answer in memory, up to a byte above `size`.

    A name look-up takes no time limit, and that of a socket is for each piece, however small. So
    only giving up on a whole thread keeps a deadline. A daemon never holds up the exit.
    """

    def __init__(self, method, url, timeout, size=0):
        import requests  # slow: not in the time that is measured

        super().__init__(daemon=True)
        self._session = requests.Session()
        self._asked, self._timeout, self._size = (method, url), timeout, size
        self._start, self._answered, self._given_up = time.monotonic(), False, False
        self._reason = None
        self.content = bytearray()
        self.start()

    def run(self):
        method, url = self._asked
        try:
            with self._session, _answer(self._session, method, url, self._timeout) as response:
                self._answered = True
                if method == "GET":
                    response.raise_for_status()
                    self._receive(response.raw)
        except Exception as error:  # of requests, urllib3 and http.client: all mean the same here
            self._reason = _reason(error, self._timeout)

    def _receive(self, raw):
        while not self._given_up and len(self.content) <= self._size:
            n = min(_PIECE, self._size + 1 - len(self.content))
            piece = raw.read(n, decode_content=False)  # the checksum is of the file as stored
            if not piece:
                break
            self.content += piece

    def wait(self, show=lambda done: None):
        """Return None when the answer is here, else why not, after the deadline at the latest.

        `show` is called now and then, with how many bytes have come.
        """
        try:
            while self.is_alive() and time.monotonic() < self._start + self._seconds():
                self.join(min(0.1, self._timeout))
                show(len(self.content))
            if not self.is_alive():
                return self._reason
        finally:
            self._given_up = True
        if not self._answered:
            return _no_answer(self._timeout)
        return f"no {self._size} bytes within {self._seconds():.3g} s"

    def _seconds(self):
        return self._timeout + (self._size / _SLOWEST if self._answered else 0)


def _answer(session, method, url, timeout):
    """Return a server's answer, its body unread, after a few redirects."""
    import requests

    session.get_redirect_target = lambda response: None  # requests would read their whole bodies
    headers = {"Accept-Encoding": "identity"}
    for _ in range(_MOST_REDIRECTS + 1):
        response = session.request(method, url, headers=headers, timeout=timeout, stream=True)
        if not response.is_redirect:
            return response
        url = urljoin(url, response.headers["location"])
        response.close()
    raise requests.TooManyRedirects


def _host(url):
    """Return the host, with its port if it has one, but without a user name or password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _no_answer(timeout):
    return f"no answer within {timeout:g} s"


def _reason(error, timeout):
    """Return why a request failed, in a few words."""
    import requests
    import urllib3

    if isinstance(error, requests.HTTPError):
        return f"HTTP {error.response.status_code}"
    # Before the causes: behind a proxy they would blame the mirror for the proxy's failure.
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
