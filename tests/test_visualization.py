"""A run drawn from its files, by the function and by scripts/visualize.py."""

import os
import subprocess
import sys

import matplotlib.font_manager  # noqa: F401  makes its cache, which a script would report
import numpy as np
import pytest
from conftest import MODE_FLAGS, ROOT, bare_environment
from PIL import Image

import dlt
from dlt.errors import DltError
from dlt.pictures import run as visualization
from dlt.runs.folder import list_snapshots, snapshot_name

DRAWN = ["confusion_matrix", "digits", "learning_curves", "mistakes", "weights"]
# Always right on the small data.
SMALL = {"W": np.array([[-1.0, 1.0]] * 4), "b": np.array([1.8, -1.8])}
OLD, NEW = 1500000000, 1500000001  # times of files


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_run(folder, params, n_snapshots, **settings):
    """Write the files of a run that visualize.py reads."""
    settings = {"l1": 0.0, "l2": 0.0, **settings}
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
    """Write ./run, on a small data set of 2 x 2 pixels and two labels; return its folder."""
    monkeypatch.chdir(tmp_path)
    y = np.arange(8) % 2
    x = np.repeat(0.9 * y[:, None], 4, axis=1)
    np.savez(str(tmp_path / "small.npz"), x_train=x, y_train=y, x_test=x, y_test=y)

    def write(n_snapshots=0, **settings):
        settings = {"dataset": str(tmp_path / "small.npz"), **settings}
        write_run(tmp_path / "run", SMALL, n_snapshots, **settings)
        return tmp_path / "run"

    return write


@pytest.fixture
def figures(monkeypatch):
    """Write figures as empty files, without layout, which is quicker; return them by name."""
    found = {}

    def keep(path, figure):
        found[os.path.basename(path)] = figure
        open(str(path), "w").close()

    monkeypatch.setattr(visualization, "save_figure", keep)
    monkeypatch.setattr("dlt.pictures.figures.settle", lambda figure: None)
    return found


@pytest.fixture
def captions(monkeypatch):
    """Make frames without drawing them; return their captions."""
    found = []

    def animate(weights, captions, **looks):
        found.extend(captions)
        return [Image.new("L", (8, 8), i) for i, _ in enumerate(found)]

    monkeypatch.setattr(visualization, "animate_weights", animate)
    return found


