"""The tutorial, docs/getting_started.md: it runs, it covers the page, and `make docs` shows it.

Its cells are executed once: by Sphinx where the HTML pages can be built, and as plain Python
elsewhere. Hidden cells write down what the visible ones found.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from browser import chromium
from conftest import MODE_FLAGS, ROOT

import dlt

TUTORIAL = ROOT / "docs" / "getting_started.md"
TEXT = TUTORIAL.read_text("utf-8")
CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CELLS = CELL.findall(TEXT)
FORMULAS = [
    " ".join(display.split() if display else inline.split())
    for display, inline in re.findall(
        r"\$\$(.+?)\$\$|\$(.+?)\$", re.sub("^```.*?^```$", "", TEXT, flags=re.M | re.S), re.DOTALL
    )
]
N_DISPLAYS = TEXT.count("$$") // 2

# The page's code blocks, in its order: the cell's first line, and what the cell has of the block.
PAGE_BLOCKS = [
    ("MNIST Dataset, load it", "train_set, valid_set, test_set = dlt.load_data(dataset)"),
    ("MNIST Dataset, the pickled file", "train_set, valid_set, test_set = pickle.load(f)"),
    ("Notation, Python namespaces", "import numpy"),
    (
        "MNIST Dataset, shared variables and the third minibatch",
        "data = train_set_x[2 * batch_size: 3 * batch_size]",
    ),
    ("Zero-One Loss", "zero_one_loss = T.sum(T.neq(T.argmax(p_y_given_x, axis=1), y))"),
    (
        "Negative Log-Likelihood Loss",
        "NLL = -T.sum(T.log(p_y_given_x)[T.arange(y.shape[0]), y])",
    ),
    ("GRADIENT DESCENT", "while True:"),
    ("STOCHASTIC GRADIENT DESCENT", "x_i, y_i = train_x[i : i + 1], train_y[i : i + 1]"),
    ("Minibatch SGD", "for x_batch, y_batch in train_batches:"),
    (
        "Minibatch Stochastic Gradient Descent in Theano",
        "MSGD = theano.function([x_batch, y_batch], loss, updates=updates)",
    ),
    ("L1 and L2 regularization", "regularized = NLL_given + lambda_1 * L1 + lambda_2 * L2_sqr"),
    ("Early-Stopping", "patience = max(patience, iter * patience_increase)"),
    ("Loading and Saving Models, save", "pickle.dump(w.get_value(borrow=True), save_file, -1)"),
    ("Loading and Saving Models, load", "w.set_value(pickle.load(save_file), borrow=True)"),
]

# Every formula of the page, one on a line, sums and labels set right.
SUM = r"\sum_{i=0}^{\vert\mathcal{D}\vert - 1}"
PAGE_FORMULAS = r"""
\mathcal{D}_ \text{train}
\mathcal{D}_ \text{valid}
\mathcal{D}_ \text{test}
x^{(i)} \in \mathbb{R}^D
y^{(i)} \in \lbrace 0, \ldots, L - 1 \rbrace
W
W_{ij}
W_{i \cdot}
W_{\cdot j}
b
b_i
D_h^{(i)}
f_\theta(x)
\mathcal{L}(\theta, \mathcal{D})
\ell(\theta, \mathcal{D})
\theta
f: \mathbb{R}^D \to \lbrace 0, \ldots, L - 1 \rbrace
\mathcal{D} \cap \mathcal{D}_ \text{train} = \emptyset
\ell_{0,1}(\theta, \mathcal{D}) = SUM I_{f(x^{(i)}) \neq y^{(i)}}
f(x) = \arg\max_k P(Y = k \mid x, \theta)
I_c = \begin{cases} 1 & \text{if } c \text{ is true} \cr 0 & \text{otherwise} \end{cases}
\mathcal{L}(\theta, \mathcal{D}) = SUM \log P(Y = y^{(i)} \mid x^{(i)}, \theta)
\text{NLL}(\theta, \mathcal{D}) = - SUM \log P(Y = y^{(i)} \mid x^{(i)}, \theta)
\theta \leftarrow \theta - \epsilon \frac{\partial \ell(\theta, \mathcal{D})}{\partial \theta}
E(\theta, \mathcal{D}) = \text{NLL}(\theta, \mathcal{D}) + \lambda R(\theta)
E(\theta, \mathcal{D}) = \text{NLL}(\theta, \mathcal{D}) + \lambda \lVert\theta\rVert_p^p
\lVert\theta\rVert_p = \left( \sum_{j=0}^{\vert\theta\vert - 1} \vert\theta_j\vert^p \right)^{1/p}
""".replace("SUM", SUM)

# Hidden cells. The first follows a cell whose names later cells use again; the numbers of the
# engine become Python's.
AFTER = "# Page: GRADIENT DESCENT\n"
KEEP = """\
w_of_quadratic = float(w.get_value())
gradient_descent_losses = list(losses)
"""
REPORT = """\
import json, os
report = {
    "third_y": third_y.tolist(),
    "errors": [int(n) for n in errors(p_of_two, y_of_two)],
    "without_axis": int(without_axis(p_of_two, y_of_two)),
    "NLL": [float(value) for value in NLL_of(p_of_two, y_of_two)],
    "w": w_of_quadratic,
    "gradient_descent": gradient_descent_losses,
    "MSGD": losses_of_MSGD,
    "spread": [float(spread[B]) for B in sorted(spread)],
    "squared_length": squared_length,
    "penalties": [float(value) for value in penalties(1.0, param_of_two)],
    "squares": [float((run.best_params["W"] ** 2).sum()) for _, run in sorted(runs.items())],
    "errors_with_decay": [run.best_validation.n_errors for _, run in sorted(runs.items())],
    "stopped_at": [iteration, rule.best_iteration, rule.patience],
    "best_validation_loss": best_validation_loss,
    "history": history,
    "train_history": [[row.iteration, row.validation_error] for row in result.history],
    "iter": iter,
    "n_iterations": result.n_iterations,
    "stopped_by": result.stopped_by,
    "snapshots": [path.name for path in snapshots],
    "chosen": list(chosen),
    "chosen_test": list(results[chosen].test),
    "scores": [[*key, *value.best_validation] for key, value in results.items()],
    "test_errors": int((p_of_test.argmax(axis=1) != test_y).sum()),
}
with open(os.environ["TUTORIAL_REPORT"], "w") as file:
    json.dump(report, file)
