"""films: small videos of every odd kind that real collections hold, and what is no video."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from deepfake.video import Images

TURNS = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}  # degrees clockwise: a display matrix, by rows


def film(
    path: Path,
    images: Images,
    *,
    times: list[float] | None = None,  # s; 25 frames a second without
    form: str = "yuv420p",
    codec: str = "libx264",
    container: dict[str, str] | None = None,
    tick: int = 1000,  # of the clock, in a second
    **options: str,
) -> Path:
    with av.open(path, "w", options=container or {}) as file:
        stream = file.add_stream(codec, rate=25, options={"crf": "18", "threads": "1"} | options)
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], form
        stream.codec_context.time_base = Fraction(1, tick)
        for i, image in enumerate(images):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(format=form)
            picture.pts, picture.time_base = round(tick * (times[i] if times else i / 25)), Fraction(1, tick)
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return path


def with_sound(path: Path, images: Images, codec: str) -> Path:
    """A video at 10 frames a second whose sound is a beep of as long."""
    with av.open(path, "w") as file:
        stream, sound = file.add_stream("libx264", rate=10), file.add_stream(codec, rate=16000)
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], "yuv420p"
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())
        wave = (8000 * np.sin(np.arange(1600 * len(images)) * 0.2)).astype(np.int16)
        beep = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        beep.sample_rate = 16000
        file.mux(sound.encode(beep))
        file.mux(sound.encode())
    return path


def turned(path: Path, target: Path, degrees: int) -> Path:
    """The track header of an MP4 file ends in its display matrix and its size: 9 and 2 numbers of 4 bytes."""
    content = bytearray(path.read_bytes())
    size, start = int.from_bytes(content[(at := content.index(b"tkhd")) - 4 : at]), at - 4
    a, b, c, d = (int(number * 2**16).to_bytes(4, signed=True) for number in TURNS[degrees])
    zero, unit = bytes(4), (2**30).to_bytes(4)
    content[start + size - 44 : start + size - 8] = b"".join((a, b, zero, c, d, zero, zero, zero, unit))
    target.write_bytes(content)
    return target


def remuxed(path: Path, target: Path) -> Path:
    with av.open(path) as file, av.open(target, "w") as copy:
        stream = copy.add_stream_from_template(file.streams.video[0])
        for packet in file.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    return target


def odd(kind: str, path: Path, head: Images) -> Path:
    match kind:
        case "plain":
            return film(path, head)
        case "variable rate":
            return film(path, head, times=[0.01 * i**2 for i in range(len(head))])
        case "10 bit":
            return film(path, head, form="yuv420p10le")
        case "odd sides":
            return film(path, head[:, :-1, :-3], codec="mpeg4", qscale="2")
        case "grey":
            return film(path, head, codec="ffv1", form="gray", container={"strict": "-2"})
        case "one frame":
            return film(path, head[:1])
        case "tiny":
            return film(path, head[:, ::8, ::8])
        case "black":
            return film(path, np.zeros_like(head))
        case "sideways":  # but for its display matrix
            return turned(film(path, np.rot90(head, axes=(1, 2))), path, 90)
        case "leaves":  # the face, to the left, out of the picture from the 5th frame on
            shown = [np.roll(image, -40 * i, 1) if i < 4 else np.zeros_like(image) for i, image in enumerate(head)]
            return film(path, np.stack(shown))
        case "4K":
            big = np.repeat(np.repeat(head, 8, 1), 8, 2)
            return film(path, np.pad(big, ((0, 0), (56, 56), (896, 896), (0, 0))), preset="ultrafast")
        case "cover":
            return _with_cover(path, head)
        case "truncated":
            return _cut(film(path, head, container={"movflags": "faststart"}, g="1"))
        case "no index":  # it comes last, and is cut off
            return _cut(film(path, head))
        case "holes":
            return _with_holes(path, head)
        case "sound":
            return _sound(path)
    content = {"empty": b"", "text": b"not a video\n", "random": np.random.default_rng(0).bytes(4096)}
    path.write_bytes(content[kind])
    return path


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    return path


def _with_cover(path: Path, images: Images) -> Path:
    """A white picture of 32 px comes first, as the cover of the video."""
    with av.open(path, "w") as file:
        cover, stream = file.add_stream("mjpeg", rate=1), file.add_stream("libx264", rate=25)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 32, 32, "yuvj420p", Disposition.attached_pic
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], "yuv420p"
        white = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 255, np.uint8), format="rgb24")
        file.mux([*cover.encode(white.reformat(format="yuvj420p")), *cover.encode()])
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())
    return path


def _with_holes(path: Path, images: Images) -> Path:
    """Motion JPEG, each frame a file of its own; the bytes of frames 2, 3, 7, 8 and 9 are lost."""
    with av.open(film(path, images, codec="mjpeg", form="yuvj420p", qscale="2")) as file:
        places = [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for i in (2, 3, 7, 8, 9):
        start, size = places[i]
        content[start : start + size] = bytes(size)
    path.write_bytes(content)
    return path


def _sound(path: Path) -> Path:
    with av.open(path, "w") as file:
        stream = file.add_stream("aac", rate=44100, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44100
        file.mux([*stream.encode(silence), *stream.encode()])
    return path
