"""lookalikes: real videos of two sides of a split that show one person under two names.

Measured on stored crops of 112 px, three of each of 19 real clips of 18 people: the two clips of one person are .20
apart, the nearest of the 170 pairs of two people .42.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from deepfake import likeness, video
from deepfake.base import parallel
from deepfake.base.opencv import cv2
from deepfake.dataset.relations import owned
from deepfake.dataset.videos import people
from deepfake.faces import Floats
from deepfake.pages.plots import sheet, spread, tile

FACES = 3  # of a track, whose descriptors are averaged
CLOSE = 0.40  # between the averages of two videos of one person
BLOCK = 2048  # videos that are compared with all at once
MOST = 24  # pairs on a sheet


@dataclass(frozen=True)
class Track:
    """The stored crops of one face, and which of them to look at."""

    shard: Path
    places: tuple[int, ...]


def tracks(kept: pd.DataFrame, names: Sequence[str], folder: Path) -> dict[str, Track]:
    """The longest track of good faces of each of the videos that have one; of equal ones the first."""
    good = kept[kept["video_id"].isin(list(names)) & (kept["reason"] == "")]
    longest = {}
    for name, faces in good.groupby("video_id"):
        track = faces["track"].value_counts(sort=False).sort_index().idxmax()
        places = sorted(faces["position"][faces["track"] == track].tolist())
        chosen = tuple(places[i] for i in spread(len(places), FACES))
        longest[str(name)] = Track(folder / f"{name}/{track}.mkv", chosen)
    return longest


def look(track: Track) -> Floats:
    """(128,): the mean descriptor of the faces of a track."""
    images = [frame.rgb() for frame in video.stored(track.shard) if frame.index in track.places]
    side = (likeness.SIDE, likeness.SIDE)
    chips = [np.asarray(cv2.resize(image, side, interpolation=cv2.INTER_CUBIC), np.uint8) for image in images]
    return np.asarray(np.mean([likeness.descriptor(chip) for chip in chips], axis=0))


def across(splits: pd.DataFrame, kept: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Pairs of real videos on two sides whose faces are CLOSE though they name nobody in common; nearest first.

    Columns one, split, other, other_split, distance: the nearest pair of videos of each pair of groups.
    """
    reals = splits[(splits["label"] == 0) & splits["split"].isin(["train", "val", "test"])].set_index("video_id")
    seen = tracks(kept, reals.index, folder)
    names = sorted(seen)
    looks = np.array(parallel.run(look, [seen[name] for name in names], "audit")).reshape(len(names), -1)
    about = reals.loc[names]
    side = pd.factorize(about["split"])[0]
    pairs = []
    for i, j, distance in near(looks, side):
        first, second = about.iloc[i], about.iloc[j]
        persons = [{owned(row["dataset"], name) for name in people(row["identities"])} for row in (first, second)]
        if not persons[0] & persons[1]:
            groups = tuple(sorted((first["group"], second["group"])))
            pairs.append((names[i], first["split"], names[j], second["split"], distance, groups))
    table = pd.DataFrame(pairs, columns=["one", "split", "other", "other_split", "distance", "groups"])
    table = table.sort_values(["distance", "one", "other"]).drop_duplicates("groups").drop(columns="groups")
    return table.reset_index(drop=True)


def near(looks: Floats, side: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> list[tuple[int, int, float]]:
    """The places of two that are CLOSE and on two sides, and their distance."""
    square = (looks**2).sum(1)
    close_pairs = []
    for start in range(0, len(looks), BLOCK):
        part = looks[start : start + BLOCK]
        squares = square[start : start + BLOCK, None] + square[None] - 2 * part @ looks.T
        close = np.argwhere((squares < CLOSE**2) & (side[start : start + BLOCK, None] != side[None]))
        close_pairs += [(start + i, j) for i, j in close.tolist() if start + i < j]
    return [(i, j, round(float(np.linalg.norm(looks[i] - looks[j])), 4)) for i, j in close_pairs]


def pictures(pairs: pd.DataFrame, kept: pd.DataFrame, folder: Path) -> video.Images:
    """A row for each of the nearest pairs: three faces of the one, three of the other."""
    shown = pairs.head(MOST)
    seen = tracks(kept, [*shown["one"], *shown["other"]], folder)
    rows = [[image for name in (pair.one, pair.other) for image in _tiles(seen[name])] for pair in shown.itertuples()]
    return sheet(rows)


def _tiles(track: Track) -> list[video.Images]:
    images = [tile(frame.rgb(), 0) for frame in video.stored(track.shard) if frame.index in track.places]
    return images + [np.full_like(images[0], 255)] * (FACES - len(images))
