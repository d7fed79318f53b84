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
        ({}, "jax linker, floatX=float64 float64"),
        ({"THEANO_FLAGS": "floatX=float32"}, "jax linker, floatX=float32 float32"),
        ({"THEANO_FLAGS": "device=cpu, floatX=float32"}, "floatX=float32 float32"),
        ({"PYTENSOR_FLAGS": "floatX=float32"}, "floatX=float32 float32"),
        (
            {"THEANO_FLAGS": "floatX=float32", "PYTENSOR_FLAGS": "floatX=float64"},
            "floatX=float64 float64",
        ),
        ({"PYTENSOR_FLAGS": "mode=NUMBA"}, "numba linker, floatX=float64 float64"),
        ({"THEANO_FLAGS": "linker=cvm"}, "c linker, floatX=float64 float64"),
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
def test_shared_arrays_begin_on_a_64_byte_boundary(rng, floatX, shape):
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
