"""retinaface: a single-shot network with five landmarks, on MobileNet x 0.25; needs its model file, and PyTorch.

Source: Deng et al., "RetinaFace: single-shot multi-level face localisation in the wild", CVPR 2020; layers and weights:
biubug6, Pytorch_Retinaface (MIT). The published weights are of its first version: plain ReLU, and anchors of 10 px on.
PyTorch is imported when the detector is built, for no other detector needs it.
"""

import struct
from itertools import pairwise
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from deepfake.base.errors import UserError
from deepfake.base.opencv import cv2
from deepfake.faces import EYES_NOSE_MOUTH, Detector, Face, Floats, distinct
from deepfake.video import Images

MIN_SCORE = 0.8  # as for yunet
MEAN = (104.0, 117.0, 123.0)  # BGR levels
STEPS, ANCHORS = (8, 16, 32), ((10, 20), (32, 64), (128, 256))  # px: each level's grid and sides of anchors
VARIANCES = (0.1, 0.2)  # of centers and landmarks, and of sizes
WHERE = "get mobilenet0.25_Final.pth of Pytorch_Retinaface, put it into data/weights and name it in detect.weights"
# what reading a file raises of which a part is missing or wrong, or which holds code
BROKEN = (UnpicklingError, struct.error, EOFError, OSError, RuntimeError, ValueError, LookupError, AssertionError)

# The network, layer by layer: name, channels out, channels in of a group, side of the kernel.
Layer = tuple[str, int, int, int]
STRIDES = {"body.stage1.0", "body.stage1.2.0", "body.stage1.4.0", "body.stage2.0.0", "body.stage3.0.0"}  # of 2
BODY = {1: (8, 16, 32, 32, 64, 64), 2: (64, 128, 128, 128, 128, 128, 128), 3: (128, 256, 256)}  # channels through it
SSH = (("conv3X3", 32, 64), ("conv5X5_1", 16, 64), ("conv5X5_2", 16, 16), ("conv7X7_2", 16, 16), ("conv7x7_3", 16, 16))
HEADS = (("ClassHead", 4), ("BboxHead", 8), ("LandmarkHead", 20))


def normed() -> list[Layer]:
    """The convolutions that batch normalisation follows: `name.0` and `name.1` in the file, or as `_split` says."""
    layers: list[Layer] = [("body.stage1.0", 8, 3, 3)]
    for stage, channels in BODY.items():
        for i, (before, after) in enumerate(pairwise(channels), start=int(stage == 1)):
            layers += [(f"body.stage{stage}.{i}.0", before, 1, 3), (f"body.stage{stage}.{i}.3", after, before, 1)]
    layers += [(f"fpn.output{i}", 64, before, 1) for i, before in ((1, 64), (2, 128), (3, 256))]
    layers += [(f"fpn.merge{i}", 64, 64, 3) for i in (1, 2)]
    return layers + [(f"ssh{i}.{name}", after, before, 3) for i in (1, 2, 3) for name, after, before in SSH]


def heads() -> list[Layer]:
    """The last convolutions, with a bias instead."""
    return [(f"{name}.{i}.conv1x1", channels, 64, 1) for name, channels in HEADS for i in range(3)]


