"""video: networks that convolve or attend over time as over space, pretrained on human actions (Kinetics-400).

Any number of frames and any size will do.
Sources: r2plus1d_18, mc3_18: Tran et al., CVPR 2018; mvit_v2_s: Li et al., "MViTv2", CVPR 2022.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from deepfake.base.errors import unknown
from deepfake.models import weights
from deepfake.models.features import Encoder, Triple, width
from deepfake.models.network import Architecture, side_of

BACKBONES = ("mc3_18", "mvit_v2_s", "r2plus1d_18")


class Video(Encoder):
    """clips (B, T, 3, H, W) and mask (B, T) -> features (B, 1, D).

    Each clip's true frames are repeated or left out, evenly, until they are `pictures`: padding is never seen.
    """

    whole = True

    def __init__(self, net: nn.Module, features: int, pictures: int, mean: Triple, std: Triple) -> None:
        super().__init__()
        self.net, self.features, self.pictures = net, features, pictures
        self.mean, self.std = mean, std

    def forward(self, clips: Tensor, mask: Tensor) -> Tensor:
        middles = 2 * torch.arange(self.pictures, device=mask.device) + 1
        nearest = middles * mask.sum(1, keepdim=True) // (2 * self.pictures)  # (B, pictures)
        rows = torch.arange(clips.shape[0], device=mask.device).unsqueeze(1)
        out: Tensor = self.net(clips[rows, nearest].transpose(1, 2))  # (B, 3, pictures, H, W) -> (B, D)
        return out.unsqueeze(1)


def build(a: Architecture) -> Video:
    """The encoder, at random weights, torchvision's, or those of a file. Raises UserError."""
    preset, px = _preset(a), side_of(a)
    pictures = -(-a.frames // a.thumbnails**2)
    net = _net(str(a.backbone), pictures, px)
    if isinstance(a.pretrained, str):
        weights.load(net, a.pretrained)
    elif a.pretrained:
        with weights.download(str(a.backbone)):
            state = get_model_weights(a.backbone).DEFAULT.get_state_dict(progress=False)
        weights.fill(net, state, str(a.backbone))
    features = width(net, torch.zeros(1, 3, pictures, px, px), str(a.backbone))
    return Video(net, features, pictures, tuple(preset.mean), tuple(preset.std))


def side(a: Architecture) -> int:
    """px of a face, as the backbone's published weights want it."""
    return int(_preset(a).crop_size[0])


def _preset(a: Architecture) -> Any:
    """How torchvision prepares clips for a backbone."""
    if a.backbone not in BACKBONES:
        raise unknown("backbone", a.backbone or "null", BACKBONES, "params.yaml: train.backbone")
    return get_model_weights(a.backbone).DEFAULT.transforms()


def _net(name: str, pictures: int, px: int) -> nn.Module:
    """The network without its classifier."""
    net: nn.Module = get_model(name)
    if name == "mvit_v2_s":
        # made for 16 x 224 x 224; at any other size it stretches its relative positions, once it is told the size
        positions: Any = net.pos_encoding
        positions.temporal_size, positions.spatial_size = -(-pictures // 2), (-(-px // 4),) * 2
        net.head = nn.Identity()
    else:
        net.fc = nn.Identity()
    return net
