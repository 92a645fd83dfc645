"""split: each video to train, validation or test, by groups of people."""

import sys
from pathlib import Path

from deepfake.base import params, tables
from deepfake.split import SPLITS, SplitParams, split, summary
from deepfake.videos import read
from stages.command import In, Metric, Out, done, main


def run(
    videos: In = Path("data/videos.csv"),
    kept: In = Path("data/kept.parquet"),
    splits: Out = Path("data/splits.csv"),
    report: Metric = Path("reports/split.json"),
) -> None:
    """Deal the videos to train, validation and test so that no person, source or file is on two sides."""
    p = params.load("split", SplitParams)
    listed = read(videos)
    dealt = split(listed, tables.read(kept), p)
    if unknown := int(listed["identities"].eq("").sum()):
        print(f"warning: {unknown} videos say no identity; each counts as a person of its own", file=sys.stderr)
    tables.write(splits, dealt)
    tables.write_metrics(report, summary(dealt))
    done("split", ", ".join(f"{(dealt['split'] == name).sum()} {name}" for name in SPLITS), splits)


if __name__ == "__main__":
    main(run)
