"""plots: contact sheets of faces."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepfake import video
from deepfake.base.disk import aside
from deepfake.base.opencv import cv2
from deepfake.video import Images

if TYPE_CHECKING:
    import pandas as pd

TILE, FRAME = 96, 192  # px: sides of a face and of a whole frame
Blend = Callable[[Images, np.random.Generator], Images]
COLORS = {"real": (46, 139, 87), "fake": (200, 50, 50)}  # RGB: a bar under each tile tells the label


def save(path: Path, image: Images) -> None:
    """Write (H, W, 3) uint8 RGB, as JPEG or PNG by the name."""
    with aside(path) as new:
        cv2.imwrite(str(new), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def tile(image: Images, label: int, side: int = TILE) -> Images:
    """The image fitted into (side, side, 3), with a bar below in the color of its label."""
    scale = side / max(image.shape[:2])
    small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    fitted = np.full((side, side, 3), 255, np.uint8)
    fitted[: small.shape[0], : small.shape[1]] = small[:side, :side]
    fitted[-4:] = COLORS["fake" if label else "real"]
    return fitted


def sheet(rows: list[list[Images]], side: int = TILE) -> Images:
    """Tiles in rows, the short ones filled up with white."""
    width = max(len(row) for row in rows)
    blank = np.full((side, side, 3), 255, np.uint8)
    return np.vstack([np.hstack(row + [blank] * (width - len(row))) for row in rows])


def spread(count: int, most: int) -> list[int]:
    """At most `most` indices below `count`, first to last."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, most))}) if count else []


def faces_sheet(faces: "pd.DataFrame", labels: "pd.Series[int]", folder: Path) -> Images:
    """The first face of up to 48 tracks of real videos (green bar) and of fake ones (red), from data/faces."""
    rows: list[list[Images]] = []
    tracks = faces.groupby(["video_id", "track"]).size().reset_index(name="count")
    tracks = tracks[tracks["count"] >= tracks.groupby("video_id")["count"].transform("max")]
    for label in (0, 1):
        chosen = tracks[tracks["video_id"].map(labels) == label]
        chosen = chosen.iloc[spread(len(chosen), 48)]
        files = [folder / f"{row.video_id}/{row.track}.mkv" for row in chosen.itertuples()]
        tiles = [tile(next(video.stored(file)).rgb(), label) for file in files]
        rows += [tiles[start : start + 12] for start in range(0, len(tiles), 12)]
    return sheet(rows)


def copies_sheet(clips: "pd.DataFrame", data: Path, blend: Blend | None = None) -> Images:
    """A row for each of up to 8 train clips: four frames of it, four of each altered copy, and of a real's blend."""
    train = clips[clips["split"] == "train"]
    originals = train[train["copy"] == 0]
    rows: list[list[Images]] = []
    for original in originals.iloc[spread(len(originals), 8)].itertuples():
        same = train[(train["video_id"] == original.video_id) & (train["track"] == original.track)]
        row: list[Images] = []
        blended: list[Images] = []
        for clip in same.sort_values("copy").head(4).rename(columns={"copy": "copy_"}).itertuples():
            images = video.images(data / clip.file)[list(clip.positions)]
            row += [tile(images[i], clip.label) for i in spread(len(images), 4)]
            if blend and clip.copy_ == 0 and clip.label == 0:
                fake = blend(images, np.random.default_rng(len(rows)))
                blended = [tile(fake[i], 1) for i in spread(len(fake), 4)]
        rows.append(row + blended)
    return sheet(rows)


def swaps_sheet(manifest: "pd.DataFrame", folder: Path) -> Images:
    """A row for each of up to 12 fakes: three frames of the target's video, and the same three of the fake."""
    fakes = manifest[manifest["label"] == "fake"]
    rows = []
    for fake in fakes.iloc[spread(len(fakes), 12)].itertuples():
        row: list[Images] = []
        for path, label in ((fake.source, 0), (fake.path, 1)):
            wanted = spread(sum(1 for _ in video.read(folder / path)), 3)
            row += [tile(frame.rgb(), label, FRAME) for frame in video.read(folder / path) if frame.index in wanted]
        rows.append(row)
    return sheet(rows, FRAME)
