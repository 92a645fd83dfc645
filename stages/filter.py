"""filter: blurred, small, lonely and implausible faces are marked; nothing is copied, nothing is lost."""

from pathlib import Path

from deepfake.base import params, tables
from deepfake.base.errors import UserError
from deepfake.dataset.videos import read
from deepfake.filter import FilterParams, summary, with_reasons
from stages.command import In, Metric, Out, done, main


def run(
    videos: In = Path("data/videos.csv"),
    faces: In = Path("data/faces.parquet"),
    kept: Out = Path("data/kept.parquet"),
    report: Metric = Path("reports/filter.json"),
) -> None:
    """Mark the faces that are too blurred, too small, too few in their track, or in a track that is no person's."""
    p = params.load("filter", FilterParams)
    judged = with_reasons(tables.read(faces), p)
    good = int(judged["reason"].eq("").sum())
    if not good:
        counts = ", ".join(f"{count} {reason}" for reason, count in judged["reason"].value_counts().items())
        raise UserError(
            f"params.yaml: filter: none of the {len(judged)} faces passes: {counts}",
            f"the medians are: sharpness {judged['sharpness'].median():.0f}, width {judged['width'].median():.0f}; "
            f"the longest track has {judged['seen'].max():.0f}, of a picture 1: filter.min_faces: 1 lets pictures pass",
        )
    tables.write(kept, judged)
    tables.write_metrics(report, summary(judged, read(videos)))
    done("filter", f"{len(judged)} faces, {good} kept", kept)


if __name__ == "__main__":
    main(run)
