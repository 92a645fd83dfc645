"""learner: one step of learning: loss, optimiser, schedule, and the validation of an epoch."""

from collections.abc import Sequence
from typing import Any, Literal

import lightning
import numpy as np
import pandas as pd
import torch
from pydantic import Field, model_validator
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch import distributed as dist
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.utils.data import DataLoader

from deepfake.base.params import Params
from deepfake.batches import Batches, Sequences, Tracks
from deepfake.bundle import forward
from deepfake.clips import interleaved
from deepfake.devices import loading
from deepfake.models.network import Network, to_clips
from deepfake.scores import Floats, bce, video_score
from deepfake.video import Images

MOMENTUM = 0.9  # of SGD


class Learning(Params):
    """How a network learns."""

    tracks: Literal["max", "mean"]  # how its tracks make a video's score: one forged face does, or all count
    epochs: int = Field(gt=0)
    draws: int = Field(gt=0)  # sequences drawn from each clip in an epoch
    batch_size: int = Field(gt=1)  # over all devices
    accumulate: int = Field(gt=0)  # batches to a step
    balance: Literal["pairs", "weights", "none"]
    # pairs: each batch half real and half fake, a fake beside a real of its own group
    # weights: the rarer class counts more in the loss
    flip: float = Field(ge=0, le=1)  # probability that a drawn sequence is mirrored
    loss: Literal["cross_entropy", "focal"]
    gamma: float = Field(ge=0)  # of focal: how much less what is easy counts
    smoothing: float = Field(ge=0, lt=1)  # of the labels
    optimizer: Literal["adam", "adamw", "sgd"]
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    clip: float = Field(ge=0)  # of the gradients' norm; 0 does not
    schedule: Literal["step", "plateau", "cosine", "constant"]
    warmup: int = Field(ge=0)  # epochs in which the rate rises from 0
    decay_every: int = Field(gt=0)  # step: epochs; plateau: epochs in a row without a better validation loss
    decay: float = Field(gt=0, le=1)  # step, plateau: what the rate is multiplied by
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    compile: bool  # the encoder, by torch.compile
    ema: float = Field(ge=0, lt=1)  # of the weights that are validated and kept: what a step leaves of their average
    patience: int = Field(gt=0)  # epochs without a better validation loss, after which it stops
    shuffle_labels: bool  # a check: what is learnt from labels without meaning must score .5
    seed: int = Field(ge=0)
    seeds: int = Field(gt=0)  # networks trained one after the other, from seed on; more than one make an ensemble

    @model_validator(mode="after")
    def _plateau_has_no_warmup(self) -> "Learning":
        if self.schedule == "plateau" and self.warmup:
            raise ValueError("the schedule plateau has no warm-up: set warmup to 0, or choose step, cosine or constant")
        return self


