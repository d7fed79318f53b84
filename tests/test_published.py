"""The published run on real MNIST: same figures and epochs on every linker and in both floatX."""

import re

import numpy as np
import pytest
from conftest import run_script

import dlt
from dlt import engine
from dlt.engine import T

pytestmark = pytest.mark.slow
RUNS = [(engine.linker(), "float64")]  # the script below runs with float32
RUNS += [
    pytest.param(name, "float32", marks=pytest.mark.once)
    for name in engine.LINKERS
    if name != engine.linker()
]


@pytest.fixture(scope="module")
def mnist(mnist_folder):
    return dlt.load_data("mnist")


def train(sets, drop_last, **options):
    """Train on MNIST as the script does."""
    x, y = T.matrix("x"), T.ivector("y")
    model = dlt.LogisticRegression(x, 784, 10)
    loss = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    return dlt.train(model, y, loss, sets, batch_size=600, drop_last=drop_last, **options)


@pytest.mark.parametrize("linker, floatX", RUNS, indirect=True)
def test_the_published_run(mnist, linker, floatX):
    result = train(mnist, drop_last=True)
    assert (result.best_validation, result.test) == ((720, 9600), (719, 9600))
    assert (result.n_epochs, result.stopped_by) == (74, "patience")
    assert_published(result.history)


@pytest.mark.once
@pytest.mark.parametrize("floatX", ["float32"], indirect=True)
def test_the_published_run_in_chunks(mnist, floatX, tmp_path):
    dlt.save_data(tmp_path / "mnist", mnist)
    chunked = dlt.open_data(tmp_path / "mnist", max_memory=24_000_000)  # chunks of 8 minibatches
    result, in_memory = (train(sets, drop_last=True) for sets in (chunked, mnist))
    assert (result.best_validation, result.test) == ((720, 9600), (719, 9600))
    assert_published(result.history)
    for name, array in in_memory.best_params.items():
        np.testing.assert_array_equal(result.best_params[name], array)


def assert_published(history):
    counts = [row.validation_error * 9600 for row in history]
    assert len(counts) == 73  # patience cuts the 74th epoch short of its validation
    assert [counts[0], *counts[-3:]] == pytest.approx([1196, 722, 721, 720], abs=1e-6)


def test_the_script_prints_the_published_figures(mnist_folder, tmp_path):
    process = run_script(
        "train_logreg.py", "--dataset", "mnist", "--drop-last", "--floatX", "float32",
        "--output-dir", tmp_path, DLT_DATA=mnist_folder,
    )  # fmt: skip
    assert (process.returncode, process.stderr) == (0, "")
    assert "epoch 1, minibatch 83/83, validation error 12.458333 %\n" in process.stdout
    assert (
        "Optimization complete with best validation score of 7.500000 %, "
        "with test performance 7.489583 %\n"
    ) in process.stdout
    assert re.search(r"^74 epochs, [\d.]+ epochs/sec, stopped by patience$", process.stdout, re.M)
    assert_published(dlt.read_history(tmp_path / "history.csv"))


@pytest.mark.once
def test_every_example_counts_by_default(mnist, tmp_path):
    # The README's figures.
    result = train(mnist, drop_last=False, folder=dlt.RunFolder(tmp_path))
    assert (result.best_validation, result.test) == ((743, 10000), (775, 10000))
    test_x, test_y = mnist[2]
    assert (dlt.Predictor(tmp_path).predict(test_x) != test_y).sum() == 775
