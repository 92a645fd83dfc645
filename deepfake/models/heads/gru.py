"""gru: gated recurrent units over the frames; an LSTM with a gate less.

Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014.
"""

from torch import nn

from deepfake.models.network import Architecture
from deepfake.models.recurrent import Recurrent


def build(inner: int, a: Architecture) -> Recurrent:
    """The head over features of size `inner`."""
    return Recurrent(nn.GRU, inner, a)
