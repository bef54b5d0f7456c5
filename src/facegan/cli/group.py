"""How groups of commands behave."""

from __future__ import annotations

import click

from facegan.errors import nearest


class Commands(click.Group):
    """A group that keeps its commands in their order and names the nearest to a wrong one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of a first journey, not of the alphabet."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Add the nearest name to click's error."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            ctx.fail(f"There is no command {args[0]!r}. {nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)
