"""features: what makes features of frames: what every encoder is, and what those of ours share."""

from typing import TypeVar

import torch
from torch import Tensor, nn

from deepfake.base.errors import UserError
from deepfake.models import weights
from deepfake.models.network import Architecture, side_of

Triple = tuple[float, float, float]
C = TypeVar("C", bound="Convolutional")
SIZE_ERRORS = (AssertionError, ValueError, ZeroDivisionError)  # of libraries that build a network for a size


class Encoder(nn.Module):
    """frames (N, 3, H, W), scaled by mean and std -> (N, features), or (N, P, features) by the positions of a map.

    Where it is `whole`: clips (B, T, 3, H, W) and mask (B, T), what is masked last -> (B, 1, features).
    """

    features: int
    mean: Triple = (0.5, 0.5, 0.5)  # of pixels in [0, 1], RGB
    std: Triple = (0.25, 0.25, 0.25)
    whole = False


class Convolutional(Encoder):
    """`blocks`: frames (N, 3, H, W) -> a map (N, C, h, w); `full`: the map -> (N, features)."""

    blocks: nn.Module
    full: nn.Module

    def forward(self, frames: Tensor) -> Tensor:
        out: Tensor = self.full(self.blocks(frames))
        return out

    def by_positions(self, a: Architecture) -> None:
        """Give the map itself, position by position: what comes after it is left out."""
        px = side_of(a)
        self.features = width(self.blocks, torch.zeros(1, 3, px, px), a.encoder, positions=True)
        self.full = Positions()


class Positions(nn.Module):
    """A map (N, C, h, w) -> the features of its positions, row by row: (N, h w, C)."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.flatten(2).transpose(1, 2)


def averaged() -> nn.Sequential:
    """A map (N, C, h, w) -> its average (N, C)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def block(inner: int, outer: int, *, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
    """(N, inner, H, W) -> (N, outer, H / 2, W / 2)."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inner, outer, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    )


def plain(encoder: C, a: Architecture) -> C:
    """The encoder with the weights of a.pretrained, where nobody publishes any and there is one backbone.

    Raises UserError for a backbone, for pretrained: true, and for a file that does not fit.
    """
    if a.backbone is not None:
        raise UserError(f"params.yaml: train.backbone: {a.encoder} has none (got {a.backbone!r})", "backbone: null")
    if a.pretrained is True:
        raise UserError(
            f"params.yaml: train.pretrained: no weights of {a.encoder} are published", "false, or a file of weights"
        )
    if a.sequence == "positions":
        encoder.by_positions(a)
    if isinstance(a.pretrained, str):
        weights.load(encoder, a.pretrained)
    return encoder


def width(net: nn.Module, pictures: Tensor, name: str, *, positions: bool = False) -> int:
    """How many features the net `name` gives, by a dry run on pictures (1, ..., side, side).

    Raises UserError where it cannot take their size, or gives no map where its `positions` are asked for.
    """
    net.eval()
    try:
        with torch.no_grad():
            shape = net(pictures).shape  # (1, D); a map: (1, C, h, w)
    except (*SIZE_ERRORS, RuntimeError) as e:
        raise wrong_side(name, pictures.shape[-1], e) from e
    net.train()
    if positions:
        if len(shape) != 4 or shape[2:] == (1, 1) or getattr(net, "output_fmt", "NCHW") != "NCHW":
            raise UserError(
                f"params.yaml: train.sequence: {name} gives no map of positions at {pictures.shape[-1]} px",
                "a convolutional network, such as resnet50; or sequence: frames",
            )
    elif len(shape) != 2:
        raise UserError(f"params.yaml: train.backbone: {name} gives no single vector of features", "choose another")
    return int(shape[1])


def wrong_side(name: str, side: int, why: Exception) -> UserError:
    """The error for pictures of a size that a backbone cannot take."""
    reason = (str(why).splitlines() or [type(why).__name__])[0]
    return UserError(
        f"params.yaml: train.side: {name} does not take {side} px: {reason}", "null: the size that it is published for"
    )
