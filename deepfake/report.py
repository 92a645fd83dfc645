"""report: what a test comes to: the videos on their way to it, its verdict in words, and its worst mistakes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from deepfake import video
from deepfake.base.params import Params
from deepfake.dataset.videos import USABLE
from deepfake.pages.plots import spread
from deepfake.video import Images

FACES = 8  # of a mistake that are shown


class ReportParams(Params):
    """What the report shows."""

    mistakes: int = Field(ge=0)  # the most confident ones, of each class


@dataclass(frozen=True)
class Mistake:
    """A video of the test that was called wrongly."""

    row: "pd.Series[Any]"  # of the predictions
    faces: list[Images]  # some of its longest track, RGB
    sequences: pd.DataFrame  # of it: first, last, score


@dataclass(frozen=True)
class Facts:
    """What a report is made of."""

    metrics: dict[str, Any]
    controls: dict[str, Any]  # what could make them too good
    predictions: pd.DataFrame
    funnel: list[tuple[str, int, int]]  # from raw videos to scored ones: what, reals, fakes
    mistakes: list[Mistake]
    params: dict[str, Any]  # that it was trained and prepared by
    hashes: dict[str, str]  # what was tested, and on what
    robustness: pd.DataFrame = field(default_factory=pd.DataFrame)  # a row a cell; empty where it was not measured


def funnel(
    videos: pd.DataFrame, kept: pd.DataFrame, splits: pd.DataFrame, predictions: pd.DataFrame
) -> list[tuple[str, int, int]]:
    """How many reals and fakes are left after each step."""
    good = kept["video_id"][kept["reason"] == ""]
    test = splits[splits["split"] == "test"]
    steps = {
        "videos found": videos,
        "gave frames": videos[videos["status"].isin(USABLE)],
        "show a face": videos[videos["video_id"].isin(kept["video_id"])],
        "have good faces enough": videos[videos["video_id"].isin(good)],
        "train": splits[(splits["split"] == "train") & splits["status"].isin(USABLE)],
        "validation": splits[(splits["split"] == "val") & splits["status"].isin(USABLE)],
        "test, expected": test,
        "test, scored": predictions[predictions["score"].notna()],
    }
    return [(name, int((t["label"] == 0).sum()), int((t["label"] == 1).sum())) for name, t in steps.items()]


def mistakes(
    predictions: pd.DataFrame, sequences: pd.DataFrame, kept: pd.DataFrame, faces: Path, most: int
) -> list[Mistake]:
    """The most confident mistakes, `most` of each class, the worst first, with faces from data/faces."""
    called = predictions["verdict"].map({"real": 0, "fake": 1})
    wrong = predictions[called.notna() & (called != predictions["label"])]
    wrong = wrong.assign(off=(wrong["score"] - wrong["label"]).abs()).sort_values(["off", "video_id"], ascending=[0, 1])
    good = kept[kept["reason"] == ""].groupby(["video_id", "track"])["position"].agg(list)
    shown = []
    for _, row in wrong[wrong.groupby("label").cumcount() < most].iterrows():
        tracks = good[row["video_id"]]
        track = tracks.map(len).idxmax()
        places = [sorted(tracks[track])[i] for i in spread(len(tracks[track]), FACES)]
        frames = [
            frame.rgb() for frame in video.stored(faces / f"{row['video_id']}/{track}.mkv") if frame.index in places
        ]
        shown.append(Mistake(row, frames, sequences[sequences["video_id"] == row["video_id"]]))
    return shown


def of_this_test(perturbed: pd.DataFrame, predictions: pd.DataFrame) -> bool:
    """Whether robustness was measured on this very detector and test: as they were, its videos had the same scores."""
    clean = perturbed[perturbed["kind"] == "clean"].set_index("video_id")["score"].astype(float)
    now = predictions.set_index("video_id")["score"].astype(float)
    return bool(clean.sort_index().equals(now.sort_index()))


def verdict(metrics: Mapping[str, Any]) -> str:
    """What the test says, in one or two sentences; of what was held out apart from what training has seen."""
    if "held_out" in metrics:
        return f"Seen in training: {_said(metrics['seen'])} Held out of it: {_said(metrics['held_out'])}"
    return _said(metrics["video"] | {"best_baseline": metrics["best_baseline"]})


def _said(figures: Mapping[str, Any]) -> str:
    """What one column says: the AUC, whether it may be chance, and whether it is more than a shortcut's."""
    best = figures["best_baseline"]
    if figures["auc"] is None:
        return f"Nothing can be said of how well fakes are told: {figures['undefined']['auc']}."
    people = f"{figures['reals']} real and {figures['fakes']} fake videos of {figures['groups']} groups"
    sentence = f"AUC {within(figures, 'auc')} on {people} of people."
    if figures["auc_low"] is None:
        sentence += f" That may be chance, and how far cannot be told: {figures['undefined']['intervals']}."
    if best["gain"] is None:
        return f"{sentence} There is no baseline to compare with."
    name = best["name"].replace("_", " ")
    if best["gain_low"] is not None and best["gain_low"] > 0:
        return f"{sentence} That is more than the best shortcut tells ({name}), by {within(best, 'gain')}."
    return (
        f"{sentence} It is not shown that this is more than the best shortcut tells: {name} alone reaches "
        f"{best['auc']:.3f}, the detector adds {within(best, 'gain')}."
    )


def inconclusive(figures: Mapping[str, Any]) -> str:
    """How many of each class were scored and got no verdict: ranked, and neither right nor wrong."""
    silent = figures["inconclusive"]
    return f"{silent['reals']} real, {silent['fakes']} fake"


def within(figures: Mapping[str, Any], name: str) -> str:
    """A figure and its interval."""
    value, low, high = (figures.get(key) for key in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return "undefined"
    return f"{value:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None else "")
