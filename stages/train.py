"""train: clips in, trained networks out, and what they say of validation."""

import time
from pathlib import Path

import pandas as pd

from deepfake import bundle
from deepfake import clips as sequences
from deepfake.augment import AugmentParams
from deepfake.base import params, tables
from deepfake.base.errors import UserError
from deepfake.batches import Tracks
from deepfake.devices import is_first
from deepfake.models.network import Network, side_of
from deepfake.models.weights import freeze
from deepfake.train import TrainParams, fit
from stages.command import In, Out, Plot, done, main


def run(
    clips: In = Path("data/clips.parquet"),
    altered: In = Path("data/clips"),
    faces: In = Path("data/faces"),
    networks: Out = Path("models/networks"),
    curves: Plot = Path("dvclive"),
) -> None:
    """Train a network, or several; the best epoch is chosen on validation, test is not touched."""
    p = params.load("train", TrainParams)
    self_blend = params.load("augment", AugmentParams).self_blend
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
        (altered if number else faces).parent / file for number, file in zip(table["copy"], table["file"], strict=True)
    ]
    tracks = Tracks(table, sequences.arrays(files, table["positions"], p.side))
    train, val = (tracks.where(table["split"] == name) for name in ("train", "val"))
    start = time.perf_counter()
    learnt = fit(train, val, p, curves, self_blend)
    if not is_first():
        return
    trained = [bundle.Trained(one.network.state_dict(), p.model_dump(mode="json"), one.epoch) for one in learnt]
    validation = pd.concat([one.validation.assign(member=number) for number, one in enumerate(learnt)])
    bundle.save_networks(networks, trained, validation)
    epochs = " and ".join(f"epoch {one.epoch}" for one in learnt)
    number = f"{len(learnt)} network{'s' * (len(learnt) > 1)}"
    done("train", f"{number}, of {epochs}, in {time.perf_counter() - start:.0f} s", networks)


if __name__ == "__main__":
    main(run)
