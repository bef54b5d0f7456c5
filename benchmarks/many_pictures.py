"""Import many small pictures, each count in a process of its own: time and peak memory.

The pictures are noise, no two alike, in one tar. What memory grows by for each picture is the
difference of two peaks over the difference of the counts: names, places and hashes, no pixels.

    python benchmarks/many_pictures.py --counts 20000 100000
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

_IMPORT = """
import json, resource, sys, time
from facegan.data.importer import import_images
begun = time.perf_counter()
made = import_images(
    sys.argv[1], sys.argv[2], resolution=16, min_size=1, workers=2, duplicates=sys.argv[3]
)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([time.perf_counter() - begun, peak, len(made)]))
"""


def main() -> None:
    """Import each count, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--duplicates", default="keep", choices=["keep", "group", "thin"])
    options = parser.parse_args()
    print("| pictures | seconds | pictures/s | peak, MB |")
    print("|---:|---:|---:|---:|")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for count in options.counts:
            archive = Path(folder) / "many.tar"
            write(archive, count)
            words = [sys.executable, "-c", _IMPORT, str(archive), str(Path(folder) / f"{count}")]
            done = subprocess.run(
                [*words, options.duplicates], check=True, capture_output=True, text=True
            )
            seconds, peak, made = json.loads(done.stdout)
            assert made == count
            peaks.append(peak)
            print(
                f"| {count:,} | {seconds:.0f} | {count / seconds:,.0f} | {peak / 1024:,.0f} |",
                flush=True,
            )
    if len(peaks) > 1:
        each = 1024 * (peaks[-1] - peaks[0]) / (options.counts[-1] - options.counts[0])
        print(f"\nmemory for each further picture: {each:,.0f} bytes")


def write(path: Path, count: int) -> None:
    """A tar of noise."""
    random = np.random.default_rng(0)
    when = int(time.time())
    with tarfile.open(path, "w") as archive:
        for number in range(count):
            buffer = io.BytesIO()
            pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(buffer, "JPEG", quality=70)
            info = tarfile.TarInfo(f"{number // 1000:04}/{number:07}.jpg")
            info.size, info.mtime = buffer.tell(), when
            buffer.seek(0)
            archive.addfile(info, buffer)


if __name__ == "__main__":
    print(f"Python {sys.version.split()[0]}; {resource.getpagesize()} bytes a page")
    main()
