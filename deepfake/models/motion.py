"""motion: how a clip's features change from frame to frame, beside the features themselves."""

import torch
from torch import Tensor, nn


class Motion(nn.Module):
    """(B, T, D) and mask (B, T), what is masked last, to (B, T, 2 D): each frame's features, and less those before it.

    The difference counts in its own deviations: people differ far more than a face does from one frame to the next, and
    a head does not find it beside them. It is zero for the first frame, which has none before it, and where a frame is
    masked.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.deviations = nn.BatchNorm1d(features, eps=1e-8, affine=False)  # they may be small

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        seen = mask[:, 1:]
        if torch.compiler.is_exporting():  # no shape may depend on what a mask holds
            return torch.cat([features, self._of_all(features, seen)], 2)
        steps = (features[:, 1:] - features[:, :-1])[seen]  # (N, D)
        if self.training and len(steps) < 2:  # of which there is no deviation
            known = self.deviations
            steps = nn.functional.batch_norm(steps, known.running_mean, known.running_var, eps=known.eps)
        else:
            steps = self.deviations(steps)
        moved = torch.zeros_like(features)
        moved[:, 1:][seen] = steps.to(moved.dtype)
        return torch.cat([features, moved], 2)

    def _of_all(self, features: Tensor, seen: Tensor) -> Tensor:
        """The same by what is known of deviations, of the padding too, which then is zero: (B, T, D)."""
        known = self.deviations
        assert known.running_mean is not None
        assert known.running_var is not None
        steps = (features[:, 1:] - features[:, :-1] - known.running_mean) * (known.running_var + known.eps).rsqrt()
        return nn.functional.pad(steps.masked_fill(~seen.unsqueeze(-1), 0.0), (0, 0, 1, 0))
