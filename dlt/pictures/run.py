"""Visualization: what a saved run learned, as figures, without the code that trained it.

Source: page "Getting Started", section "Plotting Intermediate Results": training saves
models, and a script of its own draws from what was saved.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dlt.checks import one_of
from dlt.datasets import load_data
from dlt.early_stopping import MOST_PATIENCE
from dlt.errors import DataError, DltError
from dlt.files.writing import own_file, own_folder, prepare_output_dir
from dlt.pictures.checks import MAX_PIXELS, check_pixels
from dlt.pictures.confusion import plot_confusion_matrix
from dlt.pictures.curves import plot_learning_curves
from dlt.pictures.digits import plot_digits, plot_mistakes, plot_weights
from dlt.pictures.figures import FORMATS, save_figure
from dlt.pictures.tiles import animate_weights, save_animation
from dlt.prediction import Predictor, params_file, read_model, shown_labels
from dlt.progress import silent
from dlt.runs.folder import HISTORY_NAME, L1, L2, list_snapshots
from dlt.runs.history import lowest_error, read_history

#: The figures, in the order in which they are best looked at, and the animation.
NAMES = ("digits", "weights", "learning_curves", "confusion_matrix", "mistakes")
ANIMATION_NAME = "weights.gif"
#: The folder of the figures within a run folder.
FIGURES_NAME = "figures"
#: The sets whose mistakes can be drawn: their places in what `load_data` returns, and their names.
EXAMPLES = {"valid": (1, "validation examples"), "test": (2, "test examples")}

# What shows pictures, and needs their shape.
_OF_PICTURES = ("digits", "weights", "mistakes", ANIMATION_NAME)
_MAX_FRAMES = 100  # of the animation: 20 seconds
_N_DIGITS = 50


class Visualized(NamedTuple):
    """The figures of a run.

    Fields
    ------
    files : dict of str to str
        What each file shows, by its path.
    missing : str or None
        Where the data set could not be loaded: what was not drawn, why, and what to do.
    """

    files: dict[str, str]
    missing: str | None


def visualize(
    run_folder: str | os.PathLike,
    output_dir: str | os.PathLike | None = None,
    format: str = "png",
    dataset: str | os.PathLike | None = None,
    examples: str = "test",
    log: Callable[[str], object] = silent,
) -> Visualized:
    """Draw what a run learned, from its saved files. The run may still be going on.

    Everything is drawn before anything is written, so a bad file does not leave half the figures
    behind. Figures in the run folder get the time of the model that they show. Those of an older
    model are removed, so all that remain show the same one. In another `output_dir` nothing is
    removed. It takes at most `dlt.pictures.checks.MEMORY` bytes, besides the data set.

    Parameters
    ----------
    run_folder : str or os.PathLike
        Where the run left ``best_params.npz`` and ``history.csv``, and perhaps snapshots.
    output_dir : str or os.PathLike, optional
        Where the figures go; made if it is not there. Default: ``figures`` in `run_folder`.
    format : {"png", "svg", "pdf"}
        Of the figures; the animation of the snapshots is a GIF.
    dataset : str or os.PathLike, optional
        For `dlt.load_data`. Default: what the model was trained on; if that cannot be loaded,
        the figures that need no data are still drawn.
    examples : {"test", "valid"}
        The examples whose mistakes are drawn.
    log : callable, optional
        Takes lines of text, such as `print`: before anything slow, for what is not drawn, and for
        each figure that is removed.

    Raises
    ------
    DataError
        A file of the run is missing or broken, the model has more than
        `dlt.pictures.checks.MAX_PIXELS` weights, or the data set that was named cannot be used.
    SettingsError
        ``figures`` is a link, or a file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from dlt import HistoryRow, save_params, write_history
    >>> folder = tempfile.mkdtemp()
    >>> params = {"W": np.eye(784)[:, :10], "b": np.zeros(10)}
    >>> save_params(os.path.join(folder, "best_params.npz"), params, {"dataset": "digits"})
    >>> write_history(os.path.join(folder, "history.csv"), [HistoryRow(60, 1, 1.5, 0.25, 5000, 1)])
    >>> found = visualize(folder, log=print)
    no weights.gif: the run kept no snapshots; train with snapshot_every (--snapshot-every 1)
    >>> [os.path.basename(path) for path in found.files]
    ['digits.png', 'weights.png', 'learning_curves.png', 'confusion_matrix.png', 'mistakes.png']
    """
    one_of("format", format, FORMATS)
    one_of("examples", examples, EXAMPLES)
    run_folder = os.fspath(run_folder)
    if os.path.isfile(run_folder):
        raise DataError(run_folder, "a file", "a run folder", "name the folder that holds it")
    model_path = params_file(run_folder)
    model_time = os.stat(model_path).st_mtime_ns
    check_pixels(model_path, read_model(model_path)[0][0].size)  # before more is made of W
    predictor = Predictor(model_path)
    history_path = os.path.join(run_folder, HISTORY_NAME)
    history = read_history(history_path)
    with _naming(history_path):
        drawn = {"learning_curves": _draw_history(history, predictor.settings)}
    frames, what = [], None
    if predictor.description.height:
        frames, what = _draw_snapshots(run_folder, history, predictor)
        with _naming(predictor.path):
            drawn["weights"] = _draw_weights(predictor)
    else:
        log(f"no {', '.join(_OF_PICTURES)}: the model's inputs are no pictures")
    more, missing = _draw_examples(predictor, dataset, examples, log)
    drawn.update(more)

    ours = output_dir is None
    folder = own_folder(run_folder, FIGURES_NAME) if output_dir is None else os.fspath(output_dir)
    writes = {f"{name}.{format}": (save_figure, *drawn[name]) for name in NAMES if name in drawn}
    if frames:
        writes[ANIMATION_NAME] = (save_animation, frames, what)
    elif what:
        log(what)
    prepare_output_dir(folder, "the figures")
    if ours:
        _remove_older(folder, model_time, keep=writes, log=log)
    files = {}
    for name, (save, content, what) in writes.items():
        path = own_file(folder, name)
        save(path, content)
        files[path] = what
    if ours:
        for path in files:
            os.utime(path, ns=(model_time, model_time))
    return Visualized(files, missing)


def _remove_older(folder, model_time, keep, log):
    """Remove the figures in a folder that show an older model."""
    names = [f"{name}.{format}" for name in NAMES for format in FORMATS]
    for name in [*names, ANIMATION_NAME]:
        path = os.path.join(folder, name)
        if name in keep or not os.path.isfile(path):
            continue
        with contextlib.suppress(FileNotFoundError):  # another process may do the same
            if os.stat(path).st_mtime_ns < model_time:
                os.unlink(path)
                log(f"removed {path}, which is older than the model")


@contextlib.contextmanager
def _naming(path):
    """Put the name of the file before an error that drawing its content raises."""
    try:
        yield
    except DltError as error:
        what = f"{path}, {error.what}"
        raise type(error)(what, error.found, error.expected, error.remedy) from error


def _shaped(W, description):
    """Return weights in the shape of the pictures that they belong to, if there are as many."""
    sides = description.height, description.width
    return W.reshape(*sides, -1) if len(W) == sides[0] * sides[1] else W


def _looks(predictor):
    """Return how figures show a model's labels and pictures."""
    return {"labels": predictor.labels, "ground": predictor.description.ground or "dark"}


