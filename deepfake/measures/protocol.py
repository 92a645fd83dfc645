"""protocol: how the test is done, and which methods and datasets it keeps from training."""

import json
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd
from pydantic import Field, model_validator

from deepfake.base.errors import UserError, unknown
from deepfake.base.params import Params
from deepfake.dataset.videos import USABLE

BESIDE = (  # the figures of a column that stands beside the test
    *("auc", "eer", "balanced_accuracy", "false_positive_rate", "false_negative_rate"),
    *("precision_at_prevalence", "brier", "cllr"),
)
APART = "held_out"  # the split of what may be neither learnt from nor tested on


class HeldOut(Params):
    """What is in the test alone: how a detector does on what it has never seen."""

    methods: tuple[str, ...] = ()  # of making fakes, as the videos name them
    datasets: tuple[str, ...] = ()

    def of(self, videos: pd.DataFrame) -> "pd.Series[bool]":
        """Which videos are of a held-out method or dataset."""
        return videos["method"].isin(self.methods) | videos["dataset"].isin(self.datasets)


class Extra(Params):
    """A further dataset, that the detector is tested on and nothing is learnt from."""

    root: str  # the folder of its videos
    layout: str  # how they lie there: a file of deepfake/layouts
    name: str = ""  # of its column in the figures; without one it is called by its folder

    @property
    def column(self) -> str:
        """What it is called."""
        return self.name or Path(self.root).name


class EvaluateParams(Params):
    """How the test is done."""

    seed: int = Field(ge=0)  # of the shuffled frames, and of the resamples
    resamples: int = Field(ge=100)  # of the people, for the intervals
    shuffles: int = Field(ge=1)  # of the frames of each sequence
    prevalence: float = Field(gt=0, lt=1)  # of fakes, where the detector is to be used
    min_coverage: float = Field(ge=0, le=1)  # of reals and of fakes that are scored: below it the stage fails
    held_out: HeldOut = HeldOut()
    extra: tuple[Extra, ...] = ()  # in the test alone, in columns of their own

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        columns = [dataset.column for dataset in self.extra]
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise ValueError(f"two datasets of extra are called {', '.join(twice)}: give each a name")
        return self


def apart(splits: pd.DataFrame, held: HeldOut) -> pd.DataFrame:
    """The splits, with what is held out in the test alone.

    A held-out dataset goes to the test, with all who share a person with it. A fake of a held-out method whose people
    are in train or validation can stand nowhere: its split is "held_out". Raises UserError for a name that no video
    has, and where a side is left without a class.
    """
    for kind, names in (("method", held.methods), ("dataset", held.datasets)):
        for name in names:
            if name not in (known := set(splits[kind]) - {""}):
                raise unknown(kind, name, known, where=f"params.yaml: evaluate.held_out.{kind}s")
    foreign = set(splits["group"][splits["dataset"].isin(held.datasets)])
    side = splits["split"].mask(splits["group"].isin(foreign), "test")
    dealt = splits.assign(split=side.mask(splits["method"].isin(held.methods) & (side != "test"), APART))
    usable = dealt[dealt["status"].isin(USABLE)]
    counts = usable.groupby(["split", "label"]).size()
    labels = sorted(set(splits["label"]))
    empty = [
        f"no {('real', 'fake')[label]} in {name}"
        for name in ("train", "val", "test")
        for label in labels
        if not counts.get((name, label), 0)
    ]
    tested = usable[(usable["split"] == "test") & (usable["label"] == 1)]
    empty += [f"no {name} in test" for name in held.methods if name not in set(tested["method"])]
    if empty:
        raise UserError(f"evaluate.held_out leaves {', '.join(empty)}", "hold out less, or try another split.seed")
    return dealt


def one_left_out(splits: pd.DataFrame, kind: Literal["method", "dataset"]) -> dict[str, str]:
    """For each method or dataset, the setting of params.yaml that holds it out, by its name.

    Raises UserError with fewer than two: something has to be learnt from.
    """
    names = sorted(set(splits[kind]) - {""})
    if len(names) < 2:
        alone = f"one {kind} alone, {names[0]}" if names else f"no {kind}"
        raise UserError(f"the videos name {alone}", f"with two or more, each {kind} can be held out of training")
    return {name: f"evaluate.held_out.{kind}s={json.dumps([name])}" for name in names}


def summary(splits: pd.DataFrame, held: HeldOut) -> dict[str, Any]:
    """How many videos the test keeps to itself, and how many stand nowhere."""
    out = held.of(splits)
    return {"tested": int((out & (splits["split"] == "test")).sum()), "unused": int((splits["split"] == APART).sum())}
