#!/usr/bin/env python
"""Convert a data set to a folder that training can read in chunks, however large it is."""

import functools
import os
import sys

if not __package__:  # run as a file: the dlt beside it, whatever else is installed as dlt
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from dlt.commandline import Parser, script


def parse(argv):
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--dataset",
        required=True,
        metavar="NAME_OR_PATH",
        help="mnist, digits, or a file or folder, as train_logreg.py takes it",
    )
    parser.add_argument(
        "--output-dir", required=True, metavar="FOLDER", help="a new folder for the converted data"
    )
    return parser.parse_args(argv)


@script
def main(argv=None):
    args = parse(argv)
    import dlt
    from dlt.chunks import open_or_load
    from dlt.datasets import named_source
    from dlt.describing import in_words, names_in_words

    say = functools.partial(print, flush=True)
    dlt.save_data(args.output_dir, open_or_load(named_source(args.dataset), log=say))
    stored = dlt.open_data(args.output_dir)
    say("{}: {} training, {} validation, {} test examples of {} values, stored as {}".format(
        args.output_dir, *[data_set.n_examples for data_set in stored],
        *stored[0].row_shape, stored[0].x.dtype))  # fmt: skip
    say(names_in_words(stored[0].description))
    say(in_words(stored[0].description))


if __name__ == "__main__":
    sys.exit(main())
