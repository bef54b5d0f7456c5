"""`facegan models`, and `facegan generate` with models and with labels as options."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from facegan.data.spec import ImageSpec, Label
from facegan.models.file import GeneratorFile
from facegan.training.batch_source import value_range_of
from hub_server import TOKEN, Hub, serving

LABELS = (Label("Smiling", True), Label("5_o_Clock_Shadow", True), Label("age", False, 40.0, 10.0))


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Any) -> Path:
    """The current folder, with a generator that has labels, `mine.safetensors`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEGAN_HOME", str(tmp_path / "home"))
    recipe = tiny("gan", "data.labels=all")
    torch.manual_seed(0)
    generator = recipe.generator.build(ImageSpec(32, 3, LABELS), recipe.data.range).eval()
    about = {"name": "faces", "fingerprint": "ab" * 32}
    file = GeneratorFile(generator, recipe, value_range_of(recipe, {}), 12_000, about)
    file.save(tmp_path / "mine.safetensors")
    fd = {"value": 9.0, "low": 8.0, "high": 10.0}
    space = {"extractor": "efflite0", "resizer": "r", "fingerprint": "f"}
    scores = {
        **{"source": "gan", "dataset": "faces", "dataset_fingerprint": "ab" * 32},
        **{"reference": "train", "n_real": 4000, "n_fake": 2000, "seed": 0, "resolution": 32},
        "features": [space | {"scores": {"fd": {"generated": fd, "real": fd, "ratio": 1.0}}}],
    }
    (tmp_path / "scores.json").write_text(json.dumps(scores), "utf-8")
    return tmp_path


PACK = "models pack mine.safetensors --name mine --out packed.safetensors --evaluation scores.json"


def test_the_first_minute(at: Path, command: Any) -> None:
    """As a process: one line, one picture."""
    ended = command("generate", cwd=at)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("Wrote lfw-64-seeds-0-63.png: 64 generated faces, no photographs")
    assert ended.out.count("\n") == 1
    assert "by lfw-64 (" in ended.out
    assert Image.open("lfw-64-seeds-0-63.png").size == (526, 526)


def test_a_model_from_pack_to_removal(at: Path, call: Any) -> None:
    packed = call(*shlex.split(f"{PACK} --licence mit"))
    assert packed.status == 0, packed.err
    assert packed.out.startswith("Wrote packed.safetensors: 0.0")
    assert "Copies were not looked for" in packed.err
    installed = call("models", "install", "packed.safetensors")
    assert installed.out == "Installed mine: facegan generate --model mine\n"
    listed = call("models")
    assert (listed.status, listed.err) == (0, "")
    lines = {line.split()[0]: line for line in listed.out.splitlines() if line}
    assert "bundled" in lines["lfw-64"]
    assert "installed" in lines["mine"]
    assert "efflite0, n = 2,000" in listed.out
    for words in ("generate mine -n 2", "generate --model mine -n 2 --out grid.png"):
        made = call(*shlex.split(words))
        assert made.status == 0, made.err
        assert "2 generated faces, no photographs, by mine (gan, 12 kimg of faces)" in made.out
    assert Path("mine-seeds-0-1.png").read_bytes() == Path("grid.png").read_bytes()
    assert call("models", "card", "mine").out.startswith("---\nlicense: mit\n")
    exported = call(*shlex.split("models export mine --out hub"))
    assert exported.out == "Wrote README.md, config.json, model.safetensors, samples.png in hub.\n"
    assert call("generate", "hub/model.safetensors", "--out", "a", "-n", "1").status == 0
    removed = call("models", "remove", "mine")
    assert removed.out == f"Removed {at / 'home/models/mine.safetensors'}.\n"
    assert call("generate", "--model", "mine").status == 2


