"""Configuration of the documentation site: `make docs` builds it into docs/_build/html.

The build needs no network, and the pages load nothing from other hosts.
"""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS / "_ext"))

from recorded_runs import newest_run  # noqa: E402
from torch_names import provide_torch  # noqa: E402

import dicoxide  # noqa: E402

provide_torch()

project = "dicoxide"
author = "dicoxide contributors"
project_copyright = author
version = release = dicoxide.__version__
language = "en"

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "external_names",
    "repository_pages",
    "cli_reference",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = True
# Backquotes of docstrings: names of parameters, and code.
default_role = "code"

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "none"
add_module_names = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = f"dicoxide {release}"
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "dicoxide"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    # The tables of the clauses need the whole width.
    "secondary_sidebar_items": {"**": ["page-toc"], "standard": []},
    "show_prev_next": True,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_center": [],
    "footer_end": ["sphinx-version"],
    "pygments_light_style": "github-light",
    "pygments_dark_style": "github-dark",
}
html_sidebars = {"index": []}
# Reports of the newest recorded run, which the page on benchmarks shows.
html_extra_path = ["_build/extra"]
newest_run(ROOT).copy_reports(DOCS / "_build" / "extra")
newest_run(ROOT).write_summary(DOCS / "_build" / "newest-run.md")

# Prompts are not copied.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
