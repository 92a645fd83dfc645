"""heads: a drawn person: who it is, as textures on a height field, with the clothes and the room.

Head space: x right, y down, z towards the camera; 1 is a little more than half the width of a face. The eyes lie at
y = -.1, the tip of the nose at .3, the mouth at .6, the chin at 1. Colours are RGB in [0, 255]. Nothing here moves:
that is the part of `poses`.
"""

import numpy as np
from scipy.interpolate import PchipInterpolator

from deepfake.base.opencv import cv2
from deepfake.drawing.brushes import Grid, bump, clouds, colour, layer, mix, radius, room, sine, step, stroke

EXTENT, LEFT, TOP = 3.2, -1.6, -1.75  # of the texture, and its corner
DENSITY = 1.2  # texels for a pixel of the frame
SCALE = 0.305  # of the frame's side, one head unit
MARGIN = 24  # px that room and body reach beyond the frame

SKINS = (
    (246, 212, 190),
    (238, 196, 166),
    (226, 178, 146),
    (208, 158, 122),
    (184, 134, 98),
    (150, 104, 76),
    (112, 76, 56),
)
HAIRS = ((28, 22, 22), (52, 36, 28), (86, 58, 38), (128, 88, 52), (186, 148, 92), (146, 74, 44), (150, 148, 148))
IRISES = ((70, 42, 26), (96, 62, 32), (98, 96, 54), (70, 104, 124), (88, 124, 92), (110, 116, 124))
LIPS = ((186, 92, 88), (172, 96, 88), (160, 74, 74), (196, 104, 100))
RIMS = ((30, 28, 30), (92, 58, 36), (60, 62, 70))
DARKENED = 2  # so many of HAIRS and IRISES go with dark skin
STYLES = {  # volume, lower end, hairline, and whether it also hangs behind the neck
    "bald": (0.0, 0.0, 0.0, False),
    "crop": (0.03, -0.2, -0.78, False),
    "short": (0.07, -0.02, -0.68, False),
    "side": (0.1, -0.02, -0.68, False),
    "curly": (0.2, -0.02, -0.68, True),
    "bun": (0.04, 0.1, -0.8, False),
    "bob": (0.12, 0.75, -0.68, True),
    "bangs": (0.11, 1.2, -0.46, True),
    "long": (0.11, 1.5, -0.68, True),
}


