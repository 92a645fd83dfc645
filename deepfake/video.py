"""video: read, probe and write video; the only place that knows codecs, rotation, YUV and BGR."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, cast

import av
import av.error
import av.filter
import av.video.frame
import numpy as np
from av.stream import Disposition
from av.video.reformatter import ColorRange, Interpolation

from deepfake.base.disk import aside

Images = np.ndarray[Any, np.dtype[np.uint8]]

SUFFIXES = frozenset(
    [".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv"]
)
IMAGES = frozenset([".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"])  # videos of one frame
MILLISECOND = Fraction(1, 1000)  # s, the tick of Matroska's clock
MAX_FAULTS = 1000  # packets that do not decode, after which a file is given up
# the default conversion rounds differently from one processor to the next
ROUNDED = Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT
EXACT = Interpolation.BILINEAR | ROUNDED
INTRA = {"preset": "ultrafast", "g": "1", "threads": "1"}
SITED = {"chroma_sample_location": "left"}  # where most video has its colours: H.264 implies it, FFV1 has to say it


class Unreadable(Exception):
    """Nothing of the file can be shown: not a video, empty, cut before its index, sound only.

    `status` is "decode_error" or "no_video"; the text is the reason.
    """

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Damaged(Exception):
    """Raised by `read` after the last frame that could be decoded: some of the video is lost."""


@dataclass(frozen=True)
class Frame:
    """One decoded frame, upright."""

    index: int  # in the order of showing, from 0
    time: float  # s, the video's own clock
    picture: av.VideoFrame

    def rgb(self) -> Images:
        """(H, W, 3) uint8 RGB, contiguous (dlib refuses strides)."""
        if self.picture.format.name == "gbrp":  # faces are stored so: nothing to convert
            return np.ascontiguousarray(self.picture.to_ndarray())
        return np.ascontiguousarray(self.picture.to_ndarray(format="rgb24", interpolation=EXACT))

    def grey(self, side: int) -> Images:
        """(side, side) uint8, the frame squeezed to a square, each pixel the mean of an area."""
        small = self.picture.reformat(side, side, "gray", interpolation=Interpolation.AREA | ROUNDED)
        return np.asarray(small.to_ndarray(), np.uint8)

    def planes(self) -> list[Images]:
        """The bytes of each plane, (height, bytes of a line) uint8, without what pads the lines.

        Of a picture whose values share a plane (packed, or with a palette) those of its RGB.
        """
        picture, form = self.picture, self.picture.format
        if not form.is_planar and len(form.components) > 1:
            deep = max(component.bits for component in form.components) > 8
            picture = picture.reformat(format="gbrp16le" if deep else "gbrp", interpolation=EXACT)
        elif form.has_palette or form.is_bit_stream:
            picture = picture.reformat(format="gbrp", interpolation=EXACT)
        lengths = [0] * len(picture.planes)  # bytes of a line
        for part in picture.format.components:
            lengths[part.plane] += part.width * ((part.bits + 7) // 8)
        whole = [np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, -1) for plane in picture.planes]
        return [lines[:, :length] for lines, length in zip(whole, lengths, strict=True)]


@dataclass(frozen=True)
class Info:
    """What the container says of its video stream, before any decoding; headers lie, `read` tells."""

    codec: str
    pix_fmt: str
    width: int  # px, upright
    height: int  # px, upright
    rotation: int  # degrees clockwise that show it upright: 0, 90, 180 or 270
    fps: float  # mean rate
    bitrate: float  # bit/s of the whole file
    duration: float  # s
    header_frames: int  # 0 where the header does not say
    packet_times: tuple[float, ...]  # s, sorted: when each frame would be shown, if all decode


def probe(path: Path) -> Info:
    """Read the headers, the packets' clocks and the first frame. Raises Unreadable."""
    first = next(read(path, upright=False)).picture
    with _open(path) as (container, stream):
        packets = [packet.pts for packet in container.demux(stream) if packet.size]
        rate, clock = _rate(stream), float(stream.time_base or 0)
        known = sorted(pts * clock for pts in packets if pts is not None)
        times = known if len(known) == len(packets) else [i / rate for i in range(len(packets))]
        duration = float(container.duration or 0) / av.time_base
        turn = -first.rotation % 360
        width, height = (first.height, first.width) if turn in (90, 270) else (first.width, first.height)
        return Info(
            codec=stream.codec_context.codec.canonical_name,
            pix_fmt=first.format.name,
            width=width,
            height=height,
            rotation=turn,
            fps=rate,
            bitrate=path.stat().st_size * 8 / duration if duration > 0 else 0.0,
            duration=duration,
            header_frames=stream.frames,
            packet_times=tuple(times),
        )


