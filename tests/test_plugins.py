"""Kinds from outside: the examples as they tell to run them, and what is said without them."""

from __future__ import annotations

import csv
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from facegan.augment import TRANSFORMS
from facegan.cli import cli
from facegan.data.dataset import Dataset
from facegan.data.importer import import_images
from facegan.data.recognise import READERS, open_source
from facegan.errors import FaceganError, RecipeError, RunError, UnknownKindError
from facegan.evaluation.extractors import EXTRACTORS, open_extractor
from facegan.loggers import LOGGERS
from facegan.losses.adversarial import ADVERSARIAL, Adversarial
from facegan.losses.penalties import PENALTIES
from facegan.methods import METHODS, REGULARISERS, AdversarialConfig, MethodConfig
from facegan.networks import DISCRIMINATORS, GENERATORS
from facegan.plugins import VARIABLE, load_plugin
from facegan.recipe import Recipe
from facegan.registry import Registry
from facegan.runs.directory import RunDirectory
from facegan.study import worker
from facegan.study.execution import ENVIRONMENT

EXAMPLES = Path(__file__).parents[1] / "examples" / "plugins"
REGISTRIES: dict[str, Registry[Any]] = {
    "network": GENERATORS,
    "loss": ADVERSARIAL,
    "penalty": PENALTIES,
    "regulariser": REGULARISERS,
    "method": METHODS,
    "augmentation": TRANSFORMS,
    "extractor": EXTRACTORS,
    "reader": READERS,
    "logger": LOGGERS,
}
TINY = (
    *("training.batch=8", "training.budget=16img", "training.ticks=1", "training.snapshots=1"),
    *("training.precision=fp32", "evaluation.times=0"),
    *("generator.channels=4", "generator.latent.size=6", "discriminator.channels=4"),
)
TRAINED = ("network", "loss", "penalty", "regulariser", "method", "augmentation")
Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def _nothing_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Registries, modules and the environment are as before."""
    every = [*REGISTRIES.values(), DISCRIMINATORS]
    before = [(registry, dict(registry)) for registry in every]
    modules = set(sys.modules)
    monkeypatch.setenv(VARIABLE, "")
    yield
    for registry, entries in before:
        for name in set(registry) - entries.keys():
            registry.remove(name)
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(EXAMPLES)):
            del sys.modules[name]


def command(example: str) -> list[str]:
    """What an example's docstring tells to type, after `facegan`."""
    text = (EXAMPLES / f"{example}.py").read_text("utf-8").split('"""')[1]
    typed = shlex.split(text[text.index("\nfacegan ") :].replace("\\\n", " "))
    assert typed[typed.index("--plugin") + 1] == f"{example}.py"
    return [str(EXAMPLES / word) if word == f"{example}.py" else word for word in typed[1:]]


def test_there_is_an_example_of_each() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == REGISTRIES.keys()


