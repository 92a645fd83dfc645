"""augment: the clips to learn from and to test on, and altered copies of those of train."""

from pathlib import Path

import numpy as np

from deepfake import augment
from deepfake.base import items, params, tables
from deepfake.dataset.videos import read
from deepfake.pages import plots
from deepfake.pseudo.blend import Sample, forged
from deepfake.video import Images
from stages.command import In, Metric, Out, Plot, done, main


def run(
    splits: In = Path("data/splits.csv"),
    kept: In = Path("data/kept.parquet"),
    faces: In = Path("data/faces"),
    clips: Out = Path("data/clips.parquet"),
    altered: Out = Path("data/clips"),
    report: Metric = Path("reports/augment.json"),
    sheet: Plot = Path("reports/plots/augment.jpg"),
) -> None:
    """List the clips of every split, and alter copies of those of train, each by one draw for all its frames."""
    p = params.load("augment", augment.AugmentParams)
    table = augment.clips(read(splits), tables.read(kept), p)
    todo = augment.todo(table, faces)
    results = items.build(altered, todo, augment.work, p.alteration(), place=lambda name, file: name)
    margin = params.load("detect", augment.Margin).margin
    if p.self_blend and p.forging.landmarks:
        wanted = augment.posed(table, faces.parent)
        poses = items.make(wanted, augment.pose, augment.Margin(margin=margin), label="landmarks")
        known = {item.name: result.result for item, result in zip(wanted, poses, strict=True)}
        table["shapes"] = [known.get(file, []) for file in table["file"]]
    tables.write(clips, table)
    tables.write_metrics(report, augment.summary(table))

    def blended(images: Images, rng: np.random.Generator) -> Images:
        return forged(Sample(images, margin=margin), rng, p.forging)[1]

    plots.save(sheet, plots.copies_sheet(table, faces.parent, blended if p.self_blend else None))
    done("augment", f"{len(table)} clips, {len(todo)} of them altered, {items.remade(results)} made anew", clips)


if __name__ == "__main__":
    main(run)
