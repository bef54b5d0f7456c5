"""Extractors that users bring: ONNX files with a few lines of TOML."""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facegan.errors import FaceganError
from facegan.evaluation.extractors import open_extractor, require_shipped
from facegan.evaluation.extractors.base import Extractor

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")

LINES = {
    "file": "'net.onnx'",
    "size": "16",
    "mean": "[0.5, 0.25, 0]",
    "std": "[0.5, 1, 2]",
}


def onnx_net(path: Path, kind: str = "mean") -> None:
    """A network of one of the kinds below, from "x" [N, 3, 16, 16]."""
    onnx = pytest.importorskip("onnx")
    make, float32 = onnx.helper, onnx.TensorProto.FLOAT
    node = make.make_node
    cell, flat = node("GlobalAveragePool", ["x"], ["cell"]), node("Flatten", ["cell"], ["flat"])
    constants = {
        "six": np.array([-1], np.int64),
        "eight": np.ones((3 * 8 * 8, 4), np.float32),
    }
    nodes = {
        "mean": [cell, node("Flatten", ["cell"], ["y"])],
        "map": [node("AveragePool", ["x"], ["y"], kernel_shape=[8, 8], strides=[8, 8])],
        "cell": [node("GlobalAveragePool", ["x"], ["y"])],
        # [3·N]
        "flat": [cell, node("Reshape", ["cell", "six"], ["y"])],
        # NaN where the picture is dark
        "not a number": [cell, flat, node("Log", ["flat"], ["y"])],
        # features that depend on the whole batch, as a batch norm's in training
        "neighbours": [
            *(cell, flat, node("ReduceMean", ["flat"], ["all"], axes=[0], keepdims=1)),
            node("Sub", ["flat", "all"], ["y"]),
        ],
        # takes 8 × 8 pixels and nothing else, whatever its input says
        "other side": [
            node("Flatten", ["x"], ["pixels"]),
            node("MatMul", ["pixels", "eight"], ["y"]),
        ],
    }[kind]
    used = {name for each in nodes for name in each.input}
    rank = {"flat": ["m"], "map": ["n", 3, 2, 2], "cell": ["n", 3, 1, 1]}.get(kind, ["n", "d"])
    graph = make.make_graph(
        nodes,
        "net",
        [make.make_tensor_value_info("x", float32, ["n", 3, "h", "w"])],
        [make.make_tensor_value_info("y", float32, rank)],
        [onnx.numpy_helper.from_array(v, k) for k, v in constants.items() if k in used],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))


def write(folder: Path, kind: str | None = None, **lines: str) -> str:
    """`net.onnx` and the TOML file that describes it; lines that are empty are left out."""
    if kind is not None:
        onnx_net(folder / "net.onnx", kind)
    said = {key: value for key, value in (LINES | lines).items() if value}
    path = folder / "mine.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in said.items()), "utf-8")
    return str(path)


def opened(folder: Path, kind: str | None = None, **lines: str) -> Extractor:
    return open_extractor(write(folder, kind, **lines), own=True)


@pytest.mark.parametrize("kind", ["mean", "map", "cell"])
def test_vectors_and_maps(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("onnxruntime")
    extractor = opened(tmp_path, kind)
    assert (extractor.name, extractor.dimension) == ("mine", 3)
    assert "to 16 px" in extractor.resizer
    colour = np.array([51, 102, 255], np.uint8)
    found = extractor.features(np.broadcast_to(colour, (20, 30, 30, 3)))
    assert found.dtype == np.float32
    expected = (colour / 255 - [0.5, 0.25, 0]) / [0.5, 1, 2]
    np.testing.assert_allclose(found, np.broadcast_to(expected, (20, 3)), atol=1e-6)


def onnx_file(path: Path, batch: str | int = "n", side: int = 16, external: bool = False) -> None:
    """A network with two outputs: `mean` [N, 3] and `mixed` [N, 4]."""
    onnx = pytest.importorskip("onnx")
    make, float32 = onnx.helper, onnx.TensorProto.FLOAT
    weight = np.arange(12, dtype=np.float32).reshape(3, 4)
    graph = make.make_graph(
        [
            make.make_node("GlobalAveragePool", ["x"], ["pooled"]),
            make.make_node("Flatten", ["pooled"], ["mean"]),
            make.make_node("MatMul", ["mean", "weight"], ["mixed"]),
        ],
        "net",
        [make.make_tensor_value_info("x", float32, [batch, 3, side, side])],
        [
            make.make_tensor_value_info("mean", float32, [batch, 3]),
            make.make_tensor_value_info("mixed", float32, [batch, 4]),
        ],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=9)
    options: dict[str, Any] = {"location": "net.data", "size_threshold": 0} if external else {}
    onnx.save(model, str(path), save_as_external_data=external, **options)


def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    onnx_file(tmp_path / "net.onnx")
    colour = np.array([51, 102, 255], np.uint8)
    images = np.broadcast_to(colour, (20, 30, 30, 3))
    expected = (colour / 255 - [0.5, 0.25, 0]) / [0.5, 1, 2]
    first = opened(tmp_path, file="'net.onnx'", name="'ours'")
    assert (first.name, first.dimension) == ("ours", 3)
    np.testing.assert_allclose(first.features(images)[19], expected, atol=1e-6)
    mixed = opened(tmp_path, file="'net.onnx'", output="'mixed'")
    assert mixed.dimension == 4
    weight = np.arange(12).reshape(3, 4)
    np.testing.assert_allclose(mixed.features(images)[19], expected @ weight, atol=1e-5)
    assert mixed.fingerprint != first.fingerprint


def test_onnx_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    file = tmp_path / "net.onnx"
    onnx_file(file)
    with pytest.raises(FaceganError, match=r"no output 'mixd'.*\n.*mean 'mixed'"):
        opened(tmp_path, file="'net.onnx'", output="'mixd'")
    onnx_file(file, batch=1)
    with pytest.raises(FaceganError, match=r"\[1, 3, 16, 16\].*\n.*N free"):
        opened(tmp_path, file="'net.onnx'")
    onnx_file(file, side=8)
    with pytest.raises(FaceganError, match="does not take pictures of 16 pixels"):
        opened(tmp_path, file="'net.onnx'")
    file.write_bytes(b"junk")
    with pytest.raises(FaceganError, match="cannot be loaded"):
        opened(tmp_path, file="'net.onnx'")
    # Weights beside the file would not be part of the fingerprint.
    onnx_file(file, external=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FaceganError, match="all weights in the one file"):
        opened(tmp_path, file="'net.onnx'")


def test_onnx_without_its_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FaceganError, match="'facegan\\[onnx\\]'"):
        opened(tmp_path, file="'net.onnx'")


