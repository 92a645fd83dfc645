"""train: a network from clips, by Lightning; validation chooses the epoch, and what is validated is what is kept."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pandas as pd
from dvclive.lightning import DVCLiveLogger
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint

from deepfake.base import code, items, libraries
from deepfake.base.errors import UserError
from deepfake.base.memory import keep_memory
from deepfake.base.tables import DIGITS
from deepfake.drawings import Drawings
from deepfake.inference import device
from deepfake.learning import resume
from deepfake.learning.batches import Tracks, with_blends
from deepfake.learning.devices import is_first, quiet, trained_on
from deepfake.learning.learner import Learner, Learning, clip_logits
from deepfake.learning.monitor import Monitor
from deepfake.models.network import Architecture, Network
from deepfake.models.weights import freeze
from deepfake.novelty import Gaussian, look

MOST = 4096  # tracks of train by which faces unlike them are told


class TrainParams(Architecture, Learning):
    """The network and how it learns."""

    trainable: str  # of the encoder: all | head (nothing) | norm_only | last_<n>_layers
    drawings: bool = False  # whether to learn besides, by the encoder as it was, what is drawn and was never filmed

    def idle(self) -> set[str]:
        """What the loss, schedule or head that is chosen has no use for."""
        unused = {"gamma"} if self.loss != "focal" else set()
        unused |= {"decay_every", "decay"} if self.schedule in ("cosine", "constant") else set()
        unused |= {"bidirectional"} if self.head not in ("lstm", "gru") else set()
        return unused | ({"layers", "hidden", "dropout"} if self.head == "mean" else set())


@dataclass(frozen=True)
class Learnt:
    """A network of its best epoch, and what it says of validation."""

    network: Network
    epoch: int
    validation: pd.DataFrame  # a row a sequence: video_id, label, group, track, sequence, logit, faces, distance
    known: Gaussian | None  # what the faces of train look like; None where there are too few
    drawings: Drawings | None = None  # what tells drawings from them, where that is learnt


def fit(train: Tracks, val: Tracks, p: TrainParams, curves: Path, self_blend: float = 0.0) -> list[Learnt]:
    """Train a network for each seed. The same seed gives the same weights on the same machine.

    The curves of every epoch go to the folder `curves`, those of further seeds to folders in it. A training that was
    killed goes on after its last whole epoch, and one that was done is not done again, where code, params, data and
    libraries are what they were.
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
    learnt = []
    for number in range(p.seeds):
        seeded = p.model_copy(update={"seed": p.seed + number})
        with resume.state(shape_of(train, val, seeded, self_blend)) as state:
            folder = curves / f"seed_{seeded.seed}" if number else curves
            learnt.append(_fit(train, val, seeded, folder, self_blend, state))
    return learnt


def check(train: Tracks, val: Tracks, p: TrainParams, self_blend: float) -> None:
    """Raises UserError for clips that cannot be learnt from in this way."""
    if self_blend and p.balance != "pairs":
        raise UserError("augment.self_blend: a blend stands beside its real", "set train.balance: pairs")
    for name, tracks in (("train", train), ("val", val)):
        for label, kind in enumerate(("real", "fake")):
            blended = name == "train" and label and self_blend
            if not blended and not (tracks.table["label"] == label).any():
                raise UserError(f"{name} has no {kind} video", "more videos, or another split.seed, will give it one")


def _fit(train: Tracks, val: Tracks, p: TrainParams, curves: Path, self_blend: float, state: resume.State) -> Learnt:
    """Train one network, or take what came of its training."""
    lightning.seed_everything(p.seed, verbose=False)
    network = Network(p)
    freeze(network.encoder, p.trainable)
    if p.compile:
        network.encoder.compile()
    learner = Learner(network, p, train, val, frames=p.frames, self_blend=self_blend)
    if (done := resume.read(state.done)) is None:
        _learn(learner, p, curves, state)
        done = resume.read(state.done)
        assert done is not None  # it was written just now
    else:
        print("train: this very training was done before: its networks are taken", file=sys.stderr)
        resume.restore(done["curves"], curves)
    learner.load_state_dict(done["state_dict"])
    known = known_of(train, p, network.side)
    drawings = drawings_of(train, p) if p.drawings else None
    validation = validation_of(network.to(device()).eval(), val, p, known, drawings)
    return Learnt(network.cpu(), int(done["epoch"]), validation, known, drawings)


