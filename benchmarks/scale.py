"""scale: the processor time of finding and dealing as many videos as the largest datasets have; their files are empty.

python benchmarks/scale.py            Celeb-DF v2's shape, then growing parts of DFDC's: seconds and MB of each step
python benchmarks/scale.py --most 50  all 50 parts: 124,000 videos
python benchmarks/scale.py --again    what a `dvc repro` costs that has nothing to do, beside that many files
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from deepfake.base import plugins
from deepfake.dataset import alike
from deepfake.dataset.relations import groups
from deepfake.split import SplitParams, split

PART = 2480  # videos of a part of DFDC: 124,000 of 50
REALS = 6  # of a part, one of so many is real
STEPS = ("scan", "tie", "compare", "split")
SPLIT = SplitParams(mode="quota", train=0.7, val=0.15, test=0.15, seed=0, cut=0.5)


def celebdf(root: Path, _: int) -> int:
    """590 videos of 59 people, 300 of YouTube, 5639 swaps; how many."""
    names = [f"Celeb-real/id{i % 59}_{i // 59:04d}.mp4" for i in range(590)]
    names += [f"YouTube-real/{i:05d}.mp4" for i in range(300)]
    names += [f"Celeb-synthesis/id{i % 59}_id{(i + 1 + i // 590) % 59}_{i // 59 % 10:04d}.mp4" for i in range(5639)]
    return _touch(root, names)


def dfdc(root: Path, parts: int) -> int:
    """So many parts of videos beside their metadata.json; how many videos."""
    total = 0
    for part in range(parts):
        names = [f"{part:02d}{i:06d}.mp4" for i in range(PART)]
        reals = names[::REALS]
        metadata: dict[str, dict[str, str]] = {name: {"label": "REAL", "split": "train"} for name in reals}
        fakes = [name for name in names if name not in metadata]
        metadata |= {
            name: {"label": "FAKE", "split": "train", "original": reals[i % len(reals)]} for i, name in enumerate(fakes)
        }
        folder = root / f"dfdc_train_part_{part}"
        total += _touch(folder, names)
        (folder / "metadata.json").write_text(json.dumps(metadata))
    return total


SHAPES: dict[str, Callable[[Path, int], int]] = {"celebdf": celebdf, "dfdc": dfdc}


def measured(layout: str, root: Path) -> dict[str, Any]:
    """Seconds of processor time of each step, and the most MB that the process took."""
    before, seconds = _memory(), {}
    start = time.process_time()
    table = plugins.load("layouts", layout).scan(root)
    seconds["scan"] = time.process_time() - start
    rng = np.random.default_rng(0)
    prints = [rng.bytes(alike.FRAMES * alike.WAVES**2 // 8).hex() for _ in range(len(table))]
    videos = table.assign(
        status="ok", kept=16, sha256=[f"{i:064x}" for i in range(len(table))], pictures_sha256="", fingerprint=""
    )
    kept = pd.DataFrame({"video_id": videos["video_id"], "reason": ""})
    start = time.process_time()
    groups(videos, SPLIT.by)
    seconds["tie"] = time.process_time() - start
    start = time.process_time()
    split(videos, kept, SPLIT)
    seconds["split"] = time.process_time() - start
    linear = _memory()
    start = time.process_time()
    alike.pairs(tuple(prints))
    seconds["compare"] = time.process_time() - start
    return {"videos": len(table), "seconds": seconds, "MB": linear - before, "compare_MB": _memory() - before}


AGAIN = """
stages:
  extract:
    cmd: cp -r videos frames
    deps: [videos]
    outs: [frames]
"""


def again(layout: str, size: int) -> dict[str, float]:
    """Processor seconds and MB of `dvc repro`: first, and again with nothing to do; a file in and one out a video."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        count = SHAPES[layout](folder / "videos", size)
        for number, path in enumerate(sorted((folder / "videos").rglob("*.mp4"))):
            path.write_text(str(number))  # no two alike: each is hashed and kept by itself
        (folder / "dvc.yaml").write_text(AGAIN)
        dvc = [sys.executable, "-m", "dvc"]
        subprocess.run([*dvc, "init", "--no-scm", "--quiet"], cwd=folder, check=True)
        figures: dict[str, float] = {"videos": count}
        for turn in ("first", "again"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            text = subprocess.run([*dvc, "repro"], cwd=folder, check=True, capture_output=True, text=True).stdout
            assert ("didn't change" in text) == (turn == "again")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            figures[turn] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return figures | {"MB": after.ru_maxrss / 1024}


def main() -> None:
    """Lay out, measure each in a process of its own, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=12, help="parts of DFDC; 50 are all")
    parser.add_argument("--again", action="store_true", help="measure `dvc repro` instead")
    parser.add_argument("--measure", nargs=2, metavar=("LAYOUT", "ROOT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measured(options.measure[0], Path(options.measure[1]))))
        return
    sizes = [max(3, options.most * share // 4) for share in (1, 2, 4)]
    shapes = [("celebdf", 1), *(("dfdc", size) for size in sizes)]
    if options.again:
        print("| shape | videos | first, s | nothing to do, s | MB |\n|---|---|---|---|---|")
        for layout, size in shapes:
            row = again(layout, size)
            print(
                f"| {layout} | {row['videos']:.0f} | {row['first']:.1f} | {row['again']:.1f} | {row['MB']:.0f} |",
                flush=True,
            )
        return
    heads = ("shape", "videos", "scan, s", "tie, s", "split, s", "MB", "compare, s", "MB with it")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for layout, size in shapes:
        with TemporaryDirectory() as folder:
            SHAPES[layout](Path(folder), size)
            call = [sys.executable, __file__, "--measure", layout, folder]
            result = json.loads(subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True).stdout)
        s = {name: f"{result['seconds'][name]:.1f}" for name in STEPS}
        print(
            f"| {layout} | {result['videos']} | {s['scan']} | {s['tie']} | {s['split']} | {result['MB']:.0f} "
            f"| {s['compare']} | {result['compare_MB']:.0f} |",
            flush=True,
        )


def _touch(root: Path, names: list[str]) -> int:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return len(names)


def _memory() -> float:
    """The most MB that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
