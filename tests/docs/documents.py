"""The documents as tests read them: their blocks of code, and the commands in these."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import click

from facegan.cli import cli

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def documents() -> list[Path]:
    """Everything that a person reads, the site's generated pages aside."""
    docs = ROOT / "docs"
    found = [
        *ROOT.glob("*.md"),
        *docs.glob("*.md"),
        *docs.glob("papers/*.md"),
        *docs.glob("zh/*.md"),
    ]
    return sorted(found)


def blocks(path: Path, language: str) -> list[str]:
    """The code of a language in a document, in its order."""
    return [code for name, code in _BLOCK.findall(path.read_text("utf-8")) if name == language]


@dataclass(frozen=True)
class Command:
    """A call of facegan as a document has it."""

    path: Path
    line: str

    @property
    def words(self) -> list[str]:
        """Its arguments, without what the shell takes and what follows a comment sign."""
        words = shlex.split(self.line, comments=True)
        place = words.index("facegan")
        words = words[place + 1 :]
        if words[:1] == ["--"]:  # torchrun's own options end here
            words = words[1:]
        end = next((n for n, word in enumerate(words) if word in ("|", ">", "&&", ";", "2>")), None)
        return words[:end]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}: {self.line}"


@dataclass(frozen=True)
class Lines:
    """A block of Python as a document has it."""

    path: Path
    code: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:\n{self.code}"


def steps(path: Path) -> list[Command | Lines]:
    """Every call of facegan in a document's shell blocks and every block of Python, in order."""
    found: list[Command | Lines] = []
    for language, code in _BLOCK.findall(path.read_text("utf-8")):
        if language == "python":
            found.append(Lines(path, code))
        if language != "sh":
            continue
        for line in code.replace("\\\n", " ").splitlines():
            if re.search(r"(?:^|\s)(?:-m )?facegan ", line.split("#")[0]):
                found.append(
                    Command(path, " ".join(line.split()) if "'" not in line else line.strip())
                )
    return found


def commands(path: Path) -> list[Command]:
    """Every call of facegan in a document's shell blocks."""
    return [step for step in steps(path) if isinstance(step, Command)]


def parse(words: list[str]) -> click.Context:
    """What the command line makes of words, without doing anything. Raises what click raises.

    Plug-ins are not loaded: what they register would stay for all other tests of this process.
    """
    while "--plugin" in words:
        at = words.index("--plugin")
        assert not words[at + 1].startswith("examples/") or (ROOT / words[at + 1]).is_file()
        words = words[:at] + words[at + 2 :]
    command: click.Command = cli
    context = click.Context(cli, info_name="facegan")
    while isinstance(command, click.Group):
        if not words and command.invoke_without_command:
            break
        if words and words[0].startswith("-") and command.invoke_without_command:
            break
        name, words = words[0], words[1:]
        if name not in command.commands:
            raise click.UsageError(f"no command {name!r}")
        command = command.commands[name]
    return command.make_context("facegan", words, parent=context, resilient_parsing=False)
