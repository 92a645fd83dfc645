"""squeezenet: SqueezeNet 1.1 without its classifier, averaged over the picture: 0.7 million weights.

Backbone null or "torchvision": the scaling of torchvision's ImageNet weights. "caffe": that of weights that come from
Caffe or Keras, which saw BGR in 0..255 less a mean. Each has the same layers.
Source: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016.
"""

from torch import Tensor
from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

from deepfake.base.errors import UserError, unknown
from deepfake.models import weights
from deepfake.models.features import Convolutional, averaged
from deepfake.models.network import Architecture


class SqueezeNet(Convolutional):
    """frames (N, 3, H, W) -> features (N, 512)."""

    features = 512
    mean = (0.485, 0.456, 0.406)  # of ImageNet
    std = (0.229, 0.224, 0.225)

    def __init__(self, *, caffe: bool) -> None:
        super().__init__()
        self.caffe = caffe
        if caffe:
            self.mean, self.std = (123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255, 1 / 255, 1 / 255)
        self.blocks, self.full = squeezenet1_1().features, averaged()

    def forward(self, frames: Tensor) -> Tensor:
        return super().forward(frames.flip(1) if self.caffe else frames)


def build(a: Architecture) -> SqueezeNet:
    """The encoder, at random weights, torchvision's, or those of a file. Raises UserError."""
    if a.backbone not in (None, "torchvision", "caffe"):
        raise unknown("backbone", str(a.backbone), ["torchvision", "caffe"], "params.yaml: train.backbone")
    encoder = SqueezeNet(caffe=a.backbone == "caffe")
    if a.sequence == "positions":
        encoder.by_positions(a)
    if isinstance(a.pretrained, str):
        weights.load(encoder.blocks, a.pretrained, _features)
    elif a.pretrained and encoder.caffe:
        raise UserError("params.yaml: train.pretrained: no weights of Caffe are downloaded", "give a file of them")
    elif a.pretrained:
        with weights.download("squeezenet1_1"):
            state = SqueezeNet1_1_Weights.DEFAULT.get_state_dict(progress=False)
        weights.fill(encoder.blocks, state, "squeezenet1_1", _features)
    return encoder


def side(a: Architecture) -> int:
    """px of a face, as published."""
    return 224


def _features(state: weights.State, _: object) -> weights.State:
    return {name.removeprefix("features."): value for name, value in state.items()}
