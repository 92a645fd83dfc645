"""recurrent: what lstm and gru share: states averaged over time."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from deepfake.models import unpacked
from deepfake.models.network import Architecture
from deepfake.models.pooling import average


class Recurrent(nn.Module):
    """features (B, T, D) and mask (B, T) -> (B, hidden), or twice that. What is masked comes last and never counts."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU], inner: int, a: Architecture) -> None:
        super().__init__()
        self.rnn = kind(
            inner,
            a.hidden,
            num_layers=a.layers,
            batch_first=True,
            bidirectional=a.bidirectional,
            dropout=a.dropout if a.layers > 1 else 0,  # there is none after the last layer
        )
        for name, weight in self.rnn.named_parameters():
            if "weight_hh" in name:  # each of the gates: four of an LSTM, three of a GRU
                for gate in weight.chunk(len(weight) // a.hidden):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.zeros_(weight)
        self.features = a.hidden * (2 if a.bidirectional else 1)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        if torch.compiler.is_exporting():
            return average(unpacked.states(self.rnn, features, mask), mask)
        # packed: the backward direction begins at the last true frame, not in the padding
        packed = pack_padded_sequence(features, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=mask.shape[1])
        return average(states, mask)  # (B, T, features) -> (B, features)
