"""The sum of singular values of a matrix when one row, or two, are left out and the rest is
centred again: for every row at once, without a decomposition for each.

For a centred matrix Y [n, r] with singular values s, the sum is tr √S with S = YᵀY, and for
positive semi-definite A, B

    tr √A − tr √B = (1/2π) ∫₀^∞ t^(−½) (log det(A + t) − log det(B + t)) dt.

Leaving rows i out takes S to S − Yᵢᵀ G Yᵢ with G = (I − 11ᵀ/n)⁻¹, so the difference of the
logarithms is that of a 1 × 1 or 2 × 2 determinant. With Y = V diag(s) Qᵀ it is

    −log det(G (I − 11ᵀ/n − Vᵢ diag(s²/(s² + t)) Vᵢᵀ)),

which the sum over t = eᵘ below integrates (the trapezoidal rule, which converges
exponentially here: spacing 1 leaves a relative error of about 3·10⁻⁹).
"""

from __future__ import annotations

import numpy as np

from facegan.evaluation.matrices import Floats

# The integrand falls off as e^(u/2) below the smallest s², as e^(−u/2) above the largest.
_BELOW, _ABOVE = 60, 16


class Deletion:
    """What leaving out rows takes from the sum of singular values.

    Args:
        singular: float64 [q], positive, the singular values s of Y.
        rows: n, how many rows Y has.
    """

    def __init__(self, singular: Floats, rows: int) -> None:
        self._n = rows
        # Then rows of V with 1/√n beside them are orthonormal, and what is left of the unit
        # matrix is rounding alone.
        self._complete = len(singular) == rows - 1
        largest = float(singular.max()) ** 2 if len(singular) else 1.0
        t = largest * np.exp(np.arange(-_BELOW, _ABOVE + 1.0))
        self._weights = np.sqrt(t) / (2 * np.pi)
        # All terms beyond the last are a geometric series.
        self._weights[-1] /= 1 - np.exp(-0.5)
        # s²/(s² + t) = 1 − this; kept is the small part, which cancellation would destroy.
        self._damping = t / (singular[:, None] ** 2 + t)

    def one(self, left: Floats) -> Floats:
        """The loss for leaving out each of m rows alone.

        Args:
            left: [m, q], their rows of V.

        Returns:
            float64 [m].
        """
        return self._integral(self._alone(left) * (self._n / (self._n - 1)))

    def together(self, first: Floats, second: Floats) -> Floats:
        """What leaving out two rows takes beyond what each takes alone.

        Args:
            first: [m, q], rows of V.
            second: [m, q], the partner of each; never the same row.

        Returns:
            float64 [m], of either sign.
        """
        n = self._n
        both = first * second
        cross = both @ self._damping
        if not self._complete:
            cross -= (both.sum(axis=1) + 1 / n)[:, None]
        correlation = cross**2 / (self._alone(first) * self._alone(second))
        # The constant is det G over the two single ones: 1 for rows of no length.
        return self._integral(np.maximum(1 - correlation, 0) * ((n - 1) ** 2 / (n * (n - 2))))

    def _alone(self, left: Floats) -> Floats:
        square = left**2
        damped = square @ self._damping
        if not self._complete:
            damped += np.maximum(1 - 1 / self._n - square.sum(axis=1), 0)[:, None]
        return damped

    def _integral(self, determinant: Floats) -> Floats:
        # A determinant that rounding takes to 0 stands where t, and so its weight, is tiny.
        logarithm = np.log(np.maximum(determinant, np.finfo(np.float64).tiny))
        return -(logarithm @ self._weights)