def read(path: Path, upright: bool = True) -> Iterator[Frame]:
    """All frames that decode, in order, turned upright. Raises Unreadable at once, Damaged after the last good frame.

    Decoded in order rather than sought: a seek lands on different frames in different codecs.
    """
    faults: list[str] = []
    index = 0
    with _open(path) as (container, stream):
        turner: _Turner | None = None
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                pictures = packet.decode()
            except StopIteration:
                break
            except av.error.FFmpegError as error:  # one bad packet; those after it may be good
                faults.append(str(error.strerror))
                if len(faults) > MAX_FAULTS:
                    break
                continue
            for picture in pictures:
                time = index / _rate(stream) if picture.pts is None else float(picture.time)
                if upright and picture.rotation:
                    turner = turner or _Turner(picture)
                    picture = turner(picture)
                yield Frame(index, time, picture)
                index += 1
    if not index:
        raise Unreadable("decode_error", f"no frame decodes: {faults[0] if faults else 'the stream is empty'}")
    if faults:
        raise Damaged(f"{len(faults)} packets do not decode: {faults[0]}")


def images(path: Path) -> Images:
    """All frames of a short video as (T, H, W, 3) uint8 RGB. Raises Unreadable or Damaged."""
    return np.stack([frame.rgb() for frame in read(path)])


def save(path: Path, frames: Iterable[Frame], crf: int = 0, max_side: int | None = None) -> int:
    """Write the frames, at least one, as intra-only Matroska in their own pixel format and on their own clock.

    Returns how many. Lossless at crf 0 (H.264 qp 0, or FFV1 where that cannot hold the format), and byte-equal for
    equal frames. `max_side` px: larger frames are scaled down.
    """
    frames = iter(frames)
    first = next(frames)
    model = _scaled(first.picture, max_side)  # the size and format of all, should the video change on its way
    codec, form = _storage(model, crf)
    options = {"crf": str(crf)} if crf else {"qp": "0"}
    with aside(path) as new, _writer(new, codec, form, options | INTRA if "264" in codec else SITED) as put:
        count, last = 0, -1
        for frame in chain([first], frames):
            picture = _scaled(frame.picture, max_side)
            if (picture.width, picture.height, picture.format.name) != (model.width, model.height, form):
                picture = picture.reformat(model.width, model.height, form, interpolation=EXACT)
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
    options |= {"preset": "veryfast", "x264-params": "threads=1:mbtree=0:cpu-independent=1"}
    # mbtree differs from run to run, and the choices of x264 from one processor to the next
    count = 0
    with aside(path) as new, _writer(new, "libx264", "yuv420p", options, clock=1 / rate, rate=rate) as put:
        for count, image in enumerate(images, start=1):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            put(picture.reformat(format="yuv420p", dst_color_range=ColorRange.MPEG, interpolation=EXACT), count - 1)
    return count


@contextmanager
def _open(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The file and its video stream. Raises Unreadable."""
    try:
        if not path.is_file():
            raise Unreadable("missing", "no such file")
        if not path.stat().st_size:
            raise Unreadable("decode_error", "the file is empty")
        path.open("rb").close()
    except OSError as error:
        raise Unreadable("decode_error", f"cannot be read: {error.strerror}") from None
    try:
        container = av.open(path, metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise Unreadable("decode_error", f"not a readable video: {error.strerror}") from None
    with container:
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]  # no cover art
        if not streams:
            raise Unreadable("no_video", "the file has no video stream")
        if streams[0].codec_context is None:
            raise Unreadable("decode_error", "no decoder for its codec")
        yield container, streams[0]


def _rate(stream: av.VideoStream) -> float:
    """Frames per second, 25 where nothing tells."""
    return float(stream.average_rate or stream.guessed_rate or 25)


class _Turner:
    """Turns pictures upright in their own pixel format, by the rotation that the first one carries."""

    STEPS: ClassVar = {
        90: [("transpose", "clock")],
        180: [("hflip", ""), ("vflip", "")],
        270: [("transpose", "cclock")],
    }

    def __init__(self, picture: av.VideoFrame) -> None:
        self.graph = av.filter.Graph()
        source = self.graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=picture.time_base
        )
        turn = round(-picture.rotation % 360 / 90) * 90 % 360
        steps = [self.graph.add(*step) for step in self.STEPS.get(turn, [("null", "")])]
        self.graph.link_nodes(source, *steps, self.graph.add("buffersink")).configure()

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        self.graph.vpush(picture)
        return self.graph.vpull()


def _scaled(picture: av.VideoFrame, max_side: int | None) -> av.VideoFrame:
    """The picture, its longer side at most `max_side` px and both sides even where it is scaled."""
    longer = max(picture.width, picture.height)
    if not max_side or longer <= max_side:
        return picture
    width, height = (max(2, side * max_side // longer // 2 * 2) for side in (picture.width, picture.height))
    return picture.reformat(width=width, height=height, interpolation=Interpolation.AREA | ROUNDED)


def _storage(picture: av.VideoFrame, crf: int) -> tuple[str, str]:
    """The codec that holds this picture without loss, and the pixel format it is handed over in."""
    name = picture.format.name
    for codec in ("libx264", "libx264rgb", "ffv1"):
        depth = max(component.bits for component in picture.format.components)
        odd = picture.width % 2 or picture.height % 2
        if codec == "libx264" and (odd or (depth > 8 and not crf) or not name.startswith("yuv")):
            continue  # it wants even sides, its qp 0 is lossless at 8 bits only, and it returns grey in another range
        if name in {form.name for form in av.Codec(codec, "w").video_formats or ()}:
            return codec, name
    return "libx264rgb", "rgb24"


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
