"""bombs: small files that would take hours, or all memory, if they were believed."""

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av


def film(path: Path, side: int, frames: int, times: list[float] | None = None, codec: str = "libx264") -> Path:
    """Black frames of side x side px, at 25 a second or at these times, s."""
    options = {"preset": "ultrafast", "threads": "1"} if codec == "libx264" else {}
    with av.open(path, "w") as file:
        stream = file.add_stream(codec, rate=25, options=options)
        stream.width = stream.height = side
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 1000)
        for i in range(frames):
            picture = _black(side)
            picture.pts, picture.time_base = round(1000 * (times[i] if times else i / 25)), Fraction(1, 1000)
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return path


def declared(path: Path, source: Path, side: int) -> Path:
    """A copy of an MP4 whose headers say side x side px: of its track, and of its first and only sequence."""
    content = bytearray(source.read_bytes())
    entry = content.index(b"avc1", content.index(b"stsd"))
    content[entry + 28 : entry + 32] = struct.pack(">HH", side, side)
    path.write_bytes(content)
    return path


def hours(path: Path, source: Path) -> Path:
    """A copy of an MP4 whose header says that it lasts 11 hours, though it has a few frames."""
    content = bytearray(source.read_bytes())
    for box, at in ((b"mvhd", 16), (b"mdhd", 16), (b"tkhd", 20)):
        place = content.index(box) + 4 + at
        content[place : place + 4] = struct.pack(">I", 40_000_000)  # ticks of 1 ms, or less
    path.write_bytes(content)
    return path


def png(path: Path, side: int) -> Path:
    """A black RGB picture."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    packer = zlib.compressobj()
    rows = b"".join(packer.compress(bytes(3 * side + 1)) for _ in range(side)) + packer.flush()
    size = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def webp(path: Path, side: int, frames: int) -> Path:
    """The head of a moving WebP picture, and frames that hold nothing."""
    canvas = (side - 1).to_bytes(3, "little") * 2
    chunks = _riff(b"VP8X", b"\x02\0\0\0" + canvas) + _riff(b"ANIM", bytes(6))
    chunks += frames * _riff(b"ANMF", bytes(6) + canvas + (40).to_bytes(3, "little") + b"\0")
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks)
    return path


def grows(path: Path, small: int, large: int) -> Path:
    """H.264 of small pictures, of which the last ones are large: no header says so."""
    path.write_bytes(_h264(small, 25) + _h264(large, 4))
    return path


def _riff(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def _black(side: int) -> av.VideoFrame:
    picture = av.VideoFrame(side, side, "yuv420p")
    for plane in picture.planes:
        plane.update(bytes(plane.buffer_size))
    return picture


def _h264(side: int, frames: int) -> bytes:
    coder = av.CodecContext.create("libx264", "w")
    coder.width = coder.height = side
    coder.pix_fmt, coder.time_base, coder.thread_count = "yuv420p", Fraction(1, 25), 1
    coder.options = {"preset": "ultrafast", "x264-params": "threads=1:ref=1"}
    packets = []
    for i in range(frames):
        picture = _black(side)
        picture.pts = i
        packets += coder.encode(picture)
    return b"".join(bytes(packet) for packet in [*packets, *coder.encode(None)])
