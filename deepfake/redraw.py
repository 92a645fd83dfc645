"""redraw: real faces as small generators draw them, which learnt to draw from the reals of train alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from deepfake import video
from deepfake.base.items import Item
from deepfake.base.memory import keep_memory
from deepfake.base.params import Params
from deepfake.video import Images

if TYPE_CHECKING:
    import pandas as pd

FACES = "faces.mkv"
CHUNK = 64  # faces drawn at a time


class RedrawParams(Params):
    """Which generators there are, and how they learn."""

    decoders: list[Literal["bilinear", "nearest", "shuffle", "transposed"]]  # how they enlarge; none: nothing is drawn
    adversary: bool  # a second one of each, whose faces are to pass for real
    width: int = Field(ge=8)  # of the first layer
    steps: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    seed: int = Field(ge=0)

    def idle(self) -> set[str]:
        """Which there are: each has its own in its arguments, and is not made again for another."""
        return {"decoders", "adversary"}


def reals(clips: "pd.DataFrame") -> "pd.DataFrame":
    """The clips that are redrawn: those of reals that are learnt from or validated on, train first."""
    own = clips[(clips["label"] == 0) & (clips["copy"] == 0) & clips["split"].isin(("train", "val"))]
    return own.sort_values(["split", "video_id", "track"]).reset_index(drop=True)


def todo(arrays: Sequence[Path], learnt: int, p: RedrawParams) -> list[Item]:
    """A generator an item; it learns from the first `learnt` of the arrays, (T, S, S, 3) uint8 .npy."""
    kinds = [(way, rival) for way in sorted(p.decoders) for rival in ([False, True] if p.adversary else [False])]
    return [
        Item(f"{way}{'_adversary' if rival else ''}", tuple(arrays), {"way": way, "adversary": rival, "learnt": learnt})
        for way, rival in kinds
    ]


def work(item: Item, folder: Path, p: RedrawParams) -> dict[str, Any]:
    """One generator as an item of the store: every face as it draws it, one video; and how far off it is."""
    import torch

    from deepfake.models.autoencoder import trained

    keep_memory()
    clips = [np.load(file) for file in item.inputs]
    faces, learnt = np.concatenate(clips), sum(map(len, clips[: item.args["learnt"]]))
    there = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pictures = torch.from_numpy(faces).permute(0, 3, 1, 2).contiguous().to(there)
    how = {"width": p.width, "steps": p.steps, "batch": p.batch_size, "seed": p.seed}
    net = trained(pictures[:learnt], item.args["way"], adversary=item.args["adversary"], **how)
    off = 0.0
    with torch.inference_mode(), video.recording(folder / FACES) as record:
        for start in range(0, len(faces), CHUNK):
            drawn = net(pictures[start : start + CHUNK].float() / 255)
            images: Images = (drawn * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
            off += float(np.abs(images.astype(float) - faces[start : start + CHUNK]).sum()) / faces.size
            for i, image in enumerate(images, start):
                record(image, i / 25)  # any clock will do
    return {"faces": len(faces), "learnt": learnt, "error": round(off, 3)}  # mean absolute error, levels
