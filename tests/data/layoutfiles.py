"""Datasets as they are published, of drawn pictures, for the tests of the importers."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagefiles import add_to_tar, jpeg, png

ATTRIBUTES = ("Smiling", "Male", "Young")


def attributes(number: int) -> list[int]:
    """1 and −1 of the attributes of a picture of CelebA."""
    return [1 if number % each == 0 else -1 for each in (2, 3, 5)]


def part(number: int) -> int:
    return 0 if number <= 6 else 1 if number <= 8 else 2


def person(number: int) -> int:
    return 100 + (number - 1) // 2


def celeba_texts(n: int = 10, kind: str = "jpg") -> dict[str, bytes]:
    """The three lists as the authors publish them."""
    numbers = range(1, n + 1)
    rows = "".join(f"{i:06}.{kind} {' '.join(f'{v:2d}' for v in attributes(i))}\n" for i in numbers)
    return {
        "list_attr_celeba.txt": f"{n}\n{' '.join(ATTRIBUTES)}\n{rows}".encode(),
        "identity_CelebA.txt": "".join(f"{i:06}.jpg {person(i)}\n" for i in numbers).encode(),
        "list_eval_partition.txt": "".join(f"{i:06}.jpg {part(i)}\n" for i in numbers).encode(),
    }


def celeba_csvs(n: int = 10) -> dict[str, bytes]:
    """The lists as Kaggle has them: no identities."""
    numbers = range(1, n + 1)
    rows = "".join(f"{i:06}.jpg,{','.join(map(str, attributes(i)))}\n" for i in numbers)
    return {
        "list_attr_celeba.csv": f"image_id,{','.join(ATTRIBUTES)}\n{rows}".encode(),
        "list_eval_partition.csv": (
            "image_id,partition\n" + "".join(f"{i:06}.jpg,{part(i)}\n" for i in numbers)
        ).encode(),
        "list_bbox_celeba.csv": b"image_id,x_1,y_1,width,height\n000001.jpg,1,2,3,4\n",
        "list_landmarks_align_celeba.csv": b"image_id,lefteye_x\n000001.jpg,69\n",
    }


def celeba_pictures(n: int = 10, top: str = "img_align_celeba/", kind: str = "jpg"):
    make = jpeg if kind == "jpg" else png
    return {f"{top}{i:06}.{kind}": make(i) for i in range(1, n + 1)}


def ffhq_pictures(top: str = "thumbnails128x128/") -> dict[str, bytes]:
    numbers = [0, 1, 999, 1000, 59_999, 60_000, 69_999]
    return {f"{top}{n // 1000 * 1000:05}/{n:05}.png": png(n) for n in numbers}


def ffhq_json(path: Path, filler: int = 0) -> Path:
    """The JSON of FFHQ for the pictures above, `filler` bytes longer for each entry."""
    licences = ("Attribution License", "Public Domain Mark", "Attribution License")
    entries: dict[str, Any] = {}
    for place, name in enumerate(ffhq_pictures("")):
        number = int(name[6:11])
        entries[str(number)] = {
            "category": "training" if number < 60_000 else "validation",
            "metadata": {"license": licences[place % 3], "author": "Zoë \u6771", "x": "y" * filler},
            "image": {"face_landmarks": [[131.62, 453.8], [133.0, -1e-3]]},
        }
    path.write_text(json.dumps(entries, ensure_ascii=False), "utf-8")
    return path


def shard(path: Path, begin: int, n: int, sides: Mapping[str, Any], mode: str = "w") -> Path:
    """A shard of a WebDataset: each picture followed by its files of labels."""
    with tarfile.open(path, mode) as archive:
        for number in range(begin, begin + n):
            add_to_tar(archive, f"{number:06}.jpg", jpeg(number))
            for extension, say in sides.items():
                add_to_tar(archive, f"{number:06}.{extension}", say(number).encode())
    return path


def lmdb(folder: Path, n: int, seed: int = 0, value: Any = None) -> Path:
    """A database of pictures under keys of 40 digits, as LSUN has them."""
    import hashlib

    import lmdb

    folder.mkdir(parents=True)
    with (
        lmdb.open(str(folder), map_size=64 << 20) as environment,
        environment.begin(write=True) as transaction,
    ):
        for number in range(n):
            key = hashlib.sha1(f"{seed} {number}".encode()).hexdigest().encode()
            transaction.put(key, jpeg(seed + number) if value is None else value(number))
    return folder


def parquet(path: Path, numbers: range, **columns: Any) -> Path:
    """A table of the Hugging Face hub: pictures as bytes and path, and its features."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": jpeg(number), "path": f"p{number}.jpg"} for number in numbers]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    arrays = {"image": pa.array(images, kind)}
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    for name, values in columns.items():
        if isinstance(values, tuple):
            words, values = values
            features[name] = {"_type": "ClassLabel", "names": words}
        arrays[name] = pa.array(values)
    table = pa.table(arrays)
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=4)
    return path


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tar of these files, as bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            add_to_tar(archive, name, content)
    return buffer.getvalue()
