"""needed: which packets have to be decoded for some frames of a video; the rest of it is never looked at.

A frame needs what lies between the key frame before it and itself. Behind the last frame that is wanted before the next
key frame nothing is needed, and before it no picture that no other refers to.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av

from deepfake.player.source import opened

# whose key frames begin anew: what is shown after one refers to nothing before it
RENEWED = frozenset(["h264", "mpeg4", "mpeg1video", "mpeg2video", "vp8", "vp9"])
SLICE, IDR = 1, 5  # kinds of units of H.264: a picture, and one across which nothing after it reaches
MARK = b"\0\0\1"  # before each unit, in streams that tell no lengths


@dataclass(frozen=True)
class Plan:
    """What to do with each packet that holds something, in their order in the file."""

    times: list[float]  # s, sorted: when each frame of the video is shown
    sent: list[bool]  # whether the packet goes to the decoder
    kept: list[bool]  # whether its picture is wanted; another one is decoded only where others refer to it


class Told(NamedTuple):
    """What a packet tells of its picture, undecoded."""

    tick: int | None  # of the stream's clock, when it is shown
    key: bool  # decoding may begin with it
    hidden: bool  # it is there only for others to be decoded


def plan(path: Path, wanted: Collection[int]) -> Plan | None:
    """For the frames of these indices; None where only decoding the whole video gives them. Raises Unreadable.

    That is so where a packet does not tell when it is shown, or is never shown, of AVI, and of codecs not in RENEWED.
    """
    with opened(path) as (container, stream):
        if stream.codec_context.codec.canonical_name not in RENEWED or "avi" in container.format.name.split(","):
            return None  # the packets of AVI have their number for a clock
        packets = [_told(packet, stream) for packet in container.demux(stream) if packet.size]
        clock = float(stream.time_base or 0)
    known = sorted({packet.tick for packet in packets if packet.tick is not None})
    if not packets or len(known) < len(packets) or any(p.hidden for p in packets) or not packets[0].key:
        return None
    targets = {known[index] for index in wanted if index < len(known)}
    kept = [packet.tick in targets for packet in packets]
    sent = _sent(packets, kept)
    return None if sent is None else Plan([tick * clock for tick in known], sent, kept)


def _sent(packets: list[Told], kept: list[bool]) -> list[bool] | None:
    """Whether each packet is needed for those kept; None where the first part is not whole."""
    sent = [False] * len(packets)
    keys = [place for place, packet in enumerate(packets) if packet.key]
    for start, end, before in zip(keys, [*keys[1:], len(packets)], [-1, *keys], strict=False):
        # what follows a key frame and is shown before it refers to the part before, too
        early = [packet.tick < packets[start].tick for packet in packets[start:end]]  # type: ignore[operator]
        across = any(e and k for e, k in zip(early, kept[start:end], strict=True))
        if across and before < 0:
            return None
        for place in range(before, start) if across else ():
            sent[place] |= packets[place].tick >= packets[before].tick  # type: ignore[operator]
        last = max((place for place in range(start, end) if kept[place]), default=start - 1)
        for place in range(start, last + 1):
            sent[place] = across or not early[place - start]
    return sent


def _told(packet: "av.Packet[av.VideoStream]", stream: av.VideoStream) -> Told:
    key = packet.is_keyframe
    if key and stream.codec_context.codec.canonical_name == "h264":
        key = _first_unit(bytes(packet), stream.codec_context.extradata or b"") == IDR
    return Told(packet.pts, key, packet.is_discard)


def _first_unit(packet: bytes, extradata: bytes) -> int:
    """The kind of the first unit of H.264 in a packet that is a picture; 0 where there is none."""
    at, length = 0, (extradata[4] & 3) + 1 if extradata[:1] == b"\1" and len(extradata) > 4 else 0
    while True:
        if length:
            at, size = at + length, int.from_bytes(packet[at : at + length])
        else:
            mark = packet.find(MARK, at)
            at, size = (len(packet) if mark < 0 else mark + len(MARK)), 0
        if at >= len(packet):
            return 0
        if (unit := packet[at] & 31) in (SLICE, IDR):
            return unit
        at += size
