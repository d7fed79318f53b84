"""Choosing a model: candidates, the winner, what a search repeats, and one look at test."""

import csv
import doctest
import io
import json
import os
import re

import numpy as np
import pytest
import reference
from conftest import ROOT, run_python
from scipy.stats import binomtest

import dlt
from dlt import engine, trainer
from dlt.errors import DataError, SettingsError
from dlt.files.writing import write_text
from dlt.runs.checkpoint import read_checkpoint
from dlt.runs.history import read_history
from dlt.score import Score
from dlt.selection import recipes
from dlt.selection.candidates import digest, grid, in_words
from dlt.selection.result import Outcome, Selection
from dlt.selection.search import select
from dlt.selection.working import MARK_NAME, Source, Task, run_task

RATES = grid(learning_rate=[0.01, 0.5, 2], batch_size=[10, 25])


@pytest.fixture(scope="module")
def blobs():
    """Points around three centres, as three pairs of float64 x and y."""
    return reference.blobs(100, 50, 41)


@pytest.fixture(scope="module")
def data(blobs, tmp_path_factory):
    """The same points under a name that can be loaded."""
    folder = tmp_path_factory.mktemp("data") / "blobs"
    dlt.save_data(folder, blobs)
    return str(folder)


@pytest.fixture
def search(data, tmp_path, float64):
    """Search in a folder of its own, and return what was found and the lines of the log."""

    def run(candidates, folder="search", **options):
        lines = []
        options = {"n_epochs": 8, "log": lines.append, **options}
        return select(data, candidates, tmp_path / folder, **options), lines

    return run


def without_seconds(selection):
    outcomes = tuple(outcome._replace(seconds=0) for outcome in selection.outcomes)
    return selection._replace(outcomes=outcomes)


def left_in(folder):
    """Return what the runs found, the seconds that each of them took among it."""
    files = [*folder.glob("*/history.csv"), *folder.glob("*/best_params.npz")]
    return {path: path.read_bytes() for path in files}


# --- What is compared ---------------------------------------------------------------------------


def test_a_grid_has_all_combinations_in_plain_values():
    assert grid(l2=[np.float64(1.0), 1e-4], name=["a", None])[1:3] == [
        {"l2": 1, "name": None},
        {"l2": 0.0001, "name": "a"},
    ]
    assert [type(settings["seed"]) for settings in grid(seed=np.arange(2))] == [int, int]


@pytest.mark.parametrize(
    "values, message",
    [
        ({"l1": []}, "l1: found no values; expected one or more"),
        ({"l1": 3}, "l1: found 3; expected a sequence"),
        ({"l1": [0.5, 1, 1.0]}, "candidates: found l1=1 twice; expected each once"),
        ({"l1": [0, [1]]}, r"l1: found \[1\]; expected finite numbers, text, truth"),
        ({"l1": [np.nan]}, "l1: found nan; expected finite numbers, text, truth"),
    ],
)
def test_values_of_another_kind_are_refused(values, message):
    with pytest.raises(SettingsError, match=message):
        grid(**values)


