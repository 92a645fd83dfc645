"""df40: DF40: 40 ways to forge, on the videos of FaceForensics++ (ff), Celeb-DF (cdf) and others.

METHOD/{ff,cdf}/{frames,videos}/NAME, with the names of those datasets: 000_003, id0_id16_0000, and 00043 of
YouTube-real; it may lie in train/, test/, or a folder that ends in _train or _test. The half to train on has no level
ff: DF40_train/METHOD/frames/001_870. The methods that bring their own reals have folders real/ and fake/. It is
published as folders of face crops: `deepfake dataset pack ROOT NEW` makes lossless videos of them; single pictures are
videos of one frame. The reals of ff and cdf are those of the datasets themselves, in their own layouts under the same
root; a folder original_sequences or Celeb-real anywhere is found.

Source: Yan et al., "DF40: toward next-generation deepfake detection", NeurIPS 2024, datasets and benchmarks.
"""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd

from deepfake.dataset.labels import split_of
from deepfake.dataset.published import Clip, survey, table, told
from deepfake.layouts import celebdf, faceforensics
from deepfake.video import IMAGES, SUFFIXES

NAME = "DF40"
FORM = "simswap/ff/frames/000_003, packed into simswap/ff/frames/000_003.mkv"
PUBLISHED: dict[str, dict[str, int]] = {}

_FORGED = told(
    r"(?P<method>[^/]+)/(?:(?P=method)/)?(?P<domain>ff|cdf|cdfv2)/"
    r"(?:(?:frames|videos|Fake_from_[^/]+|Celeb-real|YouTube-real)/)*(?P<name>[^/]+)"
)
_PLAIN = told(  # the half to train on; not FaceForensics++'s .../c23/frames/000_003, nor folders of anybody's
    r"(?P<method>(?!(?:raw|c0|c23|c40|real|fake|Celeb-\w+)/)[^/]+)/(?:(?P=method)/)?(?:frames|videos)/"
    r"(?P<name>\d{3}_\d{3}|id\d+_id\d+_\d{4})"
)
_TRAIN = told(r"DF40_train/(?P<method>[^/]+)/(?:frames|videos)/(?P<name>\d{3}|id\d+_\d{4})")  # of one face
_HALF = told(  # the methods that bring their own reals
    r"(?P<method>deepfacelab|heygen|midjourney|which(?:face)?isreal|stargan(?:v2)?|styleclip|e4e|collabdiff)/"
    r"(?:(?P=method)[^/]*/)?(?P<half>real|fake)/(?:(?:real|fake|frames|videos)/)*(?P<name>[^/]+)"
)
_FF = re.compile(r"(\d{3})(?:_(\d{3}))?(?:_.*)?")
_CELEB = re.compile(r"(id\d+)(?:_(id\d+))?_(\d{4})(?:_.*)?")
_YOUTUBE = re.compile(r"\d{5}")
_SIDE = re.compile(r".*[_-](train|test)", re.IGNORECASE)


def scan(root: Path) -> pd.DataFrame:
    """One row a video or single picture: the fakes of every method, the reals under the root."""
    videos = survey(root, NAME, FORM, read, lists=[faceforensics.TABLE], suffixes=SUFFIXES | IMAGES, borrowed=True)
    return table(faceforensics.with_people(videos, faceforensics.youtube_of(root, videos)))


def read(path: Path) -> Clip | None:
    """What a path says; None where it is of another dataset."""
    split = split_of(path) or _side(path)
    if match := _FORGED(path) or _PLAIN(path) or _TRAIN(path):
        if ff := _FF.fullmatch(match["name"]):
            people = tuple(faceforensics.person(name) for name in ff.groups() if name)
            return Clip(1, NAME, people, match["method"], split=split, original=ff[1])
        if celeb := _CELEB.fullmatch(match["name"]):
            people = tuple(name for name in celeb.groups()[:2] if name)
            original = f"Celeb-real/{celeb[1]}_{celeb[3]}"
            return Clip(1, NAME, people, match["method"], split=split, original=original)
        if _YOUTUBE.fullmatch(name := match["name"]):
            return Clip(1, NAME, (f"youtube:{name}",), match["method"], split=split, original=f"YouTube-real/{name}")
        return Clip(1, NAME, method=match["method"], split=split)
    for real in (faceforensics.read(path), celebdf.read(path)):
        if real and not real.label:
            return replace(real, dataset=NAME, compression="", split=split)
    if match := _HALF(path):
        fake = match["half"].lower() == "fake"
        return Clip(int(fake), NAME, method=match["method"] if fake else "", split=split)
    return None


def _side(path: Path) -> str:
    """The split that the end of a folder's name says, or ""."""
    return next((match[1].lower() for part in path.parent.parts if (match := _SIDE.fullmatch(part))), "")
