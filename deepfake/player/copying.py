"""copying: a video written anew with other pictures, each shown when it was, and with its own sound."""

import io
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream

from deepfake.base.disk import aside
from deepfake.player.colour import encodable
from deepfake.player.frame import Images
from deepfake.player.source import opened

SOUNDS = {"aac", "ac3", "alac", "eac3", "flac", "mp3", "mp3float", "opus"}  # that players expect in MP4
CLOCK = 90000  # ticks a second
USUAL = 48000  # Hz: of a sound that does not say its rate before it begins


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
            picture = encodable(fitted)
            stream.codec_context.colorspace = picture.colorspace
            last = max(last + 1, round(time * CLOCK))
            picture.pts, picture.time_base = last, Fraction(1, CLOCK)
            sound.until(time)
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
        sound.until(float("inf"))
    return count


class Sound:
    """The sound of a file on its way to another, in step with the pictures: memory holds what is between them.

    What is damaged is left out. A sound of which nothing can be written is, too, and that is said.
    """

    def __init__(self, source: Any, out: Any) -> None:
        self.out = out
        streams = [stream for stream in source.streams.audio if stream.codec_context is not None]
        self.ways: dict[int, Way] = {stream.index: way_of(stream, out) for stream in streams}
        self.packets = source.demux(*streams) if streams else iter(())
        self.ended = not streams

    def until(self, time: float) -> None:
        """Write what is heard up to a time in s."""
        while not self.ended:
            try:
                packet = next(self.packets, None)
            except av.error.FFmpegError:  # the file is damaged, and ends here
                packet = None
            if packet is None:
                self.ended = True
                for way in self.ways.values():
                    self.mux(way, way.last)
                    if not way.written:
                        print(f"a sound is left out: none of its {way.codec} can be read", file=sys.stderr)
                return
            way = self.ways[packet.stream.index]
            self.mux(way, partial(way.next, packet))
            if packet.pts is not None and float(packet.pts * packet.time_base) > time:
                return

    def mux(self, way: "Way", packets: Callable[[], list[Any]]) -> None:
        """Write what becomes of a packet, but for what is damaged."""
        with suppress(av.error.FFmpegError):
            for packet in packets():
                self.out.mux(packet)
                way.written += 1


class Copied:
    """A sound whose packets are written as they are."""

    def __init__(self, stream: AudioStream, out: Any) -> None:
        self.codec, self.written = stream.codec_context.name, 0
        self.target = out.add_stream_from_template(stream)

    def next(self, packet: Any) -> list[Any]:
        """What is written of a packet."""
        if packet.dts is None:
            return []
        packet.stream = self.target
        return [packet]

    def last(self) -> list[Any]:
        """What is written at the end."""
        return []


class Encoded:
    """A sound that is encoded as AAC, at its own rate where AAC has it, else at the nearest below."""

    def __init__(self, stream: AudioStream, out: Any) -> None:
        self.codec, self.written = stream.codec_context.name, 0
        rates = av.Codec("aac", "w").audio_rates or []
        known = [rate for rate in rates if rate <= (stream.rate or 0)]
        self.rate = max(known) if known else USUAL if not stream.rate else min(rates)
        self.target = out.add_stream("aac", rate=self.rate)
        self.resampler: AudioResampler | None = None
        self.form: object = None  # of the frames that the resampler takes

    def next(self, packet: Any) -> list[Any]:
        """What is written of a packet."""
        return [made for frame in packet.decode() for made in self.encoded(frame)]

    def encoded(self, frame: Any) -> list[Any]:
        """The packets of a frame; its form may change on the way, as in broadcasts."""
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self.resampler is None or form != self.form:
            self.form, self.resampler = form, AudioResampler("fltp", "stereo", self.rate)
        return [made for part in self.resampler.resample(frame) for made in self.target.encode(part)]

    def last(self) -> list[Any]:
        """What is written at the end."""
        return list(self.target.encode(None)) if self.resampler else []


Way = Copied | Encoded


def way_of(stream: AudioStream, out: Any) -> Way:
    """How a sound is written: as it is, where players expect its codec in MP4 and all is known that MP4 has to say."""
    return Copied(stream, out) if stream.codec_context.name in SOUNDS and fits(stream) else Encoded(stream, out)


def fits(stream: AudioStream) -> bool:
    """Whether MP4 takes a sound as it is: not where its rate is not known before it begins."""
    if not stream.rate:
        return False
    try:
        with av.open(io.BytesIO(), "w", format="mp4") as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True
