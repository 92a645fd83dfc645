"""train: a network from clips, by Lightning; the best epoch and the threshold are chosen on validation only."""

import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pandas as pd
import torch
from dvclive.lightning import DVCLiveLogger
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint

from deepfake.base import code, items
from deepfake.base.errors import UserError
from deepfake.batches import Tracks, with_blends
from deepfake.bundle import device, validated
from deepfake.devices import is_first, keep_memory, quiet, trained_on
from deepfake.learner import Learner, Learning, clip_logits
from deepfake.models.network import Architecture, Network
from deepfake.models.weights import freeze


class TrainParams(Architecture, Learning):
    """The network and how it learns."""

    trainable: str  # of the encoder: all | head (nothing) | norm_only | last_<n>_layers


@dataclass(frozen=True)
class Trained:
    """A network of its best epoch, the threshold on P(fake), and how both did on validation."""

    network: Network
    threshold: float
    validation: dict[str, Any]


def fit(train: Tracks, val: Tracks, p: TrainParams, curves: Path, self_blend: float = 0.0) -> list[Trained]:
    """Train a network for each seed. The same seed gives the same weights on the same machine.

    The curves of every epoch go to the folder `curves`, those of further seeds to folders in it. A training that was
    killed goes on after its last whole epoch, where code, params, data and libraries are what they were.
    """
    if self_blend == 1 or not train.table["label"].any():
        train, val = train.where(train.table["label"] == 0), val.where(val.table["label"] == 0)
        if not self_blend:
            raise UserError("no fakes to learn from", "set augment.self_blend: 1.0, to learn from blends of the reals")
        val = with_blends(val, p.seed)
    if p.shuffle_labels:
        train, val = shuffled(train, p.seed), shuffled(val, p.seed + 1)
    check(train, val, p, self_blend)
    keep_memory()
    trained, states = [], []
    for number in range(p.seeds):
        one = p.model_copy(update={"seed": p.seed + number})
        states.append(state_of(train, val, one, self_blend))
        trained.append(_fit(train, val, one, curves / f"seed_{one.seed}" if number else curves, self_blend, states[-1]))
    if is_first():
        for state in states:
            shutil.rmtree(state)
    return trained


def check(train: Tracks, val: Tracks, p: TrainParams, self_blend: float) -> None:
    """Raises UserError for clips that cannot be learnt from in this way."""
    if self_blend and p.balance != "pairs":
        raise UserError("augment.self_blend: a blend stands beside its real", "set train.balance: pairs")
    for name, tracks in (("train", train), ("val", val)):
        for label, kind in enumerate(("real", "fake")):
            blended = name == "train" and label and self_blend
            if not blended and not (tracks.table["label"] == label).any():
                raise UserError(f"{name} has no {kind} video", "more videos, or another split.seed, will give it one")


def _fit(train: Tracks, val: Tracks, p: TrainParams, curves: Path, self_blend: float, state: Path) -> Trained:
    """Train one network; `state` is the folder of its checkpoints."""
    lightning.seed_everything(p.seed, verbose=False)
    network = Network(p)
    freeze(network.encoder, p.trainable)
    if p.compile:
        network.encoder.compile()
    learner = Learner(network, p, train, val, frames=p.frames, self_blend=self_blend)
    last, done = state / "last.ckpt", state / "done"
    if last.is_file():
        learner.state = torch.load(last, weights_only=True)
        restore(learner.state["curves"], curves)
        print(f"train: goes on after epoch {learner.state['epoch']}", file=sys.stderr)
    best = ModelCheckpoint(state, "best", monitor="val/loss", save_weights_only=True, enable_version_counter=False)
    callbacks: list[Callback] = [best, EarlyStopping("val/loss", patience=p.patience)]
    if p.ema:  # Polyak and Juditsky, SIAM J. Control 1992
        # batch norm's statistics are averages already: averaged again they lag, and the network with them
        callbacks.append(EMAWeightAveraging(decay=p.ema, use_buffers=False))
    latest = ModelCheckpoint(state, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    callbacks += [Curves(curves), latest]
    with quiet():
        trainer = lightning.Trainer(
            max_epochs=p.epochs,
            callbacks=callbacks,
            logger=DVCLiveLogger(
                dir=str(curves), save_dvc_exp=False, dvcyaml=None, report=None, resume=learner.state is not None
            ),
            precision=p.precision,
            accumulate_grad_batches=p.accumulate,
            gradient_clip_val=p.clip or None,
            deterministic="warn",
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            **trained_on(),
        )
        if not done.is_file():
            trainer.fit(learner, ckpt_path=last if learner.state else None, weights_only=True)
            trainer.strategy.barrier()
            done.touch()
        chosen = torch.load(state / "best.ckpt", weights_only=True, map_location="cpu")
        trainer.strategy.barrier()
    learner.load_state_dict(chosen["state_dict"])
    threshold, found = _validated(network.to(device()).eval(), val, p, int(chosen["epoch"]))
    return Trained(network.cpu(), threshold, found)


def _validated(network: Network, val: Tracks, p: TrainParams, epoch: int) -> tuple[float, dict[str, Any]]:
    """The threshold, and how the network did on validation."""
    clips = pd.Series([clip_logits(network, val[index], p.frames) for index in range(len(val.files))])
    videos = val.table["video_id"]
    logits = clips.groupby(videos).agg(list).to_dict()
    threshold, found = validated(val.table.groupby(videos)["label"].first().to_dict(), logits, p.tracks)
    return threshold, found | {"epoch": epoch}


class Curves(Callback):
    """The curves so far travel with the checkpoint: DVC empties their folder before a stage begins anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        names = {path.relative_to(self.folder).as_posix(): path for path in files}
        checkpoint["curves"] = {name: path.read_text() for name, path in names.items() if not name.startswith("seed_")}


def restore(curves: dict[str, str], folder: Path) -> None:
    """Write the curves of a checkpoint."""
    for name, text in curves.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def state_of(train: Tracks, val: Tracks, p: TrainParams, self_blend: float) -> Path:
    """Where the checkpoints of a training lie: under a key of all that shapes it, outside of the outs."""
    modules = code.closure(__name__, f"deepfake.models.encoders.{p.encoder}", f"deepfake.models.heads.{p.head}")
    data = [[tracks.table.to_json(), list(map(str, tracks.files))] for tracks in (train, val)]
    weights = items.content(Path(p.pretrained)) if isinstance(p.pretrained, str) else None
    shape = [p.model_dump(mode="json"), self_blend, weights, code.meaning(modules), code.versions(modules), data]
    key = hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()
    folder = items.store() / "train" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def shuffled(tracks: Tracks, seed: int) -> Tracks:
    """The same clips with the videos' labels dealt out at random."""
    labels = tracks.table.groupby("video_id")["label"].first()
    dealt = pd.Series(np.random.default_rng(seed).permutation(labels.to_numpy()), index=labels.index)
    return Tracks(tracks.table.assign(label=tracks.table["video_id"].map(dealt)), tracks.files)
