"""Configure Sphinx, with MyST-NB and furo, to build the HTML pages (`make docs`).

Neither building nor reading the pages needs a network: browsers draw MathML themselves.
"""

import logging
import os
import pathlib
import re
import sys

import sphinx.util.logging
from docutils import nodes
from docutils.utils.math import MathError, latex2mathml

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Use the `dlt` of this checkout, here and in the process that runs the tutorial.
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT)] + [path for path in [os.environ.get("PYTHONPATH")] if path]
)

import dlt  # noqa: E402

# A dependency of furo turns on every library's log; these would fill the screen.
for name in ("matplotlib", "pytensor", "traitlets"):
    logging.getLogger(name).setLevel(logging.WARNING)

project = "dlt"
author = "the dlt authors"
version = release = dlt.__version__
html_title = f"dlt {release}"
html_math_renderer = "mathml"
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = html_show_sourcelink = False
html_show_copyright = False
exclude_patterns = ["_build", "getting_started.ipynb"]  # made from getting_started.md

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_render_markdown_format = "gfm"  # with tables
nb_code_prompt_show = "Show the solution"  # only solutions are hidden
nb_code_prompt_hide = "Hide the solution"
nb_output_stderr = "remove"  # progress bars and compiler messages

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autosummary_generate = False
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Fields", "params_style")]


def skip_member(app, what, name, member, skip, options):
    """Leave out the fields of namedtuples: the docstring of the class describes them."""
    return True if type(member).__name__ == "_tuplegetter" else skip


def visit_math(translator, node):
    write_mathml(translator, node)


def visit_displaymath(translator, node):
    write_mathml(translator, node, as_block=True)


def write_mathml(translator, node, as_block=False):
    """Write a formula as MathML. Lines of `cases` end in \\cr, because GitHub reads \\\\ as \\."""
    tex = node.astext().replace(r"\cr", r"\\")
    try:
        html = latex2mathml.tex2mathml(tex, as_block=as_block)
    except MathError as error:
        sphinx.util.logging.getLogger(__name__).warning("%s", error, location=node)
        html = f"<code>{translator.encode(node.astext())}</code>"
    # Bars must not stretch to the height of the line.
    html = re.sub(
        "<mo[^>]*>([|‖])</mo>", r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>', html
    )
    # A thin space after "log" or "max"
    html = html.replace("<mo>&ApplyFunction;</mo>", '<mspace width="0.17em"></mspace>')
    translator.body.append(f'<div class="math">{html}</div>' if as_block else html)
    raise nodes.SkipNode


def setup(app):
    app.connect("autodoc-skip-member", skip_member)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
