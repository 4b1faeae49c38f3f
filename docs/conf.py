"""How Sphinx builds these pages; ``nox -s docs`` runs it. On GitHub they read as they are."""

from __future__ import annotations

from importlib.metadata import version as version_of

project = "cxkit"
author = "The cxkit authors"
project_copyright = author
release = version = version_of("cxkit")

extensions = ["myst_parser"]
myst_heading_anchors = 3
"""Anchors as on GitHub: pages link to headings."""
suppress_warnings = ["myst.xref_missing"]
"""Links to files outside ``docs/`` work on GitHub only; tests/docs checks every link."""

html_theme = "furo"
html_title = "cxkit"
