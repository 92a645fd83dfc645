"""small: small networks that have learnt nothing, and the clips that they see."""

from typing import Any

import torch
from torch import Tensor, nn

from deepfake.base import plugins
from deepfake.models.network import Architecture, Network

ENCODERS, HEADS = plugins.names("models.encoders"), plugins.names("models.heads")
WHOLE = {"video"}  # encoders that see whole clips
BACKBONES = {"timm": "test_resnet", "video": "mc3_18"}  # the smallest of their libraries
SIDE = 32  # px


def architecture(**changed: Any) -> Architecture:
    """A small network, but for what is changed."""
    small = {
        "encoder": "cnn",
        "backbone": BACKBONES.get(changed.get("encoder", "cnn")),
        "pretrained": False,
        "pixels": "encoder",
        "thumbnails": 1,
        "sequence": "frames",
        "motion": False,
        "head": "mean",
        "layers": 2,
        "hidden": 16,
        "bidirectional": True,
        "dropout": 0.3,
        "fusion": "none",
        "dense": [],
        "dense_norm": False,
        "dense_dropout": 0.0,
        "frames": 4,
        "side": SIDE,
    }
    return Architecture.model_validate(small | changed)


def network(**changed: Any) -> Network:
    """Untrained, but that no weight is zero and no statistic of batch norm that of its beginning."""
    torch.manual_seed(0)
    net = Network(architecture(**changed))
    with torch.no_grad():
        for weight in net.parameters():
            if not weight.any():  # the last batch norm of a residual block: nothing before it would learn
                weight.normal_(std=0.1)
        net(noise(4, 3), everything(4, 3))
    return net.eval()


def noise(clips: int, frames: int, seed: int = 1) -> Tensor:
    """(clips, frames, 3, SIDE, SIDE) in [0, 1], no two clips of the same brightness."""
    generator = torch.Generator().manual_seed(seed)
    shades = torch.linspace(0.3, 1, clips).view(-1, 1, 1, 1, 1)
    return torch.rand(clips, frames, 3, SIDE, SIDE, generator=generator) * shades


def everything(clips: int, frames: int) -> Tensor:
    """The mask of clips without padding."""
    return torch.ones(clips, frames, dtype=torch.bool)


def logits(net: Network, clips: Tensor, mask: Tensor | None = None) -> Tensor:
    with torch.inference_mode():
        return net(clips, everything(*clips.shape[:2]) if mask is None else mask)


def same(first: Tensor, second: Tensor) -> None:
    torch.testing.assert_close(first, second, rtol=0, atol=1e-5)


def learn(net: Network) -> None:
    """One backward pass."""
    labels = torch.tensor([0.0, 1, 0, 1])
    nn.functional.binary_cross_entropy_with_logits(net(noise(4, 5), everything(4, 5)), labels).backward()
