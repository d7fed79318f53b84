"""What a model says of pictures and rows, by the functions and by scripts/predict.py."""

import csv
import functools
import gzip

import numpy as np
import pytest
from PIL import Image

import dlt
from dlt.answers import Answer, picture_answers, row_answers, rows_to_predict, write_answers
from dlt.errors import DataError, SettingsError

# Pictures of 2 x 3 pixels: "left" if the first column is bright, "right" if the last is.
LEFT = np.asarray([[250, 10, 0], [240, 0, 5]], np.uint8)
DESCRIPTION = {
    "scale": 256, "height": 2, "width": 3, "labels": ["left", "right"], "ground": None,
    "centred": False,
}  # fmt: skip
W = np.asarray([[1.0, 0, -1, 1, 0, -1], [-1, 0, 1, -1, 0, 1]]).T


@pytest.fixture
def save_model(tmp_path, monkeypatch):
    """Save a model as ./model.npz, and return its predictor."""
    monkeypatch.chdir(tmp_path)

    def save(W=W, **settings):
        settings = {"description": DESCRIPTION, **settings}
        dlt.save_params("model.npz", {"W": W, "b": np.zeros(W.shape[1])}, settings)
        return dlt.Predictor("model.npz")

    return save


@pytest.fixture
def predict(script):
    return functools.partial(script, "predict.py", "--model", "model.npz")


def save_pictures(folder):
    folder.mkdir()
    Image.fromarray(LEFT).save(folder / "a.png")
    Image.fromarray(LEFT[:, ::-1]).save(folder / "c.png")
    (folder / "b.png").write_bytes(b"no picture")


# e^s / (e^s + e^-s) for s = (250 + 240 - 5) / 256
P = 1 / (1 + np.exp(-2 * 485 / 256))


def test_one_bad_picture_does_not_stop_the_others(save_model, predict, tmp_path):
    save_model()
    save_pictures(tmp_path / "mine")
    (tmp_path / "empty").mkdir()
    done = predict("mine", "empty", "none.png", "mine/a.png", "--output", "predictions.csv")
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        f"mine/a.png: left, probability {P:.3f} (taken as it is)",
        f"mine/c.png: right, probability {P:.3f} (taken as it is)",
        f"mine/a.png: left, probability {P:.3f} (taken as it is)",
        "wrote predictions.csv, 3 predictions",
    ]
    starts = ["error: mine/b.png: found a file of another kind; ",
              "error: empty: found a folder without pictures; ",
              "error: none.png: found no file there; "]  # fmt: skip
    lines = done.stderr.splitlines()
    assert len(lines) == 3 and all(line.startswith(s) for line, s in zip(lines, starts))
    with open("predictions.csv", newline="") as file:
        assert list(csv.reader(file)) == [
            ["file", "label", "probability"],
            ["mine/a.png", "left", f"{P:.6f}"],
            ["mine/c.png", "right", f"{P:.6f}"],
            ["mine/a.png", "left", f"{P:.6f}"],
        ]


def test_a_model_of_rows_refuses_pictures_in_one_line(save_model, predict, tmp_path):
    save_model(description={**DESCRIPTION, "height": None, "width": None})
    save_pictures(tmp_path / "mine")
    done = predict("mine/a.png")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: model.npz: found a model whose inputs are not pictures; ")


HEADER = "pixel0,pixel1,pixel2,pixel3,pixel4,pixel5\n"
ROWS = "".join(",".join(map(str, a.ravel().tolist())) + "\n" for a in (LEFT, LEFT[:, ::-1]))


@pytest.mark.parametrize("header", [HEADER, ""])
@pytest.mark.parametrize("zipped", [False, True])
def test_all_rows_of_a_file_without_labels_are_predicted(save_model, predict, header, zipped):
    save_model()
    with (gzip.open if zipped else open)("test.csv", "wt") as file:
        file.write(header + 10 * ROWS)
    done = predict("--dataset", "test.csv")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 20 and lines[:2] == [
        f"row 0: left, probability {P:.3f}",
        f"row 1: right, probability {P:.3f}",
    ]
    assert predict("--dataset", "test.csv", "--n-examples", "1").stdout.splitlines() == lines[:1]
    done = predict("--dataset", "test.csv", "--output", "out.csv")
    assert done.stdout == "wrote out.csv, 20 predictions\n"
    with open("out.csv") as file:
        assert file.readlines()[2] == f"1,right,{P:.6f}\n"


