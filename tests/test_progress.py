"""Progress: nothing but lines where there is neither a terminal nor a notebook."""

import fcntl
import os
import pty
import struct
import sys
import termios

import pytest
from conftest import ROOT

import dlt
from dlt.progress import Progress

LINES = "line 0\nline 1\nline 2\n"


def make_progress(show=None):
    with Progress(3, "minibatch", show, log=print) as progress:
        for i in range(3):
            progress.advance(1)
            progress.say(f"line {i}")


def test_captured_output_is_lines_alone(capsys):
    make_progress()
    assert capsys.readouterr() == (LINES, "")


def test_without_stderr_there_is_no_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    make_progress(show=True)
    assert capsys.readouterr().out == LINES


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with open(follower, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        make_progress()
        os.set_blocking(leader, False)
        shown = os.read(leader, 65536).decode()  # before the follower is closed, or it is gone
    os.close(leader)
    assert capsys.readouterr().out == LINES
    assert "minibatch" in shown and "/3" in shown


def test_the_bar_of_a_resumed_run_begins_where_that_is(capsys, blobs, tmp_path):
    x, y = dlt.T.matrix("x"), dlt.T.ivector("y")
    model = dlt.LogisticRegression(x, n_in=2, n_out=3)
    NLL = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    trainer = dlt.Trainer(model, y, NLL, *blobs[:2], batch_size=10)
    trainer.run(n_epochs=2, folder=dlt.RunFolder(tmp_path))
    assert capsys.readouterr().err == ""
    trainer.run(n_epochs=3, folder=dlt.RunFolder(tmp_path), resume=True, progress=True)
    shown = capsys.readouterr().err
    assert "| 20/30 [" in shown and "| 0/30 [" not in shown


def test_the_total_may_change_and_a_note_stand_beside_it(capsys):
    with Progress(5001, "minibatch", True) as progress:
        progress.move(83, 9962)
        progress.note("validation error 7.5 %")
        progress._bar.refresh()
    shown = capsys.readouterr().err
    assert "0/5001" in shown and "83/9962" in shown
    assert "validation error 7.5 %]" in shown


TRAINING = """
import dlt
x, y = dlt.T.matrix("x"), dlt.T.ivector("y")
model = dlt.LogisticRegression(x, n_in=784, n_out=10)
NLL = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
dlt.train(model, y, NLL, dlt.load_data("digits"), batch_size=20, n_epochs=4)
"""
# As in a kernel that never had the widgets: tqdm looks for them when it is imported.
WITHOUT_WIDGETS = """
import sys
for name in [name for name in sys.modules if name.partition(".")[0] == "tqdm"]:
    del sys.modules[name]
sys.modules["ipywidgets"] = None
"""


@pytest.mark.slow  # starts a Jupyter kernel
def test_a_notebook_shows_the_result_and_one_bar_or_one_line_that_changes():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipywidgets")
    cells = [nbformat.v4.new_code_cell(code) for code in (TRAINING, WITHOUT_WIDGETS + TRAINING)]
    client = nbclient.NotebookClient(
        nbformat.v4.new_notebook(cells=cells), timeout=300, resources={"metadata": {"path": ROOT}}
    )
    with_widgets, without = (cell.outputs for cell in client.execute().cells)

    assert [output.output_type for output in with_widgets] == ["display_data", "execute_result"]
    shown, result = (output.data for output in with_widgets)
    assert "application/vnd.jupyter.widget-view+json" in shown
    widgets = client.widget_state.values()
    (bar,) = [w for w in widgets if w["_model_name"] == "FloatProgressModel"]
    assert bar["value"] == bar["max"] == 240 and bar["bar_style"] != "danger"
    assert result["text/html"].startswith("<table><caption>ended after the last epoch")

    *line, result = without
    assert {(part.output_type, part.name) for part in line} == {("stream", "stderr")}
    text = "".join(part.text for part in line)
    assert "\n" not in text and "240/240 [" in text and "validation error " in text
    assert "text/html" in result.data
