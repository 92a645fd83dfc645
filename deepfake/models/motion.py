"""motion: how a clip's features change from frame to frame, beside the features themselves."""

import torch
from torch import Tensor


def with_motion(features: Tensor, mask: Tensor) -> Tensor:
    """(B, T, D) and mask (B, T), what is masked last, to (B, T, 2 D): each frame's features, less those before it.

    The second half is zero for the first frame, which has none before it, and wherever a frame is masked.
    """
    moved = torch.zeros_like(features)
    moved[:, 1:] = (features[:, 1:] - features[:, :-1]) * mask[:, 1:].unsqueeze(-1)
    return torch.cat([features, moved], 2)
