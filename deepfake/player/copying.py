"""copying: a video written anew with other pictures, each shown when it was, and with its own sound."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.stream import AudioStream

from deepfake.base.disk import aside
from deepfake.player.frame import Images
from deepfake.player.source import opened

SOUNDS = {"aac", "ac3", "alac", "eac3", "flac", "mp3", "mp3float", "opus"}  # that players expect in MP4
CLOCK = 90000  # ticks a second


def remade(target: Path, path: Path, pictures: Iterable[tuple[float, Images]]) -> int:
    """Write (time in s, (H, W, 3) uint8 RGB) pictures as MP4 with the sound of the video at `path`; how many.

    All become of the size of the first, with even sides. Sound is copied where players expect its codec in MP4, and
    else encoded as AAC. Raises Unreadable.
    """
    count, last = 0, -1
    with aside(target) as new, opened(path) as (source, _), av.open(new, "w", format="mp4") as out:
        sound = Sound(source, out)
        stream = out.add_stream("libx264", options={"crf": "20", "preset": "veryfast"})
        stream.codec_context.time_base = Fraction(1, CLOCK)
        for count, (time, image) in enumerate(pictures, start=1):
            if count == 1:
                stream.height, stream.width = (side + side % 2 for side in image.shape[:2])
                stream.pix_fmt = "yuv420p"
            fitted = np.zeros((stream.height, stream.width, 3), np.uint8)
            high, wide = min(len(image), stream.height), min(image.shape[1], stream.width)
            fitted[:high, :wide] = image[:high, :wide]
            picture = av.VideoFrame.from_ndarray(fitted, format="rgb24")
            last = max(last + 1, round(time * CLOCK))
            picture.pts, picture.time_base = last, Fraction(1, CLOCK)
            sound.until(time)
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
        sound.until(float("inf"))
    return count


class Sound:
    """The sound of a file on its way to another, in step with the pictures: memory holds what is between them."""

    def __init__(self, source: Any, out: Any) -> None:
        self.out = out
        self.ways: dict[int, tuple[AudioStream, bool]] = {}  # index of a stream -> where to, and whether it is copied
        streams = [stream for stream in source.streams.audio if stream.codec_context is not None]
        for stream in streams:
            copied = stream.codec_context.name in SOUNDS
            target = out.add_stream_from_template(stream) if copied else out.add_stream("aac", rate=stream.rate)
            self.ways[stream.index] = (target, copied)
        self.packets = source.demux(*streams) if streams else iter(())
        self.ended = not streams

    def until(self, time: float) -> None:
        """Write what is heard up to a time in s."""
        while not self.ended:
            packet = next(self.packets, None)
            if packet is None:
                self.ended = True
                for target, copied in self.ways.values():
                    self.out.mux([] if copied else target.encode(None))
                return
            self.put(packet)
            if packet.pts is not None and float(packet.pts * packet.time_base) > time:
                return

    def put(self, packet: Any) -> None:
        """Write a packet, copied or encoded anew."""
        target, copied = self.ways[packet.stream.index]
        if not copied:
            for frame in cast(list[Any], packet.decode()):
                self.out.mux(target.encode(frame))
        elif packet.dts is not None:
            packet.stream = target
            self.out.mux(packet)
