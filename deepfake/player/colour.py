"""colour: pictures of a high dynamic range (PQ, HLG) or a wide gamut, as a BT.709 screen of standard range shows them.

Light is scaled so that the white of paper (203 cd/m2) is the screen's white; what is brighter, up to 1000 cd/m2, is
rolled off (BT.2390), by the brightest of red, green and blue, so that hues stay; colours outside of BT.709 are clipped.
Sources: ITU-R BT.2100-2 (PQ, HLG), BT.2390-10 5.4.1 (roll-off), BT.2408-7 (203 cd/m2), BT.2087 and BT.1886.

A picture that does not say by which matrix its YUV is meant is of BT.709 where it is large, else of BT.601, as players
take it.

All arithmetic on pixels is single operations of float64, which round alike everywhere, and tables; powers are taken
in the tables alone.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from deepfake.player.filters import EXACT, reformatted
from deepfake.player.frame import Images

PAPER = 203.0  # cd/m2, diffuse white
PEAK = 1000.0  # cd/m2, of the brightest light that is told apart
GAMMA = 2.4  # of a screen, BT.1886
DEEP = 2**16  # levels of a stored value
FINE = 2**14  # entries of a table over light, whose root is looked up: dark levels lie close together
ROWS = 64  # of a picture at a time: what they need fits the processor's cache
HIGH: dict[int, str] = {ColorTrc.SMPTE2084: "pq", ColorTrc.ARIB_STD_B67: "hlg"}
LUMA = (0.2627, 0.6780, 0.0593)  # of BT.2020
P3 = (  # of a screen, whose white is that of BT.709
    (1.224940, -0.224940, 0.0),
    (-0.042057, 1.042057, 0.0),
    (-0.019638, -0.078636, 1.098274),
)
WIDE: dict[int, tuple[tuple[float, float, float], ...]] = {  # light of these primaries -> light of BT.709's
    ColorPrimaries.BT2020: (
        (1.660491, -0.587641, -0.072850),
        (-0.124550, 1.132900, -0.008349),
        (-0.018151, -0.100579, 1.118730),
    ),
    ColorPrimaries.SMPTE431: P3,
    ColorPrimaries.SMPTE432: P3,
}
YUV = ("yuv", "nv", "p0", "p2", "p4", "y2", "uyvy", "yvyu", "ya")  # how the names of such formats begin
SAME = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
LARGE = 1280, 576  # px: from this width on, and above this height
BT709, UNSAID = 1, 2  # matrices, as streams count them; UNSAID is RGB's, too
DIGITS = 7  # of the tables' entries: no machine's powers are so far apart that one is rounded to another number

Light = np.ndarray[Any, np.dtype[np.float64]]


def transfer(picture: av.VideoFrame) -> str:
    """The name of a picture's transfer function: pq, hlg, bt709 ...; "" where it is not said."""
    return HIGH.get(picture.color_trc) or _name(ColorTrc, picture.color_trc)


def primaries(picture: av.VideoFrame) -> str:
    """The name of a picture's primaries: bt709, bt2020, smpte432 ...; "" where they are not said."""
    return _name(ColorPrimaries, picture.color_primaries)


def assumed(picture: av.VideoFrame) -> av.VideoFrame:
    """The picture, which from now on says its matrix where it is large."""
    if picture.colorspace == UNSAID and large(picture.width, picture.height) and picture.format.name.startswith(YUV):
        picture.colorspace = BT709
    return picture


def large(width: int, height: int) -> bool:
    """Whether players take a picture of this size for one of BT.709."""
    return width >= LARGE[0] or height > LARGE[1]


