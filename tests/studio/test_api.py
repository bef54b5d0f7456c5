"""The API: pictures as the command makes them, limits, and everything that is refused."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("starlette", reason="starlette is not installed")
pytest.importorskip("httpx", reason="httpx is not installed")
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from facegan.data.pictures import open_picture
from facegan.editing.directions import require_directions
from facegan.editing.face import EditedFace, pictures_of
from facegan.generation.films import enlarged
from facegan.generation.generator import open_generator
from facegan.generation.inputs import Inputs, Mixture
from facegan.generation.samples import image_inputs
from facegan.studio import api
from facegan.studio.computing import BusyError, Computing
from facegan.studio.serving import make_studio, sort_out

TOKEN = "a-token-that-nobody-guesses"
HOST = "127.0.0.1:8000"
LIVE = f"ws://{HOST}/api/live"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Opened = Callable[..., Any]


@contextmanager
def served(*sources: Path, page: bool = True) -> Iterator[TestClient]:
    """A client that knows the token."""
    studio = make_studio(sort_out(sources), device="cpu")
    studio.page = page
    hosts = frozenset({HOST, "localhost:8000"})
    app = api.application(studio, TOKEN, hosts, "facegan-8000" if page else None)
    with TestClient(app, base_url=f"http://{HOST}", headers=BEARER) as client:
        yield client


@pytest.fixture(scope="module")
def client(model: Path) -> Iterator[TestClient]:
    with served(model) as client:
        yield client


def stranger(client: TestClient) -> TestClient:
    """The same server, asked by somebody who knows no token and follows no redirection."""
    return TestClient(client.app, base_url=f"http://{HOST}", follow_redirects=False)


def raw(answer: Any) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    shape = [int(n) for n in answer.headers["X-Shape"].split(",")]
    return np.frombuffer(answer.content, np.uint8).reshape(shape)


def of_seeds(path: Path, seeds: list[int], truncation: float = 1.0, **labels: float) -> np.ndarray:
    return np.concatenate(
        list(open_generator(path, device="cpu").pictures(seeds, truncation, labels))
    )


def near(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal but for a last bit: groups of another size may round otherwise."""
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= 1


# --- pictures ------------------------------------------------------------------------------


def test_seeds_are_those_of_the_command(client: TestClient, model: Path) -> None:
    made = raw(client.get("/api/pictures?seeds=3,7-9&format=raw&truncation=0.7"))
    assert near(made, of_seeds(model, [3, 7, 8, 9], 0.7))
    posted = client.post(
        "/api/pictures", json={"seeds": [3, 7, 8, 9], "truncation": 0.7, "format": "raw"}
    )
    assert np.array_equal(raw(posted), made)


def test_labels_are_those_of_the_command(labelled: Path) -> None:
    with served(labelled) as client:
        made = raw(client.get("/api/pictures?seeds=0-4&label=Smiling=1&label=age=60&format=raw"))
        assert near(made, of_seeds(labelled, list(range(5)), smiling=1.0, age=60.0))
        refused = client.get("/api/pictures?label=smilling=1")
        assert refused.status_code == 400
        assert "'smiling'" in refused.json()["hint"]


def test_latents_and_edits(client: TestClient, model: Path) -> None:
    opened = open_generator(model, device="cpu")
    z = image_inputs(opened.loaded.generator, 5)[0]
    body = {"latents": z.tolist(), "edits": {"smiling": 2}, "format": "raw"}
    made = raw(client.post("/api/pictures", json=body))
    moved = require_directions(model).moved(z.numpy(), {"Smiling": 2.0})
    assert near(made, opened.pictures_at(torch.from_numpy(moved)))
    by_seed = raw(client.get("/api/pictures?seeds=5&edit=Smiling=2&format=raw"))
    assert near(by_seed, made)
    assert not near(made, of_seeds(model, [5]))


