"""tcn: residual convolutions over time, each looking twice as far as the one before; then the average of the frames.

They look both ways: a clip is judged whole, so that the published padding on the left alone has no use.
Source: Bai et al., "An empirical evaluation of generic convolutional and recurrent networks for sequence modeling",
arXiv 1803.01271, 2018.
"""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from deepfake.models.network import Architecture
from deepfake.models.pooling import average


class Block(nn.Module):
    """states (B, C, T), zero where keep (B, 1, T) is -> (B, hidden, T), zero there too."""

    def __init__(self, inner: int, hidden: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv1d(width, hidden, 3, padding=dilation, dilation=dilation)) for width in (inner, hidden)
        )
        self.dropout = nn.Dropout1d(dropout)
        self.short = nn.Conv1d(inner, hidden, 1) if inner != hidden else nn.Identity()

    def forward(self, states: Tensor, keep: Tensor) -> Tensor:
        out = states
        for conv in self.convs:
            out = self.dropout(conv(out).relu()) * keep  # its bias fills the padding: emptied at every layer
        short: Tensor = self.short(states)
        return (out + short).relu() * keep


class Tcn(nn.Module):
    """features (B, T, D) and mask (B, T) -> (B, hidden)."""

    def __init__(self, inner: int, a: Architecture) -> None:
        super().__init__()
        self.features = a.hidden
        widths = [inner, *[a.hidden] * (a.layers - 1)]
        self.blocks = nn.ModuleList(Block(width, a.hidden, 2**i, a.dropout) for i, width in enumerate(widths))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        keep = mask.unsqueeze(1).to(features.dtype)  # (B, 1, T)
        states = features.transpose(1, 2) * keep  # (B, D, T)
        for block in self.blocks:
            states = block(states, keep)
        return average(states.transpose(1, 2), mask)


def build(inner: int, a: Architecture) -> Tcn:
    """The head over features of size `inner`."""
    return Tcn(inner, a)
