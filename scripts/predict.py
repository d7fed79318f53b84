#!/usr/bin/env python
"""Predict the labels of pictures, or of the rows of a data set, with a saved model."""

import os
import sys

if not __package__:  # run as a file: the dlt beside it, whatever else is installed as dlt
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from dlt.commandline import Parser, positive_int, script


# fmt: off
def parse(argv):
    parser = Parser(description=__doc__)
    add = parser.add_argument
    add("pictures", nargs="*", metavar="PICTURE", help="pictures, or folders of them")
    add("--model", default=os.path.join("runs", "logreg"), metavar="FOLDER_OR_FILE",
        help="a run folder or a file of parameters")
    add("--dataset", metavar="NAME_OR_PATH",
        help="without pictures: predict the test set of this data set, or a CSV file without "
        "labels (default: the data set that the model was trained on)")
    add("--n-examples", type=positive_int, metavar="N",
        help="predict the first N rows (default: 10 of a test set, or all with --output; all of a "
        "file without labels)")
    add("--output", metavar="FILE",
        help="write the file or the row number, the label and its probability to this CSV file")
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
    predict = predict_pictures if args.pictures else predict_rows
    answers, n_failed = predict(predictor, args)
    if args.output:
        from dlt.answers import write_answers

        write_answers(args.output, answers)
        print(f"wrote {args.output}, {len(answers)} predictions")
    return 2 if n_failed else 0


def predict_pictures(predictor, args):
    """Return the answers, and the number of pictures without one."""
    from dlt.answers import picture_answers
    from dlt.errors import DltError, one_line

    answers, n_failed = [], 0
    for answer in picture_answers(predictor, args.pictures):
        if isinstance(answer, DltError):
            print(f"error: {answer}", file=sys.stderr)
            n_failed += 1
            continue
        place, label, p, note, _ = answer
        print(f"{one_line(place)}: {label}, probability {p:.3f} ({note})")
        answers.append(answer)
    return answers, n_failed


def predict_rows(predictor, args):
    """Return the answers, and 0: each row has one."""
    from dlt.answers import Unlabelled, row_answers, rows_to_predict
    from dlt.datasets import named_source

    source = named_source(args.dataset) if args.dataset else predictor.dataset
    data_set = rows_to_predict(predictor, source, log=print)
    is_labelled, n = not isinstance(data_set, Unlabelled), data_set.n_examples
    if is_labelled and not args.output:
        n = min(n, 10)
    if args.n_examples:
        n = min(args.n_examples, data_set.n_examples)
    answers = list(row_answers(predictor, data_set, n))
    if not args.output:
        for row, label, p, _, right in answers:
            known = f", right label {right}" if is_labelled else ""
            print(f"{'test example' if is_labelled else 'row'} {row}: {label}, "
                  f"probability {p:.3f}{known}")  # fmt: skip
    if is_labelled:
        counted = [answer for answer in answers if answer.right in predictor.labels]
        wrong = sum(answer.label != answer.right for answer in counted)
        others = n - len(counted)
        more = f"; {others} more have labels that the model cannot give" if others else ""
        print(f"{wrong} of {len(counted)} wrong{more}")
    return answers, 0


if __name__ == "__main__":
    sys.exit(main())
