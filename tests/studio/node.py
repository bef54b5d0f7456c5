"""Runs the front end's modules in Node.js, where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import facegan.studio

FRONT = Path(facegan.studio.__file__).parent / "front"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


def run(code: str, given: Any = None, folder: Path | None = None) -> Any:
    """What a script prints as JSON. It sees `given`, and imports modules from `FRONT`."""
    text = code.replace("FRONT", FRONT.as_uri())
    done = subprocess.run(
        [str(NODE), "--input-type=module", "--eval", f"const given = {json.dumps(given)};\n{text}"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "null")
