"""PyTensor: its flags, its linkers, and where it keeps arrays."""

import subprocess
import weakref

import numpy as np
import pytest
from test_engine import report, run

from dlt import engine
from dlt.engine import T, theano
from dlt.errors import EngineError, SettingsError

if engine.NAME != "PyTensor":
    pytest.skip("about PyTensor only", allow_module_level=True)

from dlt.engine import _jax, _pytensor


@pytest.fixture
def jax():
    """JAX, as the linker."""
    jax = pytest.importorskip("jax")
    before = engine.linker()
    engine.set_linker("jax")
    yield jax
    engine.set_linker(before)


@pytest.mark.parametrize(
    "theano_flags, own, expected",
    [
        ("", "mode=NUMBA", "numba linker, cpu, floatX=float64 float64"),
        ("linker=cvm", 'gcc__cxxflags="-O1,-g"', "c linker, cpu, floatX=float64 float64"),
    ],
)
def test_flags_are_honoured(theano_flags, own, expected):
    out, err = report(THEANO_FLAGS=theano_flags, PYTENSOR_FLAGS=own)
    assert out.endswith(expected) and err == ""


@pytest.mark.parametrize("mode", ["JAX", "NUMBA"])
def test_no_file_is_left_when_the_process_ends(mode, tmp_path):
    code = "from dlt.engine import *; x = T.matrix(); theano.function([x], T.exp(x))([[0.0]])"
    assert run(code, PYTENSOR_FLAGS="mode=" + mode, TMPDIR=tmp_path) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_jax_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(_pytensor, "_HAS_JAX", False)
    with pytest.raises(EngineError, match="linker jax: found no jax; pip install jax"):
        engine.set_linker("jax")


SETTINGS = {
    "JAX_PLATFORMS=cuda": ": found none that JAX can use (JAX_PLATFORMS=cuda); unset JAX_PLATFORMS",
    "JAX_PLATFORMS=x": ": found none that JAX can use (JAX_PLATFORMS=x: Unable to initialize back",
    "JAX_ENABLE_X64=x": "linker jax: found JAX, which cannot be imported (invalid truth value 'x' ",
    "XLA_FLAGS=--xla_x": "XLA_FLAGS: found '--xla_x'; expected flags that XLA accepts; it says: Unk"
    "nown flag in XLA_FLAGS: --xla_x; correct or unset it",
    "XLA_FLAGS=x": "XLA_FLAGS: found 'x'; expected flags that XLA accepts; it says: Could not open",
}


@pytest.mark.parametrize(
    "use",
    ["engine.describe()", "engine.set_device('cpu')", "engine.shared_resident(numpy.ones(2))"],
)
@pytest.mark.parametrize("given", SETTINGS)
def test_settings_that_jax_cannot_use_are_refused_in_one_line(given, use):
    if pytest.importorskip("jax").default_backend() != "cpu":
        pytest.skip("this machine has a GPU")
    name, _, value = given.partition("=")
    status, _, err = run(f"import numpy; from dlt import engine; {use}", **{name: value})
    assert status == 1 and err.splitlines()[-1].startswith("dlt.errors.EngineError: ")
    assert SETTINGS[given] in err.splitlines()[-1]


