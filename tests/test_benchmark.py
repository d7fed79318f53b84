"""The benchmark as its user runs it, on the embedded digits; and its peers against numpy."""

import importlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, bare_environment

from dlt import engine

SCRIPTS = str(ROOT / "scripts")
# dlt, numpy, and what the engine's own users write
THREE = {
    "PyTensor": ("dlt_jax", "numpy_by_hand", "jax_scan"),
    "Theano": ("dlt_theano", "numpy_by_hand", "theano_loop"),
}[engine.NAME]


def benchmark(*args):
    return subprocess.run(
        [sys.executable, os.path.join(SCRIPTS, "benchmark.py"), *map(str, args)],
        env=bare_environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(autouse=True)
def floatX_is_put_back():
    """Competitors choose float32 for their process, which some tests are."""
    before = engine.theano.config.floatX
    yield
    engine.set_floatX(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture(scope="module")
def process(folder):
    """One run that the tests below look at."""
    options = "--dataset digits --batch-size 20 --rounds 2 --peers"
    return benchmark(*options.split(), ",".join(reversed(THREE)), "--output-dir", folder)


@pytest.fixture
def facts(process, folder):
    assert (process.returncode, process.stderr) == (0, "")
    return json.loads((folder / "benchmark.json").read_text())


@pytest.fixture
def peers(monkeypatch):
    """The package of the peers, importable as it is from the script."""
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("peers")


@pytest.fixture(scope="module")
def digits():
    from dlt import load_data

    return [(x.astype("float32"), y) for x, y in load_data("digits")[:2]]


def test_it_measures_each_after_a_cold_and_a_warm_start(facts):
    (result,) = facts["results"]
    assert (result["batch_size"], result["skipped"]) == (20, {})
    assert {c["name"] for c in result["competitors"]} == set(THREE)
    for competitor in result["competitors"]:
        assert len(competitor["seconds"]) == 2 and min(competitor["seconds"]) > 0
        assert set(competitor["first_epoch"]) == {"cold", "warm"}
        # Imports are part of it, and no process imports numpy in a millisecond.
        assert min(competitor["first_epoch"].values()) > 0.001
        assert competitor["peak_bytes"] is None or competitor["peak_bytes"] > 10e6
        assert {"numpy", "jax", "theano"} & set(competitor["versions"])


def test_all_make_the_same_errors_after_every_epoch(facts, digits):
    (result,) = facts["results"]
    assert result["largest_difference"][0] <= 2
    expected = errors_in_plain_numpy(digits, batch_size=20, n_epochs=3)
    for competitor in result["competitors"]:
        assert len(competitor["n_errors"]) == 3
        np.testing.assert_allclose(competitor["n_errors"], expected, atol=2)


def test_medians_quartiles_and_ratios_follow_from_the_raw_times(facts):
    (result,) = facts["results"]
    medians = {}
    for competitor in result["competitors"]:
        quartiles = statistics.quantiles(competitor["seconds"], n=4, method="inclusive")
        found = [competitor[name] for name in ("q25", "median", "q75")]
        assert found == pytest.approx(quartiles)
        medians[competitor["name"]] = competitor["median"]
    assert result["dlt_best"] == THREE[0]
    for competitor in result["competitors"]:
        ratio = medians[competitor["name"]] / medians[THREE[0]]
        assert competitor["ratio"] == pytest.approx(ratio)
    assert list(medians.values()) == sorted(medians.values())


def test_the_table_says_what_the_numbers_say(process, folder, facts, peers):
    table = (folder / "benchmark.md").read_text()
    assert table.strip() in process.stdout
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    header, *rows = rows
    (result,) = facts["results"]
    assert len(rows) == 3 and {len(row) for row in rows} == {len(header)}
    for row, competitor in zip(rows, result["competitors"]):
        assert row[1] == "{:.1f}".format(1000 * competitor["median"])
        assert row[3] == "{:.2f}".format(competitor["ratio"])
    assert [row[3] for row in rows if row[0] == peers.PEERS[THREE[0]].title] == ["1.00"]
    assert "## Batch size 20: 60 updates an epoch" in table
    assert "Validation errors agree after every epoch: at most {} of 297 examples apart.".format(
        result["largest_difference"][0]
    ) in table  # fmt: skip
    machine = facts["machine"]
    assert "- {date}; {cpu}, {cores} cores; ".format(**machine) in table
    for name in {name for three in THREE for name in peers.PEERS[three].requires}:
        assert name + " " in table


def test_the_picture_is_one_and_shows_bars(facts, folder):
    from PIL import Image

    with Image.open(folder / "benchmark.png") as picture:
        assert picture.format == "PNG" and picture.width == 1200
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    for colour in ((0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)):  # dlt, the others
        assert (pixels == colour).all(axis=1).sum() > 1000


BAD = {
    "unknown peer": (["--peers", "numpy_by_hand,matlab"], "peers: found 'matlab'; expected some"),
    "no peer": (["--peers", ""], "peers: found ''; expected some of dlt_jax, "),
    "batch size": (["--batch-size", "600,0"], "batch_size: found '600,0'; expected whole numbers"),
    "no batch size": (["--batch-size", ""], "batch_size: found ''; expected whole numbers"),
    "large": (["--batch-size", "20,1201"], "batch_size: found 1201; expected at most 1200"),
    "rounds": (["--rounds", "0"], "argument --rounds: found '0'; expected a whole number, 1"),
    "device": (["--device", "tpu"], "argument --device: invalid choice: 'tpu'"),
    "only the CPU": (
        ["--device", "gpu", "--peers", "numpy_by_hand"],
        "peers: found none that can run on the gpu (numpy_by_hand: runs on the CPU only)",
    ),
    "output": (
        ["--output-dir", "/dev/null/x"],
        "'/dev/null/x': found a folder that cannot be written (Not a",
    ),
    "data": (["--dataset", "nowhere.pkl.gz"], "nowhere.pkl.gz: found no such file"),
}


@pytest.mark.parametrize("args, message", BAD.values(), ids=BAD)
def test_bad_input_gets_one_line_and_code_2(tmp_path, args, message):
    process = benchmark("--dataset", "digits", "--output-dir", tmp_path / "run", *args)
    assert process.returncode == 2
    assert message in process.stderr
    assert process.stderr.count("\n") == 1


def test_a_peer_that_breaks_is_skipped_with_its_reason(peers, monkeypatch, tmp_path, digits):
    race = importlib.import_module("peers.race")
    race.write_data(digits, str(tmp_path))
    monkeypatch.setenv("PATH", "")  # without gcc
    settings = {"device": "cpu", "batch_size": 20, "data": str(tmp_path)}
    found = race.race(["numpy_by_hand", "fused_c"], settings, 1, say=lambda line: None)
    assert found.skipped == {"fused_c": "gcc is not installed"}
    assert [c["name"] for c in found.competitors] == ["numpy_by_hand"]
    (tmp_path / "valid_y.npy").unlink()
    found = race.race(["numpy_by_hand"], settings, 1, say=lambda line: None)
    assert "ended with code 1: FileNotFoundError" in found.skipped["numpy_by_hand"]


def test_other_errors_are_found_and_named(peers, capsys):
    race = importlib.import_module("peers.race")
    runs = [("jax_scan", [9, 5, 4]), ("dlt_c", [9, 8, 4]), ("scikit_learn", [1, 1, 1])]
    difference = race.largest_difference([{"name": n, "n_errors": e} for n, e in runs])
    assert difference == (3, 2, "jax_scan", "dlt_c")
    script = importlib.import_module("benchmark")
    assert script.check([{"batch_size": 20, "largest_difference": difference}]) == 1
    assert capsys.readouterr().err == (
        "error: not the same work at batch size 20: after epoch 2 the validation errors of "
        "jax_scan and dlt_c are 3 apart; expected at most 2\n"
    )
    assert script.check([{"batch_size": 20, "largest_difference": (2, 1, "a", "b")}]) == 0


# Those that share the engine's settings with the tests run in a process of their own, above.
@pytest.mark.parametrize("name", ["numpy_by_hand", "pytorch", "jax_scan", "fused_c", "theano_loop"])
@pytest.mark.parametrize("batch_size", [600, 20, 7])
def test_each_peer_does_what_plain_numpy_does(peers, digits, monkeypatch, name, batch_size):
    reason = peers.why_not(name, "cpu")
    if reason:
        pytest.skip(reason)
    peer = importlib.import_module("peers." + peers.PEERS[name].module)
    totals = []
    monkeypatch.setattr(peer, "check_loss", totals.append)
    try:
        epoch = peer.prepare(digits, batch_size, "cpu")
    except peers.Unavailable as reason:
        pytest.skip(str(reason))
    errors, losses = plain_numpy(digits, batch_size, n_epochs=3)
    np.testing.assert_allclose([epoch() for _ in range(3)], errors, atol=2)
    np.testing.assert_allclose(totals, losses, rtol=1e-4)


def test_the_fused_kernel_takes_odd_sizes(peers, rng, monkeypatch):
    peer = importlib.import_module("peers.fused_c")
    y = np.concatenate([np.arange(13), rng.integers(0, 13, 90)])
    x = (rng.random((103, 37)) * (1 + y[:, None] % 4) / 4).astype("float32")
    sets = [(x, y), (x[:50], y[:50])]
    totals = []
    monkeypatch.setattr(peer, "check_loss", totals.append)
    try:
        epoch = peer.prepare(sets, 9, "cpu")
    except peers.Unavailable as reason:
        pytest.skip(str(reason))
    errors, losses = plain_numpy(sets, 9, n_epochs=3)
    assert [epoch() for _ in range(3)] == errors
    np.testing.assert_allclose(totals, losses, rtol=1e-5)


def errors_in_plain_numpy(sets, batch_size, n_epochs):
    return plain_numpy(sets, batch_size, n_epochs)[0]


def plain_numpy(sets, batch_size, n_epochs):
    """Errors and sums of the losses after each epoch, in float64, line by line as it is meant."""
    (x, y), (valid_x, valid_y) = ((np.asarray(x, "float64"), y) for x, y in sets)
    W, b = np.zeros((x.shape[1], y.max() + 1)), np.zeros(y.max() + 1)
    errors, losses = [], []
    for _ in range(n_epochs):
        losses.append(0.0)
        for i in range(0, len(y) - batch_size + 1, batch_size):
            batch, labels = x[i : i + batch_size], y[i : i + batch_size]
            p = np.exp(batch @ W + b)
            p /= p.sum(axis=1, keepdims=True)
            losses[-1] -= np.log(p[np.arange(batch_size), labels]).mean()
            p[np.arange(batch_size), labels] -= 1
            W -= 0.13 * batch.T @ p / batch_size
            b -= 0.13 * p.mean(axis=0)
        errors.append(int((np.argmax(valid_x @ W + b, axis=1) != valid_y).sum()))
    return errors, losses


def test_the_peers_are_short_and_in_python_3_8():
    import ast

    for path in sorted(pathlib.Path(SCRIPTS, "peers").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
        assert ast.get_docstring(tree), path


def test_scaling_measures_and_draws(tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "benchmark_scaling.py"), "--epochs", "1",
               "--most-examples", "10000", "--output-dir", str(tmp_path)]  # fmt: skip
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (process.returncode, process.stderr) == (0, "")
    (row,) = json.loads((tmp_path / "scaling.json").read_text())
    assert (row["examples"], row["inputs"], row["labels"]) == (10000, 784, 10)
    assert row["seconds"] > 0
    line = "| 10000 | 784 | 10 | {:.1f} |".format(1e3 * row["seconds"])
    assert line in process.stdout
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
