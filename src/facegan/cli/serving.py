"""`facegan studio`, `serve` and `export`: a generator in a browser or behind an API."""

from __future__ import annotations

import os
from pathlib import Path

import click

from facegan.cli.paths import FILE_PATH


@click.command()
@click.argument("sources", nargs=-1, type=FILE_PATH, metavar="[MODEL|RUN|FOLDER]...")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port.  [default: a free one]"
)
@click.option("--best", is_flag=True, help="Use the best snapshot of a run, not its last.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
@click.option("--no-browser", is_flag=True, help="Print the address, but do not open a browser.")
def studio(sources: tuple[Path, ...], port: int, best: bool, device: str, no_browser: bool) -> None:
    """Open the studio: browse, edit and share the faces of a generator in the browser.

    MODEL is a name, a file or a run; by default the bundled model. Runs can be watched while they
    train; a FOLDER stands for all runs in it. Only this machine can open the studio, through an
    address that holds a token. Ctrl-C ends it.

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
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; 0.0.0.0 admits other machines.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port."
)
@click.option(
    "--token-file",
    type=FILE_PATH,
    help="A file with the token that requests must send.  [default: $FACEGAN_TOKEN, or a new one]",
)
@click.option("--best", is_flag=True, help="Use the best snapshot of a run, not its last.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
def serve(
    source: Path | None, host: str, port: int, token_file: Path | None, best: bool, device: str
) -> None:
    """Serve a generator to other programs through an HTTP API.

    GET /api/openapi.json describes the API. Every request except /api/health must have the header
    'Authorization: Bearer TOKEN'.

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
@click.option("--html", type=FILE_PATH, required=True, help="The HTML file to write.")
@click.option("--name", help="The generator's name on the page.  [default: its own name]")
@click.option("--best", is_flag=True, help="Use the best snapshot of a run, not its last.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def export(source: Path | None, html: Path, name: str | None, best: bool, overwrite: bool) -> None:
    """Write one HTML file that holds a generator and runs it in any browser, offline.

    It has the faces, sliders, walks and films of 'facegan studio' and needs no server. Open it
    from disk, send it to somebody, or put it on any web server.

    \b
    Example: facegan export lfw-64 --html faces.html
    Example: facegan export runs/a --best --html faces.html
    """
    from facegan.studio.page import export_page

    made = export_page(source, html, best=best, name=name, overwrite=overwrite)
    edits = f", {made.directions} edits by meaning" if made.directions else ""
    click.echo(f"Wrote {made.path}: {made.size / 1e6:.1f} MB{edits}. Open it in a browser.")
