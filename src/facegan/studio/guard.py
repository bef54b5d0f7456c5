"""Who may ask: hosts, origins and the token, sizes and times, before any route is reached.

The studio listens on loopback, where every page in the browser can reach it, too. So each request
must carry the token, in a header or in a cookie that other sites' requests do not bring along
(SameSite=Strict); must name this server as its host, so that another site's name that was pointed
here (DNS rebinding) gets nothing; and must not come from another origin.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.exceptions import HTTPException

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Bytes of a request's body, by path; of others, the last.
PHOTOGRAPH = "/api/photograph"
_LARGEST = {PHOTOGRAPH: 40_000_000}
_LARGEST_OTHER = 4_000_000
# Seconds that a body may take to arrive.
_PATIENCE = 30.0
_OPEN = ("/api/health",)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src blob:",
        "connect-src 'self' {sockets}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True)
class Guard:
    """ASGI middleware around everything that the studio serves.

    Attributes:
        app: what is guarded.
        token: that each request must know.
        hosts: values of Host that mean this server; empty for any, where only headers carry the
            token and no browser was told it.
        cookie: its name, where the page is served; None for the API alone.
    """

    app: App
    token: str
    hosts: frozenset[str]
    cookie: str | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = _headers(scope)
        refused = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refused is not None:
                await receive()
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return
        sending = self._with_headers(headers, send)
        if refused is not None:
            await _answer(sending, *refused)
            return
        entering = self._entering(scope)
        if entering is not None:
            await _answer(sending, 303, None, entering)
            return
        await self._limited(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, dict[str, str]] | None:
        host = headers.get("host", "")
        if self.hosts and host not in self.hosts:
            return 421, {"error": "This server has another name.", "hint": "Use its own address."}
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        origin = headers.get("origin")
        if origin is not None and origin != f"{scheme}://{host}":
            return 403, {"error": "Requests from other origins are refused.", "hint": ""}
        site = headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin") and headers.get("sec-fetch-mode") != "navigate":
            return 403, {"error": "Requests from other sites are refused.", "hint": ""}
        if scope["path"] in _OPEN or self._knows(scope, headers):
            return None
        if self.cookie is not None and scope["path"] == "/" and self._entering(scope) is not None:
            return None
        return 401, {
            "error": "The token is missing or wrong.",
            "hint": "Use the address that was printed when the server began, or send "
            "'Authorization: Bearer TOKEN'.",
        }

    def _knows(self, scope: Scope, headers: dict[str, str]) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(given.strip(), self.token):
            return True
        if self.cookie is None:
            return False
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.cookie and _same(value, self.token):
                return True
        return False

    def _entering(self, scope: Scope) -> dict[str, str] | None:
        """Headers that turn the token in the address into a cookie; None where it is not there."""
        if self.cookie is None or scope["path"] != "/" or scope["method"] != "GET":
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if not _same(given, self.token):
            return None
        secure = "; Secure" if scope["scheme"] == "https" else ""
        return {
            "Set-Cookie": f"{self.cookie}={quote(self.token)}; Path=/; HttpOnly; SameSite=Strict"
            + secure,
            "Location": "/",
        }

    def _with_headers(self, headers: dict[str, str], send: Send) -> Send:
        host = headers.get("host", "")
        policy = POLICY.format(sockets=f"ws://{host} wss://{host}" if host.isascii() else "")
        more = _HEADERS | {"Content-Security-Policy": policy, "Cache-Control": "no-store"}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message.get("headers", [])}
                message = dict(message) | {
                    "headers": [
                        *message.get("headers", []),
                        *(
                            (name.lower().encode(), value.encode("latin-1"))
                            for name, value in more.items()
                            if name.lower().encode() not in there
                        ),
                    ]
                }
            await send(message)

        return sending

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, with no body that is too long or too slow."""
        most = _LARGEST.get(scope["path"], _LARGEST_OTHER)
        too_large = f"At most {most / 1e6:g} MB may be sent here."
        declared = _headers(scope).get("content-length", "0")
        if not declared.isdecimal() or int(declared) > most:
            await _answer(send, 413, {"error": too_large, "hint": ""})
            return
        arrived, whole = 0, False

        async def receiving() -> Message:
            nonlocal arrived, whole
            try:
                message = await asyncio.wait_for(receive(), None if whole else _PATIENCE)
            except TimeoutError as error:
                raise HTTPException(408, "The request did not arrive.") from error
            if message["type"] == "http.request":
                arrived += len(message.get("body", b""))
                if arrived > most:
                    raise HTTPException(413, too_large)
                whole = not message.get("more_body")
            return message

        await self.app(scope, receiving, send)


def _headers(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name; of one that is given twice, something that equals nothing."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").lower()
        found[name] = "\0" if name in found else value.decode("latin-1")
    return found


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


async def _answer(
    send: Send, status: int, said: dict[str, str] | None, more: dict[str, str] | None = None
) -> None:
    body = b"" if said is None else json.dumps(said).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))} | (more or {})
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