def test_faces_are_mixed_as_the_command_mixes_them(mixing: Path, tmp_path: Path) -> None:
    opened = open_generator(mixing, device="cpu")
    shared = {"truncation": 0.8, "labels": {"age": 60.0}}
    other = EditedFace(seed=5, **shared)
    faces = [EditedFace(seed=seed, mixed=(other, 16), **shared) for seed in (3, 9)]
    expected = pictures_of(opened, faces, None)
    with served(mixing, page=False) as client:
        assert client.get("/api/model").json()["mixing"] == [8, 16]
        query = "seeds=3,9&mix=5@16&truncation=0.8&label=Age=60"
        made = raw(client.get(f"/api/pictures?{query}&format=raw"))
        assert near(made, expected)
        plain = raw(client.get(f"/api/pictures?{query.replace('mix=5@16&', '')}&format=raw"))
        assert not near(plain, made)
        body = {"seeds": [3, 9], "mix": {"seed": 5, "side": 16}, "format": "raw"} | shared
        assert np.array_equal(raw(client.post("/api/pictures", json=body)), made)
        # Of latents, which bring no labels of their own; from the coarsest maps on.
        z = np.random.default_rng(2).standard_normal((2, 6)).astype(np.float32)
        body = {"latents": [z[0].tolist()], "mix": {"latent": z[1].tolist(), "side": 8}}
        made = raw(client.post("/api/pictures", json=body | {"format": "raw"}))
        mixture = EditedFace(latent=z[0], mixed=(EditedFace(latent=z[1]), 8))
        assert near(made, pictures_of(opened, [mixture], None))
        # A file says what was mixed, and brings it back.
        answer = client.get(f"/api/pictures?{query.replace('3,9', '3')}")
        assert b"from 16 px on with seed 5" in answer.content
        again = EditedFace.of_png(io.BytesIO(answer.content), "answer")
        assert again.mixed == (other, 16)
        assert near(pictures_of(opened, [again], None), expected[:1])


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ({"seed": 1, "side": 32}, "8, 16"),
        ({"seed": 1, "side": 0}, "mix.side"),
        ({"side": 16}, "mix"),
        ({"seed": 1, "latent": [0.0] * 6, "side": 16}, "mix"),
        ({"latent": [0.0] * 5, "side": 16}, "6"),
        ({"latent": [1e9] * 6, "side": 16}, "mix.latent"),
        ({"seed": -1, "side": 16}, "mix.seed"),
        ({"seed": 1, "side": 16, "edits": {"Smiling": 1}}, "directions"),
        ({"seed": 1, "side": 16, "mix": {"seed": 2, "side": 8}}, "mix.mix"),
        ([], "mix"),
    ],
)
def test_a_mixture_that_makes_no_sense(mixing: Path, mix: Any, said: str) -> None:
    with served(mixing, page=False) as client:
        answer = client.post("/api/pictures", json={"seeds": [0], "mix": mix})
        assert answer.status_code == 400
        assert said in answer.json()["error"] + answer.json()["hint"]


def test_an_edited_face_comes_back_from_its_file(client: TestClient, model: Path) -> None:
    opened, known = open_generator(model, device="cpu"), require_directions(model)
    query = "seeds=5,6&edit=smiling=2&edit=Age=-1&truncation=0.5"
    made = raw(client.get(f"/api/pictures?{query}&format=raw"))
    packed = client.get(f"/api/pictures?{query}&format=zip")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        files = [io.BytesIO(archive.read(name)) for name in archive.namelist()]
    single = client.get(f"/api/pictures?{query.replace('5,6', '5')}")
    faces = [EditedFace.of_png(file, "a file") for file in (*files, io.BytesIO(single.content))]
    assert [face.seed for face in faces] == [5, 6, 5]
    assert faces[0].edits == {"Age": -1, "Smiling": 2}
    assert near(pictures_of(opened, faces, known), made[[0, 1, 0]])


