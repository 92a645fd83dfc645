"""encoder: what every encoder is, and what those without a library behind them share."""

from typing import TypeVar

import torch
from torch import Tensor, nn

from deepfake.base.errors import UserError
from deepfake.models import weights
from deepfake.models.network import Architecture

Triple = tuple[float, float, float]
E = TypeVar("E", bound="Encoder")
SIZE_ERRORS = (AssertionError, ValueError, ZeroDivisionError)  # of libraries that build a network for a size


class Encoder(nn.Module):
    """frames (N, 3, H, W), normalised by mean and std -> (N, features).

    Where it is `whole`: clips (B, T, 3, H, W) and mask (B, T), what is masked last -> (B, 1, features).
    """

    features: int
    mean: Triple = (0.5, 0.5, 0.5)  # of pixels in [0, 1], RGB
    std: Triple = (0.25, 0.25, 0.25)
    whole = False


def block(inner: int, outer: int, *, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
    """(N, inner, H, W) -> (N, outer, H / 2, W / 2)."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inner, outer, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    )


def plain(encoder: E, a: Architecture) -> E:
    """The encoder with the weights of a.pretrained, where nobody publishes any and there is one backbone.

    Raises UserError for a backbone, for pretrained: true, and for a file that does not fit.
    """
    if a.backbone is not None:
        raise UserError(f"params.yaml: train.backbone: {a.encoder} has none (got {a.backbone!r})", "backbone: null")
    if a.pretrained is True:
        raise UserError(
            f"params.yaml: train.pretrained: no weights of {a.encoder} are published", "false, or a file of weights"
        )
    if isinstance(a.pretrained, str):
        weights.load(encoder, a.pretrained)
    return encoder


def width(net: nn.Module, pictures: Tensor, name: str) -> int:
    """How many features the net `name` gives, by a dry run on pictures (1, ..., side, side).

    Raises UserError where it cannot take their size.
    """
    net.eval()
    try:
        with torch.no_grad():
            shape = net(pictures).shape  # (1, D)
    except (*SIZE_ERRORS, RuntimeError) as e:
        raise wrong_side(name, pictures.shape[-1], e) from e
    net.train()
    if len(shape) != 2:
        raise UserError(f"params.yaml: train.backbone: {name} gives no single vector of features", "choose another")
    return int(shape[1])


def wrong_side(name: str, side: int, why: Exception) -> UserError:
    """The error for pictures of a size that a backbone cannot take."""
    reason = (str(why).splitlines() or [type(why).__name__])[0]
    return UserError(
        f"params.yaml: train.side: {name} does not take {side} px: {reason}", "null: the size that it is published for"
    )
