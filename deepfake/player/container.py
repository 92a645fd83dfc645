"""container: what a file says of itself, beside its pictures: streams, tags, edit lists, and signs of encoding anew."""

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake.player.source import opened

NESTED = {b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl", b"udta"}  # boxes that are made of boxes
C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # the uuid of the box that holds a manifest (C2PA 2.1, A.5)
HEAD = 2**20  # bytes: where an encoder's own words stand
ENCODERS = {  # what a tag begins with: who writes it
    "Lavf": "FFmpeg wrote the file",
    "Lavc": "FFmpeg encoded the stream",
    "HandBrake": "HandBrake encoded it",
    "Google": "Google, as YouTube does, wrote it",
    "vlc": "VLC wrote it",
    "Adobe": "an editor of Adobe wrote it",
    "Blender": "Blender wrote it",
    "DaVinci": "DaVinci Resolve wrote it",
}
WRITERS = re.compile(rb"(x264 - core \d+|x265 \(build \d+\)|Lavc\d+\.\d+\.\d+|Lavf\d+\.\d+\.\d+|HandBrake [\d.]+)")


@dataclass(frozen=True)
class Box:
    """A box of an MP4 or MOV file (ISO/IEC 14496-12)."""

    kind: bytes
    start: int  # bytes, of what is in it
    end: int


def facts(path: Path) -> dict[str, Any]:
    """What the file says of itself, as JSON; nothing of it is proof, for tags are easily changed. Raises Unreadable."""
    with opened(path) as (container, shown):
        streams = [_stream(stream, stream is shown) for stream in container.streams]
        about: dict[str, Any] = {
            "format": container.format.name,
            "duration": round(float(container.duration or 0) / 1e6, 3),
            "bitrate": int(container.bit_rate),
            "tags": dict(sorted(container.metadata.items())),
            "streams": streams,
        }
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        tree = list(boxes(content, 0, len(content))) if content[4:8] == b"ftyp" else []
        about["boxes"] = [box.kind.decode("latin-1") for box in tree]
        about["edits"] = [edit for box in tree for edit in edits(content, box)]
        about["credentials"] = manifest(content, tree)
        written = {
            match.decode("ascii") for match in WRITERS.findall(content[:HEAD]) + WRITERS.findall(content[-HEAD:])
        }
    about["writers"] = sorted(written)
    return about | {"signs": signs(about)}


def _stream(stream: Any, shown: bool) -> dict[str, Any]:
    context = stream.codec_context
    about: dict[str, Any] = {
        "index": stream.index,
        "type": stream.type,
        "codec": context.name if context else "unknown",
        "profile": (context.profile or "") if context else "",
        "shown": shown,
        "tags": dict(sorted(stream.metadata.items())),
    }
    if stream.type == "video" and context:
        rate = stream.average_rate
        about |= {"width": context.width, "height": context.height, "pixels": context.pix_fmt or ""}
        about |= {"frames": stream.frames, "rate": round(float(rate), 3) if rate else None}
    if stream.type == "audio" and context:
        about |= {"sampling": context.sample_rate, "channels": context.channels}
    return about


def boxes(content: Any, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places of a file, as far as their sizes make sense."""
    while start + 8 <= end:
        size, kind = int.from_bytes(content[start : start + 4]), bytes(content[start + 4 : start + 8])
        head, size = 8, size or end - start  # 0: to the end
        if size == 1:
            size, head = int.from_bytes(content[start + 8 : start + 16]), 16
        stop = start + size
        if stop > end or size < head:
            return
        yield Box(kind, start + head, stop)
        start = stop


def edits(content: Any, box: Box) -> list[dict[str, Any]]:
    """The edit lists within a box: what a player shows of a track, in units of its clocks; -1 is an empty stretch."""
    if box.kind in NESTED:
        return [edit for inner in boxes(content, box.start, box.end) for edit in edits(content, inner)]
    if box.kind != b"elst":
        return []
    wide = 8 if content[box.start] == 1 else 4
    count = int.from_bytes(content[box.start + 4 : box.start + 8])
    entries = []
    for number in range(min(count, (box.end - box.start - 8) // (2 * wide + 4))):
        at = box.start + 8 + number * (2 * wide + 4)
        duration = int.from_bytes(content[at : at + wide])
        begin = int.from_bytes(content[at + wide : at + 2 * wide], signed=True)
        entries.append({"duration": duration, "start": begin})
    return entries


def manifest(content: Any, tree: list[Box]) -> bool:
    """Whether the file holds content credentials: C2PA's uuid box in MP4, a JUMBF box of that name in others."""
    if any(box.kind == b"uuid" and content[box.start : box.start + 16] == C2PA for box in tree):
        return True
    at = content.find(b"jumb")
    return bool(at >= 0 and content.find(b"c2pa", at, at + 256) >= 0)


def signs(facts: dict[str, Any]) -> list[str]:
    """What speaks of the file having been written by a program rather than by a camera; words, not proof."""
    tags = [value for part in (facts, *facts["streams"]) for value in part["tags"].values()]
    sentences = [
        f"{meaning}: tag {tag!r}"
        for tag in dict.fromkeys(tags)
        for begin, meaning in ENCODERS.items()
        if str(tag).startswith(begin)
    ]
    sentences += [f"an encoder left its name in the stream: {name}" for name in facts["writers"] if name not in tags]
    if not any("creation_time" in part["tags"] for part in (facts, *facts["streams"])):
        sentences.append("no time of recording: cameras write one, and programs often drop it")
    kinds = facts["boxes"]
    if "moov" in kinds and "mdat" in kinds and kinds.index("moov") < kinds.index("mdat"):
        sentences.append("the index comes before the pictures: written for the web, not by a camera as it films")
    if any(edit["start"] > 0 for edit in facts["edits"]):
        sentences.append(
            "an edit list: a player leaves out the beginning of a track, by frames that were reordered or cut"
        )
    if sum(edit["start"] >= 0 for edit in facts["edits"]) > len(facts["streams"]):
        sentences.append("an edit list of several parts: what is shown was put together")
    return sentences
