"""Drawing page: an HTML file on which you draw a picture, and a saved model says what it is.

The file contains the model. It needs no server, and may not contact one. Its JavaScript prepares a
drawing as `dlt.read_picture` prepares a picture, and computes in float32, so it gives the same
answers as `dlt.Predictor`.

Source: page "Getting Started", section "Loading and Saving Models".
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import string

import numpy as np

from dlt.errors import SettingsError, one_line
from dlt.examples import Description
from dlt.files.writing import write_text
from dlt.parameters import cast_floats
from dlt.pictures.checks import check_pixels
from dlt.pictures.reading import box_of, check_pictures, white_of
from dlt.prediction import description_of, read_model, shown_labels
from dlt.runs.folder import DATASET, HISTORY_NAME, PARAMS_NAME
from dlt.runs.history import lowest_error, read_history

#: The page's name in a run folder.
PAGE_NAME = "draw.html"

_PARTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_page")
_SCRIPTS = "model field drawing pointer keyboard pictures result main"
_LONGEST_NAME = 60  # characters of a data set's name
_LONGEST_LABEL = 40  # characters

_AS_MNIST = (
    "Your drawing is prepared the way MNIST's digits were: cut out, scaled to fit a box of\n"
    "$box&nbsp;×&nbsp;$box pixels, and placed in a field of $width&nbsp;×&nbsp;$height with its "
    "centre of mass in the middle,\n$ink."
)
_SCALED = "Your drawing is scaled to $width&nbsp;×&nbsp;$height pixels, $ink."


def export_page(path: str | os.PathLike, model_path: str | os.PathLike) -> None:
    """Write the page of a saved model; the same files give the same bytes.

    Parameters
    ----------
    path : str or os.PathLike
        The file to write, completely or not at all; ends in ``.html`` or ``.htm``.
    model_path : str or os.PathLike
        A run folder, or a file of parameters (see `dlt.Predictor`). It may come from a stranger:
        only text and numbers from it get into the page. For a run, the page also shows the
        validation error.

    Raises
    ------
    DataError
        The model or the history of its run is missing or broken, its inputs are not pictures, or
        it has more than `dlt.pictures.checks.MAX_PIXELS` weights.
    SettingsError
        `path` has another ending, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from dlt import save_params
    >>> folder = tempfile.mkdtemp()
    >>> save_params(os.path.join(folder, "params.npz"), {"W": np.eye(9), "b": np.zeros(9)})
    >>> export_page(os.path.join(folder, "draw.html"), os.path.join(folder, "params.npz"))
    >>> sorted(os.listdir(folder))
    ['draw.html', 'params.npz']
    """
    path = os.fspath(path)
    if not path.lower().endswith((".html", ".htm")):
        raise SettingsError(path, "a name without .html at its end", "one with it")
    saved = read_model(model_path)
    check_pixels(saved.path, saved.W.size)
    description = description_of(saved.settings, *saved.W.shape)
    check_pictures(saved.path, description)
    about = _about(saved.W.shape, saved.settings.get(DATASET), _validation_error(saved.path))
    W, b = (cast_floats(saved.path, array, "float32") for array in (saved.W, saved.b))
    write_text(path, page_html(W, b, description, about))


def page_html(W: np.ndarray, b: np.ndarray, description: Description, about: str = "") -> str:
    """Return the page as text.

    Parameters
    ----------
    W, b : ndarray, float, shapes (n_in, n_out) and (n_out,)
        Weights and biases, finite in float32.
    description : Description
        Of the training data, pictures of n_in pixels.
    about : str
        A sentence or two about the model; any text is safe.

    Examples
    --------
    >>> from dlt.pictures.reading import MNIST
    >>> page = page_html(np.zeros((784, 10)), np.zeros(10), MNIST, about="1 < 2")
    >>> page[:15], "<p>1 &lt; 2 " in page
    ('<!DOCTYPE html>', True)
    """
    labels = shown_labels(description, len(b))
    page_style = _part("page.css")
    script = "\n".join(_part(f"{name}.js") for name in _SCRIPTS.split())
    # allows this style and this script, and nothing else
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src '{_digest(page_style)}'; script-src '{_digest(script)}'"
    )
    return string.Template(_part("page.html")).substitute(
        about=html.escape(one_line(about)),
        what="a digit" if all(label.isdigit() for label in labels) else "a picture",
        how=_how(description),
        policy=policy,
        style=page_style,
        script=script,
        model=_model(W, b, labels, description),
    )


def _how(description):
    """Explain in HTML how a drawing is prepared."""
    _, height, width, *_ = description
    ink = "dark on white" if description.ground == "light" else "bright on black"
    text = string.Template(_AS_MNIST if description.centred else _SCALED)
    return text.substitute(height=height, width=width, box=box_of(width), ink=ink)


def _model(W, b, labels, description):
    """Return the model as JSON for the page's script, without a ``<`` that could end the script."""
    model = {
        "W": _floats(W),
        "b": _floats(b),
        "labels": [label[:_LONGEST_LABEL] for label in labels],
        "height": description.height,
        "width": description.width,
        "isCentred": bool(description.centred),
        "isLight": description.ground == "light",
        "white": white_of(description),
    }
    return json.dumps(model).replace("<", "\\u003c")


def _part(name):
    with open(os.path.join(_PARTS, name), encoding="utf-8") as file:
        return file.read()


def _digest(text):
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def _floats(array):
    """Return numbers as text: float32, little-endian, row after row, in base64."""
    return base64.b64encode(array.astype("<f4").tobytes()).decode("ascii")


def _about(shape, dataset, error):
    """Describe a model in one sentence."""
    parts = ["The model is a logistic regression with {} inputs and {} labels".format(*shape)]
    if isinstance(dataset, str) and dataset:
        # only the last part of a path: folders are private, and the page may be passed on
        name = dataset.replace("\\", "/").rstrip("/").rpartition("/")[2]
        parts.append(f"trained on {name[:_LONGEST_NAME]}")
    if error is not None:
        parts.append(f"with a validation error of {100 * error:.2f} %")
    return ", ".join(parts) + "."


def _validation_error(model_path):
    """Return the lowest validation error of the run that saved this file, or None."""
    folder, name = os.path.split(model_path)
    path = os.path.join(folder, HISTORY_NAME)
    if name != PARAMS_NAME or not os.path.lexists(path):
        return None
    return lowest_error(read_history(path))
