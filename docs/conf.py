"""How the documentation site is built: ``make docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import adframe

project = "adframe"
author = "the adframe authors"
copyright = author
version = release = adframe.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "site_reference",
]
exclude_patterns = ["_ext"]
smartquotes = False  # it makes one dash of the two before an option
html_theme = "furo"
html_title = f"adframe {version}"
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}

# Markdown that also reads well where no site is built.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_exclude = ".linenos, .gp, .go"

# The API reference: docstrings in Google style, names as a plugin author writes them.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