def test_flags_that_are_not_tried_in_time_are_left_to_xla(monkeypatch):
    def run(command, timeout=None, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert _jax._check_flags.__wrapped__("--xla_slow") is None


@pytest.mark.parametrize("linker", ["numba"], indirect=True)
def test_shared_arrays_begin_on_a_64_byte_boundary(linker):
    array = np.empty(65)[1:]
    for values in (array, array[1:]):  # at most one of them does
        assert engine.shared_resident(values).get_value(borrow=True).ctypes.data % 64 == 0


@pytest.mark.parametrize(
    "ends, length",
    [
        (lambda i: (i * 4, i * 4 + 4), 4),
        (lambda i: (3 * (i - 1), 3 * i), 3),
        (lambda i: (i + 2, 7 + i), 5),
        (lambda i: (2 * i * 3 + 1, (i + 1) * 6), 5),
        (lambda i: (i, 2 * i), None),
        (lambda i: (lambda square: (square, square + 2))(i * i), 2),
        (lambda i: (0, i), None),
    ],
)
def test_lengths_that_do_not_depend_on_the_index_are_found(ends, length):
    start, stop = (T.as_tensor_variable(end) for end in ends(T.lscalar("i")))
    assert _jax.constant_difference(stop, start) == length


def test_a_window_can_be_computed_without_compiling():
    window = _jax.window(T.as_tensor_variable(np.arange(5)), 1, 2)
    np.testing.assert_array_equal(window.eval(mode="FAST_COMPILE"), [1, 2])
    assert window.type.shape == (2,)


# --- Where arrays are ----------------------------------------------------------------------


def test_data_goes_to_the_device_and_stays_there(rng, jax):
    """Reaches into PyTensor as the engine does: written for PyTensor 3.0 and 3.3."""
    assert theano.__version__.split(".")[0] == "3"
    shared = engine.shared_resident(rng.random((6, 2)), name="x")
    assert isinstance(shared.container.storage[0], jax.Array)
    theano.function([], T.sum(shared))()
    assert isinstance(shared.container.storage[0], jax.Array)
    shared.set_value(np.ones((3, 2)))
    assert isinstance(shared.container.storage[0], jax.Array)
    assert type(shared.get_value(borrow=True)) is np.ndarray
    plain = theano.shared(np.ones(2000))
    for _ in range(2):  # numpy's, where XLA reads it without a copy
        assert isinstance(plain.container.storage[0], np.ndarray)
        assert plain.get_value(borrow=True).ctypes.data % 64 == 0
        plain.set_value(np.zeros(5000))


def test_pixels_are_read_as_bytes_without_a_difference(jax, floatX, rng):
    pixels = rng.integers(0, 256, (9, 4))
    shared = engine.shared_resident((pixels / 256).astype(floatX), name="x", compact=True)
    np.testing.assert_array_equal(shared.tag.bytes.get_value(), pixels)
    start = T.lscalar("start")
    f = theano.function([start], engine.row_window(shared, start, 3))
    assert np.asarray(f(2)).dtype == floatX
    np.testing.assert_array_equal(f(2), (pixels / 256).astype(floatX)[2:5])
    shared.set_value(np.full((9, 4), 0.5, dtype=floatX))
    other = np.full((9, 4), 0.3, dtype=floatX)
    with pytest.raises(SettingsError, match="found values other than k/256, k = 0..255"):
        shared.set_value(other)
    np.testing.assert_array_equal(f(2), np.full((3, 4), 0.5))
    assert not hasattr(engine.shared_resident(other, compact=True).tag, "bytes")


def test_a_loop_keeps_no_data_that_was_replaced(jax):
    data = engine.shared_resident(np.arange(6.0), name="data")
    total = theano.shared(np.zeros(()), name="total")
    run = engine.index_loop(lambda i, so_far: [so_far + data[i], so_far], [total])
    first = weakref.ref(data.container.value)
    assert first() is not None
    data.set_value(np.ones(6))
    assert run([0, 1]).tolist() == [0, 1]
    assert first() is None


def test_xla_compiles_a_loop_once_for_any_number_of_rounds(jax, float64):
    total = theano.shared(np.zeros(()), name="total")
    compilations = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compilations.append(event)
    )
    run = engine.index_loop(lambda i, so_far: [so_far + i, so_far], [total])
    assert "/jax/core/compile/backend_compile_duration" in compilations
    compilations.clear()
    for n in (0, 1, 2, 7, 5000):  # the last in two calls
        total.set_value(0.0)
        np.testing.assert_array_equal(run(range(n)), np.cumsum([0, *range(n)])[:n])
    assert "/jax/core/compile/backend_compile_duration" not in compilations
