#!/usr/bin/env python
"""Compare early stopping by the page's threshold and by McNemar's test, on shuffled data sets."""

import os
import sys
from typing import NamedTuple

# The dlt beside this script, whatever else is installed as dlt.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir))

from dlt.commandline import Parser, script


class Run(NamedTuple):
    seed: int
    rule: str
    epochs: int
    updates: int
    validation_error: float  # a fraction
    test_error: float  # a fraction


# fmt: off
def parse(argv):
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("--dataset", default="mnist", metavar="NAME_OR_PATH", help="mnist, digits, or a path")
    add("--shuffles", type=int, default=20, metavar="N", help="number of shuffles, 2 or more")
    add("--alpha", type=float, nargs="+", default=[0.01, 0.05, 0.3], metavar="P",
        help="largest p-values that count as clear, with a rule for each")
    add("--patience", type=int, default=5000, metavar="N", help="least number of minibatch updates")
    add("--output-dir", default=os.path.join("runs", "patience"), metavar="FOLDER",
        help="where patience.csv and patience.png go")
    return parser.parse_args(argv)
# fmt: on


@script
def main(argv=None):
    args = parse(argv)
    import dlt
    from dlt import engine
    from dlt.checks import whole_number
    from dlt.files.writing import prepare_output_dir, write_text

    n_shuffles = whole_number("shuffles", args.shuffles, low=2)
    rules = {"threshold": dlt.Patience(args.patience)}
    for alpha in args.alpha:
        rule = dlt.Patience(args.patience, improvement_test="mcnemar", alpha=alpha)
        rules[f"mcnemar {alpha:g}"] = rule
    prepare_output_dir(args.output_dir, "the results")
    engine.set_floatX("float32")
    print(engine.describe())
    *datasets, test_set = dlt.load_data(args.dataset, log=print)
    test_set = dlt.shared_dataset(test_set)
    rows, lines = [], [",".join(Run._fields)]
    print(lines[0])
    for seed in range(n_shuffles):
        for found in train(shuffled(datasets, seed), test_set, rules):
            rows.append(Run(seed, *found))
            lines.append(",".join(map(str, rows[-1])))
            print(lines[-1])
    write_text(os.path.join(args.output_dir, "patience.csv"), "\n".join([*lines, ""]))
    dlt.save_figure(os.path.join(args.output_dir, "patience.png"), draw(rows))
    print("", *table(rows), "", f"saved in {args.output_dir}", sep="\n")


def shuffled(datasets, seed):
    """Return a new training and a new validation set, drawn from the examples of both."""
    import numpy as np

    n_train, n_valid = (data_set.n_examples for data_set in datasets)
    order = np.random.RandomState(seed).permutation(n_train + n_valid)
    x, y = (np.concatenate(arrays)[order] for arrays in zip(*datasets))
    return (x[:n_train], y[:n_train]), (x[n_train:], y[n_train:])


def train(datasets, test_set, rules):
    """Yield the results of a run with each rule: the fields of a Run without the seed."""
    import dlt

    train_x, train_y = datasets[0]
    x, y = dlt.T.matrix("x"), dlt.T.ivector("y")
    model = dlt.LogisticRegression(x, train_x.shape[1], int(train_y.max()) + 1)
    nll = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    trainer = dlt.Trainer(model, y, nll, *datasets)
    for name, rule in rules.items():
        result = trainer.run(patience=rule, progress=False)
        test = trainer.score(test_set, result.best_params)
        errors = result.best_validation.fraction, test.fraction
        yield (name, result.n_epochs, result.n_iterations, *errors)


def columns(rows):
    """Return the rules, and epochs, updates and both errors in %, of shape (shuffles, rules)."""
    import numpy as np

    rules = list(dict.fromkeys(row.rule for row in rows))
    values = np.array([row[2:] for row in rows]).reshape(-1, len(rules), 4)
    epochs, updates, valid, test = np.moveaxis(values, 2, 0)
    return rules, epochs, updates, 100 * valid, 100 * test


def table(rows):
    """Yield the lines of a Markdown table that compares each rule with the first."""
    from scipy import stats

    rules, epochs, updates, valid, test = columns(rows)
    yield (
        "| rule | epochs, mean (s.d.) | validation error, % | test error, % "
        "| difference in test error, points (95 % interval) | sooner / later |"
    )
    yield "|---|--:|--:|--:|--:|--:|"
    t = stats.t.ppf(0.975, len(epochs) - 1)
    for i, rule in enumerate(rules):
        cells = [mean_and_sd(epochs[:, i], 1), *(mean_and_sd(e[:, i], 2) for e in (valid, test))]
        more, later = test[:, i] - test[:, 0], updates[:, i] - updates[:, 0]
        middle, half = more.mean(), t * stats.sem(more)
        cells.append(f"{middle:+.3f} ({middle - half:+.3f} to {middle + half:+.3f})")
        cells.append(f"{(later < 0).sum()} / {(later > 0).sum()}")
        yield f"| {rule} | {' | '.join(cells if i else [*cells[:3], '', ''])} |"


def mean_and_sd(values, n_digits):
    return f"{values.mean():.{n_digits}f} ({values.std(ddof=1):.{n_digits}f})"


def draw(rows):
    """Draw epochs and test error for each rule, with a line through the runs on one shuffle."""
    from matplotlib.ticker import MaxNLocator

    from dlt.pictures import figures

    rules, epochs, _, _, test = columns(rows)
    places = range(len(rules))
    with figures.style():
        figure = figures.new_figure(5, layout="constrained")
        panels = figure.subplots(2, 1, sharex=True)
        for axes, values, colour in zip(panels, (epochs, test), (figures.BLUE, figures.VERMILLION)):
            axes.plot(places, values.T, color="0.8", linewidth=0.8)
            axes.plot(places, values.T, "o", color=colour, alpha=0.5, markeredgewidth=0)
            axes.plot(places, values.mean(axis=0), "k_", markersize=40, markeredgewidth=1.5)
            axes.yaxis.set_major_locator(MaxNLocator(6, steps=figures.STEPS))
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set(ylabel="epochs", xlim=(-0.4, len(rules) - 0.6))
        panels[1].set(ylabel="test error (%)", xlabel="rule (dash: mean; grey line: one shuffle)")
        panels[1].set_xticks(places, rules)
        figure.align_ylabels(panels)
        figures.settle(figure)
    return figure


if __name__ == "__main__":
    sys.exit(main())
