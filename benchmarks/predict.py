"""predict: a video scored against the same video decoded alone, in one run; the start of the command; an hour's memory.

    python benchmarks/predict.py [CLIP] [--detector builtin] [--rounds 3] [--hour]

Without a clip two are drawn, of 10 s at 1080p in H.264: a talking head of 540 px, by a camera that moves, and by one
that stands still. PyTorch and the detector are loaded, and a first video was scored, before the clock runs. `bare`
decodes each frame on one thread, as predict does. --hour: one hour of 128 px, with its timeline, in a process of its
own, and the most memory that it took.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import numpy as np

from deepfake import inference, video
from deepfake.demo import DemoParams, render
from deepfake.predict import predict

HOUR = 3600  # s
STARTS = 5
PERSON = DemoParams(identities=2, frames=16, size=256, resolution=0, seed=0)
ASK = """
import json, resource, sys
from pathlib import Path
from deepfake import inference
from deepfake.predict import predict
said = predict(Path(sys.argv[1]), inference.load(Path(sys.argv[2])))
print(json.dumps([said.status, said.score, len(said.timeline), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def drawn(path: Path, seconds: int, side: tuple[int, int], head: int, still: bool) -> Path:
    """A head of `head` px that moves over noise of (height, width) px, 25 frames a second; the camera moves, or not."""
    shown = [cv2.resize(image, (head, head)) for image in render(0, PERSON)]
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.integers(0, 256, (side[0], 2 * side[1], 3)).astype(np.uint8), (0, 0), 2)
    grain = rng.normal(0, 0 if still else 3, (8, *side, 3)).astype(np.int8)

    def frames() -> Iterator[video.Images]:
        for number in range(seconds * 25):
            pan = 0 if still else round(side[1] / 4 * (1 + np.sin(number / 60)))
            image = ground[:, pan : pan + side[1]].copy()
            left = (side[1] - head) // 2 + round(side[1] / 40 * np.sin(number / 25))
            top = (side[0] - head) // 2
            image[top : top + head, left : left + head] = shown[number % 32 if number % 32 < 16 else 31 - number % 32]
            yield np.asarray(cv2.add(image, grain[number % 8], dtype=cv2.CV_8U), np.uint8)

    video.encode(path, frames(), 25.0)
    return path


def repeated(path: Path, source: Path, seconds: int) -> Path:
    """The packets of a short video again and again, until it is so long."""
    with av.open(source) as given, av.open(path, "w") as target:
        stream = given.streams.video[0]
        copy, base = target.add_stream_from_template(stream), stream.time_base or Fraction(1, 25)
        packets = [
            (bytes(packet), packet.pts, packet.dts, packet.is_keyframe)
            for packet in given.demux(stream)
            if packet.pts is not None and packet.dts is not None
        ]
        length = max(pts for _, pts, _, _ in packets) + int(1 / (25 * base))
        for turn in range(round(seconds / float(length * base))):
            for content, pts, dts, key in packets:
                packet = av.Packet(content)
                packet.pts, packet.dts, packet.time_base = pts + turn * length, dts + turn * length, base
                packet.is_keyframe, packet.stream = key, copy
                target.mux(packet)
    return path


def decoded(path: Path) -> int:
    """How many frames a bare decoder gives."""
    with av.open(path) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return sum(1 for _ in container.decode(video=0))


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """s by the clock, and of the processor."""
    clock, used = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - clock, time.process_time() - used


def help_time() -> float:
    """s that `deepfake --help` takes, the least of several."""
    call = [
        sys.executable,
        "-c",
        "import sys; sys.argv = ['deepfake', '--help']; from deepfake.app.cli import main; main()",
    ]
    return min(timed(lambda: subprocess.run(call, stdout=subprocess.DEVNULL, check=True))[0] for _ in range(STARTS))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, nargs="?")
    parser.add_argument("--detector", type=Path, default=Path("builtin"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hour", action="store_true")
    arguments = parser.parse_args()
    detector = inference.load(arguments.detector)
    with TemporaryDirectory() as scratch:
        clips = {"named": arguments.clip} if arguments.clip else {
            name: drawn(Path(scratch, f"{name}.mp4"), 10, (1080, 1920), 540, still=name == "still")
            for name in ("hand-held", "still")
        }  # fmt: skip
        print(f"{os.cpu_count()} cores, {arguments.rounds} rounds, one thread; s by the clock, s of the processor")
        print("| clip | Mbit/s | faces | bare decoding | predict | ratio, clock | ratio, processor |")
        print("|---|---|---|---|---|---|---|")
        for name, clip in clips.items():
            print(f"| {name} | {' | '.join(compared(clip, detector, arguments.rounds))} |", flush=True)
        print(f"deepfake --help: {help_time():.2f} s, the least of {STARTS}")
        if arguments.hour:
            print(hour(Path(scratch), arguments.detector))


def compared(clip: Path, detector: inference.Detector, rounds: int) -> list[str]:
    """Cells: the clip, bare decoding, predict, and how often the first goes into the second."""
    prediction = predict(clip, detector)  # and all is warm
    calls = (lambda: decoded(clip), lambda: predict(clip, detector))
    times = np.array([[timed(call) for call in calls] for _ in range(rounds)])  # (rounds, way, clock or processor)
    bare, ours = np.median(times, 0)
    ratio = np.median(times[:, 1] / times[:, 0], 0)
    rate = clip.stat().st_size * 8 / 1e6 / (decoded(clip) / 25)
    cells = [
        f"{rate:.1f}",
        str(len(prediction.tracks)),
        *(f"{seconds[0]:.2f}, {seconds[1]:.2f}" for seconds in (bare, ours)),
    ]
    return [*cells, *(f"{value:.2f}" for value in ratio)]


def hour(scratch: Path, detector: Path) -> str:
    """What an hour takes, and beside it 20 s of the same, each in a process of its own."""
    short = drawn(scratch / "short.mp4", 20, (128, 128), 112, still=False)
    long = repeated(scratch / "hour.mp4", short, HOUR)
    lines = []
    for name, clip in (("20 s", short), ("an hour", long)):
        began = time.perf_counter()
        call = [sys.executable, "-c", ASK, str(clip), str(detector)]
        done = subprocess.run(call, stdout=subprocess.PIPE, check=True, text=True)
        status, score, windows, most = json.loads(done.stdout)
        spent = time.perf_counter() - began
        lines.append(
            f"{name}: {status}, P(fake) {score}, {windows} windows, {most / 1024:.0f} MB at most, {spent:.0f} s"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
