"""Head, ears, skin, nose, mouth, eyes and brows."""

from __future__ import annotations

import numpy as np

from facegan.portraits import palette, wear
from facegan.portraits.palette import WHITE, blend, colour
from facegan.portraits.scene import Scene
from facegan.portraits.shapes import (
    Field,
    circle,
    ease,
    ellipse,
    inside,
    line,
    spot,
)

# Factors that turn skin into its shaded, deeply shaded and reddened self.
_SHADE = colour(214, 176, 168)
_DEEP = colour(168, 112, 106)
_ROSY = colour(236, 112, 104)
_EYE_WHITE = colour(250, 246, 240)

_MOUTH_Y = 0.285
# Freckles: positions on the face, its middle at 0.
_FRECKLES = [
    *[(-0.30, 0.17), (-0.27, 0.13), (-0.24, 0.21), (-0.22, 0.17), (-0.19, 0.11), (-0.15, 0.16)],
    *[(-0.10, 0.12), (-0.04, 0.10), (0.03, 0.13), (0.09, 0.10), (0.14, 0.15), (0.17, 0.20)],
    *[(0.18, 0.11), (0.22, 0.18), (0.25, 0.12), (0.28, 0.17)],
]


def paint_head(scene: Scene) -> None:
    """Ears with their rings, then the head as a round volume in the light."""
    _ears(scene)
    cover = inside(scene.head(), scene.pixel)
    scene.paint(scene.skin, cover)
    light = _lambert(scene)
    strength = scene.value("light_strength")
    scene.paint(scene.skin * _SHADE, cover * strength * ease(0.62, -0.1, light))
    scene.paint(blend(scene.skin, WHITE, 0.45), cover * strength * 0.55 * ease(0.7, 1.0, light))


def _lambert(scene: Scene) -> Field:
    """How squarely the light meets the head's surface, taken as an ellipsoid."""
    x = scene.u / (scene.value("head_width") * 1.06)
    y = scene.v / (scene.value("head_height") * 1.10)
    z = np.sqrt(np.maximum(1.0 - x * x - y * y, 0.0))
    lx, ly, lz = scene.light
    return x * lx + y * ly + z * lz


def _ears(scene: Scene) -> None:
    # The ear on the side that the face turns to slips behind the head.
    side = np.where(scene.u > 0, 1.0, -1.0).astype(np.float32)
    ear_u = (
        np.abs(scene.u)
        - scene.value("head_width")
        - 0.012
        + 0.05 * np.maximum(side * scene.turn, 0.0)
    )
    v = scene.v - 0.03 + 0.06 * scene.nod
    ear = inside(ellipse(ear_u, v, 0.062, 0.108), scene.pixel)
    scene.paint(scene.skin * colour(246, 226, 220), ear)
    away = ease(-0.3, 0.6, -side * scene.light[0])
    scene.paint(scene.skin * _SHADE, ear * away * scene.value("light_strength"))
    scene.paint(scene.skin * _DEEP, 0.55 * spot(ear_u + 0.01, v + 0.005, 0.045, 0.085))
    wear.paint_earrings(scene, ear_u)


def paint_skin_details(scene: Scene) -> None:
    """Soft shadows of the sockets, blush, freckles, the lines of age, and the nose."""
    inside_head = inside(scene.head(), scene.pixel)
    f, g = scene.f, scene.g
    side = np.abs(f)
    spacing = scene.value("eye_spacing")
    shade = scene.skin * _SHADE
    scene.paint(shade, 0.55 * spot(side - spacing + 0.02, g + 0.02, 0.16, 0.12))
    cheeks = spot(side - 0.235, g - 0.16, 0.15, 0.12) * inside_head
    scene.paint(blend(scene.skin, _ROSY, 0.55), (0.15 + 0.6 * scene.value("blush")) * cheeks)
    lit = spot(side - 0.215, g - 0.10, 0.12, 0.06) * inside_head
    scene.paint(blend(scene.skin, WHITE, 0.6), 0.35 * scene.value("light_strength") * lit)
    _lines_of_age(scene, side)
    scene.only(scene.p.freckles > 0, _freckles)
    _nose(scene)