@pytest.mark.parametrize("format_", ["png", "webp"])
def test_files_say_that_they_are_generated(client: TestClient, model: Path, format_: str) -> None:
    answer = client.get(f"/api/pictures?seeds=4&format={format_}")
    assert answer.headers["content-type"] == f"image/{format_}"
    with open_picture(io.BytesIO(answer.content)) as picture:
        assert near(np.asarray(picture.convert("RGB")), of_seeds(model, [4])[0])
    assert b"trainedAlgorithmicMedia" in answer.content
    assert b"recipe: gan" in answer.content


def test_several_are_a_grid_or_a_zip(client: TestClient, model: Path) -> None:
    sheet = client.get("/api/pictures?seeds=0-5&columns=3")
    with open_picture(io.BytesIO(sheet.content)) as picture:
        assert picture.width > picture.height > 2 * 32
    packed = client.get("/api/pictures?seeds=0-5&format=zip")
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.namelist() == [f"seed{n:06}.png" for n in range(6)]
        with open_picture(io.BytesIO(archive.read("seed000002.png"))) as picture:
            assert near(np.asarray(picture), of_seeds(model, [2])[0])


def test_grey_pictures(tiny: Any, tmp_path: Path) -> None:
    from small_generators import write_generator

    path = write_generator(tiny, tmp_path / "grey.safetensors", channels=1)
    with served(path) as client:
        assert raw(client.get("/api/pictures?seeds=0-2&format=raw")).shape == (3, 32, 32, 1)
        for format_ in ("png", "webp"):
            assert client.get(f"/api/pictures?seeds=0&format={format_}").status_code == 200


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("seeds=-1", "seeds"),
        ("seeds=x", "seeds"),
        ("seeds=9-3", "seeds"),
        ("seeds=0-256", "1 to 256"),
        ("seeds=0-99999999999", "1 to 256"),
        ("seeds=" + ",".join(["1"] * 300), "256"),
        ("seeds=99999999999999999999", "seeds"),
        ("truncation=2", "truncation"),
        ("truncation=nan", "truncation"),
        ("truncation=0.5&truncation=0.6", "twice"),
        ("format=gif", "format"),
        ("label=Smiling=1", "label"),
        ("edit=Beard=1", "'Beard'"),
        ("edit=Smiling=900", "900"),
        ("edit=Smiling", "NAME=VALUE"),
        ("edit=Smiling=nan", "nan"),
        ("sedes=1", "sedes"),
        ("columns=0", "columns"),
        ("mix=3", "SEED@SIDE"),
        ("mix=3@16@8", "SEED@SIDE"),
        ("mix=\u0663@16", "SEED@SIDE"),
        ("mix=3@16&mix=4@16", "twice"),
        ("mix=3@16", "one place"),
    ],
)
def test_what_makes_no_sense_is_said(client: TestClient, query: str, said: str) -> None:
    answer = client.get(f"/api/pictures?{query}")
    assert answer.status_code == 400
    assert said in answer.json()["error"] + answer.json()["hint"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"seeds": []}',
        b'{"seeds": [1], "latents": [[0]]}',
        b'{"seeds": [1.5]}',
        b'{"seeds": [true], "more": 1}',
        b'{"latents": [[1, 2, 3]]}',
        b'{"latents": [[1e9, 0, 0, 0, 0, 0, 0, 0]]}',
        b'{"latents": [[NaN, 0, 0, 0, 0, 0, 0, 0]]}',
        b'{"seeds": [0], "columns": 100000}',
        b"[" * 100_000,
        b'{"seeds": [' + b"0," * 100_000 + b"0]}",
        b"\xff\xfe",
    ],
)
def test_a_body_that_makes_no_sense(client: TestClient, body: bytes) -> None:
    answer = client.post("/api/pictures", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


# --- who may ask ---------------------------------------------------------------------------


def test_health_alone_needs_no_token(client: TestClient) -> None:
    unknown = stranger(client)
    assert unknown.get("/api/health").json() == {"status": "ok"}
    routes = json.loads(client.get("/api/openapi.json").content)["paths"]
    paths = [path.replace("{run}", "0").replace("{name}", "x") for path in routes]
    assert len(paths) > 9
    for path in [*paths, "/", "/front/main.js", "/front/style.css", "/nothing"]:
        if path == "/api/health":
            continue
        for method in ("GET", "POST"):
            assert unknown.request(method, path).status_code == 401, path
    for wrong in ("", "Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"):
        given = {"Authorization": wrong.encode()}
        assert unknown.get("/api/model", headers=given).status_code == 401


def test_the_address_with_the_token_gives_a_cookie(client: TestClient) -> None:
    browser = stranger(client)
    for wrong in ("/?token=", "/?token=x", f"/api/model?token={TOKEN}"):
        assert browser.get(wrong).status_code == 401
    entered = browser.get(f"/?token={TOKEN}")
    assert entered.status_code == 303
    assert entered.headers["location"] == "/"
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    page = browser.get("/")
    assert page.status_code == 200
    assert TOKEN not in page.text
    assert browser.get("/api/model").status_code == 200
    stolen = {"Origin": "http://localhost:9999"}
    assert browser.get("/api/model", headers=stolen).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:8001", "localhost:8000.evil.example", ""]
)
def test_another_name_of_this_server_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/health", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Origin", f"https://{HOST}"),
        ("Origin", "http://localhost:8000"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ],
)
def test_other_origins_are_refused(client: TestClient, name: str, value: str) -> None:
    assert client.get("/api/model", headers={name: value}).status_code == 403
    assert client.get("/api/model", headers={"Origin": f"http://{HOST}"}).status_code == 200


