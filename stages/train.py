"""train: clips in, a trained detector out."""

import time
from pathlib import Path

from deepfake import clips as sequences
from deepfake.augment import AugmentParams
from deepfake.base import params, tables
from deepfake.base.errors import UserError
from deepfake.batches import Tracks
from deepfake.bundle import Bundle, ensemble
from deepfake.detect import DetectParams
from deepfake.devices import is_first
from deepfake.extract import ExtractParams
from deepfake.filter import FilterParams
from deepfake.models.network import Network, side_of
from deepfake.models.weights import freeze
from deepfake.train import TrainParams, fit
from stages.command import In, Out, Plot, done, main


def run(
    clips: In = Path("data/clips.parquet"),
    altered: In = Path("data/clips"),
    faces: In = Path("data/faces"),
    weights: In = Path("data/weights"),
    detector: Out = Path("models/detector"),
    curves: Plot = Path("dvclive"),
) -> None:
    """Train the detector; the best epoch and the threshold are chosen on validation, test is not touched."""
    p = params.load("train", TrainParams)
    augment = params.load("augment", AugmentParams)
    before: dict[str, params.Params] = {
        "extract": params.load("extract", ExtractParams).policy(),
        "detect": params.load("detect", DetectParams),
        "filter": params.load("filter", FilterParams),
        "augment": augment,
    }
    freeze(Network(p).encoder, p.trainable)  # a wrong name, size or file is said before any work
    p = p.model_copy(update={"side": side_of(p)})
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
    start = time.perf_counter()
    trained = fit(train, val, p, curves, augment.self_blend)
    if not is_first():
        return
    sections = {name: section.model_dump(mode="json") for name, section in (before | {"train": p}).items()}
    bundles = [Bundle(one.network, one.threshold, sections, one.validation) for one in trained]
    made = bundles[0] if len(bundles) == 1 else ensemble(bundles)
    made.save(detector)
    said = " and ".join(f"{one.validation['auc']:.3f} of epoch {one.validation['epoch']}" for one in bundles)
    took = f"{time.perf_counter() - start:.0f} s"
    done("train", f"validation AUC {said}, threshold {made.threshold:.3f}, in {took}", detector)


if __name__ == "__main__":
    main(run)
