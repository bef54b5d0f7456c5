"""Neck, garment, glasses and earrings."""

from __future__ import annotations

import numpy as np

from facegan.portraits import palette
from facegan.portraits.palette import column
from facegan.portraits.parameters import GARMENTS, GLASSES
from facegan.portraits.scene import Scene
from facegan.portraits.shapes import (
    Field,
    Value,
    box,
    circle,
    ease,
    ellipse,
    inside,
    join,
    line,
)


def paint_neck_and_garment(scene: Scene) -> None:
    """Neck, the head's shadow on it, shoulders and what covers them."""
    pixel = scene.pixel
    x, y = _across_body(scene), scene.y
    half = 0.165 + 0.05 * scene.value("jaw") + 0.12 * (scene.value("head_width") - 0.39)
    neck = join(box(x, y - 0.55, half, 0.55, 0.1), ellipse(x, y - 1.22, 0.62, 0.5), 0.25)
    skin = inside(neck, pixel)
    scene.paint(scene.skin * palette.colour(238, 226, 222), skin)
    # The shadow that the head throws, away from the light.
    dropped = ellipse(x + 0.08 * scene.light[0], y - 0.36, half + 0.13, 0.33)
    shade = ease(0.06, -0.10, dropped) * skin
    scene.paint(scene.skin * palette.colour(196, 158, 152), 0.9 * shade)
    _garment(scene, half)


def _across_body(scene: Scene) -> Field:
    """Position across the shoulders, which follow the head only partly: [N, P]."""
    return scene.x - 0.6 * scene.value("shift_x")


def _garment(scene: Scene, half: Field) -> None:
    """Shoulders in cloth, open at the neck as its kind is; `half` is the neck's half width."""
    p, pixel, x, y = scene.p, scene.pixel, _across_body(scene), scene.y
    cloth = palette.garment(p)
    shoulders = join(ellipse(x, y - 1.28, 0.86, 0.62), box(x, y - 1.1, 0.5, 0.3, 0.2), 0.2)
    crew = ellipse(x, y - 0.60, half + 0.09, 0.20)
    slant = (np.abs(x) + (y - 0.98) * 0.62) / 1.18
    vee = np.maximum(slant, -(y - 0.4))
    collar_gap = (np.abs(x) + (y - 0.90) * 0.75) / 1.25
    high = box(x, y - 0.80, half + 0.035, 0.22, 0.05)
    kind = scene.value("garment")
    opening = np.where(
        kind == GARMENTS.index("crew"),
        crew,
        np.where(kind == GARMENTS.index("v_neck"), vee, collar_gap),
    )
    body = np.maximum(shoulders, -opening)
    body = np.where(kind == GARMENTS.index("turtleneck"), join(shoulders, high, 0.22), body)
    cover = inside(body, pixel)
    scene.paint(cloth, cover)
    lit = scene.light[0] * x * 1.4 - 0.5 * (y - 0.8)
    scene.paint(cloth * palette.colour(178, 168, 182), 0.8 * cover * ease(0.25, -0.75, lit))
    scene.paint(palette.blend(cloth, palette.WHITE, 0.35), 0.5 * cover * ease(0.1, 0.9, lit))
    hem = line(body + 0.035, 0.006, pixel) * ease(0.35, 0.25, np.abs(x))
    scene.paint(
        cloth * palette.colour(150, 140, 155), 0.55 * hem * (kind != GARMENTS.index("collar"))
    )
    scene.only(p.garment == GARMENTS.index("collar"), _collar)


def _collar(scene: Scene) -> None:
    """Two pale flaps and their shadow."""
    y = scene.y
    side = np.abs(_across_body(scene))
    cloth = palette.blend(palette.garment(scene.p), palette.WHITE, 0.72)
    inner = (0.90 - y) * 0.75 - side
    outer = side - (0.30 + 0.30 * (y - 0.70))
    lower = (side * 0.55 + (y - 1.02)) / 1.14
    upper = 0.60 + 0.12 * side - y
    flap = np.maximum(np.maximum(inner / 1.25, outer), np.maximum(lower, upper))
    cover = inside(flap, scene.pixel)
    shadow = ease(0.05, -0.02, flap)
    scene.paint(palette.colour(34, 22, 30), 0.22 * shadow)
    scene.paint(cloth, cover)


def paint_glasses(scene: Scene) -> None:
    """Frames, lenses and temples, for those who wear them."""
    scene.only(scene.p.glasses > 0, _glasses)


def _glasses(scene: Scene) -> None:
    p, pixel = scene.p, scene.pixel
    size, round_ = scene.value("glasses_size"), scene.value("glasses_roundness")
    spacing = scene.value("eye_spacing")
    # They stand a little off the face, so they slide further when the head turns.
    f = np.abs(scene.f - 0.03 * scene.turn)
    g = scene.g - 0.012
    half_x = (0.128 + 0.006 * round_) * size
    half_x = np.minimum(half_x, spacing - 0.028)
    half_y = (0.085 + 0.03 * round_) * size
    lens = box(f - spacing, g, half_x, half_y, 0.03 + (half_y - 0.032) * round_)
    dark = p.glasses == GLASSES.index("dark")
    tint = np.where(
        dark[:, None, None],
        palette.hsv(p.glasses_hue, 0.35, 0.16),
        palette.colour(214, 234, 244),
    )
    fade = 0.10 + column(dark) * (0.84 - 0.25 * ease(-0.08, 0.1, g))
    glass = inside(lens, pixel)
    scene.paint(tint, fade * glass)
    gleam = scene.f * 0.8 + scene.g
    shine = line(np.abs(gleam + 0.10) - 0.02, 0.012, pixel) * glass
    scene.paint(palette.WHITE, (0.10 + 0.10 * column(dark)) * shine)
    frame = np.where(
        (p.glasses_lightness < 0.55)[:, None, None],
        palette.hsv(p.glasses_hue, 0.35, 0.10 + 0.22 * p.glasses_lightness),
        palette.hsv(p.glasses_hue, 0.62, 0.25 + 0.5 * p.glasses_lightness),
    )
    rim = line(lens, 0.0135, pixel)
    arc = line(g + 0.03 - 1.6 * f * f, 0.011, pixel) * inside(f - (spacing - half_x), pixel)
    reach = spacing + half_x
    temple = line(g + 0.03, 0.013, pixel) * inside(reach - f, pixel)
    temple = temple * inside(np.abs(scene.u) - scene.value("head_width") - 0.005, pixel)
    scene.paint(frame, np.maximum(np.maximum(rim, arc), temple))


def paint_earrings(scene: Scene, ear_u: Value) -> None:
    """A small gold or silver drop under each visible ear; `ear_u` [N, P] as in `face`."""
    worn = scene.value("earrings")
    spot = circle(ear_u, scene.v - 0.165, 0.024)
    metal = np.where(
        (scene.p.skin_warmth > 0)[:, None, None],
        palette.colour(240, 196, 92),
        palette.colour(226, 230, 236),
    )
    scene.paint(metal, inside(spot, scene.pixel) * worn)
