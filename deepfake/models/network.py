"""network: a frame encoder, a temporal head and one logit, with the scaling of pixels inside."""

import torch
from torch import Tensor, nn

from deepfake.base import plugins

MEAN, STD = 0.5, 0.25  # of pixels in [0, 1]; fixed, so that every dataset is scaled alike


class Network(nn.Module):
    """clips (B, T, 3, H, W) float in [0, 1] and mask (B, T) bool -> logits (B,), above 0 = fake."""

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: str, head: str) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((3, 1, 1), MEAN))
        self.register_buffer("std", torch.full((3, 1, 1), STD))
        self.encoder = plugins.load("models.encoders", encoder).build().to(memory_format=torch.channels_last)
        self.head = plugins.load("models.heads", head).build(self.encoder.features)
        self.logit = nn.Linear(self.head.features, 1)

    def forward(self, clips: Tensor, mask: Tensor) -> Tensor:
        frames = clips[mask]  # (N, 3, H, W): batch norm never sees padding
        frames = ((frames - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        encoded = self.encoder(frames)  # (N, D)
        features = encoded.new_zeros(*mask.shape, encoded.shape[1])  # (B, T, D)
        features[mask] = encoded
        logits: Tensor = self.logit(self.head(features, mask)).squeeze(1)
        return logits


def to_clips(batch: Tensor) -> Tensor:
    """(B, T, H, W, 3) uint8 -> (B, T, 3, H, W) float in [0, 1], in channels-last order: nothing moves in memory."""
    return batch.permute(0, 1, 4, 2, 3).float() / 255
