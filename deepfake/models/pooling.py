"""pooling: features of frames to one, where only the frames of the mask count."""

from torch import Tensor


def average(features: Tensor, mask: Tensor) -> Tensor:
    """(B, T, D) averaged over the frames of the mask (B, T): (B, D)."""
    weights = mask.unsqueeze(-1).to(features.dtype)  # (B, T, 1)
    return (features * weights).sum(1) / weights.sum(1)
