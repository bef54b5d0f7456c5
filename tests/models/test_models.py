"""Models: packed from runs, listed, installed, exported, used by name; and hostile files."""

from __future__ import annotations

import copy
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from facegan.apps import models, packing
from facegan.apps.generate import generate
from facegan.apps.packing import pack
from facegan.apps.train import train
from facegan.data.dataset import Dataset
from facegan.data.spec import ImageSpec, Label
from facegan.errors import FaceganError, RunError, StorageError
from facegan.generation.generator import open_generator
from facegan.generation.samples import pictures
from facegan.models import store
from facegan.models.about import read_about
from facegan.models.card import read_card
from facegan.models.companions import KINDS, companion
from facegan.models.file import GeneratorFile
from facegan.runs.warm_start import WarmStart
from facegan.training.batch_source import value_range_of

Make = Callable[..., Any]
BUNDLED = sorted(model.path for model in store.models() if model.bundled)
LABELS = (Label("Wearing_Hat", binary=True), Label("Age", binary=False, mean=40.0, std=10.0))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGAN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def score(value: float, real: float) -> dict[str, Any]:
    ends = [{"value": v, "low": 0.9 * v, "high": 1.1 * v} for v in (value, real)]
    return {"generated": ends[0], "real": ends[1], "ratio": value / real}


def evaluation(n: int = 2_000, fd: float = 12.0, **more: Any) -> dict[str, Any]:
    neighbour = {"index": 1, "name": "Some_Body_0001.jpg", "distance": 0.4, "mirrored": False}
    pair = {"seed": 1, "embedding": "pixels", "closeness": 0.0, "train": neighbour}
    return {
        "source": "gan at 0.192 kimg",
        "dataset": "blobs",
        "dataset_fingerprint": "ab" * 32,
        "reference": "train",
        "n_real": 3_000,
        "n_fake": n,
        "seed": 0,
        "resolution": 32,
        "features": [
            {
                "extractor": "efflite0",
                "resizer": "antialiased",
                "fingerprint": "cd" * 32,
                "scores": {"fd": score(fd, 2.0), "kid": score(0.03, 0.001)},
            }
        ],
        "copying": {
            "n": n,
            "n_train": 40,
            "n_holdout": 8,
            "embeddings": [],
            "pairs": [pair | {"holdout": neighbour}],
            "said": "Nothing was seen of copies.",
        },
    } | more


