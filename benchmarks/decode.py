"""decode: what extract saves where it decodes only what the kept frames need, and whether these are the same.

    python benchmarks/decode.py VIDEOS [--frames 16] [--rounds 3]

Processor time of `extract.decode: needed` against `whole`, of the same videos in turn, the least of some rounds each;
storing the frames counts in both. By codec, with the share of frames that are decoded.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from deepfake import extract, video
from deepfake.player.needed import plan


def seconds(path: Path, target: Path, p: extract.Policy, rounds: int) -> tuple[float, bytes]:
    """The least processor time of some rounds, and the frames stored."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        row = extract.keep(path, target, p)
        times.append(time.process_time() - start)
    return min(times), target.read_bytes() if row["kept"] else b""


def main() -> None:
    """A row a codec."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, metavar="VIDEOS")
    parser.add_argument("--frames", type=int, default=16, help="kept of each video")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    how = {"sampling": "count", "frames_per_video": arguments.frames, "fps": 1.0, "stride": 1, "max_side": None}
    policies = [extract.Policy(**how, crf=0, decode=decode) for decode in ("whole", "needed")]
    rows: dict[str, list[tuple[float, float, bool, int, int]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(file for file in arguments.videos.rglob("*") if video.is_video(file)):
            try:
                codec, times = video.probe(path).codec, list(video.packet_times(path))
                todo = plan(path, {0, *extract.pick(times, policies[0])})
            except video.Unreadable:
                continue
            target = Path(scratch, "frames.mkv")
            (whole, frames), (needed, same) = (seconds(path, target, p, arguments.rounds) for p in policies)
            sent = sum(todo.sent) if todo else len(times)
            rows[codec].append((whole, needed, frames == same, sent, len(times)))
    print("| codec | videos | frames sent to the decoder | needed / whole, processor time | same frames |")
    print("|---|---|---|---|---|")
    for codec, measured in sorted(rows.items()):
        whole, needed, same, sent, frames = (sum(column) for column in zip(*measured, strict=True))
        print(f"| {codec} | {len(measured)} | {sent / frames:.0%} | {needed / whole:.2f} | {same} of {len(measured)} |")


if __name__ == "__main__":
    main()