def _learn(learner: Learner, p: TrainParams, curves: Path, state: resume.State) -> None:
    """Train, from the beginning or from the last whole epoch, until the state is done."""
    learner.state = resume.read(state.last)
    if learner.state is not None:
        resume.restore(learner.state["curves"], curves)
        print(f"train: goes on after epoch {learner.state['epoch']}", file=sys.stderr)
    monitor, mode = f"val/{p.best}", "min" if p.best == "loss" else "max"
    # whole checkpoints: of one of the weights alone Lightning leaves out the average that was validated
    best = ModelCheckpoint(state.folder, "best", monitor=monitor, mode=mode, enable_version_counter=False)
    callbacks: list[Callback] = [best, EarlyStopping(monitor, mode=mode, patience=p.patience)]
    if p.ema:  # Polyak and Juditsky, SIAM J. Control 1992
        # batch norm's statistics are averages already: they are taken anew for what is validated
        callbacks.append(EMAWeightAveraging(decay=p.ema, use_buffers=False))
    latest = ModelCheckpoint(state.folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    callbacks += [resume.Curves(curves), latest, Monitor()]
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
        trainer.fit(learner, ckpt_path=state.last if learner.state else None, weights_only=True)
        trainer.strategy.barrier()
        if is_first():
            state.finish(curves)
        trainer.strategy.barrier()


def known_of(train: Tracks, p: TrainParams, side: int) -> Gaussian | None:
    """What the faces of train look like, as they are filmed; of at most MOST tracks, by chance."""
    chosen = some(train, train.table["copy"] == 0, p.seed)
    return Gaussian.fit(np.stack([look(train[index], side) for index in chosen])) if chosen else None


def drawings_of(train: Tracks, p: TrainParams) -> Drawings:
    """What tells drawings from the reals of train; of at most MOST tracks, by chance."""
    chosen = some(train, (train.table["copy"] == 0) & (train.table["label"] == 0), p.seed)
    return Drawings.fit([train[index] for index in chosen], p, train.forging, p.seed)


def some(train: Tracks, rows: "pd.Series[bool]", seed: int) -> list[int]:
    """The places of some of the rows, at most MOST, sorted."""
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(rows))[:MOST]
    return sorted(int(index) for index in chosen)


def validation_of(
    network: Network, val: Tracks, p: TrainParams, known: Gaussian | None, drawings: Drawings | None = None
) -> pd.DataFrame:
    """What the network says of validation: a row a sequence, as calibrate reads it."""
    rows = []
    for index, clip in enumerate(val.table[["video_id", "label", "group", "track"]].to_dict("records")):
        logits, faces = clip_logits(network, val, index, p.frames, p.sampling), val[index]
        clip["faces"] = len(faces)
        far = None if known is None else float(known.distance(look(faces, network.side)[None])[0])
        clip["distance"] = None if far is None else round(far, DIGITS)
        clip |= {} if drawings is None else {"drawn": round(drawings.odds(faces), DIGITS)}
        rows += [clip | {"sequence": number, "logit": round(logit, DIGITS)} for number, logit in enumerate(logits)]
    return pd.DataFrame(rows)


def shape_of(train: Tracks, val: Tracks, p: TrainParams, self_blend: float) -> list[Any]:
    """All that shapes a training, as JSON: settings, code, libraries, and data by the keys of their files."""
    network = (f"deepfake.models.encoders.{p.encoder}", f"deepfake.models.heads.{p.head}")
    unused = () if self_blend or p.drawings else ("deepfake.pseudo", "deepfake.drawings")
    made_of = code.shape(__name__, *network, unused=unused)
    data = [[t.table.to_json(), list(map(str, [*t.files, *t.redrawn])), t.margin] for t in (train, val)]
    weights: Any = items.content(Path(p.pretrained)) if isinstance(p.pretrained, str) else None
    if p.pretrained is True:
        weights = libraries.downloaded(p.backbone or "")
    return [p.live(), self_blend, train.forging.model_dump(mode="json"), weights, made_of, data]


def shuffled(tracks: Tracks, seed: int) -> Tracks:
    """The same clips with the videos' labels dealt out at random."""
    labels = tracks.table.groupby("video_id")["label"].first()
    dealt = pd.Series(np.random.default_rng(seed).permutation(labels.to_numpy()), index=labels.index)
    return replace(tracks, table=tracks.table.assign(label=tracks.table["video_id"].map(dealt)))
