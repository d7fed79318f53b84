"""The engine: flags, linker, floatX and alignment."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from dlt import engine
from dlt.engine import T, theano
from dlt.errors import EngineError, SettingsError


def report(**flags):
    """Run a fresh Python with these environment variables; return its two outputs."""
    environ = {k: v for k, v in os.environ.items() if not k.endswith("_FLAGS")}
    environ.update(flags)
    code = "from dlt import engine; print(engine.describe(), engine.T.matrix().dtype)"
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=str(ROOT), env=environ, capture_output=True, text=True
    )
    return process.stdout.strip(), process.stderr.strip()


@pytest.mark.parametrize(
    "flags, expected",
    [
        ({}, "jax linker, cpu, floatX=float64 float64"),
        ({"THEANO_FLAGS": "floatX=float32"}, "jax linker, cpu, floatX=float32 float32"),
        ({"THEANO_FLAGS": "device=cpu, floatX=float32"}, "floatX=float32 float32"),
        ({"PYTENSOR_FLAGS": "floatX=float32"}, "floatX=float32 float32"),
        (
            {"THEANO_FLAGS": "floatX=float32", "PYTENSOR_FLAGS": "floatX=float64"},
            "floatX=float64 float64",
        ),
        ({"PYTENSOR_FLAGS": "mode=NUMBA"}, "numba linker, cpu, floatX=float64 float64"),
        ({"THEANO_FLAGS": "linker=cvm"}, "c linker, cpu, floatX=float64 float64"),
    ],
)
def test_flags_are_honoured(flags, expected):
    out, err = report(**flags)
    assert out.startswith("PyTensor {}".format(theano.__version__))
    assert out.endswith(expected)
    assert err == ""


@pytest.mark.parametrize("flag", ["mode=FOO", "linker=zzz", "optimizer=zzz"])
def test_values_that_pytensor_does_not_know_are_named(flag):
    out, err = report(THEANO_FLAGS=flag)
    last = err.splitlines()[-1]
    assert out == ""
    assert last.startswith("dlt.errors.EngineError: THEANO_FLAGS, PYTENSOR_FLAGS: found")
    assert flag.split("=")[1] in last


def test_pytensor_flags_are_left_alone_without_theano_flags():
    quoted = 'gcc__cxxflags="-O1,-g"'
    out, err = report(PYTENSOR_FLAGS=quoted)
    assert out.endswith("floatX=float64 float64") and err == ""
    out, err = report(PYTENSOR_FLAGS=quoted, THEANO_FLAGS="floatX=float32")
    assert out.endswith("floatX=float32 float32") and err == ""


def test_an_unknown_floatX_in_the_flags_is_named():
    out, err = report(THEANO_FLAGS="floatX=float16")
    assert out == ""
    assert err.endswith(
        "floatX: found 'float16'; expected float32 or float64 (in THEANO_FLAGS or PYTENSOR_FLAGS)"
    )


def test_floatX_decides_every_dtype(floatX):
    x = T.matrix("x")
    f = theano.function([x], T.sum(x) * 2)
    value = np.asarray(f(np.ones((2, 2), dtype=floatX)))
    assert (x.dtype, value.dtype, float(value)) == (floatX, floatX, 8.0)
    # 2**24 + 1 is the first whole number that float32 cannot hold: is float64 really used?
    exact = float(f(np.array([[2.0**24, 1.0]], dtype=floatX))) == 2 * (2.0**24 + 1)
    assert exact == (floatX == "float64")


def test_every_linker_computes_the_same(linker):
    assert engine.linker() == linker
    x = T.matrix("x")
    f = theano.function([x], engine.softmax(x))
    rows = np.array([[0.0, np.log(3.0)]], dtype=x.dtype)
    np.testing.assert_allclose(f(rows), [[0.25, 0.75]], rtol=1e-6)


def test_bad_choices_are_refused():
    with pytest.raises(SettingsError, match="floatX: found 'float16'; expected float32 or float64"):
        engine.set_floatX("float16")
    with pytest.raises(SettingsError, match="linker: found 'fortran'; expected one of jax, numba"):
        engine.set_linker("fortran")


def test_jax_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(engine, "_has_jax", lambda: False)
    with pytest.raises(EngineError, match="needs jax; install it with: pip install jax"):
        engine.set_linker("jax")


@pytest.mark.parametrize("shape", [(3,), (7, 5), (2, 3, 4)])
@pytest.mark.parametrize("linker", ["numba"], indirect=True)
def test_shared_arrays_begin_on_a_64_byte_boundary(rng, floatX, linker, shape):
    array = rng.random(shape).astype(floatX)
    stored = engine.shared_resident(array).get_value(borrow=True)
    assert stored.ctypes.data % 64 == 0 and stored.dtype == floatX
    np.testing.assert_array_equal(stored, array)


def test_stable_logarithm_is_used_only_for_a_softmax():
    scores, p = T.matrix("scores"), T.matrix("p")
    f = theano.function([scores, p], [engine.log_probability(v) for v in
                                      (engine.softmax(scores), p)])  # fmt: skip
    of_softmax, of_p = f(np.array([[0.0, 1000.0]], dtype=p.dtype), np.ones((1, 2), dtype=p.dtype))
    np.testing.assert_allclose(of_softmax, [[-1000, 0]])
    np.testing.assert_allclose(of_p, [[0, 0]])


def test_the_page_s_slice_by_index_works_on_every_linker(linker):
    # The next page's givens; JAX alone refuses slices whose ends are symbolic.
    x = engine.shared_resident(np.arange(40.0).reshape(20, 2))
    index, batch_size = T.lscalar("index"), 4
    f = theano.function([index], x[index * batch_size : (index + 1) * batch_size])
    for i in range(5):
        np.testing.assert_array_equal(f(i), x.get_value()[i * 4 : i * 4 + 4])


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
    assert engine._constant_difference(stop, start) == length


def test_windows_agree_with_slices(linker, rng):
    data = T.matrix("data")
    start = T.lscalar("start")
    window = engine.row_window(data, start, 3)
    f = theano.function([data, start], [window, window.shape[0], T.sum(window)])
    values = rng.random((8, 2)).astype(data.dtype)
    for i in range(6):
        rows, n, total = f(values, i)
        np.testing.assert_array_equal(rows, values[i : i + 3])
        assert int(n) == 3
        np.testing.assert_allclose(total, values[i : i + 3].sum(), rtol=1e-6)


def test_a_window_can_be_computed_without_compiling():
    window = engine.Window(2)(T.as_tensor_variable(np.arange(5)), T.as_tensor_variable(1))
    np.testing.assert_array_equal(window.eval(mode="FAST_COMPILE"), [1, 2])
    assert window.type.shape == (2,)


def test_scan_and_substitute(linker):
    xs, w = T.lvector("xs"), theano.shared(np.asarray(2, dtype="int64"), name="w")
    product = w * xs[0]

    def step(x, so_far):
        (scaled,) = engine.substitute([product], {xs: T.stack([x]), w: so_far})
        return [scaled, so_far]

    (last,), (seen,) = engine.scan(step, xs, [T.constant(1, dtype="int64")])
    value, stacked = theano.function([xs], [last, seen])([2, 3, 4])
    assert int(value) == 24 and np.asarray(stacked).tolist() == [1, 2, 6]


# --- What lies where -----------------------------------------------------------------------


def test_data_lies_on_the_device_and_stays_there(rng):
    """Reaches into PyTensor as the engine does: written for PyTensor 3.0 and 3.3."""
    jax = pytest.importorskip("jax")
    assert theano.__version__.split(".")[0] == "3"
    shared = engine.shared_resident(rng.random((6, 2)), name="x")
    assert isinstance(shared.container.storage[0], jax.Array)
    theano.function([], T.sum(shared))()
    assert isinstance(shared.container.storage[0], jax.Array)
    shared.set_value(np.ones((3, 2)))
    assert isinstance(shared.container.storage[0], jax.Array)
    assert type(shared.get_value(borrow=True)) is np.ndarray
    plain = theano.shared(np.ones(2))
    assert isinstance(plain.container.storage[0], np.ndarray)


def test_pixels_are_read_as_bytes_and_come_out_the_same(floatX, rng):
    pixels = rng.integers(0, 256, (9, 4))
    shared = engine.shared_resident((pixels / 256).astype(floatX), name="x", compact=True)
    np.testing.assert_array_equal(shared.tag.bytes.get_value(), pixels)
    start = T.lscalar("start")
    f = theano.function([start], engine.row_window(shared, start, 3))
    assert np.asarray(f(2)).dtype == floatX
    np.testing.assert_array_equal(f(2), (pixels / 256).astype(floatX)[2:5])
    shared.set_value(np.full((9, 4), 0.5, dtype=floatX))
    np.testing.assert_array_equal(f(2), np.full((3, 4), 0.5))
    with pytest.raises(SettingsError, match="found values other than k/256, k = 0..255"):
        shared.set_value(np.full((9, 4), 0.3, dtype=floatX))
    np.testing.assert_array_equal(f(2), np.full((3, 4), 0.5))


@pytest.mark.parametrize("value", [0.3, -1 / 256, 1.0, np.nan, np.inf, 1 / 512])
def test_other_values_are_not_taken_for_bytes(floatX, value):
    array = np.full((3, 2), 0.25, dtype=floatX)
    array[2, 1] = value
    shared = engine.shared_resident(array, compact=True)
    assert not hasattr(shared.tag, "bytes")
    start = T.lscalar("start")
    f = theano.function([start], engine.row_window(shared, start, 2))
    np.testing.assert_array_equal(f(1), array[1:3])


def test_a_gpu_that_is_not_there_is_named():
    jax = pytest.importorskip("jax")
    if jax.default_backend() != "cpu":
        pytest.skip("this machine has a GPU")
    with pytest.raises(EngineError, match=r"device gpu: JAX found none .*pip install \.\[gpu\]"):
        engine.set_device("gpu")
    out, err = report(THEANO_FLAGS="device=cuda,floatX=float32")
    assert out == ""
    assert "device gpu: JAX found none" in err.splitlines()[-1]
    engine.set_device("auto")
    assert engine.device() == "cpu"


@pytest.mark.parametrize("linker", ["numba", "c"], indirect=True)
def test_only_jax_has_a_gpu(linker):
    engine.set_device("cpu")
    with pytest.raises(EngineError, match="the {} linker runs on the CPU".format(linker)):
        engine.set_device("gpu")


def test_an_unknown_device_is_named():
    with pytest.raises(SettingsError, match="device: found 'tpu'; expected one of auto, cpu, gpu"):
        engine.set_device("tpu")