class Head:
    """A person for frames of `size` px, drawn from `rng`."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.size, self.side = size, round(size * DENSITY)
        self.texel = self.side / EXTENT  # texels for a head unit
        axis = ((np.arange(self.side) + 0.5) / self.texel).astype(np.float32)
        self.x, self.y = np.meshgrid(axis + LEFT, axis + TOP)  # (side, side) each
        self._draw_traits(rng)
        self._draw_styles(rng)
        self._shape(rng)
        self.texture = self._skin(rng)  # (side, side, 3)
        self._paint_face(rng)
        self._paint_brows_and_ears(rng)
        self.back = np.zeros((self.side, self.side, 4), np.uint8)  # the hair behind the neck
        self._paint_hair(rng)
        self.rims = self._spectacles(rng) if rng.random() < 0.14 else np.zeros_like(self.x)
        self.rim = np.array(RIMS[rng.integers(len(RIMS))], np.float32)
        self._paint_behind(rng)
        self.blur = rng.uniform(0.4, 0.8)  # px, sigma: of the camera
        grain = rng.normal(0, rng.uniform(1.2, 3.8), (2 * size, 2 * size, 1)) + rng.normal(
            0, 0.7, (2 * size, 2 * size, 3)
        )
        self.grain = grain.astype(np.int16)  # the camera's noise, a window of which each frame gets

    def _draw_traits(self, rng: np.random.Generator) -> None:
        """The measures of the face, in head units or as factors, and the light on it."""
        u = rng.uniform
        self.wide, self.jaw, self.chin = u(0.92, 1.07), u(0.86, 1.12), u(0.94, 1.07)
        self.eye_x, self.eye_y, self.eye_w = u(0.285, 0.335), u(-0.13, -0.07), u(0.15, 0.185)
        self.eye_h, self.tilt = u(0.062, 0.085), u(-0.12, 0.14)
        self.nose_w, self.nose_y, self.nose_z = u(0.85, 1.3), u(0.27, 0.35), u(0.8, 1.3)
        self.mouth_y, self.mouth_w, self.lips, self.smile = u(0.58, 0.65), u(0.24, 0.31), u(0.75, 1.35), u(0.01, 0.055)
        sun = np.array([rng.choice([-1.0, 1.0]) * u(0.25, 0.6), -u(0.3, 0.6), 1.0])
        self.sun = np.asarray(sun / np.sqrt((sun**2).sum()))
        self.ambient = u(0.42, 0.6)

    def _draw_styles(self, rng: np.random.Generator) -> None:
        """Colours of skin, hair, eyes and lips; brows, beard and cut."""
        tone = rng.uniform(0, len(SKINS) - 1)
        low, high = np.array(SKINS[int(tone) : int(tone) + 2], np.float32)
        self.tone = np.asarray(low + (high - low) * (tone % 1) + rng.normal(0, 5, 3), np.float32)
        choice = DARKENED if tone > 3.6 else None
        hair = np.array(HAIRS[rng.integers(len(HAIRS[:choice]))]) + rng.normal(0, 6, 3)
        self.hair = hair.clip(14, 230).astype(np.float32)
        self.iris = np.array(IRISES[rng.integers(len(IRISES[:choice]))], np.float32)
        self.dark = self.tone * np.array([0.45, 0.37, 0.36], np.float32)  # skin in the shade
        female = rng.random() < 0.5
        red = np.array(LIPS[rng.integers(len(LIPS))], np.float32)
        self.lip = red * 0.62 + self.tone * 0.36 if female else red * 0.4 + self.tone * 0.5
        self.beard = "" if female else str(rng.choice(["", "", "stubble", "stubble", "beard", "goatee"]))
        cuts = (
            ["long", "bob", "bangs", "bun", "short"] if female else ["short", "short", "side", "crop", "bald", "curly"]
        )
        self.cut = str(rng.choice(cuts))
        self.lash, self.brow_w = (0.026, rng.uniform(0.026, 0.036)) if female else (0.017, rng.uniform(0.034, 0.052))
        self.brow_y, self.brow_arch = rng.uniform(-0.35, -0.29), rng.uniform(0.02, 0.07)

    def _shape(self, rng: np.random.Generator) -> None:
        """The outline, the height field, and its normals at half the resolution."""
        x, y, jaw, down = self.x, self.y, self.jaw, self.chin
        heights = [-1.34, -1.3, -1.15, -0.9, -0.5, -0.1, 0.25, 0.55, 0.78 * down, 0.94 * down, 1.02 * down, 1.05 * down]
        widths = [0.0, 0.25, 0.5, 0.67, 0.76, 0.77, 0.735, 0.61 * jaw, 0.42 * jaw, 0.24 * jaw, 0.1 * jaw, 0.0]
        self.profile = PchipInterpolator(heights, np.array(widths) * self.wide, extrapolate=False)
        half = np.nan_to_num(self.profile(y[:, :1]), nan=-0.2).astype(np.float32)  # (side, 1)
        slope = np.nan_to_num(self.profile.derivative()(y[:, :1])).clip(-6, 6).astype(np.float32)
        self.inside = (half - np.abs(x)) / np.sqrt(1 + slope**2)  # about the distance to the outline
        aside = np.abs(x) / np.maximum(half, 0.05)  # 1 at the outline
        across = np.sqrt(np.clip(1 - aside**2 * np.sqrt(aside), 0, 1))
        z = 0.72 * across * np.sqrt(np.clip(1 - ((y + 0.14) / 1.3) ** 2, 0, 1)) + 0.006 * clouds(rng, self.side, 14, 25)
        eye, nose, mouth, wing = self.eye_y, self.nose_y, self.mouth_y, 0.115 * self.nose_w
        for s in (-1.0, 1.0):
            z += 0.03 * bump(x, y, s * self.eye_x, eye, 0.12, 0.07) - 0.085 * bump(
                x, y, s * self.eye_x, eye - 0.03, 0.19, 0.11
            )
            z += 0.04 * bump(x, y, s * 0.3, eye - 0.23, 0.24, 0.08)  # brow
            z += 0.05 * bump(x, y, s * 0.44, 0.22, 0.2, 0.17)  # cheek
            z += 0.07 * self.nose_z * bump(x, y, s * wing, nose + 0.045, 0.065, 0.06)
            z -= 0.02 * bump(x, y, s * 0.27, mouth - 0.12, 0.05, 0.12)  # fold from nose to mouth
        ridge = stroke(x, 0.075 * self.nose_w) * step(eye - 0.12, nose, y) * step(nose + 0.11, nose + 0.02, y)
        z += self.nose_z * (0.16 * ridge + 0.1 * bump(x, y, 0, nose + 0.01, 0.1 * self.nose_w, 0.09))
        z += 0.05 * bump(x, y, 0, mouth, 0.27, 0.15) - 0.035 * bump(x, y, 0, mouth + 0.17, 0.16, 0.05)
        z += 0.06 * bump(x, y, 0, 0.9 * down, 0.17, 0.11) - 0.012 * bump(x, y, 0, (nose + mouth) / 2 + 0.04, 0.03, 0.08)
        z = z.astype(np.float32)
        self.depth = cv2.GaussianBlur(z, (0, 0), 0.055 * self.texel)  # smooth: so the turned head has one solution
        z = cv2.GaussianBlur(z, (0, 0), 0.014 * self.texel)
        slopes = np.gradient(cv2.resize(z, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), 2 / self.texel)
        dy, dx = (np.clip(slope, -1.6, 1.6) for slope in slopes)
        self.normals = np.asarray(np.stack([-dx, -dy, np.ones_like(dx)]) / np.sqrt(dx**2 + dy**2 + 1), np.float32)

    def _skin(self, rng: np.random.Generator) -> Grid:
        """(side, side, 3): blush, mottling, pores, moles and freckles of its own."""
        x, y, side = self.x, self.y, self.side
        bright = float(self.tone.mean()) / 200
        skin = np.tile(self.tone, (side, side, 1))
        blush = rng.uniform(0.4, 1.3) * (bump(x, y, -0.42, 0.25, 0.22, 0.17) + bump(x, y, 0.42, 0.25, 0.22, 0.17))
        blush += rng.uniform(0.3, 1.0) * bump(x, y, 0, self.nose_y, 0.14, 0.12)
        skin += blush[..., None] * np.array([6, -14, -10], np.float32) * bright
        skin += clouds(rng, side, 7, 13)[..., None] * np.array([3.2, 4.2, 4.0], np.float32) * bright
        skin += clouds(rng, side, 19, 37)[..., None] * np.array([1.5, 3.0, 2.6], np.float32) * bright
        pores = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (0, 0), 0.8)
        skin += pores[..., None] * np.float32(rng.uniform(6, 11) * bright)
        for _ in range(rng.integers(3, 8) if rng.random() < 0.75 else 60):
            radius = rng.uniform(0.008, 0.016)
            spot = bump(x, y, rng.normal(0, 0.38), rng.normal(0.2, 0.3), radius, radius)
            skin *= 1 - np.float32(rng.uniform(0.1, 0.35)) * spot[..., None]
        return skin

    def _paint_face(self, rng: np.random.Generator) -> None:
        """Sockets, nostrils, folds, beard: what light alone does not show."""
        x, y, tex, nose = self.x, self.y, self.texture, self.nose_y
        for s in (-1.0, 1.0):
            socket = bump(x, y, s * self.eye_x, self.eye_y - 0.03, 0.2, 0.12)
            tex = mix(tex, self.tone * np.array([0.72, 0.62, 0.62], np.float32), 0.5 * socket)
            tex = mix(tex, self.dark, 0.18 * bump(x, y, s * self.eye_x, self.eye_y + 0.13, 0.14, 0.03))
            nostril = bump(x, y, s * 0.07 * self.nose_w, nose + 0.085, 0.042 * self.nose_w, 0.024)
            tex = mix(tex, self.dark * 0.55, np.clip(1.4 * nostril, 0, 0.85))
            wing = stroke(x * s - 0.165 * self.nose_w, 0.035) * step(0.1, 0.0, np.abs(y - nose - 0.05))
            tex = mix(tex, self.dark, 0.35 * wing)
            fold = stroke(x * s - 0.2 - 0.42 * (y - nose), 0.03) * step(nose + 0.02, nose + 0.1, y)
            tex = mix(tex, self.dark, 0.16 * fold * step(self.mouth_y + 0.06, self.mouth_y - 0.1, y))
        under = bump(x, y, 0, nose + 0.14, 0.15, 0.035) + bump(x, y, 0, self.mouth_y + 0.18, 0.15, 0.035)
        tex = mix(tex, self.dark, 0.3 * np.clip(under, 0, 1))
        if self.beard:
            shaved = 0.28 + 0.3 * np.clip(1 - np.abs(x) / 0.62, 0, 1)  # the lower end of the bare cheek
            area = step(0.0, 0.1, y - shaved) * (1 - bump(x, y, 0, self.mouth_y, 0.3, 0.1))
            area = np.clip(area + 1.1 * bump(x, y, 0, self.mouth_y - 0.13, 0.3, 0.055), 0, 1)
            if self.beard == "goatee":
                area = area * step(0.42, 0.3, np.abs(x))
            hairs = np.clip(0.75 + 0.25 * clouds(rng, self.side, 90, 130), 0, 1)
            strength = {"stubble": 0.28, "beard": 0.85, "goatee": 0.8}[self.beard]
            tex = mix(tex, self.hair * 0.85 + self.tone * 0.08, area * hairs * strength)
        self.texture = tex

    def _paint_brows_and_ears(self, rng: np.random.Generator) -> None:
        x, y, tex = self.x, self.y, self.texture
        strands = np.clip(0.82 + 0.12 * clouds(rng, self.side, 60, 110), 0, 1)
        self.alpha = np.clip(self.inside * self.texel + 0.5, 0, 1).astype(np.float32)
        for s in (-1.0, 1.0):
            t = (x * s - 0.12) / 0.4  # 0 at the nose, 1 at the temple
            along = np.clip(t, 0, 1)
            middle = self.brow_y - self.brow_arch * sine(along * 2.4) + 0.05 * along**2
            thick = self.brow_w * np.clip(1.15 - 0.75 * t, 0.15, 1)
            brow = step(1.25, 0.55, np.abs(y - middle) / thick) * step(-0.04, 0.1, t) * step(1.02, 0.8, t)
            tex = mix(tex, self.hair * 0.8, brow * strands)
            r = np.sqrt(((x * s - 0.79 * self.wide - 0.06 * (0.1 - y)) / 0.115) ** 2 + ((y - 0.06) / 0.24) ** 2)
            tex = mix(tex, self.dark, 0.4 * stroke(r - 0.62, 0.18) * (self.inside < 0))
            self.alpha = np.maximum(self.alpha, np.clip((1 - r) * 0.12 * self.texel + 0.5, 0, 1))
        turned = 0.5 * step(0.09, 0.0, self.inside) * (self.inside > 0)  # the edge of the face turns from the light
        self.texture = mix(tex, self.dark, turned + 0.55 * step(-0.1, 0.0, self.inside) * (self.inside <= 0))

    def _paint_hair(self, rng: np.random.Generator) -> None:
        x, y, px, cut = self.x, self.y, self.texel, self.cut
        if cut == "bald":
            self.texture = mix(self.texture, self.hair, 0.22 * step(-0.55, -0.75, y - 0.35 * x**2))
            return
        volume, low, line, hangs = STYLES[cut]
        part, sweep = rng.uniform(-0.35, 0.35), rng.choice([-0.5, 0.5])
        tone = np.clip(self._strands(rng, part), 8, 240)
        ragged = 0.02 * clouds(rng, self.side, 30) * (2.2 if cut == "curly" else 1)
        crown = np.minimum(y + 0.45, 0) / (0.9 + volume)
        outer = 1 - np.sqrt((x / (0.79 * self.wide + 0.8 * volume)) ** 2 + crown**2) + ragged
        sweep *= 0.3 if cut in ("side", "long", "bob", "short") else 0.05
        fringe = line + rng.uniform(-0.05, 0.05) + 0.25 * x**2 - sweep * (x - part) - y
        temple = np.abs(x) - self.profile(y.clip(-1.3, 0.9)) + (0.05 if low > 0 else 0.03) + 0.05 * (y < -0.2)
        end = low + 0.05 * clouds(rng, self.side, 20)
        mask = np.clip(outer * 0.7 * px + 0.5, 0, 1) * step(0.06, -0.06, y - end)
        mask *= np.clip((np.maximum(fringe, temple) + 0.8 * ragged) * 0.8 * px + 0.5, 0, 1)
        shadow = cv2.GaussianBlur(np.roll(mask.astype(np.float32), round(0.05 * px), 0), (0, 0), 0.05 * px)
        self.texture = mix(mix(self.texture, self.dark, 0.5 * np.asarray(shadow)), tone, mask)
        self.alpha = np.maximum(self.alpha, mask.astype(np.float32))
        if hangs:
            width = 0.8 * self.wide + 0.75 * volume + 0.05 * step(-0.2, 0.8, y)
            fall = np.clip((width - np.abs(x) + ragged) * px * 0.7, 0, 1) * step(0.08, -0.08, y - end) * (y > -0.6)
            self.back = layer(tone * 0.62, fall)
        elif cut == "bun":
            self.back = layer(tone * 0.62, np.clip((0.36 - radius(x, y + 1.5) + ragged) * px * 0.7, 0, 1))

    def _strands(self, rng: np.random.Generator, part: float) -> Grid:
        """(side, side, 3): the colour of hair that falls from a parting at x = `part`."""
        x, y = self.x, self.y
        turn = np.linspace(-190, 190, 512)
        across = (x - part) / np.maximum(np.abs(x - part) + np.abs(y + 1.25), 1e-6)  # about the angle, 1 to the right
        strand = 0.55 * np.interp(94 * (1 - across), turn, rng.standard_normal(512))
        strand = strand + 0.5 * clouds(rng, self.side, 23, 60) + 0.25 * rng.standard_normal((self.side, self.side))
        if self.cut == "curly":
            strand = 1.2 * clouds(rng, self.side, 22, 40)
        gloss = stroke(radius(x - 0.3 * part, y + 0.4) - 0.72, 0.12)
        return np.asarray(self.hair * (1 + 0.17 * np.clip(strand, -2, 2) + 0.35 * gloss)[..., None] + 4, np.float32)

    def _spectacles(self, rng: np.random.Generator) -> Grid:
        """(side, side): where the frames of the glasses are."""
        x, y = np.abs(self.x), self.y - self.eye_y
        square, w, h = rng.uniform(0, 0.9), rng.uniform(0.2, 0.24), rng.uniform(0.15, 0.19)
        across, down = ((x - 0.31) / w) ** 2, ((y - 0.03) / h) ** 2
        # of round glasses, square 0, to those with corners, 1. Source: Fernandez-Guasti, "Analytic geometry of some
        # rectilinear figures", Int. J. of Mathematical Education in Science and Technology 1992
        ring = np.sqrt((across + down + np.sqrt((across + down) ** 2 - 4 * square * across * down)) / 2)
        ring = np.abs(ring - 1) * h
        arm = np.abs(y + 0.02) + 10 * (x < 0.31 + w) + 10 * (self.inside < 0)
        bridge = np.abs(y + 0.02 - 0.4 * x**2) + 10 * (x > 0.32 - w)
        return np.asarray(np.clip((0.018 - np.minimum(np.minimum(ring, arm), bridge)) * self.texel + 0.5, 0, 1))

    def _paint_behind(self, rng: np.random.Generator) -> None:
        """The room, and neck and shoulders before it: n = size + 2 MARGIN, so that they may move."""
        n, px = self.size + 2 * MARGIN, self.size * SCALE
        axis = ((np.arange(n) + 0.5 - n / 2) / px).astype(np.float32)
        x, y = np.meshgrid(axis, axis + 0.08)
        self.room = room(rng, x, y)  # (n, n, 3)
        wide = 0.43 * self.wide * (0.6 + 0.4 * self.jaw) + 0.03
        neck = np.clip((wide + 0.25 * step(1.2, 1.75, y) - np.abs(x)) * px, 0, 1) * (y > 0.2)
        round_ = np.sqrt(np.clip(1 - (x / (wide + 0.2)) ** 2, 0.1, 1)) * (1 + 0.25 * self.sun[0] * x)
        shade = np.clip(0.55 + 0.42 * round_ - 0.4 * step(1.45, 0.95, y + 0.3 * np.abs(x)), 0.25, 1.2)  # below the chin
        skin = np.asarray(self.tone * shade[..., None] + 2.5 * clouds(rng, n, 9, 30)[..., None], np.float32)
        breadth, top = rng.uniform(1.35, 1.6), rng.uniform(1.42, 1.52)
        aside = np.abs(x) / breadth
        slope = 0.42 * aside**2 * np.sqrt(aside) - 0.16 * step(0.75, 0.3, np.abs(x))
        chest = np.clip((y - top - slope) * px, 0, 1)
        cloth = 1 + 0.09 * clouds(rng, n, 6, 11) + 0.03 * rng.standard_normal((n, n))
        if rng.random() < 0.3:
            cloth *= 0.88 + 0.24 * (sine(y * rng.uniform(25, 60)) > rng.uniform(-0.3, 0.6))  # stripes
        cloth *= 1.02 + 0.3 * self.sun[0] * x - 0.25 * (x / breadth) ** 2
        curved, open_, depth, hem = ((True, 0.44, 0.24, -0.25), (False, 0.5, 0.55, -0.25), (False, 0.5, 0.4, 0.55))[
            rng.integers(3)
        ]
        neckline = np.clip(1 - (y - top + 0.15) / depth, 0, 1)
        collar = (np.abs(x) - open_ * (np.sqrt(neckline) if curved else neckline)) * px  # px from its edge
        cloth *= 1 + hem * stroke(collar - 0.05 * px, 0.035 * px)
        fabric = np.clip(colour(rng, (30, 170), (40, 210)) * cloth[..., None], 6, 245)
        self.body = layer(mix(skin, fabric, chest * np.clip(collar, 0, 1)), np.maximum(neck, chest))  # (n, n, 4)
