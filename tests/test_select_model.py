"""scripts/select_model.py: its options, its table, and a search that is stopped and goes on."""

import csv
import re
import shlex
import signal
import subprocess
import sys
import time
import types

import pytest
from conftest import MODE_FLAGS, ROOT, bare_environment, run_script

import dlt
from dlt import commandline, datasets
from dlt.selection.processes import ProcessPool

SCRIPT = str(ROOT / "scripts" / "select_model.py")
GRID = ["--dataset", "digits", "--learning-rate", "0.03,0.13", "--seeds", "2"]


def read_table(folder):
    with (folder / "table.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture
def choose(script, tmp_path):
    return lambda *args: script("select_model.py", *args, "--output-dir", tmp_path / "found")


def test_options_reach_the_search(choose, monkeypatch, tmp_path):
    def stop(*args, **options):
        found.append((args, options))
        raise KeyboardInterrupt

    found = []
    monkeypatch.setattr(dlt, "select", stop)
    done = choose(
        "--dataset", "digits", "--learning-rate", "0.01,0.13", "--l1", "0.5", "--l2", "0,1e-4",
        "--batch-size", "20,60", "--seeds", "3", "--n-epochs", "7", "--patience", "9",
        "--improvement-test", "mcnemar", "--max-memory", "2GB", "--jobs", "2",
    )  # fmt: skip
    assert done.returncode == 130
    (((dataset, candidates, folder), options),) = found
    expected = dlt.grid(
        learning_rate=[0.01, 0.13], l1=[0.5], l2=[0, 1e-4], batch_size=[20, 60], seed=range(3)
    )
    assert (dataset, candidates, folder) == ("digits", expected, str(tmp_path / "found"))
    assert options["n_epochs"] == 7 and options["max_memory"] == 2 * 10**9
    assert options["patience"] == dlt.Patience(9, improvement_test="mcnemar")
    assert isinstance(options["executor"], ProcessPool)


def test_the_command_that_goes_on_names_the_data(choose, monkeypatch):
    stopped = types.SimpleNamespace(is_complete=False, outcomes=[], n_candidates=1)
    monkeypatch.setattr(dlt, "select", lambda *args, **options: stopped)
    monkeypatch.setattr(datasets, "choose_dataset", lambda log: "digits")
    monkeypatch.setattr(commandline, "_ENVIRONMENT", {})
    done = choose("--output-dir", "digits", "--seeds", "2")
    assert done.returncode == 130
    again = shlex.split(done.stdout.splitlines()[-1].partition("; continue with: ")[2])
    assert again[2:6] == ["--output-dir", "digits", "--seeds", "2"]
    assert again[-1] == "--dataset=digits"


@pytest.mark.parametrize(
    "args, message",
    [
        (["--seeds", str(2**64)], "seed: found more than 10000 values; expected fewer"),
        (["--seeds", "200", "--l1", "0,1,2", "--l2", ",".join(map(str, range(20)))],
         "candidates: found 12000; expected at most 10000"),
        (["--dataset", "digits", "--jobs", str(2**64)], "expected a whole number from 1 to 1000"),
        (["--learning-rate", "0.1;0.2"], "found '0.1;0.2'; expected numbers separated by commas"),
        (["--batch-size", "20,0"], "found '0'; expected a whole number, 1 or more"),
        (["--jobs", "2", "--scheduler", "tcp://x:1"], "not allowed with argument --jobs"),
        (["--l2", "0,0.0"], "found learning_rate=0.13 l1=0 l2=0 seed=0 twice; expected each once"),
        (["--dataset", "nowhere.npz"], "nowhere.npz: found no such file or folder"),
        (["--dataset", "digits", "--learning-rate", "-1"],
         "learning_rate=-1 l1=0 l2=0 seed=0: learning_rate: found -1; expected a finite"),
    ],
)  # fmt: skip
def test_bad_options_are_refused_in_one_line(choose, args, message):
    done = choose(*args)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and message in done.stderr


def test_table_figure_and_one_look_at_the_test_set(choose, tmp_path):
    args = [*GRID, "--n-epochs", "5", "--learning-rate=0.03,0.13,-1"]
    done = choose(*args)
    assert (done.returncode, done.stderr) == (
        1, "error: 2 of 6 candidates could not be trained; the table says why\n",
    )  # fmt: skip
    rows = read_table(tmp_path / "found")
    errors = [float(row["validation_error"]) for row in rows[:4]]
    assert errors == sorted(errors) and [row["stopped_by"] for row in rows[4:]] == ["error"] * 2
    runs = [path.parent.name for path in tmp_path.glob("found/*/best_params.npz")]
    assert sorted(row["run"] for row in rows[:4]) == sorted(runs)
    assert (tmp_path / "found" / "table.md").read_text() in done.stdout.replace("wrote", "\nwrote")
    assert (tmp_path / "found" / "errors.png").read_bytes().startswith(b"\x89PNG")
    assert re.search(r"\ntest error [0-9.]+ % \([0-9]+/300, 95 % interval", done.stdout)
    again = choose(*args)
    assert "the test set was scored before, on 20" in again.stdout
    of_winner = [line for line in done.stdout.splitlines() if line.startswith("test error")]
    assert of_winner == [
        line for line in again.stdout.splitlines() if line.startswith("test error")
    ]


def start(folder, *args):
    return subprocess.Popen(
        [sys.executable, SCRIPT, *GRID, "--n-epochs", "300", "--output-dir", str(folder), *args],
        env=bare_environment(**MODE_FLAGS), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def without_warnings(err):
    """Leave out what classic Theano says of a process that was killed while it compiled."""
    return "".join(line for line in err.splitlines(True) if "theano.gof.compilelock" not in line)


def wait_for_checkpoint(folder, process):
    """Wait until a process has saved a checkpoint, of whatever candidate."""
    started, deadline = time.time(), time.monotonic() + 120
    while not any(path.stat().st_mtime > started for path in folder.glob("*/checkpoint.npz")):
        assert process.poll() is None and time.monotonic() < deadline, "no checkpoint"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a search that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    done = run_script("select_model.py", *GRID, "--n-epochs", "300", "--output-dir", folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("jobs, number", [("1", signal.SIGTERM), ("2", signal.SIGINT)])
def test_a_search_that_is_stopped_or_killed_goes_on_to_the_same_table(
    whole, tmp_path, jobs, number
):
    folder = tmp_path / "parts"
    process = start(folder, "--jobs", jobs)
    wait_for_checkpoint(folder, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, without_warnings(err)) == (128 + number, "")
    said, _, command = out.splitlines()[-1].partition("; continue with: ")
    assert re.fullmatch("stopped after [0-3] of 4 candidates", said)
    assert shlex.split(command) == process.args
    process = start(folder, "--jobs", jobs)
    wait_for_checkpoint(folder, process)
    process.kill()
    process.communicate(timeout=60)
    out, err = start(folder, "--jobs", jobs).communicate(timeout=300)
    assert without_warnings(err) == ""

    tables = [read_table(path) for path in (folder, whole)]
    for row in [row for table in tables for row in table]:
        del row["seconds"]
    assert tables[0] == tables[1]
    for path in whole.glob("*/best_params.npz"):
        assert path.read_bytes() == (folder / path.parent.name / path.name).read_bytes()
