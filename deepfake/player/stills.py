"""stills: pictures that FFmpeg does not show as they are, and Pillow does.

Those of phones (HEIC, AVIF), whose tiles FFmpeg gives one by one; TIFF that holds JPEG, of which it makes black; and
those with a colour profile other than sRGB (Display P3 of phones, Adobe RGB), whose values it takes for sRGB.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.container
import numpy as np
from av.stream import Disposition

from deepfake.player.source import IMAGES, Unreadable

if TYPE_CHECKING:
    from PIL import Image

PROFILES = (b"ICC_PROFILE\0", b"iCCP", b"ICCP", b"colrprof")  # before a profile in JPEG, PNG, WebP, HEIC and AVIF
HEAD = 2**20  # bytes of a file in which a profile is looked for
MODES = ("RGB", "RGBA", "CMYK")  # of pictures whose profile is applied
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
            image = np.asarray(_standard(ImageOps.exif_transpose(picture)))
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
    """Whether the stream is one tile of a larger picture, JPEG in TIFF, or a picture whose profile is to be applied."""
    tiff = stream.codec_context.name == "tiff"
    return (
        bool(stream.disposition & Disposition.dependent)
        or (tiff and _compression(path) in JPEG)
        or (path.suffix.lower() in IMAGES and _profiled(path, tiff))
    )


def _profiled(path: Path, tiff: bool) -> bool:
    """Whether a picture has a profile, other than sRGB, that is applied."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not tiff and not any(mark in head for mark in PROFILES):
        return False
    from PIL import Image
    from pillow_heif import register_heif_opener

    register_heif_opener()
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            return not getattr(picture, "is_animated", False) and _profile(picture) is not None
    except (OSError, ValueError, RuntimeError, SyntaxError, Image.DecompressionBombError):
        return False  # FFmpeg says what is wrong with it


def _profile(picture: "Image.Image") -> Any:
    """The profile of a picture that is to be applied; None where it has none, or sRGB, or one that is broken."""
    from PIL import ImageCms

    content = picture.info.get("icc_profile")
    if not content or picture.mode not in MODES:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        return None if "srgb" in ImageCms.getProfileDescription(profile).lower() else profile
    except (ImageCms.PyCMSError, OSError):
        return None


def _standard(picture: "Image.Image") -> "Image.Image":
    """The picture as RGB of sRGB."""
    from PIL import ImageCms

    if (profile := _profile(picture)) is not None:
        plain = picture.convert("RGB") if picture.mode == "RGBA" else picture
        with suppress(ImageCms.PyCMSError):  # of other colours than the picture: its values are shown as they are
            shown = ImageCms.profileToProfile(plain, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            assert shown is not None  # it is a new picture
            return shown
    return picture.convert("RGB")


def _compression(path: Path) -> int:
    """How a TIFF is packed, by its own number; 0 where it does not say."""
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            return int(getattr(picture, "tag_v2", {}).get(COMPRESSION, 0))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0  # FFmpeg says what is wrong with it
