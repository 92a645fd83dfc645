"""report: one page and a model card of the test, from the tables that evaluate writes."""

import json
from pathlib import Path
from typing import Any

from deepfake import bundle, report
from deepfake.base import items, params, tables
from deepfake.base.disk import aside
from deepfake.base.errors import UserError
from deepfake.dataset.videos import read
from deepfake.pages import modelcard, page
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
    controls: In = Path("reports/controls.json"),
    html: Out = Path("reports/report.html"),
    card: Out = Path("reports/model_card.md"),
) -> None:
    """Write the page that a reviewer reads, and the card that goes with the detector."""
    p = params.load("report", report.ReportParams)
    scored, parts, seen, dealt = read(predictions), read(sequences), tables.read(kept), read(splits)
    made, trained = bundle.read(detector), bundle.read_networks(detector).members
    facts = report.Facts(
        read_metrics(metrics),
        read_metrics(controls),
        scored,
        report.funnel(read(videos), seen, dealt, scored),
        report.mistakes(scored, parts, seen, faces, p.mistakes),
        made.params | {"train": trained[0].settings, "scoring": made.scoring.model_dump(mode="json")},
        {file.as_posix(): items.content(file) for file in (detector / bundle.CARD, splits, predictions, metrics)},
    )
    # not the commit: the same videos and code give the same card in any of them
    name = f"Detector {items.content(detector / bundle.CARD)[:12]}"
    for path, text in ((html, page.page(facts)), (card, modelcard.card(facts, dealt, name))):
        with aside(path) as new:
            new.write_text(text, encoding="utf-8")
    done("report", f"{len(facts.mistakes)} mistakes shown", html)


def read_metrics(path: Path) -> Any:
    """The metrics of a file. Raises UserError where there is none."""
    if not path.is_file():
        raise UserError(f"no metrics {path}", "run the stage that writes them: dvc repro")
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(run)
