#!/usr/bin/env python
"""Measure how the time of an epoch grows with examples, inputs and labels."""

import functools
import json
import os
import sys
import time

# The dlt beside this script, whatever else may be installed under that name.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir))

from dlt.commandline import Parser, positive_int, script

BATCH_SIZE = 600
EXAMPLES = (10000, 30000, 100000, 300000, 1000000)  # of 784 inputs and 10 labels
SIZES = ((196, 10), (784, 10), (784, 40), (3136, 10), (3136, 40))  # n_in, n_out; 30000 examples


def parse(argv):
    parser = Parser(description=__doc__)
    add, folder = parser.add_argument, os.path.join("runs", "scaling")
    memory = "leave out larger sets (a million needs 8 GB of memory)"
    add("--most-examples", type=positive_int, default=EXAMPLES[-1], metavar="N", help=memory)
    add("--epochs", type=positive_int, default=7, metavar="N", help="timed epochs")
    add("--output-dir", default=folder, metavar="FOLDER", help="for scaling.json and scaling.png")
    return parser.parse_args(argv)


@script
def main(argv=None):
    args = parse(argv)
    say = functools.partial(print, flush=True)
    from dlt import engine
    from dlt.files.writing import prepare_output_dir, write_atomically

    prepare_output_dir(args.output_dir, "the results")
    engine.set_floatX("float32")
    say(engine.describe())
    say("| examples | inputs | labels | ms / epoch | ns / (example x input x label) |")
    say("|--:|--:|--:|--:|--:|")
    cases = [(n, 784, 10) for n in EXAMPLES if n <= args.most_examples]
    cases += [(30000, *sizes) for sizes in SIZES if 30000 <= args.most_examples]
    rows = []
    for n, n_in, n_out in cases:
        seconds = epoch_seconds(n, n_in, n_out, args.epochs)
        each = seconds * 1e9 / (n // BATCH_SIZE * BATCH_SIZE * n_in * n_out)
        say(f"| {n} | {n_in} | {n_out} | {1e3 * seconds:.1f} | {each:.4f} |")
        rows.append({"examples": n, "inputs": n_in, "labels": n_out, "seconds": seconds})
    text = json.dumps(rows, indent=2) + "\n"
    path = os.path.join(args.output_dir, "scaling.json")
    write_atomically(path, lambda file: file.write(text.encode("ascii")))
    draw(rows, os.path.join(args.output_dir, "scaling.png"))
    say(f"saved in {args.output_dir}")


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


def draw(rows, path):
    """Draw time against work, both logarithmic, with the line through the middle row."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    work = [row["examples"] * row["inputs"] * row["labels"] for row in rows]
    seconds = [row["seconds"] for row in rows]
    slope = sorted(s / w for s, w in zip(seconds, work))[len(work) // 2]
    figure, axes = pyplot.subplots(figsize=(6, 4), dpi=150)
    ends = [min(work), max(work)]
    axes.loglog(ends, [slope * w for w in ends], color="0.6", label="proportional")
    for label, marker, chosen in (
        ("examples, 784 inputs, 10 labels", "o", lambda r: (r["inputs"], r["labels"]) == (784, 10)),
        ("inputs and labels, 30000 examples", "s", lambda r: r["examples"] == 30000),
    ):
        points = [(w, r["seconds"]) for w, r in zip(work, rows) if chosen(r)]
        axes.plot(*zip(*points), marker, label=label, fillstyle="none", markersize=8)
    axes.set_xlabel("examples x inputs x labels")
    axes.set_ylabel("seconds an epoch")
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
