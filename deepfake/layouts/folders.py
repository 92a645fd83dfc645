"""folders: videos in `real/` and `fake/`, or variants of these names, also inside `train/`, `val/` and `test/`.

The people are unknown: each file counts as a person of its own, but for files of one name, and for a fake whose name is
made of those of reals: 000_003 shows 000 and 003. A picture is a video of one frame, but for the thumbnail of a video.
"""

import re
from collections import Counter
from collections.abc import Collection
from itertools import combinations
from pathlib import Path

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset.files import printable, walk
from deepfake.dataset.labels import labels_of, split_of, unlabelled
from deepfake.dataset.manifests import listing
from deepfake.video import IMAGES, SUFFIXES

Words = tuple[str, ...]
MOST_WORDS = 8  # of a name, for which those inside it are looked for: 2 to the power of it


def scan(root: Path) -> pd.DataFrame:
    """One row a video: video_id, path (both relative to root), label, split where a folder says it, people as tied."""
    walked = walk(root, SUFFIXES | IMAGES)
    films = {file.with_suffix("") for file in walked.files if file.suffix.lower() in SUFFIXES}
    files = [file for file in walked.files if file.suffix.lower() in SUFFIXES or file.with_suffix("") not in films]
    if not files:
        raise UserError(f"no videos under {root}", f"their names end in {' '.join(sorted(SUFFIXES))}")
    labels = labels_of(files, root)
    if error := unlabelled(labels, root):
        raise error
    people = tied(labels)
    table = listing(
        [file.as_posix() for file in files],
        label=[labels[file] for file in files],
        split=[split_of(file) for file in files],
        identities=[people.get(file, "") for file in files],
    )
    thumbnails = len(walked.files) - len(files)
    table.attrs["left_out"] = walked.left | ({"thumbnails": thumbnails} if thumbnails else {})
    table.attrs["notes"] = [_said(people, labels)] if people else []
    return table


def tied(labels: dict[Path, int | None]) -> dict[Path, str]:
    """The people that file names tell, joined by "+": "000+003" of fake/000_003.mp4, "000" of real/000.mp4.

    Files of one name show the same, and a fake shows the reals whose names its own is made of, whatever parts them. A
    name that most of the reals or fakes have (video.mp4) tells nothing.
    """
    names = {file: _words(file) for file in labels}
    count = Counter((names[file], label) for file, label in labels.items())
    total = Counter(labels.values())
    common = {words for (words, label), n in count.items() if n > 2 and n > total[label] / 2}
    reals = {names[file] for file, label in labels.items() if not label} - common - {()}
    shown = {file: _inside(names[file], reals) if label else [names[file]] for file, label in labels.items()}
    alike = Counter(names.values())
    known = {words for file, inner in shown.items() if labels[file] for words in inner}  # of some fake
    known |= {words for words, n in alike.items() if n > 1} - common - {()}
    shown = {file: inner or [names[file]] for file, inner in shown.items()}
    tying = {file: [words for words in inner if words in known] for file, inner in shown.items()}
    return {file: "+".join("_".join(words) for words in inner) for file, inner in tying.items() if inner}


def _words(file: Path) -> Words:
    """What a file's name is made of: letters and digits, without capitals."""
    return tuple(filter(None, re.split(r"[\W_]+", printable(file.stem).casefold())))


def _inside(words: Words, names: Collection[Words]) -> list[Words]:
    """The names whose words come in these, in their order; of one inside another the longer alone."""
    most = len(words) if len(words) <= MOST_WORDS else 1
    longest: list[Words] = []
    for size in range(most, 0, -1):
        parts = dict.fromkeys(part for part in combinations(words, size) if part in names)
        longest += [part for part in parts if not any(_is_inside(part, longer) for longer in longest)]
    return longest


def _is_inside(part: Words, whole: Words) -> bool:
    rest = iter(whole)
    return all(word in rest for word in part)


def _said(people: dict[Path, str], labels: dict[Path, int | None]) -> str:
    fakes = sorted(file for file in people if labels[file])
    first = (fakes or sorted(people))[0]
    shows = f"{printable(first.as_posix())} shows {people[first].replace('+', ' and ')}"
    count = f"{len(people)} videos, {len(fakes)} of them fake"
    return f"{count}, are tied by their names ({shows}); a manifest.csv would say who they are"