def _lines_of_age(scene: Scene, side: Field) -> None:
    f, g, pixel = scene.f, scene.g, scene.pixel
    age = ease(34.0, 78.0, scene.value("age"))
    line_colour = scene.skin * _DEEP
    beside = side - scene.value("eye_spacing")
    bag = line(g - 0.088 + 0.9 * beside * beside, 0.007, pixel)
    bag = bag * ease(0.085, 0.05, np.abs(beside))
    scene.paint(line_colour, 0.5 * age * bag)
    # From the nose's wings round the corners of the mouth; smiling deepens them.
    smile = np.maximum(scene.value("smile"), 0.0)
    down = g - 0.17
    across = side - 0.10 - (0.62 + 0.35 * smile) * down + 1.1 * down * down
    fold = line(across, 0.006, pixel + 0.012) * ease(0.16, 0.21, g) * ease(0.31, 0.22, g)
    scene.paint(line_colour, (0.4 * age + 0.2 * smile) * fold)
    furrows = np.abs(g + 0.245 - 0.12 * f * f) - 0.03
    furrow = line(furrows, 0.006, pixel) * ease(0.20, 0.12, side)
    scene.paint(line_colour, 0.5 * ease(0.25, 1.0, age) * furrow)
    corner = beside - 0.115
    rays = line(np.abs(g - 0.005) - 0.25 * corner - 0.008, 0.005, pixel)
    crow = rays * ease(-0.005, 0.01, corner) * ease(0.05, 0.03, corner)
    scene.paint(line_colour, 0.5 * age * crow)


def _freckles(scene: Scene) -> None:
    """A scatter over nose and cheeks."""
    f, g = scene.f, scene.g
    dots = np.zeros_like(f)
    for k, (x, y) in enumerate(_FRECKLES):
        radius = 0.009 + 0.003 * (k % 3)
        dots = np.maximum(dots, inside(circle(f - x, g - y, radius), scene.pixel + 0.006))
    scene.paint(scene.skin * colour(205, 146, 118), 0.6 * dots)


def _nose(scene: Scene) -> None:
    pixel = scene.pixel
    base, half = scene.value("nose_length"), scene.value("nose_width")
    # The nose stands out of the face: its tip slides further than its root.
    out = ease(-0.05, 0.2, scene.g)
    f, g = scene.f - 0.05 * scene.turn * out, scene.g - 0.012 * scene.nod * out
    lx = scene.light[0]
    strength = scene.value("light_strength")
    shade = scene.skin * _SHADE
    side = ease(0.0, 0.6, lx) - ease(0.0, 0.6, -lx)
    flank = spot(f + 0.055 * side, g - 0.5 * base, 0.065, 0.62 * base)
    scene.paint(shade, 0.8 * strength * flank * np.abs(side))
    under = spot(f + 0.02 * lx, g - base - 0.022, half * 1.35, 0.045)
    scene.paint(scene.skin * _DEEP, 0.5 * under)
    ball = inside(ellipse(f, g - base + 0.03, half * 0.78, 0.042), pixel + 0.03)
    wings = inside(ellipse(np.abs(f) - half * 0.72, g - base + 0.022, 0.034, 0.03), pixel + 0.02)
    scene.paint(blend(scene.skin, scene.skin * colour(255, 226, 216), 0.8), np.maximum(ball, wings))
    floor = g - base - 0.012 + 2.2 * f * f
    curve = line(floor, 0.009, pixel) * ease(half * 1.12, half * 0.85, np.abs(f))
    scene.paint(scene.skin * _DEEP, 0.75 * curve)
    nostril = ellipse(np.abs(f) - half * 0.5, g - base - 0.002, half * 0.24, 0.011)
    scene.paint(scene.skin * colour(120, 66, 64), 0.6 * inside(nostril, pixel + 0.006))
    bright = blend(scene.skin, WHITE, 0.75)
    tip = spot(f - 0.02 * lx, g - base + 0.045, half * 0.55, 0.034)
    ridge = spot(f - 0.012 * lx, g - 0.3 * base, 0.026, 0.62 * base)
    scene.paint(bright, strength * (0.55 * tip + 0.28 * ridge))


