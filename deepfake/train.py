"""train: a network from clips, by Lightning; the best epoch and the threshold are chosen on validation only."""

import ctypes
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import lightning
import numpy as np
import pandas as pd
import torch
from dvclive.lightning import DVCLiveLogger
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from pydantic import Field
from sklearn.metrics import roc_auc_score, roc_curve
from torch import Tensor, nn
from torch.utils.data import DataLoader

from deepfake.base.params import Params
from deepfake.batches import Batches, Sequences, Tracks
from deepfake.bundle import forward, video_score
from deepfake.clips import interleaved
from deepfake.models.network import Network, to_clips
from deepfake.video import Images

Floats = np.ndarray[Any, np.dtype[np.float64]]
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h


class TrainParams(Params):
    """The network and how it learns."""

    encoder: str  # a file of deepfake/models/encoders
    head: str  # a file of deepfake/models/heads
    frames: int = Field(gt=0)  # of a sequence
    side: int = Field(ge=32)  # px of its faces; what the five halvings of cnn need
    tracks: Literal["max", "mean"]  # how its tracks make a video's score: one forged face does, or all count
    epochs: int = Field(gt=0)
    draws: int = Field(gt=0)  # sequences drawn from each clip in an epoch
    batch_size: int = Field(gt=1)
    balance: Literal["pairs", "weights", "none"]
    # pairs: each batch half real and half fake, a fake beside a real of its own group
    # weights: the rarer class counts more in the loss
    flip: float = Field(ge=0, le=1)  # probability that a drawn sequence is mirrored
    learning_rate: float = Field(gt=0)  # of Adam
    weight_decay: float = Field(ge=0)
    decay_every: int = Field(gt=0)  # epochs
    decay: float = Field(gt=0, le=1)  # what the rate is multiplied by
    ema: float = Field(ge=0, lt=1)  # of the weights that are validated and kept: what a step leaves of their average
    patience: int = Field(gt=0)  # epochs without a better validation loss, after which it stops
    shuffle_labels: bool  # a check: what is learnt from labels without meaning must score .5
    seed: int = Field(ge=0)


class Learner(lightning.LightningModule):
    """One step of learning, and the validation of an epoch."""

    def __init__(self, network: Network, p: TrainParams, weight: float, val: Tracks) -> None:
        super().__init__()
        self.network, self.p, self.val = network, p, val
        self.loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))
        self.logits: list[list[float]] = []  # of each clip of validation so far

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> Tensor:
        faces, mask, labels = batch
        loss: Tensor = self.loss(self.network(to_clips(faces), mask), labels)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(labels))
        return loss

    def validation_step(self, index: int, _: int) -> None:
        self.logits.append(clip_logits(self.network, self.val[index], self.p))

    def on_validation_epoch_end(self) -> None:
        labels, scores = video_scores(self.val.table, self.logits, self.p)
        self.logits = []
        self.log_dict({"val/loss": bce(labels, scores), "val/auc": float(roc_auc_score(labels, scores))}, prog_bar=True)

    def configure_optimizers(self) -> Any:
        adam = torch.optim.Adam(self.parameters(), lr=self.p.learning_rate, weight_decay=self.p.weight_decay)
        return [adam], [torch.optim.lr_scheduler.StepLR(adam, self.p.decay_every, self.p.decay)]


