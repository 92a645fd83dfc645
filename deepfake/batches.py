"""batches: which sequences of which clips are learnt from together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from deepfake.clips import drawn, padded
from deepfake.video import Images

Draw = tuple[int, int]  # which clip, and the seed of the frames drawn from it
Indices = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Tracks:
    """Clips in memory maps, with what is said of them."""

    table: pd.DataFrame  # video_id, label, group, split, copy of each clip
    files: list[Path]  # (T, side, side, 3) uint8 RGB, .npy

    def __getitem__(self, index: int) -> Images:
        faces: Images = np.load(self.files[index], mmap_mode="r")
        return faces

    def where(self, rows: "pd.Series[bool]") -> "Tracks":
        """Those of some rows."""
        return Tracks(self.table[rows].reset_index(drop=True), [f for f, r in zip(self.files, rows, strict=True) if r])


class Sequences(Dataset[tuple[Images, float]]):
    """Random sequences of the clips, as the sampler draws them; some flipped, all their frames alike."""

    def __init__(self, tracks: Tracks, frames: int, flip: float = 0.0) -> None:
        self.tracks, self.frames, self.flip = tracks, frames, flip
        self.labels = tracks.table["label"].to_numpy(np.float32)

    def __getitem__(self, draw: Draw) -> tuple[Images, float]:
        index, seed = draw
        rng = np.random.default_rng(seed)
        faces = self.tracks[index]
        faces = faces[drawn(len(faces), self.frames, rng)]
        return faces[:, :, ::-1] if rng.random() < self.flip else faces, float(self.labels[index])

    def collate(self, rows: Sequence[tuple[Images, float]]) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, S, S, 3) uint8, mask (B, T), labels (B,)."""
        batch, mask = padded([faces for faces, _ in rows], self.frames)
        return torch.from_numpy(batch), torch.from_numpy(mask), torch.tensor([label for _, label in rows])


class Batches(Sampler[list[Draw]]):
    """Which clips go into a batch; the same for the same seed and epoch, whatever else draws numbers."""

    def __init__(self, table: pd.DataFrame, *, batch_size: int, draws: int, pairs: bool, seed: int) -> None:
        self.batch_size, self.draws, self.pairs, self.seed = batch_size, draws, pairs, seed
        self.epoch = 0
        self.labels = table["label"].to_numpy()
        self.ties = [table[name].to_numpy() for name in ("source", "group")]  # the nearest first

    def __len__(self) -> int:
        count = 2 * max(np.bincount(self.labels)) if self.pairs else len(self.labels)
        return max(1, int(count) * self.draws // self.batch_size)

    def __iter__(self) -> Iterator[list[Draw]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        self.epoch += 1
        order = self._paired(rng) if self.pairs else self._shuffled(rng, np.arange(len(self.labels)))
        seeds = rng.integers(2**32, size=len(order))
        if self.pairs:  # the same moments of both, mirrored alike: they differ by the forgery
            seeds[1::2] = seeds[::2]
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            some = slice(start, start + self.batch_size)
            yield list(zip(order[some].tolist(), seeds[some].tolist(), strict=True))

    def _shuffled(self, rng: np.random.Generator, clips: Indices) -> Indices:
        return np.concatenate([rng.permutation(clips) for _ in range(self.draws)])

    def _paired(self, rng: np.random.Generator) -> Indices:
        """Each clip of the larger class, beside one of the other: of its source, else of its group, else any."""
        fewer = int((self.labels == 1).sum() < (self.labels == 0).sum())
        few = np.flatnonzero(self.labels == fewer)
        many = np.flatnonzero(self.labels != fewer)
        mates = dict.fromkeys(many.tolist(), few)
        for tie in reversed(self.ties):
            members = {value: few[tie[few] == value] for value in set(tie[many])}
            mates |= {i: members[tie[i]] for i in mates if len(members[tie[i]])}
        order = self._shuffled(rng, many)
        return np.stack([order, [rng.choice(mates[i]) for i in order.tolist()]], 1).ravel()
