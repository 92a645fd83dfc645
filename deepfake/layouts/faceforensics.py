"""faceforensics: FaceForensics++ as its download script lays it out, with DFD and FaceShifter.

All compressions and methods on disk; extract.methods and extract.compressions choose. train.json, val.json and
test.json of the authors' repository (dataset/splits), anywhere under the root, give the official split: a pair [a, b]
stands for the reals a and b and the fakes a_b and b_a. conversion_dict.json (dataset/) tells the YouTube video that a
real is cut from: who is on two cuts of one is called by the least of their numbers. DFD has no official split.

Source: Roessler et al., "FaceForensics++: learning to detect manipulated facial images", ICCV 2019; DFD: Dufour and
Gully, "Contributing data to deepfake detection research", 2019; FaceShifter: Li et al., 2019.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset.published import Clip, Survey, count, dealt, json_of, survey, table, told
from deepfake.video import SUFFIXES

NAME = "FaceForensics++"
FORM = "original_sequences/youtube/c23/videos/000.mp4 and manipulated_sequences/Deepfakes/c23/videos/000_003.mp4"
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
PUBLISHED = {
    NAME: {"real": 1000, **dict.fromkeys(METHODS, 1000)},
    "DFD": {"real": 363, "DeepFakeDetection": 3068},
}
LISTS = {"train.json": "train", "val.json": "val", "test.json": "test"}
TABLE = "conversion_dict.json"  # {"000": "--b1Ua-kWJE 0", ...}: the YouTube video, and which cut of it
SAME = {"343": "043", "183": "179", "826": "179"}  # who is one person in videos of two names

_LEVEL = r"(?P<compression>raw|c0|c23|c40)/(?:videos/|frames/)?"
_REAL = told(rf"original_sequences/youtube/{_LEVEL}(?P<name>\d{{3}})")
_FAKE = told(rf"manipulated_sequences/(?P<method>[^/]+)/{_LEVEL}(?P<target>\d{{3}})_(?P<donor>\d{{3}})")
_ACTOR = told(rf"original_sequences/actors/{_LEVEL}(?P<name>(?P<actor>\d\d)__[^/]+)")
_ACTED = told(
    rf"manipulated_sequences/(?P<method>DeepFakeDetection)/{_LEVEL}"
    r"(?P<target>\d\d)_(?P<donor>\d\d)__(?P<scene>[^/]+)__[^/_]{8}"
)


def scan(root: Path) -> pd.DataFrame:
    """One row a video: the reals of youtube and actors, the fakes of every method with their masks."""
    videos = with_masks(root, survey(root, NAME, FORM, read, lists=[*LISTS, TABLE]))
    lists = {split: pairs_of(root / videos.lists[name][0]) for name, split in LISTS.items() if videos.lists[name]}
    notes = []
    if lists:
        splits = splits_of(lists)
        videos = dealt(videos, lambda path, clip: splits.get(path.stem, "") if clip.dataset == NAME else "")
        notes = missing(videos, splits)
    elif any(clip.dataset == NAME for clip in videos.clips.values()):
        notes = ["no train.json, val.json, test.json: no official split"]
    youtube = youtube_of(root, videos)
    return table(cut_from(with_people(videos, youtube), youtube), notes)


def read(path: Path) -> Clip | None:
    """What a path says; None where it is of another dataset."""
    if match := _REAL(path):
        name = match["name"]
        return Clip(0, NAME, (person(name),), compression=_level(match), key=name)
    if match := _FAKE(path):
        target, donor = match["target"], match["donor"]
        people = person(target), person(donor)
        return Clip(1, NAME, people, match["method"], _level(match), original=target)
    if match := _ACTOR(path):
        return Clip(0, "DFD", (match["actor"],), compression=_level(match), key=match["name"])
    if match := _ACTED(path):
        people = match["target"], match["donor"]
        original = f"{match['target']}__{match['scene']}"
        return Clip(1, "DFD", people, match["method"], _level(match), original=original)
    return None


def with_masks(root: Path, survey: Survey) -> Survey:
    """The same with the mask of each fake that has one: manipulated_sequences/METHOD/masks/videos/NAME.mp4."""
    masks: dict[Path, dict[str, str]] = {}
    clips = {}
    for path, clip in survey.clips.items():
        if clip.label:
            after = [part.lower() for part in path.parts[::-1]].index("manipulated_sequences")
            method = Path(*path.parts[: 1 - after])
            if method not in masks:
                masks[method] = _masks(root, method / "masks" / "videos")
            clip = replace(clip, mask=masks[method].get(path.stem, ""))
        clips[path] = clip
    return replace(survey, clips=clips)


def _masks(root: Path, folder: Path) -> dict[str, str]:
    """The videos of a folder of masks, from the root, by their stems; none where there is no such folder."""
    files = sorted((root / folder).iterdir()) if (root / folder).is_dir() else []
    return {file.stem: (folder / file.name).as_posix() for file in files if file.suffix.lower() in SUFFIXES}


def person(name: str) -> str:
    """Who is on a real: most are known by the number of their video alone."""
    return SAME.get(name, name)


def pairs_of(file: Path) -> list[tuple[str, str]]:
    """The pairs of a list. Raises UserError where it holds something else."""
    pairs = json_of(file)
    whole = isinstance(pairs, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in pairs)
    if not whole or not all(str(name).isdecimal() for pair in pairs for name in pair):
        raise UserError(
            f"{file}: not a list of pairs of videos", 'it is to hold [["071", "054"], ...], as in dataset/splits'
        )
    return [(str(a).zfill(3), str(b).zfill(3)) for a, b in pairs]


def splits_of(lists: Mapping[str, Iterable[tuple[str, str]]]) -> dict[str, str]:
    """The split of every name: [a, b] of a list stands for a, b, a_b and b_a. Raises UserError for one in two lists."""
    splits: dict[str, str] = {}
    for split, pairs in lists.items():
        for name in chain.from_iterable((a, b, f"{a}_{b}", f"{b}_{a}") for a, b in pairs):
            if splits.setdefault(name, split) != split:
                raise UserError(f"{NAME}: {name} is in the lists of {splits[name]} and {split}", "get the lists anew")
    return splits


def missing(survey: Survey, splits: Mapping[str, str]) -> list[str]:
    """What the lists name and the disk lacks, by method and compression, and how many videos no list names."""
    kinds = defaultdict(set)
    for path, clip in survey.clips.items():
        if clip.dataset == NAME:
            kinds[clip.method, clip.compression].add(path.stem)
    notes = []
    for (method, compression), names in sorted(kinds.items()):
        wanted = sorted(name for name in splits if ("_" in name) == bool(method))
        kind = f"{method or 'real'} {compression}"
        if gone := [name for name in wanted if name not in names]:
            notes.append(f"{kind}: of {len(wanted)} that the lists name are not on disk {count(gone)}")
        if others := sorted(names - set(wanted)):
            notes.append(f"{kind}: in no list, so in no official split: {count(others)}")
    return notes


def youtube_of(root: Path, survey: Survey) -> dict[str, str]:
    """The YouTube video that each real is cut from, as TABLE says; nothing without it. Raises UserError."""
    if not survey.lists[TABLE]:
        return {}
    file = root / survey.lists[TABLE][0]
    videos = json_of(file)
    if not isinstance(videos, dict) or not all(isinstance(video, str) for video in videos.values()):
        raise UserError(
            f"{file}: does not say of each video what it is cut from", 'it is to hold {"000": "--b1Ua-kWJE 0"}'
        )
    return {name.zfill(3): video.rpartition(" ")[0] or video for name, video in videos.items()}


def with_people(survey: Survey, youtube: Mapping[str, str]) -> Survey:
    """The same where who is on several cuts of one video has one name, whether or not the reals are on disk."""
    who = one_name(youtube)
    clips = {
        path: replace(clip, people=tuple(who.get(name, name) for name in clip.people))
        for path, clip in survey.clips.items()
    }
    return replace(survey, clips=clips)


def one_name(youtube: Mapping[str, str]) -> dict[str, str]:
    """What all of one person are called, the least: those cut from one video, and those of SAME."""
    cuts = defaultdict(set)
    for name, video in youtube.items():
        cuts[video].add(name)
    persons: list[set[str]] = []
    for names in [*map(set, SAME.items()), *(names for names in cuts.values() if len(names) > 1)]:
        tied = [person for person in persons if person & names]
        persons = [person for person in persons if not person & names] + [names.union(*tied)]
    return {name: min(person) for person in persons for name in person}


def cut_from(survey: Survey, youtube: Mapping[str, str]) -> Survey:
    """The same with the YouTube video of each real as its source: two cuts of one show one person."""
    sources = {name: f"youtube:{video}" for name, video in youtube.items()}
    clips = {
        path: replace(clip, source=sources.get(clip.key, "")) if clip.dataset == NAME and not clip.label else clip
        for path, clip in survey.clips.items()
    }
    return replace(survey, clips=clips)


def _level(match: dict[str, str]) -> str:
    """raw was called c0 once."""
    level = match["compression"].lower()
    return "raw" if level == "c0" else level
