"""A run drawn from its files: by the function, and by scripts/visualize.py as a process."""

import os
import subprocess
import sys
import xml.dom.minidom

import matplotlib.font_manager  # noqa: F401  makes its cache, or a script would tell of it
import numpy as np
import pytest
from conftest import MODE_FLAGS, ROOT, bare_environment
from PIL import Image

import dlt
from dlt import visualization
from dlt.errors import DataError, DltError, SettingsError
from dlt.run_folder import list_snapshots, snapshot_name

SCRIPT = ROOT / "scripts" / "visualize.py"
DRAWN = ["confusion_matrix", "digits", "learning_curves", "mistakes", "weights"]


def run_script(*args, cwd=ROOT, before=(), **environ):
    environ = bare_environment(**dict(MODE_FLAGS, MPLBACKEND="TkAgg", **environ))
    environ.pop("DISPLAY", None)
    return subprocess.run(
        [sys.executable, *before, str(SCRIPT), *map(str, args)],
        cwd=str(cwd), env=environ, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def nearest_mean(x, y, n_out=10):
    """Give the linear model that chooses the label whose mean is nearest: no training needed."""
    means = np.stack([x[y == label].mean(axis=0) for label in range(n_out)])
    return {"W": means.T.copy(), "b": -0.5 * (means**2).sum(axis=1)}


def write_run(folder, params=None, n_snapshots=3, **settings):
    """Write the files of a run that visualize.py reads."""
    (x, y), _, _ = dlt.load_data("digits")
    params = nearest_mean(x.astype("float64"), y) if params is None else params
    settings = dict({"dataset": "digits", "l1": 0.0, "l2": 0.0}, **settings)
    os.makedirs(str(folder / "snapshots"))
    dlt.save_params(folder / "best_params.npz", params, settings=settings)
    history = [
        dlt.HistoryRow(60 * i, i, 1 / i, (30 - i) / 297, 5000.0, 0.1 * i) for i in range(1, 8)
    ]
    dlt.write_history(folder / "history.csv", history)
    for i in range(1, n_snapshots + 1):
        part = {name: array * (i / n_snapshots) for name, array in params.items()}
        dlt.save_params(folder / "snapshots" / snapshot_name(60 * i), part, settings=settings)
    return params


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """One run in runs/logreg, drawn as the script does without arguments."""
    folder = tmp_path_factory.mktemp("elsewhere")
    params = write_run(folder / "runs" / "logreg")
    return folder / "runs" / "logreg", params, run_script(cwd=folder)


def count_errors(params, data_set):
    x, y = data_set
    return int(((x @ params["W"] + params["b"]).argmax(axis=1) != y).sum())


def test_every_figure_is_written_and_told_in_a_line(drawn):
    folder, params, process = drawn
    assert (process.returncode, process.stderr) == (0, "")
    n_errors = count_errors(params, dlt.load_data("digits")[2])
    assert 10 < n_errors < 100
    where = os.path.join("runs", "logreg", "figures")
    assert process.stdout.splitlines() == [
        os.path.join(where, line)
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
    for name in DRAWN:
        with Image.open(folder / "figures" / (name + ".png")) as picture:
            assert (picture.format, picture.width) == ("PNG", 1200)
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 10  # something is on it


def test_the_figures_are_those_of_the_library(drawn, tmp_path):
    folder, params, _ = drawn
    (x, y), _, (test_x, test_y) = dlt.load_data("digits")
    score = (test_x @ params["W"] + params["b"]).argmax(axis=1)
    history = dlt.read_history(folder / "history.csv")
    expected = {
        "digits": dlt.plot_digits(x[:50], y[:50], title="The first 50 training examples"),
        "weights": dlt.plot_weights(params["W"]),
        "learning_curves": dlt.plot_learning_curves(
            history, loss_label="training NLL\n(nats per example)"
        ),
        "confusion_matrix": dlt.plot_confusion_matrix(test_y, score, 10, what="test examples"),
    }
    for name, figure in expected.items():
        dlt.save_figure(tmp_path / "expected.png", figure)
        with Image.open(tmp_path / "expected.png") as one:
            with Image.open(folder / "figures" / (name + ".png")) as other:
                np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


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


def test_a_snapshot_with_an_error_that_is_none_has_no_error(tmp_path, monkeypatch):
    write_run(tmp_path / "run", n_snapshots=2)
    rows = dlt.read_history(tmp_path / "run" / "history.csv")
    rows[0] = rows[0]._replace(validation_error=float("nan"))
    dlt.write_history(tmp_path / "run" / "history.csv", rows)
    found = []

    def animate(weights, captions):
        found.extend(captions)
        return [Image.new("L", (8, 8))]

    monkeypatch.setattr(visualization.plotting, "animate_weights", animate)
    dlt.visualize(tmp_path / "run")
    assert found == [
        "Weights after 60 updates",
        "Weights after 120 updates, validation error 9.43 %",
    ]


@pytest.mark.parametrize("patience, extended", [(5000, 0), (100, 1), (None, 0), ("x", 0)])
def test_patience_extended_at_the_first_validation_is_marked(
    tmp_path, monkeypatch, patience, extended
):
    write_run(tmp_path / "run", n_snapshots=0, patience=patience)
    figures = []

    def keep(path, figure):
        figures.append(figure)
        open(str(path), "w").close()

    monkeypatch.setattr(visualization.plotting, "save_figure", keep)
    dlt.visualize(tmp_path / "run")
    (marks,) = [
        [line for line in figure.axes[1].lines if line.get_label() == "patience extended"]
        for figure in figures
        if len(figure.axes) > 1 and figure.axes[1].get_ylabel() == "validation error (%)"
    ]
    assert len(marks) == extended


def test_it_never_loads_the_training_code(drawn, tmp_path):
    folder, _, _ = drawn
    code = (
        "import runpy, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "try:\n"
        "    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    print('exit code', end.code)\n"
        "print('loaded', *sorted(sys.modules))\n"
    )
    process = run_script(folder, "--output-dir", tmp_path, before=("-c", code))
    assert (process.returncode, process.stderr) == (0, "")
    *_, code, loaded = process.stdout.splitlines()
    assert code == "exit code 0"
    loaded = loaded.split()
    assert "dlt.plotting" in loaded and "dlt.prediction" in loaded
    for name in ("dlt.training", "dlt.sgd", "dlt.resuming", "matplotlib.pyplot", "tkinter"):
        assert name not in loaded


def test_formats_sets_and_folders(drawn, tmp_path):
    folder, params, _ = drawn
    n_errors = count_errors(params, dlt.load_data("digits")[1])
    out = tmp_path / "a" / "b"
    found = dlt.visualize(folder, out, format="svg", dataset="digits", examples="valid")
    assert names(out) == sorted([*(n + ".svg" for n in DRAWN), "weights.gif"])
    assert sorted(found.files) == [str(out / name) for name in names(out)]
    what = "{} errors in 297 validation examples".format(n_errors)
    assert found.files[str(out / "confusion_matrix.svg")] == what and found.missing is None
    for name in DRAWN:
        xml.dom.minidom.parse(str(out / (name + ".svg")))
    dlt.visualize(folder, tmp_path, format="pdf")
    assert (tmp_path / "mistakes.pdf").read_bytes().startswith(b"%PDF")


def test_drawing_again_gives_the_same_files(drawn, tmp_path):
    folder, _, _ = drawn
    dlt.visualize(folder, tmp_path)
    for name in names(tmp_path):
        assert (tmp_path / name).read_bytes() == (folder / "figures" / name).read_bytes(), name


def test_figures_of_an_earlier_model_do_not_stay(tmp_path):
    write_run(tmp_path / "run", n_snapshots=2)
    figures = tmp_path / "run" / "figures"
    for format in ("png", "svg"):
        dlt.visualize(tmp_path / "run", format=format)
    (figures / "notes.txt").write_text("mine")
    for path in (tmp_path / "run" / "snapshots").iterdir():
        path.unlink()
    settings = {"dataset": "no such data set"}
    params = {"W": np.ones((784, 10)), "b": np.zeros(10)}
    dlt.save_params(tmp_path / "run" / "best_params.npz", params, settings=settings)
    for path in figures.iterdir():  # clocks of file systems may be slow
        os.utime(str(path), (1000000000, 1000000000))
    lines = []
    dlt.visualize(tmp_path / "run", log=lines.append)
    assert names(figures) == ["learning_curves.png", "notes.txt", "weights.png"]
    gone = ["digits.png", "digits.svg", "weights.svg", "learning_curves.svg",
            "confusion_matrix.png", "confusion_matrix.svg", "mistakes.png", "mistakes.svg",
            "weights.gif"]  # fmt: skip
    expected = ["removed {}, which is older than the model".format(figures / n) for n in gone]
    assert [line for line in lines if line.startswith("removed")] == expected


def test_a_figure_is_as_old_as_its_model_whenever_it_was_drawn(tmp_path):
    write_run(tmp_path / "run", n_snapshots=0)
    model = tmp_path / "run" / "best_params.npz"
    os.utime(str(model), (1500000000, 1500000000))
    dlt.visualize(tmp_path / "run")
    figures = tmp_path / "run" / "figures"
    assert {path.stat().st_mtime_ns for path in figures.iterdir()} == {1500000000 * 10**9}
    os.utime(str(model), (1500000001, 1500000001))  # the next, while those were drawn
    (figures / "digits.pdf").mkdir()  # the user's
    dlt.visualize(tmp_path / "run", format="svg")
    assert names(figures) == sorted(["digits.pdf", *(name + ".svg" for name in DRAWN)])


def test_links_in_the_run_folder_are_replaced_and_not_followed(tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    write_run(run, n_snapshots=0)
    victim = outside / "weights.png"
    outside.mkdir()
    victim.write_bytes(b"not ours")
    (run / "figures").symlink_to(outside)
    with pytest.raises(SettingsError, match="figures': found a link; expected a folder of the"):
        visualization.visualize(run)
    (run / "figures").unlink()
    (run / "figures").mkdir()
    (run / "figures" / "weights.png").symlink_to(victim)
    visualization.visualize(run)
    assert not (run / "figures" / "weights.png").is_symlink()
    assert names(outside) == ["weights.png"] and victim.read_bytes() == b"not ours"


def test_figures_of_the_same_model_stay(tmp_path, monkeypatch):
    write_run(tmp_path / "run")
    for format in ("svg", "png"):  # in two formats
        dlt.visualize(tmp_path / "run", format=format)
    monkeypatch.setattr(visualization, "load_data", unreachable)
    assert dlt.visualize(tmp_path / "run").missing is not None  # the data is not there, for once
    everything = ["{}.{}".format(name, format) for name in DRAWN for format in ("png", "svg")]
    assert names(tmp_path / "run" / "figures") == sorted([*everything, "weights.gif"])


def unreachable(dataset, log):
    raise DataError(dataset, "nothing", "a data set", "wait")


def test_an_error_that_is_no_number_is_not_the_lowest(tmp_path):
    write_run(tmp_path / "run", n_snapshots=0)
    rows = dlt.read_history(tmp_path / "run" / "history.csv")
    rows[0] = rows[0]._replace(validation_error=float("nan"))
    path = str(tmp_path / "run" / "figures" / "learning_curves.png")
    for history, expected in ((rows, "7 validations, the lowest error 7.74 %"),
                              (rows[:1], "1 validation")):  # fmt: skip
        dlt.write_history(tmp_path / "run" / "history.csv", history)
        assert dlt.visualize(tmp_path / "run").files[path] == expected


def test_nothing_is_removed_from_a_folder_of_the_users(tmp_path):
    write_run(tmp_path / "run", n_snapshots=0, dataset="no such data set")
    (tmp_path / "mine").mkdir()
    for name in ("weights.gif", "digits.png", "weights.svg"):
        (tmp_path / "mine" / name).write_text("mine")
        os.utime(str(tmp_path / "mine" / name), (1000000000, 1000000000))
    dlt.visualize(tmp_path / "run", tmp_path / "mine")
    for name in ("weights.gif", "digits.png", "weights.svg"):
        assert (tmp_path / "mine" / name).read_text() == "mine"


def test_a_model_that_is_replaced_meanwhile_is_not_mixed_with_the_new_one(tmp_path):
    params = write_run(tmp_path / "run", n_snapshots=0)
    n_errors = count_errors(params, dlt.load_data("digits")[2])
    digits = tmp_path / "digits.npz"
    (x, y), (valid_x, valid_y), (test_x, test_y) = dlt.load_data("digits")
    np.savez(
        str(digits), x_train=np.concatenate([x, valid_x]), y_train=np.concatenate([y, valid_y]),
        x_test=test_x, y_test=test_y,
    )  # fmt: skip

    def replace(line):  # what training does as soon as it finds a better one
        other = {"W": np.zeros((784, 10)), "b": np.zeros(10)}
        dlt.save_params(tmp_path / "run" / "best_params.npz", other)

    dlt.visualize(tmp_path / "run", tmp_path / "expected", dataset=digits)
    found = dlt.visualize(tmp_path / "run", tmp_path / "found", dataset=digits, log=replace)
    assert "{} errors in 300 test examples".format(n_errors) in found.files.values()
    for name in names(tmp_path / "expected"):
        same = (tmp_path / "expected" / name).read_bytes()
        assert (tmp_path / "found" / name).read_bytes() == same, name


def test_a_snapshot_that_a_run_drops_meanwhile_is_left_out(tmp_path, monkeypatch):
    write_run(tmp_path / "run", n_snapshots=3)
    snapshots = list_snapshots(tmp_path / "run")
    os.unlink(snapshots[0][1])
    monkeypatch.setattr(visualization, "list_snapshots", lambda folder: snapshots)
    found = dlt.visualize(tmp_path / "run")
    path = str(tmp_path / "run" / "figures" / "weights.gif")
    assert found.files[path] == "2 of 3 snapshots, after 120 to 180 updates"


def test_a_run_that_counted_whole_minibatches_has_other_figures_and_is_told_so(tmp_path):
    write_run(tmp_path / "run", n_snapshots=0, drop_last=True)
    found = dlt.visualize(tmp_path / "run")
    (what,) = [what for path, what in found.files.items() if "confusion" in path]
    assert what.endswith(
        " errors in 300 test examples (all of them; the run counted whole minibatches only)"
    )


def test_a_file_is_no_run_folder(tmp_path):
    write_run(tmp_path / "run", n_snapshots=0)
    with pytest.raises(DataError, match="params.npz: found a file; expected a run folder; name "):
        dlt.visualize(tmp_path / "run" / "best_params.npz")


def test_a_small_run_of_two_labels_without_snapshots(tmp_path, rng):
    """Two labels, one validation, a penalty, no mistakes, pixels in fields of 2 x 2."""
    y = np.arange(8) % 2
    x = np.repeat(0.9 * y[:, None], 4, axis=1)
    np.savez(str(tmp_path / "data.npz"), x_train=x, y_train=y, x_test=x, y_test=y)
    W = np.array([[-1.0, 1.0]] * 4)
    write_run(
        tmp_path / "run", {"W": W, "b": np.array([1.8, -1.8])}, n_snapshots=0, l2=0.5,
        dataset=str(tmp_path / "data.npz"),
    )  # fmt: skip
    dlt.write_history(
        tmp_path / "run" / "history.csv", [dlt.HistoryRow(1, 1, 0.7, 0.0, 5000.0, 0.1)]
    )
    lines = []
    found = dlt.visualize(tmp_path / "run", log=lines.append)
    assert list(found.files.values()) == [
        "the first 7 training examples",
        "weights of 2 labels, -1 to 1",
        "1 validation, the lowest error 0.00 %",
        "0 errors in 8 test examples",
        "the most confident of 0 mistakes",
    ]
    assert lines == [
        "no weights.gif: the run kept no snapshots; train with snapshot_every (--snapshot-every 1)"
    ]
    assert names(tmp_path / "run" / "figures") == [name + ".png" for name in DRAWN]


def test_of_many_snapshots_a_hundred_are_drawn(tmp_path):
    write_run(tmp_path / "run", {"W": np.eye(4)[:, :2], "b": np.zeros(2)}, n_snapshots=150)
    found = dlt.visualize(tmp_path / "run")
    path = str(tmp_path / "run" / "figures" / "weights.gif")
    assert found.files[path] == "100 of 150 snapshots, after 60 to 9000 updates"
    with Image.open(path) as animation:
        assert animation.n_frames == 100
    # the digits have 784 pixels, the model 4: these are not the data it was trained on
    assert "expected 4 values and labels up to 1, as the model has" in found.missing


WITHOUT_DATA = ["learning_curves.png", "weights.gif", "weights.png"]


@pytest.mark.parametrize(
    "settings, found",
    [
        ({"dataset": "nowhere.pkl.gz"}, "nowhere.pkl.gz: found no such file or folder;"),
        ({"dataset": "a\x1b[2Jb\n"}, r"a\x1b[2Jb\n: found no such file or folder;"),
        ({"dataset": 7}, "DLT_DATA: found 'no such folder', which is no folder;"),
    ],
)
def test_without_the_data_the_other_figures_are_drawn(tmp_path, monkeypatch, settings, found):
    monkeypatch.setenv("DLT_DATA", "no such folder")
    write_run(tmp_path / "run", **settings)
    missing = dlt.visualize(tmp_path / "run").missing
    assert names(tmp_path / "run" / "figures") == WITHOUT_DATA
    assert "\n" not in missing and "\x1b" not in missing
    start = "no digits, confusion_matrix and mistakes, which need the data set: " + found
    assert missing.startswith(start) and missing.endswith("; name it as dataset (--dataset)")


def test_the_script_says_what_is_missing_and_ends_with_1(tmp_path):
    write_run(tmp_path / "run", dataset="nowhere.gz", n_snapshots=0)
    process = run_script(tmp_path / "run")
    assert process.returncode == 1 and process.stderr.count("\n") == 1
    assert process.stderr.startswith("no digits, confusion_matrix and mistakes, which need the ")
    assert process.stdout.startswith("no weights.gif: the run kept no snapshots; train with ")
    assert len(process.stdout.splitlines()) == 3


def spoil(path, content=None, **params):
    """Give a function that replaces a file of the run."""

    def act(folder):
        if content is not None:
            (folder / path).write_bytes(content)
        elif params:
            dlt.save_params(folder / path, params)
        else:
            (folder / path).unlink()

    return act


ROW = b"iteration,epoch,train_loss,validation_error,patience,seconds\n"
NAN = {"W": np.full((784, 10), np.nan), "b": np.zeros(10)}
ODD_SIDE = {"W": np.ones((783, 10)), "b": np.zeros(10)}
OTHER = {"W": np.ones((4, 10)), "b": np.zeros(10)}
SNAPSHOT = os.path.join("snapshots", snapshot_name(60))
BROKEN = {
    "no model": (spoil("best_params.npz"), "best_params.npz: found no file there; expected"),
    "model is text": (spoil("best_params.npz", b"hello"), "best_params.npz: found a file that beg"),
    "model is NaN": (spoil("best_params.npz", **NAN), "best_params.npz: found NaN or infinite"),
    "model is something else": (
        spoil("best_params.npz", x=np.ones(3)),
        "best_params.npz: found the arrays x (3,); expected W",
    ),
    "no square": (
        spoil("best_params.npz", **ODD_SIDE),
        "best_params.npz': W: found pictures of 783 pixels;",
    ),
    "no history": (spoil("history.csv"), "history.csv: found no file there; expected a history"),
    "history is HTML": (spoil("history.csv", b"<html>"), "history.csv: found an HTML page;"),
    "history is empty": (
        spoil("history.csv", ROW),
        "history.csv': history: found no rows; expected",
    ),
    "error of 5": (
        spoil("history.csv", ROW + b"1,1,1.0,5.0,9.0,1.0\n"),
        "history.csv': history: found a validation error of 5; expected fractions",
    ),
    "backwards": (
        spoil("history.csv", ROW + b"2,1,1.0,0.5,9.0,1.0\n1,1,1.0,0.5,9.0,1.0\n"),
        "history.csv': history: found iterations that do not grow;",
    ),
    "snapshot cut off": (spoil(SNAPSHOT, b"PK\3\4"), "000060.npz: found a damaged zip archive"),
    "snapshot is NaN": (spoil(SNAPSHOT, **NAN), "000060.npz: found NaN or infinite parameters"),
    "another model's": (
        spoil(SNAPSHOT, **OTHER),
        "run': weights: found the shapes (4, 10) and (784, 10); expected one shape",
    ),
}


@pytest.mark.parametrize("act, message", BROKEN.values(), ids=BROKEN)
def test_bad_files_get_one_line_and_nothing_is_written(tmp_path, act, message):
    write_run(tmp_path / "run")
    act(tmp_path / "run")
    with pytest.raises(DltError) as error:
        dlt.visualize(tmp_path / "run")
    assert message in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "run" / "figures").exists()


BAD = {
    "no folder": (["nowhere"], "nowhere: found no such folder or file; expected a run folder"),
    "data set": (["run", "--dataset", "nowhere.gz"], "nowhere.gz: found no such file or folder;"),
    "format": (["run", "--format", "jpg"], "argument --format: invalid choice: 'jpg'"),
    "set": (["run", "--examples", "train"], "argument --examples: invalid choice: 'train'"),
    "output": (
        ["run", "--output-dir", "/dev/null/x"],
        "error: '/dev/null/x': found a folder that cannot be written (Not a directory); expected",
    ),
    "output is a file": (
        ["run", "--output-dir", "run/history.csv"],
        "found a folder that cannot be written (File exists); expected one for the figures; ",
    ),
    "option": (["run", "--fmt", "svg"], "unrecognized arguments: --fmt svg"),
}


@pytest.mark.parametrize("args, message", BAD.values(), ids=BAD)
def test_bad_options_get_one_line_and_code_2(tmp_path, args, message):
    write_run(tmp_path / "run", n_snapshots=0)
    process = run_script(*args, cwd=tmp_path)
    assert (process.returncode, process.stderr.count("\n")) == (2, 1)
    assert message in process.stderr
    assert not (tmp_path / "run" / "figures").exists()


def test_a_data_set_that_was_named_and_does_not_fit_is_an_error(tmp_path):
    write_run(tmp_path / "run", {"W": np.ones((784, 9)), "b": np.zeros(9)}, n_snapshots=0)
    with pytest.raises(DataError) as error:
        dlt.visualize(tmp_path / "run", dataset="digits")
    assert str(error.value) == (
        "digits: found examples of 784 values and labels up to 9; expected 784 values and "
        "labels up to 8, as the model has; use the data set it was trained on"
    )


@pytest.mark.parametrize("setting", [{"format": "jpg"}, {"examples": "train"}])
def test_what_is_no_choice_is_refused(tmp_path, setting):
    ((name, value),) = setting.items()
    with pytest.raises(SettingsError, match="{}: found '{}'; expected one of ".format(name, value)):
        dlt.visualize(tmp_path, **setting)


def test_help_names_every_option():
    process = run_script("--help")
    assert (process.returncode, process.stderr) == (0, "")
    for option in ("RUN_FOLDER", "--output-dir", "--format", "--dataset", "--examples"):
        assert option in process.stdout
