"""Every script as its user runs it: a process, from another folder, good and bad input."""

import json
import shlex
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import MODE_FLAGS, ROOT, bare_environment
from PIL import Image, ImageDraw

from dlt import engine
from dlt.checkpoint import read_checkpoint
from dlt.history import read_history
from dlt.parameters import read_params


def run_script(name, *args, cwd=None, root=ROOT, **environ):
    return subprocess.run(
        [sys.executable, str(root / "scripts" / name), *map(str, args)],
        cwd=str(cwd or root),
        env=bare_environment(**dict(MODE_FLAGS, **environ)),
        capture_output=True,
        text=True,
        timeout=300,
    )


def train(*args, **kwargs):
    return run_script("train_logreg.py", "--dataset", "digits", *args, **kwargs)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One run on the digits, from a folder elsewhere, that other tests look at."""
    folder = tmp_path_factory.mktemp("elsewhere")
    return folder, train("--n-epochs", "20", "--floatX", "float32", cwd=folder)


def test_training_reports_and_saves(trained):
    folder, process = trained
    assert (process.returncode, process.stderr) == (0, "")
    lines = process.stdout.splitlines()
    assert lines[0] == "{} {}, {} linker, cpu, floatX=float32".format(
        engine.NAME, engine.theano.__version__, engine.linker()
    )
    assert lines[1] == (
        "digits: 1200 training, 297 validation, 300 test examples of 784 values, 10 labels"
    )
    assert lines[2:4] == ["compiling ...", "training, at most 20 epochs of 60 minibatches ..."]
    assert lines[4].startswith("epoch 1, minibatch 60/60, validation error ")
    assert lines[24].startswith("Optimization complete with best validation score of ")
    assert lines[26].startswith("20 epochs, ") and lines[26].endswith("stopped by n_epochs")
    history = read_history(folder / "runs" / "logreg" / "history.csv")
    assert len(history) == 20
    assert "validation error {:f} %".format(100 * history[0].validation_error) in lines[4]
    # Far better than guessing, which is wrong on 9 of 10.
    assert min(row.validation_error for row in history) < 0.08
    arrays, settings = read_params(folder / "runs" / "logreg" / "best_params.npz")
    assert arrays["W"].dtype == "float32" and arrays["W"].shape == (784, 10)
    assert settings == json.loads((folder / "runs" / "logreg" / "settings.json").read_text())
    assert (settings["dataset"], settings["batch_size"]) == ("digits", 20)


def test_two_runs_are_the_same_run(trained, tmp_path):
    folder, first = trained
    second = train("--n-epochs", "20", "--floatX", "float32", cwd=tmp_path)
    assert [line for line in second.stdout.splitlines() if "epochs/sec" not in line] == [
        line for line in first.stdout.splitlines() if "epochs/sec" not in line
    ]
    one, two = (
        read_params(f / "runs" / "logreg" / "best_params.npz")[0] for f in (folder, tmp_path)
    )
    np.testing.assert_array_equal(one["W"], two["W"])


@pytest.mark.parametrize("mode", engine.LINKERS)
def test_the_other_linkers_train_the_same_run(trained, tmp_path, mode):
    folder, _ = trained
    process = train(
        "--n-epochs", "20", "--floatX", "float32", "--mode", mode, "--device", "cpu",
        "--output-dir", tmp_path,
    )  # fmt: skip
    assert process.returncode == 0
    assert "{} linker, cpu, floatX=float32".format(mode) in process.stdout
    expected = read_history(folder / "runs" / "logreg" / "history.csv")
    found = read_history(tmp_path / "history.csv")
    assert [row.iteration for row in found] == [row.iteration for row in expected]
    np.testing.assert_allclose(
        [row.train_loss for row in found], [row.train_loss for row in expected], rtol=1e-4
    )
    # two of the 297 examples may lie so near a border that rounding decides
    np.testing.assert_allclose(
        [row.validation_error for row in found],
        [row.validation_error for row in expected],
        atol=2.1 / 297,
    )


@pytest.mark.parametrize("mode", ["jax", "numba", "c"])
def test_a_gpu_that_is_not_there_gets_one_line_and_code_2(tmp_path, mode):
    if engine.NAME == "PyTensor" and pytest.importorskip("jax").default_backend() != "cpu":
        pytest.skip("this machine has a GPU")
    process = train("--mode", mode, "--device", "gpu", "--output-dir", tmp_path / "run")
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.count("\n") == 1 and not (tmp_path / "run").exists()
    if mode not in engine.LINKERS:
        expected = "error: linker: found '{}', which Theano 1.0.5 does not have; expected c"
    elif engine.NAME == "Theano":
        expected = "error: device gpu: classic Theano runs on the CPU"
    elif mode == "jax":
        expected = "error: device gpu: JAX found none ("
    else:
        expected = "error: device gpu: the {} linker runs on the CPU; use jax"
    assert process.stderr.startswith(expected.format(mode))


def test_options_reach_the_training(tmp_path):
    outputs = [
        train("--n-epochs", "2", "--output-dir", tmp_path / str(i), *options).stdout
        for i, options in enumerate(
            [[], ["--l1", "0.01"], ["--l2", "0.01"], ["--seed", "1"], ["--learning-rate", "0.5"],
             ["--batch-size", "40"], ["--drop-last"], ["--patience", "30"]]
        )
    ]  # fmt: skip
    assert len(set(outputs)) == len(outputs)
    _, settings = read_params(tmp_path / "1" / "best_params.npz")
    assert settings["l1"] == 0.01
    assert "minibatch 30/30" in outputs[5]
    assert "epoch 1, minibatch 15/60" in outputs[7]


def test_predicting_test_digits(trained):
    folder, _ = trained
    process = run_script("predict.py", "--n-examples", "4", cwd=folder)
    assert (process.returncode, process.stderr) == (0, "")
    lines = process.stdout.splitlines()
    assert len(lines) == 5
    assert lines[0] == "test example 0: 6, probability {}, right label 6".format(
        lines[0].split()[5][:-1]
    )
    assert lines[4].endswith(" of 4 wrong")


def test_predicting_pictures(trained, tmp_path):
    folder, _ = trained
    for name, ink, paper in (("dark.png", 0, 255), ("light.png", 255, 0)):
        picture = Image.new("L", (90, 90), paper)
        ImageDraw.Draw(picture).ellipse((25, 15, 65, 75), outline=ink, width=9)
        picture.save(tmp_path / name)
    process = run_script("predict.py", tmp_path / "dark.png", tmp_path / "light.png", cwd=folder)
    assert (process.returncode, process.stderr) == (0, "")
    dark, light = process.stdout.splitlines()
    assert dark.startswith("{}: 0, probability 0.".format(tmp_path / "dark.png"))
    assert dark.endswith("(inverted, cropped, scaled to 13 x 20, centred)")
    assert light.startswith("{}: 0, probability 0.".format(tmp_path / "light.png"))


def test_the_dlt_beside_the_script_is_used(tmp_path):
    # PyPI's dlt is an unrelated project; somebody may have it installed.
    other = tmp_path / "site" / "dlt"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise ImportError('the other dlt')")
    process = train(
        "--n-epochs", "1", "--output-dir", tmp_path / "run", PYTHONPATH=tmp_path / "site"
    )
    assert (process.returncode, process.stderr) == (0, "")


def test_without_mnist_and_without_a_route_the_digits_are_used(tmp_path):
    environ = {"HOME": tmp_path, "XDG_CACHE_HOME": tmp_path / "cache", "NO_PROXY": ""}
    # A proxy that is not there: every address is out of reach, on any machine.
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        environ[name] = "http://127.0.0.1:9"
    copy = tmp_path / "clone"  # of which MNIST is no part, wherever this test runs
    for name in ("dlt", "scripts", "data/digits.pkl.gz"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", str(ROOT / name), str(copy / name)], check=True)
    arguments = ("--n-epochs", "1", "--output-dir", tmp_path / "run")
    process = run_script("train_logreg.py", *arguments, root=copy, DLT_DATA="", **environ)
    assert (process.returncode, process.stderr) == (0, "")
    (why,) = [line for line in process.stdout.splitlines() if "embedded digits" in line]
    assert why.startswith("training on the embedded digits: MNIST could not be fetched: ")
    named = run_script(
        "train_logreg.py", "--dataset", "mnist", *arguments, root=copy, DLT_DATA="", **environ
    )
    assert named.returncode == 2
    assert named.stderr.startswith("error: MNIST could not be fetched: ")
    assert named.stderr.count("\n") == 1
    fetched = run_script("fetch_mnist.py", "--output-dir", tmp_path / "mnist", root=copy, **environ)
    assert fetched.returncode == 2 and fetched.stderr.count("\n") == 1
    assert list((tmp_path / "mnist").iterdir()) == []


BAD = {
    "unknown option": (["--patence", "3"], "unrecognized arguments: --patence 3"),
    "no number": (["--batch-size", "many"], "argument --batch-size: invalid int value: 'many'"),
    "batch size 0": (["--batch-size", "0"], "batch_size: found 0; expected a whole number from 1"),
    "batch size too large": (["--batch-size", "1201"], "expected a whole number from 1 to 1200"),
    "drop last": (
        ["--batch-size", "298", "--drop-last"],
        "more than the 297 examples of the valid",
    ),
    "rate 0": (["--learning-rate", "0"], "learning_rate: found 0.0; expected a finite number"),
    "rate nan": (["--learning-rate", "nan"], "learning_rate: found nan; expected a finite"),
    "n-epochs 0": (["--n-epochs", "0"], "n_epochs: found 0; expected a whole number, 1 or more"),
    "patience": (["--patience", "1"], "patience: found 1; expected from 2"),
    "increase": (["--patience-increase", "0.5"], "patience_increase: found 0.5; expected"),
    "threshold": (["--improvement-threshold", "2"], "improvement_threshold: found 2.0; expected"),
    "l1": (["--l1", "-1"], "lambda_1: found -1.0; expected a finite number, 0 or more"),
    "seed": (["--seed", "-3"], "argument --seed: found '-3'; expected a whole number, 0 or more"),
    "floatX": (["--floatX", "float16"], "argument --floatX: invalid choice: 'float16'"),
    "missing data": (["--dataset", "nowhere.pkl.gz"], "nowhere.pkl.gz: found no such file"),
    "no name": (["--output-dir", ""], "'': found a folder that cannot be written"),
    "line break": (["--dataset", "a\nb"], "a\\nb: found no such file"),
    "output": (["--output-dir", "/dev/null/x"], "found a folder that cannot be written"),
}


@pytest.mark.parametrize("args, message", BAD.values(), ids=BAD)
def test_bad_input_gets_one_line_and_code_2(tmp_path, args, message):
    process = train("--output-dir", tmp_path / "run", *args)
    assert process.returncode == 2
    assert message in process.stderr
    assert process.stderr.count("\n") == 1
    assert "Traceback" not in process.stderr
    assert not (tmp_path / "run").exists()


def test_broken_data_gets_one_line_and_code_2(tmp_path):
    path = tmp_path / "mnist.pkl.gz"
    path.write_bytes((ROOT / "data" / "digits.pkl.gz").read_bytes()[:100000])
    process = run_script("train_logreg.py", "--dataset", path, "--output-dir", tmp_path / "run")
    assert (process.returncode, process.stderr.count("\n")) == (2, 1)
    assert process.stderr.startswith("error: {}: found ".format(path))
    assert not (tmp_path / "run").exists()


def test_a_diverging_run_names_the_update_and_keeps_the_best(tmp_path):
    # Near 0 for the first epochs, so a validation comes first; then the penalty doubles W
    # with every update until it overflows.
    process = train(
        "--learning-rate", "30", "--l2", "0.05", "--floatX", "float64", "--patience", "20",
        "--n-epochs", "100", "--output-dir", tmp_path / "run", "--patience-increase", "1000",
    )  # fmt: skip
    assert process.returncode == 1
    assert process.stderr.startswith("error: the loss of minibatch update ")
    assert "was not a finite number; try a smaller --learning-rate\n" in process.stderr
    assert process.stderr.count("\n") == 1
    arrays, _ = read_params(tmp_path / "run" / "best_params.npz")
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert len(read_history(tmp_path / "run" / "history.csv")) >= 1


def test_a_run_that_diverges_at_once_leaves_no_model(tmp_path):
    process = train("--learning-rate", "1e306", "--output-dir", tmp_path / "run")
    assert process.returncode == 1
    assert process.stderr.startswith("error: the loss of minibatch update ")
    assert process.stderr.count("\n") == 1
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_a_run_that_diverges_in_its_first_updates_is_told_in_one_line(tmp_path):
    process = train(
        "--learning-rate", "1e38", "--floatX", "float32", "--l2", "1", "--output-dir", tmp_path,
    )  # fmt: skip
    assert process.returncode == 1
    assert process.stderr.startswith("error: the loss of minibatch update ")
    assert process.stderr.count("\n") == 1


def test_a_resumed_run_takes_the_data_it_had(tmp_path):
    first = train("--n-epochs", "2", "--output-dir", tmp_path)
    # MNIST may be here by now: without --dataset a new run would choose it
    again = run_script("train_logreg.py", "--n-epochs", "3", "--output-dir", tmp_path, "--resume")
    assert (first.returncode, again.returncode, again.stderr) == (0, 0, "")
    assert again.stdout.splitlines()[1].startswith("digits: 1200 training")
    assert "\nepoch 3, minibatch 60/60" in again.stdout and "epoch 2," not in again.stdout


def start_training(*args):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "train_logreg.py"), "--dataset", "digits",
         *map(str, args)],
        cwd=str(ROOT), env=bare_environment(**MODE_FLAGS), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(process, start):
    line = process.stdout.readline()
    while not line.startswith(start):
        assert process.poll() is None, process.stderr.read()
        line = process.stdout.readline()


LONG = ("--n-epochs", "1000000", "--patience", "100000000")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_says_how_to_go_on_and_exits_130_or_143(tmp_path, number):
    folder = tmp_path / "my run"
    process = start_training(*LONG, "--output-dir", folder)
    wait_for(process, "epoch 3,")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + number, "")
    last = out.splitlines()[-1]
    n_updates = read_checkpoint(folder / "checkpoint.npz").iteration
    assert last.startswith("stopped after {} updates; continue with: ".format(n_updates))
    command = shlex.split(last.partition("continue with: ")[2])
    assert command[1:] == [
        str(ROOT / "scripts" / "train_logreg.py"), "--dataset", "digits", *LONG,
        "--output-dir", str(folder), "--resume",
    ]  # fmt: skip
    assert len(read_history(folder / "history.csv")) == n_updates // 60
    assert read_params(folder / "best_params.npz")[0]["W"].shape == (784, 10)
    # the very command works
    again = subprocess.Popen(
        command,
        cwd=str(ROOT),
        env=bare_environment(**MODE_FLAGS),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "going on after {} updates\n".format(n_updates) in iter(again.stdout.readline, "")
    again.kill()
    again.communicate()


def test_a_second_ctrl_c_leaves_at_once_with_whole_files(tmp_path):
    process = start_training(*LONG, "--output-dir", tmp_path)
    wait_for(process, "epoch 3,")
    # Where the second comes before the first was handled, the system makes one of the two.
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    assert read_checkpoint(tmp_path / "checkpoint.npz").iteration >= 60
    assert read_params(tmp_path / "best_params.npz")[0]["W"].shape == (784, 10)
    assert read_history(tmp_path / "history.csv")


@pytest.mark.parametrize(
    "number, message",
    [(signal.SIGINT, "stopped by Ctrl-C\n"), (signal.SIGTERM, "stopped by SIGTERM\n")],
)
def test_a_signal_before_the_first_update_leaves_at_once(tmp_path, number, message):
    process = start_training(*LONG, "--output-dir", tmp_path)
    wait_for(process, "compiling")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if err == "":  # the loop had begun by then
        assert process.returncode == 128 + number
    else:
        assert (process.returncode, err) == (128 + number, message)
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_killed_run_goes_on_to_the_same_end(trained, tmp_path):
    folder, whole = trained
    options = ("--floatX", "float32", "--output-dir", tmp_path)
    process = start_training("--n-epochs", "19", *options, "--snapshot-every", "1")
    wait_for(process, "epoch 7,")
    process.kill()
    process.communicate(timeout=60)
    again = train("--n-epochs", "20", *options, "--resume", "--snapshot-every", "2", "--keep", "3")
    assert (again.returncode, again.stderr) == (0, "")
    first, second = whole.stdout.splitlines(), again.stdout.splitlines()
    assert second[-3] == first[-3]  # the best validation error, and the test error
    assert second[-2].partition(";")[0] == first[-2].partition(";")[0]
    assert second[-1].partition(",")[0] == first[-1].partition(",")[0] == "20 epochs"
    one, two = folder / "runs" / "logreg", tmp_path
    assert (one / "best_params.npz").read_bytes() == (two / "best_params.npz").read_bytes()
    assert [row._replace(seconds=0) for row in read_history(one / "history.csv")] == [
        row._replace(seconds=0) for row in read_history(two / "history.csv")
    ]
    kept = sorted(path.name for path in (tmp_path / "snapshots").iterdir())
    assert kept == ["iteration_{:06d}.npz".format(60 * epoch) for epoch in (16, 18, 20)]


def test_resuming_with_something_else_gets_one_line_and_code_2(trained, tmp_path):
    folder, _ = trained
    resume = ("--resume", "--output-dir", folder / "runs" / "logreg")
    process = train(
        "--floatX", "float64", "--l2", "0.5", "--seed", "1", "--n-epochs", "3",
        *resume, "--learning-rate", "1",
    )  # fmt: skip
    assert (process.returncode, process.stderr.count("\n")) == (2, 1)
    for part in (
        "floatX: the checkpoint has float32, this run float64",
        "l2: the checkpoint has 0.0, this run 0.5",
        "seed: the checkpoint has none, this run 1",
        "learning_rate: the checkpoint has 0.13, this run 1.0",
        "n_epochs: the checkpoint has 20, this run 3",
    ):
        assert part in process.stderr
    nothing = train("--resume", "--output-dir", tmp_path)
    assert (nothing.returncode, nothing.stderr.count("\n")) == (2, 1)
    assert "found no checkpoint; expected one of an earlier run" in nothing.stderr


def test_a_second_run_in_the_folder_is_refused_by_code_2(tmp_path):
    first = start_training(*LONG, "--output-dir", tmp_path)
    wait_for(first, "epoch 1,")
    second = train("--output-dir", tmp_path)
    assert (second.returncode, second.stderr.count("\n")) == (2, 1)
    assert "{!r}: found another run at work in this folder".format(str(tmp_path)) in second.stderr
    assert first.poll() is None
    first.kill()
    first.communicate()
    third = train("--n-epochs", "1", "--output-dir", tmp_path)
    assert third.returncode == 0
    assert "found an unfinished run of " in third.stdout


def test_predict_says_what_is_wrong(tmp_path, trained):
    folder, _ = trained
    for args, message in (
        (["--model", tmp_path / "none"], "found no such folder or file"),
        (["--model", ROOT / "data" / "digits.pkl.gz"], "expected a file of parameters"),
        (["--n-examples", "0"], "argument --n-examples: found '0'"),
        ([tmp_path / "none.png"], "none.png: found "),
    ):
        process = run_script("predict.py", *args, cwd=folder)
        assert (process.returncode, process.stdout) == (2, "")
        assert message in process.stderr and process.stderr.count("\n") == 1


def test_the_embedded_digits_are_what_their_script_makes():
    process = run_script("make_digits.py", "--check")
    assert (process.returncode, process.stderr) == (0, "")
    assert "the arrays agree with the rebuilt ones" in process.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.py")), ids=lambda p: p.stem)
def test_every_script_has_help(path):
    process = run_script(path.name, "--help")
    assert process.returncode == 0 and process.stdout.startswith("usage: " + path.name)