def test_a_live_connection_needs_the_same(client: TestClient) -> None:
    unknown = stranger(client)
    with client.websocket_connect(LIVE, headers=BEARER | {"Origin": f"http://{HOST}"}):
        pass
    for given in (
        {},
        BEARER | {"Origin": "http://evil.example"},
        BEARER | {"Host": "evil.example"},
    ):
        with (
            pytest.raises(WebSocketDisconnect),
            unknown.websocket_connect(LIVE, headers=given),
        ):
            pass


def test_every_answer_is_closed_to_others(client: TestClient) -> None:
    for path in ("/", "/api/model", "/front/main.js", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_the_api_alone_has_no_page_and_takes_no_cookie(model: Path) -> None:
    with served(model, page=False) as client:
        assert client.get("/api/pictures?seeds=1").status_code == 200
        assert client.get("/api/model").json()["directions"] == ["Smiling", "Age"]
        for path in ("/", "/front/main.js", "/api/runs", "/api/photograph"):
            assert client.get(path).status_code == 404
        paths = client.get("/api/openapi.json").json()["paths"]
        assert set(paths) == {f"/api/{name}" for name in ("health", "metrics", "model", "pictures")}
        unknown = stranger(client)
        assert unknown.get(f"/?token={TOKEN}").status_code == 401
        cookie = {"Cookie": f"facegan-8000={TOKEN}"}
        assert unknown.get("/api/model", headers=cookie).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/front/../about.py",
        "/front/..%2fabout.py",
        "/front/%2e%2e/about.py",
        "/front/random.js%00",
        "/front//etc/passwd",
        "/front/index.html",
        "/runtime/about.json",
        "/api/runs/0/samples/..%2f..",
        "/api/runs/..",
        "/api/runs/0:..",
        "/static/x",
        "/api",
    ],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


# --- too much ------------------------------------------------------------------------------


def test_a_body_that_is_too_large(client: TestClient) -> None:
    large = b"x" * 4_000_001
    assert client.post("/api/pictures", content=large).status_code == 413

    def pieces() -> Iterator[bytes]:  # sent without saying how long it is
        for _ in range(5):
            yield b" " * 1_000_000

    assert client.post("/api/pictures", content=pieces()).status_code == 413


