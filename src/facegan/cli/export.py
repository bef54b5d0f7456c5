"""`facegan export`: a generator as a page that anybody can open."""

from __future__ import annotations

from pathlib import Path

import click

from facegan.cli.paths import FILE_PATH


@click.command()
@click.argument("source", type=FILE_PATH, required=False, metavar="[MODEL|RUN]")
@click.option("--html", type=FILE_PATH, required=True, help="The page: one file.")
@click.option("--name", help="What the page calls the generator.  [default: its own name]")
@click.option("--best", is_flag=True, help="Of a run: its best snapshot, not its last.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
def export(source: Path | None, html: Path, name: str | None, best: bool, overwrite: bool) -> None:
    """Write a page that holds a generator and draws its faces, offline, in any browser.

    Wall, sliders, walks and films as in 'facegan studio', without a server: open it from disk,
    send it to somebody, or put it on any web server.

    \b
    Example: facegan export lfw-64 --html faces.html
    Example: facegan export runs/a --best --html faces.html
    """
    from facegan.studio.page import export_page

    made = export_page(source, html, best=best, name=name, overwrite=overwrite)
    edits = f", {made.directions} edits by meaning" if made.directions else ""
    click.echo(f"Wrote {made.path}: {made.size / 1e6:.1f} MB{edits}. Open it in a browser.")