class RetinaFace:
    """Faces of 20 px or more; those it tracks are enlarged to some 60."""

    window = 40
    template = EYES_NOSE_MOUTH

    def __init__(self, weights: Path) -> None:
        import torch

        self.torch = torch
        state = _state(weights)
        self.layers = {name: _folded(state, name) for name, *_ in normed()}
        self.layers |= {name: (state[f"{name}.weight"], state[f"{name}.bias"]) for name, *_ in heads()}

    def detect(self, image: Images) -> list[Face]:
        pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR).astype(np.float32) - np.array(MEAN, np.float32)
        with self.torch.inference_mode():
            levels = self.levels(self.torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()))
            faces = [face for number, level in enumerate(levels) for face in self.read(level, number)]
        return distinct(faces)

    def levels(self, x: Any) -> list[Any]:
        """Three maps of features, (1, 64, H / step, W / step), of the (1, 3, H, W) image."""
        body = []
        for stage in BODY:
            for name, *_ in normed():
                if name.startswith(f"body.stage{stage}."):
                    x = self.layer(name, x)
            body.append(x)
        first, second, third = (self.layer(f"fpn.output{i}", y) for i, y in enumerate(body, start=1))
        larger = self.torch.nn.functional.interpolate
        second = self.layer("fpn.merge2", second + larger(third, size=second.shape[2:]))
        first = self.layer("fpn.merge1", first + larger(second, size=first.shape[2:]))
        return [self.context(f"ssh{i}", y) for i, y in enumerate((first, second, third), start=1)]

    def context(self, name: str, x: Any) -> Any:
        """What is seen through kernels of 3, 5 and 7, the larger ones made of small ones."""
        three, five = self.layer(f"{name}.conv3X3", x, bent=False), self.layer(f"{name}.conv5X5_1", x)
        seven = self.layer(f"{name}.conv7x7_3", self.layer(f"{name}.conv7X7_2", five), bent=False)
        five = self.layer(f"{name}.conv5X5_2", five, bent=False)
        return self.torch.relu(self.torch.cat([three, five, seven], 1))

    def layer(self, name: str, x: Any, bent: bool = True) -> Any:
        """One convolution, and what is below 0 made 0.

        Not leaky, as the code has become since: the means in the file's normalisations are those of plain ReLU.
        """
        weight, bias = self.layers[name]
        functional = self.torch.nn.functional
        groups = x.shape[1] // weight.shape[1]
        padding = weight.shape[2] // 2
        x = functional.conv2d(x, weight, bias, 2 if name in STRIDES else 1, padding, groups=groups)
        return functional.relu(x) if bent else x

    def read(self, level: Any, number: int) -> list[Face]:
        """The faces that a level shows, told by its heads for each anchor of each place."""
        logits, offsets, points = (
            self.layer(f"{name}.{number}.conv1x1", level, bent=False)[0].permute(1, 2, 0).double().numpy()
            for name, _ in HEADS
        )
        height, width = logits.shape[:2]
        margin = np.subtract(*logits.reshape(-1, 2).T[::-1])
        scores = np.round(1 / (1 + np.exp(-margin)), 4)  # rounded, so that processors agree on what is a face
        good = scores >= MIN_SCORE
        middles, sides = _anchors(height, width, number)
        offsets, points = offsets.reshape(-1, 4)[good], points.reshape(-1, 5, 2)[good]
        middles, sides = middles[good], sides[good]
        centers = middles + offsets[:, :2] * VARIANCES[0] * sides
        reach = sides * np.exp(offsets[:, 2:] * VARIANCES[1]) / 2
        boxes = np.round(np.hstack([centers - reach, centers + reach]), 3)
        landmarks = np.round(middles[:, None] + points * VARIANCES[0] * sides[:, None], 3)
        return [Face(*face) for face in zip(boxes, scores[good].tolist(), landmarks, strict=True)]


def _anchors(height: int, width: int, number: int) -> tuple[Floats, Floats]:
    """Middles (N, 2) and sides (N, 1) of the anchors of a level, px; two at each place, row by row."""
    rows, columns, kinds = np.meshgrid(range(height), range(width), range(2), indexing="ij")
    middles = (np.stack([columns.ravel(), rows.ravel()], 1) + 0.5) * STEPS[number]
    return middles, np.array(ANCHORS[number], float)[kinds.ravel()][:, None]


def _split(name: str) -> tuple[str, str]:
    """Where a file has the convolution and its normalisation: they follow each other in a list of layers."""
    head, _, last = name.rpartition(".")
    inner = name.startswith("body") and name != "body.stage1.0"
    return (name, f"{head}.{int(last) + 1}") if inner else (f"{name}.0", f"{name}.1")


def _folded(state: dict[str, Any], name: str) -> tuple[Any, Any]:
    """Weight and bias of a convolution with the normalisation behind it made part of it."""
    convolution, norm = _split(name)
    gain = state[f"{norm}.weight"].double() / (state[f"{norm}.running_var"].double() + 1e-5).sqrt()
    weight = state[f"{convolution}.weight"].double() * gain[:, None, None, None]
    bias = state[f"{norm}.bias"].double() - state[f"{norm}.running_mean"].double() * gain
    return weight.float(), bias.float()


def _state(weights: Path) -> dict[str, Any]:
    """The file's tensors by name; its pickle may hold nothing else. Raises UserError where it is of no such network."""
    import torch

    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except BROKEN:
        raise UserError(f"detect.weights: {weights}: truncated, or no file of weights alone", WHERE) from None
    shapes = {f"{_split(name)[0]}.weight": shape for name, *shape in normed()}
    shapes |= {f"{name}.weight": shape for name, *shape in heads()}
    named = state if isinstance(state, dict) else {}
    for name, (after, before, side) in shapes.items():
        shape = tuple(getattr(named.get(name), "shape", ()))
        if shape != (after, before, side, side):
            what = f"it is {shape}" if shape else "there is none"
            raise UserError(f"detect.weights: {weights}: not this network: {name}: {what}", WHERE)
    return named


def build(weights: str | None) -> Detector:
    """The detector of the model file. Raises UserError where there is none."""
    if weights is None:
        raise UserError("detect.weights: the detector retinaface needs its model file", WHERE)
    if not Path(weights).is_file():
        raise UserError(f"detect.weights: no file {weights}", WHERE)
    return RetinaFace(Path(weights))
