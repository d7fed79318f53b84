"""What may differ between a checkpoint and the run that goes on, and what may not."""

import numpy as np
import pytest
from checkpoints import after, values

from dlt.engine import theano
from dlt.errors import DataError, SettingsError
from dlt.runs.folder import RunFolder
from dlt.runs.resuming import begin, differences, engine_versions

NOW = after(0)


def now(**settings):
    return NOW._replace(settings=dict(NOW.settings, **settings))


@pytest.mark.once
@pytest.mark.parametrize(
    "before, after, expected",
    [
        ({}, {}, []),
        ({}, {"n_epochs": 1001}, []),
        ({}, {"n_epochs": 999},
         ["n_epochs: the checkpoint has 1000, this run 999 (it may only be raised)"]),
        ({}, {"text": "a\nb"}, ["text: the checkpoint has none, this run a\\nb"]),
        ({}, {"dataset": "elsewhere"}, []),
        ({}, {"learning_rate": 1, "seed": 1},
         ["learning_rate: the checkpoint has 0.13, this run 1",
          "seed: the checkpoint has none, this run 1"]),
        ({"a": 5000, "b": float("nan")}, {"a": 5000.0, "b": float("nan")}, []),
    ],
)  # fmt: skip
def test_every_setting_that_differs_is_named(before, after, expected):
    assert differences(now(**before), now(**after)) == expected


@pytest.mark.once
def test_other_data_is_named_with_what_it_is_called():
    assert differences(now(dataset="mnist"), now(dataset="digits")._replace(data="a0" * 32)) == [
        "data: the checkpoint has mnist (sha256 5f5f5f5f5f5f5f5f), "
        "this run digits (sha256 a0a0a0a0a0a0a0a0)"
    ]


@pytest.mark.once
def test_another_engine_is_named_part_by_part():
    checkpoint = NOW._replace(engine={"linker": "jax", "jax": "0.7", "floatX": "float32"})
    other = NOW._replace(engine={"linker": "c", "floatX": "float64"}, data="a0" * 32)
    # in another floatX the same data has other bytes: no word on that
    assert differences(checkpoint, other) == [
        "floatX: the checkpoint has float32, this run float64",
        "jax: the checkpoint has 0.7, this run none",
        "linker: the checkpoint has jax, this run c",
    ]


def test_the_engine_is_told_by_names_and_versions(linker, floatX):
    versions = engine_versions()
    assert (versions["linker"], versions["floatX"]) == (linker, floatX)
    assert theano.__version__ in versions["engine"]
    libraries = {"jax": {"jax", "jaxlib"}, "numba": {"numba", "numpy"}, "c": {"numpy"}}[linker]
    assert set(versions) == {
        "dlt", "engine", "linker", "optimizer", "device", "floatX", *libraries
    }  # fmt: skip
    assert all(isinstance(value, str) for value in versions.values())


def params(**changes):
    arrays = dict(values(0), **changes)
    return [theano.shared(np.asarray(array), name=name) for name, array in arrays.items()]


def test_a_refusal_is_one_line_and_changes_nothing(tmp_path):
    with RunFolder(tmp_path) as folder:
        folder.save(after(2))
        before = (tmp_path / "checkpoint.npz").read_bytes()
        with pytest.raises(SettingsError) as caught:
            begin(folder, now(seed=1, l1=0.5), params(), True, print)
        with pytest.raises(DataError, match=r"found b float64 \(3,\); expected b float64 \(4,\)"):
            begin(folder, now(), params(b=np.zeros(4)), True, print)
    assert str(caught.value) == (
        "{!r}: found a checkpoint of another run: l1: the checkpoint has none, this run 0.5; "
        "seed: the checkpoint has none, this run 1; expected the same data, settings and engine; "
        "use those, or train anew without resume (--resume)".format(str(tmp_path))
    )
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


def test_it_goes_on_with_this_run_s_settings(tmp_path):
    lines = []
    with RunFolder(tmp_path) as folder:
        folder.save(after(2, ended="n_epochs"))
        state = begin(folder, now(n_epochs=2000), params(), True, lines.append)
    assert (state.iteration, state.ended, state.settings["n_epochs"]) == (20, None, 2000)
    assert lines == ["going on after 20 updates"]
    assert '"n_epochs": 2000' in (tmp_path / "settings.json").read_text()


@pytest.mark.once
def test_an_unfinished_run_is_mentioned_where_a_new_one_begins(tmp_path):
    lines = []
    with RunFolder(tmp_path) as folder:
        assert begin(folder, NOW, None, False, lines.append) == NOW
        folder.save(after(2))
        begin(folder, NOW, None, False, lines.append)
        folder.save(after(2, ended="patience"))
        begin(folder, NOW, None, False, lines.append)
        (tmp_path / "checkpoint.npz").write_bytes(b"damaged")
        begin(folder, NOW, None, False, lines.append)
    line = (
        "found an unfinished run of 20 updates in {}; --resume (resume=True) would have "
        "continued it; starting anew, and keeping it as checkpoint.unfinished.npz".format(tmp_path)
    )
    assert lines == [line, line]  # at last the one before the damaged one


@pytest.mark.once
@pytest.mark.parametrize("damaged", [False, True])
def test_an_unfinished_run_that_is_not_resumed_is_kept(tmp_path, damaged):
    with RunFolder(tmp_path) as folder:
        folder.save(after(2))
        folder.save(after(3))
    kept = tmp_path / ("checkpoint.previous.npz" if damaged else "checkpoint.npz")
    if damaged:
        (tmp_path / "checkpoint.npz").write_bytes(b"damaged")
    before = kept.read_bytes()
    for n in (1, 2):  # the second time there is a finished run to begin after
        with RunFolder(tmp_path) as folder:
            begin(folder, NOW, None, False, lambda line: None)
            folder.save(after(n, ended="patience"))
        assert (tmp_path / "checkpoint.unfinished.npz").read_bytes() == before
