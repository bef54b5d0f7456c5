"""A generator as an ONNX graph: for other programs, other languages, and browsers.

Inputs are `z`, float32 [n, Z + noise], and for a generator with labels `labels`, float32 [n, L]
as networks see them (NaN where unknown). A graph that mixes faces has, for each of these, another
of the faces that are mixed in, `fine` and `fine_labels`, and `share`, float32 [n, R] in [0, 1], of
them at each of the generator's modulated resolutions; with 0 they leave no trace. The output is
`images`, float32 [n, C, H, W] in the recipe's range. n is free. The file's metadata says how to
turn that range into bytes.

The graph comes from a plain copy of the network: weights that are computed (spectral or weight
normalisation) are computed once, facegan's own forms of convolutions, whose autograd functions
no exporter knows, are PyTorch's operators again, and batch normalisation with fixed statistics is
a scale and a shift of its own. So every kernel in the file is one of the generator's, and in half
precision is rounded as `GeneratorFile.halved` rounds it.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facegan.errors import FaceganError, one_line
from facegan.models.file import GeneratorFile
from facegan.networks.interfaces import Generator
from facegan.seeding import image_random
from facegan.version import __version__

KEY = "facegan"
# The opset is the exporter's own; ONNX Runtime of the last two years reads it.
OPSET = 20
# More numbers than this are worth half a kilobyte less and a node more.
_WORTH_HALVING = 256


def onnx_bytes(loaded: GeneratorFile, half: bool = False, mixing: bool = False) -> bytes:
    """The content of an ONNX file. The same generator always gives the same bytes.

    Args:
        loaded: the generator; it stays as it is.
        half: whether matrices and kernels are stored in float16, which halves the file. They are
            turned into float32 when the graph is loaded: the arithmetic stays the same.
        mixing: whether the graph also takes faces to mix in, where the generator can.

    Raises:
        FaceganError: onnx or onnxscript is missing, or the exporter does not know an operation
            of this network (of a plug-in, say).
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  # the exporter's translations
    except ImportError as error:
        raise FaceganError(
            f"ONNX files need onnx and onnxscript: {error}.",
            "Install them: pip install 'facegan[onnx]'.",
        ) from error
    network: _Named = _Named(plain(loaded.generator))
    labels = len(loaded.generator.spec.labels)
    widths = {"z": network.numbers} | ({"labels": labels} if labels else {})
    if mixing and loaded.generator.modulated:
        network = _Mixing(plain(loaded.generator))
        widths |= {f"fine_{name}".removesuffix("_z"): width for name, width in widths.items()}
        widths["share"] = len(loaded.generator.modulated)
    network.eval()
    inputs = [torch.zeros(2, width) for width in widths.values()]
    names, shapes = list(widths), [{0: torch.export.Dim("n")}] * len(widths)
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                network,
                tuple(inputs),
                dynamo=True,
                opset_version=OPSET,
                input_names=names,
                output_names=["images"],
                dynamic_shapes=(tuple(shapes),),
                verbose=False,
            )
        assert program is not None
        model = program.model_proto
        if not all(tensor.type.tensor_type.shape.dim[0].dim_param for tensor in model.graph.input):
            raise ValueError("its network asks how many pictures there are, as with len()")
    except Exception as error:  # the exporter lets out whatever its parts let out
        raise FaceganError(
            f"This generator cannot be written as ONNX: {one_line(error)}",
            "PyTorch's exporter must know each operation of its network.",
        ) from error
    _forget_where_it_was_made(model)
    model.producer_name, model.producer_version = "facegan", __version__
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(about(loaded))
    if half:
        _halve(model)
    onnx.checker.check_model(model)
    data = model.SerializeToString(deterministic=True)
    assert isinstance(data, bytes)
    return data


def about(loaded: GeneratorFile) -> dict[str, Any]:
    """What a program must know of a graph to draw pictures with it, as JSON."""
    spec, latent = loaded.generator.spec, loaded.generator.latent
    return {
        "version": __version__,
        "recipe": loaded.recipe.name,
        "kimg": loaded.images_seen / 1000,
        "dataset": loaded.dataset.get("name"),
        "licence": loaded.dataset.get("licence"),
        "resolution": spec.resolution,
        "channels": spec.channels,
        "labels": [asdict(label) for label in spec.labels],
        "latent": {
            "size": latent.size,
            "noise": loaded.generator.noise,
            "distribution": latent.distribution,
        },
        "pixels": asdict(loaded.pixels),
    }


def plain(generator: Generator) -> Generator:
    """A copy on the CPU, made of PyTorch's own layers with plain weights: it only makes pictures.

    Args:
        generator: in evaluation mode; it stays as it is.
    """
    network = copy.deepcopy(generator).cpu().eval().requires_grad_(False)
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            # Computed weights are read, and never taken off: copies share the class that has them.
            if isinstance(layer, nn.ConvTranspose2d | nn.Conv2d):
                setattr(parent, name, _convolution(layer))
            elif isinstance(layer, nn.Linear):
                made = nn.Linear(1, 1, layer.bias is not None, device="meta")
                setattr(parent, name, _filled(made, layer))
            elif isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
                setattr(parent, name, _ScaleAndShift(layer))
    # As the weights lie in memory decides which form facegan's own operators take.
    return network.to(memory_format=torch.contiguous_format).requires_grad_(False)  # type: ignore[call-overload]


