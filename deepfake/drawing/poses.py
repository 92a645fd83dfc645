"""poses: how a drawn head moves while it talks, and the picture of it in each pose."""

from dataclasses import dataclass

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.drawing.brushes import Grid, bump, mix, over, radius, sine, step, stroke
from deepfake.drawing.heads import LEFT, MARGIN, SCALE, TOP, Head
from deepfake.video import Images

COARSE = 64  # side of the grid on which the turned head is solved
PIVOT = 0.95  # y of the point about which it turns
EYE, MOUTH = (0.25, 0.19), (0.4, 0.3)  # half extents of what is redrawn in every frame, head units


@dataclass(frozen=True)
class Pose:
    """Of one frame: angles in radians, shifts in head units."""

    yaw: float
    pitch: float
    roll: float
    head: tuple[float, float]  # shift
    body: tuple[float, float]  # shift
    camera: tuple[float, float]  # shift of the whole picture
    gaze: tuple[float, float]  # [-1, 1]
    jaw: float  # 0 closed, 1 open
    pout: float  # 0 wide, 1 narrow
    lids: float  # 0 closed, 1 open
    brow: float  # 0 at rest, 1 raised
    light: float  # brightness, 1 = plain


def talk(rng: np.random.Generator, frames: int, fps: float) -> list[Pose]:
    """A person who talks: the head sways, the eyes wander and blink, the mouth opens in syllables."""
    time = np.arange(frames) / fps

    pace = rng.uniform(0.6, 2.0)  # some people are calm, and some lamps

    def wave(size: float, low: float, high: float) -> Grid:
        """(frames,): three sines of [low, high] Hz, of standard deviation `size` in all."""
        rate, phase = pace * rng.uniform(low, high, (3, 1)), rng.uniform(0, 2 * np.pi, (3, 1))
        return np.asarray(size * np.sqrt(5 / 8) * sine(2 * np.pi * rate * time + phase).sum(0))

    yaw, pitch = rng.uniform(-0.1, 0.1) + wave(0.12, 0.15, 0.7), rng.uniform(-0.05, 0.05) + wave(0.05, 0.2, 0.9)
    roll, brow = rng.uniform(-0.04, 0.04) + wave(0.035, 0.15, 0.6), wave(0.5, 0.3, 0.8)
    place, sway = rng.uniform((-0.12, -0.06), (0.12, 0.06)), np.stack([wave(0.05, 0.1, 0.5), wave(0.03, 0.1, 0.6)], 1)
    shake = rng.uniform(0, 1) ** 2 * np.stack([wave(0.016, 1.5, 6.0), wave(0.016, 1.5, 6.0)], 1)  # held by hand, or not
    beat = np.abs(sine(np.pi * (rng.uniform(2.4, 3.6) * time + rng.random()) + wave(0.8, 0.5, 1.5)))
    jaw = rng.uniform(0.6, 1.0) * np.clip(np.clip(wave(1.0, 0.3, 0.8) + 0.6, 0, 1) * beat - 0.08, 0, 1)
    pout, light = np.clip(wave(0.6, 1.0, 2.5), 0, 1), 1 + wave(rng.uniform(0.02, 0.06), 0.4, 1.2)
    lids = np.full(frames, rng.uniform(0.86, 1.0))
    for blink in np.cumsum(rng.exponential(2.2, 20)):  # s
        lids = np.minimum(lids, np.clip(np.abs(time - blink) / 0.12, 0.04, 1))
    gaze = np.repeat(rng.uniform(-0.8, 0.8, (frames // 9 + 1, 2)), 9, axis=0)[:frames]
    head, body = place + sway, place + 0.4 * sway  # (frames, 2)
    pairs = [[(float(x), float(y)) for x, y in shifts] for shifts in (head, body, shake, gaze)]
    angles = [a.tolist() for a in (yaw, pitch, roll)]
    parts = [a.tolist() for a in (jaw, pout, lids, brow, light)]
    return [Pose(*row) for row in zip(*angles, *pairs, *parts, strict=True)]


def picture(head: Head, pose: Pose, rng: np.random.Generator) -> Images:
    """(size, size, 3) uint8 RGB; `rng` is for the camera's noise."""
    size, unit = head.size, head.size * SCALE
    turn = _rotation(pose)
    camera = np.array(pose.camera)
    image = _window(head.room, camera * unit, size)
    hair = cv2.warpAffine(head.back, _plane(head, turn, pose, z=-0.3), (size, size))
    image = over(image, np.asarray(hair, np.uint8))
    image = over(image, _window(head.body, (camera + pose.body) * unit, size))
    face = cv2.remap(_lit(head, turn, pose), *_solved(head, turn, pose), cv2.INTER_LINEAR)
    image = over(image, np.asarray(face, np.uint8))
    top, left = rng.integers(0, size, 2)
    grain = head.grain[top : top + size, left : left + size]
    return np.asarray(cv2.add(cv2.GaussianBlur(image, (3, 3), head.blur), grain, dtype=cv2.CV_8U), np.uint8)


def _rotation(pose: Pose) -> Grid:
    """(3, 3): roll after pitch after yaw."""
    (cy, sy), (cp, sp), (cr, sr) = (_turned(angle) for angle in (pose.yaw, pose.pitch, pose.roll))
    return np.array(
        [
            [cr * cy - sr * sp * sy, -sr * cp, cr * sy + sr * sp * cy],
            [sr * cy + cr * sp * sy, cr * cp, sr * sy - cr * sp * cy],
            [-cp * sy, sp, cp * cy],
        ]
    )


def _turned(angle: float) -> tuple[float, float]:
    """Cosine and sine of a small angle: of one less than 1 % smaller at 0.3, whose half has the tangent angle / 2."""
    t = angle / 2
    return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)


def _window(image: Images, shift: Grid, size: int) -> Images:
    """The middle of a larger picture, moved by `shift` px."""
    matrix = np.array([[1, 0, shift[0] - MARGIN], [0, 1, shift[1] - MARGIN]], float)
    return np.asarray(cv2.warpAffine(image, matrix, (size, size)), np.uint8)


def _plane(head: Head, turn: Grid, pose: Pose, z: float) -> Grid:
    """(2, 3): from the texture to the frame, for what lies at one depth."""
    unit, pivot = head.size * SCALE, np.array([0, PIVOT])
    left, top = LEFT, TOP - PIVOT
    corner = turn[:2, 0] * left + turn[:2, 1] * top + turn[:2, 2] * z + pivot + pose.head + pose.camera
    return np.hstack([turn[:2, :2] * unit / head.texel, (corner * unit + head.size / 2)[:, None]])


def _solved(head: Head, turn: Grid, pose: Pose) -> tuple[Grid, Grid]:
    """For each pixel of the frame the texel that the turned head shows there: x and y, (size, size) float32."""
    axis = ((np.arange(COARSE) + 0.5) / COARSE - 0.5) / SCALE
    shift = np.add(pose.head, pose.camera)
    right, down = np.meshgrid(axis - shift[0], axis - shift[1] - PIVOT)
    (a, b), (c, d) = turn[:2, :2]
    z = np.full((COARSE, COARSE), 0.3, np.float32)
    for _ in range(4):  # the depth depends on the texel and the texel on the depth
        across, along = right - turn[0, 2] * z, down - turn[1, 2] * z
        x, y = (d * across - b * along) / (a * d - b * c), (a * along - c * across) / (a * d - b * c) + PIVOT
        u, v = (((part - low) * head.texel - 0.5).astype(np.float32) for part, low in ((x, LEFT), (y, TOP)))
        z = np.asarray(cv2.remap(head.depth, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))
    chin = step(head.mouth_y - 0.02, head.mouth_y + 0.2, y) * step(1.0, 0.5, np.abs(x))
    forehead = bump(x, y, 0, head.brow_y, 0.75, 0.16)
    v += np.float32(head.texel) * (0.045 * pose.brow * forehead - 0.13 * pose.jaw * chin).astype(np.float32)
    size = (head.size, head.size)
    return np.asarray(cv2.resize(u, size)), np.asarray(cv2.resize(v, size))


def _lit(head: Head, turn: Grid, pose: Pose) -> Images:
    """(side, side, 4): the texture with its eyes and mouth, in the light that falls on the turned head.

    Source: Lambert's law, wrapped round the edge, and Blinn's highlight (SIGGRAPH 1977).
    """
    texture = head.texture.copy()
    for s in (-1.0, 1.0):
        _draw_eye(head, texture, s, pose)
    _draw_mouth(head, texture, pose)
    texture = mix(texture, head.rim, head.rims) if head.rims.any() else texture
    shade = head.ambient + (1.12 - head.ambient) * np.clip((_facing(head, turn, head.sun) + 0.3) / 1.3, 0, None)
    gloss = np.clip(_facing(head, turn, head.sun + np.array([0, 0, 1])), 0, 1)
    gloss = gloss * gloss * gloss
    for _ in range(3):  # to the power of 24 in all
        gloss *= gloss
    shade += 0.1 * gloss
    texture *= cv2.resize(np.float32(pose.light) * shade, (head.side, head.side))[..., None] * head.alpha[..., None]
    return np.dstack([np.clip(texture, 0, 255), head.alpha * 255]).astype(np.uint8)


def _facing(head: Head, turn: Grid, light: Grid) -> Grid:
    """The cosine between the normals of the turned head and a direction in the room, at half the texture's sides."""
    light = (turn * light[:, None]).sum(0)
    x, y, z = (float(part) for part in light / np.sqrt((light**2).sum()))
    return np.asarray(head.normals[0] * x + head.normals[1] * y + head.normals[2] * z)


def _patch(head: Head, x: float, y: float, half: tuple[float, float]) -> tuple[slice, slice]:
    """The part of the texture around a point."""
    left, top = (round((a - h - low) * head.texel) for a, h, low in zip((x, y), half, (LEFT, TOP), strict=True))
    return slice(top, top + round(2 * half[1] * head.texel)), slice(left, left + round(2 * half[0] * head.texel))


def _draw_eye(head: Head, texture: Grid, s: float, pose: Pose) -> None:
    at, px = _patch(head, s * head.eye_x, head.eye_y, EYE), head.texel
    x = head.x[at] * s - head.eye_x  # outwards from the nose
    y = head.y[at] - head.eye_y + head.tilt * 0.35 * x
    across = np.clip(1 - (x / head.eye_w) ** 2, 0, None)
    upper, lower = -1.05 * head.eye_h * np.sqrt(across) * (0.35 + 0.65 * across), 0.62 * head.eye_h * across
    lid = lower + (upper - lower) * pose.lids
    skin = mix(texture[at], head.dark, 0.5 * stroke(y - 1.25 * upper + 0.028, 0.013) * (np.abs(x) < 1.1 * head.eye_w))
    skin = mix(skin, head.tone * 0.82, np.clip(np.minimum(lid - y, y - upper) * px + 0.5, 0, 1) * (across > 0))
    white = (1 - 0.3 * step(0.06, 0.0, y - lid) - 0.25 * (x / head.eye_w) ** 2)[..., None] * np.array([232, 226, 222])
    gx, gy = s * pose.gaze[0] * 0.035, pose.gaze[1] * 0.015 - 0.012
    r = radius(x - gx, y - gy)
    glow = (0.75 + 0.5 * step(0.075, 0.03, r) + 0.3 * step(0.0, 0.07, y - gy)) * (1 - 0.6 * step(0.064, 0.08, r))
    ball = mix(white, head.iris * glow[..., None], np.clip((0.08 - r) * px + 0.5, 0, 1))
    ball = mix(ball, (14, 10, 10), np.clip((0.036 - r) * px + 0.5, 0, 1))
    glint = radius(x - gx - 0.026 * s * np.sign(head.sun[0]), y - gy + 0.028)
    ball = mix(ball, (250, 250, 250), np.clip((0.02 - glint) * px + 0.5, 0, 1))
    ball *= 1 - 0.45 * step(0.035, 0.0, y - lid)[..., None]  # the lid's shadow
    out = mix(skin, ball, np.clip(np.minimum(y - lid, lower - y) * px + 0.5, 0, 1) * (across > 0))
    lash = stroke(y - lid + 0.004, head.lash) * step(1.1 * head.eye_w, 0.95 * head.eye_w, np.abs(x))
    out = mix(out, head.hair * 0.3, 0.9 * lash)
    texture[at] = mix(out, head.dark, 0.45 * stroke(y - lower - 0.004, 0.012) * (across > 0))


def _draw_mouth(head: Head, texture: Grid, pose: Pose) -> None:
    at, px = _patch(head, 0.0, head.mouth_y, MOUTH), head.texel
    x, y = head.x[at], head.y[at] - head.mouth_y
    w = head.mouth_w * (1 - 0.22 * pose.pout)
    t = np.clip(np.abs(x) / w, 0, 1)
    across, within = 1 - t**2, t < 1
    root = np.sqrt(across)
    opening = 0.13 * pose.jaw * root
    curve = 0.012 - (0.012 + head.smile) * t**2 + 0.012 * stroke(x, 0.05)
    gap_top, gap_low = curve - 0.2 * opening, curve + 0.8 * opening
    bow = 0.8 * root - 0.21 * stroke(x, 0.045) + 0.25 * stroke(np.abs(x) - 0.07, 0.06)
    top, low = gap_top - 0.078 * head.lips * bow * np.sqrt(root), gap_low + 0.095 * head.lips * root * np.sqrt(root)
    tone = head.lip * np.where(y < (gap_top + gap_low) / 2, 0.78, 1.0)[..., None]
    tone = tone + 26 * (stroke(y - gap_low - 0.045, 0.022) * stroke(x, 0.12))[..., None]
    tone = tone * (1 + 0.05 * sine(x * 130 + 2 * sine(y * 40)))[..., None]
    out = mix(texture[at], tone, 0.88 * within * np.clip(np.minimum(y - top, low - y) * px * 0.7 + 0.5, 0, 1))
    teeth = np.array([214, 206, 196]) * (1 - 0.5 * t[..., None] ** 2)
    inner = mix(
        np.full((*x.shape, 3), (62, 22, 24), np.float32), teeth, step(0.055, 0.035, y - gap_top) * step(0.8, 0.5, t)
    )
    inner = mix(inner, (150, 70, 72), 0.7 * bump(x, y, 0, 0.11 * pose.jaw, 0.12, 0.035))  # tongue
    hole = within * np.clip(np.minimum(y - gap_top, gap_low - y) * px + 0.5, 0, 1)
    out = mix(out, inner, hole * min(1.0, pose.jaw * 8))
    seam = 0.75 * stroke(y - gap_top, 0.012) * step(1.08, 0.9, np.abs(x) / w)
    corner = 0.5 * bump(np.abs(x), y, w, -head.smile, 0.03, 0.025)
    texture[at] = mix(out, head.tone * np.array([0.3, 0.2, 0.2], np.float32), np.maximum(seam, corner))
