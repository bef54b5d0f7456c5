"""What the tests of pages share: a reader of HTML, invented measurements, pictures of pairs."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facegan.evaluation.gallery import gallery
from facegan.evaluation.results import (
    Agreement,
    Attribute,
    Copying,
    EmbeddingCopying,
    Estimate,
    Evaluation,
    Faces,
    FeatureScores,
    LabelAgreement,
    Modes,
    Neighbour,
    Pair,
    Score,
)
from facegan.runs.checkpoint import folder_name

_VOID = {"br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
REAL_NAME, HELD_OUT_NAME = "Ada_Lovelace_0001.jpg", "Grace_Hopper_0002.jpg"


class Page(HTMLParser):
    """Reads a page, insisting that every element is closed where it should be.

    What tests ask for is marked by `data-` attributes, so that the page's English is free.

    Attributes:
        text: all that it says.
        tables: text by table, row and column.
        marks: (name, value, text) of every `data-` attribute.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.open: list[tuple[str, dict[str, str], list[str]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.marks: list[tuple[str, str, str]] = []
        self.tables: dict[str, dict[str, dict[str, str]]] = {}
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.open.append((tag, {name: value or "" for name, value in attrs}, []))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        opened, attributes, words = self.open.pop()
        assert opened == tag
        text = " ".join(" ".join(words).split())
        for name, value in attributes.items():
            if name.startswith("data-"):
                self.marks.append((name.removeprefix("data-"), value, text))
        if column := attributes.get("data-column"):
            around = {name: value for _, found, _ in self.open for name, value in found.items()}
            row = self.tables.setdefault(around["data-table"], {}).setdefault(
                around["data-row"], {}
            )
            row[column] = text

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1][0] not in ("style", "script"):
            self.words.append(data)
            for _, _, words in self.open:
                words.append(data)

    def values(self, tag: str, name: str) -> list[str]:
        return [v for t, n, v in self.attributes if (t, n) == (tag, name)]

    def codes(self, name: str) -> list[str]:
        """The value of every `data-NAME`."""
        return [value for mark, value, _ in self.marks if mark == name]

    def said(self, name: str, value: str | None = None) -> list[str]:
        """The text of every element with `data-NAME`, or with this value of it."""
        return [text for mark, v, text in self.marks if mark == name and value in (None, v)]

    @property
    def snapshots(self) -> list[str]:
        """The kimg of every frame."""
        return self.values("img", "data-kimg")

    @property
    def pictures(self) -> int:
        """How many pictures there are that are no frames."""
        return len(self.values("img", "src")) - len(self.snapshots)


def estimate(value: float, half: float | None = None) -> Estimate:
    half = abs(value) * 0.05 if half is None else half
    return Estimate(value=value, low=value - half, high=value + half)


def score(generated: float, real: float, ratio: bool = True) -> Score:
    return Score(
        generated=estimate(generated),
        real=estimate(real),
        ratio=generated / real if ratio else None,
    )


def space(extractor: str = "efflite0", fd: float = 61.0, fingerprint: str = "ab" * 32) -> Any:
    return FeatureScores(
        extractor=extractor,
        resizer="antialiased to 224 × 224",
        fingerprint=fingerprint,
        scores={
            "fd": score(fd, 3.0),
            "kid": score(fd / 2000, -0.00002, ratio=False),
            "precision": score(0.66, 0.86),
            "recall": score(0.36, 0.84),
        },
    )


def evaluation(*spaces: FeatureScores, **changes: Any) -> Evaluation:
    """An evaluation of 500 pictures in the space of efflite0, with changes."""
    values: dict[str, Any] = {
        "source": "dcgan, generator",
        "dataset": "blobs",
        "dataset_fingerprint": "cd" * 32,
        "reference": "train",
        "n_real": 1000,
        "n_fake": 500,
        "seed": 0,
        "resolution": 32,
        "features": spaces or (space(),),
    }
    return Evaluation(**values | changes)


def faces(share: float = 0.861) -> Faces:
    return Faces(
        detector="a detector at 320 px",
        n=500,
        generated=estimate(share, 0.01),
        real=estimate(0.993, 0.002),
    )


def modes() -> Modes:
    shares = {"hair": {"long": 0.25, "short": 0.75}, "mouth": {"open": 0.4, "closed": 0.6}}
    return Modes(
        n=500,
        modes=48,
        covered=41,
        covered_real=47,
        total_variation=estimate(0.182),
        total_variation_real=estimate(0.041),
        accuracy=0.962,
        attributes=tuple(
            Attribute(name=name, value=value, generated=truth / 2, real=truth, truth=truth)
            for name, values in shares.items()
            for value, truth in values.items()
        ),
    )


def copying(pairs: int = 3) -> Copying:
    found = EmbeddingCopying(
        embedding="efflite0",
        authentic=estimate(0.61, 0.01),
        authentic_real=estimate(0.63, 0.01),
        closer=0.512,
        closer_low=0.489,
        closer_high=0.511,
        z=2.1,
        closer_holdout=0.507,
        near=63,
        near_expected=50.0,
        near_mirrored=4,
        near_holdout=55,
    )
    return Copying(
        n=500,
        n_train=40,
        n_holdout=8,
        embeddings=(found, found.model_copy(update={"embedding": "pixels"})),
        pairs=tuple(
            Pair(
                seed=100 + i,
                embedding="efflite0",
                closeness=0.02 * i,
                train=Neighbour(index=i, name=REAL_NAME, distance=0.31, mirrored=i == 1),
                holdout=Neighbour(index=5, name=HELD_OUT_NAME, distance=0.42, mirrored=False),
            )
            for i in range(pairs)
        ),
        said="63 of 500 generated faces lie closer to a training picture than 99 % of others.",
    )


def agreement() -> Agreement:
    smile, glasses, age = "Smiling", "Eyeglasses", "Age"
    return Agreement(
        reader="ef" * 32,
        n=500,
        n_real=40,
        labels=(
            LabelAgreement(
                name=smile, measure="AUC", generated=estimate(0.84, 0.02), real=estimate(0.97, 0.01)
            ),
            LabelAgreement(name=glasses, measure="AUC", generated=estimate(0.71, 0.03)),
            LabelAgreement(
                name=age,
                measure="correlation",
                generated=estimate(0.5, 0.04),
                real=estimate(0.9, 0.01),
                error=8.25,
                error_real=4.01,
            ),
        ),
        left_out=("Wearing_Hat",),
    )


def add_line(run: Path, line: dict[str, Any]) -> None:
    """One more line for the run's journal."""
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def add_evaluation(run: Path, images_seen: int, found: Evaluation) -> None:
    """As `facegan evaluate` writes it."""
    add_line(run, {"images_seen": images_seen, "evaluation": found.model_dump(exclude_none=True)})


def add_pairs(run: Path, images_seen: int, count: int = 3, side: int = 32) -> None:
    """Pictures of pairs, all red, green or blue: the generated one, and the two real ones."""
    folder = run / "evaluations" / folder_name(images_seen)
    folder.mkdir(parents=True, exist_ok=True)
    red, green, blue = (np.full((1, side, side, 3), c, np.uint8) for c in np.eye(3) * 255)
    generated, images = red.repeat(count, 0), np.concatenate([green] * 5 + [blue])
    pairs = copying(count).pairs
    for name, real in (("closest.png", True), ("closest-generated.png", False)):
        Image.fromarray(gallery(pairs, generated, images, real)).save(folder / name)


def add_probe(run: Path, images_seen: int, **values: float) -> None:
    """As training writes it."""
    add_line(run, {"images_seen": images_seen} | {f"probe/{k}": v for k, v in values.items()})


def add_best(run: Path, images_seen: int, **changes: Any) -> None:
    """The best snapshot's scores."""
    values = {"images_seen": images_seen, "fd": 71.0, "low": 68.9, "high": 73.1, "real": 15.0}
    values |= {"extractor": "efflite0@64", "n_fake": 100, "n_real": 200} | changes
    (run / "best").mkdir(exist_ok=True)
    (run / "best" / "scores.json").write_text(json.dumps(values))


def measure(run: Path, fd: float = 61.0) -> None:
    """Everything that can be measured of a run of 192 images."""
    for seen, factor in ((64, 4.0), (128, 2.0), (192, 1.2)):
        while_training = evaluation(space("efflite0@64", factor * fd), training=True, n_fake=100)
        add_evaluation(run, seen, while_training)
        add_probe(
            run,
            seen,
            logits_train=1.0,
            logits_holdout=0.5,
            logits_fake=-1.0,
            told_apart=0.9,
            remembered=0.6,
            diversity=0.8,
        )
    full = evaluation(space(fd=fd), faces=faces(), modes=modes(), copying=copying())
    add_evaluation(run, 192, full)
    add_pairs(run, 192)
    add_best(run, 128)
