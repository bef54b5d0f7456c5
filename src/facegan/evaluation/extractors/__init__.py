"""Feature extractors by name: the spaces in which pictures are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from facegan.errors import FaceganError
from facegan.registry import Registry, unknown_kind

if TYPE_CHECKING:
    import torch

    from facegan.evaluation.extractors.base import Extractor

# (what the name has after its @, "" for nothing; device) → extractor
Opener = Callable[[str, "torch.device | str"], "Extractor"]
EXTRACTORS = Registry[Opener]("extractor")


@EXTRACTORS.named("efflite0")
def _efflite(option: str, device: torch.device | str) -> Extractor:
    from facegan.evaluation.extractors.efflite import SIDE, EffLite

    if option and not (option.isascii() and option.isdigit() and len(option) <= 9):
        raise _unknown(f"efflite0@{option}")
    return EffLite(int(option or SIDE), device)


@EXTRACTORS.named("faces")
def _faces(option: str, device: torch.device | str) -> Extractor:
    from facegan.evaluation.extractors.faces import FaceIdentity

    if option:
        raise _unknown(f"faces@{option}")
    return FaceIdentity()


@EXTRACTORS.named("selfsup")
def _selfsup(option: str, device: torch.device | str) -> Extractor:
    from facegan.evaluation.extractors.selfsup import SelfSupervised

    if option:
        raise _unknown(f"selfsup@{option}")
    return SelfSupervised(device)


@EXTRACTORS.named("inception")
def _inception(option: str, device: torch.device | str) -> Extractor:
    from facegan.evaluation.extractors.inception import Inception

    if option:
        raise _unknown(f"inception@{option}")
    return Inception(device)


def open_extractor(
    name: str | Extractor, device: torch.device | str = "cpu", *, own: bool = False
) -> Extractor:
    """Load a feature extractor.

    Args:
        name: one of

            - `efflite0`: EfficientNet-Lite0 at 224 pixels, trained on ImageNet; works offline;
            - `efflite0@SIDE`: the same network at another side, a multiple of 32 from 32 to
              320. `efflite0@64` costs a tenth, for looking at while training;
            - `selfsup`: a small network that learned from faces without labels; works offline;
            - `faces`: dlib's face identity, through the extra `faces`;
            - `inception`: the InceptionV3 of FID, where its weights are on this machine;
            - another name in `EXTRACTORS`, of a plug-in, with an option of its own after an @;
            - with `own`, the path of a `.toml` file that describes a network of your own: see
              `facegan.evaluation.extractors.custom`;
            - an extractor, which is returned as it is.
        device: where the network runs; `faces` always runs on the CPU.
        own: whether the name comes from the person at the keyboard. A network computes, so no
            recipe, plan, trial or model may name a file of one.

    Raises:
        FaceganError: if there is no such extractor, or what it needs is missing.
    """
    if not isinstance(name, str):
        return name
    if name.endswith(".toml"):
        if not own:
            raise _named_by_a_file(name)
        from facegan.evaluation.extractors.custom import open_custom

        return open_custom(name, device)
    kind, at, option = name.partition("@")
    if kind not in EXTRACTORS or (at and not option):
        raise _unknown(name)
    return EXTRACTORS[kind](option, device)


def _unknown(name: str) -> FaceganError:
    error = unknown_kind(f"There is no extractor {name!r}.", name, EXTRACTORS)
    error.hint += (
        " Also efflite0@SIDE, such as efflite0@64, and the path of a .toml file that describes "
        "an extractor of your own."
    )
    return error


def require_shipped(names: Iterable[str]) -> None:
    """Refuse an extractor that is a file: for names that a recipe, plan or trial gave."""
    for name in names:
        if name.endswith(".toml"):
            raise _named_by_a_file(name)


def _named_by_a_file(name: str) -> FaceganError:
    return FaceganError(
        f"The extractor {name!r} is a file, and a recipe, a plan or a trial may not name one: "
        "a network from elsewhere is loaded only where you name it yourself.",
        f"Name one of {', '.join(EXTRACTORS)} there, and measure with your own afterwards: "
        "facegan evaluate RUN --data DATA --extractor FILE.toml",
    )
