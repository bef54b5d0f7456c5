"""`facegan models`: generators to use by name, and to hand on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from facegan.cli.group import Commands
from facegan.cli.paths import FILE_PATH


@click.group(cls=Commands, invoke_without_command=True)
@click.pass_context
def models(context: click.Context) -> None:
    """List the generators in the box and those installed, with how good they are.

    A model is one file: weights, recipe, and a card that says what it learned from, how good it
    is, what it is for and what its limits are. Its name stands wherever a run may.

    \b
    Example: facegan models
    """
    if context.invoked_subcommand is not None:
        return
    from facegan.apps.models import listed
    from facegan.cli.terminal.models import print_models

    print_models(listed())


@models.command("card")
@click.argument("model")
def models_card(model: str) -> None:
    """Print the card of MODEL (a name or a file) as the README.md of a model hub.

    \b
    Example: facegan models card lfw-64
    """
    from facegan.apps.models import card_text

    click.echo(card_text(model), nl=False)


@models.command("labels")
@click.argument("source")
def models_labels(source: str) -> None:
    """List what SOURCE (a model, a run or a file) can be asked for by name.

    \b
    Example: facegan models labels lfw-64
    """
    from facegan.apps.models import labels
    from facegan.cli.terminal.models import print_labels

    print_labels(labels(source), source)


@models.command("export")
@click.argument("model")
@click.option("--out", type=FILE_PATH, help="A folder for a model hub; made if not there.")
@click.option("--onnx", type=FILE_PATH, help="An ONNX file, for other programs.")
@click.option(
    "--half", is_flag=True, help="Of --onnx: weights in float16; arithmetic stays float32."
)
@click.option("--best", is_flag=True, help="Of --onnx and a run: its best snapshot, not its last.")
@click.option("--overwrite", is_flag=True, help="Replace the files that are there.")
def models_export(
    model: str, out: Path | None, onnx: Path | None, half: bool, best: bool, overwrite: bool
) -> None:
    """Write MODEL (a name or a file) as a folder for a model hub, or as ONNX.

    The folder can be pushed as it is: README.md, config.json, model.safetensors, and
    samples.png, 64 faces, none picked. The ONNX file holds the generator alone, of a run too:
    latents z, and labels where it has any, of any number of pictures.

    \b
    Example: facegan models export lfw-64 --out lfw-64-hub
    Example: facegan models export lfw-64 --onnx lfw-64.onnx --half
    """
    if (out is None) == (onnx is None):
        raise click.UsageError("Give --out FOLDER or --onnx FILE, one of them.")
    if onnx is None:
        if half or best:
            raise click.UsageError(f"{'--half' if half else '--best'} is for --onnx.")
        from facegan.apps.models import export

        assert out is not None
        files = export(model, out, overwrite)
        click.echo(f"Wrote {', '.join(file.name for file in files)} in {out}.")
        return
    from facegan.apps.onnx import export_onnx

    made = export_onnx(model, onnx, half, best, overwrite)
    compared = (
        "not compared with PyTorch, because ONNX Runtime is not installed"
        if made.difference is None
        else f"pictures as PyTorch's, to {made.difference:.1e}"
    )
    click.echo(f"Wrote {made.path}: {made.size / 1e6:.2f} MB; {compared}.")


@models.command("pack")
@click.argument("source")
@click.option("--name", required=True, help="By which it will be asked for: small letters, digits.")
@click.option("--out", type=FILE_PATH, required=True, help="The file: NAME.safetensors.")
@click.option("--title", help="One line that says what it is.")
@click.option("--licence", help="Of the weights: apache-2.0, cc-by-4.0, or in words.")
@click.option("--data", metavar="DATASET", help="What it learned from, for the counts in the card.")
@click.option(
    "--limits",
    type=FILE_PATH,
    help="A text file of what to know, of the training data above all: paragraphs.",
)
@click.option(
    "--evaluation",
    type=FILE_PATH,
    help="What 'facegan evaluate --json' printed.  [default: what the run recorded]",
)
@click.option("--best", is_flag=True, help="Of a run: its best snapshot, not its last.")
@click.option("--overwrite", is_flag=True, help="Replace a file at --out.")
@click.option(
    "--discriminator/--no-discriminator",
    default=True,
    help="Keep a run's discriminator in a file beside it, to train on from both.",
)
def models_pack(source: str, name: str, out: Path, **options: Any) -> None:
    """Make a model's file from SOURCE: a run, a generator.safetensors file or a model.

    It needs an evaluation with 1,000 pictures, or half as many as were trained on where these are
    fewer: facegan evaluate RUN --data DATASET.

    \b
    Example: facegan models pack runs/a --name my-faces --out my-faces.safetensors
    """
    from facegan.apps.packing import pack

    made = pack(source, name, out, **options)
    click.echo(f"Wrote {made.path}: {made.size / 1e6:.2f} MB.")
    if made.discriminator is not None:
        size = made.discriminator.stat().st_size / 1e6
        click.echo(f"Wrote {made.discriminator}: {size:.2f} MB, to train on from both networks.")
    for remark in made.remarks:
        click.echo(remark, err=True)


@models.command("encoder")
@click.argument("source", required=False)
@click.option(
    "--out", type=FILE_PATH, help="The file.  [default: NAME.encoder.safetensors beside MODEL]"
)
@click.option("-n", "n", default=8192, show_default=True, help="Pictures that it is fitted to.")
@click.option("--best", is_flag=True, help="Of a run: its best snapshot, not its last.")
@click.option("--device", default="auto", show_default=True)
def models_encoder(source: str | None, out: Path | None, **options: Any) -> None:
    """Fit the encoder of SOURCE (a model, a run or a file) for 'facegan invert', and keep it.

    Without it, 'facegan invert' fits one when the first photograph comes.

    \b
    Example: facegan models encoder runs/a
    """
    from facegan.apps.invert import prepare_encoder

    fitted = prepare_encoder(source, out, **options).fitted
    click.echo(
        f"Fitted to {fitted.pictures:,} pictures; explains {fitted.explained:.0%} of the latent."
    )


@models.command("install")
@click.argument("source", type=FILE_PATH, metavar="FILE|USER/NAME")
@click.option("--name", help="To find it by.  [default: that in its card]")
@click.option("--overwrite", is_flag=True, help="Replace an installed model of that name.")
@click.option(
    "--revision",
    metavar="COMMIT",
    help="Of a repository: a commit, a tag or a branch.  [default: the newest]",
)
def models_install(source: Path, name: str | None, overwrite: bool, revision: str | None) -> None:
    """Put a model where it is found by its name, once it has proved sound.

    It is a FILE, or a repository USER/NAME on a model hub, of which the safetensors file alone is
    taken. A hub needs the extra: pip install 'facegan[hub]'.

    \b
    Example: facegan models install my-faces.safetensors
    Example: facegan models install somebody/my-faces --revision 1f0c8a2
    """
    from facegan.apps.models import install
    from facegan.models.store import origin_of

    model = install(source, name, overwrite, revision)
    origin = origin_of(model)
    taken = f" (from {origin})" if origin else ""
    click.echo(f"Installed {model.name}{taken}: facegan generate --model {model.name}")


@models.command("push")
@click.argument("model")
@click.argument("repository", metavar="USER/NAME")
@click.option("--private", is_flag=True, help="Of a new repository: only you can see it.")
@click.option("--revision", metavar="BRANCH", help="To put it on.  [default: the main branch]")
@click.option("--page", is_flag=True, help="Also index.html, in which the generator runs.")
def models_push(
    model: str, repository: str, private: bool, revision: str | None, page: bool
) -> None:
    """Put MODEL (a name or a file) on a model hub: what 'facegan models export' writes.

    Log in first: hf auth login. Needs the extra: pip install 'facegan[hub]'.

    \b
    Example: facegan models push my-faces somebody/my-faces
    """
    from facegan.apps.models import push

    add = partial(_page, model) if page else None
    origin = push(model, repository, private=private, revision=revision, add=add)
    click.echo(f"Pushed to {origin.hub}/{origin.repository}")
    click.echo(
        f"This version: facegan models install {origin.repository} --revision {origin.commit}"
    )


def _page(model: str, folder: Path) -> None:
    """Write the page that 'facegan export' writes, by the name that web servers look for."""
    from facegan.studio.page import export_page

    export_page(model, folder / "index.html")


@models.command("remove")
@click.argument("name")
def models_remove(name: str) -> None:
    """Delete the installed model NAME.

    \b
    Example: facegan models remove my-faces
    """
    from facegan.apps.models import remove

    click.echo(f"Removed {remove(name)}.")
