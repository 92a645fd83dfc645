"""network: a frame encoder, a head over a sequence, full layers and one logit, with the scaling of pixels inside."""

from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from deepfake.base import plugins
from deepfake.base.errors import UserError
from deepfake.base.params import Params
from deepfake.models.fusion import Fusion
from deepfake.models.motion import Motion
from deepfake.models.pooling import average
from deepfake.models.thumbnails import thumbnails

RANGES = {"unit": (0.0, 1.0), "signed": (0.5, 0.5)}  # mean and std that bring [0, 1] to [0, 1] and to [-1, 1]


class Architecture(Params):
    """What a network is made of. Where a part has no use for a setting, the setting changes nothing."""

    encoder: str  # a file of deepfake/models/encoders
    backbone: str | None  # the model's name in the library, where the encoder stands for many: timm, video
    pretrained: bool | str  # true: the library's own weights, downloaded; or a file of them: .safetensors, .pth
    pixels: Literal["encoder", "unit", "signed"]  # as the encoder's weights want them; [0, 1]; [-1, 1]
    thumbnails: int = Field(ge=1, le=4)  # n: n x n frames in one picture (TALL); 1: each frame on its own
    sequence: Literal["frames", "positions"]  # what the head reads: a clip's frames, or the places of each one's map
    motion: bool  # the head gets each frame's features and their difference from the frame before
    head: str  # a file of deepfake/models/heads
    layers: int = Field(ge=1, le=12)  # of the head: lstm, gru, transformer, tcn
    hidden: int = Field(ge=8)  # its width
    bidirectional: bool  # lstm, gru
    dropout: float = Field(ge=0, lt=1)  # between its layers
    fusion: Literal["none", "concat", "gate"]  # the frames' average features beside the head's (system 2)
    dense: tuple[Annotated[int, Field(gt=0)], ...]  # widths of the full layers before the logit, each with ReLU
    dense_norm: bool  # batch norm before them
    dense_dropout: float = Field(ge=0, lt=1)  # after each; before the logit, where there is none
    frames: int = Field(gt=0)  # of a sequence
    side: int | None = Field(ge=32)  # px of its faces; null: what the encoder is published for

    @model_validator(mode="after")
    def _positions_alone(self) -> "Architecture":
        if self.sequence == "positions" and (self.motion or self.fusion != "none"):
            raise ValueError("sequence: positions reads each frame alone: set motion to false and fusion to none")
        return self


class Network(nn.Module):
    """clips (B, T, 3, H, W) float in [0, 1] and mask (B, T) bool -> logits (B,), above 0 = fake.

    Raises UserError for a size, a number of frames or a file of weights that the encoder cannot use.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.thumbnails, self.positions = a.thumbnails, a.sequence == "positions"
        self.side = side_of(a)
        if self.side % a.thumbnails:
            raise UserError(f"params.yaml: train.side: thumbnails: a multiple of {a.thumbnails} (got {self.side})")
        self.encoder = plugins.load("models.encoders", a.encoder).build(a)
        if not self.encoder.whole:
            self.encoder.to(memory_format=torch.channels_last)
        elif a.motion or self.positions:
            key, right = ("motion", "false") if a.motion else ("sequence", "frames")
            raise UserError(f"params.yaml: train.{key}: {a.encoder} sees clips whole, not frame by frame", right)
        mean, std = RANGES.get(a.pixels, (self.encoder.mean, self.encoder.std))
        self.register_buffer("mean", torch.tensor(mean).expand(3).clone().view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).expand(3).clone().view(3, 1, 1))
        inner = self.encoder.features * (2 if a.motion else 1)
        self.motion = Motion(self.encoder.features) if a.motion else None
        self.head = plugins.load("models.heads", a.head).build(inner, a)
        self.fusion = None if a.fusion == "none" else Fusion(self.encoder.features, self.head.features, a.fusion)
        self.dense, width = dense((self.fusion or self.head).features, a)
        self.logit = nn.Linear(width, 1)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.mean.device

    def forward(self, clips: Tensor, mask: Tensor) -> Tensor:
        clips = (clips - self.mean) / self.std
        if self.thumbnails > 1:
            clips, mask = thumbnails(clips, mask, self.thumbnails)
        if self.encoder.whole:
            features: Tensor = self.encoder(clips, mask)  # (B, 1, D)
            mask = mask[:, :1]
        else:
            features = self.encoded(clips, mask)  # (B, T, D)
        if self.positions:
            state = average(features, mask)  # of what the head made of each frame
        else:
            state = self.head(features if self.motion is None else self.motion(features, mask), mask)
        if self.fusion is not None:
            state = self.fusion(features, state, mask)
        logits: Tensor = self.logit(self.dense(state)).squeeze(1)
        return logits

    def encoded(self, clips: Tensor, mask: Tensor) -> Tensor:
        """Each frame's features, by positions what the head makes of them: (B, T, D), zero where a frame is masked."""
        static = torch.compiler.is_exporting()  # no shape may depend on what a mask holds: padding is encoded too
        frames = clips.flatten(0, 1) if static else clips[mask]  # (N, 3, H, W)
        out: Tensor = self.encoder(frames.contiguous(memory_format=torch.channels_last))  # (N, D); positions: (N, P, D)
        if self.positions:
            out = self.head(out, torch.ones(out.shape[:2], dtype=torch.bool, device=mask.device))
        if static:
            return out.view(*mask.shape, out.shape[1]).masked_fill(~mask.unsqueeze(-1), 0.0)
        features = out.new_zeros(*mask.shape, out.shape[1])
        features[mask] = out
        return features

    def train(self, mode: bool = True) -> "Network":
        """Train, but for what is frozen: its dropout is off and its batch norm's statistics stay."""
        super().train(mode)
        for module in self.encoder.modules():
            weights = list(module.parameters())
            if weights and not any(weight.requires_grad for weight in weights):
                module.eval()
        return self


def dense(inner: int, a: Architecture) -> tuple[nn.Sequential, int]:
    """(B, inner) -> (B, width): the full layers before the logit, none where params name none; and their width."""
    layers: list[nn.Module] = [nn.BatchNorm1d(inner)] if a.dense_norm else []
    for width in a.dense:
        layers += [nn.Linear(inner, width), nn.ReLU(), nn.Dropout(a.dense_dropout)]
        inner = width
    return nn.Sequential(*layers, *([] if a.dense else [nn.Dropout(a.dense_dropout)])), inner


def side_of(a: Architecture) -> int:
    """px of the faces: as params.yaml says, or what the encoder is published for."""
    return a.side or int(plugins.load("models.encoders", a.encoder).side(a))


def to_clips(batch: Tensor) -> Tensor:
    """(B, T, H, W, 3) uint8 -> (B, T, 3, H, W) float in [0, 1], in channels-last order: nothing moves in memory."""
    return batch.permute(0, 1, 4, 2, 3).float() / 255