class Learner(lightning.LightningModule):
    """The network, what it learns from and what it is validated on."""

    def __init__(
        self, network: Network, p: Learning, train: Tracks, val: Tracks, *, frames: int, self_blend: float
    ) -> None:
        super().__init__()
        self.network, self.p, self.train_tracks, self.val_tracks = network, p, train, val
        self.frames, self.self_blend = frames, self_blend
        fakes = float(train.table["label"].mean())
        self.weight = (1 - fakes) / fakes if p.balance == "weights" else 1.0
        self.logits: dict[int, list[float]] = {}  # of each clip of validation so far
        self.losses: list[Tensor] = []  # of the epoch's steps so far
        self.plateau: ReduceLROnPlateau | None = None
        self.state: dict[str, Any] | None = None  # of a training that is gone on with

    def train_dataloader(self) -> Any:
        sequences = Sequences(self.train_tracks, self.frames, self.p.flip)
        batches = Batches(
            self.train_tracks.table,
            batch_size=self.p.batch_size,
            draws=self.p.draws,
            pairs=self.p.balance == "pairs",
            self_blend=self.self_blend,
            seed=self.p.seed,
            rank=self.trainer.global_rank,
            ranks=self.trainer.world_size,
        )
        return DataLoader(sequences, batch_sampler=batches, collate_fn=sequences.collate, **loading())

    def val_dataloader(self) -> Any:
        mine = range(self.trainer.global_rank, len(self.val_tracks.files), self.trainer.world_size)
        return DataLoader(mine, batch_size=None, generator=torch.Generator())  # type: ignore[arg-type]

    def on_train_start(self) -> None:
        if self.state is not None:
            torch.set_rng_state(self.state["rng"])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["rng"] = torch.get_rng_state()
        checkpoint["plateau"] = self.plateau and self.plateau.state_dict()

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> Tensor:
        faces, mask, labels = batch
        loss = loss_of(self.network(to_clips(faces), mask), labels, self.p, self.weight)
        self.losses.append(loss.detach())
        return loss

    def on_train_epoch_end(self) -> None:
        # before the checkpoint of the epoch; what Lightning does of this, it does after it
        mean = self.trainer.strategy.reduce(torch.stack(self.losses).mean(), reduce_op="mean")
        self.losses = []
        if self.logger is not None:
            self.logger.log_metrics({"train/loss": float(mean)}, step=self.trainer.global_step - 1)
        if self.plateau is not None:
            self.plateau.step(self.trainer.callback_metrics["val/loss"])

    def validation_step(self, index: int, _: int) -> None:
        self.logits[int(index)] = clip_logits(self.network, self.val_tracks[int(index)], self.frames)

    def on_validation_epoch_end(self) -> None:
        if self.trainer.world_size > 1:
            everyones: list[Any] = [None] * self.trainer.world_size
            dist.all_gather_object(everyones, self.logits)
            self.logits = {index: logits for some in everyones for index, logits in some.items()}
        logits = [self.logits[index] for index in sorted(self.logits)]
        labels, scores = video_scores(self.val_tracks.table, logits, self.p.tracks)
        self.logits = {}
        found = {"val/loss": bce(labels, scores), "val/auc": float(roc_auc_score(labels, scores))}
        self.log_dict(found, prog_bar=True, sync_dist=True)

    def configure_optimizers(self) -> Any:
        weights = [weight for weight in self.parameters() if weight.requires_grad]
        optimizer = optimizer_of(weights, self.p)
        if self.p.schedule == "plateau":
            self.plateau = ReduceLROnPlateau(optimizer, factor=self.p.decay, patience=self.p.decay_every - 1)
            if self.state is not None:
                self.plateau.load_state_dict(self.state["plateau"])
            return optimizer
        steps = float(self.trainer.estimated_stepping_batches) / int(self.trainer.max_epochs or 1)  # of an epoch
        rate = LambdaLR(optimizer, lambda step: factor(step / steps, self.p, 1 / steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}


def loss_of(logits: Tensor, labels: Tensor, p: Learning, weight: float) -> Tensor:
    """The mean loss of logits (B,) and labels (B,) in {0, 1}; a fake counts `weight` times.

    Source: focal loss, Lin et al., ICCV 2017; label smoothing, Szegedy et al., CVPR 2016.
    """
    soft = labels * (1 - p.smoothing) + p.smoothing / 2
    counts = torch.tensor(weight, device=logits.device)
    losses = functional.binary_cross_entropy_with_logits(logits, soft, pos_weight=counts, reduction="none")
    if p.loss == "focal":
        wrong = torch.sigmoid(torch.where(labels > 0.5, -logits, logits))  # P of the other class
        losses = wrong**p.gamma * losses
    return losses.mean()


def optimizer_of(weights: list[torch.nn.Parameter], p: Learning) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba, ICLR 2015), AdamW (Loshchilov and Hutter, ICLR 2019) or SGD with momentum."""
    if p.optimizer == "sgd":
        return torch.optim.SGD(weights, lr=p.learning_rate, weight_decay=p.weight_decay, momentum=MOMENTUM)
    adam = torch.optim.AdamW if p.optimizer == "adamw" else torch.optim.Adam
    return adam(weights, lr=p.learning_rate, weight_decay=p.weight_decay)


def factor(epoch: float, p: Learning, step: float = 0.0) -> float:
    """What the rate is multiplied by at a time in epochs; the first step of a warm-up, `step` long, is not lost.

    Source: cosine, Loshchilov and Hutter, ICLR 2017; warm-up, Goyal et al., arXiv 1706.02677, 2017.
    """
    if epoch < p.warmup:
        return (epoch + step) / p.warmup
    if p.schedule == "cosine":
        done = min(1.0, (epoch - p.warmup) / max(1e-9, p.epochs - p.warmup))
        return float(0.5 * (1 + np.cos(np.pi * done)))
    return float(p.decay ** int((epoch + 1e-6) // p.decay_every)) if p.schedule == "step" else 1.0


def clip_logits(network: Network, faces: Images, frames: int) -> list[float]:
    """The logits of all sequences of a clip."""
    return forward(network, [faces[some] for some in interleaved(len(faces), frames)], frames)


def video_scores(table: pd.DataFrame, logits: Sequence[Sequence[float]], tracks: str) -> tuple[Floats, Floats]:
    """Labels and P(fake) of the videos of the table, from the logits of its clips."""
    by_video = pd.DataFrame({"label": table["label"], "logits": pd.Series(list(logits))}).groupby(table["video_id"])
    scores = by_video["logits"].agg(lambda some: video_score(list(some), tracks))
    return by_video["label"].first().to_numpy(float), scores.to_numpy(float)
