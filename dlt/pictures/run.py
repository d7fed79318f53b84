"""Visualization: what a saved run learned, as figures, without the code that trained it.

The figures are those of the modules beside this one, drawn from the files of a run folder
and from the data set the run was trained on, and written beside them.

Source: page "Getting Started", section "Plotting Intermediate Results": training saves
models, and a script of its own draws from what was saved.
"""

import collections
import contextlib
import os

import numpy as np

from dlt.checks import one_of
from dlt.datasets import load_data
from dlt.early_stopping import MOST_PATIENCE
from dlt.errors import DataError, DltError, SettingsError
from dlt.files.writing import own_file, own_folder, prepare_output_dir
from dlt.pictures.confusion import plot_confusion_matrix
from dlt.pictures.curves import plot_learning_curves
from dlt.pictures.digits import plot_digits, plot_mistakes, plot_weights
from dlt.pictures.figures import save_figure
from dlt.pictures.tiles import animate_weights, save_animation
from dlt.prediction import Predictor, params_file, read_model
from dlt.progress import silent
from dlt.runs.folder import HISTORY_NAME, L1, L2, list_snapshots
from dlt.runs.history import lowest_error, read_history

#: The figures, in the order in which they are best looked at, and the animation.
NAMES = ("digits", "weights", "learning_curves", "confusion_matrix", "mistakes")
ANIMATION_NAME = "weights.gif"
#: The folder within a run folder that figures go to.
FIGURES_NAME = "figures"
FORMATS = ("png", "svg", "pdf")
#: The examples whose mistakes can be drawn; the values are their places in `load_data`'s answer.
EXAMPLES = {"valid": 1, "test": 2}

_MAX_FRAMES = 100  # of the animation: 20 seconds
_N_DIGITS = 50
_WHAT = {"valid": "validation examples", "test": "test examples"}

Visualized = collections.namedtuple("Visualized", "files missing")
Visualized.__doc__ = """The figures of a run.

Fields
------
files : dict of str to str
    What each file shows, by its path.
missing : str or None
    Where the data set could not be had: what was not drawn, why, and what to do.
"""


def visualize(run_folder, output_dir=None, format="png", dataset=None, examples="test", log=silent):
    """Draw what a run learned, from its saved files.

    Everything is read and drawn before anything is written: a bad file leaves no half of the
    figures behind. Figures in the run folder are as old as the model that they show; those of an
    older one that this call does not draw are removed and told: all that are left show the
    same model. In another `output_dir` nothing is removed. The run may still be going on.

    Parameters
    ----------
    run_folder : str or os.PathLike
        Where the run left ``best_params.npz`` and ``history.csv``, and perhaps snapshots.
    output_dir : str or os.PathLike, optional
        Where the figures go; made if it is not there. Default: ``figures`` in `run_folder`.
    format : {"png", "svg", "pdf"}
        Of the figures; the animation of the snapshots is a GIF.
    dataset : str or os.PathLike, optional
        For `dlt.load_data`. Default: what the model was trained on; where that cannot be had,
        the figures that need no data are drawn all the same.
    examples : {"test", "valid"}
        The examples whose mistakes are drawn.
    log : callable, optional
        Takes a line of text before anything slow, one if there are no snapshots to animate,
        and one for each figure that is removed; such as `print`.

    Returns
    -------
    Visualized

    Raises
    ------
    DataError
        A file of the run is missing or broken, or the data set that was named cannot be used.
    SettingsError
        An argument is none of the above, the model's inputs are not the pixels of square
        pictures, ``figures`` is a link, or a file cannot be written.

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
        raise DataError(run_folder, "a file", "a run folder", "name the folder that it lies in")
    model_path = params_file(run_folder)
    model_time = os.stat(model_path).st_mtime_ns
    predictor = Predictor(model_path)
    history_path = os.path.join(run_folder, HISTORY_NAME)
    history = read_history(history_path)
    with _said_of(run_folder):
        frames, what = _draw_snapshots(run_folder, history, predictor.sides)
    with _said_of(history_path):
        drawn = {"learning_curves": _draw_history(history, predictor.settings)}
    with _said_of(predictor.path):
        drawn["weights"] = _draw_weights(predictor.model.W.get_value(), predictor.sides)
    more, missing = _draw_examples(predictor, dataset, examples, log)
    drawn.update(more)

    ours = output_dir is None
    output_dir = own_folder(run_folder, FIGURES_NAME) if ours else os.fspath(output_dir)
    writes = {f"{name}.{format}": (save_figure, *drawn[name]) for name in NAMES if name in drawn}
    if frames:
        writes[ANIMATION_NAME] = (save_animation, frames, what)
    else:
        log(what)
    prepare_output_dir(output_dir, "the figures")
    if ours:
        _remove_older(output_dir, model_time, keep=writes, log=log)
    files = _write(output_dir, writes)
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


def _write(folder, writes):
    """Write what was drawn into a folder; give what each file shows."""
    files = {}
    for name, (save, content, what) in writes.items():
        path = own_file(folder, name)
        save(path, content)
        files[path] = what
    return files


@contextlib.contextmanager
def _said_of(path):
    """Put the name of the file before what drawing has against its content."""
    try:
        yield
    except SettingsError as error:
        what = f"{path}, {error.what}"
        raise SettingsError(what, error.found, error.expected, error.remedy) from error


def _shaped(W, sides):
    """Return weights in the shape of the pictures that they belong to, where that is known."""
    fits = sides is not None and len(W) == sides[0] * sides[1]
    return W.reshape(*sides, -1) if fits else W


def _draw_weights(W, sides):
    """Draw a model's weights: the Figure, and what it shows."""
    return plot_weights(
        _shaped(W, sides)
    ), f"weights of {W.shape[1]} labels, {W.min():.2g} to {W.max():.2g}"


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


