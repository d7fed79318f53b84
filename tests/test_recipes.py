"""The programs of docs/training.md print what it says, and resume bit for bit."""

import contextlib
import io
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import time
import types
from unittest import mock

import pytest
from conftest import MODE_FLAGS, ROOT

import dlt
from dlt import training

pytestmark = pytest.mark.skipif(
    bool(MODE_FLAGS), reason="compiles for minutes; test_trainer.py resumes with every linker"
)

TEXT = (ROOT / "docs" / "training.md").read_text("utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(TEXT)
SECTIONS = dict(section.split("\n", 1) for section in re.split("^##+ ", TEXT, flags=re.MULTILINE))

# Saves after every stretch, and is slow enough to kill between its first model and its end.
CHILD = """
import sys, time
from dlt.runs import saving
from test_recipes import RunFolder, run_program

saving._INTERVAL = saving._REST = 0
run_program(sys.argv[1], folder=RunFolder(sys.argv[2]), on_validation=lambda row: time.sleep(0.2))
"""
RunFolder = dlt.RunFolder


def run_program(section, **options):
    """Run a section's program with more options for `run`, and return its result."""

    class Trainer(dlt.Trainer):
        def run(self, **given):
            return super().run(**given, **options)

    names = {}
    code = "".join([*BLOCKS[:2], BLOCK.findall(SECTIONS[section])[-1]])
    with mock.patch.object(dlt, "Trainer", Trainer), contextlib.redirect_stdout(io.StringIO()):
        exec(code, names)
    return names["result"]


def found(result):
    """Return all that a run found, except the seconds."""
    best = {name: (array.dtype.str, array.tobytes()) for name, array in result.best_params.items()}
    return best, [row._replace(seconds=0) for row in result.history], result.best_validation


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("section", ["A model of your own", "Momentum", "Shuffled examples"])
def test_a_program_killed_and_stopped_goes_on_to_the_same_bits(section, tmp_path, monkeypatch):
    drawn, folder = random.Random(section), RunFolder(tmp_path)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, section, folder.path], env=dict(os.environ, PYTHONPATH=paths)
    )
    while child.poll() is None and not (tmp_path / "best_params.npz").exists():
        time.sleep(0.01)
    time.sleep(drawn.uniform(0, 0.6))
    child.kill()
    assert child.wait() == -signal.SIGKILL

    expected = found(run_program(section))
    monkeypatch.setattr(training, "_STRETCH_SECONDS", 0.005)  # stops anywhere in an epoch
    asked, n_asked = itertools.count(), drawn.randint(2, 5)
    stop = {"should_stop": lambda: next(asked) >= n_asked}
    stopped = run_program(section, folder=folder, resume=True, **stop)
    assert stopped.stopped_by == "request"
    assert found(run_program(section, folder=folder, resume=True)) == expected


class FakeWriter:
    """The part of TensorBoard's SummaryWriter that the page uses."""

    def __init__(self, log_dir):
        self.scalars, self.is_open = [], True
        written[log_dir] = self

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.is_open = False

    def add_scalar(self, tag, scalar_value, global_step=None):
        assert self.is_open
        self.scalars.append((tag, scalar_value, global_step))


written = {}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Run the page as one program; return its names and what it printed."""
    tensorboard, mlflow = types.ModuleType("tensorboard"), mock.MagicMock()
    tensorboard.SummaryWriter = FakeWriter
    fakes = {"torch": types.ModuleType("torch"), "torch.utils": types.ModuleType("utils")}
    fakes.update({"torch.utils.tensorboard": tensorboard, "mlflow": mlflow})
    names, printed = {}, io.StringIO()
    fakes["torch"].Tensor = type("Tensor", (), {})  # scipy asks whether arrays are of this class
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(tmp_path_factory.mktemp("page"))
        for name, module in fakes.items():
            patch.setitem(sys.modules, name, module)
        exec("".join(BLOCKS), names)
    return names, printed.getvalue().splitlines()


def test_lines_print_what_their_comments_say(page):
    said = re.findall(r"^ *print\(.*\)  # (.*)$", "".join(BLOCKS), re.MULTILINE)
    assert page[1] == said and len(said) > 10


def test_each_program_is_short():
    lengths = [len(re.findall(r"^.*\S", block, re.MULTILINE)) for block in BLOCKS]
    assert max(lengths) <= 15 and max(lengths[-2:]) <= 10


def test_tensorboard_and_mlflow_get_each_validation(page):
    mlflow = page[0]["mlflow"]
    history = page[0]["result"].history
    assert [row.iteration for row in history] == [60, 120, 180, 240, 300]
    assert written["runs/tensorboard"].scalars == [
        scalar
        for row in history
        for scalar in (
            ("loss/training", row.train_loss, row.iteration),
            ("error/validation", row.validation_error, row.iteration),
        )
    ]
    assert mlflow.log_metrics.mock_calls == [
        mock.call(
            {"training_loss": row.train_loss, "validation_error": row.validation_error},
            step=row.iteration,
        )
        for row in history
    ]
    assert 0.1 < mlflow.log_metric.call_args[0][1] < 0.2
