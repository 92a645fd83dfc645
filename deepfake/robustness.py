"""robustness: how well fakes are told after what happens to videos on their way, beside how well before."""

from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from deepfake.base.errors import unknown
from deepfake.base.params import Params
from deepfake.measures import intervals
from deepfake.measures.slices import figures
from deepfake.measures.statistics import ABSTAINED, Sample, called
from deepfake.perturb import LEVELS
from deepfake.perturb import cells as every

MEANS = ("auc", "drop", "false_positive_rate", "inconclusive", "coverage")


class RobustnessParams(Params):
    """Which perturbations are tried."""

    kinds: tuple[str, ...]  # of perturb.LEVELS; none is all of them
    levels: tuple[int, ...] = Field(min_length=1)  # 1 the mildest, 5 the strongest
    seed: int = Field(ge=0)
    resamples: int = Field(ge=100)  # of the people

    @field_validator("kinds")
    @classmethod
    def _known(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        for kind in kinds:
            if kind not in LEVELS:
                raise ValueError(str(unknown("perturbation", kind, LEVELS)))
        return kinds

    def cells(self) -> list[tuple[str, int]]:
        """The kinds and levels that are asked for."""
        return [(kind, level) for kind, level in every() if level in self.levels and kind in (self.kinds or LEVELS)]


def cells(table: pd.DataFrame, p: RobustnessParams) -> pd.DataFrame:
    """A row for each cell: AUC and false alarms on reals with intervals, coverage, and the AUC that is lost.

    `inconclusive` is the share of the scored videos that got no verdict; false alarms are among those that got one.

    `table` has a row for each video and cell: video_id, label, group, kind, level, score, verdict. Those of the kind
    "clean", level 0, are the videos as they are. A loss is on the videos scored both ways, people drawn alike.
    """
    clean = table[table["kind"] == "clean"]
    parts = table.groupby(["kind", "level"], sort=False)
    return pd.DataFrame([{"kind": kind, "level": level} | cell(rows, clean, p) for (kind, level), rows in parts])


def cell(rows: pd.DataFrame, clean: pd.DataFrame, p: RobustnessParams) -> dict[str, Any]:
    """The figures of one cell, beside the same videos as they are."""
    own = figures(rows, p.resamples, p.seed)
    both = rows.merge(clean[["video_id", "score"]], on="video_id", suffixes=("", "_clean")).dropna(
        subset=["score", "score_clean"]
    )
    drop = intervals.difference([Sample.of(both)], [Sample.of(both, "score_clean")], "auc", p.resamples, p.seed)
    known = ("auc", "auc_low", "auc_high", "false_positive_rate", "false_positive_rate_low", "false_positive_rate_high")
    coverage = float(rows["score"].notna().mean()) if len(rows) else None
    scored = rows[rows["score"].notna()]
    return {
        **{name: own[name] for name in known},
        "inconclusive": float((called(scored["verdict"]) == ABSTAINED).mean()) if len(scored) else None,
        "coverage": coverage,
        **{"drop": drop.value, "drop_low": drop.low, "drop_high": drop.high},
    }


def metrics(summary: pd.DataFrame) -> dict[str, Any]:
    """What the cells come to, in figures few enough for a review: the mean loss, the worst cells by name, each kind.

    A mean, and the worst, are of cells in which people enough are scored for an interval; the rest tell by coverage.
    """
    known = summary.set_index(summary["kind"].str.replace("_", " ") + ", level " + summary["level"].astype(str))
    changed = known[known["kind"] != "clean"]
    sure = changed[changed["drop_low"].notna()]
    kinds = {str(kind): _means(own) for kind, own in changed.groupby("kind", sort=False)}
    return {
        "clean": _of(known[known["kind"] == "clean"].iloc[0]),
        "mean_drop": _mean(sure["drop"]),
        "cells": {"all": len(changed), "scored_enough": len(sure)},
        "worst": _at(sure, sure["auc"].astype(float), "auc"),
        "most_false_alarms": _at(sure, -sure["false_positive_rate"].astype(float), "false_positive_rate"),
        "least_covered": _at(changed, changed["coverage"].astype(float), "coverage"),
        "by_kind": kinds,
    }


def _of(row: "pd.Series[Any]") -> dict[str, Any]:
    return {name: row[name] for name in MEANS if name != "drop"}


def _means(own: pd.DataFrame) -> dict[str, Any]:
    sure = own[own["drop_low"].notna()]
    return {name: _mean((own if name == "coverage" else sure)[name]) for name in MEANS}


def _mean(column: "pd.Series[Any]") -> float | None:
    known = column.dropna()
    return float(known.mean()) if len(known) else None


def _at(changed: pd.DataFrame, order: "pd.Series[float]", name: str) -> dict[str, Any]:
    """The cell of the lowest, and that figure of it."""
    names = [key for key in (name, f"{name}_low", f"{name}_high") if key in changed]
    if order.isna().all():
        return {"name": None} | dict.fromkeys(names)
    place = int(np.nanargmin(order))
    return {"name": changed.index[place]} | {key: changed[key].iloc[place] for key in names}
