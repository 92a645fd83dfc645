"""gate: what a file says of itself, before a picture of it is decoded; what is above the bounds goes no further.

It runs in a process of its own, with little memory: libraries decode the first pictures to know what a file is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.container

from deepfake.app.service.limits import Limits
from deepfake.app.service.refusal import Refused
from deepfake.player import geometry
from deepfake.player.animation import moves
from deepfake.player.decoding import rate, shown
from deepfake.player.source import Unreadable, opened
from deepfake.player.stills import Still, misread

CHUNKS = 12  # bytes before the first chunk of a WebP file
HEAD = 8  # bytes of a chunk's name and size
FRAME = 24  # bytes of an ANMF chunk before the picture; its duration, ms, is 3 of them from 12 on


@dataclass(frozen=True)
class Facts:
    """What is known of a video that may be decoded."""

    codec: str
    width: int  # px, of square pixels, before it is turned upright
    height: int  # px
    seconds: float
    frames: int  # that are there to be decoded


def look(path: Path, limits: Limits) -> Facts:
    """What the file says of itself. Raises Refused, with the reason; whatever is wrong with it."""
    try:
        with opened(path) as (container, stream):
            if moves(path):
                return _moving(path, limits)
            return _still(path, container, limits) if misread(path, stream) else _told(container, stream, limits)
    except Unreadable as error:
        kind = "empty" if "is empty" in str(error) else "not_a_video"
        raise Refused(kind, f"{error} ({error.status})") from None
    except (MemoryError, av.error.FFmpegError) as error:
        raise Refused("too_heavy", f"it cannot be looked at: {getattr(error, 'strerror', None) or error}") from None


def _told(container: av.container.InputContainer, stream: av.VideoStream, limits: Limits) -> Facts:
    """Of a file that FFmpeg reads: by its header, then by its packets, of which none is decoded."""
    context = stream.codec_context
    width, height = _square(stream)
    if not (width and height):
        raise Refused("not_a_video", "its pictures are broken, or larger than can be read: no size can be told")
    _small(width, height, limits)
    header = max(_said(container.duration, 1 / av.time_base), _said(stream.duration, float(stream.time_base or 0)))
    _short(header, limits)
    _few(stream.frames, limits)
    first, last, count = float("inf"), float("-inf"), 0
    for packet in container.demux(stream):
        if not shown(packet):
            continue
        count += 1
        _few(count, limits)
        tick = packet.dts if packet.pts is None else packet.pts
        if tick is not None:
            time = tick * float(stream.time_base or 0)
            first, last = min(first, time), max(last, time)
            _short(last - first, limits)
    _short(lasts := max(header, last - first, count / rate(stream) if last < first else 0.0), limits)
    return Facts(context.codec.canonical_name, width, height, lasts, count)


def _square(stream: av.VideoStream) -> tuple[int, int]:
    """The size in px once its pixels are made square, which the shorter side of a pixel grows for."""
    width, height = stream.codec_context.width, stream.codec_context.height
    aspect = geometry.square(stream.sample_aspect_ratio)
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def _moving(path: Path, limits: Limits) -> Facts:
    """Of a moving WebP picture, which is decoded at one blow: all its frames, of the canvas, count as one picture.

    Source: the WebP container specification, extended file format.
    """
    width = height = count = duration = 0
    for name, head in _chunks(path):
        if name == b"VP8X":
            width, height = (1 + int.from_bytes(head[i : i + 3], "little") for i in (4, 7))
        elif name == b"ANMF":
            count += 1
            duration += int.from_bytes(head[12:15], "little")
            _few(count, limits)
    _small(width, height * count, limits)
    _short(duration / 1000, limits)
    return Facts("webp", width, height, duration / 1000, count)


def _still(path: Path, container: av.container.InputContainer, limits: Limits) -> Facts:
    """Of a picture that Pillow reads, by its head."""
    width, height = Still(path, container).size
    _small(width, height, limits)
    return Facts("still", width, height, 0.0, 1)


def _chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The name of each chunk of a RIFF file, and the first bytes of what it holds."""
    size = path.stat().st_size
    with path.open("rb") as file:
        at = CHUNKS
        while at + HEAD <= size:
            file.seek(at)
            name, length = file.read(4), int.from_bytes(file.read(4), "little")
            yield name, file.read(FRAME)
            at += HEAD + length + length % 2


def _said(ticks: int | None, clock: float) -> float:
    """s; 0 where nothing is said."""
    return ticks * clock if ticks else 0.0


def _small(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels:
        raise Refused("too_many_pixels", f"{width} x {height} px are above the {limits.pixels:,} of a picture")


def _short(seconds: float, limits: Limits) -> None:
    if seconds > limits.seconds:
        raise Refused("too_long", f"it lasts {seconds:,.0f} s, above the limit of {limits.seconds:g} s")


def _few(frames: int, limits: Limits) -> None:
    if frames > limits.frames:
        raise Refused("too_many_frames", f"it has more than {limits.frames:,} frames")
