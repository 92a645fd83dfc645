"""batches: which sequences of which clips are learnt from together."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from deepfake.base.errors import UserError
from deepfake.clips import drawn, padded, resized
from deepfake.pseudo.blend import Forging, Sample, pair
from deepfake.scores import Floats
from deepfake.video import Images

Indices = np.ndarray[Any, np.dtype[np.int64]]
Batch = tuple[Tensor, Tensor, Tensor]  # faces (B, T, S, S, 3) uint8, mask (B, T), labels (B,)
ECHOED = 64  # batches that are kept to be mixed
MATES = 20  # people of like shape, of whom one is drawn


class Draw(NamedTuple):
    """What becomes of a clip in a batch."""

    clip: int
    seed: int  # of its frames
    blend: bool = False  # with its own blend beside it, which is a fake


@dataclass(frozen=True)
class Tracks:
    """Clips in memory maps, with what is said of them."""

    # video_id, track, label, group, source, split, copy of each clip; shapes: landmarks of its frames, flat, if known;
    # redrawn: where it begins in the files of that name, -1 for nowhere; blend: a seed, where it is of a pair
    table: pd.DataFrame
    files: list[Path]  # (T, side, side, 3) uint8 RGB, .npy
    forging: Forging = field(default_factory=Forging)  # how pseudo-fakes are made of them
    redrawn: tuple[Path, ...] = ()  # faces as generators draw them, (N, side, side, 3) uint8 RGB, .npy: one a generator
    margin: float = 0.15  # of the crops

    def __getitem__(self, index: int) -> Images:
        if "blend" in self.table:
            rng = np.random.default_rng(self.table["blend"][index])
            return pair(self.sample(index, rng), rng, self.forging)[self.table["label"][index]]
        faces: Images = np.load(self.files[index], mmap_mode="r")
        return faces

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """A clip with all that a pseudo-fake can be made of: a mate is drawn of those of like shape."""
        mates = self.mates[index]
        mate = self._alone(int(rng.choice(mates))) if len(mates) else None
        return replace(self._alone(index), mate=mate)

    def _alone(self, index: int) -> Sample:
        faces: Images = np.load(self.files[index], mmap_mode="r")
        start = int(self.table["redrawn"][index]) if self.redrawn else -1
        drawn = [every[start : start + len(faces)] for every in self._generators if start >= 0]
        return Sample(faces, self.shapes[index], tuple(drawn), self.margin)

    @cached_property
    def _generators(self) -> list[Images]:
        return [np.load(file, mmap_mode="r") for file in self.redrawn]

    @cached_property
    def shapes(self) -> "list[Floats | None]":
        """The landmarks of each clip, (T, 68, 2) px; None where they are not known for each of its frames."""
        if "shapes" not in self.table:
            return [None] * len(self.table)
        landmarks = [np.asarray(points, float).reshape(-1, 68, 2) for points in self.table["shapes"]]
        return [points if len(points) and np.isfinite(points).all() else None for points in landmarks]

    @cached_property
    def mates(self) -> list[Indices]:
        """For each clip of known shape, the reals of other people whose shapes are nearest."""
        known = [i for i, shape in enumerate(self.shapes) if shape is not None and self.table["label"][i] == 0]
        none, mates = np.empty(0, np.int64), {}
        if len(known) > 1:
            means = np.stack([self.shapes[i].mean(0).ravel() for i in known])  # type: ignore[union-attr]
            groups = self.table["group"].to_numpy()[known]
            for row, i in enumerate(known):
                far = ((means - means[row]) ** 2).sum(1)
                far[groups == groups[row]] = np.inf
                near = np.argsort(far, kind="stable")[:MATES]
                mates[i] = np.array(known)[near[np.isfinite(far[near])]]
        return [mates.get(i, none) for i in range(len(self.table))]

    def where(self, rows: "pd.Series[bool]") -> "Tracks":
        """Those of some rows."""
        files = [f for f, r in zip(self.files, rows, strict=True) if r]
        return replace(self, table=self.table[rows].reset_index(drop=True), files=files)


def with_blends(reals: Tracks, seed: int) -> Tracks:
    """The reals, each beside its own blend: what stands for validation where no fakes are known."""
    seeds = np.random.default_rng(seed).integers(2**32, size=len(reals.files))
    table = reals.table.assign(blend=seeds)
    fakes = table.assign(label=1, video_id=table["video_id"] + " blended")
    return replace(reals, table=pd.concat([table, fakes], ignore_index=True), files=reals.files * 2)


class Sequences(Dataset[list[tuple[Images, float]]]):
    """Random sequences of the clips, as the sampler draws them; some flipped, all their frames alike."""

    def __init__(self, tracks: Tracks, frames: int, sampling: str, flip: float = 0.0, side: int | None = None) -> None:
        self.tracks, self.frames, self.sampling, self.flip, self.side = tracks, frames, sampling, flip, side
        self.labels = tracks.table["label"].to_numpy(np.float32)

    def __getitem__(self, draw: Draw) -> list[tuple[Images, float]]:
        rng = np.random.default_rng(draw.seed)
        if draw.blend:
            sample = self.tracks.sample(draw.clip, rng)
            sample = sample.frames(drawn(len(sample.images), self.frames, self.sampling, rng))
            clips = zip(pair(sample, rng, self.tracks.forging), (0.0, 1.0), strict=True)
        else:
            faces = self.tracks[draw.clip]
            chosen = drawn(len(faces), self.frames, self.sampling, rng)
            clips = zip([faces[chosen]], [self.labels[draw.clip]], strict=True)
        mirrored = rng.random() < self.flip
        return [(resized(faces[:, :, ::-1] if mirrored else faces, self.side), label) for faces, label in clips]

    def collate(self, draws: Sequence[list[tuple[Images, float]]]) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, S, S, 3) uint8, mask (B, T), labels (B,)."""
        rows = [clip for draw in draws for clip in draw]
        batch, mask = padded([faces for faces, _ in rows], self.frames)
        return torch.from_numpy(batch), torch.from_numpy(mask), torch.tensor([float(label) for _, label in rows])


