"""The direction of imports, and what importing `dlt` does and does not do."""

import ast

import pytest
from conftest import ROOT, run_python

import dlt

MODULES = sorted((ROOT / "dlt").rglob("*.py"))
# Lower layers never import higher ones: a module may import modules to its left only.
LAYERS = [
    {"errors"},
    {"checks"},
    {"examples", "progress", "files", "score", "arrays"},
    {
        "engine",
        "order",
        "fingerprint",
        "early_stopping",
        "describing",
        "splitting",
        "formats",
    },
    {"fetching", "stored", "preparing"},
    {"datasets", "parameters", "shared", "losses", "regularization", "models"},
    {"sgd", "evaluation", "chunks", "significance", "program"},
    {"runs"},
    {"training", "prediction"},
    {"pictures"},
    {"results", "answers"},
    {"trainer"},
    {"selection", "commandline"},
    {"estimator"},
    {"__init__", "__main__"},
]


def module(path):
    """Return the name of a module or of its package."""
    return path.relative_to(ROOT / "dlt").parts[0].replace(".py", "")


def imported(path):
    """Return the names of all modules a file imports, at its top or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_exactly_one_module_names_the_engine():
    engines = ("theano", "pytensor", "aesara", "jax")
    naming = {
        module(path) for path in MODULES if any(n.split(".")[0] in engines for n in imported(path))
    }
    assert naming == {"engine"}


def test_the_engines_know_nothing_of_one_another():
    for one, other in (("_theano", "_pytensor"), ("_pytensor", "_theano")):
        names = imported(ROOT / "dlt" / "engine" / (one + ".py"))
        assert not [n for n in names if other.strip("_") in n.split(".")[0] or other in n]


def test_imports_go_one_way():
    level = {name: i for i, layer in enumerate(LAYERS) for name in layer}
    assert set(level) == {module(path) for path in MODULES}
    for path in MODULES:
        for name in imported(path):
            parts = name.split(".")
            inside = parts[1:2] == [module(path)]
            if parts[0] == "dlt" and len(parts) > 1 and parts[1] in level and not inside:
                assert level[parts[1]] < level[module(path)], f"{path} imports {name}"


def test_sgd_and_the_loop_know_no_model():
    for name in ("sgd", "early_stopping", "evaluation", "training"):
        assert not [n for n in imported(ROOT / "dlt" / (name + ".py")) if "models" in n]


def test_import_is_silent_and_touches_no_network_and_no_file():
    code = (
        "import sys, os\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, args: seen.append((event, args)))\n"
        "import dlt\n"
        "ours = os.path.dirname(dlt.__file__)\n"
        "loaded = [m for m in sys.modules if m.split('.')[0] in\n"
        "          ('pytensor', 'theano', 'jax', 'numpy', 'requests', 'tqdm', 'PIL',\n"
        "           'matplotlib')]\n"
        "opened = [a[0] for e, a in seen if e == 'open' and not str(a[0]).startswith(ours)]\n"
        "opened = [p for p in opened if not str(p).endswith(('.py', '.pyc', '.so', '.pth'))]\n"
        "written = [a for e, a in seen if e == 'open' and isinstance(a[1], str) and 'w' in a[1]\n"
        "           and not str(a[0]).split('.pyc')[0].count('__pycache__')]\n"
        "network = [e for e, _ in seen if e.startswith('socket.')]\n"
        "assert not (loaded or opened or written or network), (loaded, opened, written, network)\n"
    )
    process = run_python("-c", code)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_every_public_name_and_every_module_is_there_and_documented():
    for name in dlt.__all__:
        if name not in ("theano", "T"):
            assert getattr(dlt, name).__doc__, name
    assert set(dlt.__all__) <= set(dir(dlt))
    modules = {module(path) for path in MODULES} - {"__init__", "__main__", "estimator"}
    code = (
        f"import dlt, sys\nfor name in {sorted(modules)}: getattr(dlt, name).__doc__[0]\n"
        "assert not {'requests', 'tqdm'} & set(sys.modules)"
    )
    assert run_python("-c", code).returncode == 0
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        dlt.no_such_name  # noqa: B018


def test_the_estimator_alone_needs_scikit_learn():
    hidden = "import sys; sys.modules['sklearn'] = None; import dlt; "
    assert run_python("-c", hidden + "dlt.trainer").returncode == 0
    process = run_python("-c", hidden + "from dlt.estimator import SoftmaxRegression")
    last = process.stderr.splitlines()[-1]
    assert last.startswith(
        "dlt.errors.EngineError: dlt.estimator: found no scikit-learn that it can"
    )
    assert last.endswith(
        "; expected scikit-learn 1.6 or newer, which needs Python 3.9; install it with: "
        "pip install '.[sklearn]'"
    )


def test_type_checkers_see_every_public_name_and_every_module():
    tree = ast.parse((ROOT / "dlt" / "__init__.py").read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    modules, *names = block.body
    declared = {alias.asname: node.module for node in names for alias in node.names}
    assert declared == {name: "dlt." + home for name, home in dlt._EXPORTS.items()}
    here = {module(path) for path in MODULES} - {"__init__", "__main__"}
    assert {alias.name for alias in modules.names} == here
