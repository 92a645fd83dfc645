"""learner: one step of learning: loss, optimiser, schedule, and the validation of an epoch."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Literal

import lightning
import numpy as np
import pandas as pd
import torch
from pydantic import Field, model_validator
from scipy.special import expit
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score
from torch import Tensor
from torch import distributed as dist
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from torch.utils.data import DataLoader
from torchvision.ops import sigmoid_focal_loss

from deepfake.base.errors import UserError
from deepfake.base.params import Params
from deepfake.clips import sequences
from deepfake.inference import logits_of
from deepfake.learning.batches import Batches, Echo, Sequences, Tracks
from deepfake.learning.devices import loading
from deepfake.learning.resume import generators, set_generators
from deepfake.models.network import Network, to_clips
from deepfake.scores import THRESHOLD, Floats

MOMENTUM = 0.9  # of SGD
NORM_BATCHES = 16  # of train, from which batch norm's statistics are taken before a validation


class Learning(Params):
    """How a network learns."""

    sampling: Literal["spread", "contiguous"]  # the frames of a sequence: over the whole track, or one after the other
    epochs: int = Field(gt=0)
    draws: int = Field(gt=0)  # sequences drawn from each clip in an epoch
    echo: int = Field(default=1, gt=0)  # times that what was drawn is learnt from
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
    best: Literal["loss", "auc", "accuracy"]  # of validation: which epoch is kept, and what patience waits for
    patience: int = Field(gt=0)  # epochs without a better one, after which it stops
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
        self.logits: dict[int, list[float]] = {}  # of the sequences of each clip of validation so far
        self.losses: list[Tensor] = []  # of the epoch's steps so far
        self.plateau: ReduceLROnPlateau | None = None
        self.state: dict[str, Any] | None = None  # of a training that is gone on with

    def train_dataloader(self) -> Any:
        drawn = Sequences(self.train_tracks, self.frames, self.p.sampling, self.p.flip, self.network.side)
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
        batches.set_epoch(self.current_epoch)
        return Echo(drawn, batches, self.p.echo, 2 if batches.pairs else 1, **loading())

    def val_dataloader(self) -> Any:
        mine = range(self.trainer.global_rank, len(self.val_tracks.files), self.trainer.world_size)
        return DataLoader(mine, batch_size=None, generator=torch.Generator())  # type: ignore[arg-type]

    def on_train_start(self) -> None:
        if self.state is not None:
            set_generators(self.state["generators"], self.trainer.global_rank)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["generators"] = generators()
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

    def on_validation_epoch_start(self) -> None:
        refresh_norms(self.network, islice(self.train_dataloader(), NORM_BATCHES))

    def validation_step(self, index: int, _: int) -> None:
        self.logits[int(index)] = clip_logits(self.network, self.val_tracks, int(index), self.frames, self.p.sampling)

    def on_validation_epoch_end(self) -> None:
        if self.trainer.world_size > 1:
            everyones: list[Any] = [None] * self.trainer.world_size
            dist.all_gather_object(everyones, self.logits)
            self.logits = {index: logits for ranks in everyones for index, logits in ranks.items()}
        logits = [self.logits[index] for index in sorted(self.logits)]
        self.logits = {}
        figures = validated(*video_scores(self.val_tracks.table, logits))
        self.log_dict({f"val/{name}": value for name, value in figures.items()}, prog_bar=True, sync_dist=True)

    def configure_optimizers(self) -> Any:
        weights = [weight for weight in self.parameters() if weight.requires_grad]
        optimizer = optimizer_of(weights, self.p)
        if self.p.schedule == "plateau":
            self.plateau = ReduceLROnPlateau(optimizer, factor=self.p.decay, patience=self.p.decay_every - 1)
            if self.state is not None:
                self.plateau.load_state_dict(self.state["plateau"])
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches) // int(self.trainer.max_epochs or 1)  # of an epoch
        rates = schedule(optimizer, self.p, max(1, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rates, "interval": "step"}}


def loss_of(logits: Tensor, labels: Tensor, p: Learning, weight: float) -> Tensor:
    """The mean loss of logits (B,) and labels (B,) in {0, 1}; a fake counts `weight` times.

    Source: focal loss, Lin et al., ICCV 2017; label smoothing, Szegedy et al., CVPR 2016.
    """
    soft = labels * (1 - p.smoothing) + p.smoothing / 2
    if p.loss == "focal":
        losses: Tensor = sigmoid_focal_loss(logits, soft, alpha=-1, gamma=p.gamma)
        return (losses * torch.where(labels > 0.5, weight, 1.0)).mean()
    counts = torch.tensor(weight, device=logits.device)
    return functional.binary_cross_entropy_with_logits(logits, soft, pos_weight=counts)


def optimizer_of(weights: list[torch.nn.Parameter], p: Learning) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba, ICLR 2015), AdamW (Loshchilov and Hutter, ICLR 2019) or SGD with momentum."""
    if p.optimizer == "sgd":
        return torch.optim.SGD(weights, lr=p.learning_rate, weight_decay=p.weight_decay, momentum=MOMENTUM)
    adam = torch.optim.AdamW if p.optimizer == "adamw" else torch.optim.Adam
    return adam(weights, lr=p.learning_rate, weight_decay=p.weight_decay)


