"""One process a core, one thread a process: pictures are converted and warped in the thread that asks."""

import ast
import time
from pathlib import Path

import numpy as np

from deepfake import faces, video
from deepfake.base.opencv import cv2
from deepfake.video import Images

PACKAGE = Path(__file__).parents[1] / "deepfake"


def scene(number: int) -> Images:
    """(480, 640, 3)."""
    return np.random.default_rng(number).integers(0, 256, (480, 640, 3), np.uint8)


def test_pictures_are_handled_in_the_thread_that_asks(tmp_path):
    video.encode(tmp_path / "a.mp4", map(scene, range(12)), 25)
    whole, own = time.process_time(), time.thread_time()
    frames = list(video.read(tmp_path / "a.mp4"))
    for frame in frames:
        faces.warp(frame.rgb(), np.array([[0.3, 0, 0], [0, 0.3, 0]]), 224)
        frame.grey(32)
    video.transcoded(np.stack([frame.rgb() for frame in frames[:3]]), "mpeg2video", 4)
    video.save(tmp_path / "a.mkv", frames, 0, 320)
    whole, own = time.process_time() - whole, time.thread_time() - own
    assert own > 0.93 * whole, f"{whole - own:.3f} of {whole:.3f} s in other threads"
    assert cv2.getNumThreads() == 1


def test_pictures_are_converted_in_one_place():
    """PyAV's own calls begin a thread for each core, for each picture."""
    calls = [
        (file.relative_to(PACKAGE).as_posix(), node.func.attr)
        for file in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in ("reformat", "to_rgb", "to_image") or (node.func.attr == "to_ndarray" and node.keywords)
    ]
    assert calls == [("player/filters.py", "reformat")]
