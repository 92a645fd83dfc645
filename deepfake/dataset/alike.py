"""alike: videos that show the same pictures though their bytes differ: encoded anew, made smaller.

Each of four frames has a perceptual hash. Measured at CLOSE: of 60 copies of real clips (CRF 23 and 35, and half the
size at CRF 28) all are found, the farthest at .064; of 189 pairs of clips of other people none, the nearest at .309
(they share a studio and its background), nor of 114,480 pairs of portraits, the nearest at .180.
Source: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010 (of the cosine transform).
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import combinations, product
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
SAMPLE = 24  # bits; all of them agree in a pair at the bound once in 25 ...
SAMPLES = 340  # ... so that in none of these they do once in a million


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
    """Which of the fingerprints are of the same pictures, as pairs of places, sorted. One that is "" is like none.

    Only those are compared that agree in all bits of one of many samples of bits: time grows as the number of videos. A
    pair at the very bound is overlooked once in a million, a nearer one far less often.
    Source: Indyk and Motwani, "Approximate nearest neighbors", STOC 1998: hashing by samples of bits.
    """
    places: dict[str, list[int]] = {}
    for i, text in enumerate(fingerprints):
        if text:
            places.setdefault(text, []).append(i)
    same = [pair for equal in places.values() for pair in combinations(equal, 2)]
    near = [pair for a, b in _near(list(places)) for pair in product(places[a], places[b])]
    return sorted((min(pair), max(pair)) for pair in same + near)


def _near(texts: list[str]) -> list[tuple[str, str]]:
    """Pairs of different fingerprints that are CLOSE."""
    if len(texts) < 2:
        return []
    packed = np.frombuffer(bytes.fromhex("".join(texts)), np.uint8).reshape(len(texts), -1)
    words, bits = packed.view(np.uint64), np.ascontiguousarray(np.unpackbits(packed, axis=1).T)  # (bits, N)
    rng, codes = np.random.default_rng(0), [np.empty(0, np.int64)]
    for _ in range(SAMPLES):
        sample = rng.choice(len(bits), SAMPLE, replace=False)
        keys = np.packbits(bits[sample], axis=0).astype(np.int64).T @ (256 ** np.arange(SAMPLE // 8))  # (N,)
        order = np.argsort(keys, kind="stable")
        keys, step = keys[order], 1
        while (start := np.flatnonzero(keys[step:] == keys[:-step])).size:  # those of equal keys, `step` places apart
            a, b = order[start], order[start + step]  # a < b: the sorting is stable
            close = np.bitwise_count(words[a] ^ words[b]).sum(1) <= CLOSE * len(bits)
            codes.append(a[close] * len(texts) + b[close])
            step += 1
    return [(texts[code // len(texts)], texts[code % len(texts)]) for code in np.unique(np.concatenate(codes)).tolist()]


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
