"""Known attacks are refused by every reader, and they are attacks: pickle.load falls for them."""

import json
import os
import subprocess
import sys

import attacks
import numpy as np
import pytest
import readers
from conftest import MODE_FLAGS, ROOT, bare_environment

from dlt.history import HistoryRow, write_history
from dlt.parameters import save_params

# What a file that is meant for a reader may do to it: come out as plain values after all.
HARMLESS = {
    "csv-overflow",  # an infinite loss is one
    "gzip-bomb-in-a-bomb",  # one layer is opened
    "gzip-in-itself-50-times",
    "model-no-square",  # no model of pictures, but a model
    "model-too-large-for-float32",  # where floatX is float64
    "npz-another-disk",
    "npz-before-it-a-program",
    "npz-compressed-size-huge",
    "npz-empty-archive",
    "npz-entries-huge",
    "npz-name-length-huge",
    "npz-extra-field-that-lies",
    "pickle-many-LONG1",
    "pickle-many-dicts.heavy",
    "pickle-many-lists.heavy",
    "pickle-many-puts.heavy",
    "pickle-one-long-text-among-empty-ones",
    "pickle-text-of-wide-letters.heavy",
    "png-16-bit-50-megapixels.heavy",
    "png-animated",
    "png-animated-frame-outside",
    "png-eXIf",
    "png-eXIf-loop",
    "png-endless-chunks",
    "png-iCCP-method-9",
    "png-many-tEXt",
    "png-xmp-orientation",
} | {
    "params.{}-{}".format(end, key)
    for end in ("npz", "pkl")
    for key in ("data-set-elsewhere", "data-set-odd", "lone-surrogate", "not-a-number")
}

# Most MiB that any file of the corpus may take. A pickle is refused when it has filled its limit
# of 1024; a picture of 50 megapixels and 16 bits takes 2 + 4 + 1 bytes for each.
MOST_MIB = {"pickle": 1280, "picture": 512}
MOST_MIB_ELSE = 128


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The corpus as files, and the file that none of them may make."""
    canary = tmp_path_factory.mktemp("canary") / "canary"
    folder = tmp_path_factory.mktemp("corpus")
    made = attacks.corpus(canary)
    for attack in made:
        (folder / attack.name).write_bytes(attack.data)
    return made, folder, canary


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


def test_names_are_unique_and_each_reader_has_attacks_of_its_own(corpus):
    made, _, _ = corpus
    assert len({attack.name for attack in made}) == len(made) > 400
    kinds = {attack.kind for attack in made}
    assert all(set(reader.kinds) <= kinds for reader in readers.READERS)


def test_every_reader_was_given_every_attack(corpus, report):
    made, _, _ = corpus
    light = sum(not attack.heavy for attack in made)
    heavy = len(made) - light
    assert heavy > 10 and len(report) == light * len(readers.READERS) + heavy


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
    def cap(line):
        whole = line["attack"] == "pickle-text-encoded-again-and-again"  # fills its limit
        return MOST_MIB.get("pickle" if whole else line["reader"], MOST_MIB_ELSE)

    assert [line for line in report if not line["mib"] <= cap(line)] == []
    assert max(line["mib"] for line in report) > 500  # it is measured at all


# --- The corpus bites --------------------------------------------------------------------------

# Reads each file as somebody without dlt would; says which made the canary, and why others did not.
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


# --- Through the command line ------------------------------------------------------------------


def run_script(name, *args, cwd):
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / name), *map(str, args)],
        cwd=str(cwd),
        env=bare_environment(**MODE_FLAGS),
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def victim(tmp_path):
    """A folder with a good model of pictures, and nothing else."""
    arrays = {"W": np.zeros((784, 10)), "b": np.zeros(10)}
    save_params(tmp_path / "good.npz", arrays, settings={"dataset": "digits"})
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "file", "script", "before"),
    [
        ("pickle-os.system", "model.pkl", "predict.py", ["--model"]),
        ("npz-object-arrays", "model.npz", "predict.py", ["--model"]),
        ("params.npz-name-with-a-line-break", "model.npz", "predict.py", ["--model"]),
        ("png-iCCP-bomb", "digit.png", "predict.py", ["--model", "good.npz"]),
        ("png-postscript", "digit.png", "predict.py", ["--model", "good.npz"]),
        ("pickle-object-array-2", "x.pkl.gz", "train_logreg.py", ["--dataset"]),
        ("pickle-dotted-gzip-os.system", "x.pkl", "train_logreg.py", ["--dataset"]),
        ("npz-object-arrays", "mnist.npz", "train_logreg.py", ["--dataset"]),
        ("npz-bomb-that-declares-4-GiB", "mnist.npz", "train_logreg.py", ["--dataset"]),
    ],
)
def test_scripts_say_it_in_one_line_with_code_2(corpus, victim, kind, file, script, before):
    _, folder, canary = corpus
    (victim / file).write_bytes((folder / kind).read_bytes())
    listed = sorted(os.listdir(victim))
    process = run_script(script, *before, file, cwd=victim)
    assert process.returncode == 2
    assert process.stdout.count("\n") <= 1  # training names its engine first
    assert process.stderr.startswith("error: ") and file + ": found " in process.stderr
    assert process.stderr.count("\n") == 1 and process.stderr[:-1].isprintable()
    assert sorted(os.listdir(victim)) == listed and not canary.exists()


def test_the_corpus_is_written_by_its_script(tmp_path):
    process = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "attacks.py"), str(tmp_path / "corpus")],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0
    data = (tmp_path / "corpus" / "pickle-INST").read_bytes()
    assert data == b"(" + attacks.value("touch {}".format(tmp_path / "corpus" / "canary")) + (
        b"ios\nsystem\n."
    )
    written = "{} attacks, ".format(len(os.listdir(tmp_path / "corpus")))
    assert process.stdout.startswith(written)


# --- The watch itself --------------------------------------------------------------------------

WATCHED = """
import os, pickle, subprocess, sys
sys.path.insert(0, {tests!r})
import readers
watch = readers.Watch()
for act in (
    lambda: open("new", "w").close(),
    lambda: os.close(os.open("newer", os.O_CREAT | os.O_WRONLY)),
    lambda: os.system("true"),
    lambda: subprocess.call(["true"]),
    lambda: pickle.loads(b"cos\\ngetpid\\n)R."),
    lambda: eval("1 + 1"),
    lambda: __import__("this_is_no_module"),
    lambda: os.unlink("new"),
    lambda: open("newer").close(),
    lambda: os.listdir("."),
):
    watch.on = True
    try:
        act()
    except ImportError:
        pass
    watch.on = False
    print(len(watch.taken()) > 0)
"""


def test_the_watch_sees_what_it_is_there_to_see(tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", WATCHED.format(tests=str(ROOT / "tests"))],
        cwd=str(tmp_path),
        capture_output=True,
        text=True,
    )
    assert process.stderr == ""
    assert process.stdout.split() == ["True"] * 8 + ["False"] * 2


def test_a_reader_that_misbehaves_is_reported(tmp_path):
    def says(read, check=lambda found: None):
        return readers.run(readers.Reader("x", "x", read, check, ()), tmp_path / "x")

    def broken(path):
        raise KeyError("W")

    assert says(lambda path: 1) == "value"
    assert says(broken) == "KeyError: \"'W'\""
    assert says(lambda path: [object()], readers.plain).startswith("not valid: ")
    write_history(tmp_path / "x", [HistoryRow(1, 1, 0.5, 0.5, 2.0, 1.0)])
    assert says(readers.read_history, readers.rows) == "value"
