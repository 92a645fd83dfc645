"""preprocess: extract + detect against the plain script that projects use, on the same frames and the same cores.

    python benchmarks/preprocess.py VIDEOS [--frames 32] [--large 4] [--every]

VIDEOS is a folder of real clips. Two sets are measured: the clips as they are, and some of them scaled up over a larger
background to 720p and 1080p. The plain script reads with OpenCV, writes each kept frame as JPEG, reads it again, runs
dlib's HOG at full size with one upsampling and the 68 landmarks, and crops. It is timed as it is found, in one process,
and also split over as many processes as the stages use. All times include the start of Python.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import yaml

from deepfake import extract, video

ROOT = Path(__file__).parents[1]
SIZE = 224  # px of a crop
LARGE = ((1280, 720), (1920, 1080))


def plain(listing: Path, out: Path) -> None:
    """The plain script: of {video: kept frames}, JPEG files of frames and faces; prints how many faces it found."""
    import dlib

    # not by deepfake.faces, with which OpenCV's own kernels are left out
    package = find_spec("face_recognition_models")
    detector = dlib.get_frontal_face_detector()
    models = Path(str(package and package.origin)).parent / "models"
    predictor = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
    with_face = 0
    for name, wanted in json.loads(listing.read_text()).items():
        folder = out / Path(name).name
        folder.mkdir(parents=True)
        capture, index, keep = cv2.VideoCapture(name), 0, set(wanted)
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            if index in keep:
                cv2.imwrite(str(folder / f"{index:05d}.jpg"), frame)
            index += 1
        for file in sorted(folder.glob("*.jpg")):
            image = cv2.cvtColor(np.asarray(cv2.imread(str(file))), cv2.COLOR_BGR2RGB)
            boxes = detector(image, 1)
            with_face += bool(boxes)
            for number, box in enumerate(boxes):
                predictor(image, box)
                top, left = max(0, box.top()), max(0, box.left())
                crop = cv2.resize(image[top : box.bottom(), left : box.right()], (SIZE, SIZE))
                cv2.imwrite(str(folder / f"{file.stem}_face{number}.jpg"), cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
    print(json.dumps({"frames_with_face": with_face, "peak_mb": peak(resource.RUSAGE_SELF)}))


def peak(who: int) -> int:
    """MB, the largest resident memory of this process or of any child so far."""
    return resource.getrusage(who).ru_maxrss // 1024


def run_plain(clips: dict[str, list[int]], folder: Path, processes: int) -> dict[str, float]:
    """Wall seconds, frames with a face and peak memory of the plain script."""
    parts = [dict(list(clips.items())[start::processes]) for start in range(processes)]
    start = time.perf_counter()
    running = []
    for number, part in enumerate(parts):
        listing = folder / f"plain{processes}_{number}.json"
        listing.write_text(json.dumps(part))
        command = [sys.executable, __file__, "--plain", str(listing), str(folder / f"plain{processes}_{number}")]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    reports = [json.loads(process.communicate()[0]) for process in running]
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "faces": sum(report["frames_with_face"] for report in reports),
        "peak_mb": max(report["peak_mb"] for report in reports),
    }


def run_stages(source: Path, folder: Path, sampling: dict[str, object], jobs: int) -> dict[str, float]:
    """Wall and CPU seconds of the two stages from nothing, frames with a face, and peak memory of a process."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["extract"] |= {"root": str(source), "layout": "manifest", "max_side": None, "crf": 0} | sampling
    params["detect"] |= {"detector": "dlib_hog", "weights": None, "size": SIZE}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JOBS": str(jobs), "ITEM_CACHE": str(folder / "items")}
    result: dict[str, float] = {"seconds": 0.0}
    for stage in ("extract", "detect"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", f"stages.{stage}"], cwd=folder, env=environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        result["seconds"] += time.perf_counter() - start
        result[f"{stage}_cpu"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    faces = pd.read_parquet(folder / "data/faces.parquet")
    result["faces"] = len(faces.loc[~faces["recovered"], ["video_id", "frame"]].drop_duplicates())
    result["with_recovered"] = len(faces[["video_id", "frame"]].drop_duplicates())
    result["peak_mb"] = peak(resource.RUSAGE_CHILDREN)
    return result


def bare(clips: dict[str, list[int]], folder: Path) -> tuple[float, float]:
    """CPU seconds of bare decoding plus encoding of the kept frames, and of `extract.keep`, in turn."""
    policy = {"sampling": "count", "fps": 1.0, "stride": 1, "max_side": None, "crf": 0}
    decoding = extracting = 0.0
    for number, (name, wanted) in enumerate(clips.items()):
        keep, start = set(wanted), time.process_time()
        video.save(folder / f"bare{number}.mkv", (f for f in video.read(Path(name)) if f.index in keep))
        middle = time.process_time()
        p = extract.Policy.model_validate(policy | {"frames_per_video": len(wanted)})
        extract.keep(Path(name), folder / f"kept{number}.mkv", p)
        decoding, extracting = decoding + middle - start, extracting + time.process_time() - middle
    return decoding, extracting


def enlarged(files: list[Path], folder: Path, count: int) -> None:
    """Some clips scaled up over a larger background: a face of a third of the height, as cameras show it."""
    for number, file in enumerate(files[:: max(1, len(files) // count)][:count]):
        width, height = LARGE[number % len(LARGE)]
        rng = np.random.default_rng(number)
        low = rng.integers(60, 190, (9, 16, 3), np.uint8)
        ground = cv2.resize(low, (width, height), interpolation=cv2.INTER_CUBIC)

        def frames(file: Path = file, ground: np.ndarray = ground, height: int = height, width: int = width):  # type: ignore[no-untyped-def]
            for frame in video.read(file):
                if frame.index >= 100:
                    return
                image = frame.rgb()
                scale = 0.8 * height / image.shape[0]
                inner = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
                top, left = height - inner.shape[0], (width - inner.shape[1]) // 2
                whole = ground.copy()
                whole[top:, left : left + inner.shape[1]] = inner
                yield whole

        video.encode(folder / f"{height}p_{file.stem}.mp4", frames(), 25.0, crf=20)


def measure(title: str, source: Path, arguments: argparse.Namespace, goal: float) -> None:
    """One set of clips, both ways in turn; prints the ratios."""
    files = sorted(file for file in source.iterdir() if file.suffix in video.SUFFIXES)
    sampling: dict[str, object] = {"sampling": "stride", "stride": 1} if arguments.every else {"sampling": "count"}
    sampling["frames_per_video"] = arguments.frames
    policy = extract.Policy.model_validate({"fps": 1.0, "stride": 1, "max_side": None, "crf": 0} | sampling)
    clips = {str(file): extract.pick([f.time for f in video.read(file)], policy) for file in files}
    kept = sum(map(len, clips.values()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        linked = folder / "videos"
        linked.mkdir()
        for file in files:
            (linked / file.name).symlink_to(file.resolve())
        rows = [f"{file.name},{number % 2}" for number, file in enumerate(files)]
        (linked / "manifest.csv").write_text("\n".join(["path,label", *rows]) + "\n")
        ours = run_stages(linked, folder, sampling, arguments.jobs)
        theirs = run_plain(clips, folder, 1)
        theirs_split = run_plain(clips, folder, arguments.jobs)
        decoding, extracting = bare(clips, folder)
    print(f"\n{title}: {len(files)} videos, {kept} frames kept, {arguments.jobs} cores")
    print(f"  {'':34}{'seconds':>9}{'frames/s':>10}{'with face':>11}{'peak MB':>9}")
    rows_of = {
        "plain script": theirs,
        f"plain script in {arguments.jobs} processes": theirs_split,
        "extract + detect": ours,
    }
    for label, row in rows_of.items():
        print(
            f"  {label:34}{row['seconds']:9.1f}{kept / row['seconds']:10.1f}{row['faces']:11.0f}{row['peak_mb']:9.0f}"
        )
    print(f"  throughput: {theirs['seconds'] / ours['seconds']:.1f} times the plain script's (goal {goal:g}),", end=" ")
    print(f"{theirs_split['seconds'] / ours['seconds']:.1f} times where that is split over the cores")
    print(
        f"  faces: {ours['faces']:.0f} against {theirs['faces']:.0f}; {ours['with_recovered']:.0f} with recovered ones"
    )
    print(f"  extract: {extracting / decoding:.2f} times the CPU time of bare decoding and encoding (goal 1.3)")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="?")
    parser.add_argument("--frames", type=int, default=32, help="kept of a video, spread over it")
    parser.add_argument("--every", action="store_true", help="keep every frame instead")
    parser.add_argument("--large", type=int, default=4, help="how many clips are scaled up; 0 for none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--plain", type=Path, nargs=2, metavar=("LISTING", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plain:
        plain(*arguments.plain)
        return
    if arguments.videos is None or not arguments.videos.is_dir():
        parser.error("VIDEOS: name a folder of clips")
    measure("clips as they are", arguments.videos, arguments, 5)
    if arguments.large:
        with tempfile.TemporaryDirectory() as name:
            files = sorted(file for file in arguments.videos.iterdir() if file.suffix in video.SUFFIXES)
            enlarged(files, Path(name), arguments.large)
            measure("720p and 1080p", Path(name), arguments, 15)


if __name__ == "__main__":
    main()
