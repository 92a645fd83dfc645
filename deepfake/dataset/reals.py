"""reals: the real videos of a folder, each with who is on it and a name of its own; never a fake.

A table in the folder says which are real and who is on them; without one the folders' names do, by the rules of the
layouts. Where neither says anything, all are real, each of a person of its own.
"""

import os
import re
import sys
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deepfake.base.errors import UserError
from deepfake.dataset import manifests
from deepfake.dataset.files import counted, printable, shortened, walk
from deepfake.dataset.labels import FAKE, labels_of, unlabelled
from deepfake.video import SUFFIXES

LONGEST = 90  # bytes of a name: two of them are joined into that of a fake


@dataclass(frozen=True)
class Listed:
    """A video that is said to be real."""

    path: Path
    name: str  # unlike all others; so is that of any two joined by "_"
    identity: str


def listing(root: Path) -> list[Listed]:
    """The real videos under a folder, sorted by path; what is left out is said. Raises UserError where labels clash."""
    if not os.path.isdir(root):  # noqa: PTH112 (a Path raises for a name that is too long)
        raise UserError(f"no folder {root}", "name the folder that holds the real videos")
    if index := manifests.index_of(root):
        table = manifests.videos(root, index, unlabelled="real", partly=True)
        table = table[table["label"] == 0].sort_values("path")
        people = dict(zip(table["path"], table["identities"], strict=True))
    else:
        people = dict.fromkeys(_by_folders(root), "")
    names = _names(list(people))
    return [Listed(root / path, names[path], identity or names[path]) for path, identity in people.items()]


def _by_folders(root: Path) -> list[str]:
    """The paths of all videos, or of those in folders called real where there are folders called fake."""
    walked = walk(root, SUFFIXES)
    labels = labels_of(walked.files, root)
    left, files = walked.left, walked.files
    if any(labels.values()) or root.resolve().name.lower() in FAKE:
        if error := unlabelled(labels, root):
            raise error
        files = [file for file in files if labels[file] == 0]
        left = left | {"called fake": len(walked.files) - len(files)}
    if left:
        print(f"{printable(str(root))}: left out {counted(left)}", file=sys.stderr)
    return sorted(file.as_posix() for file in files)


def _names(paths: list[str]) -> dict[str, str]:
    """What the files of each video are called: by its stem where that is like no other, else by its path.

    No two are alike, on disks without capitals either, nor do two pairs join to the same: of ann and ann_lee the second
    is ann-lee, or ann + lee_bob and ann_lee + bob would be one.
    """
    stems = Counter(PurePosixPath(path).stem for path in paths)
    names = {}
    for path in paths:
        stem = PurePosixPath(path).stem
        whole = stem if stems[stem] == 1 else path.replace("/", "-").replace(".", "-")
        names[path] = shortened(re.sub(r"[+,;/]", "-", whole), LONGEST)
    taken: set[str] = set()
    for path, name in sorted(names.items(), key=lambda item: len(item[1])):
        starts = (_key(name[: mark.start()]) for mark in re.finditer("_", name))
        names[path] = name.replace("_", "-") if taken & set(starts) else name
        taken.add(_key(names[path]))
    alike = Counter(map(_key, names.values()))
    return {path: name if alike[_key(name)] == 1 else shortened(name, LONGEST, of=path) for path, name in names.items()}


def _key(name: str) -> str:
    """The name as a disk without capitals, and with one form of accents, tells it from others."""
    return unicodedata.normalize("NFC", name).casefold()
