"""What makes each registered kind, and each shipped recipe, small enough for a test."""

from __future__ import annotations

import pytest

# Makes any shipped recipe small: 32 pixels take milliseconds a step.
TINY: dict[str, tuple[str, ...]] = {
    "mlp": (
        "generator.hidden=[12, 8]",
        "generator.latent.size=6",
        "discriminator.hidden=[12, 8]",
    ),
    "dcgan": ("generator.channels=4", "generator.latent.size=6", "discriminator.channels=4"),
    "resnet": (
        *("generator.channels=8", "generator.widest=2", "generator.latent.size=6"),
        *("discriminator.channels=8", "discriminator.widest=2"),
    ),
    "ignm": (
        *("generator.channels=8", "generator.refine=4", "generator.latent.size=6"),
        *("discriminator.channels=8", "discriminator.heads.hidden=8"),
    ),
    "r3gan": (
        *("generator.channels=16", "generator.group=4", "generator.latent.size=6"),
        *("discriminator.channels=16", "discriminator.group=4"),
        *("generator.blocks=1", "discriminator.blocks=1"),
    ),
}
TINY["features"] = (
    *("generator={kind='dcgan'}", "discriminator={kind='features', channels=4, pixels=2}"),
    *("generator.channels=4", "generator.latent.size=6"),
)
# Makes a small game of fully connected networks use one kind of method, penalty or regulariser.
TINY_METHODS: dict[str, tuple[str, ...]] = {
    "adversarial": ("method.penalty.kind=r1",),
    "reconstruction": ("method={kind='reconstruction'}", "discriminator.heads.code=6"),
    "feature_matching": ("method.kind=feature_matching", "method.penalty={kind='r1', every=2}"),
}
TINY_PENALTIES: dict[str, tuple[str, ...]] = {
    kind: (f"method.penalty={{kind='{kind}', every=2}}",)
    for kind in ("r1", "r2", "r1r2", "gradient_penalty")
}
TINY_REGULARISERS: dict[str, tuple[str, ...]] = {
    "consistency": ("method.regularisers=[{kind='consistency'}]",),
    "lecam": ("method.regularisers=[{kind='lecam', decay=0.75}]",),
    "path_length": ("method.regularisers=[{kind='path_length', every=3, decay=0.75}]",),
}
TINY_TRANSFORMS: dict[str, tuple[str, ...]] = {
    kind: (f"augment={{probability=0.7, transforms=[{{kind='{kind}'}}]}}",)
    for kind in ("light", "pose", "hue", "scene")
}
# What a recipe needs besides, to be small: 32 pixels leave no 32×32 maps inside, and several
# updates of D for each of G would make odd numbers of steps.
TINY_RECIPES: dict[str, tuple[str, ...]] = {
    "wgan-gp": ("method.n_critic=2",),
    "sngan": ("method.n_critic=2",),
    "ignm": ("generator.attention=16", "discriminator.attention=16"),
    "sagan": ("generator.attention=16", "discriminator.attention=16"),
    "projected": ("discriminator.pixels=2",),
}


def no_entry(kind: str, table: str) -> str:
    """What to tell who added a kind, and forgot that tests make everything small."""
    return (
        f"{kind!r} is registered, and no test makes it small: give it an entry in {table} of "
        "tests/tiny.py, and the tests that go through the registries cover it."
    )


SHORT = (
    "training.batch=8",
    "training.budget=192img",
    "training.ticks=6",
    "training.snapshots=3",
    "training.precision=fp32",
    "evaluation.times=0",
)


def find_no_faces(patch: pytest.MonkeyPatch) -> None:
    """Let the face detector find nothing, at once, as it does in drawn blobs after a while."""
    patch.setattr("facegan.evaluation.clear_faces.detect", lambda picture, score: [])
