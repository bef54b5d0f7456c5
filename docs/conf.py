"""The documentation as a site: Sphinx, MyST and Furo on the Markdown that is here."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_site"))

from facegan.version import __version__  # noqa: E402

project = "facegan"
release = version = __version__
language = "en"
extensions = ["myst_parser"]
myst_heading_anchors = 4
# Pages that are no part of the site, or are read by other means.
exclude_patterns = ["_build", "_site", "studies/**", "examples/**"]
html_theme = "furo"
html_title = f"facegan {__version__}"
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False  # names are in the reference; there is no index to make of prose
html_theme_options = {"navigation_with_keys": True}
pygments_style, pygments_dark_style = "friendly", "native"
nitpicky = True
smartquotes = False  # --set is an option, and no dash

# Where pages stand in the menu. What is not named here comes under "Guides", so that a new page needs
# nothing but to be written.
MENU = {
    "Start": ["install", "tutorial", "reference/gallery/index", "python", "glossary"],
    "The two papers": ["papers/report", "papers/ignm"],
    "Guides": [
        "howto",
        "data",
        "recipes",
        "training",
        "clusters",
        "metrics",
        "attributes",
        "models",
        "editing",
        "study",
        "results",
    ],
    "Reference": ["reference/index"],
    "中文": ["zh/index"],
    "Project": [
        "architecture",
        "performance",
        "performance-peers",
        "metrics-evidence",
        "study-power",
        "reliability",
        "security",
        "journeys",
        "CHANGELOG",
    ],
}


def _menu() -> str:
    """The tables of contents of the first page."""
    placed = {page for pages in MENU.values() for page in pages} | {"index"}
    there = {path.stem for path in DOCS.glob("*.md")}
    menu = MENU | {"Guides": [*MENU["Guides"], *sorted(there - placed)]}
    return "\n".join(
        f"```{{toctree}}\n:caption: {title}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"
        for title, pages in menu.items()
    )


def _read(app: Any, name: str, source: list[str]) -> None:
    """Fill in the menu, and send links that leave the documents to what the site has."""
    if name == "index":
        source[0] = source[0].replace("<!-- menu -->", _menu())
    depth = "../" * name.count("/")
    text = re.sub(
        r"\]\((?:\.\./)*README\.md#the-two-papers\)", f"]({depth}papers/report.md)", source[0]
    )
    text = re.sub(
        r"\[([^\]]+)\]\(((?:studies|examples)/[^)]*)\)", rf'<a href="{depth}\2">\1</a>', text
    )

    def outside(link: re.Match[str]) -> str:
        """A file of the source, which is no part of the site: named, and not linked."""
        place = (DOCS / name).parent.joinpath(link[2]).resolve()
        if place.is_relative_to(DOCS.resolve()):
            return link[0]
        root = DOCS.resolve().parent
        where = place.relative_to(root).as_posix() if place.is_relative_to(root) else link[2]
        return f"{link[1]} (`{where}` in the source)"

    source[0] = re.sub(r"\[([^\]]+)\]\(((?:\.\./)+[^)#\s]+)(?:#[^)\s]*)?\)", outside, text)


def _language(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Chinese pages say that they are."""
    if page.startswith("zh/"):
        context["language"] = "zh-CN"


def _generate(app: Any) -> None:
    import reference

    reference.write(DOCS)


def _copy(app: Any, failed: Exception | None) -> None:
    """Pages and tables of studies and runs, beside the documents that link to them."""
    import shutil

    if failed is None and app.builder.format == "html":
        for folder in ("studies", "examples"):
            shutil.copytree(DOCS / folder, Path(app.outdir) / folder, dirs_exist_ok=True)


def setup(app: Any) -> None:
    """Connect all that."""
    app.connect("builder-inited", _generate)
    app.connect("source-read", _read)
    app.connect("html-page-context", _language)
    app.connect("build-finished", _copy)
