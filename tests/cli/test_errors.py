"""Whatever is wrong with what people type: two helpful lines, and nothing broken."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import resource
import shlex
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from facegan.apps.datasets import open_dataset
from facegan.data.dataset import Dataset, fingerprint

# What the command line says when an error escaped that it does not know.
_TRACE = "Traceback (most recent call last)"
_MOST_LINES = 6

CASES: list[Any] = []


def case(
    name: str,
    command: str,
    *fragments: str,
    status: int | None = 2,
    prepare: Callable[[Path], object] | None = None,
) -> None:
    """Add a case.

    Args:
        name: of the case.
        command: what is typed after `facegan`, in a copy of the folder `given`.
        fragments: what must be said: what was got, what is allowed or what to do next.
        status: expected exit status; None for 1 or 2.
        prepare: changes the folder, given as its argument, before.
    """
    CASES.append(pytest.param(command, fragments, status, prepare, id=name))


def shown(name: str, settings: str, *fragments: str, recipe: str = "gan") -> None:
    """A case of `facegan recipes show` with overrides."""
    words = " ".join(f"--set {shlex.quote(setting)}" for setting in settings.split(";;"))
    case(name, f"recipes show {recipe} {words}", *fragments)


TRAIN = "train recipe.toml --data dataset --run"

# --- words ---------------------------------------------------------------------------------
case("unknown-command", "trian gan", "no command 'trian'", "mean 'train'", "generate")
case("unknown-subcommand", "data improt a b", "no command 'improt'", "mean 'import'", "show")
case("unknown-subcommand-of-recipes", "recipes shw gan", "no command 'shw'", "mean 'show'")
case("unknown-option", "train gan --dta dataset --run new", "--dta", "--data")
case("option-without-dataset", "train gan --run new", "--data", "Usage: facegan train")
case("option-without-run", "train recipe.toml --data dataset", "--run", "the folder to train in")
case("option-without-value", "train gan --data", "--data", "requires an argument")
case("argument-missing", "data show", "DATASET", "Usage: facegan data show")
case("argument-too-many", "recipes show gan dcgan", "unexpected extra argument", "dcgan")
case("number-in-words", "generate run --out new -n many", "many", "integer")
case("choice-unknown", "data show dataset --split test", "test", "holdout")
case("device-unknown", f"{TRAIN} new --device gpu", "gpu", "cpu", "cuda", "auto", status=None)
case(
    "device-unknown-generate",
    "generate run --out new --device gpu",
    "gpu",
    "cpu",
    "cuda",
    status=None,
)
case("device-number-wrong", f"{TRAIN} new --device cpu:first", "cpu:first", "cuda", status=None)
case("threads-0", f"{TRAIN} new --threads 0", "--threads 0", "from 1", status=None)
case("threads-negative", f"{TRAIN} new --threads -2", "--threads -2", "from 1", status=None)
case("processes-0", f"{TRAIN} new --processes 0", "0", "1", "--processes")
case("demo-budget", "demo --out new --budget soon", "'soon' is not a budget", "200kimg, 10min")
case("demo-out-is-a-file", "demo --out recipe.toml", "recipe.toml", "in the way", status=1)

# --- pages and studies ---------------------------------------------------------------------
case("page-called-pdf", "report run --out page.pdf", "page.pdf", "HTML", ".html", status=None)
case("figures-of-one-run-twice", "report run run --figures new", "twice", "once", status=None)
case("noise-too-large", "study quick --dry-run --noise 2", "2 is no noise", "0.1", status=None)
case("noise-of-nothing", "study quick --dry-run --noise run", "run is not a study", status=None)
case("figures-of-no-study", "study quick --out run --figures new", "not a study", status=None)

# --- recipes -------------------------------------------------------------------------------
case("recipe-unknown", "recipes show dcgam", "no recipe 'dcgam'", "mean 'dcgan'", "tanh-gan")
case("recipe-unknown-train", "train dcgn --data dataset --run new", "'dcgn'", "mean 'dcgan'")
case("recipe-missing", "recipes show mine.toml", "mine.toml", "No such file", "gan, tanh-gan")
case("recipe-folder", "recipes show ./dataset", "dataset", "directory", "Give a TOML file", "gan")


def _file(name: str, text: str | bytes) -> Callable[[Path], object]:
    data = text if isinstance(text, bytes) else text.encode()
    return lambda at: (at / name).write_bytes(data)


case(
    "recipe-without-ending",
    "train bad --data dataset --run new",
    "no recipe 'bad'",
    "There is a file bad.toml: add its ending",
    prepare=_file("bad.toml", 'name = "x"\n'),
)
case(
    "recipe-binary",
    "recipes show bad.toml",
    "bad.toml cannot be read",
    "utf-8",
    "Give a TOML file",
    prepare=_file("bad.toml", bytes(range(256))),
)
case(
    "recipe-not-toml",
    "recipes show bad.toml",
    "bad.toml is not valid TOML",
    "line 2",
    prepare=_file("bad.toml", 'name = "x"\ntraining = {batch 3}\n'),
)
case(
    "recipe-without-networks",
    "recipes show bad.toml",
    "bad.toml lacks 'generator'",
    "start from a recipe",
    prepare=_file("bad.toml", 'name = "x"\ntitle = "x"\nsource = "x"\n'),
)
case(
    "recipe-not-the-users-language",
    "recipes show bad.toml",
    "bad.toml",
    "seed",
    "integer",
    prepare=lambda at: (at / "bad.toml").write_text(
        (at / "recipe.toml").read_text().replace("seed = 0", 'seed = "0"')
    ),
)
case(
    "recipe-too-deep",
    "recipes show bad.toml",
    "bad.toml",
    prepare=_file("bad.toml", f"name = {'[' * 5000}{']' * 5000}"),
)
shown("key-of-another-kind", "stages.*.*.kind=sgd", "stages.0.generator.betas", "kind='sgd'")
shown("key-at-top", "genrator.channels=3", "'genrator'", "mean 'generator'", "training")
shown("key-in-section", "training.bacth=3", "'training.bacth'", "mean 'batch'", "ema_half_life")
shown("key-in-latent", "generator.latent.sise=3", "'generator.latent.sise'", "mean 'size'")
shown("key-in-stage", "stages.0.shore=1", "'stages.0.shore'", "mean 'share'", "train")
shown("key-in-optimizer", "stages.0.generator.beta=[0,0.9]", "generator.beta'", "mean 'betas'")
shown("key-in-every-optimizer", "stages.*.*.rate=1", ".rate'", "lr")
shown("key-in-penalty", "method.penalty={kind='r1', gama=3}", "penalty.gama'", "mean 'gamma'")
shown(
    "key-in-schedule",
    "stages.0.generator.lr={kind='cosine', start=1.0, stop=0.0}",
    "'stages.0.generator.lr.stop'",
    "Allowed: begin, end, finish, kind, start",
)
shown("two-findings", "training.bacth=3;;training.seeed=3", "1 more finding", "mean 'batch'")
shown("type-word", "training.batch=many", "training.batch = 'many'", "integer")
shown("type-fraction", "training.batch=6.5", "training.batch = 6.5", "integer")
shown("type-yes", "training.batch=true", "training.batch = True", "integer")
shown("type-section", "training=3", "training = 3 is not allowed", "table")
shown("type-network", "generator=dcgan", "generator = 'dcgan' is not allowed", "table")
shown("type-list", "generator.hidden=8", "generator.hidden = 8", "array")
shown("type-in-list", "generator.hidden=[8,'x']", "generator.hidden.1 = 'x'", "integer")
shown("type-of-name", "name=3", "name = 3", "string")
shown("range-batch", "training.batch=1", "training.batch = 1", "greater than or equal to 2")
shown("range-seed", "training.seed=-1", "training.seed = -1", "greater than or equal to 0")
shown("range-half-life", "training.ema_half_life=0", "ema_half_life = 0", "greater than 0")
shown("range-nan", "training.ema_half_life=nan", "ema_half_life = nan", "finite")
shown("range-beta", "stages.0.generator.betas=[0.5,1.0]", "betas.1 = 1.0", "less than 1")
shown("range-rate", "stages.*.*.lr=-1e-4", "lr = -0.0001", "a rate stays between 0")
shown("range-share", "stages.0.share=0", "stages.0.share = 0", "greater than 0")
shown("range-width", "generator.channels=0", "channels = 0", "or equal to 1", recipe="dcgan")
shown("range-critic", "method.n_critic=0", "method.n_critic = 0", "or equal to 1")
shown("no-stages", "stages=[]", "stages = []", "at least 1 item")
shown("no-players", "stages.0.train=[]", "stages.0.train = []", "at least 1 item")
shown("player-unknown", "stages.0.train=['critic']", "train.0 = 'critic'", "discriminator")
shown("type-rate", "stages.*.*.lr=fast", "stages.0.generator.lr = 'fast' is not allowed", "number")
shown("type-ramp", "stages.*.*.lr={start=1.0}", "stages.0.generator.lr ", "kind", "linear")
shown(
    "range-of-ramp",
    "stages.0.generator.lr={kind='linear', start=1.0, end=0.0, finish=0.0}",
    "stages.0.generator.lr = ",
    "finish (0.0) must be after begin (0.0)",
)
shown("word-precision", "training.precision=fp16", "'fp16'", "Allowed: auto, bf16, fp32")
shown("word-loss", "method.loss=hing", "method.loss = 'hing'", "mean 'hinge'")
shown("word-pixels", "data.range=sigmoid", "data.range = 'sigmoid'", "symmetric, unit")
shown("kind-network", "generator.kind=dcgna", "generator.kind is 'dcgna'", "mean 'dcgan'", "mlp")
shown("kind-optimizer", "stages.*.*.kind=adan", "kind is 'adan'", "mean 'adam'", "rmsprop")
shown("kind-penalty", "method.penalty.kind=r3", "method.penalty.kind is 'r3'", "mean 'r2'")
shown(
    "kind-of-plugin",
    "method.regularisers=[{kind='drift'}]",
    "method.regularisers.0.kind is 'drift'",
    "lecam",
    "--plugin",
)
case("plugin-absent", "recipes show gan --plugin own.py", "own.py", "path of a Python file")
case("plugin-unknown", "recipes show gan --plugin own_kinds", "'own_kinds'", "ending in .py")
shown("kind-missing", "method.penalty.gamma=2", "method.penalty does not say which kind", "Add")
shown("override-without-value", "training.batch", "'training.batch'", "a.b=value")
shown("override-without-key", "=3", "'=3'", "a.b=value")
shown("override-item", "stages.7.share=1", "no item '7'", "list of 1", "0 to 0, or *")
shown("override-item-word", "stages.first.share=1", "no item 'first'", "or * for all")
shown("override-item-odd-digit", "stages.².share=1", "no item '²'", "or * for all")
shown("override-through-a-value", "training.batch.size=3", "single value (64)", "Shorten the path")
shown("override-giant-number", f"training.seed={'9' * 5000}", "training.seed", "seed", "integer")
case("override-not-unicode", "recipes show gan --set name=\udcff", "name")
for _text in ("forever", "-5min", "0kimg", "10", "10parsecs", "", "9" * 400 + "kimg"):
    case(
        f"budget-{_text[:9] or 'empty'}",
        f"{TRAIN} new --budget '{_text}'",
        "is not a budget" if len(_text) < 20 else "budget",
        "200kimg, 10min, 2h" if len(_text) < 20 else "img",
    )
shown("budget-in-recipe", "training.budget=0min", "'0min' is not a budget", "10min")
shown("budget-a-number", "training.budget=10", "training.budget = 10", "string")

# --- datasets ------------------------------------------------------------------------------
NEW = "train recipe.toml --run new --data"


def _edit_card(at: Path, **changes: Any) -> None:
    """Change values of the card; None removes."""
    file = at / "dataset" / "dataset.json"
    card = json.loads(file.read_text("utf-8")) | changes
    file.write_text(json.dumps({k: v for k, v in card.items() if v is not None}), "utf-8")


def _edit_items(at: Path, change: Callable[[list[str]], list[str]]) -> None:
    file = at / "dataset" / "items.csv"
    file.write_text("\n".join(change(file.read_text("utf-8").splitlines())) + "\n", "utf-8")


def _edit_array(at: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    np.save(at / "dataset" / name, change(np.load(at / "dataset" / name)))


def _cut(name: str, keep: float) -> Callable[[Path], object]:
    """Shorten a file to this share of itself."""

    def cut(at: Path) -> None:
        data = (at / name).read_bytes()
        (at / name).write_bytes(data[: int(len(data) * keep)])

    return cut


case("data-missing", f"{NEW} nowhere", "no dataset at nowhere", "data import SOURCE DATASET")
case("data-missing-dry-run", "train recipe.toml --dry-run --data nowhere", "no dataset at nowhere")
case("data-a-file", f"{NEW} recipe.toml", "recipe.toml is a file", "data import SOURCE DATASET")
case("data-pictures", f"{NEW} pictures", "pictures is not a dataset", "import it first")
case("data-long-name", f"{NEW} {'x' * 300}", "xxx", "name")
case(
    "card-not-json",
    f"{NEW} dataset",
    "dataset.json is not JSON",
    "line 1",
    "--overwrite",
    prepare=_file("dataset/dataset.json", "{format: 1}"),
)
case(
    "card-of-another-tool",
    f"{NEW} dataset",
    "states no format",
    "import it first",
    prepare=_file("dataset/dataset.json", '{"labels": null}'),
)
case(
    "card-newer",
    f"{NEW} dataset",
    "newer facegan (format 99",
    "Update facegan",
    prepare=partial(_edit_card, format=99),
)
case(
    "card-without-fingerprint",
    f"{NEW} dataset",
    "lacks the fingerprint",
    "--overwrite",
    prepare=partial(_edit_card, fingerprint=None),
)
case(
    "card-without-counts",
    "data show dataset",
    "dataset.json",
    "counts",
    prepare=partial(_edit_card, counts=None),
)
case(
    "card-without-mean",
    f"{NEW} dataset --set data.range=standard",
    "'standard' needs a mean",
    "data.range=symmetric",
    prepare=partial(_edit_card, mean=None),
)
case(
    "images-missing",
    f"{NEW} dataset",
    "images.npy is missing",
    "--overwrite",
    prepare=lambda at: (at / "dataset/images.npy").unlink(),
)
case(
    "images-cut-short",
    f"{NEW} dataset",
    "images.npy is damaged",
    "--overwrite",
    prepare=_cut("dataset/images.npy", 0.7),
)
case(
    "images-not-an-array",
    f"{NEW} dataset",
    "images.npy is damaged",
    "--overwrite",
    prepare=_file("dataset/images.npy", "images"),
)
case(
    "images-wrong-type",
    f"{NEW} dataset",
    "images.npy holds float32 [48, 32, 32, 3]",
    "uint8 [N,H,W,C]",
    prepare=partial(_edit_array, name="images.npy", change=lambda a: a.astype(np.float32)),
)
case(
    "images-not-square",
    f"{NEW} dataset",
    "images.npy holds uint8 [48, 32, 16, 3]",
    "H equal to W",
    prepare=partial(_edit_array, name="images.npy", change=lambda a: a[:, :, :16].copy()),
)
case(
    "images-two-channels",
    f"{NEW} dataset",
    "[48, 32, 32, 2]",
    "1 or 3 channels",
    prepare=partial(_edit_array, name="images.npy", change=lambda a: a[..., :2].copy()),
)
case(
    "images-fewer-than-items",
    f"{NEW} dataset",
    "items.csv lists 48 images, but images.npy holds 47",
    "--overwrite",
    prepare=partial(_edit_array, name="images.npy", change=lambda a: a[1:].copy()),
)
case(
    "items-wrong-split",
    f"{NEW} dataset",
    "items.csv, line 2",
    "train or holdout",
    prepare=partial(
        _edit_items, change=lambda rows: [r.replace(",train,", ",test,") for r in rows]
    ),
)
case(
    "items-wrong-columns",
    f"{NEW} dataset",
    "items.csv has the columns file",
    "name, identity, split, source",
    prepare=partial(_edit_items, change=lambda rows: ["file,who,part,from", *rows[1:]]),
)


def _all_held_out(folder: Path) -> None:
    """A dataset that was made so, not one that was edited."""
    _edit_items(folder, change=lambda rows: [r.replace(",train,", ",holdout,") for r in rows])
    dataset = Dataset.open(folder / "dataset")
    assert dataset.labels is None
    images, items = dataset.images.tobytes(), (dataset.path / "items.csv").read_bytes()
    sums = [hashlib.sha256(data).hexdigest() for data in (images, items)]
    mark = fingerprint(dataset.images.shape, sums[0], dataset.label_names, "", sums[1])
    card = folder / "dataset" / "dataset.json"
    card.write_text(card.read_text("utf-8").replace(dataset.fingerprint, mark), "utf-8")


case(
    "items-all-held-out",
    f"{NEW} dataset",
    "train split is empty",
    "smaller --holdout",
    prepare=_all_held_out,
)
case(
    "labels-missing",
    f"{NEW} dataset",
    "labels.npy is missing",
    "--overwrite",
    prepare=partial(_edit_card, label_names=["smile"]),
)
case(
    "labels-wrong-shape",
    f"{NEW} dataset",
    "labels.npy holds float64 [48]",
    "float32 [48, 1]",
    prepare=lambda at: (
        _edit_card(at, label_names=["smile"]),
        np.save(at / "dataset/labels.npy", np.zeros(48)),
    ),
)
case(
    "dataset-changed",
    "data show dataset --verify",
    "has changed since it was made",
    "--overwrite",
    prepare=partial(_edit_array, name="images.npy", change=lambda a: a[::-1].copy()),
)
for _name, _command in (
    ("train", "train recipe.toml --data dataset --run new"),
    ("mixed", "train recipe.toml --data pack48 --mix dataset --set data.mix=[0.5] --run new"),
    ("go-on", "train recipe.toml --data dataset --run run"),
    ("evaluate", "evaluate run --data dataset -n 50"),
):
    case(
        f"dataset-changed-{_name}",
        _command,
        "has changed since it was made",
        "--overwrite",
        prepare=partial(_edit_array, name="images.npy", change=lambda a: a[::-1].copy()),
    )
case(
    "extractor-of-a-recipe",
    "train recipe.toml --data dataset --run new --set evaluation.times=1 "
    "--set evaluation.extractor=mine.toml",
    "mine.toml",
    "may not name one",
    "facegan evaluate",
    prepare=_file("mine.toml", "file = 'mine.onnx'"),
)
case(
    "extractor-of-a-plan",
    "study mine.toml --out new",
    "theirs.toml",
    "may not name one",
    "facegan evaluate",
    prepare=lambda at: _file(
        "mine.toml",
        "name = 'mine'\nseeds = 1\nbudget = '1kimg'\ndatasets = {faces = 'dataset'}\n"
        "methods = {gan = {recipe = 'gan'}}\nmeasure = {extractors = ['theirs.toml']}\n",
    )(at),
)
case("resolution-for-dcgan", "train dcgan --data pack48 --run new", "48×48", "32, 64, 128, 256")
case("portraits-0", f"{NEW} portraits:0", "0 portraits are too few", "2 or more")
case("portraits-small", f"{NEW} portraits:9@8", "drawn at 8 px", "16 to 2048")
case("portraits-large", f"{NEW} portraits:9@4096", "drawn at 4096 px", "16 to 2048")
case(
    "portraits-damaged-in-cache",
    f"{NEW} portraits:8@32",
    "cache/portraits",
    "drawn again",
    prepare=lambda at: [
        open_dataset("portraits:8@32"),
        *(_cut(f"{file.relative_to(at)}", 0.5)(at) for file in at.glob("cache/*/images.npy")),
    ],
)
case("portraits-odd", f"{NEW} portraits:many", "portraits:many", "COUNT", "RESOLUTION")

# --- looking at datasets, drawing them --------------------------------------------------------
case("export-no-zip", "data export dataset faces", "cannot be faces", "ending in .zip")
case("export-there", "data export dataset a.zip", "is there already", prepare=_file("a.zip", "x"))
case("export-missing", "data export nowhere a.zip", "no dataset at nowhere", "data import")
case("show-missing", "data show nowhere", "no dataset at nowhere", "data portraits DATASET")
case("show-rows", "data show dataset --rows 0", "0 rows", "1 or more")
case("show-not-png", "data show dataset --out sheet.jpg", "sheet.jpg", "ending in .png")
case("show-seed", "data show dataset --seed -1", "-1", "from 0")
case("show-empty-split", "data show pack48 --split holdout --out recipe.toml/a.png", "holdout")
case(
    "show-out-below-a-file",
    "data show dataset --out recipe.toml/a.png",
    "recipe.toml",
    "in the way",
    status=1,
)
case("draw-none", "data portraits new -n 0", "0 portraits", "at least 1")
case("draw-small", "data portraits new -n 4 --resolution 8", "8 px", "16 to 2048")
case("draw-seed", "data portraits new -n 4 --seed -1", "seed -1", "from 0")
case("draw-exists", "data portraits dataset -n 4", "already holds a dataset", "--overwrite")
case(
    "draw-over-pictures",
    "data portraits pictures -n 4 --overwrite",
    "not a dataset",
    "another name",
)
case("draw-over-file", "data portraits recipe.toml -n 4", "recipe.toml is a file", "another name")
case("draw-below-file", "data portraits recipe.toml/a -n 4", "in the way", status=1)
case("draw-long-name", f"data portraits {'x' * 300} -n 4", "xxx", "name", status=None)
case("draw-root", "data portraits / -n 4", "/", "another name")

# --- importing -----------------------------------------------------------------------------
IMPORT = "data import pictures new"
LABELS = f"{IMPORT} --labels table.csv"
case("import-missing", "data import nowhere new", "nothing at nowhere", "archive")
case("import-device", "data import /dev/null new", "neither a file nor a folder", "archive")
case(
    "import-empty-folder",
    "data import empty new",
    "no usable picture",
    "it is empty",
    "JPEG, PNG",
    prepare=lambda at: (at / "empty").mkdir(),
)
case(
    "import-no-pictures",
    "data import notes new",
    "no usable picture: 1 × not an image, 1 × text, not used",
    "JPEG, PNG",
    prepare=lambda at: [
        (at / "notes").mkdir(),
        *((at / "notes" / name).write_text("hello") for name in ("a.txt", "b.jpg")),
    ],
)
case(
    "import-empty-file",
    "data import empty.zip new",
    "empty.zip is empty",
    ".tar.gz",
    prepare=_file("empty.zip", ""),
)
case(
    "import-not-an-archive",
    "data import recipe.toml new",
    "not an archive that facegan knows",
    ".zip, .tar",
)
case(
    "import-7z",
    "data import faces.7z new",
    "not an archive that facegan knows",
    ".zip, .tar",
    prepare=_file("faces.7z", b"7z\xbc\xaf\x27\x1c" + bytes(600)),
)


def _archive(kind: str) -> Callable[[Path], Path]:
    """The pictures as `faces.KIND`."""

    def dataset(at: Path) -> Path:
        target = at / f"faces.{kind}"
        if kind == "zip":
            with zipfile.ZipFile(target, "w") as archive:
                for file in (at / "pictures").iterdir():
                    archive.write(file, file.name)
        else:
            with tarfile.open(target, "w:gz") as archive:
                archive.add(at / "pictures", "pictures")
        return target

    return dataset


def _encrypted_zip(at: Path) -> None:
    """Only the flags: nothing asks for the password."""
    file = _archive("zip")(at)
    data = bytearray(file.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = data.find(mark)
        while position >= 0:
            data[position + flags] |= 1
            position = data.find(mark, position + 4)
    file.write_bytes(data)


case(
    "import-cut-tar",
    "data import faces.tgz new",
    "faces.tgz is damaged or cut short",
    "checksum",
    prepare=lambda at: [_archive("tgz")(at), _cut("faces.tgz", 0.6)(at)],
)
case(
    "import-gzip-of-no-tar",
    "data import faces.gz new",
    "is not a tar archive",
    "checksum",
    prepare=_file("faces.gz", bytes.fromhex("1f8b0800000000000003") + bytes(40)),
)
case(
    "import-cut-zip",
    "data import faces.zip new",
    "damaged or incomplete zip",
    "checksum",
    prepare=lambda at: [_archive("zip")(at), _cut("faces.zip", 0.6)(at)],
)
case(
    "import-encrypted-zip",
    "data import faces.zip new",
    "faces.zip is encrypted",
    "Decrypt it",
    prepare=_encrypted_zip,
)
case("import-exists", "data import pictures dataset", "already holds a dataset", "--overwrite")
case(
    "import-over-pictures",
    "data import pictures/deep other-pictures --overwrite",
    "not a dataset",
    "another name",
    prepare=lambda at: shutil.copytree(at / "pictures", at / "other-pictures"),
)
case("import-a-dataset", "data import dataset new", "dataset is a dataset already", "--data")
case("import-over-file", "data import pictures recipe.toml", "is a file", "another name")
case("import-into-itself", "data import pictures pictures/new", "inside its own source", "outside")
case("import-onto-itself", "data import pictures pictures", "would be replaced", "another place")
case("align-crop", f"{IMPORT} --align --crop 20", "aligned", "the zoom instead")
case("align-nothing", f"{IMPORT} --zoom 2", "nothing is to be aligned", "Ask for alignment")
case("align-zoom", f"{IMPORT} --align --zoom 9", "zoom is 9", "0.25 to 4")
case("align-border", f"{IMPORT} --align --border black", "black", "reflect", "refuse")
case("align-yaw", f"{IMPORT} --align --max-yaw 100", "max-yaw is 100", "90 degrees")
case("align-without-faces", f"{IMPORT} --align", "no face found", "no usable picture")
case("duplicates-unknown", f"{IMPORT} --duplicates drop", "drop", "group", "thin", "keep")

# --- examining and filtering datasets ---------------------------------------------------------
FILTER = "data filter dataset new --drop"
case("doctor-missing", "data doctor nowhere", "no dataset at nowhere", "data import")
case("doctor-shows-nothing", "data doctor dataset --show 0", "show is 0", "1 picture or more")
case("filter-unknown", f"{FILTER} sharp=1", "'sharp'", "Did you mean 'sharpness'")
case("filter-odd", f"{FILTER} sharpness", "not a condition", "'sharpness<200'")
case("filter-itself", "data filter dataset dataset", "the dataset to filter", "another name")
case("filter-labels", "data filter dataset new --as-labels yawn", "'yawn'", "'yaw'")
case(
    "import-onto-parent", "data import pictures/deep pictures", "would be replaced", "another place"
)
case("import-below-file", "data import pictures recipe.toml/new", "in the way", status=1)
case("import-crop-large", f"{IMPORT} --crop 999", "3 × smaller than the crop", "--crop")
case("import-crop-word", f"{IMPORT} --crop centre", "crop is 'centre'", "full, or a number")
case("import-crop-0", f"{IMPORT} --crop 0", "crop is 0", "from 1 up")
case("import-crop-negative", f"{IMPORT} --crop -3", "crop is '-3'", "a number of pixels")
for _side in ("0", "1", "100000", "-64"):
    case(f"import-resolution{_side}", f"{IMPORT} --resolution {_side}", _side, "4 to 1024")
case("import-holdout-large", f"{IMPORT} --holdout 1.5", "holdout is 1.5", "from 0 to below 1")
case("import-holdout-nan", f"{IMPORT} --holdout nan", "holdout is nan", "from 0 to below 1")
case("import-holdout-all", f"{IMPORT} --holdout 0.99999", "in the train split", "--holdout")
case("import-not-square", f"{IMPORT} --resolution 64x48", "64x48", "cropped", "pad it")
case(
    "import-strict",
    f"{IMPORT} --strict",
    "strictly none may be: 1 × text",
    "without strictness",
    prepare=_file("pictures/notes.txt", "hello"),
)
case("import-no-folders", "data import pictures/deep new --labels folders", "in no folders", "2 to")
case("import-no-columns", f"{IMPORT} --columns smile", "brings no labels", "table of labels")
case("import-workers", f"{IMPORT} --workers 0", "workers is 0", "1 or more")
case("import-min-size", f"{IMPORT} --min-size 0", "min-size is 0", "1 pixel or more")
case("import-too-small", f"{IMPORT} --min-size 99", "3 × too small", "--min-size")
case("labels-no-file", LABELS, "no labels file at table.csv", "path of a CSV")
case("labels-a-folder", f"{IMPORT} --labels dataset", "dataset cannot be read", "CSV")
for _name, _content, _fragments in (
    ("empty", "", ("table.csv is empty", "column names")),
    ("no-rows", "file,smile\n", ("a header, but no rows", "one line a file")),
    ("no-match", "file,smile\nx.png,1\n", ("none of its 1 rows fits", "'x.png'", "a.png")),
    ("words", "file,smile\na.png,2\nb.png,yes\n", ("line 3: smile is 'yes'", "yes and no")),
    ("short-line", "file,smile\na.png\n", ("line 2: 1 values", "the header has 2")),
    ("twice", "file,smile\na.png,1\na.png,0\n", ("line 3: 'a.png' was already on line 2",)),
    ("ambiguous", "file,smile\na,1\n", ("one row fits both", "relative to the source")),
    ("captions", "file;is\na.png;x\nb.png;x\n", ("no column of labels: is: it says 'x'", "words")),
    ("one-column", "file\na.png\n", ("only one column", "at least one of labels")),
    ("same-name", "file,smile,smile\na.png,1,1\n", ("'smile' names two columns", "own name")),
    ("not-utf-8", b"file,\xff\xfe\n", ("is not UTF-8 text", "Save it as CSV in UTF-8")),
):
    case(f"labels-{_name}", LABELS, *_fragments, prepare=_file("table.csv", _content))
case(
    "labels-no-such-column",
    f"{LABELS} --columns smlie",
    "no column 'smlie'",
    "Did you mean 'smile'?",
    prepare=_file("table.csv", "file,smile\na.png,1\n"),
)

# --- runs ----------------------------------------------------------------------------------
case("run-a-file", f"{TRAIN} recipe.toml", "recipe.toml", "in the way", status=1)
case("run-a-dataset", f"{TRAIN} dataset", "dataset holds a dataset", "another --run folder")
case("run-another-dataset", f"{TRAIN} other", "other holds a dataset", "another --run folder")
case("run-below-a-file", f"{TRAIN} recipe.toml/run", "recipe.toml", "in the way", status=1)
case("run-where-none-can-be", f"{TRAIN} /proc/facegan", "/proc/facegan", "another", status=1)
case("run-long-name", f"{TRAIN} {'x' * 300}", "xxx", "name", status=None)
case("device-absent", f"{TRAIN} new --device cuda", "no CUDA device", "--device cpu")
case("logger-unknown", f"{TRAIN} new --log tensorbord", "no logger 'tensorbord'", "tensorboard")
case(
    "run-of-another-recipe",
    f"{TRAIN} run --set training.batch=16 --set method.loss=hinge",
    "run was begun with another recipe",
    "training.batch: 8 → 16",
    "method.loss: non_saturating → hinge",
    "another --run folder",
)
case(
    "run-of-another-seed",
    f"{TRAIN} run --set training.seed=7",
    "training.seed: 0 → 7",
    "another --run folder",
)
case(
    "run-of-a-smaller-budget",
    f"{TRAIN} run --budget 100img",
    "192img",
    "100img is less",
    "another run folder",
)
case(
    "run-of-another-dataset",
    "train recipe.toml --data other --run run",
    "begun with another dataset: blobs",
    "Give the same dataset",
)
case(
    "run-checkpoints-all-damaged",
    f"{TRAIN} run",
    "checkpoint",
    "damaged",
    "another --run folder",
    prepare=lambda at: [
        _cut(str(file.relative_to(at)), 0.5)(at)
        for file in (at / "run/checkpoints").glob("*/state.safetensors")
    ],
)
case(
    "run-provenance-not-json",
    f"{TRAIN} run",
    "provenance.json cannot be read",
    "run/provenance.json",
    prepare=_cut("run/provenance.json", 0.5),
)
case(
    "run-provenance-gone",
    f"{TRAIN} run",
    "provenance.json cannot be read",
    "No such file",
    prepare=lambda at: (at / "run/provenance.json").unlink(),
)
for _part in ("dataset", "execution", "plan"):

    def _without(at: Path, part: str = _part) -> None:
        file = at / "run/provenance.json"
        values = json.loads(file.read_text("utf-8"))
        del values[part]
        file.write_text(json.dumps(values), "utf-8")

    case(f"run-provenance-no-{_part}", f"{TRAIN} run", "provenance.json", _part, prepare=_without)
case(
    "run-recipe-damaged",
    f"{TRAIN} run",
    "run/recipe.toml is not valid TOML",
    "another --run folder",
    prepare=_cut("run/recipe.toml", 0.55),
)
case(
    "run-recipe-of-other-version",
    f"{TRAIN} run",
    "Unknown key 'sparkle' in run/recipe.toml",
    "Allowed: augment",
    prepare=lambda at: (at / "run/recipe.toml").write_text(
        'sparkle = "full"\n' + (at / "run/recipe.toml").read_text("utf-8"), "utf-8"
    ),
)

# --- generators ----------------------------------------------------------------------------
GENERATE = "generate run --out new"
case("generate-missing", "generate nowhere --out new", "nowhere does not exist", "run folder")
case("generate-no-run", "generate pictures --out new", "pictures is not a run", "--run named")
case("generate-without-out", "generate run", "--out", "Usage: facegan generate")
case(
    "generate-no-checkpoint",
    GENERATE,
    "no whole checkpoint yet",
    "first snapshot",
    prepare=lambda at: shutil.rmtree(at / "run/checkpoints"),
)
case("generate-none", f"{GENERATE} -n 0", "-n 0", "1 or more")
case("generate-seed", f"{GENERATE} --seed -1", "--seed -1 is negative", "from 0")
case("generate-psi", f"{GENERATE} --truncation 2", "--truncation 2", "outside [0, 1]", "0.7")
case("generate-psi-nan", f"{GENERATE} --truncation nan", "--truncation nan", "outside [0, 1]")
case("generate-columns", f"{GENERATE} --grid --columns 0", "--columns 0", "1 or more")
case("generate-best-of-a-file", "generate pictures/a.png --best --out new", "not a run", "--best")
for _words, _fragments in (
    ("Smiling", ("--label Smiling is not understood", "NAME=VALUE")),
    ("Smiling=", ("--label Smiling= is not understood", "NAME=VALUE")),
    ("Smiling=yes", ("no label 'Smiling'", "trained without labels")),
    ("=1", ("--label =1 is not understood", "NAME=VALUE")),
    ("Smiling=1 --label Smiling=0", ("Smiling is given twice", "once")),
    ("Smiling=1", ("no label 'Smiling'", "trained without labels")),
):
    case(f"generate-label-{_words.split()[-1]}", f"{GENERATE} --label {_words}", *_fragments)
case("generate-grid-jpeg", "generate run --grid --out new.jpg", "new.jpg", "PNG", ".png")
case(
    "generate-a-checkpoint",
    "generate checkpoint --out new",
    "not a run, but a folder with a generator",
    "checkpoint/generator.safetensors",
    prepare=lambda at: shutil.copytree(max((at / "run/checkpoints").iterdir()), at / "checkpoint"),
)
case(
    "generate-a-hub-folder",
    "generate hub --out new",
    "not a run, but a folder with a generator",
    "hub/model.safetensors",
    prepare=lambda at: [(at / "hub").mkdir(), (at / "hub/model.safetensors").write_bytes(b"x")],
)
case(
    "generate-the-state",
    "generate checkpoint/state.safetensors --out new",
    "no generator that facegan wrote",
    "generator.safetensors of a run",
    prepare=lambda at: shutil.copytree(max((at / "run/checkpoints").iterdir()), at / "checkpoint"),
)
case("generate-dataset-grid", f"{GENERATE} --dataset --grid", "--dataset and --grid", "Leave one")
case("generate-dataset-holdout", f"{GENERATE} --dataset --holdout 1", "--holdout 1 ", "below 1")
case("generate-files-overwrite", f"{GENERATE} --overwrite", "--overwrite", "--dataset")
case(
    "generate-dataset-exists",
    "generate run --dataset --out dataset",
    "already holds",
    "--overwrite",
)
case(
    "generate-dataset-over-pictures",
    "generate run --dataset --out pictures --overwrite",
    "not a dataset",
    "another name",
)
case("generate-onto-file", "generate run --out recipe.toml", "recipe.toml", "in the way", status=1)
case("generate-precision", f"{GENERATE} --precision fp16", "fp16", "fp32", "bf16")
case("export-nothing", "models export run", "--out", "--onnx")
case("export-both", "models export run --out new --onnx new.onnx", "--out", "--onnx")
case("export-half-of-a-folder", "models export run --out new --half", "--half", "--onnx")
case("export-onto-onnx", "models export run --onnx recipe.toml", "recipe.toml", "--overwrite")
case("page-without-file", "export run", "--html", "Usage: facegan export")
case("page-onto-file", "export run --html recipe.toml", "recipe.toml", "--overwrite")
case("page-of-nothing", "export nothing --html new.html", "nothing", "does not exist", "lfw-64")
case("studio-of-nothing", "studio nothing --no-browser", "nothing", "does not exist", "lfw-64")
case("studio-port", "studio --port 70000 --no-browser", "70000", "65535")
case("studio-of-a-picture", "studio pictures/a.png --no-browser", "a.png", "generator.safetensors")
case(
    "serve-short-token",
    "serve run --token-file pictures/short",
    "5 characters",
    "16",
    prepare=lambda at: (at / "pictures/short").write_text("short"),
)
case("serve-no-token-file", "serve run --token-file nothing", "nothing", status=None)
case("generate-cuda", f"{GENERATE} --device cuda", "no CUDA device", "--device cpu")
case(
    "generate-grid-onto-folder",
    "generate run --grid --out sheet.png",
    "sheet.png",
    "in the way",
    status=1,
    prepare=lambda at: (at / "sheet.png").mkdir(),
)
case("generate-picture", "generate pictures/a.png --out new", "a.png", "generator.safetensors")


def _tensors_of_others(at: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(3, np.float32)}, at / "other.safetensors", {"format": "pt"})


def _generator_of(at: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """The run's generator as `mine.safetensors`, its metadata changed."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(_last_generator(at), framework="pt") as file:
        about = json.loads(file.metadata()["facegan"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    change(about)
    save_file(tensors, at / "mine.safetensors", {"facegan": json.dumps(about)})


def _last_generator(at: Path) -> Path:
    return max((at / "run/checkpoints").glob("*/generator.safetensors"))


MINE = "generate mine.safetensors --out new"
case(
    "generator-foreign",
    "generate other.safetensors --out new",
    "no generator that facegan wrote",
    "generator.safetensors of a run",
    prepare=_tensors_of_others,
)
case(
    "generator-damaged",
    MINE,
    "mine.safetensors is not a readable safetensors file",
    "run folder",
    prepare=lambda at: (at / "mine.safetensors").write_bytes(
        _last_generator(at).read_bytes()[:-500]
    ),
)
case(
    "generator-newer",
    MINE,
    "in a newer format",
    "upgrade",
    prepare=partial(_generator_of, change=lambda about: about.update(format=9)),
)
case(
    "generator-without-recipe",
    MINE,
    "does not hold the generator",
    "take the original",
    prepare=partial(_generator_of, change=lambda about: about.pop("recipe")),
)
case(
    "generator-of-another-shape",
    MINE,
    "does not hold the generator",
    "take the original",
    prepare=partial(
        _generator_of, change=lambda about: about["spec"].update(resolution=64, channels=1)
    ),
)
case(
    "generator-of-another-network",
    MINE,
    "does not hold the generator",
    "take the original",
    prepare=partial(
        _generator_of,
        change=lambda about: about.update(
            recipe=about["recipe"].replace("    12,\n    8,\n", "    1,\n" * 9)
        ),
    ),
)


# --- the checks ----------------------------------------------------------------------------
@pytest.fixture(scope="session")
def given(
    tmp_path_factory: pytest.TempPathFactory,
    dataset_path: Path,
    other_dataset_path: Path,
    tiny: Callable[..., Any],
    watcher: Any,
    call: Callable[..., Any],
) -> Path:
    """A folder with everything in order: datasets, pictures, a recipe, a run half done."""
    from facegan.apps.train import train

    at = tmp_path_factory.mktemp("given")
    shutil.copytree(dataset_path, at / "dataset")
    shutil.copytree(other_dataset_path, at / "other")
    call("data", "portraits", str(at / "pack48"), "-n", "4", "--resolution", "48")
    (at / "pictures").mkdir()
    for seed, name in enumerate(("a.png", "b.png", "deep/a.png")):
        target = at / "pictures" / name
        target.parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(noise).save(target)
    recipe = tiny("gan")
    (at / "recipe.toml").write_text(recipe.to_toml(), "utf-8")
    outcome = train(recipe, at / "dataset", at / "run", threads=1, reporter=watcher(stop_at=136))
    assert outcome.images_seen == 136
    assert len(list((at / "run/checkpoints").iterdir())) == 2
    (at / "run/.lock").touch()  # some systems leave it, some remove it
    return at


@pytest.fixture
def at(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `given`, which is the current folder; what is cached goes there too."""
    folder = tmp_path / "at"
    shutil.copytree(given, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FACEGAN_CACHE", str(folder / "cache"))
    return folder


def assert_helpful(ended: Any, fragments: tuple[str, ...]) -> None:
    assert _TRACE not in ended.err, ended.err
    assert len(ended.lines) <= _MOST_LINES, ended.err
    assert max(len(line) for line in ended.lines) < 800, ended.err
    assert [f for f in fragments if f not in ended.err] == [], ended.err
    assert ended.out == ""


@pytest.mark.parametrize(("words", "fragments", "status", "prepare"), CASES)
def test_bad_input(
    at: Path,
    call: Callable[..., Any],
    content: Callable[[Path], Any],
    words: str,
    fragments: tuple[str, ...],
    status: int | None,
    prepare: Callable[[Path], object] | None,
) -> None:
    if prepare is not None:
        prepare(at)
    before = content(at)
    ended = call(*shlex.split(words))
    assert_helpful(ended, fragments)
    assert ended.status == status if status is not None else ended.status in (1, 2)
    after = content(at)
    assert after.keys() == before.keys()
    assert [name for name in before if after[name] != before[name]] == []


def test_there_are_many_cases() -> None:
    names = [param.id for param in CASES]
    assert len(names) == len(set(names))
    assert len(names) >= 60


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        ("trian gan", ("no command 'trian'", "mean 'train'")),
        ("recipes show dcgam", ("no recipe 'dcgam'", "mean 'dcgan'")),
        ("data show nowhere", ("no dataset at nowhere", "data import SOURCE DATASET")),
        ("data import pictures dataset", ("already holds a dataset", "--overwrite")),
        (f"{TRAIN} run --set training.seed=7", ("training.seed: 0 → 7", "another --run folder")),
    ],
)
def test_as_a_process(
    at: Path, command: Callable[..., Any], content: Any, words: str, fragments: tuple[str, ...]
) -> None:
    before = content(at)
    ended = command(*shlex.split(words), cwd=at)
    assert_helpful(ended, fragments)
    assert ended.status == 2
    assert content(at) == before


def test_a_batch_that_processes_cannot_share(at: Path, command: Any, content: Any) -> None:
    before = content(at)
    words = f"{TRAIN} new --processes 2 --set training.batch=7"
    ended = command(*shlex.split(words), cwd=at)
    assert_helpful(ended, ("batch of 7", "2 processes", "multiple"))
    assert ended.status == 2
    assert content(at) == before


def test_a_run_that_another_process_holds(at: Path, call: Any, content: Any) -> None:
    before = content(at)
    with FileLock(at / "run/.lock"):
        ended = call(*shlex.split(f"{TRAIN} run"))
    (at / "run/.lock").touch()
    assert_helpful(ended, ("run is in use by another facegan process", "another --run folder"))
    assert ended.status == 2
    assert content(at) == before


def test_a_pack_that_another_process_writes(at: Path, call: Any, content: Any) -> None:
    before = content(at)
    lock = at / ".new.lock"
    with FileLock(lock):
        ended = call("data", "import", "pictures", "new")
    lock.unlink(missing_ok=True)
    assert_helpful(ended, ("Another process is writing", "new", "another name"))
    assert ended.status == 2
    assert content(at) == before


def test_a_damaged_checkpoint_is_passed_over(at: Path, call: Any) -> None:
    """The one before it is used, and said; the run ends as if nothing had happened."""
    shutil.copytree(at / "run", at / "whole")
    assert call(*shlex.split(f"{TRAIN} whole --threads 1")).status == 0
    older, newer = sorted(path.name for path in (at / "run/checkpoints").iterdir())
    _cut(f"run/checkpoints/{newer}/state.safetensors", 0.5)(at)
    ended = call(*shlex.split(f"{TRAIN} run --threads 1"))
    assert ended.status == 0, ended.err
    assert f"Checkpoint {newer} is damaged" in ended.err
    assert f"Going on from {float(older[:-1]):g} kimg" in ended.err
    assert ended.out == "Done: 0.192 kimg in run.\n"
    final = "checkpoints/000000.192k/state.safetensors"
    assert (at / "run" / final).read_bytes() == (at / "whole" / final).read_bytes()
    metrics = "metrics.jsonl"
    assert (at / "run" / metrics).read_text() == (at / "whole" / metrics).read_text()


def test_generating_says_that_a_checkpoint_was_passed_over(at: Path, call: Any) -> None:
    newer = max((at / "run/checkpoints").iterdir())
    _cut(str((newer / "generator.safetensors").relative_to(at)), 0.5)(at)
    ended = call(*shlex.split("generate run --grid --out grid.png -n 4"))
    assert ended.status == 0
    assert (at / "grid.png").exists()
    assert f"Checkpoint {newer.name} is damaged" in ended.err


def test_a_pickle_is_not_executed(at: Path, call: Any, content: Any) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (at / "harm",))

    data = pickle.dumps(Harmful())
    pickle.loads(data)
    assert (at / "harm").exists(), "or else this test shows nothing"
    (at / "harm").unlink()
    (at / "mine.safetensors").write_bytes(data)
    np.save(at / "dataset/images.npy", np.array([Harmful()]), allow_pickle=True)
    (at / "harm").unlink(missing_ok=True)
    before = content(at)
    ended = call(*shlex.split(MINE))
    assert_helpful(ended, ("mine.safetensors is not a readable safetensors file", "run folder"))
    assert ended.status == 2
    ended = call(*shlex.split(f"{TRAIN} new"))
    assert_helpful(ended, ("images.npy is damaged", "--overwrite"))
    assert content(at) == before


def test_divergence_is_diagnosed(at: Path, call: Any) -> None:
    """The network, the layer, the place."""
    sgd = shlex.quote("stages.*.*={kind='sgd', lr=1e6}")
    ended = call(*shlex.split(f"{TRAIN} new --set {sgd}"))
    assert ended.status == 1
    assert _TRACE not in ended.err
    assert len(ended.lines) <= _MOST_LINES
    assert re.search(r"diverged at 0\.[0-9]{3} kimg: .* = (inf|nan)", ended.err)
    place = r"began in the (discriminator|generator), in the (gradient|weight) of layers\.[0-9]+\."
    assert re.search(place + r"(weight|bias) \(Linear\)", ended.err), ended.err
    assert "lr=1e-4" in ended.err
    assert "new run" in ended.err, "the same one would refuse the changed recipe"
    assert not list((at / "new").rglob("*.part"))


def _little_room(bytes_allowed: int) -> Callable[[], None]:
    """Files may not grow beyond this: the nearest thing to a full disk that a test can have."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_allowed, bytes_allowed))


def test_no_room_while_training(at: Path, start: Any, wait: Any, call: Any) -> None:
    size = max(p.stat().st_size for p in (at / "run/checkpoints").glob("*/state.safetensors"))
    kept = {p.name: p / "state.safetensors" for p in (at / "run/checkpoints").iterdir()}
    before = {name: file.read_bytes() for name, file in kept.items()}
    words = shlex.split(f"{TRAIN} run --threads 1")
    ended = wait(start(*words, cwd=at, preexec_fn=_little_room(size // 2)))
    assert ended.status == 1
    assert _TRACE not in ended.err
    assert "No room left while writing run/checkpoints/000000.192k" in ended.err
    assert "run the same command again" in ended.err
    assert {name: file.read_bytes() for name, file in kept.items()} == before
    assert not [p for p in (at / "run").rglob("*") if p.name.endswith(".part")]
    again = call(*words)
    assert again.status == 0, again.err
    assert "Going on from 0.136 kimg" in again.err


def test_no_room_while_importing(at: Path, start: Any, wait: Any, content: Any) -> None:
    before = content(at)
    words = shlex.split("data import pictures new --resolution 64 --holdout 0")
    ended = wait(start(*words, cwd=at, preexec_fn=_little_room(9_000)))
    assert_helpful(ended, ("No room left while writing", "at/new", "run the same command again"))
    assert ended.status == 1
    assert content(at) == before


def test_no_room_while_replacing_a_pack(at: Path, start: Any, wait: Any, content: Any) -> None:
    before = content(at)
    words = shlex.split("data portraits dataset --overwrite -n 20 --resolution 64")
    ended = wait(start(*words, cwd=at, preexec_fn=_little_room(9_000)))
    assert_helpful(ended, ("No room left while writing", "at/dataset"))
    assert ended.status == 1
    assert content(at) == before
