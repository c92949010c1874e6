# Licensed under a 3-clause BSD style license - see licenses/LICENSE.rst
"""
Settings of the documentation.

Links into the documentation of other projects need the network. Without it, build
with the tag ``offline``: they become plain text, and our own are still checked.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import galmorph

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "galmorph"
author = "The galmorph developers"
copyright = f"{datetime.now(UTC).year}, {author}"
release = galmorph.__version__
version = release.split("+")[0]

extensions = [
    "numpydoc",
    "sphinx.ext.intersphinx",
    "sphinx_automodapi.automodapi",
    "sphinx_copybutton",
    "tables_of_the_code",
]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
default_role = "obj"
highlight_language = "python3"
nitpicky = True

automodapi_toctreedirnm = "api"
automodsumm_inherited_members = False
numpydoc_show_class_members = False
toc_object_entries = False

# prompts and output are not copied with an example
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

if tags.has("offline"):  # noqa: F821
    intersphinx_mapping = {}
    others = (
        "argparse|astropy|dask|distributed|enum|galsim|keras|lsdb|matplotlib|numpy|pandas"
        "|pathlib|photutils|scipy"
    )
    nitpick_ignore_regex = [(r"py:.*", rf"True|False|None|({others})\..*")]
else:
    intersphinx_mapping = {
        "astropy": ("https://docs.astropy.org/en/stable/", None),
        "matplotlib": ("https://matplotlib.org/stable/", None),
        "numpy": ("https://numpy.org/doc/stable/", None),
        "photutils": ("https://photutils.readthedocs.io/en/stable/", None),
        "python": ("https://docs.python.org/3/", None),
        "scipy": ("https://docs.scipy.org/doc/scipy/", None),
    }
    # packages without an inventory, or of which one class is named
    others = "dask|distributed|galsim|keras|lsdb|pandas"
    nitpick_ignore_regex = [(r"py:.*", rf"({others})\..*")]

# base classes that are nobody's business
nitpick_ignore_regex += [("py:class", r"galmorph\..*\._\w+")]

html_theme = "pydata_sphinx_theme"
html_title = f"galmorph {version}"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {
    "github_url": "https://github.com/galmorph/galmorph",
    "logo": {"text": "galmorph"},
    "navbar_end": ["theme-switcher", "navbar-icon-links"],
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
