"""What 0.1.0 called otherwise is still understood, and told by its new name."""

from __future__ import annotations

import pytest

import facegan


def test_pack_is_dataset() -> None:
    with pytest.warns(FutureWarning, match=r"facegan\.Dataset"):
        old = facegan.Pack
    assert old is facegan.Dataset
