"""train: a step through our data loading and Trainer against the bare loop on tensors already in memory.

    python benchmarks/train.py [--encoder timm --backbone resnet50] [--side 112] [--precision 32-true] [--steps 20]

The same network, optimiser, batches and number of steps, on the device that training would use, both ways in turn. The
share of a step that waits for data is measured in the Trainer's run, as the time that the loop stands at the loader.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import lightning
import numpy as np
import pandas as pd
import torch
import yaml
from torch import Tensor

from deepfake.base.memory import keep_memory
from deepfake.learning.batches import Batches, Sequences, Tracks
from deepfake.learning.devices import loading, quiet, trained_on
from deepfake.learning.learner import Learner, loss_of, optimizer_of
from deepfake.models.network import Network, to_clips
from deepfake.train import TrainParams

ROOT = Path(__file__).parents[1]
CLIPS = 64


class Watched:
    """A loader that counts the seconds for which somebody waits for it."""

    def __init__(self, loader: Any) -> None:
        self.loader, self.waited = loader, 0.0

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self.loader)
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            self.waited += time.perf_counter() - start
            if batch is None:
                return
            yield batch


class Timed(Learner):
    """The Learner without validation; the seconds from the end of its first epoch to that of the last."""

    def train_dataloader(self) -> Watched:
        self.watched = Watched(super().train_dataloader())
        return self.watched

    def on_train_epoch_end(self) -> None:
        self.losses = []
        synchronize()
        if self.current_epoch == 0:  # the first one warms up
            self.begun, self.watched.waited = time.perf_counter(), 0.0
        self.seconds = time.perf_counter() - self.begun


def clips(folder: Path, side: int, frames: int) -> Tracks:
    """Clips of noise, as the store of items keeps them."""
    files = [folder / f"{i}.npy" for i in range(CLIPS)]
    for i, file in enumerate(files):
        np.save(file, np.random.default_rng(i).integers(0, 256, (2 * frames, side, side, 3), np.uint8))
    names = [f"v{i}" for i in range(CLIPS)]
    groups = [f"g{i // 2}" for i in range(CLIPS)]
    return Tracks(
        pd.DataFrame(
            {"video_id": names, "label": [i % 2 for i in range(CLIPS)], "group": groups, "source": groups, "copy": 0}
        ),
        files,
    )


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def bare(p: TrainParams, batches: list[tuple[Tensor, Tensor, Tensor]], epochs: int) -> float:
    """Seconds of an epoch of the plain loop over batches in the device's memory."""
    lightning.seed_everything(0, verbose=False)
    device = batches[0][0].device
    network = Network(p).to(device).train()
    optimizer = optimizer_of(list(network.parameters()), p)
    kind = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(p.precision)
    scaler = torch.amp.GradScaler(device.type, enabled=p.precision == "16-mixed")
    for epoch in range(epochs + 1):
        if epoch == 1:
            synchronize()
            begun = time.perf_counter()
        for faces, mask, labels in batches:
            optimizer.zero_grad()
            with torch.autocast(device.type, kind or torch.float32, enabled=kind is not None):
                loss = loss_of(network(to_clips(faces), mask), labels, p, 1.0)
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            scaler.step(optimizer)
            scaler.update()
    synchronize()
    return (time.perf_counter() - begun) / epochs


def ours(p: TrainParams, tracks: Tracks, epochs: int) -> tuple[float, float]:
    """Seconds of an epoch through our loading and the Trainer, and the share of it that waits for data."""
    lightning.seed_everything(0, verbose=False)
    learner = Timed(Network(p), p, tracks, tracks, frames=p.frames, self_blend=0.0)
    with quiet():
        trainer = lightning.Trainer(
            max_epochs=epochs + 1,
            precision=p.precision,
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            deterministic="warn",
            **trained_on(),
        )
        trainer.fit(learner)
    return learner.seconds / epochs, learner.watched.waited / learner.seconds


def main() -> None:
    """Measure both in turn, three times; print a row of a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="timm")
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--head", default="lstm")
    parser.add_argument("--side", type=int, default=112)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--precision", default="32-true", choices=("32-true", "bf16-mixed", "16-mixed"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1, help=f"measured in a round; {CLIPS} clips each")
    a = parser.parse_args()
    chosen = {name: getattr(a, name) for name in ("encoder", "head", "side", "frames", "batch_size", "precision")}
    chosen |= {"backbone": a.backbone if a.encoder in ("timm", "video") else None, "schedule": "constant", "ema": 0.0}
    usual = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]
    p = TrainParams.model_validate(usual | chosen | {"draws": 1, "balance": "pairs", "epochs": 1})
    keep_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as name:
        tracks = clips(Path(name), a.side, a.frames)
        sequences = Sequences(tracks, p.frames, p.sampling, p.flip)
        drawn = Batches(tracks.table, batch_size=p.batch_size, draws=1, pairs=True, seed=0)
        loader = torch.utils.data.DataLoader(sequences, batch_sampler=drawn, collate_fn=sequences.collate, **loading())
        batches = [tuple(part.to(device) for part in batch) for batch in loader]
        pairs = [(bare(p, batches, a.epochs), *ours(p, tracks, a.epochs)) for _ in range(a.rounds)]
    images = sum(int(mask.sum()) for _, mask, _ in batches)
    plain, through, waited = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(plain / through for plain, through, _ in pairs)
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print("| device | network | side | precision | bare, images/s | ours, images/s | ours / bare | waiting for data |")
    print("|---|---|---|---|---|---|---|---|")
    network = f"{p.backbone or p.encoder} + {p.head}"
    print(
        f"| {where} | {network} | {p.side} | {p.precision} | {images / plain:.1f} | {images / through:.1f}"
        f" | {ratio:.3f} | {waited:.2%} |"
    )


if __name__ == "__main__":
    main()
