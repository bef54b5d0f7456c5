"""Mixing two faces by resolution: the ends are the faces themselves, and not all networks can."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facegan.data.pixels import Pixels
from facegan.data.spec import ImageSpec, Label
from facegan.editing.face import EditedFace, pictures_of
from facegan.editing.mixing import mixed, resolutions
from facegan.errors import FaceganError
from facegan.generation.generator import OpenGenerator, open_generator
from facegan.generation.inputs import Inputs
from facegan.models.file import GeneratorFile

Make = Callable[..., Any]


def own(tiny: Make, path: Path, *settings: str, labels: bool = False) -> OpenGenerator:
    torch.manual_seed(0)
    names = (Label("Smiling", binary=True),) if labels else ()
    recipe = tiny("ignm", *settings, *(("data.labels=all",) if labels else ()))
    generator = recipe.generator.build(ImageSpec(32, 3, names), recipe.data.range)
    for name, parameter in generator.named_parameters():
        if "modulation" in name or "first" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    if labels:
        generator.label_rows.copy_(torch.randint(0, 2, generator.label_rows.shape).float())
    GeneratorFile(generator.eval(), recipe, Pixels("symmetric"), 0, {"name": "none"}).save(path)
    return open_generator(path)


def picture(model: OpenGenerator, inputs: Inputs) -> Any:
    return inputs.pictures(model)[0].astype(int)


def test_the_model_in_the_box_mixes_faces() -> None:
    model = open_generator()
    assert resolutions(model) == (8, 16, 32)
    one, other = (EditedFace(seed=seed).inputs(model) for seed in (0, 1))
    plain = [picture(model, each) for each in (one, other)]
    far = []
    for side in (32, 16, 8):
        found = picture(model, mixed(model, one, other, side))
        far.append(np.abs(found - plain[0]).mean())
        assert np.abs(found - plain[1]).mean() > 3
    assert 0 < far[0] < far[1] < far[2]


def test_a_face_mixed_with_itself_is_itself() -> None:
    model = open_generator()
    face = EditedFace(seed=3).inputs(model)
    assert (picture(model, mixed(model, face, face, 16)) == picture(model, face)).all()


def test_faces_are_computed_together_mixed_or_not() -> None:
    model = open_generator()
    faces = [EditedFace(seed=1), EditedFace(seed=1, mixed=(EditedFace(seed=2), 16))]
    together = pictures_of(model, faces, None)
    for face, found in zip(faces, together, strict=True):
        alone = pictures_of(model, [face], None)[0].astype(int)
        assert np.abs(alone - found).max() <= 1
    assert (together[0] != together[1]).any()


@pytest.mark.parametrize("labels", [False, True])
def test_what_modulates_everywhere_can_be_exchanged_with_labels_and_noise(
    tiny: Make, tmp_path: Path, labels: bool
) -> None:
    settings = ("generator.modulate=all", "generator.mapping=1", "generator.noise=true")
    model = own(tiny, tmp_path / "own.safetensors", *settings, labels=labels)
    assert resolutions(model) == (4, 8, 16, 32)
    one, other = (EditedFace(seed=seed).inputs(model) for seed in (0, 1))
    pictures = [picture(model, mixed(model, one, other, side)) for side in (4, 8, 16, 32)]
    for a, b in pairwise(pictures):
        assert (a != b).any()


def test_where_nothing_modulates_it_is_said(tiny: Make, tmp_path: Path) -> None:
    model = own(tiny, tmp_path / "own.safetensors", "generator.modulate=false")
    assert resolutions(model) == ()
    face = EditedFace(seed=0).inputs(model)
    with pytest.raises(FaceganError, match="one place"):
        mixed(model, face, face, 16)
    box = open_generator()
    face = EditedFace(seed=0).inputs(box)
    with pytest.raises(FaceganError, match="8, 16, 32"):
        mixed(box, face, face, 64)
