"""frame: one picture of a video as arrays: in colour, whole or in parts, in grey, or its planes as they are."""

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Interpolation

from deepfake.player.filters import EXACT, ROUNDED, filtered, reformatted

Images = np.ndarray[Any, np.dtype[np.uint8]]

AROUND = 4  # px beside a part that are converted with it: the next one is often near
EDGE = 4  # px beside these: what their colours are made of
PARTED = {"yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p"}  # formats of which parts are converted

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

    def view(self) -> "View":
        """The same, for those who look at parts of it."""
        return View(self)

    def sampled(self, side: int) -> Images:
        """(side, side, 3) uint8 RGB: the pixels of a grid over the frame."""
        small = reformatted(
            self.picture, width=side, height=side, format="rgb24", interpolation=Interpolation.POINT | ROUNDED
        )
        return np.asarray(small.to_ndarray(), np.uint8)

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


class View:
    """A frame's (H, W, 3) uint8 RGB, converted where it is looked at: view[top:bottom, left:right]."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        height, width = frame.picture.height, frame.picture.width
        self.shape = (height, width, 3)
        self.box = (width, height, 0, 0)  # left, top, right, bottom of what is converted: nothing
        self.pixels: Images

    def __getitem__(self, place: tuple[slice, slice]) -> Images:
        """The part, with the bytes that it has in the whole; not to be written to."""
        (top, bottom, _), (left, right, _) = (part.indices(side) for part, side in zip(place, self.shape, strict=False))
        x, y, right_, bottom_ = self.box
        if left < x or top < y or right > right_ or bottom > bottom_:
            x, y, *_ = self._convert(min(left, x), min(top, y), max(right, right_), max(bottom, bottom_))
        return self.pixels[top - y : bottom - y, left - x : right - x]

    def _convert(self, left: int, top: int, right: int, bottom: int) -> tuple[int, int, int, int]:
        """Convert the part and what is around it, or all where that is not much more; the new box."""
        picture, (height, width, _) = self.frame.picture, self.shape
        left, top = max(0, left - AROUND), max(0, top - AROUND)
        right, bottom = min(width, right + AROUND), min(height, bottom + AROUND)
        small = 2 * (right - left) * (bottom - top) < width * height
        if small and picture.format.name in PARTED and not (width % 2 or height % 2):
            x, y = (max(0, edge - EDGE) // 2 * 2 for edge in (left, top))
            wide, high = (min(width, right + EDGE) - x + 1) // 2 * 2, (min(height, bottom + EDGE) - y + 1) // 2 * 2
            part, _ = filtered(picture, [("crop", f"{wide}:{high}:{x}:{y}")])
            self.pixels = Frame(0, 0.0, part).rgb()[top - y : bottom - y, left - x : right - x]
            self.box = (left, top, right, bottom)
        else:
            self.pixels, self.box = self.frame.rgb(), (0, 0, width, height)
        return self.box
