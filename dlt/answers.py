"""Answers: a model's predictions for pictures and for rows of a data set, and a CSV file of them.

Source: page "Classifying MNIST digits using Logistic Regression", section "Prediction Using a
Trained Model", which follows "Getting Started".
"""

from __future__ import annotations

import csv
import io
import os
from typing import Any, Callable, Iterable, Iterator, NamedTuple

import numpy as np

from dlt.chunks import open_or_load
from dlt.describing import survey
from dlt.errors import DataError, DltError
from dlt.files.csv_rows import CsvRows, is_csv, read_csv
from dlt.files.reading import open_capped
from dlt.files.writing import write_atomically
from dlt.prediction import Predictor, shown_labels
from dlt.progress import silent

_PIECE = 10000  # rows to predict together


class Answer(NamedTuple):
    """A prediction for a picture or a row.

    Fields
    ------
    place : str or int
        The file of the picture, or the number of the row, from 0.
    label : str
        The name of the most probable label.
    probability : float
    note : str
        How a picture was prepared.
    right : str or None
        The name of the right label, if it is known.
    """

    place: str | int
    label: str
    probability: float
    note: str = ""
    right: str | None = None


class Unlabelled(NamedTuple):
    """Rows without labels, such as the test.csv of a competition.

    Fields
    ------
    x : CsvRows
    divisor : int
        256 for bytes, else 1.
    """

    x: CsvRows
    divisor: int

    @property
    def n_examples(self) -> int:
        """Number of rows."""
        return len(self.x)

    def rows(self, first: int, stop: int) -> tuple[np.ndarray, None]:
        """Return the scaled x of consecutive rows, and None for the labels."""
        return self.x[first:stop] / np.float32(self.divisor), None


def picture_answers(predictor: Predictor, places: Iterable[str]) -> Iterator[Answer | DltError]:
    """Predict pictures one by one; for one that cannot be read, yield the error.

    Parameters
    ----------
    predictor : Predictor
    places : iterable of str
        Files, and folders of files.

    Raises
    ------
    DataError
        The inputs of the model are not pictures.
    """
    from dlt.pictures.reading import check_pictures, pictures_in, read_picture  # slow to import

    check_pictures(predictor.path or "model", predictor.description)
    for place in places:
        try:
            files = pictures_in(place)
        except DltError as error:
            yield error
            continue
        for file in files:
            try:
                row, note = read_picture(file, predictor.description)
                (p_y_given_x,) = predictor.probabilities([row])
            except DltError as error:
                yield error
                continue
            yield _answer(predictor, file, p_y_given_x)._replace(note=note)


def rows_to_predict(predictor: Predictor, source: str, log: Callable[[str], object] = silent):
    """Open rows for `row_answers`: a CSV file without labels, or the test set of a data set.

    Parameters
    ----------
    predictor : Predictor
        A CSV file without a header has no labels if it has a column for each of the model's inputs.
    source : str
        A CSV file, or a source that `dlt.load_data` takes.
    log : callable, optional
        See `dlt.load_data`.

    Returns
    -------
    Unlabelled or ChunkedDataSet
    """
    path = os.path.expanduser(source)
    found = _without_labels(path, predictor.model.n_in) if os.path.isfile(path) else None
    return found or open_or_load(source, log)[2]


def _without_labels(path, n_in):
    with open_capped(path) as file:
        if not is_csv(file.peek()[:4096]):
            return None
    x, labels = read_csv(path, labelled=False)
    if labels is not None or x.shape[1] == n_in + 1:
        return None
    found = survey(path, x)
    are_bytes = found.whole and found.low >= 0 and 1 < found.high <= 255
    return Unlabelled(x, 256 if are_bytes else 1)


def row_answers(predictor: Predictor, data_set: Any, n_examples: int) -> Iterator[Answer]:
    """Predict the first rows of a result of `rows_to_predict`."""
    for first in range(0, n_examples, _PIECE):
        x, y = data_set.rows(first, min(first + _PIECE, n_examples))
        right = [None] * len(x)
        if y is not None:
            names = shown_labels(data_set.description, data_set.n_labels)
            right = [names[k] for k in y]
        for i, p_y_given_x in enumerate(predictor.probabilities(x)):
            yield _answer(predictor, first + i, p_y_given_x)._replace(right=right[i])


def _answer(predictor, place, p_y_given_x):
    label = int(p_y_given_x.argmax())
    return Answer(place, predictor.labels[label], float(p_y_given_x[label]))


def write_answers(path: str | os.PathLike, answers: list[Answer]) -> None:
    """Write answers to a CSV file, atomically.

    The columns are ``file`` or ``row``, ``label`` and ``probability``.

    Raises
    ------
    SettingsError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "predictions.csv")
    >>> write_answers(path, [Answer(0, "ham", 0.75)])
    >>> with open(path) as file:
    ...     print(file.read(), end="")
    row,label,probability
    0,ham,0.750000
    """
    if not answers:
        raise DataError(path, "no predictions", "one or more")
    first = "file" if isinstance(answers[0].place, str) else "row"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([first, "label", "probability"])
    for answer in answers:
        writer.writerow([answer.place, answer.label, f"{answer.probability:.6f}"])
    content = text.getvalue().encode("utf-8", "surrogateescape")
    write_atomically(path, lambda file: file.write(content))
