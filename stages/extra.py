"""extra: further datasets through the whole chain of the detector: tested on, and nothing is fitted on them."""

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from deepfake import bundle
from deepfake.base import items, params, plugins, tables
from deepfake.base.errors import UserError
from deepfake.base.params import Params
from deepfake.dataset.files import said
from deepfake.dataset.relations import groups
from deepfake.dataset.videos import read
from deepfake.measures import extra
from deepfake.measures.protocol import EvaluateParams, Extra
from stages.command import In, Out, done, main

if TYPE_CHECKING:  # PyTorch takes seconds to import, and without a further dataset nothing needs it
    from deepfake import inference

FACES = ["difference", "sharpness"]  # of the good faces, as the baselines want them


def run(
    detector: In = Path("models/detector"),
    videos: In = Path("data/videos.csv"),
    splits: In = Path("data/splits.csv"),
    scores: Out = Path("reports/extra.csv"),
) -> None:
    """Score every video of the datasets of evaluate.extra, and mark those that training has seen."""
    chosen = params.load("evaluate", EvaluateParams).extra
    known, dealt = read(videos), read(splits)
    whole, anew = [extra.table(pd.DataFrame())], 0
    for one in chosen:
        table, made = score(one, detector)
        table = table.assign(shared=extra.shared(table, known, dealt), group=groups(table), dataset=one.column)
        extra.check(table, one.column)
        whole.append(extra.table(table))
        anew += made
    written = pd.concat(whole if len(whole) == 1 else whole[1:], ignore_index=True)
    tables.write(scores, written)
    done("extra", f"{len(written)} videos of {len(chosen)} further datasets, {anew} made anew", scores)


def score(one: Extra, detector: Path) -> tuple[pd.DataFrame, int]:
    """A row for each video, as its layout, its file and the detector say; how many were made anew."""
    root = Path(one.root)
    if not os.path.isdir(root):  # noqa: PTH112 (a Path raises for a name that is too long)
        raise UserError(
            f"params.yaml: evaluate.extra: no folder {root}", "set root to the folder that holds its videos"
        )
    found = plugins.load("layouts", one.layout).scan(root)
    left, notes = found.attrs.get("left_out", {}), found.attrs.get("notes", [])
    for note in [f"left out {said(left)}"] * bool(left) + notes:
        print(f"extra: {root}: {note}", file=sys.stderr)
    found = extra.named(found, one.column)
    todo = [
        items.Item(row.video_id, (root / row.path, detector / bundle.CARD), {"detector": str(detector)})
        for row in found.itertuples()
    ]
    made = items.make(todo, work, Params(), label=f"extra {one.column}", plugins=bundle.plugins(detector))
    rows = pd.DataFrame([one.result for one in made], index=found.index)
    return pd.concat([found, rows], axis=1), items.remade(made)


def work(item: items.Item, folder: Path, p: Params) -> dict[str, Any]:
    """One video as an item of the store: what extract says of it, its score or why there is none."""
    from deepfake import predict

    path, detector = item.inputs[0], loaded(item.args["detector"])
    with predict.prepared(path, detector) as video:
        answer = predict.scored(path, video, detector)
        good = video.faces[video.faces["reason"] == ""] if len(video.faces) else pd.DataFrame(columns=FACES)
    digest = items.content(path)
    row: dict[str, Any] = (
        video.about | {"sha256": digest if len(digest) == 64 else ""} | good[FACES].astype(float).mean().to_dict()
    )
    verdict = None if answer.score is None else detector.verdict(answer.score)
    return row | {"status": answer.status, "reason": answer.reason, "score": answer.score, "verdict": verdict}


@cache
def loaded(folder: str) -> "inference.Detector":
    """The detector, once a process."""
    from deepfake import inference

    return inference.load(Path(folder))


if __name__ == "__main__":
    main(run)
