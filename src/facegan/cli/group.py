"""How groups of commands behave."""

from __future__ import annotations

from dataclasses import dataclass

import click

from facegan.errors import nearest


@dataclass
class Typed:
    """Which command was typed, as far as the words were read."""

    command: click.Command


def _load(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> None:
    from facegan.plugins import load_plugin

    for name in names:
        load_plugin(name)


class Commands(click.Group):
    """A group that keeps its commands in their order and names the nearest to a wrong one.

    Each of its commands takes `--plugin`, whose plug-ins are loaded before anything is done.
    """

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, with the option that all of them have."""
        if not isinstance(cmd, click.Group) or cmd.invoke_without_command:
            cmd.params.append(
                click.Option(
                    ["--plugin"],
                    multiple=True,
                    metavar="FILE.py|MODULE",
                    is_eager=True,
                    expose_value=False,
                    callback=_load,
                    help="Load your own networks, losses or methods first.",
                )
            )
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of a first journey, not of the alphabet."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Add the nearest name to click's error."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            ctx.fail(f"There is no command {args[0]!r}. {nearest(args[0], self.commands)}")
        found = super().resolve_command(ctx, args)
        if isinstance(ctx.obj, Typed) and found[1] is not None:
            ctx.obj.command = found[1]
        return found
