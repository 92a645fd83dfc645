"""extra: further datasets through the whole chain of the detector: tested on, and nothing is fitted on them."""

import os
import sys
from pathlib import Path

import pandas as pd

from deepfake import bundle
from deepfake.base import items, params, plugins, tables
from deepfake.base.errors import UserError
from deepfake.base.params import Params
from deepfake.dataset.files import counted
from deepfake.dataset.relations import groups
from deepfake.dataset.videos import read
from deepfake.measures import extra
from deepfake.measures.protocol import EvaluateParams, Extra
from stages.command import In, Out, done, main


def run(
    detector: In = Path("models/calibrated"),
    videos: In = Path("data/videos.csv"),
    splits: In = Path("data/splits.csv"),
    scores: Out = Path("reports/extra.csv"),
) -> None:
    """Score every video of the datasets of evaluate.extra, and mark those that training has seen."""
    chosen = params.load("evaluate", EvaluateParams).extra
    known, dealt = read(videos), read(splits)
    whole, anew = [extra.table(pd.DataFrame())], 0
    for dataset in chosen:
        table, count = score(dataset, detector)
        table = table.assign(shared=extra.shared(table, known, dealt), group=groups(table), dataset=dataset.column)
        extra.check(table, dataset.column)
        whole.append(extra.table(table))
        anew += count
    written = pd.concat(whole if len(whole) == 1 else whole[1:], ignore_index=True)
    tables.write(scores, written)
    done("extra", f"{len(written)} videos of {len(chosen)} further datasets, {anew} made anew", scores)


def score(dataset: Extra, detector: Path) -> tuple[pd.DataFrame, int]:
    """A row for each video, as its layout, its file and the detector say; how many were made anew."""
    from deepfake import further  # PyTorch takes seconds to import, and without a further dataset nothing needs it

    root = Path(dataset.root)
    if not os.path.isdir(root):  # noqa: PTH112 (a Path raises for a name that is too long)
        raise UserError(
            f"params.yaml: evaluate.extra: no folder {root}", "set root to the folder that holds its videos"
        )
    table = plugins.load("layouts", dataset.layout).scan(root)
    left, notes = table.attrs.get("left_out", {}), table.attrs.get("notes", [])
    for note in [f"left out {counted(left)}"] * bool(left) + notes:
        print(f"extra: {root}: {note}", file=sys.stderr)
    table = extra.named(table, dataset.column)
    todo = [
        items.Item(row.video_id, (root / row.path, detector / bundle.CARD), {"detector": str(detector)})
        for row in table.itertuples()
    ]
    results = items.make(
        todo, further.work, Params(), label=f"extra {dataset.column}", plugins=bundle.plugins(detector)
    )
    rows = pd.DataFrame([result.result for result in results], index=table.index)
    return pd.concat([table, rows], axis=1), items.remade(results)


if __name__ == "__main__":
    main(run)