def test_push_and_install_as_commands(at: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    assert call(*shlex.split(PACK)).status == 0
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        push_and_install(call, server)


def push_and_install(call: Any, server: Hub) -> None:
    pushed = call("models", "push", "packed.safetensors", "me/faces")
    assert (pushed.status, pushed.err) == (0, "")
    assert pushed.out.startswith(f"Pushed to {server.url}/me/faces\n")
    again = pushed.out.splitlines()[1].partition("facegan ")[2]
    installed = call(*shlex.split(again))
    assert installed.status == 0, installed.err
    assert "Installed mine (from me/faces at " in installed.out
    assert "installed from me/faces at" in call("models").out
    paged = call("models", "push", "packed.safetensors", "me/faces", "--page")
    assert paged.status == 0, paged.err
    newest = server.repositories["me/faces"].branches["main"]
    page = server.repositories["me/faces"].commits[newest]["index.html"]
    assert page.lower().startswith(b"<!doctype html>")
    missing = call("models", "install", "nobody/nothing")
    assert missing.status == 2
    assert missing.err.startswith("error: There is no model nobody/nothing")


@pytest.mark.slow
def test_a_model_as_onnx_and_as_a_page(at: Path, call: Any) -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    made = call(*shlex.split("models export mine.safetensors --onnx mine.onnx --half"))
    assert made.status == 0, made.err
    assert made.out.startswith("Wrote mine.onnx: ")
    assert "pictures as PyTorch's, to " in made.out
    again = call(*shlex.split("models export mine.safetensors --onnx mine.onnx"))
    assert again.status == 2
    assert "--overwrite" in again.err
    page = call(*shlex.split("export mine.safetensors --html faces.html --name 'my faces'"))
    assert page.status == 0, page.err
    assert page.out.startswith("Wrote faces.html: ")
    assert '"name": "my faces"' in Path("faces.html").read_text("utf-8")


def test_labels_as_options(at: Path, call: Any) -> None:
    base = "generate mine.safetensors -n 3 --out"
    for words in (
        "a --label Smiling=1 --label age=60 --label 5_o_Clock_Shadow=0",
        "b --smiling 1 --age 60 --5-o-clock-shadow 0",
        "c --AGE=60 --Smiling=1 --label 5-o-clock-shadow=0 --seed 0",
    ):
        ended = call(*shlex.split(f"{base} {words}"))
        assert ended.status == 0, ended.err
    pixels = [Image.open(path).tobytes() for path in sorted(Path("a").iterdir())]
    assert len(pixels) == 3
    for folder in "bc":
        assert [Image.open(path).tobytes() for path in sorted(Path(folder).iterdir())] == pixels
    said = Image.open("b/seed000000.png").info["facegan.model"]
    assert said.endswith("labels: Smiling=1, age=60, 5_o_Clock_Shadow=0")
    assert call(*shlex.split("generate mine.safetensors -n 3 --out d --age -5")).status == 0


def test_labels_are_listed(at: Path, call: Any) -> None:
    listed = call("models", "labels", "mine.safetensors")
    assert listed.status == 0, listed.err
    for fragment in ("--smiling", "--5-o-clock-shadow", "0 (no) to 1 (yes)", "40 ± 10"):
        assert fragment in listed.out
    assert call("models", "labels", "lfw-64").status == 0


MINE = "generate mine.safetensors --out new"


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (f"{MINE} --smilling 1", ("no option --smilling", "no label", "mean 'smiling'")),
        (f"{MINE} --colums 3", ("no option --colums", "mean 'columns'")),
        (f"{MINE} --smiling perhaps", ("Smiling cannot be 'perhaps'", "0 and 1")),
        (f"{MINE} --smiling", ("No such option", "--smiling")),
        (f"{MINE} --smiling 2", ("smiling=2 is not possible", "0 (no) to 1 (yes)")),
        (f"{MINE} --smiling 1 --smiling 0", ("--smiling is given twice", "once")),
        (f"{MINE} --smiling 1 --label Smiling=0", ("Smiling is given twice", "once")),
        ("generate --smiling 1", ("no option --smiling", "trained without labels")),
        ("generate --model lfw-46", ("no model 'lfw-46'", "mean 'lfw-64'")),
        ("generate --model ../mine", ("no model '../mine'", "lfw-64")),
        ("generate lfw-46", ("lfw-46 does not exist", "model's name: lfw-64")),
        ("generate mine.safetensors --model lfw-64", ("give one of them",)),
        ("generate mine.safetensors", ("Missing option '--out'", "Usage: facegan generate")),
        ("generate --dataset", ("--out is missing", "folder")),
        ("evaluate lfw-64 --data portraits:60@32", ("makes pictures of 64×64", "32×32")),
        ("models crad lfw-64", ("no command 'crad'", "mean 'card'")),
        ("models card lfw", ("no model 'lfw'", "lfw-64")),
        ("models labels nowhere", ("nowhere does not exist", "lfw-64")),
        ("models remove lfw-64", ("in the box",)),
        ("models install mine.safetensors", ("without a card", "facegan models pack")),
        ("models install nowhere", ("nowhere is not a readable",)),
        (PACK.replace(" --evaluation scores.json", ""), ("Measure it first", "--json")),
        (PACK.replace("scores.json", "nowhere.json"), ("nowhere.json",)),
        (PACK.replace("--name mine", "--name ../x"), ("'../x' is not a name", "small letters")),
        (f"{PACK} --limits nowhere.txt", ("nowhere.txt cannot be read",)),
        (f"{PACK} --data nowhere", ("no dataset at nowhere",)),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    at: Path, call: Any, content: Any, words: str, fragments: tuple[str, ...]
) -> None:
    before = content(at)
    ended = call(*shlex.split(words))
    assert ended.status == 2, ended.err
    assert "Traceback" not in ended.err
    assert [f for f in fragments if f not in ended.err] == [], ended.err
    assert ended.out == ""
    assert content(at) == before


def test_what_a_file_says_does_not_reach_the_terminal_raw(at: Path, call: Any) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open("mine.safetensors", framework="pt") as file:
        about = json.loads(file.metadata()["facegan"])
    about |= {"format": 9, "version": "\x1b]0;gone\x07\u202e"}
    save_file(load_file("mine.safetensors"), "evil.safetensors", {"facegan": json.dumps(about)})
    for words in ("generate evil.safetensors --out x", "models labels evil.safetensors"):
        ended = call(*shlex.split(words))
        assert ended.status == 2
        assert "newer format" in ended.err
        assert not {"\x1b", "\x07", "\u202e"} & set(ended.err)


def test_the_list_needs_no_network_library() -> None:
    code = (
        "import sys; sys.argv = ['facegan', 'models']\n"
        "from facegan.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('loaded:', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown, _, loaded = done.stdout.rpartition("loaded:")
    assert "lfw-64" in shown
    assert not {"torch", "cv2", "numpy"} & set(loaded.split())
