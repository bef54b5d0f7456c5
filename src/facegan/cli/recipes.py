"""`facegan recipes`: what can be trained."""

from __future__ import annotations

import click

from facegan.cli.group import Commands
from facegan.errors import printable


@click.group(cls=Commands, invoke_without_command=True)
@click.option(
    "--cost",
    is_flag=True,
    help="Also show how fast each recipe trains here; measure it if not yet known.",
)
@click.option(
    "--resolution",
    type=click.IntRange(8, 512),
    default=64,
    show_default=True,
    help="Image resolution for the sizes and costs.",
)
@click.option(
    "--only", multiple=True, metavar="NAME", help="Show only this recipe; may be repeated."
)
@click.pass_context
def recipes(context: click.Context, cost: bool, resolution: int, only: tuple[str, ...]) -> None:
    """List the recipes that can be trained, with their sources and sizes.

    \b
    Example: facegan recipes show dcgan
    """
    if context.invoked_subcommand is not None:
        if cost or only:
            raise click.UsageError(
                f"--cost and --only are for the list: leave out {context.invoked_subcommand!r}."
            )
        return
    from facegan.apps import recipes as listing
    from facegan.cli.terminal.train import print_recipes

    if cost:
        listed = listing.measured_recipes(resolution, only, lambda line: click.echo(line, err=True))
    else:
        listed = listing.recipes(resolution, only)
    print_recipes(listed, resolution)


@recipes.command("show")
@click.argument("name")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="A.B=VALUE",
    help="Change one value, as in --set training.batch=32.",
)
def recipes_show(name: str, settings: tuple[str, ...]) -> None:
    """Print the recipe NAME (or a TOML file) in full, with all defaults.

    \b
    Example: facegan recipes show dcgan --set generator.channels=32
    """
    from facegan.recipe import Recipe

    click.echo(printable(Recipe.load(name).override(*settings).to_toml()), nl=False)
