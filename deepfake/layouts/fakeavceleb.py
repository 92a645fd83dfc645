"""fakeavceleb: FakeAVCeleb v1.2: {Real,Fake}Video-{Real,Fake}Audio/ETHNICITY/GENDER/id00076/00109.mp4.

The label is that of the picture: RealVideo-FakeAudio is real, for its voice alone is forged. The folder is the person;
the other ids of a fake's name lent a face or a voice. A voice is not seen: where meta_data.csv says that the method
swaps no face, they are left out.

Source: Khalid et al., "FakeAVCeleb: a novel audio-video multimodal deepfake dataset", NeurIPS 2021, datasets track.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from deepfake.dataset.published import Clip, Survey, rows_of, survey, table, told

NAME = "FakeAVCeleb"
FORM = "RealVideo-RealAudio/African/men/id00076/00109.mp4, and so on"
PUBLISHED = {NAME: {"real": 1000, "fake": 20544}}
TABLE = "meta_data.csv"  # source, target1, target2, method, category, type, race, gender, path, and the folder
SWAPS = re.compile("faceswap|fsgan")  # the methods that bring another face

_PATH = told(
    r"(?P<picture>Real|Fake)Video-(?P<sound>Real|Fake)Audio/"
    r"(?P<about>[^/]+/[^/]+)/(?P<person>id\d+)/(?P<name>(?P<clip>\d+)[^/]*)"
)
_PERSON = re.compile(r"id\d+")


def scan(root: Path) -> pd.DataFrame:
    """One row a video."""
    videos = survey(root, NAME, FORM, read, lists=[TABLE])
    if not videos.lists[TABLE]:
        return table(videos, [f"no {TABLE}: the methods are unknown, and every id in a name counts as a face"])
    return table(with_methods(videos, methods_of(root / videos.lists[TABLE][0])))


def read(path: Path) -> Clip | None:
    """What a path says; None where it is of another dataset."""
    match = _PATH(path)
    if not match:
        return None
    key = f"{match['about']}/{match['person']}/{match['clip']}"
    if match["picture"].lower() == "fake":
        return Clip(1, NAME, (match["person"], *_PERSON.findall(match["name"])), "FakeVideo", original=key)
    if match["sound"].lower() == "fake":
        return Clip(0, NAME, (match["person"],), original=key)
    return Clip(0, NAME, (match["person"],), key=key)


def methods_of(file: Path) -> dict[str, str]:
    """The method of each video, by type, person and name: FakeVideo-RealAudio/id00076/00109_id00476_wavtolip.mp4."""
    columns = ("source", "method", "type", "path")
    rows = rows_of(file, columns, filled=columns)
    return {f"{row['type']}/{row['source']}/{Path(row['path']).name}": row["method"] for row in rows}


def with_methods(survey: Survey, methods: Mapping[str, str]) -> Survey:
    """The same with the methods of the fakes, and without those who lent but a voice."""
    clips = {}
    for path, clip in survey.clips.items():
        if clip.label and (method := methods.get("/".join((path.parts[-5], *path.parts[-2:])), "")):
            clip = replace(clip, method=method, people=clip.people if SWAPS.search(method) else clip.people[:1])
        clips[path] = clip
    return replace(survey, clips=clips)
