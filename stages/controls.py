"""controls: the tables of a test in, what could make its figures too good out."""

import json
from pathlib import Path

import pandas as pd

from deepfake import bundle, controls
from deepfake.base import items, params, tables
from deepfake.base.params import Params
from deepfake.dataset import lookalikes
from deepfake.dataset.videos import read
from deepfake.measures import background
from deepfake.split import leaks
from stages.command import In, Metric, done, main

SAID = {True: "fine", False: "WRONG", None: "open"}


def run(
    detector: In = Path("models/calibrated"),
    videos: In = Path("data/videos.csv"),
    frames: In = Path("data/frames"),
    faces: In = Path("data/faces"),
    kept: In = Path("data/kept.parquet"),
    splits: In = Path("data/splits.csv"),
    predictions: In = Path("reports/predictions.csv"),
    metrics: In = Path("reports/metrics.json"),
    report: Metric = Path("reports/controls.json"),
) -> None:
    """Look for leaks, shortcuts and biases, each by name."""
    p = params.load("controls", controls.ControlsParams)
    listed, seen, dealt = read(videos), tables.read(kept), read(splits)
    figures = json.loads(metrics.read_text(encoding="utf-8"))
    settings = bundle.read_networks(detector).members[0].settings
    todo = background.items(seen, frames)
    around = items.make(todo, background.work, Params(), label="background")
    known = pd.DataFrame(
        {item.name: result.result for item, result in zip(todo, around, strict=True) if result.result}
    ).T.reindex(columns=background.NUMBERS)
    results = [
        controls.sides(leaks(listed.drop(columns="split").merge(dealt[["video_id", "split"]], on="video_id"))),
        controls.faces(lookalikes.across(dealt, seen, faces) if p.faces else None),
        controls.fitted_on(bundle.read_validation(detector), dealt),
        controls.threshold(read(predictions)),
        *controls.metadata(listed, dealt, p),
        controls.background(dealt[["video_id", "label", "group"]].join(known, on="video_id"), p),
        *controls.dropped(seen, dealt),
        controls.order(figures, settings),
        controls.shuffled_labels(figures, settings),
        controls.gain(figures),
    ]
    summary = controls.summary(results)
    tables.write_metrics(report, summary)
    for control in results:
        print(f"{SAID[control.fine]:<6}{control.name:<20} {control.finding}")
    done("controls", f"{summary['wrong']} of {len(results)} find something wrong", report)


if __name__ == "__main__":
    main(run)
