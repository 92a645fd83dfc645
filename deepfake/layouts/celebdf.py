"""celebdf: Celeb-DF v1, v2 and Celeb-DF++: Celeb-real, YouTube-real and Celeb-synthesis.

With or without a level videos/ in each. In List_of_testing_videos.txt, beside Celeb-real or above, 1 is REAL; what it
does not name is train, and there is no official val. It uses most of the people of train, so that the official split
is not one by person: see split.leaks. Each video of YouTube-real shows a person of its own. Of Celeb-DF++ the method is
the innermost folder.

Source: Li et al., "Celeb-DF: a large-scale challenging dataset for deepfake forensics", CVPR 2020; Li et al.,
"Celeb-DF++: a large-scale challenging video deepfake benchmark for generalizable forensics", 2025.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset.published import Clip, count, dealt, lines_of, survey, table, told

V1, V2, PLUS = "Celeb-DF-v1", "Celeb-DF-v2", "Celeb-DF++"
FORM = "Celeb-real/id0_0000.mp4, YouTube-real/00000.mp4 and Celeb-synthesis/id0_id16_0000.mp4"
PUBLISHED = {
    V1: {"real": 408, "fake": 795},
    V2: {"real": 890, "fake": 5639},
    PLUS: {"real": 890, "fake": 53196},
}
LIST = "List_of_testing_videos.txt"
LISTED_V1 = 100  # lines of the list of v1; that of v2 has 518

_PATH = told(
    r"(?P<folder>Celeb-real|YouTube-real|Celeb-synthesis)/"
    r"(?:(?:FaceSwap|FaceReenact|TalkingFace)/(?P<method>[^/]+)/)?(?:videos/|frames/)?(?P<name>[^/]+)"
)
_PERSON = re.compile(r"id\d+")
_CLIP = re.compile(r"(?:^|_)(\d{4})(?:_|$)")


def scan(root: Path) -> pd.DataFrame:
    """One row a video; the versions under one root are told apart by their folders and by the length of their list."""
    videos = survey(root, "Celeb-DF", FORM, read, lists=[LIST])
    homes: dict[Path, dict[str, Path]] = defaultdict(dict)
    for path in videos.clips:
        homes[_home(path)][_listed(path)] = path
    lists = lists_of(homes, videos.lists[LIST])
    notes = _unlisted(homes, lists)
    versions, test = {}, set()
    for home, names in sorted(homes.items()):
        named = listed(root / lists[home]) if home in lists else {}
        versions[home] = _version(names, len(named))
        for name, label in sorted(named.items()):
            if name in names and videos.clips[names[name]].label != label:
                raise UserError(
                    f"{root / lists[home]}: {name} is said to be {'fake' if label else 'real'}",
                    "in this list 1 is real and 0 is fake; get it anew from the dataset's authors",
                )
        test |= {names[name] for name in named if name in names}
        if gone := [name for name in sorted(named) if name not in names]:
            notes.append(f"{versions[home]}: of {len(named)} that {LIST} names are not on disk {count(gone)}")
    clips = {path: replace(clip, dataset=versions[_home(path)]) for path, clip in videos.clips.items()}
    videos = replace(videos, clips=clips)
    return table(dealt(videos, lambda path, _: _split(path, test, lists)), notes)


def read(path: Path) -> Clip | None:
    """What a path says; None where it is of another dataset."""
    match = _PATH(path)
    if not match:
        return None
    folder, name = match["folder"].lower(), match["name"]
    people = tuple(_PERSON.findall(name))
    if folder == "youtube-real":
        return Clip(0, V2, (f"youtube:{name}",), key=f"YouTube-real/{name}")
    if folder == "celeb-real":
        return Clip(0, V2, people, key=f"Celeb-real/{name}") if people and not match["method"] else None
    if not people:
        return None
    clip = _CLIP.search(name)
    original = f"Celeb-real/{people[0]}_{clip[1]}" if clip else ""
    return Clip(1, V2, people, match["method"] or "Celeb-DF", original=original)


def lists_of(homes: Iterable[Path], files: Sequence[Path]) -> dict[Path, Path]:
    """The list of tests of each home: that in it, else in its nearest parent, else the only one of an only home."""
    lists = {file.parent: file for file in files}
    near = {home: next((lists[above] for above in (home, *home.parents) if above in lists), None) for home in homes}
    if len(near) == len(files) == 1:
        return dict.fromkeys(near, files[0])
    return {home: file for home, file in near.items() if file}


def listed(file: Path) -> dict[str, int]:
    """The videos of a list of tests, without suffix, and their labels in our sense: fake = 1. Raises UserError."""
    labels = {}
    for number, line in enumerate(lines_of(file), start=1):
        match = re.fullmatch(r"([01])\s+(\S.*)", line)
        if not match:
            raise UserError(f"{file}:{number}: not '1 Celeb-real/id0_0000.mp4' but {line!r}", "get the list anew")
        labels[_plain(Path(match[2].replace("\\", "/")).with_suffix(""))] = 1 - int(match[1])  # there 1 is real
    return labels


def _split(path: Path, test: set[Path], lists: Mapping[Path, Path]) -> str:
    return ("test" if path in test else "train") if _home(path) in lists else ""


def _unlisted(homes: Iterable[Path], lists: Mapping[Path, Path]) -> list[str]:
    """What is to be said of the homes that have no list of tests."""
    if not lists:
        return [f"no {LIST} beside Celeb-real/ nor above: no official split"]
    lone = [home.as_posix() for home in sorted(homes) if home not in lists]
    return [f"no {LIST} beside Celeb-real/ nor above in {count(lone)}: no official split there"] if lone else []


def _version(names: Mapping[str, Path], listed: int) -> str:
    """Which Celeb-DF this is; without its list a plain one is taken for v2."""
    if any(name.count("/") > 1 for name in names):
        return PLUS
    return V1 if listed == LISTED_V1 else V2


def _home(path: Path) -> Path:
    """The folder that holds Celeb-real and the others."""
    match = _PATH(path.with_suffix(""))
    return Path(match["home"] if match else ".")


def _listed(path: Path) -> str:
    """The path as the list of tests names it."""
    return _plain(path.with_suffix("").relative_to(_home(path)))


def _plain(path: Path) -> str:
    return "/".join(part for part in path.parts if part.lower() not in ("videos", "frames"))
