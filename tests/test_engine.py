"""The engine: what `dlt` asks of it, on whichever runs."""

import copy
import functools
import json
import os
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, bare_environment, run_python

import dlt
from dlt import engine
from dlt.engine import T, theano
from dlt.errors import EngineError, SettingsError


def test_floatX_decides_every_dtype(floatX):
    x = T.matrix("x")
    f = theano.function([x], T.sum(x) * 2)
    value = np.asarray(f(np.ones((2, 2), dtype=floatX)))
    assert (x.dtype, value.dtype, float(value)) == (floatX, floatX, 8.0)
    # 2**24 + 1 is the first whole number that float32 cannot hold: is float64 really used?
    exact = float(f(np.array([[2.0**24, 1.0]], dtype=floatX))) == 2 * (2.0**24 + 1)
    assert exact == (floatX == "float64")


def test_bad_choices_are_refused():
    for choose, message in (
        (engine.set_floatX, "floatX: found 'x'; expected one of float32, float64"),
        (engine.set_linker, "linker: found 'x'; expected one of jax, numba, c"),
        (engine.set_device, "device: found 'x'; expected one of auto, cpu, gpu"),
    ):
        with pytest.raises(SettingsError, match=message):
            choose("x")


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


def test_a_loop_carries_its_state_from_index_to_index(linker, float64):
    # M: tall, and so carried on its side where that is faster; n: a scalar.
    start = np.arange(6.0).reshape(3, 2)
    M, n = theano.shared(start, name="M"), theano.shared(np.asarray(1.0), name="n")
    add = np.asarray([[1.0, 10.0]])

    def step(index, M_now, n_now):
        return [M_now + add * n_now, n_now * 2, T.sum(M_now) + index]

    run = engine.index_loop(step, [M, n])
    # n is 1, 2, 4; the sum grows by 33 n
    assert run([5, 0, 7]).tolist() == [15 + 5, 48 + 0, 114 + 7]
    assert n.get_value() == 8
    np.testing.assert_array_equal(M.get_value(), start + 7 * add)
    assert run([1, 1]).tolist() == [15 + 33 * 7 + 1, 15 + 33 * 15 + 1]


def test_shared_variables_give_numpy_and_can_be_copied_and_pickled(linker):
    # The page copies parameters with copy.deepcopy, and pickles what get_value returns.
    W = engine.shared_resident(np.ones((2, 3)), name="W")
    theano.function([], updates=[(W, W * 2)])()
    for borrow in (False, True):
        assert type(W.get_value(borrow=borrow)) is np.ndarray
    W.get_value()[:] = 7  # a copy
    scalar = theano.shared(1.0)
    theano.function([], updates=[(scalar, scalar / 2)])()
    assert isinstance(scalar.get_value(), (np.ndarray, np.generic)) and scalar.get_value() == 0.5
    copied = copy.deepcopy(W)
    again = pickle.loads(pickle.dumps(W))
    W.set_value(np.zeros((2, 3)))
    np.testing.assert_array_equal(again.get_value(), np.full((2, 3), 2.0))
    np.testing.assert_array_equal(copied.get_value(), np.full((2, 3), 2.0))


def random_variables():
    """Return pairs of a random variable, as the engine's users write it, and its name."""
    if engine.NAME == "Theano":
        normal = T.shared_randomstreams.RandomStreams(23455).normal
    else:
        normal = functools.partial(T.random.normal, rng=theano.shared(np.random.default_rng(1)))
    noise = normal()
    noise.name = "noise"
    count = theano.shared(0.0)
    count.default_update = count + 1
    return (normal(), "normal|RandomFunction"), (2 * noise, "noise"), (T.exp(count), "Elemwise.*")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTensor 3 writes them otherwise
def test_a_loop_refuses_random_variables_by_name():
    for variable, name in random_variables():
        expected = "found the random variable '({})'; expected none, as its draws would"
        with pytest.raises(SettingsError, match=expected.format(name)):
            engine.index_loop(lambda i, variable=variable: [T.cast(i, "float64") + variable])


