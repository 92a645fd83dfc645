"""labels: what the folders above a file say of it: real or fake, and of which split."""

import re
from collections.abc import Iterable
from pathlib import Path

from deepfake.base.errors import UserError
from deepfake.dataset.files import printable

REAL = {"real", "reals", "original", "originals", "pristine", "authentic", "genuine"}
FAKE = {"fake", "fakes", "deepfake", "deepfakes", "manipulated", "synthetic", "synthesis", "forged", "swapped"}
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
NEGATED = re.compile(
    rf"(?<![a-z])(?:non|not|no|un|never)[^a-z]*(?:{'|'.join(sorted(REAL | FAKE, reverse=True))})(?![a-z])"
)
HINT = "put the videos into folders real/ and fake/, or list them in a manifest.csv (extract.layout: manifest)"


def labels_of(files: Iterable[Path], root: Path) -> dict[Path, int | None]:
    """1 where a file's folders under the root say fake, 0 where they say real, None where none tells.

    Raises UserError that names the folders that contradict one another (fake/original) or themselves (non_fake).
    """
    marks = {file: _told(file.parent) for file in files}
    if doubtful := sorted({printable(file.parent.as_posix()) for file, labels in marks.items() if len(labels) > 1}):
        raise UserError(f"{root}: both real and fake, or neither: {_some(doubtful)}", HINT)
    return {file: next(iter(labels), None) for file, labels in marks.items()}


def unlabelled(labels: dict[Path, int | None], root: Path) -> UserError | None:
    """The error that names the folders of the files that no folder labels; None where there are none."""
    folders = sorted({printable(file.parent.as_posix()) for file, label in labels.items() if label is None})
    return UserError(f"{root}: neither real nor fake: {_some(folders)}", HINT) if folders else None


def split_of(file: Path) -> str:
    """The split that a folder names, or ""."""
    return next((SPLITS[part.lower()] for part in file.parent.parts if part.lower() in SPLITS), "")


def _told(folder: Path) -> set[int]:
    """The labels that the parts of a path give; both for a part that denies one. real_vs_fake tells nothing."""
    labels: set[int] = set()
    for part in folder.parts:
        words = set(re.split(r"[^a-z]+", part.lower()))
        if NEGATED.search(part.lower()):
            return {0, 1}
        if bool(words & REAL) != bool(words & FAKE):
            labels.add(int(bool(words & FAKE)))
    return labels


def _some(names: list[str]) -> str:
    return f"{', '.join(names[:5])}{' ...' if names[5:] else ''}"