def test_who_waits_too_long_in_line_is_told_to_come_back(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(model) as client:

        def busy(*arguments: Any) -> Any:
            raise BusyError("9 pictures wait.", "Later.")

        monkeypatch.setattr(Computing, "ask", busy)
        answer = client.get("/api/pictures?seeds=1")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"


def test_what_takes_too_long_is_given_up(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(model) as client:
        assert (api._PATIENCE, api._LONG_PATIENCE) == (30, 300)
        monkeypatch.setattr(api, "_PATIENCE", 0.01)
        monkeypatch.setattr(Computing, "ask", lambda *_: Future())  # of which nothing ever comes
        answer = client.get("/api/pictures?seeds=1")
        assert answer.status_code == 504
        assert answer.headers["retry-after"] == "5"


def test_long_things_are_done_one_at_a_time_and_given_up(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = make_studio(sort_out([model]), device="cpu")
    inside, most, go = 0, 0, threading.Event()

    def work() -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        assert go.wait(60)
        inside -= 1

    async def ask() -> list[object]:
        asked = [asyncio.ensure_future(studio.in_background(work)) for _ in range(2)]
        await asyncio.wait(asked, timeout=0.05)
        go.set()
        done = await asyncio.gather(*asked)
        go.clear()
        monkeypatch.setattr(api, "_LONG_PATIENCE", 0.01)
        with pytest.raises(TimeoutError):
            await studio.in_background(work)
        go.set()
        return done

    try:
        assert asyncio.run(ask()) == [None, None]
    finally:
        go.set()
        studio.close()
    assert most == 1


def test_a_bug_is_told_here_and_not_to_who_asked(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with served(model) as client:

        def broken(*arguments: Any) -> Any:
            raise ZeroDivisionError("a path of this machine")

        monkeypatch.setattr(api, "faces_of", broken)
        calm = TestClient(
            client.app, base_url=f"http://{HOST}", headers=BEARER, raise_server_exceptions=False
        )
        answer = calm.get("/api/pictures?seeds=1")
        assert answer.status_code == 500
        assert "path" not in answer.text
        assert "a path of this machine" in caplog.text


def test_the_queue_has_an_end(model: Path) -> None:
    opened = open_generator(model, device="cpu")
    go, begun = threading.Event(), threading.Event()

    class Slow:
        def pictures_at(self, z: Any, rows: Any) -> Any:
            begun.set()
            assert go.wait(60)
            return opened.pictures_at(z, rows)

    computing = Computing(Slow(), waiting=10)  # type: ignore[arg-type]
    z = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    first = computing.ask(Inputs(z))  # alone, it may be more than wait
    assert begun.wait(60)
    with pytest.raises(BusyError):
        computing.ask(Inputs(z[:1]))
    go.set()
    assert near(first.result(60), opened.pictures_at(torch.from_numpy(z)))
    asked = [computing.ask(Inputs(z[i : i + 1])) for i in range(10)]
    asked[9].cancel()  # perhaps too late: then it is computed
    made = np.concatenate([future.result(60) for future in asked[:9]])
    computing.close()
    assert computing.waiting == 0
    assert near(made, opened.pictures_at(torch.from_numpy(z[:9])))


def test_an_error_while_computing_reaches_who_asked_and_nobody_else(model: Path) -> None:
    opened = open_generator(model, device="cpu")
    computing = Computing(opened)
    wrong = computing.ask(Inputs(np.zeros((1, 3), np.float32)))
    with pytest.raises(RuntimeError):
        wrong.result(60)
    assert computing.ask(Inputs(np.zeros((1, 8), np.float32))).result(60).shape == (1, 32, 32, 3)
    computing.close()


# --- live frames ---------------------------------------------------------------------------


def test_frames(client: TestClient, model: Path) -> None:
    z = np.random.default_rng(3).standard_normal((2, 8)).astype("<f4")
    with client.websocket_connect(LIVE) as socket:
        for number in (1, 2):
            socket.send_bytes(struct.pack("<II", number, 2) + z.tobytes())
            answer = socket.receive_bytes()
            assert struct.unpack_from("<II", answer) == (number, 2)
            made = np.frombuffer(answer, np.uint8, offset=8).reshape(2, 32, 32, 3)
            assert near(made, open_generator(model, device="cpu").pictures_at(torch.from_numpy(z)))
        socket.send_bytes(struct.pack("<II", 3, 1) + np.full(8, np.nan, "<f4").tobytes())
        assert json.loads(socket.receive_text())["id"] == 3
    assert "facegan_live_connections 0" in client.get("/api/metrics").text


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 7, struct.pack("<II", 1, 0), struct.pack("<II", 1, 2**31) + b"\0" * 64]
)
def test_frames_that_make_no_sense_end_the_connection(client: TestClient, data: bytes) -> None:
    with client.websocket_connect(LIVE) as socket:
        socket.send_bytes(data)
        with pytest.raises(WebSocketDisconnect):
            socket.receive_bytes()


def test_labels_of_frames(labelled: Path) -> None:
    z = np.ones((1, 8), "<f4")
    rows = np.array([[np.nan, 1.0]], "<f4")
    with served(labelled) as client, client.websocket_connect(LIVE) as socket:
        socket.send_bytes(struct.pack("<II", 1, 1) + z.tobytes() + rows.tobytes())
        made = np.frombuffer(socket.receive_bytes(), np.uint8, offset=8).reshape(1, 32, 32, 3)
    opened = open_generator(labelled, device="cpu")
    assert near(made, opened.pictures_at(torch.from_numpy(z), torch.from_numpy(rows)))


def test_frames_and_films_of_mixed_faces(mixing: Path) -> None:
    random = np.random.default_rng(4)
    z, fine = (random.standard_normal((2, 6)).astype("<f4") for _ in range(2))
    rows, fine_rows = (random.standard_normal((2, 2)).astype("<f4") for _ in range(2))
    share = np.array([[0, 1], [0.5, 1]], "<f4")
    opened = open_generator(mixing, device="cpu")
    assert opened.loaded.generator.modulated == (8, 16)
    given = Inputs(z, rows, Mixture(fine, fine_rows, share))
    parts = (z, rows, fine, fine_rows, share)
    with served(mixing) as client:
        assert client.get("/api/model").json()["model"]["mixing"] == [8, 16]
        with client.websocket_connect(LIVE) as socket:
            body = b"".join(part.tobytes() for part in parts)
            socket.send_bytes(struct.pack("<II", 1, 2) + body)
            made = np.frombuffer(socket.receive_bytes(), np.uint8, offset=8)
        expected = given.pictures(opened)
        assert near(made.reshape(2, 32, 32, 3), expected)
        plain = Inputs(z, rows).pictures(opened)
        assert not near(expected, plain)
        asked = [
            {
                "z": encoded(z[k]),
                "row": encoded(rows[k]),
                "mix": {
                    "z": encoded(fine[k]),
                    "row": encoded(fine_rows[k]),
                    "share": share[k].tolist(),
                },
            }
            for k in range(2)
        ]
        film = {"faces": asked, "frames": 2, "loop": False, "format": "apng"}
        answer = client.post("/api/film", json=film)
        assert answer.status_code == 200, answer.text
        with Image.open(io.BytesIO(answer.content)) as pictures:
            first = np.asarray(pictures.convert("RGB"))
        assert near(first, enlarged(expected[0], 8))
        asked[0]["mix"]["share"] = [1.0]  # type: ignore[index]
        assert client.post("/api/film", json=film).status_code == 400


# --- what the page asks for ----------------------------------------------------------------


def encoded(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def test_a_dataset_of_kept_faces(client: TestClient, tmp_path: Path) -> None:
    from facegan.data.dataset import Dataset

    z = np.random.default_rng(1).standard_normal((3, 8))
    faces = [
        {"z": encoded(row), "name": "seed000001", "edits": edits}
        for row, edits in zip(z, ({}, {"Smiling": 1.5}, {"Smiling": -1, "Age": 2}), strict=True)
    ]
    answer = client.post("/api/dataset", json={"faces": faces})
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    dataset = Dataset.open(tmp_path / "faces")
    assert len(dataset) == 3
    assert dataset.label_names == ("Age", "Smiling")
    assert np.array_equal(dataset.labels, [[0, 0], [0, 1.5], [2, -1]])


@pytest.mark.parametrize("format_", ["webp", "apng", "mp4"])
def test_films(client: TestClient, model: Path, format_: str) -> None:
    if format_ == "mp4":
        pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")
        assert "mp4" in client.get("/api/model").json()["can"]["films"]
    z = np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32)
    body = {"faces": [{"z": encoded(row)} for row in z], "frames": 9, "format": format_}
    answer = client.post("/api/film", json=body)
    assert answer.status_code == 200, answer.text
    if format_ == "mp4":
        assert answer.content[4:8] == b"ftyp"
        return
    with open_picture(io.BytesIO(answer.content)) as film:
        assert film.n_frames == 9  # type: ignore[attr-defined]
        film.seek(3)
        shown = np.asarray(film.convert("RGB")).astype(int)
    expected = open_generator(model, device="cpu").pictures_at(torch.from_numpy(z[1:2]))[0]
    assert np.abs(shown - enlarged(expected, 8)).max() <= 2
    one = {"faces": [{"z": encoded(z[0])}], "format": format_}
    assert client.post("/api/film", json=one).status_code == 400
    long = body | {"loop": False, "frames": 721}
    assert client.post("/api/film", json=long).status_code == 400


def test_a_walk_in_the_page_is_that_of_a_film(model: Path) -> None:
    from node import NODE, run

    from facegan.generation.inputs import walked
    from facegan.networks.interfaces import Latent

    if NODE is None:
        pytest.skip("node is not installed")
    z = np.random.default_rng(1).standard_normal((2, 8)).astype(np.float32)
    z[:, 5:] *= 3  # three numbers of noise
    for distribution in ("normal", "uniform"):
        found = run(
            """
            import { between, eased } from "FRONT/face.js";
            const latent = { size: 5, noise: 3, distribution: given.distribution };
            const [a, b] = given.z.map((z) => ({ z: Float32Array.from(z), row: null }));
            const made = [0, 1, 2, 3].map((i) => between(a, b, eased(i / 4), { latent }));
            console.log(JSON.stringify(made.map(({ z }) => [...z])));
            """,
            {"z": z.tolist(), "distribution": distribution},
        )
        latent = Latent(size=5, distribution=distribution)  # type: ignore[arg-type]
        steps = walked(Inputs(z), 4, latent, loop=False)
        expected = np.concatenate([step.z for step in steps])[:4]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_reading_of_faces(client: TestClient) -> None:
    z = np.random.default_rng(1).standard_normal((2, 8))
    answer = client.post("/api/read", json={"faces": [{"z": encoded(row)} for row in z]})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert "Smiling" in found["names"]
    assert np.array(found["values"]).shape == (2, len(found["names"]))
    assert min(found["spread"]) > 0


@pytest.mark.parametrize("z", ["", "!!!", encoded(np.zeros(7)), encoded(np.full(8, np.inf))])
def test_faces_that_make_no_sense(client: TestClient, z: str) -> None:
    for path in ("/api/read", "/api/dataset"):
        assert client.post(path, json={"faces": [{"z": z}]}).status_code == 400


def test_hostile_photographs(client: TestClient) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 80, 70)).save(picture, "PNG")
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR"
    bomb += struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0) + b"\0" * 64
    for data in (b"", b"no picture", eps, bomb, picture.getvalue()[:80], picture.getvalue()):
        answer = client.post("/api/photograph", content=data)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]
    assert client.post("/api/photograph", content=b"x" * 40_000_001).status_code == 413


