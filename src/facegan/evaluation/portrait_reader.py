"""Reads from a picture how the portrait in it was drawn: a small network, shipped with facegan.

It knows drawn portraits alone (`facegan.portraits`) and says so: pictures that are none
come back as unreadable. `scripts/train_reader.py` makes its weights again.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from facegan.errors import DataError, FaceganError
from facegan.evaluation.cache import Progress, silent
from facegan.evaluation.resize import resize
from facegan.parsing import parse_json
from facegan.portraits import LABEL_NAMES, MODES, VERSION, Parameters, mode_index

# What is read, and its values: the factors of the modes first, in their order, then what tells
# most about the look of a crowd besides. The thirds are of the parameter's range.
ATTRIBUTES: dict[str, tuple[str, ...]] = MODES | {
    "skin_tone": ("lightest third", "middle third", "darkest third"),
    "sunglasses": ("no sunglasses", "sunglasses"),
    "mustache": ("no mustache", "mustache"),
    "grey_hair": ("not grey", "grey"),
    "dyed_hair": ("not dyed", "dyed"),
}
SIZES = tuple(len(values) for values in ATTRIBUTES.values())

# Pictures are read at this side; larger ones are averaged down to it, smaller ones enlarged.
SIDE = 64
# Where the mouth is, in rows and columns of SIDE: all that tells a smile from a straight face
# is a pixel or two, which the halved picture has lost.
MOUTH = (slice(28, 52), slice(16, 48))

WEIGHTS = "weights/portrait-reader.safetensors"
KEY = "facegan"
_BATCH = 250


class Network(nn.Module):
    """A convolutional network over the whole picture, and one over the mouth at full size.

    From pictures float [N, 3, 64, 64] in [0, 1] to logits [N, sum(SIZES) + 1]: those of each
    attribute's values in the order of `ATTRIBUTES`, then one that says "a portrait".
    """

    def __init__(self) -> None:
        super().__init__()
        self.whole = nn.Sequential(
            *_convolution(3, 20, kernel=5, stride=2),
            *_convolution(20, 40, stride=2),
            *_convolution(40, 40),
            *_convolution(40, 60, stride=2),
            *_convolution(60, 60),
            *_convolution(60, 60, stride=2),
            nn.Flatten(),
        )
        self.mouth = nn.Sequential(
            *_convolution(3, 16),
            *_convolution(16, 32, stride=2),
            *_convolution(32, 32),
            *_convolution(32, 24, stride=2),
            nn.Flatten(),
        )
        self.head = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(60 * 4 * 4 + 24 * 6 * 8, 1 + sum(SIZES))
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures to logits."""
        x = 4 * pictures - 2
        mouth = self.mouth(x[:, :, MOUTH[0], MOUTH[1]])
        logits: Tensor = self.head(torch.cat((self.whole(x), mouth), 1))
        return logits


