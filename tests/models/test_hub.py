"""Models on a hub, against a server in this process: put there, taken from there, refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from facegan.apps import models
from facegan.apps.packing import pack
from facegan.data.spec import ImageSpec, Label
from facegan.errors import FaceganError, RunError
from facegan.models import hub, store
from facegan.models.companions import companion, companions
from facegan.models.discriminator_file import discriminator_bytes
from facegan.models.file import GeneratorFile
from facegan.training.batch_source import value_range_of
from hub_server import TOKEN, Hub, serving

huggingface_hub = pytest.importorskip("huggingface_hub")
LABELS = (Label("Smiling", binary=True), Label("age", binary=False, mean=40.0, std=10.0))
FILES = ["README.md", "config.json", "model.safetensors", "samples.png"]


def scores() -> dict[str, Any]:
    space: dict[str, Any] = {"extractor": "efflite0", "resizer": "r", "fingerprint": "f"}
    fd = {"value": 9.0, "low": 8.0, "high": 10.0}
    return {
        **{"source": "gan", "dataset": 'faces: "of" #us', "dataset_fingerprint": "ab" * 32},
        **{"reference": "train", "n_real": 4000, "n_fake": 2000, "seed": 0, "resolution": 32},
        "features": [space | {"scores": {"fd": {"generated": fd, "real": fd, "ratio": 1.0}}}],
    }


@pytest.fixture(scope="module")
def model(tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with labels, which was never trained. Do not write into its folder."""
    folder = tmp_path_factory.mktemp("model")
    recipe = tiny("gan", "data.labels=all")
    torch.manual_seed(0)
    generator = recipe.generator.build(ImageSpec(32, 3, LABELS), recipe.data.range).eval()
    file = GeneratorFile(generator, recipe, value_range_of(recipe, {}), 12_000, {"name": "faces"})
    file.save(folder / "plain.safetensors")
    (folder / "scores.json").write_text(json.dumps(scores()), "utf-8")
    source, target = folder / "plain.safetensors", folder / "mine.safetensors"
    return pack(source, "mine", target, evaluation=folder / "scores.json", licence="mit").path


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEGAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def test_a_model_comes_back_as_it_was_pushed(server: Hub, model: Path) -> None:
    origin = models.push(model, "me/faces")
    assert (origin.repository, origin.hub) == ("me/faces", server.url)
    there = server.repositories["me/faces"]
    assert sorted(there.commits[origin.commit]) == FILES
    assert there.commits[origin.commit]["model.safetensors"] == model.read_bytes()
    installed = models.install("me/faces")
    assert (installed.name, installed.bundled) == ("mine", False)
    assert installed.path.read_bytes() == model.read_bytes()
    assert store.origin_of(installed) == f"me/faces at {origin.commit[:12]}"
    # Of all that lies there, only the model was taken.
    taken = {line.rpartition("/")[2] for line in server.asked if "/resolve/" in line}
    assert taken == {"model.safetensors"}


def test_the_card_on_the_hub_is_one_that_the_hub_reads(server: Hub, model: Path) -> None:
    origin = models.push(model, "me/faces")
    files = server.repositories["me/faces"].commits[origin.commit]
    card = huggingface_hub.ModelCard(files["README.md"].decode())
    assert (card.data.license, card.data.library_name) == ("mit", "facegan")
    assert card.data.pipeline_tag == "unconditional-image-generation"
    (result,) = card.data.eval_results
    assert result.metric_value == 9.0
    assert result.dataset_name == 'faces: "of" #us'
    assert huggingface_hub.ModelCard(str(card)).data.to_dict() == card.data.to_dict()


def test_every_bundled_card_is_one_that_the_hub_reads() -> None:
    for model in store.models():
        card = huggingface_hub.ModelCard(models.card_text(model.name))
        assert card.data.model_name == model.name
        assert card.data.eval_results


def test_a_commit_gives_the_same_file_for_ever(server: Hub, model: Path, tmp_path: Path) -> None:
    first = models.push(model, "me/faces")
    options: dict[str, Any] = {"title": "Other faces"}
    other = pack(model, "other", tmp_path / "other.safetensors", **options).path
    second = models.push(other, "me/faces")
    assert first.commit != second.commit
    assert models.install("me/faces").name == "other"
    old = models.install("me/faces", revision=first.commit)
    assert old.path.read_bytes() == model.read_bytes()
    # A branch is as good; what stands on the main one stays.
    third = models.push(model, "me/faces", revision="old")
    assert models.install("me/faces", overwrite=True, revision="old").name == "mine"
    assert server.repositories["me/faces"].branches["main"] == second.commit
    assert server.repositories["me/faces"].branches["old"] == third.commit


def test_what_others_added_on_the_hub_stays(server: Hub, model: Path) -> None:
    models.push(model, "me/faces")
    server.repositories["me/faces"].commit({"NOTES.md": b"mine"})
    origin = models.push(model, "me/faces")
    assert server.repositories["me/faces"].commits[origin.commit]["NOTES.md"] == b"mine"