class Batches(Sampler[list[Draw]]):
    """Which clips go into a batch; the same for the same seed and epoch, whatever else draws numbers.

    A batch is dealt out in equal parts to the ranks, pairs whole; what fills none is left out of an epoch.
    Raises UserError where there are more ranks than clips, or than the batch has parts.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        *,
        batch_size: int,
        draws: int,
        pairs: bool,
        seed: int,
        self_blend: float = 0.0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.draws, self.pairs, self.seed, self.self_blend = draws, pairs, seed, self_blend
        self.rank, self.ranks, self.epoch = rank, ranks, 0
        self.labels = table["label"].to_numpy()
        # the nearest first: of one source, altered by one draw as those of one copy are
        self.ties = [
            pd.factorize(pd.MultiIndex.from_frame(table[names]))[0]
            for names in (["source", "copy"], ["source"], ["group", "copy"], ["group"])
        ]
        self.units = draws * int(np.bincount(self.labels).max() if pairs else len(table))  # pairs, or clips
        self.share = min(batch_size // (2 if pairs else 1), self.units) // ranks  # of a rank in a batch
        if not self.share:
            raise UserError(
                f"{ranks} devices for batches of {batch_size} and {self.units} {'pairs' if pairs else 'clips'}",
                "fewer DEVICES, or a larger train.batch_size",
            )

    @property
    def sampler(self) -> "Batches":
        """Where Lightning looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Another epoch has other batches."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.units // (self.share * self.ranks)

    def __iter__(self) -> Iterator[list[Draw]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        units = self._paired(rng) if self.pairs else self._shuffled(rng, np.arange(len(self.labels)))[:, None]
        seeds = rng.integers(2**32, size=len(units))  # the same moments of both of a pair, mirrored alike
        blends = rng.random(len(units)) < self.self_blend
        for start in range(self.rank * self.share, len(self) * self.share * self.ranks, self.share * self.ranks):
            mine = range(start, start + self.share)
            yield [draw for i in mine for draw in self._draws(units[i], int(seeds[i]), bool(blends[i]))]

    def _draws(self, unit: Indices, seed: int, blend: bool) -> list[Draw]:
        if blend:
            return [Draw(int(clip), seed, True) for clip in unit if self.labels[clip] == 0][:1]
        return [Draw(int(clip), seed) for clip in unit]

    def _shuffled(self, rng: np.random.Generator, clips: Indices) -> Indices:
        return np.concatenate([rng.permutation(clips) for _ in range(self.draws)])

    def _paired(self, rng: np.random.Generator) -> Indices:
        """(N, 2): each clip of the larger class, beside one of the other: of its source, its group, or any.

        Of those the one of the same copy comes first: augment alters it by the same draw, which then tells nothing.
        """
        fewer = int((self.labels == 1).sum() < (self.labels == 0).sum())
        few = np.flatnonzero(self.labels == fewer)
        many = np.flatnonzero(self.labels != fewer)
        if not len(few):  # reals alone, each beside its blend
            return np.repeat(self._shuffled(rng, many)[:, None], 2, axis=1)
        mates = dict.fromkeys(many.tolist(), few)
        for tie in reversed(self.ties):
            members = {value: few[tie[few] == value] for value in set(tie[many])}
            mates |= {i: members[tie[i]] for i in mates if len(members[tie[i]])}
        order = self._shuffled(rng, many)
        return np.stack([order, [rng.choice(mates[i]) for i in order.tolist()]], 1)


class Echo(DataLoader[Batch]):
    """A loader that gives each batch, and mixtures of the batches before: blends cost more to make than to learn from.

    `unit` rows stay together: pairs. A mixture is mirrored as often as not. Which go into one is drawn by the seed and
    epoch of the batches, whatever workers there are.
    Source: Choi et al., "Faster neural network training with data echoing", arXiv 1907.05550, 2019.
    """

    def __init__(self, dataset: Sequences, batches: Batches, echo: int, unit: int, **options: Any) -> None:
        super().__init__(dataset, batch_sampler=batches, collate_fn=dataset.collate, **options)  # type: ignore[arg-type]
        self.batches, self.echo, self.unit = batches, echo, unit

    def __len__(self) -> int:
        return len(self.batches) * self.echo

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        rng = np.random.default_rng([self.batches.seed, self.batches.epoch, self.batches.rank])
        kept: deque[Batch] = deque(maxlen=ECHOED)
        for batch in super().__iter__():
            kept.append(batch)
            yield batch
            for _ in range(self.echo - 1):
                yield mixed(kept, self.unit, rng)


def mixed(batches: Sequence[Batch], unit: int, rng: np.random.Generator) -> Batch:
    """A batch of units of some batches, each drawn at random."""
    places = [(int(rng.integers(len(batches))), int(i)) for i in rng.permutation(len(batches[-1][2]) // unit)]
    parts = [[part[i * unit : (i + 1) * unit] for part in batches[k]] for k, i in places]
    faces, mask, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    return faces.flip(3) if rng.random() < 0.5 else faces, mask, labels
