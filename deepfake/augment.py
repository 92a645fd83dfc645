"""augment: altered copies of train clips; one random draw a clip, the same for all its frames."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from pydantic import ConfigDict, Field

from deepfake import video
from deepfake.base.items import Item
from deepfake.base.opencv import cv2
from deepfake.base.params import Params
from deepfake.pseudo import shapes
from deepfake.pseudo.blend import Forging
from deepfake.video import Images

if TYPE_CHECKING:  # these two take seconds to import, and whoever reuses every clip needs neither
    import albumentations
    import pandas as pd

CLIP = "clip.mkv"


class Alteration(Params):
    """How a clip is altered; the amounts are the largest ones drawn, to both sides."""

    rotation: float = Field(ge=0, le=180)  # degrees
    shift: float = Field(ge=0, lt=1)  # parts of the side
    scale: float = Field(ge=0, lt=1)  # parts of the size
    flip: float = Field(ge=0, le=1)  # probability of a horizontal flip
    brightness: float = Field(ge=0, lt=1)  # parts of the range
    contrast: float = Field(ge=0, lt=1)  # parts of it
    blur: float = Field(ge=0)  # px, sigma of a Gaussian
    noise: float = Field(ge=0, le=1)  # standard deviation, parts of the range
    quality: int = Field(ge=1, le=100)  # the lowest of JPEG
    probability: float = Field(ge=0, le=1)  # of each alteration but the flip
    seed: int = Field(ge=0)

    def idle(self) -> set[str]:
        """The amounts, where nothing but the flip is ever drawn."""
        amounts = {"rotation", "shift", "scale", "brightness", "contrast", "blur", "noise", "quality"}
        return set() if self.probability else amounts


class Margin(Params):
    """The one setting of the section detect that matters to whoever has the crops."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    margin: float  # around the face in a crop, in parts of the face, on each side


class AugmentParams(Alteration):
    """What is added to the train clips."""

    copies: int = Field(ge=0)  # altered copies of each
    self_blend: float = Field(ge=0, le=1)  # probability that train pairs a real with its own blend; 1: fakes unused
    forging: Forging = Field(default_factory=Forging)  # what such blends are

    def alteration(self) -> Alteration:
        """The part that shapes a single copy."""
        return Alteration.model_validate(self.model_dump(include=set(Alteration.model_fields)))


def altered(images: Images, p: Alteration, seed: int) -> Images:
    """(T, H, W, 3) uint8 RGB frames, all altered by the one draw of this seed; edges are replicated."""
    result = pipeline(p, seed)(images=images)["images"]
    return np.ascontiguousarray(result, np.uint8)


