"""Fixtures shared by the tests: a fixed seed, both floatX, the checkout, real MNIST."""

import contextlib
import functools
import importlib.util
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import dlt
from dlt import engine
from dlt.engine import flags
from dlt.errors import EngineError
from dlt.runs.signals import SIGNALS, heeded

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What a shell starts in the background ignores Ctrl-C, and under nohup a closed terminal; so would
# the scripts that are tested.
for _number in set(SIGNALS) - set(heeded()):
    _is_ctrl_c = _number == signal.SIGINT
    signal.signal(_number, signal.default_int_handler if _is_ctrl_c else signal.SIG_DFL)

# PYTENSOR_FLAGS=mode=NUMBA (or CVM) runs all tests with that linker, the scripts included.
_MODE = flags.parse(os.environ.get("PYTENSOR_FLAGS", "")).get("mode")
MODE_FLAGS = {"PYTENSOR_FLAGS": "mode=" + _MODE} if _MODE else {}


def pytest_configure(config):
    """Keep what JAX compiles for this session, its workers and the processes that tests start.

    A process that is killed while it writes there costs later ones a warning, and nothing else.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="dlt-tests-")
        os.environ.update(
            JAX_COMPILATION_CACHE_DIR=folder,
            JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
            JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES="-1",
            PYTHONWARNINGS="ignore:Error reading persistent,ignore:Error writing persistent",
        )
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_report_header():
    return engine.describe()


def bare_environment(**changes):
    """Give the environment without what chooses an engine or its flags, and with `changes`."""
    names = ("DLT_ENGINE", "THEANO_FLAGS", "PYTENSOR_FLAGS")
    environ = {name: value for name, value in os.environ.items() if name not in names}
    environ.update({name: str(value) for name, value in changes.items()})
    return environ


def run_python(*args, cwd=ROOT, timeout=300, **environ):
    """Run a fresh Python, in the checkout unless told otherwise, and wait for its end."""
    return subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=str(cwd), env=bare_environment(**environ), capture_output=True, text=True,
        timeout=timeout,
    )  # fmt: skip


def run_script(name, *args, cwd=ROOT, **environ):
    """Run a script as a process."""
    return run_python(ROOT / "scripts" / name, *args, cwd=cwd, **dict(MODE_FLAGS, **environ))


@pytest.fixture(scope="module", autouse=True)
def engine_left_as_it_was():
    """Let no module change what the engine does in those that come after it."""
    before = engine.theano.config.floatX, engine.linker(), engine.device()
    yield
    assert (engine.theano.config.floatX, engine.linker(), engine.device()) == before


@pytest.fixture
def rng():
    return np.random.default_rng(23455)


@pytest.fixture(params=engine.FLOAT_TYPES)
def floatX(request):
    """Run a test under both floatX and put the former one back."""
    before = engine.theano.config.floatX
    engine.set_floatX(request.param)
    yield request.param
    engine.set_floatX(before)


LINKERS = [
    name
    if name == engine.linker()
    else pytest.param(name, marks=[pytest.mark.slow, pytest.mark.once])
    for name in engine.LINKERS
]


@pytest.fixture(params=LINKERS)
def linker(request):
    """Run a test with each linker and put the former one back.

    The default one is the quickest to compile. A test that asks for a linker this engine lacks
    ends here: the refusal is its result.
    """
    before = engine.linker()
    if request.param not in engine.LINKERS:
        with pytest.raises(EngineError, match=f"{request.param!r}, which .* does not have"):
            engine.set_linker(request.param)
        pytest.skip(f"refused, as it should be: {engine.NAME} has no {request.param}")
    engine.set_linker(request.param)
    yield request.param
    engine.set_linker(before)


@pytest.fixture
def float64():
    """Run a test that needs the digits of float64."""
    before = engine.theano.config.floatX
    engine.set_floatX("float64")
    yield "float64"
    engine.set_floatX(before)


@functools.lru_cache(maxsize=None)
def load_script(name):
    """Import a script by its path."""
    spec = importlib.util.spec_from_file_location(name[:-3], str(ROOT / "scripts" / name))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def script(monkeypatch, capsys):
    """Run a script's `main` in this process, and undo what it does to the engine."""

    def run(name, *args):
        monkeypatch.setattr(sys, "argv", [str(ROOT / "scripts" / name)])
        floatX, linker, device = engine.theano.config.floatX, engine.linker(), engine.device()
        try:
            code = load_script(name).main([str(arg) for arg in args])
        except SystemExit as end:
            code = end.code
        finally:
            engine.set_floatX(floatX)
            if engine.linker() != linker:
                engine.set_linker(linker)
            if engine.device() != device:
                engine.set_device(device.split()[0])
        return subprocess.CompletedProcess(args, code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def mnist_folder():
    """The folder with real MNIST, or a skip that says why."""
    folder = os.environ.get("DLT_DATA")
    if not folder or not os.path.isfile(os.path.join(folder, "mnist.pkl.gz")):
        pytest.skip("real MNIST is not here: DLT_DATA names no folder with mnist.pkl.gz")
    return folder


def saved(folder, data, name="data"):
    """Write a file, and give its path."""
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.fixture
def eight_threads():
    """Return a function that calls another with 0..7 at once, in threads that switch all the time.

    The settings of the engine stay as they were.
    """
    before, interval = str(engine.theano.config), sys.getswitchinterval()
    barrier = threading.Barrier(8)

    def call(work):
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(lambda i: barrier.wait() is None or work(i), range(8)))

    sys.setswitchinterval(1e-6)
    yield call
    sys.setswitchinterval(interval)
    assert str(engine.theano.config) == before


@contextlib.contextmanager
def peak_below(most, least=0):
    """Check the most memory that was taken inside."""
    tracemalloc.start()
    try:
        yield
        assert least < tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@contextlib.contextmanager
def interrupting_at_line(n):
    """Raise KeyboardInterrupt at the nth line of dlt that runs once training has begun."""
    left, package = [n], os.path.dirname(dlt.__file__) + os.sep

    def trace(frame, event, argument):
        if not frame.f_code.co_filename.startswith(package):
            return None
        if event == "line":
            left[0] -= 1
            if left[0] < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    def start(line):
        if line.startswith("training"):
            sys.settrace(trace)
            frame = sys._getframe(1)
            while frame is not None:  # functions that are under way already
                frame.f_trace = trace
                frame = frame.f_back

    former = sys.gettrace()
    try:
        yield start
    finally:
        sys.settrace(former)


@pytest.fixture
def blobs(rng):
    """Three sets of 2-dimensional points around three centres, easy but not separable."""

    def draw(n):
        y = rng.integers(0, 3, n)
        centres = np.array([[0.2, 0.2], [0.8, 0.3], [0.4, 0.8]])
        return np.clip(centres[y] + rng.normal(0, 0.15, (n, 2)), 0, 0.996), y

    return draw(103), draw(50), draw(41)
