"""frame: one picture of a video as arrays: in colour, in grey, or its planes as they are."""

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation

from deepfake.player.filters import EXACT, ROUNDED, reformatted

Images = np.ndarray[Any, np.dtype[np.uint8]]

# the levels 16 to 235 of limited range, as 0 to 255
WIDENED = np.clip((255 * (np.arange(256) - 16) + 109) // 219, 0, 255).astype(np.uint8)


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
        return np.ascontiguousarray(reformatted(self.picture, format="rgb24", interpolation=EXACT).to_ndarray())

    def grey(self, side: int | None = None) -> Images:
        """(H, W) uint8: brightness by the picture's own matrix, black 0 and white 255, contiguous.

        With a `side`, squeezed to a square of that side, each pixel the mean of an area.
        No colours are converted where the picture has them apart from its brightness (YUV, grey).
        """
        if side:
            small = reformatted(
                self.picture, width=side, height=side, format="gray", interpolation=Interpolation.AREA | ROUNDED
            )
            return np.asarray(small.to_ndarray(), np.uint8)
        form = self.picture.format
        if form.is_planar and form.name.startswith(("yuv", "nv")) and form.components[0].bits == 8:
            full = form.name.startswith("yuvj") or self.picture.color_range == ColorRange.JPEG
            luma = self.planes()[0]
            return np.ascontiguousarray(luma if full else WIDENED[luma])
        red, green, blue = (part.astype(np.uint32) for part in np.moveaxis(self.rgb(), -1, 0))
        return np.asarray((299 * red + 587 * green + 114 * blue + 500) // 1000, np.uint8)

    def planes(self) -> list[Images]:
        """The bytes of each plane, (height, bytes of a line) uint8, without what pads the lines.

        Of a picture whose values share a plane (packed, or with a palette) those of its RGB.
        """
        picture, form = self.picture, self.picture.format
        if not form.is_planar and len(form.components) > 1:
            deep = max(component.bits for component in form.components) > 8
            picture = reformatted(picture, format="gbrp16le" if deep else "gbrp", interpolation=EXACT)
        elif form.has_palette or form.is_bit_stream:
            picture = reformatted(picture, format="gbrp", interpolation=EXACT)
        lengths = [0] * len(picture.planes)  # bytes of a line
        for part in picture.format.components:
            lengths[part.plane] += part.width * ((part.bits + 7) // 8)
        whole = [np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, -1) for plane in picture.planes]
        return [lines[:, :length] for lines, length in zip(whole, lengths, strict=True)]
