"""report: one page and a model card of the test, from the tables that evaluate writes."""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from deepfake import bundle, report
from deepfake.base import items, params, tables
from deepfake.base.disk import aside
from deepfake.base.errors import UserError
from deepfake.dataset.videos import read
from deepfake.pages import modelcard, page
from stages.code import ROBUSTNESS
from stages.command import In, Out, done, main


def run(
    detector: In = Path("models/detector"),
    videos: In = Path("data/videos.csv"),
    kept: In = Path("data/kept.parquet"),
    splits: In = Path("data/splits.csv"),
    faces: In = Path("data/faces"),
    predictions: In = Path("reports/predictions.csv"),
    sequences: In = Path("reports/sequences.csv"),
    metrics: In = Path("reports/metrics.json"),
    details: In = Path("reports/details.json"),
    controls: In = Path("reports/controls.json"),
    html: Out = Path("reports/report.html"),
    card: Out = Path("reports/model_card.md"),
) -> None:
    """Write the page that a reviewer reads, and the card that goes with the detector.

    What robustness/dvc.yaml has measured is shown where it is there: data/code/report.json tells of it.
    """
    p = params.load("report", report.ReportParams)
    scored, parts, seen, dealt = read(predictions), read(sequences), tables.read(kept), read(splits)
    bundle_card, trained = bundle.read(detector), bundle.read_networks(detector).members
    facts = report.Facts(
        read_metrics(metrics) | read_metrics(details),
        read_metrics(controls),
        scored,
        report.funnel(read(videos), seen, dealt, scored),
        report.mistakes(scored, parts, seen, faces, p.mistakes),
        bundle_card.params | {"train": trained[0].settings, "scoring": bundle_card.scoring.model_dump(mode="json")},
        {file.as_posix(): items.content(file) for file in (detector / bundle.CARD, splits, predictions, metrics)},
        robustness(scored),
    )
    # not the commit: the same videos and code give the same card in any of them
    name = f"Detector {items.content(detector / bundle.CARD)[:12]}"
    for path, text in ((html, page.page(facts)), (card, modelcard.card(facts, dealt, name))):
        with aside(path) as new:
            new.write_text(text, encoding="utf-8")
    done("report", f"{len(facts.mistakes)} mistakes shown", html)


def robustness(scored: pd.DataFrame) -> pd.DataFrame:
    """The cells that were measured on this very test; else none, and why is said where there are others."""
    if not all(file.is_file() for file in ROBUSTNESS):
        return pd.DataFrame()
    if not report.of_this_test(read(ROBUSTNESS[0]), scored):
        print("report: robustness was measured on another detector: dvc repro robustness/dvc.yaml", file=sys.stderr)
        return pd.DataFrame()
    return tables.read(ROBUSTNESS[1])


def read_metrics(path: Path) -> Any:
    """The metrics of a file. Raises UserError where there is none."""
    if not path.is_file():
        raise UserError(f"no metrics {path}", "run the stage that writes them: dvc repro")
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(run)
