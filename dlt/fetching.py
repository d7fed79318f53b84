"""Fetching MNIST: a short list of mirrors, checksums, and no waiting for dead addresses.

The tutorial's own address is gone, and so are several that replaced it. What stays true is the
SHA-256 of each file, so any mirror will do. A file gets its final name only after its checksum
has been found right.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Callable, NamedTuple, Sequence
from urllib.parse import urlsplit

from dlt.errors import DataError, FetchError, SettingsError
from dlt.files.idx import read_idx
from dlt.files.npz import read_npz
from dlt.files.writing import try_writing
from dlt.progress import silent


class Mirror(NamedTuple):
    """Where a complete copy of MNIST is.

    Attributes
    ----------
    base_url : str
        The address up to the file name, with its last slash.
    files : dict of str to str
        File name -> SHA-256 of the file, 64 hexadecimal digits.
    """

    base_url: str
    files: dict[str, str]


_IDX_SHA256 = {
    "train-images-idx3": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_IDX_FILES = {f"{name}-ubyte.gz": sha256 for name, sha256 in _IDX_SHA256.items()}
_NPZ_FILE = {"mnist.npz": "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"}

#: The addresses that PyTorch, TensorFlow Datasets and Keras use, in the order to try them.
#: LeCun's page is left out: it asks not to be used by scripts, and answers 403 with a page.
MIRRORS = (
    Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/", _IDX_FILES),
    Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/", _IDX_FILES),
    Mirror("https://storage.googleapis.com/tensorflow/tf-keras-datasets/", _NPZ_FILE),
)

_REMEDY = (
    "put the four files or mnist.pkl.gz into the folder that DLT_DATA names, "
    "or use --dataset digits"
)


def user_cache() -> Path:
    """Return the folder that downloads go to when no other is named; it may be missing.

    It is the folder "dlt-theano" in the user's cache (`~/.cache`, `~/Library/Caches` or
    `%LOCALAPPDATA%`).

    Raises
    ------
    FetchError
        `pooch` is not installed.
    """
    return Path(_pooch().os_cache("dlt-theano"))


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

    Returns
    -------
    pathlib.Path
        The folder with all the files of one mirror: the four IDX `.gz` files, or `mnist.npz`.

    Raises
    ------
    FetchError
        Every mirror failed: one line with each one's host and reason.
    SettingsError
        The folder cannot be made, read or written to, the disk is full, or another data set of
        MNIST's file names is there.

    Examples
    --------
    >>> import hashlib, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "tiny.bin").write_bytes(b"tiny")
    >>> tiny = Mirror("http://127.0.0.1/", {"tiny.bin": hashlib.sha256(b"tiny").hexdigest()})
    >>> fetch_mnist(folder, mirrors=[tiny]) == folder
    True
    """
    folder = user_cache() if folder is None else Path(os.path.expanduser(str(folder)))
    try:
        if not all(_missing(folder, mirror) for mirror in mirrors):
            return folder
        for mirror in mirrors:
            _spare_other_data(folder, _missing(folder, mirror))
        try_writing(folder)
        probes = [_Probe(mirror, timeout) for mirror in mirrors]
        reasons = []
        for mirror, probe in zip(mirrors, probes):
            reason = probe.wait() or _download(folder, mirror, progress, log, timeout)
            if reason is None:
                return folder
            reasons.append(f"{_host(mirror.base_url)}: {reason}")
    except OSError as error:
        found = f"a data folder that cannot be used ({error.strerror or error})"
        remedy = "name one that you can write to in DLT_DATA"
        raise SettingsError(folder, found, remedy=remedy) from error
    raise FetchError("MNIST", f"no mirror that works ({'; '.join(reasons)})", remedy=_REMEDY)


class _Probe(threading.Thread):
    """Ask, in the background, whether a mirror answers at all within `timeout` seconds.

    A name look-up takes no time limit, so only giving up on a whole thread keeps the deadline. A
    daemon never holds up the exit. Any HTTP status counts as an answer.
    """

    def __init__(self, mirror, timeout):
        super().__init__(daemon=True)
        self.url = mirror.base_url + next(iter(mirror.files))
        self.timeout = timeout
        self.reason = _no_answer(timeout)  # until the thread knows better
        self.deadline = time.monotonic() + timeout
        self.start()

    def run(self):
        import requests

        try:
            requests.head(self.url, timeout=self.timeout, allow_redirects=True).close()
            self.reason = None
        except (OSError, ValueError) as error:  # requests' own errors are OSErrors
            self.reason = _reason(error, self.timeout)

    def wait(self):
        """Return None if the mirror answered, else why not, after the deadline at the latest."""
        self.join(max(0.0, self.deadline - time.monotonic()))
        return self.reason


def _download(folder, mirror, progress, log, timeout):
    """Download what is missing; return None, or why the mirror failed, in a few words.

    Trouble with the disk leaves as an OSError.
    """
    import requests

    pooch = _pooch()
    if progress is None:
        progress = sys.stderr is not None and sys.stderr.isatty()
    # pooch writes to a temporary file, checks it, and only then renames it.
    downloader = pooch.HTTPDownloader(
        progressbar=progress,
        chunk_size=65536,
        timeout=timeout,
        headers={"Accept-Encoding": "identity"},  # the checksum is of the file as stored
    )
    for name in _missing(folder, mirror):
        log(f"downloading {name} from {_host(mirror.base_url)}")
        url, known_hash = mirror.base_url + name, "sha256:" + mirror.files[name]
        try:
            with _quiet(pooch.get_logger()):
                pooch.retrieve(url, known_hash, fname=name, path=str(folder), downloader=downloader)
        except requests.RequestException as error:  # before OSError: it is one
            return _reason(error, timeout)
        except ValueError:  # how pooch says that the checksum is wrong; it keeps nothing
            return f"wrong checksum of {name}"
    return None


def _missing(folder, mirror):
    """Return the names of the mirror's files that `folder` lacks or has with another checksum."""
    pooch = _pooch()
    return [
        name
        for name, sha256 in mirror.files.items()
        if not (folder / name).is_file() or pooch.file_hash(str(folder / name)) != sha256
    ]


def _spare_other_data(folder, names):
    """Refuse to replace whole files: Fashion-MNIST, for one, has files of the same names."""
    for name in names:
        path = folder / name
        if path.is_file():
            with contextlib.suppress(DataError):
                _ = read_npz(path) if path.suffix == ".npz" else read_idx(path)
                found, expected = "a whole file that is not MNIST's", "MNIST's, or none"
                raise SettingsError(path, found, expected, "name another folder")


def _pooch():
    try:
        import pooch
    except ImportError as error:
        remedy = "pip install pooch, or " + _REMEDY
        raise FetchError("fetching MNIST", "no pooch", remedy=remedy) from error
    return pooch


@contextlib.contextmanager
def _quiet(logger):
    """Silence a logger for a while: `log` has already reported the download."""
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)


def _host(url):
    """Return the host, with its port if it has one, but without a user name or password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _no_answer(timeout):
    return f"no answer within {timeout:g} s"


def _reason(error, timeout):
    """Return why a request failed, in a few words."""
    import requests

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
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return "connection lost"
    return type(error).__name__
