"""The site: Sphinx reads docs/*.md and the docstrings. ``make docs`` builds it; nothing is fetched."""

from wgan_lip import __version__

project = "wgan_lip"
author = "The wgan_lip authors"
html_show_copyright = False
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

html_theme = "furo"
html_title = f"wgan_lip {release}"

myst_heading_anchors = 3

autosummary_generate = True
# A package's page holds what its ``__all__`` names, wherever that was defined.
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
# PyTorch's and Lightning's docstrings are theirs, and say nothing of our methods.
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Shape", "Source"]
