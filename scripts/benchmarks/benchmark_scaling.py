#!/usr/bin/env python
"""Measure how the time of an epoch grows with examples, inputs and labels."""

import json
import os
import sys
import time

# The dlt beside this script, whatever else is installed as dlt.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir))

from dlt.commandline import Parser, positive_int, script

BATCH_SIZE = 600
EXAMPLES = (10000, 30000, 100000, 300000, 1000000)  # of 784 inputs and 10 labels
SIZES = ((196, 10), (784, 10), (784, 40), (3136, 10), (3136, 40))  # n_in, n_out; 30000 examples


# fmt: off
def parse(argv):
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("--most-examples", type=positive_int, default=EXAMPLES[-1], metavar="N",
        help="leave out larger sets (a million needs 8 GB of memory)")
    add("--epochs", type=positive_int, default=7, metavar="N", help="epochs to time")
    add("--output-dir", default=os.path.join("runs", "scaling"), metavar="FOLDER",
        help="where scaling.json and scaling.png go")
    return parser.parse_args(argv)
# fmt: on


@script
def main(argv=None):
    args = parse(argv)
    from dlt import engine, save_figure
    from dlt.files.writing import prepare_output_dir, write_text

    prepare_output_dir(args.output_dir, "the results")
    engine.set_floatX("float32")
    print(engine.describe())
    print("| examples | inputs | labels | ms / epoch | ns / (example x input x label) |")
    print("|--:|--:|--:|--:|--:|")
    cases = [(n, 784, 10) for n in EXAMPLES if n <= args.most_examples]
    cases += [(30000, *sizes) for sizes in SIZES if 30000 <= args.most_examples]
    rows = []
    for n, n_in, n_out in cases:
        seconds = epoch_seconds(n, n_in, n_out, args.epochs)
        each = seconds * 1e9 / (n // BATCH_SIZE * BATCH_SIZE * n_in * n_out)
        print(f"| {n} | {n_in} | {n_out} | {1e3 * seconds:.1f} | {each:.4f} |")
        rows.append({"examples": n, "inputs": n_in, "labels": n_out, "seconds": seconds})
    write_text(os.path.join(args.output_dir, "scaling.json"), json.dumps(rows, indent=2) + "\n")
    save_figure(os.path.join(args.output_dir, "scaling.png"), draw(rows))
    print(f"saved in {args.output_dir}")


def epoch_seconds(n, n_in, n_out, epochs):
    """Return the median time of an epoch of minibatch SGD on random pixels."""
    import numpy as np

    import dlt

    rng = np.random.default_rng(23455)
    data_x = np.empty((n, n_in), dtype=np.float32)
    for rows in range(0, n, 10000):
        pixels = rng.integers(0, 256, (min(10000, n - rows), n_in), dtype=np.uint8)
        np.divide(pixels, np.float32(256), out=data_x[rows : rows + 10000])
    train_set = dlt.shared_dataset((data_x, rng.integers(0, n_out, n)))
    del data_x
    x, y = dlt.T.matrix("x"), dlt.T.ivector("y")
    model = dlt.LogisticRegression(x, n_in, n_out)
    loss = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    updates = dlt.gradient_updates(loss, model.params, 0.01)
    run = dlt.minibatch_stretch(loss, updates, x, y, train_set, BATCH_SIZE)
    run(0, n // BATCH_SIZE)  # compiles
    times = []
    for _ in range(epochs):
        started = time.perf_counter()
        run(0, n // BATCH_SIZE)
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def draw(rows):
    """Draw time against work, both logarithmic, with the line through the middle row."""
    from dlt.pictures import figures

    kinds = {
        "examples, 784 inputs, 10 labels": [r for r in rows if r["inputs"] * r["labels"] == 7840],
        "inputs and labels, 30000 examples": [r for r in rows if r["examples"] == 30000],
    }
    slope = sorted(row["seconds"] / work(row) for row in rows)[len(rows) // 2]
    ends = [min(map(work, rows)), max(map(work, rows))]
    with figures.style():
        figure = figures.new_figure(4, layout="constrained")
        axes = figure.add_subplot()
        axes.loglog(ends, [slope * end for end in ends], color="0.6", label="proportional")
        for marker, color, label in zip("os", (figures.BLUE, figures.VERMILLION), kinds):
            x, y = map(work, kinds[label]), [row["seconds"] for row in kinds[label]]
            axes.plot([*x], y, marker, color=color, label=label, fillstyle="none", markersize=8)
        axes.set(xlabel="examples x inputs x labels", ylabel="seconds per epoch")
        axes.legend(frameon=False)
    return figure


def work(row):
    return row["examples"] * row["inputs"] * row["labels"]


if __name__ == "__main__":
    sys.exit(main())