def test_rows_without_labels_that_do_not_fit_are_refused(save_model, predict):
    save_model()
    with open("test.csv", "w") as file:
        file.write("a,b\n1,2\n")
    done = predict("--dataset", "test.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "x: found rows of 2 values; expected 6, as the model of " in done.stderr


def test_only_labels_that_the_model_can_give_are_counted(save_model, predict):
    save_model()
    x = np.stack([LEFT, LEFT[:, ::-1], LEFT, LEFT])
    y = ["left", "left", "right", "up"]
    train = np.repeat(x, 3, axis=0), np.repeat(y, 3)
    np.savez("data.npz", x_train=train[0], y_train=train[1], x_test=x, y_test=np.asarray(y))
    done = predict("--dataset", "data.npz")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"test example 0: left, probability {P:.3f}, right label left",
        f"test example 1: right, probability {P:.3f}, right label left",
        f"test example 2: left, probability {P:.3f}, right label right",
        f"test example 3: left, probability {P:.3f}, right label up",
        "2 of 3 wrong; 1 more have labels that the model cannot give",
    ]


def test_with_output_all_of_a_test_set_is_predicted(predict, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = {"W": np.eye(784)[:, :10], "b": np.zeros(10)}
    dlt.save_params("model.npz", params, {"dataset": "digits"})
    done = predict("--output", "out.csv")
    assert done.stdout.splitlines()[-1] == "wrote out.csv, 300 predictions"
    assert predict().stdout.count("test example") == 10


@pytest.mark.parametrize("answers, message", [
    ([], "out.csv: found no predictions; expected one or more"),
    ([Answer(0, "a", 1.0)], "out.csv: found a file that cannot be written"),
])  # fmt: skip
def test_what_cannot_be_written_is_refused(tmp_path, answers, message):
    with pytest.raises((DataError, SettingsError), match=message):
        write_answers(tmp_path / "no" / "out.csv", answers)


def test_a_label_cannot_change_the_terminal(save_model, tmp_path):
    predictor = save_model(description={**DESCRIPTION, "labels": ["\x1b[2J", "b"]})
    save_pictures(tmp_path / "mine")
    (answer,) = picture_answers(predictor, ["mine/a.png"])
    assert answer.label == "\\x1b[2J"


def test_pieces_are_predicted_as_a_whole_is(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    params = {"W": np.eye(784)[:, :10], "b": np.zeros(10)}
    dlt.save_params("model.npz", params)
    predictor = dlt.Predictor("model.npz")
    data_set = rows_to_predict(predictor, "digits")
    whole = list(row_answers(predictor, data_set, 25))
    monkeypatch.setattr("dlt.answers._PIECE", 10)
    assert list(row_answers(predictor, data_set, 25)) == whole and len(whole) == 25


@pytest.mark.parametrize("ground", ["dark", "light"])
def test_pictures_of_a_model_s_own_kind_are_recognised_and_those_of_the_other(tmp_path, ground):
    sets = [((256 * x).astype("u1"), y) for x, y in dlt.load_data("digits")]
    if ground == "light":
        sets = [(255 - x, y) for x, y in sets]
    (x, y), _, (test_x, _) = datasets = dlt.load_data(sets)
    assert datasets[0].description.ground == ground
    means = np.stack([x[y == label].mean(axis=0) for label in range(10)])  # the nearest one
    params = {"W": means.T, "b": -0.5 * (means**2).sum(axis=1)}
    settings = {"description": datasets[0].description._asdict()}
    dlt.save_params(tmp_path / "model.npz", params, settings)
    predictor = dlt.Predictor(tmp_path / "model.npz")
    expected = predictor.predict(test_x[:60])
    for folder, pixels in (("own", sets[2][0][:60]), ("other", 255 - sets[2][0][:60])):
        (tmp_path / folder).mkdir()
        for i, picture in enumerate(pixels):
            large = Image.fromarray(picture.reshape(28, 28)).resize((140, 140))
            large.save(tmp_path / folder / f"{i:02d}.png")
        answers = list(picture_answers(predictor, [tmp_path / folder]))
        assert {"inverted" in answer.note for answer in answers} == {folder == "other"}
        found = [int(answer.label) for answer in answers]
        assert np.mean(found == expected) >= 0.6  # scaling up and down makes other greys
