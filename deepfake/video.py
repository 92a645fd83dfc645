"""video: read, probe and write video; with player/ the only place that knows codecs, rotation, YUV and BGR."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import chain, groupby
from pathlib import Path
from typing import cast

import av
import av.video.frame
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from deepfake.base.disk import aside
from deepfake.player.animation import Animation, moves
from deepfake.player.colour import UNSAID, encodable
from deepfake.player.decoding import Clock, rate, shown
from deepfake.player.filters import EXACT, ROUNDED, Kind, filtered, kind, reformatted
from deepfake.player.frame import Frame, Images, View
from deepfake.player.reading import Damaged, Info, Misled, Reading, over
from deepfake.player.source import IMAGES, SUFFIXES, Unreadable, is_video, opened
from deepfake.player.stills import Still, misread

__all__ = ["IMAGES", "SUFFIXES", "Damaged", "Frame", "Images", "Info", "Misled", "Reading", "Unreadable", "View"]
__all__ += ["encode", "images", "is_video", "over", "packet_times", "probe", "read", "recording", "save", "stored"]

MILLISECOND = Fraction(1, 1000)  # s, the tick of Matroska's clock
WIDEST = 16384  # px, of a side that H.264 holds
INTRA = {"preset": "ultrafast", "g": "1", "threads": "1"}
SITED = {"chroma_sample_location": "left"}  # where most video has its colours: H.264 implies it, FFV1 has to say it


def probe(path: Path) -> Info:
    """Read the headers, the packets' clocks and the first frame. Raises Unreadable."""
    reading = Reading(path, wanted=[0])
    next(iter(reading))
    return replace(reading.info, packet_times=packet_times(path))


def packet_times(path: Path) -> tuple[float, ...]:
    """When each frame would be shown, if all decode: s, sorted. Raises Unreadable."""
    with opened(path) as (container, stream):
        if moves(path):
            return Animation(path).times
        if misread(path, stream):
            return Still.times
        fps, tick = rate(stream), float(stream.time_base or 0)
        clock, times = Clock(fps), []
        for packet in container.demux(stream):
            if shown(packet):
                decoded = packet.pts if packet.dts is None else packet.dts
                start = None if decoded is None else decoded * tick
                moved = 0.0 if start is None else clock(start) - start
                times.append(None if packet.pts is None else packet.pts * tick + moved)
        known = sorted(time for time in times if time is not None)
        return tuple(known if len(known) == len(times) else [i / fps for i in range(len(times))])


def read(path: Path, upright: bool = True) -> Iterator[Frame]:
    """All frames that decode, in order, as a player shows them. Raises Unreadable at once, Damaged at the end."""
    yield from Reading(path, upright=upright)


def stored(path: Path) -> Iterator[Frame]:
    """All frames of what `save` or `recording` wrote, which is opened the quicker for it. Raises as `read` does."""
    yield from Reading(path, ours=True)


def images(path: Path) -> Images:
    """All frames of a short stored file as (T, H, W, 3) uint8 RGB. Raises Unreadable or Damaged."""
    return np.stack([frame.rgb() for frame in stored(path)])


def save(path: Path, frames: Iterable[Frame], crf: int = 0, max_side: int | None = None, raw: int = 0) -> int:
    """Write the frames, at least one, as intra-only Matroska in their own pixel format and on their own clock.

    Returns how many. Lossless at crf 0 (H.264 qp 0, or FFV1 where that cannot hold the format), and byte-equal for
    equal frames. `max_side` px: larger frames are scaled down. Where their kind changes on the way, all become of the
    kind that most are of, the larger one if in doubt, so that as few as possible are made of pixels not their own.
    `raw`: bytes of a picture, up to which common ones are not packed at crf 0: for files that are soon read and gone.
    """
    scaled = (replace(frame, picture=_scaled(frame.picture, max_side)) for frame in frames)
    counts: dict[Kind, int] = {}
    parts: list[Path] = []  # each of one kind: memory holds a single frame
    with aside(path) as new:
        for like, run in groupby(scaled, key=lambda frame: kind(frame.picture)):
            parts.append(new if not parts else new.with_name(f"part{len(parts)}.mkv"))
            counts[like] = counts.get(like, 0) + _write(parts[-1], run, crf, raw)
        if len(counts) > 1:
            parts[0] = new.rename(new.with_name("part0.mkv"))
            best = max(counts, key=lambda like: (counts[like], like.width * like.height))
            rest = (frame for part in parts for frame in stored(part))
            _write(new, (replace(frame, picture=_fitted(frame.picture, best)) for frame in rest), crf, raw)
    return sum(counts.values())


