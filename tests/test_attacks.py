"""Known attacks are refused by every reader, and they are attacks: pickle.load falls for them."""

import importlib
import itertools
import json
import os
import shutil
import subprocess
import sys

import attacks
import numpy as np
import pytest
import readers
from conftest import ROOT

import dlt
from dlt import prediction
from dlt.files import grey
from dlt.formats import IDX_NAMES
from dlt.parameters import save_params
from dlt.pictures import checks as picture_checks
from dlt.pictures.run import NAMES
from dlt.runs import aside, folder
from dlt.runs.lock import LOCK_NAME
from dlt.stored import is_stored

pytestmark = pytest.mark.slow

# What a file that is meant for a reader may do to it: come out as plain values after all. An
# infinite loss is one; of a bomb in a bomb one layer is opened; flags of gzip without a meaning are
# ignored; a model need not be of pictures; what is too large for float32 is not where floatX is
# float64.
HARMLESS = set(
    """
csv-overflow gzip-bomb-in-a-bomb gzip-in-itself-50-times gzip-reserved-flags model-no-square
model-too-large-for-float32 npz-another-disk npz-before-it-a-program npz-compressed-size-huge
npz-empty-archive npz-entries-huge npz-extra-field-that-lies npz-name-length-huge
pickle-many-LONG1 pickle-many-dicts.heavy pickle-many-lists.heavy pickle-many-puts.heavy
pickle-one-long-text-among-empty-ones pickle-text-of-wide-letters.heavy
png-16-bit-50-megapixels.heavy png-animated png-animated-frame-outside png-eXIf png-eXIf-loop
png-endless-chunks png-iCCP-method-9 png-many-tEXt png-xmp-orientation
params.npz-data-set-elsewhere params.npz-data-set-odd params.npz-lone-surrogate
params.npz-not-a-number params.pkl-data-set-elsewhere params.pkl-data-set-odd
params.pkl-lone-surrogate params.pkl-not-a-number
""".split()
)

# Most MiB that any file of the corpus may take. A pickle is refused when it has filled its limit
# of 1024.
MOST_MIB = {"pickle": 1280, "picture": grey.MEMORY >> 20}
MOST_MIB_ELSE = 128


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The corpus, the folder with its files, and the file that none of them may make."""
    folder = tmp_path_factory.mktemp("attacks")
    made = attacks.write(folder / "corpus", folder / "canary")
    return made, folder / "corpus", folder / "canary"


@pytest.fixture(scope="module")
def report(corpus):
    """What every reader made of every attack, in a process of its own."""
    _, folder, canary = corpus
    process = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "readers.py"), str(folder)],
        cwd=str(folder.parent),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert not canary.exists()
    return [json.loads(line) for line in process.stdout.splitlines()]


def test_every_reader_was_given_every_attack_and_has_some_of_its_own(corpus, report):
    made, _, _ = corpus
    light = sum(not attack.heavy for attack in made)
    heavy = len(made) - light
    assert heavy > 10 and len(report) == light * len(readers.READERS) + heavy
    assert len({attack.name for attack in made}) == len(made) > 400
    kinds = {attack.kind for attack in made}
    assert all(set(reader.kinds) <= kinds for reader in readers.READERS)


def test_nothing_but_valid_values_or_a_data_error(report):
    assert [line for line in report if line["outcome"] not in ("DataError", "value")] == []


def test_nothing_else_was_done(report):
    """No code run, no module imported, no file written, no process started."""
    assert [line for line in report if line["did"]] == []


def test_what_is_meant_for_a_reader_is_refused(corpus, report):
    kinds = {attack.name: attack.kind for attack in corpus[0]}
    meant = {reader.name: reader.kinds for reader in readers.READERS}
    accepted = {
        line["attack"]
        for line in report
        if line["outcome"] == "value" and kinds[line["attack"]] in meant[line["reader"]]
    }
    assert accepted <= HARMLESS


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_memory_stays_under_the_cap(report):
    over = [
        line for line in report if not line["mib"] <= MOST_MIB.get(line["reader"], MOST_MIB_ELSE)
    ]
    assert over == []
    assert max(line["mib"] for line in report) > 500  # it is measured at all


# Does something small, so that all is imported and compiled, then something large; prints the most
# bytes that the latter took.
MEASURE = """
import os, sys
sys.path.insert(0, {tests!r})
import numpy as np, readers
from dlt import HistoryRow, Predictor, read_picture, save_params, visualize, write_history
from dlt.errors import DltError

