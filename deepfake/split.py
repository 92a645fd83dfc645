"""split: train, validation and test share no person, no source and no file.

Videos that share an identity, a source or their pictures are one group, and a group is never divided. Only where one
group swallows most of a dataset, for its actors swap with one another, its people are dealt instead, and the fakes that
show people of two sides are left out.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from deepfake.base.errors import UserError
from deepfake.base.params import Params
from deepfake.dataset import manifests
from deepfake.dataset.files import printable
from deepfake.dataset.relations import PICTURES, By, atoms, copies, groups, owned
from deepfake.dataset.videos import USABLE, people

SPLITS = ("train", "val", "test")
RARE = 20  # groups: strata of fewer are dealt together, for each alone would round to train
OUT = "none"  # in place of a split: the video is left out
NAMES = ("real", "fake")  # of the labels
PERSON = re.compile(r"[^\s+;,](?:[^+;,]*[^\s+;,])?")  # of those on a video, whatever parts them


class SplitParams(Params):
    """How groups are dealt."""

    mode: Literal["hash", "quota", "official", "csv"]
    # hash: each group by its own hash: adding videos moves none; the shares hold on average
    # quota: the exact shares of every dataset, method and class, in the order of the hashes, those of fewer than RARE
    #   groups together; adding videos may move a few
    # official: as the dataset says, checked for leaks all the same; where it has no val, that is dealt from its train
    # csv: as split.table says (columns path, split), checked all the same; "none" leaves a video out
    table: str | None = None  # of csv
    by: By = "identity"  # what is never divided; group: nor the collections that a layout or manifest tells
    cut: float | None = Field(default=None, gt=0, lt=1)
    # a larger share of a dataset in one group: its people are dealt, and fakes that cross are left out; null: never
    leaks: Literal["refuse", "report"] = (
        "refuse"  # of official and csv: report allows comparison with published figures
    )
    train: float = Field(gt=0, lt=1)
    val: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    seed: int

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(self.train + self.val + self.test - 1) > 1e-6:
            raise ValueError("train, val and test must add up to 1")
        if self.mode == "csv" and not self.table:
            raise ValueError("mode csv needs table, the file that says it")
        return self


def split(videos: pd.DataFrame, kept: pd.DataFrame, p: SplitParams) -> pd.DataFrame:
    """One row a video: its group, split and final status. Raises UserError for a leak or a split without a class.

    Videos that gave no frames or no faces are dealt too: they count in the coverage.
    """
    table = videos.assign(status=status(videos, kept), group=groups(videos, p.by))
    if clashes := contradictions(table):
        raise UserError(
            "the same pictures are called real and fake:\n" + "\n".join(clashes[:10]),
            "one of the labels is wrong: correct it, or take these videos out",
        )
    table["split"] = assigned(table, p)
    if len(stray := table[~table["split"].isin((*SPLITS, OUT))]):
        named = ", ".join(stray["video_id"].head(3))
        given = ", ".join(sorted(map(repr, set(stray["split"]))))
        raise UserError(
            f"{len(stray)} videos are in no split: {named} ...; theirs is {given}", "or set split.mode: hash"
        )
    taken = table["split"] != OUT
    if not taken.all():
        table["group"] = groups(table[taken], p.by).reindex(table.index).fillna("video:" + table["video_id"])
    if (leaking := leaks(table[taken])) and p.leaks == "refuse":
        hint = "split.mode: hash has no leaks"
        raise UserError(
            "the same on two sides of the split:\n" + "\n".join(leaking[:10]),
            f"{hint}; split.leaks: report lets a published split pass, and counts them"
            if p.mode == "official"
            else hint,
        )
    ok = table[table["status"].isin(USABLE) & taken]
    asked = [0, 1] if table["label"].any() else [0]  # of reals alone something can be learnt too: train says how
    counts = {(s, label): int(((ok["split"] == s) & (ok["label"] == label)).sum()) for s in SPLITS for label in asked}
    if empty := [f"no {NAMES[label]} in {s}" for (s, label), n in counts.items() if not n]:
        number = table["group"].nunique()
        raise UserError(f"{', '.join(empty)}: {len(ok)} usable videos in {number} groups", _way_out(ok, asked, p))
    columns = ["video_id", "label", "identities", "method", "dataset", "source", "group", "split", "status"]
    done = table[columns].sort_values("video_id", ignore_index=True)
    done.attrs["leaks"] = leaking
    return done


def status(videos: pd.DataFrame, kept: pd.DataFrame) -> "pd.Series[str]":
    """The status of each video after all steps before: of those with frames, no_face or too_few_faces where so."""
    seen = videos["video_id"].isin(kept["video_id"])
    good = videos["video_id"].isin(kept.loc[kept["reason"] == "", "video_id"])
    has_frames = videos["status"].isin(USABLE)
    lost = videos["status"].mask(has_frames & ~good, "too_few_faces")
    return lost.mask(has_frames & ~seen, "no_face")


def contradictions(table: pd.DataFrame) -> list[str]:
    """The usable videos that show equal pictures under both labels, in words; empty for none."""
    usable = table[table["status"].isin(USABLE)].sort_values("video_id")
    clashes = set()
    for of in (name for name in PICTURES if name in usable):
        shared = usable[(usable[of] != "") & usable[of].duplicated(keep=False)]
        for _, twins in shared.groupby(of):
            if twins["label"].nunique() > 1:
                clashes.add(" and ".join(f"{row.video_id} ({NAMES[row.label]})" for row in twins.itertuples()))
    return sorted(clashes)


def deal(table: pd.DataFrame, p: SplitParams) -> "pd.Series[str]":
    """The split of each video by the hash of its group; of one in a group that is too large by its people, or OUT."""
    size = table["group"].map(table["group"].value_counts())
    large = size > (p.cut or 1) * table.groupby("dataset")["group"].transform("size")
    if p.cut is None or not large.any():
        return _by_hash(table, p)
    loose = atoms(table[large], p.by)
    sides = pd.Series(_by_hash(loose, p).to_numpy(), index=loose["of"]).groupby(level=0).agg(lambda splits: set(splits))
    divided = sides.map(lambda splits: next(iter(splits)) if len(splits) == 1 else OUT)
    return _by_hash(table, p).mask(large, divided.reindex(table.index, fill_value=OUT))


def _by_hash(table: pd.DataFrame, p: SplitParams) -> "pd.Series[str]":
    """The split of each video by the draw of its group, or by the place of that in its stratum."""
    draw = pd.Series({group: chance(group, p.seed) for group in sorted(set(table["group"]))}, dtype=float)
    if p.mode != "quota":
        return table["group"].map(_where(draw, p))
    strata = _kinds(table, "dataset", "method", "label")
    order = draw.groupby(strata)
    size = order.transform("size")
    where = _where((order.rank(method="first") - 0.5) / size, p)  # the middle of each group's place
    rare = strata[size < RARE]
    first = rare.map(lambda name: chance(f"stratum:{name}", p.seed))  # end to end, each by its draws
    turns = pd.DataFrame({"first": first, "stratum": rare, "draw": draw[rare.index]})
    for _, pool in turns.sort_values(["first", "stratum", "draw"]).groupby(_pools(table, rare)):
        where[pool.index] = in_turn(len(pool), {"train": p.train, "val": p.val, "test": p.test})
    return table["group"].map(where)


def _where(place: "pd.Series[float]", p: SplitParams) -> "pd.Series[str]":
    """The split of each place in [0, 1)."""
    where = pd.Series("test", index=place.index, dtype=str).mask(place < p.train + p.val, "val")
    return where.mask(place < p.train, "train")


def _kinds(table: pd.DataFrame, *columns: str) -> "pd.Series[str]":
    """What each group is made of: all that the columns say of its videos."""
    rows = zip(*(table[name].astype(str) for name in columns), strict=True)
    kind = pd.Series(list(map("/".join, rows)), table.index, dtype=str)
    return kind.groupby(table["group"]).agg(lambda kinds: " ".join(sorted(set(kinds))))


def _pools(table: pd.DataFrame, rare: "pd.Series[str]") -> "pd.Series[str]":
    """Which groups of rare strata are dealt together: of one dataset and class, of one class where these are few."""
    pool = _kinds(table, "dataset", "label")[rare.index]
    few = pool.groupby(pool).transform("size") < RARE
    return pool.mask(few, _kinds(table, "label")[rare.index])


def in_turn(count: int, shares: Mapping[str, float]) -> list[str]:
    """The splits of so many groups in a row: each next one goes to the split that lacks most.

    So each run of them has the shares; and of as many groups as there are splits or more, each split has one.
    """
    sides: list[str] = []
    dealt = dict.fromkeys((name for name, share in shares.items() if share), 0)
    for number in range(1, count + 1):
        side = max(dealt, key=lambda name: shares[name] * number - dealt[name])
        dealt[side] += 1
        sides.append(side)
    for name in [name for name, n in dealt.items() if not n and count >= len(dealt)]:
        most = max(dealt, key=lambda name: dealt[name])
        sides[count - 1 - sides[::-1].index(most)] = name
        dealt[most] -= 1
    return sides


def assigned(table: pd.DataFrame, p: SplitParams) -> "pd.Series[str]":
    """The split of each video: dealt, or as the dataset or a file says."""
    if p.mode in ("hash", "quota"):
        return deal(table, p)
    if p.mode == "csv":
        return _listed(table, Path(str(p.table)))
    split = table["split"].copy()
    has = {name: set(table["dataset"][split == name]) for name in SPLITS}
    rest = (split == "train") & table["dataset"].isin((has["train"] & has["test"]) - has["val"])
    if rest.any():
        both = p.train + p.val
        within = p.model_copy(update={"mode": "quota", "train": p.train / both, "val": p.val / both, "test": 0.0})
        part = table[rest]
        split[rest] = deal(part.assign(group=groups(part, p.by)), within)
    return split


def _listed(table: pd.DataFrame, file: Path) -> "pd.Series[str]":
    """What a file says of each video, by its path or video_id; "" of one that it does not list."""
    rows = manifests.read(file)
    if "split" not in rows:
        raise UserError(f"{file}: no column split", "it is to have the columns path, split")
    told = rows.assign(split=rows["split"].str.lower().replace("validation", "val"))
    if len(twice := told.groupby("path").filter(lambda lines: lines["split"].nunique() > 1)):
        name, where = twice["path"].iloc[0], twice["line"][twice["path"] == twice["path"].iloc[0]]
        raise UserError(
            f"{file}: {printable(name)} is in two splits: lines {', '.join(map(str, where))}", "one line a video"
        )
    splits = dict(zip(told["path"], told["split"], strict=True))
    if others := sorted(set(splits) - set(table["video_id"]) - set(table["path"])):
        raise UserError(
            f"{file}: {len(others)} of its paths are no videos: {others[0]} ...", "paths start at extract.root"
        )
    return table["video_id"].map(splits).fillna(table["path"].map(splits)).fillna("")


def chance(group: str, seed: int) -> float:
    """A number in [0, 1) that depends on the group's name and the seed alone."""
    return int.from_bytes(sha256(f"{seed}:{group}".encode()).digest()[:8]) / 2**64


