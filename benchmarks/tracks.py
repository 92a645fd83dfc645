"""tracks: is one person one track? Faces found and lost on real videos and on fakes of them; tracks of spliced ones.

    python benchmarks/tracks.py REALS [--frames 16] [--splices 20]

REALS is a folder of videos of one person each, as `deepfake forge` takes it. It is forged, and each video goes through
extract, detect and filter with the settings of params.yaml. Then two people's videos are joined at a cut, the second
scaled to the size of the first: two people are two tracks, and the first who comes back after the second is still one.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from deepfake import detect, extract, filter, forge, video
from deepfake.base.opencv import cv2
from deepfake.dataset import reals

SETTINGS = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())


def faces_of(path: Path, frames: int, scratch: Path) -> tuple[int, pd.DataFrame]:
    """How many frames of a video were kept, and its judged faces."""
    kept = extract.ExtractParams(**SETTINGS["extract"] | {"sampling": "count", "frames_per_video": frames}).policy()
    settings = detect.DetectParams(**SETTINGS["detect"] | {"size": 224})
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        row = extract.keep(path, Path(folder, "frames.mkv"), kept)
        rows = detect.tracks(Path(folder, "frames.mkv"), Path(folder), settings) if row["kept"] else []
    faces = pd.DataFrame(rows).assign(video_id=str(path)) if rows else pd.DataFrame()
    return row["kept"], filter.with_reasons(faces, filter.FilterParams(**SETTINGS["filter"])) if rows else faces


def line(kind: str, files: list[Path], frames: int, scratch: Path) -> str:
    """A row of the first table."""
    results = [faces_of(file, frames, scratch) for file in files]
    seen = [faces["frame"].nunique() / kept if len(faces) else 0.0 for kept, faces in results]
    tracks = [faces["track"].nunique() if len(faces) else 0 for _, faces in results]
    reasons = pd.concat([faces["reason"] for _, faces in results if len(faces)]).value_counts()
    lost = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if reason) or "none"
    single = sum(count == 1 for count in tracks)
    return f"| {kind} | {len(files)} | {np.mean(seen):.1%} | {single} | {sum(tracks)} | {reasons.sum()} | {lost} |"


def joined(files: list[Path], out: Path, frames: int) -> None:
    """Frames of each file one after the other, at the size of the first."""

    def images() -> Iterator[video.Images]:
        size = None
        for file in files:
            for frame in video.read(file):
                if frame.index == frames:
                    break
                image = frame.rgb()
                size = size or (image.shape[1] // 2 * 2, image.shape[0] // 2 * 2)
                yield np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

    video.encode(out, images(), 25.0)


def splices(videos: list[reals.Listed], number: int, frames: int, scratch: Path) -> list[str]:
    """The rows of the second table: A then B, and A, B, A, of neighbours in a shuffled row of people."""
    order = np.random.default_rng(0).permutation(len(videos))
    pairs = [(videos[i], videos[j]) for i, j in zip(order, np.roll(order, 1), strict=True)]
    pairs = [(a, b) for a, b in pairs if a.identity != b.identity][:number]
    rows = []
    for name, places in (("A, B", (0, 1)), ("A, B, A", (0, 1, 0))):
        counts = []
        for pair in pairs:
            joined([pair[i].path for i in places], scratch / "spliced.mp4", 40)
            _, faces = faces_of(scratch / "spliced.mp4", frames * len(places), scratch)
            counts.append(faces["track"].nunique() if len(faces) else 0)
        rows.append(f"| {name} | {len(counts)} | {sum(count == 2 for count in counts)} | {counts} |")
    return rows


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reals", type=Path, metavar="REALS")
    parser.add_argument("--frames", type=int, default=16, help="kept of each video")
    parser.add_argument("--splices", type=int, default=20, help="pairs of people at most")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        forge.forge(arguments.reals, scratch / "forged", forge.ForgeParams(max_frames=100))
        print("| videos | count | frames with a face | of one track | tracks | faces | lost |")
        print(f"|{'---|' * 7}")
        for kind in ("real", "fake"):
            print(line(kind, sorted((scratch / "forged" / kind).glob("*.mp4")), arguments.frames, scratch), flush=True)
        print(f"\n| spliced | count | of two tracks | tracks |\n|{'---|' * 4}")
        print("\n".join(splices(reals.listing(arguments.reals), arguments.splices, arguments.frames, scratch)))


if __name__ == "__main__":
    main()
