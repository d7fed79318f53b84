#!/usr/bin/env python
"""Train logistic regression on handwritten digits by minibatch SGD with early stopping."""

import os
import sys

if not __package__:  # run as a file: the dlt beside it, whatever else is installed as dlt
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from dlt.commandline import Parser, patience, positive_int, script, seed, set_engine, this_command
from dlt.runs.signals import StopOnSignal


# fmt: off
def parse(argv):
    parser = Parser(description=__doc__)
    add = parser.add_argument
    # The page's subjects: data, SGD, regularization, early stopping.
    parser.add_data_options()
    add("--verify", action="store_true",
        help="first compare a folder that convert.py wrote with its checksums")
    add("--batch-size", type=int, metavar="N",
        help="examples in a minibatch (default: 600, or a sixtieth of the training set if that is "
        "less)")
    add("--shuffle", type=seed, metavar="SEED",
        help="take the examples in a new random order in each epoch (default: in turn)")
    add("--learning-rate", type=float, default=0.13, metavar="RATE", help="step size")
    add("--n-epochs", type=int, default=1000, metavar="N", help="most passes over the data")
    add("--l1", dest="lambda_1", type=float, default=0.0, metavar="WEIGHT",
        help="weight of the L1 norm of W")
    add("--l2", dest="lambda_2", type=float, default=0.0, metavar="WEIGHT",
        help="weight of its squared L2 norm")
    parser.add_patience_options()
    add("--drop-last", action="store_true",
        help="validate and test on whole minibatches only, as the original script did")
    add("--seed", type=seed, metavar="N", help="draw a random initial W (default: W is 0)")
    # How to compute, and where the results go.
    parser.add_engine_options()
    add("--output-dir", default=os.path.join("runs", "logreg"), metavar="FOLDER",
        help="where best_params.npz, history.csv, settings.json and the checkpoint go")
    # How to continue a run, and what to keep of it.
    add("--resume", action="store_true",
        help="continue from the checkpoint in the output folder, with the same data, settings and "
        "engine; --n-epochs may be larger")
    add("--allow-other-machine", action="store_true",
        help="resume even with another number of threads or another processor, which may change "
        "the last bits of results")
    add("--snapshot-every", type=positive_int, metavar="N",
        help="keep the model of every Nth validation, such as snapshots/iteration_000083.npz in "
        "the output folder")
    add("--keep", type=positive_int, default=10, metavar="N", help="most snapshots to keep")
    return parser.parse_args(argv)
# fmt: on


@script
def main(argv=None):
    args = parse(argv)
    set_engine(args)
    import numpy

    import dlt
    from dlt.describing import in_long_runs, in_words, names_in_words
    from dlt.engine import describe
    from dlt.errors import one_line
    from dlt.runs.folder import DATASET, L1, L2, SEED

    print(describe())
    dataset = name_of_dataset(args)
    if args.verify or args.max_memory:
        datasets = dlt.open_data(dataset, args.max_memory or 1 << 29, args.verify, log=print)
    if not args.max_memory:
        datasets = dlt.load_data(dataset, log=print)
    (n_in,), n_out = datasets[0].row_shape, datasets[0].n_labels
    n_train, n_valid, n_test = (data_set.n_examples for data_set in datasets)
    print(f"{one_line(dataset)}: {n_train} training, {n_valid} validation, {n_test} test examples "
          f"of {n_in} values, {names_in_words(datasets[0].description)}")  # fmt: skip
    print(in_words(datasets[0].description))
    order = None if args.shuffle is None else dlt.Shuffled(args.shuffle)
    if order is None and in_long_runs(datasets[0].targets):
        print("the training set is sorted, or nearly: --shuffle 1 takes examples in random order")

    x, y = dlt.T.matrix("x"), dlt.T.ivector("y")
    rng = None if args.seed is None else numpy.random.default_rng(args.seed)
    classifier = dlt.LogisticRegression(x, n_in, n_out, rng=rng)
    nll = dlt.negative_log_likelihood(classifier.p_y_given_x, y, reduction="mean")
    loss = dlt.regularized_loss(nll, [classifier.W], lambda_1=args.lambda_1, lambda_2=args.lambda_2)
    settings = {DATASET: dataset, L1: args.lambda_1, L2: args.lambda_2, SEED: args.seed}
    with StopOnSignal() as should_stop:
        result = dlt.train(
            classifier,
            y,
            loss,
            datasets,
            learning_rate=args.learning_rate,
            batch_size=args.batch_size,
            drop_last=args.drop_last,
            n_epochs=args.n_epochs,
            order=order,
            patience=patience(args),
            folder=dlt.RunFolder(args.output_dir, args.snapshot_every, args.keep, settings),
            resume=args.resume,
            allow_other_machine=args.allow_other_machine,
            log=print,
            should_stop=should_stop,
        )
    if result.stopped_by == "request":
        again = this_command(args, argv, resume=True)  # the checkpoint knows the data set
        print(f"stopped after {result.n_iterations} updates; continue with: {again}")
        return 128 + should_stop.signal
    return report(result, datasets[1].targets, args.output_dir)


def name_of_dataset(args):
    """Return the data set of the run to resume, the one asked for, or the default."""
    from dlt.datasets import NAMES, choose_dataset, named_source
    from dlt.runs.folder import DATASET, saved_settings

    dataset = saved_settings(args.output_dir).get(DATASET) if args.resume else None
    if not isinstance(dataset, str) or args.dataset not in (None, dataset):
        dataset = args.dataset and named_source(args.dataset)
    if dataset is None:
        dataset = choose_dataset(log=print)
    # predict.py may run in another folder
    return dataset if dataset in NAMES else os.path.abspath(dataset)


def report(result, valid_y, output_dir):
    from dlt.evaluation import constant_score

    if result.best_params is not None:
        print(f"Optimization complete with best validation score of {result.best_validation}, with "
              f"test performance {result.test}")  # fmt: skip
        print(f"best after {result.best_iteration} updates; saved in {output_dir}")
    print(f"{result.n_epochs} epochs, {result.epochs_per_second:.6f} epochs/sec, stopped by "
          f"{result.stopped_by}")  # fmt: skip
    constant = constant_score(valid_y)
    if result.best_params is not None and result.best_validation.fraction >= constant.fraction:
        print("nothing was learned: always predicting the most frequent label gives "
              f"{constant} as well; usual causes are a --learning-rate that is too large or too "
              "small, too few epochs, labels that do not belong to their rows, and sorted "
              "examples (--shuffle 1)")  # fmt: skip
    if result.diverged_at is None:
        return 0
    found = f"the loss of minibatch update {result.diverged_at} was not a finite number"
    print(f"error: {found}; try a smaller --learning-rate", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
