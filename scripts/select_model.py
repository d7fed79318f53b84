#!/usr/bin/env python
"""Choose the settings of logistic regression: train all combinations, and test the best one."""

import contextlib
import functools
import os
import signal
import sys

if not __package__:  # run as a file: the dlt beside it, whatever else is installed as dlt
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from dlt.commandline import (
    Parser,
    floats,
    patience,
    positive_int,
    positive_ints,
    script,
    set_engine,
    this_command,
)
from dlt.runs.signals import StopOnSignal


# fmt: off
def parse(argv):
    parser = Parser(description=__doc__)
    add = parser.add_argument
    parser.add_data_options()
    # What is compared: all combinations of these.
    add("--learning-rate", type=floats, default="0.13", metavar="RATE,...", help="step sizes")
    add("--l1", type=floats, default="0", metavar="WEIGHT,...", help="weights of the L1 norm of W")
    add("--l2", type=floats, default="0", metavar="WEIGHT,...",
        help="weights of its squared L2 norm")
    add("--batch-size", type=positive_ints, metavar="N,...",
        help="examples in a minibatch (default: 600, or a sixtieth of the training set if that is "
        "less)")
    add("--seeds", type=positive_int, default=1, metavar="N",
        help="train each with N seeds, which draw the initial W and the order of the examples")
    # How to train each.
    add("--n-epochs", type=int, default=1000, metavar="N", help="most passes over the data")
    parser.add_patience_options()
    parser.add_engine_options()
    # Where, and where the results go.
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=positive_int, default=1, metavar="N",
        help="processes on this machine")
    where.add_argument("--scheduler", metavar="ADDRESS",
        help="train on a Dask cluster, such as tcp://host:8786; its workers must see the output "
        "folder and the data under the same names")
    add("--output-dir", default=os.path.join("runs", "select"), metavar="FOLDER",
        help="where table.csv, table.md, errors.png and a run folder for each candidate go; repeat "
        "the command to go on with a search that was stopped")
    add("--allow-other-machine", action="store_true",
        help="let candidates go on with other threads or on another processor, which changes the "
        "last bits")
    return parser.parse_args(argv)
# fmt: on


@script
def main(argv=None):
    args = parse(argv)
    say = functools.partial(print, flush=True)
    set_engine(args)
    import dlt
    from dlt.datasets import choose_dataset, named_source

    say(dlt.engine.describe())
    dataset = named_source(args.dataset) if args.dataset else choose_dataset(log=say)
    values = {"learning_rate": args.learning_rate, "l1": args.l1, "l2": args.l2}
    if args.batch_size:
        values["batch_size"] = args.batch_size
    candidates = dlt.grid(**values, seed=range(args.seeds))
    with workers_for(args) as workers, StopOnSignal() as should_stop:
        selection = dlt.select(
            dataset,
            candidates,
            args.output_dir,
            n_epochs=args.n_epochs,
            patience=patience(args),
            max_memory=args.max_memory,
            allow_other_machine=args.allow_other_machine,
            executor=workers,
            log=say,
            should_stop=should_stop,
        )
    if not selection.is_complete:
        again = this_command(args, argv, dataset=dataset)
        say(f"stopped after {len(selection.outcomes)} of {selection.n_candidates} candidates; "
            f"continue with: {again}")  # fmt: skip
        return 128 + (should_stop.signal or signal.SIGINT)
    return report(selection, args.output_dir, say)


def workers_for(args):
    """Return what trains the candidates; None is this process."""
    if args.scheduler:
        from dlt.selection.cluster import executor

        return executor(args.scheduler)
    import dlt

    return dlt.ProcessPool(args.jobs) if args.jobs > 1 else contextlib.nullcontext()


def report(selection, output_dir, say):
    say(selection.markdown(10))
    for path in selection.save(output_dir):
        say(f"wrote {path}")
    n_failed = sum(outcome.error is not None for outcome in selection.outcomes)
    if n_failed:
        found = f"{n_failed} of {selection.n_candidates} candidates could not be trained"
        print(f"error: {found}; the table says why", file=sys.stderr)
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
