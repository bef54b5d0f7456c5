"""Documents from templates: whatever others wrote is text there, in every language."""

from __future__ import annotations

import json
import random
import re

import pytest
from jinja2 import UndefinedError
from markdown_it import MarkdownIt

from facegan.documents import block, code, comment, latex, markdown, render, yaml

PARTS = (
    *("# ", "- ", "1. ", "2) ", "`", "```", "<script>", "<!--", "[c](http://e.vil)", "![x](y)"),
    *("|", "\n", "\n---\n", "\n\n", "*", "_", "**b**", "~~", "$x$", "@me", "www.e.vil", "HTTP://E"),
    *("&lt;", "&#60;", "\\", "\\|", "{{ 7*7 }}", "{% raw %}", "=", "+ ", ">", "'", '"', ": ", "é"),
    *("x", "y z", "\t", "    code", "<a href=x>", "{", "}", "%", "\\input{x}", "[0]", "^", "#1"),
)


def texts(n: int = 400) -> list[str]:
    """Texts that mean harm, the same every time."""
    draw = random.Random(0)
    return ["".join(draw.choices(PARTS, k=draw.randint(1, 9))) for _ in range(n)]


def test_markdown_shows_just_the_text() -> None:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for text in texts():
        tokens = parser.parse(markdown(text))
        shown = " ".join(text.split())
        assert [token.type for token in tokens if token.type != "inline"] == (
            ["paragraph_open", "paragraph_close"] if shown else []
        ), text
        parts = [part for token in tokens for part in token.children or ()]
        assert {part.type for part in parts} <= {"text", "text_special"}
        assert "".join(part.content for part in parts) == shown


def test_a_block_of_code_holds_all_of_the_text() -> None:
    for text in texts():
        (fence,) = MarkdownIt("commonmark").parse(str(block(text, "sh")))
        assert (fence.type, fence.info) == ("fence", "sh")
        assert fence.content.split() == text.split()


def test_what_to_type_is_code_where_nothing_could_end_it() -> None:
    assert code("--wearing-hat") == "`--wearing-hat`"
    assert code("python scripts/x.py") == "`python scripts/x.py`"
    for text in texts():
        assert str(code(text)) in (f"`{text}`", markdown(text))
        assert "`" not in text or code(text) == markdown(text)


def test_yaml_gives_back_the_text_on_one_line() -> None:
    for text in texts():
        said = str(yaml(text))
        assert "\n" not in said
        assert json.loads(said) == " ".join(text.split())
    assert yaml(12.3456789) == "12.3457"


def test_latex_leaves_no_command_of_the_text() -> None:
    for text in texts():
        said = re.sub(r"\\[{}$&#_%]", "", latex(text))  # what is printed as it is
        assert said.count("{") == said.count("}")
        assert not re.search(r"[%#&_\n]|\\input", said)
        assert not re.search(r"[{}%\\\n]", comment(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 3.5 % (a)", "plain text, 3.5 % (a)"),
        ("1. one", "1\\. one"),
        ("- one", "\\- one"),
        ("# one", "\\# one"),
        ("a_b*c", "a\\_b\\*c"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("https://a.b www.c.d", "https\\://a.b www\\.c.d"),
        ("two\nlines", "two lines"),
    ],
)
def test_markdown_escapes(text: str, shown: str) -> None:
    assert markdown(text) == shown


def test_latex_escapes() -> None:
    assert latex(r"a_b & 5% #1 $x$ {y} ~ ^ \cmd") == (
        r"a\_b \& 5\% \#1 \$x\$ \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}cmd"
    )
    assert latex("[0] −1 × 10³ “é”") == "{[}0{]} $-$1 $\\times$ 10$^3$ “é”"


def test_a_template_that_names_what_is_not_given_fails() -> None:
    with pytest.raises(UndefinedError):
        render("facegan.models", "readme.md")
