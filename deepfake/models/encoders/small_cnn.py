"""small_cnn: three small blocks on each frame of a sequence; the lightest encoder, for small faces.

Source: the published CNN + LSTM student systems ("time-distributed" CNN).
"""

from itertools import pairwise

from torch import nn

from deepfake.models.features import Convolutional, averaged, block, plain
from deepfake.models.network import Architecture


class SmallCnn(Convolutional):
    """frames (N, 3, H, W) -> features (N, 128)."""

    features = 128

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, self.features)
        self.blocks = nn.Sequential(*(block(a, b) for a, b in pairwise(widths)))
        self.full = averaged()


def build(a: Architecture) -> SmallCnn:
    """The encoder, at random weights or those of a file."""
    return plain(SmallCnn(), a)


def side(a: Architecture) -> int:
    """px of a face, as published."""
    return 64
