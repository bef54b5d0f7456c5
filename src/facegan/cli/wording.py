"""Errors of the library in the words of the command line.

The library names its parameters, and settings of a recipe, in backticks, as a caller in Python
needs them: `overwrite`, `training.batch=32`. Here they become what is typed: `--overwrite`,
`--set training.batch=32`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

# A parameter, or the path of a setting with or without its value.
_NAMED = re.compile(r"`([a-z_]\w*(?:\.[\w*]+)*)(=[^`]+)?`")
# What a shell takes for itself.
_SPLIT = re.compile(r"[\s'{}]")


def as_typed(text: str, command: click.Command, every: click.Command) -> str:
    """A text of the library for somebody who typed a command.

    Args:
        text: names parameters and settings in backticks.
        command: what was typed. What it calls otherwise than other commands, is called so.
        every: the group of all commands: other commands' options are named, too.
    """
    own, others = _words(command), _shared(every)

    def typed(found: re.Match[str]) -> str:
        name, value = found[1], found[2] or ""
        if value:
            return _setting(name, value)
        word = own.get(name) or others.get(name)
        return found[0] if word is None else word

    return _NAMED.sub(typed, text)


def settings_as_typed(text: str) -> str:
    """Advice of the library: `training.batch=32` becomes `--set training.batch=32`."""
    return _NAMED.sub(lambda found: _setting(found[1], found[2]) if found[2] else found[0], text)


def _setting(name: str, value: str) -> str:
    return "--set " + (f'"{name}{value}"' if _SPLIT.search(value) else name + value)


def _words(command: click.Command) -> dict[str, str]:
    """What is typed for each parameter of a command: an option, or an argument's name."""
    return {
        each.name: _option(each) if isinstance(each, click.Option) else each.name.upper()
        for each in command.params
        if each.name
    }


def _shared(group: click.Command) -> dict[str, str]:
    """Options that have one name wherever they are."""
    found: dict[str, set[str]] = {}
    for command in _commands(group):
        for each in command.params:
            if each.name and isinstance(each, click.Option):
                found.setdefault(each.name, set()).add(_option(each))
    return {name: min(words) for name, words in found.items() if len(words) == 1}


def _option(option: click.Option) -> str:
    """Its long form, where it has one."""
    return max(option.opts, key=len)


def _commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _commands(inner)