AS_MAIN = (
    "import atexit, runpy, sys\n"
    "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A run in runs/logreg, its model, and the process of the script without arguments."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (x, y), _, _ = dlt.load_data("digits")
    means = np.stack([x[y == label].mean(axis=0) for label in range(10)]).astype("float64")
    params = {"W": means.T.copy(), "b": -0.5 * (means**2).sum(axis=1)}  # the nearest mean
    write_run(folder / "runs" / "logreg", params, 3, dataset="digits")
    environ = bare_environment(**dict(MODE_FLAGS, MPLBACKEND="TkAgg"))
    environ.pop("DISPLAY", None)
    process = subprocess.run(
        [sys.executable, "-c", AS_MAIN, str(ROOT / "scripts" / "visualize.py")],
        cwd=str(folder), env=environ, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return folder / "runs" / "logreg", params, process


def test_every_figure_is_written_and_listed_without_the_training_code(drawn):
    folder, params, process = drawn
    *told, loaded = process.stderr.splitlines()
    assert (process.returncode, told) == (0, [])
    _, _, (x, y) = dlt.load_data("digits")
    n_errors = int(((x @ params["W"] + params["b"]).argmax(axis=1) != y).sum())
    assert 10 < n_errors < 100
    assert process.stdout.splitlines() == [
        os.path.join("runs", "logreg", "figures", line)
        for line in (
            "digits.png: the first 50 training examples",
            f"weights.png: weights of 10 labels, {params['W'].min():.2g} to "
            f"{params['W'].max():.2g}",
            "learning_curves.png: 7 validations, the lowest error 7.74 %",  # 23 of 297
            f"confusion_matrix.png: {n_errors} errors in 300 test examples",
            f"mistakes.png: the most confident of {n_errors} mistakes",
            "weights.gif: 3 of 3 snapshots, after 60 to 180 updates",
        )
    ]
    assert names(folder / "figures") == sorted([*(n + ".png" for n in DRAWN), "weights.gif"])
    assert {"dlt.pictures.curves", "dlt.prediction"} <= set(loaded.split())
    training = {"dlt.trainer", "dlt.training", "dlt.sgd", "dlt.runs.saving", "dlt.runs.resuming"}
    assert not (training | {"matplotlib.pyplot", "tkinter"}) & set(loaded.split())


def test_the_figures_are_those_of_the_library_and_the_snapshots_in_order(drawn, tmp_path):
    folder, params, _ = drawn
    (x, y), _, (test_x, test_y) = dlt.load_data("digits")
    p = dlt.Predictor(folder).probabilities(test_x)
    history = dlt.read_history(folder / "history.csv")
    captions = [
        "Weights after {} updates, validation error {} %".format(*pair)
        for pair in ((60, 9.76), (120, 9.43), (180, 9.09))
    ]
    frames = dlt.animate_weights([params["W"] * (i / 3) for i in (1, 2, 3)], captions)
    dlt.save_animation(tmp_path / "weights.gif", frames)
    for name, figure in {
        "digits": dlt.plot_digits(x[:50], y[:50], title="The first 50 training examples"),
        "weights": dlt.plot_weights(params["W"]),
        "learning_curves": dlt.plot_learning_curves(
            history, loss_label="training NLL\n(nats per example)"
        ),
        "confusion_matrix": dlt.plot_confusion_matrix(
            test_y, p.argmax(axis=1), 10, what="test examples"
        ),
        "mistakes": dlt.plot_mistakes(test_x, test_y, p, what="test examples"),
    }.items():
        dlt.save_figure(tmp_path / (name + ".png"), figure)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (folder / "figures" / path.name).read_bytes(), path.name


def test_a_small_run_of_two_labels_without_snapshots(small_run):
    folder = small_run(l2=0.5, drop_last=True)
    dlt.write_history(folder / "history.csv", [dlt.HistoryRow(1, 1, 0.7, 0.0, 5000.0, 0.1)])
    assert list(dlt.visualize(folder).files.values()) == [
        "the first 7 training examples",
        "weights of 2 labels, -1 to 1",
        "1 validation, the lowest error 0.00 %",
        "0 errors in 8 test examples (all of them; the run counted whole minibatches only)",
        "the most confident of 0 mistakes",
    ]
    assert names(folder / "figures") == [name + ".png" for name in DRAWN]


@pytest.mark.parametrize("patience, n_marks", [(5000, 0), (100, 1), (None, 0), ("x", 0)])
def test_patience_extended_at_the_first_validation_is_marked(small_run, figures, patience, n_marks):
    dlt.visualize(small_run(patience=patience))
    labels = [line.get_label() for line in figures["learning_curves.png"].axes[1].lines]
    assert labels.count("patience extended") == n_marks


def test_a_nan_error_is_neither_shown_nor_the_lowest(small_run, figures, captions):
    folder = small_run(n_snapshots=2)
    rows = [*dlt.read_history(folder / "history.csv")]
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
        f"removed {folder / 'figures' / name}, which is older than the model"
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


def test_figures_of_the_same_model_stay(small_run, figures, tmp_path):
    folder = small_run(n_snapshots=1)
    for format in ("svg", "png"):
        dlt.visualize(folder, format=format)
    (tmp_path / "small.npz").unlink()
    assert dlt.visualize(folder).missing is not None
    everything = [f"{name}.{format}" for name in DRAWN for format in ("png", "svg")]
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


@pytest.mark.parametrize(
    "dataset, found",
    [
        ("nowhere.pkl.gz", "nowhere.pkl.gz: found no such file or folder;"),
        (7, "DLT_DATA: found 'no such folder', which is not a folder;"),
        (
            "digits",
            "digits: found examples of 784 values; expected 4, as the model has; use the data set "
            "it was trained on",
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
    assert "\n" not in missing
    start = "no digits, confusion_matrix and mistakes, which need the data set: " + found
    assert missing.startswith(start) and missing.endswith("; name it as dataset (--dataset)")


DESCRIBED = {"height": 1, "width": 4, "labels": ["ham", "spam"], "ground": "light"}


def test_figures_follow_the_description(small_run, figures, tmp_path):
    folder, y = small_run(description=DESCRIBED), np.repeat(["ham", "spam"], 6)
    np.savez(str(tmp_path / "small.npz"), x=np.eye(12)[:, :4], y=y)
    dlt.visualize(folder)
    for name in ("digits.png", "weights.png"):
        images = figures[name].axes[0].images
        assert {image.get_array().shape for image in images} == {(1, 4)}
    assert {image.cmap.name for image in figures["digits.png"].axes[0].images} == {"gray"}
    captions = [text.get_text() for text in figures["weights.png"].axes[0].texts]
    assert captions == ["ham", "spam"]
    assert "below 0: ink there speaks" in figures["weights.png"].axes[1].get_xlabel()


@pytest.mark.parametrize("described", [{"height": None}, {"height": 3, "width": 4}])
def test_what_needs_no_picture_is_drawn_anyway(small_run, figures, script, described):
    folder = small_run(n_snapshots=1, description=described)
    done = script("visualize.py", "run")
    assert (done.returncode, done.stderr) == (0, "")
    first, *others = done.stdout.splitlines()
    assert first == "no digits, weights, mistakes, weights.gif: the model's inputs are not pictures"
    assert names(folder / "figures") == ["confusion_matrix.png", "learning_curves.png"]
    assert len(others) == 2
    (folder.parent / "small.npz").unlink()
    missing = dlt.visualize(folder).missing
    assert missing.startswith("no confusion_matrix, which needs the data set: ")


def test_examples_are_counted_by_the_names_of_their_labels(small_run, figures, tmp_path):
    x = np.repeat([[0.9], [0.0], [0.5], [0.9]], 4, axis=1)
    y = np.asarray(["8", "3", "5", "3"])
    sets = {"x_train": np.repeat(x, 3, axis=0), "y_train": np.repeat(y, 3)}
    np.savez(str(tmp_path / "others.npz"), x_test=x, y_test=y, **sets)
    folder, lines = small_run(description={**DESCRIBED, "labels": ["3", "8"]}), []
    found = dlt.visualize(folder, dataset="others.npz", log=lines.append).files
    assert "left out 1 test examples: the model does not have their labels" in lines
    assert "1 errors in 3 test examples" in found.values()
    above = [text.get_text() for text in figures["mistakes.png"].axes[0].texts]
    assert [text.split(":")[0] for text in above] == ["predicted 8"]
    assert above[0].endswith("right label 3")
    ticks = figures["confusion_matrix.png"].axes[0].xaxis.get_major_formatter()
    assert [ticks(k) for k in range(-1, 3)] == ["", "3", "8", ""]
    np.savez(str(tmp_path / "none.npz"), x=np.repeat(x[:2], 6, axis=0), y=np.repeat(["a", "b"], 6))
    message = "none.npz: found no test examples with its labels; expected labels of the model: 3, 8"
    with pytest.raises(dlt.DataError, match=message):
        dlt.visualize(folder, dataset="none.npz")


SNAPSHOT = os.path.join("snapshots", snapshot_name(60))
HEADER = b"iteration,epoch,train_loss,validation_error,patience,seconds,machine\n"
# The message, and what is wrong: a file's name and content, or an argument.
REFUSED = {
    "best_params.npz: found no file there; expected": ("best_params.npz", None),
    "history.csv: found no file there; expected a history": ("history.csv", None),
    "history.csv, history: found no rows; expected": ("history.csv", HEADER),
    "000060.npz: found a damaged zip archive": (SNAPSHOT, b"PK\3\4"),
    "000060.npz: found W (9, 2); expected (4, 2), as ": (SNAPSHOT, 9),
    "npz: found a file; expected a run folder; name ": {"run_folder": "run/best_params.npz"},
    "digits: found examples of 784 values; expected 4, as the model has; ": {"dataset": "digits"},
    "format: found 'jpg'; expected one of png, svg, pdf": {"format": "jpg"},
    "examples: found 'train'; expected one of valid, test": {"examples": "train"},
    "/dev/null/x: found a folder that cannot be written (Not a directory); expected one for the "
    "figures; ": {"output_dir": "/dev/null/x"},
}


@pytest.mark.parametrize("message, wrong", REFUSED.items())
def test_what_cannot_be_drawn_gets_one_line_and_nothing_is_written(small_run, wrong, message):
    folder, settings = small_run(n_snapshots=2), {}
    if isinstance(wrong, dict):
        settings = wrong
    else:
        name, content = wrong
        (folder / name).unlink()
        if isinstance(content, int):
            dlt.save_params(folder / name, {"W": np.ones((content, 2)), "b": np.zeros(2)})
        elif content is not None:
            (folder / name).write_bytes(content)
    with pytest.raises(DltError) as error:
        dlt.visualize(**{"run_folder": folder, **settings})
    assert message in str(error.value) and "\n" not in str(error.value)
    assert not (folder / "figures").exists()


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


def test_links_in_the_run_folder_are_replaced_and_not_followed(small_run, tmp_path):
    run, outside = small_run(), tmp_path / "outside"
    victim = outside / "weights.png"
    outside.mkdir()
    victim.write_bytes(b"not ours")
    (run / "figures").symlink_to(outside)
    with pytest.raises(dlt.SettingsError, match="figures: found a link; expected a folder of the"):
        dlt.visualize(run)
    (run / "figures").unlink()
    (run / "figures").mkdir()
    (run / "figures" / "weights.png").symlink_to(victim)
    dlt.visualize(run)
    assert not (run / "figures" / "weights.png").is_symlink()
    assert names(outside) == ["weights.png"] and victim.read_bytes() == b"not ours"