def test_threads_may_compile_at_the_same_time(linker, eight_threads):
    x = T.dmatrix("x")
    functions = [engine.Compiled([x], engine.softmax(x + i)) for i in range(8)]
    loops = eight_threads(lambda i: engine.index_loop(lambda index: [index + i]))
    found = eight_threads(lambda i: functions[i](np.zeros((1, 2))).tolist())
    assert found == [[[0.5, 0.5]]] * 8
    assert eight_threads(lambda i: loops[i]([1, 2]).tolist()) == [[i + 1, i + 2] for i in range(8)]
    squares = eight_threads(lambda i: engine.function([x], x**2))
    assert eight_threads(lambda i: squares[i]([[i]]).tolist()) == [[[i * i]] for i in range(8)]


# --- The machine -------------------------------------------------------------------------------


def machine(linker, **environ):
    """Return the machine as a fresh Python sees it."""
    code = (
        "import json; from dlt import engine\n"
        f"engine.linker() == {linker!r} or engine.set_linker({linker!r})\n"
        "print(json.dumps(engine.machine()))"
    )
    status, out, err = run(code, **environ)
    assert status == 0, err
    return json.loads(out)


CHANGES = {  # what environment variables change, for each linker; {} is nothing
    "jax": [
        ({"NPROC": "3", "XLA_FLAGS": "--xla_cpu_enable_fast_math=true --xla_dump_to=/none"},
         {"NPROC": "3", "XLA_FLAGS": "--xla_cpu_enable_fast_math=true"}),
        ({"NPROC": "1", "PJRT_NPROC": "4", "JAX_DISABLE_JIT": "1"},
         {"NPROC": "4", "JAX_DISABLE_JIT": "True"}),
    ],
    "numba": [
        ({"OMP_NUM_THREADS": "1", "NUMBA_OPT": "1"},
         {"OPENBLAS_NUM_THREADS": "1", "NUMBA_OPT": "1"}),
        ({"PYTENSOR_FLAGS": "numba__fastmath=False", "NUMBA_CPU_NAME": "generic",
          "NUMBA_CPU_FEATURES": ""}, {"numba__fastmath": "False", "processor": "generic"}),
    ],
    "c": [
        ({"OPENBLAS_NUM_THREADS": "1", "THEANO_FLAGS": "gcc.cxxflags=-O1"},
         {"OPENBLAS_NUM_THREADS": "1", "gcc.cxxflags": "-O1"}),
    ],
}  # fmt: skip


def test_the_machine_is_what_changes_bits_and_nothing_else(linker):
    here = machine(linker)
    harmless = {"COLUMNS": "7", "OMP_WAIT_POLICY": "passive", "XLA_FLAGS": "--xla_dump_to=/none"}
    assert machine(linker, **harmless) == here == engine.machine()
    assert here["device"] == "cpu" and here["processor"]
    for environ, changes in CHANGES[linker]:
        if engine.NAME == "PyTensor" and "gcc.cxxflags" in changes:
            changes["gcc__cxxflags"] = changes.pop("gcc.cxxflags")
        assert machine(linker, **environ) == {**here, **changes}


@pytest.mark.parametrize("linker", ["numba", "c"], indirect=True)
def test_limits_on_threads_count_whenever_blas_was_loaded(linker):
    code = (
        "import threadpoolctl; from dlt import engine\n"
        f"engine.linker() == {linker!r} or engine.set_linker({linker!r})\n"
        "with threadpoolctl.threadpool_limits(1):\n"
        "    limited = engine.machine()\n"
        "print(limited['OPENBLAS_NUM_THREADS'], engine.machine()['OPENBLAS_NUM_THREADS'])"
    )
    found = engine.machine()["OPENBLAS_NUM_THREADS"]
    assert run(code) == (0, f"1 {found}", "")


@pytest.mark.parametrize("linker", ["numba", "c"], indirect=True)
@pytest.mark.parametrize("package, c, numba", [("numpy", "1 2", "2"), ("scipy", "2 1", "1")])
def test_each_blas_has_its_own_number_of_threads(monkeypatch, linker, package, c, numba):
    libraries = [
        {"user_api": "blas", "filepath": f"/{name}.libs/blas.so", "internal_api": "openblas",
         "version": "1", "num_threads": 1 if name == package else 2}
        for name in ("scipy", "numpy")
    ]  # fmt: skip
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: libraries)
    assert engine.machine()["OPENBLAS_NUM_THREADS"] == {"c": c, "numba": numba}[linker]


# --- Which engine, and its flags ---------------------------------------------------------------


def run(code, **environ):
    """Run code in a fresh Python; return its exit code and its two outputs."""
    process = run_python("-c", code, **environ)
    return process.returncode, process.stdout.strip(), process.stderr.strip()


