#!/usr/bin/env python
"""Write an HTML page on which you draw a digit and a saved model recognises it."""

import os
import sys

if not __package__:  # run as a file: the dlt beside it, whatever else is installed as dlt
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from dlt.commandline import Parser, script


# fmt: off
def parse(argv):
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("model", nargs="?", default=os.path.join("runs", "logreg"), metavar="RUN_FOLDER",
        help="a run folder or a file of parameters")
    add("--output", metavar="FILE", help="the page (default: draw.html beside the parameters)")
    return parser.parse_args(argv)
# fmt: on


@script
def main(argv=None):
    args = parse(argv)
    from dlt.files.writing import own_file
    from dlt.pictures.page import PAGE_NAME, export_page

    folder = args.model if os.path.isdir(args.model) else os.path.dirname(args.model)
    output = args.output or own_file(folder, PAGE_NAME)
    export_page(output, args.model)
    size = round(os.path.getsize(output) / 1000)
    print(f"wrote {output}, {size} kB; open it in a browser")


if __name__ == "__main__":
    sys.exit(main())
