"""Documents from templates, and text that others wrote in them: HTML, Markdown, YAML, LaTeX.

Whatever a template inserts is escaped for the language of its document, without being asked to.
Only `Markup` is not: what the filters below return, each of them safe for every text.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from jinja2 import Environment

_MARKDOWN = re.compile(r"([\\`*_{}\[\]|~$@])")
_SIGNS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # Plain documents have no straight quotation mark.
    '"': "''",
    # At the beginning of a row, a bracket would be taken for the distance from the one before.
    "[": "{[}",
    "]": "{]}",
    "\N{NO-BREAK SPACE}": "~",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "×": r"$\times$",
    "−": "$-$",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "→": r"$\to$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "α": r"$\alpha$",
    "³": "$^3$",
    "\n": " ",
}
# In the place of Jinja's braces, which LaTeX has for its own.
_LATEX_MARKS = {
    "block_start_string": "<%",
    "block_end_string": "%>",
    "variable_start_string": "<<",
    "variable_end_string": ">>",
    "comment_start_string": "<#",
    "comment_end_string": "#>",
}


def render(package: str, template: str, **values: Any) -> str:
    """Fill a template from the folder `templates` of a package.

    Args:
        package: its full name.
        template: the file; its ending tells the language: `.html`, `.md` or `.tex`, the last
            with `<< >>` and `<% %>` for Jinja's braces.
        values: what it names. Every one is escaped that is not `Markup`. A page has besides them
            `script`, the folder's page.js, and `script_sha256`, by which a content security policy
            lets that script run and nothing that any text in the page smuggled in.

    Raises:
        jinja2.UndefinedError: it names something that is not given.
    """
    ending = PurePath(template).suffix
    environment = _environment(package, ending)
    if ending == ".html":
        script = environment.get_template("page.js").render()
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        values |= {"script": Markup(script), "script_sha256": Markup(digest)}
    return environment.get_template(template).render(**values)


@functools.cache
def _environment(package: str, ending: str) -> Environment:
    """For templates of a package in one language; it keeps those that it has compiled."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    text = _ESCAPES[ending]
    marks: dict[str, Any] = _LATEX_MARKS if ending == ".tex" else {}
    environment = Environment(
        loader=PackageLoader(package, "templates"),
        # Jinja itself escapes for HTML alone; what is `Markup` by then it leaves as it is.
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else Markup(text(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=ending != ".html",
        **marks,
    )
    environment.filters |= {"block": block, "code": code, "yaml": yaml, "comment": comment}
    environment.filters["coded"] = coded
    return environment


def markdown(text: object) -> str:
    """One line of plain text as Markdown that shows just that."""
    line = " ".join(str(text).split())
    line = re.sub("[&<>]", lambda sign: _SIGNS[sign[0]], line)
    line = _MARKDOWN.sub(r"\\\1", line)
    line = re.sub(r"://|(?<=\bwww)\.", lambda link: "\\" + link[0], line, flags=re.IGNORECASE)
    # What would begin a heading, a list or a rule at the beginning of a line.
    return re.sub(r"^([#+=-]|[0-9]+(?=[.)](?:\s|$)))", _unlisted, line)


def _unlisted(begin: re.Match[str]) -> str:
    return f"{begin[0]}\\" if begin[0].isdigit() else f"\\{begin[0]}"


def latex(text: object) -> str:
    """Text as LaTeX that prints it; other characters are left to the document's encoding."""
    return "".join(_LATEX.get(character, character) for character in str(text))


_ESCAPES: dict[str, Callable[[object], str]] = {".html": escape, ".md": markdown, ".tex": latex}


def block(text: str, language: str) -> Markup:
    """A block of code in Markdown that the text cannot end."""
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}{language}\n{text.strip()}\n{fence}")


def code(word: str) -> Markup:
    """What to type, in Markdown, as code where nothing in it could end that."""
    plain = re.fullmatch(r"[\w./-]+(?: [\w./-]+)*", word)
    return Markup(f"`{word}`" if plain else markdown(word))


def coded(text: str) -> Markup:
    """A sentence as HTML, in which what stands in backticks is code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def yaml(value: str | float) -> Markup:
    """A value in YAML: a text quoted, on one line; a number with six digits."""
    if isinstance(value, str):
        return Markup(json.dumps(" ".join(value.split()), ensure_ascii=False))
    return Markup(f"{value:.6g}")


def comment(text: str) -> Markup:
    """A comment or a label in LaTeX: a text on one line, which ends neither."""
    return Markup(re.sub(r"[\s{}%\\]+", " ", text).strip())