def report(**environ):
    """Describe the engine of a fresh Python with these environment variables."""
    code = "from dlt import engine; print(engine.describe(), engine.T.matrix().dtype)"
    return run(code, **environ)[1:]


@pytest.mark.parametrize(
    "flags, floatX", [("", "float64"), ("device=cpu, floatX=float32", "float32")]
)
def test_the_page_s_flags_work_on_every_engine(flags, floatX):
    version = f"{engine.NAME} {theano.__version__}"
    expected = f"{version}, {engine.LINKERS[0]} linker, cpu, floatX={floatX} {floatX}"
    assert report(THEANO_FLAGS=flags) == (expected, "")
    assert dlt.T is engine.T is dlt.theano.tensor


REFUSED = {
    "mode=FOO": engine.NAME + ": found 'mode=FOO' in THEANO_FLAGS",
    "optimizer=zzz": engine.NAME + ": found 'optimizer=zzz' in THEANO_FLAGS",
    "floatX=float16": "floatX: found 'float16' (in THEANO_FLAGS",
    "device=cuda": {
        "PyTensor": "device gpu: found none that JAX can use (",
        "Theano": "device cuda: found classic Theano, and its GPU support",
    }[engine.NAME],
    "aesara": "DLT_ENGINE: found 'aesara'; expected pytensor or theano",
}
if engine.NAME == "PyTensor":
    REFUSED["theano"] = (
        f"Theano: found numpy {np.__version__}; expected one below 1.24; use Python 3.8 to 3.10"
    )
else:
    REFUSED["pytensor"] = (
        "engine: found PyTensor, which could not be imported (No module named 'pytensor'); "
        "install it with: pip install pytensor jax"
    )


@pytest.mark.parametrize("given", REFUSED)
def test_settings_the_engine_cannot_use_are_refused_in_one_line(given):
    if given == "device=cuda" and engine.NAME == "PyTensor":
        if pytest.importorskip("jax").default_backend() != "cpu":
            pytest.skip("this machine has a GPU")
    out, err = report(**{"THEANO_FLAGS" if "=" in given else "DLT_ENGINE": given})
    assert out == ""
    assert err.splitlines()[-1].startswith("dlt.errors.EngineError: " + REFUSED[given])


def test_flags_without_a_counterpart_are_reported_once_in_one_line():
    flags = "floatX=float32,lib.cnmemory=0.8,gpuarray.preallocated=1,optimizer=fast_compile"
    out, err = report(THEANO_FLAGS=flags)
    assert out.endswith("floatX=float32 float32")
    assert err.count("\n") == 0
    version = f"{engine.NAME} {theano.__version__}"
    assert f"found lib.cnmemory, gpuarray.preallocated, which {version} does not have" in err


def test_compiled_code_goes_where_the_flags_say(tmp_path):
    code = (
        "from dlt import theano, T; x = T.vector(); theano.function([x], T.exp(x) + 1)([1])\n"
        "print(theano.config.compiledir)"
    )
    mode = "" if engine.NAME == "Theano" else ",mode=CVM"
    status, out, _ = run(code, THEANO_FLAGS=f"compiledir={tmp_path}{mode}")
    assert (status, out) == (0, str(tmp_path))
    assert list(tmp_path.glob("tmp*/*.so"))


WITHOUT_HOME = """
import pwd
def getpwuid(uid):
    raise KeyError
pwd.getpwuid = getpwuid
"""


@pytest.mark.parametrize("mode", ["", "mode=NUMBA"] if engine.NAME == "PyTensor" else [""])
@pytest.mark.parametrize("home", ["a file's", None])
def test_without_a_home_what_is_compiled_goes_to_a_temporary_folder(tmp_path, mode, home):
    (tmp_path / "file").write_text("")
    (tmp_path / "temporary").mkdir()
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_HOME)
    home = {"HOME": tmp_path / "file" / "x"} if home else {"PYTHONPATH": tmp_path}
    code = "from dlt import theano, T; x = T.dvector(); print(theano.function([x], x + 1)([1]))"
    command = [sys.executable, "-c", code]
    environ = bare_environment(TMPDIR=tmp_path / "temporary", PYTENSOR_FLAGS=mode)
    del environ["HOME"]
    environ.update({name: str(value) for name, value in home.items()})
    if engine.NAME == "Theano":
        del environ["PYTENSOR_FLAGS"]
    done = subprocess.run(
        command, cwd=str(ROOT), env=environ, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stdout) == (0, "[2.]\n")
    place = os.path.join(str(home.get("HOME", "~")), "." + engine.NAME.lower())
    if mode or engine.NAME == "Theano":
        assert done.stderr.startswith(place + ": found a folder that cannot be written; what is ")
        assert done.stderr.count("\n") == 1
    else:  # JAX keeps nothing
        assert done.stderr == ""
    assert list((tmp_path / "temporary").glob("dlt-*")) == []


