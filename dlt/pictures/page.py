"""Drawing page: one HTML file on which one draws a digit and a saved model says which it is.

The file holds everything it needs, the model included. It asks no server for anything and
forbids itself to. What is drawn goes the way of `dlt.read_picture`, in JavaScript, and
the model computes in float32, so the page says what `dlt.Predictor` says.

The page's parts lie in ``dlt/pictures/_page``, as HTML, CSS and JavaScript.

Source: page "Getting Started", section "Loading and Saving Models": what was saved can be
used by other code than that which trained it.
"""

import base64
import hashlib
import html
import json
import os
import string

import numpy as np

from dlt.errors import SettingsError
from dlt.files.writing import write_atomically
from dlt.pictures.reading import box_of, side_of
from dlt.prediction import params_file, read_model
from dlt.runs.folder import DATASET, HISTORY_NAME, PARAMS_NAME
from dlt.runs.history import lowest_error, read_history

#: The name of the page in a run folder.
PAGE_NAME = "draw.html"

_PARTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_page")
_SCRIPTS = (
    "model.js",
    "field.js",
    "drawing.js",
    "pointer.js",
    "keyboard.js",
    "pictures.js",
    "result.js",
    "main.js",
)
_LONGEST_NAME = 60  # characters of a data set's name that the page tells


def export_page(path, model_path):
    """Write the page of a saved model.

    Parameters
    ----------
    path : str or os.PathLike
        The file to write, whole or not at all; ends in ``.html`` or ``.htm``.
    model_path : str or os.PathLike
        A run folder, or a file of parameters (see `dlt.Predictor`). It may come from a
        stranger: nothing in it can become part of the page but as text and numbers. The same
        files give the same bytes. Of a run, the page tells the validation error too.

    Raises
    ------
    DataError
        The model is missing or broken, or its run's history is broken.
    SettingsError
        Another ending; the file cannot be written; the model's inputs are not the pixels of a
        square picture.

    Examples
    --------
    >>> import os, tempfile
    >>> from dlt import save_params
    >>> folder = tempfile.mkdtemp()
    >>> save_params(os.path.join(folder, "params.npz"), {"W": np.eye(4), "b": np.zeros(4)})
    >>> export_page(os.path.join(folder, "draw.html"), os.path.join(folder, "params.npz"))
    >>> sorted(os.listdir(folder))
    ['draw.html', 'params.npz']
    """
    path = os.fspath(path)
    if os.path.splitext(path)[1].lower() not in (".html", ".htm"):
        raise SettingsError(
            path, "a name without .html at its end", "one with it, for a page", "choose another"
        )
    model_path = params_file(model_path)
    (W, b), settings = read_model(model_path, dtype="float32")
    about = _about(W.shape, settings.get(DATASET), _validation_error(model_path))
    page = page_html(W, b, about).encode("utf-8")
    write_atomically(path, lambda file: file.write(page))


def page_html(W, b, about=""):
    """Return the page as text.

    Parameters
    ----------
    W : array, shape (n_in, n_out)
        Weights; n_in is the square of a whole number.
    b : array, shape (n_out,)
        Biases. Both are rounded to float32.
    about : str
        A sentence or two on the model. It is shown as it is written, whatever it holds.

    Returns
    -------
    str

    Raises
    ------
    SettingsError
        The shapes are others, or `n_in` is not the square of a whole number.

    Examples
    --------
    >>> page = page_html(np.zeros((784, 10)), np.zeros(10), about="1 < 2")
    >>> page[:15], "<p>1 &lt; 2 " in page
    ('<!DOCTYPE html>', True)
    """
    if np.ndim(W) != 2 or np.shape(b) != np.shape(W)[1:]:
        raise SettingsError(
            "params", f"W {np.shape(W)} and b {np.shape(b)}", "W (n_in, n_out) and b (n_out,)"
        )
    side = side_of(len(W))
    style, script = _part("page.css"), "\n".join(map(_part, _SCRIPTS))
    return string.Template(_part("page.html")).substitute(
        about=_as_text(about),
        side=side,
        box=box_of(side),
        policy=_policy(style, script),
        style=style,
        script=script,
        model=json.dumps({"W": _floats(W), "b": _floats(b)}),
    )


def _part(name):
    with open(os.path.join(_PARTS, name), encoding="utf-8") as file:
        return file.read()


def _policy(style, script):
    """Allow this style and this script, which the page holds, and nothing else at all."""
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )


def _digest(text):
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def _floats(array):
    """Return float32 numbers as text: base64, little-endian, row after row."""
    return base64.b64encode(np.asarray(array, dtype="<f4").tobytes()).decode("ascii")


def _as_text(text):
    """Make text that HTML shows as it is; what has no place on a line becomes a question mark."""
    kept = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return html.escape(kept)


def _about(shape, dataset, error):
    """Tell of a model what its files tell."""
    parts = ["The model is a logistic regression with {} inputs and {} labels".format(*shape)]
    if isinstance(dataset, str) and dataset:
        # of a path only the last part: the page may be given away, the folders are private
        name = dataset.replace("\\", "/").rstrip("/").rpartition("/")[2]
        parts.append(f"trained on {name[:_LONGEST_NAME]}")
    if error is not None:
        parts.append(f"with a validation error of {100 * error:.2f} %")
    return ", ".join(parts) + "."


def _validation_error(model_path):
    """Return the lowest validation error of the run that left these parameters, or None."""
    folder, name = os.path.split(model_path)
    path = os.path.join(folder, HISTORY_NAME)
    if name != PARAMS_NAME or not os.path.lexists(path):
        return None
    return lowest_error(read_history(path))
