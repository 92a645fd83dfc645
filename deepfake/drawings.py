"""drawings: whether a face is drawn or rendered and was never filmed, by what its encoder saw before it learnt.

A network that learns to tell fakes forgets what does not tell them. Weights from photographs of all things know a
drawing at a glance: so their first layers are kept as they were, and a line is laid between the faces of the training
and drawings that are made of them (pseudo/drawing.py), both through the same degradations: what is compressed is not to
be taken for drawn. With forged faces among the first, tried, fewer drawings are told.

Sources: Hendrycks et al., "Deep anomaly detection with outlier exposure", ICLR 2019; the mean and the spread of a
layer's channels tell a style, Huang and Belongie, "Arbitrary style transfer in real-time", ICCV 2017.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import timm
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from deepfake.base import parallel
from deepfake.base.errors import UserError
from deepfake.clips import resized
from deepfake.models.encoders import timm as timm_encoder
from deepfake.models.network import Architecture, side_of
from deepfake.pseudo import degrade, drawing
from deepfake.pseudo.blend import Forging
from deepfake.pseudo.degrade import Degradation
from deepfake.video import Images

STRIDE = 16  # px of a face to one of the layer that is looked at
FRAMES = 4  # of a track, at most, that are looked at
COPIES = 2  # of each face that is learnt from
STRENGTH = 0.01  # of the logistic regression: it is held back, for drawings are of more kinds than those it learns
BATCH = 32  # faces
WIDEST = 1024  # px of a face
HINT = "encoder: timm, backbone: tf_efficientnet_lite0, pretrained"
LINE = ("centre", "scale", "weight", "bias")

Floats = np.ndarray[Any, np.dtype[np.float32]]


class Drawings(nn.Module):
    """The first layers of a backbone of timm, and a line through what they say: above 0 it is drawn."""

    mean: Tensor  # (3, 1, 1) of the pixels the backbone was trained on, in [0, 1]
    std: Tensor  # (3, 1, 1)
    centre: Tensor  # (D,) of the features
    scale: Tensor  # (D,)
    weight: Tensor  # (D,) of the line
    bias: Tensor  # (1,)

    def __init__(self, backbone: str, side: int) -> None:
        super().__init__()
        self.backbone, self.side = backbone, side
        layers: Any = timm.create_model(backbone, num_classes=0)
        strides = [info["reduction"] for info in getattr(layers, "feature_info", ())]
        if STRIDE not in strides or not hasattr(layers, "prune_intermediate_layers"):
            raise UserError(
                f"train.drawings: {backbone} has no layer of stride {STRIDE} that it can be cut after", HINT
            )
        self.level = strides.index(STRIDE)
        layers.prune_intermediate_layers([self.level], prune_head=True)
        self.layers = layers.eval()
        config = timm.get_pretrained_cfg(backbone)
        assert config is not None  # the name is that of a network that was built
        self.register_buffer("mean", torch.tensor(config.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(3, 1, 1), persistent=False)
        width = 2 * layers.feature_info[self.level]["num_chs"]
        for name in LINE:
            self.register_buffer(name, torch.zeros(1 if name == "bias" else width))

    @torch.inference_mode()
    def features(self, faces: Images) -> Floats:
        """(N, D) of (N, S, S, 3) uint8 RGB: the mean and the spread of each channel."""
        rows = []
        for start in range(0, len(faces), BATCH):
            images = resized(np.asarray(faces[start : start + BATCH]), self.side)
            pixels = torch.from_numpy(images).to(self.mean.device).permute(0, 3, 1, 2).float() / 255
            scaled = (pixels - self.mean) / self.std
            (out,) = self.layers.forward_intermediates(
                scaled, indices=[self.level], stop_early=True, intermediates_only=True
            )
            rows.append(torch.cat([out.mean((2, 3)), out.std((2, 3))], 1))
        return np.asarray(torch.cat(rows).cpu().numpy(), np.float32)

    def odds(self, faces: Images) -> float:
        """The odds that a track's faces, (T, S, S, 3) uint8 RGB, are drawn: the geometric mean over some of them."""
        features = torch.from_numpy(self.features(some(faces))).to(self.mean.device)
        logits = (features - self.centre) / self.scale @ self.weight + self.bias
        return float(logits.mean().clamp(-20, 20).exp())

    @classmethod
    def fit(cls, tracks: Sequence[Images], a: Architecture, forging: Forging, seed: int) -> Self:
        """Of tracks of real faces, (T, S, S, 3) uint8 RGB, and a network as it is before it learns.

        Raises UserError for one that has seen no photographs.
        """
        from sklearn.linear_model import LogisticRegression  # half a second to import, and only those who fit need it

        if a.encoder != "timm" or not a.pretrained:
            raise UserError("params.yaml: train.drawings needs weights from photographs", HINT)
        own = cls(str(a.backbone), side_of(a))
        before = timm_encoder.build(a).net.state_dict()
        own.layers.load_state_dict({name: _half(before[name]) for name in own.layers.state_dict()})
        todo = [(np.asarray(some(faces)), (seed, number)) for number, faces in enumerate(tracks)]
        images = parallel.run(partial(examples, degradation=forging.degradation), todo, "drawings")
        features = np.concatenate([own.features(both.reshape(-1, *both.shape[-3:])) for both in images])
        drawn = np.concatenate([np.indices(both.shape[:3])[1].ravel() for both in images])
        centre, scale = features.mean(0), np.maximum(features.std(0), 1e-6)
        line = LogisticRegression(C=STRENGTH, max_iter=3000).fit((features - centre) / scale, drawn)
        for name, values in zip(LINE, (centre, scale, line.coef_[0], line.intercept_), strict=True):
            getattr(own, name).copy_(torch.from_numpy(np.asarray(values, np.float32)))
        return own

    def save(self, path: Path) -> None:
        """Write it as safetensors, the layers as float16."""
        layers = {f"layers.{name}": value.half() for name, value in self.layers.state_dict().items() if value.ndim}
        about = {"backbone": self.backbone, "side": str(self.side)}
        save_file(layers | {name: getattr(self, name) for name in LINE}, path, about)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it. Raises KeyError, ValueError, RuntimeError or SafetensorError for another file."""
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        if not 0 < int(about["side"]) <= WIDEST:
            raise ValueError(f"side: {about['side']} px is no size of a face")
        own = cls(about["backbone"], int(about["side"]))
        wanted = {name for name, value in own.state_dict().items() if value.ndim}
        if wanted != set(state):
            raise KeyError(f"{len(wanted ^ set(state))} tensors are missing or too many")
        own.load_state_dict(state, strict=False)  # the layers count no batches
        return own


def _half(value: Tensor) -> Tensor:
    """As it comes back from the file."""
    return value.half().float() if value.is_floating_point() else value


def some(faces: Images) -> Images:
    """At most FRAMES of a track, spread over it."""
    return np.asarray(faces[np.unique(np.linspace(0, len(faces) - 1, FRAMES).round().astype(int))])


def examples(job: tuple[Images, tuple[int, int]], degradation: Degradation) -> Images:
    """(COPIES, 2, T, S, S, 3): a track's faces and drawings of them, both degraded alike."""
    faces, seed = job
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(COPIES):
        step = degrade.drawn(degradation, faces.shape[1], rng)
        pairs.append([step(faces), step(drawing.drawn(faces, rng))])
    return np.asarray(pairs, np.uint8)
