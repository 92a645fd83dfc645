"""scope: on what a detector was measured, on which methods of forging, and with which figures.

A card holds it, so that it travels with the folder. Names and figures are those of reports/metrics.json.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from deepfake.base import tables
from deepfake.base.errors import UserError
from deepfake.base.params import Params

TEST = "the test split of its data"
WHOLE, SEEN, HELD_OUT = "all test videos", "seen in training", "held out of training"
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Checked(Params):
    """A part of a scope: every number is one, and finite."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Figure(Checked):
    """A figure and its 95 % interval over groups of people; None where it is undefined."""

    value: Share | None
    low: Share | None = None
    high: Share | None = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        ends = [end for end in (self.low, self.high) if end is not None]
        if len(ends) == 1 or ends != sorted(ends):
            raise ValueError("low and high are no interval")
        return self

    @classmethod
    def of(cls, figures: Mapping[str, Any], name: str) -> Self:
        """`name`, `name_low` and `name_high` of figures, rounded as they are written."""
        ends = zip(cls.model_fields, ("", "_low", "_high"), strict=True)
        return cls(**{field: tables.rounded(figures.get(f"{name}{end}")) for field, end in ends})


class Counts(Checked):
    """How many videos of each class."""

    reals: Count
    fakes: Count


class Named(Checked):
    """The AUC of a part of the test, or of a rival, by its name."""

    name: str
    auc: Figure


class Method(Checked):
    """Fakes of one method, against all reals of the test."""

    fakes: Count  # that were scored
    auc: Figure
    false_negative_rate: Figure  # fakes called real, of those with a verdict


class Column(Checked):
    """What was measured on some videos of which nothing was learnt."""

    reals: Count  # that were scored, as are the fakes
    fakes: Count
    groups: Count  # of people
    unscored: Count | None = None  # videos beside these, in which no face was found, or which do not decode
    inconclusive: Counts  # scored and called neither: in no error rate
    auc: Figure
    eer: Figure
    false_positive_rate: Figure  # reals called fake, of those with a verdict
    false_negative_rate: Figure
    best_baseline: Named | None = None  # what a few numbers of a video tell without any detector

    @property
    def abstained(self) -> float | None:
        """The share of scored videos that got no verdict; None where none was scored."""
        count = self.reals + self.fakes
        return (self.inconclusive.reals + self.inconclusive.fakes) / count if count else None

    @classmethod
    def of(cls, figures: Mapping[str, Any], coverage: Mapping[str, Any] | None) -> Self:
        """A column of metrics.json; `coverage` counts the videos that were to be scored."""
        return cls(
            **{name: figures[name] for name in ("reals", "fakes", "groups")},
            unscored=coverage["expected"] - coverage["scored"] if coverage else None,
            inconclusive=Counts(**figures["inconclusive"]),
            auc=Figure.of(figures, "auc"),
            eer=Figure.of(figures, "eer"),
            false_positive_rate=Figure.of(figures, "false_positive_rate"),
            false_negative_rate=Figure.of(figures, "false_negative_rate"),
            best_baseline=_named(figures.get("best_baseline")),
        )


class Scope(Checked):
    """On what a detector was measured; what is held out stands apart from what training has seen."""

    test: str  # what the videos are, in words
    source: str  # sha256 of the file of which the figures are
    video: Column
    seen: Column | None = None  # of video, where a part was held out of training
    held_out: Column | None = None
    by_method: dict[str, Method] = Field(default_factory=dict)
    extra: dict[str, Column] = Field(default_factory=dict)  # further datasets, or copies of the test, by name
    worst_slice: Named | None = None  # of the test

    @property
    def columns(self) -> dict[str, Column]:
        """What no mean goes over, by name: the test, or its two parts where some is held out; each further dataset."""
        parts = {SEEN: self.seen, HELD_OUT: self.held_out}
        own = {name: column for name, column in parts.items() if column}
        return (own or {WHOLE: self.video}) | self.extra

    @property
    def methods(self) -> str:
        """The methods of forging that it was measured on, in words."""
        return ", ".join(self.by_method) or "not named"


def of(metrics: Mapping[str, Any], source: str, test: str = TEST) -> Scope:
    """What the metrics of a test say that is worth telling with the detector; `source`: the sha256 of their file."""
    parts = {name: Column.of(metrics[name], None) for name in ("seen", "held_out") if name in metrics}
    methods = {
        name: Method(
            fakes=own["fakes"],
            auc=Figure.of(own, "auc"),
            false_negative_rate=Figure.of(own, "false_negative_rate"),
        )
        for name, own in sorted(metrics.get("by_method", {}).items())
    }
    return Scope(
        test=test,
        source=source,
        video=Column.of({**metrics["video"], "best_baseline": metrics.get("best_baseline")}, metrics["coverage"]),
        **parts,
        by_method=methods,
        extra={name: Column.of(own, own["coverage"]) for name, own in metrics.get("extra", {}).items()},
        worst_slice=_named(metrics.get("worst_slice")),
    )


def read(path: Path) -> Scope:
    """What a metrics.json says. Raises UserError where there is none, or another file."""
    if not path.is_file():
        raise UserError(f"no metrics {path}", "run the stage that writes them: dvc repro evaluate")
    text = path.read_bytes()
    try:
        return of(json.loads(text), sha256(text).hexdigest())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: no metrics of a test", "reports/metrics.json, as evaluate writes it") from None


def spoken(scope: Scope) -> Iterator[str]:
    """How well each column is told, a clause each, for a person."""
    for name, column in scope.columns.items():
        if column.auc.value is not None:
            yield f"{name}: AUC {column.auc.value:.3f} on {column.reals} real and {column.fakes} fake"


def _named(figures: Mapping[str, Any] | None) -> Named | None:
    """Who it is, where there is anyone."""
    return Named(name=figures["name"], auc=Figure.of(figures, "auc")) if figures and figures["name"] else None
