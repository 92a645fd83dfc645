"""lstm: a long short-term memory over the frames, by default two layers that read both ways.

Source: Hochreiter and Schmidhuber, Neural Computation 1997; Schuster and Paliwal, IEEE TSP 1997.
"""

from torch import nn

from deepfake.models.network import Architecture
from deepfake.models.recurrent import Recurrent


def build(inner: int, a: Architecture) -> Recurrent:
    """The head over features of size `inner`."""
    return Recurrent(nn.LSTM, inner, a)
