"""split: train, validation and test share no person, no source and no file.

Videos that share an identity, a source or their pictures are one group, and a group is never divided.
"""

import re
from hashlib import sha256
from typing import Any, Literal, Self

import pandas as pd
from pydantic import Field, model_validator
from scipy.cluster.hierarchy import DisjointSet

from deepfake import alike
from deepfake.base.errors import UserError
from deepfake.base.params import Params
from deepfake.videos import USABLE, people

SPLITS = ("train", "val", "test")
NAMES = ("real", "fake")  # of the labels
PICTURES = ("sha256", "pictures_sha256")  # hashes that are equal in equal videos: of the file, of what it shows
PERSON = re.compile(r"[^\s+;,](?:[^+;,]*[^\s+;,])?")  # of those on a video, whatever parts them


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
    if found := contradictions(table):
        raise UserError(
            "the same pictures are called real and fake:\n" + "\n".join(found[:10]),
            "one of the labels is wrong: correct it, or take these videos out",
        )
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
    if empty := [f"no {NAMES[label]} in {s}" for (s, label), n in counts.items() if not n]:
        number = table["group"].nunique()
        raise UserError(f"{', '.join(empty)}: {len(ok)} usable videos in {number} groups", _way_out(ok, asked, p.mode))
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
    """The group of each video: the components of what they share, named by the least of it.

    An identity sorts before a source, a source before equal pictures: more videos of known people rename no group.
    """
    shared: DisjointSet = DisjointSet()
    nodes = [[f"video:{name}", *some] for name, some in zip(videos["video_id"], ties(videos), strict=True)]
    for first, *others in nodes:
        shared.add(first)
        for other in others:
            shared.add(other)
            shared.merge(first, other)
    least: dict[str, str] = {}
    for node in sorted(shared):
        least.setdefault(shared[node], node)
    return pd.Series([least[shared[first]] for first, *_ in nodes], index=videos.index, dtype=str)


def ties(videos: pd.DataFrame) -> list[list[str]]:
    """What each video shares with others of its group: people (a swap has two), source and pictures.

    People and sources are those of a dataset. A video is the source of those made of it, though it says one of its own.
    Pictures are equal in their file's bytes, in what it decodes to, or to the eye, where they are encoded anew.
    """
    originals = {(row["dataset"], row["source"]) for row in videos.to_dict("records")}
    shared = []
    for row in videos.to_dict("records"):
        dataset, name = row["dataset"], row["video_id"]
        sources = {row["source"] or name} | ({name} if (dataset, name) in originals else set())
        persons = [f"identity:{dataset}:{person}" for person in people(str(row["identities"]))]
        twins = [f"twin:{row[of]}" for of in PICTURES if row["kept"] and row.get(of)]
        shared.append([*persons, *(f"source:{dataset}:{source}" for source in sorted(sources)), *twins])
    names = videos["video_id"].tolist()
    for i, j in _copies(videos):
        tie = "twin:" + " ".join(sorted((names[i], names[j])))
        shared[i].append(tie)
        shared[j].append(tie)
    return shared


def contradictions(table: pd.DataFrame) -> list[str]:
    """The usable videos that show equal pictures under both labels, in words; empty for none."""
    usable = table[table["status"].isin(USABLE)].sort_values("video_id")
    found = set()
    for of in (name for name in PICTURES if name in usable):
        for _, some in usable[usable[of] != ""].groupby(of):
            if some["label"].nunique() > 1:
                found.add(" and ".join(f"{row.video_id} ({NAMES[row.label]})" for row in some.itertuples()))
    return sorted(found)


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
    """What stands on two sides of the split, in words; empty for none.

    Read off the columns anew, not off the ties that made the groups, so that a fault of theirs is found here.
    """
    persons = table.assign(what=table["identities"].map(PERSON.findall)).explode("what").dropna(subset="what")
    persons = persons.assign(what=persons["what"].str.split().str.join(" "))
    made = table[table["source"] != ""].assign(what=lambda some: some["source"])
    originals = table.assign(what=table["video_id"]).merge(made[["dataset", "what"]].drop_duplicates())
    sources = pd.concat([made, originals])
    seen = table[table["kept"] > 0]
    found = [f"identity:{said}" for said in _divided(persons, persons["dataset"] + ":" + persons["what"])]
    found += [f"source:{said}" for said in _divided(sources, sources["dataset"] + ":" + sources["what"])]
    found += [f"twin:{said}" for of in PICTURES if of in seen for said in _divided(seen[seen[of] != ""], seen[of])]
    pairs = [[table.iloc[i] for i in pair] for pair in _copies(table)]
    return found + [
        f"copies: {a['video_id']} in {a['split']} and {b['video_id']} in {b['split']}"
        for a, b in pairs
        if a["split"] != b["split"]
    ]


def doubts(table: pd.DataFrame) -> dict[str, list[str]]:
    """The videos of which the table says too little to be sure that a split is clean, by what is open."""
    names = set(table["dataset"] + ":" + table["video_id"])
    persons = table.assign(person=table["identities"].map(people)).explode("person").dropna(subset="person")
    persons["person"] = persons["dataset"] + ":" + persons["person"]
    fakes = persons[persons["label"] == 1]
    known = fakes["person"].isin(persons["person"][persons["label"] == 0]).groupby(fakes["video_id"]).any()
    lost = table["source"].ne("") & ~(table["dataset"] + ":" + table["source"]).isin(names)
    return {
        "no_identity": sorted(table["video_id"][table["identities"] == ""]),
        "unknown_source": sorted(table["video_id"][lost]),
        "unknown_people": sorted(known.index[~known.astype(bool)]),
    }


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


def _divided(table: pd.DataFrame, shared: "pd.Series[str]") -> list[str]:
    """What is shared by rows of more than one split, and by which."""
    sides = table["split"].groupby(shared).agg(lambda some: " and ".join(sorted(set(some))))
    return [f"{name} in {said}" for name, said in sides.items() if " and " in said]


def _copies(videos: pd.DataFrame) -> list[tuple[int, int]]:
    """The places of two videos each that show the same pictures, encoded in another way."""
    if "fingerprint" not in videos:
        return []
    return alike.pairs(tuple(videos["fingerprint"].where(videos["kept"] > 0, "")))


def _way_out(ok: pd.DataFrame, asked: list[int], mode: str) -> str:
    """What to do about a split that lacks a class."""
    held = {NAMES[label]: ok["group"][ok["label"] == label].nunique() for label in asked}
    if few := [f"only {n} hold a {name}" for name, n in held.items() if n < len(SPLITS)]:
        largest = ok["group"].value_counts().head(1)
        whole = [f"one ({group}) has {n} of {len(ok)} videos" for group, n in largest.items() if n > len(ok) / 2]
        return f"of the groups {', '.join(few + whole)}: each split needs one, so add videos of other people"
    return {
        "hash": "chance deals the groups: try split.mode: quota, or another split.seed",
        "quota": "each dataset, method and class is dealt by itself: try another split.seed, or split.mode: hash",
        "official": "the dataset's own split leaves it out: set split.mode: quota",
    }[mode]
