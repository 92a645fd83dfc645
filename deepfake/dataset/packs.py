"""packs: folders and archives of numbered pictures as lossless videos, one a folder, in the same places.

Datasets of face crops come as millions of pictures, some in archives. A folder is a sequence where all its pictures are
called by numbers (000.png) and it is not called real or fake: single pictures of their own lie there.
"""

import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

from deepfake import video
from deepfake.base.errors import UserError
from deepfake.base.opencv import cv2
from deepfake.dataset.files import printable, walk
from deepfake.dataset.labels import FAKE, REAL, SPLITS

ARCHIVES = (".tar.gz", ".tgz", ".tar")
RATE = 25  # frames a second: the pictures say nothing of time


@dataclass
class Packed:
    """How many videos were made, how many were there already, and why some were not made."""

    written: int = 0
    kept: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)


def pack(root: Path, new: Path) -> Packed:
    """Write each sequence under the root as NEW/same/place.mkv; what is there already is kept.

    The pictures of an archive lie beside it, in a folder of its name. Raises UserError where there are none.
    """
    if new.resolve().is_relative_to(root.resolve()):
        raise UserError(f"{printable(str(new))} lies in {printable(str(root))}", "name a folder outside of it")
    walked = walk(root, video.IMAGES | {".gz", ".tgz", ".tar"})
    packed = Packed(left=dict(walked.left))
    archives = [file for file in walked.files if file.name.lower().endswith(ARCHIVES)]
    pictures = [file for file in walked.files if file.suffix.lower() in video.IMAGES]
    for place, files in tqdm(sequences(pictures).items(), "pack", unit="video", disable=None):
        _write(new, place, ((root / file).read_bytes() for file in files), packed)
    for archive in tqdm(archives, "pack", unit="archive", disable=None):
        for place, contents in _of_archive(root, archive, packed):
            _write(new, place, contents, packed)
    if not packed.written + packed.kept + len(packed.broken):
        raise UserError(
            f"no folders of numbered pictures, nor archives of them, under {printable(str(root))}",
            "a folder 12/ with 000.png, 001.png ... becomes the video 12.mkv",
        )
    return packed


def sequences(pictures: Iterable[Path]) -> dict[Path, list[Path]]:
    """The folders that are sequences, and their pictures in the order of their numbers."""
    folders = defaultdict(list)
    for file in pictures:
        folders[file.parent].append(file)
    return {
        folder: sorted(files, key=_number)
        for folder, files in sorted(folders.items())
        if folder.name.lower() not in REAL | FAKE | set(SPLITS) and all(_number(file) >= 0 for file in files)
    }


def _of_archive(root: Path, archive: Path, packed: Packed) -> Iterator[tuple[Path, list[bytes]]]:
    """The sequences of an archive: where each is to lie, and its pictures' bytes; read once from begin to end."""
    stem = archive.name[: -len(next(end for end in ARCHIVES if archive.name.lower().endswith(end)))]
    contents: dict[Path, bytes] = {}
    try:
        with tarfile.open(root / archive, "r|*") as stream:
            for member in stream:
                inner = PurePosixPath(member.name)
                inside = not inner.is_absolute() and ".." not in inner.parts
                if member.isfile() and inside and inner.suffix.lower() in video.IMAGES:
                    opened = stream.extractfile(member)
                    contents[archive.parent / stem / inner] = opened.read() if opened else b""
    except (OSError, tarfile.TarError, EOFError) as error:
        packed.broken[archive.as_posix()] = f"the archive cannot be read to its end: {error}"
    for place, files in sequences(contents).items():
        yield place, [contents[file] for file in files]


def _write(new: Path, place: Path, contents: Iterable[bytes], packed: Packed) -> None:
    """One sequence, unless it is there already; why it cannot be written is kept."""
    target = new / place.with_name(f"{place.name}.mkv")
    if target.is_file():
        packed.kept += 1
        return
    try:
        with video.recording(target) as record:
            for index, image in enumerate(_images(contents)):
                record(image, index / RATE)
    except (_Broken, OSError) as error:
        packed.broken[place.as_posix()] = str(error)
    else:
        packed.written += 1


def _images(contents: Iterable[bytes]) -> Iterator[video.Images]:
    """The pictures as (H, W, 3) uint8 RGB, all of one size. Raises _Broken."""
    shape = None
    for number, content in enumerate(contents, start=1):
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB) if content else None
        if image is None:
            raise _Broken(f"its picture {number} cannot be read")
        shape = shape or image.shape
        if image.shape != shape:
            raise _Broken(f"its picture {number} is of another size than the first")
        yield np.asarray(image, np.uint8)


def _number(file: Path) -> int:
    """The number that a picture is called by; -1 for another name."""
    return int(file.stem) if file.stem.isdecimal() and file.stem.isascii() else -1


class _Broken(Exception):
    """Why a sequence is not packed."""
