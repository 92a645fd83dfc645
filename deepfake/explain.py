"""explain: where in a face a network finds what it says, as a heat map over the frames that speak loudest.

Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", ICCV 2017,
as Captum has it. A map is as coarse as the network's last one, and shows what the score hangs on, not what was forged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from deepfake import clips
from deepfake.base.errors import UserError
from deepfake.base.opencv import cv2
from deepfake.inference import Detector, Member
from deepfake.models.network import Network, to_clips
from deepfake.prediction import Track
from deepfake.scores import THRESHOLD
from deepfake.video import Images

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 8  # faces of a strip
SIDE = 160  # px of each
Heat = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Looked:
    """A face that speaks loudly, and where it does."""

    time: float  # s
    face: Images  # (S, S, 3) uint8 RGB
    heat: Heat  # (S, S), 0 to 1: what speaks for the track's score


def loudest(detector: Detector, images: Images, track: Track, most: int = MOST) -> list[Looked]:
    """The faces of a track's loudest sequences, (T, S, S, 3) uint8 RGB in, by time; of an ensemble the mean map.

    Raises UserError for networks that see clips whole, or are run by another backend than PyTorch.
    """
    fake = track.score >= THRESHOLD
    maps: dict[int, list[Heat]] = {}
    for member in detector.members:
        for place, heat in member_maps(member, images, fake, most).items():
            maps.setdefault(place, []).append(heat)
    chosen = sorted(sorted(maps, key=lambda place: -len(maps[place]))[:most])
    return [Looked(track.boxes[i].time, np.asarray(images[i]), np.mean(maps[i], 0)) for i in chosen]


def member_maps(member: Member, images: Images, fake: bool, most: int) -> dict[int, Heat]:
    """Heat maps by the places of the faces in the track, those of the sequences that speak loudest for `fake`."""
    if not isinstance(member.network, Network):
        raise UserError("--explain needs PyTorch's gradients", "--backend torch")
    frames, side = int(member.settings["frames"]), int(member.settings["side"])
    parts = clips.sequences(len(images), frames, member.settings["sampling"])
    order = np.argsort(np.array(member.logits(images)) * (-1 if fake else 1), kind="stable")
    maps: dict[int, Heat] = {}
    for number in order:
        part = parts[int(number)]
        batch, mask = clips.padded([clips.resized(np.asarray(images[part]), side)], frames)
        for place, heat in zip(part, gradients(member.network, batch, mask, fake), strict=True):
            maps.setdefault(place, np.asarray(cv2.resize(heat, images.shape[1:3]), np.float32))
        if len(maps) >= most:
            break
    return dict(list(maps.items())[:most])


def gradients(network: Network, batch: Images, mask: "np.ndarray[Any, np.dtype[np.bool_]]", fake: bool) -> Heat:
    """(T, h, w) of one sequence (1, T, S, S, 3) uint8, 0 to 1: where its last feature map speaks for `fake`, or not."""
    try:
        from captum.attr import LayerGradCam
    except ImportError:
        raise UserError("--explain needs Captum", "pip install 'deepfake[explain]'") from None
    if network.encoder.whole or network.thumbnails > 1:
        raise UserError("--explain shows networks that see each frame on its own", "this one sees clips whole")
    images, seen = to_clips(torch.from_numpy(batch).to(network.device)), torch.from_numpy(mask).to(network.device)

    def voice(pictures: Tensor) -> Tensor:
        logits: Tensor = network(pictures, seen)
        return logits if fake else -logits

    layer = last_map(network, images, seen)
    with torch.enable_grad():
        heat: Tensor = LayerGradCam(voice, layer).attribute(images, relu_attributions=True)  # (T, 1, h, w)
    maps = heat.detach().squeeze(1).cpu().numpy()
    return np.asarray(maps / max(float(maps.max()), 1e-12), np.float32)


def last_map(network: Network, images: Tensor, mask: Tensor) -> nn.Module:
    """The part of the encoder that gives its last feature map (N, C, h, w) of more than one place."""
    layers: list[nn.Module] = []

    def note(module: nn.Module, _: Any, out: Any) -> None:
        if isinstance(out, Tensor) and out.ndim == 4 and out.shape[2] > 1:
            layers.append(module)

    hooks = [module.register_forward_hook(note) for module in network.encoder.modules()]
    with torch.inference_mode():
        network(images, mask)
    for hook in hooks:
        hook.remove()
    if not layers:
        raise UserError("--explain: the encoder has no feature map", "a convolutional network, such as resnet50")
    return layers[-1]


def strip(rows: "Mapping[str, Sequence[Looked]]") -> Images:
    """(H, W, 3) uint8 RGB: of each named row the faces, below them the same under their heat maps, with their times."""
    wide = SIDE * max(len(looked) for looked in rows.values())
    bands: list[Images] = []
    for name, looked in rows.items():
        faces = [
            np.asarray(cv2.resize(look.face, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8) for look in looked
        ]
        heats = [under(face, look.heat) for face, look in zip(faces, looked, strict=True)]
        times = [written(f"{look.time:.2f} s", SIDE) for look in looked]
        for band in ([written(name, wide)], times, faces, heats):
            joined = np.hstack(band)
            bands.append(np.pad(joined, ((0, 0), (0, wide - joined.shape[1]), (0, 0)), constant_values=255))
    return np.vstack(bands)


def under(face: Images, heat: Heat) -> Images:
    """A face (S, S, 3) under its heat map: the warmer the louder."""
    scaled = cv2.resize(heat, face.shape[1::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
    colours = cv2.applyColorMap((255 * scaled).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    share = 0.15 + 0.5 * scaled[..., None]
    return np.asarray(np.round((1 - share) * face + share * colours), np.uint8)


def written(text: str, wide: int, high: int = 22) -> Images:
    """A line of text on white, (high, wide, 3); what is not ASCII is written as ?."""
    image = np.full((high, wide, 3), 255, np.uint8)
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(image, plain, (4, high - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return image
