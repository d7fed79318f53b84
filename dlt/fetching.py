"""Fetching MNIST: a short list of mirrors, checksums, and no waiting for dead addresses.

The tutorial's own address is gone, and so are several that replaced it. What
stays true is the SHA-256 of each file, so any mirror will do: `fetch_mnist`
asks all of them at once whether they answer, takes the first in order that
does, and goes on to the next as soon as one fails. A file gets its final name
only after its checksum has been found right.

`pooch` downloads and checks one file; it has no mirror list, so that is here.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path
from urllib.parse import urlsplit

from dlt.errors import FetchError, SettingsError
from dlt.files.writing import try_writing

Mirror = namedtuple("Mirror", "base_url files")
Mirror.__doc__ = """Where a complete copy of MNIST is.

Fields
------
base_url : str
    The address up to the file name, with its last slash.
files : dict of str to str
    File name -> SHA-256 of the file, 64 hexadecimal digits.
"""

_IDX_FILES = {
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
}
_NPZ_FILE = {"mnist.npz": "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"}

# LeCun's page is left out: it asks not to be used by scripts, and answers 403 with a page.
MIRRORS = (
    Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/", _IDX_FILES),
    Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/", _IDX_FILES),
    Mirror("https://storage.googleapis.com/tensorflow/tf-keras-datasets/", _NPZ_FILE),
)

_REMEDY = (
    "put the four files or mnist.pkl.gz into the folder that DLT_DATA names, "
    "or use --dataset digits"
)


def user_cache():
    """Return the folder that downloads go to when no other is named.

    Returns
    -------
    pathlib.Path
        The user's cache folder for "dlt-theano", as the operating system has
        it (under `~/.cache`, `~/Library/Caches` or `%LOCALAPPDATA%`). It need
        not exist yet.

    Raises
    ------
    FetchError
        If `pooch` is not installed.

    Examples
    --------
    >>> "dlt-theano" in user_cache().parts
    True
    """
    return Path(_pooch().os_cache("dlt-theano"))


def fetch_mnist(folder=None, mirrors=MIRRORS, progress=None, log=None, timeout=5.0):
    r"""Make sure that a folder holds a complete, checked copy of MNIST, and return that folder.

    Files that are there already with the right checksum are not downloaded
    again; if they make a complete set, no network is used at all. Proxies are
    honoured as `requests` does (`HTTPS_PROXY`, `NO_PROXY`, ...).

    Parameters
    ----------
    folder : str or os.PathLike, optional
        Where the files go; made if it is missing. Default: `user_cache()`.
    mirrors : sequence of Mirror
        Tried in this order. A mirror is complete in itself, and mirrors with
        the same file names and checksums share what has arrived.
    progress : bool, optional
        Whether to draw a progress bar on stderr (needs `tqdm`). Default: only
        when stderr is a terminal.
    log : callable, optional
        Called with one line of text before each download. Default: silent.
    timeout : float, seconds
        How long a mirror may take to answer, name look-up included, and how
        long a download may stall. All mirrors are asked at once, so that
        having no route at all costs this long altogether.

    Returns
    -------
    pathlib.Path
        The folder with all the files of one mirror: the four IDX `.gz` files,
        or `mnist.npz` from the last of `MIRRORS`.

    Raises
    ------
    FetchError
        If every mirror failed: one line with each mirror's host and reason.
    SettingsError
        If the folder cannot be made, read or written to, or the disk is full.

    Examples
    --------
    A set that is there already needs no network:

    >>> import hashlib, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "tiny.bin").write_bytes(b"tiny")
    >>> tiny = Mirror("http://127.0.0.1/", {"tiny.bin": hashlib.sha256(b"tiny").hexdigest()})
    >>> fetch_mnist(folder, mirrors=[tiny]) == folder
    True

    Notes
    -----
    The addresses are those that PyTorch, TensorFlow Datasets and Keras use;
    the checksums are those of TensorFlow Datasets and Keras.
    """
    folder = user_cache() if folder is None else Path(os.path.expanduser(str(folder)))
    try:
        if any(not _missing(folder, mirror) for mirror in mirrors):
            return folder
        try_writing(folder)
        reasons = _try_in_order(folder, mirrors, progress, log, timeout)
    except OSError as error:
        raise SettingsError(
            folder,
            f"a data folder that cannot be used ({error.strerror or error})",
            remedy="name one that you can write to in DLT_DATA",
        ) from error
    if reasons:
        raise FetchError("MNIST", f"no mirror that gives it ({'; '.join(reasons)})", remedy=_REMEDY)
    return folder


def _try_in_order(folder, mirrors, progress, log, timeout):
    """Download from the first mirror that works; return [] then, else one reason per mirror."""
    reasons = []
    probes = [_Probe(mirror, timeout) for mirror in mirrors]
    for mirror, probe in zip(mirrors, probes):
        reason = probe.wait() or _download(folder, mirror, progress, log, timeout)
        if reason is None:
            return []
        reasons.append(f"{_host(mirror.base_url)}: {reason}")
    return reasons


class _Probe:
    """Ask, in the background, whether a mirror answers at all within `timeout` seconds.

    A name look-up takes no time limit, so only giving up on a whole thread
    keeps the deadline. The thread is a daemon: it never holds up the exit. Any
    HTTP status counts as an answer; the download will say what is wrong with it.
    """

    def __init__(self, mirror, timeout):
        self.url = mirror.base_url + next(iter(mirror.files))
        self.timeout = timeout
        self.reason = _no_answer(timeout)  # until the thread knows better
        self.deadline = time.monotonic() + timeout
        self.thread = threading.Thread(target=self._ask, daemon=True)
        self.thread.start()

    def _ask(self):
        import requests

        try:
            requests.head(self.url, timeout=self.timeout, allow_redirects=True).close()
            self.reason = None
        except (OSError, ValueError) as error:  # requests' own errors are OSErrors
            self.reason = _reason(error, self.timeout)

    def wait(self):
        """Return None if the mirror answered, else why not, after the deadline at the latest."""
        self.thread.join(max(0.0, self.deadline - time.monotonic()))
        return self.reason


def _download(folder, mirror, progress, log, timeout):
    """Download what is missing; return None, or in a few words why it failed.

    Only trouble with the mirror is returned. Trouble with the disk leaves as an OSError.
    """
    import requests

    for name in _missing(folder, mirror):
        if log is not None:
            log(f"downloading {name} from {_host(mirror.base_url)}")
        try:
            _retrieve(folder, mirror, name, _wants_bar(progress), timeout)
        except requests.RequestException as error:  # before OSError: it is one
            return _reason(error, timeout)
        except ValueError:  # how pooch says that the checksum is wrong; it keeps nothing
            return f"wrong checksum of {name}"
    return None


def _retrieve(folder, mirror, name, bar, timeout):
    """Download one file. pooch writes to a temporary file, checks it, and only then renames it."""
    pooch = _pooch()
    with _quiet(pooch.get_logger()):
        pooch.retrieve(
            mirror.base_url + name,
            known_hash="sha256:" + mirror.files[name],
            path=str(folder),
            fname=name,
            downloader=pooch.HTTPDownloader(
                progressbar=bar,
                chunk_size=65536,
                timeout=timeout,
                # The checksum is of the file as stored: no compression on the way.
                headers={"Accept-Encoding": "identity"},
            ),
        )


def _missing(folder, mirror):
    """Return the names of the mirror's files that `folder` lacks or has with another checksum."""
    pooch = _pooch()
    return [
        name
        for name, sha256 in mirror.files.items()
        if not (folder / name).is_file() or pooch.file_hash(str(folder / name)) != sha256
    ]


