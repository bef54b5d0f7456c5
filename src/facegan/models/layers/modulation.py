"""Self-modulation: z reaches every resolution of a generator, not its first layer alone.

Chen, Lučić, Houlsby & Gelly 2019, "On Self Modulation for Generative Adversarial Networks",
arXiv:1810.01365, section 2.
"""

from __future__ import annotations

from torch import Tensor, nn


class SelfModulation(nn.Module):
    """(1 + γ(z)) · y + β(z), for each channel of normalised maps y.

    γ and β are linear in z here; the paper has a hidden layer of 32 numbers before them. They
    begin small, so that every image begins with the normalisation's own scale and shift.

    Args:
        inputs: numbers in z, and in the label embedding that may stand beside it.
        channels: of the maps.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 2 * channels)

    def forward(self, maps: Tensor, code: Tensor) -> Tensor:
        """Maps [N, C, H, W] and z [N, Z] → [N, C, H, W]."""
        gain, shift = self.linear(code)[:, :, None, None].to(maps.dtype).chunk(2, 1)
        return (maps * (1 + gain)).add_(shift)
