"""A run drawn from its files, by the function and by scripts/visualize.py."""

import os
import subprocess
import sys

import matplotlib.font_manager  # noqa: F401  makes its cache, which a script would tell of
import numpy as np
import pytest
from conftest import MODE_FLAGS, ROOT, bare_environment
from PIL import Image

import dlt
from dlt import visualization
from dlt.errors import DataError, DltError
from dlt.run_folder import list_snapshots, snapshot_name

DRAWN = ["confusion_matrix", "digits", "learning_curves", "mistakes", "weights"]
SMALL = {
    "W": np.array([[-1.0, 1.0]] * 4),
    "b": np.array([1.8, -1.8]),
}  # always right on the small data
OLD, NEW = 1500000000, 1500000001  # times of files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_run(folder, params, n_snapshots, **settings):
    """Write the files of a run that visualize.py reads."""
    settings = dict({"l1": 0.0, "l2": 0.0}, **settings)
    os.makedirs(str(folder / "snapshots"))
    dlt.save_params(folder / "best_params.npz", params, settings=settings)
    history = [
        dlt.HistoryRow(60 * i, i, 1 / i, (30 - i) / 297, 5000.0, 0.1 * i) for i in range(1, 8)
    ]
    dlt.write_history(folder / "history.csv", history)
    for i in range(1, n_snapshots + 1):
        part = {name: array * (i / n_snapshots) for name, array in params.items()}
        dlt.save_params(folder / "snapshots" / snapshot_name(60 * i), part, settings=settings)


@pytest.fixture(params=[pytest.param("small", marks=pytest.mark.once)])
def small_run(tmp_path, monkeypatch):
    """Write ./run, on a small data set of 2 x 2 pixels and two labels; give its folder."""
    monkeypatch.chdir(tmp_path)
    y = np.arange(8) % 2
    x = np.repeat(0.9 * y[:, None], 4, axis=1)
    np.savez(str(tmp_path / "small.npz"), x_train=x, y_train=y, x_test=x, y_test=y)

    def write(n_snapshots=0, **settings):
        settings = dict({"dataset": str(tmp_path / "small.npz")}, **settings)
        write_run(tmp_path / "run", SMALL, n_snapshots, **settings)
        return tmp_path / "run"

    return write


@pytest.fixture
def figures(monkeypatch):
    """Write figures as empty files, and lay none out, which is quicker; give them by name."""
    found = {}

    def keep(path, figure):
        found[os.path.basename(path)] = figure
        open(str(path), "w").close()

    monkeypatch.setattr(visualization.plotting, "save_figure", keep)
    monkeypatch.setattr(visualization.plotting, "_settle", lambda figure: None)
    return found


@pytest.fixture
def captions(monkeypatch):
    """Make frames without drawing them; give their captions."""
    found = []

    def animate(weights, captions):
        found.extend(captions)
        return [Image.new("L", (8, 8), i) for i, _ in enumerate(found)]

    monkeypatch.setattr(visualization.plotting, "animate_weights", animate)
    return found


# --- a run on the digits -------------------------------------------------------------------------


