"""Files of weights, and what identifies the features that they give."""

from __future__ import annotations

import hashlib
import json

from facegan.networks.backbones.weights import (
    fold_batch_norm,
    read_bytes,
    read_known,
    read_verified,
)

__all__ = ["fingerprint", "fold_batch_norm", "read_bytes", "read_known", "read_verified"]


def fingerprint(**parts: object) -> str:
    """SHA-256 (hex) of everything that decides features, by name."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
