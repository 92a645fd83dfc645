"""redraw: clips of reals in, the same faces as small generators draw them out."""

from pathlib import Path

from deepfake import clips as sequences
from deepfake import redraw
from deepfake.base import items, params, tables
from stages.command import In, Metric, Out, done, main


def run(
    clips: In = Path("data/clips.parquet"),
    faces: In = Path("data/faces"),
    redrawn: Out = Path("data/redrawn"),
    report: Metric = Path("reports/redraw.json"),
) -> None:
    """Train each generator on the reals of train, and let it draw those of train and validation."""
    p = params.load("redraw", redraw.RedrawParams)
    table = redraw.reals(tables.read(clips)) if p.decoders else tables.read(clips).head(0)
    arrays = sequences.arrays([faces.parent / file for file in table["file"]], table["positions"])
    todo = redraw.todo(arrays, int((table["split"] == "train").sum()), p)
    results = items.build(redrawn, todo, redraw.work, p, place=lambda name, file: f"{name}.mkv")
    tables.write_metrics(report, {item.name: result.result for item, result in zip(todo, results, strict=True)})
    done("redraw", f"{len(todo)} generators, {items.remade(results)} made anew, {len(table)} clips", redrawn)


if __name__ == "__main__":
    main(run)