def paint_mouth(scene: Scene) -> None:
    """Lips; between them teeth and tongue where the mouth is open."""
    pixel = scene.pixel
    smile, opening = scene.value("smile"), scene.value("mouth_open")
    full = scene.value("lip_fullness")
    half = scene.value("mouth_width") * (1.0 + 0.30 * np.maximum(smile, 0.0))
    f = scene.f - 0.012 * scene.turn
    q = np.minimum((f / half) ** 2, 1.6)
    bow = 1.0 - q
    # Where the lips meet; the corners rise with the smile.
    seam = scene.g - _MOUTH_Y - 0.02 * opening + smile * 0.062 * (q - 0.55)
    gape = 0.115 * opening
    lower = seam - gape * bow
    slope = 1.0 / np.sqrt(1.0 + (2.0 * (np.abs(smile) * 0.062 + gape) * f / half**2) ** 2)
    lip = _lip_colour(scene)
    dip = 0.010 * np.maximum(1.0 - np.abs(f) / 0.035, 0.0)
    above = 0.012 + 0.020 * full
    below = 0.018 + 0.028 * full
    upper_lip = np.maximum(-seam - above * bow + dip, lower) * slope
    lower_lip = np.maximum(lower - below * bow, -seam) * slope
    soft = pixel + 0.008
    # The curves hold between the corners only.
    between = inside(np.abs(f) - half, pixel + 0.01)
    scene.paint(scene.skin * _SHADE, 0.7 * spot(f, lower - below - 0.022, half * 0.75, 0.035))
    scene.paint(lip * colour(226, 206, 210), between * inside(upper_lip, soft))
    scene.paint(lip, between * inside(lower_lip, soft))
    gloss = spot(f - 0.02 * scene.light[0], lower - 0.5 * below, half * 0.45, 0.016)
    scene.paint(blend(lip, WHITE, 0.6), 0.5 * gloss)
    hole = np.maximum(lower, -seam) * slope
    cover = between * inside(hole, pixel) * ease(0.0, 0.15, opening)
    scene.paint(colour(112, 34, 40), cover)
    tongue = spot(f, lower + 0.018, half * 0.62, 0.05)
    scene.paint(colour(214, 92, 92), 0.9 * cover * tongue)
    teeth = inside(seam - 0.52 * gape * bow, pixel)
    scene.paint(colour(252, 249, 242), cover * teeth)
    meet = line(seam * slope, 0.0075, pixel) * inside((q - 1.0) * half * 0.5, pixel)
    scene.paint(lip * colour(150, 92, 96), meet * (1.0 - 0.6 * ease(0.0, 0.15, opening)))
    corner = spot(np.abs(f) - half, seam, 0.03, 0.03)
    scene.paint(scene.skin * _DEEP, 0.45 * corner)


def _lip_colour(scene: Scene) -> palette.Colour:
    # Lipstick goes with the garment: the same person always wears the same.
    bare = blend(scene.skin * colour(232, 160, 152), colour(200, 96, 96), 0.22)
    made_up = palette.hsv(0.93 + 0.09 * scene.p.garment_lightness, 0.68, 0.74)
    return blend(bare, made_up, 0.75 * scene.p.lipstick)


