"""What is behind the person."""

from __future__ import annotations

import numpy as np

from facegan.portraits import palette
from facegan.portraits.parameters import BACKGROUNDS
from facegan.portraits.scene import Scene
from facegan.portraits.shapes import circle, ease, inside

# Where the blurred lights are (x, y, radius, strength); their layout parameter slides them.
_LIGHTS = [
    (-0.82, -0.66, 0.30, 0.55),
    (0.74, -0.78, 0.24, 0.6),
    (0.92, -0.06, 0.34, 0.4),
    (-0.98, 0.12, 0.24, 0.5),
    (0.36, -1.0, 0.2, 0.45),
    (-0.42, -0.98, 0.17, 0.5),
    (0.66, -0.36, 0.14, 0.5),
    (-0.62, -0.22, 0.13, 0.45),
]


def paint(scene: Scene) -> None:
    """Fill every pixel."""
    p = scene.p
    scene.rgb[:] = palette.background(p)
    # Light falls off from the lit side to the opposite lower corner.
    lit = scene.light[0] * scene.x - 0.55 * scene.y
    scene.paint(palette.background(p, turn=0.03, lift=0.28), 0.75 * ease(-0.3, 1.2, lit))
    scene.paint(palette.background(p, turn=-0.03, lift=-0.3), 0.75 * ease(0.2, -1.3, lit))
    scene.only(p.background == BACKGROUNDS.index("two_tone"), _two_tone)
    scene.only(p.background == BACKGROUNDS.index("bokeh"), _bokeh)


def _two_tone(scene: Scene) -> None:
    """A disc behind the head, or a slanted field, in a neighbouring or opposite colour."""
    layout = scene.value("background_layout")
    disc = circle(scene.x, scene.y + 0.12, 0.80)
    slope = (layout - 0.75) * 4.0
    slant = (scene.y + 0.1 - slope * scene.x) / np.sqrt(1.0 + slope * slope)
    shape = np.where(layout < 0.5, disc, slant)
    near = scene.p.background_layout % 0.25 < 0.125
    other = np.where(
        near[:, None, None],
        palette.background(scene.p, turn=0.09, lift=0.35),
        palette.background(scene.p, turn=0.45, lift=0.2),
    )
    scene.paint(other, 0.85 * inside(shape, scene.pixel))


def _bokeh(scene: Scene) -> None:
    """Lights out of focus."""
    layout = scene.value("background_layout") - 0.5
    glow = palette.background(scene.p, turn=0.06, lift=0.55)
    warm = palette.blend(glow, palette.colour(255, 232, 190), 0.5)
    for k, (x, y, radius, strength) in enumerate(_LIGHTS):
        sway = 0.35 if k % 2 else -0.35
        away = circle(scene.x - x - sway * layout, scene.y - y + 0.2 * sway * layout, radius)
        scene.paint(warm if k % 3 == 0 else glow, strength * ease(0.05, -0.05, away))
