"""The documentation site: ``make docs`` builds it into build/docs, offline, warnings being errors.

The pages of docs/ are read on a code host as well; what that asks for is in `site_rules`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import epsrank

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))

project = "epsrank"
author = "the epsrank authors"
version = release = epsrank.__version__
html_title = f"epsrank {release}"
copyright = author

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    "site_rules",
]
exclude_patterns = ["data"]
templates_path = ["static/templates"]
nitpicky = True
# Types in docstrings are prose ("array_like, shape (N, n)"); what names epsrank has to exist.
nitpick_ignore_regex = [("py:.*", r"(?!epsrank\.).*")]
# References of docstrings are not all cited above them; attributes of several classes share names.
suppress_warnings = ["ref.footnote", "ref.python"]

# ------------------------------------------------------------------------------ pages and notebooks
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# Executed once for each state of the source; `make clean` forgets what was kept.
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "build" / "docs-notebooks")
# They write files.
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
# Warnings of a library would be text of a tutorial.
nb_output_stderr = "remove-warn"
nb_merge_streams = True
bibtex_bibfiles = ["concepts/references.bib"]
bibtex_default_style = "unsrt"
bibtex_reference_style = "author_year"
sd_card_legacy_separators = False
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

# -------------------------------------------------------------------------------------- docstrings
autosummary_generate = True
# Names that differ in case alone would be one file on some systems.
autosummary_filename_map = {
    f"epsrank.{name}": f"epsrank.{name}-class"
    for name in epsrank.__all__
    if name.lower() in epsrank.__all__ and name != name.lower()
}
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autoclass_content = "class"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
# A name in single backticks is a link where it is a public name.
default_role = "name"

# -------------------------------------------------------------------------------------------- look
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/icon.svg"
html_math_renderer = "mathml"
html_show_copyright = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b5394",
        "color-brand-content": "#0b5394",
        "font-stack": "system-ui, sans-serif",
    },
    "dark_css_variables": {"color-brand-primary": "#7ab8f0", "color-brand-content": "#7ab8f0"},
}
