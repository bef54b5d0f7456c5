"""Documents say what is true: every command can be typed, every name and link is there."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import click
import pytest
from documents import ROOT, Command, blocks, commands, documents, parse

import facegan

ALL = documents()
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", ALL, ids=name)
def test_every_command_can_be_typed(path: Path) -> None:
    for command in commands(path):
        try:
            parse(command.words)
        except click.exceptions.Exit:
            pass  # --help, --version
        except click.ClickException as error:
            raise AssertionError(f"{command}\n{error.format_message()}") from error


def test_the_check_sees_what_is_wrong(tmp_path: Path) -> None:
    path = ROOT / "x.md"
    for line in ("facegan trian dcgan", "facegan train dcgan --dat x", "facegan models push a"):
        with pytest.raises(click.ClickException):
            parse(Command(path, line).words)
    parse(Command(path, "facegan train dcgan --data faces  # a comment --wrong").words)
    parse(Command(path, "torchrun --nnodes 2 -m facegan -- train dcgan --data x --run y").words)
    assert parse(Command(path, "facegan models").words).info_name == "facegan"


def test_there_are_commands() -> None:
    assert sum(len(commands(path)) for path in ALL) > 150


def _settings() -> list[tuple[str, str, list[str]]]:
    found = []
    for path in ALL:
        for command in commands(path):
            words = command.words
            if words[:1] != ["train"] or words[1].endswith(".toml") or "--plugin" in words:
                continue
            settings = [words[n + 1] for n, word in enumerate(words) if word == "--set"]
            if settings:
                found.append((str(command), words[1], settings))
    return found


@pytest.mark.parametrize(("said", "recipe", "settings"), _settings(), ids=lambda value: "")
def test_every_setting_is_one_of_the_recipe(said: str, recipe: str, settings: list[str]) -> None:
    from facegan.recipe import Recipe

    Recipe.load(recipe).override(*settings)


def test_every_recipe_and_plan_is_there() -> None:
    from facegan.recipe import recipe_names
    from facegan.study.plan import plan_names

    for path in ALL:
        for command in commands(path):
            words = command.words
            if words[:1] == ["train"] and not words[1].endswith((".toml", "}")):
                assert words[1] in recipe_names(), command
            if words[:1] == ["study"] and len(words) > 1 and not words[1].endswith(".toml"):
                assert words[1] in plan_names(), command


@pytest.mark.parametrize("path", ALL, ids=name)
def test_every_line_of_python_is_python_and_names_what_is_there(path: Path) -> None:
    for block in blocks(path, "python"):
        tree = ast.parse(block)
        for node in ast.walk(tree):
            of_name = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if of_name and node.value.id == "facegan":
                assert node.attr in dir(facegan), f"{name(path)}: facegan.{node.attr}"


@pytest.mark.parametrize("path", ALL, ids=name)
def test_every_table_of_toml_can_be_read(path: Path) -> None:
    for block in blocks(path, "toml"):
        tomllib.loads(block)


@pytest.mark.parametrize("path", ALL, ids=name)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    for link in (one or other for one, other in _LINK.findall(text)):
        target = link.partition("#")[0]
        if not target or "://" in target or "/reference/" in f"/{target}":
            continue
        assert (path.parent / target).exists(), f"{name(path)}: {link}"


def test_the_readme_is_short() -> None:
    """A stranger understands it in a minute."""
    text = (ROOT / "README.md").read_text("utf-8")
    prose = re.sub(r"<!-- brief: .*?<!-- end -->", "", text, flags=re.DOTALL)
    assert len(prose.split()) < 1300