def _pooch():
    try:
        import pooch
    except ImportError as error:
        remedy = "pip install pooch, or " + _REMEDY
        raise FetchError("fetching MNIST", "no pooch", remedy=remedy) from error
    return pooch


@contextlib.contextmanager
def _quiet(logger):
    """Silence a logger for a while: `log` has said already what it would say."""
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)


def _wants_bar(progress):
    """Return whether to draw a bar: as asked, or on a terminal; never without tqdm."""
    if progress is None:
        progress = sys.stderr is not None and sys.stderr.isatty()
    if not progress:
        return False
    try:
        import tqdm  # noqa: F401
    except ImportError:
        return False
    return True


def _host(url):
    """Return the host, with its port if it has one, but without a user name or password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _no_answer(timeout):
    return f"no answer within {timeout:g} s"


def _reason(error, timeout):
    """Say in a few words why a request failed."""
    import requests

    if isinstance(error, requests.HTTPError):
        return f"HTTP {error.response.status_code}"
    # Before the causes: behind a proxy they would blame the mirror for the proxy's failure.
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy failed"
    if isinstance(error, requests.exceptions.SSLError):
        return "no secure connection (TLS)"
    for cause in _causes(error):
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, socket.gaierror):
            return "unknown host"
        if isinstance(cause, (socket.timeout, TimeoutError, requests.Timeout)):
            return _no_answer(timeout)
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return "connection lost"
    return type(error).__name__


def _causes(error):
    """Yield an exception and those it came from; `requests` wraps them several times over."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
