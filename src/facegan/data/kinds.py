"""What kind of file a name promises: a picture, or something that lies beside pictures.

Pictures are recognised by their content; a name only decides who competes for label rows, and
what a file that is no picture is called when the import says that it was not used.
"""

from __future__ import annotations

import re
from posixpath import basename, splitext

PICTURES = frozenset(
    f".{extension}"
    for extension in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "webp", "avif", "gif", "bmp", "tif", "tiff"),
        *("ppm", "pgm", "pnm", "heic", "heif", "hif", "jxl", "jp2"),
    )
)
ARCHIVE = re.compile(
    r"\.(zip|tgz|tbz2?|txz|tar(\.(gz|bz2|xz|zst))?|7z(\.\d+)?|rar|gz|bz2|xz|zst)$", re.IGNORECASE
)
# Those that facegan opens.
OWN_ARCHIVE = re.compile(r"\.(zip|tgz|tbz2?|txz|tar(\.(gz|bz2|xz))?)$", re.IGNORECASE)

TABLE, TEXT, INSIDE, DATA = "a table", "text", "an archive inside", "other data"
_KINDS = {
    TABLE: "csv tsv json jsonl ndjson xls xlsx ods",
    TEXT: "txt text md rst html htm xml yaml yml toml ini cfg log pdf doc docx pts cls caption "
    "url sha256 md5 py ipynb sh list lst names",
    DATA: "parquet arrow feather tfrecord tfrecords npz npy h5 hdf5 mat pkl pickle pt pth ckpt "
    "safetensors onnx mdb lmdb db sqlite bin idx mp4 mov avi mkv webm psd svg eps exe",
}
_KIND = {f".{each}": kind for kind, names in _KINDS.items() for each in names.split()}
_TEXTS = re.compile(r"(readme|licen[cs]e|copying|changelog|authors|notice)\b.*", re.IGNORECASE)


def could_be_picture(path: str) -> bool:
    """Whether a file of this name may be a picture: only such files compete for label rows."""
    extension = splitext(path)[1].lower()
    return extension in PICTURES or (not extension and side_kind(path) is None)


def side_kind(path: str) -> str | None:
    """What a file of this name is, if it is no picture; None where only its content tells."""
    name = basename(path)
    if _TEXTS.fullmatch(name) and splitext(name)[1].lower() not in PICTURES:
        return TEXT
    if ARCHIVE.search(name):
        return INSIDE
    return _KIND.get(splitext(name)[1].lower())