@pytest.mark.slow
def test_a_photograph_becomes_a_face_of_the_generator() -> None:
    """A face of the box's own generator, enlarged, tilted and set aside in a larger picture."""
    import cv2

    own = of_seeds(Path("lfw-64"), [30])[0]
    large = cv2.resize(own, (400, 400), interpolation=cv2.INTER_CUBIC)
    canvas = np.full((700, 900, 3), 120, np.uint8)
    canvas[150:550, 260:660] = large
    turn = cv2.getRotationMatrix2D((450, 350), 12, 1)
    canvas = cv2.warpAffine(canvas, turn, (900, 700), borderMode=cv2.BORDER_REFLECT)
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, "JPEG", quality=92)
    with served(Path("lfw-64")) as client:
        answer = client.post("/api/photograph", content=file.getvalue())
        assert answer.status_code == 200, answer.text
        told = answer.json()
        with open_picture(io.BytesIO(base64.b64decode(told["seen"]))) as file_seen:
            seen = np.asarray(file_seen).astype(int)
        assert np.abs(seen - own).mean() < 30  # turned back, and cut as it was
        assert told["difference"] < 20
        assert "The generator holds" in told["verdict"]
        made = raw(
            client.post(
                "/api/pictures",
                json={
                    "latents": [np.frombuffer(base64.b64decode(told["face"]["z"]), "<f4").tolist()],
                    "format": "raw",
                },
            )
        )
        assert abs(np.abs(made[0] - seen).mean() - told["difference"]) < 0.5


