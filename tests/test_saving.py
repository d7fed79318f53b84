"""Saving: a folder is tried at once, locked, written rarely, never left half-written; resuming."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from checkpoints import after, bits, rewritten, values
from conftest import ROOT

from dlt.errors import DataError, SettingsError
from dlt.parameters import read_params
from dlt.progress import silent
from dlt.runs import saving
from dlt.runs.checkpoint import read_checkpoint, write_checkpoint
from dlt.runs.folder import RunFolder
from dlt.runs.history import read_history
from dlt.runs.saving import Saver
from dlt.runs.state import Machine

pytestmark = pytest.mark.once

START = after(0)


@pytest.fixture(autouse=True)
def every_state_is_saved(monkeypatch):
    monkeypatch.setattr(saving, "_INTERVAL", 0)
    monkeypatch.setattr(saving, "_REST", 0)


def saver(path, resume=False, log=silent, start=START, **place):
    return Saver(RunFolder(path, **place), start, resume, log)


def run(path, *counts, ended=None, **options):
    """Save a run after each number of validations; return where it began.

    Without `ended` it is killed.
    """
    with saver(path, **options) as running:
        begun = running.begin()
        for n in counts:
            running.take(after(n).state)
        if ended:
            running.end(after(n).state, ended)
    return begun


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def snapshots(folder):
    return [int(name[10:-4]) for name in names(folder / "snapshots")]


def iterations(folder):
    """Return the updates of the checkpoint, and of the one before."""
    files = ("checkpoint.npz", "checkpoint.previous.npz")
    return tuple(read_checkpoint(folder / name).state.iteration for name in files)


# --- The machine -------------------------------------------------------------------------------


TWO, ONE = {"NPROC": "2", "processor": "a"}, {"NPROC": "1", "processor": "a"}


def on(machine):
    """Return the start of a run on a machine."""
    return START._replace(state=START.state._replace(machines=(Machine(1, machine),)))


def test_another_machine_goes_on_only_if_that_is_allowed_and_the_run_remembers(tmp_path):
    run(tmp_path, 2, start=on(TWO))
    lines = []

    def saver_on(machine, allowed=True):
        return Saver(RunFolder(tmp_path), on(machine), True, lines.append, allowed)

    with saver_on(TWO) as running:
        running.end(running.begin()._replace(machines=on(TWO).state.machines), None)
    before, lines[:] = contents(tmp_path), []
    with saver_on(ONE, allowed=False) as running, pytest.raises(SettingsError) as caught:
        running.begin()
    found = (
        f"{tmp_path}: found a checkpoint of another machine: NPROC (the number of threads): the "
        "checkpoint has 2, this run 1; "
    )
    assert str(caught.value) == (
        f"{found}expected the same one, for the same bits; put NPROC=2 in front of the command, or "
        "go on with --allow-other-machine (allow_other_machine=True): the last bits will "
        "differ, but no result will be wrong"
    )
    assert contents(tmp_path) == before and lines == []
    with saver_on(ONE, allowed=False) as running:
        running.begin(lambda state: state.iteration == 20)  # nothing is computed any more
    with saver_on(ONE) as running:
        state = running.begin()
        running.end(state, None)  # at once: it has computed nothing
    assert state.machines == (Machine(1, TWO), Machine(21, ONE))
    assert lines[1] == (
        f"{found}from here on, the last bits differ from those of that one; the history calls "
        "this one machine 2"
    )
    with saver_on(TWO, allowed=False) as running:
        assert running.begin().machines == (Machine(1, TWO),)
    with saver_on(ONE) as running:
        state = running.begin()
        running.end(state._replace(iteration=21, losses=np.ones(1)), None)
    assert read_checkpoint(tmp_path / "checkpoint.npz").state.machines == state.machines
    noted = json.loads((tmp_path / "settings.json").read_text())["machines"]
    assert noted == [{"first": 1, "parts": TWO}, {"first": 21, "parts": ONE}]
    with saver_on(TWO) as running:
        assert running.begin().machines == (*state.machines, Machine(22, TWO))


# --- What is saved, and when -------------------------------------------------------------------


def test_it_holds_checkpoint_parameters_history_and_settings(tmp_path):
    path, checkpoint = tmp_path / "a" / "b", after(4, n_losses=2)
    with saver(path) as running:
        assert running.begin() is START.state
        running.take(checkpoint.state)
    arrays, settings = read_params(path / "best_params.npz")
    machines = [{"first": 1, "parts": {}}]
    noted = json.loads((path / "settings.json").read_text())
    assert (settings, noted) == (START.settings, {**START.settings, "machines": machines})
    np.testing.assert_array_equal(arrays["W"], values(30)["W"])
    assert read_history(path / "history.csv") == list(checkpoint.state.history)
    assert bits(read_checkpoint(path / "checkpoint.npz")) == bits(checkpoint)
    assert names(path) == [
        ".lock", "best_params.npz", "checkpoint.npz", "history.csv", "settings.json"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "interval, rest, states, saved",
    [
        (3600, 10, [(0, 2)], None),  # no model yet: an earlier run's files may stay
        (3600, 10, [(0, 2), (1, 0), (2, 0)], 10),  # the first model at once, the second is too soon
        (0, 0, [(0, 2)], 2),  # in a long epoch, before its validation
        (0, 0, [(0, 2), (1, 5)], 15),
        (0, 1e6, [(1, 0), (2, 0)], 10),  # a million times what the first save took is not over
    ],
)
def test_it_is_saved_from_time_to_time_and_at_the_first_model(
    tmp_path, monkeypatch, interval, rest, states, saved
):
    monkeypatch.setattr(saving, "_INTERVAL", interval)
    monkeypatch.setattr(saving, "_REST", rest)
    with saver(tmp_path) as running:
        running.begin()
        for n_validations, n_losses in states:
            running.take(after(n_validations, n_losses).state)
    if saved is None:
        assert names(tmp_path) == [".lock"]
    else:
        assert read_checkpoint(tmp_path / "checkpoint.npz").state.iteration == saved


@pytest.mark.parametrize(
    "changes",
    [
        {"diverged_at": 21},
        {"params": dict(values(20), b=np.full(3, np.nan))},
        {"update_state": {"n": np.array(np.inf)}},
    ],
)
def test_what_no_run_can_go_on_from_is_not_saved(tmp_path, changes):
    broken = after(2, **changes).state
    with saver(tmp_path) as running:
        running.begin()
        for state in (after(1).state, broken):
            running.take(state)
        running.end(broken, "divergence")
    found = read_checkpoint(tmp_path / "checkpoint.npz")
    assert (found.state.iteration, found.ended) == (10, "divergence")


@pytest.mark.parametrize(
    "counts, ended, saved",
    [
        ((0, 0), None, None),
        ((0, 5), None, 5),
        ((0, 5), "divergence", None),  # no model: an earlier run's files stay
        ((1, 5), "n_epochs", 15),
    ],
)
def test_the_end_is_saved_at_once(tmp_path, monkeypatch, counts, ended, saved):
    monkeypatch.setattr(saving, "_INTERVAL", 3600)
    with saver(tmp_path) as running:
        running.begin()
        running.end(after(*counts).state, ended)
    if saved is None:
        assert names(tmp_path) == [".lock"]
    else:
        found = read_checkpoint(tmp_path / "checkpoint.npz")
        assert (found.state.iteration, found.ended) == (saved, ended)


def test_the_checkpoint_is_written_first(tmp_path, monkeypatch):
    written, replace = [], os.replace

    def noted(source, target):
        written.append(os.path.basename(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", noted)
    run(tmp_path, 1, snapshot_every=1)
    assert written == [
        "checkpoint.npz", "iteration_000010.npz", "settings.json", "history.csv", "best_params.npz"
    ]  # fmt: skip


def test_snapshots_hold_the_model_of_their_moment_and_the_newest_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "_INTERVAL", 3600)
    with saver(tmp_path, snapshot_every=2, keep=3) as running:
        running.begin()
        for n in range(1, 12):
            running.take(after(n).state)
            if n < 11:
                running.take(after(n, n_losses=4).state)  # between validations: no snapshot
    assert snapshots(tmp_path) == [60, 80, 100]
    arrays, settings = read_params(tmp_path / "snapshots" / "iteration_000080.npz")
    np.testing.assert_array_equal(arrays["W"], values(80)["W"])
    assert settings == START.settings
    # a snapshot is never newer than the checkpoint
    assert read_checkpoint(tmp_path / "checkpoint.npz").snapshots == (60, 80, 100)


# --- A folder that an earlier run has used -----------------------------------------------------


def test_an_earlier_run_stays_until_there_is_something_to_save(tmp_path):
    run(tmp_path, 1, 2)
    before = contents(tmp_path)
    run(tmp_path)
    assert contents(tmp_path) == before


def test_nothing_of_an_earlier_run_survives_the_first_save(tmp_path):
    run(tmp_path, 1, 2, 3, ended="patience", snapshot_every=1)
    assert snapshots(tmp_path) == [10, 20, 30]
    assert "checkpoint.previous.npz" in names(tmp_path)
    another = after(0, settings={"seed": 7})
    with saver(tmp_path, start=another, snapshot_every=2) as running:
        running.begin()
        running.take(after(1).state)
        # not the earlier run's: resuming from that would mix the two
        assert "checkpoint.previous.npz" not in names(tmp_path)
        assert snapshots(tmp_path) == []
        running.take(after(2).state)
    assert snapshots(tmp_path) == [20]
    path = tmp_path / "snapshots" / "iteration_000020.npz"
    assert read_params(path)[1] == {"seed": 7}


def test_an_unfinished_run_is_mentioned_where_a_new_one_begins(tmp_path):
    lines = []
    run(tmp_path, log=lines.append)
    run(tmp_path, 1, 2, log=lines.append)
    assert lines == []
    run(tmp_path, log=lines.append)
    assert lines == [
        f"found an unfinished run of 20 updates in {tmp_path}/checkpoint.npz; --resume "
        "(resume=True) would continue it; starting anew, and keeping it as "
        f"{tmp_path}/checkpoint.unfinished-1.npz; to continue it later, move that to a new folder "
        "as checkpoint.npz, and resume there"
    ]
    run(tmp_path, 2, ended="patience")
    run(tmp_path, log=lines.append)
    assert len(lines) == 1


def kept(folder):
    """Return the number of each checkpoint that was moved aside, and its updates or content."""
    found = {}
    for path in folder.glob("checkpoint.unfinished*"):
        number = int(path.name[len("checkpoint.unfinished-") : -len(".npz")])
        try:
            found[number] = read_checkpoint(path).state.iteration
        except DataError:
            found[number] = path.read_bytes()
    return found


def test_an_unfinished_run_that_is_not_resumed_is_kept(tmp_path):
    for n in (9, 1, 2, 3):
        run(tmp_path, n)
    assert kept(tmp_path) == {1: 90, 2: 10, 3: 20}
    run(tmp_path)  # nothing is moved before there is something to save
    assert kept(tmp_path) == {1: 90, 2: 10, 3: 20}
    run(tmp_path, 4, ended="patience")
    assert kept(tmp_path) == {2: 10, 3: 20, 4: 30}
    for ended in ("divergence", "n_epochs"):  # runs that have ended give way
        run(tmp_path, 5, ended=ended)
    assert kept(tmp_path) == {2: 10, 3: 20, 4: 30}
    (tmp_path / "again").mkdir()
    os.rename(tmp_path / "checkpoint.unfinished-3.npz", tmp_path / "again" / "checkpoint.npz")
    assert bits(run(tmp_path / "again", resume=True)) == bits(after(2).state)


def test_what_is_kept_is_not_replaced_whatever_else_has_such_a_name(tmp_path):
    first = 10**18 - 1
    (tmp_path / f"checkpoint.unfinished-{first}.npz").mkdir()
    for n in range(1, 7):
        run(tmp_path, n)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [
        f"checkpoint.unfinished-{first}.npz"
    ]
    (tmp_path / f"checkpoint.unfinished-{first}.npz").rmdir()
    assert kept(tmp_path) == {first + 3: 30, first + 4: 40, first + 5: 50}


@pytest.mark.parametrize(
    "newest, previous, expected",
    [
        (b"newest", None, {1: b"newest"}),
        (b"newest", b"previous", {1: b"previous", 2: b"newest"}),
        (b"newest", (None, 2), {1: 20, 2: b"newest"}),
        (b"newest", ("patience", 2), {1: b"newest"}),
        ((None, 3), (None, 2), {1: 30}),
        ((None, 3), b"previous", {1: 30}),
        (("patience", 3), b"previous", {}),
        (None, b"previous", {1: b"previous"}),
        (None, (None, 2), {1: 20}),
    ],
)
def test_a_checkpoint_that_cannot_be_read_is_kept(tmp_path, newest, previous, expected):
    for name, content in (("checkpoint.npz", newest), ("checkpoint.previous.npz", previous)):
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        elif content:
            write_checkpoint(tmp_path / name, after(content[1], ended=content[0]))
    lines = []
    run(tmp_path, 1, log=lines.append)
    assert kept(tmp_path) == expected
    for number, line in zip(sorted(expected), lines):
        assert f"keeping it as {tmp_path}/checkpoint.unfinished-{number}.npz; to" in line
        assert "would continue it" in line or ".npz; starting anew, and " in line
    assert len(lines) == len(expected)
    assert read_checkpoint(tmp_path / "checkpoint.npz").state.iteration == 10
    assert not (tmp_path / "checkpoint.previous.npz").exists()


def test_a_checkpoint_of_a_newer_dlt_is_kept_and_named(tmp_path):
    run(tmp_path, 1, 2)
    rewritten(tmp_path / "checkpoint.npz", after(2), checkpoint=lambda number: number + 1)
    before = contents(tmp_path)
    for resume in (True, "auto"):  # the one before would be half the truth
        with pytest.raises(DataError, match="of a newer dlt; expected format .*; install a newer"):
            run(tmp_path, 3, resume=resume)
    assert contents(tmp_path) == before
    lines = []
    run(tmp_path, 1, log=lines.append)
    assert f", of a newer dlt in {tmp_path}/checkpoint.npz; starting anew, and" in lines[1]
    found = (tmp_path / "checkpoint.unfinished-2.npz").read_bytes()
    assert found == before["checkpoint.npz"] and kept(tmp_path)[1] == 10


# --- Going on ----------------------------------------------------------------------------------


def test_an_interrupted_first_save_keeps_the_unfinished_run(tmp_path, monkeypatch):
    run(tmp_path, 2)
    real, calls = saving.write_history, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 1:
            raise KeyboardInterrupt
        real(*args)

    monkeypatch.setattr(saving, "write_history", interrupted)
    with saver(tmp_path) as running:
        running.begin()
        with pytest.raises(KeyboardInterrupt):
            running.take(after(1).state)
        running.end(after(1).state, None)
    assert kept(tmp_path) == {1: 20}
    assert read_checkpoint(tmp_path / "checkpoint.npz").state.iteration == 10


def test_auto_begins_where_there_is_nothing_and_goes_on_where_there_is_a_checkpoint(tmp_path):
    lines = []
    options = {"resume": "auto", "log": lines.append}
    assert run(tmp_path / "new" / "run", **options) is START.state
    assert bits(run(tmp_path, 1, 2, **options)) == bits(START.state)
    assert bits(run(tmp_path, **options)) == bits(after(2).state)
    os.unlink(tmp_path / "checkpoint.npz")
    assert bits(run(tmp_path, 3, **options)) == bits(after(1).state)
    assert lines[0] == "going on after 20 updates" and len(lines) == 3
    for name in ("checkpoint.npz", "checkpoint.previous.npz"):
        (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(DataError, match="checkpoint.previous.npz: found a file that begins"):
        run(tmp_path, **options)  # days of work are not thrown away in silence


def test_a_resumed_run_needs_a_checkpoint(tmp_path):
    message = r"{}: found no checkpoint; expected one of an earlier run; .* \(--resume\)$"
    for folder in ("missing", "empty"):
        with pytest.raises(SettingsError, match=message.format(folder)):
            run(tmp_path / folder, resume=True)
        (tmp_path / "empty").mkdir(exist_ok=True)
    assert names(tmp_path) == ["empty"]
    run(tmp_path, 1)
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\3\4")
    with pytest.raises(DataError, match="checkpoint.npz: found a damaged zip archive"):
        run(tmp_path, resume=True)


def test_another_word_for_resume_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="resume: found 'yes'; expected False, True or 'auto'"):
        run(tmp_path / "run", resume="yes")
    assert names(tmp_path) == []


def test_a_damaged_checkpoint_is_replaced_by_the_one_before_and_that_is_said(tmp_path):
    run(tmp_path, 1, 2)
    newest, previous = tmp_path / "checkpoint.npz", tmp_path / "checkpoint.previous.npz"
    whole, good = newest.read_bytes(), previous.read_bytes()
    damages = (whole[:-1], whole[: len(whole) // 2], whole[:1], b"", None)
    for number, damaged in enumerate(damages, start=1):
        newest.unlink() if damaged is None else newest.write_bytes(damaged)
        previous.write_bytes(good)
        lines = []
        with saver(tmp_path, resume=True, log=lines.append) as running:
            assert running.begin().iteration == 10
            line, last = lines
            assert line.startswith(f"{newest}: found ")
            assert line.endswith("using the checkpoint before it, of 10 updates")
            assert last == "going on after 10 updates"
            # At the next save the good one must not be pushed out by the damaged one.
            assert newest.read_bytes() == good
            assert kept(tmp_path).get(number) == damaged
            running.take(after(2).state)
        assert iterations(tmp_path) == (20, 10) and previous.read_bytes() == good


def test_it_goes_on_with_this_run_s_settings(tmp_path):
    run(tmp_path, 2, ended="n_epochs")
    more = after(0, settings=dict(START.settings, n_epochs=2000))
    assert bits(run(tmp_path, resume=True, start=more)) == bits(after(2).state)
    assert '"n_epochs": 2000' in (tmp_path / "settings.json").read_text()
    run(tmp_path, 3, resume=True, start=more)
    found = read_checkpoint(tmp_path / "checkpoint.npz")
    assert (found.ended, found.settings["n_epochs"]) == (None, 2000)


def test_going_on_makes_the_files_what_the_checkpoint_tells(tmp_path):
    # As after a kill: files that are newer, older, missing, unfinished, or another run's.
    run(tmp_path, 1, 2, snapshot_every=1)
    expected = contents(tmp_path)
    run(tmp_path, 3, resume=True, snapshot_every=1)
    (tmp_path / "checkpoint.npz").write_bytes(expected["checkpoint.npz"])
    (tmp_path / "settings.json").unlink()
    (tmp_path / "snapshots" / "iteration_000020.npz").unlink()
    (tmp_path / "snapshots" / "iteration_000015.npz").write_bytes(b"of another run")
    (tmp_path / "snapshots" / "mine.npz").write_bytes(b"not written by dlt")
    for folder in (tmp_path, tmp_path / "snapshots"):
        (folder / ".dlt-0123456789abcdef.tmp").write_bytes(b"unfinished")
    run(tmp_path, resume=True)
    assert names(tmp_path / "snapshots") == [
        "iteration_000010.npz", "iteration_000020.npz", "mine.npz"
    ]  # fmt: skip
    found = contents(tmp_path)
    assert found.keys() == expected.keys()
    for name, content in expected.items():
        assert found[name] == content or name == "checkpoint.previous.npz", name


def test_a_refusal_is_one_line_and_changes_nothing(tmp_path):
    run(tmp_path, 1, 2)
    before = contents(tmp_path)
    other = after(0, settings=dict(START.settings, seed=1, l1=0.5))
    with pytest.raises(SettingsError) as caught:
        run(tmp_path, 3, resume="auto", start=other)
    assert str(caught.value) == (
        f"{tmp_path}: found a checkpoint of another run: l1: the checkpoint has none, "
        "this run 0.5; seed: the checkpoint has none, this run 1; expected the same data, "
        "settings, loss, updates, order and engine; use those, or train anew in another folder "
        "(--output-dir)"
    )
    for changes, message in (
        ({"params": dict(values(0), b=np.zeros(4))}, r"found b .*\(3,\); expected b .*\(4,\), as"),
        ({"update_state": {"n": np.array(0)}}, r"found param_2 .*; expected no param_2, as the"),
        ({"update_state": {}}, "expected no param_2, no n, as"),
    ):
        with pytest.raises(DataError, match=message):
            run(tmp_path, 3, resume=True, start=after(0, **changes))
    assert contents(tmp_path) == before


def test_a_refusal_names_no_more_than_some_differences(tmp_path):
    run(tmp_path, 1, start=after(0, settings={f"setting_{i}": i for i in range(50)}))
    with saver(tmp_path, resume=1) as running, pytest.raises(SettingsError) as caught:
        running.begin()
    assert str(caught.value).count("the checkpoint has") == 20
    assert "; and 32 more; expected the same data" in str(caught.value)


def test_what_a_stranger_s_checkpoint_says_is_printed_on_one_line(tmp_path):
    odd = "\x1b[2J\nx\u202e\ud800"
    run(tmp_path, 1)
    for changes in (
        {"program": {odd: ["ab", []]}},
        {"program": dict(START.program, loss=[odd, [odd]])},
        {"program": {name: [part[0], [odd] * 2] for name, part in START.program.items()}},
        {"settings": {odd: odd}},
        {"engine": {odd: odd}},
    ):
        rewritten(tmp_path / "checkpoint.npz", after(1), **changes)
        with pytest.raises(SettingsError) as caught:
            run(tmp_path, resume=True)
        line = str(caught.value)
        assert "found a checkpoint of another run: " in line and line.isprintable()


# --- One run in one folder ---------------------------------------------------------------------


def test_a_second_run_is_refused_until_the_first_has_ended(tmp_path):
    with saver(tmp_path):
        with pytest.raises(SettingsError, match="found another run at work in this folder"):
            saver(tmp_path).__enter__()
    with pytest.raises(ZeroDivisionError), saver(tmp_path):
        raise ZeroDivisionError
    with saver(tmp_path):
        pass


def test_the_lock_is_released_where_the_folder_turns_out_to_be_unusable(tmp_path, monkeypatch):
    def fail(folder):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(saving, "remove_unfinished", fail)
        with pytest.raises(SettingsError, match="Input/output error") as kept:
            run(tmp_path)
    run(tmp_path, 1)
    assert kept  # as a notebook keeps the last exception, and with it the lock


def test_the_lock_dies_with_its_owner(tmp_path):
    code = (
        "import time\n"
        "from dlt.runs.checkpoint import Checkpoint\n"
        "from dlt.runs.folder import RunFolder\n"
        "from dlt.runs.saving import Saver\n"
        "from dlt.runs.state import State\n"
        "start = Checkpoint(State.first({}, {}), None, (), {}, {}, [], {})\n"
        f"with Saver(RunFolder({str(tmp_path)!r}), start):\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "locked\n"
        with pytest.raises(SettingsError, match="found another run at work"):
            saver(tmp_path).__enter__()
        owner.kill()
    with saver(tmp_path):
        pass


# --- A folder that is another one by now -------------------------------------------------------


def moved(path):
    os.rename(path, path.with_name("moved"))


def replaced(path):
    """Let another run begin in a folder that took the name of the first."""
    moved(path)
    run(path, 1, snapshot_every=1)


def unlocked(path):
    """Let another run begin in the same folder, after somebody removed the lock."""
    os.unlink(path / ".lock")
    run(path, 1, start=after(0, settings={"seed": 7}))


def with_other_snapshots(path):
    os.rename(path / "snapshots", path / "mine")
    (path / "snapshots").mkdir()
    (path / "snapshots" / "iteration_000010.npz").write_bytes(b"of another run")


def with_linked_snapshots(path):
    os.rename(path / "snapshots", path.with_name("elsewhere"))
    (path / "snapshots").symlink_to(path.with_name("elsewhere"))


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "change, found",
    [
        (moved, "another folder than at the start of this run"),
        (replaced, "another folder than at the start of this run"),
        (unlocked, "another folder than at the start of this run"),
        (with_other_snapshots, "other snapshots in it than those of this run"),
        (with_linked_snapshots, "other snapshots in it than those of this run"),
    ],
)
@pytest.mark.parametrize("at_its_end", [False, True])
def test_a_folder_that_was_replaced_is_left_alone_and_the_run_is_saved_beside(
    tmp_path, change, found, at_its_end
):
    path = tmp_path / "runs" / "first"
    (tmp_path / "runs" / "first-2").mkdir(parents=True)
    with saver(path, snapshot_every=1, keep=1) as running:
        running.begin()
        running.take(after(1).state)
        running.take(after(2).state)
        change(path)
        before = files(tmp_path)
        state = after(3).state

        def end(state):
            running.end(state, "n_epochs")

        for save in (end,) if at_its_end else (running.take, end):
            with pytest.raises(saving.ForeignRunError) as caught:
                save(state)
    beside = tmp_path / "runs" / "first-3"
    assert str(caught.value) == (
        f"{path}: found {found}, moved or replaced; this run is saved in {beside}; expected the "
        "one in which it began; go on in that one (--output-dir) with resume (--resume)"
    )
    now = files(tmp_path)
    assert {file: now.get(file) for file in before} == before
    assert {file.relative_to(tmp_path).parts[1] for file in now.keys() - before} == {"first-3"}
    assert read_checkpoint(beside / "checkpoint.npz").ended == "n_epochs"
    assert bits(run(beside, 4, resume=True, snapshot_every=1)) == bits(state)
    assert names(tmp_path / "runs" / "first-2") == []


def test_a_folder_that_is_replaced_while_its_checkpoint_is_read_is_left_alone(tmp_path):
    run(tmp_path / "run", 1, 2)
    taken = []

    def is_over(state):
        moved(tmp_path / "run")
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / "history.csv").write_bytes(b"of another run")
        taken.append(files(tmp_path))
        return False

    with saver(tmp_path / "run", resume=True) as running:
        with pytest.raises(saving.ForeignRunError, match="run: found another folder than at"):
            running.begin(is_over)
    assert [files(tmp_path)] == taken


def test_compiling_does_not_count_as_time_since_the_last_save(tmp_path, monkeypatch):
    run(tmp_path, 1, ended="n_epochs")
    now = [0.0]
    monkeypatch.setattr(saving.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(saving, "_INTERVAL", 2)
    with saver(tmp_path) as running:
        running.begin()
        now[0] = 5.0
        state = after(1).state
        running.take(state._replace(best_params=None))
    assert read_checkpoint(tmp_path / "checkpoint.npz").ended == "n_epochs"


def test_where_a_run_cannot_be_saved_beside_one_folder_is_tried_and_both_facts_are_said(
    tmp_path, monkeypatch
):
    def full(path, history):
        raise OSError(28, "No space left on device")

    path = tmp_path / "first"
    with saver(path) as running:
        running.begin()
        running.take(after(1).state)
        moved(path)
        with monkeypatch.context() as patch:
            patch.setattr(saving, "write_history", full)
            for save in (running.take, lambda state: running.end(state, None)):
                with pytest.raises(saving.ForeignRunError) as caught:
                    save(after(2).state)
                assert str(caught.value) == (
                    f"{path}: found another folder than at the start of this run, moved or "
                    "replaced; this run cannot be saved beside it: found a folder that cannot be "
                    "written (No space left on device); expected the one in which it began; put "
                    "that back in its place, and go on with resume (--resume)"
                )
        with pytest.raises(saving.ForeignRunError, match=f"this run is saved in {path}-2;"):
            running.end(after(2).state, None)
    assert names(tmp_path) == ["first-2", "moved"]
    assert read_checkpoint(tmp_path / "first-2" / "checkpoint.npz").state.iteration == 20


def test_a_run_that_is_not_to_be_saved_beside_only_ends(tmp_path):
    path = tmp_path / "search" / "first"
    with saver(path, beside=False) as running:
        running.begin()
        running.take(after(1).state)
        moved(path.parent)
        with pytest.raises(saving.ForeignRunError, match="replaced; .*; put that back in its pl"):
            running.take(after(2).state)
    assert names(tmp_path) == ["moved"]


def test_a_run_goes_on_in_the_folder_that_it_locked(tmp_path):
    run(tmp_path / "run", 1)
    with saver(tmp_path / "run", resume=True) as running:
        replaced(tmp_path / "run")
        before = files(tmp_path)
        with pytest.raises(saving.ForeignRunError, match="found another folder than at the start"):
            running.begin()
    assert files(tmp_path) == before


# --- Folders that cannot be written, or lead elsewhere -----------------------------------------


OWN_FILES = [
    ".lock", "best_params.npz", "checkpoint.npz", "checkpoint.previous.npz",
    "checkpoint.unfinished-1.npz", "history.csv", "settings.json",
]  # fmt: skip


@pytest.mark.parametrize("resume", [False, True])
def test_links_in_the_folder_are_replaced_and_not_followed(tmp_path, resume):
    run(tmp_path / "first", 1, snapshot_every=1)
    folder, outside = tmp_path / "run", tmp_path / "outside"
    (folder / "snapshots").mkdir(parents=True)
    outside.mkdir()
    own = [*OWN_FILES, "snapshots/iteration_000020.npz"]
    for name in own:
        victim = outside / os.path.basename(name)
        victim.write_bytes((tmp_path / "first" / "checkpoint.npz").read_bytes())
        (folder / name).symlink_to(victim)
    before = contents(outside)
    linked, lines = tmp_path / "a link to the folder itself", []
    linked.symlink_to(folder)
    run(linked, 2, resume=resume, snapshot_every=1, log=lines.append)
    assert "10 updates" in lines[0]
    assert contents(outside) == before
    kept_as_links = {"checkpoint.unfinished-1.npz", *(["checkpoint.previous.npz"] * resume)}
    assert {name for name in own if (folder / name).is_symlink()} == kept_as_links
    assert read_checkpoint(folder / "checkpoint.npz").state.iteration == 20


def test_a_link_for_the_folder_of_snapshots_is_refused(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / ".dlt-0123456789abcdef.tmp").write_bytes(b"not ours")
    (tmp_path / "snapshots").symlink_to(tmp_path / "outside")
    with pytest.raises(SettingsError, match="snapshots: found a link; expected a folder of the"):
        run(tmp_path)
    assert names(tmp_path / "outside") == [".dlt-0123456789abcdef.tmp"]


@pytest.mark.parametrize("path", ["", "a\0b", __file__])
def test_impossible_names_are_refused(path):
    with pytest.raises(SettingsError, match=r": found a folder that cannot be written \(.+\)"):
        run(path)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(SettingsError, match=r"\(Permission denied\); .*choose another"):
        run(tmp_path)
    assert os.listdir(tmp_path) == []
