"""Progress: nothing but lines where there is neither a terminal nor a notebook."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest
from conftest import ROOT

CODE = (
    "from dlt.progress import Progress\n"
    "with Progress(3, 'minibatch', log=print) as progress:\n"
    "    for i in range(3):\n"
    "        progress.advance(1)\n"
    "        progress.say('line %d' % i)\n"
)


def test_piped_output_is_lines_alone():
    process = subprocess.run(
        [sys.executable, "-c", CODE], cwd=str(ROOT), capture_output=True, text=True
    )
    assert (process.stdout, process.stderr) == ("line 0\nline 1\nline 2\n", "")


def test_without_stderr_there_is_no_bar():
    code = CODE.replace("'minibatch'", "'minibatch', True")
    process = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, code],
        cwd=str(ROOT), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert (process.returncode, process.stdout) == (0, "line 0\nline 1\nline 2\n")


def test_a_terminal_gets_a_bar():
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.run(
        [sys.executable, "-c", CODE], cwd=str(ROOT), stdout=subprocess.PIPE, stderr=follower
    )
    os.set_blocking(leader, False)
    shown = os.read(leader, 65536).decode()  # before the follower is closed, or it is gone
    os.close(follower)
    os.close(leader)
    assert process.stdout.decode() == "line 0\nline 1\nline 2\n"
    assert "minibatch" in shown and "/3" in shown


def test_a_bar_begins_where_an_earlier_one_ended():
    code = CODE.replace("Progress(3, ", "Progress(10, ").replace("log=print", "log=print, done=7")
    code = code.replace("'minibatch'", "'minibatch', True")
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=str(ROOT), capture_output=True, text=True
    )
    assert "7/10" in process.stderr and "0/10 " not in process.stderr.replace("10/10", "")


def test_the_total_may_change_and_a_note_stand_beside_it():
    code = (
        "from dlt.progress import Progress\n"
        "with Progress(5001, 'minibatch', True) as progress:\n"
        "    progress.expect(9962)\n"
        "    progress.note('validation error 7.5 %')\n"
        "    progress._bar.refresh()\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=str(ROOT), capture_output=True, text=True
    )
    assert "0/5001" in process.stderr and "0/9962" in process.stderr
    assert "validation error 7.5 %]" in process.stderr


NOTEBOOK = """
import sys
{}
import dlt
x, y = dlt.T.matrix("x"), dlt.T.ivector("y")
model = dlt.LogisticRegression(x, n_in=784, n_out=10)
NLL = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
dlt.train(model, y, NLL, dlt.load_data("digits"), batch_size=20, n_epochs=4)
"""


def outputs_in_a_notebook(first_line):
    """Run a training in a notebook cell; its outputs, as its user sees them, and the widgets."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(NOTEBOOK.format(first_line))]
    )
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": ROOT}})
    return client.execute().cells[0].outputs, client.widget_state


def test_a_notebook_shows_one_bar_and_the_result():
    pytest.importorskip("ipywidgets")
    outputs, widgets = outputs_in_a_notebook("")
    assert [output.output_type for output in outputs] == ["display_data", "execute_result"]
    shown, result = (output.data for output in outputs)
    assert "application/vnd.jupyter.widget-view+json" in shown
    (bar,) = [w for w in widgets.values() if w["_model_name"] == "FloatProgressModel"]
    assert bar["value"] == bar["max"] == 240 and bar["bar_style"] != "danger"
    assert result["text/html"].startswith("<table><caption>ended with the last epoch asked for")


def test_a_notebook_without_widgets_shows_one_line_that_changes():
    outputs, _ = outputs_in_a_notebook("sys.modules['ipywidgets'] = None")
    *bar, result = outputs
    assert {(part.output_type, part.name) for part in bar} == {("stream", "stderr")}
    text = "".join(part.text for part in bar)
    assert "\n" not in text and "240/240 [" in text and "validation error " in text
    assert "text/html" in result.data
