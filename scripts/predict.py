#!/usr/bin/env python
"""Predict the digits on pictures, or in a test set, with a saved model."""

import os
import sys

if not __package__:  # run as a file: the dlt beside it, whatever else is installed as dlt
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from dlt.commandline import Parser, positive_int, script


# fmt: off
def parse(argv):
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("pictures", nargs="*", metavar="PNG", help="pictures of one digit each")
    add("--model", default=os.path.join("runs", "logreg"), metavar="FOLDER_OR_FILE",
        help="a run folder or a file of parameters")
    add("--dataset", metavar="NAME_OR_PATH",
        help="without a picture, predict the test set of this data set (default: the one the "
        "model was trained on)")
    add("--n-examples", type=positive_int, default=10, metavar="N", help="first N test examples")
    add("--device", choices=("auto", "cpu", "gpu"), help="where to compute (default: auto)")
    return parser.parse_args(argv)
# fmt: on


@script
def main(argv=None):
    args = parse(argv)
    from dlt.engine import set_device
    from dlt.prediction import Predictor

    if args.device:
        set_device(args.device)
    predictor = Predictor(args.model)
    if args.pictures:
        predict_pictures(predictor, args.pictures)
    else:
        predict_test_set(predictor, args.dataset, args.n_examples)


def predict_pictures(predictor, pictures):
    from dlt.pictures.reading import read_picture, side_of

    side = side_of(predictor.model.n_in)
    read = [read_picture(path, side) for path in pictures]
    for path, (row, note) in zip(pictures, read):
        (p_y_given_x,) = predictor.probabilities([row])
        label = p_y_given_x.argmax()
        print(f"{path}: {label}, probability {p_y_given_x[label]:.3f} ({note})")


def predict_test_set(predictor, dataset, n_examples):
    from dlt.chunks import open_or_load

    _, _, test_set = open_or_load(dataset or predictor.dataset, log=print)
    x, y = test_set.rows(0, min(n_examples, test_set.n_examples))
    probabilities = predictor.probabilities(x)
    labels = probabilities.argmax(axis=1)
    for i, (label, p_y_given_x) in enumerate(zip(labels, probabilities)):
        p = p_y_given_x[label]
        print(f"test example {i}: {label}, probability {p:.3f}, right label {y[i]}")
    print(f"{(labels != y).sum()} of {len(labels)} wrong")


if __name__ == "__main__":
    sys.exit(main())
