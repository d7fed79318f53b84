"""Visualization: figures of what a run learned, from its files, without the code that trained it.

Source: page "Getting Started", section "Plotting Intermediate Results".
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
from dlt.early_stopping import Patience
from dlt.errors import DataError, DltError, SettingsError
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

#: The figures, in the best order to look at them, and the animation.
NAMES = ("digits", "weights", "learning_curves", "confusion_matrix", "mistakes")
ANIMATION_NAME = "weights.gif"
#: The folder for the figures in a run folder.
FIGURES_NAME = "figures"
#: The sets to draw mistakes from: their places in the result of `load_data`, and their names.
EXAMPLES = {"valid": (1, "validation examples"), "test": (2, "test examples")}

_MAX_FRAMES = 100  # of the animation: 20 seconds
_N_DIGITS = 50


class Visualized(NamedTuple):
    """The figures of a run.

    Fields
    ------
    files : dict of str to str
        What each file shows, by its path.
    missing : str or None
        If the data set could not be loaded: what was not drawn, why, and what to do.
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
    """Draw what a run learned, from its files. The run may still be in progress.

    Everything is drawn before anything is written, so a bad file does not leave half of the figures
    behind. In the run folder, figures get the time stamp of their model, and those of an older
    model are removed. It takes at most `dlt.pictures.checks.MEMORY` bytes, besides the data set.

    Parameters
    ----------
    run_folder : str or os.PathLike
        Has the run's ``best_params.npz`` and ``history.csv``, and perhaps snapshots.
    output_dir : str or os.PathLike, optional
        Where the figures go; made if missing. Default: ``figures`` in `run_folder`.
    format : {"png", "svg", "pdf"}
        Of the figures; the animation of the snapshots is a GIF.
    dataset : str or os.PathLike, optional
        For `dlt.load_data`. Default: the one the model was trained on; if it cannot be loaded, the
        figures that need no data are still drawn.
    examples : {"test", "valid"}
        The set to draw mistakes from.
    log : callable, optional
        Takes lines of text, such as `print`: before slow steps, for what is not drawn, and for each
        figure that is removed.

    Raises
    ------
    DataError
        A file of the run is missing or broken, the model has more than
        `dlt.pictures.checks.MAX_PIXELS` weights, or the data set that was named cannot be used.
    SettingsError
        ``figures`` is a link, or the figures cannot be written.

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
    model_time = os.stat(params_file(run_folder)).st_mtime_ns
    predictor = _load(run_folder)
    history_path = os.path.join(run_folder, HISTORY_NAME)
    history = read_history(history_path)
    with _naming(history_path):
        drawn = {"learning_curves": _draw_history(history, predictor.settings)}
    if predictor.description.height:
        drawn.update(_draw_snapshots(run_folder, history, predictor, log))
        with _naming(predictor.path):
            drawn["weights"] = _draw_weights(predictor)
    else:
        log(f"no digits, weights, mistakes, {ANIMATION_NAME}: the model's inputs are not pictures")
    more, missing = _draw_examples(predictor, dataset, examples, log)
    drawn.update(more)

    ours = output_dir is None
    folder = own_folder(run_folder, FIGURES_NAME) if output_dir is None else os.fspath(output_dir)
    prepare_output_dir(folder, "the figures")
    found = {f"{name}.{format}": drawn[name] for name in NAMES if name in drawn}
    if ANIMATION_NAME in drawn:
        found[ANIMATION_NAME] = drawn[ANIMATION_NAME]
    if ours:
        _remove_older(folder, model_time, keep=found, log=log)
    files = {}
    for name, (content, what) in found.items():
        path = own_file(folder, name)
        save = save_animation if name == ANIMATION_NAME else save_figure
        save(path, content)
        if ours:
            os.utime(path, ns=(model_time, model_time))
        files[path] = what
    return Visualized(files, missing)


def _load(run_folder):
    """Return the Predictor of a run's model, unless the model is too large to be drawn."""
    saved = read_model(run_folder)
    check_pixels(saved.path, saved.W.size)
    return Predictor(saved)


def _remove_older(folder, model_time, keep, log):
    """Remove the figures of an older model from a folder."""
    ours = {f"{name}.{format}" for name in NAMES for format in FORMATS} | {ANIMATION_NAME}
    for name in sorted(ours.difference(keep)):
        path = os.path.join(folder, name)
        with contextlib.suppress(FileNotFoundError):  # another process may do the same
            if os.path.isfile(path) and os.stat(path).st_mtime_ns < model_time:
                os.unlink(path)
                log(f"removed {path}, which is older than the model")


@contextlib.contextmanager
def _naming(path):
    """Name a file in the errors that drawing its content raises."""
    try:
        yield
    except DltError as error:
        what = f"{path}, {error.what}"
        raise type(error)(what, error.found, error.expected, error.remedy) from error


def _sides(predictor):
    """Return the height and width of a model's pictures."""
    return predictor.description.height, predictor.description.width


def _looks(predictor):
    """Return the options of figures that depend on a model's labels and pictures."""
    return {"labels": predictor.labels, "ground": predictor.description.ground or "dark"}


