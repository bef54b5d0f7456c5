"""`facegan directions`, `edit`, `film` and `invert`: change, film and find faces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from facegan.cli.labelled import as_number
from facegan.cli.paths import FILE_PATH
from facegan.errors import FaceganError

_best = click.option("--best", is_flag=True, help="Use the best snapshot of a run, not its last.")
_device = click.option(
    "--device", default="auto", show_default=True, help="cpu, cuda, mps or auto."
)
_truncation = click.option(
    "--truncation",
    default=1.0,
    show_default=True,
    metavar="PSI",
    help="Truncation psi: below 1, faces are more typical and less varied.",
)
_set = click.option(
    "--set",
    "edits",
    multiple=True,
    metavar="NAME=AMOUNT",
    help="Move along a direction by so many standard deviations: smiling=+2. May be repeated.",
)
_label = click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    help="A label of all faces, if the generator was trained with labels.",
)
_directions = click.option(
    "--directions",
    type=FILE_PATH,
    metavar="FILE",
    help="A file that 'facegan directions' wrote.  [default: the one beside the generator]",
)


@click.command()
@click.argument("source", type=FILE_PATH, required=False, metavar="[MODEL|RUN]")
@click.option(
    "--out", type=FILE_PATH, help="The file.  [default: NAME.directions.safetensors beside MODEL]"
)
@click.option(
    "--name",
    "names",
    multiple=True,
    help="Find a direction for this attribute; may be repeated.  [default: smiling, age, …]",
)
@click.option("-n", "n", default=8192, show_default=True, help="Number of faces to learn from.")
@click.option(
    "--measured", default=128, show_default=True, help="Number of other faces to test on."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the faces.")
@click.option("--show", is_flag=True, help="Print the table of directions found earlier.")
@_best
@_device
def directions(
    source: Path | None, out: Path | None, names: tuple[str, ...], show: bool, **options: Any
) -> None:
    """Find directions in latent space that change one attribute of a face.

    Smiling, glasses, age, hair, light and pose, if the generator's faces vary in it. No human
    labels are needed: networks predict the attributes of the generator's own faces. The table
    shows how much a step along each direction changes its attribute, and how much it changes
    others. 'facegan edit' and the studio use the file.

    \b
    Example: facegan directions runs/a
    Example: facegan directions lfw-64 --show
    """
    from facegan.apps import edit as app
    from facegan.cli.terminal.editing import print_directions

    if show:
        from facegan.generation.generator import open_generator

        opened = open_generator(source, options["best"], options["device"])
        print_directions(app.directions_of(opened, out))
        return
    print_directions(app.directions(source, out, names=names or None, **options))


@click.command()
@click.argument("source", type=FILE_PATH, required=False, metavar="[MODEL|RUN]")
@_set
@click.option("--seed", default=0, show_default=True, help="Seed of the first face.")
@click.option("-n", "n", default=1, show_default=True, help="Number of faces, side by side.")
@click.option(
    "--from",
    "start",
    type=FILE_PATH,
    metavar="PNG",
    help="Start from the face in a PNG that facegan or its studio wrote.",
)
@click.option(
    "--sheet", metavar="NAME", help="Show one direction in steps, with a row for each face."
)
@click.option(
    "--mix",
    metavar="SEED@SIDE",
    help="Mix with another seed, which decides the layers of SIDE pixels and more: 12@16.",
)
@click.option(
    "--out",
    type=FILE_PATH,
    help="The PNG file.  [default: a descriptive name in the current folder]",
)
@_truncation
@_label
@_directions
@click.option("--columns", type=int, help="Number of columns, for several faces.")
@_best
@_device
def edit(
    source: Path | None,
    edits: tuple[str, ...],
    labels: tuple[str, ...],
    mix: str | None,
    **options: Any,
) -> None:
    """Edit faces of MODEL: make one smile, or older. The PNG records how.

    'facegan directions MODEL' finds the directions, and with --show lists them.

    \b
    Example: facegan edit --seed 7 --set smiling=+2 --out smile.png
    Example: facegan edit lfw-64 -n 8 --sheet eyeglasses --out sheet.png
    Example: facegan edit --from smile.png --set age=1.5
    Example: facegan edit --seed 7 --mix 12@16 --out mixture.png
    """
    from facegan.apps.edit import edit as run_edit

    wanted, shared = _amounts(edits, "--set"), _amounts(labels, "--label")
    mixture = None if mix is None else _mixture(mix)
    (written,) = run_edit(source, edits=wanted, labels=shared, mix=mixture, **options)
    click.echo(f"Wrote {written}.")


@click.command()
@click.argument("source", type=FILE_PATH, required=False, metavar="[MODEL|RUN]")
@click.option(
    "--seeds",
    default="0-3",
    show_default=True,
    metavar="LIST",
    help="Seeds of the faces: 1,5,9 or 0-7.",
)
@click.option(
    "--faces",
    type=FILE_PATH,
    multiple=True,
    metavar="KEPT",
    help="Use saved faces and their edits instead of seeds: a zip, a folder or PNGs that facegan "
    "or its studio wrote. May be repeated.",
)
@click.option(
    "--out",
    type=FILE_PATH,
    default=Path("walk.webp"),
    show_default=True,
    help="The file: .mp4 (extra 'film'), .webp, .apng or .gif.",
)
@click.option(
    "--sweep",
    metavar="NAME=FROM:TO",
    help="Move all faces along one direction, side by side, instead of walking between them.",
)
@_set
@click.option(
    "--seconds", default=2.0, show_default=True, help="Seconds from one face to the next."
)
@click.option("--rate", default=24.0, show_default=True, help="Frames per second.")
@click.option("--scale", default=1, show_default=True, help="Enlarge the frames by this factor.")
@click.option(
    "--no-loop", is_flag=True, help="End at the last face instead of returning to the first."
)
@_truncation
@_label
@_directions
@_best
@_device
def film(
    source: Path | None,
    seeds: str,
    faces: tuple[Path, ...],
    sweep: str | None,
    edits: tuple[str, ...],
    labels: tuple[str, ...],
    no_loop: bool,
    **options: Any,
) -> None:
    """Make a film that moves from face to face, or along one direction.

    \b
    Example: facegan film --seeds 1,5,9 --out walk.webp
    Example: facegan film lfw-64 --faces lfw-64-faces.zip --out walk.mp4
    Example: facegan film lfw-64 --seeds 0-7 --sweep smiling=-2:3 --scale 2 --out smile.webp
    """
    from facegan.apps.film import film as run_film

    written = run_film(
        source,
        seeds=_seeds(seeds),
        faces=faces,
        sweep=None if sweep is None else _range(sweep),
        edits=_amounts(edits, "--set"),
        labels=_amounts(labels, "--label"),
        loop=not no_loop,
        **options,
    )
    click.echo(f"Wrote {written}: {written.stat().st_size / 1e6:.2f} MB.")


@click.command()
@click.argument("photograph", type=FILE_PATH)
@click.option("--model", metavar="MODEL|RUN", help="The generator.  [default: the bundled model]")
@click.option(
    "--out", type=FILE_PATH, help="The PNG file.  [default: NAME-found.png in the current folder]"
)
@click.option(
    "--compare",
    type=FILE_PATH,
    metavar="PNG",
    help="Also write an image of the photograph beside the generated face. It shows a real person.",
)
@click.option(
    "--aligned",
    is_flag=True,
    help="The photograph is already cropped as the training images are; do not look for a face.",
)
@click.option("--crop", type=int, help="With --aligned: the side of the centred square, in pixels.")
@click.option(
    "--steps",
    default=100,
    show_default=True,
    help="Optimisation steps; 0 for the encoder's first guess alone.",
)
@_best
@_device
def invert(photograph: Path, model: str | None, **options: Any) -> None:
    """Find the latent whose face is most like the one in PHOTOGRAPH (GAN inversion).

    It says how close the result is, and when the generator cannot reproduce the face. The PNG
    holds the generated face and its latent, and nothing of the photograph.

    \b
    Example: facegan invert me.jpg --out me.png
    Example: facegan edit --from me.png --set smiling=+2
    """
    from facegan.apps.invert import invert as run_invert

    found = run_invert(model, photograph, **options)
    inverted = found.inverted
    click.echo(f"Wrote {found.path}.")
    if found.faces is not None and found.faces > 1:
        click.echo(f"The photograph shows {found.faces} faces; the main one was taken.")
    click.echo(
        f"{inverted.verdict}\nError {inverted.error:.2f}, at first guess {inverted.curve[0]:.2f}; "
        f"of the generator's own pictures {inverted.own:.2f}; two of its faces are "
        f"{inverted.apart:.2f} apart."
    )


def _amounts(words: tuple[str, ...], option: str) -> dict[str, float]:
    """`("smiling=+2",)` → `{"smiling": 2.0}`."""
    found: dict[str, float] = {}
    for word in words:
        name, _, value = word.rpartition("=")
        number = as_number(value)
        if not name or number is None:
            raise FaceganError(
                f"{option} {word} is not understood.",
                f"Write NAME=AMOUNT, with a number: {option} smiling=1.",
            )
        if name in found:
            raise FaceganError(f"{option} {name} is given twice.", "Give it once.")
        found[name] = number
    return found


def _mixture(word: str) -> tuple[int, int]:
    """`12@16` → `(12, 16)`."""
    match = re.fullmatch(r"([0-9]{1,15})@([0-9]{1,5})", word, re.ASCII)
    if match is None:
        raise FaceganError(f"--mix {word[:80]} is not understood.", "Write SEED@SIDE: --mix 12@16.")
    return int(match[1]), int(match[2])


def _range(word: str) -> tuple[str, float, float]:
    """`smiling=-2:3` → `("smiling", -2.0, 3.0)`."""
    name, _, ends = word.partition("=")
    low, _, high = ends.partition(":")
    first, last = as_number(low), as_number(high)
    if not name or first is None or last is None:
        raise FaceganError(
            f"--sweep {word} is not understood.", "Write NAME=FROM:TO: --sweep smiling=-2:3."
        )
    return name, first, last


def _seeds(text: str) -> list[int]:
    """`1,5,9` or `0-7`."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,15})(?:-([0-9]{1,15}))?", part.strip(), re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < first + 1000:
            raise FaceganError(
                f"--seeds {text[:80]} is not understood.",
                "Write 1,5,9 or 0-7, up to 1,000 of them.",
            )
        found += range(first, last + 1)
    return found
