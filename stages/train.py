"""train: clips in, a trained detector out."""

from pathlib import Path

from deepfake import clips as sequences
from deepfake.base import params, plugins, tables
from deepfake.base.errors import UserError
from deepfake.batches import Tracks
from deepfake.bundle import Bundle
from deepfake.detect import DetectParams
from deepfake.extract import ExtractParams
from deepfake.filter import FilterParams
from deepfake.train import TrainParams, fit
from stages.command import In, Out, Plot, done, main


def run(
    clips: In = Path("data/clips.parquet"),
    altered: In = Path("data/clips"),
    faces: In = Path("data/faces"),
    detector: Out = Path("models/detector"),
    curves: Plot = Path("dvclive"),
) -> None:
    """Train the detector; the best epoch and the threshold are chosen on validation, test is not touched."""
    p = params.load("train", TrainParams)
    before = {
        "extract": params.load("extract", ExtractParams).policy(),
        "detect": params.load("detect", DetectParams),
        "filter": params.load("filter", FilterParams),
    }
    for kind, name in (("models.encoders", p.encoder), ("models.heads", p.head)):
        plugins.load(kind, name)  # a wrong name is said before any work
    table = tables.read(clips)
    table = table[table["split"] != "test"].reset_index(drop=True)
    longest = int(table["positions"].str.len().max())
    if p.frames > longest:
        raise UserError(
            f"params.yaml: train.frames: {p.frames} is more than any track has (the longest has {longest})",
            "lower it, or raise extract.frames_per_video",
        )
    files = [
        (altered if row.copy_ else faces).parent / row.file
        for row in table.rename(columns={"copy": "copy_"}).itertuples()
    ]
    tracks = Tracks(table, sequences.arrays(files, table["positions"], p.side))
    train, val = (tracks.where(table["split"] == name) for name in ("train", "val"))
    network, threshold, found = fit(train, val, p, curves)
    sections = {name: section.model_dump(mode="json") for name, section in (before | {"train": p}).items()}
    Bundle(network, round(threshold, tables.DIGITS), sections, tables.rounded(found)).save(detector)
    done("train", f"validation AUC {found['auc']:.3f} of epoch {found['epoch']}, threshold {threshold:.3f}", detector)


if __name__ == "__main__":
    main(run)
