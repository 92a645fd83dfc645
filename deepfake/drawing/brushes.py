"""brushes: what heads are drawn with: soft shapes, noise, layers; and the room behind them.

Every processor draws the same bytes: sums, products and roots are rounded alike everywhere; NumPy's exponentials,
sines, powers and matrix products are not, and stand nowhere in `drawing`.
"""

from typing import Any

import numpy as np

from deepfake.base.opencv import cv2
from deepfake.video import Images

Grid = np.ndarray[Any, np.dtype[Any]]  # float32: a number for each texel, (H, W), or a colour, (H, W, 3)


def fade(value: Grid) -> Grid:
    """About exp(-value) of values from 0: (1 - value / 64) ** 64."""
    left = np.asarray(1 - np.minimum(value, 64) / 64, np.float32)
    for _ in range(6):
        left *= left
    return left


def sine(angle: Grid) -> Grid:
    """About the sine of radians, of parabolas; the root of its mean square is that of 8/15."""
    turn = angle / (2 * np.pi)
    turn = turn - np.rint(turn)
    return np.asarray(8 * turn * (1 - 2 * np.abs(turn)))


def radius(x: Grid, y: Grid) -> Grid:
    """How far (x, y) lies from (0, 0)."""
    return np.asarray(np.sqrt(x * x + y * y))


def bump(x: Grid, y: Grid, cx: float, cy: float, sx: float, sy: float) -> Grid:
    """A bell of height 1 at (cx, cy)."""
    return fade(((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2)


def stroke(distance: Grid, width: float) -> Grid:
    """A soft line: 1 where the distance is 0, fading with `width`."""
    return fade((distance / width) ** 2)


def step(low: float, high: float, value: Grid) -> Grid:
    """Smooth from 0 at `low` to 1 at `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def mix(under: Grid, over: Any, alpha: Grid) -> Grid:
    """`over` (a colour or an (H, W, 3) picture) laid on `under` (H, W, 3) with `alpha` (H, W) in [0, 1]."""
    return np.asarray(
        under + (np.asarray(over, np.float32) - under) * np.asarray(alpha, np.float32)[..., None], np.float32
    )


def clouds(rng: np.random.Generator, side: int, *cells: int) -> Grid:
    """(side, side) smooth noise of standard deviation 1: one octave for each number of cells."""
    total = np.zeros((side, side), np.float32)
    for n in cells:
        total += cv2.resize(rng.standard_normal((n, n)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(total / max(float(total.std()), 1e-6), np.float32)


def colour(rng: np.random.Generator, saturation: tuple[int, int], value: tuple[int, int]) -> Grid:
    """(3,) RGB of any hue."""
    hsv = np.array([[[rng.integers(0, 180), rng.integers(*saturation), rng.integers(*value)]]], np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.float32)


def layer(picture: Grid, alpha: Grid) -> Images:
    """(H, W, 4) uint8, the colours multiplied by alpha: so it may be warped without a dark or bright rim."""
    return np.dstack([np.clip(picture * alpha[..., None], 0, 255), alpha * 255]).astype(np.uint8)


def over(picture: Images, top: Images) -> Images:
    """A layer laid on an (H, W, 3) uint8 picture."""
    clear = cv2.cvtColor(255 - top[..., 3], cv2.COLOR_GRAY2RGB)
    return np.asarray(
        cv2.add(cv2.multiply(picture, clear, scale=1 / 255), cv2.cvtColor(top, cv2.COLOR_RGBA2RGB)), np.uint8
    )


def room(rng: np.random.Generator, x: Grid, y: Grid) -> Images:
    """A wall in a gradient of light, with shelves, a window, lamps or panels, out of focus: (n, n, 3) uint8."""
    n = len(x)
    base = colour(rng, (10, 110), (70, 215))
    wall = base * (1 + rng.uniform(-0.12, 0.12) * x + rng.uniform(-0.15, 0.05) * y)[..., None]
    canvas = np.ascontiguousarray(np.clip(wall, 0, 255), np.float32)
    things = {"plain": _plain, "shelf": _shelf, "window": _window, "lamps": _lamps, "panels": _panels}
    things[str(rng.choice(list(things)))](rng, canvas, base)
    canvas += 2 * clouds(rng, n, 6, 40)[..., None]
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), n / 110).clip(0, 255), np.uint8)


def _tint(rng: np.random.Generator, base: Grid) -> tuple[float, ...]:
    """A colour that goes with the wall's."""
    return tuple(float(c) for c in np.clip(base * rng.uniform(0.4, 1.25) + rng.normal(0, 22, 3), 8, 245))


def _plain(rng: np.random.Generator, canvas: Grid, base: Grid) -> None:
    """Nothing on the wall."""


def _shelf(rng: np.random.Generator, canvas: Grid, base: Grid) -> None:
    n = len(canvas)
    for foot in range(n // 4, n + n // 4, n // 4):
        left = 0
        while left < n:
            width, height = int(rng.integers(n // 40, n // 14)), int(rng.integers(n // 8, n // 5))
            cv2.rectangle(canvas, (left, foot - height), (left + width, foot - 4), _tint(rng, base), -1)
            left += width + int(rng.integers(0, 3))
        cv2.rectangle(canvas, (0, foot - 5), (n, foot), _tint(rng, base), -1)


def _window(rng: np.random.Generator, canvas: Grid, base: Grid) -> None:
    n = len(canvas)
    left, low = int(rng.integers(-n // 5, n * 2 // 3)), n * 2 // 3
    cv2.rectangle(canvas, (left, -5), (left + n // 2, low), (222.0, 230.0, 236.0), -1)
    cv2.rectangle(canvas, (left, -5), (left + n // 2, low), _tint(rng, base), n // 30)
    cv2.line(canvas, (left + n // 4, 0), (left + n // 4, low), _tint(rng, base), n // 50)


def _lamps(rng: np.random.Generator, canvas: Grid, base: Grid) -> None:
    n = len(canvas)
    for _ in range(14):
        middle = int(rng.integers(0, n)), int(rng.integers(0, n))
        cv2.circle(canvas, middle, int(rng.integers(n // 40, n // 12)), _tint(rng, base), -1, cv2.LINE_AA)


def _panels(rng: np.random.Generator, canvas: Grid, base: Grid) -> None:
    n = len(canvas)
    for left in range(0, n, int(rng.integers(n // 12, n // 4))):
        cv2.line(canvas, (left, 0), (left, n), _tint(rng, base), max(1, n // 90))
