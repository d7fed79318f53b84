"""Every script: good and bad input through its `main`, and as a process where that matters."""

import functools
import io
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys

import filelock
import numpy as np
import pytest
from conftest import MODE_FLAGS, ROOT, bare_environment, load_script, run_python, run_script
from PIL import Image, ImageDraw

import dlt
from dlt import datasets, engine
from dlt.errors import FetchError
from dlt.parameters import read_params
from dlt.runs.checkpoint import read_checkpoint
from dlt.runs.history import read_history
from dlt.runs.lock import LOCK_NAME
from dlt.runs.signals import SIGNALS

SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("*.py"))


@pytest.fixture
def train(script):
    return functools.partial(script, "train_logreg.py", "--dataset", "digits")


def assert_refused(done, message=""):
    """Check that a script ended with code 2 and one line, which has `message` in it."""
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and message in done.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One run on the digits, a process in another folder, that other tests look at."""
    folder = tmp_path_factory.mktemp("elsewhere")
    args = ("--dataset", "digits", "--n-epochs", "20", "--floatX", "float32")
    return folder, run_script("train_logreg.py", *args, cwd=folder)


def test_training_reports_and_saves(trained):
    folder, process = trained
    assert (process.returncode, process.stderr) == (0, "")
    lines = process.stdout.splitlines()
    version = f"{engine.NAME} {engine.theano.__version__}"
    assert lines[0] == f"{version}, {engine.linker()} linker, cpu, floatX=float32"
    assert lines[1] == (
        "digits: 1200 training, 297 validation, 300 test examples of 784 values, 10 labels: "
        "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    )
    known = "28 x 28 pictures, centred on a dark ground; bytes divided by 256; the file's own sets"
    assert lines[2] == known
    assert lines[3:5] == ["compiling ...", "training, at most 20 epochs of 60 minibatches ..."]
    assert lines[5].startswith("epoch 1, minibatch 60/60, validation error ")
    assert lines[25].startswith("Optimization complete with best validation score of ")
    assert lines[27].startswith("20 epochs, ") and lines[27].endswith("stopped by n_epochs")
    history = read_history(folder / "runs" / "logreg" / "history.csv")
    assert len(history) == 20
    assert f"validation error {100 * history[0].validation_error:f} %" in lines[5]
    # Far better than guessing, which is wrong on 9 of 10.
    assert min(row.validation_error for row in history) < 0.08
    arrays, settings = read_params(folder / "runs" / "logreg" / "best_params.npz")
    assert arrays["W"].dtype == "float32" and arrays["W"].shape == (784, 10)
    noted = json.loads((folder / "runs" / "logreg" / "settings.json").read_text())
    assert noted == {**settings, "machines": [{"first": 1, "parts": engine.machine()}]}
    assert (settings["dataset"], settings["batch_size"]) == ("digits", 20)


@pytest.fixture
def calls(monkeypatch):
    """What `dlt.train` is called with; it does not train, but ends the script as Ctrl-C does."""
    found = []

    def stop(*args, **settings):
        found.append((args, settings))
        raise KeyboardInterrupt

    monkeypatch.setattr(dlt, "train", stop)
    return found


def test_options_reach_the_training(train, calls, tmp_path):
    train(
        "--learning-rate", "0.5", "--batch-size", "40", "--n-epochs", "7", "--patience", "30",
        "--patience-increase", "3", "--improvement-threshold", "0.9", "--drop-last",
        "--improvement-test", "mcnemar", "--alpha", "0.01",
        "--l1", "0.25", "--l2", "0.5", "--seed", "1", "--snapshot-every", "2", "--keep", "3",
        "--resume", "--allow-other-machine", "--shuffle", "7", "--output-dir", tmp_path,
    )  # fmt: skip
    (((classifier, y, loss, _), settings),) = calls
    del settings["log"], settings["should_stop"]
    noted = {"dataset": "digits", "l1": 0.25, "l2": 0.5, "seed": 1}
    assert settings == {
        "learning_rate": 0.5, "batch_size": 40, "n_epochs": 7, "drop_last": True, "resume": True,
        "allow_other_machine": True,
        "order": dlt.Shuffled(7), "patience": dlt.Patience(30, 3, 0.9, "mcnemar", 0.01),
        "folder": dlt.RunFolder(tmp_path, 2, 3, noted),
    }  # fmt: skip
    assert classifier.W.get_value().any()  # drawn with the seed
    ones = np.ones((784, 10), classifier.W.dtype)
    classifier.W.set_value(ones)
    of_ones = engine.theano.function([classifier.input, y], loss)
    found = of_ones(0 * ones.T, np.zeros(10, "int32"))
    assert found == pytest.approx(math.log(10) + (0.25 + 0.5) * 7840)


@pytest.mark.parametrize("mode", engine.LINKERS)
def test_mode_device_and_floatX_reach_the_engine(train, calls, mode):
    done = train("--mode", mode, "--device", "cpu", "--floatX", "float32")
    assert f"{mode} linker, cpu, floatX=float32\n" in done.stdout
    assert calls[0][0][0].W.dtype == "float32"


def test_predicting_test_digits(trained, script, monkeypatch):
    monkeypatch.chdir(trained[0])
    done = script("predict.py", "--n-examples", "4")
    assert (done.returncode, done.stderr) == (0, "")
    first, *_, last = done.stdout.splitlines()
    assert re.fullmatch(r"test example 0: 6, probability 0\.\d{3}, right label 6", first)
    assert done.stdout.count("\n") == 5 and last.endswith(" of 4 wrong")


def test_predicting_pictures(trained, script, monkeypatch, tmp_path):
    monkeypatch.chdir(trained[0])
    picture, path = Image.new("L", (90, 90), 255), tmp_path / "zero.png"
    ImageDraw.Draw(picture).ellipse((25, 15, 65, 75), outline=0, width=9)
    picture.save(path)
    done = script("predict.py", path, path)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{path}: 0, probability 0.") and second == first
    assert first.endswith("(inverted, cropped, scaled to 13 x 20, centred)")
    for args in (["none.png"], ["--model", ROOT / "data" / "digits.pkl.gz"]):
        done = script("predict.py", *args)
        assert_refused(done, f"{args[-1]}: found ")
        assert done.stdout == ""


@pytest.mark.parametrize("name", ["predict.py", "visualize.py", "export_page.py"])
def test_a_model_that_is_not_dlt_s_is_refused_by_its_class(script, tmp_path, name):
    params = {"W": np.zeros((784, 10)), "b": np.zeros(10)}
    dlt.save_params(tmp_path / "best_params.npz", params, {"model": {"class": "MLP"}})
    done = script(name, *(["--model"] if name == "predict.py" else []), tmp_path)
    assert_refused(done, "best_params.npz: found a model of the class MLP; expected W (n_in, n_out")
    assert [path.name for path in tmp_path.iterdir()] == ["best_params.npz"]


def test_without_mnist_and_without_a_route_the_digits_are_used(
    script, calls, monkeypatch, tmp_path
):
    def no_route(*args, **kwargs):
        raise FetchError("MNIST", "no route")

    for module in (datasets, dlt):
        monkeypatch.setattr(module, "fetch_mnist", no_route)
    monkeypatch.setattr(datasets, "find_mnist", lambda: None)
    done = script("train_logreg.py")
    assert len(calls) == 1 and "\ndigits: 1200 training" in done.stdout
    assert done.stdout.count("training on the embedded digits: MNIST: found no route\n") == 1
    assert_refused(
        script("train_logreg.py", "--dataset", "mnist"), "error: MNIST: found no route\n"
    )
    assert_refused(
        script("fetch_mnist.py", "--output-dir", tmp_path), "error: MNIST: found no route\n"
    )


def test_a_run_on_converted_data_prints_and_saves_the_same(script, train, tmp_path):
    folder, out = tmp_path / "digits", tmp_path / "run"
    done = script("convert.py", "--dataset", "digits", "--output-dir", folder)
    assert done.stdout.endswith("1200 training, 297 validation, 300 test examples of 784 values, "
                                "stored as uint8\n10 labels: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n28 x "
                                "28 pictures, centred on a dark ground; bytes divided by 256; the "
                                "file's own sets\n")  # fmt: skip
    options = ["--n-epochs", "4", "--output-dir", out]
    in_memory = train("--dataset", "digits", "--batch-size", "20", *options).stdout.splitlines()
    params = (out / "best_params.npz").read_bytes()
    options += ["--batch-size", "20", "--dataset", folder, "--max-memory", "200kB", "--verify"]
    in_chunks = train(*options).stdout.splitlines()
    assert [line for line in in_chunks if line.startswith(("epoch", "Opt", "best"))] == [
        line for line in in_memory if line.startswith(("epoch", "Opt", "best"))
    ]
    assert sum(line.startswith("verifying") for line in in_chunks) == 6
    arrays = [
        np.load(io.BytesIO(content)) for content in (params, (out / "best_params.npz").read_bytes())
    ]
    assert all(np.array_equal(arrays[0][name], arrays[1][name]) for name in "Wb")
    predicted = script("predict.py", "--model", out, "--dataset", folder, "--n-examples", "2")
    assert predicted.stdout.endswith("of 2 wrong\n")
    refused = train("--dataset", "digits", "--max-memory", "1MB")
    assert_refused(refused, "found the name of data that is loaded whole; expected a folder")


@pytest.fixture
def sorted_digits(tmp_path):
    """3 and 5, class by class, 0/1 in bytes."""
    (x, y), _, (x_test, y_test) = dlt.load_data("digits")
    sets = {}
    for name, pixels, labels in (("train", x, y), ("test", x_test, y_test)):
        rows = np.concatenate([np.flatnonzero(labels == label) for label in (3, 5)])
        sets.update({"x_" + name: (pixels[rows] > 0.5).astype("u1"), "y_" + name: labels[rows]})
    np.savez(tmp_path / "sorted.npz", **sets)
    return tmp_path / "sorted.npz"


def test_data_of_one_s_own_is_described_and_sorted_data_is_said(script, sorted_digits, tmp_path):
    run = functools.partial(
        script, "train_logreg.py", "--dataset", sorted_digits, "--output-dir", tmp_path / "run"
    )
    done = run("--n-epochs", "10")
    lines = done.stdout.splitlines()
    assert lines[1].endswith("204 training, 40 validation, 61 test examples of 784 values, 2 labels"
                             ": 3, 5")  # fmt: skip
    assert "values from 0 to 1, unchanged; a sixth of each label for validation, drawn" in lines[2]
    assert lines[3].startswith("the training set is sorted, or nearly: --shuffle 1 ")
    assert lines[5] == "training, at most 10 epochs of 68 minibatches ..."
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert settings["description"]["labels"] == ["3", "5"]
    done = run(
        "--n-epochs", "2", "--shuffle", "1", "--batch-size", "100", "--learning-rate", "1e-9"
    )
    assert "is sorted" not in done.stdout
    assert "\nothers in every epoch, 4 of 204 training examples take no part: minib" in done.stdout


def test_a_run_that_learned_nothing_says_so(script, tmp_path):
    np.savez(tmp_path / "noise.npz", x=np.zeros((120, 4)), y=np.arange(120) % 2)
    options = ["--dataset", tmp_path / "noise.npz", "--output-dir", tmp_path / "run"]
    done = script("train_logreg.py", "--n-epochs", "2", *options)
    last = done.stdout.splitlines()[-1]
    assert last.startswith(
        "nothing was learned: always predicting the most frequent label gives 50.0000"
    )
    assert done.returncode == 0


def test_a_name_that_is_also_a_folder_here_is_refused(script, calls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "digits").mkdir()
    refused = "error: --dataset: found 'digits', which is a data set of dlt, and also a file or fol"
    for name in ("train_logreg.py", "convert.py"):
        done = script(name, "--dataset", "digits", "--output-dir", "run")
        assert_refused(done, refused)
    np.savez("digits/mine.npz", x=np.eye(12), y=np.arange(12) % 2)
    script("train_logreg.py", "--dataset", "~/digits/mine.npz", "--output-dir", "run")
    assert len(calls) == 1


BAD = {
    "memory": (["--max-memory", "lots"], "found 'lots'; expected a size such as 512MB or 2GB"),
    "drop last": (["--batch-size", "298", "--drop-last"], "more than the 297 examples of the val"),
    "size": (
        ["--batch-size", "1201"],
        "error: --batch-size: found 1201; expected a whole number fr",
    ),
    "l1": (["--l1", "-1"], "error: --l1: found -1.0; expected a finite number, 0 or more"),
    "seed": (["--seed", "-3"], "argument --seed: found '-3'; expected a whole number from 0 to "),
    "shuffle": (["--shuffle", str(2**64)], "argument --shuffle: found '18446744073709551616'; ex"),
    "epochs": (["--n-epochs", "1" + "0" * 400], "error: --n-epochs: found 1000"),
    "gpu": (["--mode", "c", "--device", "gpu"], "error: device gpu: "),
    "output": (["--output-dir", "/dev/null/x"], "found a folder that cannot be written"),
    "resume": (["--resume"], "found no checkpoint; expected one of an earlier run"),
}


@pytest.mark.parametrize("args, message", BAD.values(), ids=BAD)
def test_bad_input_gets_one_line_and_code_2(train, monkeypatch, tmp_path, args, message):
    monkeypatch.chdir(tmp_path)
    assert_refused(train("--output-dir", "run", *args), message)
    assert os.listdir(str(tmp_path)) == []


WRONG = {
    "benchmark.py": ["--batch-size", "many"],
    "benchmark_scaling.py": ["--output-dir", "/dev/null/x"],
    "convert.py": ["--dataset", "nowhere", "--output-dir", "x"],
    "export_page.py": ["nowhere"],
    "fetch_mnist.py": ["--output-dir", "/dev/null/x"],
    "make_digits.py": ["--check", "--output", "nowhere"],
    "predict.py": ["--model", "nowhere"],
    "select_model.py": ["--dataset", "nowhere"],
    "train_logreg.py": ["--dataset", "nowhere"],
    "visualize.py": ["nowhere"],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_process_ends_with_its_code_and_uses_the_dlt_beside_it(tmp_path, name):
    # PyPI's dlt is an unrelated project, which may be installed.
    other = tmp_path / "site" / "dlt"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise ImportError('the other dlt')")
    process = run_script(name, *WRONG[name], cwd=tmp_path, PYTHONPATH=tmp_path / "site")
    assert_refused(process)
    assert process.stderr.startswith("error: ")


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_names_what_to_start_where_its_packages_are_missing(name):
    done = run_python("-S", ROOT / "scripts" / name, *WRONG[name])  # without site-packages
    assert_refused(done, "pip install")


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_has_help(script, name):
    done = script(name, "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: " + name)


@pytest.mark.parametrize(
    "options, left",
    [
        # Near 0 for the first epochs, so a validation comes first; then the penalty doubles W
        # with every update until it overflows.
        (
            ["--learning-rate", "30", "--l2", "0.05", "--floatX", "float64", "--patience", "20",
             "--n-epochs", "100", "--patience-increase", "1000"],
            {"best_params.npz", "checkpoint.npz", "history.csv", "settings.json"},
        ),
        (["--learning-rate", "1e306"], set()),
    ],
    ids=["after a validation", "at once"],
)  # fmt: skip
def test_a_diverging_run_names_the_update_and_keeps_the_best(train, tmp_path, options, left):
    done = train("--output-dir", tmp_path, *options)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: the loss of minibatch update ")
    assert done.stderr.endswith("was not a finite number; try a smaller --learning-rate\n")
    found = {path.name for path in tmp_path.iterdir()}
    assert found - {".lock", "checkpoint.previous.npz"} == left


def test_a_second_run_in_the_folder_is_refused_by_code_2(train, tmp_path):
    with filelock.FileLock(str(tmp_path / LOCK_NAME)):
        message = f"{tmp_path}: found another run at work in this folder"
        assert_refused(train("--output-dir", tmp_path), message)


@pytest.mark.parametrize(
    "number, message",
    [(signal.SIGINT, "stopped by Ctrl-C\n"), (signal.SIGTERM, "stopped by SIGTERM\n")],
)
def test_a_signal_before_the_first_update_leaves_at_once(
    train, monkeypatch, tmp_path, number, message
):
    def say(line, **kwargs):
        if line == "compiling ...":
            signal.raise_signal(number)

    monkeypatch.setattr(load_script("train_logreg.py"), "print", say, raising=False)
    done = train("--output-dir", tmp_path)
    assert (done.returncode, done.stderr) == (128 + number, message)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


TRAINING = (sys.executable, str(ROOT / "scripts" / "train_logreg.py"), "--dataset", "digits")
LONG = ("--n-epochs", "1000000", "--patience", "100000000")


def start(*command, cwd=ROOT, **environ):
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=str(cwd),
        env=bare_environment(**dict(MODE_FLAGS, **environ)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(process, beginning):
    line = process.stdout.readline()
    while not line.startswith(beginning):
        assert process.poll() is None, process.stderr.read()
        line = process.stdout.readline()


def test_a_signal_saves_says_how_to_go_on_and_exits_130_or_143(tmp_path):
    folder = tmp_path / "my run"
    command = [*TRAINING, *LONG, "--output-dir", str(folder)]
    resuming = [*command, "--resume"]
    begins = "compiling"
    for number in SIGNALS:
        process = start(*command)
        wait_for(process, begins)
        wait_for(process, "epoch ")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (128 + number, "")
        n_updates = read_checkpoint(folder / "checkpoint.npz").state.iteration
        said, _, command = out.splitlines()[-1].partition("; continue with: ")
        assert said == f"stopped after {n_updates} updates"
        command = shlex.split(command)
        assert command == resuming
        assert len(read_history(folder / "history.csv")) == n_updates // 60
        assert read_params(folder / "best_params.npz")[0]["W"].shape == (784, 10)
        begins = f"going on after {n_updates} updates\n"


CLOSE = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b""
while b"epoch 3" not in said:
    said += os.read(terminal, 4096)
os.close(terminal)
print(os.WEXITSTATUS(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.once
@pytest.mark.skipif(not hasattr(os, "fork"), reason="terminals of POSIX")
def test_a_terminal_that_closes_saves_and_exits_129(tmp_path):
    done = run_python("-c", CLOSE, *TRAINING, *LONG, "--output-dir", tmp_path, **MODE_FLAGS)
    assert (done.stdout, done.stderr) == ("129\n", "")
    n_updates = read_checkpoint(tmp_path / "checkpoint.npz").state.iteration
    assert n_updates // 60 == len(read_history(tmp_path / "history.csv")) >= 3


@pytest.mark.once
def test_another_machine_goes_on_only_if_that_is_allowed(tmp_path):
    variable = "NPROC" if "NPROC" in engine.machine() else "OPENBLAS_NUM_THREADS"
    if variable != "NPROC" and engine.cores() < 2:
        pytest.skip("OpenBLAS uses no more threads than there are processors")
    begin = ("train_logreg.py", "--dataset", "digits", "--output-dir", tmp_path, "--n-epochs")
    run_script(*begin, "1", **{variable: "1"})
    resumed = functools.partial(run_script, *begin, "2", "--resume", **{variable: "2"})
    found = (
        f"{tmp_path}: found a checkpoint of another machine: {variable} (the number of threads): "
        "the checkpoint has 1, this run 2; "
    )
    assert_refused(resumed(), f"{found}expected the same one, for the same bits; put {variable}=1 ")
    allowed = resumed("--allow-other-machine")
    assert (allowed.returncode, allowed.stderr) == (0, "")
    assert f"{found}from here on, the last bits differ" in allowed.stdout
    assert [row.machine for row in read_history(tmp_path / "history.csv")] == [1, 2]
    machines = json.loads((tmp_path / "settings.json").read_text())["machines"]
    assert [(m["first"], m["parts"][variable]) for m in machines] == [(1, "1"), (61, "2")]


@pytest.mark.once
def test_a_signal_that_a_background_job_ignores_does_not_stop_it(tmp_path):
    training = shlex.join([*TRAINING, *LONG, "--output-dir", str(tmp_path / "run")])
    process = start("bash", "-c", f"trap '' INT HUP; exec {training}")
    for number in (signal.SIGINT, signal.SIGHUP):
        wait_for(process, "epoch ")
        process.send_signal(number)
    wait_for(process, "epoch ")
    wait_for(process, "epoch ")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, "")
    assert "; continue with: " in out.splitlines()[-1]


# All options but those that only some data has; the folder has the name of a data set.
OPTIONS = shlex.split(
    "--output-dir mnist --batch-size 20 --shuffle 7 --learning-rate 0.1 --n-epochs 1000000 "
    "--l1 1e-5 --l2 1e-4 --patience 100000000 --patience-increase 3 --improvement-threshold 0.9 "
    "--improvement-test mcnemar --alpha 0.01 --drop-last --seed 3 --device cpu --snapshot-every 9 "
    "--keep 2"
)
CONSOLE_SCRIPT = f"#!{sys.executable}\nimport sys; from dlt.__main__ import main; sys.exit(main())"


@pytest.mark.slow
@pytest.mark.parametrize(
    "program, options, environ",
    [
        pytest.param(TRAINING, OPTIONS, {}, id="options", marks=pytest.mark.once),
        pytest.param(
            TRAINING[:2], [*OPTIONS[2:], "--output-dir=-x'\n", "--dataset=digits data"], {},
            id="values", marks=pytest.mark.once,
        ),
        pytest.param(
            TRAINING, OPTIONS, {"THEANO_FLAGS": "floatX=float32,optimizer=fast_compile"},
            id="flags",
        ),
        pytest.param(
            (sys.executable, "-m", "dlt", "train_logreg", "--dataset", "digits"), LONG,
            {"THEANO_FLAGS": "floatX=float32", "DLT_ENGINE": engine.NAME.lower(), "NPROC": 1,
             "OMP_NUM_THREADS": 1},
            id="module", marks=pytest.mark.once,
        ),
        pytest.param(
            ("bin dir/dlt", "train_logreg", "--dataset", "digits"), LONG, {},
            id="console", marks=pytest.mark.once,
        ),
    ],
)  # fmt: skip
def test_the_printed_command_goes_on_in_a_shell_without_that_environment(
    tmp_path, program, options, environ
):
    (tmp_path / "digits data").symlink_to(ROOT / "data" / "digits.pkl.gz")
    (tmp_path / "bin dir").mkdir()
    (tmp_path / "bin dir" / "dlt").write_text(CONSOLE_SCRIPT)
    (tmp_path / "bin dir" / "dlt").chmod(0o755)
    where = {"cwd": tmp_path, "PYTHONPATH": ROOT}
    process = start(*program, *options, **where, **environ)
    for begins in ("compiling", "going on after "):
        wait_for(process, begins)
        wait_for(process, "epoch ")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (143, "")
        command = out.splitlines()[-1].partition("; continue with: ")[2]
        process = start("bash", "-c", "exec env " + command, **where)
    wait_for(process, "going on after ")
    process.kill()
    process.communicate(timeout=60)


def test_a_second_ctrl_c_leaves_at_once_with_whole_files(tmp_path):
    process = start(*TRAINING, *LONG, "--output-dir", tmp_path)
    wait_for(process, "epoch 3,")
    # Where the second comes before the first was handled, the system makes one of the two.
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    assert read_checkpoint(tmp_path / "checkpoint.npz").state.iteration >= 60
    assert read_params(tmp_path / "best_params.npz")[0]["W"].shape == (784, 10)
    assert read_history(tmp_path / "history.csv")


def test_a_killed_run_goes_on_to_the_same_end(trained, script, monkeypatch, tmp_path):
    folder, whole = trained
    options = ("--floatX", "float32", "--output-dir", tmp_path)
    process = start(*TRAINING, "--n-epochs", "19", *options, "--snapshot-every", "1")
    wait_for(process, "epoch 7,")
    process.kill()
    process.communicate(timeout=60)
    # MNIST may be here by now: without --dataset a new run would choose it.
    monkeypatch.setattr(datasets, "choose_dataset", lambda log: "mnist")
    more = ("--n-epochs", "20", "--resume", "--snapshot-every", "2", "--keep", "3")
    again = script("train_logreg.py", *options, *more)
    assert (again.returncode, again.stderr) == (0, "")
    first, second = whole.stdout.splitlines(), again.stdout.splitlines()
    assert second[1] == first[1]  # the data
    assert second[-3] == first[-3]  # the best validation error, and the test error
    assert second[-2].partition(";")[0] == first[-2].partition(";")[0]
    assert second[-1].partition(",")[0] == first[-1].partition(",")[0] == "20 epochs"
    one, two = folder / "runs" / "logreg", tmp_path
    assert (one / "best_params.npz").read_bytes() == (two / "best_params.npz").read_bytes()
    assert [row._replace(seconds=0) for row in read_history(one / "history.csv")] == [
        row._replace(seconds=0) for row in read_history(two / "history.csv")
    ]
    kept = sorted(path.name for path in (tmp_path / "snapshots").iterdir())
    assert kept == [f"iteration_{60 * epoch:06d}.npz" for epoch in (16, 18, 20)]
