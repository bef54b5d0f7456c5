"""Hair on the head, in front of it and behind, and on the face."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from facegan.portraits import palette
from facegan.portraits.palette import WHITE, blend, colour
from facegan.portraits.parameters import BEARDS, HAIR_STYLES
from facegan.portraits.scene import Scene
from facegan.portraits.shapes import (
    Field,
    arch,
    box,
    circle,
    ease,
    ellipse,
    inside,
    join,
    line,
    spot,
    wave,
)

Shape = Callable[[Scene], Field]

_CAST = colour(60, 20, 24)
_DARK = colour(150, 138, 150)
# Directions of the tufts round a curly head: (sine, cosine) from straight up.
_TUFTS = [(float(np.sin(a)), float(np.cos(a))) for a in np.linspace(-1.95, 1.95, 11)]


def paint_back(scene: Scene) -> None:
    """What hangs or stands behind the head: shaded, since little light gets there."""
    for style, shape in _BACKS.items():
        scene.only(_wears(scene, style), partial(_shade_back, shape))


def paint_front(scene: Scene) -> None:
    """What lies over the head."""
    for style, shape in _FRONTS.items():
        scene.only(_wears(scene, style), partial(_shade_front, shape))


def _wears(scene: Scene, style: str) -> npt.NDArray[np.bool_]:
    return scene.p.hair_style == HAIR_STYLES.index(style)


def _shade_back(shape: Shape, scene: Scene) -> None:
    distance = shape(scene)
    cover = inside(distance, scene.pixel)
    scene.paint(scene.hair, cover)
    scene.paint(scene.hair * _DARK, cover * ease(-0.45, 0.3, scene.v))
    scene.paint(
        blend(scene.hair, WHITE, 0.2),
        0.5 * cover * ease(0.0, -0.06, distance + 0.06) * ease(0.1, -0.4, scene.v),
    )


def _shade_front(shape: Shape, scene: Scene) -> None:
    u, v = scene.u, scene.v
    distance = shape(scene)
    # Its shadow on the forehead, a little below.
    scene.paint(_CAST, 0.22 * ease(0.05, -0.01, distance) * inside(scene.head(), scene.pixel))
    cover = inside(distance, scene.pixel)
    scene.paint(scene.hair, cover)
    lx = scene.light[0]
    lit = u * lx * 1.6 - 0.7 * (v + 0.25)
    scene.paint(scene.hair * _DARK, 0.85 * cover * ease(0.15, -0.75, lit))
    strand = wave((u * 7.0) / (1.15 + v) + 0.35 * v)
    ringlets = wave(u * 4.2 + 0.25 * wave(v * 4.0)) * wave(v * 4.4 + 0.25 * wave(u * 3.7))
    strand = np.where(scene.p.hair_style[:, None] == HAIR_STYLES.index("curly"), ringlets, strand)
    fade = np.clip(1.0 - scene.pixel / 0.11, 0.0, 1.0)
    scene.paint(scene.hair * _DARK, 0.13 * cover * fade * np.maximum(strand, 0.0))
    width, height = scene.value("head_width"), scene.value("head_height")
    ring = np.sqrt((u / width) ** 2 + ((v + 0.06) / height) ** 2)
    band = np.maximum(1.0 - ((ring - 0.92) / 0.16) ** 2, 0.0)
    facing = spot(u - 0.30 * lx, v + 0.45, 0.36, 0.36)
    gleam = band * band * facing * (0.8 + 0.2 * strand * fade)
    scene.paint(blend(scene.hair, colour(255, 240, 220), 0.42), 0.85 * cover * gleam)


def _crown(scene: Scene, sides: float, top: float) -> Field:
    """The skull's upper half, thicker by `sides` and `top` and by the hair's volume."""
    volume = 0.4 + 0.6 * scene.value("hair_volume")
    width = scene.value("head_width") + sides * volume
    height = scene.value("head_height") + top * volume
    return ellipse(scene.u, np.minimum(scene.v + 0.02, 0.0), width, height)


def _opened(scene: Scene, hair: Field, window: Field) -> Field:
    """The hair without the window through which the face looks out.

    On the side away from us the window would reach past the head; there the hair closes it.
    """
    return np.maximum(hair, -np.maximum(window, scene.head(grow=-0.006)))


def _short(scene: Scene) -> Field:
    length = scene.value("hair_length")
    side = scene.value("part_side")
    tufts = wave(scene.u * 2.3 * side + 0.3) + 0.5 * wave(scene.u * 5.1 * side + 0.1)
    crown = _crown(scene, 0.035, 0.13) - 0.012 * tufts * ease(-0.2, -0.45, scene.v)
    fringe = 0.03 * wave(scene.f * 2.4 * side + 0.15) + 0.07 * side * scene.f
    window = arch(scene.f, scene.g + fringe - 0.02, 0.372, 0.35 - 0.05 * length)
    return np.maximum(_opened(scene, crown, window), _burns(scene, 0.05 + 0.06 * length))


def _side_part(scene: Scene) -> Field:
    side = scene.value("part_side")
    f = scene.f * side  # positive on the side of the parting
    crown = _crown(scene, 0.045, 0.13)
    swell = ellipse(
        scene.u * side + 0.12, scene.v + 0.36, 0.40, 0.26 + 0.05 * scene.value("hair_volume")
    )
    # The hairline falls away from the parting.
    sweep = arch(f - 0.03, scene.g + 0.02 - 0.42 * f, 0.37, 0.30)
    burns = _burns(scene, 0.06 + 0.08 * scene.value("hair_length"))
    return np.maximum(_opened(scene, join(crown, swell, 0.1), sweep), burns)


def _burns(scene: Scene, low: Field) -> Field:
    """The lower edge of short hair: down to `low` beside the ears, tapering to the cheeks."""
    inwards = np.clip(scene.value("head_width") - np.abs(scene.u), -0.02, 0.17)
    return (scene.v - low + 1.6 * inwards) / 1.9


def _fringe(scene: Scene) -> Field:
    teeth = 0.012 * wave(scene.f * 6.0 + 0.25) + 0.10 * scene.f * scene.f
    window = box(scene.f, scene.g - 1.83 - teeth, 0.345, 2.0, 0.12)
    return np.maximum(_fringe_back(scene), -window)


def _curtain(scene: Scene, sides: float, low: Field | float, corner: float) -> Field:
    """Hair hanging straight from the temples down to `low`."""
    volume = 0.4 + 0.6 * scene.value("hair_volume")
    half = scene.value("head_width") + sides * volume
    middle = (low - 0.1) * 0.5
    wavy = 0.022 * scene.value("hair_wave") * wave(scene.v * 2.6) * ease(-0.1, 0.15, scene.v)
    return box(scene.u, scene.v - middle, half, low - middle, corner) - wavy


def _long(scene: Scene) -> Field:
    side = scene.value("part_side")
    flow = (0.006 + 0.012 * scene.value("hair_wave")) * wave(scene.v * 2.1)
    # Two arches meet at the parting.
    part = 0.07 * side
    f, g = scene.f - part, scene.g
    left = ellipse(f + 0.10 + flow, np.minimum(g - 0.10, 0.0), 0.28, 0.46)
    right = ellipse(f - 0.10 - flow, np.minimum(g - 0.10, 0.0), 0.28, 0.46)
    window = join(left, right, 0.06)
    return np.maximum(_long_back(scene), -window)


def _curls(scene: Scene) -> Field:
    radius = 0.12 + 0.07 * scene.value("hair_length") + 0.03 * scene.value("hair_volume")
    width, height = scene.value("head_width"), scene.value("head_height")
    shape = ellipse(scene.u, scene.v + 0.10, width + 0.35 * radius, height + 0.2 * radius)
    for k, (sin, cos) in enumerate(_TUFTS):
        reach = 1.0 + 0.05 * (k % 2)
        x, y = sin * (width + 0.02) * reach, -0.13 - cos * (height - 0.08) * reach
        shape = join(shape, circle(scene.u - x, scene.v - y, radius), 0.03)
    return shape


def _curly(scene: Scene) -> Field:
    lobes = 0.018 * wave(scene.f * 4.5 + 0.5)
    window = arch(scene.f, scene.g - 0.03 + lobes, 0.375, 0.35)
    return np.maximum(
        _opened(scene, _curls(scene), window), _burns(scene, 0.12 * scene.value("hair_length"))
    )


def _bun(scene: Scene) -> Field:
    crown = _crown(scene, 0.02, 0.07)
    window = arch(scene.f, scene.g - 0.10, 0.385, 0.44)
    return np.maximum(_opened(scene, crown, window), _burns(scene, scene.value("head_width") * 0.1))


def _bun_back(scene: Scene) -> Field:
    size = 0.13 + 0.06 * scene.value("hair_length")
    slide = 0.10 * scene.turn
    return circle(scene.u + slide, scene.v + scene.value("head_height") + 0.09, size)


def _bald(scene: Scene) -> Field:
    """Nothing, or where `hair_length` is above 0.45 a rim over the ears."""
    crown = _crown(scene, 0.010, 0.0)
    skull = ellipse(scene.u, scene.v - 0.06, scene.value("head_width") - 0.035, 0.42)
    patch = ellipse(np.abs(scene.u) - scene.value("head_width"), scene.v + 0.10, 0.13, 0.19)
    ring = np.maximum(np.maximum(crown, -skull), patch)
    return np.where(scene.value("hair_length") > 0.45, ring, np.float32(1.0))


def _long_back(scene: Scene) -> Field:
    crown = _crown(scene, 0.06, 0.11)
    fall = _curtain(scene, 0.09, 0.55 + 0.4 * scene.value("hair_length"), 0.15)
    return join(crown, fall, 0.06)


def _fringe_back(scene: Scene) -> Field:
    fall = _curtain(scene, 0.07, 0.16 + 0.32 * scene.value("hair_length"), 0.16)
    return join(_crown(scene, 0.07, 0.13), fall, 0.05)


_BACKS: dict[str, Shape] = {
    "bangs": _fringe_back,
    "long": _long_back,
    "curly": _curls,
    "bun": _bun_back,
}
_FRONTS: dict[str, Shape] = {
    "bald": _bald,
    "short": _short,
    "side_part": _side_part,
    "bangs": _fringe,
    "long": _long,
    "curly": _curly,
    "bun": _bun,
}


def paint_facial_hair(scene: Scene) -> None:
    """Beard, goatee, mustache and stubble."""
    p = scene.p
    scene.only((p.beard > 0) | (p.mustache > 0) | (p.stubble > 0), _facial_hair)


def _facial_hair(scene: Scene) -> None:
    p, f, g, pixel = scene.p, scene.f, scene.g, scene.pixel
    tone = palette.beard(p)
    side = np.abs(f)
    s = side / 0.40
    cheek_line = 0.225 - g - 0.26 * s * s * s * s + 0.03 * wave(side * 2.4)
    full = np.maximum(scene.head(grow=0.03), cheek_line)
    shaven = inside(np.maximum(scene.head(), cheek_line), pixel + 0.08)
    scene.paint(
        blend(scene.skin * colour(170, 150, 150), tone, 0.4), 0.5 * shaven * scene.value("stubble")
    )
    is_full = (scene.value("beard") == BEARDS.index("full")).astype(np.float32)
    is_goatee = (scene.value("beard") == BEARDS.index("goatee")).astype(np.float32)
    chin = scene.value("head_height")
    goatee = np.maximum(ellipse(f, g - chin + 0.035, 0.115, 0.125), scene.head(grow=0.035))
    cover = np.maximum(
        inside(full, pixel + 0.012) * is_full, inside(goatee, pixel + 0.012) * is_goatee
    )
    scene.paint(tone, cover)
    lit = scene.u * scene.light[0] * 1.5 - (g - 0.3)
    scene.paint(tone * _DARK, 0.7 * cover * ease(0.1, -0.4, lit))
    whisker = g - 0.243 - 0.9 * f * f + 0.015 * scene.value("smile")
    half = 0.026 * ease(0.175, 0.06, side) + 0.004
    mustache = line(whisker, half, pixel + 0.008) * ease(0.18, 0.15, side)
    scene.paint(tone * colour(238, 234, 236), mustache * scene.value("mustache"))
