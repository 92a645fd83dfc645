"""fusion: what the frames show on average, beside what the head makes of their sequence.

Source: gate: Arevalo et al., "Gated multimodal units for information fusion", ICLR workshop 2017.
"""

import torch
from torch import Tensor, nn

from deepfake.models.pooling import average


class Fusion(nn.Module):
    """features (B, T, inner), the head's state (B, temporal) and mask (B, T) -> (B, features).

    concat: both, one after the other. gate: a mixture of them, a share for each feature and clip.
    """

    def __init__(self, inner: int, temporal: int, how: str) -> None:
        super().__init__()
        self.spatial = nn.Sequential(nn.Linear(inner, temporal), nn.ReLU())
        self.gate = nn.Sequential(nn.Linear(2 * temporal, temporal), nn.Sigmoid()) if how == "gate" else None
        self.features = temporal if how == "gate" else 2 * temporal

    def forward(self, features: Tensor, state: Tensor, mask: Tensor) -> Tensor:
        spatial: Tensor = self.spatial(average(features, mask))  # (B, temporal)
        both = torch.cat([spatial, state], 1)
        if self.gate is None:
            return both
        share: Tensor = self.gate(both)  # (B, temporal)
        return share * state + (1 - share) * spatial