"""


def with_hidden_cells():
    """Give the text of the tutorial with the hidden cells in it."""
    hidden = "\n\n```{{code-cell}} ipython3\n:tags: [remove-cell]\n\n{}```".format
    text = CELL.sub(lambda cell: cell[0] + (hidden(KEEP) if AFTER in cell[1] else ""), TEXT)
    return text + hidden(REPORT) + "\n"


def program():
    """Give the cells as one program, which draws no figure: they are drawn on the pages."""
    return "".join(
        cell.replace(":tags: [remove-cell]", "") for cell in CELL.findall(with_hidden_cells())
    )


@pytest.fixture(scope="module", params=[pytest.param("executed", marks=pytest.mark.slow)])
def tutorial(tmp_path_factory):
    """What the cells found, and the folder of the pages, or None where they cannot be built."""
    folder = tmp_path_factory.mktemp("tutorial")
    report, docs, pages = (folder / name for name in ("report.json", "docs", "pages"))
    has_tools = all(importlib.util.find_spec(name) for name in ("myst_nb", "furo"))
    if has_tools and not MODE_FLAGS:  # with the default linker, as `make docs` builds them
        shutil.copytree(str(ROOT / "docs"), str(docs), ignore=shutil.ignore_patterns("_build"))
        (docs / TUTORIAL.name).write_text(with_hidden_cells(), "utf-8")
        command = ["-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-c", str(ROOT / "docs"),
                   "-d", str(folder / "doctrees"), str(docs), str(pages)]  # fmt: skip
    else:
        command, pages = ["-c", program()], None
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environ = dict(
        os.environ, PYTHONPATH=os.pathsep.join(paths), MPLBACKEND="Agg", TMPDIR=str(folder),
        TUTORIAL_REPORT=str(report),
    )  # fmt: skip
    process = subprocess.run(
        [sys.executable, *command],
        cwd=str(folder), env=environ, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-3000:]
    return json.loads(report.read_text()), pages


@pytest.fixture
def found(tutorial):
    return tutorial[0]


@pytest.fixture
def site(tutorial):
    if tutorial[1] is None:
        pytest.skip("no pages here: they need Sphinx and its extensions, and the default linker")
    return tutorial[1]


def page(site, name):
    return (site / name).read_text("utf-8")


# --- what the cells found ------------------------------------------------------------------------


def test_the_small_examples_give_what_was_found_by_hand(found):
    assert found["errors"] == [1, 1] and found["without_axis"] == 0
    assert found["NLL"] == pytest.approx([1.5606, 1.5606], abs=5e-5)
    assert found["w"] == 2.25
    assert found["penalties"] == pytest.approx([7, 7, 25, 25, 7, 7])
    assert found["stopped_at"] == [16, 11, 16]  # the iteration, the best one, the patience


def test_the_third_minibatch_has_rows_200_to_299(found):
    train_set, _, _ = dlt.load_data("digits")
    assert found["third_y"] == train_set[1][200:300].tolist()


def test_the_descents_go_down(found):
    losses = found["gradient_descent"]
    assert losses[0] == pytest.approx(2.302585, abs=1e-5)  # log 10
    assert losses == sorted(losses, reverse=True) and len(losses) == 10
    assert len(found["MSGD"]) == 60 and found["MSGD"][-1] < 0.5 * found["MSGD"][0]


def test_the_spread_of_the_gradient_falls_like_one_over_the_batch_size(found):
    one, two, four, twenty, two_hundred = found["spread"]
    assert one / two == pytest.approx(2, rel=0.2) and one / four == pytest.approx(4, rel=0.2)
    assert one / twenty == pytest.approx(20, rel=0.2) and two_hundred < one / 200
    # What the text says of these numbers: half of the first is about forty, 200 examples instead
    # of 20 save three or four, and an estimate from 20 is further off than the gradient is long.
    assert one - two == pytest.approx(40, abs=5) and 3 < twenty - two_hundred < 4
    assert two_hundred < found["squared_length"] < twenty


def test_weight_decay_makes_weights_smaller(found):
    without, with_decay = found["squares"]
    assert with_decay < 0.5 * without  # the text says: less than half
    without, with_decay = found["errors_with_decay"]
    assert with_decay >= without  # and that the validation error does not become lower


def test_the_page_s_loop_and_train_see_the_same(found):
    assert found["n_iterations"] == found["iter"] + 1  # updates made; the last one's number
    assert found["history"] == found["train_history"]
    assert found["stopped_by"] == "patience"
    assert found["best_validation_loss"] == min(error for _, error in found["history"])
    assert found["best_validation_loss"] < 0.08


def test_the_model_was_selected_by_validation(found):
    fewest = min(n_errors for *_, n_errors, _ in found["scores"])
    first = next(score for score in found["scores"] if score[2] == fewest)
    assert found["chosen"] == first[:2] and len(found["scores"]) == 4
    assert all(n_examples == 297 for *_, n_examples in found["scores"])
    n_errors, n_examples = found["chosen_test"]
    assert n_errors / n_examples > 1.5 * fewest / 297  # the text says: much higher


def test_what_was_saved_was_used(found):
    assert found["snapshots"] == ["iteration_{:06d}.npz".format(60 * n) for n in range(1, 21)]
    assert 25 < found["test_errors"] < 55  # 13 % of 300, about


# --- the pages that show it ----------------------------------------------------------------------


@pytest.mark.once
def test_the_tutorial_shows_what_it_computed(site):
    html = page(site, "getting_started.html")
    assert [word for word in ("Traceback", "stderr", "widget") if word in html] == []
    assert html.count('class="cell docutils container"') == len(CELLS)
    text = re.sub("<[^>]+>", "", html)
    for expected in ("1.5606", "stopped at iter 16; the best was seen at iter 11", "W (784, 10)"):
        assert expected in text, expected
    assert "minibatch/s" not in text  # a progress bar
    pictures = re.findall(r'src="(_images/[0-9a-f]+\.png)"', html)
    assert len(pictures) == 8
    for picture in pictures:
        data = (site / picture).read_bytes()
        assert data.startswith(b"\x89PNG") and len(data) > 4000


@pytest.mark.once
def test_formulas_are_drawn_by_the_browser_alone(site):
    html = page(site, "getting_started.html")
    assert html.count("<math ") == len(FORMULAS)
    assert html.count('display="block"') == N_DISPLAYS
    for name in ("index.html", "getting_started.html", "api.html"):
        assert not re.findall(r'(?:src|href)="(?:https?:)?//[^"]*\.(?:js|css)', page(site, name))


# For each formula of its own line: what scrolls up and down in it, and what stands out of it.
FORMULAS_TOO_HIGH = """
return [...document.querySelectorAll("div.math")].map(div => {
  const box = div.getBoundingClientRect();
  const parts = [...div.querySelectorAll("math, math *")].map(e => e.getBoundingClientRect());
  return {
    scrolled: Math.max(0, div.scrollHeight - div.clientHeight),
    above: Math.max(0, ...parts.map(part => box.top - part.top)),
    below: Math.max(0, ...parts.map(part => part.bottom - box.bottom)),
  };
});
"""


@pytest.mark.once
def test_no_formula_is_cut_off_or_scrolls_up_and_down(site, tmp_path):
    with chromium(tmp_path / "profile") as browser:
        for width in (1200, 600):
            browser.set_window_size(width, 900)
            browser.get((site / "getting_started.html").as_uri())
            formulas = browser.execute_script(FORMULAS_TOO_HIGH)
            assert formulas == [{"scrolled": 0, "above": 0, "below": 0}] * N_DISPLAYS


@pytest.mark.once
def test_every_public_name_is_documented(site):
    html = page(site, "api.html")
    assert [name for name in dlt.__all__ if 'id="dlt.{}"'.format(name) not in html] == []
    assert html.count("<math ") > 5


@pytest.mark.once
def test_the_site_has_every_document(site):
    for path in (ROOT / "docs").glob("*.md"):
        assert (site / (path.stem + ".html")).is_file()
        link = 'href="{}.html"'.format(path.stem)
        assert link in page(site, "index.html") or path.stem == "index"


# --- its text ------------------------------------------------------------------------------------


@pytest.mark.once
def test_each_code_block_of_the_page_has_its_cell_in_the_same_order():
    titled = [(re.match("# Page: (.*)\n", cell), cell) for cell in CELLS]
    cells = [(title.group(1), cell) for title, cell in titled if title]
    assert [title for title, _ in cells] == [title for title, _ in PAGE_BLOCKS]
    assert [line for (_, cell), (_, line) in zip(cells, PAGE_BLOCKS) if line not in cell] == []


@pytest.mark.once
def test_each_formula_of_the_page_is_there():
    missing = [
        formula
        for formula in PAGE_FORMULAS.strip().splitlines()
        if not any(f == formula or f.startswith(formula + ",") for f in FORMULAS)
    ]
    assert missing == []


@pytest.mark.once
def test_formulas_read_the_same_on_github():
    # GitHub takes a backslash before punctuation for Markdown's, an underscore between two
    # punctuation marks for the beginning of italics, and a bar in a table for a column.
    assert len(FORMULAS) > 80
    assert [f for f in FORMULAS if re.search(r"\\[^a-zA-Z]|[^\w\s]_\S|[|*<]", f)] == []
    assert [f for f in FORMULAS if f.count("{") != f.count("}")] == []
    # A line of a formula that looks like one of a list, a heading or a quotation becomes that.
    displays = re.findall(r"^\$\$(.+?)\$\$$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(displays) == N_DISPLAYS > 12
    assert [d for d in displays if re.search(r"\n\s*([-+#>=]|\d+[.)]|\n)", d)] == []


@pytest.mark.once
def test_nothing_shown_is_pasted_and_lines_fit_the_page():
    fences = re.findall(r"^```(.*)$", TEXT, re.MULTILINE)
    assert set(fences) == {"{code-cell} ipython3", ""}
    assert len(fences) == 2 * len(CELLS) and len(CELLS) > 30
    assert "![" not in TEXT and "<img" not in TEXT and "data:image" not in TEXT
    assert [line for cell in CELLS for line in cell.splitlines() if len(line) > 88] == []


@pytest.mark.once
def test_it_opens_in_jupyter():
    jupytext = pytest.importorskip("jupytext")
    notebook = jupytext.read(str(TUTORIAL))
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert code == [cell.rstrip("\n") for cell in CELLS]
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert all(cell.outputs == [] for cell in notebook.cells if cell.cell_type == "code")
