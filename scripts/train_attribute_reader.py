"""Train the attribute reader that facegan ships, from packs of labelled faces.

    python scripts/train_attribute_reader.py lfw32 lfw64 lfw125 [--out FILE | --folds K]

The packs hold the same pictures, each at another resolution: made by `facegan data import` with
the same --holdout and --labels (40 attributes from 0 to 1, and Age in years). It learns from
the training identities and is measured on the held-out ones. With --folds it is measured on the
training identities alone, each fold by a reader that learned from the others, and nothing is
written: for choosing how to train.

The same kind of processor and the same PyTorch give the same file again, to the last byte.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from facegan.data.dataset import Dataset
from facegan.errors import DataError
from facegan.evaluation import attributes as reading
from facegan.evaluation.agreement import auc
from facegan.evaluation.attribute_card import AttributeCard, Measured, Source
from facegan.evaluation.attributes import AGE, DIMENSION, KEY, WEIGHTS, AttributeReader, Places
from facegan.networks.backbones.efficientnet_lite import SHA256
from facegan.seeding import READER, random
from facegan.version import __version__

Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
# Counters of random numbers, apart from those of the portrait reader: spoilt pictures to learn
# from and to be measured on take one a picture, batches one an epoch.
_LEARN, _MEASURE, _EPOCH = 2**40, 2**41, 2**42
_EPOCHS, _BATCH = 5, 256
_LEARNING_RATE, _WEIGHT_DECAY = 2e-4, 0.1
# The age counts as one of many labels.
_AGE_WEIGHT = 0.1
_CHUNK = 24
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

_LIMITS = (
    "The labels that it learned from were made by other networks, not by people. It repeats "
    "their errors and their makers' biases; the figures above say how well it agrees with them, "
    "not how often it is right.",
    "It reads appearances in pictures. Male, Young, Attractive and the like are names that its "
    "labels had for a look; they are no facts about a person.",
    "It is for describing and comparing sets of pictures, and for steering generators. It is not "
    "for identifying, sorting or judging people.",
    "It was trained on press photographs of public figures, most of them men; women, children, old "
    "people and many ethnicities are few among them or missing. It was not measured on those.",
    "Faces must be cut out as those it was trained on: upright, centred, with forehead and chin "
    "inside. Other crops, drawings and pictures without a face give numbers that mean little.",
    "Rare attributes (see the last column of the table) were learned from few pictures.",
)


class Head(NamedTuple):
    """The linear map: labels = weight · (features / scale) + bias; of the age, in years."""

    weight: Tensor
    bias: Tensor
    scale: Tensor


def main() -> None:
    """Look, train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packs", type=Path, nargs="+")
    default = Path(reading.__file__).parent / WEIGHTS
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--folds", type=int, help="Cross-validate instead.")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the order of sums, and so the last digits, depend on it
    packs = open_packs(options.packs)
    if options.folds:
        cross_validate(packs, options.folds)
        return
    rows = labelled(packs[0], "train")
    head = train(*to_learn_from(packs, rows), packs[0].label_names)
    head = Head(head.weight.half(), head.bias, head.scale)
    measured = measure(packs, labelled(packs[0], "holdout"), head)
    about = describe(packs, measured, f"python scripts/{Path(__file__).name} {names(packs)}")
    tensors = {name: value.contiguous() for name, value in head._asdict().items()}
    content = save(tensors, metadata={KEY: about.model_dump_json()})
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(content)
    print(AttributeReader.open(path=options.out).card())
    print(f"{options.out}: {len(content):,} bytes, {time.process_time():.0f} s of processor time")


def open_packs(paths: Sequence[Path]) -> list[Dataset]:
    """The packs, which must show the same pictures with the same labels."""
    packs = [Dataset.open(path) for path in paths]
    first = packs[0]
    if first.labels is None or AGE not in first.label_names:
        raise DataError(f"{first.path} has no label {AGE}.", "Import it again with --labels.")
    for dataset in packs:
        same = dataset.names == first.names and dataset.splits == first.splits
        if not same or dataset.label_names != first.label_names or dataset.spec.channels != 3:
            raise DataError(f"{dataset.path} does not hold the pictures of {first.path} in colour.")
    return packs


def names(packs: Sequence[Dataset]) -> str:
    """Of their folders."""
    return " ".join(dataset.path.name for dataset in packs)


def labelled(dataset: Dataset, split: str) -> Rows:
    """The pictures of a split of which every label is known."""
    assert dataset.labels is not None
    rows = dataset.indices(split)
    return rows[np.isfinite(dataset.labels[rows]).all(1)]


def to_learn_from(packs: Sequence[Dataset], rows: Rows) -> tuple[Tensor, Tensor]:
    """Features float16 [M, D] and labels float32 [M, L]: each picture as it is, and spoilt."""
    places, labels = Places(), packs[0].labels
    assert labels is not None
    features = torch.empty((2 * len(packs) * len(rows), DIMENSION), dtype=torch.float16)
    for number, dataset in enumerate(packs):
        for turn, change in enumerate((as_it_is, spoiling(_LEARN + (number << 20)))):
            begin = (2 * number + turn) * len(rows)
            look(places, dataset, rows, change, features[begin : begin + len(rows)])
            print(f"{dataset.path.name}: looked, {time.process_time():.0f} s", flush=True)
    return features, torch.from_numpy(np.tile(labels[rows], (2 * len(packs), 1)))


