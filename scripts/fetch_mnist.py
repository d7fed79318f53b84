#!/usr/bin/env python
"""Fetch MNIST and check it, trying one mirror after another."""

import functools
import os
import sys

if not __package__:  # run as a file: the dlt beside it, whatever else is installed as dlt
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from dlt.commandline import Parser, script


def parse(argv):
    parser = Parser(description=__doc__)
    help = "where the files go (default: the cache folder where dlt looks for them)"
    parser.add_argument("--output-dir", metavar="FOLDER", help=help)
    return parser.parse_args(argv)


@script
def main(argv=None):
    args = parse(argv)
    import dlt

    say = functools.partial(print, flush=True)
    say(f"MNIST is in {dlt.fetch_mnist(args.output_dir, log=say)}")


if __name__ == "__main__":
    sys.exit(main())
