"""What the page can do with a server behind it: read faces, film, make datasets, take photographs.

Each of them loads what it needs when it is first used, and says so where that is missing.
"""

from __future__ import annotations

import io
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facegan.generation.films import MEDIA_TYPES, enlarged, film_bytes, formats
from facegan.generation.inputs import joined, walked
from facegan.studio.computing import TOGETHER, Pictures
from facegan.studio.requests import (
    MOST_FRAMES,
    FilmRequest,
    PageFace,
    RequestError,
    inputs_of_faces,
)

if TYPE_CHECKING:
    from facegan.editing.perceptual import Perceptual
    from facegan.editing.photographs import Lie
    from facegan.editing.readings import Readers
    from facegan.studio.api import Studio

# Faces whose readings say how much faces differ, where no directions were found.
_SPREAD_OF = 192
# What somebody's taste said about celebrities is no change of a face.
_NOT_TOLD = ("Attractive",)
# Films are enlarged to about this side: players blur what is smaller.
_FILM_SIDE = 256
# Below this side nothing can be read from a picture.
_SMALLEST = 32


class Abilities:
    """The heavy parts of the studio, each opened once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: Readers | None = None
        self._spread: list[float] = []
        self._perceptual: Perceptual | None = None
        self._lie: Lie | None = None

    def can(self, studio: Studio) -> dict[str, Any]:
        """What there is, as the page is told."""
        if studio.opened is None:
            return {"reader": False, "photograph": False, "films": []}
        spec = studio.opened.loaded.generator.spec
        large = spec.resolution >= _SMALLEST
        films = [kind for kind in formats() if kind in ("mp4", "webp")]
        return {"reader": large, "photograph": large, "films": films}

    def read(self, studio: Studio, pictures: Pictures) -> dict[str, Any]:
        """What is read from pictures: names, values, and how much faces differ in each."""
        with self._lock:
            readers = self._reading(studio)
            values = readers.read(pictures)
        return {
            "names": list(readers.names),
            "values": [[round(float(v), 4) for v in row] for row in values],
            "spread": self._spread,
        }

    def film(self, studio: Studio, asked: FilmRequest) -> tuple[bytes, str]:
        """A film of a walk, and its media type."""
        opened, computing = studio.require()
        begun = inputs_of_faces(asked.faces, opened)
        if len(begun) < 2:
            raise RequestError("A walk needs two faces.", "Keep another one.")
        stretches = len(begun) if asked.loop else len(begun) - 1
        steps = max(1, round(asked.frames / stretches))
        if steps * stretches > MOST_FRAMES:
            raise RequestError(
                f"The film would have {steps * stretches} frames.", f"Allowed: {MOST_FRAMES}."
            )
        places = list(walked(begun, steps, opened.loaded.generator.latent, asked.loop))
        factor = max(1, _FILM_SIDE // opened.loaded.generator.spec.resolution)

        def frames() -> Iterator[Pictures]:
            for begin in range(0, len(places), TOGETHER):
                part = joined(places[begin : begin + TOGETHER])
                for picture in computing.ask(part).result():
                    yield enlarged(picture, factor)

        about = studio.model() | {"walk": f"{len(begun)} faces"}
        return film_bytes(frames(), asked.format, asked.rate, about), MEDIA_TYPES[asked.format]

    def dataset(self, studio: Studio, faces: Sequence[PageFace]) -> bytes:
        """Faces as a dataset with their edits as labels, zipped."""
        from facegan.data.writer import DatasetWriter

        opened, computing = studio.require()
        pictures = computing.ask(inputs_of_faces(faces, opened)).result()
        edits = sorted({name for face in faces for name in face.edits})
        names, taken = [], set[str]()
        for face in faces:
            stem = face.name or "face"
            name, number = f"{stem}.png", 2
            while name in taken:
                name, number = f"{stem}-{number}.png", number + 1
            taken.add(name)
            names.append(name)
        rows = np.array([[face.edits.get(name, 0.0) for name in edits] for face in faces])
        labels = rows.astype(np.float32) if edits else None
        spec = opened.loaded.generator.spec
        with tempfile.TemporaryDirectory(prefix="facegan-") as folder:
            path = Path(folder) / "faces"
            with DatasetWriter(path, spec.resolution, spec.channels, edits) as writer:
                split = ["train"] * len(names)
                writer.add(pictures, names, names, split, ["generated"] * len(names), labels)
                writer.finish(
                    {
                        "name": "faces",
                        "source": f"generated by {studio.name}",
                        "licence": "generated pictures; see the generator's card",
                        "generated": studio.model(),
                        "labels_are": "edits, in standard deviations of what was read",
                    }
                )
            target = io.BytesIO()
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in sorted(path.iterdir()):
                    archive.write(file, f"faces/{file.name}")
        return target.getvalue()

    def photograph(self, studio: Studio, data: bytes) -> dict[str, Any]:
        """The latent of a photograph's face. The photograph stays in memory."""
        from facegan.editing.perceptual import Perceptual
        from facegan.editing.photographs import lie_of
        from facegan.studio.photographs import as_json, find_face

        opened, _ = studio.require()
        self._perceptual = self._perceptual or Perceptual()
        self._lie = self._lie or lie_of(opened)
        return as_json(find_face(data, opened, self._lie, self._perceptual))

    def _reading(self, studio: Studio) -> Readers:
        from facegan.editing.readings import Readers

        if self._readers is None:
            opened, _ = studio.require()
            readers = Readers([name for name in Readers().names if name not in _NOT_TOLD])
            pictures = np.concatenate(list(opened.pictures(range(_SPREAD_OF))))
            spread = readers.read(pictures).std(0)
            self._spread = [round(max(float(value), 1e-6), 5) for value in spread]
            self._readers = readers
        return self._readers
