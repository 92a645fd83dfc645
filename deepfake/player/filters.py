"""filters: FFmpeg's filters, one after the other, over pictures that are all of one kind."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import av
import av.error
import av.filter
from av.video.reformatter import Interpolation

Step = tuple[str, str]  # the name of a filter and its arguments
# the default conversion rounds differently from one processor to the next
ROUNDED = Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT
EXACT = Interpolation.BILINEAR | ROUNDED
PLANAR = {  # the planar format of the same values
    **{"nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "nv42": "yuv444p"},
    **{"yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p", "uyyvyy411": "yuv411p"},
    **{"p010le": "yuv420p10le", "p210le": "yuv422p10le", "y210le": "yuv422p10le", "v30xle": "yuv444p10le"},
}


class Kind(NamedTuple):
    """What a chain of filters relies on: it has to be built anew where this changes."""

    width: int  # px
    height: int  # px
    form: str  # pixel format
    colorspace: int  # the matrix, as FFmpeg counts them
    color_range: int


def kind(picture: av.VideoFrame) -> Kind:
    """The kind of a picture."""
    return Kind(picture.width, picture.height, picture.format.name, picture.colorspace, picture.color_range)


def reformatted(picture: av.VideoFrame, **how: Any) -> av.VideoFrame:
    """The picture in another size, pixel format or range of levels, as PyAV's `reformat` is told.

    By one thread: videos are read side by side, and a thread for each core, begun anew for each picture, costs more
    than a small picture does.
    """
    return picture.reformat(**how, threads=1)


def planar(picture: av.VideoFrame, square: bool = False) -> av.VideoFrame:
    """The picture in a pixel format that filters take as it is: planar, or grey; elsewhere they convert unasked.

    With `square`, its colours are as coarse from top to bottom as from left to right, so that it can be turned.
    """
    form = picture.format
    name = PLANAR.get(form.name, form.name)
    if (
        form.has_palette
        or form.is_bit_stream
        or (name == form.name and not form.is_planar and len(form.components) > 1)
    ):
        name = "gbrp16le" if max(part.bits for part in form.components) > 8 else "gbrp"
    if square and name.startswith("yuv"):
        name = re.sub("422|440|411", "444", name)
    return picture if name == form.name else reformatted(picture, format=name, interpolation=EXACT)


class Chain:
    """Filters for pictures of one kind."""

    def __init__(self, picture: av.VideoFrame, steps: Sequence[Step]) -> None:
        self.kind = kind(picture)
        self.steps = list(steps)
        self.form = picture.format.name
        self.graph = av.filter.Graph()
        self.graph.threads = 1  # as in reformatted
        source = self.graph.add(
            "buffer",
            video_size=f"{picture.width}x{picture.height}",
            pix_fmt=self.form,
            time_base=str(picture.time_base or "1/1000"),
            colorspace=str(int(picture.colorspace)),
            range=str(int(picture.color_range)),
        )
        nodes = [self.graph.add(*step) for step in steps]
        self.graph.link_nodes(source, *nodes, self.graph.add("buffersink")).configure()

    def fits(self, picture: av.VideoFrame, steps: Sequence[Step]) -> bool:
        """Whether the chain is of these filters and for such a picture."""
        return self.kind == kind(picture) and self.steps == list(steps)

    def push(self, picture: av.VideoFrame | None) -> None:
        """Hand in the next picture, or None for the end."""
        self.graph.vpush(picture)

    def ready(self) -> Iterator[av.VideoFrame]:
        """The pictures that are done, in order."""
        while True:
            try:
                yield self.graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def filtered(picture: av.VideoFrame, steps: Sequence[Step], chain: Chain | None = None) -> tuple[av.VideoFrame, Chain]:
    """The picture through the filters, none of which waits for the next one; and the chain, for pictures alike."""
    chain = chain if chain and chain.fits(picture, steps) else Chain(picture, steps)
    chain.push(picture)
    return next(chain.ready()), chain
