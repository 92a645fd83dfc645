"""deeperforensics: DeeperForensics-1.0 beside its reals, which are those of FaceForensics++ at c23.

manipulated_videos/end_to_end.../000_M101.mp4 is the video 000 of FaceForensics++ with the face of the actor M101; the
method is the folder. Put original_sequences/youtube/c23 of FaceForensics++ under the same root. source_videos are left
out: its authors say that they are not the reals. lists/splits/{train,val,test}.txt give the official split, that of a
real by the fakes made of it.

Source: Jiang et al., "DeeperForensics-1.0: a large-scale dataset for real-world face forgery detection", CVPR 2020.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from deepfake.dataset.published import Clip, Survey, count, dealt, lines_of, survey, table, told
from deepfake.layouts import faceforensics

NAME = "DeeperForensics-1.0"
FORM = "manipulated_videos/end_to_end/000_M101.mp4"
METHODS = (
    *("end_to_end", "reenact_postprocess", "end_to_end_random_level"),
    *(f"end_to_end_level_{i}" for i in range(1, 6)),
    *(f"end_to_end_mix_{i}_distortions" for i in range(2, 5)),
)
PUBLISHED = {NAME: {"real": 1000, **dict.fromkeys(METHODS, 1000)}}
LISTS = {"train.txt": "train", "val.txt": "val", "test.txt": "test"}
LEFT = ("source_videos",)  # folders of videos that are known and not taken
REALS = "c23"

_FAKE = told(r"manipulated_videos/(?P<method>[^/]+)/(?:videos/|frames/)?(?P<target>\d{3})_(?P<actor>[MW]\d{3})")


def scan(root: Path) -> pd.DataFrame:
    """One row a video: the fakes of every method on disk, and the reals that they are made of."""
    videos = survey(root, NAME, FORM, read, lists=[*LISTS, faceforensics.TABLE], borrowed=True)
    videos, notes = with_one_level(faceforensics.with_people(videos, faceforensics.youtube_of(root, videos)))
    splits: dict[str, str] = {}
    for name, split in LISTS.items():
        for file in videos.lists[name][:1]:
            splits |= dict.fromkeys((Path(line).stem for line in lines_of(root / file)), split)
    if not splits:
        return table(videos, [*notes, "no train.txt, val.txt, test.txt: no official split"])
    targets, doubtful = splits_of_targets(splits)
    if doubtful:
        notes.append(f"targets whose fakes are on two sides of the official split, so in none: {count(doubtful)}")
    names = {path.stem for path in videos.clips}
    if gone := sorted(name for name in splits if name not in names):
        notes.append(f"of {len(splits)} that the lists name are not on disk {count(gone)}")
    whole = splits | targets
    return table(dealt(videos, lambda path, _: whole.get(path.stem, "")), notes)


def read(path: Path) -> Clip | None:
    """What a path says; None where it is of another dataset, or a recording of an actor."""
    if match := _FAKE(path):
        people = faceforensics.person(match["target"]), match["actor"].upper()
        return Clip(1, NAME, people, match["method"], original=match["target"])
    clip = faceforensics.read(path)
    return replace(clip, dataset=NAME) if clip and clip.dataset == faceforensics.NAME and not clip.label else None


def splits_of_targets(splits: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """The split of each real, that of the fakes made of it; and the reals whose fakes are in two."""
    sides: dict[str, set[str]] = {}
    for name, split in splits.items():
        sides.setdefault(name[:3], set()).add(split)
    doubtful = sorted(name for name, splits in sides.items() if len(splits) > 1)
    return {name: next(iter(splits)) for name, splits in sides.items() if len(splits) == 1}, doubtful


def with_one_level(videos: Survey) -> tuple[Survey, list[str]]:
    """The same with the reals at c23 alone, or at another level where there is but that; and what is to be said."""
    levels = sorted({clip.compression for clip in videos.clips.values() if not clip.label})
    if not levels:
        return videos, ["no reals: put original_sequences/youtube/c23 of FaceForensics++ under the same root"]
    level = REALS if REALS in levels else levels[0]
    notes = [] if level == REALS else [f"the reals are at {level}; the fakes are made of those at {REALS}"]
    clips = {path: clip for path, clip in videos.clips.items() if clip.label or clip.compression == level}
    others = len(videos.clips) - len(clips)
    left = videos.left | ({f"reals at another level than {level}": others} if others else {})
    return replace(videos, clips=clips, left=left), notes
