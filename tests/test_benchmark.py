"""The benchmarks as their user runs them, on the embedded digits; and peers against numpy."""

import csv
import importlib
import json
import statistics

import numpy as np
import pytest
import reference
from conftest import ROOT, run_script
from PIL import Image

from dlt import engine
from dlt.datasets import load_data
from dlt.examples import Examples

pytestmark = pytest.mark.once

# dlt, numpy, and what the engine's own users write
THREE = {
    "PyTensor": ("dlt_jax", "numpy_by_hand", "jax_scan"),
    "Theano": ("dlt_theano", "numpy_by_hand", "theano_loop"),
}[engine.NAME]


@pytest.fixture(autouse=True)
def floatX_is_put_back():
    """Competitors choose float32 for their process, which some tests are."""
    before = engine.theano.config.floatX
    yield
    engine.set_floatX(before)


@pytest.fixture
def module(monkeypatch):
    """A function that imports what the scripts import, such as their package of peers."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "benchmarks"))
    return importlib.import_module


@pytest.fixture(scope="module")
def digits():
    return [(x.astype("float32"), y) for x, y in load_data("digits")[:2]]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """One run that the tests below look at: its folder, what it printed, and its facts."""
    folder = tmp_path_factory.mktemp("benchmark")
    options = "--dataset digits --batch-size 20 --rounds 2 --peers".split()
    names = ",".join(reversed(THREE))
    process = run_script("benchmarks/benchmark.py", *options, names, "--output-dir", folder)
    assert (process.returncode, process.stderr) == (0, "")
    return folder, process.stdout, json.loads((folder / "benchmark.json").read_text())


def plain_numpy(sets, batch_size, n_epochs=3):
    """Return the errors, and the sum of the losses, of each epoch in float64."""
    (x, y), (valid_x, valid_y) = ((np.asarray(x, "float64"), y) for x, y in sets)
    n = len(y) // batch_size
    errors, losses = [], []
    for epochs in range(1, n_epochs + 1):
        W, b, all_losses = reference.train_logreg(x, y, y.max() + 1, 0.13, batch_size, epochs * n)
        losses.append(all_losses[-n:].sum())
        errors.append(int((np.argmax(valid_x @ W + b, axis=1) != valid_y).sum()))
    return errors, losses


def test_it_measures_each_after_a_cold_and_a_warm_start(measured, digits):
    (result,) = measured[2]["results"]
    assert (result["batch_size"], result["skipped"], result["dlt_best"]) == (20, {}, THREE[0])
    assert {c["name"] for c in result["competitors"]} == set(THREE)
    assert result["largest_difference"][0] <= 2
    errors, _ = plain_numpy(digits, batch_size=20, n_epochs=21)  # one, then two turns of ten
    medians = {c["name"]: c["median"] for c in result["competitors"]}
    assert list(medians.values()) == sorted(medians.values())
    for competitor in result["competitors"]:
        seconds = competitor["seconds"]
        assert len(seconds) == 2 and min(seconds) > 0
        quartiles = statistics.quantiles(seconds, n=4, method="inclusive")
        assert [competitor[name] for name in ("q25", "median", "q75")] == pytest.approx(quartiles)
        assert competitor["ratio"] == pytest.approx(competitor["median"] / medians[THREE[0]])
        # Imports are part of it, and no process imports numpy in a millisecond.
        cold_and_warm = competitor["first_epoch"]
        assert set(cold_and_warm) == {"cold", "warm"} and min(cold_and_warm.values()) > 0.001
        assert competitor["peak_bytes"] is None or competitor["peak_bytes"] > 10e6
        assert {"numpy", "jax", "theano"} & set(competitor["versions"])
        assert len(competitor["n_errors"]) == 21
        np.testing.assert_allclose(competitor["n_errors"], errors, atol=2)


def test_the_table_and_the_picture_agree_with_the_numbers(measured, module):
    folder, printed, facts = measured
    peers = module("peers").PEERS
    table = (folder / "benchmark.md").read_text()
    assert table.strip() in printed
    (result,) = facts["results"]
    for place, competitor in enumerate(result["competitors"]):
        row = [line for line in table.splitlines() if line.startswith("| ")][1 + place]
        title, milliseconds = peers[competitor["name"]].title, 1000 * competitor["median"]
        assert row.startswith(f"| {title} | {milliseconds:.1f} | ")
        assert row.split(" | ")[3] == f"{competitor['ratio']:.2f}"
        assert all(name + " " in table for name in peers[competitor["name"]].requires)
    assert "## Batch size 20: 60 updates an epoch" in table
    agree = "Validation errors agree after every epoch: at most {} of 297 examples apart."
    assert agree.format(result["largest_difference"][0]) in table
    assert "- {date}; {cpu}, {cores} cores; ".format(**facts["machine"]) in table
    with Image.open(folder / "benchmark.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    for colour in ((0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)):  # dlt's bars, the others'
        assert (pixels == colour).all(axis=1).sum() > 1000


BAD = {
    "unknown peer": (["--peers", "numpy_by_hand,matlab"], "peers: found 'matlab'; expected some"),
    "batch size": (["--batch-size", "600,0"], "--batch-size: found '0'; expected a whole number"),
    "no batch size": (["--batch-size", ""], "--batch-size: found ''; expected a whole number, 1"),
    "large": (["--batch-size", "20,1201"], "--batch-size: found 1201; expected at most 1200"),
    "only the CPU": (
        ["--device", "gpu", "--peers", "numpy_by_hand"],
        "peers: found none that can run on the gpu (numpy_by_hand: runs on the CPU only)",
    ),
    "output": (
        ["--output-dir", "/dev/null/x"],
        "/dev/null/x: found a folder that cannot be written (Not a",
    ),
}


@pytest.mark.parametrize("args, message", BAD.values(), ids=BAD)
def test_bad_input_gets_one_line_and_code_2(tmp_path, module, script, args, message):
    done = script(
        "benchmarks/benchmark.py", "--dataset", "digits", "--output-dir", tmp_path / "run", *args
    )
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_a_peer_that_breaks_is_skipped_with_its_reason(module, monkeypatch, tmp_path, digits):
    race = module("peers.race")
    race.write_data(digits, str(tmp_path))
    monkeypatch.setenv("PATH", "")  # without gcc
    settings = {"device": "cpu", "batch_size": 20, "data": str(tmp_path)}
    found = race.race(["numpy_by_hand", "fused_c"], settings, 1, say=lambda line: None)
    assert found.skipped == {"fused_c": "gcc is not installed"}
    assert [c["name"] for c in found.competitors] == ["numpy_by_hand"]
    (tmp_path / "valid_y.npy").unlink()
    found = race.race(["numpy_by_hand"], settings, 1, say=lambda line: None)
    assert "ended with code 1: FileNotFoundError" in found.skipped["numpy_by_hand"]


def test_other_errors_are_found_and_named(module, capsys):
    race = module("peers.race")
    runs = [("jax_scan", [9, 5, 4]), ("dlt_c", [9, 8, 4]), ("scikit_learn", [1, 1, 1])]
    difference = race.largest_difference([{"name": n, "n_errors": e} for n, e in runs])
    assert difference == (3, 2, "jax_scan", "dlt_c")
    script = module("benchmark")
    assert script.check([{"batch_size": 20, "largest_difference": difference}]) == 1
    assert capsys.readouterr().err == (
        "error: not the same work at batch size 20: after epoch 2 the validation errors of "
        "jax_scan and dlt_c are 3 apart; expected at most 2\n"
    )
    assert script.check([{"batch_size": 20, "largest_difference": (2, 1, "a", "b")}]) == 0


def assert_agrees_with_numpy(module, monkeypatch, name, sets, batch_size, atol, rtol):
    peers = module("peers")
    if peers.why_not(name, "cpu"):
        pytest.skip(peers.why_not(name, "cpu"))
    peer = module("peers." + peers.PEERS[name].module)
    totals = []
    monkeypatch.setattr(peer, "check_loss", totals.append)
    try:
        epoch = peer.prepare(sets, batch_size, "cpu")
    except peers.Unavailable as reason:
        pytest.skip(str(reason))
    errors, losses = plain_numpy(sets, batch_size)
    np.testing.assert_allclose([epoch() for _ in range(3)], errors, rtol=0, atol=atol)
    np.testing.assert_allclose(totals, losses, rtol=rtol)


# Those that share the engine's settings with the tests run in a process of their own, above.
@pytest.mark.parametrize("name", ["numpy_by_hand", "pytorch", "jax_scan", "fused_c", "theano_loop"])
@pytest.mark.parametrize("batch_size", [600, 7])
def test_each_peer_does_what_plain_numpy_does(module, digits, monkeypatch, name, batch_size):
    assert_agrees_with_numpy(module, monkeypatch, name, digits, batch_size, 2, 1e-4)


def test_the_fused_kernel_takes_odd_sizes(module, rng, monkeypatch):
    y = np.concatenate([np.arange(13), rng.integers(0, 13, 90)])
    x = (rng.random((103, 37)) * (1 + y[:, None] % 4) / 4).astype("float32")
    sets = [(x, y), (x[:50], y[:50])]
    assert_agrees_with_numpy(module, monkeypatch, "fused_c", sets, 9, 0, 1e-5)


def test_scaling_measures_and_draws(tmp_path):
    options = "--epochs 1 --most-examples 10000 --output-dir".split()
    process = run_script("benchmarks/benchmark_scaling.py", *options, tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    (row,) = json.loads((tmp_path / "scaling.json").read_text())
    assert (row["examples"], row["inputs"], row["labels"]) == (10000, 784, 10)
    assert row["seconds"] > 0
    line = f"| 10000 | 784 | 10 | {1000.0 * row['seconds']:.1f} |"
    assert line in process.stdout
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def compare(module):
    return module("compare_patience")


def test_a_shuffle_draws_both_sets_from_the_examples_of_both(compare):
    sets = [Examples(10.0 * y[:, None], y) for y in (np.arange(5), np.arange(5, 7))]
    (train_x, train_y), (valid_x, valid_y) = compare.shuffled(sets, seed=1)
    y = np.concatenate([train_y, valid_y])
    assert len(train_y) == 5 and sorted(y) == list(range(7)) and set(valid_y) != {5, 6}
    np.testing.assert_array_equal(np.concatenate([train_x, valid_x])[:, 0], 10 * y)
    assert (compare.shuffled(sets, seed=2)[0][1] != train_y).any()


def test_rules_of_patience_are_compared_in_pairs(compare):
    rows = [
        compare.Run(0, "threshold", 70, 5809, 0.080, 0.078),
        compare.Run(0, "mcnemar 0.05", 61, 5001, 0.081, 0.079),
        compare.Run(1, "threshold", 74, 6141, 0.082, 0.076),
        compare.Run(1, "mcnemar 0.05", 80, 6639, 0.080, 0.079),
    ]
    # The differences in test error are 0.1 and 0.3 points, their mean has the standard error 0.1,
    # and Student's t with one degree of freedom is 12.706.
    assert list(compare.table(rows))[2:] == [
        "| threshold | 72.0 (2.8) | 8.10 (0.14) | 7.70 (0.14) |  |  |",
        "| mcnemar 0.05 | 70.5 (13.4) | 8.05 (0.07) | 7.90 (0.00) | +0.200 (-1.071 to +1.471) "
        "| 1 / 1 |",
    ]


@pytest.mark.slow
def test_patience_is_compared_on_each_shuffle(compare, tmp_path):
    options = "--dataset digits --shuffles 2 --patience 300 --alpha 0.05 --output-dir".split()
    process = run_script("benchmarks/compare_patience.py", *options, tmp_path)
    assert (process.returncode, process.stderr) == (0, "")
    with open(tmp_path / "patience.csv", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == list(compare.Run._fields)
    rows = [compare.Run(*line[:2], *map(float, line[2:])) for line in lines]
    rules = ["threshold", "mcnemar 0.05"]
    assert [row[:2] for row in rows] == [(seed, rule) for seed in "01" for rule in rules]
    assert [row.epochs for row in rows] == [-(-row.updates // 60) for row in rows]
    assert rows[0].updates > rows[1].updates == 301
    assert "\n".join(compare.table(rows)) in process.stdout
    assert (tmp_path / "patience.png").read_bytes().startswith(b"\x89PNG")


def test_one_shuffle_has_no_interval(script):
    done = script("benchmarks/compare_patience.py", "--shuffles", "1")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "shuffles: found 1; expected a whole number, 2 or more" in done.stderr
