"""dfdc: the Deepfake Detection Challenge: the parts of train, the preview, and the official test and validation.

Each folder of videos has a list: metadata.json of a part {"x.mp4": {"label": "FAKE", "split": "train", "original":
"y.mp4"}}, dataset.json of the preview {"method_A/...mp4": {"label": "fake", "set": "train", "target_id": ...,
"swapped_id": ...}}, labels.csv of test and validation (filename, label; 1 = fake). The people of the whole dataset are
not known; they do not leave a part, which is its collection: split.by: group keeps it whole.

Source: Dolhansky et al., "The deepfake detection challenge (DFDC) dataset", 2020, and "... preview dataset", 2019.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset.labels import split_of
from deepfake.dataset.published import Clip, Survey, absent, count, files, json_of, rows_of, table

NAME, PREVIEW = "DFDC", "DFDC preview"
FORM = "dfdc_train_part_0/metadata.json, dataset.json of the preview, or labels.csv of the test, beside their videos"
PUBLISHED = {NAME: {"real": 23654, "fake": 104500}, PREVIEW: {"real": 1131, "fake": 4113}}
PARTS, PREVIEWS, TABLES = LISTS = ("metadata.json", "dataset.json", "labels.csv")
LABELS = {"real": 0, "fake": 1, "0": 0, "1": 1}


def scan(root: Path) -> pd.DataFrame:
    """One row a video that a list beside it names; a list's folder may hold its videos at any depth."""
    tree = files(root, LISTS)
    clips: dict[Path, Clip] = {}
    notes = []
    homes: dict[Path, list[Path]] = {file.parent: [] for files in tree.lists.values() for file in files}
    for video in tree.videos:
        for folder in video.parents:
            if folder in homes:
                homes[folder].append(video)
    for file, reader in _readers(tree.lists):
        below = _Below(file.parent, homes[file.parent])
        named = reader(root / file, file)
        lost = []
        for name, clip in sorted(named.items()):
            if path := below(name):
                clips.setdefault(path, clip)
            else:
                lost.append(name)
        if lost:
            notes.append(f"{file.as_posix()}: of {len(named)} that it names are not on disk {count(lost)}")
    if not clips:
        raise absent(root, NAME, FORM)
    return table(Survey(NAME, clips, tree.lists, tree.strays(clips, "a list of DFDC")), notes)


def part(file: Path, place: Path) -> dict[str, Clip]:
    """The videos of a metadata.json: of a part of train, or of the test (is_fake instead of label, or a labels.csv)."""
    clips = {}
    home = place.parent.as_posix()
    elsewhere = file.with_name(TABLES).is_file()
    for name, entry in _entries(file):
        said = entry.get("label", entry.get("is_fake"))
        if said is None and elsewhere:
            continue
        label = _label(said, file, name)
        original = str(entry.get("original") or "") if label else ""
        clips[name] = Clip(
            label,
            NAME,
            split=_split(str(entry.get("split", "")), place),
            key="" if label else f"{home}/{name}",
            original=original and f"{home}/{original}",
            collection=place.parent.name,
        )
    return clips


def preview(file: Path, place: Path) -> dict[str, Clip]:
    """The videos of the preview's dataset.json; a fake swapped_target_A_001.mp4 is made of target_A_001.mp4."""
    clips = {}
    for name, entry in _entries(file):
        label = _label(entry.get("label"), file, name)
        ids = (str(entry.get("target_id") or ""), str(entry.get("swapped_id") or "") if label else "")
        path = PurePosixPath(name)
        clips[name] = Clip(
            label,
            PREVIEW,
            people=tuple(filter(None, ids)),
            method=path.parts[0] if label and len(path.parts) > 1 else "",
            split=_split(str(entry.get("set", "")), place),
            key="" if label else path.stem,
            original=path.stem.partition("_")[2] if label else "",
        )
    return clips


def labels(file: Path, place: Path) -> dict[str, Clip]:
    """The videos of a labels.csv: filename and label, 1 = fake."""
    rows = rows_of(file, ["filename", "label"], filled=["filename", "label"])
    names = {row["filename"]: _label(row["label"], file, row["filename"]) for row in rows}
    return {name: Clip(label, NAME, split=_split("", place)) for name, label in names.items()}


class _Below:
    """The video that a list means: by its path from the list's folder, else by its name anywhere below, if but one."""

    def __init__(self, folder: Path, videos: list[Path]) -> None:
        self.folder, self.paths = folder, set(videos)
        self.names: dict[str, list[Path]] = {}
        for path in videos:
            self.names.setdefault(path.name.lower(), []).append(path)

    def __call__(self, name: str) -> Path | None:
        if (path := self.folder / name) in self.paths:
            return path
        parts = PurePosixPath(name).parts
        named = self.names.get(parts[-1].lower(), [])
        of_method = [path for path in named if len(parts) == 1 or parts[0] in path.parts]
        return of_method[0] if len(of_method) == 1 else None


def _readers(lists: dict[str, list[Path]]) -> Iterator[tuple[Path, Any]]:
    for pattern, reader in ((PARTS, part), (PREVIEWS, preview), (TABLES, labels)):
        for file in lists[pattern]:
            yield file, reader


def _entries(file: Path) -> list[tuple[str, dict[str, Any]]]:
    """What a list says of each video. Raises UserError where it is no such list."""
    entries = json_of(file)
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise UserError(f"{file}: does not say of each video what it is", 'it is to hold {"x.mp4": {"label": "FAKE"}}')
    return list(entries.items())


def _label(value: Any, file: Path, name: str) -> int:
    label = LABELS.get(str(value).strip().lower())
    if label is None:
        raise UserError(f"{file}: {name} is neither REAL nor FAKE but {value!r}", "get the list anew")
    return label


def _split(value: str, place: Path) -> str:
    """The split that a list says, else that its folder names; a list without either is that of the test."""
    named = split_of(Path(value.strip().lower(), place.name)) or split_of(place)
    return named or ("test" if place.name.lower() == TABLES else "")