def leaks(table: pd.DataFrame) -> list[str]:
    """What stands on two sides of the split, in words; empty for none.

    Read off the columns anew, not off the ties that made the groups, so that a fault of theirs is found here.
    """
    persons = table.assign(what=table["identities"].map(PERSON.findall)).explode("what").dropna(subset="what")
    persons["what"] = list(map(owned, persons["dataset"], persons["what"].str.split().str.join(" ")))
    derived = table[table["source"] != ""].assign(what=lambda rows: list(map(owned, rows["dataset"], rows["source"])))
    originals = table.assign(what=list(map(owned, table["dataset"], table["video_id"])))
    sources = pd.concat([derived, originals[originals["what"].isin(derived["what"])]])
    seen = table[table["kept"] > 0]
    leaking = [f"identity:{name}" for name in _divided(persons, persons["what"])]
    leaking += [f"source:{name}" for name in _divided(sources, sources["what"])]
    for of in (name for name in PICTURES if name in seen):
        known = seen[seen[of] != ""]
        leaking += [f"twin:{name}" for name in _divided(known, known[of])]
    pairs = [[table.iloc[i] for i in pair] for pair in copies(table)]
    return leaking + [
        f"copies: {a['video_id']} in {a['split']} and {b['video_id']} in {b['split']}"
        for a, b in pairs
        if a["split"] != b["split"]
    ]


