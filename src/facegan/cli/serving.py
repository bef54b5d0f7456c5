"""`facegan studio` and `facegan serve`."""

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
