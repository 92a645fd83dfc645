"""meso4: four small convolutions on each frame; 27,977 weights with its logit. The model to try first.

Source: Afchar et al., "MesoNet: a compact facial video forgery detection network", WIFS 2018.
"""

from torch import nn

from deepfake.models.features import Convolutional, plain
from deepfake.models.network import Architecture


class Meso4(Convolutional):
    """frames (N, 3, H, W) -> features (N, 16)."""

    features = 16

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(  # shapes at the published 256 px
            block(3, 8, kernel=3, pool=2),  # (N, 8, 128, 128)
            block(8, 8, kernel=5, pool=2),  # (N, 8, 64, 64)
            block(8, 16, kernel=5, pool=2),  # (N, 16, 32, 32)
            block(16, 16, kernel=5, pool=4),  # (N, 16, 8, 8)
            nn.AdaptiveAvgPool2d(8),  # changes nothing there: other sizes meet the same full layer
        )
        self.full = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(16 * 8 * 8, self.features), nn.LeakyReLU(0.1), nn.Dropout(0.5)
        )


def block(inner: int, outer: int, *, kernel: int, pool: int) -> nn.Sequential:
    """(N, inner, H, W) -> (N, outer, H / pool, W / pool)."""
    return nn.Sequential(
        nn.Conv2d(inner, outer, kernel, padding=kernel // 2),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(outer),
        nn.MaxPool2d(pool),
    )


def build(a: Architecture) -> Meso4:
    """The encoder, at random weights or those of a file."""
    return plain(Meso4(), a)


def side(a: Architecture) -> int:
    """px of a face, as published."""
    return 256
