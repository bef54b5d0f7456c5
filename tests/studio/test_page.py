"""The exported page's parts: what it is put together from, and what cannot get out of it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from node import NODE, needs_node

from facegan.editing.components import components_of, moved
from facegan.generation.generator import open_generator
from facegan.studio import assets
from facegan.studio.about import page_about
from facegan.studio.page import page


def test_the_runtime_is_what_was_noted_and_has_its_licence() -> None:
    about = json.loads(assets.runtime("about.json"))
    module, wasm = about["sha256"]
    assert hashlib.sha256(assets.runtime(module)).hexdigest() == about["sha256"][module]
    unpacked = gzip.decompress(assets.runtime(f"{wasm}.gz"))
    assert hashlib.sha256(unpacked).hexdigest() == about["sha256"][wasm]
    assert unpacked.startswith(b"\0asm")
    assert about["version"].encode() in assets.runtime(module)[:200]
    assert b"MIT License" in assets.runtime("LICENSE")
    assert b"protobuf" in gzip.decompress(assets.runtime("ThirdPartyNotices.txt.gz"))


def test_modules_come_after_those_that_they_use() -> None:
    names = assets.modules()
    assert names[-1] == assets.ENTRY
    folder = Path(assets.__file__).parent / "front"
    assert set(names) == {path.name for path in folder.glob("*.js")}
    for place, name in enumerate(names):
        for line in assets.front(name).splitlines():
            if line.startswith("import "):
                assert line.split('"')[1].removeprefix("./") in names[:place], (name, line)


@needs_node
def test_all_modules_together_are_one_script(tmp_path: Path) -> None:
    text = assets.script()
    assert not re.search(r"^(import|export)\b", text, re.MULTILINE)
    (tmp_path / "all.mjs").write_text(text, "utf-8")
    # A name that two modules declare would be an error here.
    subprocess.run([str(NODE), "--check", str(tmp_path / "all.mjs")], check=True, timeout=60)


def test_nothing_that_a_model_says_gets_out_of_its_place(model: Path) -> None:
    about = page_about(open_generator(model, device="cpu"), "x</script><img src=x>", None)
    text = page(about, b"graph")
    assert "<img" not in text
    boot = re.search(r'<script type="application/json" id="boot">(.*?)</script>', text)
    assert boot is not None
    assert json.loads(boot[1])["model"]["name"] == "x</script><img src=x>"
    # The policy names the one script and the one style that are there.
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    for element in ("style>", 'script type="module">'):
        begin = text.index(f"<{element}") + len(element) + 1
        content = text[begin : text.index(f"</{element.split('>')[0].split()[0]}>", begin)]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]


def test_components_change_pictures_and_are_kept(model: Path, monkeypatch: Any) -> None:
    opened = open_generator(model, device="cpu")
    found = components_of(opened)
    assert found.shape == (8, 8)
    gram = found @ found.T
    np.testing.assert_allclose(gram, np.diag(gram.diagonal()), atol=1e-5)
    np.testing.assert_allclose(gram.diagonal(), 8 / 36, rtol=1e-5)
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32))

    def change(component: int) -> float:
        one, other = (opened.pictures_at(moved(opened, z, {component: a})) for a in (-1, 1))
        return float(np.abs(one.astype(int) - other).mean())

    changes = [change(component) for component in range(8)]
    assert np.mean(changes[:3]) > np.mean(changes[-3:])
    step = moved(opened, z, {0: 2.0, 3: -1.0})
    torch.testing.assert_close(step.norm(dim=1), z.norm(dim=1))
    # The second time they are read, not computed.
    monkeypatch.setattr("facegan.editing.components._computed", None)
    assert np.array_equal(components_of(opened), found)


def test_a_uniform_latent_stays_where_it_is_drawn(tiny: Any, tmp_path: Path) -> None:
    from small_generators import write_generator

    def uniform(name: str, *settings: str) -> Any:
        return tiny(name, "generator.latent.distribution=uniform", *settings)

    opened = open_generator(write_generator(uniform, tmp_path / "u.safetensors"), device="cpu")
    z = torch.rand(20, 8) * 2 - 1
    assert moved(opened, z, {0: 5.0}).abs().max() == 1.0
    assert torch.equal(moved(opened, z, {}), z)


@pytest.mark.slow
def test_a_page_replaces_another_only_if_asked(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    from facegan.errors import FaceganError
    from facegan.studio.page import export_page

    target = tmp_path / "faces.html"
    target.write_text("mine")
    with pytest.raises(FaceganError, match="there already"):
        export_page(model, target)
    assert target.read_text() == "mine"
    made = export_page(model, target, overwrite=True)
    first = target.read_bytes()
    assert made.size == len(first)
    assert made.directions == 2
    assert export_page(model, target, overwrite=True).size == made.size
    assert target.read_bytes() == first
