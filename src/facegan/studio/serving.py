"""`facegan studio` and `facegan serve`: what is opened, and the server that runs until Ctrl-C."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.errors import FaceganError, RunError
from facegan.models.store import find_source

if TYPE_CHECKING:
    from facegan.studio.api import Studio

# Connections at a time; more are told to come back (503).
_CONNECTIONS = 256
_SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class Opened:
    """What a studio is about.

    Attributes:
        generator: a run, a file or a model's name; None for none.
        runs: that are watched.
        folders: whose runs are watched.
    """

    generator: str | Path | None
    runs: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()


def sort_out(sources: Sequence[str | Path]) -> Opened:
    """What each source is: a generator, a run, or a folder of runs.

    Raises:
        FaceganError: more than one model is given, or a source does not exist.
    """
    from facegan.runs.directory import RunDirectory

    models: list[str | Path] = []
    runs, folders = [], []
    for source in sources:
        path = find_source(source)
        if path.is_dir() and RunDirectory(path).started:
            runs.append(path)
        elif path.is_dir():
            folders.append(path)
        elif path.is_file():
            models.append(source)
        else:
            # Says what does not exist, and which models there are.
            from facegan.runs.find import find_generator

            find_generator(source)
    if len(models) > 1:
        raise FaceganError(
            f"{len(models)} generators are given: {', '.join(map(str, models))}.",
            "Open one; runs beside it are watched.",
        )
    return Opened(models[0] if models else None, tuple(runs), tuple(folders))


def make_studio(opened: Opened, best: bool = False, device: str = "auto") -> Studio:
    """Open all of it.

    Without a model, the generator is that of the first run that has one; without runs, the model
    in the box.
    """
    from facegan.editing.directions import directions_beside
    from facegan.generation.generator import open_generator
    from facegan.studio.abilities import Abilities
    from facegan.studio.api import Studio
    from facegan.studio.page import name_of
    from facegan.studio.watching import Watched

    watched = Watched(opened.runs, opened.folders)
    found, source = None, opened.generator
    if source is not None or not watched:
        found = open_generator(source, best, device)
    else:
        for path in watched.all().values():
            with contextlib.suppress(RunError):
                found, source = open_generator(path, best, device), path
                break
    if found is None:
        return Studio(None, watched=watched, abilities=Abilities())
    name = name_of(source, found.model)
    return Studio(found, name, directions_beside(found.path), watched, abilities=Abilities())


def studio(
    sources: Sequence[str | Path] = (),
    *,
    port: int = 0,
    best: bool = False,
    device: str = "auto",
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Run the studio on this machine until it is interrupted.

    Args:
        sources: models, runs, folders of runs; the model in the box by default.
        port: to listen at, on loopback alone; 0 for a free one.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.
        ready: called with the address, token included, once it can be opened.
    """
    _require_packages()
    from facegan.studio.api import application

    made = make_studio(sort_out(sources), best, device)
    token = secrets.token_urlsafe(24)
    with _listening("127.0.0.1", port) as listener:
        number = listener.getsockname()[1]
        names = frozenset(f"{name}:{number}" for name in ("127.0.0.1", "localhost"))
        app = application(made, token, names, f"facegan-{number}")
        _run(app, made, listener, lambda: ready(f"http://127.0.0.1:{number}/?token={token}"))


def serve(
    source: str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    best: bool = False,
    device: str = "auto",
    ready: Callable[[str, str], None] = lambda address, token: None,
) -> None:
    """Run the API alone until it is interrupted.

    Args:
        source: a run, a generator's file or a model's name; the model in the box by default.
        host: address to listen at; another than loopback lets other machines ask.
        port: to listen at; 0 for a free one.
        token: that requests must know, at least 16 characters; made if it is not given.
        best: of a run: its best snapshot instead of its last.
        device: `auto`, `cpu`, `cuda`, `mps`.
        ready: called with the address and the token, once it answers.
    """
    if token is not None and (len(token) < _SHORTEST_TOKEN or not token.isascii()):
        raise FaceganError(
            f"The token has {len(token)} characters.",
            f"Use {_SHORTEST_TOKEN} or more that nobody guesses, ASCII alone.",
        )
    _require_packages()
    from facegan.editing.directions import directions_beside
    from facegan.generation.generator import open_generator
    from facegan.studio.api import Studio, application
    from facegan.studio.page import name_of

    found = open_generator(source, best, device)
    made = Studio(found, name_of(source, found.model), directions_beside(found.path), page=False)
    token = token or secrets.token_urlsafe(24)
    with _listening(host, port) as listener:
        number = listener.getsockname()[1]
        local = host in ("127.0.0.1", "localhost", "::1")
        names = frozenset(f"{name}:{number}" for name in ("127.0.0.1", "localhost", "[::1]"))
        app = application(made, token, names if local else frozenset(), None)
        shown = f"[{host}]" if ":" in host else host
        _run(app, made, listener, lambda: ready(f"http://{shown}:{number}", token))


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise FaceganError(
            f"{host}:{port} cannot be listened at: {error}.", "Choose another `port`."
        ) from error
    with listener:
        yield listener


def _run(app: Any, made: Studio, listener: socket.socket, ready: Callable[[], None]) -> None:
    import uvicorn

    if made.computing is not None:
        made.computing.quicken()

    config = uvicorn.Config(
        app,
        # What others send, and what was cut short, is not this terminal's business; what went
        # wrong here is told by `facegan.studio.api`.
        log_level="critical",
        access_log=False,
        server_header=False,
        # Whoever sits in front of it is nobody's business: no header changes who asks.
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=5,
        ws="websockets-sansio",
        ws_max_size=4 << 20,
        # To compress pictures takes longer than to hand them to a browser on this machine.
        ws_per_message_deflate=False,
    )

    class Server(uvicorn.Server):
        """Tells when it answers."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    # Uvicorn hands an interruption on once it has ended what was begun; it is how to end this.
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run(sockets=[listener])


def _require_packages() -> None:
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
        import websockets  # noqa: F401
    except ImportError as error:
        raise FaceganError(
            f"The studio needs Starlette, uvicorn and websockets: {error}.",
            "Install them: pip install 'facegan[studio]'.",
        ) from error