def _draw_snapshots(run_folder, history, sides):
    """Draw the frames of the animation of a run's snapshots, at most 100.

    Parameters
    ----------
    run_folder : str or os.PathLike
    history : list of HistoryRow
    sides : (int, int) or None
        Height and width of the pictures that the model was trained on.

    Returns
    -------
    frames : list of PIL.Image.Image
    what : str
        What they show, or why there are none.
    """
    snapshots = list_snapshots(run_folder)
    n_frames = min(len(snapshots), _MAX_FRAMES)
    chosen = np.linspace(0, len(snapshots) - 1, n_frames).round().astype(int)
    weights = {}
    for iteration, path in [snapshots[i] for i in chosen]:
        W = _weights_if_there(path)
        if W is not None:
            weights[iteration] = _shaped(W, sides)
    if not weights:
        return [], (
            "no weights.gif: the run kept no snapshots; train with snapshot_every "
            "(--snapshot-every 1)"
        )
    errors = {row.iteration: row.validation_error for row in history}
    captions = [_caption(iteration, errors.get(iteration)) for iteration in weights]
    frames = animate_weights(weights.values(), captions)
    return (
        frames,
        f"{len(frames)} of {len(snapshots)} snapshots, "
        f"after {min(weights)} to {max(weights)} updates",
    )


def _weights_if_there(path):
    """Read a snapshot's weights; None if a run that is going on has dropped it meanwhile."""
    try:
        (W, _), _ = read_model(path)
    except DataError:
        if os.path.lexists(path):
            raise
        return None
    return W


def _draw_examples(predictor, dataset=None, examples="test", log=silent):
    """Draw examples of a data set, and which of them the model mistakes.

    Parameters
    ----------
    predictor : Predictor
    dataset, examples, log
        As `visualize` takes them.

    Returns
    -------
    drawn : dict of str to (Figure, str)
        Figures by name, with what they show; none where the data cannot be had.
    missing : str or None
        Why there are none.
    """
    try:
        (x, y), examples_xy = _load_examples(predictor, dataset, examples, log)
    except DltError as error:
        if dataset is not None:
            raise
        return {}, (
            "no digits, confusion_matrix and mistakes, which need the data set: "
            f"{error}; name it as "
            "dataset (--dataset)"
        )
    if predictor.sides:
        x, (tried_x, tried_y) = x.reshape(-1, *predictor.sides), examples_xy
        examples_xy = tried_x.reshape(-1, *predictor.sides), tried_y
    n_digits = min(_N_DIGITS, len(x))
    title = f"The first {n_digits} training examples"
    digits = plot_digits(x[:n_digits], y[:n_digits], title=title)
    with _said_of(predictor.path):
        mistakes = _draw_mistakes(predictor, *examples_xy, what=_WHAT[examples])
    return {"digits": (digits, title.lower()), **mistakes}, None


def _draw_mistakes(predictor, x, y, what):
    p_y_given_x = predictor.probabilities(x)
    y_pred = p_y_given_x.argmax(axis=1)
    n_errors = int((y_pred != y).sum())
    matrix = plot_confusion_matrix(y, y_pred, predictor.model.n_out, what=what)
    mistakes = plot_mistakes(x, y, p_y_given_x, what=what)
    counted = f"{n_errors} errors in {len(y)} {what}"
    if predictor.settings.get("drop_last") is True:
        counted += " (all of them; the run counted whole minibatches only)"
    return {
        "confusion_matrix": (matrix, counted),
        "mistakes": (mistakes, f"the most confident of {n_errors} mistakes"),
    }


def _load_examples(predictor, dataset, examples, log):
    """Load the training set, and the set that the model is to be tried on."""
    dataset = predictor.dataset if dataset is None else dataset
    datasets = load_data(dataset, log=log)
    x, y = datasets[EXAMPLES[examples]]
    if x.shape[1] != predictor.model.n_in or y.max() >= predictor.model.n_out:
        raise DataError(
            dataset,
            f"examples of {x.shape[1]} values and labels up to {y.max()}",
            f"{predictor.model.n_in} values and labels up to {predictor.model.n_out - 1}, "
            "as the model has",
            "use the data set it was trained on",
        )
    return datasets[0], (x, y)


def _initial_patience(settings):
    """Return the patience that a run began with, as far as the settings tell."""
    found = settings.get("patience")
    is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
    return found if is_number and 0 < found <= MOST_PATIENCE else None


def _loss_label(settings):
    """Say what the training loss is, as far as the settings tell."""
    if L1 not in settings or L2 not in settings:
        return "training loss"
    penalized = settings[L1] or settings[L2]
    return "training loss\n(NLL + penalty)" if penalized else "training NLL\n(nats per example)"


def _caption(iteration, error):
    text = f"Weights after {iteration} updates"
    if error is None or not 0 <= error <= 1:
        return text
    return f"{text}, validation error {100 * error:.2f} %"