def doubts(table: pd.DataFrame) -> dict[str, list[str]]:
    """The videos of which the table says too little to be sure that a split is clean, by what is open."""
    names = set(map(owned, table["dataset"], table["video_id"]))
    persons = table.assign(person=table["identities"].map(people)).explode("person").dropna(subset="person")
    persons["person"] = list(map(owned, persons["dataset"], persons["person"]))
    fakes = persons[persons["label"] == 1]
    known = fakes["person"].isin(persons["person"][persons["label"] == 0]).groupby(fakes["video_id"]).any()
    declared = table["source"].str.contains(":")  # youtube:..., absent:...: the id of no video
    found = [source in names for source in map(owned, table["dataset"], table["source"])]
    lost = table["source"].ne("") & ~declared & ~np.array(found, bool)
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
    divided = table["split"].groupby(shared).transform("nunique") > 1
    sides = table.loc[divided, "split"].groupby(shared[divided]).agg(lambda splits: " and ".join(sorted(set(splits))))
    return [f"{name} in {splits}" for name, splits in sides.items()]


def _way_out(ok: pd.DataFrame, asked: list[int], p: SplitParams) -> str:
    """What to do about a split that lacks a class."""
    held = {NAMES[label]: ok["group"][ok["label"] == label].nunique() for label in asked}
    if few := [f"only {n} hold a {name}" for name, n in held.items() if n < len(SPLITS)]:
        largest = ok["group"].value_counts().head(1)
        whole = [f"one ({group}) has {n} of {len(ok)} videos" for group, n in largest.items() if n > len(ok) / 2]
        way = f"of the groups {', '.join(few + whole)}: each split needs one, so add videos of other people"
        if p.by == "group":
            return f"{way}, or set split.by: identity, which divides collections"
        return f"{way}, or let split.cut divide a group by its people" if whole else way
    return {
        "hash": "chance deals the groups: try split.mode: quota, or another split.seed",
        "quota": "each dataset, method and class is dealt by itself: try another split.seed, or split.mode: hash",
        "official": "the dataset's own split leaves it out: set split.mode: quota",
        "csv": "the table leaves it out: list more videos in it",
    }[p.mode]