def test_private_is_seen_by_its_owner_alone(
    server: Hub, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.push(model, "me/secret", private=True)
    assert server.repositories["me/secret"].private
    assert models.install("me/secret").name == "mine"
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(FaceganError) as raised:
        models.install("me/secret")
    assert "HF_TOKEN" in raised.value.hint


def test_a_reinstalled_or_removed_model_forgets_where_it_came_from(
    server: Hub, model: Path
) -> None:
    models.push(model, "me/faces")
    installed = models.install("me/faces")
    assert store.origin_of(installed)
    assert store.origin_of(models.install(model, overwrite=True)) == ""
    models.install("me/faces", overwrite=True)
    models.remove("mine")
    assert not list(store.installed_folder().iterdir())


@pytest.mark.parametrize(
    ("files", "fragments"),
    [
        ({}, ("no safetensors file", "model.safetensors")),
        ({"pytorch_model.bin": b"\x80\x04"}, ("no safetensors file",)),
        ({"a.safetensors": b"", "b.safetensors": b""}, ("2 safetensors files", "a.safetensors")),
        ({"sub/model.safetensors": b""}, ("no safetensors file",)),
        ({"model.safetensors": b"\x80\x04no tensors"}, ("not a readable safetensors file",)),
    ],
)
def test_a_repository_that_holds_no_model_is_refused(
    server: Hub, files: dict[str, bytes], fragments: tuple[str, ...]
) -> None:
    server.repository("other/thing").commit(files)
    with pytest.raises(RunError) as raised:
        models.install("other/thing")
    for fragment in fragments:
        assert fragment in str(raised.value)
    assert not store.installed_folder().exists()


def test_what_belongs_to_a_model_travels_with_it(server: Hub, model: Path, tmp_path: Path) -> None:
    copied = tmp_path / "mine.safetensors"
    copied.write_bytes(model.read_bytes())
    discriminator = companion(copied, "discriminator")
    discriminator.write_bytes(discriminator_bytes(model.read_bytes(), {"weight": torch.ones(2, 2)}))
    origin = models.push(copied, "me/faces")
    there = server.repositories["me/faces"].commits[origin.commit]
    assert there["model.discriminator.safetensors"] == discriminator.read_bytes()
    installed = models.install("me/faces")
    (taken,) = companions(installed.path).values()
    assert taken.read_bytes() == discriminator.read_bytes()


def test_the_only_safetensors_file_is_taken_whatever_its_name(server: Hub, model: Path) -> None:
    server.repository("other/thing").commit({"faces.safetensors": model.read_bytes()})
    assert models.install("other/thing").name == "mine"


def test_what_is_not_there_is_said(server: Hub, model: Path) -> None:
    with pytest.raises(RunError, match="no model nobody/nothing on the hub"):
        models.install("nobody/nothing")
    models.push(model, "me/faces")
    with pytest.raises(RunError, match="no revision 'v9'"):
        models.install("me/faces", revision="v9")


def test_who_may_not_write_is_told_how_to_log_in(
    server: Hub, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FaceganError, match="You may not make you/faces") as raised:
        models.push(model, "you/faces")
    assert "hf auth login" in raised.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(FaceganError, match="refuses me/faces"):
        models.push(model, "me/faces")
    assert not server.repositories


def test_a_hub_that_is_down_is_no_traceback(server: Hub, model: Path) -> None:
    server.fails = 501
    with pytest.raises(FaceganError, match="501"):
        models.push(model, "me/faces")
    with pytest.raises(FaceganError, match="501"):
        models.install("me/faces")


def test_a_hub_that_is_not_there(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as gone:
        pass
    monkeypatch.setenv("HF_ENDPOINT", gone.url)
    with pytest.raises(FaceganError, match="cannot be reached") as raised:
        models.install("me/faces")
    assert "HF_ENDPOINT" in raised.value.hint


def test_without_the_package_the_extra_is_named(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(FaceganError) as raised:
        models.push(model, "me/faces")
    assert "facegan[hub]" in raised.value.hint


@pytest.mark.parametrize("text", ["faces", "a/b/c", "me/", "/me", "me/fa ces", "-me/x", "me/x."])
def test_what_is_no_repository_is_refused_before_anything_is_asked(text: str, model: Path) -> None:
    assert not hub.is_repository(text)
    with pytest.raises(FaceganError, match="USER/NAME"):
        models.push(model, text)


def test_a_path_comes_before_a_repository(server: Hub, model: Path) -> None:
    Path("me").mkdir()
    Path("me/faces").write_bytes(model.read_bytes())
    assert models.install("me/faces").name == "mine"
    assert not server.asked
    with pytest.raises(FaceganError, match="no repository"):
        models.install("me/faces", revision="main")