def largest_difference(data: bytes, loaded: GeneratorFile, n: int = 3) -> float | None:
    """How far ONNX Runtime's pictures from a graph are from PyTorch's, for n latents.

    Args:
        data: the graph.
        loaded: the generator that it was made from.
        n: how many pictures.

    Returns:
        The largest absolute difference of any value, in the recipe's range; None where ONNX
        Runtime is not installed.
    """
    network = plain(loaded.generator)
    random = image_random(0)
    z, labels = network.draw(random, n), network.draw_labels(random, n)
    try:
        made = run(data, z.numpy(), None if labels is None else labels.numpy())
    except ImportError:
        return None
    with torch.no_grad():
        expected = network(z, labels).numpy()
    return float(np.abs(made - expected).max())


def run(
    data: bytes, z: np.ndarray, labels: np.ndarray | None = None, **mixture: np.ndarray
) -> np.ndarray:
    """Images float32 [n, C, H, W] that ONNX Runtime makes of latents, on one thread of the CPU.

    A graph that mixes faces also takes `fine`, `fine_labels` and `share`; without them, nothing is
    mixed in.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    given = {"z": z} if labels is None else {"z": z, "labels": labels}
    for tensor in session.get_inputs():
        if tensor.name == "share":
            none = {f"fine_{name}".removesuffix("_z"): each for name, each in given.items()}
            none["share"] = np.zeros((len(z), tensor.shape[1]), np.float32)
            given |= none | mixture
    (images,) = session.run(["images"], given)
    assert images.dtype == "float32"
    return images


def _convolution(layer: nn.ConvTranspose2d | nn.Conv2d) -> nn.Module:
    """The same as PyTorch's own class."""
    kind = nn.ConvTranspose2d if isinstance(layer, nn.ConvTranspose2d) else nn.Conv2d
    made = kind(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]  # as their constructors wrote it
        stride=layer.stride,  # type: ignore[arg-type]
        padding=layer.padding,  # type: ignore[arg-type]
        dilation=layer.dilation,  # type: ignore[arg-type]
        groups=layer.groups,
        bias=layer.bias is not None,
        device="meta",
    )
    if isinstance(layer, nn.ConvTranspose2d):
        made.output_padding = layer.output_padding
    return _filled(made, layer)


def _filled(made: nn.Module, layer: nn.Linear | nn.ConvTranspose2d | nn.Conv2d) -> nn.Module:
    made.register_parameter("weight", nn.Parameter(layer.weight.detach()))
    bias = None if layer.bias is None else nn.Parameter(layer.bias.detach())
    made.register_parameter("bias", bias)
    return made


class _ScaleAndShift(nn.Module):
    """Batch normalisation with fixed statistics, which no exporter folds into a convolution."""

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = torch.rsqrt(norm.running_var + norm.eps)
        scale = scale if norm.weight is None else scale * norm.weight
        shift = -norm.running_mean * scale
        shift = shift if norm.bias is None else shift + norm.bias
        self.register_buffer("scale", scale.detach()[:, None, None])
        self.register_buffer("shift", shift.detach()[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


class _Named(nn.Module):
    """A generator whose inputs the exporter can name: with labels only where it has some."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator
        self.numbers = generator.latent.size + generator.noise

    def forward(self, *given: Tensor) -> Tensor:
        z, labels = (*given, None)[:2]
        images: Tensor = self.generator(z, labels)
        return images


class _Mixing(_Named):
    """The same that mixes faces: its inputs, those of the faces that are mixed in, and shares."""

    def forward(self, *given: Tensor) -> Tensor:
        *faces, share = given
        z, labels, fine, fine_labels = (
            faces if len(faces) == 4 else (faces[0], None, faces[1], None)
        )
        images: Tensor = self.generator.mixed(z, labels, fine, fine_labels, share)
        return images


def _forget_where_it_was_made(model: Any) -> None:
    """Remove names of files and lines of this machine, which the exporter notes at each node."""
    del model.metadata_props[:]
    graph = model.graph
    del graph.metadata_props[:]
    graph.doc_string = model.doc_string = ""
    for each in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del each.metadata_props[:]
        each.doc_string = ""


def _halve(model: Any) -> None:
    """Store matrices and kernels in float16, each followed by a cast to float32."""
    from onnx import TensorProto, helper, numpy_helper

    graph, casts = model.graph, []
    for tensor in graph.initializer:
        # A list of numbers stays as it is, also as [C, 1, 1].
        if tensor.data_type != TensorProto.FLOAT or sum(d > 1 for d in tensor.dims) < 2:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < _WORTH_HALVING:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.isfinite(half).all():
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter tells its developers."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
