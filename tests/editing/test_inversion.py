"""Inversion: what a generator made is found again, and what it cannot make is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from facegan.data.pixels import Pixels
from facegan.data.spec import ImageSpec, Label
from facegan.editing import encoder as encoders
from facegan.editing.encoder import Encoder, Fitted, encoder_at_hand, encoder_of, fit_encoder
from facegan.editing.face import EditedFace, pictures_of
from facegan.editing.inversion import Inverted, invert, invert_all
from facegan.editing.perceptual import Perceptual
from facegan.errors import DataError, RunError
from facegan.files import sha256
from facegan.generation.generator import OpenGenerator, open_generator
from facegan.models.file import GeneratorFile

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def perceptual() -> Perceptual:
    return Perceptual()


@pytest.fixture(scope="module")
def model() -> OpenGenerator:
    return open_generator()


@pytest.fixture(scope="module")
def faces(model: OpenGenerator) -> np.ndarray:
    return next(model.pictures(range(3)))


def own(tiny: Make, path: Path, *settings: str, labels: tuple[Label, ...] = ()) -> OpenGenerator:
    """A generator that was never trained."""
    torch.manual_seed(0)
    recipe = tiny("ignm", *settings)
    generator = recipe.generator.build(ImageSpec(32, 3, labels), recipe.data.range)
    for name, parameter in generator.named_parameters():
        if name.endswith("gain"):
            torch.nn.init.constant_(parameter, 0.5)  # noise that can be seen
    file = GeneratorFile(generator.eval(), recipe, Pixels("symmetric"), 0, {"name": "none"})
    file.save(path)
    return open_generator(path)


# --- distances -----------------------------------------------------------------------------
def test_a_picture_is_nothing_apart_from_itself_and_farther_from_what_looks_otherwise(
    perceptual: Perceptual, faces: np.ndarray
) -> None:
    images = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255
    maps = perceptual.maps(images)
    assert torch.equal(perceptual.between(maps, maps), torch.zeros(3))
    shifted = perceptual.between(perceptual.maps(images.roll(1, 3)), maps)
    other = perceptual.between(perceptual.maps(images.roll(1, 0)), maps)
    assert (shifted < other).all()
    assert (other <= 4).all()
    for each in maps:
        length = each.square().sum(1)
        assert torch.allclose(length, torch.ones_like(length), atol=1e-4)


# --- the encoder ---------------------------------------------------------------------------
def test_the_model_in_the_box_has_an_encoder(model: OpenGenerator) -> None:
    found = encoder_at_hand(model)
    assert found is not None
    assert found.fitted.model == sha256(model.path)
    assert 0.2 < found.fitted.explained < 1
    assert found.fitted.own < found.fitted.apart / 5


def test_ridge_regression_has_its_closed_form() -> None:
    random = np.random.default_rng(0)
    x, true = random.standard_normal((5000, 4)) * [1, 2, 3, 4] + 5, random.standard_normal((4, 2))
    z = (x - 5) @ true
    both = np.concatenate([x, np.ones((len(x), 1)), z], 1)
    mean, weight, count = encoders._ridge(both.T @ both, 2)
    assert count == 5000
    assert np.allclose(mean, x.mean(0))
    scale = x.std(0)
    scaled = (x - x.mean(0)) / scale
    penalty = encoders._RIDGE * 4 * np.eye(4)
    expected = np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ (z - z.mean(0)))
    assert np.allclose(weight, expected / scale[:, None])


def test_an_encoder_is_fitted_kept_and_made_again_for_another_generator(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, perceptual: Perceptual
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    fit = fit_encoder
    monkeypatch.setattr("facegan.editing.inversion._OWN_STEPS", 2)
    monkeypatch.setattr(encoders, "fit_encoder", lambda m, p, progress: fit(m, p, 320, progress))
    one = own(tiny, tmp_path / "one.safetensors")
    assert encoder_at_hand(one) is None
    first = encoder_of(one, perceptual)
    assert first.fitted.pictures == 288
    kept = encoder_at_hand(one)
    assert kept is not None
    assert kept.fitted == first.fitted
    two = own(tiny, tmp_path / "two.safetensors", "generator.latent.size=7")
    assert encoder_at_hand(two) is None
    # Beside the model, an encoder of an earlier file of the same name is passed over.
    first.save(tmp_path / "two.encoder.safetensors")
    assert encoder_at_hand(two) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays, about: arrays.pop("mean"),
        lambda arrays, about: arrays.update(mean=arrays["mean"][:-1]),
        lambda arrays, about: arrays["weight"].fill(np.nan),
        lambda arrays, about: about.update(model="0" * 64),
        lambda arrays, about: about.update(format=2),
        lambda arrays, about: about.update(apart=-1.0),
        lambda arrays, about: about.update(run="x"),
        lambda arrays, about: about.pop("explained"),
    ],
)
def test_an_encoder_that_makes_no_sense_is_refused(damage: Any, tmp_path: Path) -> None:
    path, digest = tmp_path / "a.safetensors", "ab" * 32
    fitted = Fitted(model=digest, pictures=1, explained=0.5, apart=1.0)
    Encoder(np.zeros(4, np.float32), np.zeros((4, 2), np.float32), fitted).save(path)
    assert Encoder.load(path, digest).fitted == fitted
    arrays, about = load_file(path), {"format": 1, **fitted.model_dump(mode="json")}
    damage(arrays, about)
    save_file(arrays, path, {encoders.KEY: json.dumps(about)})
    with pytest.raises(RunError, match="no encoder") as caught:
        Encoder.load(path, digest)
    assert caught.value.hint


# --- inversion -----------------------------------------------------------------------------
def test_what_the_generator_made_is_found_again(
    model: OpenGenerator, faces: np.ndarray, perceptual: Perceptual
) -> None:
    encoder = encoder_at_hand(model)
    assert encoder is not None
    told: list[tuple[int, int]] = []
    found = invert_all(
        model,
        faces[:2],
        steps=40,
        encoder=encoder,
        perceptual=perceptual,
        progress=lambda *done: told.append(done),
    )
    assert told[-1] == (40, 40)
    for each, face in zip(found, faces, strict=False):
        assert each.error == min(each.curve)
        assert each.error < each.curve[0] / 3
        assert np.abs(each.picture.astype(int) - face).mean() < 8
        assert each.verdict == "The generator holds this face closely."
        assert np.linalg.norm(each.latent) <= 1.15 * np.sqrt(128) + 1e-3
        (again,) = pictures_of(model, [EditedFace(latent=each.latent)], None)
        assert (again == each.picture).all()
    alone = invert(model, faces[0], steps=3, perceptual=perceptual)
    assert alone.apart == encoder.fitted.apart
    assert np.allclose(alone.curve[0], found[0].curve[0], rtol=1e-4)


def test_what_is_no_face_is_not_held(model: OpenGenerator, perceptual: Perceptual) -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::4] = 255
    found = invert(model, stripes, steps=10, perceptual=perceptual)
    assert "cannot hold" in found.verdict


def test_verdicts_follow_the_share() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    words = [
        Inverted(np.zeros(2, np.float32), picture, error, (error,), 2.0, 0.1).verdict
        for error in (0.1, 0.5, 1.9)
    ]
    assert ["closely" in words[0], "something like" in words[1], "cannot" in words[2]] == [True] * 3
    unknown = Inverted(np.zeros(2, np.float32), picture, 0.5, (0.5,))
    assert unknown.share is None
    assert "0.50" in unknown.verdict


@pytest.mark.parametrize(
    ("settings", "labels"),
    [
        (("generator.noise=true",), ()),
        (("generator.latent.distribution=uniform",), ()),
        ((), (Label("Smiling", binary=True),)),
    ],
    ids=["noise", "uniform", "labels"],
)
def test_every_sort_of_latent_can_be_looked_for(
    tiny: Make,
    tmp_path: Path,
    perceptual: Perceptual,
    settings: tuple[str, ...],
    labels: tuple[Label, ...],
) -> None:
    wanted = ("data.labels=all",) if labels else ()
    model = own(tiny, tmp_path / "own.safetensors", *settings, *wanted, labels=labels)
    generator = model.loaded.generator
    z = generator.draw(encoders.Random(np.random.default_rng(0)), 1)
    target = model.pictures_at(z)[0]
    found = invert(model, target, steps=12, perceptual=perceptual)
    assert found.latent.shape == (generator.latent.size + generator.noise,)
    assert found.error < found.curve[0]
    if generator.latent.distribution == "uniform":
        assert np.abs(found.latent).max() <= 1
    if generator.noise:
        assert found.latent[generator.latent.size :].any()


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((64, 64, 1), np.uint8),
        np.zeros((64, 64, 3), np.float32),
    ],
)
def test_pictures_of_another_shape_are_refused(picture: Any, model: OpenGenerator) -> None:
    with pytest.raises(DataError, match="64, 64, 3") as caught:
        invert(model, picture)
    assert caught.value.hint
