"""mean: the average of the frames' features; blind to their order. What a temporal head must beat."""

from torch import Tensor, nn

from deepfake.models.network import Architecture
from deepfake.models.pooling import average


class Mean(nn.Module):
    """features (B, T, D) and mask (B, T) -> (B, D)."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.features = inner

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return average(features, mask)


def build(inner: int, a: Architecture) -> Mean:
    """The head over features of size `inner`."""
    return Mean(inner)
