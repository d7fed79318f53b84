"""Drawing page: one HTML file, where you draw a picture and a saved model says what it is.

The file holds the model, and neither needs nor may use any server. JavaScript treats a drawing
as `dlt.read_picture` treats a picture, and computes in float32, so the page gives the answers
of `dlt.Predictor`.

Source: page "Getting Started", section "Loading and Saving Models".
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import string
from typing import TYPE_CHECKING

from dlt.checks import finite, real_numbers
from dlt.errors import DataError, SettingsError, one_line
from dlt.examples import Description
from dlt.files.writing import write_atomically
from dlt.pictures.checks import check_pixels
from dlt.pictures.reading import box_of, check_pictures, white_of
from dlt.prediction import description_of, params_file, read_model, shown_labels
from dlt.runs.folder import DATASET, HISTORY_NAME, PARAMS_NAME
from dlt.runs.history import lowest_error, read_history

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: The name of the page in a run folder.
PAGE_NAME = "draw.html"

_PARTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_page")
_SCRIPTS = "model field drawing pointer keyboard pictures result main"
_LONGEST_NAME = 60  # characters of a data set's name that the page shows
_LONGEST_LABEL = 40

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
        The file to write, whole or not at all; ends in ``.html`` or ``.htm``.
    model_path : str or os.PathLike
        A run folder, or a file of parameters (see `dlt.Predictor`). It may come from a
        stranger: the page holds only text and numbers of it. For a run, the page also shows the
        validation error.

    Raises
    ------
    DataError
        The model or its run's history is missing or broken, or the model's inputs are no
        pictures, or more than `dlt.pictures.checks.MAX_PIXELS` of all labels.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
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
    model_path = params_file(model_path)
    (W, b), settings = read_model(model_path, dtype="float32")
    check_pixels(model_path, W.size)
    about = _about(W.shape, settings.get(DATASET), _validation_error(model_path))
    description = description_of(settings, *W.shape)
    check_pictures(model_path, description)
    page = page_html(W, b, description, about).encode("utf-8")
    write_atomically(path, lambda file: file.write(page))


def page_html(W: ArrayLike, b: ArrayLike, description: Description, about: str = "") -> str:
    """Return the page as text.

    Parameters
    ----------
    W, b : array, shapes (n_in, n_out) and (n_out,)
        Weights and biases, which are rounded to float32.
    description : Description
        Of the training data, which are pictures of n_in pixels.
    about : str
        A sentence or two on the model, shown as it is written, whatever it holds.

    Examples
    --------
    >>> import numpy as np
    >>> from dlt.pictures.reading import MNIST
    >>> page = page_html(np.zeros((784, 10)), np.zeros(10), MNIST, about="1 < 2")
    >>> page[:15], "<p>1 &lt; 2 " in page
    ('<!DOCTYPE html>', True)
    """
    W, b = real_numbers("W", W), real_numbers("b", b)
    if W.ndim != 2 or b.shape != W.shape[1:]:
        raise DataError("params", f"W {W.shape} and b {b.shape}", "W (n_in, n_out) and b (n_out,)")
    finite("W", W)
    finite("b", b)
    labels = shown_labels(description, len(b))
    page_style = _part("page.css")
    script = "\n".join(_part(f"{name}.js") for name in _SCRIPTS.split())
    # this style and this script, which the page holds, and nothing else at all
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
    """Return how a drawing is prepared, in HTML."""
    _, height, width, *_ = description
    ink = "dark on white" if description.ground == "light" else "bright on black"
    text = string.Template(_AS_MNIST if description.centred else _SCALED)
    return text.substitute(height=height, width=width, box=box_of(width), ink=ink)


def _model(W, b, labels, description):
    """Return what the page's script knows of the model, as JSON that cannot end the script."""
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
    """Return float32 numbers as text: base64, little-endian, row after row."""
    return base64.b64encode(array.astype("<f4").tobytes()).decode("ascii")


def _about(shape, dataset, error):
    """Return what the files of a model say about it, as a sentence."""
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
