"""How fast facegan trains DCGAN, as a ratio to the plain script on the same machine.

Runs `plain_dcgan.py` and facegan's trainer (the recipe `dcgan`, as `facegan train` computes
it) in turn, each in its own process, several times, and prints every figure and the ratios.

    python benchmarks/train_speed.py [PACK] --rounds 5
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_HERE = Path(__file__).parent


def main() -> None:
    """Alternate, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", nargs="?", help="a pack of 64-pixel pictures; drawn if absent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--channels", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pack = options.pack
        if pack is None:
            pack = str(Path(folder) / "portraits")
            command = ["data", "portraits", pack, "-n", "2000", "--resolution", "64"]
            subprocess.run([sys.executable, "-m", "facegan", *command], check=True)
        common = [pack, "--steps", str(options.steps), "--channels", str(options.channels)]
        ratios = []
        print("round   plain fp32      facegan        ratio")
        for number in range(1, options.rounds + 1):
            plain = _measure("plain_dcgan.py", common)
            ours = _measure("facegan_dcgan.py", common)
            ratios.append(ours["img_per_s"] / plain["img_per_s"])
            how = f"({ours['precision']}, batch 64)" if number == 1 else ""
            print(
                f"{number:5}  {plain['img_per_s']:6.1f} img/s  {ours['img_per_s']:6.1f} img/s  "
                f"{ratios[-1]:6.2f} ×  {how}",
                flush=True,
            )
    print(
        f"facegan is {statistics.median(ratios):.2f} × as fast "
        f"(median of {len(ratios)}; {min(ratios):.2f} to {max(ratios):.2f})"
    )


def _measure(script: str, arguments: list[str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(_HERE / script), *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
