"""extract: raw videos in, a table of them and their kept frames out."""

from pathlib import Path

import pandas as pd

from deepfake import extract
from deepfake.base import items, params, plugins, tables
from deepfake.base.errors import UserError
from deepfake.videos import USABLE
from stages.command import Metric, Out, done, main


def run(
    videos: Out = Path("data/videos.csv"),
    frames: Out = Path("data/frames"),
    report: Metric = Path("reports/extract.json"),
) -> None:
    """Decode every video under extract.root and keep the frames that the sampling picks."""
    p = params.load("extract", extract.ExtractParams)
    if not (root := Path(p.root)).is_dir():
        raise UserError(f"params.yaml: extract.root: no folder {root}", "set it to the folder that holds your videos")
    found = extract.selected(plugins.load("layouts", p.layout).scan(root), p)
    todo = [items.Item(row.video_id, (root / row.path,)) for row in found.itertuples()]
    made = items.build(frames, todo, extract.work, p.policy(), place=lambda name, file: f"{name}.mkv")
    table = pd.concat([found, pd.DataFrame([one.result for one in made])], axis=1)
    if not table["kept"].any():
        raise UserError(f"{root}: none of the {len(table)} videos can be decoded: {table['reason'].iloc[0]}")
    tables.write(videos, table)
    tables.write_metrics(report, extract.summary(table))
    broken = (~table["status"].isin(USABLE)).sum()
    done("extract", f"{len(table)} videos, {items.remade(made)} made anew, {broken} broken", frames)


if __name__ == "__main__":
    main(run)
