"""lstm: a two-layer bidirectional LSTM, its states averaged over time, and one full layer.

Source: Hochreiter and Schmidhuber, Neural Computation 1997; Schuster and Paliwal, IEEE TSP 1997.
"""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from deepfake.models.pooling import average


class Lstm(nn.Module):
    """features (B, T, D) and mask (B, T) -> (B, 128). What is masked comes last and never counts."""

    features = 128

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inner, 256, num_layers=2, batch_first=True, bidirectional=True, dropout=0.3)
        for name, weight in self.lstm.named_parameters():
            if "weight_hh" in name:  # each of the four gates
                for gate in weight.chunk(4):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.zeros_(weight)
        self.full = nn.Sequential(nn.Linear(512, self.features), nn.ReLU(), nn.Dropout(0.5))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        # packed: the backward direction begins at the last true frame, not in the padding
        packed = pack_padded_sequence(features, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=mask.shape[1])
        out: Tensor = self.full(average(states, mask))  # (B, T, 512) -> (B, 512) -> (B, 128)
        return out


def build(inner: int) -> Lstm:
    """The head over features of size `inner`."""
    return Lstm(inner)
