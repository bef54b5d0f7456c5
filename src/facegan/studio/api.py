"""The studio's routes, and the application that `facegan studio` and `facegan serve` run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from facegan.editing.face import EditedFace
from facegan.errors import FaceganError, RunError
from facegan.files import sha256
from facegan.generation.generator import OpenGenerator
from facegan.generation.inputs import Inputs, Mixture, joined
from facegan.models.onnx import about
from facegan.studio import assets
from facegan.studio.about import page_about
from facegan.studio.computing import TOGETHER, BusyError, Computing, Pictures
from facegan.studio.encoding import MEDIA_TYPES, encoded
from facegan.studio.guard import PHOTOGRAPH, Guard
from facegan.studio.metrics import Metrics
from facegan.studio.openapi import description
from facegan.studio.requests import (
    MOST,
    FacesRequest,
    FilmRequest,
    PicturesRequest,
    RequestError,
    faces_of,
    inputs_of_faces,
    parsed,
    pictures_of_query,
)
from facegan.studio.watching import Watched

Value = TypeVar("Value")

# Seconds that an answer may take: pictures, and what takes a while (films, photographs).
_PATIENCE, _LONG_PATIENCE = 30.0, 300.0
# Such long jobs at a time, and those that may wait.
_LONG_JOBS, _LONG_WAITING = 1, 3
_MOST_SOCKETS = 64
# The page asks for so many pictures at a time.
_MOST_LIVE = 64
_JAVASCRIPT = "text/javascript; charset=utf-8"


@dataclass
class Studio:
    """Everything that the routes share.

    Attributes:
        opened: the generator; None where runs are watched and none has one yet.
        name: what it is called.
        directions: that were found for it; None for none.
        watched: the runs that may be looked at.
        page: whether the page is served, with what belongs to it, or the API alone.
        abilities: what the page may do besides: see `facegan.studio.abilities`.
    """

    opened: OpenGenerator | None
    name: str = ""
    directions: Any = None
    watched: Watched = field(default_factory=lambda: Watched(()))
    page: bool = True
    abilities: Any = None

    def __post_init__(self) -> None:
        self.computing = None if self.opened is None else Computing(self.opened)
        self.metrics = Metrics()
        self.long = ThreadPoolExecutor(_LONG_JOBS, "facegan-studio-long")
        self.long_waiting = 0
        self.sockets = 0
        self._about: dict[str, Any] | None = None
        self._digest: str | None = None

    def close(self) -> None:
        """End its threads."""
        if self.computing is not None:
            self.computing.close()
        self.long.shutdown(cancel_futures=True)

    def require(self) -> tuple[OpenGenerator, Computing]:
        """The generator. Raises RunError where there is none."""
        if self.opened is None or self.computing is None:
            raise RunError("There is no generator here.", "Open the studio with a model.")
        return self.opened, self.computing

    async def pictures(self, faces: Inputs) -> Pictures:
        """Pictures of faces, in their turn and in time."""
        _, computing = self.require()
        asked = asyncio.wrap_future(computing.ask(faces))
        return await asyncio.wait_for(asked, _PATIENCE)

    async def in_background(self, work: Callable[[], Value]) -> Value:
        """The result of what takes seconds, one such thing at a time."""
        if self.long_waiting >= _LONG_WAITING:
            raise BusyError("Several long requests wait already.", "Try again in a minute.")
        self.long_waiting += 1
        try:
            asked = asyncio.get_running_loop().run_in_executor(self.long, work)
            return await asyncio.wait_for(asked, _LONG_PATIENCE)
        finally:
            self.long_waiting -= 1

    def about(self) -> dict[str, Any]:
        """What the page must know of the generator; computed once."""
        opened, _ = self.require()
        if self._about is None:
            self._about = page_about(opened, self.name, self.directions)
        return self._about

    def digest(self) -> str:
        """The SHA-256 of the generator's file; computed once."""
        if self._digest is None:
            self._digest = sha256(self.require()[0].path)
        return self._digest

    def model(self, truncation: float = 1.0) -> dict[str, str]:
        """What made a picture, for its metadata."""
        return self.require()[0].about(truncation, {})