def look(places: Places, dataset: Dataset, rows: Rows, change: Change, out: Tensor) -> None:
    """The features of these pictures, changed, into `out`."""
    for begin in range(0, len(rows), _CHUNK):
        some = rows[begin : begin + _CHUNK]
        seen = places.features(change(np.asarray(dataset.images[some]), some))
        out[begin : begin + len(some)] = torch.from_numpy(seen)


def train(features: Tensor, labels: Tensor, label_names: Sequence[str]) -> Head:
    """Fit probabilities by their cross-entropy and the age by least squares, shrunk (AdamW)."""
    age = label_names.index(AGE)
    others = [column for column in range(len(label_names)) if column != age]
    usual, spread = labels[:, age].mean(), labels[:, age].std()
    mean, scale = statistics(features)
    weight = torch.zeros(len(label_names), DIMENSION, requires_grad=True)
    # The shares of a yes are where it begins: steps so small would never get there.
    shares = labels.mean(0).clamp(1e-4, 1 - 1e-4)
    shares[age] = 0.5  # that is 0, the usual age
    bias = torch.logit(shares).requires_grad_()
    optimizer = torch.optim.AdamW((weight, bias), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    steps, done = _EPOCHS * (len(features) // _BATCH), 0
    for epoch in range(_EPOCHS):
        order = torch.from_numpy(random(0, READER, _EPOCH + epoch).permutation(len(features)))
        for rows in order[: steps // _EPOCHS * _BATCH].split(_BATCH):
            for group in optimizer.param_groups:
                group["lr"] = _LEARNING_RATE * (1 + math.cos(math.pi * done / steps)) / 2
            read = F.linear((features[rows].float() - mean) / scale, weight, bias)
            wanted = labels[rows]
            loss = F.binary_cross_entropy_with_logits(read[:, others], wanted[:, others])
            years = (wanted[:, age] - usual) / spread
            loss = loss + _AGE_WEIGHT * F.mse_loss(read[:, age], years)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
        print(f"epoch {epoch + 1}: {loss.item():.4f}, {time.process_time():.0f} s", flush=True)
    with torch.no_grad():
        weight[age] *= spread
        bias[age] = bias[age] * spread + usual
        # The mean goes into the bias, as the rounded weights will see it.
        rounded = weight.half().double()
        return Head(weight.detach(), (bias - rounded @ (mean / scale).double()).float(), scale)


def statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and scale of each feature, [D]: the scale is hardly less for those that never vary."""
    total, squares = torch.zeros(2, DIMENSION, dtype=torch.float64)
    for some in features.split(1024):
        exactly = some.double()
        total += exactly.sum(0)
        squares += exactly.square().sum(0)
    mean = total / len(features)
    variance = (squares / len(features) - mean.square()).clamp(min=0)
    return mean.float(), (variance.sqrt() + 0.01).float()


Change = Callable[[Images, Rows], Images]


def as_it_is(images: Images, rows: Rows) -> Images:
    """No change."""
    return images


def grey(images: Images, rows: Rows) -> Images:
    """Without colour, [N, H, W, 1]."""
    return (images @ _LUMA)[..., None].round().astype(np.uint8)


def spoiling(counter: int) -> Change:
    """What crops, generators and files do to pictures; of its own kind for each row."""

    def change(images: Images, rows: Rows) -> Images:
        draws = (random(0, READER, counter + int(row)) for row in rows)
        return np.stack([spoil(*pair) for pair in zip(images, draws, strict=True)])

    return change


def spoil(image: Images, draw: np.random.Generator) -> Images:
    """One picture [S, S, 3], mirrored, moved, turned, blurred, tinted, grey, noisy, compressed."""
    side = len(image)
    picture = image[:, ::-1] if draw.random() < 0.5 else image
    middle = ((side - 1) / 2, (side - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, draw.uniform(-4, 4), draw.uniform(0.94, 1.06))
    moved = np.array([[0, 0, 1], [0, 0, 1]]) * draw.uniform(-0.04, 0.04, (2, 1)) * side
    edge = cv2.BORDER_REFLECT_101
    x = np.asarray(picture, np.float32)
    x = np.asarray(cv2.warpAffine(x, turn + moved, (side, side), borderMode=edge), np.float32)
    if draw.random() < 0.5:
        blur = draw.uniform(0.1, 1.0) * side / 64
        x = np.asarray(cv2.GaussianBlur(x, (0, 0), blur), np.float32)
    if draw.random() < 0.2:
        x = np.repeat((x @ _LUMA)[..., None], 3, axis=2)
    tint = 128 + draw.uniform(-15, 15) + draw.uniform(-8, 8, 3)
    x = (x - 128) * np.float32(draw.uniform(0.8, 1.2)) + tint.astype(np.float32)
    if draw.random() < 0.5:
        x = x + np.float32(draw.uniform(0, 6)) * draw.standard_normal(x.shape, np.float32)
    done: Images = x.clip(0, 255).round().astype(np.uint8)
    if draw.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(draw.integers(40, 96))]
        file = cv2.imencode(".jpg", done[:, :, ::-1], quality)[1]
        done = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1]
    return done


def read(features: Tensor, head: Head) -> npt.NDArray[np.float32]:
    """Logits and ages [N, L], as the reader will compute them."""
    return F.linear(features.float() / head.scale, head.weight.float(), head.bias).numpy()


def compare(
    condition: str, found: npt.NDArray[np.float32], labels: npt.NDArray[Any], names: Sequence[str]
) -> Measured:
    """What was read, [N, L], beside the labels, [N, L]."""
    age = names.index(AGE)
    others = [column for column in range(len(names)) if column != age]
    probabilities = 1 / (1 + np.exp(-found[:, others]))
    areas = {
        name: auc(found[:, column], labels[:, column] > 0.5)
        for column, name in enumerate(names)
        if column != age
    }
    return Measured(
        condition=condition,
        probability_error=round(float(np.abs(probabilities - labels[:, others]).mean()), 4),
        auc={name: round(area, 4) for name, area in areas.items() if area is not None},
        age_error=round(float(np.abs(found[:, age] - labels[:, age]).mean()), 3),
        age_correlation=round(float(np.corrcoef(found[:, age], labels[:, age])[0, 1]), 4),
    )


def measure(packs: Sequence[Dataset], rows: Rows, head: Head) -> list[Measured]:
    """On these pictures of every dataset: as they are, grey, spoilt."""
    changes = {"": as_it_is, ", grey": grey, ", spoilt": spoiling(_MEASURE)}
    places, found = Places(), []
    for said, change in changes.items():
        for dataset in packs:
            assert dataset.labels is not None
            features = torch.empty((len(rows), DIMENSION))
            look(places, dataset, rows, change, features)
            condition = f"{dataset.spec.resolution} px{said}"
            labels = np.asarray(dataset.labels[rows])
            found.append(compare(condition, read(features, head), labels, dataset.label_names))
    return found


def cross_validate(packs: Sequence[Dataset], folds: int) -> None:
    """Print how readers that learned from some training identities read the others."""
    rows = labelled(packs[0], "train")
    features, labels = to_learn_from(packs, rows)
    people = np.unique(np.array(packs[0].identities)[rows], return_inverse=True)[1]
    fold = np.tile(random(0, READER, _EPOCH - 1).integers(0, folds, people.max() + 1)[people], 2)
    fold = np.tile(fold, len(packs))
    found = np.empty(labels.shape, np.float32)
    for number in range(folds):
        others, mine = (
            torch.from_numpy(np.flatnonzero(which)) for which in (fold != number, fold == number)
        )
        head = train(features[others], labels[others], packs[0].label_names)
        found[mine] = read(features[mine], head)
    conditions = [f"{p.spec.resolution} px{said}" for p in packs for said in ("", ", spoilt")]
    parts = zip(
        conditions, np.split(found, len(conditions)), labels.chunk(len(conditions)), strict=True
    )
    measured = [compare(said, a, b.numpy(), packs[0].label_names) for said, a, b in parts]
    print(describe(packs, measured, "cross-validation").markdown())


def describe(packs: Sequence[Dataset], measured: Sequence[Measured], command: str) -> AttributeCard:
    """All that is known of it."""
    dataset = packs[0]
    assert dataset.labels is not None
    people = np.array(dataset.identities)
    train, holdout = labelled(dataset, "train"), labelled(dataset, "holdout")
    age = dataset.label_names.index(AGE)
    yes = np.asarray(dataset.labels) > 0.5
    columns = [(name, n) for n, name in enumerate(dataset.label_names) if n != age]
    return AttributeCard(
        names=dataset.label_names,
        ages=(float(dataset.labels[train, age].min()), float(dataset.labels[train, age].max())),
        network=SHA256,
        command=command,
        versions={
            "facegan": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "opencv": cv2.__version__,
        },
        packs=tuple(
            Source(
                name=str(each.card.get("name")),
                resolution=each.spec.resolution,
                fingerprint=each.fingerprint,
            )
            for each in packs
        ),
        licence=stated(packs, "licence"),
        labels=stated(packs, "labels"),
        pictures=len(train),
        people=len(np.unique(people[train])),
        held_out=len(holdout),
        held_out_people=len(np.unique(people[holdout])),
        prevalence={name: round(float(yes[train, n].mean()), 4) for name, n in columns},
        positives={name: int(yes[holdout, n].sum()) for name, n in columns},
        measured=tuple(measured),
        limits=_LIMITS,
    )


def stated(packs: Sequence[Dataset], key: str) -> str:
    """What the card of the first dataset that says anything of it says."""
    for dataset in packs:
        found = dataset.card.get(key)
        found = found.get("note") if isinstance(found, dict) else found
        if found and found != "not stated":
            return str(found)
    return "not stated"


if __name__ == "__main__":
    main()