def paint_eyes(scene: Scene) -> None:
    """Both eyes and brows; the two sides mirror each other but for gaze and light."""
    p, pixel = scene.p, scene.pixel
    right = np.where(scene.f > 0, 1.0, -1.0).astype(np.float32)
    size = scene.value("eye_size")
    a = 0.088 * size
    ex = scene.f * right - scene.value("eye_spacing")
    tilt = scene.value("eye_tilt")
    ey = scene.g + tilt * ex
    squint = np.maximum(scene.value("smile"), 0.0) * (0.6 + 0.4 * scene.value("mouth_open"))
    age = ease(40.0, 85.0, scene.value("age"))
    q = np.minimum((ex / a) ** 2, 2.0)
    rise = 0.058 * size * (1.0 - 0.08 * squint - 0.14 * age)
    drop = 0.042 * size * (1.0 - 0.50 * squint)
    slope_up = 1.0 / np.sqrt(1.0 + (2.0 * rise * ex / a**2) ** 2)
    upper = (-ey - rise * (1.0 - q)) * slope_up
    lower = (ey - drop * (1.0 - q)) / np.sqrt(1.0 + (2.0 * drop * ex / a**2) ** 2)
    cover = inside(np.maximum(upper, lower), pixel) * inside(np.abs(ex) - a, pixel)
    scene.paint(_EYE_WHITE, cover)
    _iris(scene, ex, ey, right, cover)
    lid = spot(ex, ey + rise, a * 1.2, 0.045)
    scene.paint(scene.skin * colour(120, 96, 100), 0.55 * lid * cover)
    lashes = scene.value("lashes")
    ink = blend(scene.skin * colour(90, 56, 54), palette.INK, 0.35 + 0.6 * p.lashes)
    weight = 0.008 + 0.008 * lashes + 0.006 * np.clip(ex / a, -1.0, 1.0)
    ends = ease(1.35, 1.0, q)
    scene.paint(ink, line(upper, weight, pixel) * ends)
    flick = line(ey + 0.55 * (ex - a) + 0.004, 0.006, pixel)
    flick = flick * inside(np.abs(ex - a - 0.012) - 0.016, pixel)
    scene.paint(ink, ease(0.45, 0.9, lashes) * flick)
    crease = line(upper - 0.026 - 0.006 * size, 0.005, pixel) * ease(1.2, 0.8, q)
    scene.paint(scene.skin * _DEEP, 0.6 * crease)
    scene.paint(scene.skin * _DEEP, 0.4 * line(lower, 0.005, pixel) * ease(1.1, 0.7, q))
    _brows(scene, ex)


def _iris(scene: Scene, ex: Field, ey: Field, right: Field, cover: Field) -> None:
    """Iris, pupil and catch light, kept within the opened lids by `cover`."""
    pixel = scene.pixel
    size = scene.value("eye_size")
    # Eyes keep looking at us while the head turns, give or take a glance.
    look = 0.014 * scene.value("gaze") - 0.020 * scene.turn
    ix = ex - look * right
    iy = ey + 0.006 + 0.012 * scene.nod
    radius = 0.046 * size
    tone = palette.iris(scene.p)
    away = circle(ix, iy, radius)
    scene.paint(tone * colour(120, 112, 116), inside(away, pixel) * cover)
    scene.paint(tone, inside(away + 0.007, pixel + 0.006) * cover)
    scene.paint(blend(tone, WHITE, 0.35), 0.8 * spot(ix, iy - 0.022, 0.034, 0.026) * cover)
    scene.paint(colour(22, 16, 18), inside(circle(ix, iy, 0.46 * radius), pixel) * cover)
    glint = circle(ix * right - 0.016 * np.sign(scene.light[0]), iy + 0.017, 0.0125 * size)
    scene.paint(colour(255, 255, 255), 0.95 * inside(glint, pixel) * cover)


def _brows(scene: Scene, ex: Field) -> None:
    thick = scene.value("brow_thickness")
    lift = 0.132 + 0.03 * scene.value("brow_height") + 0.012 * scene.value("mouth_open")
    t = np.clip((ex + 0.01) / 0.125, -1.5, 1.5)
    arc = scene.g + lift + scene.value("brow_angle") * 0.6 * ex + 0.024 * (1.0 - t * t)
    half = (0.009 + 0.013 * thick) * (1.0 - 0.45 * np.maximum(t, 0.0))
    ends = inside((np.abs(t) - 0.96) * 0.125, scene.pixel + 0.02)
    brow = blend(scene.skin * _DEEP, palette.beard(scene.p), 0.82)
    scene.paint(brow, 0.92 * ends * line(arc, half, scene.pixel + 0.006))
