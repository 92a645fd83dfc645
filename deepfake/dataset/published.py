"""published: what the layouts of published datasets share: names read into rows, fakes beside their originals.

A layout says what a path means; here the files are found, the strays counted and the table is put together.
"""

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake.base.errors import UserError
from deepfake.dataset.files import name_of, printable, walk
from deepfake.dataset.manifests import cells_of, listing, stripped, text_of
from deepfake.video import SUFFIXES


@dataclass(frozen=True)
class Clip:
    """What is known of a video by its name and by the lists of its dataset."""

    label: int  # fake = 1
    dataset: str
    people: tuple[str, ...] = ()
    method: str = ""
    compression: str = ""
    split: str = ""
    key: str = ""  # of a real: what `original` of the fakes made of it says
    original: str = ""  # of a fake
    source: str = ""  # what it shares with others of no other name: youtube:dQw4w9WgXcQ
    collection: str = ""  # a part of the dataset that people do not leave
    mask: str = ""  # of a fake: the video of the pixels that were forged, from the root


@dataclass(frozen=True)
class Survey:
    """The videos of a dataset, its lists by the pattern that was asked for, and what was left out, by kind."""

    name: str
    clips: dict[Path, Clip]
    lists: dict[str, list[Path]] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)


def survey(
    root: Path,
    name: str,
    form: str,
    read: Callable[[Path], Clip | None],
    *,
    lists: Sequence[str] = (),
    suffixes: Iterable[str] = SUFFIXES,
    borrowed: bool = False,
) -> Survey:
    """The files under the root that `read` knows, given without suffix; those it gives None for are counted as strays.

    Raises UserError where it knows none, or no fake though the reals are `borrowed` from another dataset: `form` shows
    what the tree of the dataset looks like.
    """
    tree = files(root, lists, suffixes)
    clips = {file: clip for file in tree.videos if (clip := read(file.with_suffix("")))}
    if not clips or (borrowed and not any(clip.label for clip in clips.values())):
        raise absent(root, name, form)
    return Survey(name, clips, tree.lists, tree.strays(clips, name))


@dataclass(frozen=True)
class Files:
    """Videos, lists by their pattern, and what was left out; relative to the root and sorted."""

    videos: list[Path]
    lists: dict[str, list[Path]]
    left: dict[str, int]

    def strays(self, known: Iterable[Path], name: str) -> dict[str, int]:
        """What was left out, with the videos that are not known to the layout."""
        taken = set(known)
        others = Counter(f"{file.suffix.lower()} not of {name}" for file in self.videos if file not in taken)
        return self.left | dict(sorted(others.items()))


def files(root: Path, lists: Sequence[str], suffixes: Iterable[str] = SUFFIXES) -> Files:
    """What lies under the root: the videos, and the lists whose names fit a pattern; nearest to the root first."""
    wanted = set(suffixes)
    walked = walk(root, wanted | {Path(pattern).suffix for pattern in lists})
    videos: list[Path] = []
    texts: dict[str, list[Path]] = {pattern: [] for pattern in lists}
    left = Counter(walked.left)
    for file in walked.files:
        if fits := [pattern for pattern in lists if fnmatch(file.name.lower(), pattern.lower())]:
            texts[fits[0]].append(file)
        elif file.suffix.lower() in wanted:
            videos.append(file)
        else:
            left[printable(file.suffix.lower())] += 1
    near = {pattern: sorted(lists, key=lambda file: (len(file.parts), file)) for pattern, lists in texts.items()}
    return Files(videos, near, dict(sorted(left.items())))


def absent(root: Path, name: str, form: str) -> UserError:
    """The error for a root that holds nothing of a dataset."""
    return UserError(
        f"no {name} under {printable(str(root))}",
        f"its tree has {form}; deepfake dataset guess {printable(str(root))} looks what this is",
    )


def told(pattern: str, flags: int = re.IGNORECASE) -> Callable[[Path], dict[str, str] | None]:
    """A function that reads a path, without its suffix, by a pattern of its last parts: the named groups, or None."""
    expression = re.compile(rf"(?P<home>(?:.*?/)??){pattern}", flags)

    def read(path: Path) -> dict[str, str] | None:
        match = expression.fullmatch(path.as_posix())
        return {name: text or "" for name, text in match.groupdict().items()} if match else None

    return read


