"""Classic Theano: its settings, and where it differs."""

import sys

import numpy as np
import pytest
from test_engine import report, run

from dlt import engine
from dlt.engine import T, theano

if engine.NAME != "Theano":
    pytest.skip("about classic Theano only", allow_module_level=True)


def test_it_links_the_blas_that_numpy_brings_along():
    if not sys.platform.startswith("linux"):
        pytest.skip("numpy's wheels for Linux carry one")
    ldflags = theano.config.blas.ldflags
    assert "openblas" in ldflags and "-Wl,-rpath," in ldflags
    x, W = T.matrix("x"), T.matrix("W")
    f = theano.function([x, W], T.dot(x, W))
    names = {type(node.op).__name__ for node in f.maker.fgraph.toposort()}
    assert names & {"Dot22", "Gemm"}
    rows = np.arange(6, dtype=x.dtype).reshape(2, 3)
    np.testing.assert_array_equal(f(rows, rows.T), rows @ rows.T)


def test_it_is_refused_without_docstrings():
    status, _, err = run("import dlt.engine", PYTHONOPTIMIZE="2")
    found = "Python: found the option -OO, which drops docstrings that Theano needs; start it with"
    assert status == 1 and found in err.splitlines()[-1]


def test_theanorc_is_read(tmp_path):
    (tmp_path / "rc").write_text("[global]\nfloatX = float32\n")
    out, err = report(THEANORC=tmp_path / "rc")
    assert out == "Theano 1.0.5, c linker, cpu, floatX=float32 float32" and err == ""
    (tmp_path / "rc").write_text("[global]\ndevice = cuda\n")
    _, err = report(THEANORC=tmp_path / "rc")
    assert "EngineError: device cuda: found classic Theano" in err.splitlines()[-1]


def test_pytensor_s_flags_are_not_ignored_in_silence():
    out, err = report(PYTENSOR_FLAGS="floatX=float32")
    assert out.endswith("floatX=float64 float64")
    assert err == (
        "PYTENSOR_FLAGS: found 'floatX=float32', which Theano does not read; use THEANO_FLAGS"
    )


@pytest.mark.parametrize(
    "flags, expected",
    [
        ("linker=cvm_nogc", "c linker"),
        ("linker=vm", "python linker"),
        ("mode=FAST_COMPILE", "python linker"),
        ("mode=FAST_RUN", "c linker"),
        ("cxx=", "python linker"),
    ],
)
def test_the_linker_has_one_name(flags, expected):
    out, err = report(THEANO_FLAGS=flags)
    assert f", {expected}, cpu" in out and err == ""


@pytest.mark.parametrize("flag", ["", "optimizer=fast_compile", "optimizer=None"])
def test_logarithms_of_small_probabilities_need_no_optimizer(flag):
    code = (
        "from dlt import engine, theano, T\n"
        "s, y = T.dmatrix(), T.ivector()\n"
        "p = engine.log_probability(engine.softmax(s))\n"
        "nll = -T.mean(p[T.arange(y.shape[0]), y])\n"
        "f = theano.function([s, y], [p, nll, T.grad(nll, s)])\n"
        "print([v.tolist() for v in f([[1e4, -1e4]], [1])])\n"
    )
    status, out, err = run(code, THEANO_FLAGS=flag)
    assert (status, out, err) == (0, "[[[0.0, -20000.0]], 20000.0, [[1.0, -1.0]]]", "")


@pytest.mark.parametrize("flag", ["linker=py", "linker=vm", "mode=FAST_COMPILE"])
def test_choosing_c_undoes_what_the_flags_chose(flag):
    code = (
        "from dlt import engine, theano; engine.set_linker('c'); print(engine.linker())\n"
        "print(theano.compile.mode.get_default_mode().linker.use_cloop)"
    )
    assert run(code, THEANO_FLAGS=flag) == (0, "c\nTrue", "")


def test_c_that_was_switched_off_is_refused():
    status, _, err = run("from dlt import engine; engine.set_linker('c')", THEANO_FLAGS="cxx=")
    assert status == 1
    assert "linker c: found an empty cxx in THEANO_FLAGS" in err


def test_flags_that_dlt_added_are_not_blamed_on_the_user():
    _, err = report(THEANO_FLAGS="linker=zzz")
    assert (
        "found 'linker=zzz' in THEANO_FLAGS; expected flags that it accepts; it says: "
        in err.splitlines()[-1]
    )


def test_a_loop_is_one_call_for_each_index():
    total = theano.shared(np.asarray(0, dtype="int64"), name="total")
    run = engine.index_loop(lambda i, so_far: [so_far + i, so_far], [total])
    assert "Scan" not in {type(node.op).__name__ for node in run.compiled.maker.fgraph.toposort()}
    assert run(range(4)).tolist() == [0, 0, 1, 3]


def test_waiting_for_another_process_to_compile_is_not_logged():
    code = (
        "import logging; from dlt import theano\n"
        "log = logging.getLogger('theano.gof.compilelock')\n"
        "assert log.isEnabledFor(logging.INFO)\n"
        "log.info('Waiting for existing lock'); log.warning('Overriding existing lock')"
    )
    status, out, err = run(code)
    assert (status, out) == (0, "")
    assert "Overriding existing lock" in err and "Waiting" not in err
