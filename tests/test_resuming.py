"""What may differ between a checkpoint and the run that goes on, and what may not."""

import pytest
from checkpoints import after

from dlt.engine import theano
from dlt.runs.resuming import differences, engine_versions, how_to_restore

NOW = after(0)


def now(**settings):
    return NOW._replace(settings=dict(NOW.settings, **settings))


def running(parts):
    return NOW._replace(program={**NOW.program, **parts})


@pytest.mark.once
@pytest.mark.parametrize(
    "before, after, expected",
    [
        ({}, {}, []),
        ({}, {"n_epochs": 1001}, []),
        ({}, {"n_epochs": 999},
         ["n_epochs: the checkpoint has 1000, this run 999 (it may only be raised)"]),
        ({"n_epochs": "1"}, {},
         ["n_epochs: the checkpoint has 1, this run 1000 (it may only be raised)"]),
        ({}, {"text": "a\nb"}, ["text: the checkpoint has none, this run a\\nb"]),
        ({"a\x1b" * 99: 1}, {},
         [("a\\x1b" * 16)[:76] + " ...: the checkpoint has 1, this run none"]),
        ({}, {"dataset": "elsewhere"}, []),
        ({"engine": "PyTensor 3", "floatX": "float32"}, {}, []),  # see the engine
        ({}, {"learning_rate": 1, "seed": 1},
         ["learning_rate: the checkpoint has 0.13, this run 1",
          "seed: the checkpoint has none, this run 1"]),
        ({"order": "in turn"}, {"order": "Shuffled(seed=1)"},
         ["order: the checkpoint has in turn, this run Shuffled(seed=1)"]),
        ({"shared": {"rate": 0.1}}, {"shared": {"rate": 0.2}},
         ['shared: the checkpoint has {"rate": 0.1}, this run {"rate": 0.2}']),
        ({"a": 5000, "b": float("nan")}, {"a": 5000.0, "b": float("nan")}, []),
    ],
)  # fmt: skip
def test_every_setting_that_differs_is_named(before, after, expected):
    assert differences(now(**before), now(**after)) == expected


@pytest.mark.once
@pytest.mark.parametrize(
    "parts, expected",
    [
        ({}, []),
        ({"loss": ("c1" * 32, [])}, []),  # a tuple, as describe_graph returns it
        ({"loss": ["ab", []]}, ["loss: the checkpoint has another expression"]),
        ({"loss": ["c1" * 32, ["1"]]}, ["loss: the checkpoint has another expression"]),
        ({"update of W": ["d2" * 32, ["0.002", "2"]]},
         ["update of W: the checkpoint has 0.13, this run 0.002"]),
        ({"update of W": ["d2" * 32, ["0.13", "3"]], "loss": ["ab", []]},
         ["loss: the checkpoint has another expression",
          "update of W: the checkpoint has 2, this run 3"]),
        # one constant is enough: a rate is in the update of every layer
        ({"update of W": ["d2" * 32, ["0.002", "3"]]},
         ["update of W: the checkpoint has 0.13, this run 0.002"]),
        ({"update of b": ["ab", []]}, ["update of b: the checkpoint has another expression"]),
    ],
)  # fmt: skip
def test_every_expression_that_differs_is_named(parts, expected):
    assert differences(NOW, running(parts)) == expected
    # the other way round, with one side's words exchanged
    exchanged = differences(running(parts), NOW)
    assert [line.partition(":")[0] for line in exchanged] == [
        line.partition(":")[0] for line in expected
    ]


@pytest.mark.once
def test_a_setting_that_differs_is_the_plainer_word():
    other = running({"loss": ["ab", []]})
    settings = dict(NOW.settings, l2=0.001)
    assert differences(NOW, other._replace(settings=settings)) == [
        "l2: the checkpoint has none, this run 0.001"
    ]


@pytest.mark.once
def test_other_data_is_named_with_what_it_is_called():
    other = now(dataset="digits")._replace(data=["5f" * 32, "b0" * 32])
    assert differences(now(dataset="mnist"), other) == [
        "data: the checkpoint has mnist (sha256 5f5f5f5f5f5f5f5f a0a0a0a0a0a0a0a0), "
        "this run digits (sha256 5f5f5f5f5f5f5f5f b0b0b0b0b0b0b0b0)"
    ]
    assert differences(NOW._replace(data=NOW.data[:1]), NOW) == [
        "data: the checkpoint has sha256 5f5f5f5f5f5f5f5f, "
        "this run sha256 5f5f5f5f5f5f5f5f a0a0a0a0a0a0a0a0"
    ]


@pytest.mark.once
def test_another_engine_is_named_part_by_part():
    checkpoint = NOW._replace(engine={"linker": "jax", "jax": "0.7", "floatX": "float32"})
    other = NOW._replace(engine={"linker": "c", "floatX": "float64"}, data=["a0" * 32])
    # in another floatX the same data has other bytes: no word on that
    assert differences(checkpoint, other) == [
        "floatX: the checkpoint has float32, this run float64",
        "jax: the checkpoint has 0.7, this run none",
        "linker: the checkpoint has jax, this run c",
    ]


@pytest.mark.once
@pytest.mark.parametrize(
    "before, after, expected",
    [
        ({"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_NUM_THREADS": "2"},
         "put OPENBLAS_NUM_THREADS=1 in front of the command"),
        ({"OPENBLAS_NUM_THREADS": "9999"}, {"OPENBLAS_NUM_THREADS": "1"},
         "use a machine with 9999 processors"),
        ({"OPENBLAS_NUM_THREADS": "3"}, {"OPENBLAS_NUM_THREADS": "1"},
         "run it on 3 processors: without taskset, or with a container's limit raised"),
        ({"NPROC": "2", "processor": "znver3"}, {"NPROC": "1", "processor": "znver4"},
         "use that machine, and the same flags"),
        ({"XLA_FLAGS": "--a --b=1"}, {}, "set XLA_FLAGS as it was"),
        ({"NUMBA_OPT": "x", "gcc.cxxflags": "-O1"}, {"NUMBA_OPT": "1", "gcc.cxxflags": "-O3"},
         "set NUMBA_OPT, gcc.cxxflags as they were"),
        ({"LD_PRELOAD": "1", "NPROC": "2; rm"}, {"NPROC": "1"},
         "use that machine, and the same flags"),
        ({}, {"JAX_DISABLE_JIT": "True"}, "put env -u JAX_DISABLE_JIT in front of the command"),
    ],
)  # fmt: skip
def test_how_to_compute_as_before_is_told(monkeypatch, before, after, expected):
    monkeypatch.setattr("dlt.runs.resuming.cores", lambda: 1)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.delenv("PJRT_NPROC", raising=False)
    assert how_to_restore(before, after) == expected


@pytest.mark.once
def test_the_variable_that_jax_reads_first_is_told(monkeypatch):
    monkeypatch.setenv("PJRT_NPROC", "1")
    expected = "put PJRT_NPROC=2 in front of the command"
    assert how_to_restore({"NPROC": "2"}, {"NPROC": "1"}) == expected


def test_the_engine_is_told_by_names_and_versions(linker, floatX):
    versions = engine_versions()
    assert (versions["linker"], versions["floatX"]) == (linker, floatX)
    assert theano.__version__ in versions["engine"]
    libraries = {"jax": {"jax", "jaxlib"}, "numba": {"numba", "numpy"}, "c": {"numpy"}}[linker]
    assert set(versions) == {
        "dlt", "engine", "linker", "optimizer", "floatX", *libraries
    }  # fmt: skip
    assert all(isinstance(value, str) for value in versions.values())