def _draw_weights(predictor):
    """Draw a model's weights: the Figure, and what it shows."""
    W = predictor.model.W.get_value()
    what = f"weights of {W.shape[1]} labels, {W.min():.2g} to {W.max():.2g}"
    return plot_weights(_shaped(W, predictor.description), **_looks(predictor)), what


def _draw_history(history, settings):
    """Draw a run's learning curves: the Figure, and what it shows."""
    curves = plot_learning_curves(
        history, loss_label=_loss_label(settings), initial_patience=_initial_patience(settings)
    )
    what = "1 validation" if len(history) == 1 else f"{len(history)} validations"
    lowest = lowest_error(history)
    if lowest is not None:
        what = f"{what}, the lowest error {100 * lowest:.2f} %"
    return curves, what


def _draw_snapshots(run_folder, history, predictor):
    """Draw the frames of the animation, and what they show, or why there are none."""
    snapshots = list_snapshots(run_folder)
    shape = predictor.model.n_in, predictor.model.n_out
    n_frames = min(len(snapshots), _MAX_FRAMES, max(1, MAX_PIXELS // math.prod(shape)))
    chosen = np.linspace(0, len(snapshots) - 1, n_frames).round().astype(int)
    weights = {}
    for iteration, path in [snapshots[i] for i in chosen]:
        try:
            (W, _), _ = read_model(path)
        except DataError:
            if os.path.lexists(path):
                raise
            continue  # a run that is going on has dropped it
        if W.shape != shape:
            raise DataError(path, f"W {W.shape}", f"{shape}, as {predictor.path} has")
        weights[iteration] = _shaped(W, predictor.description)
    if not weights:
        why = "the run kept no snapshots; train with snapshot_every (--snapshot-every 1)"
        return [], f"no {ANIMATION_NAME}: {why}"
    errors = {r.iteration: r.validation_error for r in history if r.iteration in weights}
    captions = [_caption(iteration, errors.get(iteration)) for iteration in weights]
    with _naming(run_folder):
        frames = animate_weights(weights.values(), captions, **_looks(predictor))
    counted = f"{len(frames)} of {len(snapshots)} snapshots"
    return frames, f"{counted}, after {min(weights)} to {max(weights)} updates"


def _draw_examples(predictor, dataset, examples, log):
    """Draw examples and mistakes: figures by name, with what they show; and why there are none."""
    try:
        train_set, x, y = _load_examples(predictor, dataset, examples, log)
    except DltError as error:
        if dataset is not None:
            raise
        names = "digits, confusion_matrix and mistakes, which need"
        if not predictor.description.height:
            names = "confusion_matrix, which needs"
        return {}, f"no {names} the data set: {error}; name it as dataset (--dataset)"
    p_y_given_x = predictor.probabilities(x)
    what = EXAMPLES[examples][1]
    y_pred = p_y_given_x.argmax(axis=1)
    n_errors = int((y_pred != y).sum())
    counted = f"{n_errors} errors in {len(y)} {what}"
    if predictor.settings.get("drop_last") is True:
        counted += " (all of them; the run counted whole minibatches only)"
    labels = predictor.labels
    matrix = plot_confusion_matrix(y, y_pred, predictor.model.n_out, what, labels)
    drawn = {"confusion_matrix": (matrix, counted)}
    sides = predictor.description.height, predictor.description.width
    if sides[0]:
        looks = _looks(predictor)
        drawn["digits"] = _draw_digits(train_set, sides, looks["ground"])
        mistakes = plot_mistakes(x.reshape(-1, *sides), y, p_y_given_x, what=what, **looks)
        drawn["mistakes"] = mistakes, f"the most confident of {n_errors} mistakes"
    return drawn, None


def _draw_digits(train_set, sides, ground):
    """Draw the first training examples: the Figure, and what it shows."""
    x, y = train_set.rows(0, _N_DIGITS)
    names = shown_labels(train_set.description, train_set.n_labels)
    title = f"The first {len(x)} training examples"
    above = [names[k] for k in y]
    return plot_digits(x.reshape(-1, *sides), above, title=title, ground=ground), title.lower()


def _load_examples(predictor, dataset, examples, log):
    """Return the training set, and those examples to try the model on whose labels it can give."""
    dataset = predictor.dataset if dataset is None else dataset
    datasets = load_data(dataset, log=log)
    tried = datasets[EXAMPLES[examples][0]]
    remedy = "use the data set it was trained on"
    if tried.row_shape != (predictor.model.n_in,):
        found = f"examples of {tried.row_shape[0]} values"
        expected = f"{predictor.model.n_in}, as the model has"
        raise DataError(dataset, found, expected, remedy)
    y = predictor.known(tried.y, tried.description.labels)
    known = y >= 0
    if not known.any():
        expected = f"labels of the model: {', '.join(predictor.labels[:20])}"
        raise DataError(dataset, f"no {EXAMPLES[examples][1]} with its labels", expected, remedy)
    if not known.all():
        log(
            f"left out {(~known).sum()} {EXAMPLES[examples][1]}: the model cannot give their labels"
        )
    return datasets[0], tried.x[known], y[known]


def _initial_patience(settings):
    """Return the patience that a run began with, if the settings hold it."""
    found = settings.get("patience")
    is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
    return found if is_number and 0 < found <= MOST_PATIENCE else None


def _loss_label(settings):
    """Return what the training loss is, as far as the settings show."""
    if L1 not in settings or L2 not in settings:
        return "training loss"
    penalized = settings[L1] or settings[L2]
    return "training loss\n(NLL + penalty)" if penalized else "training NLL\n(nats per example)"


def _caption(iteration, error):
    known = error is not None and 0 <= error <= 1
    shown = f", validation error {100 * error:.2f} %" if known else ""
    return f"Weights after {iteration} updates{shown}"
