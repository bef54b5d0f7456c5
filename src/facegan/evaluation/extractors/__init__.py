"""Feature extractors by name: the spaces in which pictures are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from facegan.errors import FaceganError, nearest

if TYPE_CHECKING:
    import torch

    from facegan.evaluation.extractors.base import Extractor

# `efflite0@SIDE` is allowed besides.
EXTRACTOR_NAMES = ("efflite0", "faces", "inception")

_EFFLITE = re.compile(r"efflite0(?:@(?P<side>[0-9]{1,9}))?")


def open_extractor(
    name: str, device: torch.device | str = "cpu", *, own: bool = False
) -> Extractor:
    """Load a feature extractor.

    Args:
        name: one of

            - `efflite0`: EfficientNet-Lite0 at 224 pixels, trained on ImageNet; works offline;
            - `efflite0@SIDE`: the same network at another side, a multiple of 32 from 32 to
              320. `efflite0@64` costs a tenth, for looking at while training;
            - `faces`: dlib's face identity, through the extra `faces`;
            - `inception`: the InceptionV3 of FID, where its weights are on this machine;
            - with `own`, the path of a `.toml` file that describes a network of your own: see
              `facegan.evaluation.extractors.custom`.
        device: where the network runs; `faces` always runs on the CPU.
        own: whether the name comes from the person at the keyboard. A network computes, so no
            recipe, plan, trial or model may name a file of one.

    Raises:
        FaceganError: if there is no such extractor, or what it needs is missing.
    """
    if name.endswith(".toml"):
        if not own:
            raise _named_by_a_file(name)
        from facegan.evaluation.extractors.custom import open_custom

        return open_custom(name, device)
    match = _EFFLITE.fullmatch(name)
    if match is not None:
        from facegan.evaluation.extractors.efflite import SIDE, EffLite

        return EffLite(int(match["side"] or SIDE), device)
    if name == "faces":
        from facegan.evaluation.extractors.faces import FaceIdentity

        return FaceIdentity()
    if name == "inception":
        from facegan.evaluation.extractors.inception import Inception

        return Inception(device)
    raise FaceganError(
        f"There is no extractor {name!r}.",
        f"{nearest(name, EXTRACTOR_NAMES)} Also efflite0@SIDE, such as efflite0@64, and the path "
        "of a .toml file that describes an extractor of your own.",
    )


def require_shipped(names: Iterable[str]) -> None:
    """Refuse an extractor that is a file: for names that a recipe, plan or trial gave."""
    for name in names:
        if name.endswith(".toml"):
            raise _named_by_a_file(name)


def _named_by_a_file(name: str) -> FaceganError:
    return FaceganError(
        f"The extractor {name!r} is a file, and a recipe, a plan or a trial may not name one: "
        "a network from elsewhere is loaded only where you name it yourself.",
        f"Name one of {', '.join(EXTRACTOR_NAMES)} there, and measure with your own afterwards: "
        "facegan evaluate RUN --data DATA --extractor FILE.toml",
    )