def table(surveyed: Survey, notes: Iterable[str] = ()) -> pd.DataFrame:
    """One row a video, sorted by path; `source` of a fake is the video_id of the real that it was made of.

    Of several such reals it is that of the same compression, then the nearest in the tree. Where there is none, the
    source is absent:NAME, equal for all fakes of it, and a note counts them.
    """
    reals = defaultdict(list)
    for path, clip in surveyed.clips.items():
        if clip.key:
            reals[clip.dataset, clip.key].append((path, clip.compression))
    rows, lost = [], set()
    for path, clip in sorted(surveyed.clips.items()):
        source = clip.source
        if clip.original:
            choice = reals.get((clip.dataset, clip.original), [])
            source = _nearest(path, clip.compression, choice) if choice else f"absent:{clip.original}"
            lost |= set() if choice else {(clip.dataset, clip.original)}
        rows.append((path.as_posix(), clip, source))
    videos = listing(
        [path for path, _, _ in rows],
        label=[clip.label for _, clip, _ in rows],
        identities=["+".join(dict.fromkeys(clip.people)) for _, clip, _ in rows],
        source=[source for _, _, source in rows],
        **{name: [getattr(clip, name) for _, clip, _ in rows] for name in _TEXTS},
    )
    videos.attrs["left_out"] = surveyed.left
    gone = [f"{dataset} {name}" for dataset, name in sorted(lost)]
    videos.attrs["notes"] = [*notes, *([f"{count(gone)} from which fakes are made are not on disk"] if gone else [])]
    return videos


_TEXTS = ("method", "dataset", "compression", "split", "collection", "mask")


def dealt(surveyed: Survey, split_of: Callable[[Path, Clip], str]) -> Survey:
    """The same with the split of each video."""
    clips = {path: replace(clip, split=split_of(path, clip)) for path, clip in surveyed.clips.items()}
    return replace(surveyed, clips=clips)


def count(names: Sequence[str], most: int = 3) -> str:
    """How many, and the first of them: "5 (000, 001, 002 ...)"."""
    return f"{len(names)} ({', '.join(map(printable, names[:most]))}{' ...' if len(names) > most else ''})"


def json_of(file: Path) -> Any:
    """What a JSON file holds. Raises UserError with the line."""
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}", "allow it, or get the file anew") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not JSON: {error.reason}", "get the file anew from the dataset's authors") from None
    except json.JSONDecodeError as error:
        problem = f"{file}:{error.lineno}: not JSON: {error.msg}"
        raise UserError(problem, "get the file anew from the dataset's authors") from None


def rows_of(file: Path, columns: Collection[str], filled: Collection[str] = ()) -> list[dict[str, str]]:
    """The rows of a CSV list by its columns, without capitals and blanks around; "" where a row ends early.

    Raises UserError where one of the columns is lacking, and with the line where one of `filled` is empty.
    """
    text = text_of(file)
    lines = list(cells_of(file, text, max(",;\t", key=text.lstrip().split("\n", 1)[0].count)))
    names = [stripped(name).lower() for name in lines[0][1]] if lines else []
    if lacking := [name for name in columns if name not in names]:
        raise UserError(f"{file}: no columns {', '.join(lacking)}", f"it has: {', '.join(filter(None, names))}")
    rows = []
    for line, cells in lines[1:]:
        row = dict.fromkeys(names, "") | dict(zip(names, map(stripped, cells), strict=False))
        if empty := [name for name in filled if not row[name]]:
            raise UserError(
                f"{file}:{line}: no {', '.join(empty)}", f"its columns are {', '.join(filter(None, names))}"
            )
        rows.append(row)
    return rows


def lines_of(file: Path) -> list[str]:
    """The lines of a text file that are not blank, without what surrounds them. Raises UserError."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}", "allow it, or get the file anew") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: not a text in UTF-8", "get the file anew from the dataset's authors") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _nearest(path: Path, compression: str, choice: list[tuple[Path, str]]) -> str:
    def rank(real: tuple[Path, str]) -> tuple[bool, int]:
        return real[1] == compression, len(os.path.commonpath([path.parent, real[0].parent])) if len(choice) > 1 else 0

    return name_of(max(sorted(choice), key=rank)[0].as_posix())
