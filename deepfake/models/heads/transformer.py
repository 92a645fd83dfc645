"""transformer: each frame attends to all others and knows its place; then the average of the frames.

Sources: Vaswani et al., "Attention is all you need", NeurIPS 2017 (places); Xiong et al., "On layer normalization in
the transformer architecture", ICML 2020 (normalised before each part: learns without a warm-up).
"""

import math

import torch
from torch import Tensor, nn

from deepfake.base.errors import UserError
from deepfake.models.network import Architecture
from deepfake.models.pooling import average

HEADS = 4


class Transformer(nn.Module):
    """features (B, T, D) and mask (B, T) -> (B, hidden)."""

    def __init__(self, inner: int, a: Architecture) -> None:
        super().__init__()
        self.features = a.hidden
        self.inward = nn.Sequential(nn.Linear(inner, a.hidden), nn.LayerNorm(a.hidden))  # as large as the places
        layer = nn.TransformerEncoderLayer(
            a.hidden, HEADS, 4 * a.hidden, a.dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, a.layers, nn.LayerNorm(a.hidden), enable_nested_tensor=False)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        states = self.inward(features)
        states = states + places(states.shape[1], self.features).to(states)
        return average(self.layers(states, src_key_padding_mask=~mask), mask)


def places(frames: int, width: int) -> Tensor:
    """(frames, width): sines and cosines of wavelengths from 2 pi to 10,000 times that."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))  # (width / 2,)
    angles = torch.arange(frames).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)


def build(inner: int, a: Architecture) -> Transformer:
    """The head over features of size `inner`. Raises UserError for a width that its attention cannot share out."""
    if a.hidden % HEADS:
        raise UserError(f"params.yaml: train.hidden: transformer has {HEADS} heads (got {a.hidden})", "a multiple of 4")
    return Transformer(inner, a)