def _write(path: Path, frames: Iterable[Frame], crf: int, raw: int) -> int:
    """Write frames of one kind; how many."""
    frames = iter(frames)
    first = next(frames)
    codec, form = _storage(first.picture, crf)
    if form == "yuv420p" and not crf and first.picture.width * first.picture.height * 3 / 2 <= raw:
        codec = "rawvideo"
    options = {"crf": str(crf)} if crf else {"qp": "0"}
    with _writer(path, codec, form, options | INTRA if "264" in codec else SITED) as put:
        count, last = 0, -1
        for frame in chain([first], frames):
            picture = frame.picture
            if picture.format.name != form:
                picture = reformatted(picture, format=form, interpolation=EXACT)
                if form in ("rgb24", "bgr0"):  # said to be of its old matrix, it would be read as YUV
                    picture.colorspace, picture.color_range = UNSAID, ColorRange.UNSPECIFIED
            last = max(last + 1, round(frame.time * 1000))  # a clock that stands still is not storable
            put(picture, last)
            count += 1
    return count


@contextmanager
def recording(path: Path) -> Iterator[Callable[[Images, float], None]]:
    """A function that adds an (H, W, 3) uint8 RGB image, shown at a time in s, to a lossless RGB Matroska file."""
    last = -1
    with aside(path) as new, _writer(new, "libx264rgb", "rgb24", {"qp": "0"} | INTRA) as put:

        def record(image: Images, time: float) -> None:
            nonlocal last
            last = max(last + 1, round(time * 1000))
            put(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"), last)

        yield record


def encode(path: Path, images: Iterable[Images], fps: float, *, bitrate: int = 0, crf: int = 23) -> int:
    """Write (H, W, 3) uint8 RGB images of even sides as ordinary H.264 (yuv420p, MP4); how many.

    `bitrate` bit/s rules over `crf` where it is given. One thread and no build strings: byte-equal for equal images.
    """
    rate = Fraction(fps).limit_denominator(1001)
    options = {"b": str(bitrate)} if bitrate else {"crf": str(crf)}
    # mbtree differs from run to run, and the choices of x264 from one processor to the next; frames coded from those
    # after them leave more bits to a video that goes back and forth
    options |= {"preset": "veryfast", "x264-params": "threads=1:mbtree=0:cpu-independent=1:bframes=0"}
    count = 0
    with aside(path) as new, _writer(new, "libx264", "yuv420p", options, clock=1 / rate, rate=rate) as put:
        for count, image in enumerate(images, start=1):
            put(encodable(image), count - 1)
    return count


def _scaled(picture: av.VideoFrame, max_side: int | None) -> av.VideoFrame:
    """The picture, its longer side at most `max_side` px and both sides even where it is scaled."""
    longer = max(picture.width, picture.height)
    if not max_side or longer <= max_side:
        return picture
    width, height = (max(2, side * max_side // longer // 2 * 2) for side in (picture.width, picture.height))
    return reformatted(picture, width=width, height=height, interpolation=Interpolation.AREA | ROUNDED)


def _fitted(picture: av.VideoFrame, like: Kind) -> av.VideoFrame:
    """The picture as of another kind: as large as it fits in, its shape kept, on black."""
    if kind(picture) == like:
        return picture
    scale = min(like.width / picture.width, like.height / picture.height)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (picture.width, picture.height))
    if abs(width - like.width) <= 2 and abs(height - like.height) <= 2:
        width, height = like.width, like.height
    limited = like.form.startswith("yuv") and not like.form.startswith("yuvj")  # where nothing is said
    picture = reformatted(
        picture,
        width=width,
        height=height,
        format=like.form,
        dst_colorspace=Colorspace.DEFAULT if like.colorspace == UNSAID else like.colorspace,
        dst_color_range=like.color_range or (ColorRange.MPEG if limited else ColorRange.JPEG),
        interpolation=EXACT,
    )
    picture.colorspace, picture.color_range = like.colorspace, like.color_range
    if (width, height) == (like.width, like.height):
        return picture
    return filtered(picture, [("pad", f"{like.width}:{like.height}:(ow-iw)/2:(oh-ih)/2")])[0]


def _storage(picture: av.VideoFrame, crf: int) -> tuple[str, str]:
    """The codec that holds this picture without loss, and the pixel format it is handed over in."""
    name = picture.format.name
    vast = max(picture.width, picture.height) > WIDEST
    for codec in ("libx264", "libx264rgb", "ffv1"):
        depth = max(component.bits for component in picture.format.components)
        odd = picture.width % 2 or picture.height % 2
        if vast and codec != "ffv1":
            continue
        if codec == "libx264" and (odd or (depth > 8 and not crf) or not name.startswith("yuv")):
            continue  # it wants even sides, its qp 0 is lossless at 8 bits only, and it returns grey in another range
        if name in {form.name for form in av.Codec(codec, "w").video_formats or ()}:
            return codec, name
    return ("ffv1", "bgr0") if vast else ("libx264rgb", "rgb24")


@contextmanager
def _writer(
    path: Path,
    codec: str,
    form: str,
    options: dict[str, str],
    clock: Fraction = MILLISECOND,
    rate: Fraction | None = None,
) -> Iterator[Callable[[av.VideoFrame, int], None]]:
    """A function that adds a picture at a tick of the clock; the file is complete when the block ends."""
    with av.open(path, "w", options={"fflags": "+bitexact"}) as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=rate or Fraction(25), options=dict(options)))
        context = stream.codec_context
        context.time_base, context.thread_count = clock, 1
        context.flags |= av.codec.context.Flags.bitexact

        def put(picture: av.VideoFrame, tick: int) -> None:
            if not context.is_open:
                stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, form
                context.colorspace, context.color_range = picture.colorspace, picture.color_range
            picture.pts, picture.time_base = tick, clock
            picture.pict_type = av.video.frame.PictureType.NONE
            container.mux(stream.encode(picture))

        yield put
        if context.is_open:
            container.mux(stream.encode())


