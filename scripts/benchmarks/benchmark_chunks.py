#!/usr/bin/env python
"""Measure training on data in chunks: its speed compared with data in memory, and its memory."""

import concurrent.futures
import json
import multiprocessing
import os
import statistics
import sys
import time

# The dlt beside this script, whatever else is installed as dlt.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir))

from peers.worker import peak_bytes

from dlt.commandline import Parser, positive_int, script

BATCH_SIZE, N_IN, N_VALID = 600, 784, 10000
SIZES = (100000, 1000000, 8100000)
IN_MEMORY = 1000000  # the largest set that is also trained in memory
EPOCHS = {100000: 20, 1000000: 6}  # 3 of a larger set


# fmt: off
def parse(argv):
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("--most-examples", type=positive_int, default=SIZES[-1], metavar="N",
        help="leave out larger sets (8.1 million need 6.4 GB of disk)")
    add("--chunk-mb", type=positive_int, default=32, metavar="MB", help="size of a chunk")
    add("--output-dir", default=os.path.join("runs", "chunks"), metavar="FOLDER",
        help="where the generated data and chunks.json go")
    return parser.parse_args(argv)
# fmt: on


@script
def main(argv=None):
    args = parse(argv)
    from dlt.files.writing import prepare_output_dir, write_text

    prepare_output_dir(args.output_dir, "the data")
    found = []
    for n in (n for n in SIZES if n <= args.most_examples):
        print(f"generating {n} examples ...")
        paths = generate(args.output_dir, n)
        kinds = ["cached", "evicted"] + (["memory"] if n <= IN_MEMORY else [])
        rounds = {kind: [] for kind in kinds}
        for _ in range(3 if n <= IN_MEMORY else 1):  # in turns, as the machine's speed varies
            for kind in kinds:
                task = dict(paths, kind=kind, chunk_bytes=args.chunk_mb << 20, n=n,
                            n_epochs=EPOCHS.get(n, 3))  # fmt: skip
                rounds[kind].append(in_own_process(task))
        found.append(summary(n, rounds, sequential_rate(paths["x"]), args.chunk_mb))
        print(json.dumps(found[-1]))
        os.unlink(paths["x"])
    write_text(os.path.join(args.output_dir, "chunks.json"), json.dumps(found, indent=1))


def generate(folder, n):
    """Write n pictures and labels, and a validation set; most pixels are 0, as in MNIST."""
    import numpy as np

    paths = {name: os.path.join(folder, name + ".npy") for name in ("x", "y", "valid_x", "valid_y")}
    for x, y, n_rows in (("x", "y", n), ("valid_x", "valid_y", N_VALID)):
        header = {"descr": "|u1", "fortran_order": False, "shape": (n_rows, N_IN)}
        labels = np.empty(n_rows, dtype="uint8")
        with open(paths[x], "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for first in range(0, n_rows, 10000):
                rng = np.random.default_rng(first)
                rows = rng.integers(0, 256, (min(10000, n_rows - first), N_IN), dtype=np.uint8)
                rows[rng.random(rows.shape) < 0.8] = 0
                labels[first : first + len(rows)] = rows[:, :10].argmax(axis=1)
                file.write(rows)
            os.fsync(file.fileno())
        np.save(paths[y], labels)
    return paths


def in_own_process(task):
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
        return pool.submit(work, task).result()


def work(task):
    """Train in this process; return the seconds and the peak of memory of each epoch."""
    import numpy as np

    import dlt
    from dlt.examples import Description

    dlt.set_floatX("float32")
    x, y = dlt.T.matrix("x"), dlt.T.ivector("y")
    model = dlt.LogisticRegression(x, N_IN, 10)
    nll = dlt.negative_log_likelihood(model.p_y_given_x, y, reduction="mean")
    description = Description(256, 28, 28, None, None)
    pairs = [(task["x"], task["y"]), (task["valid_x"], task["valid_y"])]
    if task["kind"] == "memory":
        loaded = [(np.load(x), np.load(y)) for x, y in pairs]
        sets = [dlt.shared_dataset((x / np.float32(256), y)) for x, y in loaded]
        del loaded
    else:
        sets = [dlt.ChunkedDataSet(*pair, task["chunk_bytes"], description) for pair in pairs]
    # A run on a small set first, so that the memory of the engine itself does not count.
    small = (np.zeros((BATCH_SIZE, N_IN), "float32"), np.arange(BATCH_SIZE) % 10)
    dlt.Trainer(model, y, nll, small, small, BATCH_SIZE).run(n_epochs=1)
    start, peaks, times = peak_bytes(), [], []
    trainer = dlt.Trainer(model, y, nll, *sets, batch_size=BATCH_SIZE)
    epoch = task["n"] // BATCH_SIZE

    def note(row):
        if row.iteration % epoch == 0:
            times.append(row.seconds)
            peaks.append(peak_bytes())
            if task["kind"] == "evicted":
                evict(task["x"])

    if task["kind"] == "evicted":
        evict(task["x"])
    patience = dlt.Patience(patience=2 * epoch * task["n_epochs"])  # validates once an epoch
    trainer.run(n_epochs=task["n_epochs"], patience=patience, on_validation=note)
    seconds = [after - before for before, after in zip([0, *times], times)]
    above = [(peak - start) / (1 << 20) for peak in peaks]
    return {"seconds": seconds, "peak_above_start_mb": above}


def evict(path):
    """Remove a file from the page cache."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def sequential_rate(path):
    """Return how many bytes a second can be read from a file that is not in the page cache."""
    import numpy as np

    evict(path)
    buffer, n, before = np.empty(1 << 22, dtype=np.uint8), 0, time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        for read in iter(lambda: file.readinto(buffer), 0):
            n += read
    return n / (time.perf_counter() - before)


def summary(n, rounds, rate, chunk_mb):
    """Return the figures of one size: medians over the epochs after the first of each round."""
    seconds = {
        kind: statistics.median(s for one in found for s in one["seconds"][1:])
        for kind, found in rounds.items()
    }
    result = {
        "n_examples": n,
        "epoch_seconds": seconds,
        "microseconds_per_example": 1e6 * seconds["cached"] / n,
        "peak_above_start_mb": rounds["cached"][0]["peak_above_start_mb"],
        "two_chunks_mb": 2 * chunk_mb,
        "sequential_read_mb_per_second": rate / 1e6,
        "evicted_mb_per_second": n * N_IN / seconds["evicted"] / 1e6,
    }
    if "memory" in seconds:
        result["speed_of_memory"] = seconds["memory"] / seconds["cached"]
    return result


if __name__ == "__main__":
    sys.exit(main())
