"""reading: a video as a player shows it, frame by frame, and what is known of it."""

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
from deepfake.player.source import Unreadable, opened


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
    """

    def __init__(
        self, path: Path, wanted: Collection[int] | None = None, upright: bool = True, *, seconds: float | None = None
    ) -> None:
        self.path, self.upright = path, upright
        self.seconds = seconds  # after which nothing more is decoded
        self.wanted = None if wanted is None else frozenset(wanted)  # indices
        self.times: list[float] = []  # s, of every frame that decoded so far
        self.corrupt = 0  # frames left out, known at the end
        self.interlaced = 0  # frames made whole so far
        self.info: Info  # from the first frame on

    def __iter__(self) -> Iterator[Frame]:
        with opened(self.path) as (container, stream):
            decoding = Animation(self.path) if moves(self.path) else Decoding(container, stream)
            fields, aspect, ratio, ended = Deinterlacer(), Fraction(1), None, True
            own = stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio
            upright = geometry.Upright(own[0] if own[0] != own[1] and geometry.square(own[0]) != 1 else None)
            whole = (done for shot in decoding for done in fields(*shot))
            for time, picture in chain(whole, (done for _ in (0,) for done in fields.rest())):
                if ratio != stream.codec_context.sample_aspect_ratio or not self.times:
                    ratio = stream.codec_context.sample_aspect_ratio  # it may change on the way
                    aspect = upright.aspect or geometry.square(ratio)
                    upright.oblong = upright.oblong or aspect != 1
                if not self.times:
                    self.info = _info(self.path, container, stream, picture, upright(picture), aspect)
                elif over(time, self.times[0], self.seconds):
                    ended = False
                    break
                index = len(self.times)
                self.times.append(time)
                self.interlaced = fields.count
                if self.wanted is None or index in self.wanted:
                    yield Frame(index, time, upright(colour.standard(picture)) if self.upright else picture)
            self.corrupt = decoding.corrupt
            loss = decoding.loss(ended)
        if not self.times:
            raise Unreadable("decode_error", f"no frame decodes: {loss or 'the stream is empty'}")
        if loss:
            raise Damaged(loss)


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
    turn = geometry.turn_of(first)
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
