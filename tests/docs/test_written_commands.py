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
from facegan.cli import cli
from facegan.cli.labelled import Labelled

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


def _in_the_text(path: Path) -> list[str]:
    """Calls of facegan between the lines of code, whole or the beginning of one."""
    text = re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.DOTALL)
    return re.findall(r"`(facegan [^`]+)`", text.replace("\n", " "))


def _options(words: list[str]) -> set[str] | None:
    """Of the command that words begin with; None where a model's labels are options, too."""
    command: click.Command = cli
    for word in words:
        if not isinstance(command, click.Group) or word not in command.commands:
            break
        command = command.commands[word]
    if isinstance(command, Labelled):
        return None
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize("path", ALL, ids=name)
def test_every_option_in_the_text_is_one_of_its_command(path: Path) -> None:
    for line in _in_the_text(path):
        words = line.split()[1:]
        allowed = _options(words)
        if allowed is not None:
            used = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert used <= allowed | {"--help", "--version"}, f"{name(path)}: {line}"


def test_options_that_are_none_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text("Try `facegan data import x y --algin`.\n", "utf-8")
    (line,) = _in_the_text(path)
    allowed = _options(line.split()[1:])
    assert allowed is not None
    assert "--algin" not in allowed
    assert "--align" in allowed


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
