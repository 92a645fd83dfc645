"""network: a frame encoder, a temporal head and one logit, with the scaling of pixels inside."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from deepfake.base import plugins
from deepfake.base.errors import UserError
from deepfake.base.params import Params
from deepfake.models.fusion import Fusion
from deepfake.models.motion import with_motion
from deepfake.models.thumbnails import thumbnails


class Architecture(Params):
    """What a network is made of. Where a part has no use for a setting, the setting changes nothing."""

    encoder: str  # a file of deepfake/models/encoders
    backbone: str | None  # the model's name in the library, where the encoder stands for many: timm, video
    pretrained: bool | str  # true: the library's own weights, downloaded; or a file of them: .safetensors, .pth
    thumbnails: int = Field(ge=1, le=4)  # n: n x n frames in one picture (TALL); 1: each frame on its own
    motion: bool  # the head gets each frame's features and their difference from the frame before
    head: str  # a file of deepfake/models/heads
    layers: int = Field(ge=1, le=12)  # of the head: lstm, gru, transformer, tcn
    hidden: int = Field(ge=8)  # its width
    bidirectional: bool  # lstm, gru
    dropout: float = Field(ge=0, lt=1)  # between its layers
    fusion: Literal["none", "concat", "gate"]  # the frames' average features beside the head's (system 2)
    frames: int = Field(gt=0)  # of a sequence
    side: int | None = Field(ge=32)  # px of its faces; null: what the encoder is published for


class Network(nn.Module):
    """clips (B, T, 3, H, W) float in [0, 1] and mask (B, T) bool -> logits (B,), above 0 = fake.

    Raises UserError for a size, a number of frames or a file of weights that the encoder cannot use.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.thumbnails, self.motion = a.thumbnails, a.motion
        if (side := side_of(a)) % a.thumbnails:
            raise UserError(f"params.yaml: train.side: thumbnails: a multiple of {a.thumbnails} (got {side})")
        self.encoder = plugins.load("models.encoders", a.encoder).build(a)
        if not self.encoder.whole:
            self.encoder.to(memory_format=torch.channels_last)
        elif a.motion:
            raise UserError(f"params.yaml: train.motion: {a.encoder} sees clips whole, not frame by frame", "false")
        self.register_buffer("mean", torch.tensor(self.encoder.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(self.encoder.std).view(3, 1, 1))
        inner = self.encoder.features * (2 if a.motion else 1)
        self.head = plugins.load("models.heads", a.head).build(inner, a)
        self.fusion = None if a.fusion == "none" else Fusion(self.encoder.features, self.head.features, a.fusion)
        self.logit = nn.Linear((self.fusion or self.head).features, 1)

    def forward(self, clips: Tensor, mask: Tensor) -> Tensor:
        clips = (clips - self.mean) / self.std
        if self.thumbnails > 1:
            clips, mask = thumbnails(clips, mask, self.thumbnails)
        if self.encoder.whole:
            features: Tensor = self.encoder(clips, mask)  # (B, 1, D)
            mask = mask[:, :1]
        else:
            frames = clips[mask].contiguous(memory_format=torch.channels_last)  # (N, 3, H, W): no padding
            encoded = self.encoder(frames)  # (N, D)
            features = encoded.new_zeros(*mask.shape, encoded.shape[1])  # (B, T, D)
            features[mask] = encoded
        state = self.head(with_motion(features, mask) if self.motion else features, mask)
        if self.fusion is not None:
            state = self.fusion(features, state, mask)
        logits: Tensor = self.logit(state).squeeze(1)
        return logits

    def train(self, mode: bool = True) -> "Network":
        """Train, but for what is frozen: its dropout is off and its batch norm's statistics stay."""
        super().train(mode)
        for module in self.encoder.modules():
            weights = list(module.parameters())
            if weights and not any(weight.requires_grad for weight in weights):
                module.eval()
        return self


def side_of(a: Architecture) -> int:
    """px of the faces: as params.yaml says, or what the encoder is published for."""
    return a.side or int(plugins.load("models.encoders", a.encoder).side(a))


def to_clips(batch: Tensor) -> Tensor:
    """(B, T, H, W, 3) uint8 -> (B, T, 3, H, W) float in [0, 1], in channels-last order: nothing moves in memory."""
    return batch.permute(0, 1, 4, 2, 3).float() / 255