def schedule(optimizer: torch.optim.Optimizer, p: Learning, steps: int) -> LRScheduler:
    """The rate over the steps of training, `steps` in an epoch; the first step of a warm-up is not lost.

    Source: cosine, Loshchilov and Hutter, ICLR 2017; warm-up, Goyal et al., arXiv 1706.02677, 2017.
    """
    rates: dict[str, Callable[[], LRScheduler]] = {
        "step": lambda: StepLR(optimizer, p.decay_every * steps, p.decay),
        "cosine": lambda: CosineAnnealingLR(optimizer, max(1, (p.epochs - p.warmup) * steps)),
        "constant": lambda: ConstantLR(optimizer, 1.0),
    }
    if not p.warmup:
        return rates[p.schedule]()
    rise = LinearLR(optimizer, 1 / (p.warmup * steps), total_iters=p.warmup * steps - 1)
    return SequentialLR(optimizer, [rise, rates[p.schedule]()], [p.warmup * steps])


@torch.no_grad()
def refresh_norms(network: Network, batches: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
    """Take batch norm's statistics anew from batches of train, but for what is frozen; eval mode is left on.

    While the weights move, and where they are averages, the running statistics are those of other weights: all logits
    are shifted together, which an AUC does not show, and a loss and a threshold do.
    Source: Izmailov et al., "Averaging weights leads to wider optima", UAI 2018.
    """
    norms = [module for module in network.train().modules() if isinstance(module, _BatchNorm) and module.training]
    network.eval()
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    for faces, mask, _ in batches:
        network(to_clips(faces.to(network.mean.device)), mask.to(network.mean.device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        if dist.is_available() and dist.is_initialized():  # each rank saw batches of its own; the first one's are kept
            for statistics in norm.buffers():
                dist.broadcast(statistics, 0)
    network.eval()


def clip_logits(network: Network, tracks: Tracks, index: int, frames: int, sampling: str) -> list[float]:
    """The logits of all sequences of a clip."""
    faces = tracks[index]
    return logits_of(network, faces, sequences(len(faces), frames, sampling), frames, network.side)


def video_scores(table: pd.DataFrame, logits: Sequence[Sequence[float]]) -> tuple[Floats, Floats]:
    """Labels and P(fake) of the videos of the table, from the logits of its clips: uncalibrated, of their mean."""
    rows = pd.DataFrame({"video_id": table["video_id"], "label": table["label"], "logits": pd.Series(list(logits))})
    videos = rows.explode("logits").groupby("video_id").agg({"label": "first", "logits": "mean"})
    return videos["label"].to_numpy(float), expit(videos["logits"].to_numpy(float))


def validated(labels: Floats, scores: Floats) -> dict[str, float]:
    """What is chosen by: loss, AUC and accuracy of P(fake). Raises UserError where that is no number."""
    if not np.isfinite(scores).all():
        raise UserError("the training diverged: validation gives no number", "lower train.learning_rate")
    return {
        "loss": float(log_loss(labels, scores, labels=[0, 1])),
        "auc": float(roc_auc_score(labels, scores)),
        "accuracy": float(balanced_accuracy_score(labels, scores >= THRESHOLD)),
    }