def test_the_fingerprint_covers_all_that_decides_the_features(tmp_path: Path) -> None:
    first = opened(tmp_path, "mean").fingerprint
    assert opened(tmp_path).fingerprint == first
    for change in ({"size": "32"}, {"mean": "[0.5, 0.5, 0]"}, {"std": "[1, 1, 2]"}):
        assert opened(tmp_path, **change).fingerprint != first
    assert opened(tmp_path, "map").fingerprint != first
    # A name changes nothing, and a wrong hash is refused.
    opened(tmp_path, "mean")
    data = (tmp_path / "net.onnx").read_bytes()
    right = hashlib.sha256(data).hexdigest()
    named = opened(tmp_path, name="'other'", sha256=f"'{right.upper()}'")
    assert (named.name, named.fingerprint == opened(tmp_path).fingerprint) == ("other", True)
    with pytest.raises(FaceganError, match="its SHA-256 is"):
        opened(tmp_path, sha256=f"'{'0' * 64}'")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("flat", r"output of shape \[6\] for 2 picture"),
        ("not a number", "not finite"),
        ("neighbours", "other features when another is beside it"),
        ("other side", r"cannot process pictures of shape \[2, 3, 16, 16\]"),
    ],
)
def test_networks_that_are_no_extractors(tmp_path: Path, kind: str, message: str) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(FaceganError, match=message):
        opened(tmp_path, kind)


@pytest.mark.parametrize("name", ["net.pt", "net.ts", "net.torchscript", "net.pth", "net"])
def test_nothing_that_could_run_is_loaded(tmp_path: Path, name: str) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    class Writes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            there = torch.from_file("victim", shared=True, size=4, dtype=torch.uint8)
            return x.mean((2, 3)) + there.fill_(65).float().sum()

    pickled = io.BytesIO()
    torch.save(Evil(), pickled)
    scripted = io.BytesIO()
    torch.jit.save(torch.jit.script(Writes()), scripted)
    for data in (pickled.getvalue(), scripted.getvalue(), b""):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FaceganError, match="no network that facegan reads"):
            opened(tmp_path, file=f"'{name}'")
    assert not (tmp_path / "ran").exists()


def test_a_file_is_opened_only_where_the_person_names_it(tmp_path: Path) -> None:
    path = write(tmp_path, "mean")
    with pytest.raises(FaceganError, match="may not name one"):
        open_extractor(path)
    with pytest.raises(FaceganError, match="may not name one"):
        require_shipped(["efflite0", path])
    require_shipped(["efflite0", "efflite0@64", "faces", "inception"])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({"sise": "3"}, "Unknown key 'sise'.*\n.*'size'"),
        ({"size": ""}, "lacks 'size'.\nsize is the side"),
        ({"size": "4"}, "size = 4 is not allowed.\nsize is .* 8 to 1024"),
        ({"size": "'224'"}, "size = '224' is not allowed"),
        ({"mean": "[0.5]"}, r"mean = \[0.5\] is not allowed.\n.*three numbers"),
        ({"mean": "[nan, 0, 0]"}, r"mean = \[nan, 0, 0\] is not allowed"),
        ({"std": "[0, 1, 1]"}, r"std = \[0, 1, 1\] is not allowed.\n.*above 0"),
        ({"std": "[1, 1, 1, 1]"}, r"std = \[1, 1, 1, 1\] is not allowed"),
        ({"name": "'a b'"}, "name = 'a b' is not allowed.\n.*letters"),
        ({"name": "'inception'"}, "called 'inception', which is one of facegan's own"),
        ({"name": "'efflite0@63'"}, "called 'efflite0@63', which is one of facegan's own"),
        ({"sha256": "'123'"}, "sha256 = '123' is not allowed.\n.*64 hex"),
        ({"file": "'none.onnx'"}, r"none.onnx cannot be read.*\n.*names it"),
        ({"file": "'mine.toml'"}, r"no network that facegan reads.*\n.*pickled"),
        ({"size": "="}, "not valid TOML"),
    ],
)
def test_what_the_toml_file_may_not_say(
    tmp_path: Path, lines: dict[str, str], message: str
) -> None:
    with pytest.raises(FaceganError, match=message):
        opened(tmp_path, "mean", **lines)


def test_a_toml_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FaceganError, match=r"no.toml cannot be read"):
        open_extractor(str(tmp_path / "no.toml"), own=True)
