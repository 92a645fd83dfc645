"""split: train, validation and test share no person, no source and no file.

Videos that share an identity, a source or their bytes are one group, and a group is never divided.
"""

from hashlib import sha256
from typing import Any, Literal, Self

import pandas as pd
from pydantic import Field, model_validator

from deepfake.base.errors import UserError
from deepfake.base.params import Params
from deepfake.videos import USABLE

SPLITS = ("train", "val", "test")


class SplitParams(Params):
    """How groups are dealt."""

    mode: Literal["hash", "quota", "official"]
    # hash: each group by its own hash: adding videos moves none; the shares hold on average
    # quota: the exact shares of every stratum, in the order of the hashes; adding videos may move a few
    # official: as the dataset says, checked for leaks all the same
    train: float = Field(gt=0, lt=1)
    val: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    seed: int

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(self.train + self.val + self.test - 1) > 1e-6:
            raise ValueError("train, val and test must add up to 1")
        return self


def split(videos: pd.DataFrame, kept: pd.DataFrame, p: SplitParams) -> pd.DataFrame:
    """One row a video: its group, split and final status. Raises UserError for a leak or a split without a class.

    Videos that gave no frames or no faces are dealt too: they count in the coverage.
    """
    table = videos.assign(status=status(videos, kept), group=groups(videos))
    table["split"] = videos["split"] if p.mode == "official" else deal(table, p)
    if len(stray := table[~table["split"].isin(SPLITS)]):
        named = ", ".join(stray["video_id"].head(3))
        said = ", ".join(sorted(map(repr, set(stray["split"]))))
        raise UserError(
            f"{len(stray)} videos are in no split: {named} ...; theirs is {said}", "or set split.mode: hash"
        )
    if found := leaks(table):
        raise UserError(
            "the same on two sides of the split:\n" + "\n".join(found[:10]), "split.mode: hash has no leaks"
        )
    ok = table[table["status"].isin(USABLE)]
    asked = [0, 1] if table["label"].any() else [0]  # of reals alone something can be learnt too: train says how
    counts = {(s, label): int(((ok["split"] == s) & (ok["label"] == label)).sum()) for s in SPLITS for label in asked}
    if empty := [f"no {('real', 'fake')[label]} in {s}" for (s, label), n in counts.items() if not n]:
        number = table["group"].nunique()
        raise UserError(
            f"{', '.join(empty)}: {len(ok)} usable videos in {number} groups",
            "few groups: try split.mode: quota, or another split.seed; few videos: add some",
        )
    names = ["video_id", "label", "identities", "method", "dataset", "source", "group", "split", "status"]
    return table[names].sort_values("video_id", ignore_index=True)


def status(videos: pd.DataFrame, kept: pd.DataFrame) -> "pd.Series[str]":
    """The status of each video after all steps before: of those with frames, no_face or too_few_faces where so."""
    seen = videos["video_id"].isin(kept["video_id"])
    good = videos["video_id"].isin(kept.loc[kept["reason"] == "", "video_id"])
    has_frames = videos["status"].isin(USABLE)
    lost = videos["status"].mask(has_frames & ~good, "too_few_faces")
    return lost.mask(has_frames & ~seen, "no_face")


def groups(videos: pd.DataFrame) -> "pd.Series[str]":
    """The group of each video: the components of what they share (union-find), named by the least of it.

    An identity sorts before a source, a source before equal bytes: more videos of known people rename no group.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    nodes = [[f"video:{name}", *some] for name, some in zip(videos["video_id"], ties(videos), strict=True)]
    for first, *others in nodes:
        for other in others:
            low, high = sorted((root(first), root(other)))
            parent[high] = low
    return pd.Series([root(first) for first, *_ in nodes], index=videos.index, dtype=str)


def ties(videos: pd.DataFrame) -> list[list[str]]:
    """What each video shares with others of its group: people (a swap has two), source, bytes; qualified by dataset.

    A video is the source of those made of it, though it says one of its own.
    """
    originals = {(row["dataset"], row["source"]) for row in videos.to_dict("records")}
    shared = []
    for row in videos.to_dict("records"):
        dataset, name = row["dataset"], row["video_id"]
        sources = {row["source"] or name} | ({name} if (dataset, name) in originals else set())
        people = [f"identity:{dataset}:{person}" for person in str(row["identities"]).split("+") if person]
        twins = [f"twin:{row['sha256']}"] if row["kept"] else []
        shared.append([*people, *(f"source:{dataset}:{source}" for source in sorted(sources)), *twins])
    return shared


def deal(table: pd.DataFrame, p: SplitParams) -> "pd.Series[str]":
    """The split of each video by the hash of its group."""
    draw = {group: chance(group, p.seed) for group in sorted(set(table["group"]))}
    if p.mode == "hash":
        place = pd.Series(draw)
    else:  # the middle of each group's place in its stratum, in the order of the draws
        kind = table["dataset"] + "/" + table["method"] + "/" + table["label"].astype(str)
        strata = kind.groupby(table["group"]).agg(lambda some: " ".join(sorted(set(some))))
        order = pd.Series(draw).groupby(strata)
        place = (order.rank(method="first") - 0.5) / order.transform("size")
    names = pd.Series("test", index=place.index, dtype=str).mask(place < p.train + p.val, "val")
    return table["group"].map(names.mask(place < p.train, "train"))


def chance(group: str, seed: int) -> float:
    """A number in [0, 1) that depends on the group's name and the seed alone."""
    return int.from_bytes(sha256(f"{seed}:{group}".encode()).digest()[:8]) / 2**64


def leaks(table: pd.DataFrame) -> list[str]:
    """What stands on two sides of the split, in words; empty for none."""
    rows = [(tie, side) for side, some in zip(table["split"], ties(table), strict=True) for tie in some]
    sides = pd.DataFrame(rows, columns=["tie", "split"]).groupby("tie")["split"].agg(lambda s: sorted(set(s)))
    return [f"{tie} in {' and '.join(names)}" for tie, names in sides.items() if len(names) > 1]


def summary(splits: pd.DataFrame) -> dict[str, Any]:
    """Videos, groups and usable videos by class in each split."""
    return {name: _counts(splits[splits["split"] == name], len(splits)) for name in SPLITS}


def _counts(part: pd.DataFrame, total: int) -> dict[str, Any]:
    usable = part[part["status"].isin(USABLE)]
    by_method = usable[usable["method"] != ""].groupby("method").size()
    return {
        "videos": len(part),
        "share": len(part) / total,
        "groups": part["group"].nunique(),
        "real": int((usable["label"] == 0).sum()),
        "fake": int((usable["label"] == 1).sum()),
        "methods": {str(name): int(n) for name, n in by_method.items()},
        "unusable": len(part) - len(usable),
    }
