"""Saved parameters: what is written is read back, by numpy alone too; differences are listed."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from checkpoints import after
from conftest import ROOT
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from dlt.engine import theano
from dlt.errors import DataError, DltError, SettingsError
from dlt.files import described as described_files
from dlt.parameters import (
    get_values,
    load_params,
    names_of,
    read_params,
    save_params,
    set_values,
)
from dlt.runs.checkpoint import write_checkpoint


@pytest.fixture
def params(rng, floatX):
    W, b = rng.normal(0, 1, (4, 3)).astype(floatX), rng.normal(0, 1, 3).astype(floatX)
    return [theano.shared(W, name="W"), theano.shared(b, name="b")]


def zeros_like(params):
    return [theano.shared(np.zeros_like(p.get_value()), name=p.name) for p in params]


@pytest.mark.parametrize("ending", [".npz", ".pkl"])
def test_what_is_saved_is_loaded(tmp_path, params, ending):
    path = tmp_path / ("params" + ending)
    save_params(path, params, settings={"learning_rate": 0.13, "seed": None})
    others = zeros_like(params)
    assert load_params(path, others) == {"learning_rate": 0.13, "seed": None}
    for param, other in zip(params, others):
        np.testing.assert_array_equal(param.get_value(), other.get_value())
        assert np.asarray(other.get_value()).dtype == param.dtype


def test_numpy_alone_reads_the_npz(tmp_path, params):
    save_params(tmp_path / "params.npz", params, settings={"n_epochs": 3})
    with np.load(tmp_path / "params.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["W"], params[0].get_value())
        description = json.loads(str(file["__dlt__"]))
    assert description["params"] == [["W", [4, 3], params[0].dtype], ["b", [3], params[0].dtype]]
    assert description["settings"] == {"n_epochs": 3}


def test_the_page_s_own_loading_code_reads_the_pkl(tmp_path, params):
    save_params(tmp_path / "params.pkl", params)
    # Slip of the page: open('path') is text mode, where Python 3 cannot unpickle
    with open(tmp_path / "params.pkl", "rb") as save_file:
        w, v = zeros_like(params)
        w.set_value(pickle.load(save_file), borrow=True)
        v.set_value(pickle.load(save_file), borrow=True)
    np.testing.assert_array_equal(w.get_value(), params[0].get_value())
    np.testing.assert_array_equal(v.get_value(), params[1].get_value())


@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
def test_files_written_as_the_page_shows_are_read(tmp_path, params, protocol):
    with open(tmp_path / "path.pkl", "wb") as save_file:
        for param in params:
            pickle.dump(np.asarray(param.get_value(borrow=True)), save_file, protocol)
    others = zeros_like(params)
    assert load_params(tmp_path / "path.pkl", others) == {}
    np.testing.assert_array_equal(others[0].get_value(), params[0].get_value())
    assert list(read_params(tmp_path / "path.pkl")[0]) == ["param_0", "param_1"]


def test_a_file_needs_neither_engine_nor_model(tmp_path):
    save_params(tmp_path / "params.npz", {"W": np.zeros((4, 3)), "b": np.zeros(3)})
    write_checkpoint(tmp_path / "checkpoint.npz", after(2))
    code = (
        "import sys, dlt, dlt.runs.checkpoint\n"
        "assert list(dlt.read_params('params.npz')[0]) == ['W', 'b']\n"
        "assert dlt.runs.checkpoint.read_checkpoint('checkpoint.npz').state.iteration == 20\n"
        "assert 'pytensor' not in sys.modules and 'theano' not in sys.modules\n"
    )
    environ = dict(os.environ, PYTHONPATH=str(ROOT))
    subprocess.run([sys.executable, "-c", code], cwd=str(tmp_path), env=environ, check=True)


def test_every_difference_is_said_and_nothing_is_changed(tmp_path, float64):
    save_params(
        tmp_path / "params.npz",
        {"W": np.ones((4, 3)), "b": np.ones(3, dtype="int64"), "c": np.ones(1)},
    )
    model = [
        theano.shared(np.zeros((5, 3)), name="W"),
        theano.shared(np.zeros(3), name="b"),
        theano.shared(np.zeros(2), name="d"),
    ]
    with pytest.raises(DataError) as caught:
        load_params(tmp_path / "params.npz", model)
    assert (
        "found W float64 (4, 3), b int64 (3,), no d, c float64 (1,); "
        "expected W float64 (5, 3), b float64 (3,), d float64 (2,), no c, as the model has"
    ) in str(caught.value)
    assert not any(param.get_value().any() for param in model)


def test_floats_of_the_other_floatX_are_cast(tmp_path):
    single, double = (theano.shared(np.zeros(2, dtype), name="b") for dtype in ("f4", "f8"))
    save_params(tmp_path / "params.npz", {"b": np.asarray([0.1, 2.0])})
    load_params(tmp_path / "params.npz", [single])
    assert single.get_value().tolist() == [np.float32(0.1), 2.0]
    save_params(tmp_path / "params.npz", [single])
    load_params(tmp_path / "params.npz", [double])
    assert double.get_value().tolist() == [np.float32(0.1), 2.0]
    save_params(tmp_path / "params.npz", {"b": np.asarray([1e39, 0.0])})
    with pytest.raises(DataError, match="found numbers too large; expected .* float32 can hold"):
        load_params(tmp_path / "params.npz", [single])
    assert single.get_value().tolist() == [np.float32(0.1), 2.0]


def test_values_are_copies(float64):
    b = theano.shared(np.zeros(2), name="b")
    values = get_values([b])
    b.set_value(np.ones(2))
    assert values["b"].tolist() == [0, 0]
    set_values([b], values)
    values["b"][0] = 5
    assert b.get_value().tolist() == [0, 0]


@pytest.mark.parametrize(
    "given, names",
    [
        (["W", "b", "W", "b"], ["W", "b", "W_2", "b_2"]),
        (["W", "W_2", "W", "W", "W_2"], ["W", "W_2", "W_3", "W_4", "W_2_2"]),
        ([None, "b", None, "param_0"], ["param_0", "b", "param_2", "param_0_2"]),
    ],
)
def test_names_are_made_unique_and_stacked_layers_come_back(tmp_path, float64, given, names):
    layers = [theano.shared(np.full(2, float(i)), name=name) for i, name in enumerate(given)]
    assert names_of(layers) == names
    save_params(tmp_path / "params.npz", layers)
    assert list(read_params(tmp_path / "params.npz")[0]) == names
    others = zeros_like(layers)
    load_params(tmp_path / "params.npz", others)
    assert [other.get_value().tolist() for other in others] == [[i, i] for i in range(len(given))]


def test_npz_is_the_default(tmp_path):
    save_params(tmp_path / "params", {"b": np.zeros(2)})
    assert [path.name for path in tmp_path.iterdir()] == ["params.npz"]
    assert list(read_params(tmp_path / "params")[0]) == ["b"]


def test_the_pkl_names_nothing_that_old_numpy_lacks(tmp_path, params):
    save_params(tmp_path / "params.pkl", params)
    content = (tmp_path / "params.pkl").read_bytes()
    assert b"numpy.core.multiarray" in content and b"numpy._core" not in content


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"found the ending '.txt'; expected .*\.npz or \.pkl"):
        save_params(tmp_path / "params.txt", {"b": np.zeros(2)})


def nested(depth):
    found = []
    for _ in range(depth - 1):
        found = [found]
    return found


DTYPES = [
    *"?bhilqBHILQefdgFDSU",
    "M8[s]",
    "m8[s]",
    ">f8",
    ">i2",
    [("a", "f4")],
    np.dtype("f4", metadata={"a": 1}),
]
SHAPES = st.one_of(
    st_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    st.just((1,) * (32 if np.__version__ > "2" else 31)),  # older numpy has no more than 32
)
ARRAYS = st.builds(
    lambda dtype, shape, change: change(np.ones(shape, dtype)),
    st.sampled_from(DTYPES),
    SHAPES,
    st.sampled_from(
        [np.asfortranarray, np.transpose, np.ndarray.tolist, np.ma.array,
         lambda array: np.ma.array(array, mask=True), lambda array: array[..., None],
         lambda array: np.full(array.shape, None)]
    ),
)  # fmt: skip
NAMES = st.text(max_size=3) | st.sampled_from(["W", "__dlt__", "a/b", "..", "W" * 197, 1, None])
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3),
        st.sampled_from([2**53 + 1, 2**64, 10**299, -(10**300), "\ud800", "a\0", b"b",
                         np.int64(3), np.float32(0.1), np.zeros(2), {1}, nested(99), nested(100),
                         nested(500), "x" * (1 << 20)]),
    ),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=2) | st.integers(0, 2) | st.none(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@examples(max_examples=250, derandomize=True, deadline=None, database=None,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(
    st.sampled_from([".npz", ".pkl"]),
    st.dictionaries(NAMES, ARRAYS, max_size=3),
    st.dictionaries(st.text(max_size=3), VALUES, max_size=3) | VALUES,
)
def test_what_is_written_is_read_and_nothing_else_replaces_a_file(folder, ending, arrays, given):
    path = folder / ("params" + ending)
    save_params(path, {"b": np.zeros(2)})
    old = path.read_bytes()
    try:
        save_params(path, arrays, given)
    except DltError as error:
        assert str(error).isprintable() and path.read_bytes() == old
        return
    found, settings = read_params(path)
    assert list(found) == list(arrays)
    for name, array in found.items():
        wanted = np.asarray(arrays[name])
        assert not np.ma.is_masked(arrays[name])
        assert array.dtype == wanted.dtype.newbyteorder("=") and array.dtype.kind in "biuf"
        assert array.shape == wanted.shape and array.tolist() == wanted.tolist()
    wanted = json.loads(json.dumps({} if given is None else given, default=np.generic.item))
    assert json.dumps(settings, sort_keys=True) == json.dumps(wanted, sort_keys=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


@pytest.mark.parametrize("ending", [".npz", ".pkl"])
def test_more_than_can_be_read_is_not_written(tmp_path, monkeypatch, ending):
    path = tmp_path / ("params" + ending)
    save_params(path, {"b": np.zeros(2)})
    monkeypatch.setattr(described_files, "MAX_BYTES", 2000)
    monkeypatch.setattr(described_files, "MAX_MEMBERS", 5)
    for arrays, message in (
        ({"W": np.zeros(251)}, "params: found 1 arrays of 2008 bytes; expected at most 2000 bytes"),
        ({f"W_{i}": np.zeros(1) for i in range(5)}, "found 5 arrays .* in 4 arrays; save fewer"),
        ({"W": np.empty((0, (1 << 30) + 1), "u1")}, "W: found an empty array of shape .0, 10"),
        ({"W": np.full(1990, 255, "u1")}, f"params{ending}: found .* bytes; expected at most 2000"),
    ):
        with pytest.raises(DataError, match=message):
            save_params(path, arrays)
        assert list(read_params(path)[0]) == ["b"]
    assert os.listdir(tmp_path) == [path.name]


def described(shape):
    return '{"format": 1, "params": [["W", %s, "float64"]], "settings": {}}' % shape


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"W": np.zeros(2)}, "found the arrays W; expected parameters saved by dlt"),
        ({"__dlt__": np.array("not json")}, "found something else in __dlt__"),
        (
            {"__dlt__": np.array('{"format": 2, "params": [], "settings": {}}')},
            "a file of format 2, of a newer dlt",
        ),
        ({"__dlt__": np.array(described(f"[{'9' * 400}]"))}, "something else in __dlt__"),
        ({"__dlt__": np.array(described("[3]") + " " * (1 << 20))}, "something else in __dlt__"),
        ({"__dlt__": np.array(described('"3"'))}, "expected what the file itself describes"),
        ({"__dlt__": np.array(described("[3]")[:-1] + ', "format": 1}')}, "something else in"),
        (
            {"W": np.zeros(2), "__dlt__": np.array(described("[3]"))},
            r"found .*\(2,\).*; expected what the file itself describes",
        ),
        (
            {"__dlt__": np.array(described('[], "float64"], ["W", []'))},
            "expected what the file itself describes",
        ),
    ],
)
def test_other_npz_files_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "params.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_params(tmp_path / "params.npz")


def test_a_whole_pickled_model_is_refused_by_name(tmp_path):
    # what the original script saved: the object with its graph, not its arrays
    (tmp_path / "best_model.pkl").write_bytes(pickle.dumps(Patient()))
    with pytest.raises(DataError, match="Patient"):
        read_params(tmp_path / "best_model.pkl")


class Patient:
    """Stands for any class of a user's script."""