def fit(train: Tracks, val: Tracks, p: TrainParams, curves: Path) -> tuple[Network, float, dict[str, Any]]:
    """Train; the network of the best epoch, the threshold on P(fake), and how both did on validation.

    The weights are averaged over the steps (Polyak and Juditsky, SIAM J. Control 1992). The same seed gives the same
    weights on the same machine. The curves of every epoch go to the folder `curves`.
    """
    keep_memory()
    lightning.seed_everything(p.seed, verbose=False)
    if p.shuffle_labels:
        train, val = shuffled(train, p.seed), shuffled(val, p.seed + 1)
    network = Network(p.encoder, p.head)
    fakes = float(train.table["label"].mean())
    learner = Learner(network, p, (1 - fakes) / fakes if p.balance == "weights" else 1.0, val)
    sequences = Sequences(train, p.frames, p.flip)
    size = p.batch_size // 2 * 2  # whole pairs
    batches = Batches(train.table, batch_size=size, draws=p.draws, pairs=p.balance == "pairs", seed=p.seed)
    with TemporaryDirectory() as folder, quiet():
        best = ModelCheckpoint(folder, monitor="val/loss", save_weights_only=True)
        # batch norm's statistics are averages already: averaged again they lag, and the network with them
        average = EMAWeightAveraging(decay=p.ema, use_buffers=False)
        trainer = lightning.Trainer(
            max_epochs=p.epochs,
            devices=1,
            callbacks=[best, EarlyStopping("val/loss", patience=p.patience), average],
            logger=DVCLiveLogger(dir=str(curves), save_dvc_exp=False, dvcyaml=None, report=None),
            deterministic="warn",
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=len(batches),
        )
        train_loader = DataLoader(sequences, batch_sampler=batches, collate_fn=sequences.collate)
        trainer.fit(learner, train_loader, DataLoader(range(len(val.files)), batch_size=None))  # type: ignore[arg-type]
        chosen = torch.load(best.best_model_path, weights_only=True)
    learner.load_state_dict(chosen["state_dict"])
    network = network.cpu().eval()
    logits = [clip_logits(network, val[index], p) for index in range(len(val.files))]
    labels, scores = video_scores(val.table, logits, p)
    found = {"videos": len(labels), "loss": bce(labels, scores), "auc": float(roc_auc_score(labels, scores))}
    return network, threshold_of(labels, scores), found | {"epoch": chosen["epoch"]}


def clip_logits(network: Network, faces: Images, p: TrainParams) -> list[float]:
    """The logits of all sequences of a clip."""
    return forward(network, [faces[some] for some in interleaved(len(faces), p.frames)], p.frames)


def video_scores(table: pd.DataFrame, logits: Sequence[Sequence[float]], p: TrainParams) -> tuple[Floats, Floats]:
    """Labels and P(fake) of the videos of the table, from the logits of its clips."""
    by_video = pd.DataFrame({"label": table["label"], "logits": pd.Series(list(logits))}).groupby(table["video_id"])
    scores = by_video["logits"].agg(lambda tracks: video_score(list(tracks), p.tracks))
    return by_video["label"].first().to_numpy(float), scores.to_numpy(float)


def bce(labels: Floats, scores: Floats) -> float:
    """Binary cross-entropy of P(fake)."""
    right = np.clip(np.where(labels == 1, scores, 1 - scores), 1e-7, 1)
    return float(-np.log(right).mean())


def threshold_of(labels: Floats, scores: Floats) -> float:
    """The threshold of the best balanced accuracy, in the middle of the gap it lies in.

    Source: Youden, "Index for rating diagnostic tests", Cancer 1950.
    """
    false, true, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    best = int((true - false)[1:].argmax()) + 1  # the first one is infinite
    below = scores[scores < thresholds[best]]
    return float((thresholds[best] + below.max()) / 2) if len(below) else float(thresholds[best])


def shuffled(tracks: Tracks, seed: int) -> Tracks:
    """The same clips with the videos' labels dealt out at random."""
    labels = tracks.table.groupby("video_id")["label"].first()
    dealt = pd.Series(np.random.default_rng(seed).permutation(labels.to_numpy()), index=labels.index)
    return Tracks(tracks.table.assign(label=tracks.table["video_id"].map(dealt)), tracks.files)


def keep_memory() -> None:
    """Let the C library keep freed memory: the big activations are otherwise mapped and faulted in at every step.

    On the CPU this and the channels-last order more than double the steps a second. Nothing to do without glibc.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_MMAP_MAX, 0)
            mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what Lightning says of machines, loggers and loaders; its errors and other warnings remain."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for about in (".*does not have many workers.*", ".*GPU available but not used.*", ".*isinstance.treespec.*"):
            warnings.filterwarnings("ignore", about)
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
