"""slices: the test by what its videos are like: where does the detector do worst?"""

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from deepfake.dataset.manifests import ABOUT
from deepfake.measures.intervals import described
from deepfake.measures.statistics import ABSTAINED, Sample, called

KINDS = ("method", "dataset", "collection", "compression", "codec")  # columns of texts that are always looked at
NUMBERS = ("face_side", "sharpness", "faces", "duration", "bits_per_pixel")  # that are always looked at
THIRDS = ("low", "middle", "high")
SHOWN = ("auc", "false_positive_rate", "false_negative_rate")
FEWEST = 5  # groups of people in a slice that may be called the worst
MOST = 20  # values of a further column: more are numbers, such as an age, or names, which divide nothing


def properties(videos: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """What each video is like, by its id: KINDS, NUMBERS, and what else a manifest says of it in few different words
    or in numbers. Its columns of too many words are named in the table's attrs, as `undivided`.

    face_side: px, the median face; sharpness: of the median face; faces: tracks; duration: s; bits_per_pixel: of the
    file, which is how strongly it is compressed. NaN or "" where unknown.
    """
    good = kept[kept["reason"] == ""].groupby("video_id")
    table = videos.set_index("video_id")
    pixels = table["width"] * table["height"] * table["fps"] * table["duration"]
    numbers = {
        "face_side": good["width"].median(),
        "sharpness": good["sharpness"].median(),
        "faces": good["track"].nunique(),
        "duration": table["duration"],
        "bits_per_pixel": table["bitrate"] * table["duration"] / pixels.where(pixels > 0),
    }
    further = {name: table[name].nunique() for name in table if name.startswith(ABOUT) and table[name].nunique() > 1}
    many = [name for name, values in further.items() if values > MOST]
    counted = [name for name in many if is_numeric_dtype(table[name])]
    texts = {
        name.removeprefix(ABOUT): table[name].fillna("").astype(str)
        for name in [*(name for name in further if name not in many), *KINDS]  # ours last: they win
        if name in table
    }
    numbers = {name.removeprefix(ABOUT): table[name] for name in counted} | numbers
    known = pd.DataFrame(texts | numbers, index=table.index)
    known.attrs["undivided"] = [name.removeprefix(ABOUT) for name in many if name not in counted]
    return known


def slices(predictions: pd.DataFrame, about: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """For each property, as `by_<property>`, the figures of each of its values; and the worst of all.

    Fakes of one method are set against all reals. A number is divided into thirds of the test. `undivided` are the
    columns of the manifest that have too many words to divide by.
    """
    further = about[[name for name in about if name not in predictions]]  # a manifest may have a column "score"
    known = predictions.join(further, on="video_id")
    by_slice: dict[str, Any] = {}
    for name in [*KINDS, *NUMBERS, *sorted(set(further) - {*KINDS, *NUMBERS})]:
        number = name in known and name not in KINDS and is_numeric_dtype(known[name])
        if name in known and (values := _values(known[name], number)) is not None:
            fakes_alone = known["label"].eq(1) if name == "method" else pd.Series(True, known.index)
            own = {value: known[values.eq(value) | ~fakes_alone] for value in _order(values[fakes_alone])}
            if len(own) > 1 or (own and name == "method"):
                by_slice[f"by_{name}"] = {value: figures(rows, resamples, seed) for value, rows in own.items()}
                if number:
                    for value, rows in own.items():
                        by_slice[f"by_{name}"][value] |= {"from": rows[name].min(), "to": rows[name].max()}
    return by_slice | {"worst_slice": worst(by_slice), "undivided": about.attrs.get("undivided", [])}


def figures(rows: pd.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """Counts of what is scored, how many got no verdict, and the AUC and the error rates with their intervals."""
    scored = rows[rows["score"].notna()]
    values = described(Sample.of(scored), resamples, seed)
    silent = int(called(rows["verdict"]).eq(ABSTAINED).sum())
    counts = {"reals": int(scored["label"].eq(0).sum()), "fakes": int(scored["label"].eq(1).sum())}
    counts |= {"groups": int(scored["group"].nunique()), "abstained": silent}
    return counts | {key: values[key] for name in SHOWN for key in (name, f"{name}_low", f"{name}_high")}


def worst(by_slice: dict[str, Any]) -> dict[str, Any]:
    """The slice of the lowest AUC, among those of people enough to say so."""
    aucs = {
        f"{name.removeprefix('by_').replace('_', ' ')}: {value}": own
        for name, values in by_slice.items()
        for value, own in values.items()
        if own["auc_low"] is not None and own["groups"] >= FEWEST
    }
    if not aucs:
        return dict.fromkeys(("name", "auc", "auc_low", "auc_high"))
    name = min(aucs, key=lambda name: (aucs[name]["auc"], name))
    return {"name": name, **{key: aucs[name][key] for key in ("auc", "auc_low", "auc_high")}}


def _values(column: "pd.Series[Any]", number: bool) -> "pd.Series[str] | None":
    """The value of each row, "" where it is unknown; None where there is nothing to divide."""
    if not number:
        return column.fillna("").astype(str)
    known = column.dropna()
    if known.nunique() < 2:
        return None
    last = np.unique(known)[-2]  # beyond the greatest there is nothing: it stands alone, where most videos have it
    edges = np.unique(np.minimum(np.quantile(known, (1 / 3, 2 / 3)), last))
    place = np.searchsorted(edges, column, side="left")
    names = THIRDS if len(edges) == 2 else (THIRDS[0], THIRDS[2])
    return pd.Series(np.array(names)[np.minimum(place, len(names) - 1)], column.index).mask(column.isna(), "")


def _order(values: "pd.Series[str]") -> list[str]:
    """The values that there are, thirds from low to high."""
    return sorted(set(values) - {""}, key=lambda value: (THIRDS.index(value) if value in THIRDS else 0, value))
