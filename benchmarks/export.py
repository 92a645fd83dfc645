"""export: a detector by PyTorch, by ONNX Runtime, and by ONNX Runtime in 8 bits, on the same faces in one run.

    python benchmarks/export.py [--detector models/detector] [--rounds 5]

In the pipeline's folder. The detector is exported into a temporary folder; the three score the tracks of the test clips
(data/clips.parquet) in turn, round after round, on the same number of threads. The ratio of speed is the median over
rounds. Without test clips tracks of noise are scored: then there is no AUC.
"""

import argparse
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from deepfake import clips, export
from deepfake.base import tables
from deepfake.library import Detector
from deepfake.video import Images

NOISE = 12  # tracks
SUFFIXES = {"torch": ".safetensors", "onnx": ".onnx", "int8": ".int8.onnx"}  # backend -> what its files end in


def tracks(table: Path) -> tuple[pd.DataFrame, list[Images]]:
    """A row for each test track: video_id, label; and its faces, (T, S, S, 3) uint8 RGB."""
    if not table.is_file():
        rng = np.random.default_rng(0)
        names = [f"noise {i}" for i in range(NOISE)]
        images = [rng.integers(0, 256, (16, 112, 112, 3), dtype=np.uint8) for _ in names]
        return pd.DataFrame({"video_id": names, "label": 0}), images
    rows = tables.read(table)
    rows = rows[rows["split"] == "test"].reset_index(drop=True)
    files = clips.arrays([table.parent / file for file in rows["file"]], rows["positions"])
    return rows[["video_id", "label"]], [np.load(file) for file in files]


def scores(detector: Detector, about: pd.DataFrame, faces: list[Images]) -> pd.Series:
    """P(fake) of each video."""
    table = about.assign(said=[detector.track(images) for images in faces])
    return table.groupby("video_id")["said"].agg(list).map(detector.score)


def size(folder: Path, suffix: str) -> float:
    """MB of its networks."""
    return sum(file.stat().st_size for file in folder.glob(f"member_?{suffix}")) / 1e6


def main() -> None:
    """Export, score in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", type=Path, default=Path("models/detector"))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    about, faces = tracks(Path("data/clips.parquet"))
    labels = about.groupby("video_id")["label"].first()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch, "exported")
        export.export(arguments.detector, folder, int8=True)
        ways = {name: Detector.load(folder, backend=name) for name in SUFFIXES}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        probabilities = {name: scores(detector, about, faces) for name, detector in ways.items()}  # and all is warm
        logits = {
            name: np.concatenate([detector.track(images).logits for images in faces]) for name, detector in ways.items()
        }
        for _ in range(arguments.rounds):
            for name, detector in ways.items():
                began = time.perf_counter()
                scores(detector, about, faces)
                seconds[name].append(time.perf_counter() - began)
        sizes = {name: size(folder, suffix) for name, suffix in SUFFIXES.items()}
    count = sum(map(len, faces))
    print(f"{len(labels)} videos, {count} faces, {torch.get_num_threads()} threads, {arguments.rounds} rounds")
    print("| backend | MB | faces/s | times PyTorch's | largest difference: logit | P(fake) | AUC |")
    print("|---|---|---|---|---|---|---|")
    for name in ways:
        ratio = median(a / b for a, b in zip(seconds["torch"], seconds[name], strict=True))
        apart = np.abs(logits[name] - logits["torch"]).max(), (probabilities[name] - probabilities["torch"]).abs().max()
        area = f"{roc_auc_score(labels, probabilities[name]):.4f}" if labels.nunique() == 2 else ""
        cells = [f"{sizes[name]:.2f}", f"{count / median(seconds[name]):.0f}", f"{ratio:.2f}"]
        cells += [f"{apart[0]:.2g}", f"{apart[1]:.2g}", area]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
