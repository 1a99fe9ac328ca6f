"""How Sphinx builds the site: `make site`, which calls `scripts/site_build.py`."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # for `scripts`

project = "funcscope"
release = installed_version(project)
version = ".".join(release.split(".")[:2])
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "scripts.site_api",
    "scripts.site_links",
]
exclude_patterns = ["_site", "conf.py"]
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!funcscope\.).*"),  # documented elsewhere, and nothing is fetched to link there
    ("py:.*", r"funcscope(\..+)?\._.*"),  # no public name
    ("py:obj", ".*"),  # what docstrings have in backticks, a name or not
]

myst_heading_anchors = 6
highlight_language = "none"  # of fences that name none

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"funcscope {version}"
html_favicon = "_site/static/favicon.svg"
html_static_path = ["_site/static"]
templates_path = ["_site/templates"]
html_css_files = ["site.css"]
html_js_files = [("versions.js", {"defer": "defer"})]
html_copy_source = False
html_show_copyright = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
        "versions.html",
    ]
}
