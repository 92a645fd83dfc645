"""relations: what videos share, people, sources and pictures, and the groups that it ties them into."""

import re
from typing import Literal

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from deepfake.dataset import alike
from deepfake.dataset.videos import people

By = Literal["identity", "group"]  # what ties videos: what they show; or their collection as well
PICTURES = ("sha256", "pictures_sha256")  # hashes that are equal in equal videos: of the file, of what it shows
LENT = {  # whose the people of a dataset are that is made of another's videos: by "dataset:person"
    "FaceForensics++": re.compile(r"DeeperForensics-1\.0:.*|DF40:(?:absent:)?[MW]?\d{3}"),
    "Celeb-DF": re.compile(r"Celeb-DF(?:-v1|-v2|\+\+)?:.*|DF40:(?:id\d+|youtube:.*|absent:(?:Celeb|YouTube)-real/.*)"),
}


def groups(videos: pd.DataFrame, by: By = "identity") -> "pd.Series[str]":
    """The group of each video: the components of what they share, named by the least of it.

    An identity sorts before a source, a source before equal pictures: more videos of known people rename no group.
    """
    nodes = [[f"video:{name}", *tied] for name, tied in zip(videos["video_id"], ties(videos, by), strict=True)]
    names = sorted({node for tied in nodes for node in tied})
    place = {name: i for i, name in enumerate(names)}
    many = np.array([len(tied) for tied in nodes], int)
    flat = np.array([place[node] for tied in nodes for node in tied], int)
    first = flat[np.cumsum(many) - many] if len(nodes) else flat
    edges = coo_array((np.ones(len(flat), bool), (np.repeat(first, many), flat)), shape=(len(names), len(names)))
    count, component = connected_components(edges, directed=False) if names else (0, flat)
    least = np.full(count, len(names))
    np.minimum.at(least, component, np.arange(len(names)))
    return pd.Series([names[least[component[i]]] for i in first], index=videos.index, dtype=str)


def home(dataset: str, name: str) -> str:
    """The dataset whose person or original this is: one that is built on another shows the people of that.

    DeeperForensics-1.0 and DF40 show those of FaceForensics++, DF40 those of Celeb-DF as well, whose versions share
    theirs.
    """
    return next((owner for owner, lent in LENT.items() if lent.fullmatch(f"{dataset}:{name}")), dataset)


def owned(dataset: str, name: str) -> str:
    """A person or source told from others of the same name by whose it is: FaceForensics++:000."""
    return f"{home(dataset, name)}:{name}"


def ties(videos: pd.DataFrame, by: By = "identity") -> list[list[str]]:
    """What each video shares with others of its group: people (a swap has two), source and pictures.

    People and sources are those of their `home`. A video is the source of those made of it, though it says one of its
    own. Pictures are equal in their file's bytes, in what it decodes to, or to the eye, where they are encoded anew.
    """
    originals = set(map(owned, videos["dataset"], videos["source"]))
    shared = []
    for row in videos.to_dict("records"):
        dataset, name = row["dataset"], row["video_id"]
        sources = {owned(dataset, row["source"] or name)} | originals & {owned(dataset, name)}
        persons = [f"identity:{owned(dataset, person)}" for person in people(str(row["identities"]))]
        twins = [f"twin:{row[of]}" for of in PICTURES if row["kept"] and row.get(of)]
        part = [f"part:{dataset}:{row['collection']}"] if by == "group" and row.get("collection") else []
        shared.append([*persons, *part, *(f"source:{source}" for source in sorted(sources)), *twins])
    names = videos["video_id"].tolist()
    for i, j in copies(videos):
        tie = "twin:" + " ".join(sorted((names[i], names[j])))
        shared[i].append(tie)
        shared[j].append(tie)
    return shared


def copies(videos: pd.DataFrame) -> list[tuple[int, int]]:
    """The places of two videos each that show the same pictures, encoded in another way."""
    if "fingerprint" not in videos:
        return []
    return alike.pairs(tuple(videos["fingerprint"].where(videos["kept"] > 0, "")))


def atoms(videos: pd.DataFrame, by: By = "identity") -> pd.DataFrame:
    """What the videos of a group are divided into, though fakes cross: a row for each real and each person of a fake.

    Columns as of the videos; `group` is the atom, `of` the place in `videos`. Reals are tied by all that they share,
    fakes tie nothing: each stands in it once for every person, and once for its source where that is a real.
    """
    place = dict(zip(zip(videos["dataset"], videos["video_id"], strict=True), videos.index, strict=True))
    whole = videos.assign(of=videos.index)
    reals, fakes = whole[whole["label"] == 0], whole[whole["label"] == 1]
    nothing = {"source": "", "collection": "", "fingerprint": "", **dict.fromkeys(PICTURES, "")}
    alone = fakes.assign(**{name: text for name, text in nothing.items() if name in whole})
    shown = alone.assign(identities=alone["identities"].map(people)).explode("identities").dropna(subset="identities")
    shown["video_id"] = "fake:" + shown["video_id"] + ":" + shown["identities"]
    rows = pd.concat([reals, shown], ignore_index=True)
    rows["group"] = groups(rows, by)
    atom = dict(zip(rows["of"][rows["label"] == 0], rows["group"][rows["label"] == 0], strict=True))
    placed = fakes.assign(real=[place.get(key) for key in zip(fakes["dataset"], fakes["source"], strict=True)])
    placed = placed.assign(group=placed["real"].map(atom)).dropna(subset="group").drop(columns="real")
    return pd.concat([rows, placed], ignore_index=True)
