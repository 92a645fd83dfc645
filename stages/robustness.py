"""robustness: the test videos, perturbed in many ways, through the whole chain; run only when it is asked for."""

from pathlib import Path

import pandas as pd

from deepfake import bundle, perturbed
from deepfake.base import items, params, tables
from deepfake.base.items import Item
from deepfake.base.params import Params
from deepfake.dataset.videos import read
from deepfake.pages import charts
from deepfake.robustness import RobustnessParams, cells, metrics
from stages.command import In, Metric, Out, Plot, done, main


def run(
    detector: In = Path("models/calibrated"),
    frames: In = Path("data/frames"),
    predictions: In = Path("reports/predictions.csv"),
    scores: Out = Path("reports/robustness.csv"),
    report: Metric = Path("reports/robustness.json"),
    table: Plot = Path("reports/plots/robustness.csv"),
    picture: Plot = Path("reports/plots/robustness.png"),
) -> None:
    """Perturb the frames of each test video, find its faces anew, and score them; one item for each video and cell."""
    p = params.load("robustness", RobustnessParams)
    test = read(predictions)
    seen = test[[(frames / f"{name}.mkv").is_file() for name in test["video_id"]]]
    todo = [
        Item(
            name,
            (frames / f"{name}.mkv", detector / bundle.CARD),
            {"kind": kind, "level": level, "detector": str(detector)},
        )
        for name in seen["video_id"]
        for kind, level in p.cells()
    ]
    results = items.make(todo, perturbed.work, Params(), label="robustness", plugins=bundle.plugins(detector))
    rows = [
        {"video_id": item.name, "kind": item.args["kind"], "level": item.args["level"]} | result.result
        for item, result in zip(todo, results, strict=True)
    ]
    about = test[["video_id", "label", "group"]]
    clean = test.assign(kind="clean", level=0)[["video_id", "kind", "level", "status", "score", "verdict"]]
    lost = about[~about["video_id"].isin(seen["video_id"])]  # they gave no frames: no cell can score them
    missing = [
        {"video_id": name, "kind": kind, "level": level, "status": "no_frames"}
        for name in lost["video_id"]
        for kind, level in p.cells()
    ]
    whole = pd.concat([clean, pd.DataFrame(rows), pd.DataFrame(missing)], ignore_index=True).merge(about, on="video_id")
    tables.write(scores, whole)
    figures = cells(read(scores), p)
    tables.write(table, figures)
    tables.write_metrics(report, {"robustness": metrics(figures)})
    charts.robustness(picture, figures)
    done(
        "robustness", f"{len(p.cells())} perturbations of {len(seen)} videos, {items.remade(results)} made anew", report
    )


if __name__ == "__main__":
    main(run)