AS_MAIN = (
    "import atexit, runpy, sys\n"
    "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)


def run_script(cwd):
    """Run the script; give its exit code, stdout, stderr, and the names of what it loaded."""
    environ = bare_environment(**dict(MODE_FLAGS, MPLBACKEND="TkAgg"))
    environ.pop("DISPLAY", None)
    process = subprocess.run(
        [sys.executable, "-c", AS_MAIN, str(ROOT / "scripts" / "visualize.py")],
        cwd=str(cwd), env=environ, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    *told, loaded = process.stderr.splitlines()
    return process.returncode, process.stdout.splitlines(), told, loaded.split()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A run in runs/logreg, its model, and what the script said of it without arguments."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (x, y), _, _ = dlt.load_data("digits")
    means = np.stack([x[y == label].mean(axis=0) for label in range(10)]).astype("float64")
    params = {"W": means.T.copy(), "b": -0.5 * (means**2).sum(axis=1)}  # the nearest mean
    write_run(folder / "runs" / "logreg", params, 3, dataset="digits")
    return folder / "runs" / "logreg", params, run_script(folder)


def test_every_figure_is_written_and_told_in_a_line(drawn):
    folder, params, (code, stdout, stderr, _) = drawn
    assert (code, stderr) == (0, [])
    _, _, (x, y) = dlt.load_data("digits")
    n_errors = int(((x @ params["W"] + params["b"]).argmax(axis=1) != y).sum())
    assert 10 < n_errors < 100
    assert stdout == [
        os.path.join("runs", "logreg", "figures", line)
        for line in (
            "digits.png: the first 50 training examples",
            "weights.png: weights of 10 labels, {:.2g} to {:.2g}".format(
                params["W"].min(), params["W"].max()
            ),
            "learning_curves.png: 7 validations, the lowest error 7.74 %",  # 23 of 297
            "confusion_matrix.png: {} errors in 300 test examples".format(n_errors),
            "mistakes.png: the most confident of {} mistakes".format(n_errors),
            "weights.gif: 3 of 3 snapshots, after 60 to 180 updates",
        )
    ]
    assert names(folder / "figures") == sorted([*(n + ".png" for n in DRAWN), "weights.gif"])


def test_it_never_loads_the_training_code(drawn):
    loaded = drawn[2][3]
    assert "dlt.plotting" in loaded and "dlt.prediction" in loaded
    for name in ("dlt.training", "dlt.sgd", "dlt.resuming", "matplotlib.pyplot", "tkinter"):
        assert name not in loaded


def test_the_figures_are_those_of_the_library(drawn, tmp_path):
    folder, params, _ = drawn
    (x, y), _, (test_x, test_y) = dlt.load_data("digits")
    p = dlt.Predictor(folder).probabilities(test_x)
    history = dlt.read_history(folder / "history.csv")
    expected = {
        "digits": dlt.plot_digits(x[:50], y[:50], title="The first 50 training examples"),
        "weights": dlt.plot_weights(params["W"]),
        "learning_curves": dlt.plot_learning_curves(
            history, loss_label="training NLL\n(nats per example)"
        ),
        "confusion_matrix": dlt.plot_confusion_matrix(
            test_y, p.argmax(axis=1), 10, what="test examples"
        ),
        "mistakes": dlt.plot_mistakes(test_x, test_y, p, what="test examples"),
    }
    for name, figure in expected.items():
        dlt.save_figure(tmp_path / "expected.png", figure)
        found = (folder / "figures" / (name + ".png")).read_bytes()
        assert found == (tmp_path / "expected.png").read_bytes(), name


def test_the_animation_has_the_snapshots_in_order(drawn):
    folder, params, _ = drawn
    thirds = [params["W"] * (i / 3) for i in (1, 2, 3)]
    captions = [
        "Weights after {} updates, validation error {:.2f} %".format(60 * i, (30 - i) / 2.97)
        for i in (1, 2, 3)
    ]
    with Image.open(folder / "figures" / "weights.gif") as animation:
        assert animation.n_frames == 3
        for i, frame in enumerate(dlt.animate_weights(thirds, captions)):
            animation.seek(i)
            found = np.asarray(animation.convert("RGB")).astype(int)
            assert np.abs(found - np.asarray(frame)).max() <= 16


# --- what is drawn and told ----------------------------------------------------------------------


def test_a_small_run_of_two_labels_without_snapshots(small_run):
    folder = small_run(l2=0.5, drop_last=True)
    dlt.write_history(folder / "history.csv", [dlt.HistoryRow(1, 1, 0.7, 0.0, 5000.0, 0.1)])
    lines = []
    found = dlt.visualize(folder, log=lines.append)
    assert list(found.files.values()) == [
        "the first 7 training examples",
        "weights of 2 labels, -1 to 1",
        "1 validation, the lowest error 0.00 %",
        "0 errors in 8 test examples (all of them; the run counted whole minibatches only)",
        "the most confident of 0 mistakes",
    ]
    assert lines == [
        "no weights.gif: the run kept no snapshots; train with snapshot_every (--snapshot-every 1)"
    ]
    assert names(folder / "figures") == [name + ".png" for name in DRAWN]


@pytest.mark.parametrize("patience, n_marks", [(5000, 0), (100, 1), (None, 0), ("x", 0)])
def test_patience_extended_at_the_first_validation_is_marked(small_run, figures, patience, n_marks):
    dlt.visualize(small_run(patience=patience))
    labels = [line.get_label() for line in figures["learning_curves.png"].axes[1].lines]
    assert labels.count("patience extended") == n_marks


def test_an_error_that_is_no_number_is_neither_told_nor_the_lowest(small_run, figures, captions):
    folder = small_run(n_snapshots=2)
    rows = dlt.read_history(folder / "history.csv")
    rows[0] = rows[0]._replace(validation_error=float("nan"))
    told = []
    for history in (rows, rows[:1]):
        dlt.write_history(folder / "history.csv", history)
        told.append(dlt.visualize(folder).files[str(folder / "figures" / "learning_curves.png")])
    assert told == ["7 validations, the lowest error 7.74 %", "1 validation"]
    assert captions[:2] == [
        "Weights after 60 updates",
        "Weights after 120 updates, validation error 9.43 %",
    ]


def test_of_many_snapshots_a_hundred_are_drawn(small_run, figures, captions):
    folder = small_run(n_snapshots=101)
    found = dlt.visualize(folder).files[str(folder / "figures" / "weights.gif")]
    assert found == "100 of 101 snapshots, after 60 to 6060 updates"
    assert len(captions) == 100


def test_a_snapshot_that_a_run_drops_meanwhile_is_left_out(small_run, figures, monkeypatch):
    folder = small_run(n_snapshots=3)
    snapshots = list_snapshots(folder)
    os.unlink(snapshots[0][1])
    monkeypatch.setattr(visualization, "list_snapshots", lambda folder: snapshots)
    found = dlt.visualize(folder).files[str(folder / "figures" / "weights.gif")]
    assert found == "2 of 3 snapshots, after 120 to 180 updates"


# --- files that are there already ----------------------------------------------------------------


def test_figures_of_an_earlier_model_do_not_stay(small_run, figures):
    folder = small_run(n_snapshots=2)
    for format in ("png", "svg"):
        dlt.visualize(folder, format=format)
    before = names(folder / "figures")
    (folder / "figures" / "notes.txt").write_text("mine")
    for path in (folder / "snapshots").iterdir():
        path.unlink()
    dlt.save_params(folder / "best_params.npz", SMALL, {"dataset": "no such data set"})
    for path in (folder / "figures").iterdir():  # clocks of file systems may be slow
        os.utime(str(path), (OLD, OLD))
    lines = []
    dlt.visualize(folder, log=lines.append)
    kept = ["learning_curves.png", "weights.png"]
    assert names(folder / "figures") == sorted([*kept, "notes.txt"])
    assert sorted(line for line in lines if line.startswith("removed")) == [
        "removed {}, which is older than the model".format(folder / "figures" / name)
        for name in before
        if name not in kept
    ]


def test_a_figure_is_as_old_as_its_model_whenever_it_was_drawn(small_run, figures):
    folder = small_run()
    os.utime(str(folder / "best_params.npz"), (OLD, OLD))
    dlt.visualize(folder)
    times = {path.stat().st_mtime_ns for path in (folder / "figures").iterdir()}
    assert times == {OLD * 10**9}
    os.utime(str(folder / "best_params.npz"), (NEW, NEW))  # saved while those were drawn
    (folder / "figures" / "digits.pdf").mkdir()  # the user's
    dlt.visualize(folder, format="svg")
    assert names(folder / "figures") == sorted(["digits.pdf", *(name + ".svg" for name in DRAWN)])


def test_figures_of_the_same_model_stay(small_run, figures, monkeypatch):
    folder = small_run(n_snapshots=1)
    for format in ("svg", "png"):
        dlt.visualize(folder, format=format)

    def unreachable(dataset, log):
        raise DataError(dataset, "nothing", "a data set", "wait")

    monkeypatch.setattr(visualization, "load_data", unreachable)
    assert dlt.visualize(folder).missing is not None
    everything = ["{}.{}".format(name, format) for name in DRAWN for format in ("png", "svg")]
    assert names(folder / "figures") == sorted([*everything, "weights.gif"])


def test_nothing_is_removed_from_a_folder_of_the_users(small_run, tmp_path, figures):
    (tmp_path / "mine").mkdir()
    for name in ("weights.gif", "digits.png", "weights.svg"):
        (tmp_path / "mine" / name).write_text("mine")
        os.utime(str(tmp_path / "mine" / name), (OLD, OLD))
    dlt.visualize(small_run(dataset="no such data set"), tmp_path / "mine")
    for name in ("weights.gif", "digits.png", "weights.svg"):
        assert (tmp_path / "mine" / name).read_text() == "mine"


def test_a_model_that_is_replaced_meanwhile_is_not_mixed_with_the_new_one(
    small_run, figures, monkeypatch
):
    folder = small_run()

    def load_and_replace(dataset, log):  # as training does when it finds a better model
        dlt.save_params(folder / "best_params.npz", {"W": np.zeros((4, 2)), "b": np.zeros(2)})
        return dlt.load_data(dataset)

    monkeypatch.setattr(visualization, "load_data", load_and_replace)
    assert "0 errors in 8 test examples" in dlt.visualize(folder).files.values()
    weights = figures["weights.png"].axes[0].images[1].get_array()
    np.testing.assert_array_equal(weights, np.ones((2, 2)))


# --- what cannot be drawn ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dataset, found",
    [
        ("nowhere.pkl.gz", "nowhere.pkl.gz: found no such file or folder;"),
        ("a\x1b[2Jb\n", r"a\x1b[2Jb\n: found no such file or folder;"),
        (7, "DLT_DATA: found 'no such folder', which is no folder;"),
        (
            "digits",
            "digits: found examples of 784 values and labels up to 9; expected 4 values and labels "
            "up to 1, as the model has; use the data set it was trained on",
        ),
    ],
)
def test_without_the_data_the_other_figures_are_drawn(
    small_run, figures, monkeypatch, dataset, found
):
    monkeypatch.setenv("DLT_DATA", "no such folder")
    folder = small_run(n_snapshots=1, dataset=dataset)
    missing = dlt.visualize(folder).missing
    assert names(folder / "figures") == ["learning_curves.png", "weights.gif", "weights.png"]
    assert "\n" not in missing and "\x1b" not in missing
    start = "no digits, confusion_matrix and mistakes, which need the data set: " + found
    assert missing.startswith(start) and missing.endswith("; name it as dataset (--dataset)")


SNAPSHOT = os.path.join("snapshots", snapshot_name(60))
HEADER = b"iteration,epoch,train_loss,validation_error,patience,seconds\n"
BROKEN = {
    "best_params.npz: found no file there; expected": ("best_params.npz", None),
    "best_params.npz': W: found pictures of 783 pixels;": ("best_params.npz", 783),
    "history.csv: found no file there; expected a history": ("history.csv", None),
    "history.csv': history: found no rows; expected": ("history.csv", HEADER),
    "000060.npz: found a damaged zip archive": (SNAPSHOT, b"PK\3\4"),
    "run': weights: found the shapes (4, 2) and (9, 2); expected one shape": (SNAPSHOT, 9),
}


@pytest.mark.parametrize("message, file", BROKEN.items())
def test_bad_files_get_one_line_and_nothing_is_written(small_run, file, message):
    folder = small_run(n_snapshots=2)
    path, content = folder / file[0], file[1]
    path.unlink()
    if isinstance(content, int):
        dlt.save_params(path, {"W": np.ones((content, 2)), "b": np.zeros(2)})
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(DltError) as error:
        dlt.visualize(folder)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert not (folder / "figures").exists()


@pytest.mark.parametrize(
    "setting, message",
    [
        ({"dataset": "digits"}, "digits: found examples of 784 values and labels up to 9; expec"),
        ({"format": "jpg"}, "format: found 'jpg'; expected one of png, svg, pdf"),
        ({"examples": "train"}, "examples: found 'train'; expected one of valid, test"),
    ],
)
def test_what_does_not_fit_or_is_no_choice_is_refused(small_run, setting, message):
    with pytest.raises(DltError, match=message):
        dlt.visualize(small_run(), **setting)


# --- options of the script -----------------------------------------------------------------------


def test_options_reach_the_figures(small_run, script, tmp_path):
    small_run(dataset="no such data set")
    done = script(
        "visualize.py", "run", "--output-dir", os.path.join("a", "b"), "--format", "svg",
        "--dataset", "small.npz", "--examples", "valid",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert names(tmp_path / "a" / "b") == [name + ".svg" for name in DRAWN]
    assert "confusion_matrix.svg: 0 errors in 1 validation examples\n" in done.stdout
    assert (tmp_path / "a" / "b" / "digits.svg").read_bytes().startswith(b"<?xml")


def test_the_script_says_what_is_missing_and_ends_with_1(small_run, script, figures):
    small_run(dataset="nowhere.gz")
    done = script("visualize.py", "run")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("no digits, confusion_matrix and mistakes, which need the ")
    assert done.stdout.startswith("no weights.gif: the run kept no snapshots; train with ")
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    "args, message",
    [
        (["nowhere"], "nowhere: found no such folder or file; expected a run folder"),
        (["run/best_params.npz"], "params.npz: found a file; expected a run folder; name "),
        (["run", "--dataset", "nowhere.gz"], "nowhere.gz: found no such file or folder;"),
        (["run", "--format", "jpg"], "argument --format: invalid choice: 'jpg'"),
        (["run", "--examples", "train"], "argument --examples: invalid choice: 'train'"),
        (
            ["run", "--output-dir", "/dev/null/x"],
            "'/dev/null/x': found a folder that cannot be written (Not a directory); expected",
        ),
        (
            ["run", "--output-dir", "run/history.csv"],
            "found a folder that cannot be written (File exists); expected one for the figures; ",
        ),
        (["run", "--fmt", "svg"], "unrecognized arguments: --fmt svg"),
    ],
)
def test_bad_options_get_one_line_and_code_2(small_run, script, args, message):
    folder = small_run()
    done = script("visualize.py", *args)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr
    assert not (folder / "figures").exists()


def test_links_in_the_run_folder_are_replaced_and_not_followed(tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    write_run(run, {"W": np.eye(4)[:, :2], "b": np.zeros(2)}, n_snapshots=0)
    victim = outside / "weights.png"
    outside.mkdir()
    victim.write_bytes(b"not ours")
    (run / "figures").symlink_to(outside)
    with pytest.raises(dlt.SettingsError, match="figures': found a link; expected a folder of the"):
        dlt.visualize(run)
    (run / "figures").unlink()
    (run / "figures").mkdir()
    (run / "figures" / "weights.png").symlink_to(victim)
    dlt.visualize(run)
    assert not (run / "figures" / "weights.png").is_symlink()
    assert names(outside) == ["weights.png"] and victim.read_bytes() == b"not ours"
