#!/usr/bin/env python
"""Draw what a run learned, from its saved files: weights, curves, mistakes."""

import os
import sys

if not __package__:  # run as a file: the dlt beside it, whatever else is installed as dlt
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from dlt.commandline import Parser, script


# fmt: off
def parse(argv):
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("run_folder", nargs="?", default=os.path.join("runs", "logreg"), metavar="RUN_FOLDER",
        help="the folder that train_logreg.py wrote")
    add("--output-dir", metavar="FOLDER",
        help="where the figures go (default: figures in the run folder)")
    add("--format", choices=("png", "svg", "pdf"), default="png", help="format of the figures")
    add("--dataset", metavar="NAME_OR_PATH",
        help="the data set to draw examples from (default: the one the model was trained on)")
    add("--examples", choices=("valid", "test"), default="test",
        help="the set to draw mistakes from")
    return parser.parse_args(argv)
# fmt: on


@script
def main(argv=None):
    args = parse(argv)
    from dlt.datasets import named_source
    from dlt.pictures.run import visualize

    dataset = args.dataset and named_source(args.dataset)
    found = visualize(
        args.run_folder, args.output_dir, args.format, dataset, args.examples, log=print
    )
    for path, what in found.files.items():
        print(f"{path}: {what}")
    if found.missing:
        print(found.missing, file=sys.stderr)
    return 1 if found.missing else 0


if __name__ == "__main__":
    sys.exit(main())