# --- runs ----------------------------------------------------------------------------------


def test_runs_are_told_and_nothing_beside_them(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "recipe.toml").write_text("name = 'x'")
    (run_folder / "linked").symlink_to(tmp_path / "secret")
    with served(run_folder) as client:
        runs = client.get("/api/runs").json()["runs"]
        assert [run["name"] for run in runs] == ["a", "b"]
        assert {run["state"] for run in runs} == {"finished"}
        told = client.get(f"/api/runs/{runs[0]['id']}").json()
        assert told["samples"]
        assert told["seen"] == 192
        assert any(curve["title"] == "Losses" for curve in told["curves"])
        name = told["samples"][-1]
        sample = client.get(f"/api/runs/{runs[0]['id']}/samples/{name}")
        assert sample.content == (run_folder / "a" / "samples" / name).read_bytes()
        for wrong in ("recipe.toml", "..%2frecipe.toml", "000000.001k.png", "x.png"):
            assert client.get(f"/api/runs/{runs[0]['id']}/samples/{wrong}").status_code == 404
        assert client.get("/api/runs/0:linked").status_code == 404
        # The generator is that of the first run.
        assert raw(client.get("/api/pictures?format=raw")).shape == (1, 32, 32, 3)
    (run_folder / "linked").unlink()