def transcoded(images: Images, codec: str, quality: int) -> Images:
    """(T, H, W, 3) uint8 RGB of even sides as they come back from a lossy codec, in memory; the same for the same.

    `codec` is libx264, where `quality` is its crf, or an MPEG of before, where it is the quantiser, 2 to 31.
    """
    coder = cast(av.VideoCodecContext, av.CodecContext.create(codec, "w"))
    coder.height, coder.width = images.shape[1:3]
    coder.pix_fmt, coder.time_base, coder.framerate, coder.thread_count = "yuv420p", Fraction(1, 25), Fraction(25), 1
    x264 = {"crf": str(quality), "preset": "superfast", "x264-params": "threads=1:mbtree=0:bframes=2:rc-lookahead=4"}
    coder.options = x264 if codec == "libx264" else {"qmin": str(quality), "qmax": str(quality)}
    decoder = cast(av.VideoCodecContext, av.CodecContext.create(coder.codec.canonical_name, "r"))
    decoder.thread_count = 1
    packets = []
    for tick, image in enumerate(images):
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        picture = reformatted(picture, format="yuv420p", dst_color_range=ColorRange.MPEG)
        picture.pts, picture.time_base = tick, coder.time_base
        packets += coder.encode(picture)
    packets += coder.encode(None)
    decoder.extradata = coder.extradata
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return np.stack([reformatted(frame, format="rgb24").to_ndarray() for frame in frames])
