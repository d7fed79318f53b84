"""The published run on real MNIST: same figures, same epochs, in both floatX."""

import re

import pytest
from test_scripts import run_script

from dlt.history import read_history

PUBLISHED = (
    "Optimization complete with best validation score of 7.500000 %, "
    "with test performance 7.489583 %\n"
)


def errors(history, n):
    """Validation errors as whole numbers."""
    counts = [row.validation_error * n for row in history]
    assert all(abs(count - round(count)) < 1e-6 for count in counts)
    return [round(count) for count in counts]


@pytest.mark.parametrize("floatX", ["float32", "float64"])
def test_the_published_run(mnist_folder, tmp_path, floatX):
    process = run_script(
        "train_logreg.py", "--dataset", "mnist", "--drop-last", "--floatX", floatX,
        "--output-dir", tmp_path, DLT_DATA=mnist_folder,
    )  # fmt: skip
    assert (process.returncode, process.stderr) == (0, "")
    assert "epoch 1, minibatch 83/83, validation error 12.458333 %\n" in process.stdout
    assert PUBLISHED in process.stdout
    assert re.search(r"^74 epochs, [\d.]+ epochs/sec, stopped by patience$", process.stdout, re.M)
    counts = errors(read_history(tmp_path / "history.csv"), 9600)
    assert len(counts) == 73  # patience cuts the 74th epoch short of its validation
    assert counts[0] == 1196 and counts[-3:] == [722, 721, 720]
    assert min(counts) == counts[72] == 720


def test_every_example_counts_by_default(mnist_folder, tmp_path):
    process = run_script(
        "train_logreg.py", "--dataset", "mnist", "--floatX", "float32",
        "--output-dir", tmp_path, DLT_DATA=mnist_folder,
    )  # fmt: skip
    # The README's figures, 743 and 775 of 10 000.
    assert "validation score of 7.430000 %, with test performance 7.750000 %" in process.stdout
    predicted = run_script(
        "predict.py", "--model", tmp_path, "--n-examples", "10000", DLT_DATA=mnist_folder
    )
    assert predicted.stdout.endswith("775 of 10000 wrong\n")