def _convolution(wide: int, narrow: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(wide, narrow, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(narrow),
        nn.ReLU(),
    ]


@dataclass(frozen=True)
class Readings:
    """What was read from N pictures.

    Attributes:
        values: int64 [N, A], the likeliest value of each of the A `ATTRIBUTES`.
        confidence: float64 [N] in [0, 1], the probability that the reader gives to this
            combination of the factors of the modes.
        readable: bool [N], whether the picture shows a portrait at all. The rest means nothing
            where it does not.
    """

    values: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    readable: npt.NDArray[np.bool_]

    @property
    def modes(self) -> npt.NDArray[np.int64]:
        """The mode of each picture, int64 [N] in [0, MODE_COUNT), as `mode_index` counts them."""
        factors = tuple(self.values[:, : len(MODES)].T)
        return np.ravel_multi_index(factors, SIZES[: len(MODES)]).astype(np.int64)


class Reader:
    """A trained network and what is known of it. Make one with `Reader.load`.

    Args:
        network: the network, trained.
        threshold: the logit of "a portrait" from which a picture counts as readable.
        accuracy: how it reads fresh portraits: for "colour" and "grey", by resolution.
    """

    def __init__(
        self, network: Network, threshold: float, accuracy: dict[str, dict[int, float]]
    ) -> None:
        self._network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._threshold, self._accuracy = threshold, accuracy

    @classmethod
    def load(cls, path: Path | None = None) -> Reader:
        """Read the weights.

        Args:
            path: a file that scripts/train_reader.py wrote; by default the shipped one.

        Raises:
            FaceganError: if the file is no such file, or reads portraits of another version.
        """
        tensors, about = _open(path)
        if about["portraits"] != VERSION:
            raise FaceganError(
                f"The portrait reader was trained on portraits of version {about['portraits']}, "
                f"but these are of version {VERSION}.",
                "Train it again: python scripts/train_reader.py.",
            )
        network = Network()
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise _damaged(path, str(error).splitlines()[0]) from error
        accuracy = {
            colours: {int(side): share for side, share in by_side.items()}
            for colours, by_side in about["accuracy"].items()
        }
        return cls(network, about["threshold"], accuracy)

    def accuracy(self, resolution: int, channels: int) -> float:
        """The share of fresh portraits whose mode it reads right, in [0, 1].

        Measured when it was trained, at a few resolutions: of these the largest that is not
        above `resolution` counts, or else the smallest.
        """
        by_side = self._accuracy["grey" if channels == 1 else "colour"]
        return by_side[max((side for side in by_side if side <= resolution), default=min(by_side))]

    def read(self, pictures: npt.NDArray[np.uint8], progress: Progress = silent) -> Readings:
        """Read pictures.

        Args:
            pictures: uint8 [N, H, W, C] with N ≥ 1 and C = 3 (RGB) or 1 (grey).
            progress: called with (pictures read, N).

        Raises:
            DataError: for another shape or type.
        """
        sound = pictures.ndim == 4 and pictures.shape[3] in (1, 3) and pictures.size > 0
        if not sound or pictures.dtype != np.uint8:
            raise DataError(
                f"The pictures to read are {pictures.dtype} {list(pictures.shape)}.",
                "They must be uint8 [N, H, W, C] with N ≥ 1 and C = 3 (RGB) or 1 (grey).",
            )
        logits = []
        for begin in range(0, len(pictures), _BATCH):
            some = pictures[begin : begin + _BATCH]
            with torch.inference_mode():
                logits.append(self._network(prepared(some)))
            progress(begin + len(some), len(pictures))
        *heads, portrait = torch.cat(logits).double().split((*SIZES, 1), dim=1)
        likeliest = [head.softmax(1).max(1) for head in heads]
        sure = torch.stack([found.values for found in likeliest[: len(MODES)]]).prod(0)
        return Readings(
            values=torch.stack([found.indices for found in likeliest], 1).numpy(),
            confidence=sure.numpy(),
            readable=(portrait[:, 0] >= self._threshold).numpy(),
        )


def prepared(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """Pictures uint8 [N, H, W, C] as the network takes them: float32 [N, 3, 64, 64] in [0, 1]."""
    # A copy, because PyTorch takes no memory that is read-only, as that of a dataset is.
    return resize(np.array(pictures), SIDE).float() / 255


def true_values(people: Parameters) -> npt.NDArray[np.int64]:
    """What a perfect reader would read from their portraits, int64 [N, A]."""
    labels = dict(zip(LABEL_NAMES, people.labels().T, strict=True))
    factors = np.unravel_index(mode_index(people), SIZES[: len(MODES)])
    third = np.minimum(3 * people.skin_tone, 2)
    besides = (labels[name] for name in ("Sunglasses", "Mustache", "Gray_Hair", "Dyed_Hair"))
    return np.stack([*factors, third, *besides], axis=1).astype(np.int64)


def _open(path: Path | None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of the file, and what its metadata says."""
    from safetensors import SafetensorError, safe_open

    shipped = resources.files("facegan.evaluation") / WEIGHTS
    with resources.as_file(shipped) as own:
        try:
            with safe_open(path or own, framework="pt") as file:
                about = parse_json((file.metadata() or {})[KEY])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            missing = {"portraits", "threshold", "accuracy"} - about.keys()
            if missing:
                raise KeyError(*missing)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise _damaged(path, str(error)) from error
    return tensors, about


def _damaged(path: Path | None, what: str) -> FaceganError:
    return FaceganError(
        f"{path or 'The shipped ' + WEIGHTS} does not hold a portrait reader: {what}.",
        "Install facegan again, or make the file with python scripts/train_reader.py.",
    )
