"""The API, described as OpenAPI 3.1: what `GET /api/openapi.json` says."""

from __future__ import annotations

from typing import Any

from facegan.studio.requests import MIX, FacesRequest, FilmRequest, PicturesRequest
from facegan.version import __version__

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string", "description": "What was got, and what is wrong with it."},
        "hint": {"type": "string", "description": "What to do next."},
    },
}
_COMMON = {
    "400": "The request makes no sense; the answer says why.",
    "401": "The token is missing or wrong.",
    "403": "The request comes from another origin.",
    "404": "There is no generator, or no such thing.",
    "413": "The body is too large.",
    "421": "The request names another host.",
    "503": "Too much waits already; try again after the seconds in Retry-After.",
    "504": "It took too long.",
}
_PICTURE = {
    kind: {"schema": {"type": "string", "format": "binary"}}
    for kind in ("image/png", "image/webp", "application/octet-stream", "application/zip")
}


def description(page: bool) -> dict[str, Any]:
    """The whole description.

    Args:
        page: whether the routes that belong to the page are there.
    """
    schemas: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, Any] = {
        "/api/health": {
            "get": _operation("Whether the server answers; needs no token", secure=False)
        },
        "/api/metrics": {"get": _operation("Counts for Prometheus", {"text/plain": {}})},
        "/api/model": {
            "get": _operation("The generator: shape, latents, labels, directions, mixing")
        },
        "/api/pictures": {
            "get": _operation("Pictures by seed", _PICTURE) | {"parameters": _parameters()},
            "post": _operation("Pictures by seeds or latents", _PICTURE)
            | _body(PicturesRequest, schemas),
        },
    }
    if page:
        paths |= {
            "/api/read": {
                "post": _operation("What is read from faces' pictures")
                | _body(FacesRequest, schemas)
            },
            "/api/film": {
                "post": _operation(
                    "A film of a walk between faces",
                    _binary("video/mp4", "image/webp", "image/apng"),
                )
                | _body(FilmRequest, schemas)
            },
            "/api/dataset": {
                "post": _operation("Faces as a dataset, zipped", _binary("application/zip"))
                | _body(FacesRequest, schemas)
            },
            "/api/photograph": {
                "post": _operation("The latent of a photograph's face")
                | {
                    "requestBody": {
                        "required": True,
                        "content": _binary("application/octet-stream"),
                    }
                }
            },
            "/api/runs": {"get": _operation("Runs that the studio was opened with")},
            "/api/runs/{run}": {
                "get": _operation("One run: curves, samples, findings, scores")
                | {"parameters": [_parameter("run", "path")]}
            },
            "/api/runs/{run}/samples/{name}": {
                "get": _operation("A sample grid", _binary("image/png"))
                | {"parameters": [_parameter("run", "path"), _parameter("name", "path")]}
            },
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "facegan",
            "version": __version__,
            "description": "Pictures from a face generator. All of them are generated; files that "
            "can say so, do.",
        },
        "paths": paths,
        "security": [{"token": []}],
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _binary(*kinds: str) -> dict[str, Any]:
    return {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}


def _operation(
    summary: str, content: dict[str, Any] | None = None, secure: bool = True
) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses: dict[str, Any] = {
        "200": {"description": summary, "content": content or {"application/json": {}}}
    }
    responses |= {
        status: {"description": words, "content": error} for status, words in _COMMON.items()
    }
    return {"summary": summary, "responses": responses} | ({} if secure else {"security": []})


def _body(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs", {})
    schemas[kind.__name__] = schema
    reference = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}
    }


def _parameter(name: str, place: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path"} | (
        more or {"schema": {"type": "string"}}
    )


def _parameters() -> list[dict[str, Any]]:
    several: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
    return [
        _parameter(
            "seeds",
            "query",
            schema={"type": "string", "default": "0"},
            description="7, or 1,5,9, or 0-63",
        ),
        _parameter("truncation", "query", schema={"type": "number", "minimum": 0, "maximum": 1}),
        _parameter("label", "query", schema=several, description="NAME=VALUE; may be repeated"),
        _parameter(
            "edit", "query", schema=several, description="DIRECTION=AMOUNT; may be repeated"
        ),
        _parameter(
            "mix",
            "query",
            schema={"type": "string", "pattern": f"^{MIX.pattern}$"},
            description="SEED@SIDE: what maps of this side and larger decide is this seed's; "
            "GET /api/model lists the sides under `mixing`",
        ),
        _parameter("format", "query", schema={"enum": ["png", "webp", "raw", "zip"]}),
        _parameter("columns", "query", schema={"type": "integer", "minimum": 1}),
    ]
