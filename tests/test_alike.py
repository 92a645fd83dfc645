"""alike: copies of a video are found however they are encoded, and other people before the same wall are not."""

import csv
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepfake import extract, video
from deepfake.base import params
from deepfake.base.items import Item
from deepfake.dataset.alike import CLOSE, FRAMES, SIDE, fingerprint, pairs, places
from deepfake.extract import ExtractParams

ROOT = Path(__file__).parents[1]
SIXTEEN = params.load("extract", ExtractParams, ROOT / "params.yaml").policy()


def print_of(path, folder) -> str:
    """What the stage says of a video."""
    folder.mkdir(parents=True)
    return extract.work(Item("a", (path,)), folder, SIXTEEN)["fingerprint"]


def encoded(path, images, crf: int, scale: float = 1):
    """The images as a video of this quality, made smaller."""
    height, width = (int(side * scale) // 2 * 2 for side in images[0].shape[:2])
    video.encode(
        path, [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in images], 25, crf=crf
    )
    return path


@pytest.mark.parametrize(("count", "looked"), [(16, [2, 6, 10, 14]), (4, [0, 1, 2, 3]), (2, [0, 1]), (1, [0])])
def test_the_frames_looked_at_are_spread(count, looked):
    assert places(count) == looked


def test_copies_are_found_and_other_people_are_not(heads, tmp_path):
    files = [
        encoded(tmp_path / "a.mp4", heads[0], 18),
        encoded(tmp_path / "b.mp4", heads[1], 18),
        encoded(tmp_path / "poor.mp4", heads[0], 35),
        encoded(tmp_path / "small.mp4", heads[0], 28, 0.5),
    ]
    prints = tuple(print_of(file, tmp_path / file.stem) for file in files)
    assert pairs(prints) == [(0, 2), (0, 3), (2, 3)]


def test_what_shows_nothing_is_like_nothing(odd, tmp_path):
    assert print_of(odd("black"), tmp_path / "black") == ""
    assert print_of(odd("text"), tmp_path / "text") == ""
    assert pairs(("", "")) == []


def test_of_many_all_are_found_that_holding_each_against_each_finds():
    """Copies of which 0 to 140 of the bits differ, three equal ones, and others."""
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (1200, FRAMES * 256), np.uint8)
    for i in range(300):
        bits[600 + i] = bits[i]
        bits[600 + i, rng.choice(bits.shape[1], rng.integers(141), replace=False)] ^= 1
    bits[1000:1003] = bits[999]
    signs = bits.astype(np.float32) * 2 - 1
    close = np.argwhere(signs @ signs.T >= bits.shape[1] * (1 - 2 * CLOSE)).tolist()
    prints = tuple(np.packbits(row).tobytes().hex() for row in bits)
    assert pairs(prints) == [(i, j) for i, j in close if i < j]


def test_pictures_that_many_share_a_background_are_told_apart():
    """A fifth of the bits differ between any two: not copies, though most samples of bits bring some together."""
    rng = np.random.default_rng(1)
    shared = rng.integers(0, 2, FRAMES * 256, np.uint8)
    prints = [shared ^ (rng.random(len(shared)) < 0.12).astype(np.uint8) for _ in range(600)]
    assert pairs(tuple(np.packbits(bits).tobytes().hex() for bits in prints)) == []


def test_a_photograph_has_a_fingerprint_too(odd, tmp_path):
    assert len(print_of(odd("one frame"), tmp_path / "one")) == FRAMES * 64


def test_two_dark_frames_of_four_make_no_copies():
    """Films fade in and out; what they show between tells them apart."""
    rng = np.random.default_rng(0)
    dark = [np.full((SIDE, SIDE), level, np.uint8) for level in (0, 9)]
    prints = [fingerprint([*dark, *rng.integers(0, 256, (2, SIDE, SIDE), np.uint8)]) for _ in range(2)]
    assert all(len(text) == FRAMES * 64 for text in prints)
    assert pairs(tuple(prints)) == []
    assert fingerprint([*dark, dark[0], rng.integers(0, 256, (SIDE, SIDE), np.uint8)]) == ""


def test_a_fingerprint_is_that_of_the_cosine_transform():
    """Compared with OpenCV's: the same waves above the median, but for those next to it."""
    grey = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8), (9, 9), 3)
    grey = cv2.normalize(grey, None, 0, 255, cv2.NORM_MINMAX)
    waves = cv2.dct(grey.astype(np.float64))[:16, :16]
    waves[0] *= np.sqrt(2)  # OpenCV's is orthonormal, ours is not
    waves[:, 0] *= np.sqrt(2)
    right = waves.ravel() > np.median(waves.ravel()[1:])
    ours = np.unpackbits(np.frombuffer(bytes.fromhex(fingerprint([grey] * FRAMES)), np.uint8))[:256]
    assert np.mean(ours[1:] != right[1:]) < 0.01


@pytest.mark.slow
def test_the_figures_of_the_page_hold_on_real_clips(clips, tmp_path):
    """No two clips of other people are alike, ten of them before one wall; every copy is like its clip."""
    with (clips / "INDEX.csv").open() as file:
        who = {row["path"]: row["identity"] for row in csv.DictReader(file) if row["path"].startswith("real/")}
    prints = [print_of(clips / path, tmp_path / "own" / str(i)) for i, path in enumerate(who)]
    same = {(i, j) for i, j in combinations(range(len(who)), 2) if len({list(who.values())[k] for k in (i, j)}) == 1}
    assert set(pairs(tuple(prints))) <= same
    for i, path in enumerate(who):
        images = [frame.rgb() for frame in video.read(clips / path)]
        crf, scale = ((23, 1), (35, 1), (28, 0.5))[i % 3]
        copy = encoded(tmp_path / f"{i}.mp4", images, crf, scale)
        assert pairs((prints[i], print_of(copy, tmp_path / "copies" / str(i))))
