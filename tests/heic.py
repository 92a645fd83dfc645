"""heic: pictures as phones store them, of HEVC tiles beside a thumbnail, written box by box.

Source: ISO/IEC 23008-12 (HEIF), annex B for HEVC.
"""

import struct
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np

from deepfake.video import Images


def box(name: str, *parts: bytes, full: int | None = None) -> bytes:
    """A box; `full`: with this version and flags."""
    body = (b"" if full is None else struct.pack(">I", full)) + b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name.encode() + body


def coded(image: Images) -> tuple[bytes, bytes]:
    """An image of even sides as HEVC: its hvcC box, and its one sample."""
    coder = cast(av.VideoCodecContext, av.CodecContext.create("libx265", "w"))
    coder.height, coder.width, coder.pix_fmt, coder.time_base = *image.shape[:2], "yuv420p", Fraction(1, 25)
    coder.options = {"x265-params": "crf=4:log-level=none:info=0:repeat-headers=1"}
    packets = coder.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"))
    stream = b"".join(map(bytes, [*packets, *coder.encode(None)]))
    units = [unit.rstrip(b"\0") for unit in stream.split(b"\0\0\1")[1:]]
    sets = [unit for unit in units if unit[0] >> 1 in (32, 33, 34)]  # of the video, the sequence, the picture
    profile = sets[1].replace(b"\0\0\3", b"\0\0")[3:15]
    head = b"\1" + profile + b"\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f" + bytes([len(sets)])
    arrays = b"".join(struct.pack(">BHH", unit[0] >> 1, 1, len(unit)) + unit for unit in sets)
    sample = b"".join(struct.pack(">I", len(unit)) + unit for unit in units if unit not in sets)
    return box("hvcC", head + arrays), sample


def tiled(path: Path, image: Images, rows: int, columns: int, *, turned: bool = False, thumbnail: bool = True) -> Path:
    """Write the image, whose sides are even numbers of tiles, as a grid; `turned`: 90 degrees anticlockwise to show."""
    height, width = image.shape[0] // rows, image.shape[1] // columns
    pieces = [image[r * height :, c * width :][:height, :width] for r in range(rows) for c in range(columns)]
    sizes = [(width, height)] * len(pieces)
    if thumbnail:
        pieces.append(image[::4, ::4])
        sizes.append((pieces[-1].shape[1], pieces[-1].shape[0]))
    items = [coded(piece) for piece in pieces]
    ids = list(range(2, 2 + len(items)))
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, image.shape[1], image.shape[0])

    def entry(number: int, kind: bytes, hidden: bool) -> bytes:
        return box("infe", struct.pack(">HH", number, 0), kind + b"\0", full=2 << 24 | hidden)

    tiles = ids[: rows * columns]
    properties = [header for header, _ in items]
    properties += [
        box("ispe", struct.pack(">II", *size), full=0) for size in [*sizes, (image.shape[1], image.shape[0])]
    ]
    properties += [box("irot", b"\1")] if turned else []
    whole = [2 * len(items) + 1, *([len(properties)] if turned else [])]
    uses = [(1, whole)] + [(number, [1 + i, 1 + len(items) + i]) for i, number in enumerate(ids)]
    used = b"".join(
        struct.pack(">HB", number, len(places)) + bytes(0x80 | p for p in places) for number, places in uses
    )
    references = box("dimg", struct.pack(f">HH{len(tiles)}H", 1, len(tiles), *tiles))
    references += box("thmb", struct.pack(">HHH", ids[-1], 1, 1)) if thumbnail else b""

    def meta(start: int) -> bytes:
        places, at = [(1, 1, 0, len(grid))], start
        for number, (_, sample) in zip(ids, items, strict=True):
            places.append((number, 0, at, len(sample)))
            at += len(sample)
        where = b"".join(struct.pack(">HHHHII", number, way, 0, 1, place, size) for number, way, place, size in places)
        return box(
            "meta",
            box("hdlr", b"\0\0\0\0pict" + bytes(13), full=0),
            box("pitm", struct.pack(">H", 1), full=0),
            box("iloc", b"\x44\0", struct.pack(">H", len(places)), where, full=1 << 24),
            box(
                "iinf",
                struct.pack(">H", 1 + len(ids)),
                entry(1, b"grid", hidden=False),
                *(entry(number, b"hvc1", hidden=number in tiles) for number in ids),
                full=0,
            ),
            box("iref", references, full=0),
            box("iprp", box("ipco", *properties), box("ipma", struct.pack(">I", len(uses)), used, full=0)),
            box("idat", grid),
            full=0,
        )

    kind = box("ftyp", b"heic", bytes(4), b"mif1heic")
    start = len(kind) + len(meta(0)) + 8
    path.write_bytes(kind + meta(start) + box("mdat", *(sample for _, sample in items)))
    return path