def model(n_in):
    W = np.ones((n_in, 2))
    save_params("run/best_params.npz", dict(W=W, b=W[0]), dict(dataset="none"))
    if n_in < 1 << 25:
        save_params("run/snapshots/iteration_000060.npz", dict(W=W, b=W[0]))

def webp(width, height):
    from PIL import Image
    picture = Image.new("RGBA", (width, height), (250, 250, 250, 200))
    picture.paste((0, 0, 0, 255), (width // 3, height // 3, width // 2, height // 2))
    picture.save("picture.webp", lossless=True, method=0)

os.makedirs("run/snapshots")
write_history("run/history.csv", [HistoryRow(60, 1, 1.5, 0.25, 5000, 1)])
for make, size in ({make}, {small!r}), ({make}, {large!r}):
    make(*size)
    readers.reset_peak()
    base = readers.memory_mib("VmRSS")
    try:
        {call}
    except DltError as error:
        print(str(error).partition("found ")[2])
print((readers.memory_mib("VmHWM") - base) * (1 << 20))
"""
SQUARE = 2896**2  # of pixels: of two such pictures, fewer than may be drawn
PREDICT = "Predictor('run').predict(np.zeros((1, size[0])))"
WORST = {
    "a WebP picture": (
        "webp", (60, 60), (16383, 3051), "read_picture('picture.webp')", grey.MEMORY
    ),
    "the largest model that is drawn": (
        "model", (64,), (SQUARE,), "visualize('run')", picture_checks.MEMORY
    ),
    "a model that is too large": (
        "model", (64,), (50000000,), "visualize('run')", picture_checks.MEMORY
    ),
    "a prediction": ("model", (64,), (SQUARE,), PREDICT, prediction.MEMORY * 16 * SQUARE),
}  # fmt: skip


@pytest.mark.once
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
@pytest.mark.parametrize("make, small, large, call, most", WORST.values(), ids=WORST)
def test_the_worst_take_no_more_memory_than_is_promised(tmp_path, make, small, large, call, most):
    tests = str(ROOT / "tests")
    code = MEASURE.format(tests=tests, make=make, small=small, large=large, call=call)
    environ = dict(os.environ, PYTHONPATH=str(ROOT), THEANO_FLAGS="floatX=float64")
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=str(tmp_path),
        env=environ,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr
    *said, taken = process.stdout.splitlines()
    assert most / 4 < float(taken) < most
    refusal = f"{2 * large[0]} pixels in all pictures; expected at most 16777216; take fewer or "
    assert said == ([refusal + "smaller ones"] if large == (50000000,) else [])


# Reads each file as somebody without dlt would, and prints whether it made the canary.
VICTIM = """
import copyreg, json, os, pickle, shutil, sys, warnings
import numpy as np
warnings.simplefilter("ignore")
sys.path.insert(0, {root!r})
for number, dotted in {extensions!r}.items():
    copyreg.add_extension(*dotted.split("."), number)

class Unpickler(pickle.Unpickler):
    def persistent_load(self, text):
        os.system(text)

def bitten(kind, path):
    try:
        if kind == "pickle":
            with open(path, "rb") as file:
                Unpickler(file).load()
        else:
            found = np.load(path, allow_pickle=True)
            if kind == "npz":
                [found[key] for key in found.files]
    except BaseException as error:
        return "{{}}: {{}}".format(type(error).__name__, error)

for kind, path in json.loads(sys.stdin.read()):
    why = bitten(kind, path)
    print(json.dumps([os.path.basename(path), os.path.exists({canary!r}), why]), flush=True)
    if os.path.isdir({canary!r}):
        os.rmdir({canary!r})
    elif os.path.exists({canary!r}):
        os.unlink({canary!r})
"""


@pytest.mark.skipif(os.name != "posix", reason="the attacks call touch")
def test_the_standard_library_and_numpy_fall_for_them(corpus):
    made, folder, canary = corpus
    biting = {attack.name: attack for attack in made if attack.bites}
    code = VICTIM.format(root=str(ROOT), canary=str(canary), extensions=attacks.EXTENSIONS)
    process = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps([[a.kind, str(folder / a.name)] for a in biting.values()]),
        cwd=str(canary.parent),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    # What an attack runs may print as well.
    lines = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == len(biting) > 80
    spared = {name: why for name, bit, why in lines if not bit}
    # Names that this Python or this numpy does not have may spare their victim, nothing else.
    assert {name: why for name, why in spared.items() if biting[name].bites == "always"} == {}
    gone = ("ModuleNotFoundError", "AttributeError", "ImportError")
    assert {name: why for name, why in spared.items() if not str(why).startswith(gone)} == {}
    assert any("numpy." in name for name in biting if name not in spared)


@pytest.mark.parametrize(
    ("attack", "file", "script", "options"),
    [
        ("pickle-os.system", "model.pkl", "predict", ["--model"]),
        ("npz-object-arrays", "model.npz", "predict", ["--model"]),
        ("png-iCCP-bomb", "digit.png", "predict", ["--model", "good.npz"]),
        ("pickle-object-array-2", "x.pkl.gz", "train_logreg", ["--dataset"]),
        ("npz-object-arrays", "mnist.npz", "train_logreg", ["--dataset"]),
    ],
)
def test_scripts_answer_in_one_line_and_exit_with_2(
    corpus, tmp_path, monkeypatch, capsys, attack, file, script, options
):
    _, folder, canary = corpus
    arrays = {"W": np.zeros((784, 10)), "b": np.zeros(10)}
    save_params(tmp_path / "good.npz", arrays, settings={"dataset": "digits"})
    (tmp_path / file).write_bytes((folder / attack).read_bytes())
    listed = sorted(os.listdir(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    assert importlib.import_module(script).main([*options, file]) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") <= 1  # training names its engine first
    assert err.startswith("error: ") and file + ": found " in err
    assert err.count("\n") == 1 and err[:-1].isprintable()
    assert sorted(os.listdir(tmp_path)) == listed and not canary.exists()


def write_pictures(path):
    from PIL import Image

    for label in "ab":
        (path / label).mkdir(parents=True)
        for i in range(6):
            Image.new("L", (4, 3), i).save(path / label / f"{i}.png")


def write_npy(path):
    path.mkdir()
    np.save(path / "x.npy", np.eye(12))
    np.save(path / "y.npy", np.arange(12) % 2)


def write_idx(path):
    path.mkdir()
    for name, values in zip(IDX_NAMES, (bytes(12), bytes([0, 1] * 6)) * 2):
        (path / name).write_bytes(
            attacks.idx(8, (12, 1, 1)[: 3 if "images" in name else 1], values)
        )


def read_all(path):
    found = [*dlt.load_data(path)]
    if not os.path.isdir(path / "a"):  # pictures have to be converted first
        found += dlt.open_data(path, verify=is_stored(path))
    return [data_set.rows(0, data_set.n_examples) for data_set in found]


FOLDERS = {
    "stored": lambda path: dlt.save_data(path, [(np.eye(4), np.arange(4))] * 3),
    "pictures": write_pictures,
    "npy files": write_npy,
    "idx files": write_idx,
}
FOLDER_READERS = [readers.Reader(name, name, read_all, bool, ()) for name in FOLDERS]


@pytest.mark.timeout(60)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this system's file system")
@pytest.mark.parametrize("reader", [*readers.READERS, *FOLDER_READERS], ids=lambda r: r.name)
def test_a_file_that_becomes_a_pipe_is_refused_whichever_time_it_is_opened(
    tmp_path, monkeypatch, reader
):
    opened = open

    def outcome(n):
        """Read anew, with a pipe in the place of the nth file that is opened, if there are n."""
        base = tmp_path / str(n)
        base.mkdir()
        path, seen = base / reader.file, []
        if reader.name in FOLDERS:
            FOLDERS[reader.name](path)
        else:
            path.write_bytes(readers.valid_files()[reader.name][0])

        def swapping(file, *args, **kwargs):
            if str(file).startswith(str(base)):
                seen.append(file)
                if len(seen) == n:
                    os.unlink(file)
                    os.mkfifo(file)
            return opened(file, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr("builtins.open", swapping)
            return readers.run(reader, path), len(seen) >= n

    assert outcome(0) == ("value", True)
    assert {said for said, swapped in map(outcome, range(1, 20)) if swapped} == {"DataError"}


# Names within a run folder, and folders in it.
RUN_FILES = [
    folder.PARAMS_NAME, folder.HISTORY_NAME, folder.SETTINGS_NAME, folder.PREVIOUS_NAME,
    LOCK_NAME, *map(aside.kept_name, (1, 2, 5)),
    *(f"snapshots/{folder.snapshot_name(n)}" for n in (2, 4, 99)),
]  # fmt: skip
OTHERS = [[folder.CHECKPOINT_NAME], [folder.SNAPSHOTS_NAME]]
FIGURES = [*(f"figures/{name}.png" for name in NAMES), "figures/weights.gif"]
FIGURES += [f"figures/{NAMES[0]}.svg"]


@pytest.fixture(scope="module")
def writers(tmp_path_factory):
    """Name -> how a folder comes about, what writes into it, and under which names, in groups."""
    sys.path.insert(0, str(ROOT / "scripts"))
    export = importlib.import_module("export_page").main
    sets = [(x[:40], y[:40]) for x, y in dlt.load_data("digits")]
    data = str(tmp_path_factory.mktemp("data") / "digits")
    dlt.save_data(data, sets)
    model, y = dlt.LogisticRegression(dlt.T.matrix("x"), 784, 10), dlt.T.ivector("y")
    loss = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    trainer = dlt.Trainer(model, y, loss, *sets[:2], batch_size=20)

    def train(path, n_epochs=3, resume=False):
        place = dlt.RunFolder(path, snapshot_every=1, settings={"dataset": data})
        trainer.run(n_epochs, folder=place, resume=resume)

    def search(path, n_epochs=1):
        found = dlt.select(data, [{"batch_size": 20}], path, n_epochs=n_epochs)
        found.save(str(path))

    def searched(path):
        search(path)
        for file in path.glob("*/test.json"):
            file.unlink()

    places = tmp_path_factory.mktemp("search")
    search(places)
    (run,) = [path.name for path in places.iterdir() if path.is_dir()]
    tables = [".lock", ".search", "table.csv", "table.md", "errors.png"]
    return {
        "a new run": (os.mkdir, train, [RUN_FILES, *OTHERS]),
        "a run over an old one": (lambda path: train(path, 1), train, [RUN_FILES, *OTHERS]),
        "a run that goes on": (
            lambda path: train(path, 1),
            lambda path: train(path, 3, resume=True),
            [RUN_FILES, *OTHERS],
        ),
        "figures": (train, dlt.visualize, [FIGURES, ["figures"]]),
        "a page": (train, lambda path: export([str(path)]), [["draw.html"]]),
        "a new search": (os.mkdir, search, [tables, [run]]),
        "a search that goes on": (searched, search, [tables, [run + "/test.json"], [run]]),
        "stored data": (
            os.mkdir,
            lambda path: dlt.save_data(path / "new", sets),
            [["new"]],
        ),
    }


WRITERS = ["a new run", "a run over an old one", "a run that goes on", "figures", "a page",
           "a new search", "a search that goes on", "stored data"]  # fmt: skip


@pytest.mark.once
@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("writer", WRITERS)
def test_no_link_in_a_folder_is_followed(writers, writer, tmp_path):
    assert list(writers) == WRITERS
    prepare, write, groups = writers[writer]
    contents = attacks.victims(tmp_path / "outside")
    before, followed, refused = contents(), [], 0
    prepare(tmp_path / "prepared")
    for names, (kind, target) in itertools.product(groups, attacks.TARGETS.items()):
        place = tmp_path / "place"
        shutil.copytree(tmp_path / "prepared", place)
        for link in map(place.joinpath, names):
            link.parent.mkdir(exist_ok=True)
            if link.is_dir():
                shutil.rmtree(link)
            elif link.exists():
                link.unlink()
            link.symlink_to(tmp_path / "outside" / target)
        try:
            write(place)
        except dlt.DltError as error:
            assert str(error).isprintable()
            refused += 1
        if contents() != before:
            followed.append((names, kind))
            shutil.rmtree(tmp_path / "outside")
            contents = attacks.victims(tmp_path / "outside")
            before = contents()
        shutil.rmtree(place)
    assert followed == []
    all_refused = refused == len(groups) * len(attacks.TARGETS)
    assert all_refused == (writer == "stored data")  # which has a new folder only


def test_a_reader_that_misbehaves_is_reported(tmp_path):
    def says(read, check=lambda found: None):
        return readers.run(readers.Reader("x", "x", read, check, ()), tmp_path / "x")

    def broken(path):
        raise KeyError("W")

    assert says(lambda path: 1) == "value"
    assert says(broken) == "KeyError: \"'W'\""
    assert says(lambda path: [object()], readers.plain).startswith("not valid: ")
