"""Signed distances, soft spots and their coverage of pixels.

Only additions, products, quotients, square roots and comparisons are used: each is exactly
rounded, so that a pixel's value depends neither on its neighbours in memory nor on the batch.
All functions broadcast over float32 arrays; lengths are in units of half the picture's width,
distances are negative inside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[Any]  # float32
Value = Any  # a float, a column [N, 1] or a field [N, P]


def inside(distance: Value, width: Value) -> Field:
    """How much of a pixel of this width a shape covers, in [0, 1]."""
    return np.clip(0.5 - distance / width, 0.0, 1.0)


def line(distance: Value, half: Value, width: Value) -> Field:
    """Coverage by a line of half-thickness `half` along distance 0; right when thinner than a
    pixel, where it fades instead of breaking up.
    """
    away = np.abs(distance)
    return inside(away - half, width) - inside(away + half, width)


def ease(low: Value, high: Value, t: Value) -> Field:
    """0 below `low`, 1 above `high`, smooth between; `low` > `high` turns it round."""
    s = np.clip((t - low) / (high - low), 0.0, 1.0)
    return s * s * (3.0 - 2.0 * s)


def spot(x: Value, y: Value, rx: Value, ry: Value) -> Field:
    """A soft spot: 1 in the middle, 0 from the ellipse outwards."""
    x, y = x / rx, y / ry
    bump = np.maximum(1.0 - x * x - y * y, 0.0)
    return bump * bump


def ellipse(x: Value, y: Value, rx: Value, ry: Value) -> Field:
    """Distance to an ellipse, good near its edge."""
    a, b = x / rx, y / ry
    radius = np.sqrt(a * a + b * b)
    a, b = a / rx, b / ry
    return radius * (radius - 1.0) / np.sqrt(a * a + b * b + 1e-6)


def circle(x: Value, y: Value, radius: Value) -> Field:
    """Distance to a circle."""
    return np.sqrt(x * x + y * y) - radius


def box(x: Value, y: Value, half_x: Value, half_y: Value, corner: Value) -> Field:
    """Distance to a rectangle with round corners of radius `corner`."""
    x, y = np.abs(x) - half_x + corner, np.abs(y) - half_y + corner
    outer_x, outer_y = np.maximum(x, 0.0), np.maximum(y, 0.0)
    outer = np.sqrt(outer_x * outer_x + outer_y * outer_y)
    return outer + np.minimum(np.maximum(x, y), 0.0) - corner


def arch(x: Value, y: Value, rx: Value, ry: Value) -> Field:
    """Distance to a doorway: an ellipse's upper half standing on walls without end."""
    return ellipse(x, np.minimum(y, 0.0), rx, ry)


def join(a: Value, b: Value, k: Value) -> Field:
    """Union of two shapes with the corner between them rounded over a length `k`."""
    h = np.maximum(k - np.abs(a - b), 0.0) / k
    return np.minimum(a, b) - h * h * (k * 0.25)


def wave(t: Value) -> Field:
    """A smooth periodic curve with period 1 and range [-1, 1]."""
    s = np.abs(2.0 * (t - np.floor(t)) - 1.0)
    return 2.0 * s * s * (3.0 - 2.0 * s) - 1.0
