"""`facegan studio` and `facegan serve` as processes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for _package in ("starlette", "uvicorn", "websockets", "httpx"):
    pytest.importorskip(_package, reason=f"{_package} is not installed")
import httpx  # noqa: E402

from facegan.errors import FaceganError  # noqa: E402
from facegan.generation.generator import open_generator  # noqa: E402
from facegan.studio.serving import sort_out  # noqa: E402


@contextlib.contextmanager
def running(*arguments: str, **environment: str) -> Iterator[tuple[Any, list[str]]]:
    """A command that runs until Ctrl-C, and the lines that it says when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "facegan", *arguments, "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"} | environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    if "http" not in lines[0]:
        raise AssertionError(process.communicate(timeout=60))
    try:
        yield process, lines
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert said == ""


def address_in(line: str) -> str:
    found = re.search(r"http://[\w.:]+", line)
    assert found is not None
    return found[0]


def get(address: str, **more: Any) -> httpx.Response:
    return httpx.get(address, trust_env=False, timeout=60, **more)


def test_serve(model: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sixteen-letters-or-more\n")
    bearer = {"Authorization": "Bearer sixteen-letters-or-more"}
    with running("serve", str(model), "--port", "0", "--token-file", str(tmp_path / "token")) as (
        process,
        lines,
    ):
        address = address_in(lines[0])
        assert "sixteen" not in lines[0]
        assert get(f"{address}/api/health").json() == {"status": "ok"}
        assert get(f"{address}/api/model").status_code == 401
        made = get(f"{address}/api/pictures?seeds=3&format=raw", headers=bearer)
        pictures = np.frombuffer(made.content, np.uint8).reshape(1, 32, 32, 3)
        expected = np.concatenate(list(open_generator(model, device="cpu").pictures([3])))
        assert np.abs(pictures.astype(int) - expected).max() <= 1
        # Something that is no HTTP at all, and a request that is cut short, hurt nobody.
        port = int(address.rpartition(":")[2])
        for data in (b"\0\1\2\3\r\n\r\n", b"GET /api/health HTTP/1.1\r\nHost: 127", b"G" * 200_000):
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                connection.sendall(data)
        for line in (b"Host: a\r\nHost: b", b"Content-Length: -1", b"Content-Length: 9x"):
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                connection.sendall(b"GET /api/model HTTP/1.1\r\n" + line + b"\r\n\r\n")
                answer = connection.recv(1000).split(b"\r\n")[0]
                assert answer.split()[1] in (b"400", b"421", b"413"), answer
        assert get(f"{address}/api/health").status_code == 200
        assert process.poll() is None


def test_what_is_still_computed_when_it_ends_is_nobodys_traceback(
    model: Path, tmp_path: Path
) -> None:
    import base64
    import threading

    with running("studio", str(model), "--no-browser") as (_, lines):
        address = address_in(lines[0])
        token = lines[0].strip().rpartition("=")[2]
        z = base64.b64encode(np.zeros(8, "<f4").tobytes()).decode()
        sent = threading.Event()

        def ask() -> None:
            # The first time that faces are read takes seconds.
            sent.set()
            with contextlib.suppress(httpx.HTTPError):
                httpx.post(
                    f"{address}/api/read",
                    json={"faces": [{"z": z}] * 200},
                    headers={"Authorization": f"Bearer {token}"},
                    trust_env=False,
                    timeout=120,
                )

        asking = threading.Thread(target=ask)
        asking.start()
        assert sent.wait(10)
        while (
            "facegan_pictures_total 0"
            in get(f"{address}/api/metrics", headers={"Authorization": f"Bearer {token}"}).text
        ):
            pass
    asking.join(60)


def test_a_token_is_made_and_told_where_none_is_given(model: Path) -> None:
    with running("serve", str(model), "--port", "0") as (process, lines):
        lines.append(process.stdout.readline())
        token = lines[1].split()[-1]
        assert len(token) >= 32
        bearer = {"Authorization": f"Bearer {token}"}
        assert get(address_in(lines[0]) + "/api/metrics", headers=bearer).status_code == 200


def test_the_studio_listens_on_loopback_alone_and_its_port_is_not_shared(model: Path) -> None:
    with running("studio", str(model), "--no-browser") as (_, lines):
        address = address_in(lines[0])
        port = address.rpartition(":")[2]
        others = {
            found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
        }
        # Another address of loopback stands for all others, where there is no network.
        for other in (others | {"127.0.0.2"}) - {"127.0.0.1", "127.0.1.1"}:
            with (
                pytest.raises((ConnectionError, TimeoutError)),
                socket.create_connection((other, int(port)), 5),
            ):
                pass
        again = subprocess.run(
            [sys.executable, "-m", "facegan", "studio", str(model), "--no-browser", "--port", port],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert again.returncode == 2
        assert port in again.stderr
        assert "--port" in again.stderr


def test_what_is_given_is_sorted_out(model: Path, run_folder: Path, tmp_path: Path) -> None:
    opened = sort_out([model, run_folder / "a", run_folder])
    assert opened.generator == model
    assert opened.runs == (run_folder / "a",)
    assert opened.folders == (run_folder,)
    assert sort_out([]).generator is None
    assert sort_out(["lfw-64"]).generator == "lfw-64"
    with pytest.raises(FaceganError, match="2 generators"):
        sort_out([model, "lfw-64"])
    with pytest.raises(FaceganError, match="does not exist"):
        sort_out([tmp_path / "nothing"])
