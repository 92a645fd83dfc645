"""cnn: five blocks of convolution, batch norm, ReLU and pooling, averaged over the picture, and one full layer.

Source: the published CNN + BiLSTM student systems; blocks after Simonyan and Zisserman (ICLR 2015), one layer each.
"""

from itertools import pairwise

from torch import nn

from deepfake.models.features import Convolutional, block, plain
from deepfake.models.network import Architecture


class Cnn(Convolutional):
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


def build(a: Architecture) -> Cnn:
    """The encoder, at random weights or those of a file."""
    return plain(Cnn(), a)


def side(a: Architecture) -> int:
    """px of a face: what detect.size is by default."""
    return 112
