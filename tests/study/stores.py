"""An S3 server of this machine, for tests."""

from __future__ import annotations

import contextlib
import logging
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest


class S3:
    """The server, with one bucket."""

    def uri(self, prefix: str) -> str:
        return f"s3://studies/{quote(prefix)}"

    def files(self, uri: str) -> list[str]:
        """What is below a prefix, without datasets and the marks of folders."""
        from pyarrow import fs

        files, prefix = fs.FileSystem.from_uri(uri)
        selector = fs.FileSelector(prefix, allow_not_found=True, recursive=True)
        found = files.get_file_info(selector)
        names = [str(info.path) for info in found if info.is_file]
        return [name for name in names if "/datasets/" not in name]

    def held(self, study: Path, storage: str | None, checkpoint: str) -> int:
        """How many trials have a checkpoint where all nodes reach it."""
        if storage is None:
            return len(list(study.glob(f"trials/*/run/checkpoints/{checkpoint}")))
        from pyarrow import fs

        count = 0
        files, _ = fs.FileSystem.from_uri(storage)
        for name in (name for name in self.files(storage) if name.endswith(".tar")):
            # It may be replaced or removed meanwhile.
            with (
                contextlib.suppress(OSError, tarfile.ReadError),
                files.open_input_stream(name) as stream,
                tarfile.open(fileobj=stream, mode="r|") as tar,
            ):
                count += any(checkpoint in member.name for member in tar)
        return count


@contextlib.contextmanager
def s3_server() -> Iterator[S3]:
    """Moto's server, named in the environment of this process and of those that it starts."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    fs = pytest.importorskip("pyarrow.fs", reason="pyarrow is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
            patch.setenv("AWS_ACCESS_KEY_ID", "any")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "any")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            files, bucket = fs.FileSystem.from_uri("s3://studies?allow_bucket_creation=true")
            files.create_dir(bucket)
            yield S3()
    finally:
        running.stop()
