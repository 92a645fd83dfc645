"""train: clips in, trained networks out, and what they say of validation."""

import time
from hashlib import sha256
from pathlib import Path

import pandas as pd

from deepfake import bundle, cards, redraw
from deepfake import clips as sequences
from deepfake.augment import AugmentParams, Margin
from deepfake.base import code, hashes, params, tables
from deepfake.base.errors import UserError
from deepfake.learning.batches import Tracks
from deepfake.learning.devices import is_first
from deepfake.models.network import Network, side_of
from deepfake.models.weights import freeze
from deepfake.train import TrainParams, fit
from stages.command import In, Out, Plot, done, main


def run(
    clips: In = Path("data/clips.parquet"),
    altered: In = Path("data/clips"),
    faces: In = Path("data/faces"),
    redrawn: In = Path("data/redrawn"),
    networks: Out = Path("models/networks"),
    curves: Plot = Path("dvclive"),
) -> None:
    """Train a network, or several; the best epoch is chosen on validation, test is not touched."""
    p = params.load("train", TrainParams)
    augment = params.load("augment", AugmentParams)
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
    side = None if augment.self_blend else p.side  # blends are made at the size of the crops, and then scaled
    tracks = Tracks(
        *(table, sequences.arrays(files, table["positions"], side), augment.forging),
        redrawn=drawn(redrawn, table),
        margin=params.load("detect", Margin).margin,
    )
    train, val = (tracks.where(table["split"] == name) for name in ("train", "val"))
    start = time.perf_counter()
    learnt = fit(train, val, p, curves, augment.self_blend)
    if not is_first():
        return
    settings = p.model_dump(mode="json")
    trained = [
        bundle.Trained(best.network.state_dict(), settings, best.epoch, best.known, best.drawings) for best in learnt
    ]
    validation = pd.concat([best.validation.assign(member=number) for number, best in enumerate(learnt)])
    bundle.save_networks(networks, trained, validation, origin(table, files, p))
    epochs = " and ".join(f"epoch {best.epoch}" for best in learnt)
    number = f"{len(learnt)} network{'s' * (len(learnt) > 1)}"
    done("train", f"{number}, of {epochs}, in {time.perf_counter() - start:.0f} s", networks)


def origin(table: pd.DataFrame, files: list[Path], p: TrainParams) -> cards.Origin:
    """What the networks were made of: the faces, the split, and the libraries."""
    faces = sorted(f"{digest} {file}" for digest, file in zip(hashes.contents(files), table["file"], strict=True))
    sides = sorted({f"{side} {name}" for side, name in zip(table["split"], table["video_id"], strict=True)})
    parts = (f"deepfake.models.encoders.{p.encoder}", f"deepfake.models.heads.{p.head}")
    return cards.Origin(
        data=sha256("\n".join(faces).encode()).hexdigest(),
        split=sha256("\n".join(sides).encode()).hexdigest(),
        libraries=code.shape("deepfake.train", *parts)["libraries"],
    )


def drawn(folder: Path, table: pd.DataFrame) -> tuple[Path, ...]:
    """The arrays of the redrawn reals, and in the table where each clip begins in them: a column `redrawn`."""
    files, own = sorted(folder.glob("*.mkv")), redraw.reals(table)
    lengths = own["positions"].str.len()
    starts = dict(zip(own["file"], lengths.cumsum() - lengths, strict=True))
    table["redrawn"] = [starts.get(file, -1) for file in table["file"]]
    return tuple(sequences.arrays(files, [range(int(lengths.sum()))] * len(files)))


if __name__ == "__main__":
    main(run)
