#!/usr/bin/env python
"""Measure an epoch of dlt and its peers: the same work, in turn, each in its own process."""

import functools
import os
import sys
import tempfile
import time

# The dlt beside this script, whatever else may be installed under that name.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir))

from dlt.commandline import Parser, positive_int, script
from dlt.errors import SettingsError
from dlt.files.writing import prepare_output_dir

# Sums are rounded differently: an example between two labels may change sides.
TOLERANCE = 2  # examples


def parse(argv):
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("--dataset", default="mnist", metavar="NAME_OR_PATH", help="mnist, digits, or a path")
    add(
        "--batch-size",
        default="600,20",
        metavar="N,N",
        help="examples in a minibatch; a table each",
    )
    add("--rounds", type=positive_int, default=7, metavar="N", help="turns of each, of ten epochs")
    add("--peers", metavar="NAME,NAME", help="competitors (default: all that are installed)")
    add("--device", choices=("cpu", "gpu"), default="cpu", help="where they compute")
    folder, files = os.path.join("runs", "benchmark"), "benchmark.md, benchmark.json, benchmark.png"
    add("--output-dir", default=folder, metavar="FOLDER", help=f"where {files} go")
    return parser.parse_args(argv)


@script
def main(argv=None):
    args = parse(argv)
    say = functools.partial(print, flush=True)
    names = peer_names(args.peers)
    sizes = batch_sizes(args.batch_size)
    prepare_output_dir(args.output_dir, "the results")

    from peers import machine, report

    with tempfile.TemporaryDirectory() as folder:
        facts = {
            "benchmark": settings(args),
            "machine": machine.describe(args.device),
            "data": load(args.dataset, sizes, folder, say),
            "results": [],
        }
        for batch_size in sizes:
            say(f"batch size {batch_size}")
            facts["results"].append(measure(names, args, batch_size, folder, say))
            report.write(facts, args.output_dir)  # after each: it may take an hour
    say("\n" + report.markdown(facts))
    report.draw(facts, args.output_dir)
    say(f"saved in {args.output_dir}")
    return check(facts["results"])


def settings(args):
    from peers import LEARNING_RATE

    return {
        "dataset": args.dataset,
        "device": args.device,
        "rounds": args.rounds,
        "learning_rate": LEARNING_RATE,
        "tolerance": TOLERANCE,
    }


def peer_names(text):
    """Return the names in ``"a,b"``, in the order of the table; None means all."""
    from peers import PEERS

    asked = list(PEERS) if text is None else text.split(",")
    for name in asked:
        if name not in PEERS:
            raise SettingsError("peers", repr(name), f"some of {', '.join(PEERS)}")
    return [name for name in PEERS if name in asked]


def batch_sizes(text):
    sizes = text.split(",")
    if not all(size.isascii() and size.isdigit() and int(size) for size in sizes):
        raise SettingsError("batch_size", repr(text), "whole numbers, 1 or more, such as 600,20")
    return [int(size) for size in sizes]


def load(dataset, sizes, folder, say):
    """Load the data, write it to `folder` for the competitors, and return facts about it."""
    from peers.race import write_data

    from dlt.datasets import load_data

    started = time.perf_counter()
    datasets = load_data(dataset, log=say)
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


def measure(names, args, batch_size, folder, say):
    """Run and summarize the race with one batch size."""
    from peers.race import largest_difference, race
    from peers.report import summarize

    from dlt.progress import Progress

    given = {"device": args.device, "batch_size": batch_size, "data": folder}
    with Progress(args.rounds, "round", log=say) as bar:
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