def encodable(image: Images) -> av.VideoFrame:
    """An (H, W, 3) uint8 RGB image of even sides as yuv420p of limited range, by the matrix of its size."""
    how: dict[str, Any] = {"format": "yuv420p", "dst_color_range": ColorRange.MPEG, "interpolation": EXACT}
    high_definition = large(image.shape[1], image.shape[0])
    how |= {"dst_colorspace": Colorspace.ITU709} if high_definition else {}
    picture = reformatted(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"), **how)
    if high_definition:
        picture.colorspace = BT709
    return picture


def standard(picture: av.VideoFrame) -> av.VideoFrame:
    """The picture in BT.709 and of standard range: itself where it is, else as 8-bit RGB."""
    curve, gamut = HIGH.get(picture.color_trc, ""), picture.color_primaries
    if not curve and gamut not in WIDE:
        return picture
    if gamut == ColorPrimaries.UNSPECIFIED:
        gamut = ColorPrimaries.BT2020  # which PQ and HLG go with
    deep = reformatted(picture, format="gbrp16le", interpolation=EXACT)  # to rgb48le, 4:2:0 loses its colours
    planes = [np.frombuffer(bytes(plane), np.uint16).reshape(deep.height, -1) for plane in deep.planes]
    values = np.stack([planes[place][:, : deep.width] for place in (2, 0, 1)], axis=-1)
    shown = np.empty(values.shape, np.uint8)
    for top in range(0, deep.height, ROWS):
        shown[top : top + ROWS] = _shown(values[top : top + ROWS], curve, gamut)
    frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
    if picture.time_base is not None:
        frame.pts, frame.time_base = picture.pts, picture.time_base
    return frame


def _shown(values: np.ndarray[Any, np.dtype[np.uint16]], curve: str, gamut: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(h, w, 3) uint16 RGB by a curve ("" for a screen's) and primaries -> uint8 RGB of BT.709."""
    light: list[Light] = [_decoded(curve)[values[..., i]] for i in range(3)]  # 1 is the white of paper
    if curve == "hlg":
        scene = _mixed(light, LUMA)
        gain = _over(_system_gain, scene)
        light = [part * gain for part in light]
    light = [np.maximum(_mixed(light, row), 0.0) for row in WIDE.get(gamut, SAME)]
    if curve:
        brightest = np.maximum(np.maximum(light[0], light[1]), light[2])
        gain = _over(_roll_off, brightest * (PAPER / PEAK))
        light = [part * gain for part in light]
    return np.stack([_over(_encoded, part) for part in light], axis=-1).astype(np.uint8)


def _mixed(light: list[Light], row: tuple[float, float, float]) -> Light:
    return light[0] * row[0] + light[1] * row[1] + light[2] * row[2]


def _over(table: Callable[[], Light], light: Light) -> Light:
    """The table's entries at some light, of which 1 is the most it knows."""
    return table()[np.minimum(np.sqrt(light) * FINE + 0.5, FINE).astype(np.intp)]


def _entries() -> list[float]:
    return [(i / FINE) ** 2 for i in range(FINE + 1)]


@cache
def _decoded(curve: str) -> Light:
    """Light for each stored value: of paper's white for PQ and a screen, of the scene (1 the most) for HLG."""
    decodes: dict[str, Callable[[float], float]] = {
        "pq": lambda value: pq_light(value) / PAPER,
        "hlg": hlg_scene,
        "": lambda value: float(value**GAMMA),
    }
    decode = decodes[curve]
    return np.array([round(decode(i / (DEEP - 1)), DIGITS) for i in range(DEEP)])


@cache
def _system_gain() -> Light:
    """What makes HLG's light of the scene, by its luma, that of a screen of 1000 cd/m2, in paper's white."""
    return np.array([round(PEAK / PAPER * max(luma, 1e-9) ** 0.2, DIGITS) for luma in _entries()])


@cache
def _roll_off() -> Light:
    """By how much light is dimmed, by the brightest of its colours (1 is PEAK)."""
    return np.array([round(rolled(x * PEAK) / (x * PEAK) if x else 1.0, DIGITS) for x in _entries()])


@cache
def _encoded() -> Light:
    """The 8-bit level of light on a screen."""
    return np.array([float(round(255 * light ** (1 / GAMMA))) for light in _entries()])


def pq_light(value: float) -> float:
    """cd/m2 of a PQ value in [0, 1]. Source: BT.2100-2, table 4."""
    root = value ** (1 / 78.84375)
    return float(10000 * (max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125))


def pq_value(light: float) -> float:
    """The PQ value in [0, 1] of light in cd/m2."""
    power = (light / 10000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def hlg_scene(value: float) -> float:
    """Light of the scene in [0, 1] of an HLG value in [0, 1]. Source: BT.2100-2, table 5."""
    if value <= 0.5:
        return value * value / 3
    return (math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12


def rolled(light: float) -> float:
    """cd/m2 that show light of up to PEAK on a screen of PAPER's. Source: BT.2390-10, 5.4.1, black at 0."""
    most = pq_value(PEAK)
    value, target = min(pq_value(light) / most, 1.0), pq_value(PAPER) / most
    knee = 1.5 * target - 0.5
    if value > knee:
        t = (value - knee) / (1 - knee)
        value = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * target
    return pq_light(value * most)


def _name(kinds: Any, number: int) -> str:
    known = {kind.value: kind.name.lower() for kind in kinds}
    return "" if number == kinds.UNSPECIFIED else str(known.get(number, number))
