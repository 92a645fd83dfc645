"""duplicates: videos of two sides of a split that show the same pictures, though cropped, mirrored or encoded anew.

The perceptual hashes of `alike`, of aligned faces instead of frames: what a frame was cut by moves no face in its crop.
Measured at CLOSE, on 20 real clips of 19 people at H.264 crf 30: of 99 copies (mirrored, cropped by a tenth and a
fifth, cropped and mirrored, half the size) 98 are found, 97 below .163; of 190 pairs of clips none is nearer than .29,
nor of 32,256 pairs of drawn heads nearer than .22; of 431,985 pairs of portraits 7, and one of them is a true copy.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deepfake import video
from deepfake.base import parallel
from deepfake.base.opencv import cv2
from deepfake.dataset import alike
from deepfake.dataset.lookalikes import tracks

CLOSE = 0.2  # of the bits, in which two may differ
BLOCK = 256  # videos that are compared with all at once

Words = np.ndarray[Any, np.dtype[np.uint64]]


def fingerprints(shard: Path) -> tuple[str, str]:
    """Of the faces of a track, (T, S, S, 3) crops, and of their mirror images; "" where they show next to nothing."""
    faces = video.images(shard)
    small = [
        cv2.resize(faces[i], (alike.SIDE, alike.SIDE), interpolation=cv2.INTER_AREA) for i in alike.places(len(faces))
    ]
    greys = [np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.uint8) for face in small]
    return alike.fingerprint(greys), alike.fingerprint([grey[:, ::-1] for grey in greys])


def across(splits: pd.DataFrame, kept: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Pairs of videos on two sides whose longest tracks show the same pictures; nearest first.

    Columns one, split, other, other_split, distance: the nearest pair of videos of each pair of groups.
    """
    dealt = splits[splits["split"].isin(["train", "val", "test"])].set_index("video_id")
    seen = tracks(kept, dealt.index, folder)
    told = parallel.run(fingerprints, [track.shard for track in seen.values()], "duplicates")
    names = [name for name, (plain, _) in zip(seen, told, strict=True) if plain]
    plain, mirrored = (_words([pair[i] for pair in told if pair[0]]) for i in range(2))
    about = dealt.loc[names]
    side = pd.factorize(about["split"])[0]
    pairs = []
    for i, j, distance in near(plain, mirrored, side):
        one, other = about.iloc[i], about.iloc[j]
        groups = tuple(sorted((one["group"], other["group"])))
        pairs.append((names[i], one["split"], names[j], other["split"], distance, groups))
    table = pd.DataFrame(pairs, columns=["one", "split", "other", "other_split", "distance", "groups"])
    table = table.sort_values(["distance", "one", "other"]).drop_duplicates("groups").drop(columns="groups")
    return table.reset_index(drop=True)


def near(
    plain: Words, mirrored: Words, side: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> list[tuple[int, int, float]]:
    """The places of two (N, W) that are CLOSE and on two sides, and what part of the bits differs."""
    found = []
    for start in range(0, len(plain), BLOCK):
        part = plain[start : start + BLOCK, None]
        far = np.minimum(*(np.bitwise_count(part ^ every).sum(2, dtype=np.int64) for every in (plain, mirrored)))
        close = np.argwhere((far < CLOSE * plain.shape[1] * 64) & (side[start : start + BLOCK, None] != side))
        found += [(start + i, j, round(far[i, j] / plain.shape[1] / 64, 4)) for i, j in close.tolist() if start + i < j]
    return found


def _words(texts: Sequence[str]) -> Words:
    """(N, W): the bits of fingerprints."""
    return np.frombuffer(bytes.fromhex("".join(texts)), np.uint8).reshape(len(texts), -1).view(np.uint64)
