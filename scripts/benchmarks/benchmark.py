#!/usr/bin/env python
"""Measure an epoch of dlt and its peers: the same work, in turns, each in its own process."""

import argparse
import os
import sys
import tempfile
import time

# The dlt beside this script, whatever else is installed as dlt.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir))

from dlt.commandline import Parser, positive_int, positive_ints, script
from dlt.errors import SettingsError
from dlt.files.writing import prepare_output_dir

# Rounding differs, so an example between two labels may get either.
TOLERANCE = 2  # examples


# fmt: off
def parse(argv):
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("--dataset", default="mnist", metavar="NAME_OR_PATH", help="mnist, digits, or a path")
    add("--batch-size", type=positive_ints, default="600,20", metavar="N,...",
        help="examples in a minibatch, with a table for each size")
    add("--rounds", type=positive_int, default=7, metavar="N",
        help="turns of ten epochs for each competitor")
    add("--peers", type=peer_names, metavar="NAME,...",
        help="competitors (default: all that are installed)")
    add("--device", choices=("cpu", "gpu"), default="cpu", help="where they compute")
    add("--output-dir", default=os.path.join("runs", "benchmark"), metavar="FOLDER",
        help="where benchmark.md, benchmark.json and benchmark.png go")
    return parser.parse_args(argv)
# fmt: on


@script
def main(argv=None):
    args = parse(argv)
    prepare_output_dir(args.output_dir, "the results")

    from peers import LEARNING_RATE, PEERS, machine, report

    names = [name for name in PEERS if name in (args.peers or PEERS)]  # in the table's order
    settings = {"dataset": args.dataset, "device": args.device, "rounds": args.rounds}
    with tempfile.TemporaryDirectory() as folder:
        facts = {
            "benchmark": dict(settings, learning_rate=LEARNING_RATE, tolerance=TOLERANCE),
            "machine": machine.describe(args.device),
            "data": load(args.dataset, args.batch_size, folder),
            "results": [],
        }
        for batch_size in args.batch_size:
            print(f"batch size {batch_size}")
            facts["results"].append(measure(names, args, batch_size, folder))
            report.write(facts, args.output_dir)  # after each size, which may take an hour
    print("\n" + report.markdown(facts))
    report.draw(facts, args.output_dir)
    print(f"saved in {args.output_dir}")
    return check(facts["results"])


def peer_names(text):
    """Parse the names of competitors, separated by commas."""
    from peers import PEERS

    names = text.split(",")
    for name in names:
        if name not in PEERS:
            expected = f"some of {', '.join(PEERS)}"
            raise argparse.ArgumentTypeError(f"found {name!r}; expected {expected}")
    return names


def load(dataset, sizes, folder):
    """Load the data, write it to a folder for the competitors, and return facts about it."""
    from peers.race import write_data

    from dlt.datasets import load_data

    started = time.perf_counter()
    datasets = load_data(dataset, log=print)
    seconds = time.perf_counter() - started
    (train_x, train_y), (_, valid_y), _ = datasets
    for size in sizes:
        if size > len(train_y):
            expected = f"at most {len(train_y)}, the number of training examples"
            raise SettingsError("batch_size", size, expected)
    write_data(datasets, folder)
    return {
        "name": dataset,
        "n_train": len(train_y),
        "n_valid": len(valid_y),
        "n_in": train_x.shape[1],
        "loading_seconds": seconds,
    }


def measure(names, args, batch_size, folder):
    """Run and summarize the race with one batch size."""
    from peers.race import largest_difference, race
    from peers.report import summarize

    from dlt.progress import Progress

    given = {"device": args.device, "batch_size": batch_size, "data": folder}
    with Progress(args.rounds, "round", log=print) as bar:
        found = race(names, given, args.rounds, bar.say, bar)
    if not found.competitors:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.skipped.items())
        none = f"none that can run on the {args.device} ({reasons})"
        raise SettingsError("peers", none, "at least one", "choose others, or another --device")
    return summarize(found, batch_size, largest_difference(found.competitors))


def check(results):
    """Return the exit code: 1 if the competitors did not do the same work."""
    for result in results:
        difference, epoch, fewest, most = result["largest_difference"]
        if difference > TOLERANCE:
            print(
                f"error: not the same work at batch size {result['batch_size']}: after epoch "
                f"{epoch} the validation errors of {fewest} and {most} are {difference} apart; "
                f"expected at most {TOLERANCE}",
                file=sys.stderr,
            )
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
