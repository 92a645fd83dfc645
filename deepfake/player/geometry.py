"""geometry: a picture as it is to be looked at: its pixels square, mirrored and turned as its file says."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.sidedata.sidedata import Type

from deepfake.player.filters import Chain, Step, filtered, planar

WIDEST = 4  # a sample aspect ratio above this, or below its inverse, is a slip of the header: the pixels are square
SLIGHT = 0.01  # as is one so near to 1, where a header has rounded
TURNS = {  # (mirrored, degrees clockwise): a, b, c, d of x' = ax + cy, y' = bx + dy, with y downwards
    (False, 0): (1, 0, 0, 1),
    (False, 90): (0, 1, -1, 0),
    (False, 180): (-1, 0, 0, -1),
    (False, 270): (0, -1, 1, 0),
    (True, 0): (-1, 0, 0, 1),
    (True, 90): (0, -1, -1, 0),
    (True, 180): (1, 0, 0, -1),
    (True, 270): (0, 1, 1, 0),
}
STEPS: dict[tuple[bool, int], list[Step]] = {
    (False, 0): [],
    (False, 90): [("transpose", "clock")],
    (False, 180): [("hflip", ""), ("vflip", "")],
    (False, 270): [("transpose", "cclock")],
    (True, 0): [("hflip", "")],
    (True, 90): [("transpose", "clock_flip")],
    (True, 180): [("vflip", "")],
    (True, 270): [("transpose", "cclock_flip")],
}
# vflip hands on lines that lie backwards in memory; so does a raw AVI file, whose pictures stand on their heads
COPY: Step = ("copy", "")
SHAPE = f"if(between(sar,1/{WIDEST},{WIDEST})*gt(abs(sar-1),{SLIGHT}),sar,1)"  # sar: that of each picture
SQUARE: Step = (  # the shorter side of a pixel grows: nothing is lost
    "scale",
    f"w='if(gt({SHAPE},1),2*round(iw*sar/2),iw)':h='if(lt({SHAPE},1),2*round(ih/sar/2),ih)'"
    ":eval=frame:flags=bicubic+accurate_rnd+bitexact+full_chroma_int",
)
# what PyAV has no name for (EXIF, the views of a stereo film) makes it refuse all that comes with a picture
NAMED: list[int] = sorted(cast(int, kind.value) for kind in cast(Any, Type))
UNNAMED: list[Step] = [
    ("sidedata", f"mode=delete:type={number}") for number in sorted(set(range(NAMED[-1] + 8)) - set(NAMED))
]
PROFILE: Step = ("sidedata", f"mode=delete:type={cast(Any, Type).ICC_PROFILE.value}")


@dataclass(frozen=True)
class Turn:
    """How a stored picture is brought upright: mirrored left to right where so, then turned clockwise."""

    mirrored: bool = False
    rotation: int = 0  # degrees: 0, 90, 180 or 270


def turn_of(picture: av.VideoFrame, profiled: bool = False) -> Turn:
    """What the display matrix of a picture asks for, to the nearest quarter of a turn; nothing where it has none.

    `profiled`: a colour profile may come with it that is not to be touched.
    """
    try:
        alone = filtered(picture, [*UNNAMED, PROFILE])[0] if profiled else picture
        beside = cast(Mapping[Type, Any], alone.side_data)
    except ValueError:
        beside = cast(Mapping[Type, Any], filtered(picture, UNNAMED)[0].side_data)
    if Type.DISPLAYMATRIX not in beside:
        return Turn()
    matrix = np.frombuffer(bytes(beside[Type.DISPLAYMATRIX]), np.int32).reshape(3, 3)[:2, :2].astype(float)
    lengths = np.linalg.norm(matrix, axis=1)
    if not lengths.all():
        return Turn()  # it would show nothing
    likeness = {turn: float((matrix / lengths[:, None]).ravel() @ target) for turn, target in TURNS.items()}
    return Turn(*max(likeness, key=likeness.__getitem__))


def square(aspect: Fraction | None) -> Fraction:
    """The sample aspect ratio that is applied: 1 where there is none, or one that no camera has."""
    usable = aspect is not None and 1 / WIDEST <= aspect <= WIDEST and abs(aspect - 1) > SLIGHT
    return aspect if aspect is not None and usable else Fraction(1)


class Upright:
    """Brings pictures upright and to square pixels, each as it says of itself, in its own pixel format."""

    def __init__(self, aspect: Fraction | None = None) -> None:
        self.aspect = aspect  # of the container, which rules over that of the pictures
        self.profiled = False  # whether a picture may come with a colour profile that is not to be touched
        self.oblong = aspect is not None  # whether any picture may have pixels that are not square
        self.squaring: Chain | None = None
        self.turning: Chain | None = None

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        turn = turn_of(picture, self.profiled)
        if self.oblong:
            own = [("setsar", f"sar={self.aspect.numerator}/{self.aspect.denominator}")] if self.aspect else []
            picture, self.squaring = filtered(planar(picture), [*own, SQUARE], self.squaring)
        steps = STEPS[turn.mirrored, turn.rotation]  # in a chain of their own: they take no other size than the first
        if (turn.mirrored, turn.rotation) == (True, 180) or picture.planes[0].line_size < 0:
            steps = [*steps, COPY]
        if steps:
            square = turn.rotation in (90, 270)
            picture, self.turning = filtered(planar(picture, square=square), steps, self.turning)
        return picture