@pytest.mark.parametrize(
    "raised, said, remedy",
    [
        ("ImportError('no\\nway')", "no way", "; install it with: "),
        ("AttributeError('no way')", "no way", "; install it with: "),
        ("ValueError('OMP')", "OMP", ""),
        ("OSError(28, 'Disk full')", "[Errno 28] Disk full", ""),
    ],
)
def test_an_engine_that_fails_in_whatever_way_is_one_line(tmp_path, raised, said, remedy):
    name = engine.NAME.lower()
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise " + raised)
    status, _, err = run("import dlt.engine", PYTHONPATH=tmp_path, DLT_ENGINE=name)
    found = f"engine: found {engine.NAME}, which could not be imported ({said}){remedy}"
    line = err.splitlines()[-1]
    assert status == 1 and (found in line if remedy else line.endswith(found))


@pytest.mark.parametrize("name, version", [("pytensor", "2.18.6"), ("theano", "1.1.2")])
def test_a_wrong_version_is_named(tmp_path, name, version):
    (tmp_path / name / "tensor").mkdir(parents=True)
    (tmp_path / name / "tensor" / "__init__.py").write_text("")
    (tmp_path / name / "__init__.py").write_text(
        "from types import SimpleNamespace as Space\n"
        f"__version__ = '{version}'\n"
        "config = Space(floatX='float64', blas=Space(ldflags=''), base_compiledir='')\n"
        "compile = Space(mode=Space(get_default_mode=lambda: None))\n"
    )
    code = "import numpy; numpy.__version__ = '1.21.6'; import dlt.engine"
    status, _, err = run(code, PYTHONPATH=tmp_path, DLT_ENGINE=name)
    assert status == 1
    expected = {"pytensor": "3.0 or newer", "theano": "1.0.5"}[name]
    line = err.splitlines()[-1]
    assert f"found version {version}; expected {expected}; install" in line


# --- What an engine cannot do ---------------------------------------------------------------


@pytest.mark.parametrize("linker", ["jax", "numba", "c"], indirect=True)
def test_each_engine_has_its_linkers_and_refuses_the_others(linker):
    assert engine.linker() == linker in engine.LINKERS


@pytest.mark.parametrize("linker", ["numba", "c"], indirect=True)
def test_only_jax_has_a_gpu(linker):
    engine.set_device("cpu")
    assert engine.device() == "cpu"
    expected = {
        "PyTensor": f"device gpu: found the {linker} linker, which runs on the CPU",
        "Theano": "device gpu: found classic Theano",
    }
    with pytest.raises(EngineError, match=expected[engine.NAME]):
        engine.set_device("gpu")


def test_a_missing_compiler_is_named_with_its_package(tmp_path):
    """Theano works without one, and says so; choosing the C linker fails."""
    if sys.platform == "darwin":
        pytest.skip("there the compiler is clang++")
    for name in ("sh", "uname", "ldconfig", "objdump"):  # what a shell needs
        if shutil.which(name):
            (tmp_path / name).symlink_to(shutil.which(name))
    code = "from dlt import engine; print(engine.describe()); engine.set_linker('c')"
    status, out, err = run(code, PATH=tmp_path)
    assert status == 1
    assert err.splitlines()[-1].startswith(
        "dlt.errors.EngineError: linker c: found no g++; expected a compiler and Python's headers; "
        "install g++ (as Debian and Ubuntu call it)"
    )
    if engine.NAME == "Theano":
        assert out.endswith("python linker, cpu, floatX=float64")
        assert err.splitlines()[0] == (
            "Theano finds no g++: functions run in Python, some 15 times slower; install g++ (as "
            "Debian and Ubuntu call it)"
        )
    code = "from dlt import theano, T; x = T.dscalar(); print(theano.function([x], x**2)(3.0))"
    status, out, err = run(code, PATH=tmp_path)
    assert (status, out) == (0, "9.0") and err.count("\n") == 0