def _draw_weights(predictor):
    """Return the figure of a model's weights, and what it shows."""
    W = predictor.model.W.get_value()
    what = f"weights of {W.shape[1]} labels, {W.min():.2g} to {W.max():.2g}"
    return plot_weights(W.reshape(*_sides(predictor), -1), **_looks(predictor)), what


def _draw_history(history, settings):
    """Return the figure of a run's learning curves, and what it shows."""
    patience = None
    with contextlib.suppress(SettingsError):  # the file may say anything
        patience = Patience(settings.get("patience")).patience
    label = "training loss"
    if L1 in settings and L2 in settings:
        is_penalized = settings[L1] or settings[L2]
        label = f"{label}\n(NLL + penalty)" if is_penalized else "training NLL\n(nats per example)"
    curves = plot_learning_curves(history, loss_label=label, initial_patience=patience)
    what = "1 validation" if len(history) == 1 else f"{len(history)} validations"
    lowest = lowest_error(history)
    if lowest is not None:
        what = f"{what}, the lowest error {100 * lowest:.2f} %"
    return curves, what


def _draw_snapshots(run_folder, history, predictor, log):
    """Return the animation by its name, with what it shows, or nothing without snapshots."""
    snapshots = list_snapshots(run_folder)
    shape = predictor.model.n_in, predictor.model.n_out
    n_frames = min(len(snapshots), _MAX_FRAMES, max(1, MAX_PIXELS // math.prod(shape)))
    chosen = np.linspace(0, len(snapshots) - 1, n_frames).round().astype(int)
    weights = {}
    for iteration, path in [snapshots[i] for i in chosen]:
        try:
            W = read_model(path).W
        except DataError:
            if os.path.lexists(path):
                raise
            continue  # a run in progress has removed it
        if W.shape != shape:
            raise DataError(path, f"W {W.shape}", f"{shape}, as {predictor.path} has")
        weights[iteration] = W.reshape(*_sides(predictor), -1)
    if not weights:
        why = "the run kept no snapshots; train with snapshot_every (--snapshot-every 1)"
        log(f"no {ANIMATION_NAME}: {why}")
        return {}
    errors = {
        row.iteration: f", validation error {100 * row.validation_error:.2f} %"
        for row in history
        if row.iteration in weights and 0 <= row.validation_error <= 1
    }
    captions = [f"Weights after {n} updates{errors.get(n, '')}" for n in weights]
    with _naming(run_folder):
        frames = animate_weights(weights.values(), captions, **_looks(predictor))
    counted = f"{len(frames)} of {len(snapshots)} snapshots"
    what = f"{counted}, after {min(weights)} to {max(weights)} updates"
    return {ANIMATION_NAME: (frames, what)}


def _draw_examples(predictor, dataset, examples, log):
    """Return the figures that need data, by name, with what they show; or why there are none."""
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
    _, what = EXAMPLES[examples]
    y_pred = p_y_given_x.argmax(axis=1)
    n_errors = int((y_pred != y).sum())
    counted = f"{n_errors} errors in {len(y)} {what}"
    if predictor.settings.get("drop_last") is True:
        counted += " (all of them; the run counted whole minibatches only)"
    matrix = plot_confusion_matrix(y, y_pred, predictor.model.n_out, what, predictor.labels)
    drawn = {"confusion_matrix": (matrix, counted)}
    if predictor.description.height:
        sides, looks = _sides(predictor), _looks(predictor)
        drawn["digits"] = _draw_digits(train_set, sides, looks["ground"])
        mistakes = plot_mistakes(x.reshape(-1, *sides), y, p_y_given_x, what=what, **looks)
        drawn["mistakes"] = mistakes, f"the most confident of {n_errors} mistakes"
    return drawn, None


def _draw_digits(train_set, sides, ground):
    """Return the figure of the first training examples, and what it shows."""
    x, y = train_set.rows(0, _N_DIGITS)
    names = shown_labels(train_set.description, train_set.n_labels)
    title = f"The first {len(x)} training examples"
    above = [names[k] for k in y]
    return plot_digits(x.reshape(-1, *sides), above, title=title, ground=ground), title.lower()


def _load_examples(predictor, dataset, examples, log):
    """Return the training set, and x and y of the examples whose labels the model has."""
    dataset = predictor.dataset if dataset is None else dataset
    place, what = EXAMPLES[examples]
    datasets = load_data(dataset, log=log)
    tried, remedy = datasets[place], "use the data set it was trained on"
    if tried.row_shape != (predictor.model.n_in,):
        found = f"examples of {tried.row_shape[0]} values"
        expected = f"{predictor.model.n_in}, as the model has"
        raise DataError(dataset, found, expected, remedy)
    y = predictor.known(tried.y, tried.description.labels)
    known = y >= 0
    if not known.any():
        expected = f"labels of the model: {', '.join(predictor.labels[:20])}"
        raise DataError(dataset, f"no {what} with its labels", expected, remedy)
    if not known.all():
        log(f"left out {(~known).sum()} {what}: the model does not have their labels")
    return datasets[0], tried.x[known], y[known]
