"""extract: raw videos in, a table of them and their kept frames out."""

import os
import sys
from pathlib import Path

import pandas as pd

from deepfake import extract
from deepfake.base import items, params, plugins, tables
from deepfake.base.errors import UserError
from deepfake.dataset.files import counted, printable
from deepfake.dataset.videos import USABLE
from stages.command import Metric, Out, done, main


def run(
    videos: Out = Path("data/videos.csv"),
    frames: Out = Path("data/frames"),
    report: Metric = Path("reports/extract.json"),
) -> None:
    """Decode every video under extract.root and keep the frames that the sampling picks."""
    p = params.load("extract", extract.ExtractParams)
    root = Path(p.root)
    if not os.path.isdir(root):  # noqa: PTH112 (a Path raises for a name that is too long)
        raise UserError(f"params.yaml: extract.root: no folder {root}", "set it to the folder that holds your videos")
    listed = plugins.load("layouts", p.layout).scan(root)
    left, notes = listed.attrs.get("left_out", {}), listed.attrs.get("notes", [])
    for note in [f"left out {counted(left)}"] * bool(left) + notes:
        print(f"extract: {root}: {note}", file=sys.stderr)
    listed = extract.selected(listed, p)
    todo = [
        items.Item(row.video_id, (root / row.path, *([root / row.mask] if row.mask else [])))
        for row in listed.itertuples()
    ]
    results = items.build(frames, todo, extract.work, p.policy(), place=extract.place)
    table = pd.concat([listed, pd.DataFrame([result.result for result in results])], axis=1)
    if not table["kept"].any():
        raise UserError(f"{root}: none of the {len(table)} videos can be decoded: {table['reason'].iloc[0]}")
    if useless := int(((table["mask"] != "") & (table["kept"] > 0) & ~table["masked"].eq(True)).sum()):
        print(f"warning: {useless} masks are not there, or shorter than their videos: not used", file=sys.stderr)
    tables.write(videos, table.assign(path=table["path"].map(printable)))
    tables.write_metrics(report, extract.summary(table) | {"left_out": left})
    broken = (~table["status"].isin(USABLE)).sum()
    done("extract", f"{len(table)} videos, {items.remade(results)} made anew, {broken} broken", frames)


if __name__ == "__main__":
    main(run)