def test_the_best_validation_error_wins_as_numpy_finds_it(blobs, search):
    found, lines = search(RATES)
    expected = {}
    (x, y), (valid_x, valid_y), (test_x, test_y) = blobs

    def n_errors(W, b, x, y):
        return int(((x @ W + b).argmax(axis=1) != y).sum())

    for settings in RATES:
        size = settings["batch_size"]
        models = [
            reference.train_logreg(x, y, 3, settings["learning_rate"], size, epoch * (100 // size))
            for epoch in range(1, 9)
        ]
        errors = [n_errors(W, b, valid_x, valid_y) for W, b, _ in models]
        best = errors.index(min(errors))
        expected[in_words(settings)] = min(errors), (best + 1) * (100 // size)
        wrong = (test_x @ models[best][0] + models[best][1]).argmax(axis=1) != test_y
        expected[in_words(settings) + " test"] = int(wrong.sum())
    for outcome in found.outcomes:
        key = in_words(outcome.settings)
        assert (outcome.validation.n_errors, outcome.best_iteration) == expected[key]
        assert outcome.validation.n_examples == 50 and outcome.n_epochs == 8
    errors = [outcome.validation.n_errors for outcome in found.outcomes]
    assert errors == sorted(errors) and len(set(errors)) > 2
    assert found.test == (expected[in_words(found.winner.settings) + " test"], 41)
    assert sorted(line[:4] for line in lines if "/6 " in line) == [f"{i}/6 " for i in range(1, 7)]


def test_ties_are_broken_by_settings_and_not_by_arrival(search):
    tied = grid(learning_rate=[1e-9, 2e-9], seed=[None])  # too small to change an answer
    first, _ = search(tied, "one")
    second, _ = search(tied[::-1], "other")
    assert first.outcomes[0].validation == first.outcomes[1].validation
    for found in (first, second):
        assert [o.settings["learning_rate"] for o in found.outcomes] == [1e-9, 2e-9]
    assert first.p_value == second.p_value == 1


def test_winner_and_runner_up_are_compared_on_the_validation_set(blobs, search):
    found, _ = search(grid(learning_rate=[0.0001, 2]))
    wrong = []
    for outcome in found.outcomes:
        arrays, _ = dlt.read_params(outcome.folder + "/best_params.npz")
        x, y = blobs[1]
        wrong.append((x @ arrays["W"] + arrays["b"]).argmax(axis=1) != y)
    only_first, only_second = (wrong[0] & ~wrong[1]).sum(), (wrong[1] & ~wrong[0]).sum()
    assert only_first < only_second
    expected = binomtest(int(only_first), int(only_first + only_second)).pvalue
    assert found.p_value == pytest.approx(expected) and found.p_value < 1


def test_a_seed_draws_the_start_and_the_order(search):
    found, _ = search(grid(seed=[None, 0, 1]))
    kept = {
        o.settings["seed"]: read_checkpoint(o.folder + "/checkpoint.npz") for o in found.outcomes
    }
    orders = {seed: checkpoint.settings["order"] for seed, checkpoint in kept.items()}
    assert orders == {None: "in turn", 0: "Shuffled(seed=0)", 1: "Shuffled(seed=1)"}
    starts = [checkpoint.state.params["W"].tobytes() for checkpoint in kept.values()]
    assert len(set(starts)) == 3
    prepared = recipes.logistic_regression(*map(dlt.shared_dataset, [([[0.0], [0.5]], [0, 1])] * 2))
    assert prepared.start()["W"].any() == False  # noqa: E712
    drawn = np.random.default_rng(7).uniform(-(2**0.5), 2**0.5, (1, 2))  # 6 / (1 + 2)
    np.testing.assert_array_equal(
        prepared.start(seed=7)["W"], drawn.astype(prepared.start()["W"].dtype)
    )


# --- What is shared, kept and repeated ----------------------------------------------------------


def test_candidates_that_differ_in_shared_scalars_compile_once(search, monkeypatch):
    made, function = [], engine.theano.function

    def counted(*args, **options):
        made.append(args)
        return function(*args, **options)

    monkeypatch.setattr(engine.theano, "function", counted)
    search(grid(learning_rate=[0.1], batch_size=[10]), "one")
    once, made[:] = len(made), []
    search(grid(learning_rate=[0.1, 0.5, 1], l1=[0, 1e-4], l2=[0, 1e-3], batch_size=[10]), "many")
    assert len(made) - once <= 2  # the errors of each example, to compare the first two


def test_a_candidate_goes_on_on_another_machine_only_if_that_is_allowed(
    search, monkeypatch, tmp_path
):
    asked = iter(range(10**6))
    search(RATES[:1], should_stop=lambda: next(asked) > 5)
    before = trainer.machine()
    monkeypatch.setattr(trainer, "machine", lambda: {**before, "processor": "another"})
    # before a loser can win, and be scored on the test set
    with pytest.raises(SettingsError) as caught:
        search(RATES[:2])
    assert "found a checkpoint of another machine: processor: the checkpoint" in str(caught.value)
    assert "or go on with --allow-other-machine (allow_other_machine=True)" in str(caught.value)
    assert not list(tmp_path.glob("search/*/test.json"))
    selection, lines = search(RATES[:2], allow_other_machine=True)
    assert [line for line in lines if line.endswith(" epochs on 2 machines")]
    assert {outcome.n_machines for outcome in selection.outcomes} == {1, 2}
    monkeypatch.setattr(trainer, "machine", lambda: before)
    assert search(RATES[:2])[0].is_complete  # read, not resumed


def test_a_stopped_search_goes_on_and_repeats_nothing(search, tmp_path):
    whole, _ = search(RATES, "whole")
    asked = iter(range(10**6))
    parts, _ = search(RATES, "parts", should_stop=lambda: next(asked) > 30)
    assert repr(parts).endswith(f"{len(parts.outcomes)} of 6 candidates; the search can go on")
    assert not parts.is_complete and 0 < len(parts.outcomes) < 6 and parts.test is None
    kept = {o.folder: (read_history(o.folder + "/history.csv"), o) for o in parts.outcomes}
    found, _ = search(RATES, "parts")
    one, other = tmp_path / "whole", tmp_path / "parts"
    assert sorted(p.name for p in one.iterdir()) == sorted(p.name for p in other.iterdir())
    for path in one.glob("*/best_params.npz"):
        assert path.read_bytes() == (other / path.parent.name / path.name).read_bytes()
    for outcome in found.outcomes:
        if outcome.folder in kept:  # the seconds are those of the first time
            assert (read_history(outcome.folder + "/history.csv"), outcome) == kept[outcome.folder]
    shown = [
        [outcome._replace(folder=outcome.folder[-12:]) for outcome in without_seconds(s).outcomes]
        for s in (whole, found)
    ]
    assert shown[0] == shown[1] and (whole.p_value, whole.test) == (found.p_value, found.test)


def test_a_search_that_has_ended_trains_nothing_again(search, tmp_path):
    first, _ = search(RATES)
    before = left_in(tmp_path / "search")
    again, _ = search(RATES)
    assert again == first and left_in(tmp_path / "search") == before
    longer, _ = search(RATES, n_epochs=9)
    assert [outcome.n_epochs for outcome in longer.outcomes] == [9] * 6
    other, _ = search(RATES, patience=dlt.Patience(7))  # another rule, another run
    assert {o.folder for o in other.outcomes}.isdisjoint(o.folder for o in first.outcomes)


def test_the_test_set_is_scored_for_the_winner_alone_and_once(search, monkeypatch):
    scored, score = [], dlt.Trainer.score

    def counted(self, data_set, params):
        scored.append(data_set.n_examples)
        return score(self, data_set, params)

    monkeypatch.setattr(dlt.Trainer, "score", counted)
    slow = grid(learning_rate=[0.001, 0.002])
    first, lines = search(slow)
    assert scored == [41] and not [line for line in lines if "scored before" in line]
    again, lines = search(slow)
    (line,) = [line for line in lines if "scored before" in line]
    assert line.startswith("the test set was scored before, on 20") and line.endswith("this winner")
    assert scored == [41] and again.test == first.test
    better, lines = search([{"learning_rate": 2}], patience=dlt.Patience(5001))
    (line,) = [line for line in lines if "scored before" in line]
    assert line.endswith(f"for the run {first.winner.folder[-12:]}") and scored == [41, 41]
    assert better.test.n_errors < first.test.n_errors


@pytest.mark.parametrize(
    "change, found",
    [
        ({"iteration": "1"}, 'iteration = "1"; expected a score of format 1, as dlt'),
        ({"n_examples": 0}, "n_examples = 0"),
        ({"n_examples": 10**39}, "n_examples = 10"),
        ({"n_errors": 1000}, "1000 errors in 41 examples"),
        ({"n_errors": float("nan")}, "n_errors = NaN"),
        ({"format": None}, "format = null"),
        ({"format": 2}, "a score of format 2, of a newer dlt; expected format 1; install a newer"),
    ],
)
def test_a_damaged_score_is_refused(search, change, found):
    path = search(grid(learning_rate=[1]), n_epochs=1)[0].winner.folder + "/test.json"
    with open(path) as file:
        score = json.load(file)
    write_text(path, json.dumps({**score, **change}))
    with pytest.raises(DataError, match=f"test.json: found {found}"):
        search(grid(learning_rate=[1]), n_epochs=1)


def test_one_search_at_a_time_in_a_folder(search):
    def second(line):
        if line.startswith("1/1"):
            with pytest.raises(
                SettingsError,
                match="found another search at work in this folder; expected no other",
            ):
                search(grid(learning_rate=[1]))
            refused.append(line)

    refused = []
    search(grid(learning_rate=[1]), log=second)
    assert refused


@pytest.mark.parametrize("moment", ["1/6", "6/6"])
def test_a_search_ends_where_its_folder_is_replaced(search, tmp_path, moment):
    folder = tmp_path / "search"

    def replace(line):
        if line.startswith(moment):
            folder.rename(tmp_path / "moved")
            folder.mkdir()

    with pytest.raises(SettingsError) as caught:
        search(RATES, log=replace)
    assert str(caught.value).startswith(
        f"{folder}: found another folder than at the start of this search, moved or replaced; "
    )
    assert list(folder.iterdir()) == []
    assert len(list((tmp_path / "moved").glob("*/best_params.npz"))) == int(moment[0])


def test_a_candidate_whose_search_is_moved_ends_and_leaves_nothing(search, tmp_path):
    folder, asked = tmp_path / "search", iter(range(10**6))

    def moved_while_a_candidate_is_trained():
        if next(asked) == 5:
            assert len(list(folder.glob("*/checkpoint.npz"))) == 1
            folder.rename(tmp_path / "moved")
        return False

    with pytest.raises(SettingsError, match="moved or replaced; .*; put that back in its place"):
        search(RATES, n_epochs=1000, should_stop=moved_while_a_candidate_is_trained)
    assert not folder.exists()


def test_larger_data_is_read_in_chunks_and_shuffled_in_blocks(data, search):
    size = sum(path.stat().st_size for path in (ROOT / data).glob("*_x.npy"))
    candidates = grid(learning_rate=[0.5], seed=[None, 1])
    whole, _ = search(candidates, "whole")
    chunked, _ = search(candidates, "chunks", max_memory=size)
    in_turn = [{o.settings["seed"]: o for o in s.outcomes}[None] for s in (whole, chunked)]
    assert in_turn[0].validation == in_turn[1].validation
    orders = {
        read_checkpoint(outcome.folder + "/checkpoint.npz").settings["order"]
        for outcome in chunked.outcomes
    }
    assert orders == {"in turn", "Shuffled(seed=1, block=5000)"}


# --- What goes wrong ----------------------------------------------------------------------------


def test_a_failure_is_a_row_and_the_others_are_trained(search):
    found, lines = search(grid(learning_rate=[-1, 0.5, 1e300], l2=[1e-3]))
    assert found.winner.settings["learning_rate"] == 0.5
    errors = {o.settings["learning_rate"]: o.error for o in found.outcomes[1:]}
    assert errors[-1].startswith(
        "learning_rate: found -1; expected a finite number above 0 in float64"
    )
    assert errors[1e300].startswith("training diverged at update ")
    assert [outcome.settings["learning_rate"] for outcome in found.outcomes] == [0.5, -1, 1e300]
    assert found.p_value is None and found.test.n_examples == 41
    assert any(line.endswith(errors[1e300]) for line in lines)


def broken_recipe(train_set, valid_set, depth):
    return 1 / depth


@pytest.mark.parametrize(
    "candidates, recipe, message",
    [
        (grid(momentum=[0.9]), recipes.logistic_regression,
         "could be trained; momentum=0.9: settings: found momentum; expected names such as learn"),
        (grid(depth=[0]), broken_recipe, "depth=0: ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_a_search_without_any_result_says_why(search, candidates, recipe, message):
    with pytest.raises(SettingsError, match=message):
        search(candidates, recipe=recipe)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"candidates": []}, "candidates: found none; expected one or more"),
        ({"candidates": [3]}, "candidates: found 3; expected a dict of settings, by name"),
        ({"candidates": [{"run": 1}]}, "found a setting called run; expected another name"),
        ({"n_epochs": 0}, "n_epochs: found 0; expected a whole number from 1 to 1048576, the most"),
        ({"n_epochs": 1048577}, "n_epochs: found 1048577; expected a whole number from 1 to 1048"),
        ({"recipe": None}, "recipe: found None; expected a function; see dlt.selection.recipes"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_loaded(search, options, message):
    with pytest.raises(SettingsError, match=message):
        search(**{"candidates": RATES, **options})


def test_arrays_have_no_name_to_load_them_by(tmp_path):
    message = "dataset: found list; expected a name or a path; store arrays with dlt.save_data"
    with pytest.raises(SettingsError, match=message):
        select([], RATES, tmp_path)


def test_runs_that_cannot_go_on_end_the_search_before_a_loser_can_win(search):
    search(grid(learning_rate=[0.5]), n_epochs=8)
    message = r"n_epochs: the checkpoint has 8, this run 3 \(it may only be raised\); .* in another"
    with pytest.raises(SettingsError, match=message):
        search(grid(learning_rate=[0.5, 1e-9]), n_epochs=3)


@pytest.mark.timeout(60)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this system's file system")
def test_a_pipe_in_the_place_of_the_mark_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / MARK_NAME)
    source = Source("mark", "digits", None, "float64", "jax", "cpu")
    task = Task({}, str(tmp_path / "run"), None, source, [], 1, None, False)
    assert "found another folder, or none, on the machine" in str(run_task(task))


# --- What is shown ------------------------------------------------------------------------------

SHOWN = Selection(
    (
        Outcome({"l2": 0, "seed": 1}, "runs/aa", Score(4, 200), 7, 70, 1.23456, "patience"),
        Outcome({"l2": 0.5, "seed": 1}, "runs/bb", Score(6, 200), 8, 40, 0.5, "n_epochs"),
        Outcome({"l2": -1, "seed": 1}, "runs/cc", error="l2: found -1 | expected more"),
    ),
    n_candidates=3,
    p_value=0.03125,
    test=Score(5, 200),
)


def test_the_table_can_be_read_back():
    rows = list(csv.DictReader(io.StringIO(SHOWN.csv())))
    assert [row["run"] for row in rows] == ["aa", "bb", "cc"]
    first, second, failed = rows
    assert (first["rank"], first["validation_error"], first["n_errors"]) == ("1", "0.02", "4")
    assert float(first["low"]) == pytest.approx(0.0078, abs=5e-5)
    assert (first["seconds"], first["p_value"], second["p_value"]) == ("1.235", "", "0.03125")
    assert failed["error"] == "l2: found -1 | expected more" and failed["n_errors"] == ""


def test_a_setting_that_a_candidate_lacks_is_empty_in_the_table():
    outcomes = [SHOWN.outcomes[0]._replace(settings=s) for s in ({"folder": 1}, {"seed": 1})]
    rows = csv.DictReader(io.StringIO(Selection(tuple(outcomes), 2).csv()))
    assert [(row["folder"], row["seed"]) for row in rows] == [("1", ""), ("", "1")]


def test_the_table_for_people_has_one_line_for_each_candidate():
    lines = SHOWN.markdown().split("\n")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[:5]]
    assert cells[0][1:4] == ["l2", "seed", "validation error"]
    assert cells[2] == ["1", "0", "1", "2.000000 %", "4/200", "0.78 to 5.03 %", "7", "1.2", "aa"]
    assert cells[4][5] == "l2: found -1 / expected more"
    assert len({len(line) for line in lines[:5]}) == 1
    assert lines[-1].endswith("McNemar's p = 0.0312 on the validation set, significant")
    assert "\n\nand 2 more\n" in SHOWN.markdown(1) and repr(SHOWN) == SHOWN.markdown(10)


def test_errors_that_are_measured_have_no_interval():
    outcome = Outcome({"seed": 1}, "runs/aa", Score(3.0, 200), 7, 70, 1.2, "patience")
    shown = Selection((outcome,), 1, test=Score(2.0, 100)).markdown()
    assert " 0.015000 | " in shown and "test error 0.020000 (mean of 100)" in shown


def test_a_folder_is_named_after_all_that_makes_up_the_run():
    assert digest({"a": 1, "b": None}) == digest({"b": None, "a": 1}) != digest({"a": 2, "b": None})


# --- The page about it --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.once
def test_the_programs_of_the_page_run(tmp_path, float64):
    path = ROOT / "docs" / "selection.md"
    assert doctest.testfile(str(path), module_relative=False).failed == 0
    blocks = re.findall("```python\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
    module, program, parallel = [block for block in blocks if ">>>" not in block][:3]
    (tmp_path / "my_models.py").write_text(module)
    for name, text, n_runs in (("program.py", program, 4), ("parallel.py", parallel, 8)):
        (tmp_path / name).write_text(text)
        process = run_python(name, cwd=tmp_path, PYTHONPATH=ROOT)
        assert (process.returncode, process.stderr) == (0, "")
        assert len(list(tmp_path.glob("runs/perceptron/*/best_params.npz"))) == n_runs
    assert "\nwinner: n_hidden=" in process.stdout
