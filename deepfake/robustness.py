"""robustness: how well fakes are told after what happens to videos on their way, beside how well before."""

from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from deepfake.base.errors import unknown
from deepfake.base.params import Params
from deepfake.measures import intervals
from deepfake.measures.slices import figures
from deepfake.measures.statistics import Sample
from deepfake.perturb import LEVELS, cells


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
        return [(kind, level) for kind, level in cells() if level in self.levels and kind in (self.kinds or LEVELS)]


def metrics(table: pd.DataFrame, p: RobustnessParams) -> dict[str, Any]:
    """Of each cell: AUC, coverage and false alarms on reals, with intervals, and the AUC that is lost; the mean of it.

    `table` has a row for each video and cell: video_id, label, group, kind, level, score, verdict. Those of the kind
    "clean" are the videos as they are. A loss is on the videos that were scored both ways, people drawn alike for both.
    """
    clean = table[table["kind"] == "clean"]
    found: dict[str, Any] = {"clean": cell(clean, clean, p)}
    drops = []
    for (kind, level), rows in table[table["kind"] != "clean"].groupby(["kind", "level"], sort=False):
        own = found.setdefault(str(kind), {})[f"level_{level}"] = cell(rows, clean, p)
        drops.append(own["drop"])
    known = [drop for drop in drops if drop is not None]
    return {"mean_drop": float(np.mean(known)) if known else None, **found}


def cell(rows: pd.DataFrame, clean: pd.DataFrame, p: RobustnessParams) -> dict[str, Any]:
    """The figures of one cell, beside the same videos as they are."""
    said = figures(rows, p.resamples, p.seed)
    both = rows.merge(clean[["video_id", "score"]], on="video_id", suffixes=("", "_clean")).dropna(
        subset=["score", "score_clean"]
    )
    drop = intervals.difference([Sample.of(both)], [Sample.of(both, "score_clean")], "auc", p.resamples, p.seed)
    known = ("auc", "auc_low", "auc_high", "false_positive_rate", "false_positive_rate_low", "false_positive_rate_high")
    coverage = float(rows["score"].notna().mean()) if len(rows) else None
    return {
        **{name: said[name] for name in known},
        "coverage": coverage,
        **{"drop": drop.value, "drop_low": drop.low, "drop_high": drop.high},
    }
