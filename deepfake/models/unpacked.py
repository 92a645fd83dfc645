"""unpacked: recurrent layers over padded sequences, for what knows no packed ones: an export to ONNX."""

import torch
from torch import Tensor, nn

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def states(rnn: nn.LSTM | nn.GRU, features: Tensor, mask: Tensor) -> Tensor:
    """features (B, T, D) and mask (B, T), what is masked last -> states (B, T, hidden), or twice that.

    Those of the mask are what packed sequences give: nothing reads the padding, for it comes after all that is read
    forwards, and backwards each sequence is turned round within its own length. Without dropout, as in eval mode.
    """
    frames, lengths = torch.arange(mask.shape[1], device=mask.device), mask.sum(1, keepdim=True)
    turned = torch.where(mask, lengths - 1 - frames, frames)  # (B, T); its own inverse
    for layer in range(rnn.num_layers):
        ways = [_read(rnn, f"_l{layer}", features)]
        if rnn.bidirectional:
            ways.append(_by(turned, _read(rnn, f"_l{layer}_reverse", _by(turned, features))))
        features = torch.cat(ways, 2)
    return features


def _read(rnn: nn.LSTM | nn.GRU, suffix: str, features: Tensor) -> Tensor:
    """The states of one layer, from the first frame to the last: (B, T, D) -> (B, T, hidden)."""
    weights = [getattr(rnn, name + suffix) for name in WEIGHTS]
    zero = features.new_zeros(1, features.shape[0], rnn.hidden_size)
    how = (weights, True, 1, 0.0, False, False, True)  # biases, one layer, no dropout, eval, one way, batch first
    out: Tensor = (
        torch.lstm(features, (zero, zero), *how)[0] if rnn.mode == "LSTM" else torch.gru(features, zero, *how)[0]
    )
    return out


def _by(order: Tensor, features: Tensor) -> Tensor:
    """The frames of each sequence in another order (B, T)."""
    return features.gather(1, order.unsqueeze(-1).expand(-1, -1, features.shape[2]))
