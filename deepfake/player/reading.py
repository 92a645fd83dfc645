"""reading: a video as a player shows it, frame by frame, and what is known of it."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.container

from deepfake.player import colour, geometry
from deepfake.player.animation import Animation, moves
from deepfake.player.decoding import Decoding, rate
from deepfake.player.fields import Deinterlacer
from deepfake.player.frame import Frame
from deepfake.player.needed import Plan, plan
from deepfake.player.source import Unreadable, opened
from deepfake.player.stills import Still, misread

TAIL = 4096  # bytes at the end of a GIF, in which its trailer is looked for
PROFILED = ("png", "apng")  # of whose colour profiles PyAV frees the name twice


class Misled(Exception):
    """Raised where only what the wanted frames need was decoded, and is not what the file told of itself."""


class Damaged(Exception):
    """Raised by `read` after the last frame that could be decoded: some of the video is lost."""


@dataclass(frozen=True)
class Info:
    """What a file says of its video stream, and what its first frame does; headers lie, `read` tells."""

    codec: str
    pix_fmt: str  # as decoded
    width: int  # px, as shown
    height: int  # px, as shown
    rotation: int  # degrees clockwise that show it upright: 0, 90, 180 or 270
    mirrored: bool  # left to right, before it is turned
    sar: str  # the shape of a stored pixel, width to height: "4:3"; pixels are square as shown
    transfer: str  # pq, hlg, bt709 ...; pq and hlg are brought to standard range; "" where it is not said
    primaries: str  # bt709, bt2020, smpte432 ...; the wide ones are brought to BT.709
    fps: float  # mean rate
    bitrate: float  # bit/s of the whole file
    duration: float  # s
    header_frames: int  # 0 where the header does not say
    packet_times: tuple[float, ...] = ()  # s, sorted: when each frame would be shown, if all decode; of `probe` alone


class Reading:
    """A video as a player shows it, being read: iterated once, it gives the frames wanted, and counts them all.

    Upright, of square pixels, whole frames, BT.709 and standard range. Decoded in order rather than sought: a seek
    lands on different frames in different codecs. Raises Unreadable at once, Damaged after the last good frame.
    A file is `ours` where video.save or video.recording wrote it.
    """

    def __init__(
        self,
        path: Path,
        wanted: Collection[int] | None = None,
        upright: bool = True,
        *,
        seconds: float | None = None,
        needed: bool = False,
        ours: bool = False,
    ) -> None:
        self.path, self.upright, self.ours = path, upright, ours
        self.needed = needed  # only what the wanted frames need is decoded; where that cannot be told, the whole
        self.seconds = seconds  # after which nothing more is decoded
        self.wanted = None if wanted is None else frozenset(wanted)  # indices
        self.times: list[float] = []  # s, of every frame that decoded so far
        self.corrupt = 0  # frames left out, known at the end
        self.interlaced = 0  # frames made whole so far
        self.info: Info  # from the first frame on

    def __iter__(self) -> Iterator[Frame]:
        with opened(self.path, self.ours) as (container, stream):
            todo = self._plan()
            places = {time: place for place, time in enumerate(todo.times)} if todo else {}
            decoding: Animation | Still | Decoding = Decoding(container, stream, todo)
            if moves(self.path):
                decoding = Animation(self.path)
            elif misread(self.path, stream):
                decoding = Still(self.path, container)
            fields, aspect, ratio, ended = Deinterlacer(), Fraction(1), None, True
            still = container.format.name == "image2" or container.format.name.endswith("_pipe")
            own = stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio
            ruling = own[0] != own[1] and geometry.square(own[0]) != 1 and not still
            upright = geometry.Upright(own[0] if ruling else None)
            upright.profiled = stream.codec_context.name in PROFILED
            whole = (done for shot in decoding for done in fields(*shot))
            for time, picture in chain(whole, (done for _ in (0,) for done in fields.rest())):
                colour.assumed(picture)
                if ratio != stream.codec_context.sample_aspect_ratio or not self.times:
                    ratio = stream.codec_context.sample_aspect_ratio  # it may change on the way
                    aspect = (
                        Fraction(1) if still else upright.aspect or geometry.square(ratio)
                    )  # a still says dots an inch
                    upright.oblong = upright.oblong or aspect != 1
                if not self.times:
                    self.info = _info(self.path, container, stream, picture, upright(picture), aspect)
                elif over(time, self.times[0], self.seconds):
                    ended = False
                    break
                index = places.get(time, -1) if todo else len(self.times)
                self.times.append(time)
                self.interlaced = fields.count
                if self.wanted is None or index in self.wanted:
                    yield Frame(index, time, colour.standard(upright(picture)) if self.upright else picture)
            self.corrupt = decoding.corrupt
            loss = decoding.loss(ended)
            if ended and container.format.name == "gif" and not _ends(self.path):
                loss = "; ".join(filter(None, [loss, "the file ends before its trailer"]))
        if todo:
            self._check(todo, places, loss)
        if not self.times:
            raise Unreadable("decode_error", f"no frame decodes: {loss or 'the stream is empty'}")
        if loss:
            raise Damaged(loss)

    def _plan(self) -> Plan | None:
        """What to decode; the first frame always is, which tells of the video."""
        if not self.needed or self.wanted is None or moves(self.path):
            return None
        return plan(self.path, self.wanted | {0})

    def _check(self, todo: Plan, places: dict[float, int], loss: str) -> None:
        """Take the times of all frames from the plan. Raises Misled where what was decoded is not as planned."""
        decoded = {places.get(time, -1) for time in self.times}
        times = [time for time in todo.times if not over(time, todo.times[0], self.seconds)]
        missed = {index for index in (self.wanted or ()) if index < len(times)} - decoded
        if loss or self.interlaced or missed or not {0} <= decoded or -1 in decoded or self.times != sorted(self.times):
            raise Misled(loss or "the packets do not tell truly which frames there are")
        self.times = times


def _ends(gif: Path) -> bool:
    """Whether a GIF has its last byte, the trailer, but for what pads it."""
    with gif.open("rb") as file:
        file.seek(-min(TAIL, gif.stat().st_size), os.SEEK_END)
        return file.read().rstrip(b"\0\t\r\n ").endswith(b";")


def over(time: float, first: float, seconds: float | None) -> bool:
    """Whether a frame is shown after the first seconds, a clock error of a millisecond aside; never without any."""
    return seconds is not None and time - first + 1e-3 >= seconds


def _info(
    path: Path,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    first: av.VideoFrame,
    shown: av.VideoFrame,
    aspect: Fraction,
) -> Info:
    """What is known of a video with its first frame, as decoded and as shown."""
    duration = float(container.duration or 0) / av.time_base
    turn = geometry.turn_of(first, stream.codec_context.name in PROFILED)
    return Info(
        codec=stream.codec_context.codec.canonical_name,
        pix_fmt=first.format.name,
        width=shown.width,
        height=shown.height,
        rotation=turn.rotation,
        mirrored=turn.mirrored,
        sar=f"{aspect.numerator}:{aspect.denominator}",
        transfer=colour.transfer(first),
        primaries=colour.primaries(first),
        fps=rate(stream),
        bitrate=path.stat().st_size * 8 / duration if duration > 0 else 0.0,
        duration=duration,
        header_frames=stream.frames,
    )
