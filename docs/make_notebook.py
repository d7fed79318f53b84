"""Run docs/getting_started.md and store it with its outputs as docs/getting_started.ipynb."""

import base64
import io
import os
import pathlib

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

DOCS = pathlib.Path(__file__).resolve().parent
TEXT, NOTEBOOK = DOCS / "getting_started.md", DOCS / "getting_started.ipynb"


def read_text():
    """Return the text as a notebook without outputs, with its solutions hidden."""
    notebook = jupytext.read(TEXT)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        if "hide-cell" in cell.metadata.get("tags", []):
            cell.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
    return notebook


def run(notebook):
    """Run all cells with the `dlt` of this checkout; raise the exception of one that fails."""
    path = [str(DOCS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(path))
    client = NotebookClient(notebook, timeout=300, record_timing=False, coalesce_streams=True)
    client.execute(cwd=str(DOCS), env=env)


def shrink(notebook):
    """Keep no stderr, and 256 colours of each picture: half the bytes, and they look the same."""
    for cell in notebook.cells:
        if cell.cell_type == "code":  # what compilers and progress bars write
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop("image/jpeg", None)  # Pillow gives both
            if "image/png" in data:
                picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
                png = io.BytesIO()
                picture.convert("RGB").quantize(256).save(png, "PNG", optimize=True)
                data["image/png"] = base64.b64encode(png.getvalue()).decode()


if __name__ == "__main__":
    notebook = read_text()
    run(notebook)
    shrink(notebook)
    nbformat.write(notebook, NOTEBOOK)
    print(f"wrote {NOTEBOOK}")
