"""timm: any backbone of the timm library (resnet50, legacy_xception, vgg16_bn, a ViT ...) without its classifier.

Source: Wightman, "PyTorch image models", 2019; https://github.com/huggingface/pytorch-image-models
"""

import sys
from contextlib import nullcontext
from difflib import get_close_matches
from typing import Any

import timm
import torch
from timm.models import PretrainedCfg
from torch import Tensor, nn

from deepfake.base.errors import UserError, unknown
from deepfake.models import weights
from deepfake.models.features import SIZE_ERRORS, Encoder, Positions, width, wrong_side
from deepfake.models.network import Architecture, side_of

WELL_KNOWN = ("legacy_xception", "resnet50", "vgg16_bn", "efficientnet_b4", "convnext_tiny", "vit_base_patch16_224")


class Timm(Encoder):
    """frames (N, 3, side, side) -> (N, D), D what the backbone gives its classifier; or (N, P, D) by positions."""

    def __init__(self, net: nn.Module, features: int, config: PretrainedCfg, *, positions: bool) -> None:
        super().__init__()
        self.net, self.features = net, features
        self.full = Positions() if positions else nn.Identity()
        self.mean, self.std = config.mean, config.std  # type: ignore[assignment]  # timm: of any length

    def forward(self, frames: Tensor) -> Tensor:
        out: Tensor = self.full(self.net(frames))
        return out


def build(a: Architecture) -> Timm:
    """The encoder, at random weights, the library's, or those of a file. Raises UserError."""
    config, px = _config(a), side_of(a)
    net = _net(a, config, px)
    patch = getattr(getattr(net, "patch_embed", None), "patch_size", (1, 1))
    if px % patch[0]:  # timm would leave out what fills no patch
        raise UserError(
            f"params.yaml: train.side: {a.backbone}: a multiple of {patch[0]} (got {px})", "its patches fill the face"
        )
    if isinstance(a.pretrained, str):
        # how timm itself reads its older files, and a ViT's positions at another size
        own = getattr(sys.modules[type(net).__module__], "checkpoint_filter_fn", None)
        weights.load(net, a.pretrained, own or weights.in_order)
    positions = a.sequence == "positions"
    features = width(net, torch.zeros(1, 3, px, px), str(a.backbone), positions=positions)
    return Timm(net, features, config, positions=positions)


def side(a: Architecture) -> int:
    """px of a face, as the backbone's published weights want it."""
    return int(_config(a).input_size[-1])


def _config(a: Architecture) -> PretrainedCfg:
    """What timm says about a backbone. Raises UserError that names the close ones."""
    name = a.backbone or "null"
    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError:  # a known name, but no such weights of it: "resnet50.tag"
        config = None
    if config is None:
        stem = name.partition(".")[0]
        tags = get_close_matches(name, timm.list_models(f"{stem}.*", pretrained=True), n=5)
        close = [*get_close_matches(stem, timm.list_models(), n=5), *timm.list_models(f"*{stem}*")[:5]]
        raise unknown("backbone", name, tags or set(close) or WELL_KNOWN, "params.yaml: train.backbone")
    if a.pretrained is True and not config.has_weights:
        raise UserError(f"params.yaml: train.pretrained: timm has no weights of {name}", "false, or a file of weights")
    return config


def _net(a: Architecture, config: PretrainedCfg, px: int) -> nn.Module:
    # ViTs: their positions are made for a size
    how: dict[str, Any] = {"img_size": px} if config.fixed_input_size else {}
    if a.sequence == "positions":
        how["global_pool"] = ""
    try:
        with weights.download(str(a.backbone)) if a.pretrained is True else nullcontext():
            if a.pretrained is True and (config.hf_hub_id or "").startswith("timm/"):  # of others its names may differ
                how["pretrained_cfg_overlay"] = {"file": weights.of_hub(str(config.hf_hub_id)), "custom_load": False}
            return timm.create_model(str(a.backbone), pretrained=a.pretrained is True, num_classes=0, **how)
    except SIZE_ERRORS as e:
        raise wrong_side(str(a.backbone), px, e) from e
