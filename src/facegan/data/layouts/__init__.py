"""Known datasets: who is shown, which pictures are held out, what labels come along.

One file a dataset, or a family of them. Each recognises its own by paths and side files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from facegan.data.labels import Reading
from facegan.data.layouts.celeba import read_celeba, read_celeba_hq
from facegan.data.layouts.ffhq import read_ffhq
from facegan.data.layouts.folders import note_on_folders, parts_of
from facegan.data.layouts.layout import Layout as Layout
from facegan.data.layouts.listing import Listing as Listing
from facegan.data.layouts.metadata import read_metadata
from facegan.data.layouts.names import read_lfw, read_utkface
from facegan.data.layouts.nvlabs import read_nvlabs
from facegan.data.layouts.webdataset import read_webdataset
from facegan.data.sources import Source

# The surest first.
_KNOWN: tuple[Callable[[Listing], Layout | None], ...] = (
    read_nvlabs,
    read_celeba,
    read_celeba_hq,
    read_ffhq,
    read_utkface,
    read_lfw,
    read_metadata,
    read_webdataset,
)


def recognise(
    source: Source,
    paths: Sequence[str],
    numbers: Sequence[int] | npt.NDArray[np.integer] | None = None,
    reading: Reading | None = None,
) -> Layout:
    """The layout of a source whose usable files lie at `paths`.

    Args:
        source: one that was listed.
        paths: of the members that can be used.
        numbers: of these members in the source's own order; 0, 1, … by default.
        reading: how the columns of the tables that come along become labels.

    Raises:
        DataError: the source describes itself, and wrongly.
    """
    source.reading = reading or Reading()
    own = source.layout(paths)
    if own is not None:
        return own
    listing = Listing(source, paths, numbers, reading)
    for read in _KNOWN:
        layout = read(listing)
        if layout is not None:
            return layout
    parts = parts_of(listing.pictures)
    note = note_on_folders(listing.pictures)
    return Layout(
        "images in train and val folders" if parts else "images",
        splits=parts,
        notes=(note,) if note else (),
    )
