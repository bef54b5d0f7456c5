"""The canvas being painted and the coordinates that its painters use."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facegan.portraits import palette
from facegan.portraits.palette import Colour, column
from facegan.portraits.parameters import CONTINUOUS, Parameters
from facegan.portraits.shapes import Field, Value, ellipse

# The picture shows 2 · VIEW drawing units across, its middle a little above the origin.
VIEW = 0.83
_RAISED = 0.035
# Radii of the ball over which the features slide when the head turns. Larger than the head, so
# that features near its edge are narrowed but never torn.
_BALL_X, _BALL_Y = 0.58, 0.80


@dataclass(frozen=True)
class Scene:
    """N portraits in the making, P pixels each; positions have x to the right and y downwards.

    Attributes:
        p: their parameters.
        pixel: width of a pixel in drawing units, as measured on the head, [N, 1].
        x, y: position in the picture in drawing units, [1, P].
        u, v: position on the head as seen, [N, P]: upright, 0 in its middle.
        f, g: position on the face as if it looked straight at us, [N, P].
        light: where the light comes from: three columns [N, 1] of a unit vector.
        skin, hair: their colours, [N, 3, 1].
        rgb: what has been painted so far, [N, 3, P].
    """

    p: Parameters
    pixel: Field
    x: Field
    y: Field
    u: Field
    v: Field
    f: Field
    g: Field
    light: tuple[Field, Field, Field]
    skin: Colour
    hair: Colour
    rgb: Field

    @property
    def turn(self) -> Field:
        """How far the head is turned, in [-1, 1]: [N, 1]."""
        return self.value("yaw") / np.float32(CONTINUOUS["yaw"][1])

    @property
    def nod(self) -> Field:
        """How far the head is bowed, in [-1, 1]: [N, 1]."""
        return self.value("pitch") / np.float32(CONTINUOUS["pitch"][1])

    def value(self, name: str) -> Field:
        """A parameter as a column [N, 1]."""
        return column(getattr(self.p, name))

    def paint(self, colour: Colour, coverage: Field) -> None:
        """Lay `colour` over the picture where `coverage` [N, P] in [0, 1] says."""
        change = colour - self.rgb
        change *= coverage[:, None, :]
        np.add(self.rgb, change, out=self.rgb)

    def only(self, chosen: npt.NDArray[np.bool_], paint: Callable[[Scene], None]) -> None:
        """Let `paint` work on the chosen portraits [N] alone, if there are any."""
        if not chosen.any():
            return
        some = dataclasses.replace(
            self,
            p=self.p[chosen],
            pixel=self.pixel[chosen],
            u=self.u[chosen],
            v=self.v[chosen],
            f=self.f[chosen],
            g=self.g[chosen],
            light=(self.light[0][chosen], self.light[1][chosen], self.light[2][chosen]),
            skin=self.skin[chosen],
            hair=self.hair[chosen],
            rgb=self.rgb[chosen],
        )
        paint(some)
        self.rgb[chosen] = some.rgb

    def head(self, grow: Value = 0.0) -> Field:
        """Distance to the head's outline, `grow` larger all round."""
        v = self.v
        width, height = self.value("head_width") + grow, self.value("head_height") + grow
        t = np.clip(v / height, 0.0, 1.0)
        jaw = self.value("jaw")
        # The lower face: a square jaw is wider half-way down, a pointed one is narrower.
        width = width * (1.0 + (0.02 + 0.17 * jaw) * t * t * (1.0 - t) * 4.0)
        return ellipse(self.u, v, width, height)


def stage(p: Parameters, resolution: int) -> Scene:
    """An empty canvas with its coordinates, for N portraits of `resolution` squared pixels."""
    centres = ((np.arange(resolution, dtype=np.float64) + 0.5) * (2.0 / resolution) - 1.0) * VIEW
    x = np.tile(centres, resolution).astype(np.float32)[None]
    y = np.repeat(centres - _RAISED, resolution).astype(np.float32)[None]
    size = column(p.head_size)
    # The head tips about a point in the neck.
    pivot = np.float32(0.45)
    sin, cos = _sin_cos(p.roll)
    dx, dy = x - column(p.shift_x), y - column(p.shift_y) + np.float32(0.05) - pivot
    u = (dx * cos + dy * sin) / size
    v = (dy * cos - dx * sin) / size + pivot
    sin_yaw, cos_yaw = _sin_cos(p.yaw)
    sin_pitch, cos_pitch = _sin_cos(p.pitch)
    sin_light, cos_light = _sin_cos(p.light_direction)
    return Scene(
        p=p,
        pixel=np.float32(2.0 * VIEW / resolution) / size,
        x=x,
        y=y,
        u=u,
        v=v,
        f=_turned(u, _BALL_X, sin_yaw, cos_yaw),
        g=_turned(v, _BALL_Y, sin_pitch, cos_pitch),
        light=(
            sin_light * np.float32(0.85),
            np.float32(-0.53) + 0 * sin_light,
            cos_light * np.float32(0.85),
        ),
        skin=palette.skin(p),
        hair=palette.hair(p),
        rgb=np.zeros((len(p), 3, resolution * resolution), np.float32),
    )


def _turned(along: Field, radius: float, sin: Field, cos: Field) -> Field:
    """Undo a ball's turn: where a point seen at `along` lies on the ball that faces us."""
    depth = np.sqrt(np.maximum(radius * radius - along * along, 0.0))
    return along * cos - depth * sin


def _sin_cos(degrees: npt.NDArray[np.float64]) -> tuple[Field, Field]:
    angle = np.deg2rad(degrees)
    return column(np.sin(angle)), column(np.cos(angle))
