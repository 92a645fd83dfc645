"""background: a few numbers of what is around the faces of a video: what tells fakes there is no forged face."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deepfake import video
from deepfake.base.items import Item
from deepfake.base.opencv import cv2
from deepfake.base.params import Params
from deepfake.video import Images

if TYPE_CHECKING:
    import pandas as pd

AROUND = 0.5  # parts of a face's box that are blanked beside it, on each side: hair, ears and the seam of a blend
FRAMES = 4  # of a video that are looked at
NUMBERS = ("red", "green", "blue", "contrast", "sharpness", "noise", "blocks")


def numbers(image: Images, boxes: list[list[float]]) -> dict[str, float] | None:
    """Of (H, W, 3) uint8 RGB without these boxes (left, top, width, height): None where nothing is left.

    Mean colours, contrast, sharpness, noise (what a median takes away), and how much stronger the edges of 8 px blocks
    are than others. Source of the last: Wang, Sheikh and Bovik, "No-reference quality assessment of JPEG", ICIP 2002.
    """
    away = np.ones(image.shape[:2], np.uint8)
    for left, top, width, height in boxes:
        x, y = (max(0, round(start - AROUND * size)) for start, size in ((left, width), (top, height)))
        away[y : round(top + (1 + AROUND) * height), x : round(left + (1 + AROUND) * width)] = 0
    inside = cv2.erode(away, np.ones((5, 5), np.uint8), borderValue=1) > 0  # a filter sees no edge of a blank
    if inside.sum() < 256:
        return None
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    level = grey.astype(np.float64)
    steps = np.abs(np.diff(level, axis=1))[:, : level.shape[1] // 8 * 8 - 1]
    seen = inside[:, 1:][:, : steps.shape[1]]
    edge = np.arange(steps.shape[1]) % 8 == 7
    at, beside = (steps[:, which][seen[:, which]] for which in (edge, ~edge))
    red, green, blue = image[inside].mean(0)
    return {
        "red": float(red),
        "green": float(green),
        "blue": float(blue),
        "contrast": float(level[inside].std()),
        "sharpness": float(np.log1p(cv2.Laplacian(grey, cv2.CV_64F)[inside].var())),
        "noise": float(np.abs(level - cv2.medianBlur(grey, 3))[inside].mean()),
        "blocks": float(at.mean() / (beside.mean() + 1e-3)) if len(at) and len(beside) else 1.0,
    }


def items(kept: "pd.DataFrame", frames: Path) -> list[Item]:
    """The videos with faces as items of the store, some frames of each, with the boxes of all faces in them."""
    todo = []
    for name, rows in kept.groupby("video_id"):
        there = sorted(set(rows["frame"]))
        chosen = [there[i] for i in sorted({round(i) for i in np.linspace(0, len(there) - 1, min(len(there), FRAMES))})]
        boxes = {
            str(at): rows.loc[rows["frame"] == at, ["left", "top", "width", "height"]].astype(float).to_numpy().tolist()
            for at in chosen
        }
        todo.append(Item(str(name), (frames / f"{name}.mkv",), {"boxes": boxes}))
    return todo


def work(item: Item, folder: Path, p: Params) -> dict[str, Any] | None:
    """One video: the means over its frames; None where the faces fill them all."""
    boxes = item.args["boxes"]
    pictures = (frame for frame in video.stored(item.inputs[0]) if str(frame.index) in boxes)
    measured = [own for frame in pictures if (own := numbers(frame.rgb(), boxes[str(frame.index)]))]
    return {name: float(np.mean([own[name] for own in measured])) for name in NUMBERS} if measured else None