def application(studio: Studio, token: str, hosts: frozenset[str], cookie: str | None) -> Guard:
    """The ASGI application.

    Args:
        studio: what it serves.
        token: that requests must know.
        hosts: values of the header Host that mean this server; empty for any.
        cookie: the cookie's name, where a page is served; None for the API alone.
    """
    routes: list[BaseRoute] = [
        _route(studio, "/api/health", _health),
        _route(studio, "/api/openapi.json", _openapi),
        _route(studio, "/api/metrics", _metrics),
        _route(studio, "/api/model", _model),
        _route(studio, "/api/pictures", _pictures, "GET", "POST"),
    ]
    if studio.page:
        routes += [
            _route(studio, "/", _index),
            _route(studio, "/front/{name}", _front),
            _route(studio, "/api/read", _read, "POST"),
            _route(studio, "/api/film", _film, "POST"),
            _route(studio, "/api/dataset", _dataset, "POST"),
            _route(studio, PHOTOGRAPH, _photograph, "POST"),
            _route(studio, "/api/runs", _runs),
            _route(studio, "/api/runs/{run}", _run),
            _route(studio, "/api/runs/{run}/samples/{name}", _sample),
            WebSocketRoute("/api/live", _live(studio)),
        ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(studio.close)

    def failed(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = {404: "There is no such page.", 405: "This method is not allowed here."}
        said = known.get(error.status_code, error.detail)
        return _error(error.status_code, said, dict(error.headers or {}))

    def broken(_: Request, error: Exception) -> Response:
        logging.getLogger("facegan.studio").error("An answer failed", exc_info=error)
        return _error(500, f"Something went wrong here ({type(error).__name__}).")

    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={HTTPException: failed, Exception: broken},
    )
    return Guard(app, token, hosts, cookie)


Handler = Callable[[Studio, Request], Awaitable[Response]]


def _route(studio: Studio, path: str, handler: Handler, *methods: str) -> Route:
    """A route whose errors become answers, and which the metrics count."""

    async def answer(request: Request) -> Response:
        begun = time.perf_counter()
        try:
            response = await handler(studio, request)
        except BusyError as error:
            response = _error(503, error.message, {"Retry-After": "1"}, error.hint)
        except RequestError as error:
            response = _error(400, error.message, hint=error.hint)
        except RunError as error:
            response = _error(404, error.message, hint=error.hint)
        except FaceganError as error:
            response = _error(400, error.message, hint=error.hint)
        except TimeoutError:
            response = _error(504, "It took too long.", {"Retry-After": "5"})
        except asyncio.CancelledError:  # the server ends, and waited long enough for this
            return _error(503, "The server is ending.")
        except HTTPException as error:
            studio.metrics.count(path, error.status_code, time.perf_counter() - begun)
            raise
        studio.metrics.count(path, response.status_code, time.perf_counter() - begun)
        return response

    return Route(path, answer, methods=list(methods) or ["GET"])


def _error(
    status: int, said: str, headers: Mapping[str, str] | None = None, hint: str = ""
) -> JSONResponse:
    return JSONResponse({"error": said, "hint": hint}, status, dict(headers or {}))


# --- the API -------------------------------------------------------------------------------


async def _health(studio: Studio, request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _openapi(studio: Studio, request: Request) -> Response:
    return JSONResponse(description(page=studio.page))


async def _metrics(studio: Studio, request: Request) -> Response:
    computing = studio.computing
    gauges = {
        "facegan_pictures_waiting": 0 if computing is None else computing.waiting,
        "facegan_live_connections": studio.sockets,
    }
    counters = {"facegan_pictures_total": 0 if computing is None else computing.pictures}
    text = studio.metrics.text(gauges, counters)
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def _model(studio: Studio, request: Request) -> Response:
    if not studio.page:
        opened, _ = studio.require()
        names = [] if studio.directions is None else list(studio.directions.names)
        more = {"name": studio.name, "directions": names}
        more["mixing"] = list(opened.loaded.generator.modulated)
        return JSONResponse(about(opened.loaded) | more)
    told = None
    if studio.opened is not None:
        told = await asyncio.to_thread(studio.about)
    can = {"faces": told is not None, "watch": bool(studio.watched), "dataset": told is not None}
    can |= studio.abilities.can(studio) if studio.abilities else {}
    return JSONResponse({"model": told, "can": {"films": [], "reader": False} | can})


async def _pictures(studio: Studio, request: Request) -> Response:
    if request.method == "GET":
        asked = pictures_of_query(request.query_params.multi_items())
    else:
        asked = parsed(PicturesRequest, await request.body())
    opened, _ = studio.require()

    def prepared() -> tuple[list[EditedFace], Inputs]:
        faces = faces_of(asked, opened, studio.directions, studio.digest())
        return faces, joined([face.inputs(opened, studio.directions) for face in faces])

    faces, inputs = await asyncio.to_thread(prepared)
    made = await studio.pictures(inputs)
    body = await asyncio.to_thread(
        encoded, made, asked.format, faces, faces[0].about(opened), asked.columns
    )
    shape = ",".join(str(number) for number in made.shape)
    return Response(body, media_type=MEDIA_TYPES[asked.format], headers={"X-Shape": shape})


# --- the page ------------------------------------------------------------------------------


async def _index(studio: Studio, request: Request) -> Response:
    head = '<link rel="stylesheet" href="/front/style.css">\n<link rel="icon" href="data:,">\n'
    foot = (
        '<script type="application/json" id="boot">{}</script>\n'
        f'<script type="module" src="/front/{assets.ENTRY}"></script>\n'
    )
    text = assets.front("index.html")
    text = text.replace("<!-- head -->\n", head).replace("<!-- foot -->\n", foot)
    return Response(text, media_type="text/html; charset=utf-8")


async def _front(studio: Studio, request: Request) -> Response:
    name = request.path_params["name"]
    if name == "style.css":
        return Response(assets.front(name), media_type="text/css; charset=utf-8")
    if name not in assets.modules():
        raise HTTPException(404)
    return Response(assets.front(name), media_type=_JAVASCRIPT)


async def _read(studio: Studio, request: Request) -> Response:
    asked = parsed(FacesRequest, await request.body())
    opened, _ = studio.require()
    if studio.abilities is None or len(asked.faces) > MOST:
        raise HTTPException(404)
    pictures = await studio.pictures(inputs_of_faces(asked.faces, opened))
    return JSONResponse(await asyncio.to_thread(studio.abilities.read, studio, pictures))


async def _film(studio: Studio, request: Request) -> Response:
    asked = parsed(FilmRequest, await request.body())
    if studio.abilities is None:
        raise HTTPException(404)
    body, kind = await studio.in_background(lambda: studio.abilities.film(studio, asked))
    return Response(body, media_type=kind)


async def _dataset(studio: Studio, request: Request) -> Response:
    asked = parsed(FacesRequest, await request.body())
    if studio.abilities is None:
        raise HTTPException(404)
    body = await studio.in_background(lambda: studio.abilities.dataset(studio, asked.faces))
    return Response(body, media_type="application/zip")


async def _photograph(studio: Studio, request: Request) -> Response:
    if studio.abilities is None or not studio.abilities.can(studio).get("photograph"):
        raise HTTPException(404)
    data = await request.body()
    return JSONResponse(
        await studio.in_background(lambda: studio.abilities.photograph(studio, data))
    )


async def _runs(studio: Studio, request: Request) -> Response:
    return JSONResponse({"runs": await asyncio.to_thread(studio.watched.listed)})


async def _run(studio: Studio, request: Request) -> Response:
    return JSONResponse(await asyncio.to_thread(studio.watched.one, request.path_params["run"]))


async def _sample(studio: Studio, request: Request) -> Response:
    params = request.path_params
    content = await asyncio.to_thread(studio.watched.sample, params["run"], params["name"])
    return Response(content, media_type="image/png")


def _live(studio: Studio) -> Callable[[WebSocket], Awaitable[None]]:
    """Frames for the page: latents in, bytes out, one request of a connection at a time.

    A request is uint32 number, uint32 n, float32 [n, Z + noise], float32 [n, L], and where faces
    are mixed, the same two of the others and float32 [n, R] of their shares. Its answer is uint32
    number, uint32 n, uint8 [n, H, W, C], or as text {"id": number, "error": why not}.
    """

    async def live(socket: WebSocket) -> None:
        if studio.opened is None or studio.sockets >= _MOST_SOCKETS:
            await socket.close(1013)
            return
        await socket.accept()
        studio.sockets += 1
        try:
            while True:
                await _frame(studio, socket, await socket.receive_bytes())
        except (WebSocketDisconnect, KeyError, asyncio.CancelledError):
            pass  # KeyError: text, which nobody here sends; cancelled where the server ends
        finally:
            studio.sockets -= 1

    return live


async def _frame(studio: Studio, socket: WebSocket, data: bytes) -> None:
    opened, _ = studio.require()
    generator = opened.loaded.generator
    size, labels = generator.latent.size + generator.noise, len(opened.labels)
    mixing = len(generator.modulated)
    number, n = struct.unpack_from("<II", data) if len(data) >= 8 else (0, 0)
    plain = [size, labels]
    widths = [plain, *([[*plain, *plain, mixing]] if mixing else [])]
    fitting = [some for some in widths if len(data) == 8 + 4 * n * sum(some)]
    if not 1 <= n <= _MOST_LIVE or not fitting:
        await socket.close(1003)
        raise WebSocketDisconnect(1003)
    parts, at = [], 8
    for width in fitting[0]:
        part = np.frombuffer(data, "<f4", n * width, at).reshape(n, width).astype(np.float32)
        parts.append(part if width else None)
        at += 4 * n * width
    z, rows, *mix = parts
    # Labels alone may be unknown.
    certain = [z, *mix[::2]]
    if not all(part is None or np.isfinite(part).all() for part in certain):
        await socket.send_text(json.dumps({"id": number, "error": "Latents must be finite."}))
        return
    assert z is not None
    mixture = None
    if mix and mix[0] is not None and mix[2] is not None:
        mixture = Mixture(mix[0], mix[1], mix[2].clip(0, 1))
    try:
        made = await studio.pictures(Inputs(z, rows, mixture))
    except (FaceganError, TimeoutError) as error:
        said = error.message if isinstance(error, FaceganError) else "It took too long."
        await socket.send_text(json.dumps({"id": number, "error": said}))
        return
    await socket.send_bytes(struct.pack("<II", number, n) + made.tobytes())


assert _MOST_LIVE >= TOGETHER