@pytest.fixture(scope="session")
def trained(
    tiny: Make, dataset_path: Path, watcher: Any, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A whole run without an evaluation. Do not write into it."""
    path = tmp_path_factory.mktemp("trained") / "run"
    train(tiny("dcgan"), dataset_path, path, reporter=watcher())
    return path


def record(run: Path, found: dict[str, Any], images_seen: int = 192) -> None:
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"images_seen": images_seen, "evaluation": found}) + "\n")


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run, with an evaluation that a model may be made with."""
    path = Path(shutil.copytree(trained, tmp_path / "run"))
    record(path, evaluation())
    return path


@pytest.fixture
def packed(run: Path, tmp_path: Path) -> Path:
    return pack(run, "small", tmp_path / "small.safetensors").path


@pytest.fixture
def labelled(tiny: Make, tmp_path: Path) -> Path:
    """A model with labels, which was never trained."""
    recipe = tiny("gan", "data.labels=all")
    torch.manual_seed(0)
    generator = recipe.generator.build(ImageSpec(32, 3, LABELS), recipe.data.range)
    generator.label_rows.copy_(torch.tensor([1.0, torch.nan]).expand(len(generator.label_rows), 2))
    file = GeneratorFile(
        generator.eval(), recipe, value_range_of(recipe, {}), 12_000, {"name": "x"}
    )
    file.save(tmp_path / "plain.safetensors")
    (tmp_path / "scores.json").write_text(json.dumps(evaluation()), "utf-8")
    out = tmp_path / "labelled.safetensors"
    options: dict[str, Any] = {"evaluation": tmp_path / "scores.json"}
    return pack(tmp_path / "plain.safetensors", "labelled", out, **options).path


def rewritten(source: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of a file with changed metadata."""
    with safe_open(source, framework="pt") as file:
        about = json.loads(file.metadata()["facegan"])
    change(about)
    save_file(load_file(source), target, metadata={"facegan": json.dumps(about)})
    return target


# --- in the box ----------------------------------------------------------------------------
def test_the_default_is_in_the_box() -> None:
    assert store.DEFAULT in {path.stem for path in BUNDLED}


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_a_bundled_model_is_small_and_says_all_of_itself(path: Path) -> None:
    assert path.stat().st_size < 12e6
    about = read_about(path)
    card = read_card(about.card, path)
    found = models.read_evaluation(card.evaluation, path)
    assert card.name == path.stem
    assert found.n_fake >= 5_000
    assert {"fd", "kid", "precision", "recall", "coverage"} <= found.features[0].scores.keys()
    assert found.faces is not None
    assert found.copying is not None
    assert found.copying.pairs == (), "they name people"
    assert card.training is not None
    assert None not in (card.data[0].train, card.data[0].identities, card.data[0].licence)
    assert card.rounding is not None
    assert card.rounding.within_one >= 0.999
    assert card.licence != "not stated"
    said = " ".join(card.limits)
    for fragment in ("press photographs", "real people", "did not agree", "more men than women"):
        assert fragment in said
    assert "deceive" in " ".join(card.use)


def test_generate_with_no_other_word_makes_a_grid_of_faces(tmp_path: Path) -> None:
    (path,) = generate()
    assert path == Path(f"{store.DEFAULT}-seeds-0-63.png")
    grid = Image.open(path)
    assert grid.size == (8 * 66 - 2, 8 * 66 - 2)
    assert grid.info["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert f"model: {store.DEFAULT}" in grid.info["facegan.model"]
    assert np.asarray(grid).std() > 40
    (single,) = generate(store.DEFAULT, "one", n=1, seed=9)
    assert np.array_equal(np.asarray(grid)[66:130, 66:130], np.asarray(Image.open(single)))


def test_the_name_of_a_grid_tells_what_decides_it(labelled: Path) -> None:
    models.install(labelled)
    options: dict[str, Any] = {"labels": {"wearing-hat": 1, "age": 60}, "truncation": 0.5, "n": 2}
    (path,) = generate("labelled", **options)
    assert str(path) == "labelled-wearing-hat-1-age-60-truncation-0.5-seeds-0-1.png"


# --- packed, installed, exported -----------------------------------------------------------
def test_round_trip(run: Path, packed: Path, tmp_path: Path) -> None:
    assert models.install(packed).path == tmp_path / "home/models/small.safetensors"
    expected = np.stack([np.asarray(Image.open(p)) for p in generate(run, "a", n=8)]).astype(int)
    found = np.stack([np.asarray(Image.open(p)) for p in generate("small", "b", n=8)])
    assert np.abs(found - expected).max() <= 1
    assert open_generator("small").model == "small"
    weights = open_generator("small").loaded.generator.state_dict()
    assert {t.dtype for t in weights.values() if t.is_floating_point()} == {torch.float32}
    kernels = [t for t in load_file(packed).values() if t.dim() > 1]
    assert {t.dtype for t in kernels} == {torch.float16}
    files = models.export("small", "hub")
    assert sorted(file.name for file in Path("hub").iterdir()) == sorted(f.name for f in files)
    assert Path("hub/model.safetensors").read_bytes() == packed.read_bytes()
    again = generate("hub/model.safetensors", "c", n=8)
    assert np.array_equal(np.stack([np.asarray(Image.open(p)) for p in again]), found)
    config = json.loads(Path("hub/config.json").read_text("utf-8"))
    assert (config["resolution"], config["model_type"]) == (32, "dcgan")
    assert Path("hub/README.md").read_text("utf-8") == models.card_text("small")
    assert "](samples.png)" in models.card_text("small")
    models.remove("small")
    with pytest.raises(RunError, match="no model 'small'"):
        models.card_text("small")


def test_packing_twice_gives_the_same_file(run: Path, packed: Path, tmp_path: Path) -> None:
    again = pack(run, "small", tmp_path / "again.safetensors").path
    assert again.read_bytes() == packed.read_bytes()


def test_a_card_says_what_the_run_knows(run: Path, tmp_path: Path) -> None:
    record(run, evaluation(n=500, fd=1.0))
    record(run, evaluation(n=9_000, fd=1.0, training=True))
    record(run, evaluation(n=9_000, fd=1.0), images_seen=128)
    Path("limits.txt").write_text("Blobs are\nno people.\n\nNor <b>faces</b>.", "utf-8")
    options: dict[str, Any] = {"title": "Small *blobs*", "licence": "CC0-1.0"}
    made = pack(run, "small", "s.safetensors", limits="limits.txt", **options)
    card = made.card
    assert card.evaluation["features"][0]["scores"]["fd"]["generated"]["value"] == 12.0
    assert card.evaluation["copying"]["pairs"] == []
    assert card.limits[:2] == ("Blobs are no people.", "Nor <b>faces</b>.")
    assert card.data[0].licence == "CC0-1.0"
    assert card.training is not None
    assert card.training.command.startswith("facegan train dcgan ")
    assert "--budget 0.192kimg" in card.training.command
    assert str(tmp_path) not in made.path.read_bytes().decode("latin-1")
    assert any("faces" in remark for remark in made.remarks)
    text = models.card_text("s.safetensors")
    assert text.startswith("---\nlicense: cc0-1.0\nlibrary_name: facegan\n")
    assert "pipeline_tag: unconditional-image-generation" in text
    assert "value: 12\n" in text
    for fragment in ("Small \\*blobs\\*", "Nor &lt;b&gt;faces", "12.0 (10.8 – 13.2)", "6.00 ×"):
        assert fragment in text
    assert "Some_Body" not in text


def test_a_card_says_whether_labels_are_shown(run: Path) -> None:
    seen = {"value": 0.9, "low": 0.88, "high": 0.92}
    label = {"name": "Smiling", "measure": "AUC", "generated": seen, "real": None}
    agreement = {"reader": "ab", "n": 2_000, "n_real": 500, "labels": [label], "left_out": []}
    record(run, evaluation(n=3_000, agreement=agreement))
    pack(run, "small", "s.safetensors")
    assert "| `Smiling` | AUC | 0.900 (0.880 – 0.920) | – |" in models.card_text("s.safetensors")


def test_the_counts_come_from_the_pack(
    run: Path, dataset_path: Path, other_dataset_path: Path
) -> None:
    made = pack(run, "small", "s.safetensors", data=dataset_path)
    assert (made.card.data[0].train, made.card.data[0].holdout) == (40, 8)
    assert made.card.data[0].fingerprint == Dataset.open(dataset_path).fingerprint
    with pytest.raises(RunError, match="is not what the model learned from"):
        pack(run, "small", "t.safetensors", data=other_dataset_path)


def test_a_model_is_packed_anew(packed: Path) -> None:
    before = read_card(read_about(packed).card, packed)
    made = pack(packed, "other", "other.safetensors", licence="mit")
    assert made.card == before.model_copy(update={"name": "other", "licence": "mit"})


def test_the_best_snapshot_has_its_own_evaluation(run: Path) -> None:
    at = run / "checkpoints/000000.128k/generator.safetensors"
    (run / "best").mkdir()
    shutil.copy(at, run / "best/generator.safetensors")
    with pytest.raises(RunError, match=r"at 0\.128 kimg") as caught:
        pack(run, "small", "s.safetensors", best=True)
    assert "facegan evaluate" in caught.value.hint
    assert "--best" in caught.value.hint
    record(run, evaluation(fd=5.0), images_seen=128)
    made = pack(run, "small", "s.safetensors", best=True)
    assert read_about(made.path).images_seen == 128


def test_all_that_a_small_dataset_allows_is_enough(trained: Path, dataset_path: Path) -> None:
    """A floor of real pictures takes as many as are generated: of 40 photographs, 20."""
    run = Path(shutil.copytree(trained, "few"))
    learned_from = {"dataset_fingerprint": Dataset.open(dataset_path).fingerprint}
    record(run, evaluation(n=20))  # of other photographs
    record(run, evaluation(n=19, **learned_from))
    with pytest.raises(RunError, match="No evaluation"):
        pack(run, "small", "s.safetensors")
    # Of a dataset that holds out few, nothing is looked for in it.
    record(run, evaluation(n=20, fd=3.0, **learned_from) | {"copying": None})
    with pytest.raises(RunError, match="No evaluation") as caught:
        pack(run, "small", "s.safetensors")
    assert "`data`" in caught.value.hint
    made = pack(run, "small", "s.safetensors", data=dataset_path)
    assert made.card.evaluation["n_fake"] == 20
    record(run, evaluation(n=20, fd=2.0, **learned_from))
    assert pack(run, "small", "t.safetensors").card.evaluation["n_fake"] == 20


def test_packing_refuses(trained: Path, run: Path, packed: Path) -> None:
    with pytest.raises(RunError, match=r"No evaluation with 1,000 pictures") as caught:
        pack(trained, "small", "s.safetensors")
    assert f"facegan evaluate {trained} --data DATASET" in caught.value.hint
    for name in ("", "..", "../x", "a/b", "A", ".x", "con", "x" * 65, "a b", "é"):
        with pytest.raises(FaceganError, match="is not a name"):
            pack(run, name, "s.safetensors")
    with pytest.raises(FaceganError, match=r"ends in \.safetensors"):
        pack(run, "small", "s.bin")
    with pytest.raises(FaceganError, match="already"):
        pack(run, "small", packed)
    with pytest.raises(FaceganError, match="title"):
        pack(run, "small", "s.safetensors", title="x" * 900)
    assert not Path("s.safetensors").exists()


# --- by name -------------------------------------------------------------------------------
def test_a_path_comes_before_a_model_of_its_name(
    run: Path, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models.install(packed, "run")
    opened = open_generator("run")
    assert opened.model is None
    assert "the model of that name" in capsys.readouterr().err
    assert open_generator(models.model_path("run")).model == "run"


def test_training_begins_with_a_model(
    tiny: Make, dataset_path: Path, packed: Path, watcher: Any
) -> None:
    models.install(packed)
    reporter = watcher()
    train(tiny("dcgan"), dataset_path, "new", start_from="small", reporter=reporter)
    said = [line for line in reporter.said if line.startswith("From small: generator")]
    taken, of = re.findall(r"[0-9]+", said[0])[:2]
    assert taken == of
    about = json.loads(Path("new/provenance.json").read_text("utf-8"))
    assert about["warm_start"]["source"] == "small"


def test_training_goes_on_from_both_networks(
    tiny: Make, dataset_path: Path, run: Path, packed: Path, watcher: Any
) -> None:
    beside = companion(packed, "discriminator")
    last = sorted((run / "checkpoints").glob("*k"))[-1]
    own = load_file(last / "state.safetensors")
    kept = load_file(beside)
    assert {f"discriminator.{name}" for name in kept} == {
        name for name in own if name.startswith("discriminator.")
    }
    for name, tensor in kept.items():
        torch.testing.assert_close(
            tensor.float(), own[f"discriminator.{name}"].float(), rtol=1e-3, atol=1e-6
        )
    models.install(packed)
    reporter = watcher()
    train(tiny("dcgan"), dataset_path, "new", start_from="small", reporter=reporter)
    said = [line for line in reporter.said if line.startswith("From small: discriminator")]
    taken, of = re.findall(r"[0-9]+", said[0])[:2]
    assert taken == of
    read = WarmStart.read("small").networks["discriminator"]
    assert all(
        torch.equal(read[name], tensor.to(read[name].dtype)) for name, tensor in kept.items()
    )
    assert [model.name for model in store.models() if not model.bundled] == ["small"]
    models.export("small", "hub")
    assert Path("hub/model.discriminator.safetensors").read_bytes() == beside.read_bytes()
    models.remove("small")
    assert not list(store.installed_folder().iterdir())


def test_both_networks_are_of_one_checkpoint(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A disk that does not read a second time what it read gives no older discriminator."""
    older, newest = sorted((run / "checkpoints").glob("*k"))[-2:]
    read_first = packing.find_generator

    def read_no_more(*asked: Any) -> Path:
        found = read_first(*asked)
        (newest / "state.safetensors").write_bytes(b"")
        return found

    monkeypatch.setattr(packing, "find_generator", read_no_more)
    with pytest.raises(RunError, match="not for its discriminator"):
        pack(run, "torn", "torn.safetensors")
    assert not list(tmp_path.glob("torn*"))
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    # What was measured is of the newest; of the older, what is given.
    Path("scores.json").write_text(json.dumps(evaluation()), "utf-8")
    made = pack(run, "torn", "torn.safetensors", evaluation="scores.json")
    assert made.discriminator is not None
    assert newest.name in made.remarks[0]
    kept, own = load_file(made.discriminator), load_file(older / "state.safetensors")
    for name, tensor in kept.items():
        torch.testing.assert_close(
            tensor.float(), own[f"discriminator.{name}"].float(), rtol=1e-3, atol=1e-6
        )


def test_a_discriminator_belongs_to_its_generator(run: Path, packed: Path) -> None:
    beside = companion(packed, "discriminator")
    other = pack(run, "other", "other.safetensors", title="Another file", discriminator=False)
    assert other.discriminator is None
    shutil.copy(beside, companion(other.path, "discriminator"))
    with pytest.raises(RunError, match="belongs to another generator"):
        models.install(other.path)
    companion(other.path, "discriminator").write_bytes(packed.read_bytes())
    with pytest.raises(RunError, match="not a discriminator that facegan wrote"):
        models.install(other.path)
    broken = {name: t * torch.nan for name, t in load_file(beside).items()}
    with safe_open(beside, framework="pt") as file:
        save_file(broken, beside, metadata=file.metadata())
    with pytest.raises(RunError, match="not finite"):
        models.install(packed)
    # Another model of that name leaves nothing of the one before.
    pack(run, "small", packed, overwrite=True, discriminator=False)
    assert not beside.exists()
    for kind in KINDS:
        with pytest.raises(FaceganError, match="is not a name"):
            models.install(packed, f"small.{kind}")


def test_names_that_are_taken(packed: Path) -> None:
    with pytest.raises(RunError, match="in the box") as caught:
        models.install(packed, store.DEFAULT)
    assert "`name`" in caught.value.hint
    with pytest.raises(RunError, match="in the box"):
        models.remove(store.DEFAULT)
    models.install(packed)
    with pytest.raises(RunError, match="installed already"):
        models.install(packed)
    models.install(packed, overwrite=True)
    with pytest.raises(FaceganError, match="is not a name"):
        models.install(packed, "../../escaped")
    with pytest.raises(RunError, match="'small'"):
        models.remove("smal")


def test_a_file_in_the_way_is_not_replaced(packed: Path) -> None:
    Path("hub").mkdir()
    Path("hub/README.md").write_text("mine", "utf-8")
    with pytest.raises(FaceganError, match="there already"):
        models.export(packed, "hub")
    assert [path.name for path in Path("hub").iterdir()] == ["README.md"]
    models.export(packed, "hub", overwrite=True)
    assert Path("hub/README.md").read_text("utf-8") != "mine"


def test_labels_are_listed_as_options(labelled: Path) -> None:
    assert [label.name for label in models.labels(labelled)] == ["Wearing_Hat", "Age"]
    text = models.card_text(labelled)
    assert "| `--wearing-hat` | 0 (no) to 1 (yes) |" in text
    assert "| `--age` | a number, usually 40 ± 10 |" in text
    assert models.labels(store.DEFAULT) == ()


# --- files that others made ----------------------------------------------------------------
def test_a_generator_without_a_card_is_not_installed(run: Path) -> None:
    file = max(run.glob("checkpoints/*/generator.safetensors"))
    with pytest.raises(RunError, match="without a card") as caught:
        models.install(file)
    assert "facegan models pack" in caught.value.hint


def test_a_damaged_model_is_a_line_of_the_list(packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "home/models"
    models.install(packed)
    (folder / "cut.safetensors").write_bytes(packed.read_bytes()[:-100])
    (folder / "empty.safetensors").write_bytes(b"")
    (folder / "not a name.safetensors").write_bytes(packed.read_bytes())
    found = {line.model.name: line for line in models.listed()}
    assert found.keys() == {path.stem for path in BUNDLED} | {"small", "cut", "empty"}
    assert found["small"].ratio == pytest.approx(6.0)
    for name in ("cut", "empty"):
        assert f"{name}.safetensors is not a readable" in found[name].trouble
    with pytest.raises(RunError, match=r"cut\.safetensors"):
        generate("cut")


def test_a_hostile_text_stays_text(packed: Path, tmp_path: Path) -> None:
    evil = (
        "# x\n---\nlicense: mit\n| a | <script>alert(1)</script> [c](http://e.vil) `\x1b[31m\u202e"
    )

    def change(about: dict[str, Any]) -> None:
        about["dataset"]["name"] = evil
        card = about["card"]
        card["title"] = card["licence"] = card["data"][0]["name"] = evil
        card["limits"] = card["use"] = [evil]
        card["training"]["command"] = f"```\n{evil}\n````"
        card["evaluation"] |= {"source": evil, "dataset": evil, "caveat": evil}
        card["evaluation"]["copying"]["said"] = evil

    file = rewritten(packed, tmp_path / "evil.safetensors", change)
    models.install(file)
    text = models.card_text("small")
    said = models.described("small")
    assert said is not None
    for shown in (text, said):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert "\n" not in said
    front, body = text.split("\n---\n", 1)
    assert "\nlicense: mit" not in front
    assert front.startswith("---\nlicense: other\n")
    fences = re.findall(r"^(`{3,})", body, re.MULTILINE)
    assert fences.count("`````") == 2, "what the command holds must not end its block"
    prose = re.sub(r"^(`{3,}).*?^\1$", "", body, flags=re.MULTILINE | re.DOTALL)
    assert "<script" not in prose
    assert not re.search(r"(?<!\\)\]\(http|[^\\]://", prose)
    assert not re.search(r"^(license|# x)", prose, re.MULTILINE)


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about["card"].update(name="../../x"),
        lambda about: about["card"].update(title="x" * 10_000),
        lambda about: about["card"].update(data=[]),
        lambda about: about["card"].update(more=1),
        lambda about: about.update(card=[]),
        lambda about: about["card"].update(evaluation={}),
        lambda about: about.update(images_seen="many"),
        lambda about: about["spec"].update(resolution=10**9),
        lambda about: about.update(recipe=about["recipe"].replace("channels = 4", "channels = 9")),
        lambda about: about.update(
            recipe=about["recipe"].replace("channels = 4", "channels = 65536")
        ),
        lambda about: about.update(recipe=about["recipe"].replace("dcgan", "d\\u001bcgan")),
    ],
)
def test_what_makes_no_sense_is_not_installed(
    packed: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    file = rewritten(packed, tmp_path / "wrong.safetensors", change)
    with pytest.raises(FaceganError):
        models.install(file)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_not_finite_are_not_installed(
    packed: Path, tmp_path: Path, value: float
) -> None:
    with safe_open(packed, framework="pt") as file:
        about = file.metadata()
    tensors = load_file(packed)
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name].view(-1)[0] = value
    save_file(tensors, tmp_path / "wrong.safetensors", metadata=about)
    with pytest.raises(RunError, match="not finite"):
        models.install(tmp_path / "wrong.safetensors")
    assert not (tmp_path / "home").exists()


def test_an_export_is_whole_or_not_there(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "hub"
    with monkeypatch.context() as patch:
        patch.setattr("facegan.apps.generate.generate", full)
        with pytest.raises(StorageError, match="No room"):
            models.export(packed, out)
    assert not out.exists()
    written = models.export(packed, out)
    assert all(path.is_file() for path in written)
    # Beside files of others, which stay.
    (out / "NOTES").write_text("mine")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr("facegan.apps.generate.generate", full)
        with pytest.raises(StorageError, match="No room"):
            models.export(packed, out, overwrite=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    models.export(packed, out, overwrite=True)
    assert sorted(path.name for path in out.iterdir()) == sorted(before)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@pytest.mark.parametrize("what", ["install", "pack", "export"])
def test_one_that_was_interrupted_is_made_by_the_same_command(
    what: str, run: Path, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two of its files; nobody has to ask for a replacement."""
    out = tmp_path / "out"

    def make() -> None:
        if what == "install":
            models.install(packed)
        elif what == "pack":
            pack(run, "new", out / "new.safetensors")
        else:
            models.export(packed, out)

    def there() -> dict[str, bytes]:
        return contents(store.installed_folder() if what == "install" else out)

    def begin() -> None:
        for folder in (out, store.installed_folder()):
            shutil.rmtree(folder, ignore_errors=True)
        out.mkdir()
        (out / "NOTES").write_text("mine")

    begin()
    make()
    expected = there()
    replace, done = Path.replace, 0

    def fails_after(allowed: int) -> Callable[[Path, Any], Path]:
        left = iter(range(allowed))

        def moved(path: Path, target: Any) -> Path:
            if next(left, None) is None:
                raise OSError(28, "No space left on device")
            return replace(path, target)

        return moved

    while True:
        begin()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", fails_after(done))
            try:
                make()
                break
            except StorageError:
                pass
        make()
        assert there() == expected, done
        done += 1
    assert done >= 2  # a model's file, and its discriminator's


@pytest.mark.parametrize(
    ("command", "shell"),
    [
        ("facegan train gan --data 'my faces' --run a", True),
        ("facegan train gan --set 'augment={shift=0.1}' --data \"b\" --run a", True),
        ("rm -rf ~", False),
        ("facegan train gan; rm -rf ~", False),
        ("facegan train gan && curl x | sh", False),
        ("facegan train $(rm -rf ~)", False),
        ("facegan train `x`", False),
        ("facegan train gan\nrm -rf ~", False),
        ("facegan train gan > ~/.bashrc", False),
        ("facegan train 'gan", False),
        ("", False),
    ],
)
def test_a_command_of_a_card_is_a_command_if_it_calls_facegan_alone(
    packed: Path, tmp_path: Path, command: str, shell: bool
) -> None:
    def change(about: dict[str, Any]) -> None:
        about["card"]["training"]["command"] = command

    text = models.card_text(rewritten(packed, tmp_path / "other.safetensors", change))
    assert (f"```sh\n{command}\n```" in text) is shell


@pytest.mark.parametrize("version", ["1\n2\n3", "x" * 100_000, "\x1b[2J", ["[" * 40]])
def test_a_newer_file_is_refused_in_two_lines(packed: Path, tmp_path: Path, version: Any) -> None:
    file = rewritten(
        packed,
        tmp_path / "newer.safetensors",
        lambda about: about.update(format=99, version=version),
    )
    with pytest.raises(RunError, match="newer format") as found:
        models.install(file)
    said = str(found.value)
    assert said.count("\n") == 1
    assert len(said) < 1000
    assert "\x1b" not in said


def test_a_header_of_absurd_length(packed: Path, tmp_path: Path) -> None:
    def change(about: dict[str, Any]) -> None:
        about["card"]["limits"] = ["x" * 2_000_000]

    file = rewritten(packed, tmp_path / "long.safetensors", change)
    with pytest.raises(RunError, match="a header of"):
        models.install(file)
    deep = b'{"a":' * 100_000
    file.write_bytes(len(deep).to_bytes(8, "little") + deep)
    with pytest.raises(RunError, match="not a readable safetensors file"):
        models.labels(file)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, (*path, key))


def test_whatever_is_changed_is_refused_or_harmless(labelled: Path, tmp_path: Path) -> None:
    """Any value in the metadata in the place of another: an error that is told, or none."""
    with safe_open(labelled, framework="pt") as file:
        good = json.loads(file.metadata()["facegan"])
    paths = [path for path in leaves(good) if path]
    wrong: list[Any] = [None, "x", "\x1b\ud800", -1, 0, 1e308, float("nan"), [], {}, True, 10**400]
    dice = random.Random(0)
    tensors, target = load_file(labelled), tmp_path / "changed.safetensors"
    refused = []
    for path in dice.sample(paths, 60):
        about = copy.deepcopy(good)
        place = about
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = dice.choice(wrong)
        save_file(tensors, target, metadata={"facegan": json.dumps(about)})
        try:
            models.card_text(target)
            made = GeneratorFile.load(target)
            next(pictures(made.generator, made.pixels, [1]))
        except FaceganError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert [text for text in refused if "changed" not in text] == []
