"""files: what lies under a folder, found once and by one rule, under names that every table and disk can hold.

Nothing here opens a file: one that cannot be read is a row with its reason, later on.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from deepfake.base.errors import UserError

JUNK = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "system volume information", "lost+found", "@eadir"}
MASKS = {"mask", "masks"}  # where a pixel was forged: pictures and videos beside those of faces
LONGEST = 200  # bytes of a name: disks hold 255, and the stages add to it
LONGEST_PATH = 1000  # bytes: disks hold 4096, and folders come before it
STORED = ".mkv"  # added to a video's name: no folder may be called as another video is stored


@dataclass(frozen=True)
class Found:
    """The files of the suffixes asked for, relative to the root and sorted; how many others were left out, by kind."""

    files: list[Path]
    left: dict[str, int]  # ".txt": 3, "hidden": 1, "in masks": 40


def walk(root: Path, suffixes: Collection[str]) -> Found:
    """The files under a folder that end in one of the suffixes, whatever they turn out to be; no folder is one.

    Linked folders are entered, each real one once: by its own name where it has one under the root, else by its first
    link. Hidden files, what systems leave behind, and masks are left out. Raises UserError for an unreadable folder.
    """
    files: list[Path] = []
    left: Counter[str] = Counter()
    seen = {_place(parent) for parent in root.resolve().parents}  # a link to what holds the root is a loop
    own, linked = [root], list[Path]()
    while own or linked:
        folder = own.pop() if own else linked.pop(linked.index(min(linked)))
        entries = _entries(folder, root)
        if (place := _place(folder)) in seen:
            continue
        seen.add(place)
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith(".") or entry.name.lower() in JUNK:
                left["hidden"] += 1
            elif _is_folder(entry):
                (linked if entry.is_symlink() else own).append(path)
            elif MASKS & {part.lower() for part in path.relative_to(root).parent.parts}:
                left["in masks"] += 1
            elif path.suffix.lower() in suffixes:
                files.append(path.relative_to(root))
            else:
                left[printable(path.suffix.lower()) or "without a suffix"] += 1
    return Found(sorted(files), dict(sorted(left.items())))


def counted(left: dict[str, int]) -> str:
    """What was left out, in words: "3 .txt, 1 hidden"; "" for nothing."""
    return ", ".join(f"{count} {kind}" for kind, count in left.items())


def name_of(path: str) -> str:
    """The path as a name that tables, disks and terminals hold; another one for each path, and itself where it can be.

    A part that is too long, no UTF-8, or holds a control character (a newline) is shortened, and told from others by a
    hash: `~` and 10 digits.
    """
    if len(path) <= LONGEST and path.isascii() and path.isprintable() and f"{STORED}/" not in path.lower():
        return path  # most are so
    *folders, name = path.split("/")
    parts = [_storable(part, Path(part).suffix.lower() == STORED) for part in folders]
    whole = "/".join([*parts, _storable(name)])
    return whole if len(whole.encode()) <= LONGEST_PATH else f"~{_digest(path)}/{_storable(name)}"


def printable(text: str) -> str:
    r"""The text as a terminal, a table and UTF-8 hold it: what they do not is written as \xe9, \n."""
    text = os.fsencode(text).decode("utf-8", "backslashreplace") if _is_foreign(text) else text
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in _CONTROLS else c for c in text)


_CONTROLS = {"Cc", "Zl", "Zp"}  # control characters, and what ends a line or a paragraph


def shortened(text: str, longest: int, of: str = "") -> str:
    """The text, printable and cut to so many bytes; with a hash, of `of` if given, where that changes it."""
    clean = printable(text)
    if clean == text and len(text.encode()) <= longest and not of:
        return text
    cut = re.sub(r"[\\/\s]+", "_", clean).encode()[: longest - 11].decode("utf-8", "ignore")
    return f"{cut}~{_digest(of or text)}"


def _storable(part: str, refused: bool = False) -> str:
    """A part of a path, or what stands for it, of the same suffix."""
    suffix = "" if refused or len(Path(part).suffix) > 10 else Path(part).suffix
    whole = shortened(part, LONGEST, of=part if refused else "")
    return whole if whole == part else shortened(part.removesuffix(suffix), LONGEST - 10, of=part) + printable(suffix)


def _digest(text: str) -> str:
    return sha256(os.fsencode(text)).hexdigest()[:10]


def _is_foreign(text: str) -> bool:
    """Whether the text holds bytes that are no UTF-8, as names of files may."""
    return any(0xDC80 <= ord(c) <= 0xDCFF for c in text)


def _entries(folder: Path, root: Path) -> list["os.DirEntry[str]"]:
    """What a folder holds, sorted by name."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(
            f"{printable(str(folder))}: the folder cannot be read: {error.strerror}",
            f"allow it (chmod u+rx), or move it out of {printable(str(root))}",
        ) from None


def _place(folder: Path) -> tuple[int, int]:
    """What makes a real folder the same by whatever name."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a folder or leads to one; what cannot be asked is no folder."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def mask_of(frames: Path, video_id: str) -> Path:
    """Where the mask of a video lies beside its frames, if it has one."""
    return frames / ".masks" / f"{video_id}.mkv"
