"""stills: pictures that FFmpeg does not show as they are, and Pillow does.

Those of phones (HEIC, AVIF), whose tiles FFmpeg gives one by one; TIFF that holds JPEG, of which it makes black.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.container
import numpy as np
from av.stream import Disposition

from deepfake.player.source import Unreadable

if TYPE_CHECKING:
    from PIL import Image

COMPRESSION, JPEG = 259, (6, 7)  # a tag of TIFF, and its numbers for JPEG


class Still:
    """Iterated, it gives the time, 0 s, and the picture, upright; a damaged one is not read in part."""

    corrupt = 0
    times = (0.0,)

    def __init__(self, path: Path, container: av.container.InputContainer) -> None:
        self.path = path
        ends = [entry.pos + entry.size for stream in container.streams.video for entry in stream.index_entries]
        if max(ends, default=0) > path.stat().st_size:  # libheif would paint what is not there
            raise Unreadable("decode_error", "the file ends before its picture does")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px, as stored; only the head is read. Raises Unreadable."""
        with self._opened() as picture:
            return picture.size

    def __iter__(self) -> Iterator[tuple[float, av.VideoFrame]]:
        from PIL import ImageOps

        with self._opened() as picture:
            image = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
        yield 0.0, av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")

    def loss(self, ended: bool = True) -> str:
        """What of it is lost: nothing."""
        return ""

    @contextmanager
    def _opened(self) -> "Iterator[Image.Image]":
        from PIL import Image  # a tenth of a second: for these pictures alone
        from pillow_heif import register_heif_opener

        register_heif_opener()
        try:
            with warnings.catch_warnings(action="ignore"), Image.open(self.path) as picture:
                yield picture
        except (OSError, ValueError, RuntimeError, SyntaxError, Image.DecompressionBombError) as error:
            raise Unreadable("decode_error", f"it does not decode: {error}") from None


def misread(path: Path, stream: av.VideoStream) -> bool:
    """Whether the stream is one tile of a larger picture, or JPEG in TIFF."""
    return bool(stream.disposition & Disposition.dependent) or (
        stream.codec_context.name == "tiff" and _compression(path) in JPEG
    )


def _compression(path: Path) -> int:
    """How a TIFF is packed, by its own number; 0 where it does not say."""
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            return int(getattr(picture, "tag_v2", {}).get(COMPRESSION, 0))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0  # FFmpeg says what is wrong with it
