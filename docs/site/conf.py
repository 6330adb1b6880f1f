"""Sphinx's configuration; tools/site says how the site is built."""

from galaxy_edge.versions import VERSION

project = "galaxy-edge"
author = "The galaxy-edge authors"
project_copyright = author
release = VERSION
language = "en_GB"
# It would make a dash of the two hyphens of an option.
smartquotes = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["docs/site"]
# Links of README.md are relative to the repository, so the site has the same folders.
root_doc = "index"

# Headings down to this level are targets of links, with the anchors that GitHub gives them.
myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
# `name` in a docstring is a name of Python, or a value.
default_role = "literal"

html_theme = "furo"
html_title = "galaxy-edge"
html_show_sphinx = False
html_use_index = False
html_domain_indices = False
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
# The system's fonts: the pages load nothing from other sites.
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#1d4f91",
        "color-brand-content": "#1d4f91",
    },
    "dark_css_variables": {
        "color-brand-primary": "#8ab8ff",
        "color-brand-content": "#8ab8ff",
    },
}
