"""dilated_cnn: four wide-looking blocks: 5 x 5 convolutions whose taps are two pixels apart, averaged over the picture.

Source: the published student systems; dilation: Yu and Koltun, "Multi-scale context aggregation by dilated
convolutions", ICLR 2016.
"""

from itertools import pairwise

from torch import nn

from deepfake.models.features import Convolutional, averaged, block, plain
from deepfake.models.network import Architecture


class DilatedCnn(Convolutional):
    """frames (N, 3, H, W) -> features (N, 256). A convolution sees 9 x 9 pixels by 25 weights."""

    features = 256

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 128, self.features)
        self.blocks = nn.Sequential(*(block(a, b, kernel=5, dilation=2) for a, b in pairwise(widths)))
        self.full = averaged()


def build(a: Architecture) -> DilatedCnn:
    """The encoder, at random weights or those of a file."""
    return plain(DilatedCnn(), a)


def side(a: Architecture) -> int:
    """px of a face."""
    return 128
