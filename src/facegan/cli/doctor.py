"""`facegan doctor` as a command."""

from __future__ import annotations

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def doctor(as_json: bool) -> None:
    """Describe this machine, the settings chosen for it, and what extras would add.

    \b
    Example: facegan doctor
    """
    from facegan.apps.doctor import doctor as look

    found = look()
    if as_json:
        import json

        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    from facegan.cli.terminal.doctor import print_doctor

    print_doctor(found)