@pytest.mark.parametrize("example", TRAINED)
def test_its_command_trains(
    example: str, dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [str(dataset_path) if word == "portraits" else word for word in command(example)]
    settings = [f"--set={setting}" for setting in TINY]
    before = set(REGISTRIES[example])
    cli([*words, *settings, "--device=cpu", "--threads=1"], standalone_mode=False)
    (new,) = set(REGISTRIES[example]) - before
    run = RunDirectory(words[words.index("--run") + 1])
    assert new in run.recipe_file.read_text("utf-8")
    assert [line["images_seen"] for line in run.metrics.lines()][-1] == 16
    assert Recipe.parse(run.recipe().to_toml()) == run.recipe()
    # Without it, the run says what it lacks, and nothing is imported to find it.
    REGISTRIES[example].remove(new)
    with pytest.raises(UnknownKindError) as caught:
        run.recipe()
    assert repr(new) in caught.value.message
    assert "plug-in" in caught.value.hint
    assert f"{example}.py" in caught.value.hint
    assert not isinstance(caught.value, RunError)


def test_the_extractors_command_measures(
    make_dataset: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    real, other = (make_dataset(tmp_path / str(seed), n=130, seed=seed) for seed in (0, 1))
    places = {"portraits": str(real), "runs/any": str(other)}
    words = [places.get(word, word) for word in command("extractor")]
    cli([*words, "--device=cpu"], standalone_mode=False)
    assert "stamp@8" in capsys.readouterr().out
    load_plugin(EXAMPLES / "extractor.py")
    stamp = open_extractor("stamp")
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    means = images.reshape(2, 4, 2, 4, 2, 3).mean((2, 4)) / 255
    np.testing.assert_allclose(stamp.features(images), means.reshape(2, -1), atol=1e-6)
    assert open_extractor(stamp) is stamp


def test_the_loggers_command_logs(
    dataset_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [str(dataset_path) if word == "portraits" else word for word in command("logger")]
    settings = [f"--set={setting}" for setting in TINY]
    cli([*words, *settings, "--device=cpu", "--threads=1"], standalone_mode=False)
    run = RunDirectory(words[words.index("--run") + 1])
    with (run.path / "curves.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    (line,) = [line for line in run.metrics.lines() if "stage" in line]
    found = {row["name"]: float(row["value"]) for row in rows if row["images_seen"] == "16"}
    assert found["generator/adversarial"] == line["generator/adversarial"]


def test_the_readers_command_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
    names = np.array([f"person {number // 2}" for number in range(12)])
    np.savez(tmp_path / "faces.npz", images=images, names=names)
    with pytest.raises(FaceganError):  # without the reader, a zip with no picture in it
        import_images("faces.npz", "faces")
    cli([*command("reader"), "--resolution=32"], standalone_mode=False)
    dataset = Dataset.open("faces")
    np.testing.assert_array_equal(dataset.images, images)
    load_plugin(EXAMPLES / "reader.py")
    again = import_images(open_source("faces.npz"), "again", resolution=32)
    assert again.fingerprint == dataset.fingerprint


def facegan(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "facegan", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | environment,
    )


def test_a_model_says_which_kind_it_lacks_and_how_to_load_it(
    dataset_path: Path, tmp_path: Path
) -> None:
    plugin, run, out = EXAMPLES / "network.py", tmp_path / "run", tmp_path / "faces"
    settings = [f"--set={setting}" for setting in TINY]
    kinds = [f"--set={player}={{kind='ladder'}}" for player in ("generator", "discriminator")]
    train = ("train", "dcgan", "--data", dataset_path, "--run", run, *kinds, *settings)
    done = facegan(*train, "--plugin", plugin)
    assert done.returncode == 0, done.stderr
    make = ("generate", run, "--out", out, "-n", 2)
    lacking = facegan(*make)
    assert lacking.returncode == 2
    assert "generator.kind is 'ladder'" in lacking.stderr
    assert "--plugin" in lacking.stderr
    assert "network.py" in lacking.stderr
    file = next((run / "checkpoints").glob("*/generator.safetensors"))
    assert "network.py" in facegan("generate", file, "--out", out).stderr
    assert not out.exists()
    assert facegan(*make, **{VARIABLE: str(plugin)}).returncode == 0
    assert len(list(out.glob("*.png"))) == 2
    wrong = facegan(*make, "--plugin", tmp_path / "absent.py")
    assert wrong.returncode == 2
    assert "absent.py" in wrong.stderr


def test_a_package_offers_plugins_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_kinds.py").write_text(
        "from facegan.losses.adversarial import ADVERSARIAL\n"
        "ADVERSARIAL.add('offered', ADVERSARIAL['hinge'])\n",
        "utf-8",
    )
    about = tmp_path / "own_kinds-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own-kinds\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[facegan.plugins]\nkinds = own_kinds\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FaceganError) as caught:
        load_plugin("kind")
    assert "kinds" in caught.value.hint
    assert "own_kinds" not in sys.modules, "nothing is imported before somebody asks"
    module = load_plugin("kinds")
    assert load_plugin("kinds") is load_plugin("own_kinds") is module
    assert "offered" in ADVERSARIAL
    assert os.environ[VARIABLE] == os.pathsep.join(["kinds", "own_kinds"])
    del sys.modules["own_kinds"]


def test_a_plugin_that_fails_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import facegan\n1 / 0\n", "utf-8")
    for _ in range(2):
        with pytest.raises(FaceganError) as caught:
            load_plugin(broken)
        assert "ZeroDivisionError" in caught.value.message
    assert not [name for name in sys.modules if name.startswith("facegan_plugin_broken")]
    assert os.environ[VARIABLE] == ""


def test_a_studys_trial_loads_what_the_study_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process finds the names in the environment, before it looks for the trial."""
    monkeypatch.setenv(VARIABLE, str(EXAMPLES / "loss.py"))
    monkeypatch.setattr(sys, "argv", ["worker", str(tmp_path / "absent")])
    assert "squared_hinge" not in ADVERSARIAL
    assert worker.main() == ENVIRONMENT
    assert "squared_hinge" in ADVERSARIAL


def test_sections_and_losses_are_passed_as_objects() -> None:
    recipe = Recipe.load("gan")
    fields = {name: getattr(recipe, name) for name in Recipe.model_fields}
    loss = Adversarial(lambda real, fake: fake - real, lambda real, fake: -fake)
    with pytest.raises(ValueError, match="adversarial loss"):
        AdversarialConfig(loss=loss)
    ADVERSARIAL.add("mine", loss)
    method = AdversarialConfig(loss=loss)
    assert method.loss == "mine"
    assert Recipe(**fields | {"method": method}).method.loss == "mine"

    class Mine(MethodConfig):
        kind: Literal["mine"] = "mine"

        def build(self) -> Any:
            return AdversarialConfig().build()

    with pytest.raises(ValueError, match="Mine"):
        Recipe(**fields | {"method": Mine()})
    METHODS.register(Mine)
    made = Recipe(**fields | {"method": Mine()})
    assert Recipe.parse(made.to_toml()) == made


def test_a_name_belongs_to_one() -> None:
    class Other(MethodConfig):
        kind: Literal["adversarial"] = "adversarial"

        def build(self) -> Any:
            raise NotImplementedError

    with pytest.raises(FaceganError, match="already"):
        METHODS.register(Other)
    with pytest.raises(FaceganError, match="already"):
        ADVERSARIAL.add("hinge", ADVERSARIAL["wasserstein"])

    class Nameless(MethodConfig):
        def build(self) -> Any:
            raise NotImplementedError

    with pytest.raises(FaceganError, match="which kind"):
        METHODS.register(Nameless)


def test_a_transform_nobody_registered_is_refused() -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.load("gan").override("augment={flip=true, transforms=[{kind='sepia'}]}")
    assert "augment.transforms.0.kind is 'sepia'" in caught.value.message
