"""split: each video to train, validation or test, by groups of people."""

import sys
from pathlib import Path

from deepfake.base import params, tables
from deepfake.dataset.videos import read
from deepfake.measures import protocol
from deepfake.split import OUT, SPLITS, SplitParams, doubts, split, summary
from stages.command import In, Metric, Out, done, main

MOST = 10  # leaks that are named
OPEN = {  # what may be unknown of videos, in words
    "no_identity": "say no identity; each counts as a person of its own",
    "unknown_source": "are made of a source that is none of the videos; mind its spelling",
    "unknown_people": "are fakes of people whom no real video shows; mind how they are written",
}


def run(
    videos: In = Path("data/videos.csv"),
    kept: In = Path("data/kept.parquet"),
    splits: Out = Path("data/splits.csv"),
    report: Metric = Path("reports/split.json"),
) -> None:
    """Deal the videos to train, validation and test so that no person, source or file is on two sides."""
    p = params.load("split", SplitParams)
    held = params.load("evaluate", protocol.EvaluateParams).held_out
    dealt = split(read(videos), tables.read(kept), p)
    apart, leaks = protocol.apart(dealt, held), dealt.attrs["leaks"]
    doubtful = doubts(apart)
    for name, doubt in OPEN.items():
        if names := doubtful[name]:
            print(
                f"warning: {len(names)} videos {doubt} ({', '.join(names[:3])}{' ...' * (len(names) > 3)})",
                file=sys.stderr,
            )
    out = int((apart["split"] == OUT).sum())
    if out:
        print(f"warning: {out} videos are left out: they show people of two sides, or a table says so", file=sys.stderr)
    for leak in leaks[:MOST]:
        print(f"warning: on two sides of the split: {leak}", file=sys.stderr)
    if len(leaks) > MOST:
        print(f"warning: and {len(leaks) - MOST} more", file=sys.stderr)
    tables.write(splits, apart)
    asides = {
        "doubts": {name: len(names) for name, names in doubtful.items()},
        "held_out": protocol.summary(apart, held),
    }
    tables.write_metrics(report, summary(apart) | asides | {"left_out": out, "leaks": len(leaks)})
    done("split", ", ".join(f"{(apart['split'] == name).sum()} {name}" for name in SPLITS), splits)


if __name__ == "__main__":
    main(run)
