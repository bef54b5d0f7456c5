"""Extractors that users bring: TorchScript and ONNX files with a few lines of TOML."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facegan.errors import FaceganError
from facegan.evaluation.extractors import open_extractor
from facegan.evaluation.extractors.base import Extractor

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")

LINES = {
    "file": "'net.pt'",
    "size": "16",
    "mean": "[0.5, 0.25, 0]",
    "std": "[0.5, 1, 2]",
}


class Mean(nn.Module):
    """The average colour: [N, 3]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class Map(nn.Module):
    """[N, 3, 2, 2]."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(x, 2)


class Cell(nn.Module):
    """[N, 3, 1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


class Flat(nn.Module):
    """[3·N]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)).flatten()


class NotANumber(nn.Module):
    """NaN where the picture is dark."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)).log()


class Pair(nn.Module):
    """Two tensors."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean((2, 3)), x


class Neighbours(nn.Module):
    """Features that depend on the whole batch, as a batch norm's in training."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3)) - x.mean((0, 2, 3))


class OtherSide(nn.Module):
    """Takes 8 × 8 pixels and nothing else."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ torch.ones(3 * 8 * 8, 4)


def write(folder: Path, module: nn.Module | None = None, **lines: str) -> str:
    """`net.pt` and the TOML file that describes it; lines that are empty are left out."""
    if module is not None:
        torch.jit.script(module).save(str(folder / "net.pt"))
    said = {key: value for key, value in (LINES | lines).items() if value}
    path = folder / "mine.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in said.items()), "utf-8")
    return str(path)


def opened(folder: Path, module: nn.Module | None = None, **lines: str) -> Extractor:
    return open_extractor(write(folder, module, **lines))


@pytest.mark.parametrize("module", [Mean(), Map(), Cell()], ids=lambda module: module.__doc__)
def test_torchscript(tmp_path: Path, module: nn.Module) -> None:
    extractor = opened(tmp_path, module)
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
    first = opened(tmp_path, Mean()).fingerprint
    assert opened(tmp_path).fingerprint == first
    for change in ({"size": "32"}, {"mean": "[0.5, 0.5, 0]"}, {"std": "[1, 1, 2]"}):
        assert opened(tmp_path, **change).fingerprint != first
    assert opened(tmp_path, Map()).fingerprint != first
    # A name changes nothing, and a wrong hash is refused.
    opened(tmp_path, Mean())
    data = (tmp_path / "net.pt").read_bytes()
    right = hashlib.sha256(data).hexdigest()
    named = opened(tmp_path, name="'other'", sha256=f"'{right.upper()}'")
    assert (named.name, named.fingerprint == opened(tmp_path).fingerprint) == ("other", True)
    with pytest.raises(FaceganError, match="its SHA-256 is"):
        opened(tmp_path, sha256=f"'{'0' * 64}'")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Flat(), r"output of shape \[6\] for 2 picture"),
        (NotANumber(), "not finite"),
        (Pair(), "gives a tuple, not a tensor"),
        (Neighbours(), "other features when another is beside it"),
        (OtherSide(), r"cannot process pictures of shape \[2, 3, 16, 16\]: RuntimeError: mat1"),
    ],
)
def test_networks_that_are_no_extractors(tmp_path: Path, module: nn.Module, message: str) -> None:
    with pytest.raises(FaceganError, match=message):
        opened(tmp_path, module)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    torch.save(Evil(), tmp_path / "net.pt")
    with pytest.raises(FaceganError, match="is not TorchScript"):
        opened(tmp_path)
    (tmp_path / "net.pt").write_bytes(b"")
    with pytest.raises(FaceganError, match="is not TorchScript"):
        opened(tmp_path)
    assert not (tmp_path / "ran").exists()


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
        ({"file": "'none.pt'"}, r"none.pt cannot be read.*\n.*names it"),
        ({"file": "'mine.toml'"}, r"no network that facegan can read.*\n.*Pickled"),
        ({"size": "="}, "not valid TOML"),
    ],
)
def test_what_the_toml_file_may_not_say(
    tmp_path: Path, lines: dict[str, str], message: str
) -> None:
    with pytest.raises(FaceganError, match=message):
        opened(tmp_path, Mean(), **lines)


def test_a_toml_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FaceganError, match=r"no.toml cannot be read"):
        open_extractor(str(tmp_path / "no.toml"))
