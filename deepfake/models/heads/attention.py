"""attention: an average of the frames in which the telling ones weigh more; blind to their order.

Source: Ilse et al., "Attention-based deep multiple instance learning", ICML 2018; equation 9, the gated one.
"""

import torch
from torch import Tensor, nn

from deepfake.models.network import Architecture


class Attention(nn.Module):
    """features (B, T, D) and mask (B, T) -> (B, D)."""

    def __init__(self, inner: int, hidden: int) -> None:
        super().__init__()
        self.features = inner
        self.view = nn.Sequential(nn.Linear(inner, hidden), nn.Tanh())
        self.gate = nn.Sequential(nn.Linear(inner, hidden), nn.Sigmoid())
        self.score = nn.Linear(hidden, 1, bias=False)  # the softmax would cancel a bias

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        scores = self.score(self.view(features) * self.gate(features))  # (B, T, 1)
        weights: Tensor = scores.masked_fill(~mask.unsqueeze(-1), -torch.inf).softmax(1)
        return (features * weights).sum(1)


def build(inner: int, a: Architecture) -> Attention:
    """The head over features of size `inner`."""
    return Attention(inner, a.hidden)
