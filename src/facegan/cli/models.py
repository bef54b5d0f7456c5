"""`facegan models`: use, install and share trained generators by name."""

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
    """List the bundled and the installed generators, with their scores.

    A model is one file: weights, recipe, and a card with its training data, scores, intended use
    and limits. Its name can be used wherever a command takes a run.

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
    """List the labels that SOURCE (a model, a run or a file) was trained with.

    \b
    Example: facegan models labels lfw-64
    """
    from facegan.apps.models import labels
    from facegan.cli.terminal.models import print_labels

    print_labels(labels(source), source)


@models.command("export")
@click.argument("model")
@click.option("--out", type=FILE_PATH, help="Write a folder for a model hub.")
@click.option("--onnx", type=FILE_PATH, help="Write an ONNX file, for other programs.")
@click.option(
    "--half", is_flag=True, help="With --onnx: weights in float16; arithmetic stays float32."
)
@click.option(
    "--best", is_flag=True, help="With --onnx: use the best snapshot of a run, not its last."
)
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
def models_export(
    model: str, out: Path | None, onnx: Path | None, half: bool, best: bool, overwrite: bool
) -> None:
    """Export MODEL (a name or a file) as a folder for a model hub, or as ONNX.

    The folder can be uploaded as it is. It holds README.md, config.json, model.safetensors and
    samples.png with the faces of seeds 0 to 63. The ONNX file holds the generator alone. Its
    inputs are latents z, and labels if the model has any; the batch size is free. --onnx also
    takes a run.

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
@click.option(
    "--name", required=True, help="The name of the model: lower-case letters, digits and hyphens."
)
@click.option("--out", type=FILE_PATH, required=True, help="The file to write: NAME.safetensors.")
@click.option("--title", help="A title of one line, for the card.")
@click.option("--licence", help="The licence of the weights: apache-2.0, cc-by-4.0, or in words.")
@click.option("--data", metavar="DATASET", help="The training dataset, for the counts on the card.")
@click.option(
    "--limits",
    type=FILE_PATH,
    help="A text file about the model's limits and training data, for the card.",
)
@click.option(
    "--evaluation",
    type=FILE_PATH,
    help="What 'facegan evaluate --json' printed.  [default: the scores recorded in the run]",
)
@click.option("--best", is_flag=True, help="Use the best snapshot of a run, not its last.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@click.option(
    "--discriminator/--no-discriminator",
    default=True,
    help="Also write the discriminator to a file beside it, so that training can continue.",
)
def models_pack(source: str, name: str, out: Path, **options: Any) -> None:
    """Make a model file from SOURCE: a run, a generator.safetensors file or a model.

    It needs scores of at least 1,000 images, or of half as many as it was trained on if these are
    fewer than 2,000: facegan evaluate RUN --data DATASET.

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
@click.option("-n", "n", default=8192, show_default=True, help="Number of images to fit it to.")
@click.option("--best", is_flag=True, help="Use the best snapshot of a run, not its last.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, mps or auto.")
def models_encoder(source: str | None, out: Path | None, **options: Any) -> None:
    """Fit and save the encoder that 'facegan invert' uses for SOURCE (a model, a run or a file).

    Without this command, 'facegan invert' fits the encoder when it is first needed.

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
@click.option("--name", help="The name to install it under.  [default: the name on its card]")
@click.option("--overwrite", is_flag=True, help="Replace an installed model of that name.")
@click.option(
    "--revision",
    metavar="COMMIT",
    help="A commit, tag or branch of the repository.  [default: the newest commit]",
)
def models_install(source: Path, name: str | None, overwrite: bool, revision: str | None) -> None:
    """Check a model and install it, so that commands find it by name.

    It is a FILE, or a repository USER/NAME on a model hub. Only safetensors files are taken from a
    repository. A hub needs an extra: pip install 'facegan[hub]'.

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
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option(
    "--revision", metavar="BRANCH", help="The branch to upload to.  [default: the main branch]"
)
@click.option("--page", is_flag=True, help="Also upload index.html, in which the generator runs.")
def models_push(
    model: str, repository: str, private: bool, revision: str | None, page: bool
) -> None:
    """Upload MODEL (a name or a file) to a model hub, as 'facegan models export' writes it.

    Log in first: hf auth login. It needs an extra: pip install 'facegan[hub]'.

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
