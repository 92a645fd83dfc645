"""cnn: five blocks of convolution, batch norm, ReLU and pooling, averaged over the picture, and one full layer.

Source: the published CNN + BiLSTM student systems; blocks after Simonyan and Zisserman (ICLR 2015), one layer each.
"""

from itertools import pairwise

from torch import Tensor, nn


class Cnn(nn.Module):
    """frames (N, 3, H, W) -> features (N, 512). H and W from 32 px; each block halves them."""

    features = 512

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 64, 128, 256)
        self.blocks = nn.Sequential(*(block(a, b) for a, b in pairwise(widths)))
        self.full = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(widths[-1], self.features, bias=False),
            nn.BatchNorm1d(self.features),  # averages over the picture differ little: unscaled they drown in an LSTM
            nn.ReLU(),
        )

    def forward(self, frames: Tensor) -> Tensor:
        out: Tensor = self.full(self.blocks(frames))
        return out


def block(inner: int, outer: int) -> nn.Sequential:
    """(N, inner, H, W) -> (N, outer, H / 2, W / 2)."""
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(inplace=True), nn.MaxPool2d(2)
    )


def build() -> Cnn:
    """The encoder, at random weights."""
    return Cnn()
