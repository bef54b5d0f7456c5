"""What bfloat16 and Winograd's form do to a step's gradients, beside what another batch does.

From a run's last checkpoint, the gradients of both players on one batch: in float32, in bfloat16
with the direct forms of the convolutions, in bfloat16 as it is trained; and in float32 on the
next batch. Prints cosines to the first of them.

    python benchmarks/gradient_rounding.py RUN DATASET
"""

from __future__ import annotations

import argparse
from pathlib import Path

from facegan.startup import tune_process

tune_process()  # as the command line does, before PyTorch is imported

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from facegan.data.dataset import Dataset  # noqa: E402
from facegan.device import Execution, Precision  # noqa: E402
from facegan.networks.kernels import winograd  # noqa: E402
from facegan.recipe import Recipe  # noqa: E402
from facegan.runs.checkpoint import Checkpoint, latest  # noqa: E402
from facegan.training.batch_source import BatchSource  # noqa: E402
from facegan.training.state import PLAYERS, TrainingState  # noqa: E402
from facegan.training.step import Trainer  # noqa: E402


def main() -> None:
    """Compare the gradients of one batch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    options = parser.parse_args()
    recipe, dataset = Recipe.load(options.run / "recipe.toml"), Dataset.open(options.dataset)
    last = latest(options.run / "checkpoints")
    if last is None:
        raise SystemExit(f"{options.run} has no checkpoint yet.")
    exact = gradients(recipe, dataset, last, "fp32")
    others = {
        "bfloat16, direct": gradients(recipe, dataset, last, "bf16", direct=True),
        "bfloat16": gradients(recipe, dataset, last, "bf16"),
        "float32, the next batch": gradients(recipe, dataset, last, "fp32", batches=1),
    }
    print(f"{'cosine to float32':26}" + "".join(f"{player:>15}" for player in PLAYERS))
    for name, found in others.items():
        cosines = [torch.cosine_similarity(exact[p], found[p], 0).item() for p in PLAYERS]
        print(f"{name:26}" + "".join(f"{cosine:15.4f}" for cosine in cosines))


def gradients(
    recipe: Recipe,
    dataset: Dataset,
    at: Checkpoint,
    precision: Precision,
    direct: bool = False,
    batches: int = 0,
) -> dict[str, Tensor]:
    """Of each player in one step that changes no weight, as one float64 vector.

    Args:
        recipe: of the run.
        dataset: its dataset.
        at: where it stands.
        precision: of the networks.
        direct: without Winograd's form.
        batches: how many to pass over first.
    """
    pays = winograd.pays
    if direct:
        winograd.pays = lambda weight, shape: False
    try:
        execution = Execution(torch.device("cpu"), precision, channels_last=True)
        batch_source = BatchSource.of(recipe, dataset, execution)
        state = TrainingState(recipe, batch_source.spec, execution, batch_source.label_rows())
        state.load(at.tensors(), at.images_seen, at.extra)
        state.images_seen += batches * recipe.training.batch
        for optimizer in state.optimizers.values():
            optimizer.step = lambda *_: None  # type: ignore[method-assign,assignment]
        Trainer(recipe, state, batch_source, execution, total=10**9).step()
    finally:
        winograd.pays = pays
    return {
        player: torch.cat(
            [p.grad.flatten() for p in state.learning[player] if p.grad is not None]
        ).double()
        for player in PLAYERS
    }


if __name__ == "__main__":
    main()