def test_a_folder_without_a_generator_can_be_watched(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        told = client.get("/api/model").json()
        assert told["model"] is None
        assert told["can"]["watch"] is True
        assert client.get("/api/runs").json() == {"runs": []}
        assert client.get("/api/pictures").status_code == 404


# --- what is said of it --------------------------------------------------------------------


def test_the_description_fits_the_routes(client: TestClient) -> None:
    described = client.get("/api/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    text = json.dumps(described)
    assert {"MixRequest", "PicturesRequest"} <= set(described["components"]["schemas"])
    query = described["paths"]["/api/pictures"]["get"]["parameters"]
    for parameter in query:  # each of them is known: another name would be refused as such
        answer = client.get("/api/pictures", params={parameter["name"]: "?"})
        assert "no parameter" not in answer.json()["error"], parameter["name"]
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        found: Any = described
        for key in reference.split("/"):
            found = found[key]
    for path, operations in described["paths"].items():
        real = path.replace("{run}", "0").replace("{name}", "x")
        for method in operations:
            assert client.request(method.upper(), real).status_code != 405, path


def test_metrics_count_by_declared_routes_alone(client: TestClient) -> None:
    client.get("/api/pictures?seeds=0-9&format=raw")
    client.get("/api/runs/a-name-that-somebody-made-up")
    text = client.get("/api/metrics").text
    assert 'facegan_requests_total{route="/api/pictures",status="200"}' in text
    assert "made-up" not in text
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert name
            float(value)
