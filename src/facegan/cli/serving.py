"""`facegan studio`, `serve` and `export`: a generator in a browser or behind an API."""

from __future__ import annotations

import os
from pathlib import Path

import click

from facegan.cli.paths import FILE_PATH


@click.command()
@click.argument("sources", nargs=-1, type=FILE_PATH, metavar="[MODEL|RUN|FOLDER]...")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]")
@click.option("--best", is_flag=True, help="Of a run: its best snapshot, not its last.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
@click.option("--no-browser", is_flag=True, help="Print the address; open nothing.")
def studio(sources: tuple[Path, ...], port: int, best: bool, device: str, no_browser: bool) -> None:
    """Open the studio: see, steer, edit and give away a generator's faces, in the browser.

    MODEL is a name, a file or a run; the model in the box by default. Runs, and the runs of
    folders, can be watched while they train. This machine alone can open it, by an address that
    holds a token. It runs until Ctrl-C.

    \b
    Example: facegan studio
    Example: facegan studio runs/a
    Example: facegan studio lfw-64 runs
    """
    from facegan.studio.serving import studio as run

    def ready(address: str) -> None:
        click.echo(f"The studio is open at {address}\nEnd it with Ctrl-C.")
        if not no_browser:
            import webbrowser

            webbrowser.open(address)

    run(sources, port=port, best=best, device=device, ready=ready)


@click.command()
@click.argument("source", type=FILE_PATH, required=False, metavar="[MODEL|RUN]")
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 for other machines.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--token-file",
    type=FILE_PATH,
    help="A file with the token that requests must know.  [default: $FACEGAN_TOKEN, or a new one]",
)
@click.option("--best", is_flag=True, help="Of a run: its best snapshot, not its last.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
def serve(
    source: Path | None, host: str, port: int, token_file: Path | None, best: bool, device: str
) -> None:
    """Serve pictures of a generator to other programs: an HTTP API, without the page.

    GET /api/openapi.json describes it. Each request carries 'Authorization: Bearer TOKEN', but for
    /api/health.

    \b
    Example: facegan serve lfw-64 --port 8000
    """
    from facegan.studio.serving import serve as run

    token = os.environ.get("FACEGAN_TOKEN")
    given = token is not None or token_file is not None
    if token_file is not None:
        token = token_file.read_text("utf-8").strip()

    def ready(address: str, token: str) -> None:
        said = "" if given else f"\nToken: {token}"
        click.echo(f"Serving at {address}; described at {address}/api/openapi.json.{said}")

    run(source, host=host, port=port, token=token, best=best, device=device, ready=ready)


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
