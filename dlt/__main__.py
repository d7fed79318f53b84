"""The command `dlt`, or ``python -m dlt``: run one of the scripts by its name."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import PathFinder

import dlt
from dlt import commandline

COMMANDS = (
    "train_logreg", "select_model", "predict", "visualize", "export_page", "fetch_mnist", "convert",
)  # fmt: skip
_PACKAGE = os.path.dirname(os.path.abspath(__file__))
# In an installation, the scripts are inside the package; in a clone, beside it.
_FOLDERS = (os.path.join(_PACKAGE, "_scripts"), os.path.join(os.path.dirname(_PACKAGE), "scripts"))


def _load(name):
    """Return a script as a module."""
    spec = PathFinder.find_spec("dlt._scripts." + name, _FOLDERS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@commandline.script
def main(argv: list[str] | None = None) -> int:
    """Run the script that the first argument names, and return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    by_module = __name__ == "__main__"
    commandline.program = [sys.executable, "-m", "dlt"] if by_module else [sys.argv[0]]
    parser = commandline.Parser(description="Run a script of dlt. Each script has its own --help.")
    parser.add_argument("--version", action="version", version=f"dlt {dlt.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    scripts = {name: _load(name) for name in COMMANDS}
    for name, script in scripts.items():
        commands.add_parser(name, help=script.__doc__)
    name = parser.parse_args(argv[:1]).command
    commandline.program += [name]
    return scripts[name].main(argv[1:])


if __name__ == "__main__":
    sys.exit(main())
