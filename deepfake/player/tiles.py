"""tiles: pictures of phones (HEIC, AVIF) whose tiles FFmpeg gives one by one, and Pillow as the picture they make."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.container
import numpy as np
from av.stream import Disposition

from deepfake.player.source import Unreadable

if TYPE_CHECKING:
    from PIL import Image


class Tiles:
    """Iterated, it gives the time, 0 s, and the picture, upright; a damaged one is not read in part."""

    corrupt = 0
    times = (0.0,)

    def __init__(self, path: Path, container: av.container.InputContainer) -> None:
        self.path = path
        ends = [entry.pos + entry.size for stream in container.streams.video for entry in stream.index_entries]
        if max(ends, default=0) > path.stat().st_size:  # libheif would paint what is not there
            raise Unreadable("decode_error", "the file ends before its tiles do")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px, as stored; only the head is read. Raises Unreadable."""
        with self._opened() as picture:
            return picture.size

    def __iter__(self) -> Iterator[tuple[float, av.VideoFrame]]:
        from PIL import ImageOps

        with self._opened() as picture:
            try:
                image = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
            except (OSError, ValueError, RuntimeError) as error:
                raise Unreadable("decode_error", f"its tiles do not decode: {error}") from None
        yield 0.0, av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")

    def loss(self, ended: bool = True) -> str:
        """What of it is lost: nothing."""
        return ""

    def _opened(self) -> "Image.Image":
        from PIL import Image  # a tenth of a second: for these pictures alone
        from pillow_heif import register_heif_opener

        register_heif_opener()
        try:
            return Image.open(self.path)
        except (OSError, ValueError, RuntimeError, SyntaxError, Image.DecompressionBombError) as error:
            raise Unreadable("decode_error", f"its tiles make no picture: {error}") from None


def tiled(stream: av.VideoStream) -> bool:
    """Whether the stream is one tile of a larger picture."""
    return bool(stream.disposition & Disposition.dependent)