def pipeline(p: Alteration, seed: int) -> "albumentations.Compose":
    """The alterations, in the order of a camera: how it is held, the light, the lens, the sensor, the file."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for its own newest version
    import albumentations as A

    steps = [
        A.HorizontalFlip(p=p.flip),
        A.Affine(
            rotate=(-p.rotation, p.rotation),
            translate_percent=(-p.shift, p.shift),
            scale=(1 - p.scale, 1 + p.scale),
            keep_ratio=True,
            border_mode=cv2.BORDER_REPLICATE,
            p=p.probability,
        ),
        A.RandomBrightnessContrast((-p.brightness, p.brightness), (-p.contrast, p.contrast), p=p.probability),
        A.GaussianBlur(blur_limit=0, sigma_limit=(0.0, p.blur), p=p.probability if p.blur else 0.0),
        A.GaussNoise(std_range=(0.0, p.noise), p=p.probability),
        A.ImageCompression(quality_range=(p.quality, 100), p=p.probability),
    ]
    return A.Compose(steps, seed=seed)


def clips(splits: "pd.DataFrame", kept: "pd.DataFrame", p: AugmentParams) -> "pd.DataFrame":
    """One row a clip: every track with kept faces as it is (copy 0), and the altered copies of those of train.

    `source` is the real that a fake was made of, or the video itself; `file` lies in data/;
    `positions` are the kept frames in it, in order.
    """
    import pandas as pd

    good = kept[kept["reason"] == ""].sort_values(["video_id", "track", "position"])
    tracks = good.groupby(["video_id", "track"])["position"].agg(list).rename("positions").reset_index()
    usable = splits[splits["status"].isin(("ok", "truncated")) & splits["split"].isin(("train", "val", "test"))]
    usable = usable.assign(source=usable["source"].where(usable["source"] != "", usable["video_id"]))
    tracks = usable[["video_id", "label", "group", "source", "split"]].merge(tracks, on="video_id")
    rows = []
    for row in tracks.to_dict("records"):
        name = f"{row['video_id']}/{row['track']}"
        rows.append(row | {"copy": 0, "file": f"faces/{name}.mkv"})
        for copy in range(1, p.copies + 1 if row["split"] == "train" else 1):
            all_of_it = list(range(len(row["positions"])))
            rows.append(row | {"copy": copy, "file": f"clips/{name}_{copy}.mkv", "positions": all_of_it})
    return pd.DataFrame(rows)


def todo(clips: "pd.DataFrame", faces: Path) -> list[Item]:
    """The work on the altered clips, as items of the store."""
    original = {(row.video_id, row.track): row.positions for row in clips[clips["copy"] == 0].itertuples()}
    altered = clips[clips["copy"] > 0].rename(columns={"copy": "number"})
    return [
        Item(
            row.file.removeprefix("clips/"),
            (faces / f"{row.video_id}/{row.track}.mkv",),
            {
                "positions": list(map(int, original[row.video_id, row.track])),
                "seed": crc32(f"{row.source}/{row.number}".encode()),  # a fake's is its real's: the draw tells nothing
            },
        )
        for row in altered.itertuples()
    ]


def work(item: Item, folder: Path, p: Alteration) -> None:
    """One altered copy as an item of the store."""
    wanted = set(item.args["positions"])
    frames = [frame for frame in video.stored(item.inputs[0]) if frame.index in wanted]
    seed = int(np.random.SeedSequence([p.seed, item.args["seed"]]).generate_state(1)[0])
    images = altered(np.stack([frame.rgb() for frame in frames]), p, seed)
    with video.recording(folder / CLIP) as record:
        for image, frame in zip(images, frames, strict=True):
            record(image, frame.time)


def posed(clips: "pd.DataFrame", data: Path) -> list[Item]:
    """The search for landmarks on the clips of reals that blends are made of, as items of the store."""
    wanted = clips[(clips["label"] == 0) & clips["split"].isin(("train", "val"))]
    return [
        Item(row.file, (data / row.file,), {"positions": list(map(int, row.positions))}) for row in wanted.itertuples()
    ]


def pose(item: Item, folder: Path, p: Margin) -> list[float]:
    """The landmarks of the frames of one clip, flat: px; empty where they make no face in one of them."""
    landmarks = shapes.landmarks(video.images(item.inputs[0])[item.args["positions"]], p.margin)
    return np.round(landmarks, 2).ravel().tolist() if np.isfinite(landmarks).all() else []


def summary(clips: "pd.DataFrame") -> dict[str, Any]:
    """Clips and frames by split, real and fake, original and altered."""
    frames = clips["positions"].str.len()
    kinds = clips["split"] + "/" + clips["label"].map({0: "real", 1: "fake"})
    return {
        split: {
            label: {
                "clips": int(((kinds == f"{split}/{label}") & (clips["copy"] == 0)).sum()),
                "altered": int(((kinds == f"{split}/{label}") & (clips["copy"] > 0)).sum()),
                "frames": int(frames[kinds == f"{split}/{label}"].sum()),
            }
            for label in ("real", "fake")
        }
        for split in ("train", "val", "test")
    }
